/* A file's keys in an array sorted by id, so that a role with many key ids finds its keys quickly. */
#include "tuf/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/parse.h"
#include "tuf/tuf.h"

static int add_key(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct tuf_keyring *r = ctx;
	CLEANUP(tuf_key_free_p) struct tuf_key *key = NULL;

	if (!name)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "%s: not in an object", path);
	if (tuf_key_parse(value, path, &key, e) < 0)
		return -1;
	char *id = strdup(name);
	if (!id)
		return err_sys(e, "%s", path);
	r->v[r->n++] = (struct tuf_keyring_entry){ id, TAKE(key) };
	return 0;
}

static int entry_order(const void *a, const void *b)
{
	return strcmp(((const struct tuf_keyring_entry *)a)->id, ((const struct tuf_keyring_entry *)b)->id);
}

void tuf_keyring_get(struct json_in *in, const char *name, struct tuf_keyring *out)
{
	struct tuf_keyring r = { .n = 0, .v = tuf_alloc(in, tuf_count(in, name, TUF_KEYS_MAX), sizeof(*r.v)) };

	json_get_each(in, name, TUF_KEYS_MAX, add_key, &r);
	if (in->failed) {
		tuf_keyring_fini(&r);
		return;
	}
	qsort(r.v, r.n, sizeof(*r.v), entry_order);
	*out = r;
}

void tuf_keyring_fini(struct tuf_keyring *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].id);
		tuf_key_free(r->v[i].key);
	}
	free(r->v);
	*r = (struct tuf_keyring){ .n = 0 };
}

const struct tuf_key *tuf_keyring_find(const struct tuf_keyring *r, const char *id)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;
		const int order = strcmp(r->v[mid].id, id);

		if (order == 0)
			return r->v[mid].key;
		if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}
