/* xz in independent blocks, which liblzma's threads share; the bytes depend on the block size, not on the number
 * of threads. */
#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

#include "tools/pack.h"

#define OUT_BYTES (256u * 1024)

struct xz_sink {
	struct sink base;
	struct sink *below;
	lzma_stream strm;
	uint8_t out[OUT_BYTES];
};

static int xz_fail(lzma_ret r, struct err *e)
{
	if (r == LZMA_MEM_ERROR) {
		errno = ENOMEM;
		return err_sys(e, "xz");
	}
	return err_set(e, ERR_BUG, NULL, "xz: liblzma returns %d", (int)r);
}

/* Runs the encoder over its input and writes what comes out, until the input is used up or, with LZMA_FINISH, all
 * is out. */
static int xz_run(struct xz_sink *s, lzma_action action, struct err *e)
{
	for (;;) {
		s->strm.next_out = s->out;
		s->strm.avail_out = sizeof(s->out);
		const lzma_ret r = lzma_code(&s->strm, action);

		if (r != LZMA_OK && r != LZMA_STREAM_END)
			return xz_fail(r, e);
		if (sink_write(s->below, s->out, sizeof(s->out) - s->strm.avail_out, e) < 0)
			return -1;
		if (r == LZMA_STREAM_END || (action == LZMA_RUN && s->strm.avail_in == 0))
			return 0;
	}
}

static int xz_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	struct xz_sink *s = (struct xz_sink *)sink;

	if (n == 0)
		return 0;
	s->strm.next_in = p;
	s->strm.avail_in = n;
	return xz_run(s, LZMA_RUN, e);
}

static int xz_finish(struct sink *sink, struct err *e)
{
	struct xz_sink *s = (struct xz_sink *)sink;

	s->strm.next_in = NULL;
	s->strm.avail_in = 0;
	if (xz_run(s, LZMA_FINISH, e) < 0)
		return -1;
	return sink_finish(s->below, e);
}

static void xz_free(struct sink *sink)
{
	struct xz_sink *s = (struct xz_sink *)sink;

	lzma_end(&s->strm);
	free(s);
}

static const struct sink_ops xz_ops = { xz_write, xz_finish, xz_free };

int pack_xz_new(int level, unsigned int threads, struct sink *below, struct sink **out, struct err *e)
{
	struct xz_sink *s = calloc(1, sizeof(*s));

	if (!s) {
		errno = ENOMEM;
		return err_sys(e, "xz");
	}
	s->base.ops = &xz_ops;
	s->below = below;
	CLEANUP(sink_free_p) struct sink *made = &s->base;
	const lzma_mt mt = {
		.threads = threads,
		.block_size = PACK_XZ_BLOCK_BYTES,
		.preset = (uint32_t)level,
		.check = LZMA_CHECK_CRC64,
	};
	const lzma_ret r = lzma_stream_encoder_mt(&s->strm, &mt);

	if (r != LZMA_OK)
		return xz_fail(r, e);
	*out = TAKE(made);
	return 0;
}
