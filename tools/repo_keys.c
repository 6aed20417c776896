/*
 * Keys are matched with root's by what they decode to, and sign under the id that root gives them: a root that another tool has made
 * may spell a key, and so its id, in another way.
 */
#include "tools/repo_keys.h"

#include <inttypes.h>
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

int repo_signers_load(struct repo_cli *c, enum tuf_type type, struct repo_signers *out, struct err *e)
{
	const struct cli_strings *from = &c->keys[type];

	for (size_t i = 0; i < from->n; i++) {
		struct tuf_signer *signer = NULL;

		if (tuf_signer_load(from->v[i], repo_passphrase_ask, c, &signer, e) < 0 ||
		    add(out, signer, from->v[i], e) < 0)
			return err_wrap(e, "--%s", repo_cli_key_option(type));
	}
	return 0;
}

/* True with the id under which @root lists @key for the role. */
static bool id_in_root(const struct tuf_key *key, const struct tuf_root *root, enum tuf_type type, const char **id)
{
	const struct tuf_role_keys *role = &root->roles[type];

	for (size_t i = 0; i < role->n_ids; i++) {
		const struct tuf_key *listed = tuf_keyring_find(&root->keys, role->ids[i]);

		if (listed && digest_equal(tuf_key_fingerprint(listed), tuf_key_fingerprint(key))) {
			*id = role->ids[i];
			return true;
		}
	}
	return false;
}

int repo_signers_match(struct repo_signers *s, const struct tuf_root *root, enum tuf_type type, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		CLEANUP(tuf_key_free_p) struct tuf_key *key = NULL;
		const char *id = NULL;

		if (tuf_key_parse(tuf_signer_public(s->v[i].signer), "key", &key, e) < 0)
			return -1;
		if (!id_in_root(key, root, type, &id))
			return err_set(e, ERR_TRUST, REPO_E_KEY, "key %.16s...: root %" PRIu64 " does not list it for %s", s->v[i].id,
				       root->head.version, tuf_type_name(type));
		if (set_id(s, i, id, e) < 0)
			return -1;
	}
	if (s->n < root->roles[type].threshold)
		return err_set(e, ERR_TRUST, TUF_E_THRESHOLD, "%s: %zu keys given, root %" PRIu64 " wants %" PRIu64, tuf_type_name(type), s->n,
			       root->head.version, root->roles[type].threshold);
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
