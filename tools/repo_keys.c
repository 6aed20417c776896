/*
 * Keys are matched with root's by what they decode to, and sign under the id that root gives them: a root that
 * another tool has made may spell a key, and so its id, in another way.
 */
#include "tools/repo_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tuf/canon.h"
#include "tuf/tuf.h"

#define SIGNATURE_MAX_BYTES (TUF_RSA_MAX_BITS / 8)
#define CANON_MAX_BYTES (2 * (size_t)TUF_TARGETS_MAX_BYTES)

void repo_signers_fini(struct repo_signers *s)
{
	for (size_t i = 0; i < s->n; i++) {
		tuf_signer_free(s->v[i].signer);
		free(s->v[i].id);
	}
	s->n = 0;
}

static int set_id(struct repo_signers *s, size_t i, const char *id, struct err *e)
{
	char *copy = strdup(id);

	if (!copy)
		return err_sys(e, "a key id");
	free(s->v[i].id);
	s->v[i].id = copy;
	return 0;
}

static int add(struct repo_signers *s, struct tuf_signer *signer, const char *from, struct err *e)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(tuf_signer_key_id(s->v[i].signer), tuf_signer_key_id(signer)) == 0) {
			tuf_signer_free(signer);
			return err_set(e, ERR_USAGE, REPO_E_KEY, "%s: the same key was given before", from);
		}
	s->v[s->n].signer = signer;
	s->v[s->n].id = NULL;
	s->n++;
	return set_id(s, s->n - 1, tuf_signer_key_id(signer), e);
}

int repo_signers_add(struct repo_cli *c, const char *from, struct repo_signers *out, struct err *e)
{
	struct tuf_signer *signer = NULL;

	if (out->n == CLI_STRINGS_MAX)
		return err_set(e, ERR_USAGE, "limit", "more than %d keys", CLI_STRINGS_MAX);
	if (tuf_signer_load(from, repo_passphrase_ask, c, &signer, e) < 0)
		return -1;
	return add(out, signer, from, e);
}

int repo_signers_load(struct repo_cli *c, enum tuf_type type, struct repo_signers *out, struct err *e)
{
	const struct cli_strings *from = &c->keys[type];

	for (size_t i = 0; i < from->n; i++)
		if (repo_signers_add(c, from->v[i], out, e) < 0)
			return err_wrap(e, "--%s", repo_cli_key_option(type));
	return 0;
}

const char *repo_key_listed(const struct tuf_keyring *keys, const struct tuf_role_keys *role, const struct tuf_key *key)
{
	for (size_t i = 0; i < role->n_ids; i++) {
		const struct tuf_key *listed = tuf_keyring_find(keys, role->ids[i]);

		if (listed && digest_equal(tuf_key_fingerprint(listed), tuf_key_fingerprint(key)))
			return role->ids[i];
	}
	return NULL;
}

int repo_signers_match_role(struct repo_signers *s, const struct tuf_keyring *keys, const struct tuf_role_keys *role, const char *name,
			    const char *whose, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		CLEANUP(tuf_key_free_p) struct tuf_key *key = NULL;

		if (tuf_key_parse(tuf_signer_public(s->v[i].signer), "key", &key, e) < 0)
			return -1;
		const char *id = repo_key_listed(keys, role, key);

		if (!id)
			return err_set(e, ERR_TRUST, REPO_E_KEY, "key %.16s...: %s does not list it for %s", s->v[i].id, whose, name);
		if (set_id(s, i, id, e) < 0)
			return -1;
	}
	return 0;
}

int repo_signers_match(struct repo_signers *s, const struct tuf_root *root, enum tuf_type type, struct err *e)
{
	const struct tuf_role_keys *role = &root->roles[type];
	char whose[40];

	snprintf(whose, sizeof(whose), "root %" PRIu64, root->head.version);
	if (repo_signers_match_role(s, &root->keys, role, tuf_type_name(type), whose, e) < 0)
		return -1;
	if (s->n < role->threshold)
		return err_set(e, ERR_TRUST, TUF_E_THRESHOLD, "%s: %zu keys given, %s wants %" PRIu64, tuf_type_name(type), s->n, whose,
			       role->threshold);
	return 0;
}

/* One element of `signatures`. */
static int sign_one(const struct repo_signers *s, size_t i, struct bytes msg, json_t *signatures, struct err *e)
{
	CLEANUP(buf_fini) struct buf sig = BUF_INIT(SIGNATURE_MAX_BYTES);
	char hex[2 * SIGNATURE_MAX_BYTES + 1];

	if (tuf_signer_sign(s->v[i].signer, msg, &sig, e) < 0)
		return err_wrap(e, "key %.16s...", s->v[i].id);
	hex_encode(sig.p, sig.n, hex);
	if (json_array_append_new(signatures, json_pack("{ss, ss}", "keyid", s->v[i].id, "sig", hex)) < 0)
		return err_set(e, ERR_SYSTEM, "memory", "a signature: out of memory");
	return 0;
}

int repo_signers_sign(const struct repo_signers *s, json_t *body, struct buf *out, struct err *e)
{
	CLEANUP(buf_fini) struct buf canon = BUF_INIT(CANON_MAX_BYTES);
	CLEANUP(json_decref_p) json_t *signatures = json_array();
	CLEANUP(json_decref_p) json_t *file = signatures ? json_pack("{sO, sO}", "signed", body, "signatures", signatures) : NULL;

	if (!file)
		return err_set(e, ERR_SYSTEM, "memory", "signing: out of memory");
	if (tuf_canon(body, &canon, e) < 0)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		if (sign_one(s, i, buf_bytes(&canon), signatures, e) < 0)
			return -1;
	return json_to_buf(file, out, e);
}
