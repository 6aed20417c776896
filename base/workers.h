/*
 * Work on a stream of pieces by several threads, behind a call that returns when all is done: pieces are filled
 * in order by the caller's thread, worked on in any order by whichever thread is free, and taken in order by one
 * thread more. With one worker there is no other thread at all, and the result is the same, byte for byte. The
 * only file of the libraries that starts threads.
 *
 * What it takes: workers_n_pieces() pieces of memory, whatever the length of the stream. A piece that is full
 * waits for nothing but its turn, so filling, work and taking overlap; a caller who finds no free piece works on
 * one himself.
 */
#ifndef FLIPSIDE_BASE_WORKERS_H
#define FLIPSIDE_BASE_WORKERS_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/stream.h"

#define WORKERS_MAX 16
#define WORKERS_DEFAULT_MAX 4
#define WORKERS_PIECE_BYTES (1024 * 1024)
#define WORKERS_ALIGN 4096 /* of a piece's memory: what O_DIRECT wants */

struct workers_piece {
	uint8_t *data;	 /* WORKERS_PIECE_BYTES, aligned to WORKERS_ALIGN */
	size_t n;	 /* bytes in use; set by fill, may be changed by work */
	uint64_t number; /* 0, 1, 2 ... as filled */
	uint64_t offset; /* free for the job's use; 0 before fill */
	void *extra;	 /* extra_bytes of the job, aligned as data; kept from one use of the memory to the next */
};

/*
 * The three stages; each returns 0 or -1 with *@e filled, and fill SOURCE_END when there is no piece more. NULL:
 * nothing to do there. A failure of any ends all: no other call begins, and those that have begun are waited for.
 */
struct workers_job {
	int (*fill)(void *ctx, struct workers_piece *p, struct err *e); /* by the caller's thread, in order */
	/* In any order, by several threads at once; @worker, below n_workers, is never two threads' at the same time. */
	int (*work)(void *ctx, unsigned int worker, struct workers_piece *p, struct err *e);
	int (*take)(void *ctx, struct workers_piece *p, struct err *e); /* in order, one at a time */
	void *ctx;
	unsigned int n_workers; /* 1 to WORKERS_MAX */
	size_t extra_bytes;	/* for each piece */
	const volatile sig_atomic_t *stop; /* set: ERR_STATE "interrupted" before the next fill; may be NULL */
};

/**
 * workers_run() - all pieces through all stages
 * Threads that cannot be started are done without. Signals are handled by the threads that were there before.
 * Return: 0; -1: the first failure of a stage, ERR_STATE "interrupted", ERR_SYSTEM for memory
 */
int workers_run(const struct workers_job *job, struct err *e);

/* How many pieces of memory a run takes. */
unsigned int workers_n_pieces(unsigned int n_workers);

/* CPUs that this process may use, at most WORKERS_DEFAULT_MAX. */
unsigned int workers_default(void);

#define AHEAD_CHUNK_BYTES (128u * 1024)
#define AHEAD_CHUNKS 8u

/**
 * source_ahead_new() - a thread of its own reads @below and keeps up to AHEAD_CHUNKS chunks ready
 * What @below does, hashing or receiving, so overlaps with what is done with its bytes. Each source below is used
 * by that thread alone until the source is freed; freeing waits for the read that is under way.
 * @below: taken over on success; handed back as *@out when no thread can be started
 * Return: 0; -1: ERR_SYSTEM
 */
int source_ahead_new(struct source *below, struct source **out, struct err *e);

#endif
