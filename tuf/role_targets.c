/* targets.json and the files of delegated roles, which have the same form. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/parse.h"
#include "tuf/role_deleg.h"

static void get_custom(struct json_in *in, struct tuf_entry *t)
{
	const struct json_in custom = json_opt_object(in, "custom");

	if (custom.failed || !custom.obj)
		return;
	t->custom = json_dumps(custom.obj, JSON_COMPACT);
	if (!t->custom) {
		errno = ENOMEM;
		in->failed = true;
		err_sys(in->e, "%s", custom.path);
	}
}

static int add_entry(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct tuf_targets *r = ctx;
	struct json_in in = json_in_object(value, path, e);
	struct tuf_entry *t = &r->entries[r->n_entries];

	if (!name)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "%s: not in an object", path);
	if (strlen(name) > TUF_NAME_MAX_BYTES)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "%s: a path of more than %d bytes", path,
			       TUF_NAME_MAX_BYTES);
	t->path = strdup(name);
	if (!t->path)
		return err_sys(e, "%s", path);
	r->n_entries++;
	json_get_u64(&in, "length", 0, INT64_MAX, &t->length);
	tuf_get_hashes(&in, &t->hashes);
	get_custom(&in, t);
	return json_in_end(&in);
}

static int entry_order(const void *a, const void *b)
{
	return strcmp(((const struct tuf_entry *)a)->path, ((const struct tuf_entry *)b)->path);
}

int tuf_targets_parse(const struct tuf_signed *s, struct tuf_targets **out, struct err *e)
{
	CLEANUP(tuf_targets_free_p) struct tuf_targets *r = calloc(1, sizeof(*r));
	struct json_in in = json_in_object(tuf_signed_body(s), "signed", e);

	if (!r) {
		errno = ENOMEM;
		return err_sys(e, "%s", tuf_signed_file(s));
	}
	tuf_get_head(&in, &r->head);
	r->entries = tuf_alloc(&in, tuf_count(&in, "targets", TUF_TARGETS_MAX), sizeof(*r->entries));
	json_get_each(&in, "targets", TUF_TARGETS_MAX, add_entry, r);
	tuf_opt_delegations(&in, r);
	if (json_in_end(&in) < 0)
		return tuf_parse_failed(e, tuf_signed_file(s));
	qsort(r->entries, r->n_entries, sizeof(*r->entries), entry_order);
	*out = TAKE(r);
	return 0;
}

void tuf_targets_free(struct tuf_targets *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n_entries; i++) {
		free(r->entries[i].path);
		free(r->entries[i].custom);
	}
	free(r->entries);
	tuf_delegations_fini(r);
	free(r);
}

const struct tuf_entry *tuf_targets_find(const struct tuf_targets *t, const char *path)
{
	const struct tuf_entry key = { .path = (char *)(uintptr_t)path };

	return bsearch(&key, t->entries, t->n_entries, sizeof(*t->entries), entry_order);
}
