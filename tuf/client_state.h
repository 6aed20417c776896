/* What client.c (opening, refresh) and client_target.c (lookup, download) share; nobody else includes this. */
#ifndef FLIPSIDE_TUF_CLIENT_STATE_H
#define FLIPSIDE_TUF_CLIENT_STATE_H

#include <stdbool.h>

#include "tuf/client.h"
#include "tuf/store.h"

struct tuf_client {
	char *metadata_url, *targets_url; /* NULL if not given */
	int64_t now_sec;
	bool offline;
	struct tuf_fetcher *fetcher;
	struct tuf_store *store;
	struct buf root;	     /* bytes of the newest trusted root */
	struct tuf_trusted *trusted; /* never NULL once open */
	size_t n_role_names;	     /* of roles that listed a target: struct tuf_target borrows them */
	char **role_names;
};

/* The stored file of @role as far as it can be had. Return: true with *@out; false: as if absent, told at debug level */
bool tuf_client_stored(const struct tuf_client *c, const char *role, size_t max_bytes, struct buf *out);

/* Fetches the file of @role as the trusted set says; @out must be empty and gets its maximum here. */
int tuf_client_fetch(const struct tuf_client *c, const char *role, const struct tuf_next *next, struct buf *out, struct err *e);

#endif
