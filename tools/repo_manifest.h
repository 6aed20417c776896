/* The manifest being edited: staging/manifest.json, or what is published, or a new one. */
#ifndef FLIPSIDE_TOOLS_REPO_MANIFEST_H
#define FLIPSIDE_TOOLS_REPO_MANIFEST_H

#include "tools/repo.h"
#include "tools/repo_cli.h"
#include "tools/repo_draft.h"
#include "tools/repo_state.h"
#include "updater/manifest.h"

/* What the verbs that edit the manifest work on. */
struct repo_edit {
	struct repo repo;
	struct repo_state state;
	struct draft *draft;
	struct manifest *manifest;
};

#define REPO_EDIT_CLOSED ((struct repo_edit){ .repo = REPO_CLOSED })

/* Opens the repository for writing, and loads all of it. */
int repo_edit_open(const struct repo_cli *c, const char *path, struct repo_edit *x, struct err *e);
void repo_edit_fini(struct repo_edit *x);

/* Writes staging/manifest.json, then the draft. */
int repo_edit_store(const struct repo_edit *x, struct err *e);

/* Every image and migration that @m names is published or drafted. ERR_MISSING naming the first that is not. */
int repo_manifest_check(const struct manifest *m, const struct repo_state *s, const struct draft *d, struct err *e);

#endif
