/*
 * `root sign`, `role sign`, `root merge`, `role merge`: signatures by people who are not in one place. The file
 * to be signed travels; a machine with a key needs nothing else, though for a root the one before tells more.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "tools/repo_keys.h"
#include "tools/repo_publication.h"
#include "tools/repo_rootfile.h"

static int need_key(const struct repo_cli *c, struct err *e)
{
	return c->signing_keys.n ? 0 : err_set(e, ERR_USAGE, "option", "--key is needed");
}

/* Signs with each of --key, under the id that one of @by gives it. @hint: what to do where none does. */
static int sign_all(struct repo_cli *c, struct repo_envelope *v, const struct repo_signing_keys *by, size_t n_by, const char *hint,
		    struct err *e)
{
	CLEANUP(repo_signers_fini) struct repo_signers s = { .n = 0 };

	for (size_t i = 0; i < c->signing_keys.n; i++) {
		CLEANUP(tuf_key_free_p) struct tuf_key *key = NULL;
		const char *id = NULL;

		if (repo_signers_add(c, c->signing_keys.v[i], &s, e) < 0 || tuf_key_parse(tuf_signer_public(s.v[i].signer), "key", &key, e) < 0)
			return err_wrap(e, "--key");
		for (size_t k = 0; k < n_by && !id; k++)
			id = repo_key_listed(by[k].keys, by[k].role, key);
		if (!id && n_by)
			return err_set(e, ERR_TRUST, REPO_E_KEY, "key %.16s... may not sign this file%s", tuf_signer_key_id(s.v[i].signer), hint);
		if (repo_envelope_sign(v, s.v[i].signer, id ? id : tuf_signer_key_id(s.v[i].signer), e) < 0)
			return -1;
	}
	return 0;
}

static int sign_root(struct repo_cli *c, struct repo_rootfile *f, int dir, const char *name, struct err *e)
{
	struct repo_signing_keys by[2];
	const size_t n_by = repo_rootfile_signers(f, by);
	const char *hint = f->previous ? "" : "; if it is a key of the root before, give that with --previous";

	if (sign_all(c, &f->file, by, n_by, hint, e) < 0 || repo_envelope_store(&f->file, dir, name, e) < 0)
		return -1;
	return repo_rootfile_tell(c, f, false, e);
}

int repo_root_sign(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(repo_fini) struct repo r = REPO_CLOSED;
	CLEANUP(repo_rootfile_fini) struct repo_rootfile f = { .root = NULL };

	if (need_key(c, e) < 0)
		return -1;
	if (repo_is_folder(argv[0])) {
		if (repo_open(argv[0], REPO_WRITE, &r, e) < 0 || repo_rootfile_load_pending(&r, &f, e) < 0)
			return -1;
		return sign_root(c, &f, r.staging, REPO_PENDING_ROOT, e);
	}
	if (repo_rootfile_load(AT_FDCWD, argv[0], &f, e) < 0 ||
	    (c->previous && repo_rootfile_set_previous(&f, AT_FDCWD, c->previous, e) < 0))
		return -1;
	return sign_root(c, &f, AT_FDCWD, argv[0], e);
}

int repo_root_show(void *ctx, int argc, char **argv, struct err *e)
{
	const struct repo_cli *c = ctx;
	CLEANUP(repo_fini) struct repo r = REPO_CLOSED;
	CLEANUP(repo_rootfile_fini) struct repo_rootfile f = { .root = NULL };
	char name[REPO_FILE_NAME_BYTES];
	uint64_t v = 1;

	if (!repo_is_folder(argv[0])) {
		if (repo_rootfile_load(AT_FDCWD, argv[0], &f, e) < 0 ||
		    (c->previous && repo_rootfile_set_previous(&f, AT_FDCWD, c->previous, e) < 0))
			return -1;
		return repo_rootfile_tell(c, &f, true, e);
	}
	if (repo_open(argv[0], REPO_WRITE, &r, e) < 0)
		return -1;
	if (repo_has(r.staging, REPO_PENDING_ROOT)) {
		if (repo_rootfile_load_pending(&r, &f, e) < 0)
			return -1;
		return repo_rootfile_tell(c, &f, true, e);
	}
	for (;; v++) {
		repo_metadata_name(TUF_ROOT, v + 1, name);
		if (!repo_has(r.metadata, name))
			break;
	}
	repo_metadata_name(TUF_ROOT, v, name);
	if (repo_rootfile_load(r.metadata, name, &f, e) < 0)
		return -1;
	repo_metadata_name(TUF_ROOT, v - 1, name);
	if (v > 1 && repo_rootfile_set_previous(&f, r.metadata, name, e) < 0)
		return -1;
	return repo_rootfile_tell(c, &f, true, e);
}

int repo_merge(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(repo_envelope_fini) struct repo_envelope v = { .file = NULL };

	if (repo_envelope_load(AT_FDCWD, argv[0], &v, e) < 0)
		return -1;
	for (int i = 1; i < argc; i++) {
		CLEANUP(repo_envelope_fini) struct repo_envelope from = { .file = NULL };

		if (repo_envelope_load(AT_FDCWD, argv[i], &from, e) < 0 || repo_envelope_merge(&v, &from, e) < 0)
			return err_wrap(e, "%s", argv[i]);
	}
	if (repo_envelope_store(&v, AT_FDCWD, argv[0], e) < 0)
		return -1;
	printf("%s: %zu signatures\n", argv[0], json_array_size(json_object_get(v.file, "signatures")));
	return 0;
}

static const char *role_name(const struct repo_cli *c)
{
	return c->role ? c->role : "targets";
}

/* What vouches for the role: root for targets, the targets planned for others. */
static int signing_keys_of(const struct repo_publication *p, const char *role, struct repo_signing_keys *out, struct err *e)
{
	const struct tuf_root *root = repo_state_root(&p->edit.state);

	*out = (struct repo_signing_keys){ &root->keys, &root->roles[TUF_TARGETS] };
	if (strcmp(role, "targets") == 0)
		return 0;
	*out = (struct repo_signing_keys){ &p->next->keys, tuf_delegation_keys(p->next, role) };
	return out->role ? 0 : err_set(e, ERR_MISSING, TUF_E_DELEGATION, "targets does not delegate to '%s'", role);
}

static int tell_role(const struct repo_cli *c, const struct repo_envelope *v, const char *role, const struct repo_signing_keys *by,
		     struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	uint64_t good;

	if (repo_envelope_signed(v, role, &s, e) < 0 || tuf_signed_count(s, by->keys, by->role, &good, e) < 0)
		return -1;
	if (c->json) {
		CLEANUP(json_decref_p) json_t *j = json_pack("{ss, sI, sI, sI}", "role", role, "version", (json_int_t)v->version, "signatures",
							     (json_int_t)good, "threshold", (json_int_t)by->role->threshold);

		return j ? json_print(j, stdout, e) : err_set(e, ERR_SYSTEM, "memory", "out of memory");
	}
	printf("%s %" PRIu64 ": %" PRIu64 " of %" PRIu64 " signatures\n", role, v->version, good, by->role->threshold);
	return 0;
}

static json_t *planned_body(const struct repo_publication *p, const char *role)
{
	if (strcmp(role, "targets") == 0)
		return p->targets_body;
	for (size_t i = 0; i < p->n_roles; i++)
		if (strcmp(p->roles[i].name, role) == 0)
			return p->roles[i].body;
	return NULL;
}

int repo_role_prepare(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(repo_publication_fini) struct repo_publication p = { .edit = REPO_EDIT_CLOSED };
	CLEANUP(repo_envelope_fini) struct repo_envelope v = { .file = NULL };
	const char *role = role_name(c);
	struct repo_signing_keys by;
	char name[REPO_PENDING_BYTES];

	if (repo_publication_open(c, argv[0], &p, e) < 0 || repo_publication_plan(&p, e) < 0 || signing_keys_of(&p, role, &by, e) < 0)
		return -1;
	json_t *body = planned_body(&p, role);

	if (!body)
		return err_set(e, ERR_BUG, NULL, "role %s: not planned", role);
	repo_pending_name(role, name);
	if (repo_envelope_new(body, TUF_TARGETS, &v, e) < 0 || repo_envelope_store(&v, p.edit.repo.staging, name, e) < 0)
		return -1;
	if (!c->json)
		printf("%s/staging/%s\n", argv[0], name);
	return tell_role(c, &v, role, &by, e);
}

/* With the file alone nothing tells whose keys count, unless --root does. */
static int sign_role_file(struct repo_cli *c, const char *path, struct err *e)
{
	CLEANUP(repo_envelope_fini) struct repo_envelope v = { .file = NULL };
	CLEANUP(repo_rootfile_fini) struct repo_rootfile f = { .root = NULL };
	struct repo_signing_keys by = { NULL, NULL };

	if (repo_envelope_load(AT_FDCWD, path, &v, e) < 0)
		return -1;
	if (v.type == TUF_ROOT)
		return err_set(e, ERR_USAGE, TUF_E_TYPE, "%s: a root; 'root sign' signs it", path);
	if (c->trusted_root) {
		if (repo_rootfile_load(AT_FDCWD, c->trusted_root, &f, e) < 0)
			return -1;
		by = (struct repo_signing_keys){ &f.root->keys, &f.root->roles[v.type] };
	}
	if (sign_all(c, &v, &by, c->trusted_root ? 1 : 0, ", says --root", e) < 0 || repo_envelope_store(&v, AT_FDCWD, path, e) < 0)
		return -1;
	if (c->trusted_root)
		return tell_role(c, &v, tuf_type_name(v.type), &by, e);
	printf("%s: %zu signatures\n", path, json_array_size(json_object_get(v.file, "signatures")));
	return 0;
}

int repo_role_sign(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(repo_publication_fini) struct repo_publication p = { .edit = REPO_EDIT_CLOSED };
	CLEANUP(repo_envelope_fini) struct repo_envelope v = { .file = NULL };
	const char *role = role_name(c);
	struct repo_signing_keys by;
	char name[REPO_PENDING_BYTES];

	if (need_key(c, e) < 0)
		return -1;
	if (!repo_is_folder(argv[0]))
		return sign_role_file(c, argv[0], e);
	repo_pending_name(role, name);
	if (repo_publication_open(c, argv[0], &p, e) < 0 || repo_publication_plan(&p, e) < 0 || signing_keys_of(&p, role, &by, e) < 0)
		return -1;
	if (!repo_has(p.edit.repo.staging, name))
		return err_set(e, ERR_MISSING, NULL, "%s: nothing is pending for %s; 'role prepare' makes it", argv[0], role);
	if (repo_envelope_load(p.edit.repo.staging, name, &v, e) < 0 || sign_all(c, &v, &by, 1, "", e) < 0 ||
	    repo_envelope_store(&v, p.edit.repo.staging, name, e) < 0)
		return -1;
	return tell_role(c, &v, role, &by, e);
}
