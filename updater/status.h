/*
 * The status document: what orchestrators read to follow an update, and the file it lives in between commands.
 *
 * From: bottlerocket-os API, GET /updates/status: six members that are always there, null where there is nothing.
 * Ours is "staged_image", and others ignore it.
 */
#ifndef FLIPSIDE_UPDATER_STATUS_H
#define FLIPSIDE_UPDATER_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/json.h"
#include "base/version.h"
#include "updater/staged.h"
#include "updater/state.h"

#define STATUS_FILE "status.json" /* in state_dir */
#define STATUS_MAX_BYTES (1024u * 1024)
#define STATUS_STDERR_MAX_BYTES (16u * 1024) /* of a command's commentary; longer ones lose their middle */

struct status_partition {
	bool known; /* false: null in the document */
	struct upd_image image;
	bool next_to_boot;
};

enum status_result { STATUS_SUCCESS, STATUS_FAILED, STATUS_UNKNOWN };

struct status_command {
	bool known; /* false: no command yet, null in the document */
	enum upd_command type;
	enum status_result result;
	int64_t at_sec;
	uint32_t at_nsec;
	bool has_exit_status;
	int exit_status;
	char *text; /* "stderr": owned by the status, or NULL */
};

struct status {
	enum upd_state state;
	struct version *available; /* highest first */
	size_t n_available;
	bool has_chosen;
	struct upd_image chosen;
	struct status_partition active, staging;
	struct status_command command;
	bool has_staged; /* ours: what vouches for the staging partition */
	struct staged_record staged;
};

/* Idle, and nothing else known. For the caller to status_free(). */
int status_new(struct status **out, struct err *e);
void status_free(struct status *s);
DEFINE_CLEANUP(struct status, status_free);

/* Copies the list. */
int status_set_available(struct status *s, const struct version *v, size_t n, struct err *e);

/* Records a command's end; @text is copied, cut in its middle beyond STATUS_STDERR_MAX_BYTES, made valid UTF-8. */
int status_set_command(struct status *s, enum upd_command type, enum status_result result, int64_t at_sec,
		       uint32_t at_nsec, int exit_status, const char *text, struct err *e);

/* The document; a new reference for the caller, NULL with *@e out of memory. */
json_t *status_to_json(const struct status *s, struct err *e);

/* Return: 0; -1 ERR_FORMAT */
int status_parse(struct bytes json, struct status **out, struct err *e);

/**
 * status_load() - from STATUS_FILE in the directory @dir (a descriptor)
 * Return: 0; STATUS_ABSENT when there is none, or when it is damaged (then a warning is logged): *@out is
 * status_new()'s; -1 ERR_SYSTEM
 */
#define STATUS_ABSENT 1
int status_load(int dir, struct status **out, struct err *e);

/* Atomically and durably, mode 0644. */
int status_store(const struct status *s, int dir, struct err *e);

#endif
