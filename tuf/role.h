/*
 * The roles as typed values: what is in the `signed` part of root, timestamp, snapshot and targets files
 * (specification 4.3 to 4.6). A parser checks shape, ranges and limits; who signed a file and whether it may be
 * used is the trusted set's matter (tuf/trusted.h).
 */
#ifndef FLIPSIDE_TUF_ROLE_H
#define FLIPSIDE_TUF_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "tuf/key.h"
#include "tuf/signed.h"
#include "tuf/tuf.h"

/* What every role has. */
struct tuf_head {
	uint64_t version;    /* 1..TUF_VERSION_MAX */
	int64_t expires_sec; /* not valid from this second on */
};

/* The hashes listed for a file, in the algorithms known here; other algorithms are dropped. */
struct tuf_hashes {
	bool listed; /* the file lists hashes; with n == 0 they are all unknown, and nothing can be accepted */
	size_t n;
	struct digest v[TUF_HASHES_MAX]; /* in the order of enum digest_alg */
};

/* A member of a `meta` object. */
struct tuf_meta {
	char *name; /* "snapshot.json", "a/b.json": unencoded */
	uint64_t version;
	bool has_length;
	uint64_t length;
	struct tuf_hashes hashes;
};

struct tuf_root {
	struct tuf_head head;
	bool consistent_snapshot;
	struct tuf_keyring keys;
	struct tuf_role_keys roles[TUF_TYPES]; /* by enum tuf_type */
};

struct tuf_timestamp {
	struct tuf_head head;
	struct tuf_meta snapshot;
};

struct tuf_snapshot {
	struct tuf_head head;
	size_t n_meta;
	struct tuf_meta *meta; /* names ascending, by strcmp */
};

/* A target as its role lists it. */
struct tuf_entry {
	char *path;
	uint64_t length; /* 0..INT64_MAX */
	struct tuf_hashes hashes;
	char *custom; /* JSON text, one line, of `custom`; NULL if there is none */
};

/* One delegation: by path patterns or by prefixes of the path's hash. */
struct tuf_delegation {
	char *name; /* not empty, none of the four top-level names, once in a file */
	struct tuf_role_keys keys;
	bool terminating;
	bool by_hash; /* @v holds path_hash_prefixes, else paths; both as in the file */
	size_t n;
	char **v;
};

/* TAP 15: 2^bit_length roles named PREFIX-NUMBER that share keys; not terminating. */
struct tuf_bins {
	char *prefix; /* NULL: no bins */
	uint32_t bit_length; /* 1..32 */
	struct tuf_role_keys keys;
};

struct tuf_targets {
	struct tuf_head head;
	size_t n_entries;
	struct tuf_entry *entries; /* paths ascending, by strcmp */
	struct tuf_keyring keys;   /* of the delegations */
	size_t n_delegations;
	struct tuf_delegation *delegations; /* in the file's order, which is their priority */
	struct tuf_bins bins;
};

/*
 * Parsers of a loaded envelope, whose type must be the parser's. The result is the caller's and outlives the envelope.
 * Return: 0; -1: ERR_FORMAT TUF_E_METADATA or TUF_E_LIMIT with file and field in the message, ERR_SYSTEM
 */
int tuf_root_parse(const struct tuf_signed *s, struct tuf_root **out, struct err *e);
int tuf_timestamp_parse(const struct tuf_signed *s, struct tuf_timestamp **out, struct err *e);
int tuf_snapshot_parse(const struct tuf_signed *s, struct tuf_snapshot **out, struct err *e);
int tuf_targets_parse(const struct tuf_signed *s, struct tuf_targets **out, struct err *e);

void tuf_root_free(struct tuf_root *r);
void tuf_timestamp_free(struct tuf_timestamp *r);
void tuf_snapshot_free(struct tuf_snapshot *r);
void tuf_targets_free(struct tuf_targets *r);
DEFINE_CLEANUP(struct tuf_root, tuf_root_free);
DEFINE_CLEANUP(struct tuf_timestamp, tuf_timestamp_free);
DEFINE_CLEANUP(struct tuf_snapshot, tuf_snapshot_free);
DEFINE_CLEANUP(struct tuf_targets, tuf_targets_free);

/* By name of the file ("targets.json") and by full path; NULL if it is not listed. */
const struct tuf_meta *tuf_snapshot_find(const struct tuf_snapshot *s, const char *name);
const struct tuf_entry *tuf_targets_find(const struct tuf_targets *t, const char *path);

#endif
