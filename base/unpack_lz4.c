/* LZ4 frames by liblz4, whose blocks are at most 4 MiB by the format, so that memory needs no further limit. */
#include "base/unpack_codec.h"

#include <lz4frame.h>
#include <string.h>

static void *lz4_make(void)
{
	LZ4F_dctx *d = NULL;

	return LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)) ? NULL : d;
}

static bool lz4_restart(void *state)
{
	LZ4F_resetDecompressionContext(state);
	return true;
}

static enum unpack_status lz4_step(void *state, struct unpack_io *io, const char **detail)
{
	size_t in_n = io->in_n, out_n = io->out_n; /* changed to what was taken and given */
	const size_t r = LZ4F_decompress(state, io->out, &out_n, io->in, &in_n, NULL);

	if (LZ4F_isError(r)) {
		*detail = LZ4F_getErrorName(r);
		return strcmp(*detail, "ERROR_allocation_failed") == 0 ? UNPACK_NO_MEMORY : UNPACK_CORRUPT;
	}
	io->in += in_n;
	io->in_n -= in_n;
	io->out += out_n;
	io->out_n -= out_n;
	return r == 0 ? UNPACK_FRAME_END : UNPACK_GOING;
}

static void lz4_free(void *state)
{
	LZ4F_freeDecompressionContext(state);
}

const struct unpack_codec unpack_lz4_codec = {
	.make = lz4_make,
	.restart = lz4_restart,
	.step = lz4_step,
	.free = lz4_free,
};
