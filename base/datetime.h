/* RFC 3339 times as seconds since 1970-01-01T00:00:00Z, by hand: the C library's parsers are lenient or local. Pure. */
#ifndef FLIPSIDE_BASE_DATETIME_H
#define FLIPSIDE_BASE_DATETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATETIME_BYTES 21 /* "2026-11-22T04:00:00Z" and a NUL */

/**
 * datetime_parse() - RFC 3339 section 5.6: date, 'T', time, optional fraction, 'Z' or offset
 * Years 0001 to 9999, real days of the month, no leap second; fractions are cut off; the whole of @n bytes is the time.
 * Return: true with *@out_sec; false otherwise
 */
bool datetime_parse(const char *s, size_t n, int64_t *out_sec);

/* Writes "YYYY-MM-DDTHH:MM:SSZ" and a NUL; times outside of years 1 to 9999 are written as the nearest one inside. */
void datetime_format(int64_t sec, char out[DATETIME_BYTES]);

/**
 * datetime_parse_offset() - a span such as "90 minutes", "4 hours", "1 day", "2 weeks", with an optional "in " in front
 * Return: true with seconds above 0; false for any other text or a span beyond 100 years
 */
bool datetime_parse_offset(const char *s, int64_t *out_sec);

#endif
