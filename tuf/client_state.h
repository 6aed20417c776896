/* What client.c (opening, refresh) and client_target.c (lookup, download) share; nobody else includes this. */
#ifndef FLIPSIDE_TUF_CLIENT_STATE_H
#define FLIPSIDE_TUF_CLIENT_STATE_H

#include <stdbool.h>

#include "tuf/client.h"
#include "tuf/mirror.h"
#include "tuf/store.h"

struct tuf_client {
	struct tuf_mirrors *mirrors;
	int64_t now_sec;
	bool offline;
	struct tuf_fetcher *fetcher;
	struct tuf_store *store;
	struct buf root;	     /* bytes of the newest trusted root */
	struct tuf_trusted *trusted; /* never NULL once open */
	size_t n_role_names;	     /* of roles that listed a target: struct tuf_target borrows them */
	char **role_names;
};

#define TUF_ABSENT 1

/**
 * tuf_client_stored() - the stored file of @role, as it is
 * @out: must be empty; gets its maximum here
 * Return: 0; TUF_ABSENT: it is not there or cannot be read any more (too large, no regular file, a bad disk),
 * told at debug level; -1: ERR_SYSTEM for trouble that says nothing about the file, such as no memory: what is
 * stored must then not be passed over
 */
int tuf_client_stored(const struct tuf_client *c, const char *role, size_t max_bytes, struct buf *out, struct err *e);

/**
 * tuf_client_pass_over() - a stored file was refused because of @why
 * Return: 0: the file is to blame, and it is told at debug level; -1 with *e: the system is, so nothing is known
 * of the file
 */
int tuf_client_pass_over(const struct err *why, struct err *e);

/* Judges a fetched file. Return: 0 or a positive outcome: it is accepted; -1: as if it had not been given */
typedef int (*tuf_accept_fn)(void *ctx, struct bytes in, struct err *e);

/**
 * tuf_client_fetch() - fetch the file of @role as the trusted set says, from the first mirror whose copy @accept
 * accepts
 * @out: empty; gets its maximum here, and the file on success
 * Return: what @accept returned; -1: the failure of the first mirror and shortly those of the others; ERR_MISSING
 * for "root" when a mirror said so and none has it
 */
int tuf_client_fetch(const struct tuf_client *c, const char *role, const struct tuf_next *next, tuf_accept_fn accept, void *ctx,
		     struct buf *out, struct err *e);

/**
 * tuf_client_stream() - the bytes of a target that has a hash, from the mirrors, not yet verified
 * Goes on at the next mirror where one fails, at the opening or in the middle. Return: 0; -1: as tuf_client_fetch()
 */
int tuf_client_stream(const struct tuf_client *c, const struct tuf_target *t, const char *what, struct source **out, struct err *e);

/* For the log: the present mirror of @s failed, and another one is asked. */
void tuf_client_note_failure(const struct tuf_sweep *s, const struct err *e);

/* The clock by which mirrors rest. */
uint64_t tuf_client_now_ms(void);

/* A rule of the trusted set, by which a fetched file becomes trusted. */
typedef int (*tuf_update_fn)(struct tuf_trusted *t, struct bytes in, struct err *e);

/* What the trusted set wants next of @role, fetched and trusted. Return: as @update */
int tuf_client_update_next(const struct tuf_client *c, struct tuf_trusted *t, const char *role, tuf_update_fn update, struct buf *out,
			   struct err *e);

/* The last step of a refresh: top-level targets as the snapshot of @t wants them, stored or relied on. */
int tuf_client_refresh_targets(struct tuf_client *c, struct tuf_trusted *t, struct err *e);

/* Their file, if @t only relies on it so far. */
int tuf_client_need_targets(struct tuf_client *c, struct tuf_trusted *t, struct err *e);

#endif
