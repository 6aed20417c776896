/* A manifest as Bottlerocket's tools write it. Members go in by the order of their table; our own come last,
 * where they are there at all. */
#include "updater/manifest.h"

#include <stdio.h>

#include "base/datetime.h"
#include "base/json.h"
#include "updater/verity_json.h"

static json_t *waves_of(const struct manifest_update *u)
{
	CLEANUP(json_decref_p) json_t *waves = json_object();

	for (size_t i = 0; waves && i < u->n_waves; i++) {
		char seed[16], time[DATETIME_BYTES];

		snprintf(seed, sizeof(seed), "%u", (unsigned)u->waves[i].start_seed);
		datetime_format(u->waves[i].start_sec, time);
		if (json_object_set_new(waves, seed, json_string(time)) < 0)
			return NULL;
	}
	return TAKE(waves);
}

/* Each role's name with its value from @value. */
static json_t *by_role(const struct manifest_update *u, json_t *(*value)(const struct manifest_update *, size_t))
{
	CLEANUP(json_decref_p) json_t *o = json_object();

	for (size_t i = 0; o && i < PART_N_ROLES; i++)
		if (json_object_set_new(o, part_role_name((enum part_role)i), value(u, i)) < 0)
			return NULL;
	return TAKE(o);
}

static json_t *image_of(const struct manifest_update *u, size_t role)
{
	return json_string(u->images[role]);
}

static json_t *size_of(const struct manifest_update *u, size_t role)
{
	return json_integer((json_int_t)u->sizes[role]);
}

json_t *manifest_update_to_json(const struct manifest_update *u)
{
	CLEANUP(json_decref_p)
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "variant", u->variant, "arch", u->arch, "version",
			      u->version.text, "max_version", u->max_version.text, "waves", waves_of(u), "images",
			      by_role(u, image_of));

	if (!o || (u->has_verity && json_object_set_new(o, "verity", verity_json_of(&u->verity, &u->root_hash)) < 0) ||
	    (u->has_sizes && json_object_set_new(o, "sizes", by_role(u, size_of)) < 0))
		return NULL;
	return TAKE(o);
}

static json_t *names_of(const struct manifest_step *s)
{
	CLEANUP(json_decref_p) json_t *names = json_array();

	for (size_t i = 0; names && i < s->n_names; i++)
		if (json_array_append_new(names, json_string(s->names[i])) < 0)
			return NULL;
	return TAKE(names);
}

static json_t *manifest_of(const struct manifest *m)
{
	CLEANUP(json_decref_p) json_t *updates = json_array();
	CLEANUP(json_decref_p) json_t *steps = json_object();

	for (size_t i = 0; updates && i < m->n_updates; i++)
		if (json_array_append_new(updates, manifest_update_to_json(&m->updates[i])) < 0)
			return NULL;
	for (size_t i = 0; steps && i < m->n_steps; i++) {
		char key[2 * VERSION_BYTES + 4];

		snprintf(key, sizeof(key), "(%s, %s)", m->steps[i].from.text, m->steps[i].to.text);
		if (json_object_set_new(steps, key, names_of(&m->steps[i])) < 0)
			return NULL;
	}
	return json_pack("{s:O, s:O}", "updates", updates, "migrations", steps);
}

int manifest_print(const struct manifest *m, struct buf *out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *root = manifest_of(m);

	if (!root)
		return err_set(e, ERR_SYSTEM, "memory", "printing the manifest: out of memory");
	return json_to_buf(root, out, e);
}
