/*
 * Decompression as a stream stage: gzip (zlib), xz (liblzma), zstd, lz4. A library of its own (base-unpack), so
 * that tuf/ links no decompressor. The kind is known by its magic bytes, never by a name.
 */
#ifndef FLIPSIDE_BASE_UNPACK_H
#define FLIPSIDE_BASE_UNPACK_H

#include "base/stream.h"

enum unpack_format { UNPACK_NONE, UNPACK_GZIP, UNPACK_XZ, UNPACK_ZSTD, UNPACK_LZ4 };

#define UNPACK_MAGIC_BYTES 6	 /* as many as unpack_detect() wants to see */
#define UNPACK_WINDOW_LOG_MAX 23 /* zstd: 8 MiB, its recommended decoder minimum (RFC 8878 3.1.1.1.2) */
#define UNPACK_XZ_MEMORY_BYTES                                                                                         \
	(40u << 20) /* decoding takes 9 MiB for xz -6, 33 for -8, 65 for -9 (xz(1)): -9 is refused */

/* By magic bytes: RFC 1952 2.3.1, .xz format 2.1.1.1, RFC 8878 3.1.1 (skippable frames too), LZ4 frame format. Pure. */
enum unpack_format unpack_detect(struct bytes head);
const char *unpack_name(enum unpack_format f); /* "none", "gzip", "xz", "zstd", "lz4" */

/**
 * unpack_new() - the unpacked bytes of @below
 * @below: taken over on success
 * @what:  names the file in messages
 * Members, streams and frames of one format that follow each other are one stream (skippable frames of zstd and
 * lz4 are skipped, also in front, and so is the padding between xz streams); anything else behind the last one
 * is ERR_FORMAT "trailing"; an end inside of one is ERR_FORMAT "truncated"; a checksum or structure error is
 * ERR_FORMAT "corrupt"; a window or dictionary beyond the limits above is ERR_FORMAT "limit". Bytes with no known
 * magic pass unchanged, and nothing at all passes as nothing; an input that ends inside of a magic is
 * "truncated".
 * A damaged transfer may show here before the source below has seen its end: then the rest is read, and if the
 * source below fails, by its digest say, that failure is told in place of this one.
 * The source below is always read to its own end before SOURCE_END, so that its digest has been compared.
 */
int unpack_new(struct source *below, const char *what, struct source **out, struct err *e);

#endif
