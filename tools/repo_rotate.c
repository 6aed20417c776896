/*
 * `root rotate`: the next root, unsigned, in the work area. It begins as the newest root with the next number;
 * each call edits it further and drops the signatures that it had. The JSON tree is edited, so members that this
 * program does not know go on.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "tools/repo_keys.h"
#include "tools/repo_meta.h"
#include "tools/repo_public.h"
#include "tools/repo_rootfile.h"

#define ROOT_EXPIRES "in 52 weeks"
#define ID_PREFIX_MIN 8 /* of a key id that stands for the whole */

static json_t *role_of(const json_t *body, enum tuf_type t)
{
	return json_object_get(json_object_get(body, "roles"), tuf_type_name(t));
}

static json_t *ids_of(const json_t *body, enum tuf_type t)
{
	return json_object_get(role_of(body, t), "keyids");
}

static int add_keys(struct repo_cli *c, json_t *body, enum tuf_type t, struct err *e)
{
	const char *id;

	for (size_t i = 0; i < c->add_keys[t].n; i++) {
		CLEANUP(repo_public_fini) struct repo_public key = { .key = NULL };

		if (repo_public_load(c, c->add_keys[t].v[i], &key, e) < 0 ||
		    repo_public_list(&key, json_object_get(body, "keys"), ids_of(body, t), &id, e) < 0)
			return err_wrap(e, "--add-%s", repo_cli_key_option(t));
	}
	return 0;
}

/* The one id in @ids that is @given or begins with it. */
static int find_id(const json_t *ids, const char *given, enum tuf_type t, size_t *out, struct err *e)
{
	const size_t n = strlen(given);
	const json_t *id;
	size_t i, n_found = 0;

	json_array_foreach(ids, i, id) {
		const char *s = json_string_value(id);

		if (s && (strcmp(s, given) == 0 || (n >= ID_PREFIX_MIN && strncmp(s, given, n) == 0))) {
			*out = i;
			n_found++;
		}
	}
	if (n_found == 1)
		return 0;
	return err_set(e, n_found ? ERR_USAGE : ERR_MISSING, REPO_E_KEY, "--remove-%s '%s': %s key of %s has this id", repo_cli_key_option(t),
		       given, n_found ? "more than one" : "no", tuf_type_name(t));
}

static bool id_is_used(const json_t *body, const char *id)
{
	for (int t = 0; t < TUF_TYPES; t++) {
		const json_t *listed;
		size_t i;

		json_array_foreach(ids_of(body, (enum tuf_type)t), i, listed)
			if (json_string_value(listed) && strcmp(json_string_value(listed), id) == 0)
				return true;
	}
	return false;
}

static int remove_keys(const struct repo_cli *c, json_t *body, enum tuf_type t, struct err *e)
{
	for (size_t i = 0; i < c->remove_keys[t].n; i++) {
		json_t *ids = ids_of(body, t);
		size_t at = 0;

		if (find_id(ids, c->remove_keys[t].v[i], t, &at, e) < 0)
			return -1;
		CLEANUP(json_decref_p) json_t *id = json_incref(json_array_get(ids, at));

		json_array_remove(ids, at);
		if (!id_is_used(body, json_string_value(id)))
			json_object_del(json_object_get(body, "keys"), json_string_value(id));
	}
	return 0;
}

static int edit(struct repo_cli *c, json_t *body, struct err *e)
{
	for (int i = 0; i < TUF_TYPES; i++) {
		const enum tuf_type t = (enum tuf_type)i;

		if (!json_is_array(ids_of(body, t)))
			return err_set(e, ERR_FORMAT, TUF_E_METADATA, "root: no keyids of %s", tuf_type_name(t));
		if (add_keys(c, body, t, e) < 0 || remove_keys(c, body, t, e) < 0)
			return -1;
		if (c->thresholds[t] == REPO_NOT_GIVEN)
			continue;
		if (c->thresholds[t] < 1 || c->thresholds[t] > TUF_KEYS_MAX)
			return err_set(e, ERR_USAGE, TUF_E_THRESHOLD, "--%s-threshold: not from 1 to %d", tuf_type_name(t), TUF_KEYS_MAX);
		if (json_object_set_new(role_of(body, t), "threshold", json_integer((json_int_t)c->thresholds[t])) < 0)
			return err_set(e, ERR_SYSTEM, "memory", "root: out of memory");
	}
	return 0;
}

/* A root that asks for more keys than it lists could never be followed by another, or never sign anything. */
static int check_stable(const struct tuf_root *root, struct err *e)
{
	for (int i = 0; i < TUF_TYPES; i++) {
		const struct tuf_role_keys *role = &root->roles[i];
		const char *name = tuf_type_name((enum tuf_type)i);

		if (role->threshold > role->n_ids)
			return err_set(e, ERR_USAGE, TUF_E_THRESHOLD, "%s: threshold %" PRIu64 ", but %zu keys", name, role->threshold, role->n_ids);
		if (role->threshold == 1 && (i == TUF_ROOT || i == TUF_TARGETS))
			log_warn("%s: threshold 1: one stolen key is enough", name);
	}
	return 0;
}

/* The body to edit: of the pending root, or a new one after the newest. */
static int begin(const struct repo_cli *c, const struct repo *r, const struct repo_state *s, int64_t now_sec, json_t **out, struct err *e)
{
	CLEANUP(repo_envelope_fini) struct repo_envelope v = { .file = NULL };
	const bool pending = repo_has(r->staging, REPO_PENDING_ROOT) && !c->restart;
	const uint64_t newest = repo_state_root(s)->head.version;
	char name[REPO_FILE_NAME_BYTES];
	const char *expires = c->expires[TUF_ROOT];
	int64_t expires_sec = 0;

	repo_metadata_name(TUF_ROOT, newest, name);
	if (repo_envelope_load(pending ? r->staging : r->metadata, pending ? REPO_PENDING_ROOT : name, &v, e) < 0)
		return -1;
	if (pending && v.version != newest + 1)
		return err_set(e, ERR_STATE, TUF_E_VERSION, "the pending root %" PRIu64 " does not follow root %" PRIu64 "; --restart makes a new one",
			       v.version, newest);
	if (!pending && !expires)
		expires = ROOT_EXPIRES;
	if (!expires) {
		*out = json_deep_copy(repo_envelope_body(&v));
		return *out ? 0 : err_set(e, ERR_SYSTEM, "memory", "root: out of memory");
	}
	if (repo_cli_time("expires", expires, now_sec, &expires_sec, e) < 0)
		return -1;
	if (expires_sec <= now_sec)
		return err_set(e, ERR_USAGE, "time", "--expires '%s': in the past", expires);
	return repo_meta_renew(repo_envelope_body(&v), TUF_ROOT, newest + 1, expires_sec, out, e);
}

int repo_root_rotate(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(repo_fini) struct repo r = REPO_CLOSED;
	CLEANUP(repo_state_fini) struct repo_state s = { .trusted = NULL };
	CLEANUP(json_decref_p) json_t *body = NULL;
	CLEANUP(repo_envelope_fini) struct repo_envelope v = { .file = NULL };
	CLEANUP(repo_rootfile_fini) struct repo_rootfile f = { .root = NULL };
	CLEANUP(tuf_signed_free_p) struct tuf_signed *parsed = NULL;
	CLEANUP(tuf_root_free_p) struct tuf_root *root = NULL;
	int64_t now_sec;

	if (repo_cli_now(c, &now_sec, e) < 0 || repo_open(argv[0], REPO_WRITE, &r, e) < 0 || repo_state_load(&r, now_sec, &s, e) < 0 ||
	    begin(c, &r, &s, now_sec, &body, e) < 0 || edit(c, body, e) < 0)
		return -1;
	if (repo_envelope_new(body, TUF_ROOT, &v, e) < 0 || repo_envelope_signed(&v, "the next root", &parsed, e) < 0 ||
	    tuf_root_parse(parsed, &root, e) < 0 || check_stable(root, e) < 0)
		return -1;
	if (repo_envelope_store(&v, r.staging, REPO_PENDING_ROOT, e) < 0 || repo_rootfile_load_pending(&r, &f, e) < 0)
		return -1;
	return repo_rootfile_tell(c, &f, true, e);
}
