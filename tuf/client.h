/*
 * A TUF client: follows the client workflow of the TUF specification (1.0.34, section 5) over https, http or file URLs, keeps trusted
 * metadata in a store, and hands out targets as streams that verify length and digest before their end.
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
#include "tuf/tuf.h"

#define TUF_HASHES_MAX 2 /* sha256, sha512 */

struct tuf_client_config {
	const char *metadata_url; /* base; a final '/' is added if missing */
	const char *targets_url;  /* base; may be NULL if no target is fetched */
	const char *store_dir;	  /* metadata store; made (0755) if missing; one client at a time (locked) */
	struct bytes trusted_root; /* root shipped with the program; .p NULL: the store must have one */
	int64_t now_sec;	  /* the time of this update, fixed; seconds since 1970 */
	const struct tuf_fetch_options *fetch; /* borrowed for the client's life */
};

struct tuf_client;

/* A target as trusted metadata describes it; borrowed from the client until it is freed or refreshed. */
struct tuf_target {
	const char *path; /* full path as in the metadata */
	const char *role; /* the role that lists it */
	uint64_t length;
	size_t n_hashes;
	struct digest hashes[TUF_HASHES_MAX];
	const char *custom; /* JSON text of `custom`, or NULL */
};

/* What the trust of a decision rested on. */
struct tuf_trust {
	uint64_t root_version, timestamp_version, snapshot_version, targets_version; /* 0: not loaded */
	int64_t earliest_expiry_sec;						       /* of the four */
};

/**
 * tuf_client_open() - load the trusted root
 * The store's root if it is there and verifies; else @trusted_root, which is then stored. No request is made.
 * Return: 0; -1: ERR_TRUST / ERR_FORMAT a bad root, ERR_MISSING TUF_E_NO_ROOT, ERR_BUSY another client has the store, ERR_SYSTEM
 */
int tuf_client_open(const struct tuf_client_config *c, struct tuf_client **out, struct err *e);
void tuf_client_free(struct tuf_client *c);
DEFINE_CLEANUP(struct tuf_client, tuf_client_free);

/**
 * tuf_client_refresh() - root chain, timestamp, snapshot, targets, each stored when it has become trusted
 * Specification 5.3 to 5.6. Return: 0; -1: ERR_TRUST, ERR_FORMAT, ERR_NETWORK, ERR_SYSTEM; the message names role, file and rule
 */
int tuf_client_refresh(struct tuf_client *c, struct err *e);

/**
 * tuf_client_load_offline() - the same from the store alone, for a machine that has no network yet
 * Signatures, versions and digests are enforced; expiry is not. Return: as above
 */
int tuf_client_load_offline(struct tuf_client *c, struct err *e);

/* Looks a target up, through delegations too. Return: 0; -1: ERR_MISSING TUF_E_NO_TARGET, or a delegated role's failure */
int tuf_client_find(struct tuf_client *c, const char *path, struct tuf_target *out, struct err *e);

/**
 * tuf_client_open_target() - stream a target; SOURCE_END only after its whole length and every digest agreed
 * Requests consistent-snapshot names when the root says so. Return: 0 with *@out the caller's; -1
 */
int tuf_client_open_target(struct tuf_client *c, const struct tuf_target *t, struct source **out, struct err *e);

/* A small target, whole and verified, into @out, whose maximum bounds it. */
int tuf_client_read_target(struct tuf_client *c, const char *path, struct buf *out, struct err *e);

struct tuf_trust tuf_client_trust(const struct tuf_client *c);

#endif
