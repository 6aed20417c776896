/* Delegations: who may sign for which paths. Either `roles`, in order of priority, or TAP 15's `succinct_roles`. */
#include "tuf/role_deleg.h"

#include <stdlib.h>
#include <string.h>

#include "tuf/parse.h"

static bool is_top_level(const char *name)
{
	for (size_t i = 0; i < TUF_TYPES; i++)
		if (strcmp(name, tuf_type_name((enum tuf_type)i)) == 0)
			return true;
	return false;
}

static void get_name(struct json_in *in, const char *member, char **out)
{
	const char *name = "";

	json_get_str(in, member, TUF_NAME_MAX_BYTES, &name);
	if (!in->failed && (*name == '\0' || is_top_level(name)))
		json_in_fail(in, member, "\"%s\" cannot be delegated to", name);
	if (in->failed)
		return;
	*out = tuf_alloc(in, strlen(name) + 1, 1);
	if (*out)
		memcpy(*out, name, strlen(name) + 1);
}

static void get_patterns(struct json_in *in, struct tuf_delegation *d)
{
	d->by_hash = json_has(in, "path_hash_prefixes");
	if (d->by_hash == json_has(in, "paths"))
		json_in_fail(in, NULL, "one of paths and path_hash_prefixes is wanted, not %s",
			     d->by_hash ? "both" : "none");
	tuf_get_strings(in, d->by_hash ? "path_hash_prefixes" : "paths", TUF_TARGETS_MAX, TUF_NAME_MAX_BYTES, &d->v,
			&d->n);
}

static int add_role(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct tuf_targets *r = ctx;
	struct json_in in = json_in_object(value, path, e);
	struct tuf_delegation *d = &r->delegations[r->n_delegations++];

	if (name)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "%s: not in an array", path);
	get_name(&in, "name", &d->name);
	tuf_get_role_keys(&in, &d->keys);
	json_get_bool(&in, "terminating", &d->terminating);
	get_patterns(&in, d);
	return json_in_end(&in);
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void check_names_differ(struct json_in *in, const struct tuf_targets *r)
{
	CLEANUP(free_p) const char **names = tuf_alloc(in, r->n_delegations, sizeof(*names));

	if (!names)
		return;
	for (size_t i = 0; i < r->n_delegations; i++)
		names[i] = r->delegations[i].name;
	qsort(names, r->n_delegations, sizeof(*names), name_order);
	for (size_t i = 1; i < r->n_delegations; i++)
		if (strcmp(names[i - 1], names[i]) == 0)
			json_in_fail(in, "roles", "%s is there twice", names[i]);
}

static void get_roles(struct json_in *in, struct tuf_targets *r)
{
	r->delegations = tuf_alloc(in, tuf_count(in, "roles", TUF_ROLES_MAX), sizeof(*r->delegations));
	json_get_each(in, "roles", TUF_ROLES_MAX, add_role, r);
	if (!in->failed)
		check_names_differ(in, r);
}

static void get_bins(struct json_in *in, struct tuf_bins *b)
{
	struct json_in bins = json_get_object(in, "succinct_roles");
	uint64_t bits = 0;

	tuf_get_role_keys(&bins, &b->keys);
	json_get_u64(&bins, "bit_length", 1, 32, &bits);
	b->bit_length = (uint32_t)bits;
	get_name(&bins, "name_prefix", &b->prefix);
	json_in_join(in, &bins);
}

void tuf_opt_delegations(struct json_in *in, struct tuf_targets *r)
{
	struct json_in d = json_opt_object(in, "delegations");

	if (d.failed || !d.obj)
		return;
	tuf_keyring_get(&d, "keys", &r->keys);
	const bool bins = json_has(&d, "succinct_roles");
	if (bins == json_has(&d, "roles"))
		json_in_fail(&d, NULL, "one of roles and succinct_roles is wanted, not %s", bins ? "both" : "none");
	if (bins)
		get_bins(&d, &r->bins);
	else
		get_roles(&d, r);
	json_in_join(in, &d);
}

static void delegation_fini(struct tuf_delegation *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->v[i]);
	free(d->v);
	free(d->name);
	tuf_role_keys_fini(&d->keys);
}

void tuf_delegations_fini(struct tuf_targets *r)
{
	for (size_t i = 0; i < r->n_delegations; i++)
		delegation_fini(&r->delegations[i]);
	free(r->delegations);
	free(r->bins.prefix);
	tuf_role_keys_fini(&r->bins.keys);
	tuf_keyring_fini(&r->keys);
}
