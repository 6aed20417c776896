/*
 * What a repository has published, read and verified as a client would, except that metadata may have expired:
 * signing again is how a release engineer brings an expired repository back.
 */
#ifndef FLIPSIDE_TOOLS_REPO_STATE_H
#define FLIPSIDE_TOOLS_REPO_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tools/repo.h"
#include "tuf/deleg.h"
#include "tuf/trusted.h"

#define REPO_FILE_NAME_BYTES 48 /* "9223372036854775807.timestamp.json" */
#define REPO_ROLE_FILE_BYTES 256 /* "7.a%2Fb.json": of any role that a folder can hold */
#define REPO_BINS_MAX 4096	 /* of succinct hash bins: each is a file of its own */

/* A delegated role of targets, as published. */
struct repo_role {
	char *name;
	const struct tuf_targets *targets; /* owned by the trusted set */
	struct buf text;
	json_t *body;
};

struct repo_state {
	struct tuf_trusted *roots;   /* all roots: the newest one counts for what is signed next */
	struct tuf_trusted *trusted; /* what is published, as the root of that time vouches for it; root alone if not @published */
	bool stale[TUF_TYPES];	     /* the newest root's keys do not vouch for the published file: it must be signed anew */
	bool published;		     /* there is a timestamp.json */
	size_t n_roles;
	struct repo_role *roles; /* delegated by targets and published */
	struct buf text[TUF_TYPES];  /* the files of timestamp, snapshot, targets */
	json_t *body[TUF_TYPES];     /* `signed` of snapshot and targets; NULL before the first publication */
};

/* "timestamp.json", "3.root.json": the name in metadata/. */
void repo_metadata_name(enum tuf_type type, uint64_t version, char out[REPO_FILE_NAME_BYTES]);

/* The same for a delegated role, or targets: the name as a web server decodes it from a URL. ERR_FORMAT "name"
 * when no folder can hold it. */
int repo_role_file(uint64_t version, const char *role, char out[REPO_ROLE_FILE_BYTES], struct err *e);

/* The name of the @i-th of @b's hash bins. */
void repo_bin_name(const struct tuf_bins *b, uint32_t i, char out[TUF_BIN_NAME_BYTES]);

/* Every role that @from delegates to, bins included: @fn is called with its name and keys until it returns -1.
 * ERR_FORMAT "limit" for more than REPO_BINS_MAX bins. */
typedef int (*repo_delegated_fn)(void *ctx, const char *name, const struct tuf_role_keys *keys, struct err *e);
int repo_each_delegated(const struct tuf_targets *from, repo_delegated_fn fn, void *ctx, struct err *e);

/* The newest root. */
const struct tuf_root *repo_state_root(const struct repo_state *s);

/* The published delegated role of this name; NULL if there is none. */
const struct repo_role *repo_state_role(const struct repo_state *s, const char *name);

/**
 * repo_state_load() - all roots, then timestamp, snapshot and targets if there are any
 * @out: empty ({ 0 }) before; repo_state_fini() after success
 * Return: 0; -1: ERR_TRUST, ERR_FORMAT, ERR_MISSING, ERR_SYSTEM; the message names the file
 */
int repo_state_load(const struct repo *r, int64_t now_sec, struct repo_state *out, struct err *e);
void repo_state_fini(struct repo_state *s);

/* Files about to be published. */
struct repo_next {
	struct bytes files[TUF_TYPES]; /* root is not looked at */
	size_t n_roles;
	const struct repo_next_role {
		const char *name;
		struct bytes text;
	} *roles; /* all that targets delegates to */
};

/**
 * repo_state_check_next() - would a client that holds @s accept these files at @now_sec?
 * The same rules as on a host, expiry included, so that nothing is published that hosts would refuse. Return: 0;
 * -1: the client's reason
 */
int repo_state_check_next(const struct repo *r, const struct repo_state *s, const struct repo_next *next, int64_t now_sec, struct err *e);

/* The published target of this name, of targets or a role that it delegates to; NULL if there is none. */
const struct tuf_entry *repo_state_target(const struct repo_state *s, const char *name);

/* Its SHA-256; false if the entry does not list one. */
bool repo_entry_sha256(const struct tuf_entry *entry, struct digest *out);

/* Reads the published target of this name and compares length and digest. ERR_MISSING, ERR_TRUST REPO_E_CHANGED */
int repo_state_read_target(const struct repo *r, const struct repo_state *s, const char *name, struct buf *out, struct err *e);

#endif
