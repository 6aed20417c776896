/* `migration add`: the step between two versions, with its programs in the order given. `target add`: any other
 * file, as it is. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tools/repo_manifest.h"
#include "tools/repo_pack.h"

#define STEP_FILES_MAX 256

/* Packs @path into the work area under @name and lists it in the draft, which the caller stores. */
static int stage_file(const struct repo_cli *c, struct repo_edit *x, const char *path, const char *name, const char *role,
		      const struct pack_options *pack, struct err *e)
{
	CLEANUP(close_p) int fd = -1;
	struct progress progress;
	const struct repo_packing p = { .pack = *pack, .progress = &progress, .stop = c->stop };
	struct draft_target t;
	uint64_t size;

	repo_cli_progress(c, &progress);
	if (repo_pack_name_check(&x->state, name, e) < 0 || repo_open_input(AT_FDCWD, path, &fd, &size, e) < 0)
		return -1;
	if (repo_pack_file(&x->repo, fd, size, path, name, &p, &t, e) < 0)
		return -1;
	snprintf(t.role, sizeof(t.role), "%s", role ? role : "");
	return draft_add_target(x->draft, &t, e);
}

/* The names in the draft are borrowed by the step until it has been copied into the manifest. */
static int add_step(const struct repo_cli *c, struct repo_edit *x, struct manifest_step *step, int n, char **files, struct err *e)
{
	const struct pack_options lz4 = { .format = UNPACK_LZ4, .level = PACK_LEVEL_DEFAULT };
	char names[STEP_FILES_MAX][REPO_TARGET_BYTES];
	char *list[STEP_FILES_MAX];

	for (int i = 0; i < n; i++) {
		if (repo_migration_target(&step->to, files[i], names[i], e) < 0)
			return -1;
		for (int k = 0; k < i; k++)
			if (strcmp(names[k], names[i]) == 0)
				return err_set(e, ERR_USAGE, REPO_E_NAME, "migration '%s': given twice", repo_base_name(files[i]));
		if (stage_file(c, x, files[i], names[i], NULL, &lz4, e) < 0)
			return -1;
		list[i] = names[i];
	}
	step->names = list;
	step->n_names = (size_t)n;
	const int r = manifest_add_step(x->manifest, step, e);

	step->names = NULL;
	if (r < 0)
		return -1;
	return repo_edit_store(x, e);
}

int repo_migration_add(void *ctx, int argc, char **argv, struct err *e)
{
	const struct repo_cli *c = ctx;
	CLEANUP(repo_edit_fini) struct repo_edit x = REPO_EDIT_CLOSED;
	struct manifest_step step = { .n_names = 0 };

	if (repo_cli_need("from", c->from, e) < 0 || repo_cli_need("to", c->to, e) < 0 ||
	    repo_cli_version("from", c->from, &step.from, e) < 0 || repo_cli_version("to", c->to, &step.to, e) < 0)
		return -1;
	if (version_compare(&step.from, &step.to) >= 0)
		return err_set(e, ERR_USAGE, "version", "--from %s --to %s: not upward; going back runs the same step backward",
			       step.from.text, step.to.text);
	if (argc - 1 > STEP_FILES_MAX)
		return err_set(e, ERR_USAGE, "limit", "more than %d migrations in a step", STEP_FILES_MAX);
	if (repo_edit_open(c, argv[0], &x, e) < 0)
		return -1;
	return add_step(c, &x, &step, argc - 1, argv + 1, e);
}

int repo_target_add(void *ctx, int argc, char **argv, struct err *e)
{
	const struct repo_cli *c = ctx;
	CLEANUP(repo_edit_fini) struct repo_edit x = REPO_EDIT_CLOSED;
	struct pack_options pack;

	if (c->role && repo_word_check("--role", c->role, REPO_WORD_MAX_BYTES, e) < 0)
		return -1;
	if (repo_pack_options(c, UNPACK_NONE, &pack, e) < 0 || repo_edit_open(c, argv[0], &x, e) < 0)
		return -1;
	for (int i = 1; i < argc; i++) {
		char name[REPO_TARGET_BYTES];
		const int n = snprintf(name, sizeof(name), "%s%s", repo_base_name(argv[i]), pack_suffix(pack.format));

		if (n > REPO_TARGET_MAX_BYTES)
			return err_set(e, ERR_USAGE, REPO_E_NAME, "target '%.40s...': longer than %d bytes", name, REPO_TARGET_MAX_BYTES);
		if (strcmp(name, REPO_MANIFEST) == 0)
			return err_set(e, ERR_USAGE, REPO_E_NAME, "%s: is made by 'update' and 'migration'", REPO_MANIFEST);
		if (repo_word_check("target", name, REPO_TARGET_MAX_BYTES, e) < 0 || stage_file(c, &x, argv[i], name, c->role, &pack, e) < 0)
			return -1;
	}
	return draft_store(&x.repo, x.draft, e);
}
