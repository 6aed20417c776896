/* Progress of long work: a bar on a terminal (bytes, rate, time left), plain lines otherwise, nothing when quiet. */
#ifndef FLIPSIDE_BASE_PROGRESS_H
#define FLIPSIDE_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PROGRESS_COLUMNS 80	/* the widest bar; a narrower terminal gets a narrower one */
#define PROGRESS_LINE_BYTES 256 /* holds every line */

struct progress {
	FILE *out; /* stderr in programs; NULL: quiet */
	bool tty, running;
	unsigned int columns; /* of the terminal, PROGRESS_COLUMNS at most; looked up at each start */
	char what[64];	      /* "fetching root" */
	uint64_t total;	      /* bytes; 0 unknown */
	uint64_t done;
	uint64_t start_ms, shown_ms;
	unsigned int shown_tenths; /* plain lines come at each tenth of the whole */
};

/* @out NULL or @quiet: every later call does nothing. */
void progress_init(struct progress *p, FILE *out, bool quiet);

/* A new piece of work; an earlier one that was not ended is ended. */
void progress_start(struct progress *p, const char *what, uint64_t total_bytes, uint64_t now_ms);
void progress_add(struct progress *p, uint64_t bytes, uint64_t now_ms); /* redraws at most ten times a second */
void progress_end(struct progress *p, uint64_t now_ms);

/* Monotonic milliseconds, for the callers of the above. */
uint64_t progress_now_ms(void);

/*
 * The line as shown, without what ends it (and without the program's name in front of plain ones): what the tests
 * look at. Pure. On a terminal, cut to its width:
 *	fetching root  45% [==========>             ] 18.0 of 40.0 MiB, 5.1 MiB/s, 00:05
 * else: "fetching root: 45 % (18.0 of 40.0 MiB, 5.1 MiB/s)". Total unknown: bytes and rate alone.
 */
void progress_line(const struct progress *p, uint64_t now_ms, char *out, size_t out_bytes);

#endif
