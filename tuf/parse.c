/* Fields that several roles have. */
#include "tuf/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tuf_parse_failed(struct err *e, const char *file)
{
	if (e->kind == ERR_FORMAT && (!e->reason || strcmp(e->reason, TUF_E_LIMIT) != 0))
		e->reason = TUF_E_METADATA;
	return err_wrap(e, "%s", file);
}

size_t tuf_count(const struct json_in *in, const char *name, size_t max)
{
	const json_t *j = json_object_get(in->obj, name);
	const size_t n = json_is_object(j) ? json_object_size(j) : json_array_size(j);

	return n > max ? max : n;
}

void *tuf_alloc(struct json_in *in, size_t n, size_t size)
{
	if (in->failed)
		return NULL;
	void *p = calloc(n ? n : 1, size);
	if (!p) {
		errno = ENOMEM;
		in->failed = true;
		err_sys(in->e, "%s", in->path);
	}
	return p;
}

void tuf_get_head(struct json_in *in, struct tuf_head *out)
{
	json_get_u64(in, "version", 1, TUF_VERSION_MAX, &out->version);
	json_get_time(in, "expires", &out->expires_sec);
}

struct strings {
	char **v;
	size_t *n;
	size_t max_bytes;
};

static int add_string(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct strings *to = ctx;

	if (name)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "%s: not in an array", path);
	const char *s = json_str_value(value, to->max_bytes, path, e);
	if (!s)
		return -1;
	to->v[*to->n] = strdup(s);
	if (!to->v[*to->n])
		return err_sys(e, "%s", path);
	++*to->n;
	return 0;
}

void tuf_get_strings(struct json_in *in, const char *name, size_t max, size_t max_bytes, char ***v, size_t *n_v)
{
	struct strings to = { .n = n_v, .max_bytes = max_bytes };

	*v = to.v = tuf_alloc(in, tuf_count(in, name, max), sizeof(**v));
	json_get_each(in, name, max, add_string, &to);
}

void tuf_get_role_keys(struct json_in *in, struct tuf_role_keys *out)
{
	tuf_get_strings(in, "keyids", TUF_KEYS_MAX, TUF_NAME_MAX_BYTES, &out->ids, &out->n_ids);
	json_get_u64(in, "threshold", 1, INT64_MAX, &out->threshold);
}

struct hashes {
	struct tuf_hashes *out;
	size_t n_seen;
};

static int add_hash(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct hashes *h = ctx;
	enum digest_alg alg;

	if (!name)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "%s: not in an object", path);
	h->n_seen++;
	if (!digest_parse_name(name, &alg))
		return 0;
	const char *hex = json_str_value(value, 2 * DIGEST_MAX_BYTES, path, e);
	if (!hex)
		return -1;
	if (!digest_parse_hex(alg, hex, strlen(hex), &h->out->v[h->out->n]))
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "%s: not %zu hex digits", path, 2 * digest_size(alg));
	h->out->n++;
	return 0;
}

void tuf_get_hashes(struct json_in *in, struct tuf_hashes *out)
{
	struct hashes h = { .out = out };

	/* Names are distinct, so TUF_HASHES_MAX is as many as there are algorithms known. */
	json_get_each(in, "hashes", TUF_SIGNATURES_MAX, add_hash, &h);
	if (!in->failed && h.n_seen == 0)
		json_in_fail(in, "hashes", "empty");
	if (out->n == 2 && out->v[0].alg > out->v[1].alg) {
		const struct digest first = out->v[1];

		out->v[1] = out->v[0];
		out->v[0] = first;
	}
	out->listed = true;
}

void tuf_get_meta(struct json_in *in, struct tuf_meta *out)
{
	json_get_u64(in, "version", 1, TUF_VERSION_MAX, &out->version);
	out->has_length = json_has(in, "length");
	json_opt_u64(in, "length", 0, INT64_MAX, &out->length);
	if (json_has(in, "hashes"))
		tuf_get_hashes(in, &out->hashes);
}
