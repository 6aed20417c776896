/*
 * One loop for all formats. It is either between frames, where it looks at magic bytes and decides what comes
 * next (a frame, padding, a skippable frame, the end, or something that has no business there), or inside of a
 * frame, where the format's codec takes steps. Bytes go from the source below through one input buffer; the end
 * below is looked for between frames alone, so SOURCE_END always means: last frame complete, and nothing behind
 * it. Every turn takes input, gives output, changes the state, or counts as idle.
 */
#include "base/unpack.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/unpack_codec.h"

#define INPUT_BYTES (64 * 1024)
#define IDLE_MAX 4 /* steps in a row that neither take nor give, with input at hand: a decoder gone wrong */
#define XZ_PADDING_BYTES 4
#define SKIPPABLE_HEADER_BYTES 8
#define SKIPPABLE_MAGIC 0x184D2A50u /* the last four bits are free: RFC 8878 3.1.2, LZ4 frame format */

static const struct {
	const char *name;
	struct bytes magic;
	const struct unpack_codec *codec;
} formats[] = {
	[UNPACK_NONE] = { "none", { NULL, 0 }, NULL },
	[UNPACK_GZIP] = { "gzip", { (const uint8_t *)"\x1f\x8b", 2 }, &unpack_gzip_codec },
	[UNPACK_XZ] = { "xz", { (const uint8_t *)"\xfd\x37zXZ\0", 6 }, &unpack_xz_codec },
	[UNPACK_ZSTD] = { "zstd", { (const uint8_t *)"\x28\xb5\x2f\xfd", 4 }, &unpack_zstd_codec },
	[UNPACK_LZ4] = { "lz4", { (const uint8_t *)"\x04\x22\x4d\x18", 4 }, &unpack_lz4_codec },
};

struct unpack {
	struct source base;
	struct source *below;
	char *what;
	enum unpack_format format; /* UNPACK_NONE until the first frame that is not skippable */
	void *state;		   /* of that format's codec; NULL before */
	bool raw;		   /* no known magic at the start: all passes */
	bool begun;		   /* a frame, skippable or not, has begun */
	bool in_frame;
	uint32_t skip; /* bytes left of a skippable frame */
	int idle;
	bool below_over; /* the source below has told its end and must not be read on */
	size_t at, n;	 /* the unread input: in[at..at+n) */
	uint8_t in[INPUT_BYTES];
};

static bool is_skippable(struct bytes head)
{
	return head.n >= 4 && (load_le32(head.p) & 0xfffffff0u) == SKIPPABLE_MAGIC;
}

enum unpack_format unpack_detect(struct bytes head)
{
	for (size_t i = UNPACK_NONE + 1; i < ARRAY_LEN(formats); i++) {
		const struct bytes magic = formats[i].magic;

		if (head.n >= magic.n && memcmp(head.p, magic.p, magic.n) == 0)
			return (enum unpack_format)i;
	}
	return is_skippable(head) ? UNPACK_ZSTD : UNPACK_NONE;
}

const char *unpack_name(enum unpack_format f)
{
	return formats[f].name;
}

/* True if @head, not empty, is the front of a magic and not all of it. */
static bool is_cut_magic(struct bytes head)
{
	static const uint8_t skippable_rest[] = { 0x2a, 0x4d, 0x18 };

	for (size_t i = UNPACK_NONE + 1; i < ARRAY_LEN(formats); i++)
		if (head.n < formats[i].magic.n && memcmp(head.p, formats[i].magic.p, head.n) == 0)
			return true;
	return head.n < 4 && (head.p[0] & 0xf0) == (SKIPPABLE_MAGIC & 0xf0) &&
	       memcmp(head.p + 1, skippable_rest, head.n - 1) == 0;
}

/* One read from below behind the unread input. Return: 0, also at the end (then below_over); -1 */
static int fill(struct unpack *u, struct err *e)
{
	size_t got;

	if (u->at > 0)
		memmove(u->in, u->in + u->at, u->n);
	u->at = 0;
	const int r = source_read(u->below, u->in + u->n, sizeof(u->in) - u->n, &got, e);

	u->below_over = r != 0;
	if (r < 0)
		return -1;
	u->n += got;
	return 0;
}

/* At least @n bytes of unread input, or all there are. */
static int fill_to(struct unpack *u, size_t n, struct err *e)
{
	while (u->n < n && !u->below_over)
		if (fill(u, e) < 0)
			return -1;
	return 0;
}

static void take(struct unpack *u, size_t n)
{
	u->at += n;
	u->n -= n;
}

static int truncated(const struct unpack *u, struct err *e)
{
	return err_set(e, ERR_FORMAT, "truncated", "%s: ends too early for %s", u->what,
		       u->format == UNPACK_NONE ? "its compression" : unpack_name(u->format));
}

static int out_of_memory(const struct unpack *u, struct err *e)
{
	errno = ENOMEM;
	return err_sys(e, "%s: decoding %s", u->what, unpack_name(u->format));
}

/* All that is left below, the bytes looked at first. */
static int read_raw(struct unpack *u, void *dst, size_t cap, size_t *n, struct err *e)
{
	if (u->n == 0)
		return u->below_over ? SOURCE_END : source_read(u->below, dst, cap, n, e);
	*n = min_size(cap, u->n);
	memcpy(dst, u->in + u->at, *n);
	take(u, *n);
	return 0;
}

static int begin_skippable(struct unpack *u, struct err *e)
{
	if (fill_to(u, SKIPPABLE_HEADER_BYTES, e) < 0)
		return -1;
	if (u->n < SKIPPABLE_HEADER_BYTES)
		return truncated(u, e);
	u->skip = load_le32(u->in + u->at + 4);
	u->begun = true;
	take(u, SKIPPABLE_HEADER_BYTES);
	return 0;
}

static int skip_on(struct unpack *u, struct err *e)
{
	if (fill_to(u, 1, e) < 0)
		return -1;
	if (u->n == 0)
		return truncated(u, e);
	const size_t n = min_size(u->n, u->skip);

	u->skip -= (uint32_t)n;
	take(u, n);
	return 0;
}

static int begin_frame(struct unpack *u, enum unpack_format f, struct err *e)
{
	u->format = f;
	if (!u->state)
		u->state = formats[f].codec->make();
	if (!u->state || !formats[f].codec->restart(u->state))
		return out_of_memory(u, e);
	u->begun = u->in_frame = true;
	u->idle = 0;
	return 0;
}

/* Stream padding of .xz: multiples of four zero bytes behind a stream (.xz format 2.2). */
static bool is_padding(const struct unpack *u, struct bytes head)
{
	static const uint8_t zeros[XZ_PADDING_BYTES];

	return u->format == UNPACK_XZ && head.n >= sizeof(zeros) && memcmp(head.p, zeros, sizeof(zeros)) == 0;
}

static bool may_be_skipped(const struct unpack *u, struct bytes head)
{
	return is_skippable(head) && u->format != UNPACK_GZIP && u->format != UNPACK_XZ;
}

/* Whether a frame of @f may come now: at the start any; behind skippable frames those formats that have them;
 * then the same. */
static bool may_follow(const struct unpack *u, enum unpack_format f)
{
	if (!u->begun)
		return f != UNPACK_NONE;
	if (u->format == UNPACK_NONE)
		return f == UNPACK_ZSTD || f == UNPACK_LZ4;
	return f == u->format;
}

/* Between frames. Return: 0 with the state changed or input taken; SOURCE_END; -1 */
static int next_frame(struct unpack *u, struct err *e)
{
	if (fill_to(u, UNPACK_MAGIC_BYTES, e) < 0)
		return -1;
	const struct bytes head = bytes_of(u->in + u->at, u->n);
	const enum unpack_format f = unpack_detect(head);

	if (head.n == 0)
		return SOURCE_END;
	if (is_padding(u, head)) {
		take(u, XZ_PADDING_BYTES);
		return 0;
	}
	if (may_be_skipped(u, head))
		return begin_skippable(u, e);
	if (may_follow(u, f))
		return begin_frame(u, f, e);
	if (u->below_over && is_cut_magic(head))
		return truncated(u, e);
	if (!u->begun) {
		u->raw = true;
		return 0;
	}
	return err_set(e, ERR_FORMAT, "trailing", "%s: something else behind its compressed data", u->what);
}

static int step_failed(const struct unpack *u, enum unpack_status status, const char *detail, struct err *e)
{
	if (status == UNPACK_NO_MEMORY)
		return out_of_memory(u, e);
	return err_set(e, ERR_FORMAT, status == UNPACK_OVER_LIMIT ? "limit" : "corrupt", "%s: %s: %s", u->what,
		       unpack_name(u->format), detail);
}

/* Inside of a frame: one step of the codec. *@n is what it gave, maybe nothing. */
static int decode(struct unpack *u, void *dst, size_t cap, size_t *n, struct err *e)
{
	const char *detail = "";

	if (fill_to(u, 1, e) < 0)
		return -1;
	struct unpack_io io = { .in = u->in + u->at, .in_n = u->n, .out = dst, .out_n = cap };
	const enum unpack_status status = formats[u->format].codec->step(u->state, &io, &detail);

	if (status != UNPACK_GOING && status != UNPACK_FRAME_END)
		return step_failed(u, status, detail, e);
	const size_t took = u->n - io.in_n;

	*n = cap - io.out_n;
	take(u, took);
	u->in_frame = status == UNPACK_GOING;
	if (took > 0 || *n > 0 || !u->in_frame) {
		u->idle = 0;
		return 0;
	}
	if (u->n == 0)
		return truncated(u, e);
	return ++u->idle < IDLE_MAX ? 0 : step_failed(u, UNPACK_CORRUPT, "no progress", e);
}

/*
 * What came from below is not verified before its end, so damage may show here first. The rest is read: if the
 * source below then fails, by its digest say, that is the cause and it is told; otherwise the data was made like
 * this.
 */
static int find_cause(struct unpack *u, struct err *e)
{
	struct err below;
	size_t n;
	int r;

	while (!u->below_over) {
		r = source_read(u->below, u->in, sizeof(u->in), &n, &below);
		u->below_over = r != 0;
		if (r < 0)
			*e = below;
	}
	return -1;
}

static int unpack_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct unpack *u = (struct unpack *)s;

	for (;;) {
		int r;

		*n = 0;
		if (u->raw)
			return read_raw(u, dst, cap, n, e);
		if (u->skip > 0)
			r = skip_on(u, e);
		else if (u->in_frame)
			r = decode(u, dst, cap, n, e);
		else
			r = next_frame(u, e);
		if (r < 0 && e->kind == ERR_FORMAT)
			return find_cause(u, e);
		if (r != 0 || *n > 0)
			return r;
	}
}

static void unpack_free(struct source *s)
{
	struct unpack *u = (struct unpack *)s;

	if (u->state)
		formats[u->format].codec->free(u->state);
	source_free(u->below);
	free(u->what);
	free(u);
}

int unpack_new(struct source *below, const char *what, struct source **out, struct err *e)
{
	static const struct source_ops ops = { .read = unpack_read, .free = unpack_free };
	struct unpack *u = calloc(1, sizeof(*u));
	char *name = strdup(what);

	if (!u || !name) {
		free(u);
		free(name);
		errno = ENOMEM;
		return err_sys(e, "unpacking %s", what);
	}
	u->base.ops = &ops;
	u->below = below;
	u->what = name;
	*out = &u->base;
	return 0;
}
