/* The checks that a target's bytes go through, as stages of a stream. */
#ifndef FLIPSIDE_TUF_CHECKED_H
#define FLIPSIDE_TUF_CHECKED_H

#include "base/stream.h"
#include "tuf/role.h"

/* @below, taken over even on failure, with length and every hash checked before its end is told: ERR_TRUST
 * TUF_E_LENGTH, _DIGEST. */
int tuf_checked_new(struct source *below, uint64_t length, const struct digest *hashes, size_t n_hashes, const char *what,
		    struct source **out, struct err *e);

#endif
