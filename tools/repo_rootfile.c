#include "tools/repo_rootfile.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/datetime.h"
#include "base/json.h"

void repo_rootfile_fini(struct repo_rootfile *f)
{
	repo_envelope_fini(&f->file);
	tuf_root_free(f->root);
	tuf_root_free(f->previous);
	*f = (struct repo_rootfile){ .root = NULL };
}

static int parse_root(const struct repo_envelope *v, const char *name, struct tuf_root **out, struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;

	if (v->type != TUF_ROOT)
		return err_set(e, ERR_TRUST, TUF_E_TYPE, "%s: a %s file, not root", name, tuf_type_name(v->type));
	if (repo_envelope_signed(v, name, &s, e) < 0)
		return -1;
	return tuf_root_parse(s, out, e);
}

int repo_rootfile_load(int dir, const char *name, struct repo_rootfile *out, struct err *e)
{
	if (repo_envelope_load(dir, name, &out->file, e) < 0)
		return -1;
	return parse_root(&out->file, name, &out->root, e);
}

int repo_rootfile_set_previous(struct repo_rootfile *f, int dir, const char *path, struct err *e)
{
	CLEANUP(repo_envelope_fini) struct repo_envelope v = { .file = NULL };
	CLEANUP(tuf_root_free_p) struct tuf_root *root = NULL;

	if (repo_envelope_load(dir, path, &v, e) < 0 || parse_root(&v, path, &root, e) < 0)
		return -1;
	if (root->head.version + 1 != f->root->head.version)
		return err_set(e, ERR_USAGE, TUF_E_VERSION, "%s: root %" PRIu64 " is not the one before %" PRIu64, path, root->head.version,
			       f->root->head.version);
	f->previous = TAKE(root);
	return 0;
}

size_t repo_rootfile_signers(const struct repo_rootfile *f, struct repo_signing_keys out[2])
{
	out[0] = (struct repo_signing_keys){ &f->root->keys, &f->root->roles[TUF_ROOT] };
	if (!f->previous)
		return 1;
	out[1] = (struct repo_signing_keys){ &f->previous->keys, &f->previous->roles[TUF_ROOT] };
	return 2;
}

static int count_by(const struct tuf_signed *s, const struct tuf_root *by, struct repo_count *out, struct err *e)
{
	*out = (struct repo_count){ 0, 0 };
	if (!by)
		return 0;
	out->wanted = by->roles[TUF_ROOT].threshold;
	return tuf_signed_count(s, &by->keys, &by->roles[TUF_ROOT], &out->good, e);
}

int repo_rootfile_count(const struct repo_rootfile *f, struct repo_count *old, struct repo_count *own, struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;

	if (repo_envelope_signed(&f->file, "root", &s, e) < 0 || count_by(s, f->previous, old, e) < 0)
		return -1;
	return count_by(s, f->root, own, e);
}

static json_t *role_json(const struct tuf_role_keys *role)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < role->n_ids; i++)
		json_array_append_new(ids, json_string(role->ids[i]));
	return json_pack("{sI, so}", "threshold", (json_int_t)role->threshold, "keyids", ids);
}

static json_t *count_json(struct repo_count n)
{
	return json_pack("{sI, sI}", "signatures", (json_int_t)n.good, "threshold", (json_int_t)n.wanted);
}

static int tell_json(const struct repo_rootfile *f, const char *expires, struct repo_count old, struct repo_count own, struct err *e)
{
	json_t *roles = json_object();

	for (int t = 0; t < TUF_TYPES; t++)
		json_object_set_new(roles, tuf_type_name((enum tuf_type)t), role_json(&f->root->roles[t]));
	CLEANUP(json_decref_p) json_t *j =
		json_pack("{sI, ss, so, so, so}", "version", (json_int_t)f->root->head.version, "expires", expires, "old",
			  f->previous ? count_json(old) : json_null(), "new", count_json(own), "roles", roles);

	return j ? json_print(j, stdout, e) : err_set(e, ERR_SYSTEM, "memory", "out of memory");
}

static const char *kind_name(const struct tuf_key *k)
{
	static const char *const names[] = {
		[TUF_KEY_UNUSABLE] = "unusable",
		[TUF_KEY_ED25519] = "ed25519",
		[TUF_KEY_RSA] = "rsa",
		[TUF_KEY_ECDSA_P256] = "ecdsa",
	};

	return k ? names[tuf_key_kind(k)] : "no such key";
}

static void tell_keys(const struct tuf_root *root)
{
	for (int t = 0; t < TUF_TYPES; t++) {
		const struct tuf_role_keys *role = &root->roles[t];

		printf("%-9s %" PRIu64 " of %zu keys\n", tuf_type_name((enum tuf_type)t), role->threshold, role->n_ids);
		for (size_t i = 0; i < role->n_ids; i++)
			printf("          %s %s\n", role->ids[i], kind_name(tuf_keyring_find(&root->keys, role->ids[i])));
	}
}

int repo_rootfile_tell(const struct repo_cli *c, const struct repo_rootfile *f, bool keys, struct err *e)
{
	struct repo_count old, own;
	char expires[DATETIME_BYTES];

	if (repo_rootfile_count(f, &old, &own, e) < 0)
		return -1;
	datetime_format(f->root->head.expires_sec, expires);
	if (c->json)
		return tell_json(f, expires, old, own, e);
	printf("root %" PRIu64 ", expires %s\nsignatures: ", f->root->head.version, expires);
	if (f->previous)
		printf("%" PRIu64 " of %" PRIu64 " of the old, ", old.good, old.wanted);
	printf("%" PRIu64 " of %" PRIu64 " of the new\n", own.good, own.wanted);
	if (keys)
		tell_keys(f->root);
	return 0;
}

bool repo_is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The highest number in a row. */
static uint64_t newest_root(const struct repo *r)
{
	char name[REPO_FILE_NAME_BYTES];
	uint64_t v = 1;

	for (;; v++) {
		repo_metadata_name(TUF_ROOT, v + 1, name);
		if (!repo_has(r->metadata, name))
			return v;
	}
}

int repo_rootfile_load_pending(const struct repo *r, struct repo_rootfile *out, struct err *e)
{
	char name[REPO_FILE_NAME_BYTES];

	if (!repo_has(r->staging, REPO_PENDING_ROOT))
		return err_set(e, ERR_MISSING, NULL, "%s: no root is pending; 'root rotate' makes one", r->path);
	if (repo_rootfile_load(r->staging, REPO_PENDING_ROOT, out, e) < 0)
		return err_wrap(e, "%s/staging", r->path);
	const uint64_t newest = newest_root(r);

	if (out->root->head.version <= newest)
		return err_set(e, ERR_STATE, REPO_E_EXISTS, "%s: root %" PRIu64 " is published already; roots are never replaced", r->path,
			       out->root->head.version);
	repo_metadata_name(TUF_ROOT, newest, name);
	return repo_rootfile_set_previous(out, r->metadata, name, e);
}
