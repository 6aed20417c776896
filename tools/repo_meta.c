/* JSON in, JSON out: trees are changed rather than rebuilt from structures, because what this program does not
 * know must survive. */
#include "tools/repo_meta.h"

#include <stdio.h>

#include "base/datetime.h"
#include "base/json.h"

static int no_memory(enum tuf_type type, struct err *e)
{
	return err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", tuf_type_name(type));
}

/* A deep copy of @old, or an empty object, with the head of every role. */
static json_t *make_head(const json_t *old, enum tuf_type type, uint64_t version, int64_t expires_sec)
{
	CLEANUP(json_decref_p) json_t *body = old ? json_deep_copy(old) : json_object();
	char expires[DATETIME_BYTES];

	datetime_format(expires_sec, expires);
	if (!body || json_object_set_new(body, "_type", json_string(tuf_type_name(type))) < 0 ||
	    json_object_set_new(body, "spec_version", json_string(REPO_SPEC_VERSION)) < 0 ||
	    json_object_set_new(body, "version", json_integer((json_int_t)version)) < 0 ||
	    json_object_set_new(body, "expires", json_string(expires)) < 0)
		return NULL;
	return TAKE(body);
}

int repo_meta_renew(const json_t *old, enum tuf_type type, uint64_t version, int64_t expires_sec, json_t **out, struct err *e)
{
	*out = make_head(old, type, version, expires_sec);
	return *out ? 0 : no_memory(type, e);
}

/* The keys of one role to @keys, and {"keyids": [...], "threshold": n}. */
static json_t *make_role(const struct repo_signers *s, uint64_t threshold, json_t *keys)
{
	CLEANUP(json_decref_p) json_t *ids = json_array();

	for (size_t i = 0; i < s->n; i++)
		if (json_array_append_new(ids, json_string(s->v[i].id)) < 0 ||
		    json_object_set(keys, s->v[i].id, tuf_signer_public(s->v[i].signer)) < 0)
			return NULL;
	return json_pack("{sO, sI}", "keyids", ids, "threshold", (json_int_t)threshold);
}

int repo_meta_root(uint64_t version, int64_t expires_sec, const struct repo_signers roles[TUF_TYPES],
		   const uint64_t thresholds[TUF_TYPES], json_t **out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *body = make_head(NULL, TUF_ROOT, version, expires_sec);
	CLEANUP(json_decref_p) json_t *keys = json_object();
	CLEANUP(json_decref_p) json_t *by_role = json_object();

	if (!body || !keys || !by_role)
		return no_memory(TUF_ROOT, e);
	for (int t = 0; t < TUF_TYPES; t++)
		if (json_object_set_new(by_role, tuf_type_name((enum tuf_type)t), make_role(&roles[t], thresholds[t], keys)) < 0)
			return no_memory(TUF_ROOT, e);
	if (json_object_set_new(body, "consistent_snapshot", json_true()) < 0 || json_object_set(body, "keys", keys) < 0 ||
	    json_object_set(body, "roles", by_role) < 0)
		return no_memory(TUF_ROOT, e);
	*out = TAKE(body);
	return 0;
}

/* The object @name of @body; made if there is none. NULL when there is something else of this name, or out of memory. */
static json_t *own_object(json_t *body, const char *name)
{
	json_t *j = json_object_get(body, name);

	if (!j && json_object_set_new(body, name, json_object()) == 0)
		j = json_object_get(body, name);
	return json_is_object(j) ? j : NULL;
}

int repo_meta_targets(const json_t *old, uint64_t version, int64_t expires_sec, json_t **out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *body = make_head(old, TUF_TARGETS, version, expires_sec);

	if (!body)
		return no_memory(TUF_TARGETS, e);
	if (!own_object(body, "targets"))
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "targets: no object 'targets'");
	*out = TAKE(body);
	return 0;
}

static json_t *hashes_json(const struct digest *sha256)
{
	char hex[2 * DIGEST_MAX_BYTES + 1];

	digest_hex(sha256, hex);
	return json_pack("{ss}", digest_name(sha256->alg), hex);
}

int repo_meta_set_target(json_t *targets, const char *name, uint64_t length, const struct digest *sha256, struct err *e)
{
	json_t *entry = json_pack("{so, sI}", "hashes", hashes_json(sha256), "length", (json_int_t)length);

	if (json_object_set_new(json_object_get(targets, "targets"), name, entry) < 0)
		return no_memory(TUF_TARGETS, e);
	return 0;
}

static json_t *file_json(const struct repo_meta_file *f)
{
	return json_pack("{sI, sI, so}", "version", (json_int_t)f->version, "length", (json_int_t)f->length, "hashes",
			 hashes_json(&f->sha256));
}

int repo_meta_snapshot(const json_t *old, uint64_t version, int64_t expires_sec, const struct repo_meta_file *targets, json_t **out,
		       struct err *e)
{
	CLEANUP(json_decref_p) json_t *body = make_head(old, TUF_SNAPSHOT, version, expires_sec);

	if (!body)
		return no_memory(TUF_SNAPSHOT, e);
	json_t *meta = own_object(body, "meta");
	if (!meta)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "snapshot: no object 'meta'");
	if (json_object_set_new(meta, "targets.json", file_json(targets)) < 0)
		return no_memory(TUF_SNAPSHOT, e);
	*out = TAKE(body);
	return 0;
}

int repo_meta_set_role(json_t *snapshot, const char *role, const struct repo_meta_file *file, struct err *e)
{
	char name[TUF_NAME_MAX_BYTES + sizeof(".json")];

	snprintf(name, sizeof(name), "%s.json", role);
	if (json_object_set_new(json_object_get(snapshot, "meta"), name, file_json(file)) < 0)
		return no_memory(TUF_SNAPSHOT, e);
	return 0;
}

int repo_meta_timestamp(uint64_t version, int64_t expires_sec, const struct repo_meta_file *snapshot, json_t **out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *body = make_head(NULL, TUF_TIMESTAMP, version, expires_sec);

	if (!body || json_object_set_new(body, "meta", json_pack("{so}", "snapshot.json", file_json(snapshot))) < 0)
		return no_memory(TUF_TIMESTAMP, e);
	*out = TAKE(body);
	return 0;
}
