/*
 * What the verbs of flipside-repo share: the options as they were given, the time, and progress. A verb is one
 * function in a file of its own, and takes a struct repo_cli as its context.
 */
#ifndef FLIPSIDE_TOOLS_REPO_CLI_H
#define FLIPSIDE_TOOLS_REPO_CLI_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cli.h"
#include "base/err.h"
#include "base/progress.h"
#include "base/version.h"
#include "tuf/signed.h"

#define REPO_NOT_GIVEN UINT64_MAX

struct repo_cli {
	bool json, quiet, verbose;
	const char *now; /* RFC 3339 instead of the clock */
	const char *passphrase_file;
	/* key */
	const char *key_type;
	uint64_t key_bits;
	/* root init, publish */
	struct cli_strings keys[TUF_TYPES]; /* files or URIs of private keys */
	uint64_t thresholds[TUF_TYPES]; /* or REPO_NOT_GIVEN */
	const char *expires[TUF_TYPES];
	/* root rotate: files of keys, and key ids */
	struct cli_strings add_keys[TUF_TYPES], remove_keys[TUF_TYPES];
	bool restart;
	/* root sign, role ..., delegation ... */
	struct cli_strings signing_keys, paths, hash_prefixes;
	const char *previous; /* file of the root before */
	const char *role;     /* NULL: targets */
	uint64_t threshold;   /* 0: not given */
	uint64_t bits;
	bool terminating;
	/* publish */
	struct cli_strings role_keys; /* NAME=KEY */
	bool extend;
	/* clone, check */
	const char *metadata_url, *targets_url, *trusted_root;
	struct cli_strings versions;
	bool metadata_only;
	const char *at;
	int verdict; /* check: the exit code of the worst finding */
	/* image add, update ... */
	const char *product, *variant, *arch, *version, *max_version;
	const char *root_image, *boot_image;
	const char *salt, *uuid;
	const char *compress;
	const char *level;
	uint64_t threads;
	const char *wave_policy, *start_at;
	/* migration add */
	const char *from, *to;
	/* serve */
	const char *listen;
	uint64_t port;
	uint64_t rate_limit; /* bytes a second; 0: none */

	const volatile sig_atomic_t *stop; /* set by SIGINT and SIGTERM */
};

int repo_key_new(void *ctx, int argc, char **argv, struct err *e);
int repo_key_show(void *ctx, int argc, char **argv, struct err *e);
int repo_root_init(void *ctx, int argc, char **argv, struct err *e);
int repo_image_add(void *ctx, int argc, char **argv, struct err *e);
int repo_image_remove(void *ctx, int argc, char **argv, struct err *e);
int repo_update_add(void *ctx, int argc, char **argv, struct err *e);
int repo_update_remove(void *ctx, int argc, char **argv, struct err *e);
int repo_update_max_version(void *ctx, int argc, char **argv, struct err *e);
int repo_migration_add(void *ctx, int argc, char **argv, struct err *e);
int repo_target_add(void *ctx, int argc, char **argv, struct err *e);
int repo_root_rotate(void *ctx, int argc, char **argv, struct err *e);
int repo_root_sign(void *ctx, int argc, char **argv, struct err *e);
int repo_root_publish(void *ctx, int argc, char **argv, struct err *e);
int repo_root_show(void *ctx, int argc, char **argv, struct err *e);
int repo_role_prepare(void *ctx, int argc, char **argv, struct err *e);
int repo_role_sign(void *ctx, int argc, char **argv, struct err *e);
int repo_merge(void *ctx, int argc, char **argv, struct err *e);
int repo_delegation_add(void *ctx, int argc, char **argv, struct err *e);
int repo_delegation_bins(void *ctx, int argc, char **argv, struct err *e);
int repo_delegation_remove(void *ctx, int argc, char **argv, struct err *e);
int repo_delegation_targets(void *ctx, int argc, char **argv, struct err *e);
int repo_refresh(void *ctx, int argc, char **argv, struct err *e);
int repo_clone(void *ctx, int argc, char **argv, struct err *e);
int repo_check(void *ctx, int argc, char **argv, struct err *e);
int repo_publish(void *ctx, int argc, char **argv, struct err *e);
int repo_serve(void *ctx, int argc, char **argv, struct err *e);
int repo_show(void *ctx, int argc, char **argv, struct err *e);

/* The time of this run: --now, or the clock. ERR_USAGE */
int repo_cli_now(const struct repo_cli *c, int64_t *out_sec, struct err *e);

/* RFC 3339, or a span from @now_sec on ("in 2 weeks"), to whole seconds. @option names it in messages. ERR_USAGE */
int repo_cli_time(const char *option, const char *s, int64_t now_sec, int64_t *out_sec, struct err *e);

/* An option that the verb cannot do without. ERR_USAGE when it was not given or is empty. */
int repo_cli_need(const char *option, const char *value, struct err *e);

/* A semantic version, with or without a leading 'v'. ERR_USAGE */
int repo_cli_version(const char *option, const char *s, struct version *out, struct err *e);

/* Progress on stderr unless --quiet. */
void repo_cli_progress(const struct repo_cli *c, struct progress *p);

/* "root-key", "targets-key", ...: the option that gives the keys of a role. */
const char *repo_cli_key_option(enum tuf_type type);

#endif
