/*
 * The two passes over an image, each with its stages side by side on several threads (base/workers.h): packed
 * bytes unpacked to a partition, hashed on their way; and a partition read back and hashed again. What the hashes
 * must be is the caller's to say.
 */
#ifndef FLIPSIDE_UPDATER_PIPELINE_H
#define FLIPSIDE_UPDATER_PIPELINE_H

#include <signal.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/progress.h"
#include "base/stream.h"
#include "partitions/verity.h"
#include "partitions/write.h"

struct pipeline {
	struct source *from; /* taken over by pipeline_run(), whatever its result; read to its end by the calling thread */
	const char *packed;  /* names @from, whose bytes are to be unpacked as unpack_new() does; NULL: they are plain */
	const uint64_t *length; /* of the unpacked bytes; NULL: not known */
	/* With verity, all bytes go through a hash tree; its blocks are split over the workers. */
	const struct verity_params *verity; /* NULL: none */
	verity_emit_fn emit;		    /* gets the tree's blocks, in one thread at a time */
	void *emit_ctx;
	bool digest;		  /* the SHA-256 of all bytes is wanted */
	struct part_writer *to;	  /* gets all bytes, from offset 0 on; borrowed and not finished; NULL: they are only hashed */
	struct progress *progress; /* counts what is read from @from; NULL: not shown here */
	unsigned int workers;	  /* 1 to WORKERS_MAX */
	const volatile sig_atomic_t *stop;
};

struct pipeline_sums {
	uint64_t bytes;
	struct digest content;	 /* if @digest */
	struct digest root_hash; /* if @verity */
};

/**
 * pipeline_run() - all of @from through hashes and writer
 * zstd in frames of at most 1 MiB that tell their size is unpacked by the workers, a frame each; all else by the
 * calling thread. The memory is workers_n_pieces() buffers of 1 MiB with their leaf digests, and as much again
 * for packed frames, whatever the image's size; the result does not depend on the number of workers.
 * Return: 0 with *@out; -1: what @from, @emit and the writer say; as unpack_new(); ERR_TRUST "length" when the
 * unpacked bytes are not
 * @length; ERR_FORMAT PART_E_VERITY when the bytes are not as many as the tree
 * stands for; ERR_STATE "interrupted"; ERR_SYSTEM
 */
int pipeline_run(const struct pipeline *p, struct pipeline_sums *out, struct err *e);

#endif
