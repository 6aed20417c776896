/*
 * flipside: the operator's command line. It reads options, runs one action and prints its answer; what an update
 * is and when it is allowed is decided in actions.c. Words, options and outputs are updog's where that has them.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "updater/actions.h"
#include "updater/history.h"
#include "updater/report.h"

#define HISTORY_SHOWN 20
#define CONFIG_TEXT_MAX_BYTES (1024u * 1024)

struct options {
	const char *config, *log_level, *image;
	struct version version; /* of --image */
	struct outlook_request request;
	bool json, all, reboot, quiet;
	uint64_t lines;
};

static volatile sig_atomic_t stopped;
static struct options options = { .lines = HISTORY_SHOWN };
static struct progress progress;

static void on_signal(int sig)
{
	(void)sig;
	stopped = 1;
}

static void catch_signals(void)
{
	const struct sigaction stop = { .sa_handler = on_signal };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static int open_host(struct host **out, struct err *e)
{
	enum log_level level = options.quiet ? LOG_ERROR : LOG_INFO;

	if (options.log_level && !log_parse_level(options.log_level, &level))
		return err_set(e, ERR_USAGE, NULL, "--log-level: %s is none of error, warn, info, debug, trace", options.log_level);
	log_init("flipside", level);
	if (options.image) {
		if (version_parse(options.image, &options.version, e) < 0)
			return err_set(e, ERR_USAGE, NULL, "--image: %s is no version", options.image);
		options.request.image = &options.version;
	}
	progress_init(&progress, stderr, options.quiet || options.json);
	const struct host_options o = {
		.config_path = options.config,
		.now_sec = time(NULL),
		.progress = &progress,
		.stop = &stopped,
	};

	return host_open(&o, out, e);
}

static int print_update(const struct manifest_update *u, struct err *e)
{
	if (options.json)
		return report_print_json(manifest_update_to_json(u), e);
	printf("%s %s\n", u->variant, u->version.text);
	return 0;
}

static int run_check(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;
	CLEANUP(outlook_free_p) struct outlook *o = NULL;

	if (open_host(&h, e) < 0 || action_refresh(h, &options.request, &o, e) < 0)
		return -1;
	if (options.all)
		return options.json ? report_print_json(report_applicable(&o->choice), e) : report_verdicts(&o->input, &o->choice);
	if (!o->choice.chosen)
		return outlook_nothing(o, e);
	return print_update(o->choice.chosen, e);
}

static int print_image(const char *done, const struct upd_image *image, struct err *e)
{
	if (options.json)
		return report_print_json(upd_image_to_json(image), e);
	printf("%s: %s %s\n", done, image->variant, image->version.text);
	return 0;
}

static int run_prepare(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;
	struct upd_image image;

	if (open_host(&h, e) < 0)
		return -1;
	const int ret = action_prepare(h, &options.request, &image, e);

	if (ret == ACTION_NOTHING) {
		log_info("no update required");
		return 0;
	}
	return ret < 0 ? -1 : print_image("Update prepared", &image, e);
}

/* ACTION_NOTHING, or 0 when the chosen version is staged. */
static int install(struct host *h, struct upd_image *image, struct err *e)
{
	const int ret = action_install(h, &options.request, image, e);

	if (ret == ACTION_NOTHING)
		log_info("no update required");
	if (ret == ACTION_ALREADY_STAGED) {
		log_info("%s is staged already", image->version.text);
		return 0;
	}
	return ret;
}

/* Asks systemd for a reboot, which stops services in order; the answer is its exit status. */
static int reboot_host(struct err *e)
{
	char *const argv[] = { (char[]){ "systemctl" }, (char[]){ "reboot" }, NULL };
	pid_t pid;
	int status;

	if ((errno = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ)) != 0)
		return err_sys(e, "running systemctl reboot");
	if (waitpid(pid, &status, 0) < 0)
		return err_sys(e, "waiting for systemctl");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, ERR_SYSTEM, "reboot", "systemctl reboot failed");
	return 0;
}

/* Tells what was done, and reboots if that was asked for too. */
static int finish(const char *done, const struct upd_image *image, struct err *e)
{
	if (print_image(done, image, e) < 0)
		return -1;
	return options.reboot ? reboot_host(e) : 0;
}

static int update(bool activate, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;
	struct upd_image image;

	if (open_host(&h, e) < 0)
		return -1;
	const int ret = install(h, &image, e);

	if (ret != 0)
		return ret < 0 ? -1 : 0;
	if (activate && action_activate(h, NULL, e) < 0)
		return -1;
	return finish(activate ? "Update applied" : "Update staged", &image, e);
}

static int run_update_image(void *ctx, int argc, char **argv, struct err *e)
{
	return update(false, e);
}

static int run_update(void *ctx, int argc, char **argv, struct err *e)
{
	return update(true, e);
}

static int run_update_apply(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;
	struct upd_image image;

	if (open_host(&h, e) < 0 || action_activate(h, &image, e) < 0)
		return -1;
	return finish("Update applied", &image, e);
}

static int run_update_revert(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;
	struct upd_image image;

	if (open_host(&h, e) < 0 || action_deactivate(h, &image, e) < 0)
		return -1;
	return print_image("Update taken back", &image, e);
}

static int run_status(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;
	CLEANUP(status_free_p) struct status *s = NULL;

	if (open_host(&h, e) < 0 || action_status(h, &s, e) < 0)
		return -1;
	return options.json ? report_print_json(status_to_json(s, e), e) : report_status(s);
}

static int run_history(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = NULL;
	CLEANUP(free_p) struct history_entry *entries = NULL;
	size_t n;

	if (open_host(&h, e) < 0 || history_read(h->state_dir, options.lines, &entries, &n, e) < 0)
		return -1;
	return options.json ? report_print_json(report_history(entries, n), e) : report_history_lines(entries, n);
}

static int run_config(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(config_free_p) struct config *c = NULL;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(CONFIG_TEXT_MAX_BYTES);

	if (config_load(options.config, &c, e) < 0)
		return -1;
	if (options.json)
		return report_print_json(report_config(c), e);
	if (config_print(c, &text, e) < 0)
		return -1;
	fwrite(text.p, 1, text.n, stdout);
	return 0;
}

static const struct cli_verb verbs[] = {
	{ "check-update", "", 0, 0, "Show the update that would be taken, or with --all every version and why.", run_check },
	{ "whats", "", 0, 0, "The same as check-update.", run_check },
	{ "prepare", "", 0, 0, "Fetch and check all that an update needs, short of writing it.", run_prepare },
	{ "update", "", 0, 0, "Install the update and make it next to boot.", run_update },
	{ "update-image", "", 0, 0, "Write the update to the inactive partition set and verify it there.", run_update_image },
	{ "update-apply", "", 0, 0, "Make the staged update next to boot; needs no network.", run_update_apply },
	{ "update-revert", "", 0, 0, "Take update-apply back; needs no network.", run_update_revert },
	{ "status", "", 0, 0, "Show the state of the update; needs no network.", run_status },
	{ "history", "", 0, 0, "Show what was done on this host, newest first.", run_history },
	{ "config", "", 0, 0, "Show the configuration in force, and where each value is from.", run_config },
};

#define LOOKING "check-update whats prepare update update-image"

static const struct cli_option option_table[] = {
	{ "image", 'i', CLI_STRING, &options.image, "VERSION", "exactly this version, up or down", LOOKING },
	{ "variant", 0, CLI_STRING, &options.request.variant, "VARIANT", "as if this host were of that variant", LOOKING },
	{ "ignore-waves", 'n', CLI_FLAG, &options.request.ignore_waves, NULL, "take an update before its wave opens", LOOKING },
	{ "now", 0, CLI_FLAG, &options.request.ignore_waves, NULL, "the same as --ignore-waves", LOOKING },
	{ "all", 'a', CLI_FLAG, &options.all, NULL, "every version in the repository, and why", "check-update whats" },
	{ "reboot", 'r', CLI_FLAG, &options.reboot, NULL, "reboot when done", "update update-apply" },
	{ "lines", 0, CLI_NUMBER, &options.lines, "N", "at most so many entries (default 20)", "history" },
	{ "json", 'j', CLI_FLAG, &options.json, NULL, "print JSON", NULL },
	{ "quiet", 'q', CLI_FLAG, &options.quiet, NULL, "no progress, errors only", NULL },
	{ "log-level", 0, CLI_STRING, &options.log_level, "LEVEL", "error, warn, info (default), debug or trace", NULL },
	{ "config", 0, CLI_STRING, &options.config, "FILE", "in place of " CONFIG_FILE " and its drop-ins", NULL },
};

int main(int argc, char **argv)
{
	static const struct cli_program program = {
		.name = "flipside",
		.summary = "Keep this host's operating system up to date as one verified image.",
		.verbs = verbs,
		.n_verbs = ARRAY_LEN(verbs),
		.options = option_table,
		.n_options = ARRAY_LEN(option_table),
		.json = &options.json,
	};

	catch_signals();
	return cli_main(&program, NULL, argc, argv);
}
