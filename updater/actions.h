/*
 * The actions that change a host: refresh, prepare, install, activate, deactivate. Each takes the host's lock,
 * checks that it is allowed in the state that the disk bears out, does its work, and leaves the status and a line
 * in the history, whether it succeeds or not. Activating, deactivating and looking at the status need no network.
 */
#ifndef FLIPSIDE_UPDATER_ACTIONS_H
#define FLIPSIDE_UPDATER_ACTIONS_H

#include "base/err.h"
#include "updater/host.h"
#include "updater/image.h"
#include "updater/outlook.h"
#include "updater/status.h"

#define ACTION_NOTHING 1	/* nothing to do: no update to take */
#define ACTION_ALREADY_STAGED 2 /* the chosen version is staged and was verified */
#define UPD_E_NO_FALLBACK "no-fallback" /* ERR_STATE: the running set could not boot again, so the other one is not given up */

/**
 * action_refresh() - look for updates and remember what was found
 * @out: for the caller to outlook_free(). Return: 0, also when nothing is chosen; -1
 */
int action_refresh(struct host *h, const struct outlook_request *r, struct outlook **out, struct err *e);

/**
 * action_prepare() - have everything that an update needs, short of touching the inactive set
 * Metadata, manifest and migrations are fetched and verified, images and their sizes compared with the disk.
 * @image: what would be installed. Return: 0; ACTION_NOTHING; -1
 */
int action_prepare(struct host *h, const struct outlook_request *r, struct upd_image *image, struct err *e);

/**
 * action_install() - prepare, then write the inactive set, verify it, and stage it
 * Refused while an update is ready to boot (UPD_E_STATE), and while the running set could not boot again
 * (UPD_E_NO_FALLBACK).
 * @image: what was chosen. Return: 0; ACTION_NOTHING; ACTION_ALREADY_STAGED; -1: the inactive set is at 0/0/0 if
 * it was touched at all
 */
int action_install(struct host *h, const struct outlook_request *r, struct upd_image *image, struct err *e);

/* The staged set becomes next to boot. @image may be NULL. Return: 0; -1: ERR_STATE, ERR_MISSING UPD_E_NO_STAGED,
 * ERR_SYSTEM */
int action_activate(struct host *h, struct upd_image *image, struct err *e);

/* Undoes action_activate(): the running set is next to boot, and the staged one stays staged. Return: as above */
int action_deactivate(struct host *h, struct upd_image *image, struct err *e);

/* The running set is marked successful; a fallback to it is over. For units and `signpost`. */
int action_mark_successful(struct host *h, struct err *e);

/**
 * action_status() - the status document from the disk, the record of what is staged, and what was remembered
 * Takes no lock and changes nothing. @out: for status_free()
 */
int action_status(const struct host *h, struct status **out, struct err *e);

#endif
