/*
 * signpost: the boot bits by hand and from units. Words, preconditions and output are Bottlerocket's; every
 * change holds the lock that updates hold, so that no unit flips bits under an update's feet.
 */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/cli.h"
#include "base/log.h"
#include "base/num.h"
#include "updater/actions.h"
#include "updater/report.h"

#define LOCK_WAIT_MS 60000

static struct {
	const char *config, *log_level;
	bool json;
} options;

static int open_host(struct host **out, struct err *e)
{
	enum log_level level = LOG_INFO;

	if (options.log_level && !log_parse_level(options.log_level, &level))
		return err_set(e, ERR_USAGE, NULL, "--log-level: %s is none of error, warn, info, debug, trace", options.log_level);
	log_init("signpost", level);
	const struct host_options o = { .config_path = options.config, .now_sec = time(NULL) };

	return host_open(&o, out, e);
}

static int run_status(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;
	CLEANUP(part_table_free_p) struct part_table *t = NULL;

	if (open_host(&h, e) < 0 || host_open_table(h, &t, e) < 0)
		return -1;
	return options.json ? report_print_json(report_sets(t), e) : report_sets_lines(t);
}

static int run_has_boot_ever_succeeded(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;
	CLEANUP(part_table_free_p) struct part_table *t = NULL;

	if (open_host(&h, e) < 0 || host_open_table(h, &t, e) < 0)
		return -1;
	if (part_table_boot_ever_succeeded(t))
		puts("true");
	return 0;
}

static int change(int (*fn)(struct part_table *, struct err *), struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;
	CLEANUP(part_table_free_p) struct part_table *t = NULL;

	if (open_host(&h, e) < 0 || host_lock(h, LOCK_WAIT_MS, e) < 0 || host_open_table(h, &t, e) < 0)
		return -1;
	return fn(t, e);
}

static int run_mark_successful_boot(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;

	return open_host(&h, e) < 0 ? -1 : action_mark_successful(h, e);
}

/* The verbs that are one change of bits. */
#define CHANGE(name, fn)                                                                                               \
	static int name(void *ctx, int argc, char **argv, struct err *e)                                               \
	{                                                                                                              \
		return change(fn, e);                                                                                  \
	}
CHANGE(run_clear_inactive, part_table_clear_inactive)
CHANGE(run_mark_inactive_valid, part_table_mark_inactive_valid)
CHANGE(run_upgrade_to_inactive, part_table_upgrade_to_inactive)
CHANGE(run_cancel_upgrade, part_table_cancel_upgrade)
CHANGE(run_rollback_to_inactive, part_table_rollback_to_inactive)
CHANGE(run_rewrite_table, part_table_rewrite)

static const struct cli_verb verbs[] = {
	{ "status", "", 0, 0, "Show both partition sets, their bits, and which boots next.", run_status },
	{ "mark-successful-boot", "", 0, 0, "Say that the running set has booted well.", run_mark_successful_boot },
	{ "clear-inactive", "", 0, 0, "Take all bits from the inactive set: it cannot boot.", run_clear_inactive },
	{ "mark-inactive-valid", "", 0, 0, "Say that the inactive set holds a verified image: one try.", run_mark_inactive_valid },
	{ "upgrade-to-inactive", "", 0, 0, "Make the inactive set, never booted, next to boot.", run_upgrade_to_inactive },
	{ "cancel-upgrade", "", 0, 0, "Make the running set next to boot again.", run_cancel_upgrade },
	{ "rollback-to-inactive", "", 0, 0, "Go back to the inactive set, which has booted before.", run_rollback_to_inactive },
	{ "has-boot-ever-succeeded", "", 0, 0, "Print true if any boot was marked successful.", run_has_boot_ever_succeeded },
	{ "rewrite-table", "", 0, 0, "Write both copies of the partition table anew.", run_rewrite_table },
};

static const struct cli_option option_table[] = {
	{ "json", 'j', CLI_FLAG, &options.json, NULL, "print JSON", NULL },
	{ "log-level", 0, CLI_STRING, &options.log_level, "LEVEL", "error, warn, info (default), debug or trace", NULL },
	{ "config", 0, CLI_STRING, &options.config, "FILE", "in place of " CONFIG_FILE " and its drop-ins", NULL },
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "signpost",
		.summary = "Show and change the boot bits of the two partition sets.",
		.verbs = verbs,
		.n_verbs = ARRAY_LEN(verbs),
		.options = option_table,
		.n_options = ARRAY_LEN(option_table),
		.json = &options.json,
	};

	return cli_main(&program, NULL, argc, argv);
}
