/* timestamp.json and snapshot.json: versions of other files, with lengths and hashes where the repository lists them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/parse.h"

#define META_NAME_MAX_BYTES (TUF_NAME_MAX_BYTES + sizeof(".json") - 1)

int tuf_timestamp_parse(const struct tuf_signed *s, struct tuf_timestamp **out, struct err *e)
{
	CLEANUP(tuf_timestamp_free_p) struct tuf_timestamp *r = calloc(1, sizeof(*r));
	struct json_in in = json_in_object(tuf_signed_body(s), "signed", e);

	if (!r || !(r->snapshot.name = strdup("snapshot.json"))) {
		errno = ENOMEM;
		return err_sys(e, "%s", tuf_signed_file(s));
	}
	tuf_get_head(&in, &r->head);
	struct json_in meta = json_get_object(&in, "meta");
	struct json_in file = json_get_object(&meta, "snapshot.json");
	tuf_get_meta(&file, &r->snapshot);
	json_in_join(&meta, &file);
	json_in_join(&in, &meta);
	if (json_in_end(&in) < 0)
		return tuf_parse_failed(e, tuf_signed_file(s));
	*out = TAKE(r);
	return 0;
}

void tuf_timestamp_free(struct tuf_timestamp *r)
{
	if (!r)
		return;
	free(r->snapshot.name);
	free(r);
}

static int add_meta(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct tuf_snapshot *r = ctx;
	struct json_in in = json_in_object(value, path, e);
	struct tuf_meta *m = &r->meta[r->n_meta];

	if (!name)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "%s: not in an object", path);
	if (strlen(name) > META_NAME_MAX_BYTES)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "%s: a name of more than %zu bytes", path,
			       META_NAME_MAX_BYTES);
	tuf_get_meta(&in, m);
	if (json_in_end(&in) < 0)
		return -1;
	m->name = strdup(name);
	if (!m->name)
		return err_sys(e, "%s", path);
	r->n_meta++;
	return 0;
}

static int meta_order(const void *a, const void *b)
{
	return strcmp(((const struct tuf_meta *)a)->name, ((const struct tuf_meta *)b)->name);
}

int tuf_snapshot_parse(const struct tuf_signed *s, struct tuf_snapshot **out, struct err *e)
{
	CLEANUP(tuf_snapshot_free_p) struct tuf_snapshot *r = calloc(1, sizeof(*r));
	struct json_in in = json_in_object(tuf_signed_body(s), "signed", e);

	if (!r) {
		errno = ENOMEM;
		return err_sys(e, "%s", tuf_signed_file(s));
	}
	tuf_get_head(&in, &r->head);
	r->meta = tuf_alloc(&in, tuf_count(&in, "meta", TUF_META_MAX), sizeof(*r->meta));
	json_get_each(&in, "meta", TUF_META_MAX, add_meta, r);
	if (json_in_end(&in) < 0)
		return tuf_parse_failed(e, tuf_signed_file(s));
	qsort(r->meta, r->n_meta, sizeof(*r->meta), meta_order);
	*out = TAKE(r);
	return 0;
}

void tuf_snapshot_free(struct tuf_snapshot *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_meta; i++)
		free(r->meta[i].name);
	free(r->meta);
	free(r);
}

const struct tuf_meta *tuf_snapshot_find(const struct tuf_snapshot *s, const char *name)
{
	const struct tuf_meta key = { .name = (char *)(uintptr_t)name };

	return bsearch(&key, s->meta, s->n_meta, sizeof(*s->meta), meta_order);
}
