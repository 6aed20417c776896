/*
 * bootsim: what the boot selector would do with a disk, without booting it. It is the same core
 * (partitions/gptcore.h) in the same order: load, choose, count the try down, commit. So a release engineer sees
 * on an image file which set starts, how often a set is tried, and when the other takes over.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/cli.h"
#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "partitions/disk.h"
#include "partitions/table.h"

struct options {
	bool json, dry_run;
	const char *boot_type;
	uint8_t type[GPT_GUID_BYTES];
};

struct choice {
	uint32_t entry;
	char set; /* 'A', 'B', ...: which of the boot partitions, in order of entries */
	struct gpt_bits before, after;
};

static struct gpt_bits bits_of(const struct gpt *g, uint32_t i)
{
	struct gpt_entry entry = { 0 };

	(void)gpt_entry(g, i, &entry);
	return gpt_bits_of(entry.attributes);
}

static int choose(const struct options *o, const char *path, struct gpt *g, struct choice *out, struct err *e)
{
	struct choice c = { .set = 'A' };
	uint32_t n_boot = 0;

	for (uint32_t i = 0; i < g->n_entries; i++)
		n_boot += gpt_entry_is(g, i, o->type);
	if (!n_boot)
		return err_set(e, ERR_FORMAT, PART_E_SETS, "%s has no boot partition", path);
	/* More than two are the selector's own affair; here their letters would run out. */
	if (n_boot > 26)
		return err_set(e, ERR_FORMAT, PART_E_SETS, "%s has %" PRIu32 " boot partitions", path, n_boot);
	if (gpt_choose(g, o->type, &c.entry) != GPT_OK)
		return err_set(e, ERR_MISSING, "no-boot", "%s: no set may boot", path);
	for (uint32_t i = 0; i < c.entry; i++)
		c.set = (char)(c.set + gpt_entry_is(g, i, o->type));
	c.before = bits_of(g, c.entry);
	(void)gpt_count_down(g, c.entry);
	c.after = bits_of(g, c.entry);
	*out = c;
	return 0;
}

static int print(const struct options *o, const struct choice *c, struct err *e)
{
	CLEANUP(json_decref_p) json_t *j = NULL;

	if (!o->json) {
		printf("booting set %c (priority %u, tries left %u%s)\n", c->set, c->after.priority, c->after.tries_left,
		       c->after.successful ? ", successful" : "");
		return 0;
	}
	j = json_pack("{s:s#, s:i, s:i, s:i, s:i, s:b}", "set", &c->set, (size_t)1, "partition", (int)c->entry + 1, "priority",
		      (int)c->after.priority, "tries_before", (int)c->before.tries_left, "tries_left", (int)c->after.tries_left,
		      "successful", (int)c->after.successful);
	return j ? json_print(j, stdout, e) : err_set(e, ERR_SYSTEM, NULL, "out of memory");
}

/* The selector holds the disk alone; here the lock does that. */
static int boot(const struct options *o, struct part_disk *d, struct gpt *g, struct err *e)
{
	struct choice c;

	if (part_disk_load(d, g, e) < 0)
		return -1;
	part_disk_warn(d, g);
	if (choose(o, part_disk_path(d), g, &c, e) < 0 || (!o->dry_run && part_disk_commit(d, g, e) < 0))
		return -1;
	return print(o, &c, e);
}

static int run(void *ctx, int argc, char **argv, struct err *e)
{
	struct options *o = (struct options *)ctx;
	CLEANUP(part_disk_free_p) struct part_disk *d = NULL;
	CLEANUP(free_p) struct gpt *g = (struct gpt *)malloc(sizeof(*g));

	(void)argc;
	if (!g)
		return err_sys(e, "loading the partition table");
	for (size_t i = 0; i < sizeof(o->type); i++)
		o->type[i] = part_types_bottlerocket.role[PART_BOOT][i];
	if (o->boot_type && !part_guid_parse(o->boot_type, o->type))
		return err_set(e, ERR_USAGE, NULL, "--boot-type %s is no GUID", o->boot_type);
	if (part_disk_open(argv[0], &d, e) < 0 || (!o->dry_run && part_disk_lock(d, e) < 0))
		return -1;
	return boot(o, d, g, e);
}

int main(int argc, char **argv)
{
	struct options o = { .json = false };
	const struct cli_option options[] = {
		{ "boot-type", 0, CLI_STRING, &o.boot_type, "GUID", "type of boot partitions; default Bottlerocket's", NULL },
		{ "dry-run", 'n', CLI_FLAG, &o.dry_run, NULL, "do not write: no try is used up", NULL },
		{ "json", 'j', CLI_FLAG, &o.json, NULL, "the answer as a JSON document", NULL },
	};
	const struct cli_verb verbs[] = {
		{ "", "DISK", 1, 1, "Do to a disk or image file what the boot selector does at one boot.", run },
	};
	const struct cli_program program = {
		.name = "bootsim",
		.summary = "The boot selector's choice, offline.",
		.verbs = verbs,
		.n_verbs = ARRAY_LEN(verbs),
		.options = options,
		.n_options = ARRAY_LEN(options),
		.json = &o.json,
	};

	log_init("bootsim", LOG_INFO);
	return cli_main(&program, &o, argc, argv);
}
