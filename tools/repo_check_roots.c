/* The chain of roots, each against the one before, and what is unwise in the newest one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tools/repo_check.h"

#define PROBE_AHEAD 3 /* a server has no list of its files: so far is looked behind the last root for a gap */

/* A check_name_fn: the highest N of N.root.json. */
static int note_root(void *ctx, const char *name, struct err *e)
{
	uint64_t *last = ctx, v;
	const char *dot = strchr(name, '.');

	if (dot && strcmp(dot, ".root.json") == 0 && num_parse_u64_n(name, (size_t)(dot - name), 1, TUF_ROOTS_MAX, &v) && v > *last)
		*last = v;
	return 0;
}

static bool is_served(const struct check *k, uint64_t v)
{
	CLEANUP(buf_fini) struct buf text = { 0 };
	struct err e;

	return repo_remote_metadata(&k->remote, "root", v, TUF_ROOT_MAX_BYTES, &text, &e) == 0 || e.kind != ERR_MISSING;
}

/* The last root that there is, after gaps too. */
static int find_last(const struct check *k, uint64_t from, uint64_t *out, struct err *e)
{
	*out = 0;
	if (k->local.metadata >= 0)
		return check_each_name(k->local.metadata, note_root, out, e);
	for (uint64_t v = 1; v <= TUF_ROOTS_MAX && v <= (*out > from ? *out : from) + PROBE_AHEAD; v++)
		if (is_served(k, v))
			*out = v;
	return 0;
}

struct one_root {
	struct tuf_signed *s;
	struct tuf_root *root;
};

static void one_fini(struct one_root *o)
{
	tuf_signed_free(o->s);
	tuf_root_free(o->root);
	*o = (struct one_root){ .s = NULL };
}

static void check_signatures(struct check *k, const struct one_root *o, const struct one_root *before)
{
	const struct tuf_root *root = o->root;
	struct err e;

	if (tuf_signed_verify(o->s, &root->keys, &root->roles[TUF_ROOT], "its own root role", &e) < 0)
		check_add_err(k, NULL, &e);
	if (before->root &&
	    tuf_signed_verify(o->s, &before->root->keys, &before->root->roles[TUF_ROOT], "the root before", &e) < 0)
		check_add(k, ERR_TRUST, "root-chain-broken", "%s", e.msg);
}

/* A root's file; nothing in @out where it cannot be read. */
static void read_root(struct check *k, uint64_t v, struct one_root *out)
{
	CLEANUP(buf_fini) struct buf text = { 0 };
	CLEANUP(one_fini) struct one_root o = { .s = NULL };
	char name[REPO_FILE_NAME_BYTES];
	struct err e;

	repo_metadata_name(TUF_ROOT, v, name);
	if (repo_remote_metadata(&k->remote, "root", v, TUF_ROOT_MAX_BYTES, &text, &e) < 0 ||
	    tuf_signed_load(buf_bytes(&text), TUF_ROOT, name, &o.s, &e) < 0 || tuf_root_parse(o.s, &o.root, &e) < 0) {
		check_add_err(k, "root-chain-gap", &e);
		return;
	}
	if (o.root->head.version != v)
		check_add(k, ERR_TRUST, "root-version", "%s: says that it is version %" PRIu64, name, o.root->head.version);
	if (k->trusted_root.n == 0 && buf_append(&k->trusted_root, text.p, text.n, &e) < 0)
		k->no_memory = true;
	*out = o;
	o = (struct one_root){ .s = NULL };
}

/* The version of --root; 1 without it. */
static int given_version(struct check *k, uint64_t *out, struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;

	*out = 1;
	if (k->trusted_root.n == 0)
		return 0;
	if (tuf_trusted_new(buf_bytes(&k->trusted_root), 0, TUF_EXPIRY_IGNORED, &t, e) < 0)
		return err_wrap(e, "--root");
	*out = tuf_trusted_root(t)->head.version;
	return 0;
}

int check_roots(struct check *k, struct err *e)
{
	CLEANUP(one_fini) struct one_root before = { .s = NULL };
	uint64_t given, last, first = 0;

	if (given_version(k, &given, e) < 0 || find_last(k, given, &last, e) < 0)
		return -1;
	if (last == 0)
		check_add(k, ERR_MISSING, "root-missing", "there is no root at all");
	for (uint64_t v = 1; v <= last; v++) {
		struct one_root o = { .s = NULL };

		if (!is_served(k, v)) {
			if (first)
				check_add(k, ERR_MISSING, "root-chain-gap", "%" PRIu64 ".root.json is not there, later ones are: hosts stop before it", v);
			else
				check_add(k, ERR_MISSING, "old-root-missing", "%" PRIu64 ".root.json is not there: hosts that start from it cannot follow", v);
			one_fini(&before);
			continue;
		}
		first = first ? first : v;
		read_root(k, v, &o);
		if (o.root)
			check_signatures(k, &o, &before);
		one_fini(&before);
		before = o;
	}
	k->root = TAKE(before.root);
	return 0;
}

static const struct tuf_key *key_at(const struct tuf_root *root, enum tuf_type t, size_t i)
{
	return tuf_keyring_find(&root->keys, root->roles[t].ids[i]);
}

static size_t usable_keys(const struct tuf_root *root, enum tuf_type t)
{
	size_t n = 0;

	for (size_t i = 0; i < root->roles[t].n_ids; i++) {
		const struct tuf_key *key = key_at(root, t, i);
		bool repeated = false;

		for (size_t j = 0; j < i && key; j++) {
			const struct tuf_key *other = key_at(root, t, j);

			repeated |= other && digest_equal(tuf_key_fingerprint(other), tuf_key_fingerprint(key));
		}
		n += key && !repeated && tuf_key_kind(key) != TUF_KEY_UNUSABLE;
	}
	return n;
}

static void lint_role(struct check *k, enum tuf_type t)
{
	const struct tuf_role_keys *role = &k->root->roles[t];
	const size_t usable = usable_keys(k->root, t);
	const char *name = tuf_type_name(t);

	if (usable < role->threshold)
		check_add(k, ERR_TRUST, "threshold-unreachable", "%s: %" PRIu64 " keys are needed, %zu can sign", name, role->threshold, usable);
	if (role->threshold == 1 && (t == TUF_ROOT || t == TUF_TARGETS))
		check_add(k, ERR_NONE, "threshold-one", "%s: one stolen key is enough", name);
	for (size_t i = 0; i < role->n_ids; i++)
		if (!key_at(k->root, t, i))
			check_add(k, ERR_NONE, "key-missing", "%s: key %.16s... is not among the keys", name, role->ids[i]);
}

/* Timestamp and snapshot are commonly signed by one online key; every other pair should differ. */
static void lint_shared(struct check *k, enum tuf_type a, enum tuf_type b)
{
	if (a == TUF_TIMESTAMP && b == TUF_SNAPSHOT)
		return;
	for (size_t i = 0; i < k->root->roles[a].n_ids; i++)
		for (size_t j = 0; j < k->root->roles[b].n_ids; j++) {
			const struct tuf_key *x = key_at(k->root, a, i), *y = key_at(k->root, b, j);

			if (x && y && digest_equal(tuf_key_fingerprint(x), tuf_key_fingerprint(y)))
				check_add(k, ERR_NONE, "key-shared-between-roles", "%s and %s: key %.16s...", tuf_type_name(a), tuf_type_name(b),
					  k->root->roles[a].ids[i]);
		}
}

static void lint_keys(struct check *k)
{
	for (size_t i = 0; i < k->root->keys.n; i++) {
		const struct tuf_keyring_entry *entry = &k->root->keys.v[i];

		if (tuf_key_kind(entry->key) != TUF_KEY_UNUSABLE)
			continue;
		const bool weak = strcmp(tuf_key_why(entry->key), "an RSA modulus below 2048 bits") == 0;

		check_add(k, ERR_NONE, weak ? "weak-rsa" : "unusable-key", "key %.16s...: %s", entry->id, tuf_key_why(entry->key));
	}
}

/* Key ids are opaque to our client, but there are clients that compute them. */
static void lint_ids(struct check *k)
{
	CLEANUP(buf_fini) struct buf text = { 0 };
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	char due[TUF_KEY_ID_BYTES];
	struct err e;
	const char *id;
	json_t *key;

	if (repo_remote_metadata(&k->remote, "root", k->root->head.version, TUF_ROOT_MAX_BYTES, &text, &e) < 0 ||
	    tuf_signed_load(buf_bytes(&text), TUF_ROOT, "root.json", &s, &e) < 0)
		return;
	json_object_foreach(json_object_get(tuf_signed_body(s), "keys"), id, key)
		if (tuf_key_id(key, due, &e) == 0 && strcmp(due, id) != 0)
			check_add(k, ERR_NONE, "keyid-mismatch", "key %.16s...: its id should be %.16s...; some clients refuse the file", id, due);
}

void check_root_lint(struct check *k)
{
	if (!k->root)
		return;
	check_expiry(k, TUF_ROOT, false, "root", &k->root->head);
	if (!k->root->consistent_snapshot)
		check_add(k, ERR_NONE, "consistent-snapshot-off", "root: files are replaced while hosts read them");
	for (int a = 0; a < TUF_TYPES; a++) {
		lint_role(k, (enum tuf_type)a);
		for (int b = a + 1; b < TUF_TYPES; b++)
			lint_shared(k, (enum tuf_type)a, (enum tuf_type)b);
	}
	lint_keys(k);
	lint_ids(k);
}
