/*
 * Wave policies: how a release is to spread over a fleet, as release engineers write it ("after 4 hours, 5
 * percent"), and its conversion into the waves of a manifest.
 *
 * From: bottlerocket-os updata's wave files (an array of tables in TOML) and its set-waves.
 */
#ifndef FLIPSIDE_UPDATER_WAVE_POLICY_H
#define FLIPSIDE_UPDATER_WAVE_POLICY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "updater/manifest.h"

#define WAVE_POLICY_MAX_BYTES (64u * 1024)
#define WAVE_POLICY_STEPS_MAX 100
#define WAVE_E_POLICY "wave-policy"

struct wave_step {
	int64_t start_after_sec; /* after the release's start; above 0 */
	uint32_t fleet_percent;	 /* 1..100: how much of the fleet has it when the next step starts */
};

struct wave_policy {
	struct wave_step steps[WAVE_POLICY_STEPS_MAX];
	size_t n_steps;
};

/**
 * wave_policy_parse() - read exactly this form of TOML, comments and blank lines between:
 *
 *	[[waves]]
 *	start_after = '1 hour'
 *	fleet_percentage = 1
 *
 * Both keys in every table, in any order, nothing else; strings in single or double quotes without escapes. Times
 * and percentages must rise strictly and the last percentage is 100.
 * Return: 0; -1: ERR_FORMAT WAVE_E_POLICY with the line
 */
int wave_policy_parse(struct bytes text, struct wave_policy *out, struct err *e);

/* A policy by name: "default", "accelerated", "slow-roll", "ohno" (the four that Bottlerocket ships). ERR_MISSING
 * for another name. */
int wave_policy_preset(const char *name, struct wave_policy *out, struct err *e);

/**
 * wave_policy_apply() - replace the waves of @u by those of @p for a release that starts at @start_sec
 * A step's key is the percentage of the step *before* it (0 for the first), times 2048 in single precision and
 * cut off, so the last percentage never becomes a key. Return: 0; -1: ERR_FORMAT WAVE_E_POLICY (times beyond
 * int64), ERR_SYSTEM; @u is unchanged
 */
int wave_policy_apply(const struct wave_policy *p, int64_t start_sec, struct manifest_update *u, struct err *e);

/* Times rise strictly with the seeds: what a release must hold, though clients do not insist. ERR_FORMAT WAVE_E_POLICY */
int wave_order_check(const struct manifest_update *u, struct err *e);

#endif
