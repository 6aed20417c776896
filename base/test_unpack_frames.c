/* Whatever unpack_new() says of a file, the cutter with the decoder (and unpack_new() for what they leave) says too. */
#include "base/unpack_frames.h"

#include <string.h>

#include "base/test_pack.h"
#include "base/test_source.h"
#include "test-fixtures/harness/case.h"

#define CONTENT_MAX (8u << 20)

struct outcome {
	int r; /* SOURCE_END or -1 */
	struct err e;
	struct buf content;
	size_t n_frames; /* that were cut out */
};

static void outcome_fini(struct outcome *o)
{
	buf_fini(&o->content);
}

static struct source *open_bytes(struct bytes in, size_t piece)
{
	return test_source_new(in, piece, TEST_NO_FAILURE, NULL, NULL);
}

static void plainly(struct bytes in, size_t piece, struct outcome *o)
{
	CLEANUP(source_free_p) struct source *s = NULL;

	*o = (struct outcome){ .content = BUF_INIT(CONTENT_MAX) };
	assert_int_equal(unpack_new(open_bytes(in, piece), "test", &s, &o->e), 0);
	o->r = test_source_drain(s, 65536, &o->content, &o->e);
}

static int go_on(struct unpack_cutter *c, struct outcome *o)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	struct source *rest = NULL;

	assert_int_equal(unpack_cutter_rest(c, &rest, &o->e), 0);
	assert_int_equal(unpack_new(rest, "test", &s, &o->e), 0);
	return test_source_drain(s, 65536, &o->content, &o->e);
}

static void by_frames(struct bytes in, size_t piece, struct outcome *o)
{
	CLEANUP(unpack_frame_decoder_free_p) struct unpack_frame_decoder *d = NULL;
	CLEANUP(unpack_cutter_free_p) struct unpack_cutter *c = NULL;
	CLEANUP(free_p) uint8_t *packed = malloc(UNPACK_FRAME_PACKED_BYTES);
	size_t n = 0, content = 0;

	*o = (struct outcome){ .content = BUF_INIT(CONTENT_MAX) };
	assert_non_null(packed);
	assert_int_equal(unpack_frame_decoder_new(&d, &o->e), 0);
	assert_int_equal(unpack_cutter_new(open_bytes(in, piece), "test", &c, &o->e), 0);
	while ((o->r = unpack_cutter_next(c, packed, &n, &content, &o->e)) == 0) {
		assert_true(n <= UNPACK_FRAME_PACKED_BYTES && content <= UNPACK_FRAME_BYTES);
		assert_int_equal(buf_reserve(&o->content, content + 1, &o->e), 0);
		if (unpack_frame(d, bytes_of(packed, n), o->content.p + o->content.n, content, "test", &o->e) < 0) {
			o->r = -1;
			return;
		}
		o->content.n += content;
		o->n_frames++;
	}
	if (o->r == UNPACK_FRAMES_OTHER)
		o->r = go_on(c, o);
}

static void assert_agree(const char *name, size_t at, struct bytes in, size_t piece, bool may_be_strict)
{
	struct outcome a, b;

	plainly(in, piece, &a);
	by_frames(in, piece, &b);
	/* libzstd looks more closely at the header of a frame that it has whole; so damage that does not change
	 * the content may be told. */
	const bool stricter = may_be_strict && a.r >= 0 && b.r < 0 && strcmp(b.e.reason, "corrupt") == 0;

	if (stricter)
		assert_true(b.content.n <= a.content.n);
	else if (a.r != b.r || (a.r < 0 && a.e.kind != b.e.kind) ||
	    (a.r >= 0 && (a.content.n != b.content.n || (a.content.n && memcmp(a.content.p, b.content.p, a.content.n) != 0))))
		fail_msg("%s, %zu: %d and %d (%s)", name, at, a.r, b.r, a.r < 0 ? a.e.msg : b.r < 0 ? b.e.msg : "content");
	outcome_fini(&a);
	outcome_fini(&b);
}

/* @n bytes of which half repeat. */
static void add_frame(size_t n, struct buf *out)
{
	uint8_t *p = malloc(n + 1);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = i / 97 % 2 ? (uint8_t)(i * 2654435761u >> 19) : 7;
	pack_zstd(bytes_of(p, n), out);
	free(p);
}

/* A frame that does not say how long it is. */
static void add_stream(size_t n, struct buf *out)
{
	uint8_t *p = calloc(1, n), *room = pack_room(out, n);
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	ZSTD_inBuffer in = { .src = p, .size = n };
	ZSTD_outBuffer to = { .dst = room, .size = out->cap - out->n };
	ZSTD_inBuffer none = { 0 };

	assert_true(p && ctx);
	assert_false(ZSTD_isError(ZSTD_compressStream2(ctx, &to, &in, ZSTD_e_continue)));
	assert_int_equal(ZSTD_compressStream2(ctx, &to, &none, ZSTD_e_end), 0);
	out->n += to.pos;
	ZSTD_freeCCtx(ctx);
	free(p);
}

/* The letters: e empty, b byte, 5 255 and 6 256 bytes, w 66000 bytes, m the largest frame, M a byte more, u of
 * unknown size, s skippable, S skippable of 70000 bytes, l lz4, x rubbish, z zero bytes. */
static void make(const char *plan, struct buf *out)
{
	static const uint8_t lz4_content[300] = { 0 };

	*out = (struct buf)BUF_INIT(CONTENT_MAX);
	for (; *plan; plan++) {
		switch (*plan) {
		case 'e': add_frame(0, out); break;
		case 'b': add_frame(1, out); break;
		case '5': add_frame(255, out); break;
		case '6': add_frame(256, out); break;
		case 'w': add_frame(66000, out); break;
		case 'm': add_frame(UNPACK_FRAME_BYTES, out); break;
		case 'M': add_frame(UNPACK_FRAME_BYTES + 1, out); break;
		case 'u': add_stream(5000, out); break;
		case 's': pack_skippable(9, out); break;
		case 'S': pack_skippable(70000, out); break;
		case 'l': pack_lz4(bytes_of(lz4_content, sizeof(lz4_content)), out); break;
		case 'x': pack_add(out, "rubbish", 7); break;
		default: pack_add(out, "\0\0\0\0", 4); break;
		}
	}
}

static void test_plans(void **state)
{
	static const struct {
		const char *plan;
		size_t n_frames;
	} cases[] = {
		{ "", 0 },	{ "e", 1 },	{ "b", 1 },   { "b5e6w", 5 }, { "mm", 2 },  { "mMm", 1 }, { "M", 0 },	 { "u", 0 },
		{ "bub", 1 },	{ "sb", 0 },	{ "bsSb", 2 }, { "bs", 1 },   { "bl", 1 },  { "l", 0 },	  { "x", 0 },	 { "bx", 1 },
		{ "bz", 1 },	{ "bsx", 1 },	{ "usb", 0 },  { "busx", 1 }, { "bux", 1 }, { "ss", 0 },  { "sl", 0 },
	};
	static const size_t pieces[] = { 1, 7, 100000, SIZE_MAX };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct outcome o;
			struct buf in;

			make(cases[i].plan, &in);
			assert_agree(cases[i].plan, pieces[k], buf_bytes(&in), pieces[k], false);
			by_frames(buf_bytes(&in), pieces[k], &o);
			assert_case(cases[i].plan, o.n_frames == cases[i].n_frames);
			outcome_fini(&o);
			buf_fini(&in);
		}
}

static const char *const small[] = { "b5", "6e", "bsb", "ub", "bu", "w" };

static void test_cut_at_every_length(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(small); i++) {
		struct buf in;

		make(small[i], &in);
		for (size_t n = 0; n < in.n; n += n < 2000 ? 1 : 611)
			assert_agree(small[i], n, bytes_of(in.p, n), 50, false);
		buf_fini(&in);
	}
}

static void test_every_byte_changed(void **state)
{
	static const uint8_t masks[] = { 0x01, 0x20, 0x80, 0xff };

	for (size_t i = 0; i < ARRAY_LEN(small); i++) {
		struct buf in;

		make(small[i], &in);
		for (size_t at = 0; at < in.n; at += at < 2000 ? 1 : 613)
			for (size_t k = 0; k < ARRAY_LEN(masks); k++) {
				in.p[at] ^= masks[k];
				assert_agree(small[i], at, buf_bytes(&in), SIZE_MAX, true);
				in.p[at] ^= masks[k];
			}
		buf_fini(&in);
	}
}

static void test_cause(void **state)
{
	size_t n, content;
	struct buf in;
	struct err e;

	make("b5b", &in);
	for (size_t fail_at = 0; fail_at < in.n; fail_at++) {
		bool freed = false;
		CLEANUP(unpack_cutter_free_p) struct unpack_cutter *c = NULL;
		CLEANUP(free_p) uint8_t *room = malloc(UNPACK_FRAME_PACKED_BYTES);
		struct source *s = test_source_new(buf_bytes(&in), 5, fail_at, NULL, &freed);

		assert_non_null(room);
		assert_int_equal(unpack_cutter_new(s, "test", &c, &e), 0);
		(void)unpack_cutter_next(c, room, &n, &content, &e);
		(void)err_set(&e, ERR_FORMAT, "corrupt", "what was found");
		if (fail_at > 30)
			unpack_cutter_find_cause(c, &e);
		assert_int_equal(e.kind, fail_at > 30 ? ERR_NETWORK : ERR_FORMAT);
		unpack_cutter_free(TAKE(c));
		assert_true(freed);
	}
	buf_fini(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_cut_at_every_length),
		cmocka_unit_test(test_every_byte_changed),
		cmocka_unit_test(test_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
