/*
 * Compression as a stream stage: what base/unpack.h reads, this writes. Each format ends in a checksum of the
 * content, and none asks the reader for more memory than base/unpack.h grants. The same input and options give
 * the same bytes, whatever the number of threads, so a rebuilt release has the same digests.
 *
 * zstd: independent frames of PACK_ZSTD_FRAME_BYTES with the standard seek table behind them (zstd's
 * contrib/seekable_format, zstd_seekable_compression_format.md), so that a reader may start at any frame. xz:
 * independent blocks, with their index.
 */
#ifndef FLIPSIDE_TOOLS_PACK_H
#define FLIPSIDE_TOOLS_PACK_H

#include <stdbool.h>

#include "base/err.h"
#include "base/stream.h"
#include "base/unpack.h"

#define PACK_LEVEL_DEFAULT (-1)
#define PACK_THREADS_MAX 16
#define PACK_ZSTD_FRAME_BYTES (1u << 20)
#define PACK_XZ_BLOCK_BYTES (16u << 20)

#define PACK_E_LEVEL "level" /* ERR_USAGE: a level that the format does not have, or whose window readers refuse */

struct pack_options {
	enum unpack_format format;
	int level;	      /* PACK_LEVEL_DEFAULT, or as pack_options_check() says */
	unsigned int threads; /* 0: 1; more than PACK_THREADS_MAX are not used */
};

/* "zstd", "xz", "gzip", "lz4", "none". False for anything else. */
bool pack_parse_format(const char *s, enum unpack_format *out);

/* What the names of packed files end in: ".zst", ".xz", ".gz", ".lz4", "" */
const char *pack_suffix(enum unpack_format f);

/* Levels: zstd 1 to 22 (default 12), xz 0 to 8 (6), gzip 1 to 9 (9), lz4 1 to 12 (9). Return: 0; -1: ERR_USAGE
 * PACK_E_LEVEL */
int pack_options_check(const struct pack_options *o, struct err *e);

/**
 * pack_new() - a sink that writes the packed form of what it gets to @below
 * @o:     copied, checked
 * @below: borrowed; must outlive the sink; its finish is called by the finish of this one
 * Return: 0 with *@out the caller's; -1: ERR_USAGE, ERR_SYSTEM
 */
int pack_new(const struct pack_options *o, struct sink *below, struct sink **out, struct err *e);

/* The formats, one a file; @level and @threads have been checked. For pack.c. */
int pack_zstd_new(int level, unsigned int threads, struct sink *below, struct sink **out, struct err *e);
int pack_xz_new(int level, unsigned int threads, struct sink *below, struct sink **out, struct err *e);
int pack_gzip_new(int level, struct sink *below, struct sink **out, struct err *e);
int pack_lz4_new(int level, struct sink *below, struct sink **out, struct err *e);

#endif
