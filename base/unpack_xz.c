/*
 * .xz streams by liblzma, one at a time: what may stand between two streams is the business of the loop in
 * unpack.c. A stream whose integrity check this liblzma does not know is refused, not decoded unchecked.
 */
#include "base/unpack_codec.h"

#include <lzma.h>
#include <stdlib.h>

#include "base/unpack.h"

static void *xz_make(void)
{
	lzma_stream *s = malloc(sizeof(*s));

	if (s)
		*s = (lzma_stream)LZMA_STREAM_INIT;
	return s;
}

static bool xz_restart(void *state)
{
	return lzma_stream_decoder(state, UNPACK_XZ_MEMORY_BYTES, LZMA_TELL_UNSUPPORTED_CHECK) == LZMA_OK;
}

static enum unpack_status xz_step(void *state, struct unpack_io *io, const char **detail)
{
	lzma_stream *s = state;

	s->next_in = io->in;
	s->avail_in = io->in_n;
	s->next_out = io->out;
	s->avail_out = io->out_n;
	const lzma_ret r = lzma_code(s, LZMA_RUN);

	io->in = s->next_in;
	io->in_n = s->avail_in;
	io->out = s->next_out;
	io->out_n = s->avail_out;
	*detail = "data error";
	if (r == LZMA_OK || r == LZMA_BUF_ERROR) /* the latter: nothing could be done without more input */
		return UNPACK_GOING;
	if (r == LZMA_STREAM_END)
		return UNPACK_FRAME_END;
	if (r == LZMA_MEM_ERROR)
		return UNPACK_NO_MEMORY;
	if (r == LZMA_MEMLIMIT_ERROR) {
		*detail = "needs more memory than allowed for xz";
		return UNPACK_OVER_LIMIT;
	}
	if (r == LZMA_OPTIONS_ERROR || r == LZMA_UNSUPPORTED_CHECK)
		*detail = "unsupported filter, option or integrity check";
	return UNPACK_CORRUPT;
}

static void xz_free(void *state)
{
	lzma_end(state);
	free(state);
}

const struct unpack_codec unpack_xz_codec = {
	.make = xz_make,
	.restart = xz_restart,
	.step = xz_step,
	.free = xz_free,
};
