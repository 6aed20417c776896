/* What a compression format adds to the one loop in unpack.c: how to begin a frame and how to take a step in it. */
#ifndef FLIPSIDE_BASE_UNPACK_CODEC_H
#define FLIPSIDE_BASE_UNPACK_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum unpack_status {
	UNPACK_GOING, /* took or gave what it could */
	UNPACK_FRAME_END, /* the frame (member, stream) is complete and its checks were good; the next byte is not its own */
	UNPACK_CORRUPT,
	UNPACK_OVER_LIMIT,
	UNPACK_NO_MEMORY,
};

/* What is left to read and to fill; a step moves both on. */
struct unpack_io {
	const uint8_t *in;
	size_t in_n;
	uint8_t *out;
	size_t out_n; /* above 0 */
};

struct unpack_codec {
	void *(*make)(void);	      /* NULL: out of memory */
	bool (*restart)(void *state); /* before each frame, the first one too; false: out of memory */
	/* @detail: static text, set when the status is a failure */
	enum unpack_status (*step)(void *state, struct unpack_io *io, const char **detail);
	void (*free)(void *state);
};

extern const struct unpack_codec unpack_gzip_codec, unpack_xz_codec, unpack_zstd_codec, unpack_lz4_codec;

#endif
