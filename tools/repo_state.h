/*
 * What a repository has published, read and verified as a client would, except that metadata may have expired: signing again is how a
 * release engineer brings an expired repository back.
 */
#ifndef FLIPSIDE_TOOLS_REPO_STATE_H
#define FLIPSIDE_TOOLS_REPO_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tools/repo.h"
#include "tuf/trusted.h"

#define REPO_FILE_NAME_BYTES 48 /* "9223372036854775807.timestamp.json" */

struct repo_state {
	struct tuf_trusted *trusted; /* root; the other roles too if @published */
	bool published;		     /* there is a timestamp.json */
	struct buf text[TUF_TYPES];  /* the files of timestamp, snapshot, targets */
	json_t *body[TUF_TYPES];     /* `signed` of snapshot and targets; NULL before the first publication */
};

/* "timestamp.json", "3.root.json": the name in metadata/. */
void repo_metadata_name(enum tuf_type type, uint64_t version, char out[REPO_FILE_NAME_BYTES]);

/**
 * repo_state_load() - all roots, then timestamp, snapshot and targets if there are any
 * @out: empty ({ 0 }) before; repo_state_fini() after success
 * Return: 0; -1: ERR_TRUST, ERR_FORMAT, ERR_MISSING, ERR_SYSTEM; the message names the file
 */
int repo_state_load(const struct repo *r, int64_t now_sec, struct repo_state *out, struct err *e);
void repo_state_fini(struct repo_state *s);

/**
 * repo_state_check_next() - would a client that holds @s accept these files at @now_sec?
 * @next: by enum tuf_type; root is not looked at. The same rules as on a host, expiry included, so that nothing is published
 * that hosts would refuse. Return: 0; -1: the client's reason
 */
int repo_state_check_next(const struct repo *r, const struct repo_state *s, const struct buf next[TUF_TYPES], int64_t now_sec,
			  struct err *e);

/* The published target of this name; NULL if there is none. */
const struct tuf_entry *repo_state_target(const struct repo_state *s, const char *name);

/* Its SHA-256; false if the entry does not list one. */
bool repo_entry_sha256(const struct tuf_entry *entry, struct digest *out);

/* Reads the published target of this name and compares length and digest. ERR_MISSING, ERR_TRUST REPO_E_CHANGED */
int repo_state_read_target(const struct repo *r, const struct repo_state *s, const char *name, struct buf *out, struct err *e);

#endif
