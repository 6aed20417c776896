/* One place for the JSON form of verity parameters: a UUID is text in groups, a salt and a root hash are hexadecimal. */
#include "updater/verity_json.h"

#include <string.h>

#include "base/bytes.h"

#define UUID_TEXT_BYTES 37

/* Positions of the dashes in "8-4-4-4-12". */
static bool is_dash_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

static bool uuid_parse(const char *s, uint8_t out[VERITY_UUID_BYTES])
{
	char hex[2 * VERITY_UUID_BYTES];
	size_t n = 0;

	if (strlen(s) != UUID_TEXT_BYTES - 1)
		return false;
	for (size_t i = 0; i < UUID_TEXT_BYTES - 1; i++) {
		if (is_dash_at(i) != (s[i] == '-'))
			return false;
		if (!is_dash_at(i))
			hex[n++] = s[i];
	}
	return hex_decode(hex, n, out, VERITY_UUID_BYTES);
}

static void uuid_format(const uint8_t uuid[VERITY_UUID_BYTES], char out[UUID_TEXT_BYTES])
{
	char hex[2 * VERITY_UUID_BYTES + 1];
	size_t n = 0;

	hex_encode(uuid, VERITY_UUID_BYTES, hex);
	for (size_t i = 0; i < UUID_TEXT_BYTES - 1; i++)
		out[i] = is_dash_at(i) ? '-' : hex[n++];
	out[UUID_TEXT_BYTES - 1] = '\0';
}

static void get_block_size(struct json_in *in, const char *name, uint32_t *out)
{
	uint64_t v = 0;

	json_get_u64(in, name, VERITY_BLOCK_MIN_BYTES, VERITY_BLOCK_MAX_BYTES, &v);
	*out = (uint32_t)v; /* at most VERITY_BLOCK_MAX_BYTES */
}

static void get_salt(struct json_in *in, struct verity_params *p)
{
	const char *text = "";
	size_t n;

	json_get_str(in, "salt", (size_t)2 * VERITY_SALT_MAX_BYTES, &text);
	n = strlen(text) / 2;
	if (n > sizeof(p->salt) || !hex_decode(text, strlen(text), p->salt, n))
		json_in_fail(in, "salt", "not hexadecimal");
	else
		p->salt_bytes = (uint16_t)n; /* at most VERITY_SALT_MAX_BYTES */
}

void verity_json_get(struct json_in *in, struct verity_params *p, struct digest *root_hash)
{
	const char *alg = "", *uuid = "";
	struct err why;

	memset(p, 0, sizeof(*p));
	memset(root_hash, 0, sizeof(*root_hash));
	json_get_str(in, "algorithm", 16, &alg);
	if (!in->failed && !digest_parse_name(alg, &p->alg))
		json_in_fail(in, "algorithm", "not a digest we know");
	get_block_size(in, "data_block_size", &p->data_block_bytes);
	get_block_size(in, "hash_block_size", &p->hash_block_bytes);
	json_get_u64(in, "data_blocks", 1, INT64_MAX, &p->n_data_blocks);
	get_salt(in, p);
	json_get_str(in, "uuid", UUID_TEXT_BYTES - 1, &uuid);
	if (!in->failed && !uuid_parse(uuid, p->uuid))
		json_in_fail(in, "uuid", "not a UUID");
	root_hash->alg = p->alg;
	json_get_hex(in, "root_hash", root_hash->v, digest_size(p->alg));
	if (!in->failed && verity_params_check(p, &why) < 0)
		json_in_fail(in, NULL, "%s", why.msg);
}

json_t *verity_json_of(const struct verity_params *p, const struct digest *root_hash)
{
	char salt[2 * VERITY_SALT_MAX_BYTES + 1], uuid[UUID_TEXT_BYTES], root[2 * DIGEST_MAX_BYTES + 1];

	hex_encode(p->salt, p->salt_bytes, salt);
	uuid_format(p->uuid, uuid);
	digest_hex(root_hash, root);
	return json_pack("{s:s, s:I, s:I, s:I, s:s, s:s, s:s}", "algorithm", digest_name(p->alg), "data_block_size",
			 (json_int_t)p->data_block_bytes, "hash_block_size", (json_int_t)p->hash_block_bytes, "data_blocks",
			 (json_int_t)p->n_data_blocks, "salt", salt, "uuid", uuid, "root_hash", root);
}
