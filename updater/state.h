/*
 * The update state machine: what a command may do in which state, and where it leads. Pure. The state shown is
 * what the disk bears out: the bits of the inactive set and the record of what was staged, so it survives a
 * reboot and a lost status file.
 *
 * From: bottlerocket-os thar-be-updates; different on purpose: a failed prepare never leaves Staged, because the
 * set was cleared.
 */
#ifndef FLIPSIDE_UPDATER_STATE_H
#define FLIPSIDE_UPDATER_STATE_H

#include <stdbool.h>

#include "base/err.h"
#include "partitions/gptcore.h"

enum upd_state { UPD_IDLE, UPD_AVAILABLE, UPD_STAGED, UPD_READY };
enum upd_command { UPD_REFRESH, UPD_PREPARE, UPD_ACTIVATE, UPD_DEACTIVATE };
#define UPD_N_STATES 4
#define UPD_N_COMMANDS 4

#define UPD_E_STATE "update-state" /* ERR_STATE: the command is not allowed in this state */
#define UPD_E_NO_CHOSEN "no-update" /* ERR_MISSING: no update is chosen */
#define UPD_E_NO_STAGED "not-staged" /* ERR_MISSING: nothing is staged */

const char *upd_state_name(enum upd_state s);	    /* "Idle", "Available", "Staged", "Ready" */
const char *upd_command_name(enum upd_command c); /* "refresh", "prepare", "activate", "deactivate" */
bool upd_state_parse(const char *s, enum upd_state *out);
bool upd_command_parse(const char *s, enum upd_command *out);

/**
 * upd_state_check() - may the command start?
 * Refresh: always. Prepare: Available or Staged, and an update is chosen. Activate: Staged, deactivate: Ready,
 * and there is a staged image.
 * Return: 0; -1: ERR_STATE UPD_E_STATE, ERR_MISSING UPD_E_NO_CHOSEN or UPD_E_NO_STAGED
 */
int upd_state_check(enum upd_state s, enum upd_command c, bool has_chosen, bool has_staged, struct err *e);

/**
 * upd_state_next() - where a command that was allowed leads
 * @ok:         whether it succeeded
 * @has_chosen: after the command: a refresh that found an update
 */
enum upd_state upd_state_next(enum upd_state s, enum upd_command c, bool ok, bool has_chosen);

/* Both in one: upd_state_check() for @s, then upd_state_next() into *@out. */
int upd_state_step(enum upd_state s, enum upd_command c, bool ok, bool has_chosen, bool has_staged,
		   enum upd_state *out, struct err *e);

/**
 * upd_state_from_disk() - the state that the disk bears out
 * @inactive:         bits of the inactive set
 * @inactive_is_next: the boot selector would start the inactive set now
 * @has_staged:       a record tells what was verified there
 * @has_chosen:       a refresh has chosen an update
 * Ready: next to boot. Staged: 0/t/0 with tries left, and the record; without a record nobody vouches for what is
 * there. Else Available or Idle, by @has_chosen.
 */
enum upd_state upd_state_from_disk(struct gpt_bits inactive, bool inactive_is_next, bool has_staged, bool has_chosen);

#endif
