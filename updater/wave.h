/*
 * Waves: when an update opens for a host. An update's waves map a starting seed to a time; a host's seed
 * (0..2047) puts it in one wave, and within the wave hosts open one after the other until the next wave begins.
 * Pure: the same data, seed and time give the same answer on every host.
 *
 * From: bottlerocket-os update_metadata, with its known defects put right: the offset within a wave is the seed
 * less the wave's starting seed, seed 0 belongs to the first wave, and the last wave is spread as well.
 */
#ifndef FLIPSIDE_UPDATER_WAVE_H
#define FLIPSIDE_UPDATER_WAVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "updater/manifest.h"

#define WAVE_SEEDS 2048		  /* seeds are 0..2047; larger ones are taken modulo this */
#define WAVE_LONE_SPREAD_SEC 3600 /* a last wave with no wave before it to measure by takes this long */

struct wave_opening {
	bool always;	/* no waves, or the seed is below the first wave's: open since ever */
	int64_t at_sec; /* else the second from which the update is open */
	size_t wave;	/* 0-based number of the host's wave; only if not always */
};

/**
 * wave_opening() - when @u opens for a host with @seed
 *
 * Wave i holds the seeds from its own start_seed to below the next wave's (2048 for the last), and the host with
 * seed s opens at start + span * (s - start_seed) / width, rounded down to a second. Span is the time until the
 * next wave starts; not positive (times that do not rise): the whole wave opens at its start. The last wave goes
 * on at the pace of the one before it (time for each seed), but takes no longer than that one did; alone, or
 * after one without a positive span, it takes WAVE_LONE_SPREAD_SEC. So no host opens before its wave's start,
 * none within a wave before one of a lower seed, and the end is bounded.
 */
struct wave_opening wave_opening(const struct manifest_update *u, uint32_t seed);

bool wave_is_open(const struct wave_opening *o, int64_t now_sec);

/* The second from which @u is open for every seed; INT64_MIN without waves. */
int64_t wave_complete_at(const struct manifest_update *u);

#endif
