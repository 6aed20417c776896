/* The Range header of HTTP, as far as a static server of one range needs it. Pure. */
#ifndef FLIPSIDE_TOOLS_REPO_RANGE_H
#define FLIPSIDE_TOOLS_REPO_RANGE_H

#include <stdint.h>

struct repo_range {
	uint64_t first, length;
};

enum repo_range_kind {
	REPO_RANGE_WHOLE, /* 200: no header, another unit, several ranges or not a range at all (RFC 9110 14.2: ignored) */
	REPO_RANGE_PART,  /* 206 */
	REPO_RANGE_BAD,	  /* 416: well-formed, and nothing of the file is in it */
};

/* @header: "bytes=0-99", "bytes=100-", "bytes=-50", or NULL. @size of the file. *@out is the whole file unless PART. */
enum repo_range_kind repo_range_parse(const char *header, uint64_t size, struct repo_range *out);

#endif
