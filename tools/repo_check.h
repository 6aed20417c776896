/*
 * `check`: every fault of a repository by a stable name, not only the first that a client would stumble over.
 * Each pass looks at its part and goes on after a fault as far as what is left can be read. Findings are data:
 * repo_check.c tells them.
 */
#ifndef FLIPSIDE_TOOLS_REPO_CHECK_H
#define FLIPSIDE_TOOLS_REPO_CHECK_H

#include "tools/repo_remote.h"
#include "tuf/role.h"

struct check_finding {
	enum err_kind kind; /* ERR_NONE: a warning; else ERR_MISSING, ERR_FORMAT, ERR_TRUST, or what kept the check from looking */
	const char *token;  /* static */
	char message[ERR_MSG_BYTES];
};

struct check_role {
	char *name;
	struct tuf_targets *targets;
	struct check_role *from; /* NULL: root */
};

struct check {
	struct repo_cli *cli;
	struct repo local; /* of a folder; its descriptors are -1 for a URL */
	struct repo_remote remote;
	int64_t now_sec, at_sec; /* the same unless --at */
	struct buf trusted_root; /* --root, or the first root that is there */
	struct tuf_root *root;	 /* newest */
	struct tuf_timestamp *timestamp;
	struct tuf_snapshot *snapshot;
	size_t n_roles;
	struct check_role **roles; /* targets first */
	size_t n_findings;
	struct check_finding *findings;
	bool no_memory;
};

/* Records a finding. Running out of memory is told at the end. */
void check_add(struct check *k, enum err_kind kind, const char *token, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The same for a failed read or parse: ERR_MISSING is @missing, the client's reasons have names of their own. */
void check_add_err(struct check *k, const char *missing, const struct err *e);

/* The expiry of a role against both times; @type for delegated roles is TUF_TARGETS with @delegated. */
void check_expiry(struct check *k, enum tuf_type type, bool delegated, const char *name, const struct tuf_head *head);

/* Calls @fn with each name in a folder of a local repository. */
typedef int (*check_name_fn)(void *ctx, const char *name, struct err *e);
int check_each_name(int dir, check_name_fn fn, void *ctx, struct err *e);

/* The passes, in this order. -1 only when the check itself cannot go on. */
int check_roots(struct check *k, struct err *e);
void check_root_lint(struct check *k);
int check_metadata(struct check *k, struct err *e);
int check_targets(struct check *k, struct err *e);
int check_manifest(struct check *k, struct err *e);

/* The entry of this path in any role; NULL if none lists it. */
const struct tuf_entry *check_find_target(const struct check *k, const char *path);

#endif
