/*
 * tufclient: a TUF client for the shell. Every failure ends with status 1, whatever its kind: scripts and test
 * suites that drive TUF clients of several makers know only done and failed.
 */
#include "tuf/tufclient.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/datetime.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "tuf/role.h"

#define RETRIES 3
#define URLS_MAX_BYTES (TUF_FETCH_URL_MAX_BYTES * CLI_STRINGS_MAX)

volatile sig_atomic_t stop_requested;

static void on_signal(int number)
{
	(void)number;
	stop_requested = 1;
}

int reference_time(const struct options *o, int64_t *out, struct err *e)
{
	if (!o->time)
		*out = time(NULL);
	else if (!datetime_parse(o->time, strlen(o->time), out))
		return err_set(e, ERR_USAGE, "time", "--time %s: not an RFC 3339 time", o->time);
	return 0;
}

int start_log(const struct options *o, struct err *e)
{
	enum log_level level = o->quiet ? LOG_ERROR : LOG_WARN;

	if (o->log_level && !log_parse_level(o->log_level, &level))
		return err_set(e, ERR_USAGE, "log-level", "--log-level %s: not a level", o->log_level);
	log_init("tufclient", level);
	return 0;
}

/* As one text, with blanks between; NULL if there is none. */
static int join(const struct cli_strings *in, struct buf *text, const char **out, struct err *e)
{
	for (size_t i = 0; i < in->n; i++)
		if (buf_printf(text, e, "%s%s", i ? " " : "", in->v[i]) < 0)
			return err_wrap(e, "URLs");
	*out = in->n ? buf_str(text, e) : NULL;
	return in->n && !*out ? -1 : 0;
}

int open_client(const struct options *o, struct bytes root, struct tuf_client **out, struct err *e)
{
	const struct tuf_fetch_options fetch = {
		.user_agent = "flipside-tufclient/" FLIPSIDE_VERSION,
		.ca_file = o->ca_file,
		.allow_http = !o->https_only,
		.retries = RETRIES,
		.jitter_seed = (uint64_t)time(NULL),
		.stop = &stop_requested,
	};
	struct buf metadata_urls = BUF_INIT(URLS_MAX_BYTES), targets_urls = BUF_INIT(URLS_MAX_BYTES);
	struct tuf_client_config config = {
		.store_dir = o->metadata_dir,
		.trusted_root = root,
		.fetch = &fetch,
	};
	int r = -1;

	if (!o->metadata_dir)
		return err_set(e, ERR_USAGE, "option", "--metadata-dir is missing");
	if (start_log(o, e) < 0 || reference_time(o, &config.now_sec, e) < 0)
		return -1;
	if (join(&o->metadata_urls, &metadata_urls, &config.metadata_url, e) == 0 &&
	    join(&o->target_base_urls, &targets_urls, &config.targets_url, e) == 0)
		r = tuf_client_open(&config, out, e);
	buf_fini(&metadata_urls);
	buf_fini(&targets_urls);
	return r;
}

int answer(const struct options *o, json_t *j, const char *text, struct err *e)
{
	int r = 0;

	if (!j)
		return err_set(e, ERR_SYSTEM, "memory", "out of memory");
	if (o->json)
		r = json_print(j, stdout, e);
	else if (!o->quiet && (fputs(text, stdout) < 0 || fflush(stdout) != 0))
		r = err_sys(e, "writing the answer");
	json_decref(j);
	return r;
}

bool is_out_of_memory(const struct err *e)
{
	return e->kind == ERR_SYSTEM && (e->sys == ENOMEM || (e->reason && strcmp(e->reason, "memory") == 0));
}

json_t *json_of_trust(const struct tuf_client *c)
{
	const struct tuf_trust t = tuf_client_trust(c);
	char expires[DATETIME_BYTES];

	datetime_format(t.earliest_expiry_sec, expires);
	return json_pack("{s:I, s:I, s:I, s:I, s:s}", "root_version", (json_int_t)t.root_version, "timestamp_version",
			 (json_int_t)t.timestamp_version, "snapshot_version", (json_int_t)t.snapshot_version,
			 "targets_version", (json_int_t)t.targets_version, "expires", expires);
}

static int init_with(const struct options *o, struct bytes root, const char *name, struct err *e)
{
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *given = NULL;
	char text[80];

	/* Opening would pass over a bad root where the store has a good one; who gives one wants to know. */
	if (tuf_trusted_new(root, 0, TUF_EXPIRY_IGNORED, &given, e) < 0)
		return err_wrap(e, "%s", name);
	if (open_client(o, root, &c, e) < 0)
		return -1;
	const uint64_t version = tuf_client_trust(c).root_version;

	snprintf(text, sizeof(text), "root %" PRIu64 " is trusted\n", version);
	return answer(o, json_pack("{s:I}", "root_version", (json_int_t)version), text, e);
}

static int run_init(void *ctx, int argc, char **argv, struct err *e)
{
	const struct options *o = (const struct options *)ctx;
	struct buf root = BUF_INIT(TUF_ROOT_MAX_BYTES);
	int r = file_read(AT_FDCWD, argv[0], &root, e);

	(void)argc;
	if (r == 0)
		r = init_with(o, buf_bytes(&root), argv[0], e);
	buf_fini(&root);
	return r;
}

static int run_refresh(void *ctx, int argc, char **argv, struct err *e)
{
	const struct options *o = (const struct options *)ctx;
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
	char expires[DATETIME_BYTES], text[200];

	(void)argc;
	(void)argv;
	if (open_client(o, (struct bytes){ 0 }, &c, e) < 0 || tuf_client_refresh(c, e) < 0)
		return -1;
	const struct tuf_trust t = tuf_client_trust(c);

	datetime_format(t.earliest_expiry_sec, expires);
	snprintf(text, sizeof(text),
		 "root %" PRIu64 ", timestamp %" PRIu64 ", snapshot %" PRIu64 ", targets %" PRIu64 ", good until %s\n",
		 t.root_version, t.timestamp_version, t.snapshot_version, t.targets_version, expires);
	return answer(o, json_of_trust(c), text, e);
}

static const struct cli_verb verbs[] = {
	{ "init", "ROOT", 1, 1, "Trust a root.json, and keep it in the metadata folder.", run_init },
	{ "refresh", "", 0, 0, "Update root, timestamp, snapshot and targets metadata.", run_refresh },
	{ "download", "", 0, 0, "Refresh, then fetch and verify targets.", run_download },
	{ "info", "", 0, 0, "Show the stored roles: versions, expiry, keys, thresholds.", run_info },
	{ "list", "", 0, 0, "Show the targets and delegations of the stored metadata.", run_list },
	{ "verify", "REPO", 1, 1, "Check a whole repository folder: all metadata, all targets.", run_verify },
};

int main(int argc, char **argv)
{
	struct options o = { 0 };
	const struct cli_option options[] = {
		{ "metadata-dir", 0, CLI_STRING, &o.metadata_dir, "DIR", "folder of trusted metadata", NULL },
		{ "metadata-url", 0, CLI_STRINGS, &o.metadata_urls, "URL", "where metadata is fetched from; mirrors: repeatable", NULL },
		{ "target-name", 0, CLI_STRINGS, &o.target_names, "PATH", "a target to download; repeatable", NULL },
		{ "target-dir", 0, CLI_STRING, &o.target_dir, "DIR", "folder for downloaded targets", NULL },
		{ "target-base-url", 0, CLI_STRINGS, &o.target_base_urls, "URL", "where targets are fetched from; repeatable", NULL },
		{ "root", 0, CLI_STRING, &o.root, "FILE", "root to trust, in place of the first one", "verify" },
		{ "time", 0, CLI_STRING, &o.time, "RFC3339", "take this for the present time", NULL },
		{ "ca-file", 0, CLI_STRING, &o.ca_file, "PEM", "certificates to trust for https", NULL },
		{ "https-only", 0, CLI_FLAG, &o.https_only, NULL, "refuse plain http", NULL },
		{ "json", 0, CLI_FLAG, &o.json, NULL, "answer in JSON", NULL },
		{ "quiet", 'q', CLI_FLAG, &o.quiet, NULL, "say nothing but errors", NULL },
		{ "log-level", 0, CLI_STRING, &o.log_level, "LEVEL", "error, warn, info, debug or trace", NULL },
	};
	const struct cli_program program = {
		.name = "tufclient",
		.summary = "Update from a TUF repository: trusted metadata and verified targets.",
		.verbs = verbs,
		.n_verbs = ARRAY_LEN(verbs),
		.options = options,
		.n_options = ARRAY_LEN(options),
		.json = &o.json,
	};
	const struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	return cli_main(&program, &o, argc, argv) == 0 && !o.found_failures ? 0 : 1;
}
