/* Timestamp, snapshot, targets and delegated roles: what each file is, and what the file that refers to it says of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/repo_check.h"

#define FREEZE_MAX_SEC (21 * 24 * 60 * 60) /* a host can be kept on a timestamp for so long */

static void check_hash(struct check *k, const char *file, const struct digest *want, struct bytes text)
{
	struct digest got;
	struct err e;

	if (digest_bytes(want->alg, text, &got, &e) < 0)
		check_add_err(k, NULL, &e);
	else if (!digest_equal(want, &got))
		check_add(k, ERR_TRUST, "metadata-digest", "%s: its %s is not the one listed", file, digest_name(want->alg));
}

static void check_listed(struct check *k, const char *file, const struct tuf_meta *listed, struct bytes text)
{
	if (!listed)
		return;
	if (listed->has_length && listed->length != text.n)
		check_add(k, ERR_TRUST, "metadata-length", "%s: %zu bytes, %" PRIu64 " are listed", file, text.n, listed->length);
	for (size_t i = 0; i < listed->hashes.n; i++)
		check_hash(k, file, &listed->hashes.v[i], text);
}

/* A role's file as far as it can be read: NULL otherwise. Signatures are counted, and counted against it, but do
 * not end the check. */
static struct tuf_signed *read_file(struct check *k, enum tuf_type type, const char *role, const struct tuf_meta *listed,
				    const struct tuf_keyring *keys, const struct tuf_role_keys *by, const char *missing)
{
	CLEANUP(buf_fini) struct buf text = { 0 };
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	const bool numbered = listed && (!k->root || k->root->consistent_snapshot);
	char file[TUF_NAME_MAX_BYTES + sizeof(".json")];
	struct err e;

	snprintf(file, sizeof(file), "%s.json", role);
	if (repo_remote_metadata(&k->remote, role, numbered ? listed->version : 0, tuf_type_max_bytes(type), &text, &e) < 0) {
		check_add_err(k, missing, &e);
		return NULL;
	}
	check_listed(k, file, listed, buf_bytes(&text));
	if (tuf_signed_load(buf_bytes(&text), type, file, &s, &e) < 0) {
		check_add_err(k, missing, &e);
		return NULL;
	}
	if (keys && tuf_signed_verify(s, keys, by, role, &e) < 0)
		check_add_err(k, missing, &e);
	return TAKE(s);
}

static void check_version(struct check *k, const char *role, const struct tuf_head *head, const struct tuf_meta *listed)
{
	if (listed && head->version != listed->version)
		check_add(k, ERR_TRUST, "metadata-version", "%s.json: version %" PRIu64 ", %" PRIu64 " is listed", role, head->version,
			  listed->version);
}

static const struct tuf_role_keys *top_keys(const struct check *k, enum tuf_type type)
{
	return k->root ? &k->root->roles[type] : NULL;
}

static const struct tuf_keyring *top_ring(const struct check *k)
{
	return k->root ? &k->root->keys : NULL;
}

static void check_timestamp(struct check *k)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s =
		read_file(k, TUF_TIMESTAMP, "timestamp", NULL, top_ring(k), top_keys(k, TUF_TIMESTAMP), "timestamp-missing");
	struct err e;

	if (!s)
		return;
	if (tuf_timestamp_parse(s, &k->timestamp, &e) < 0) {
		check_add_err(k, NULL, &e);
		return;
	}
	check_expiry(k, TUF_TIMESTAMP, false, "timestamp", &k->timestamp->head);
	if (k->timestamp->head.expires_sec - k->now_sec > FREEZE_MAX_SEC)
		check_add(k, ERR_NONE, "timestamp-freeze-window-long", "timestamp: a host can be kept from updates for more than %d days",
			  FREEZE_MAX_SEC / (24 * 60 * 60));
}

static void check_snapshot(struct check *k)
{
	if (!k->timestamp)
		return;
	const struct tuf_meta *listed = &k->timestamp->snapshot;
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s =
		read_file(k, TUF_SNAPSHOT, "snapshot", listed, top_ring(k), top_keys(k, TUF_SNAPSHOT), "snapshot-missing");
	struct err e;

	if (!s)
		return;
	if (tuf_snapshot_parse(s, &k->snapshot, &e) < 0) {
		check_add_err(k, NULL, &e);
		return;
	}
	check_version(k, "snapshot", &k->snapshot->head, listed);
	check_expiry(k, TUF_SNAPSHOT, false, "snapshot", &k->snapshot->head);
}

static struct check_role *find_role(const struct check *k, const char *name)
{
	for (size_t i = 0; i < k->n_roles; i++)
		if (strcmp(k->roles[i]->name, name) == 0)
			return k->roles[i];
	return NULL;
}

/* Takes @targets over. */
static int add_role(struct check *k, const char *name, struct check_role *from, struct tuf_targets *targets, struct err *e)
{
	struct check_role **grown = reallocarray(k->roles, k->n_roles + 1, sizeof(*grown));
	struct check_role *role = calloc(1, sizeof(*role));

	if (grown)
		k->roles = grown;
	if (role)
		role->name = strdup(name);
	if (!grown || !role || !role->name) {
		free(role ? role->name : NULL);
		free(role);
		tuf_targets_free(targets);
		return err_set(e, ERR_SYSTEM, "memory", "role %s: out of memory", name);
	}
	role->from = from;
	role->targets = targets;
	k->roles[k->n_roles++] = role;
	return 0;
}

static int check_role_file(struct check *k, const char *name, struct check_role *from, const struct tuf_keyring *ring,
			   const struct tuf_role_keys *keys, struct err *e)
{
	char file[TUF_NAME_MAX_BYTES + sizeof(".json")];
	struct tuf_targets *t = NULL;
	struct err why;

	snprintf(file, sizeof(file), "%s.json", name);
	const struct tuf_meta *listed = tuf_snapshot_find(k->snapshot, file);

	if (!listed) {
		check_add(k, ERR_TRUST, "snapshot-missing-role", "snapshot.json: does not list %s", file);
		return add_role(k, name, from, NULL, e);
	}
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s =
		read_file(k, TUF_TARGETS, name, listed, ring, keys, from ? "role-missing" : "targets-missing");

	if (s && tuf_targets_parse(s, &t, &why) < 0)
		check_add_err(k, NULL, &why);
	if (t) {
		check_version(k, name, &t->head, listed);
		check_expiry(k, TUF_TARGETS, from != NULL, name, &t->head);
	}
	return add_role(k, name, from, t, e);
}

struct below {
	struct check *k;
	struct check_role *from;
};

/* A repo_delegated_fn. */
static int check_delegated(void *ctx, const char *name, const struct tuf_role_keys *keys, struct err *e)
{
	struct below *b = ctx;

	if (find_role(b->k, name))
		return 0;
	if (b->k->n_roles == TUF_ROLES_MAX)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "more than %d delegated roles", TUF_ROLES_MAX);
	if (keys->threshold > keys->n_ids)
		check_add(b->k, ERR_TRUST, "threshold-unreachable", "role %s: %" PRIu64 " keys are needed, there are %zu", name, keys->threshold,
			  keys->n_ids);
	return check_role_file(b->k, name, b->from, &b->from->targets->keys, keys, e);
}

static void lint_patterns(struct check *k, const struct tuf_targets *t)
{
	for (size_t i = 0; i < t->n_delegations; i++)
		for (size_t n = 0; n < t->delegations[i].n && !t->delegations[i].by_hash; n++)
			if (tuf_path_pattern_is_odd(t->delegations[i].v[n]))
				check_add(k, ERR_NONE, "pattern-odd", "role %s: clients read the pattern '%s' differently", t->delegations[i].name,
					  t->delegations[i].v[n]);
}

int check_metadata(struct check *k, struct err *e)
{
	check_timestamp(k);
	check_snapshot(k);
	if (!k->snapshot)
		return 0;
	if (check_role_file(k, "targets", NULL, top_ring(k), top_keys(k, TUF_TARGETS), e) < 0)
		return -1;
	for (size_t i = 0; i < k->n_roles; i++) {
		struct below b = { k, k->roles[i] };

		if (!b.from->targets)
			continue;
		lint_patterns(k, b.from->targets);
		if (repo_each_delegated(b.from->targets, check_delegated, &b, e) < 0)
			return -1;
	}
	return 0;
}
