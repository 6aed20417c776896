/*
 * The canonical bytes come from the tree as it was parsed, before anything is turned into structures, so members
 * that this program does not know are covered as well. Signatures are kept by key id and looked up from the
 * role's side: each key that a role lists is tried once, whatever the file carries besides, so the work is
 * bounded by the role and not by the file.
 */
#include "tuf/signed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tuf/canon.h"
#include "tuf/parse.h"
#include "tuf/tuf.h"

struct signature {
	char *id;
	uint8_t *sig;
	size_t n; /* 0: an unusable one, such as the empty ones of key holders who have not signed yet */
};

struct tuf_signed {
	char *file;
	enum tuf_type type;
	json_t *doc;
	json_t *body; /* borrowed from @doc */
	struct buf canon;
	size_t n_sigs;
	struct signature *sigs; /* ids ascending */
};

/* Objects and arrays of the entries that a file may have: a key has two, a signature one, a listed file two, a
 * target three with its `custom`, a delegation three; as many again of keys and signatures are for members that
 * nobody knows. */
#define KEYS_PARTS (4 * (TUF_KEYS_MAX + TUF_SIGNATURES_MAX))

static const struct {
	const char *name;
	size_t max_bytes, max_parts;
} types[TUF_TYPES] = {
	[TUF_ROOT] = { "root", TUF_ROOT_MAX_BYTES, KEYS_PARTS },
	[TUF_TIMESTAMP] = { "timestamp", TUF_TIMESTAMP_MAX_BYTES, KEYS_PARTS },
	[TUF_SNAPSHOT] = { "snapshot", TUF_SNAPSHOT_MAX_BYTES, 2 * TUF_META_MAX + KEYS_PARTS },
	[TUF_TARGETS] = { "targets", TUF_TARGETS_MAX_BYTES, 3 * TUF_TARGETS_MAX + 3 * TUF_ROLES_MAX + KEYS_PARTS },
};

const char *tuf_type_name(enum tuf_type type)
{
	return types[type].name;
}

size_t tuf_type_max_bytes(enum tuf_type type)
{
	return types[type].max_bytes;
}

size_t tuf_type_max_parts(enum tuf_type type)
{
	return types[type].max_parts;
}

void tuf_role_keys_fini(struct tuf_role_keys *r)
{
	for (size_t i = 0; i < r->n_ids; i++)
		free(r->ids[i]);
	free(r->ids);
	*r = (struct tuf_role_keys){ .n_ids = 0 };
}

void tuf_signed_free(struct tuf_signed *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_sigs; i++) {
		free(s->sigs[i].id);
		free(s->sigs[i].sig);
	}
	free(s->sigs);
	buf_fini(&s->canon);
	json_decref(s->doc);
	free(s->file);
	free(s);
}

/* Hex of any even length; anything else leaves an unusable signature. Return: -1 only when memory is out */
static int decode_sig(const char *hex, struct signature *out)
{
	const size_t n = strlen(hex);

	if (n < 2)
		return 0;
	uint8_t *sig = malloc(n / 2);
	if (!sig)
		return -1;
	if (!hex_decode(hex, n, sig, n / 2)) {
		free(sig);
		return 0;
	}
	out->sig = sig;
	out->n = n / 2;
	return 0;
}

static int add_signature(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct tuf_signed *s = ctx;
	struct json_in in = json_in_object(value, path, e);
	const char *id = "", *hex = "";

	if (name)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "%s: not in an array", path);
	json_get_str(&in, "keyid", TUF_NAME_MAX_BYTES, &id);
	json_get_str(&in, "sig", SIZE_MAX, &hex);
	if (json_in_end(&in) < 0)
		return -1;
	struct signature *sig = &s->sigs[s->n_sigs++];
	sig->id = strdup(id);
	if (!sig->id || decode_sig(hex, sig) < 0) {
		errno = ENOMEM;
		return err_sys(e, "%s", path);
	}
	return 0;
}

static int signature_order(const void *a, const void *b)
{
	return strcmp(((const struct signature *)a)->id, ((const struct signature *)b)->id);
}

static int sort_signatures(struct tuf_signed *s, struct err *e)
{
	qsort(s->sigs, s->n_sigs, sizeof(*s->sigs), signature_order);
	for (size_t i = 1; i < s->n_sigs; i++)
		if (strcmp(s->sigs[i - 1].id, s->sigs[i].id) == 0)
			return err_set(e, ERR_TRUST, TUF_E_DUPLICATE_SIG, "signatures: key id %s is there twice",
				       s->sigs[i].id);
	return 0;
}

/* Two or three decimal numbers with dots between them, the first of them 1: "1.0", "1.0.31". */
static bool spec_version_fits(const char *v)
{
	size_t n_parts = 0;

	if (strncmp(v, "1.", 2) != 0)
		return false;
	for (;;) {
		const size_t n = strspn(v, "0123456789");

		if (n == 0)
			return false;
		n_parts++;
		if (v[n] == '\0')
			return n_parts == 2 || n_parts == 3;
		if (v[n] != '.')
			return false;
		v += n + 1;
	}
}

static int check_body(const struct tuf_signed *s, struct err *e)
{
	struct json_in in = json_in_object(s->body, "signed", e);
	const char *type = "", *spec = "";

	json_get_str(&in, "_type", TUF_NAME_MAX_BYTES, &type);
	if (json_in_end(&in) < 0)
		return -1;
	if (strcmp(type, types[s->type].name) != 0)
		return err_set(e, ERR_TRUST, TUF_E_TYPE, "_type is %.40s, not %s", type, types[s->type].name);
	json_get_str(&in, "spec_version", TUF_NAME_MAX_BYTES, &spec);
	if (json_in_end(&in) == 0 && !spec_version_fits(spec))
		json_in_fail(&in, "spec_version", "\"%.40s\" is not 1.N or 1.N.N", spec);
	return json_in_end(&in);
}

/*
 * The text is parsed before any signature can be looked at, and "{}," becomes more than 200 bytes of memory:
 * without this, a mirror that has no key could make gigabytes of a targets file. Counts brackets and commas that
 * are not in strings; what is no JSON is the parser's matter.
 */
int tuf_check_parts(struct bytes in, size_t max, struct err *e)
{
	size_t n_parts = 0, n_commas = 0;
	bool in_string = false;

	for (size_t i = 0; i < in.n; i++) {
		const uint8_t c = in.p[i];

		if (c == '"')
			in_string = !in_string;
		else if (in_string)
			i += c == '\\';
		else if (c == '{' || c == '[')
			n_parts++;
		else if (c == ',')
			n_commas++;
	}
	if (n_parts > max)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "%zu objects and arrays, more than %zu", n_parts, max);
	if (n_commas > TUF_COMMAS_PER_PART * max)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "more than %zu values", TUF_COMMAS_PER_PART * max);
	return 0;
}

static int load(struct tuf_signed *s, struct bytes in, bool with_canon, struct err *e)
{
	if (in.n > tuf_type_max_bytes(s->type))
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "%zu bytes, more than %zu", in.n,
			       tuf_type_max_bytes(s->type));
	if (tuf_check_parts(in, types[s->type].max_parts, e) < 0 || json_load_bytes(in, &s->doc, e) < 0)
		return -1;
	struct json_in doc = json_in_object(s->doc, "", e);
	const struct json_in body = json_get_object(&doc, "signed");
	s->body = body.obj;
	json_get_each(&doc, "signatures", TUF_SIGNATURES_MAX, add_signature, s);
	if (json_in_end(&doc) < 0 || sort_signatures(s, e) < 0 || check_body(s, e) < 0)
		return -1;
	if (!with_canon)
		return 0;
	/* Never longer than the text it is made from; room for it at once saves copying what may be tens of megabytes. */
	s->canon = BUF_INIT(in.n);
	return buf_reserve(&s->canon, in.n, e) < 0 ? -1 : tuf_canon(s->body, &s->canon, e);
}

static int load_new(struct bytes in, enum tuf_type type, const char *file, bool with_canon, struct tuf_signed **out, struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = calloc(1, sizeof(*s));

	if (!s || !(s->file = strdup(file)) || !(s->sigs = calloc(TUF_SIGNATURES_MAX, sizeof(*s->sigs)))) {
		errno = ENOMEM;
		return err_sys(e, "%s", file);
	}
	s->type = type;
	if (load(s, in, with_canon, e) < 0)
		return tuf_parse_failed(e, file);
	*out = TAKE(s);
	return 0;
}

int tuf_signed_load(struct bytes in, enum tuf_type type, const char *file, struct tuf_signed **out, struct err *e)
{
	return load_new(in, type, file, true, out, e);
}

int tuf_signed_load_verified(struct bytes in, enum tuf_type type, const char *file, struct tuf_signed **out, struct err *e)
{
	return load_new(in, type, file, false, out, e);
}

void tuf_signed_drop_canon(struct tuf_signed *s)
{
	buf_fini(&s->canon);
}

static const struct signature *find_signature(const struct tuf_signed *s, const char *id)
{
	const struct signature key = { .id = (char *)(uintptr_t)id };

	return bsearch(&key, s->sigs, s->n_sigs, sizeof(*s->sigs), signature_order);
}

static int digest_order(const void *a, const void *b)
{
	const struct digest *const *x = a, *const *y = b;

	return memcmp((*x)->v, (*y)->v, digest_size(DIGEST_SHA256));
}

/* How many of @n pointers to fingerprints differ; sorts them. */
static size_t count_distinct(const struct digest **v, size_t n)
{
	size_t n_distinct = 0;

	qsort(v, n, sizeof(*v), digest_order);
	for (size_t i = 0; i < n; i++)
		n_distinct += i == 0 || digest_order(&v[i - 1], &v[i]) != 0;
	return n_distinct;
}

int tuf_signed_count(const struct tuf_signed *s, const struct tuf_keyring *keys, const struct tuf_role_keys *role,
		     uint64_t *out, struct err *e)
{
	CLEANUP(free_p) const struct digest **good = calloc(role->n_ids + 1, sizeof(*good));
	size_t n_good = 0;

	if (s->canon.n == 0)
		return err_set(e, ERR_BUG, NULL, "%s: signatures to be counted without the bytes they cover", s->file);
	if (!good) {
		errno = ENOMEM;
		return err_sys(e, "%s", s->file);
	}
	for (size_t i = 0; i < role->n_ids; i++) {
		const struct tuf_key *key = tuf_keyring_find(keys, role->ids[i]);
		const struct signature *sig = find_signature(s, role->ids[i]);

		if (key && sig && tuf_key_verify(key, buf_bytes(&s->canon), bytes_of(sig->sig, sig->n)))
			good[n_good++] = tuf_key_fingerprint(key);
	}
	*out = count_distinct(good, n_good);
	return 0;
}

/* For the message: the first listed key that can verify nothing, and why. */
static const char *first_unusable(const struct tuf_keyring *keys, const struct tuf_role_keys *role)
{
	for (size_t i = 0; i < role->n_ids; i++) {
		const struct tuf_key *key = tuf_keyring_find(keys, role->ids[i]);

		if (key && tuf_key_kind(key) == TUF_KEY_UNUSABLE)
			return tuf_key_why(key);
	}
	return NULL;
}

int tuf_signed_verify(const struct tuf_signed *s, const struct tuf_keyring *keys, const struct tuf_role_keys *role,
		      const char *whose, struct err *e)
{
	uint64_t n_good = 0;

	if (tuf_signed_count(s, keys, role, &n_good, e) < 0)
		return -1;
	if (n_good >= role->threshold)
		return 0;
	const char *why = first_unusable(keys, role);
	return err_set(e, ERR_TRUST, TUF_E_THRESHOLD,
		       "%s: %" PRIu64 " of %" PRIu64 " signatures by the keys of %s%s%s%s%s", s->file, n_good,
		       role->threshold, whose, role->threshold > role->n_ids ? ", which has fewer keys than that" : "",
		       why ? " (an unusable key: " : "", why ? why : "", why ? ")" : "");
}

json_t *tuf_signed_body(const struct tuf_signed *s)
{
	return s->body;
}

const char *tuf_signed_file(const struct tuf_signed *s)
{
	return s->file;
}

enum tuf_type tuf_signed_type(const struct tuf_signed *s)
{
	return s->type;
}

struct bytes tuf_signed_canon(const struct tuf_signed *s)
{
	return buf_bytes(&s->canon);
}
