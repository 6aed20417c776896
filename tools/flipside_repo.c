/* flipside-repo: what release engineers do with a repository. Verbs and options are tables; each verb is in a
 * file of its own. */
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
	.thresholds = { REPO_NOT_GIVEN, REPO_NOT_GIVEN, REPO_NOT_GIVEN, REPO_NOT_GIVEN },
	.stop = &stop_asked,
};

#define ARGS_MAX 256

static const struct cli_verb verbs[] = {
	{ "key new", "FILE", 1, 1, "Make a private key (PEM, mode 0600) and print its key id.", repo_key_new },
	{ "key show", "FILE", 1, 1, "Print the public part of a private key and its key id.", repo_key_show },
	{ "root init", "REPO", 1, 1, "Make a repository with its first root.", repo_root_init },
	{ "root rotate", "REPO", 1, 1, "Make the next root, unsigned, or edit it.", repo_root_rotate },
	{ "root sign", "FILE|REPO", 1, 1, "Add signatures to the next root.", repo_root_sign },
	{ "root merge", "FILE FILE...", 2, ARGS_MAX, "Put signatures made apart into the first file.", repo_merge },
	{ "root show", "FILE|REPO", 1, 1, "Tell a root's keys and who has signed it.", repo_root_show },
	{ "root publish", "REPO", 1, 1, "Make the next root what hosts follow.", repo_root_publish },
	{ "role prepare", "REPO", 1, 1, "Make the next file of a role for others to sign.", repo_role_prepare },
	{ "role sign", "FILE|REPO", 1, 1, "Add signatures to a role's next file.", repo_role_sign },
	{ "role merge", "FILE FILE...", 2, ARGS_MAX, "Put signatures made apart into the first file.", repo_merge },
	{ "delegation add", "REPO", 1, 1, "Let others sign for some targets.", repo_delegation_add },
	{ "delegation bins", "REPO", 1, 1, "Spread targets over hash bins.", repo_delegation_bins },
	{ "delegation remove", "REPO", 1, 1, "Delegate to a role no longer.", repo_delegation_remove },
	{ "delegation targets", "REPO", 1, 1, "Tell the delegations and their targets.", repo_delegation_targets },
	{ "image add", "REPO", 1, 1, "Compress the images of a version and make their hash tree.", repo_image_add },
	{ "image remove", "REPO", 1, 1, "Forget the images of a version that are in the draft.", repo_image_remove },
	{ "update add", "REPO", 1, 1, "Offer a version whose images were added.", repo_update_add },
	{ "update remove", "REPO", 1, 1, "Offer a version no longer.", repo_update_remove },
	{ "update max-version", "REPO VERSION", 2, 2, "Set the highest version for updates.", repo_update_max_version },
	{ "migration add", "REPO [FILE...]", 1, ARGS_MAX, "Add the step between two versions.", repo_migration_add },
	{ "target add", "REPO FILE...", 2, ARGS_MAX, "Add other files.", repo_target_add },
	{ "publish", "REPO", 1, 1, "Sign the draft and make it what hosts see.", repo_publish },
	{ "refresh", "REPO", 1, 1, "Sign a new timestamp, and nothing else.", repo_refresh },
	{ "clone", "OUT", 1, 1, "Mirror a repository, all of it verified.", repo_clone },
	{ "check", "[REPO]", 0, 1, "Tell what hosts will say, now and later, and find faults.", repo_check },
	{ "serve", "REPO", 1, 1, "Serve a repository over HTTP, for demonstrations and tests.", repo_serve },
	{ "show", "REPO", 1, 1, "Tell what is published.", repo_show },
};

#define LOADS_KEYS "key root role delegation publish refresh"
#define SIGNS_ONLINE "root init root publish publish refresh"
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
	{ "targets-key", 0, CLI_STRINGS, &cli.keys[TUF_TARGETS], "KEY", "private key of targets", "root init root publish publish role prepare" },
	{ "snapshot-key", 0, CLI_STRINGS, &cli.keys[TUF_SNAPSHOT], "KEY", "private key of snapshot", "root init root publish publish" },
	{ "timestamp-key", 0, CLI_STRINGS, &cli.keys[TUF_TIMESTAMP], "KEY", "private key of timestamp", SIGNS_ONLINE },
	{ "root-threshold", 0, CLI_NUMBER, &cli.thresholds[TUF_ROOT], "N", "keys that root needs", "root init root rotate" },
	{ "targets-threshold", 0, CLI_NUMBER, &cli.thresholds[TUF_TARGETS], "N", "keys that targets needs", "root init root rotate" },
	{ "snapshot-threshold", 0, CLI_NUMBER, &cli.thresholds[TUF_SNAPSHOT], "N", "keys that snapshot needs", "root init root rotate" },
	{ "timestamp-threshold", 0, CLI_NUMBER, &cli.thresholds[TUF_TIMESTAMP], "N", "keys that timestamp needs", "root init root rotate" },
	{ "expires", 0, CLI_STRING, &cli.expires[TUF_ROOT], "TIME", "of root, or 'in 52 weeks'", "root init root rotate" },
	{ "expires-targets", 0, CLI_STRING, &cli.expires[TUF_TARGETS], "TIME", "or 'in 12 weeks'", "publish root publish role prepare" },
	{ "expires-snapshot", 0, CLI_STRING, &cli.expires[TUF_SNAPSHOT], "TIME", "or 'in 2 weeks'", "publish root publish" },
	{ "expires-timestamp", 0, CLI_STRING, &cli.expires[TUF_TIMESTAMP], "TIME", "or 'in 1 week'", "publish root publish refresh" },
	{ "add-root-key", 0, CLI_STRINGS, &cli.add_keys[TUF_ROOT], "KEY", "a key more for root", "root rotate" },
	{ "remove-root-key", 0, CLI_STRINGS, &cli.remove_keys[TUF_ROOT], "KEYID", "a key less for root", "root rotate" },
	{ "add-targets-key", 0, CLI_STRINGS, &cli.add_keys[TUF_TARGETS], "KEY", "a key more for targets", "root rotate" },
	{ "remove-targets-key", 0, CLI_STRINGS, &cli.remove_keys[TUF_TARGETS], "KEYID", "a key less for targets", "root rotate" },
	{ "add-snapshot-key", 0, CLI_STRINGS, &cli.add_keys[TUF_SNAPSHOT], "KEY", "a key more for snapshot", "root rotate" },
	{ "remove-snapshot-key", 0, CLI_STRINGS, &cli.remove_keys[TUF_SNAPSHOT], "KEYID", "a key less for snapshot", "root rotate" },
	{ "add-timestamp-key", 0, CLI_STRINGS, &cli.add_keys[TUF_TIMESTAMP], "KEY", "a key more for timestamp", "root rotate" },
	{ "remove-timestamp-key", 0, CLI_STRINGS, &cli.remove_keys[TUF_TIMESTAMP], "KEYID", "a key less for timestamp", "root rotate" },
	{ "restart", 0, CLI_FLAG, &cli.restart, NULL, "begin with the published root again", "root rotate" },
	{ "key", 'k', CLI_STRINGS, &cli.signing_keys, "KEY", "private key to sign with", "root sign role sign" },
	{ "key", 'k', CLI_STRINGS, &cli.signing_keys, "KEY", "private key or its public part", "delegation add delegation bins" },
	{ "previous", 0, CLI_STRING, &cli.previous, "FILE", "the root before it", "root sign root show" },
	{ "role", 0, CLI_STRING, &cli.role, "NAME", "a delegated role instead of targets", "role prepare role sign" },
	{ "role", 0, CLI_STRING, &cli.role, "NAME", "a delegated role, or the prefix of hash bins", "target add" },
	{ "role-key", 0, CLI_STRINGS, &cli.role_keys, "NAME=KEY", "private key of a delegated role, or of hash bins", "publish root publish" },
	{ "extend", 0, CLI_FLAG, &cli.extend, NULL, "sign what is published again; leave the draft alone", "publish" },
	{ "name", 0, CLI_STRING, &cli.product, "NAME", "role's name; for bins their prefix, 'bin'", "delegation" },
	{ "threshold", 0, CLI_NUMBER, &cli.threshold, "N", "keys that the role needs; 1", "delegation add delegation bins" },
	{ "path", 0, CLI_STRINGS, &cli.paths, "PATTERN", "targets, by name", "delegation add" },
	{ "hash-prefix", 0, CLI_STRINGS, &cli.hash_prefixes, "HEX", "targets, by their names' SHA-256", "delegation add" },
	{ "terminating", 0, CLI_FLAG, &cli.terminating, NULL, "the search for its targets ends with it", "delegation add" },
	{ "bits", 0, CLI_NUMBER, &cli.bits, "N", "2^N bins; 1 to 12", "delegation bins" },
	{ "metadata-url", 0, CLI_STRING, &cli.metadata_url, "URL", "where metadata is", "clone check" },
	{ "targets-url", 0, CLI_STRING, &cli.targets_url, "URL", "where targets are", "clone check" },
	{ "root", 0, CLI_STRING, &cli.trusted_root, "FILE", "a root to trust", "clone check role sign" },
	{ "version", 0, CLI_STRINGS, &cli.versions, "VERSION", "only these versions' targets", "clone" },
	{ "metadata-only", 0, CLI_FLAG, &cli.metadata_only, NULL, "no targets", "clone" },
	{ "at", 0, CLI_STRING, &cli.at, "TIME", "a later time to check for, or 'in 2 weeks'", "check" },
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
	const int code = cli_main(&p, &cli, argc, argv);

	return code ? code : cli.verdict; /* a check that finds faults has not failed itself: its report is the answer */
}
