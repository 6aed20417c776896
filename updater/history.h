/*
 * The history: one line of JSON for each action, with its result, the versions and the trust it rested on.
 * Append-only, durable, bounded. A line that a power cut tore is not read, and the next append mends the file.
 */
#ifndef FLIPSIDE_UPDATER_HISTORY_H
#define FLIPSIDE_UPDATER_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/version.h"
#include "updater/staged.h"

#define HISTORY_FILE "history.jsonl"	 /* in state_dir */
#define HISTORY_MAX_BYTES (256u * 1024) /* beyond, the newest half stays */
#define HISTORY_LINE_MAX_BYTES 8192u
#define HISTORY_WORD_BYTES 48

/* Actions beyond the four commands of the state machine. */
#define HISTORY_BOOTED "booted"	   /* a set was marked successful; to: what runs */
#define HISTORY_FELL_BACK "fell-back" /* from: the version that was tried and left, to: what runs again */

struct history_entry {
	int64_t at_sec;
	char action[HISTORY_WORD_BYTES];	     /* "refresh", ..., HISTORY_FELL_BACK */
	char from[VERSION_BYTES], to[VERSION_BYTES]; /* empty: none */
	bool ok;
	/* If not ok: */
	char error_kind[HISTORY_WORD_BYTES], error_reason[HISTORY_WORD_BYTES];
	char error_message[ERR_MSG_BYTES];
	struct upd_trust trust;
	bool has_target;
	struct digest target; /* SHA-256 of the root image's target */
};

/* Action, versions (either may be NULL) and the result: NULL for success. */
struct history_entry history_entry_of(int64_t at_sec, const char *action, const struct version *from,
				      const struct version *to, const struct err *failed);

json_t *history_entry_to_json(const struct history_entry *h); /* NULL out of memory */

/**
 * history_append() - add a line to HISTORY_FILE in the directory @dir (a descriptor); on stable storage on return
 * The caller holds the lock that keeps actions apart. A torn last line is cut off first. A file that would grow beyond
 * HISTORY_MAX_BYTES is replaced, atomically, by its newest half and the new line.
 * Return: 0; -1: ERR_SYSTEM
 */
int history_append(int dir, const struct history_entry *h, struct err *e);

/**
 * history_read() - the newest entries, newest first
 * @max: at most this many
 * @out: array of *@n for the caller to free(); NULL when there is none
 * Lines that cannot be read are left out. Return: 0, also without a file; -1: ERR_SYSTEM
 */
int history_read(int dir, size_t max, struct history_entry **out, size_t *n, struct err *e);

/**
 * history_fell_back() - the versions this host came back from and has not confirmed since
 * @h: newest first, as history_read() gives them
 * @out: @max versions; *@n are filled, each once
 */
void history_fell_back(const struct history_entry *h, size_t n_entries, struct version *out, size_t max, size_t *n);

#endif
