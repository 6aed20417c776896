/* gzip members by zlib, which checks the CRC-32 and the length behind each. */
#include "base/unpack_codec.h"

#include <limits.h>
#include <stdlib.h>
#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

#include "base/num.h"

#define GZIP_ONLY (16 + MAX_WBITS) /* inflateInit2: a gzip header is required, windows up to 32 KiB */

static void *gzip_make(void)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z && inflateInit2(z, GZIP_ONLY) != Z_OK) {
		free(z);
		return NULL;
	}
	return z;
}

static bool gzip_restart(void *state)
{
	return inflateReset(state) == Z_OK;
}

static enum unpack_status gzip_step(void *state, struct unpack_io *io, const char **detail)
{
	z_stream *z = state;
	const uInt in_n = (uInt)min_size(io->in_n, UINT_MAX), out_n = (uInt)min_size(io->out_n, UINT_MAX);

	z->next_in = io->in;
	z->avail_in = in_n;
	z->next_out = io->out;
	z->avail_out = out_n;
	const int r = inflate(z, Z_NO_FLUSH);

	io->in += in_n - z->avail_in;
	io->in_n -= in_n - z->avail_in;
	io->out += out_n - z->avail_out;
	io->out_n -= out_n - z->avail_out;
	*detail = z->msg ? z->msg : "data error";
	switch (r) {
	case Z_OK:
	case Z_BUF_ERROR: /* nothing could be done without more input */
		return UNPACK_GOING;
	case Z_STREAM_END:
		return UNPACK_FRAME_END;
	case Z_MEM_ERROR:
		return UNPACK_NO_MEMORY;
	default:
		return UNPACK_CORRUPT;
	}
}

static void gzip_free(void *state)
{
	inflateEnd(state);
	free(state);
}

const struct unpack_codec unpack_gzip_codec = {
	.make = gzip_make,
	.restart = gzip_restart,
	.step = gzip_step,
	.free = gzip_free,
};
