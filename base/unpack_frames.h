/*
 * zstd frame by frame: cut out of a stream without decoding, and decoded each on its own, so that several threads
 * can share the work. Taken are frames that say how long their content is and are their own window, up to
 * UNPACK_FRAME_BYTES: what publishers of seekable files write. Anything else is left to unpack_new(), from the
 * place where it begins.
 *
 * From: RFC 8878 3.1.1 (frame header, blocks), 3.1.2 (skippable frames).
 */
#ifndef FLIPSIDE_BASE_UNPACK_FRAMES_H
#define FLIPSIDE_BASE_UNPACK_FRAMES_H

#include "base/stream.h"

#define UNPACK_FRAME_BYTES (1u << 20) /* of content */
#define UNPACK_FRAME_PACKED_BYTES (UNPACK_FRAME_BYTES + UNPACK_FRAME_BYTES / 128) /* more than libzstd ever makes of that */
#define UNPACK_FRAMES_OTHER 2

struct unpack_cutter;

/* @below: taken over on success. @what names the file in messages; copied. Return: 0; -1 ERR_SYSTEM */
int unpack_cutter_new(struct source *below, const char *what, struct unpack_cutter **out, struct err *e);
void unpack_cutter_free(struct unpack_cutter *c);
DEFINE_CLEANUP(struct unpack_cutter, unpack_cutter_free);

/**
 * unpack_cutter_next() - the next frame, packed; skippable frames behind the first one are passed over
 * @dst: UNPACK_FRAME_PACKED_BYTES of room
 * @n, @content: bytes of the frame, and of what it holds (may be 0)
 * Return: 0; SOURCE_END, when the source below has ended between frames; UNPACK_FRAMES_OTHER:
 * unpack_cutter_rest() is due; -1: ERR_FORMAT "truncated", "trailing", what the source below says
 */
int unpack_cutter_next(struct unpack_cutter *c, uint8_t *dst, size_t *n, size_t *content, struct err *e);

/* All that has not been handed out, for unpack_new(): once, after UNPACK_FRAMES_OTHER. The cutter keeps nothing
 * and is only freed. */
int unpack_cutter_rest(struct unpack_cutter *c, struct source **out, struct err *e);

/* After damage was found: reads what is left below. If that fails, by a digest say, it was the cause: *@e then
 * tells it. */
void unpack_cutter_find_cause(struct unpack_cutter *c, struct err *e);

/* Decoding: one for each thread. */
struct unpack_frame_decoder;
int unpack_frame_decoder_new(struct unpack_frame_decoder **out, struct err *e);
void unpack_frame_decoder_free(struct unpack_frame_decoder *d);
DEFINE_CLEANUP(struct unpack_frame_decoder, unpack_frame_decoder_free);

/* One whole frame into exactly @content bytes. Return: 0; -1: ERR_FORMAT "corrupt", ERR_SYSTEM */
int unpack_frame(struct unpack_frame_decoder *d, struct bytes packed, void *out, size_t content, const char *what, struct err *e);

#endif
