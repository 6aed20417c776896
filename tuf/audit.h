/*
 * A whole repository folder, checked without a network: every root, every role, every delegated role, every
 * listed target. The rules are those of the trusted set, and files are looked for where a client with file://
 * URLs asks for them, but a failure does not end the walk: all that is wrong is told, each file by itself.
 */
#ifndef FLIPSIDE_TUF_AUDIT_H
#define FLIPSIDE_TUF_AUDIT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tuf/trusted.h"

#define TUF_AUDIT_EDGES_MAX 65536 /* delegations followed; more are a failure of the role that has them */

/* A reason: the file could not be checked, because the one that vouches for it is not trusted. */
#define TUF_E_UNCHECKED "unchecked"

/* Strings are borrowed for the call. */
struct tuf_audit_options {
	const char *metadata_dir;
	const char *targets_dir;   /* NULL: targets are not read */
	struct bytes trusted_root; /* roots are checked from this one on; .p NULL: from 1.root.json on, which nothing vouches for */
	int64_t now_sec;	   /* at which nothing may have expired */
	const volatile sig_atomic_t *stop; /* as in base/stream.h's pump(); may be NULL */
};

enum tuf_audit_what { TUF_AUDIT_METADATA, TUF_AUDIT_TARGET };

/* One file and what was found; borrowed for the callback. */
struct tuf_audit_item {
	enum tuf_audit_what what;
	const char *name;		 /* "3.root.json", "a/b.json"; of a target its path */
	const char *role;		 /* whose file it is; of a target: the role that lists it */
	const char *from;		 /* of a delegated role's file: the delegating role; else NULL */
	const struct tuf_head *head;	 /* of metadata that is signed as it has to be, even if it has expired; else NULL */
	const struct tuf_targets *lists; /* likewise of targets and delegated roles; lives as long as the result's trusted set */
	const struct tuf_entry *entry;	 /* of a target */
	const struct err *failure;	 /* NULL: it is good */
};

/* Return: 0; -1 with *e ends the walk */
typedef int (*tuf_audit_fn)(void *ctx, const struct tuf_audit_item *item, struct err *e);

/* A file reached by several delegations counts as often as it is reached, since each has keys of its own. */
struct tuf_audit_result {
	uint64_t n_metadata, n_targets, n_failures;
	struct tuf_trusted *trusted; /* as far as it came, expired roles too; NULL if the first root is bad; the caller's */
};

/**
 * tuf_audit() - walk the folder, calling @seen for each file in the order in which a client would need them
 * Roots, timestamp, snapshot, targets, delegated roles breadth first, each role's file followed by its targets. A
 * failed role's own targets and delegations are not looked at, and what depends on a failed top-level role is
 * told as TUF_E_UNCHECKED. Expiry alone does not hide what comes behind. Of a target the copy that this client
 * would ask for is read.
 * @out: filled in also for a repository with failures
 * Return: 0: the walk came to its end, see n_failures; -1: ERR_MISSING no such folder, ERR_STATE "interrupted",
 * ERR_SYSTEM memory, or what @seen returned; *@out is then untouched
 */
int tuf_audit(const struct tuf_audit_options *o, tuf_audit_fn seen, void *ctx, struct tuf_audit_result *out, struct err *e);

#endif
