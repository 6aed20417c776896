#include "tools/repo_manifest.h"

#include "base/file.h"

/* The text of the manifest that counts: the one being edited, else the published one. Return: 0; 1 if there is
 * neither; -1 */
static int read_text(const struct repo_edit *x, struct buf *out, struct err *e)
{
	if (repo_has(x->repo.staging, REPO_MANIFEST))
		return file_read(x->repo.staging, REPO_MANIFEST, out, e);
	if (!repo_state_target(&x->state, REPO_MANIFEST))
		return 1;
	return repo_state_read_target(&x->repo, &x->state, REPO_MANIFEST, out, e);
}

static int load_manifest(struct repo_edit *x, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MANIFEST_MAX_BYTES);
	const int r = read_text(x, &text, e);

	if (r > 0)
		return manifest_new(&x->manifest, e);
	if (r < 0 || manifest_parse(buf_bytes(&text), &x->manifest, e) < 0)
		return err_wrap(e, REPO_MANIFEST);
	return 0;
}

int repo_edit_open(const struct repo_cli *c, const char *path, struct repo_edit *x, struct err *e)
{
	int64_t now_sec;

	if (repo_cli_now(c, &now_sec, e) < 0 || repo_open(path, REPO_WRITE, &x->repo, e) < 0 ||
	    draft_load(&x->repo, &x->draft, e) < 0 || repo_state_load(&x->repo, now_sec, &x->state, e) < 0)
		return -1;
	return load_manifest(x, e);
}

void repo_edit_fini(struct repo_edit *x)
{
	manifest_free(x->manifest);
	draft_free(x->draft);
	repo_state_fini(&x->state);
	repo_fini(&x->repo);
	*x = REPO_EDIT_CLOSED;
}

int repo_edit_store(const struct repo_edit *x, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MANIFEST_MAX_BYTES);

	if (manifest_print(x->manifest, &text, e) < 0 ||
	    file_replace(x->repo.staging, REPO_MANIFEST, buf_bytes(&text), 0644, e) < 0)
		return err_wrap(e, "%s/staging", x->repo.path);
	return draft_store(&x->repo, x->draft, e);
}

static int check_target(const char *name, const struct repo_state *s, const struct draft *d, struct err *e)
{
	if (repo_state_target(s, name) || draft_find_target(d, name))
		return 0;
	return err_set(e, ERR_MISSING, TUF_E_NO_TARGET, REPO_MANIFEST ": '%s' is neither published nor in the draft", name);
}

int repo_manifest_check(const struct manifest *m, const struct repo_state *s, const struct draft *d, struct err *e)
{
	for (size_t i = 0; i < m->n_updates; i++)
		for (int r = 0; r < PART_N_ROLES; r++)
			if (check_target(m->updates[i].images[r], s, d, e) < 0)
				return -1;
	for (size_t i = 0; i < m->n_steps; i++)
		for (size_t k = 0; k < m->steps[i].n_names; k++)
			if (check_target(m->steps[i].names[k], s, d, e) < 0)
				return -1;
	return 0;
}
