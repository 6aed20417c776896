/* One function for each answer. Names and numbers only; the sentences about failures are made where they happen. */
#include "updater/report.h"

#include <stdio.h>

#include "base/datetime.h"
#include "base/json.h"
#include "updater/manifest.h"

int report_print_json(json_t *j, struct err *e)
{
	CLEANUP(json_decref_p) json_t *owned = j;

	if (!owned)
		return err_set(e, ERR_SYSTEM, "memory", "printing JSON: out of memory");
	return json_print(owned, stdout, e);
}

json_t *report_applicable(const struct choice *c)
{
	CLEANUP(json_decref_p) json_t *all = json_array();

	for (size_t i = 0; all && i < c->n_verdicts; i++) {
		if (!choice_is_applicable(c->verdicts[i].reason))
			continue;
		json_t *update = manifest_update_to_json(c->verdicts[i].update);

		if (json_object_set_new(update, "reason", json_string(choice_reason_name(c->verdicts[i].reason))) < 0 ||
		    json_array_append(all, update) < 0) {
			json_decref(update);
			return NULL;
		}
		json_decref(update);
	}
	return TAKE(all);
}

json_t *report_history(const struct history_entry *h, size_t n)
{
	CLEANUP(json_decref_p) json_t *all = json_array();

	for (size_t i = 0; all && i < n; i++)
		if (json_array_append_new(all, history_entry_to_json(&h[i])) < 0)
			return NULL;
	return TAKE(all);
}

json_t *report_config(const struct config *c)
{
	CLEANUP(json_decref_p) json_t *all = json_object();

	for (size_t i = 0; all && i < CONFIG_N_KEYS; i++) {
		const struct config_key *k = &config_keys[i];

		if (!json_object_get(all, k->section) && json_object_set_new(all, k->section, json_object()) < 0)
			return NULL;
		if (json_object_set_new(json_object_get(all, k->section), k->name,
					json_pack("{s:s, s:s}", "value", c->origins[i].text, "from", c->origins[i].where)) < 0)
			return NULL;
	}
	return TAKE(all);
}

static json_t *set_to_json(const struct part_table *t, enum part_set s)
{
	const struct gpt_bits bits = part_table_bits(t, s);
	CLEANUP(json_decref_p)
	json_t *set = json_pack("{s:i, s:i, s:b}", "priority", bits.priority, "tries_left", bits.tries_left, "successful",
				bits.successful);

	for (enum part_role r = PART_BOOT; set && r < PART_N_ROLES; r++) {
		const struct part_range range = part_table_range(t, s, r);

		if (json_object_set_new(set, part_role_name(r),
					json_pack("{s:s, s:I, s:I}", "device", part_table_device(t, s, r), "offset",
						  (json_int_t)range.offset_bytes, "size", (json_int_t)range.size_bytes)) < 0)
			return NULL;
	}
	return TAKE(set);
}

json_t *report_sets(const struct part_table *t)
{
	enum part_set next;
	const char *next_name = part_table_next(t, &next) ? part_set_name(next) : NULL;

	return json_pack("{s:s, s:{s:o, s:o}, s:s, s:s?, s:b}", "disk", part_table_disk(t), "sets", "A",
			 set_to_json(t, PART_SET_A), "B", set_to_json(t, PART_SET_B), "active",
			 part_set_name(part_table_active(t)), "next", next_name, "boot_ever_succeeded",
			 part_table_boot_ever_succeeded(t));
}

int report_sets_lines(const struct part_table *t)
{
	enum part_set next;

	printf("OS disk: %s\n", part_table_disk(t));
	for (enum part_set s = PART_SET_A; s < PART_N_SETS; s++) {
		const struct gpt_bits bits = part_table_bits(t, s);

		printf("Set %s:   boot=%s root=%s hash=%s priority=%u tries_left=%u successful=%s\n", part_set_name(s),
		       part_table_device(t, s, PART_BOOT), part_table_device(t, s, PART_ROOT), part_table_device(t, s, PART_HASH),
		       bits.priority, bits.tries_left, bits.successful ? "true" : "false");
	}
	printf("Active:  Set %s\n", part_set_name(part_table_active(t)));
	if (part_table_next(t, &next))
		printf("Next:    Set %s\n", part_set_name(next));
	else
		printf("Next:    None\n");
	return 0;
}

int report_verdicts(const struct choice_input *in, const struct choice *c)
{
	char why[CHOICE_TEXT_BYTES];

	for (size_t i = 0; i < c->n_verdicts; i++) {
		const struct manifest_update *u = c->verdicts[i].update;

		choice_text(in, &c->verdicts[i], why);
		printf("%s %s %s: %s\n", u->variant, u->arch, u->version.text, why);
	}
	return 0;
}

static void print_partition(const char *label, const struct status_partition *p)
{
	if (p->known)
		printf("%-9s %s %s %s%s\n", label, p->image.variant, p->image.arch, p->image.version.text,
		       p->next_to_boot ? " (next to boot)" : "");
}

int report_status(const struct status *s)
{
	char at[DATETIME_BYTES];

	printf("State:    %s\n", upd_state_name(s->state));
	print_partition("Running:", &s->active);
	print_partition("Staged:", &s->staging);
	if (s->has_chosen)
		printf("Chosen:   %s %s %s\n", s->chosen.variant, s->chosen.arch, s->chosen.version.text);
	if (!s->command.known)
		return 0;
	datetime_format(s->command.at_sec, at);
	printf("Last:     %s at %s: %s\n", upd_command_name(s->command.type), at,
	       s->command.result == STATUS_SUCCESS ? "success" : "failed");
	if (s->command.result != STATUS_SUCCESS && s->command.text && s->command.text[0])
		printf("          %s\n", s->command.text);
	return 0;
}

int report_history_lines(const struct history_entry *h, size_t n)
{
	char at[DATETIME_BYTES];

	for (size_t i = 0; i < n; i++) {
		datetime_format(h[i].at_sec, at);
		printf("%s  %-10s", at, h[i].action);
		if (h[i].from[0])
			printf(" from %s", h[i].from);
		if (h[i].to[0])
			printf(" to %s", h[i].to);
		printf(": %s%s%s\n", h[i].ok ? "ok" : "failed", h[i].ok ? "" : ": ", h[i].ok ? "" : h[i].error_message);
	}
	return 0;
}
