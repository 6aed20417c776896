/* Progress of long work: a bar on a terminal (bytes, rate, time left), plain lines otherwise, nothing when quiet. */
#ifndef FLIPSIDE_BASE_PROGRESS_H
#define FLIPSIDE_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *out;	     /* stderr in programs; NULL: quiet */
	bool tty;
	char what[64];	     /* "fetching root" */
	uint64_t total;	     /* bytes; 0 unknown */
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

/* The line as shown, without its final character: what the tests look at. Pure. "fetching root  45% [====>    ] 12.3 MiB/ ..." */
void progress_line(const struct progress *p, uint64_t now_ms, char *out, size_t out_bytes);

#endif
