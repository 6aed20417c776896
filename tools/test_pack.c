/* Every format: there and back through base/unpack.h, the same bytes for any pieces and threads, and errors from below. */
#include "tools/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"

#define OUT_MAX (64u << 20)
#define FRAME PACK_ZSTD_FRAME_BYTES

static const enum unpack_format formats[] = { UNPACK_NONE, UNPACK_GZIP, UNPACK_XZ, UNPACK_ZSTD, UNPACK_LZ4 };
static const size_t sizes[] = { 0, 1, 4096, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME + 5 };

static uint8_t input[2 * FRAME + 5];

/* Runs of zeros between bytes that hardly compress: both kinds of blocks appear in every format. */
static int set_up(void **state)
{
	uint32_t x = 12345;

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++) {
		x = x * 1664525 + 1013904223;
		input[i] = (i / 5000) % 3 ? (uint8_t)(x >> 24) : 0;
	}
	return 0;
}

static int pack_pieces(const struct pack_options *o, size_t n, size_t piece, struct sink *below, struct err *e)
{
	CLEANUP(sink_free_p) struct sink *s = NULL;

	if (pack_new(o, below, &s, e) < 0)
		return -1;
	for (size_t at = 0; at < n; at += piece)
		if (sink_write(s, input + at, min_size(piece, n - at), e) < 0)
			return -1;
	return sink_finish(s, e);
}

static void pack_to_buf(const char *name, const struct pack_options *o, size_t n, size_t piece, struct buf *out)
{
	CLEANUP(sink_free_p) struct sink *below = NULL;
	struct err e = { .msg = "" };

	assert_case(name, sink_buf_new(out, &below, &e) == 0);
	if (pack_pieces(o, n, piece, below, &e) < 0)
		fail_msg("%s, %zu bytes: %s", name, n, e.msg);
}

static void assert_unpacks(const char *name, const struct buf *packed, size_t n)
{
	CLEANUP(source_free_p) struct source *below = NULL;
	CLEANUP(source_free_p) struct source *s = NULL;
	CLEANUP(buf_fini) struct buf got = BUF_INIT(OUT_MAX);
	struct err e = { .msg = "" };

	assert_case(name, source_mem_new(buf_bytes(packed), &below, &e) == 0);
	assert_case(name, unpack_new(below, "t", &s, &e) == 0);
	(void)TAKE(below);
	if (source_read_all(s, &got, &e) < 0)
		fail_msg("%s, %zu bytes: %s", name, n, e.msg);
	assert_case(name, bytes_equal(buf_bytes(&got), bytes_of(input, n)));
}

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(formats); f++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			const struct pack_options o = { .format = formats[f], .level = 1 - (formats[f] == UNPACK_NONE) };
			CLEANUP(buf_fini) struct buf packed = BUF_INIT(OUT_MAX);

			pack_to_buf(unpack_name(formats[f]), &o, sizes[i], 65536, &packed);
			if (formats[f] != UNPACK_NONE)
				assert_case(unpack_name(formats[f]), unpack_detect(buf_bytes(&packed)) == formats[f]);
			assert_unpacks(unpack_name(formats[f]), &packed, sizes[i]);
		}
}

static void test_same_bytes(void **state)
{
	static const struct {
		const char *name;
		unsigned int threads;
		size_t piece;
	} cases[] = { { "one thread", 1, 65536 }, { "two threads", 2, 65536 }, { "three, odd pieces", 3, 77777 }, { "at once", 2, SIZE_MAX / 2 } };

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
		CLEANUP(buf_fini) struct buf first = BUF_INIT(OUT_MAX);

		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			const struct pack_options o = { .format = formats[f], .level = formats[f] != UNPACK_NONE, .threads = cases[i].threads };
			CLEANUP(buf_fini) struct buf packed = BUF_INIT(OUT_MAX);

			pack_to_buf(cases[i].name, &o, sizeof(input), cases[i].piece, i ? &packed : &first);
			if (i)
				assert_case(cases[i].name, bytes_equal(buf_bytes(&packed), buf_bytes(&first)));
		}
	}
}

static void test_levels(void **state)
{
	static const struct {
		const char *name;
		enum unpack_format format;
		int level, ret;
	} cases[] = {
		{ "zstd 0", UNPACK_ZSTD, 0, -1 }, { "zstd 1", UNPACK_ZSTD, 1, 0 }, { "zstd 22", UNPACK_ZSTD, 22, 0 },
		{ "zstd 23", UNPACK_ZSTD, 23, -1 }, { "xz 0", UNPACK_XZ, 0, 0 }, { "xz 8", UNPACK_XZ, 8, 0 },
		{ "xz 9", UNPACK_XZ, 9, -1 }, { "gzip 0", UNPACK_GZIP, 0, -1 }, { "gzip 9", UNPACK_GZIP, 9, 0 },
		{ "gzip 10", UNPACK_GZIP, 10, -1 }, { "lz4 0", UNPACK_LZ4, 0, -1 }, { "lz4 12", UNPACK_LZ4, 12, 0 },
		{ "lz4 13", UNPACK_LZ4, 13, -1 }, { "none 1", UNPACK_NONE, 1, -1 }, { "zstd -2", UNPACK_ZSTD, -2, -1 },
		{ "the default", UNPACK_ZSTD, PACK_LEVEL_DEFAULT, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct pack_options o = { .format = cases[i].format, .level = cases[i].level };
		struct err e = { .kind = ERR_NONE };

		assert_case(cases[i].name, pack_options_check(&o, &e) == cases[i].ret);
		assert_case(cases[i].name, e.kind == (cases[i].ret ? ERR_USAGE : ERR_NONE));
		assert_case(cases[i].name, cases[i].ret == 0 || strcmp(e.reason, PACK_E_LEVEL) == 0);
	}
}

/* The highest levels ask for the most memory when read: base/unpack.h must still take them. */
static void test_highest_levels(void **state)
{
	static const struct pack_options tops[] = {
		{ .format = UNPACK_ZSTD, .level = 22, .threads = 2 },
		{ .format = UNPACK_XZ, .level = 8, .threads = 1 },
		{ .format = UNPACK_LZ4, .level = 12 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
		CLEANUP(buf_fini) struct buf packed = BUF_INIT(OUT_MAX);

		pack_to_buf(unpack_name(tops[i].format), &tops[i], FRAME + 1, 65536, &packed);
		assert_unpacks(unpack_name(tops[i].format), &packed, FRAME + 1);
	}
}

/* zstd_seekable_compression_format.md: the footer's magic and count, and sizes that add up. */
static void test_seek_table(void **state)
{
	const struct pack_options o = { .format = UNPACK_ZSTD, .level = 3, .threads = 2 };
	CLEANUP(buf_fini) struct buf packed = BUF_INIT(OUT_MAX);
	uint64_t packed_sum = 0, unpacked_sum = 0;

	(void)state;
	pack_to_buf("seek table", &o, sizeof(input), 65536, &packed);
	assert_true(packed.n > 9);
	const uint8_t *footer = packed.p + packed.n - 9;
	const uint32_t n = load_le32(footer);

	assert_int_equal(load_le32(footer + 5), 0x8f92eab1u);
	assert_int_equal(footer[4], 0);
	assert_int_equal(n, 3);
	const uint8_t *entries = footer - 8 * (size_t)n, *head = entries - 8;

	assert_int_equal(load_le32(head), 0x184d2a5eu);
	assert_int_equal(load_le32(head + 4), 8 * n + 9);
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(load_le32(packed.p + packed_sum), 0xfd2fb528u);
		packed_sum += load_le32(entries + 8 * (size_t)i);
		unpacked_sum += load_le32(entries + 8 * (size_t)i + 4);
	}
	assert_int_equal(packed_sum, (size_t)(head - packed.p));
	assert_int_equal(unpacked_sum, sizeof(input));
}

/* A sink that fails at its N-th call. */
struct failing {
	struct sink base;
	unsigned int left;
};

static int failing_write(struct sink *s, const void *p, size_t n, struct err *e)
{
	struct failing *f = (struct failing *)s;

	(void)p;
	(void)n;
	if (f->left-- == 0)
		return err_set(e, ERR_NETWORK, "below", "from below");
	return 0;
}

static int failing_finish(struct sink *s, struct err *e)
{
	return failing_write(s, NULL, 0, e);
}

static void failing_free(struct sink *s)
{
	(void)s;
}

static void test_errors_from_below(void **state)
{
	static const struct sink_ops ops = { failing_write, failing_finish, failing_free };

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
		const struct pack_options o = { .format = formats[f], .level = formats[f] != UNPACK_NONE, .threads = 2 };
		unsigned int n = 0;
		int r;

		do {
			struct failing below = { .base = { &ops }, .left = n };
			struct err e = { .kind = ERR_NONE };

			r = pack_pieces(&o, FRAME / 4, 30000, &below.base, &e);
			assert_case(unpack_name(formats[f]), r == 0 || e.kind == ERR_NETWORK);
			n++;
		} while (r < 0 && n < 10000);
		assert_case(unpack_name(formats[f]), n > 2 && r == 0);
	}
}

static void test_freed_half_way(void **state)
{
	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(formats); f++) {
		const struct pack_options o = { .format = formats[f], .level = PACK_LEVEL_DEFAULT, .threads = 2 };
		CLEANUP(buf_fini) struct buf out = BUF_INIT(OUT_MAX);
		CLEANUP(sink_free_p) struct sink *below = NULL;
		CLEANUP(sink_free_p) struct sink *s = NULL;
		struct err e;

		assert_int_equal(sink_buf_new(&out, &below, &e), 0);
		assert_int_equal(pack_new(&o, below, &s, &e), 0);
		assert_int_equal(sink_write(s, input, FRAME + 10, &e), 0);
	}
}

static void test_names(void **state)
{
	static const struct {
		const char *name;
		bool ok;
		enum unpack_format format;
		const char *suffix;
	} cases[] = {
		{ "zstd", true, UNPACK_ZSTD, ".zst" }, { "xz", true, UNPACK_XZ, ".xz" },      { "gzip", true, UNPACK_GZIP, ".gz" },
		{ "lz4", true, UNPACK_LZ4, ".lz4" },   { "none", true, UNPACK_NONE, "" },     { "", false, UNPACK_NONE, "" },
		{ "ZSTD", false, UNPACK_NONE, "" },    { "zstd ", false, UNPACK_NONE, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		enum unpack_format f = UNPACK_NONE;

		assert_case(cases[i].name, pack_parse_format(cases[i].name, &f) == cases[i].ok);
		assert_case(cases[i].name, !cases[i].ok || f == cases[i].format);
		assert_case(cases[i].name, !cases[i].ok || strcmp(pack_suffix(f), cases[i].suffix) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	 cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_levels),
		cmocka_unit_test(test_highest_levels),	 cmocka_unit_test(test_seek_table), cmocka_unit_test(test_errors_from_below),
		cmocka_unit_test(test_freed_half_way), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
