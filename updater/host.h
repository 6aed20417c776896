/*
 * This host: its configuration, what runs on it, where its state lies, and how its repository and its disk are
 * opened. What an action stands on; opened once in main.
 */
#ifndef FLIPSIDE_UPDATER_HOST_H
#define FLIPSIDE_UPDATER_HOST_H

#include <signal.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/progress.h"
#include "partitions/table.h"
#include "tuf/client.h"
#include "updater/config.h"
#include "updater/os_release.h"
#include "updater/staged.h"

#define HOST_MACHINE_ID "/etc/machine-id"
#define HOST_QUERY_MAX_BYTES 3000

struct host_options {
	const char *config_path; /* NULL: the system's */
	int64_t now_sec;
	struct progress *progress;	    /* borrowed */
	const volatile sig_atomic_t *stop; /* borrowed */
};

struct host {
	struct host_options options;
	struct config *config;
	struct os_release os;
	int state_dir; /* descriptor */
	int lock;      /* descriptor; -1: not held */
	struct tuf_fetch_options fetch;
	char query[HOST_QUERY_MAX_BYTES]; /* what fetch.query points at */
};

/**
 * host_open() - configuration and os-release; makes the state folder
 * Return: 0 with *@out for host_free(); -1: ERR_FORMAT, ERR_MISSING, ERR_SYSTEM
 */
int host_open(const struct host_options *o, struct host **out, struct err *e);
void host_free(struct host *h); /* lets the lock go */
DEFINE_CLEANUP(struct host, host_free);

/**
 * host_lock() - one action at a time on a host, whoever asks
 * @wait_ms: how long to wait for another action's end; 0: not at all
 * Return: 0, also when held already; -1: ERR_BUSY, ERR_SYSTEM
 */
int host_lock(struct host *h, uint32_t wait_ms, struct err *e);

/* The partition table, read anew; the caller's. */
int host_open_table(const struct host *h, struct part_table **out, struct err *e);

/* The repository's client, not refreshed, with the trusted root that the image ships; the caller's, to be freed
 * before @h. */
int host_open_repo(struct host *h, struct tuf_client **out, struct err *e);

/* Query parameters of every request from now on, sorted by name as updog sends them; none if send_query is off.
 * NULLs are left out. */
void host_set_query(struct host *h, uint32_t seed, const char *target, const char *migrations);

/* What a record keeps of the trust a decision rested on. */
struct upd_trust host_trust(const struct tuf_client *c);

#endif
