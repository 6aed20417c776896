/*
 * `delegation ...`: who else may sign for which targets. What is edited is the object `delegations` of the next
 * targets.json, kept in staging/delegations.json until it is published: other tools' members in it survive.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "tools/repo_publication.h"
#include "tools/repo_public.h"

#define DELEGATIONS_MAX_BYTES TUF_TARGETS_MAX_BYTES

static int no_memory(struct err *e)
{
	return err_set(e, ERR_SYSTEM, "memory", "delegations: out of memory");
}

int repo_delegations_load(const struct repo *r, const struct repo_state *s, json_t **out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(DELEGATIONS_MAX_BYTES);
	const json_t *published = json_object_get(s->body[TUF_TARGETS], "delegations");

	if (repo_has(r->staging, REPO_DELEGATIONS)) {
		if (file_read(r->staging, REPO_DELEGATIONS, &text, e) < 0 || json_load_bytes(buf_bytes(&text), out, e) < 0)
			return err_wrap(e, "staging/%s", REPO_DELEGATIONS);
		return 0;
	}
	*out = published ? json_deep_copy(published) : json_pack("{s{}, s[]}", "keys", "roles");
	return *out ? 0 : no_memory(e);
}

/* A repository and the delegations being edited. */
struct editing {
	struct repo_edit x;
	json_t *all;
};

static void editing_fini(struct editing *d)
{
	json_decref(d->all);
	repo_edit_fini(&d->x);
}

static int editing_open(const struct repo_cli *c, const char *path, struct editing *d, struct err *e)
{
	if (repo_edit_open(c, path, &d->x, e) < 0 || repo_delegations_load(&d->x.repo, &d->x.state, &d->all, e) < 0)
		return -1;
	if (!json_is_object(json_object_get(d->all, "keys")))
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "delegations: no object 'keys'");
	return 0;
}

/* What a client would make of it is looked at before it is stored. */
static int editing_store(const struct editing *d, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(DELEGATIONS_MAX_BYTES);
	CLEANUP(json_decref_p) json_t *body = NULL;
	CLEANUP(repo_envelope_fini) struct repo_envelope v = { .file = NULL };
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	CLEANUP(tuf_targets_free_p) struct tuf_targets *t = NULL;

	if (repo_meta_targets(NULL, 1, 0, &body, e) < 0)
		return -1;
	if (json_object_set(body, "delegations", d->all) < 0)
		return no_memory(e);
	if (repo_envelope_new(body, TUF_TARGETS, &v, e) < 0 || repo_envelope_signed(&v, "delegations", &s, e) < 0 ||
	    tuf_targets_parse(s, &t, e) < 0 || json_to_buf(d->all, &text, e) < 0)
		return -1;
	return file_replace(d->x.repo.staging, REPO_DELEGATIONS, buf_bytes(&text), 0644, e);
}

static bool uses_key(const json_t *role, const char *id)
{
	const json_t *listed;
	size_t i;

	json_array_foreach(json_object_get(role, "keyids"), i, listed)
		if (json_string_value(listed) && strcmp(json_string_value(listed), id) == 0)
			return true;
	return false;
}

/* Keys that no role uses any more go. */
static void drop_unused_keys(json_t *all)
{
	json_t *keys = json_object_get(all, "keys"), *value;
	const char *id;
	void *next;

	json_object_foreach_safe(keys, next, id, value) {
		bool used = uses_key(json_object_get(all, "succinct_roles"), id);
		const json_t *role;
		size_t i;

		json_array_foreach(json_object_get(all, "roles"), i, role)
			used |= uses_key(role, id);
		if (!used)
			json_object_del(keys, id);
	}
}

static size_t find_role(const json_t *all, const char *name)
{
	const json_t *role;
	size_t i;

	json_array_foreach(json_object_get(all, "roles"), i, role) {
		const char *s = json_string_value(json_object_get(role, "name"));

		if (s && strcmp(s, name) == 0)
			return i;
	}
	return SIZE_MAX;
}

/* {"keyids", "threshold"} of --key and --threshold; the keys go into @all. */
static int make_role_keys(struct repo_cli *c, json_t *all, json_t **out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *ids = json_array();
	const uint64_t threshold = c->threshold ? c->threshold : 1;
	const char *id;

	if (c->signing_keys.n == 0)
		return err_set(e, ERR_USAGE, "option", "--key is needed");
	for (size_t i = 0; i < c->signing_keys.n; i++) {
		CLEANUP(repo_public_fini) struct repo_public key = { .key = NULL };

		if (repo_public_load(c, c->signing_keys.v[i], &key, e) < 0 ||
		    repo_public_list(&key, json_object_get(all, "keys"), ids, &id, e) < 0)
			return err_wrap(e, "--key");
	}
	if (threshold > json_array_size(ids))
		return err_set(e, ERR_USAGE, TUF_E_THRESHOLD, "--threshold %" PRIu64 ": there are %zu keys", threshold, json_array_size(ids));
	*out = json_pack("{sO, sI}", "keyids", ids, "threshold", (json_int_t)threshold);
	return *out ? 0 : no_memory(e);
}

static int strings_json(const struct cli_strings *from, json_t **out, struct err *e)
{
	*out = json_array();
	for (size_t i = 0; i < from->n; i++)
		if (json_array_append_new(*out, json_string(from->v[i])) < 0)
			return no_memory(e);
	return 0;
}

static int check_patterns(const struct repo_cli *c, struct err *e)
{
	for (size_t i = 0; i < c->paths.n; i++)
		if (tuf_path_pattern_is_odd(c->paths.v[i]))
			log_warn("pattern '%s': clients differ in what other than '*' and '?' means, and in leading dots", c->paths.v[i]);
	for (size_t i = 0; i < c->hash_prefixes.n; i++) {
		const char *s = c->hash_prefixes.v[i];

		if (strspn(s, "0123456789abcdef") != strlen(s) || strlen(s) > 64)
			return err_set(e, ERR_USAGE, "option", "--hash-prefix '%s': not lower-case hexadecimal of a SHA-256", s);
	}
	if ((c->paths.n == 0) == (c->hash_prefixes.n == 0))
		return err_set(e, ERR_USAGE, "option", "one of --path and --hash-prefix is needed");
	return 0;
}

/* The delegation that the options describe. Takes @role over. */
static int put_delegation(const struct repo_cli *c, struct editing *d, json_t *role, struct err *e)
{
	const bool by_path = c->paths.n > 0;
	json_t *roles = json_object_get(d->all, "roles"), *covers = NULL;
	CLEANUP(json_decref_p) json_t *own = role;
	const size_t at = find_role(d->all, c->product);

	if (strings_json(by_path ? &c->paths : &c->hash_prefixes, &covers, e) < 0) {
		json_decref(covers);
		return -1;
	}
	if (json_object_set_new(own, by_path ? "paths" : "path_hash_prefixes", covers) < 0 ||
	    json_object_set_new(own, "name", json_string(c->product)) < 0 ||
	    json_object_set_new(own, "terminating", json_boolean(c->terminating)) < 0)
		return no_memory(e);
	if (at == SIZE_MAX ? json_array_append(roles, own) < 0 : json_array_set(roles, at, own) < 0)
		return no_memory(e);
	drop_unused_keys(d->all);
	return 0;
}

static int check_role_name(const char *name, struct err *e)
{
	if (repo_cli_need("name", name, e) < 0 || repo_word_check("--name", name, REPO_WORD_MAX_BYTES, e) < 0)
		return -1;
	if (strchr(name, '+'))
		return err_set(e, ERR_USAGE, REPO_E_NAME, "--name '%s': '+' would be written otherwise in URLs", name);
	return 0;
}

int repo_delegation_add(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(editing_fini) struct editing d = { .x = REPO_EDIT_CLOSED };
	json_t *role = NULL;

	if (check_role_name(c->product, e) < 0 || check_patterns(c, e) < 0 || editing_open(c, argv[0], &d, e) < 0)
		return -1;
	if (json_object_get(d.all, "succinct_roles"))
		return err_set(e, ERR_STATE, TUF_E_DELEGATION, "targets delegates to hash bins; both at once is not possible");
	if (make_role_keys(c, d.all, &role, e) < 0 || put_delegation(c, &d, role, e) < 0)
		return -1;
	return editing_store(&d, e);
}

int repo_delegation_bins(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(editing_fini) struct editing d = { .x = REPO_EDIT_CLOSED };
	const char *prefix = c->product ? c->product : "bin";
	json_t *bins = NULL;

	if (check_role_name(prefix, e) < 0)
		return -1;
	if (c->bits < 1 || c->bits > 12)
		return err_set(e, ERR_USAGE, "option", "--bits %" PRIu64 ": 1 to 12 are wanted, for 2 to %d bins", c->bits, REPO_BINS_MAX);
	if (editing_open(c, argv[0], &d, e) < 0)
		return -1;
	if (json_array_size(json_object_get(d.all, "roles")) > 0)
		return err_set(e, ERR_STATE, TUF_E_DELEGATION, "targets delegates to named roles; both at once is not possible");
	json_object_del(d.all, "roles");
	json_object_clear(json_object_get(d.all, "keys"));
	if (make_role_keys(c, d.all, &bins, e) < 0)
		return -1;
	if (json_object_set_new(d.all, "succinct_roles", bins) < 0 ||
	    json_object_set_new(bins, "bit_length", json_integer((json_int_t)c->bits)) < 0 ||
	    json_object_set_new(bins, "name_prefix", json_string(prefix)) < 0)
		return no_memory(e);
	return editing_store(&d, e);
}

int repo_delegation_remove(void *ctx, int argc, char **argv, struct err *e)
{
	const struct repo_cli *c = ctx;
	CLEANUP(editing_fini) struct editing d = { .x = REPO_EDIT_CLOSED };

	if (repo_cli_need("name", c->product, e) < 0 || editing_open(c, argv[0], &d, e) < 0)
		return -1;
	const char *prefix = json_string_value(json_object_get(json_object_get(d.all, "succinct_roles"), "name_prefix"));
	const size_t at = find_role(d.all, c->product);

	if (prefix && strcmp(prefix, c->product) == 0) {
		json_object_del(d.all, "succinct_roles");
		if (json_object_set_new(d.all, "roles", json_array()) < 0)
			return no_memory(e);
	} else if (at == SIZE_MAX) {
		return err_set(e, ERR_MISSING, TUF_E_DELEGATION, "targets does not delegate to '%s'", c->product);
	} else {
		json_array_remove(json_object_get(d.all, "roles"), at);
	}
	drop_unused_keys(d.all);
	return editing_store(&d, e);
}

static void show_covers(const struct tuf_delegation *d)
{
	printf("%s: %" PRIu64 " of %zu keys%s", d->name, d->keys.threshold, d->keys.n_ids, d->terminating ? ", terminating" : "");
	for (size_t i = 0; i < d->n; i++)
		printf("%s %s%s", i ? "," : d->by_hash ? ", hashes" : ", paths", d->v[i], d->by_hash ? "*" : "");
	printf("\n");
}

/* A repo_delegated_fn: the targets of one role. */
static int show_targets(void *ctx, const char *name, const struct tuf_role_keys *keys, struct err *e)
{
	const struct repo_state *s = ctx;
	const struct repo_role *role = repo_state_role(s, name);

	for (size_t i = 0; role && i < role->targets->n_entries; i++)
		printf("%s: %s, %" PRIu64 " bytes\n", name, role->targets->entries[i].path, role->targets->entries[i].length);
	return 0;
}

int repo_delegation_targets(void *ctx, int argc, char **argv, struct err *e)
{
	const struct repo_cli *c = ctx;
	CLEANUP(repo_fini) struct repo r = REPO_CLOSED;
	CLEANUP(repo_state_fini) struct repo_state s = { .trusted = NULL };
	int64_t now_sec;

	if (repo_cli_now(c, &now_sec, e) < 0 || repo_open(argv[0], REPO_READ, &r, e) < 0 || repo_state_load(&r, now_sec, &s, e) < 0)
		return -1;
	if (c->json) {
		CLEANUP(json_decref_p) json_t *roles = json_object();

		for (size_t i = 0; i < s.n_roles; i++)
			json_object_set(roles, s.roles[i].name, json_object_get(s.roles[i].body, "targets"));
		return json_print(roles, stdout, e);
	}
	if (!s.published)
		return 0;
	const struct tuf_targets *t = tuf_trusted_targets(s.trusted);

	for (size_t i = 0; i < t->n_delegations; i++)
		show_covers(&t->delegations[i]);
	if (t->bins.prefix)
		printf("%s: %u hash bins, %" PRIu64 " of %zu keys\n", t->bins.prefix, 1u << t->bins.bit_length, t->bins.keys.threshold,
		       t->bins.keys.n_ids);
	return repo_each_delegated(t, show_targets, &s, e);
}
