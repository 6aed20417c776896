/* flipside-repo: what release engineers do with a repository. Verbs and options are tables; each verb is in a file of its own. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cli.h"
#include "base/log.h"
#include "base/num.h"
#include "tools/repo_cli.h"

static volatile sig_atomic_t stop_asked;

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

static void catch_signals(void)
{
	const struct sigaction ask = { .sa_handler = on_signal };
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGINT, &ask, NULL);
	sigaction(SIGTERM, &ask, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static struct repo_cli cli = {
	.thresholds = { 1, 1, 1, 1 },
	.stop = &stop_asked,
};

#define ARGS_MAX 256

static const struct cli_verb verbs[] = {
	{ "key new", "FILE", 1, 1, "Make a private key (PEM, mode 0600) and print its key id.", repo_key_new },
	{ "key show", "FILE", 1, 1, "Print the public part of a private key and its key id.", repo_key_show },
	{ "root init", "REPO", 1, 1, "Make a repository with its first root.", repo_root_init },
	{ "image add", "REPO", 1, 1, "Compress the images of a version and make their hash tree.", repo_image_add },
	{ "image remove", "REPO", 1, 1, "Forget the images of a version that are in the draft.", repo_image_remove },
	{ "update add", "REPO", 1, 1, "Offer a version whose images were added.", repo_update_add },
	{ "update remove", "REPO", 1, 1, "Offer a version no longer.", repo_update_remove },
	{ "update max-version", "REPO VERSION", 2, 2, "Set the highest version for updates.", repo_update_max_version },
	{ "migration add", "REPO [FILE...]", 1, ARGS_MAX, "Add the step between two versions.", repo_migration_add },
	{ "target add", "REPO FILE...", 2, ARGS_MAX, "Add other files.", repo_target_add },
	{ "publish", "REPO", 1, 1, "Sign the draft and make it what hosts see.", repo_publish },
	{ "serve", "REPO", 1, 1, "Serve a repository over HTTP, for demonstrations and tests.", repo_serve },
	{ "show", "REPO", 1, 1, "Tell what is published.", repo_show },
};

#define LOADS_KEYS "key root publish"
#define OF_VERSION "image update"

static const struct cli_option options[] = {
	{ "json", 'j', CLI_FLAG, &cli.json, NULL, "answer in JSON", NULL },
	{ "quiet", 'q', CLI_FLAG, &cli.quiet, NULL, "no progress", NULL },
	{ "verbose", 'v', CLI_FLAG, &cli.verbose, NULL, "say more", NULL },
	{ "now", 0, CLI_STRING, &cli.now, "TIME", "the time to go by, RFC 3339", NULL },
	{ "passphrase-file", 0, CLI_STRING, &cli.passphrase_file, "FILE", "the keys' passphrase", LOADS_KEYS },
	{ "type", 't', CLI_STRING, &cli.key_type, "TYPE", "ed25519, ecdsa or rsa", "key new" },
	{ "bits", 0, CLI_NUMBER, &cli.key_bits, "N", "of an RSA key", "key new" },
	{ "root-key", 0, CLI_STRINGS, &cli.keys[TUF_ROOT], "KEY", "private key of root", "root init" },
	{ "targets-key", 0, CLI_STRINGS, &cli.keys[TUF_TARGETS], "KEY", "private key of targets", "root init publish" },
	{ "snapshot-key", 0, CLI_STRINGS, &cli.keys[TUF_SNAPSHOT], "KEY", "private key of snapshot", "root init publish" },
	{ "timestamp-key", 0, CLI_STRINGS, &cli.keys[TUF_TIMESTAMP], "KEY", "private key of timestamp", "root init publish" },
	{ "root-threshold", 0, CLI_NUMBER, &cli.thresholds[TUF_ROOT], "N", "keys that root needs", "root init" },
	{ "targets-threshold", 0, CLI_NUMBER, &cli.thresholds[TUF_TARGETS], "N", "keys that targets needs", "root init" },
	{ "snapshot-threshold", 0, CLI_NUMBER, &cli.thresholds[TUF_SNAPSHOT], "N", "keys that snapshot needs", "root init" },
	{ "timestamp-threshold", 0, CLI_NUMBER, &cli.thresholds[TUF_TIMESTAMP], "N", "keys that timestamp needs", "root init" },
	{ "expires", 0, CLI_STRING, &cli.expires[TUF_ROOT], "TIME", "of root, or 'in 52 weeks'", "root init" },
	{ "expires-targets", 0, CLI_STRING, &cli.expires[TUF_TARGETS], "TIME", "or 'in 12 weeks'", "publish" },
	{ "expires-snapshot", 0, CLI_STRING, &cli.expires[TUF_SNAPSHOT], "TIME", "or 'in 2 weeks'", "publish" },
	{ "expires-timestamp", 0, CLI_STRING, &cli.expires[TUF_TIMESTAMP], "TIME", "or 'in 1 week'", "publish" },
	{ "name", 0, CLI_STRING, &cli.product, "NAME", "what target names begin with", "image add" },
	{ "variant", 0, CLI_STRING, &cli.variant, "NAME", "variant", OF_VERSION },
	{ "arch", 'a', CLI_STRING, &cli.arch, "NAME", "architecture", OF_VERSION },
	{ "version", 0, CLI_STRING, &cli.version, "VERSION", "version", "image add image remove update add update remove" },
	{ "max-version", 0, CLI_STRING, &cli.max_version, "VERSION", "the highest version for updates", "update add" },
	{ "root", 0, CLI_STRING, &cli.root_image, "FILE", "root file system image", "image add" },
	{ "boot", 0, CLI_STRING, &cli.boot_image, "FILE", "boot file system image", "image add" },
	{ "salt", 0, CLI_STRING, &cli.salt, "HEX", "of the hash tree; random if not given", "image add" },
	{ "uuid", 0, CLI_STRING, &cli.uuid, "UUID", "of the hash tree; random if not given", "image add" },
	{ "compress", 0, CLI_STRING, &cli.compress, "FORMAT", "zstd, xz, gzip, lz4 or none", "image add target add" },
	{ "level", 0, CLI_STRING, &cli.level, "N", "of compression", "image add target add" },
	{ "threads", 0, CLI_NUMBER, &cli.threads, "N", "for compression; all processors if not given", "image add target add" },
	{ "wave-policy", 0, CLI_STRING, &cli.wave_policy, "FILE", "waves; a file, or a policy's name", "update add" },
	{ "start-at", 0, CLI_STRING, &cli.start_at, "TIME", "start of the waves; now if not given", "update add" },
	{ "from", 0, CLI_STRING, &cli.from, "VERSION", "the older version", "migration add" },
	{ "to", 0, CLI_STRING, &cli.to, "VERSION", "the newer version", "migration add" },
	{ "listen", 0, CLI_STRING, &cli.listen, "ADDRESS", "127.0.0.1 if not given", "serve" },
	{ "port", 'p', CLI_NUMBER, &cli.port, "N", "0 or not given: any, printed", "serve" },
	{ "rate-limit", 0, CLI_NUMBER, &cli.rate_limit, "N", "bytes a second for each request", "serve" },
};

static const struct cli_program program = {
	.name = "flipside-repo",
	.summary = "Make, sign and serve update repositories.",
	.verbs = verbs,
	.n_verbs = ARRAY_LEN(verbs),
	.options = options,
	.n_options = ARRAY_LEN(options),
	.json = &cli.json,
};

/* Verbs take --version VERSION; alone it asks for the program's own, as everywhere. */
static bool asks_own_version(int argc, char **argv)
{
	return argc == 2 && strcmp(argv[1], "--version") == 0;
}

int main(int argc, char **argv)
{
	struct cli_program p = program;

	if (asks_own_version(argc, argv))
		p.n_options = 0;
	log_init("flipside-repo", LOG_INFO);
	catch_signals();
	return cli_main(&p, &cli, argc, argv);
}
