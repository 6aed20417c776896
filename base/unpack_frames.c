/*
 * The cutter reads no byte more than it needs to know where the frame ends: header, then block header by block
 * header. So frames go straight to the caller's memory, and what turns out to be another kind of frame is given
 * back by a source that hands out those few bytes again before the rest.
 */
#include "base/unpack_frames.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/num.h"

#define MAGIC_BYTES 4
#define FRAME_MAGIC 0xfd2fb528u
#define SKIPPABLE_MAGIC 0x184d2a50u /* the last four bits are free */
#define BLOCK_HEADER_BYTES 3
#define BLOCK_RLE 1
#define CHECKSUM_BYTES 4

/* Bits of the frame header descriptor, 3.1.1.1.1. */
#define FHD_CONTENT_SIZE_SHIFT 6
#define FHD_SINGLE_SEGMENT 0x20
#define FHD_RESERVED 0x08
#define FHD_CHECKSUM 0x04
#define FHD_DICTIONARY 0x03

_Static_assert(UNPACK_FRAME_PACKED_BYTES >= ZSTD_COMPRESSBOUND(UNPACK_FRAME_BYTES), "room for all that libzstd makes");

struct unpack_cutter {
	struct source *below;
	char *what;
	bool below_over, begun;
	bool below_failed; /* with @why: another thread may find damage later that came before */
	struct err why;
	struct buf back; /* read, and not handed out */
};

int unpack_cutter_new(struct source *below, const char *what, struct unpack_cutter **out, struct err *e)
{
	struct unpack_cutter *c = calloc(1, sizeof(*c));
	char *name = strdup(what);

	if (!c || !name) {
		free(c);
		free(name);
		errno = ENOMEM;
		return err_sys(e, "unpacking %s", what);
	}
	*c = (struct unpack_cutter){ .below = below, .what = name, .back = BUF_INIT(UNPACK_FRAME_PACKED_BYTES) };
	*out = c;
	return 0;
}

void unpack_cutter_free(struct unpack_cutter *c)
{
	if (!c)
		return;
	source_free(c->below);
	buf_fini(&c->back);
	free(c->what);
	free(c);
}

/* Up to @n bytes more behind *@at of @dst; fewer only at the end. */
static int get(struct unpack_cutter *c, uint8_t *dst, size_t *at, size_t n, struct err *e)
{
	size_t got = 0;

	if (c->below_over || n == 0)
		return 0;
	const int r = source_read_full(c->below, dst + *at, n, &got, e);

	c->below_over = r != 0;
	*at += got;
	if (r < 0) {
		c->below_failed = true;
		c->why = *e;
	}
	return r < 0 ? -1 : 0;
}

static int truncated(const struct unpack_cutter *c, struct err *e)
{
	return err_set(e, ERR_FORMAT, "truncated", "%s: ends too early for zstd", c->what);
}

/* Exactly @n bytes more. */
static int need(struct unpack_cutter *c, uint8_t *dst, size_t *at, size_t n, struct err *e)
{
	const size_t want = *at + n;

	if (get(c, dst, at, n, e) < 0)
		return -1;
	return *at == want ? 0 : truncated(c, e);
}

/* Not for the cutter: the bytes read are kept for unpack_cutter_rest(). */
static int other(struct unpack_cutter *c, const uint8_t *dst, size_t n, struct err *e)
{
	return buf_append(&c->back, dst, n, e) < 0 ? -1 : UNPACK_FRAMES_OTHER;
}

static bool is_skippable(uint32_t magic)
{
	return (magic & 0xfffffff0u) == SKIPPABLE_MAGIC;
}

/* @dst has its magic, and is scratch. */
static int skip(struct unpack_cutter *c, uint8_t *dst, struct err *e)
{
	size_t at = 0;

	if (need(c, dst, &at, 4, e) < 0)
		return -1;
	for (uint32_t rest = load_le32(dst); rest > 0;) {
		const uint32_t n = (uint32_t)min_u64(rest, UNPACK_FRAME_PACKED_BYTES);

		at = 0;
		if (need(c, dst, &at, n, e) < 0)
			return -1;
		rest -= n;
	}
	return 0;
}

/* Fewer than four bytes, or no magic of ours, behind a frame. */
static int bad_follower(const struct unpack_cutter *c, const uint8_t *p, size_t n, struct err *e)
{
	static const uint8_t frame[] = { 0x28, 0xb5, 0x2f }, skippable[] = { 0x50, 0x2a, 0x4d };

	if (n < MAGIC_BYTES &&
	    (memcmp(p, frame, n) == 0 || ((p[0] & 0xf0) == skippable[0] && memcmp(p + 1, skippable + 1, n - 1) == 0)))
		return truncated(c, e);
	return err_set(e, ERR_FORMAT, "trailing", "%s: something else behind its compressed data", c->what);
}

/* To the next frame's magic, which is in @dst then. Return: 0; SOURCE_END; UNPACK_FRAMES_OTHER; -1 */
static int find_frame(struct unpack_cutter *c, uint8_t *dst, struct err *e)
{
	for (;;) {
		size_t at = 0;

		if (get(c, dst, &at, MAGIC_BYTES, e) < 0)
			return -1;
		if (at == 0 && c->begun)
			return SOURCE_END;
		const uint32_t magic = at == MAGIC_BYTES ? load_le32(dst) : 0;

		if (magic == FRAME_MAGIC)
			return 0;
		if (!c->begun)
			return other(c, dst, at, e);
		if (!is_skippable(magic))
			return bad_follower(c, dst, at, e);
		if (skip(c, dst, e) < 0)
			return -1;
	}
}

/* The header behind the magic. Return: 0 with the content's size; UNPACK_FRAMES_OTHER; -1 */
static int read_header(struct unpack_cutter *c, uint8_t *dst, size_t *at, size_t *content, struct err *e)
{
	static const size_t size_bytes[] = { 1, 2, 4, 8 };

	if (need(c, dst, at, 1, e) < 0)
		return -1;
	const uint8_t fhd = dst[MAGIC_BYTES];
	const unsigned int kind = fhd >> FHD_CONTENT_SIZE_SHIFT;
	uint8_t field[8] = { 0 };

	if (!(fhd & FHD_SINGLE_SEGMENT) || (fhd & (FHD_RESERVED | FHD_DICTIONARY)))
		return other(c, dst, *at, e);
	if (need(c, dst, at, size_bytes[kind], e) < 0)
		return -1;
	memcpy(field, dst + MAGIC_BYTES + 1, size_bytes[kind]);
	const uint64_t size = load_le64(field) + (kind == 1 ? 256 : 0); /* the two-byte form begins at 256; no overflow in two bytes */

	if (size > UNPACK_FRAME_BYTES)
		return other(c, dst, *at, e);
	*content = (size_t)size;
	return 0;
}

/* Blocks up to the last, and the checksum. Return: 0; UNPACK_FRAMES_OTHER; -1 */
static int read_blocks(struct unpack_cutter *c, uint8_t *dst, size_t *at, bool checksum, struct err *e)
{
	for (bool last = false; !last;) {
		if (UNPACK_FRAME_PACKED_BYTES - *at < BLOCK_HEADER_BYTES)
			return other(c, dst, *at, e);
		if (need(c, dst, at, BLOCK_HEADER_BYTES, e) < 0)
			return -1;
		const uint8_t *h = dst + *at - BLOCK_HEADER_BYTES;
		const uint32_t header = h[0] | (uint32_t)h[1] << 8 | (uint32_t)h[2] << 16;
		const size_t size = (header >> 1 & 3) == BLOCK_RLE ? 1 : header >> 3;
		const size_t tail = (last = header & 1) && checksum ? CHECKSUM_BYTES : 0;

		if (UNPACK_FRAME_PACKED_BYTES - *at < size + tail)
			return other(c, dst, *at, e);
		if (need(c, dst, at, size + tail, e) < 0)
			return -1;
	}
	return 0;
}

int unpack_cutter_next(struct unpack_cutter *c, uint8_t *dst, size_t *n, size_t *content, struct err *e)
{
	size_t at = MAGIC_BYTES;
	size_t size = 0;
	int r = find_frame(c, dst, e);

	if (r == 0)
		r = read_header(c, dst, &at, &size, e);
	if (r == 0)
		r = read_blocks(c, dst, &at, dst[MAGIC_BYTES] & FHD_CHECKSUM, e);
	if (r != 0)
		return r;
	c->begun = true;
	*n = at;
	*content = size;
	return 0;
}

void unpack_cutter_find_cause(struct unpack_cutter *c, struct err *e)
{
	uint8_t piece[4096];
	struct err ignored;
	size_t at;

	while (c->below && !c->below_over) {
		at = 0;
		(void)get(c, piece, &at, sizeof(piece), &ignored);
	}
	if (c->below_failed)
		*e = c->why;
}

struct rest {
	struct source base;
	struct source *below;
	bool below_over;
	struct buf back;
	size_t at;
};

static int rest_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct rest *r = (struct rest *)s;

	if (r->at == r->back.n)
		return r->below_over ? SOURCE_END : source_read(r->below, dst, cap, n, e);
	*n = min_size(cap, r->back.n - r->at);
	memcpy(dst, r->back.p + r->at, *n);
	r->at += *n;
	return 0;
}

static void rest_free(struct source *s)
{
	struct rest *r = (struct rest *)s;

	source_free(r->below);
	buf_fini(&r->back);
	free(r);
}

int unpack_cutter_rest(struct unpack_cutter *c, struct source **out, struct err *e)
{
	static const struct source_ops ops = { .read = rest_read, .free = rest_free };
	struct rest *r = calloc(1, sizeof(*r));

	if (!r)
		return err_sys(e, "unpacking %s", c->what);
	*r = (struct rest){ .base.ops = &ops, .below = c->below, .below_over = c->below_over, .back = c->back };
	c->below = NULL;
	c->back = (struct buf)BUF_INIT(0);
	*out = &r->base;
	return 0;
}

struct unpack_frame_decoder {
	ZSTD_DCtx *ctx;
};

int unpack_frame_decoder_new(struct unpack_frame_decoder **out, struct err *e)
{
	CLEANUP(unpack_frame_decoder_free_p) struct unpack_frame_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return err_sys(e, "a decoder for zstd");
	d->ctx = ZSTD_createDCtx();
	if (!d->ctx) {
		errno = ENOMEM;
		return err_sys(e, "a decoder for zstd");
	}
	*out = TAKE(d);
	return 0;
}

void unpack_frame_decoder_free(struct unpack_frame_decoder *d)
{
	if (!d)
		return;
	ZSTD_freeDCtx(d->ctx);
	free(d);
}

int unpack_frame(struct unpack_frame_decoder *d, struct bytes packed, void *out, size_t content, const char *what, struct err *e)
{
	const size_t r = ZSTD_decompressDCtx(d->ctx, out, content, packed.p, packed.n);

	if (ZSTD_isError(r) && ZSTD_getErrorCode(r) == ZSTD_error_memory_allocation) {
		errno = ENOMEM;
		return err_sys(e, "%s: decoding zstd", what);
	}
	if (ZSTD_isError(r) || r != content)
		return err_set(e, ERR_FORMAT, "corrupt", "%s: zstd: %s", what, ZSTD_isError(r) ? ZSTD_getErrorName(r) : "another length");
	return 0;
}
