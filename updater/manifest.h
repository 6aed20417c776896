/*
 * manifest.json: which versions a repository offers, to whom, from when, and which migrations lie between them.
 * Bottlerocket's format (bottlerocket-os update_metadata); our own members ("verity", "sizes") are additions that
 * others ignore.
 */
#ifndef FLIPSIDE_UPDATER_MANIFEST_H
#define FLIPSIDE_UPDATER_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/version.h"
#include "partitions/table.h"
#include "partitions/verity.h"

#define MANIFEST_MAX_BYTES (4u * 1024 * 1024)
#define MANIFEST_UPDATES_MAX 4096
#define MANIFEST_WAVES_MAX 2049
#define MANIFEST_MIGRATIONS_MAX 4096	   /* steps, and names in one step */
#define MANIFEST_NAME_MAX_BYTES 255
#define MANIFEST_TARGET "manifest.json"

/* From this seed on (0..2048) the update opens at this time, spread until the next wave's. */
struct manifest_wave {
	uint32_t start_seed;
	int64_t start_sec;
};

struct manifest_update {
	char *variant, *arch;
	struct version version, max_version;
	struct manifest_wave *waves; /* ascending by seed */
	size_t n_waves;
	char *images[PART_N_ROLES]; /* target names, by enum part_role */
	bool has_verity;	    /* ours: signed verity parameters and root hash */
	struct verity_params verity;
	struct digest root_hash;
	bool has_sizes; /* ours: unpacked bytes of each image */
	uint64_t sizes[PART_N_ROLES];
};

struct manifest_step {
	struct version from, to;
	char **names; /* target names, in order */
	size_t n_names;
};

struct manifest {
	struct manifest_update *updates;
	size_t n_updates;
	struct manifest_step *steps;
	size_t n_steps;
};

/* Return: 0 with a manifest for the caller to manifest_free(); -1: ERR_FORMAT, the message has the field's path */
int manifest_parse(struct bytes json, struct manifest **out, struct err *e);
void manifest_free(struct manifest *m);
DEFINE_CLEANUP(struct manifest, manifest_free);

/* Text as Bottlerocket's tools write it: pretty-printed, maps sorted; manifest_parse() gives the same again. */
int manifest_print(const struct manifest *m, struct buf *out, struct err *e);

/* One update as it stands in the manifest; a new reference, NULL out of memory. */
json_t *manifest_update_to_json(const struct manifest_update *u);

/* For editors: copies @u (deep) to the end; copies the step in (replacing one of the same versions). */
int manifest_add_update(struct manifest *m, const struct manifest_update *u, struct err *e);
int manifest_add_step(struct manifest *m, const struct manifest_step *s, struct err *e);
int manifest_new(struct manifest **out, struct err *e);

/**
 * manifest_migrations() - the target names of the migrations between two versions, in the order they are to be run
 * Always found from the lower to the higher version: at each point the step with the highest end at or below the
 * goal (greedy, as Bottlerocket's); for a downgrade the list is reversed. Pure.
 * @names: array of @n borrowed strings, freed by the caller with free(); NULL when @n is 0
 * Return: 0; -1: ERR_MISSING "migration" naming the version from which no step leads on
 */
int manifest_migrations(const struct manifest *m, const struct version *from, const struct version *to,
			const char ***names, size_t *n, struct err *e);

#endif
