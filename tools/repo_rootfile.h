/* The next root while it is being made and signed: staging/pending.root.json, or that file carried to a machine
 * with a key. */
#ifndef FLIPSIDE_TOOLS_REPO_ROOTFILE_H
#define FLIPSIDE_TOOLS_REPO_ROOTFILE_H

#include <stdbool.h>

#include "tools/repo_cli.h"
#include "tools/repo_envelope.h"
#include "tools/repo_state.h"

#define REPO_PENDING_ROOT "pending.root.json"

/* A root with signatures, and the one before it as far as it is known. */
struct repo_rootfile {
	struct repo_envelope file;
	struct tuf_root *root;
	struct tuf_root *previous; /* NULL: unknown, or @root is the first one */
};

void repo_rootfile_fini(struct repo_rootfile *f);

/* "n of m": good signatures by the keys of one root. */
struct repo_count {
	uint64_t good, wanted;
};

/* The root file @name in @dir. ERR_TRUST TUF_E_TYPE when it is another role's. */
int repo_rootfile_load(int dir, const char *name, struct repo_rootfile *out, struct err *e);

/* The root before: the file @path, which must have the version before. ERR_USAGE otherwise */
int repo_rootfile_set_previous(struct repo_rootfile *f, int dir, const char *path, struct err *e);

/* The keys that may sign it. Return: how many of the two are set */
size_t repo_rootfile_signers(const struct repo_rootfile *f, struct repo_signing_keys out[2]);

/* Signatures by the keys of the root before (0 of 0 if it is unknown), and by its own. */
int repo_rootfile_count(const struct repo_rootfile *f, struct repo_count *old, struct repo_count *own, struct err *e);

/* Tells version, expiry, counts, and with @keys the keys of each role, as text or JSON. */
int repo_rootfile_tell(const struct repo_cli *c, const struct repo_rootfile *f, bool keys, struct err *e);

/* True for a folder: then it is a repository, and no root file. */
bool repo_is_folder(const char *path);

/* REPO's pending root, with the newest published one before it; ERR_MISSING when there is none. @r is open for writing. */
int repo_rootfile_load_pending(const struct repo *r, struct repo_rootfile *out, struct err *e);

#endif
