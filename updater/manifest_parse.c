/*
 * manifest.json from a stranger: bounded, then every field by its rule. Members that we do not know are left
 * alone, because an older client must read a newer manifest (a downgrade does just that); what we need and do not
 * find is an error.
 */
#include "updater/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "updater/manifest_internal.h"
#include "updater/verity_json.h"

static int bad(const char *path, struct err *e, const char *why)
{
	return err_set(e, ERR_FORMAT, "manifest", "%s: %s", path, why);
}

/* @value as a target name in *@out, owned by the caller. */
static int parse_name(json_t *value, const char *path, char **out, struct err *e)
{
	const char *s = json_str_value(value, MANIFEST_NAME_MAX_BYTES, path, e);

	if (!s)
		return -1;
	if (!file_name_is_safe(s))
		return bad(path, e, "not a safe name");
	*out = strdup(s);
	return *out ? 0 : err_sys(e, "%s", path);
}

/* A required member as a safe name. */
static void get_name(struct json_in *in, const char *name, char **out)
{
	const char *s = NULL;

	json_get_str(in, name, MANIFEST_NAME_MAX_BYTES, &s);
	if (in->failed)
		return;
	if (!file_name_is_safe(s)) {
		json_in_fail(in, name, "not a safe name");
		return;
	}
	*out = strdup(s);
	if (!*out) {
		err_sys(in->e, "%s", name);
		in->failed = true;
	}
}

static void get_version(struct json_in *in, const char *name, struct version *out)
{
	const char *s = NULL;
	struct err why;

	json_get_str(in, name, VERSION_BYTES - 1, &s);
	if (!in->failed && version_parse(s, out, &why) < 0)
		json_in_fail(in, name, "%s", why.msg);
}

/* json_get_each() takes arrays as well, whose elements have no name: a parser that needs names asks first. */
static void require_object(struct json_in *in, const char *name)
{
	if (!in->failed && !json_is_object(json_object_get(in->obj, name)))
		json_in_fail(in, name, "not an object");
}

static int parse_wave(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct manifest_update *u = ctx;
	struct manifest_wave w = { 0 };
	uint64_t seed;
	const char *time;

	if (!num_parse_u64(name, 0, MANIFEST_WAVES_MAX - 1, &seed))
		return bad(path, e, "a wave's seed is a number from 0 to 2048");
	time = json_str_value(value, 64, path, e);
	if (!time)
		return -1;
	if (!datetime_parse(time, strlen(time), &w.start_sec))
		return bad(path, e, "not an RFC 3339 time");
	if (manifest_grow(&u->waves, u->n_waves, sizeof(*u->waves), e) < 0)
		return -1;
	w.start_seed = (uint32_t)seed; /* at most 2048 */
	u->waves[u->n_waves++] = w;
	return 0;
}

static int compare_waves(const void *a, const void *b)
{
	const struct manifest_wave *x = a, *y = b;

	return x->start_seed < y->start_seed ? -1 : x->start_seed > y->start_seed;
}

/* "0" and "00" are different members and the same seed. */
static void sort_waves(struct json_in *in, struct manifest_update *u)
{
	if (u->n_waves)
		qsort(u->waves, u->n_waves, sizeof(*u->waves), compare_waves);
	for (size_t i = 1; i < u->n_waves; i++)
		if (u->waves[i].start_seed == u->waves[i - 1].start_seed)
			json_in_fail(in, "waves", "seed %u twice", (unsigned)u->waves[i].start_seed);
}

static void parse_images(struct json_in *in, struct manifest_update *u)
{
	struct json_in images = json_get_object(in, "images");

	for (size_t i = 0; i < PART_N_ROLES; i++)
		get_name(&images, part_role_name((enum part_role)i), &u->images[i]);
	json_in_join(in, &images);
}

static void parse_ours(struct json_in *in, struct manifest_update *u)
{
	struct json_in verity = json_opt_object(in, "verity"), sizes = json_opt_object(in, "sizes");

	if (verity.obj) {
		verity_json_get(&verity, &u->verity, &u->root_hash);
		u->has_verity = true;
	}
	json_in_join(in, &verity);
	if (sizes.obj) {
		for (size_t i = 0; i < PART_N_ROLES; i++)
			json_get_u64(&sizes, part_role_name((enum part_role)i), 1, INT64_MAX, &u->sizes[i]);
		u->has_sizes = true;
	}
	json_in_join(in, &sizes);
}

static int parse_update(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct manifest *m = ctx;
	struct json_in in = json_in_object(value, path, e);
	struct manifest_update u = { 0 };

	(void)name;
	get_name(&in, "variant", &u.variant);
	get_name(&in, "arch", &u.arch);
	get_version(&in, "version", &u.version);
	get_version(&in, "max_version", &u.max_version);
	require_object(&in, "waves");
	json_get_each(&in, "waves", MANIFEST_WAVES_MAX, parse_wave, &u);
	if (!in.failed)
		sort_waves(&in, &u);
	parse_images(&in, &u);
	parse_ours(&in, &u);
	if (json_in_end(&in) < 0 || manifest_grow(&m->updates, m->n_updates, sizeof(*m->updates), e) < 0) {
		manifest_update_fini(&u);
		return -1;
	}
	m->updates[m->n_updates++] = u;
	return 0;
}

/* One version of @n bytes at @s. */
static bool parse_version_n(const char *s, size_t n, struct version *out)
{
	char text[VERSION_BYTES];
	struct err why;

	if (n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	return version_parse(text, out, &why) == 0;
}

/* "(FROM, TO)": any number of blanks behind the comma, none elsewhere. */
static bool parse_tuple(const char *s, struct version *from, struct version *to)
{
	const size_t n = strlen(s);
	const char *comma = strchr(s, ','), *second;

	if (n < 2 || s[0] != '(' || s[n - 1] != ')' || !comma)
		return false;
	second = comma + 1;
	second += strspn(second, " ");
	return parse_version_n(s + 1, (size_t)(comma - s - 1), from) &&
	       parse_version_n(second, (size_t)(s + n - 1 - second), to);
}

static int parse_migration(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct manifest_step *s = ctx;

	(void)name;
	if (manifest_grow(&s->names, s->n_names, sizeof(*s->names), e) < 0 ||
	    parse_name(value, path, &s->names[s->n_names], e) < 0)
		return -1;
	s->n_names++;
	return 0;
}

/* The names of one step: a cursor on the array itself. */
static int parse_names(struct manifest_step *s, json_t *value, const char *path, struct err *e)
{
	struct json_in in = { .obj = value, .e = e };

	snprintf(in.path, sizeof(in.path), "%s", path);
	json_get_each(&in, NULL, MANIFEST_MIGRATIONS_MAX, parse_migration, s);
	return json_in_end(&in);
}

static int parse_step(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct manifest *m = ctx;
	struct manifest_step s = { 0 };

	if (!parse_tuple(name, &s.from, &s.to))
		return bad(path, e, "a step is \"(VERSION, VERSION)\"");
	if (!json_is_array(value))
		return bad(path, e, "not an array");
	if (parse_names(&s, value, path, e) < 0 || manifest_grow(&m->steps, m->n_steps, sizeof(*m->steps), e) < 0) {
		manifest_step_fini(&s);
		return -1;
	}
	m->steps[m->n_steps++] = s;
	return 0;
}

static void sort_steps(struct json_in *in, struct manifest *m)
{
	if (m->n_steps)
		qsort(m->steps, m->n_steps, sizeof(*m->steps), manifest_step_compare);
	for (size_t i = 1; i < m->n_steps; i++)
		if (manifest_step_compare(&m->steps[i - 1], &m->steps[i]) == 0)
			json_in_fail(in, "migrations", "(%s, %s) twice", m->steps[i].from.text, m->steps[i].to.text);
}

int manifest_parse(struct bytes json, struct manifest **out, struct err *e)
{
	CLEANUP(manifest_free_p) struct manifest *m = NULL;
	CLEANUP(json_decref_p) json_t *root = NULL;
	struct json_in in;

	if (json.n > MANIFEST_MAX_BYTES)
		return err_set(e, ERR_FORMAT, "limit", "manifest: larger than %u bytes", MANIFEST_MAX_BYTES);
	if (json_load_bytes(json, &root, e) < 0)
		return err_wrap(e, "manifest");
	if (manifest_new(&m, e) < 0)
		return -1;
	in = json_in_object(root, "manifest", e);
	if (!in.failed && !json_is_array(json_object_get(root, "updates")))
		json_in_fail(&in, "updates", "not an array");
	require_object(&in, "migrations");
	json_get_each(&in, "updates", MANIFEST_UPDATES_MAX, parse_update, m);
	json_get_each(&in, "migrations", MANIFEST_MIGRATIONS_MAX, parse_step, m);
	if (!in.failed)
		sort_steps(&in, m);
	if (json_in_end(&in) < 0)
		return -1;
	*out = TAKE(m);
	return 0;
}
