/*
 * The record of what is staged: which image was written to the inactive set, the digests of the targets that it
 * came from, the root hash it was verified against, and the trust that this rested on. It is stored before the
 * set may boot and removed before the set is written again, so bits without a record mean that nobody vouches for
 * the content.
 */
#ifndef FLIPSIDE_UPDATER_STAGED_H
#define FLIPSIDE_UPDATER_STAGED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"
#include "base/version.h"
#include "partitions/table.h"

#define STAGED_FILE "staged.json" /* in state_dir */
#define STAGED_MAX_BYTES (16u * 1024)
#define UPD_NAME_BYTES 256 /* of a variant or arch, with the NUL */

/* A version for a kind of machine. */
struct upd_image {
	char variant[UPD_NAME_BYTES], arch[UPD_NAME_BYTES];
	struct version version;
};

/* ERR_FORMAT "name" for a variant or arch that is empty or too long. */
int upd_image_set(struct upd_image *i, const char *variant, const char *arch, const struct version *version, struct err *e);
bool upd_image_equal(const struct upd_image *a, const struct upd_image *b);
json_t *upd_image_to_json(const struct upd_image *i); /* {arch, version, variant}; NULL out of memory */
int upd_image_from_json(json_t *j, const char *path, struct upd_image *out, struct err *e);

/* Versions of the TUF roles that a decision rested on; 0: not loaded. */
struct upd_trust {
	uint64_t root, timestamp, snapshot, targets;
};

json_t *upd_trust_to_json(const struct upd_trust *t); /* NULL out of memory */
int upd_trust_from_json(json_t *j, const char *path, struct upd_trust *out, struct err *e);

struct staged_record {
	struct upd_image image;
	enum part_set set;			/* where it was written */
	struct digest targets[PART_N_ROLES]; /* SHA-256 of the targets (the files fetched), by enum part_role */
	struct digest root_hash;		/* dm-verity */
	int64_t verified_at_sec;		/* when it was read back */
	struct upd_trust trust;
};

json_t *staged_to_json(const struct staged_record *r); /* NULL out of memory */
int staged_from_json(json_t *j, const char *path, struct staged_record *out, struct err *e);

/**
 * staged_load() - from STAGED_FILE in the directory @dir (a descriptor)
 * Return: 0; STAGED_ABSENT when there is none, or when it is damaged (then a warning is logged); -1 ERR_SYSTEM
 */
#define STAGED_ABSENT 1
int staged_load(int dir, struct staged_record *out, struct err *e);

/* Atomically and durably, mode 0644. */
int staged_store(const struct staged_record *r, int dir, struct err *e);

/* Durably gone on return; none there is fine. */
int staged_remove(int dir, struct err *e);

#endif
