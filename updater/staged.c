/* The staged record as JSON, and its file. A record that cannot be read is as good as none: then nobody vouches
 * for the set. */
#include "updater/staged.h"

#include <stdio.h>
#include <string.h>

#include "base/datetime.h"
#include "base/file.h"
#include "base/log.h"

int upd_image_set(struct upd_image *i, const char *variant, const char *arch, const struct version *version, struct err *e)
{
	if (!variant[0] || strlen(variant) >= UPD_NAME_BYTES)
		return err_set(e, ERR_FORMAT, "name", "variant: 1 to %d bytes are allowed", UPD_NAME_BYTES - 1);
	if (!arch[0] || strlen(arch) >= UPD_NAME_BYTES)
		return err_set(e, ERR_FORMAT, "name", "arch: 1 to %d bytes are allowed", UPD_NAME_BYTES - 1);
	*i = (struct upd_image){ .version = *version };
	snprintf(i->variant, sizeof(i->variant), "%s", variant);
	snprintf(i->arch, sizeof(i->arch), "%s", arch);
	return 0;
}

bool upd_image_equal(const struct upd_image *a, const struct upd_image *b)
{
	return strcmp(a->variant, b->variant) == 0 && strcmp(a->arch, b->arch) == 0 &&
	       strcmp(a->version.text, b->version.text) == 0;
}

json_t *upd_image_to_json(const struct upd_image *i)
{
	return json_pack("{s:s, s:s, s:s}", "arch", i->arch, "version", i->version.text, "variant", i->variant);
}

int upd_image_from_json(json_t *j, const char *path, struct upd_image *out, struct err *e)
{
	struct json_in in = json_in_object(j, path, e);
	const char *arch = "", *version = "", *variant = "";
	struct version v;

	json_get_str(&in, "arch", UPD_NAME_BYTES - 1, &arch);
	json_get_str(&in, "version", VERSION_BYTES - 1, &version);
	json_get_str(&in, "variant", UPD_NAME_BYTES - 1, &variant);
	if (json_in_end(&in) < 0)
		return -1;
	if (version_parse(version, &v, e) < 0 || upd_image_set(out, variant, arch, &v, e) < 0)
		return err_wrap(e, "%s", path);
	return 0;
}

json_t *upd_trust_to_json(const struct upd_trust *t)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "root", (json_int_t)t->root, "timestamp", (json_int_t)t->timestamp,
			 "snapshot", (json_int_t)t->snapshot, "targets", (json_int_t)t->targets);
}

int upd_trust_from_json(json_t *j, const char *path, struct upd_trust *out, struct err *e)
{
	struct json_in in = json_in_object(j, path, e);
	struct upd_trust t = { 0 };

	json_get_u64(&in, "root", 0, INT64_MAX, &t.root);
	json_get_u64(&in, "timestamp", 0, INT64_MAX, &t.timestamp);
	json_get_u64(&in, "snapshot", 0, INT64_MAX, &t.snapshot);
	json_get_u64(&in, "targets", 0, INT64_MAX, &t.targets);
	if (json_in_end(&in) < 0)
		return -1;
	*out = t;
	return 0;
}

static json_t *digest_to_json(const struct digest *d)
{
	char hex[2 * DIGEST_MAX_BYTES + 1];

	digest_hex(d, hex);
	return json_string(hex);
}

json_t *staged_to_json(const struct staged_record *r)
{
	CLEANUP(json_decref_p) json_t *targets = json_object();
	char time[DATETIME_BYTES];

	for (size_t i = 0; targets && i < PART_N_ROLES; i++)
		if (json_object_set_new(targets, part_role_name((enum part_role)i), digest_to_json(&r->targets[i])) < 0)
			return NULL;
	datetime_format(r->verified_at_sec, time);
	return json_pack("{s:o, s:s, s:O, s:s, s:o, s:s, s:o}", "image", upd_image_to_json(&r->image), "set",
			 part_set_name(r->set), "targets", targets, "root_hash_algorithm", digest_name(r->root_hash.alg),
			 "root_hash", digest_to_json(&r->root_hash), "verified_at", time, "trust", upd_trust_to_json(&r->trust));
}

static void get_set(struct json_in *in, enum part_set *out)
{
	const char *s = "";

	json_get_str(in, "set", 1, &s);
	if (in->failed)
		return;
	for (size_t i = 0; i < PART_N_SETS; i++)
		if (strcmp(s, part_set_name((enum part_set)i)) == 0) {
			*out = (enum part_set)i;
			return;
		}
	json_in_fail(in, "set", "neither A nor B");
}

static void get_digests(struct json_in *in, struct staged_record *r)
{
	struct json_in targets = json_get_object(in, "targets");
	const char *alg = "";

	for (size_t i = 0; i < PART_N_ROLES; i++)
		json_get_hex(&targets, part_role_name((enum part_role)i), r->targets[i].v, digest_size(DIGEST_SHA256));
	json_in_join(in, &targets);
	json_get_str(in, "root_hash_algorithm", 16, &alg);
	if (!in->failed && !digest_parse_name(alg, &r->root_hash.alg))
		json_in_fail(in, "root_hash_algorithm", "not a digest we know");
	json_get_hex(in, "root_hash", r->root_hash.v, digest_size(r->root_hash.alg));
}

int staged_from_json(json_t *j, const char *path, struct staged_record *out, struct err *e)
{
	struct json_in in = json_in_object(j, path, e);
	struct staged_record r = { 0 };

	get_set(&in, &r.set);
	get_digests(&in, &r);
	json_get_time(&in, "verified_at", &r.verified_at_sec);
	if (json_in_end(&in) < 0 || upd_image_from_json(json_object_get(j, "image"), "image", &r.image, e) < 0 ||
	    upd_trust_from_json(json_object_get(j, "trust"), "trust", &r.trust, e) < 0)
		return -1;
	*out = r;
	return 0;
}

static int parse(struct bytes text, struct staged_record *out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *j = NULL;

	if (json_load_bytes(text, &j, e) < 0)
		return -1;
	return staged_from_json(j, "staged image", out, e);
}

int staged_load(int dir, struct staged_record *out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(STAGED_MAX_BYTES);

	if (file_read(dir, STAGED_FILE, &text, e) == 0 && parse(buf_bytes(&text), out, e) == 0)
		return 0;
	if (e->kind == ERR_MISSING)
		return STAGED_ABSENT;
	if (e->kind != ERR_FORMAT)
		return -1;
	log_warn("%s is damaged and counts as absent: %s", STAGED_FILE, e->msg);
	return STAGED_ABSENT;
}

int staged_store(const struct staged_record *r, int dir, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(STAGED_MAX_BYTES);
	CLEANUP(json_decref_p) json_t *j = staged_to_json(r);

	if (!j)
		return err_set(e, ERR_SYSTEM, "memory", "writing %s: out of memory", STAGED_FILE);
	if (json_to_buf(j, &text, e) < 0)
		return err_wrap(e, "writing %s", STAGED_FILE);
	return file_replace(dir, STAGED_FILE, buf_bytes(&text), 0644, e);
}

int staged_remove(int dir, struct err *e)
{
	return file_remove(dir, STAGED_FILE, e);
}
