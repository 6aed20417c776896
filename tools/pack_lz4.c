/*
 * lz4 frames as `lz4 -9` makes them: independent blocks of 4 MiB at most, and a checksum of the content.
 * From: LZ4 frame format 1.6.2 (frame descriptor: block maximum size, content checksum).
 */
#include <errno.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tools/pack.h"

#define PIECE_BYTES (256u * 1024)

struct lz4_sink {
	struct sink base;
	struct sink *below;
	LZ4F_cctx *cctx;
	LZ4F_preferences_t prefs;
	uint8_t *out;
	size_t out_cap;
	bool begun;
};

/* @n is what an LZ4F function returned: bytes in s->out, or an error. */
static int lz4_put(struct lz4_sink *s, size_t n, struct err *e)
{
	if (LZ4F_isError(n))
		return err_set(e, ERR_SYSTEM, NULL, "lz4: %s", LZ4F_getErrorName(n));
	return sink_write(s->below, s->out, n, e);
}

static int lz4_begin(struct lz4_sink *s, struct err *e)
{
	if (s->begun)
		return 0;
	s->begun = true;
	return lz4_put(s, LZ4F_compressBegin(s->cctx, s->out, s->out_cap, &s->prefs), e);
}

static int lz4_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	struct lz4_sink *s = (struct lz4_sink *)sink;
	const uint8_t *from = p;

	if (lz4_begin(s, e) < 0)
		return -1;
	while (n) {
		const size_t take = min_size(n, PIECE_BYTES);

		if (lz4_put(s, LZ4F_compressUpdate(s->cctx, s->out, s->out_cap, from, take, NULL), e) < 0)
			return -1;
		from += take;
		n -= take;
	}
	return 0;
}

static int lz4_finish(struct sink *sink, struct err *e)
{
	struct lz4_sink *s = (struct lz4_sink *)sink;

	if (lz4_begin(s, e) < 0 || lz4_put(s, LZ4F_compressEnd(s->cctx, s->out, s->out_cap, NULL), e) < 0)
		return -1;
	return sink_finish(s->below, e);
}

static void lz4_free(struct sink *sink)
{
	struct lz4_sink *s = (struct lz4_sink *)sink;

	LZ4F_freeCompressionContext(s->cctx);
	free(s->out);
	free(s);
}

static const struct sink_ops lz4_ops = { lz4_write, lz4_finish, lz4_free };

int pack_lz4_new(int level, struct sink *below, struct sink **out, struct err *e)
{
	struct lz4_sink *s = calloc(1, sizeof(*s));

	if (!s) {
		errno = ENOMEM;
		return err_sys(e, "lz4");
	}
	s->base.ops = &lz4_ops;
	s->below = below;
	CLEANUP(sink_free_p) struct sink *made = &s->base;
	s->prefs.frameInfo.blockSizeID = LZ4F_max4MB;
	s->prefs.frameInfo.blockMode = LZ4F_blockIndependent;
	s->prefs.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
	s->prefs.compressionLevel = level;
	/* The bound covers what earlier pieces left inside; the header is 19 bytes at most. */
	s->out_cap = LZ4F_compressBound(PIECE_BYTES, &s->prefs) + LZ4F_HEADER_SIZE_MAX;
	s->out = malloc(s->out_cap);
	if (!s->out || LZ4F_isError(LZ4F_createCompressionContext(&s->cctx, LZ4F_VERSION))) {
		errno = ENOMEM;
		return err_sys(e, "lz4");
	}
	*out = TAKE(made);
	return 0;
}
