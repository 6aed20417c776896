/*
 * The head of an HTTP response, as far as a stream that may be resumed depends on it, and what such a response is
 * to a stream that stands at some byte. All pure. From: RFC 9110, sections 8.8 (validators), 13.1.5 (If-Range),
 * 14 (ranges), 15.5.17 (416).
 */
#ifndef FLIPSIDE_TUF_FETCH_HEAD_H
#define FLIPSIDE_TUF_FETCH_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FETCH_UNKNOWN UINT64_MAX
#define FETCH_VALIDATOR_BYTES 256 /* a longer one is as if none had been sent */

/* By which a server tells one content of a file from another; "" if it does not. */
struct fetch_validators {
	char etag[FETCH_VALIDATOR_BYTES], modified[FETCH_VALIDATOR_BYTES];
};

enum fetch_range {
	FETCH_RANGE_NONE,
	FETCH_RANGE_GIVEN,	 /* bytes first-last/total */
	FETCH_RANGE_UNSATISFIED, /* bytes * / total */
	FETCH_RANGE_BAD,	 /* given twice, of an unknown total, or malformed */
};

struct fetch_head {
	uint64_t length; /* Content-Length, or FETCH_UNKNOWN */
	enum fetch_range range;
	uint64_t first, last, total;
	struct fetch_validators is;
};

/* One header line, with or without its line end; a status line begins a new head. */
void fetch_head_line(struct fetch_head *h, const char *line, size_t n);

/* What is known of the file that a stream comes from. */
struct fetch_file {
	uint64_t total; /* bytes of the whole file, or FETCH_UNKNOWN */
	struct fetch_validators is;
};

enum fetch_judgement {
	FETCH_BODY,	/* it goes on, after @skip bytes that the stream has already */
	FETCH_AT_END,	/* there is nothing behind the stream's position */
	FETCH_CHANGED,	/* it is another content than before */
	FETCH_BAD_RANGE, /* not what was asked for */
	FETCH_NO_BODY,	/* a status that brings nothing of the file: redirects, errors */
};

/**
 * fetch_judge() - what a response is to a stream that stands at @pos
 * @asked_range: the request was for the bytes from @pos on; else for the whole
 * @file: what earlier responses told; completed from this one when it is FETCH_BODY
 * @skip: for FETCH_BODY, how many bytes of the body lie before @pos
 * @due: for FETCH_BODY, how many bytes the body must have at most, or FETCH_UNKNOWN
 */
enum fetch_judgement fetch_judge(long status, const struct fetch_head *h, uint64_t pos, bool asked_range, struct fetch_file *file,
				 uint64_t *skip, uint64_t *due);

/* The value for If-Range: a strong entity tag, else the date, else NULL. */
const char *fetch_if_range(const struct fetch_validators *v);

#endif
