/* Versions by semver.org 2.0.0: parse, print, order. Pure. */
#ifndef FLIPSIDE_BASE_VERSION_H
#define FLIPSIDE_BASE_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define VERSION_BYTES 96 /* the longest version text, with its NUL */

struct version {
	uint64_t major, minor, patch;
	char pre[VERSION_BYTES];  /* "rc.1" of "1.0.0-rc.1+x"; empty if none */
	char text[VERSION_BYTES]; /* the whole, as given, without a leading 'v' */
};

/**
 * version_parse() - a strict semver (semver.org sections 2, 9, 10)
 * @s: at most VERSION_BYTES - 1 bytes; no leading zeros in numbers
 * Return: 0; -1: ERR_FORMAT, message names @s
 */
int version_parse(const char *s, struct version *out, struct err *e);

/* The same with an optional leading 'v', as people write it in settings. */
int version_parse_friendly(const char *s, struct version *out, struct err *e);

/* Precedence by semver.org section 11, build metadata ignored: <0, 0, >0. */
int version_compare(const struct version *a, const struct version *b);

#endif
