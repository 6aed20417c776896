/* Trees in, trees out: the bytes under a signature are the canonical form of `signed`, so indentation and member
 * order do not matter. */
#include "tools/repo_envelope.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "tuf/canon.h"
#include "tuf/tuf.h"

#define FILE_MAX_BYTES TUF_TARGETS_MAX_BYTES
#define SIGNATURE_MAX_BYTES (TUF_RSA_MAX_BITS / 8)

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "memory", "a metadata file: out of memory");
}

void repo_pending_name(const char *role, char out[REPO_PENDING_BYTES])
{
	snprintf(out, REPO_PENDING_BYTES, "pending.%s.json", role);
}

void repo_envelope_fini(struct repo_envelope *v)
{
	json_decref(v->file);
	v->file = NULL;
}

json_t *repo_envelope_body(const struct repo_envelope *v)
{
	return json_object_get(v->file, "signed");
}

int repo_envelope_new(json_t *body, enum tuf_type type, struct repo_envelope *out, struct err *e)
{
	json_t *file = json_pack("{sO, s[]}", "signed", body, "signatures");

	if (!file)
		return no_memory(e);
	*out = (struct repo_envelope){ file, type, (uint64_t)json_integer_value(json_object_get(body, "version")) };
	return 0;
}

static int find_type(const json_t *body, enum tuf_type *out)
{
	const char *name = json_string_value(json_object_get(body, "_type"));

	for (int t = 0; name && t < TUF_TYPES; t++)
		if (strcmp(name, tuf_type_name((enum tuf_type)t)) == 0) {
			*out = (enum tuf_type)t;
			return 0;
		}
	return -1;
}

int repo_envelope_parse(struct bytes text, const char *what, struct repo_envelope *out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *file = NULL;
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	enum tuf_type type;

	if (json_load_bytes(text, &file, e) < 0)
		return err_wrap(e, "%s", what);
	const json_t *body = json_object_get(file, "signed");
	const json_t *version = json_object_get(body, "version");

	if (find_type(body, &type) < 0)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "%s: signed._type is no role's", what);
	if (tuf_signed_load(text, type, what, &s, e) < 0)
		return -1;
	if (!json_is_integer(version) || json_integer_value(version) < 1)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "%s: signed.version is no version", what);
	*out = (struct repo_envelope){ TAKE(file), type, (uint64_t)json_integer_value(version) };
	return 0;
}

int repo_envelope_load(int dir, const char *name, struct repo_envelope *out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX_BYTES);

	if (file_read(dir, name, &text, e) < 0)
		return -1;
	return repo_envelope_parse(buf_bytes(&text), name, out, e);
}

int repo_envelope_text(const struct repo_envelope *v, struct buf *out, struct err *e)
{
	return json_to_buf(v->file, out, e);
}

int repo_envelope_signed(const struct repo_envelope *v, const char *what, struct tuf_signed **out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX_BYTES);

	if (repo_envelope_text(v, &text, e) < 0)
		return -1;
	return tuf_signed_load(buf_bytes(&text), v->type, what, out, e);
}

int repo_envelope_store(const struct repo_envelope *v, int dir, const char *name, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(tuf_type_max_bytes(v->type));

	if (repo_envelope_text(v, &text, e) < 0)
		return err_wrap(e, "%s", name);
	return file_replace(dir, name, buf_bytes(&text), 0644, e);
}

static json_t *signatures_of(const struct repo_envelope *v)
{
	return json_object_get(v->file, "signatures");
}

static const char *text_of(const json_t *signature, const char *member)
{
	const char *s = json_string_value(json_object_get(signature, member));

	return s ? s : "";
}

/* Puts one signature in place of the one of the same id, or at the end. Takes @signature over. */
static int put_signature(struct repo_envelope *v, json_t *signature, struct err *e)
{
	json_t *all = signatures_of(v), *old;
	size_t i;

	json_array_foreach(all, i, old)
		if (strcmp(text_of(old, "keyid"), text_of(signature, "keyid")) == 0)
			return json_array_set_new(all, i, signature) < 0 ? no_memory(e) : 0;
	return json_array_append_new(all, signature) < 0 ? no_memory(e) : 0;
}

int repo_envelope_sign(struct repo_envelope *v, const struct tuf_signer *s, const char *id, struct err *e)
{
	CLEANUP(buf_fini) struct buf canon = BUF_INIT(2 * (size_t)FILE_MAX_BYTES);
	CLEANUP(buf_fini) struct buf sig = BUF_INIT(SIGNATURE_MAX_BYTES);
	char hex[2 * SIGNATURE_MAX_BYTES + 1];

	if (tuf_canon(repo_envelope_body(v), &canon, e) < 0 || tuf_signer_sign(s, buf_bytes(&canon), &sig, e) < 0)
		return err_wrap(e, "key %.16s...", id);
	hex_encode(sig.p, sig.n, hex);
	json_t *signature = json_pack("{ss, ss}", "keyid", id, "sig", hex);

	return signature ? put_signature(v, signature, e) : no_memory(e);
}

static int same_body(const struct repo_envelope *a, const struct repo_envelope *b, struct err *e)
{
	CLEANUP(buf_fini) struct buf x = BUF_INIT(2 * (size_t)FILE_MAX_BYTES);
	CLEANUP(buf_fini) struct buf y = BUF_INIT(2 * (size_t)FILE_MAX_BYTES);

	if (tuf_canon(repo_envelope_body(a), &x, e) < 0 || tuf_canon(repo_envelope_body(b), &y, e) < 0)
		return -1;
	if (bytes_equal(buf_bytes(&x), buf_bytes(&y)))
		return 0;
	return err_set(e, ERR_TRUST, REPO_E_CHANGED, "the files sign different contents");
}

int repo_envelope_merge(struct repo_envelope *v, const struct repo_envelope *from, struct err *e)
{
	const json_t *signature;
	size_t i;

	if (same_body(v, from, e) < 0)
		return -1;
	json_array_foreach(signatures_of(from), i, signature) {
		bool there = false;
		const json_t *have;
		size_t k;

		json_array_foreach(signatures_of(v), k, have)
			there |= strcmp(text_of(have, "keyid"), text_of(signature, "keyid")) == 0 && *text_of(have, "sig");
		if (!there && put_signature(v, json_deep_copy(signature), e) < 0)
			return -1;
	}
	return 0;
}

static bool lists(const struct tuf_role_keys *role, const char *id)
{
	for (size_t i = 0; i < role->n_ids; i++)
		if (strcmp(role->ids[i], id) == 0)
			return true;
	return false;
}

static bool is_good(const json_t *signature, struct bytes canon, const struct repo_signing_keys *by, size_t n_by)
{
	const char *id = text_of(signature, "keyid"), *hex = text_of(signature, "sig");
	uint8_t raw[SIGNATURE_MAX_BYTES];
	const size_t n = strlen(hex) / 2;

	if (n == 0 || n > sizeof(raw) || !hex_decode(hex, strlen(hex), raw, n))
		return false;
	for (size_t i = 0; i < n_by; i++) {
		const struct tuf_key *key = lists(by[i].role, id) ? tuf_keyring_find(by[i].keys, id) : NULL;

		if (key && tuf_key_verify(key, canon, bytes_of(raw, n)))
			return true;
	}
	return false;
}

int repo_envelope_prune(struct repo_envelope *v, const struct repo_signing_keys *by, size_t n_by, size_t *n_dropped, struct err *e)
{
	CLEANUP(buf_fini) struct buf canon = BUF_INIT(2 * (size_t)FILE_MAX_BYTES);
	json_t *all = signatures_of(v);
	size_t n = 0;

	if (tuf_canon(repo_envelope_body(v), &canon, e) < 0)
		return -1;
	for (size_t i = json_array_size(all); i-- > 0;)
		if (!is_good(json_array_get(all, i), buf_bytes(&canon), by, n_by)) {
			json_array_remove(all, i);
			n++;
		}
	if (n_dropped)
		*n_dropped = n;
	return 0;
}
