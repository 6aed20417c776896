/*
 * Every format: plain and in several frames, in pieces of all sizes, cut at every length, with every byte
 * changed, with something behind, and over its limits. What is right is the content packed with the formats' own
 * libraries; the files of the corpus were made by the command-line tools. The one property behind all of it:
 * SOURCE_END is told only after exactly the content.
 */
#include "base/unpack.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/test_pack.h"
#include "base/test_source.h"
#include "test-fixtures/harness/case.h"

#define SMALL_BYTES 300
#define LARGE_BYTES (1024 * 1024 + 17) /* more than the input buffer packed, more than one block of each format */
#define OUT_MAX_BYTES (4u << 20)

static const enum unpack_format packed_formats[] = { UNPACK_GZIP, UNPACK_XZ, UNPACK_ZSTD, UNPACK_LZ4 };
static const size_t magic_bytes[] = { [UNPACK_GZIP] = 2, [UNPACK_XZ] = 6, [UNPACK_ZSTD] = 4, [UNPACK_LZ4] = 4 };

static const char *corpus; /* the folder */
static uint8_t large[LARGE_BYTES];

/* Half of it noise, half of it repeated, so that each format has stored and compressed blocks. */
static int set_up(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < LARGE_BYTES; i++) {
		x = x * 1664525u + 1013904223u;
		large[i] = i / 4096 % 2 ? (uint8_t)(x >> 24) : (uint8_t)(i / 16);
	}
	return 0;
}

struct outcome {
	int ret;
	struct err e;
	struct buf got;
	bool ended, freed;
};

static void run(struct bytes in, size_t piece, size_t cap, size_t fail_at, struct outcome *o)
{
	struct source *below, *s = NULL;

	*o = (struct outcome){ .got = BUF_INIT(OUT_MAX_BYTES) };
	below = test_source_new(in, piece, fail_at, &o->ended, &o->freed);
	assert_int_equal(unpack_new(below, "t", &s, &o->e), 0);
	o->ret = test_source_drain(s, cap, &o->got, &o->e);
	source_free(s);
	assert_true(o->freed);
}

static bool is_content(const struct outcome *o, struct bytes content)
{
	return o->ret == SOURCE_END && o->ended && bytes_equal(buf_bytes(&o->got), content);
}

static bool is_refused(const struct outcome *o, const char *reason)
{
	return o->ret == -1 && o->e.kind == ERR_FORMAT && o->e.reason && strcmp(o->e.reason, reason) == 0;
}

static void check_content(const char *name, size_t at, struct bytes in, struct bytes content)
{
	static const struct {
		size_t piece, cap;
	} ways[] = { { SIZE_MAX, 65536 }, { 1, 65536 }, { 7, 3 }, { SIZE_MAX, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct outcome o;

		run(in, ways[i].piece, ways[i].cap, TEST_NO_FAILURE, &o);
		if (!is_content(&o, content))
			fail_msg("%s %zu, way %zu: %d with %zu bytes, %s", name, at, i, o.ret, o.got.n, o.e.msg);
		buf_fini(&o.got);
	}
}

static void check_refused(const char *name, size_t at, struct bytes in, const char *reason)
{
	static const size_t pieces[] = { SIZE_MAX, 1 };

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct outcome o;

		run(in, pieces[i], 65536, TEST_NO_FAILURE, &o);
		if (!is_refused(&o, reason))
			fail_msg("%s %zu, pieces of %zu, not refused as %s: %d with %zu bytes, %s %s", name, at,
				 pieces[i], reason, o.ret, o.got.n, o.e.reason ? o.e.reason : "-", o.e.msg);
		buf_fini(&o.got);
	}
}

/* Two frames of small content; *@first is the length of the first of them. */
static struct buf pack_two(enum unpack_format f, size_t *first)
{
	struct buf b = BUF_INIT(OUT_MAX_BYTES);

	pack(f, bytes_of(large, SMALL_BYTES / 3), &b);
	*first = b.n;
	pack(f, bytes_of(large + SMALL_BYTES / 3, SMALL_BYTES - SMALL_BYTES / 3), &b);
	return b;
}

static void test_detect(void **state)
{
	static const struct {
		const char *name, *head;
		size_t n;
		enum unpack_format format;
	} cases[] = {
		{ "empty", "", 0, UNPACK_NONE },
		{ "text", "hello!", 6, UNPACK_NONE },
		{ "gzip", "\x1f\x8b\x08\0\0\0", 6, UNPACK_GZIP },
		{ "gzip, two bytes", "\x1f\x8b", 2, UNPACK_GZIP },
		{ "gzip cut", "\x1f", 1, UNPACK_NONE },
		{ "old compress", "\x1f\x9d\x90", 3, UNPACK_NONE },
		{ "xz", "\xfd\x37zXZ\0", 6, UNPACK_XZ },
		{ "xz cut", "\xfd\x37zXZ", 5, UNPACK_NONE },
		{ "zstd", "\x28\xb5\x2f\xfd", 4, UNPACK_ZSTD },
		{ "zstd cut", "\x28\xb5\x2f", 3, UNPACK_NONE },
		{ "zstd 0.7", "\x27\xb5\x2f\xfd", 4, UNPACK_NONE },
		{ "first skippable", "\x50\x2a\x4d\x18", 4, UNPACK_ZSTD },
		{ "last skippable", "\x5f\x2a\x4d\x18", 4, UNPACK_ZSTD },
		{ "below the skippable", "\x4f\x2a\x4d\x18", 4, UNPACK_NONE },
		{ "above the skippable", "\x60\x2a\x4d\x18", 4, UNPACK_NONE },
		{ "lz4", "\x04\x22\x4d\x18", 4, UNPACK_LZ4 },
		{ "lz4 cut", "\x04\x22\x4d", 3, UNPACK_NONE },
		{ "lz4 of old", "\x02\x21\x4c\x18", 4, UNPACK_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_case(cases[i].name, unpack_detect(bytes_of(cases[i].head, cases[i].n)) == cases[i].format);
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++) {
		size_t first;
		struct buf b = pack_two(packed_formats[i], &first);

		assert_case(unpack_name(packed_formats[i]), unpack_detect(buf_bytes(&b)) == packed_formats[i]);
		buf_fini(&b);
	}
	assert_string_equal(unpack_name(UNPACK_NONE), "none");
}

static void test_small(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++) {
		const enum unpack_format f = packed_formats[i];

		for (size_t n_frames = 1; n_frames <= 3; n_frames++)
			for (size_t n = 0; n <= SMALL_BYTES; n += 100) {
				CLEANUP(buf_fini) struct buf in = BUF_INIT(OUT_MAX_BYTES);
				CLEANUP(buf_fini) struct buf content = BUF_INIT(OUT_MAX_BYTES);

				for (size_t k = 0; k < n_frames; k++) {
					pack(f, bytes_of(large + k, n), &in);
					pack_add(&content, large + k, n);
				}
				check_content(unpack_name(f), n, buf_bytes(&in), buf_bytes(&content));
			}
	}
}

static void test_large(void **state)
{
	static const size_t pieces[] = { SIZE_MAX, 4093 }, caps[] = { 1 << 20, 4096 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++) {
		CLEANUP(buf_fini) struct buf in = BUF_INIT(OUT_MAX_BYTES);

		pack(packed_formats[i], bytes_of(large, LARGE_BYTES / 2), &in);
		pack(packed_formats[i], bytes_of(large + LARGE_BYTES / 2, LARGE_BYTES - LARGE_BYTES / 2), &in);
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			struct outcome o;

			run(buf_bytes(&in), pieces[k], caps[k], TEST_NO_FAILURE, &o);
			assert_case(unpack_name(packed_formats[i]), is_content(&o, bytes_of(large, LARGE_BYTES)));
			buf_fini(&o.got);
		}
	}
}

/* Nothing passes as nothing, the first frame alone as itself; every other length is refused. */
static void test_cut_at_every_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++) {
		const char *name = unpack_name(packed_formats[i]);
		size_t first;
		CLEANUP(buf_fini) struct buf in = pack_two(packed_formats[i], &first);

		for (size_t n = 0; n < in.n; n++)
			if (n == 0 || n == first)
				check_content(name, n, bytes_of(in.p, n), bytes_of(large, n ? SMALL_BYTES / 3 : 0));
			else
				check_refused(name, n, bytes_of(in.p, n), "truncated");
	}
}

/*
 * A changed byte never makes other content of it: refused, or, where the byte says nothing about the content (a
 * time stamp, the window), the same content. In the magic: then it is no such file, and passes as it is.
 */
static void test_every_byte_changed(void **state)
{
	static const uint8_t masks[] = { 0x01, 0x10, 0x80, 0xff };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++) {
		size_t first, n_refused = 0, n_tried = 0;
		CLEANUP(buf_fini) struct buf in = pack_two(packed_formats[i], &first);

		for (size_t at = 0; at < in.n; at++)
			for (size_t k = 0; k < ARRAY_LEN(masks); k++) {
				const bool raw = at < magic_bytes[packed_formats[i]];
				struct outcome o;

				in.p[at] ^= masks[k];
				run(buf_bytes(&in), SIZE_MAX, 65536, TEST_NO_FAILURE, &o);
				const struct bytes right = raw ? buf_bytes(&in) : bytes_of(large, SMALL_BYTES);

				n_tried++;
				n_refused += o.ret == -1 && o.e.kind == ERR_FORMAT;
				if (o.ret == -1 ? raw || o.e.kind != ERR_FORMAT : !is_content(&o, right))
					fail_msg("%s, byte %zu by %02x: %d, %s", unpack_name(packed_formats[i]), at,
						 masks[k], o.ret, o.e.msg);
				in.p[at] ^= masks[k];
				buf_fini(&o.got);
			}
		assert_case(unpack_name(packed_formats[i]), n_refused > n_tried * 8 / 10);
	}
}

static void test_something_behind(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++) {
		const enum unpack_format f = packed_formats[i];
		const char *name = unpack_name(f);
		size_t first;
		CLEANUP(buf_fini) struct buf in = pack_two(f, &first);
		const size_t n = in.n;

		for (unsigned int last = 0; last < 256;
		     last += 3) { /* 3 * 85: from 0 to 255, none the first byte of a magic */
			const uint8_t b = (uint8_t)last;

			if (b == 0x1f || b == 0xfd || b == 0x28 || b == 0x04 || (b & 0xf0) == 0x50)
				continue;
			pack_add(&in, &b, 1);
			check_refused(name, last, buf_bytes(&in), "trailing");
			in.n = n;
		}
		pack_add(&in, "something longer than any magic", 31);
		check_refused(name, n, buf_bytes(&in), "trailing");
		in.n = n;
		for (size_t k = 0; k < ARRAY_LEN(packed_formats); k++) {
			if (k == i)
				continue;
			pack(packed_formats[k], bytes_of(large, 10), &in);
			check_refused(name, k, buf_bytes(&in), "trailing");
			in.n = n;
		}
	}
}

static void test_error_from_below(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++) {
		size_t first;
		CLEANUP(buf_fini) struct buf in = pack_two(packed_formats[i], &first);

		for (size_t at = 0; at <= in.n; at++) { /* at the length of all: instead of the end */
			struct outcome o;

			run(buf_bytes(&in), 16, 65536, at, &o);
			if (o.ret != -1 || o.e.kind != ERR_NETWORK)
				fail_msg("%s at %zu: %d, %s", unpack_name(packed_formats[i]), at, o.ret, o.e.msg);
			buf_fini(&o.got);
		}
	}
}

static void test_freed_half_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++)
		for (int reads = 0; reads < 2; reads++) {
			CLEANUP(buf_fini) struct buf in = BUF_INIT(OUT_MAX_BYTES);
			struct source *s = NULL;
			bool freed = false;
			uint8_t some[100];
			struct err e;
			size_t n;

			pack(packed_formats[i], bytes_of(large, LARGE_BYTES), &in);
			assert_int_equal(
				unpack_new(test_source_new(buf_bytes(&in), 1000, TEST_NO_FAILURE, NULL, &freed), "t",
					   &s, &e),
				0);
			if (reads)
				assert_int_equal(source_read(s, some, sizeof(some), &n, &e), 0);
			source_free(s);
			assert_true(freed);
		}
}

static void test_raw(void **state)
{
	static const struct {
		const char *name, *in;
		size_t n;
		const char *reason; /* NULL: passes */
	} cases[] = {
		{ "nothing", "", 0, NULL },
		{ "one byte", "a", 1, NULL },
		{ "a line", "hello, world\n", 13, NULL },
		{ "five bytes", "hello", 5, NULL },
		{ "zeros", "\0\0\0\0\0\0\0\0", 8, NULL },
		{ "almost xz", "\xfd\x37zXY\0", 6, NULL },
		{ "almost zstd", "\x28\xb5\x2f\xfe", 4, NULL },
		{ "almost skippable", "\x50\x2a\x4d\x19", 4, NULL },
		{ "gzip cut", "\x1f", 1, "truncated" },
		{ "xz cut", "\xfd\x37zXZ", 5, "truncated" },
		{ "zstd cut", "\x28\xb5\x2f", 3, "truncated" },
		{ "lz4 cut", "\x04\x22", 2, "truncated" },
		{ "skippable cut", "\x5a\x2a\x4d", 3, "truncated" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct bytes in = bytes_of(cases[i].in, cases[i].n);

		if (cases[i].reason)
			check_refused(cases[i].name, 0, in, cases[i].reason);
		else
			check_content(cases[i].name, 0, in, in);
	}
	struct outcome o;

	run(bytes_of(large, LARGE_BYTES), 4093, 65536, TEST_NO_FAILURE, &o);
	assert_true(is_content(&o, bytes_of(large, LARGE_BYTES)));
	buf_fini(&o.got);
}

/* s: skippable frame of 5 bytes, 0: skippable frame of none, z l g x: a frame of 10 bytes, p: four zero bytes, r:
 * two bytes. */
static void pack_plan(const char *plan, struct buf *in, struct buf *content)
{
	for (; *plan; plan++) {
		static const char letters[] = {
			[UNPACK_GZIP] = 'g', [UNPACK_XZ] = 'x', [UNPACK_ZSTD] = 'z', [UNPACK_LZ4] = 'l'
		};

		if (*plan == 's' || *plan == '0')
			pack_skippable(*plan == 's' ? 5 : 0, in);
		if (*plan == 'p' || *plan == 'r')
			pack_add(in, "\0\0\0\0", *plan == 'p' ? 4 : 2);
		for (size_t f = UNPACK_GZIP; f < ARRAY_LEN(letters); f++)
			if (*plan == letters[f]) {
				pack((enum unpack_format)f, bytes_of(large + content->n, 10), in);
				pack_add(content, large + content->n, 10);
			}
	}
}

static void test_between_frames(void **state)
{
	static const struct {
		const char *plan, *reason;
	} cases[] = {
		{ "s", NULL },	       { "0", NULL },	      { "000s0", NULL },     { "zs", NULL },
		{ "szszs", NULL },     { "z0z", NULL },	      { "slsls", NULL },     { "ssl", NULL },
		{ "xp", NULL },	       { "xpp", NULL },	      { "xpx", NULL },	     { "xppxpppx", NULL },
		{ "xr", "trailing" },  { "xpr", "trailing" }, { "xrx", "trailing" }, { "xprx", "trailing" },
		{ "zp", "trailing" },  { "lp", "trailing" },  { "gp", "trailing" },  { "sp", "trailing" },
		{ "sg", "trailing" },  { "sx", "trailing" },  { "gs", "trailing" },  { "xs", "trailing" },
		{ "szl", "trailing" }, { "slz", "trailing" }, { "xpz", "trailing" }, { "zsl", "trailing" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_fini) struct buf in = BUF_INIT(OUT_MAX_BYTES);
		CLEANUP(buf_fini) struct buf content = BUF_INIT(OUT_MAX_BYTES);

		pack_plan(cases[i].plan, &in, &content);
		if (cases[i].reason)
			check_refused(cases[i].plan, i, buf_bytes(&in), cases[i].reason);
		else
			check_content(cases[i].plan, i, buf_bytes(&in), buf_bytes(&content));
	}
}

static void test_skippable_cut(void **state)
{
	static const uint8_t longest[] = { 0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff, 1, 2, 3 };
	CLEANUP(buf_fini) struct buf in = BUF_INIT(OUT_MAX_BYTES);

	(void)state;
	pack_skippable(200, &in);
	for (size_t n = 1; n < in.n; n++)
		check_refused("200 bytes cut at", n, bytes_of(in.p, n), "truncated");
	check_refused("4 GiB", 0, bytes_of(longest, sizeof(longest)), "truncated");
}

/* A zstd frame by hand (RFC 8878 3.1.1): one stored block "hello" behind the header given. */
static void check_zstd_header(const char *name, const char *header, size_t n, const char *reason)
{
	CLEANUP(buf_fini) struct buf in = BUF_INIT(4096);

	pack_add(&in, "\x28\xb5\x2f\xfd", 4);
	pack_add(&in, header, n);
	pack_add(&in, "\x29\0\0hello", 8); /* last, raw, 5 bytes */
	if (reason)
		check_refused(name, 0, buf_bytes(&in), reason);
	else
		check_content(name, 0, buf_bytes(&in), bytes_of("hello", 5));
}

/* The window is 2^(10 + high five bits) * (8 + low three bits) / 8. The pieces that check_refused() uses must not
 * matter. */
static void test_zstd_window(void **state)
{
	static const struct {
		const char *name, *header;
		size_t n;
		const char *reason;
	} cases[] = {
		{ "smallest", "\0\x00", 2, NULL },
		{ "7.5 MiB", "\0\x67", 2, NULL },
		{ "8 MiB", "\0\x68", 2, NULL },
		{ "9 MiB", "\0\x69", 2, "limit" },
		{ "128 MiB", "\0\x88", 2, "limit" },
		{ "largest", "\0\xff", 2, "limit" },
		{ "8 MiB, content size told", "\x80\x68\x05\0\0\0", 6, NULL },
		{ "9 MiB, content size told", "\x80\x69\x05\0\0\0", 6, "limit" },
		{ "one segment", "\x20\x05", 2, NULL },
		{ "one segment of 8 MiB and a byte", "\xa0\x01\0\x80\0", 5, "limit" },
		{ "one segment of 4 GiB", "\xa0\xff\xff\xff\xff", 5, "limit" },
		{ "content size other than told", "\x20\x06", 2, "corrupt" },
		{ "reserved bit", "\x08\x00", 2, "corrupt" },
		{ "needs a dictionary", "\x01\x00\x05", 3, "corrupt" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		check_zstd_header(cases[i].name, cases[i].header, cases[i].n, cases[i].reason);
}

/* .xz format 3.1: size, flags, lengths, filter 0x21 (LZMA2), size of its properties (1), the dictionary's size; CRC-32. */
#define XZ_STREAM_HEADER_BYTES 12

static void test_xz_dictionary(void **state)
{
	static const struct {
		const char *name;
		uint8_t code;
		const char *reason;
	} cases[] = {
		{ "4 KiB", 0, NULL },	   { "32 MiB", 26, NULL },	 { "48 MiB", 27, "limit" },
		{ "64 MiB", 28, "limit" }, { "4 GiB - 1", 40, "limit" }, { "beyond", 41, "corrupt" },
	};
	CLEANUP(buf_fini) struct buf in = BUF_INIT(OUT_MAX_BYTES);

	(void)state;
	pack(UNPACK_XZ, bytes_of(large, SMALL_BYTES), &in);
	uint8_t *header = in.p + XZ_STREAM_HEADER_BYTES;
	const size_t n = ((size_t)header[0] + 1) * 4 - 4;
	uint8_t *filter = memmem(header, n, "\x21\x01", 2);

	assert_non_null(filter);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		filter[2] = cases[i].code;
		store_le32(header + n, lzma_crc32(header, n, 0));
		if (cases[i].reason)
			check_refused(cases[i].name, 0, buf_bytes(&in), cases[i].reason);
		else
			check_content(cases[i].name, 0, buf_bytes(&in), bytes_of(large, SMALL_BYTES));
	}
}

/* An integrity check that nobody can compute must not pass unchecked: .xz format 2.1.1.2, id 2 is reserved. */
static void test_xz_unknown_check(void **state)
{
	CLEANUP(buf_fini) struct buf in = BUF_INIT(OUT_MAX_BYTES);

	(void)state;
	pack(UNPACK_XZ, bytes_of(large, SMALL_BYTES), &in);
	in.p[7] = 0x02;
	store_le32(in.p + 8, lzma_crc32(in.p + 6, 2, 0));
	check_refused("reserved check", 2, buf_bytes(&in), "corrupt");
}

/* What unpacking @in ends with, when below it a digest is expected that is @in's own or another. */
static void run_over_digest(struct bytes in, bool digest_fits, struct err *e)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	CLEANUP(buf_fini) struct buf got = BUF_INIT(OUT_MAX_BYTES);
	struct source *below;
	struct digest expected;

	assert_int_equal(digest_bytes(DIGEST_SHA256, in, &expected, e), 0);
	expected.v[0] ^= digest_fits ? 0 : 1;
	assert_int_equal(source_mem_new(in, &s, e), 0);
	assert_int_equal(source_digest_new(s, &expected, "t", &below, e), 0);
	s = below;
	assert_int_equal(unpack_new(s, "t", &below, e), 0);
	s = below;
	assert_int_equal(test_source_drain(s, SMALL_BYTES, &got, e), -1);
}

/* All frames are good, but what came in was not what it should be: found because the source below is read to its end. */
static void test_end_below_is_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++) {
		size_t first;
		CLEANUP(buf_fini) struct buf in = pack_two(packed_formats[i], &first);
		struct err e;

		run_over_digest(buf_bytes(&in), false, &e);
		assert_int_equal(e.kind, ERR_TRUST);
		assert_string_equal(e.reason, "digest");
	}
}

/* Damage that the decompressor sees first is told as what it is: a transfer that was damaged, or a file that was
 * made so. */
static void test_cause_of_damage(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++) {
		size_t first;
		CLEANUP(buf_fini) struct buf in = pack_two(packed_formats[i], &first);
		struct err e;

		in.n -= 3;
		run_over_digest(buf_bytes(&in), false, &e);
		assert_case(unpack_name(packed_formats[i]), e.kind == ERR_TRUST && strcmp(e.reason, "digest") == 0);
		run_over_digest(buf_bytes(&in), true, &e);
		assert_case(unpack_name(packed_formats[i]), e.kind == ERR_FORMAT && strcmp(e.reason, "truncated") == 0);
	}
}

/* 32 MiB of zeros in a few KiB: the caller's limit ends it, and no more was made of it than the caller asked for. */
static void test_bomb(void **state)
{
	const size_t n = 32u << 20;
	CLEANUP(free_p) uint8_t *zeros = calloc(1, n);

	(void)state;
	assert_non_null(zeros);
	for (size_t i = 0; i < ARRAY_LEN(packed_formats); i++) {
		CLEANUP(source_free_p) struct source *s = NULL;
		CLEANUP(buf_fini) struct buf in = BUF_INIT(64u << 20);
		CLEANUP(buf_fini) struct buf got = BUF_INIT(OUT_MAX_BYTES);
		struct source *below;
		struct err e;

		pack(packed_formats[i], bytes_of(zeros, n), &in);
		assert_int_equal(source_mem_new(buf_bytes(&in), &s, &e), 0);
		assert_int_equal(unpack_new(s, "t", &below, &e), 0);
		s = below;
		assert_int_equal(source_limit_new(s, 1u << 20, "t", &below, &e), 0);
		s = below;
		assert_int_equal(test_source_drain(s, 65536, &got, &e), -1);
		assert_string_equal(e.reason, "limit");
		assert_int_equal(got.n, 1u << 20);
	}
}

static void read_corpus(const char *name, struct buf *out)
{
	char path[4096];
	uint8_t piece[4096];
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", corpus, name);
	FILE *f = fopen(path, "rb");

	if (!f)
		fail_msg("%s is not there", path);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		pack_add(out, piece, n);
	fclose(f);
}

/* The two texts that the tools were given. */
static void add_text(struct buf *out, int n_lines, int step)
{
	struct err e;

	for (int i = 0; i < n_lines; i++)
		assert_int_equal(buf_printf(out, &e, "%d: the quick brown fox %d\n", i, i * step), 0);
}

static void test_files_of_the_tools(void **state)
{
	static const struct {
		const char *name;
		bool both;
	} cases[] = {
		{ "tool.gz", true },   { "tool.xz", true },	  { "tool.zst", true },	     { "tool.lz4", true },
		{ "padded.xz", true }, { "skippable.zst", false }, { "skippable.lz4", true }, { "named.gz", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_fini) struct buf in = BUF_INIT(65536);
		CLEANUP(buf_fini) struct buf content = BUF_INIT(65536);

		read_corpus(cases[i].name, &in);
		add_text(&content, 4, 7);
		if (cases[i].both)
			add_text(&content, 3, 11);
		check_content(cases[i].name, 0, buf_bytes(&in), buf_bytes(&content));
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_detect),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_cut_at_every_length),
		cmocka_unit_test(test_every_byte_changed),
		cmocka_unit_test(test_something_behind),
		cmocka_unit_test(test_error_from_below),
		cmocka_unit_test(test_freed_half_way),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_between_frames),
		cmocka_unit_test(test_skippable_cut),
		cmocka_unit_test(test_zstd_window),
		cmocka_unit_test(test_xz_dictionary),
		cmocka_unit_test(test_xz_unknown_check),
		cmocka_unit_test(test_end_below_is_seen),
		cmocka_unit_test(test_cause_of_damage),
		cmocka_unit_test(test_bomb),
		cmocka_unit_test(test_files_of_the_tools),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test_unpack CORPUS-FOLDER\n");
		return 2;
	}
	corpus = argv[1];
	return cmocka_run_group_tests(tests, set_up, NULL);
}
