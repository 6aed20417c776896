/*
 * The status document's form. Writing and reading are kept side by side, member by member, in the document's
 * order; what an orchestrator reads and what we read back is the same text.
 */
#include "updater/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/datetime.h"
#include "base/num.h"

#define NANOTIME_BYTES (DATETIME_BYTES + 10) /* ".123456789" */
#define AVAILABLE_MAX 4096

static const char *const result_names[] = {
	[STATUS_SUCCESS] = "Success", [STATUS_FAILED] = "Failed", [STATUS_UNKNOWN] = "Unknown"
};

/* "2026-03-02T09:15:00.123456789Z" */
static void nanotime_format(int64_t sec, uint32_t nsec, char out[NANOTIME_BYTES])
{
	char whole[DATETIME_BYTES];

	datetime_format(sec, whole);
	snprintf(out, NANOTIME_BYTES, "%.*s.%09" PRIu32 "Z", DATETIME_BYTES - 2, whole, nsec % 1000000000u);
}

/* Exactly the form above; any other RFC 3339 time has no nanoseconds for us. */
static bool nanotime_parse(const char *s, int64_t *sec, uint32_t *nsec)
{
	const size_t n = strlen(s), dot = DATETIME_BYTES - 2;
	uint64_t v = 0;

	if (!datetime_parse(s, n, sec))
		return false;
	if (n == NANOTIME_BYTES - 1 && s[dot] == '.' && s[n - 1] == 'Z' &&
	    !num_parse_u64_n(s + dot + 1, 9, 0, 999999999, &v))
		return false;
	*nsec = (uint32_t)v; /* below 10^9 */
	return true;
}

static json_t *available_of(const struct status *s)
{
	CLEANUP(json_decref_p) json_t *list = json_array();

	for (size_t i = 0; list && i < s->n_available; i++)
		if (json_array_append_new(list, json_string(s->available[i].text)) < 0)
			return NULL;
	return TAKE(list);
}

static json_t *partition_of(const struct status_partition *p)
{
	if (!p->known)
		return json_null();
	return json_pack("{s:o, s:b}", "image", upd_image_to_json(&p->image), "next_to_boot", p->next_to_boot);
}

static json_t *command_of(const struct status_command *c)
{
	char time[NANOTIME_BYTES];

	if (!c->known)
		return json_null();
	nanotime_format(c->at_sec, c->at_nsec, time);
	return json_pack("{s:s, s:s, s:s, s:o, s:s?}", "cmd_type", upd_command_name(c->type), "cmd_status",
			 result_names[c->result], "timestamp", time, "exit_status",
			 c->has_exit_status ? json_integer(c->exit_status) : json_null(), "stderr", c->text);
}

json_t *status_to_json(const struct status *s, struct err *e)
{
	CLEANUP(json_decref_p)
	json_t *j = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "update_state", upd_state_name(s->state), "available_updates",
			      available_of(s), "chosen_update", s->has_chosen ? upd_image_to_json(&s->chosen) : json_null(),
			      "active_partition", partition_of(&s->active), "staging_partition", partition_of(&s->staging),
			      "most_recent_command", command_of(&s->command));

	if (!j || (s->has_staged && json_object_set_new(j, "staged_image", staged_to_json(&s->staged)) < 0)) {
		err_set(e, ERR_SYSTEM, "memory", "writing the status: out of memory");
		return NULL;
	}
	return TAKE(j);
}

/* A member that may be null but must be there; NULL stands for null. -1 if it is missing. */
static int get_nullable(json_t *obj, const char *name, json_t **out, struct err *e)
{
	json_t *j = json_object_get(obj, name);

	if (!j)
		return err_set(e, ERR_FORMAT, "missing", "%s: missing", name);
	*out = json_is_null(j) ? NULL : j;
	return 0;
}

struct version_list {
	struct version v[AVAILABLE_MAX];
	size_t n;
};

static int parse_available(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct version_list *l = ctx;
	const char *s = json_str_value(value, VERSION_BYTES - 1, path, e);

	(void)name;
	if (!s || version_parse(s, &l->v[l->n], e) < 0)
		return -1;
	l->n++;
	return 0;
}

static int read_available(struct json_in *in, struct status *s)
{
	CLEANUP(free_p) struct version_list *l = calloc(1, sizeof(*l));

	if (!l)
		return err_sys(in->e, "status");
	if (!json_is_array(json_object_get(in->obj, "available_updates")))
		json_in_fail(in, "available_updates", "not an array");
	json_get_each(in, "available_updates", AVAILABLE_MAX, parse_available, l);
	if (json_in_end(in) < 0)
		return -1;
	return status_set_available(s, l->v, l->n, in->e);
}

static int read_partition(json_t *obj, const char *name, struct status_partition *p, struct err *e)
{
	json_t *j = NULL;
	struct json_in in;

	if (get_nullable(obj, name, &j, e) < 0)
		return -1;
	if (!j)
		return 0;
	in = json_in_object(j, name, e);
	json_get_bool(&in, "next_to_boot", &p->next_to_boot);
	if (json_in_end(&in) < 0 || upd_image_from_json(json_object_get(j, "image"), name, &p->image, e) < 0)
		return -1;
	p->known = true;
	return 0;
}

static void get_result(struct json_in *in, enum status_result *out)
{
	const char *s = "";

	json_get_str(in, "cmd_status", 16, &s);
	if (in->failed)
		return;
	for (size_t i = 0; i < ARRAY_LEN(result_names); i++)
		if (strcmp(result_names[i], s) == 0) {
			*out = (enum status_result)i;
			return;
		}
	json_in_fail(in, "cmd_status", "not a result we know");
}

static void get_exit_status(struct json_in *in, struct status_command *c)
{
	json_t *j = json_object_get(in->obj, "exit_status");
	json_int_t v;

	if (in->failed || json_is_null(j))
		return;
	v = json_integer_value(j);
	if (!json_is_integer(j) || v < INT32_MIN || v > INT32_MAX) {
		json_in_fail(in, "exit_status", "not a small integer");
		return;
	}
	c->exit_status = (int)v; /* within int32 */
	c->has_exit_status = true;
}

static int read_command(json_t *obj, struct status_command *c, struct err *e)
{
	const char *type = "", *time = "", *text = NULL;
	struct json_in in;
	json_t *j = NULL;

	if (get_nullable(obj, "most_recent_command", &j, e) < 0)
		return -1;
	if (!j)
		return 0;
	in = json_in_object(j, "most_recent_command", e);
	json_get_str(&in, "cmd_type", 16, &type);
	if (!in.failed && !upd_command_parse(type, &c->type))
		json_in_fail(&in, "cmd_type", "not a command we know");
	get_result(&in, &c->result);
	json_get_str(&in, "timestamp", 64, &time);
	if (!in.failed && !nanotime_parse(time, &c->at_sec, &c->at_nsec))
		json_in_fail(&in, "timestamp", "not a time");
	get_exit_status(&in, c);
	if (!json_is_null(json_object_get(j, "stderr")))
		json_get_str(&in, "stderr", STATUS_STDERR_MAX_BYTES, &text);
	if (json_in_end(&in) < 0)
		return -1;
	c->text = text ? strdup(text) : NULL;
	if (text && !c->text)
		return err_sys(e, "status");
	c->known = true;
	return 0;
}

static int read_images(json_t *obj, struct status *s, struct err *e)
{
	json_t *chosen = NULL, *staged = json_object_get(obj, "staged_image");

	if (get_nullable(obj, "chosen_update", &chosen, e) < 0)
		return -1;
	if (chosen && upd_image_from_json(chosen, "chosen_update", &s->chosen, e) < 0)
		return -1;
	s->has_chosen = chosen != NULL;
	if (staged && staged_from_json(staged, "staged_image", &s->staged, e) < 0)
		return -1;
	s->has_staged = staged != NULL;
	return 0;
}

int status_parse(struct bytes json, struct status **out, struct err *e)
{
	CLEANUP(status_free_p) struct status *s = NULL;
	CLEANUP(json_decref_p) json_t *j = NULL;
	const char *state = "";
	struct json_in in;

	if (json.n > STATUS_MAX_BYTES)
		return err_set(e, ERR_FORMAT, "limit", "status: larger than %u bytes", STATUS_MAX_BYTES);
	if (json_load_bytes(json, &j, e) < 0 || status_new(&s, e) < 0)
		return -1;
	in = json_in_object(j, "status", e);
	json_get_str(&in, "update_state", 16, &state);
	if (!in.failed && !upd_state_parse(state, &s->state))
		json_in_fail(&in, "update_state", "not a state we know");
	if (json_in_end(&in) < 0 || read_available(&in, s) < 0 || read_images(j, s, e) < 0 ||
	    read_partition(j, "active_partition", &s->active, e) < 0 ||
	    read_partition(j, "staging_partition", &s->staging, e) < 0 || read_command(j, &s->command, e) < 0)
		return -1;
	*out = TAKE(s);
	return 0;
}
