/*
 * The targets of the stored metadata, role by role. Delegated roles are in the store only if a lookup once led
 * through them, so most are told by their delegation alone; each role's own delegations are followed once,
 * whoever else delegates to it.
 */
#include "tuf/tufclient.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "tuf/deleg.h"
#include "tuf/role.h"

#define TEXT_MAX_BYTES (64u << 20)

struct listed_role {
	char *name;
	const struct tuf_targets *role;
};

struct listing {
	struct tuf_client *c;
	json_t *targets, *delegations, *bins;
	struct buf text;
	struct listed_role *roles;
	size_t n_roles;
};

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "memory", "out of memory");
}

static int list_entry(struct listing *l, const char *role, const struct tuf_entry *entry, struct err *e)
{
	json_t *hashes = json_object();
	char hex[2 * DIGEST_MAX_BYTES + 1];

	for (size_t i = 0; i < entry->hashes.n; i++) {
		digest_hex(&entry->hashes.v[i], hex);
		if (json_object_set_new(hashes, digest_name(entry->hashes.v[i].alg), json_string(hex)) < 0) {
			json_decref(hashes);
			return no_memory(e);
		}
	}
	json_t *j = json_pack("{s:s, s:s, s:I, s:o}", "path", entry->path, "role", role, "length", (json_int_t)entry->length, "hashes",
			      hashes);

	if (json_array_append_new(l->targets, j) < 0)
		return no_memory(e);
	return buf_printf(&l->text, e, "%12" PRIu64 "  %s\n", entry->length, entry->path);
}

/* Takes a role into the list of those whose delegations are told, with its targets. */
static int add_role(struct listing *l, const char *name, const struct tuf_targets *role, struct err *e)
{
	struct listed_role *grown = (struct listed_role *)reallocarray(l->roles, l->n_roles + 1, sizeof(*grown));

	if (!grown)
		return no_memory(e);
	l->roles = grown;
	char *copy = strdup(name);

	if (!copy)
		return no_memory(e);
	l->roles[l->n_roles++] = (struct listed_role){ copy, role };
	for (size_t i = 0; i < role->n_entries; i++)
		if (list_entry(l, name, &role->entries[i], e) < 0)
			return -1;
	return 0;
}

static bool is_listed(const struct listing *l, const char *name)
{
	for (size_t i = 0; i < l->n_roles; i++)
		if (strcmp(l->roles[i].name, name) == 0)
			return true;
	return false;
}

/* The role as far as the store has it; *@out is NULL if it has none that this delegator vouches for. */
static int stored_role(const struct listing *l, size_t from, const char *name, const struct tuf_targets **out, struct err *e)
{
	struct err why;

	*out = NULL;
	if (tuf_client_load_role(l->c, l->roles[from].role, name, out, &why) == 0)
		return 0;
	if (is_out_of_memory(&why))
		return *e = why, -1;
	log_debug("%s", why.msg);
	return 0;
}

static int tell_delegation(struct listing *l, const struct tuf_delegation *d, const char *from, bool stored, struct err *e)
{
	json_t *covers = json_array();
	int r = buf_printf(&l->text, e, "role %s%s%s:", d->name, d->terminating ? " (terminating)" : "", stored ? "" : " (not stored)");

	for (size_t i = 0; i < d->n && r == 0; i++) {
		r = json_array_append_new(covers, json_string(d->v[i])) < 0 ? no_memory(e) : buf_printf(&l->text, e, " %s", d->v[i]);
	}
	json_t *j = json_pack("{s:s, s:s, s:b, s:b, s:o}", "role", d->name, "from", from, "terminating", d->terminating, "stored",
			      stored, d->by_hash ? "path_hash_prefixes" : "paths", covers);

	if (json_array_append_new(l->delegations, j) < 0)
		return no_memory(e);
	return r < 0 ? -1 : buf_append_str(&l->text, "\n", e);
}

static int list_delegation(struct listing *l, size_t from, const struct tuf_delegation *d, struct err *e)
{
	const struct tuf_targets *role;

	if (stored_role(l, from, d->name, &role, e) < 0 || tell_delegation(l, d, l->roles[from].name, role != NULL, e) < 0)
		return -1;
	return role && !is_listed(l, d->name) ? add_role(l, d->name, role, e) : 0;
}

static int list_bin(struct listing *l, size_t from, const char *file, struct err *e)
{
	const struct tuf_bins *bins = &l->roles[from].role->bins;
	char name[TUF_NAME_MAX_BYTES + 1];
	const size_t n = strlen(file), n_end = strlen(".json");
	const struct tuf_targets *role;

	if (n <= n_end || n - n_end > TUF_NAME_MAX_BYTES)
		return 0;
	memcpy(name, file, n - n_end);
	name[n - n_end] = '\0';
	if (!tuf_bin_is(bins, name) || is_listed(l, name))
		return 0;
	if (stored_role(l, from, name, &role, e) < 0)
		return -1;
	if (!role)
		return 0;
	if (buf_printf(&l->text, e, "bin %s:\n", name) < 0)
		return -1;
	return add_role(l, name, role, e);
}

/* Of the bins only those that are stored: there may be thousands. */
static int list_bins(struct listing *l, size_t from, struct err *e)
{
	const struct tuf_bins *bins = &l->roles[from].role->bins;
	const struct tuf_snapshot *snapshot = tuf_trusted_snapshot(tuf_client_trusted(l->c));
	json_t *j = json_pack("{s:s, s:s, s:I}", "name_prefix", bins->prefix, "from", l->roles[from].name, "bit_length",
			      (json_int_t)bins->bit_length);

	if (json_array_append_new(l->bins, j) < 0)
		return no_memory(e);
	if (buf_printf(&l->text, e, "bins %s: %" PRIu64 " roles\n", bins->prefix, UINT64_C(1) << bins->bit_length) < 0)
		return -1;
	for (size_t i = 0; i < snapshot->n_meta; i++)
		if (list_bin(l, from, snapshot->meta[i].name, e) < 0)
			return -1;
	return 0;
}

static int list_all(struct listing *l, struct err *e)
{
	if (add_role(l, tuf_type_name(TUF_TARGETS), tuf_trusted_targets(tuf_client_trusted(l->c)), e) < 0)
		return -1;
	for (size_t at = 0; at < l->n_roles; at++) {
		const struct tuf_targets *role = l->roles[at].role;

		for (size_t i = 0; i < role->n_delegations; i++)
			if (list_delegation(l, at, &role->delegations[i], e) < 0)
				return -1;
		if (role->bins.prefix && list_bins(l, at, e) < 0)
			return -1;
	}
	return buf_str(&l->text, e) ? 0 : -1;
}

static void listing_fini(struct listing *l)
{
	for (size_t i = 0; i < l->n_roles; i++)
		free(l->roles[i].name);
	free(l->roles);
	json_decref(l->targets);
	json_decref(l->delegations);
	json_decref(l->bins);
	buf_fini(&l->text);
	tuf_client_free(l->c);
}

int run_list(void *ctx, int argc, char **argv, struct err *e)
{
	const struct options *o = (const struct options *)ctx;
	CLEANUP(listing_fini) struct listing l = { .text = BUF_INIT(TEXT_MAX_BYTES) };

	if (open_client(o, (struct bytes){ 0 }, &l.c, e) < 0 || tuf_client_load_offline(l.c, e) < 0)
		return -1;
	l.targets = json_array();
	l.delegations = json_array();
	l.bins = json_array();
	if (list_all(&l, e) < 0)
		return -1;
	return answer(o, json_pack("{s:O, s:O, s:O}", "targets", l.targets, "delegations", l.delegations, "bins", l.bins),
		      (const char *)l.text.p, e);
}
