/*
 * A TUF client: follows the client workflow of the TUF specification (1.0.34, section 5) over https, http or file
 * URLs, keeps trusted metadata in a store, and hands out targets as streams that verify length and digest before
 * their end. Stored files that are of no use any more, and every request, are told in the log at debug level.
 *
 * A repository may have several mirrors, which are tried in their order for each file (tuf/mirror.h). A mirror
 * that cannot be reached, has no such file, or whose copy does not verify is passed over for the next; a failure
 * is told when none is left: the first mirror's whole, those of the others shortly. The chain of roots ends where
 * every mirror that answers has no further one.
 */
#ifndef FLIPSIDE_TUF_CLIENT_H
#define FLIPSIDE_TUF_CLIENT_H

#include <signal.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/stream.h"
#include "tuf/fetch.h"
#include "tuf/trusted.h"
#include "tuf/tuf.h"

/* Strings are copied. */
struct tuf_client_config {
	const char *metadata_url; /* base, a final '/' is added if missing; several mirrors': separated by blanks; NULL: nothing is fetched */
	const char *targets_url;  /* the same for targets, as many and in the same order; NULL: no target is fetched */
	const char *store_dir;	  /* metadata store; made (0755) if missing; one client at a time (locked) */
	struct bytes trusted_root; /* root shipped with the program, borrowed for the opening; .p NULL: the store must have one */
	int64_t now_sec;	  /* the time of this update, fixed; seconds since 1970 */
	const struct tuf_fetch_options *fetch; /* copied, its strings are borrowed for the client's life */
};

struct tuf_client;

/* A target as trusted metadata describes it; borrowed from the client until it is freed or refreshed. */
struct tuf_target {
	const char *path; /* full path as in the metadata */
	const char *role; /* the role that lists it */
	uint64_t length;
	size_t n_hashes; /* 0: only algorithms that are not known here; it cannot be opened */
	struct digest hashes[TUF_HASHES_MAX];
	const char *custom; /* JSON text of `custom`, or NULL */
};

/* What the trust of a decision rested on. */
struct tuf_trust {
	uint64_t root_version, timestamp_version, snapshot_version, targets_version; /* 0: not loaded */
	int64_t earliest_expiry_sec;						     /* of those loaded */
};

/**
 * tuf_client_open() - load the trusted root
 * The store's root if it verifies, unless @trusted_root verifies and has a higher version: it came with a newer
 * system image. One that was not the store's is stored now; if it gives timestamp or snapshot other keys, their
 * stored files are removed. No request.
 * Return: 0; -1: ERR_TRUST / ERR_FORMAT a bad root, ERR_MISSING TUF_E_NO_ROOT, ERR_BUSY another client has the store,
 * ERR_USAGE "url" base URLs that cannot be such (see tuf_mirrors_new()), ERR_SYSTEM
 */
int tuf_client_open(const struct tuf_client_config *c, struct tuf_client **out, struct err *e);
void tuf_client_free(struct tuf_client *c); /* after all its sources */
DEFINE_CLEANUP(struct tuf_client, tuf_client_free);

/**
 * tuf_client_refresh() - root chain, timestamp, snapshot, targets, each stored when it has become trusted
 * Specification 5.3 to 5.6. When nothing is new, two requests, and stored targets that were verified before are
 * not read. After a failure the client is as it was before, but what became trusted stays stored, and a new
 * attempt goes on from there.
 * Return: 0; -1: ERR_TRUST, ERR_FORMAT, ERR_NETWORK, ERR_MISSING (a file that must be there is not), ERR_SYSTEM;
 * the message names role, file and rule
 */
int tuf_client_refresh(struct tuf_client *c, struct err *e);

/**
 * tuf_client_load_offline() - the same from the store alone, for a machine that has no network yet
 * Signatures, versions and digests are enforced; expiry is not. Writes nothing, and from then on nothing is fetched.
 * Return: as above; ERR_MISSING when a file is not in the store
 */
int tuf_client_load_offline(struct tuf_client *c, struct err *e);

/**
 * tuf_client_find() - look a target up, through delegations too (specification 5.6.7)
 * Delegated roles on the way come from the store, or are fetched and stored.
 * Return: 0; -1: ERR_MISSING TUF_E_NO_TARGET, ERR_STATE before a refresh, or a delegated role's failure
 */
int tuf_client_find(struct tuf_client *c, const char *path, struct tuf_target *out, struct err *e);

/**
 * tuf_client_load_role() - a delegated role, from the store, else fetched and stored
 * @from: the delegating role: tuf_trusted_targets() of tuf_client_trusted(), or what this function gave
 * @out:  until the client is freed or refreshed
 * Return: 0; -1: ERR_TRUST TUF_E_DELEGATION @from does not delegate to it or the snapshot does not list it,
 * ERR_STATE "offline" not in the store, or as in a refresh
 */
int tuf_client_load_role(struct tuf_client *c, const struct tuf_targets *from, const char *role, const struct tuf_targets **out,
			 struct err *e);

/**
 * tuf_client_open_target() - stream a target; SOURCE_END only after its whole length and every digest agreed
 * Requests consistent-snapshot names when the root says so (5.7.3), by the first of the hashes. When a mirror
 * fails in the middle the next goes on at the same byte.
 * Return: 0 with *@out the caller's; -1: ERR_MISSING the server has no such file, ERR_NETWORK, ERR_STATE offline,
 * ERR_USAGE without targets URL, ERR_TRUST TUF_E_DIGEST without a known hash, ERR_TRUST TUF_E_LENGTH when more
 * bytes are announced. Reading: ERR_TRUST TUF_E_LENGTH, ERR_TRUST TUF_E_DIGEST, ERR_NETWORK
 */
int tuf_client_open_target(struct tuf_client *c, const struct tuf_target *t, struct source **out, struct err *e);

/* A small target, whole and verified, into @out, whose maximum bounds it (ERR_FORMAT "limit" before the request). */
int tuf_client_read_target(struct tuf_client *c, const char *path, struct buf *out, struct err *e);

struct tuf_trust tuf_client_trust(const struct tuf_client *c);

/* All that is trusted now, for reports; until the client is freed or refreshed. After a refresh top-level targets
 * may be known by their head alone until the first lookup. */
const struct tuf_trusted *tuf_client_trusted(const struct tuf_client *c);

#endif
