/* A publication in the making: between repo_publish.c, which has the verb, and the files that make, sign and
 * write the parts. */
#ifndef FLIPSIDE_TOOLS_REPO_PUBLICATION_H
#define FLIPSIDE_TOOLS_REPO_PUBLICATION_H

#include "tools/repo_cli.h"
#include "tools/repo_envelope.h"
#include "tools/repo_keys.h"
#include "tools/repo_manifest.h"
#include "tools/repo_meta.h"
#include "tools/repo_state.h"

/* A file of a publication. */
struct repo_part {
	bool made; /* a new file; otherwise the published one goes on */
	uint64_t version;
	int64_t expires_sec;
	struct buf text;
};

/* A delegated role of the publication. */
struct repo_role_part {
	char *name;
	size_t n_added; /* targets that are new in it */
	json_t *body;
	struct repo_part part;
};

/* What --role-key NAME=KEY gave for one name. */
struct repo_role_signers {
	char *name;
	struct repo_signers signers;
};

struct repo_publication {
	struct repo_cli *cli;
	int64_t now_sec;
	int64_t expires_sec[TUF_TYPES]; /* of new files; delegated roles as targets */
	struct repo_edit edit;
	bool extend;	   /* the draft stays as it is */
	bool has_manifest; /* staging/manifest.json is there; it is in @manifest_text */
	struct buf manifest_text;
	size_t n_added;	  /* targets that are new, in all roles */
	size_t n_targets; /* in all */
	struct repo_signers signers[TUF_TYPES];
	struct repo_part parts[TUF_TYPES];
	json_t *targets_body;	   /* of the next targets.json */
	bool targets_changed;	   /* beside version and expiry */
	struct tuf_targets *next;  /* the same, as a client reads it */
	size_t n_roles;
	struct repo_role_part *roles; /* all that @next delegates to, in its order */
	size_t n_role_signers;
	struct repo_role_signers *role_signers;
};

void repo_publication_fini(struct repo_publication *p);

/* Opens the repository for writing; reads --now, the expiries (--expires-...), and all keys that were given,
 * which root must list. */
int repo_publication_open(struct repo_cli *c, const char *path, struct repo_publication *p, struct err *e);

/* The bodies of targets and of all delegated roles, unsigned; no key is needed for it. */
int repo_publication_plan(struct repo_publication *p, struct err *e);

/* Everything planned is made, signed and checked as a host would check it. ERR_USAGE "option" naming a key that
 * is needed. */
int repo_publication_make(struct repo_publication *p, struct err *e);

/* To the served folders, in the order that repo_publish.c tells; then the work area is tidied. */
int repo_publication_write(struct repo_publication *p, struct err *e);

/* Parts of the above, for delegated roles. */
int repo_publication_plan_roles(struct repo_publication *p, struct err *e);
int repo_publication_make_roles(struct repo_publication *p, struct err *e);

/* True if this very content is published under the name. */
bool repo_is_published(const struct repo_state *s, const char *name, uint64_t length, const struct digest *sha256);

/* Lists a target in @body. Return: 0 it was there; 1 it is new; -1: ERR_STATE REPO_E_EXISTS with other content.
 * Only the manifest may change. */
int repo_merge_target(const struct repo_publication *p, json_t *body, const char *name, uint64_t length, const struct digest *sha256,
		      struct err *e);

/* One above @published, and above every file of the role that is there: a mirror may have copied what a
 * broken-off publication left. */
int repo_next_version(const struct repo_publication *p, const char *role, uint64_t published, uint64_t *out, struct err *e);

/**
 * repo_publication_use_pending() - take staging/pending.ROLE.json, which people have signed elsewhere, as the
 * role's file
 * @body: what the publication wants to sign; the pending file must be the same but for version and expiry
 * @s:    signs as well; @keys and @role vouch for the role
 * Return: 0; 1: there is no such file; -1: ERR_STATE REPO_E_CHANGED, ERR_TRUST TUF_E_THRESHOLD
 */
int repo_publication_use_pending(const struct repo_publication *p, const char *role, json_t *body, const struct repo_signing_keys *by,
				 const struct repo_signers *s, struct repo_part *part, struct err *e);

/* Signs @body as the part's file. */
int repo_part_sign(struct repo_part *part, const char *role, const struct repo_signers *s, json_t *body, struct err *e);

/* How a file is listed in the one that refers to it. */
int repo_part_describe(const struct repo_part *part, struct repo_meta_file *out, struct err *e);

/* staging/delegations.json: what targets will delegate, as it is being edited; else what is published; else
 * empty. A new reference. */
#define REPO_DELEGATIONS "delegations.json"
int repo_delegations_load(const struct repo *r, const struct repo_state *s, json_t **out, struct err *e);

#endif
