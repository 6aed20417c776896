/*
 * A maker of signed TUF metadata for tests. It shares base/'s buffers with the client, and neither its parsers
 * nor its canonical form. Everything in it can be bent: the `signed` objects are plain JSON that a test may
 * change at will before it asks for the bytes.
 *
 *	struct tufrepo *r = tufrepo_new();
 *	tufrepo_add_target(r, "targets", "a/b.txt", bytes_of_str("hello"));
 *	tufrepo_publish(r);			 snapshot and timestamp follow; all files signed and kept
 *	tufrepo_write(r, "/tmp/x");		 metadata/1.root.json ..., targets/a/HASH.b.txt
 *	... tufrepo_bump(r, "targets"); tufrepo_publish(r);
 *
 * The default: one ed25519 key for each top-level role (root 0, timestamp 1, snapshot 2, targets 3), thresholds
 * 1, versions 1, everything expires at TUFREPO_EXPIRES, consistent snapshots, no lengths or hashes in `meta`. The
 * same calls give the same bytes each time, except for RSA and P-256 signatures. It asserts on trouble of its
 * own: it is a fixture.
 */
#ifndef FLIPSIDE_FIXTURES_TUFREPO_H
#define FLIPSIDE_FIXTURES_TUFREPO_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define TUFREPO_EXPIRES "2030-01-01T00:00:00Z"
#define TUFREPO_NOW_SEC 1767225600 /* 2026-01-01T00:00:00Z: before that, whatever the machine's clock says */

/* Keys are numbers: below 900 the ed25519 key whose seed is this number. */
enum {
	TUFREPO_RSA = 900,   /* rsa / rsassa-pss-sha256, 2048 bits */
	TUFREPO_P256,	     /* ecdsa / ecdsa-sha2-nistp256, PEM */
	TUFREPO_P256_OLD,    /* the same key as keytype ecdsa-sha2-nistp256, PEM */
	TUFREPO_P256_HEX,    /* the same key again, as a hex point */
	TUFREPO_UNKNOWN,     /* keytype and scheme that nobody knows; signs garbage */
};

/* How a key signs. */
enum tufrepo_sig {
	TUFREPO_SIG_GOOD,
	TUFREPO_SIG_WRONG,   /* of other bytes */
	TUFREPO_SIG_EMPTY,   /* "" */
	TUFREPO_SIG_NOT_HEX, /* "zz" */
	TUFREPO_SIG_TWICE,   /* good, and the same again */
};

struct tufrepo {
	bool list_lengths; /* in `meta` of snapshot and timestamp */
	bool list_hashes;  /* the same, sha256 */
	struct tufrepo_role *roles;
	struct tufrepo_target *targets;
	struct tufrepo_file *files;
};

struct tufrepo *tufrepo_new(void);
void tufrepo_free(struct tufrepo *r);

/* The TUF key object of a key (a new reference) and its key id; the id lives in @out. */
json_t *tufrepo_key_object(int key);
#define TUFREPO_KEY_ID_BYTES 65
const char *tufrepo_key_id(int key, char out[TUFREPO_KEY_ID_BYTES]);

/* Appends the raw signature of @msg by @key. */
void tufrepo_sign_raw(int key, struct bytes msg, struct buf *sig);

/* The maker's own canonical form of @j. */
void tufrepo_canon(const json_t *j, struct buf *out);

/* The `signed` object of a role, borrowed, to be changed at will. Roles: the top-level four, and those delegated to. */
json_t *tufrepo_signed(struct tufrepo *r, const char *role);

void tufrepo_set_version(struct tufrepo *r, const char *role, int64_t version);
void tufrepo_bump(struct tufrepo *r, const char *role); /* version + 1 */
void tufrepo_set_expires(struct tufrepo *r, const char *role, const char *date);
void tufrepo_set_consistent(struct tufrepo *r, bool consistent); /* in root, which the caller bumps if it was published */

/* The keys and threshold of a top-level role, in root; from now on these keys sign it. Root itself is then signed
 * by the union of these and the keys it had before, until tufrepo_signers() says otherwise. */
void tufrepo_set_keys(struct tufrepo *r, const char *role, const int *keys, size_t n, int64_t threshold);

/* Which keys sign a role's file, well. tufrepo_sig() adds one key that signs as told, or changes how it signs. */
void tufrepo_signers(struct tufrepo *r, const char *role, const int *keys, size_t n);
void tufrepo_sig(struct tufrepo *r, const char *role, int key, enum tufrepo_sig how);

/* Lists a target; @content is copied, and written by tufrepo_write() unless .p is NULL. */
void tufrepo_add_target(struct tufrepo *r, const char *role, const char *path, struct bytes content);
void tufrepo_remove_target(struct tufrepo *r, const char *role, const char *path);

/* The member `custom` of a target; takes the reference. */
void tufrepo_set_custom(struct tufrepo *r, const char *role, const char *path, json_t *custom);

struct tufrepo_delegation {
	const char *from, *name;
	const char *const *paths;    /* NULL at the end; NULL: none */
	const char *const *prefixes; /* path_hash_prefixes, likewise */
	bool terminating;
	int key; /* its one key, threshold 1; the role's file is signed with it */
};

/* Adds a delegation at the end of @d->from's list, and the role if it is new (empty, version 1). */
void tufrepo_delegate(struct tufrepo *r, struct tufrepo_delegation d);

/* succinct_roles instead of roles; all 2^bits bins are made. */
void tufrepo_add_bins(struct tufrepo *r, const char *from, const char *prefix, unsigned int bits, int key);

/* Sorts a role out of or into the snapshot (delegated roles are in it by default). */
void tufrepo_leave_out(struct tufrepo *r, const char *role, bool leave_out);

/* The file of a role as its `signed` and signers are now; borrowed until the role is signed again. */
struct bytes tufrepo_sign(struct tufrepo *r, const char *role);

/* The same envelope around any text of `signed`, signed by @keys over the canonical form of @canon_of: for what
 * JSON objects cannot hold. To be freed with buf_fini(). */
struct buf tufrepo_envelope(const char *signed_text, const json_t *canon_of, const int *keys, size_t n);

/* Puts versions (and lengths and hashes, if wanted) of all targets roles into the snapshot, and of it into the
 * timestamp; versions of these two go up when something was published before. Signs everything and keeps it under
 * the names it has on a server. */
void tufrepo_publish(struct tufrepo *r);

/* Parts of tufrepo_publish(), for half-way states: meta of snapshot, meta of timestamp, and keeping one role's file. */
void tufrepo_fill_snapshot(struct tufrepo *r);
void tufrepo_fill_timestamp(struct tufrepo *r);
void tufrepo_keep(struct tufrepo *r, const char *role);

/* A kept file by its name on the server ("2.root.json", "timestamp.json"); .p NULL if it is not there. Borrowed
 * until it is kept again. */
struct bytes tufrepo_kept(const struct tufrepo *r, const char *name);

/* Keeps any bytes under any name in metadata/; .p NULL: drops the file. */
void tufrepo_put(struct tufrepo *r, const char *name, struct bytes content);

/* Makes @dir/metadata and @dir/targets if missing, and writes what was kept; files that were dropped are removed. */
void tufrepo_write(struct tufrepo *r, const char *dir);

#endif
