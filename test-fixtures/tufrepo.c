/*
 * Roles are JSON objects with a list of signers; what was published is a list of named files. Lists are chains: a
 * test repository is small, and nothing here has to be fast.
 */
#include "test-fixtures/tufrepo.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "test-fixtures/tufrepo_list.h"

static const char *const top_level[] = { "root", "timestamp", "snapshot", "targets" };

static void *make(size_t n)
{
	void *p = calloc(1, n);

	assert(p);
	return p;
}

static char *copy(const char *s)
{
	char *c = strdup(s);

	assert(c);
	return c;
}

static bool is_top(const char *role)
{
	for (size_t i = 0; i < 4; i++)
		if (strcmp(role, top_level[i]) == 0)
			return true;
	return false;
}

static struct tufrepo_role *find_role(struct tufrepo *r, const char *name)
{
	for (struct tufrepo_role *x = r->roles; x; x = x->next)
		if (strcmp(x->name, name) == 0)
			return x;
	return NULL;
}

static struct tufrepo_role *role_of(struct tufrepo *r, const char *name)
{
	struct tufrepo_role *x = find_role(r, name);

	assert(x);
	return x;
}

static struct tufrepo_role *add_role(struct tufrepo *r, const char *name)
{
	struct tufrepo_role *x = make(sizeof(*x)), **end = &r->roles;

	while (*end)
		end = &(*end)->next;
	*end = x;
	x->name = copy(name);
	x->body = json_pack("{s:s, s:s, s:i, s:s}", "_type", is_top(name) ? name : "targets", "spec_version", "1.0.34",
			    "version", 1, "expires", TUFREPO_EXPIRES);
	assert(x->body);
	return x;
}

struct tufrepo *tufrepo_new(void)
{
	struct tufrepo *r = make(sizeof(*r));
	json_t *roles = json_object();

	for (size_t i = 0; i < 4; i++) {
		add_role(r, top_level[i]);
		json_object_set_new(roles, top_level[i], json_pack("{s:[], s:i}", "keyids", "threshold", 1));
	}
	json_t *root = tufrepo_signed(r, "root");
	json_object_set_new(root, "consistent_snapshot", json_true());
	json_object_set_new(root, "keys", json_object());
	json_object_set_new(root, "roles", roles);
	json_object_set_new(tufrepo_signed(r, "timestamp"), "meta", json_object());
	json_object_set_new(tufrepo_signed(r, "snapshot"), "meta", json_object());
	json_object_set_new(tufrepo_signed(r, "targets"), "targets", json_object());
	for (int i = 0; i < 4; i++)
		tufrepo_set_keys(r, top_level[i], &i, 1, 1);
	return r;
}

void tufrepo_free(struct tufrepo *r)
{
	if (!r)
		return;
	for (struct tufrepo_role *x = r->roles, *next; x; x = next) {
		next = x->next;
		json_decref(x->body);
		buf_fini(&x->bytes);
		free(x->name);
		free(x);
	}
	for (struct tufrepo_target *x = r->targets, *next; x; x = next) {
		next = x->next;
		free(x->path);
		free(x->content);
		free(x);
	}
	for (struct tufrepo_file *x = r->files, *next; x; x = next) {
		next = x->next;
		free(x->name);
		free(x->content);
		free(x);
	}
	free(r);
}

json_t *tufrepo_signed(struct tufrepo *r, const char *role)
{
	return role_of(r, role)->body;
}

static int64_t version_of(struct tufrepo *r, const char *role)
{
	return json_integer_value(json_object_get(tufrepo_signed(r, role), "version"));
}

void tufrepo_set_version(struct tufrepo *r, const char *role, int64_t version)
{
	json_object_set_new(tufrepo_signed(r, role), "version", json_integer(version));
}

void tufrepo_bump(struct tufrepo *r, const char *role)
{
	tufrepo_set_version(r, role, version_of(r, role) + 1);
}

void tufrepo_set_expires(struct tufrepo *r, const char *role, const char *date)
{
	json_object_set_new(tufrepo_signed(r, role), "expires", json_string(date));
}

void tufrepo_set_consistent(struct tufrepo *r, bool consistent)
{
	json_object_set_new(tufrepo_signed(r, "root"), "consistent_snapshot", json_boolean(consistent));
}

void tufrepo_sig(struct tufrepo *r, const char *role, int key, enum tufrepo_sig how)
{
	struct tufrepo_role *x = role_of(r, role);
	size_t i = 0;

	while (i < x->n_signers && x->signers[i].key != key)
		i++;
	assert(i < TUFREPO_SIGNERS_MAX);
	x->signers[i] = (struct tufrepo_signer){ key, how };
	x->n_signers = i == x->n_signers ? i + 1 : x->n_signers;
}

void tufrepo_signers(struct tufrepo *r, const char *role, const int *keys, size_t n)
{
	role_of(r, role)->n_signers = 0;
	for (size_t i = 0; i < n; i++)
		tufrepo_sig(r, role, keys[i], TUFREPO_SIG_GOOD);
}

/* Adds the key to a `keys` object; a new string of its id. */
static json_t *add_key(json_t *keys, int key)
{
	char id[TUFREPO_KEY_ID_BYTES];

	json_object_set_new(keys, tufrepo_key_id(key, id), tufrepo_key_object(key));
	return json_string(id);
}

void tufrepo_set_keys(struct tufrepo *r, const char *role, const int *keys, size_t n, int64_t threshold)
{
	json_t *root = tufrepo_signed(r, "root"), *ids = json_array();
	json_t *in_root = json_object_get(json_object_get(root, "roles"), role);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(ids, add_key(json_object_get(root, "keys"), keys[i]));
	json_object_set_new(in_root, "keyids", ids);
	json_object_set_new(in_root, "threshold", json_integer(threshold));
	if (strcmp(role, "root") != 0)
		tufrepo_signers(r, role, keys, n);
	for (size_t i = 0; i < n; i++)
		tufrepo_sig(r, role, keys[i], TUFREPO_SIG_GOOD);
}

static void sha256_hex(struct bytes in, char hex[65])
{
	uint8_t sum[SHA256_DIGEST_LENGTH];

	SHA256(in.p, in.n, sum);
	hex_encode(sum, sizeof(sum), hex);
}

void tufrepo_add_target(struct tufrepo *r, const char *role, const char *path, struct bytes content)
{
	struct tufrepo_target *t = make(sizeof(*t));
	json_t *targets = json_object_get(tufrepo_signed(r, role), "targets");

	sha256_hex(content, t->hash);
	json_object_set_new(targets, path,
			    json_pack("{s:I, s:{s:s}}", "length", (json_int_t)content.n, "hashes", "sha256", t->hash));
	t->path = copy(path);
	t->n = content.n;
	t->content = content.p ? make(content.n + 1) : NULL;
	if (content.p)
		memcpy(t->content, content.p, content.n);
	t->next = r->targets;
	r->targets = t;
}

void tufrepo_remove_target(struct tufrepo *r, const char *role, const char *path)
{
	json_object_del(json_object_get(tufrepo_signed(r, role), "targets"), path);
}

void tufrepo_set_custom(struct tufrepo *r, const char *role, const char *path, json_t *custom)
{
	json_t *target = json_object_get(json_object_get(tufrepo_signed(r, role), "targets"), path);

	assert(target);
	json_object_set_new(target, "custom", custom);
}

static json_t *strings(const char *const *v)
{
	json_t *j = json_array();

	for (; *v; v++)
		json_array_append_new(j, json_string(*v));
	return j;
}

/* The `delegations` of a role, made if it has none. */
static json_t *delegations_of(struct tufrepo *r, const char *from)
{
	json_t *body = tufrepo_signed(r, from), *d = json_object_get(body, "delegations");

	if (d)
		return d;
	d = json_pack("{s:{}}", "keys");
	json_object_set_new(body, "delegations", d);
	return d;
}

static void add_targets_role(struct tufrepo *r, const char *name, int key)
{
	if (find_role(r, name))
		return;
	json_object_set_new(add_role(r, name)->body, "targets", json_object());
	tufrepo_signers(r, name, &key, 1);
}

void tufrepo_delegate(struct tufrepo *r, struct tufrepo_delegation d)
{
	json_t *in = delegations_of(r, d.from), *roles = json_object_get(in, "roles");
	json_t *role =
		json_pack("{s:s, s:[o], s:i, s:b}", "name", d.name, "keyids",
			  add_key(json_object_get(in, "keys"), d.key), "threshold", 1, "terminating", d.terminating);

	assert(role);
	if (!roles) {
		roles = json_array();
		json_object_set_new(in, "roles", roles);
	}
	if (d.paths)
		json_object_set_new(role, "paths", strings(d.paths));
	if (d.prefixes)
		json_object_set_new(role, "path_hash_prefixes", strings(d.prefixes));
	json_array_append_new(roles, role);
	add_targets_role(r, d.name, d.key);
	tufrepo_sig(r, d.name, d.key, TUFREPO_SIG_GOOD);
}

void tufrepo_add_bins(struct tufrepo *r, const char *from, const char *prefix, unsigned int bits, int key)
{
	json_t *in = delegations_of(r, from);
	json_t *bins = json_pack("{s:[o], s:i, s:i, s:s}", "keyids", add_key(json_object_get(in, "keys"), key),
				 "threshold", 1, "bit_length", (int)bits, "name_prefix", prefix);
	char name[256], last[16];

	assert(bins && bits <= 10);
	json_object_set_new(in, "succinct_roles", bins);
	const size_t width = (size_t)snprintf(last, sizeof(last), "%x", (1u << bits) - 1);
	for (unsigned int i = 0; i < 1u << bits; i++) {
		snprintf(name, sizeof(name), "%s-%0*x", prefix, (int)width, i);
		add_targets_role(r, name, key);
	}
}

void tufrepo_leave_out(struct tufrepo *r, const char *role, bool leave_out)
{
	role_of(r, role)->left_out = leave_out;
}
