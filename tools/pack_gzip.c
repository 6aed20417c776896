/* gzip by zlib: one member, no name and no time in its header. */
#define ZLIB_CONST /* input is const */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/num.h"
#include "tools/pack.h"

#define OUT_BYTES (256u * 1024)
#define WINDOW_BITS_GZIP (15 + 16) /* zlib: 16 added asks for the gzip wrapper */
#define MEM_LEVEL 9

struct gzip_sink {
	struct sink base;
	struct sink *below;
	z_stream z;
	bool ready; /* deflateInit2 has succeeded */
	uint8_t out[OUT_BYTES];
};

/* Runs the encoder over its input and writes what comes out, until it has no more to give. */
static int gzip_run(struct gzip_sink *s, int flush, struct err *e)
{
	do {
		s->z.next_out = s->out;
		s->z.avail_out = sizeof(s->out);
		const int r = deflate(&s->z, flush);

		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return err_set(e, ERR_BUG, NULL, "gzip: zlib returns %d", r);
		if (sink_write(s->below, s->out, sizeof(s->out) - s->z.avail_out, e) < 0)
			return -1;
	} while (s->z.avail_out == 0);
	return 0;
}

static int gzip_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	struct gzip_sink *s = (struct gzip_sink *)sink;
	const uint8_t *from = p;

	while (n) {
		const size_t take = min_size(n, UINT_MAX);

		s->z.next_in = from;
		s->z.avail_in = (uInt)take;
		if (gzip_run(s, Z_NO_FLUSH, e) < 0)
			return -1;
		from += take;
		n -= take;
	}
	return 0;
}

static int gzip_finish(struct sink *sink, struct err *e)
{
	struct gzip_sink *s = (struct gzip_sink *)sink;

	s->z.next_in = NULL;
	s->z.avail_in = 0;
	if (gzip_run(s, Z_FINISH, e) < 0)
		return -1;
	return sink_finish(s->below, e);
}

static void gzip_free(struct sink *sink)
{
	struct gzip_sink *s = (struct gzip_sink *)sink;

	if (s->ready)
		deflateEnd(&s->z);
	free(s);
}

static const struct sink_ops gzip_ops = { gzip_write, gzip_finish, gzip_free };

int pack_gzip_new(int level, struct sink *below, struct sink **out, struct err *e)
{
	struct gzip_sink *s = calloc(1, sizeof(*s));

	if (!s) {
		errno = ENOMEM;
		return err_sys(e, "gzip");
	}
	s->base.ops = &gzip_ops;
	s->below = below;
	CLEANUP(sink_free_p) struct sink *made = &s->base;
	if (deflateInit2(&s->z, level, Z_DEFLATED, WINDOW_BITS_GZIP, MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
		errno = ENOMEM;
		return err_sys(e, "gzip");
	}
	s->ready = true;
	*out = TAKE(made);
	return 0;
}
