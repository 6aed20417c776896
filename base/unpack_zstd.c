/*
 * zstd frames by libzstd. The first byte of each frame is handed over alone: a frame that lies whole in one call
 * may be decoded by a shortcut that does not look at the window limit, and then the same file would pass or fail
 * with the size of the pieces.
 */
#include "base/unpack_codec.h"

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/num.h"
#include "base/unpack.h"

struct zstd {
	ZSTD_DCtx *ctx;
	bool begun; /* the first byte of the frame was taken */
};

static void zstd_free(void *state)
{
	struct zstd *z = state;

	ZSTD_freeDCtx(z->ctx);
	free(z);
}

static void *zstd_make(void)
{
	struct zstd *z = calloc(1, sizeof(*z));

	if (!z)
		return NULL;
	z->ctx = ZSTD_createDCtx();
	if (!z->ctx || ZSTD_isError(ZSTD_DCtx_setParameter(z->ctx, ZSTD_d_windowLogMax, UNPACK_WINDOW_LOG_MAX))) {
		zstd_free(z);
		return NULL;
	}
	return z;
}

static bool zstd_restart(void *state)
{
	struct zstd *z = state;

	z->begun = false;
	return !ZSTD_isError(ZSTD_DCtx_reset(z->ctx, ZSTD_reset_session_only));
}

static enum unpack_status failure(size_t r, const char **detail)
{
	*detail = ZSTD_getErrorName(r);
	switch ((int)ZSTD_getErrorCode(r)) {
	case ZSTD_error_memory_allocation:
		return UNPACK_NO_MEMORY;
	case ZSTD_error_frameParameter_windowTooLarge:
		return UNPACK_OVER_LIMIT;
	default:
		return UNPACK_CORRUPT;
	}
}

static enum unpack_status zstd_step(void *state, struct unpack_io *io, const char **detail)
{
	struct zstd *z = state;
	ZSTD_inBuffer in = { .src = io->in, .size = z->begun ? io->in_n : min_size(io->in_n, 1) };
	ZSTD_outBuffer out = { .dst = io->out, .size = io->out_n };
	const size_t r = ZSTD_decompressStream(z->ctx, &out, &in);

	if (ZSTD_isError(r))
		return failure(r, detail);
	z->begun |= in.pos > 0;
	io->in += in.pos;
	io->in_n -= in.pos;
	io->out += out.pos;
	io->out_n -= out.pos;
	return r == 0 ? UNPACK_FRAME_END : UNPACK_GOING;
}

const struct unpack_codec unpack_zstd_codec = {
	.make = zstd_make,
	.restart = zstd_restart,
	.step = zstd_step,
	.free = zstd_free,
};
