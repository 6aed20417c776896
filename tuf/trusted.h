/*
 * The trusted set: the rules of the client workflow (specification 5.3 to 5.6) over bytes that somebody else has
 * fetched or read. It does no I/O and knows no clock: bytes and a fixed time go in, verdicts come out. After any
 * failure the set is as it was before the call.
 *
 *	new(root) -> update_root()* -> root_done()
 *	-> [load_timestamp(stored)] -> update_timestamp(fetched)
 *	-> [load_snapshot(stored)] -> update_snapshot(fetched)	  the second only if the first did not return 0
 *	-> update_targets(stored, else fetched)
 *	-> update_delegated(...) as the search asks (tuf/search.h)
 *
 * A call out of this order is ERR_BUG. Messages begin with the file's name; reasons are those of tuf/tuf.h: ERR_FORMAT
 * TUF_E_METADATA or TUF_E_LIMIT for what is malformed, ERR_TRUST for what may not be believed.
 */
#ifndef FLIPSIDE_TUF_TRUSTED_H
#define FLIPSIDE_TUF_TRUSTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "tuf/role.h"
#include "tuf/tuf.h"

struct tuf_trusted;

enum tuf_expiry {
	TUF_EXPIRY_ENFORCED,
	TUF_EXPIRY_IGNORED, /* offline: everything comes from the store, nothing fresher can be had */
};

/**
 * tuf_trusted_new() - start from a root that is trusted because it was shipped or stored
 * @root:    must be signed by its own threshold; its expiry is not looked at
 * @now_sec: the time of this update, seconds since 1970; every expiry test uses it
 * Return: 0; -1: ERR_TRUST, ERR_FORMAT, ERR_SYSTEM
 */
int tuf_trusted_new(struct bytes root, int64_t now_sec, enum tuf_expiry expiry, struct tuf_trusted **out, struct err *e);
void tuf_trusted_free(struct tuf_trusted *t);
DEFINE_CLEANUP(struct tuf_trusted, tuf_trusted_free);

/* Specification 5.3: exactly one version up, signed by the thresholds of the present root and of its own. Store
 * it at once. */
int tuf_trusted_update_root(struct tuf_trusted *t, struct bytes in, struct err *e);

/* No more roots come: the last one must not have expired (TUF_E_EXPIRED). */
int tuf_trusted_root_done(struct tuf_trusted *t, struct err *e);

/* True if timestamp or snapshot have other keys or another threshold than in the first root: the stored files of
 * both must then be deleted (5.3.11, fast-forward recovery). */
bool tuf_trusted_keys_rotated(const struct tuf_trusted *t);

/**
 * tuf_trusted_load_timestamp() - a stored one, to compare with; it may have expired
 * When expiry is ignored it is also the one to go on with. On failure: treat the stored file as absent.
 */
int tuf_trusted_load_timestamp(struct tuf_trusted *t, struct bytes in, struct err *e);

/**
 * tuf_trusted_update_timestamp() - a fetched one (5.4)
 * Return: 0: trusted, store it; TUF_SAME: of the version that was loaded, which stays trusted and stored and is
 * valid still; -1: ERR_TRUST TUF_E_TYPE, _THRESHOLD, _ROLLBACK (its own version or its snapshot's), _EXPIRED;
 * ERR_FORMAT
 */
int tuf_trusted_update_timestamp(struct tuf_trusted *t, struct bytes in, struct err *e);

/**
 * tuf_trusted_load_snapshot() - a stored one
 * Return: 0: it is the one due, nothing is to be fetched; TUF_STALE: signed, but another version than due,
 * expired, or not of the listed hashes: only what a newer one is compared with, and *e says why; -1: treat the
 * stored file as absent
 */
int tuf_trusted_load_snapshot(struct tuf_trusted *t, struct bytes in, struct err *e);

/* A fetched one (5.5). -1: TUF_E_LENGTH, _DIGEST, _TYPE, _THRESHOLD, _VERSION, _ROLLBACK (also a vanished role),
 * _EXPIRED. */
int tuf_trusted_update_snapshot(struct tuf_trusted *t, struct bytes in, struct err *e);

/* Top-level targets, stored or fetched (5.6). Return: 0; TUF_SAME after tuf_trusted_rely(); -1: TUF_E_DELEGATION
 * if the snapshot does not list it, else as snapshot. */
int tuf_trusted_update_targets(struct tuf_trusted *t, struct bytes in, struct err *e);

/*
 * What an earlier run verified of the top-level targets, so that a large file is not verified again as long as
 * nothing has changed. It is the caller's to keep, where nobody can write who could not as well replace the
 * trusted root.
 */
struct tuf_known_targets {
	struct tuf_head head;
	uint64_t length;
	struct tuf_hashes hashes; /* of the file: sha256, and sha512 if the snapshot listed one */
	struct digest keys;	  /* sha256 of threshold and fingerprints of the keys that had to sign */
};

/* What is known of the targets that were verified just now, from the bytes @in. Return: 0; -1: ERR_BUG, ERR_SYSTEM */
int tuf_trusted_know_targets(const struct tuf_trusted *t, struct bytes in, struct tuf_known_targets *out, struct err *e);

/**
 * tuf_trusted_rely() - take what is known for the top-level targets that are due, without their file for now
 * The root's targets keys and threshold must be those of then, and version, length, hashes and expiry what
 * snapshot and time demand. From then on tuf_trusted_targets_head() is known, and tuf_trusted_update_targets()
 * takes the bytes of the known sha256 without looking at their signatures again (TUF_SAME); any other bytes have
 * to pass all checks.
 * Return: 0; -1: what is known does not hold here: ERR_TRUST TUF_E_THRESHOLD other keys, _VERSION, _LENGTH,
 * _DIGEST, _EXPIRED; ERR_SYSTEM
 */
int tuf_trusted_rely(struct tuf_trusted *t, const struct tuf_known_targets *k, struct err *e);

/* Version and expiry of the top-level targets, of those only relied on too; NULL if there are none. */
const struct tuf_head *tuf_trusted_targets_head(const struct tuf_trusted *t);

/**
 * tuf_trusted_update_delegated() - a delegated role, stored or fetched, as seen from one delegator
 * @from: the delegating role as this set handed it out: tuf_trusted_targets() or tuf_trusted_delegated() The keys
 * are those that @from gives to @role. A role reached from another delegator, or from another copy of the same
 * one, has to be given again: a verdict is never taken over.
 * @out: the role, owned by the set and valid as long as it; NULL if the caller does not want it
 */
int tuf_trusted_update_delegated(struct tuf_trusted *t, const struct tuf_targets *from, const char *role, struct bytes in,
				 const struct tuf_targets **out, struct err *e);

/* The role as verified against this very delegator; NULL if that has not happened. */
const struct tuf_targets *tuf_trusted_delegated(const struct tuf_trusted *t, const struct tuf_targets *from, const char *role);

/* The roles that are trusted now; NULL before they are (a timestamp or snapshot that was only loaded to compare
 * is not). */
const struct tuf_root *tuf_trusted_root(const struct tuf_trusted *t);
const struct tuf_timestamp *tuf_trusted_timestamp(const struct tuf_trusted *t);
const struct tuf_snapshot *tuf_trusted_snapshot(const struct tuf_trusted *t);
const struct tuf_targets *tuf_trusted_targets(const struct tuf_trusted *t);

/* What to ask for next. */
struct tuf_next {
	uint64_t version; /* the number in front of the file's name; 0: none */
	size_t max_bytes; /* limit of the type, or the listed length if that is less */
};

/**
 * tuf_trusted_next() - how to ask for the file of a role
 * @role: "root", "timestamp", "snapshot", "targets" or a delegated role; unencoded, without ".json"
 * Root is always numbered (the next version), timestamp never, the others when the root has consistent_snapshot.
 * Return: 0; -1: ERR_TRUST TUF_E_DELEGATION when the snapshot does not list the role, ERR_BUG before the
 * referring file is trusted
 */
int tuf_trusted_next(const struct tuf_trusted *t, const char *role, struct tuf_next *out, struct err *e);

#endif
