/* file:// URLs for the fetcher (tuf/fetch.h), which is the only caller. */
#ifndef FLIPSIDE_TUF_FETCH_FILE_H
#define FLIPSIDE_TUF_FETCH_FILE_H

#include "tuf/fetch.h"

/* As tuf_fetch_open(); a file that cannot be opened or read is ERR_SYSTEM. */
int tuf_fetch_file(const char *url, uint64_t max_bytes, const char *what, struct source **out, struct err *e);

/* As tuf_fetch_open_range(). */
int tuf_fetch_file_range(const struct tuf_fetch_request *q, struct source **out, struct err *e);

#endif
