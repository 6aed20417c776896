/* A file that begins with a brace is JSON, since no PEM and no DER does; everything else is for OpenSSL to open. */
#include "tools/repo_public.h"

#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "tools/repo_keys.h"

#define FILE_MAX_BYTES (64u * 1024)

void repo_public_fini(struct repo_public *p)
{
	json_decref(p->key);
	tuf_key_free(p->parsed);
	*p = (struct repo_public){ .key = NULL };
}

/* Return: true when the file is JSON, with its bytes */
static bool read_json(const char *from, struct buf *out)
{
	struct err e;

	return file_read(AT_FDCWD, from, out, &e) == 0 && out->n > 0 && out->p[0] == '{';
}

static int key_of_json(const char *from, struct bytes text, json_t **out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *j = NULL;

	if (json_load_bytes(text, &j, e) < 0)
		return err_wrap(e, "%s", from);
	json_t *inner = json_object_get(j, "key");

	*out = json_incref(inner ? inner : j);
	return 0;
}

static int key_of_signer(struct repo_cli *c, const char *from, json_t **out, struct err *e)
{
	CLEANUP(tuf_signer_free_p) struct tuf_signer *s = NULL;

	if (tuf_signer_load(from, repo_passphrase_ask, c, &s, e) < 0)
		return -1;
	*out = json_incref(tuf_signer_public(s));
	return 0;
}

int repo_public_load(struct repo_cli *c, const char *from, struct repo_public *out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(FILE_MAX_BYTES);
	CLEANUP(repo_public_fini) struct repo_public p = { .key = NULL };
	const int r = read_json(from, &text) ? key_of_json(from, buf_bytes(&text), &p.key, e) : key_of_signer(c, from, &p.key, e);

	if (r < 0 || tuf_key_parse(p.key, from, &p.parsed, e) < 0 || tuf_key_id(p.key, p.id, e) < 0)
		return -1;
	if (tuf_key_kind(p.parsed) == TUF_KEY_UNUSABLE)
		return err_set(e, ERR_FORMAT, "key", "%s: %s", from, tuf_key_why(p.parsed));
	*out = p;
	p = (struct repo_public){ .key = NULL };
	return 0;
}

/* The id under which @keys has this very key, however spelled; NULL if it has not. */
static const char *find_same(const struct repo_public *p, json_t *keys)
{
	const char *id;
	json_t *value;

	json_object_foreach(keys, id, value) {
		CLEANUP(tuf_key_free_p) struct tuf_key *k = NULL;
		struct err e;

		if (tuf_key_parse(value, id, &k, &e) == 0 && digest_equal(tuf_key_fingerprint(k), tuf_key_fingerprint(p->parsed)))
			return id;
	}
	return NULL;
}

int repo_public_list(const struct repo_public *p, json_t *keys, json_t *ids, const char **id, struct err *e)
{
	const char *at = find_same(p, keys);
	const json_t *have;
	size_t i;

	if (!at) {
		if (json_object_set(keys, p->id, p->key) < 0)
			return err_set(e, ERR_SYSTEM, "memory", "a key: out of memory");
		at = json_object_iter_key(json_object_iter_at(keys, p->id));
	}
	*id = at;
	json_array_foreach(ids, i, have)
		if (strcmp(json_string_value(have) ? json_string_value(have) : "", at) == 0)
			return 0;
	if (json_array_append_new(ids, json_string(at)) < 0)
		return err_set(e, ERR_SYSTEM, "memory", "a key id: out of memory");
	return 0;
}
