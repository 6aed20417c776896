/*
 * Mirrors: places that serve the same repository, in the order in which they are asked. Nothing that one of them
 * says is believed more for having many: each file is verified as if there were one mirror, and a copy that does
 * not verify is that mirror's failure.
 *
 * One file is looked for in one sweep: every mirror is asked once at most, those that rest last. A mirror whose
 * transport failed rests for a while, which doubles with each failure in a row. All here is pure: time is an
 * argument, and nothing is fetched.
 */
#ifndef FLIPSIDE_TUF_MIRROR_H
#define FLIPSIDE_TUF_MIRROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

#define TUF_MIRRORS_MAX 16
#define TUF_MIRROR_REST_MS 10000	 /* after the first failure */
#define TUF_MIRROR_REST_MAX_MS (10 * 60 * 1000)

struct tuf_mirrors;

/**
 * tuf_mirrors_new() - the mirrors of one repository
 * @metadata_urls: base URLs, separated by blanks; NULL: no metadata is fetched
 * @targets_urls: the same for targets; as many as there are of the others, unless one of the two has none
 * Return: 0; -1: ERR_USAGE "url" one that is no base URL, an empty list, lists of different lengths, more than
 * TUF_MIRRORS_MAX; ERR_SYSTEM
 */
int tuf_mirrors_new(const char *metadata_urls, const char *targets_urls, struct tuf_mirrors **out, struct err *e);
void tuf_mirrors_free(struct tuf_mirrors *m);
DEFINE_CLEANUP(struct tuf_mirrors, tuf_mirrors_free);

enum tuf_mirror_part { TUF_MIRROR_METADATA, TUF_MIRROR_TARGETS };
#define TUF_MIRROR_PARTS 2

/* How many mirrors have this part: 0 or all. */
size_t tuf_mirrors_count(const struct tuf_mirrors *m, enum tuf_mirror_part part);

/* A base URL by position, as it was given; below tuf_mirrors_count(). */
const char *tuf_mirrors_url(const struct tuf_mirrors *m, size_t i, enum tuf_mirror_part part);

/* The search for one file; open only so that it can be on the stack. */
struct tuf_sweep {
	struct tuf_mirrors *m;
	enum tuf_mirror_part part;
	uint32_t asked;	   /* a bit for each mirror */
	size_t at;	   /* the mirror being asked */
	bool resting;	   /* it rests: asked only because all others failed */
	bool missing;	   /* a mirror said that there is no such file */
	size_t n_failed;
	struct err first;
	char others[160]; /* "; also URL: reason" for each failure but the first */
};

void tuf_sweep_begin(struct tuf_sweep *s, struct tuf_mirrors *m, enum tuf_mirror_part part);

/* The next mirror to ask: s->at, in the given order, then those that rest. False: all have been asked. @now_ms:
 * any monotonic clock */
bool tuf_sweep_next(struct tuf_sweep *s, uint64_t now_ms);

/* A new sweep in which only the present mirror has been asked: it served, and is about to fail. */
void tuf_sweep_again(struct tuf_sweep *s);

/* No mirror is left behind the present one. */
bool tuf_sweep_is_last(const struct tuf_sweep *s);

/* The base URL of the present mirror. */
const char *tuf_sweep_url(const struct tuf_sweep *s);

/**
 * tuf_sweep_failed() - the present mirror failed because of @e
 * ERR_NETWORK, and a local folder that cannot be read, let it rest from @now_ms on; what is missing or does not
 * verify does not.
 * Return: 0: the next may be asked; -1: it is no mirror's failure, and *@e stays what it is
 */
int tuf_sweep_failed(struct tuf_sweep *s, uint64_t now_ms, const struct err *e);

/* The present mirror served well: its earlier failures no longer count. */
void tuf_sweep_served(struct tuf_sweep *s);

/* Why no mirror served: the first failure whole, with its kind and reason, the others shortly behind it. ERR_BUG
 * without one. Return: -1 */
int tuf_sweep_error(const struct tuf_sweep *s, struct err *e);

#endif
