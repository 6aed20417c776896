/* The format of draft.json. It is our own file, and still read like a stranger's: people edit it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "tools/repo_draft.h"
#include "updater/verity_json.h"

static int bad(struct err *e, const char *path, const char *why)
{
	return err_set(e, ERR_FORMAT, DRAFT_E_FORMAT, "%s: %s", path, why);
}

static void get_text(struct json_in *in, const char *name, char *out, size_t cap)
{
	const char *s = NULL;

	json_get_str(in, name, cap - 1, &s);
	if (s)
		snprintf(out, cap, "%s", s);
}

static void get_sha256(struct json_in *in, const char *name, struct digest *out)
{
	out->alg = DIGEST_SHA256;
	json_get_hex(in, name, out->v, digest_size(DIGEST_SHA256));
}

static int parse_target(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct draft *d = ctx;
	struct draft_target t = { .length = 0 };
	struct json_in in = json_in_object(value, path, e);

	if (strlen(name) > REPO_TARGET_MAX_BYTES)
		return bad(e, path, "the name is too long");
	snprintf(t.name, sizeof(t.name), "%s", name);
	json_get_u64(&in, "length", 0, INT64_MAX, &t.length);
	get_sha256(&in, "sha256", &t.sha256);
	if (json_has(&in, "role"))
		get_text(&in, "role", t.role, sizeof(t.role));
	if (json_in_end(&in) < 0)
		return -1;
	return draft_add_target(d, &t, e);
}

static void get_image(struct json_in *in, struct draft_images *m, enum part_role role)
{
	struct json_in i = json_get_object(in, part_role_name(role));

	get_text(&i, "target", m->targets[role], REPO_TARGET_BYTES);
	json_get_u64(&i, "size", 1, INT64_MAX, &m->sizes[role]);
	json_in_join(in, &i);
}

static int parse_images(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct draft *d = ctx;
	struct draft_images m = { .variant = "" };
	struct json_in in = json_in_object(value, path, e);
	char version[VERSION_BYTES] = "";

	(void)name;
	get_text(&in, "variant", m.variant, sizeof(m.variant));
	get_text(&in, "arch", m.arch, sizeof(m.arch));
	get_text(&in, "version", version, sizeof(version));
	for (int r = 0; r < PART_N_ROLES; r++)
		get_image(&in, &m, (enum part_role)r);
	struct json_in v = json_get_object(&in, "verity");

	verity_json_get(&v, &m.verity, &m.root_hash);
	json_in_join(&in, &v);
	if (json_in_end(&in) < 0 || version_parse(version, &m.version, e) < 0)
		return -1;
	return draft_add_images(d, &m, e);
}

int draft_parse(struct bytes json, struct draft **out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *top = NULL;
	CLEANUP(draft_free_p) struct draft *d = NULL;

	if (json_load_bytes(json, &top, e) < 0 || draft_new(&d, e) < 0)
		return -1;
	struct json_in in = json_in_object(top, "draft", e);

	json_get_each(&in, "targets", DRAFT_TARGETS_MAX, parse_target, d);
	json_get_each(&in, "images", DRAFT_IMAGES_MAX, parse_images, d);
	if (json_in_end(&in) < 0)
		return -1;
	*out = TAKE(d);
	return 0;
}

static json_t *target_json(const struct draft_target *t)
{
	char hex[2 * DIGEST_MAX_BYTES + 1];

	digest_hex(&t->sha256, hex);
	return json_pack("{sI, ss, ss*}", "length", (json_int_t)t->length, "sha256", hex, "role", t->role[0] ? t->role : NULL);
}

static json_t *image_json(const struct draft_images *m, enum part_role r)
{
	return json_pack("{ss, sI}", "target", m->targets[r], "size", (json_int_t)m->sizes[r]);
}

static json_t *images_json(const struct draft_images *m)
{
	return json_pack("{ss, ss, ss, so, so, so, so}", "variant", m->variant, "arch", m->arch, "version", m->version.text, "verity",
			 verity_json_of(&m->verity, &m->root_hash), "boot", image_json(m, PART_BOOT), "root", image_json(m, PART_ROOT),
			 "hash", image_json(m, PART_HASH));
}

int draft_print(const struct draft *d, struct buf *out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *targets = json_object();
	CLEANUP(json_decref_p) json_t *images = json_array();
	int r = 0;

	for (size_t i = 0; i < d->n_targets; i++)
		r |= json_object_set_new(targets, d->targets[i].name, target_json(&d->targets[i]));
	for (size_t i = 0; i < d->n_images; i++)
		r |= json_array_append_new(images, images_json(&d->images[i]));
	CLEANUP(json_decref_p) json_t *top = json_pack("{sO, sO}", "targets", targets, "images", images);

	if (r || !top)
		return err_set(e, ERR_SYSTEM, "memory", "the draft: out of memory");
	return json_to_buf(top, out, e);
}
