/*
 * The cache of migrations: every migration that lies between the running and the new version, and the manifest,
 * as verified targets under their digest's name. It is filled before the inactive set is written, and stays until
 * the next update, so that both the new system and, after a fallback, the old one find what they need without a
 * network.
 *
 * From: bottlerocket-os updog (layout of /var/lib/bottlerocket-migrations: HEX_SHA256.NAME, the file as published).
 */
#ifndef FLIPSIDE_UPDATER_CACHE_H
#define FLIPSIDE_UPDATER_CACHE_H

#include <signal.h>
#include <stddef.h>

#include "base/err.h"
#include "tuf/client.h"

struct cache_job {
	struct tuf_client *repo; /* refreshed */
	const char *dir;	 /* made (0700) if missing */
	const char *const *names; /* target names */
	size_t n_names;
	const volatile sig_atomic_t *stop;
};

/**
 * cache_fill() - have all of @names in the folder, verified and durable, and nothing else
 * Files that are there with the right length and digest are not fetched again. Free space is compared with what
 * is missing before the first byte. Files of earlier updates are removed once everything is there.
 * Return: 0; -1: ERR_MISSING a name that is no target, ERR_TRUST, ERR_NETWORK, ERR_SYSTEM "no-space"
 */
int cache_fill(const struct cache_job *job, struct err *e);

#endif
