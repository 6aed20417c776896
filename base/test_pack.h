/* Compressed data for tests, one frame (member, stream) at a time, each with the checksums that its format can have. */
#ifndef FLIPSIDE_BASE_TEST_PACK_H
#define FLIPSIDE_BASE_TEST_PACK_H

#include <lz4frame.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bytes.h"
#include "base/num.h"
#include "base/unpack.h"

/* Room for what @n bytes become in the worst of the formats here. */
static inline uint8_t *pack_room(struct buf *out, size_t n)
{
	struct err e;

	if (buf_reserve(out, n + n / 8 + 4096, &e) < 0)
		abort();
	return out->p + out->n;
}

static inline void pack_add(struct buf *out, const void *p, size_t n)
{
	struct err e;

	if (buf_append(out, p, n, &e) < 0)
		abort();
}

static inline void pack_gzip(struct bytes in, struct buf *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n };

	if (deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	z.next_out = pack_room(out, in.n);
	z.avail_out = (uInt)(out->cap - out->n);
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	out->n += z.total_out;
	deflateEnd(&z);
}

static inline void pack_xz(struct bytes in, struct buf *out)
{
	uint8_t *room = pack_room(out, in.n);
	size_t n = 0;

	if (lzma_easy_buffer_encode(0, LZMA_CHECK_CRC64, NULL, in.p, in.n, room, &n, out->cap - out->n) != LZMA_OK)
		abort();
	out->n += n;
}

static inline void pack_zstd(struct bytes in, struct buf *out)
{
	uint8_t *room = pack_room(out, in.n);
	ZSTD_CCtx *ctx = ZSTD_createCCtx();

	if (!ctx || ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1)))
		abort();
	const size_t n = ZSTD_compress2(ctx, room, out->cap - out->n, in.p, in.n);

	if (ZSTD_isError(n))
		abort();
	out->n += n;
	ZSTD_freeCCtx(ctx);
}

static inline void pack_lz4(struct bytes in, struct buf *out)
{
	const LZ4F_preferences_t prefs = { .frameInfo = { .contentChecksumFlag = LZ4F_contentChecksumEnabled,
							  .blockSizeID = LZ4F_max64KB } };
	uint8_t *room = pack_room(out, in.n);
	const size_t n = LZ4F_compressFrame(room, out->cap - out->n, in.p, in.n, &prefs);

	if (LZ4F_isError(n))
		abort();
	out->n += n;
}

/* A frame that decoders of zstd and lz4 skip: @n bytes of no matter what. */
static inline void pack_skippable(uint32_t n, struct buf *out)
{
	uint8_t head[8];

	store_le32(head, 0x184d2a50u + n % 16);
	store_le32(head + 4, n);
	pack_add(out, head, sizeof(head));
	for (uint32_t i = 0; i < n; i++)
		pack_add(out, "\x28", 1);
}

static inline void pack(enum unpack_format f, struct bytes in, struct buf *out)
{
	static void (*const packers[])(struct bytes in, struct buf * out) = {
		[UNPACK_GZIP] = pack_gzip,
		[UNPACK_XZ] = pack_xz,
		[UNPACK_ZSTD] = pack_zstd,
		[UNPACK_LZ4] = pack_lz4,
	};

	if (f == UNPACK_NONE)
		pack_add(out, in.p, in.n);
	else
		packers[f](in, out);
}

#endif
