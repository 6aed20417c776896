/*
 * Configuration: /etc/flipside/flipside.conf and the drop-ins in flipside.conf.d/, INI as in systemd units. One
 * table of keys serves the parser, the printing of what is in force, and the man page. Keys are named as in
 * updog.toml where that has them.
 *
 * A later file wins over an earlier one, key by key. An unknown key or section is a warning, a bad value an error
 * with file and line.
 */
#ifndef FLIPSIDE_UPDATER_CONFIG_H
#define FLIPSIDE_UPDATER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "partitions/table.h"
#include "updater/choice.h"

#define CONFIG_FILE "/etc/flipside/flipside.conf"
#define CONFIG_FILE_MAX_BYTES (64u * 1024)
#define CONFIG_LINE_MAX_BYTES 4000
#define CONFIG_DROPINS_MAX 256
#define CONFIG_E_CONFIG "config"

enum config_type {
	CONFIG_STRING,
	CONFIG_URLS,	 /* https://, http:// or file://; several mirrors' are separated by blanks */
	CONFIG_SIZE,	 /* bytes: "0", "65536", "500K", "2M", "1G" */
	CONFIG_PATH,	 /* absolute */
	CONFIG_BOOL,	 /* true, yes, on, 1; false, no, off, 0 */
	CONFIG_SEED,	 /* a number below 2^32; empty: from the machine id */
	CONFIG_DURATION, /* "30s", "2m", "1h", "500ms"; a bare number is seconds */
	CONFIG_LOCK,	 /* see version_lock_parse() */
	CONFIG_ACTIVE,	 /* auto, A, B */
	CONFIG_TYPES,	 /* bottlerocket, discoverable */
	CONFIG_WORKERS,	 /* a number from 1 to WORKERS_MAX; empty: by the CPUs */
	CONFIG_GUID,	 /* 8-4-4-4-12; empty: partition_types decides */
};

/* One key: what the parser, `config show` and the man page know. */
struct config_key {
	const char *section, *name;
	enum config_type type;
	bool may_be_empty;
	const char *preset; /* the default, as it would be written in the file */
	const char *help;	    /* one sentence */
	size_t offset;	    /* of the value in struct config; unused for the partition types, which are settled together */
};

#define CONFIG_N_KEYS 31
extern const struct config_key config_keys[CONFIG_N_KEYS];

struct config {
	/* [updates] */
	char *metadata_base_url, *targets_base_url; /* empty: not configured, see config_check_repository() */
	bool has_seed;
	uint32_t seed; /* only if has_seed; else config_seed() */
	struct version_lock version_lock;
	bool ignore_waves, enabled, send_query;
	/* [network] */
	char *https_proxy, *no_proxy, *ca_file; /* empty: none, the environment's or the system's */
	char *client_cert, *client_key;		/* empty: none, and in client_cert */
	uint64_t rate_limit;			/* bytes per second; 0: none */
	bool allow_http;
	uint32_t idle_timeout_ms, connect_timeout_ms;
	/* [host] */
	char *os_release, *disk; /* disk empty: the one under the running root file system */
	enum part_active active_set;
	struct part_types types; /* the preset with the single GUIDs put over it */
	char *trusted_root, *state_dir, *metadata_dir, *migrations_dir, *lock_file;
	unsigned int workers; /* 0: as many as workers_default() says */
	bool read_back;

	/* Where each value comes from, by position in config_keys: its text and "FILE:LINE", or "default". */
	struct config_origin {
		char *text, *where;
	} origins[CONFIG_N_KEYS];
	struct buf warnings; /* for the log: lines, each ends in a line feed; may be empty */
};

/**
 * config_load() - read the main file and its drop-ins
 * @path: main file; NULL: CONFIG_FILE, then every *.conf in CONFIG_FILE.d in the byte order of names. A @path
 * that is given replaces
 *        both and must be there; CONFIG_FILE may be missing.
 * Return: 0 with *@out for the caller to config_free(); -1: ERR_FORMAT CONFIG_E_CONFIG ("FILE:LINE: KEY: RULE"),
 * ERR_MISSING, ERR_SYSTEM
 */
int config_load(const char *path, struct config **out, struct err *e);

/* The same with the main file (may be missing) and folder of drop-ins (may be missing) given; for tests and
 * images mounted elsewhere. */
int config_load_from(const char *main_path, const char *dropin_dir, struct config **out, struct err *e);

/* One text over the defaults; @file names it in messages. */
int config_parse(struct bytes text, const char *file, struct config **out, struct err *e);

void config_free(struct config *c);
DEFINE_CLEANUP(struct config, config_free);

/* Every key with its value in force and its origin as a comment, as an INI text. */
int config_print(const struct config *c, struct buf *out, struct err *e);

/*
 * Both base URLs are there, of as many mirrors, and none is plain http unless that is allowed. ERR_FORMAT
 * CONFIG_E_CONFIG naming the key.
 */
int config_check_repository(const struct config *c, struct err *e);

/* The configured seed, else config_seed_of_machine() of the file @machine_id_path ("/etc/machine-id"). Return: 0; -1 */
int config_seed(const struct config *c, const char *machine_id_path, uint32_t *out, struct err *e);

/* Pure: the first 8 bytes, big-endian, of the SHA-256 of the id's 32 lower-case hex digits, modulo 2048.
 * ERR_FORMAT for another form. */
int config_seed_of_machine(const char *machine_id, uint32_t *out, struct err *e);

#endif
