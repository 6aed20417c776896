/*
 * The image pipeline: a version's boot, root and hash images from the repository into the inactive partition set,
 * and the proof that what lies there is what was signed. One pass over the data, no temporary files; memory is a
 * few buffers whatever the image's size. Where the manifest signs the verity parameters, the hash partition is
 * made in that pass and the hash image is not fetched.
 */
#ifndef FLIPSIDE_UPDATER_IMAGE_H
#define FLIPSIDE_UPDATER_IMAGE_H

#include <signal.h>

#include "base/progress.h"
#include "partitions/table.h"
#include "tuf/client.h"
#include "updater/manifest.h"

struct image_job {
	struct tuf_client *repo;		/* refreshed */
	struct part_table *table;		/* its inactive set is written */
	const struct manifest_update *update;
	struct progress *progress;
	unsigned int workers; /* threads that unpack and hash, 1 to WORKERS_MAX */
	bool read_back;	      /* false: what was written and flushed is trusted to be on the disk, as far as the manifest signs a root hash */
	const volatile sig_atomic_t *stop;	/* set: ERR_STATE "interrupted" soon after */
};

/* What an installed image rests on, for the record. */
struct image_proof {
	struct digest targets[PART_N_ROLES]; /* of the compressed targets, as in the signed metadata */
	struct digest content[PART_N_ROLES]; /* of the unpacked images: sha256; unset for root and hash where a signed root hash covers them */
	uint64_t bytes[PART_N_ROLES];	      /* unpacked */
	struct digest root_hash;	      /* dm-verity; the manifest's where it has one */
};

/**
 * image_check() - all that can be known before the old content of the inactive set is given up
 * Every image is a trusted target, verity parameters agree with the sizes, each image fits its partition. Changes
 * nothing.
 * Return: 0; -1: ERR_MISSING, ERR_FORMAT PART_E_SPACE or PART_E_VERITY, ERR_TRUST
 */
int image_check(const struct image_job *job, struct err *e);

/**
 * image_install() - write root, boot and hash to the inactive set, flush, read back and verify
 * The set stands at 0/0/0 (part_table_clear_inactive()) and stays there: that it may boot is for the caller to
 * say, after a return of 0.
 * From: bottlerocket-os updog update-image (order); the verification is ours: every target's length and digest,
 * the hash tree of what is written against the signed root hash, then the partitions' bytes past the page cache:
 * root and hash against the root hash, boot against the digest of what was unpacked.
 * Return: 0 with *@out; -1: ERR_NETWORK, ERR_TRUST, ERR_FORMAT, ERR_STATE "interrupted", ERR_SYSTEM
 */
int image_install(const struct image_job *job, struct image_proof *out, struct err *e);

#endif
