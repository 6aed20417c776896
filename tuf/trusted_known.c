/*
 * Relying on what an earlier run verified. What is remembered stands for one thing only: that the bytes of this
 * sha256 bear signatures by the threshold of these very keys. Everything that can change without the file
 * changing is looked at anew each time: who has to sign, which version and hashes the snapshot wants, and what
 * time it is.
 */
#include <stdlib.h>
#include <string.h>

#include "tuf/trusted_set.h"

static const char file[] = "targets.json";

static int fingerprint_order(const void *a, const void *b)
{
	const struct digest *x = (const struct digest *)a, *y = (const struct digest *)b;

	return memcmp(x->v, y->v, digest_size(DIGEST_SHA256));
}

/* sha256 of the threshold and the distinct keys that may sign targets, whatever their ids. */
static int digest_keys(const struct tuf_root *root, struct digest *out, struct err *e)
{
	const struct tuf_role_keys *role = &root->roles[TUF_TARGETS];
	CLEANUP(free_p) struct digest *v = (struct digest *)calloc(role->n_ids + 1, sizeof(*v));
	CLEANUP(digest_free_p) struct digest_ctx *ctx = NULL;
	size_t n = 0;

	if (!v)
		return err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", file);
	for (size_t i = 0; i < role->n_ids; i++) {
		const struct tuf_key *key = tuf_keyring_find(&root->keys, role->ids[i]);

		if (key)
			v[n++] = *tuf_key_fingerprint(key);
	}
	qsort(v, n, sizeof(*v), fingerprint_order);
	if (digest_new(DIGEST_SHA256, &ctx, e) < 0 || digest_update(ctx, &role->threshold, sizeof(role->threshold), e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if ((i == 0 || fingerprint_order(&v[i - 1], &v[i]) != 0) &&
		    digest_update(ctx, v[i].v, digest_size(DIGEST_SHA256), e) < 0)
			return -1;
	return digest_final(ctx, out, e);
}

static const struct digest *find_hash(const struct tuf_hashes *h, enum digest_alg alg)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].alg == alg)
			return &h->v[i];
	return NULL;
}

int tuf_trusted_know_targets(const struct tuf_trusted *t, struct bytes in, struct tuf_known_targets *out, struct err *e)
{
	char name[TUF_FILE_NAME_BYTES];
	struct tuf_known_targets k = { .length = in.n, .hashes = { .listed = true, .n = 1 } };
	const struct digest *sha512;
	const struct tuf_meta *m;

	if (!t->targets)
		return tuf_out_of_order(e, "what is known of targets");
	m = tuf_find_listed(t, "targets", name, e);
	if (!m || digest_keys(t->root, &k.keys, e) < 0 || digest_bytes(DIGEST_SHA256, in, &k.hashes.v[0], e) < 0)
		return -1;
	/* Verified just now, if it is listed. */
	sha512 = find_hash(&m->hashes, DIGEST_SHA512);
	if (sha512)
		k.hashes.v[k.hashes.n++] = *sha512;
	k.head = t->targets->head;
	*out = k;
	return 0;
}

static int check_known_hashes(const struct tuf_meta *m, const struct tuf_known_targets *k, struct err *e)
{
	bool same = !m->hashes.listed || m->hashes.n > 0;

	for (size_t i = 0; i < m->hashes.n && same; i++) {
		const struct digest *known = find_hash(&k->hashes, m->hashes.v[i].alg);

		same = known && digest_equal(known, &m->hashes.v[i]);
	}
	return same ? 0 : err_set(e, ERR_TRUST, TUF_E_DIGEST, "%s: its hashes are not those listed", file);
}

int tuf_trusted_rely(struct tuf_trusted *t, const struct tuf_known_targets *k, struct err *e)
{
	char name[TUF_FILE_NAME_BYTES];
	const struct tuf_meta *m;
	struct digest keys;

	if (!t->snapshot_final || t->targets)
		return tuf_out_of_order(e, "known targets");
	if (!find_hash(&k->hashes, DIGEST_SHA256))
		return err_set(e, ERR_BUG, NULL, "known targets without a sha256");
	m = tuf_find_listed(t, "targets", name, e);
	if (!m || digest_keys(t->root, &keys, e) < 0)
		return -1;
	if (!digest_equal(&keys, &k->keys))
		return err_set(e, ERR_TRUST, TUF_E_THRESHOLD, "%s: verified with other keys or another threshold", file);
	if (m->has_length && m->length != k->length)
		return err_set(e, ERR_TRUST, TUF_E_LENGTH, "%s: its length is not the one listed", file);
	if (tuf_check_version(&k->head, m->version, file, e) < 0 || check_known_hashes(m, k, e) < 0 ||
	    tuf_check_expiry(t, &k->head, file, e) < 0)
		return -1;
	t->known = *k;
	t->relying = true;
	return 0;
}

bool tuf_is_known(const struct tuf_trusted *t, struct bytes in)
{
	struct digest got;
	struct err e;

	return in.n == t->known.length && digest_bytes(DIGEST_SHA256, in, &got, &e) == 0 &&
	       digest_equal(&got, find_hash(&t->known.hashes, DIGEST_SHA256));
}

int tuf_read_known_targets(const struct tuf_trusted *t, struct bytes in, struct tuf_targets **out, struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	CLEANUP(tuf_targets_free_p) struct tuf_targets *r = NULL;

	if (tuf_signed_load_verified(in, TUF_TARGETS, file, &s, e) < 0 || tuf_targets_parse(s, &r, e) < 0 ||
	    tuf_check_version(&r->head, t->known.head.version, file, e) < 0 || tuf_check_expiry(t, &r->head, file, e) < 0)
		return -1;
	*out = TAKE(r);
	return 0;
}

const struct tuf_head *tuf_trusted_targets_head(const struct tuf_trusted *t)
{
	if (t->targets)
		return &t->targets->head;
	return t->relying ? &t->known.head : NULL;
}
