#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"

static void test_compare(void **state)
{
	static const struct {
		const char *a, *b;
		int order;
	} cases[] = {
		{ "", "", 0 },	    { "", "a", -1 },   { "a", "", 1 },	     { "a", "a", 0 },
		{ "a", "b", -1 },   { "b", "a", 1 },   { "a", "aa", -1 },    { "ab", "aa", 1 },
		{ "\x7f", "\x80", -1 }, { "b", "aa", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct bytes a = bytes_of_str(cases[i].a), b = bytes_of_str(cases[i].b);
		const int order = bytes_compare(a, b);

		assert_case(cases[i].a, (order > 0) - (order < 0) == cases[i].order);
		assert_case(cases[i].a, bytes_equal(a, b) == (cases[i].order == 0));
	}
	assert_true(bytes_equal(bytes_of(NULL, 0), bytes_of("", 0)));
	assert_int_equal(bytes_compare(bytes_of(NULL, 0), bytes_of("x", 1)), -1);
}

static void test_append_to_the_limit(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1000);
	struct err e = { 0 };

	(void)state;
	for (int i = 0; i < 999; i++)
		assert_int_equal(buf_append(&b, "x", 1, &e), 0);
	assert_int_equal(buf_append(&b, "yz", 2, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	assert_string_equal(e.reason, "limit");
	assert_int_equal(b.n, 999); /* unchanged */
	assert_int_equal(buf_append(&b, "y", 1, &e), 0);
	assert_int_equal(buf_append(&b, "z", 1, &e), -1);
	assert_int_equal(buf_append(&b, NULL, 0, &e), 0);
	assert_int_equal(b.n, 1000);
	assert_true(b.cap <= 1000);
	assert_int_equal(b.p[999], 'y');
	assert_null(buf_str(&b, &e)); /* no room for the NUL */
	assert_int_equal(b.n, 1000);
}

static void test_reserve(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(buf_reserve(&b, SIZE_MAX, &e), -1);
	assert_int_equal(buf_append(&b, "abc", 3, &e), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX, &e), -1); /* the sum wraps around */
	assert_int_equal(buf_reserve(&b, 98, &e), -1);
	assert_int_equal(buf_reserve(&b, 97, &e), 0);
	memset(b.p + b.n, 'd', 97);
	b.n += 97;
	assert_int_equal(b.n, 100);
	buf_fini(&b);
	assert_int_equal(b.max, 100);
	assert_int_equal(buf_append_str(&b, "again", &e), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_of_str("again")));
}

static void test_text(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(12);
	struct err e = { 0 };

	(void)state;
	assert_string_equal(buf_str(&b, &e), "");
	assert_int_equal(buf_printf(&b, &e, "%s %d", "ab", 12), 0);
	assert_string_equal(buf_str(&b, &e), "ab 12");
	assert_int_equal(b.n, 5);
	assert_int_equal(buf_printf(&b, &e, "%08d", 1), -1);
	assert_string_equal(e.reason, "limit");
	assert_int_equal(b.n, 5);
	assert_int_equal(buf_printf(&b, &e, "%06d", 1), 0);
	assert_string_equal(buf_str(&b, &e), "ab 12000001"); /* 11 and the NUL */
}

static void test_hex(void **state)
{
	static const struct {
		const char *in;
		size_t out_n;
		bool ok;
	} cases[] = {
		{ "", 0, true },	{ "00ff7F", 3, true }, { "00ff7", 3, false }, { "00ff7f", 2, false },
		{ "00ff7f", 4, false }, { "0g", 1, false },	{ "g0", 1, false },    { " 0", 1, false },
		{ "0x", 1, false },	{ "/0", 1, false },	{ "0:", 1, false },    { "@0", 1, false },
		{ "0G", 1, false },	{ "`0", 1, false },	{ "", 1, false },
	};
	char text[7];
	uint8_t out[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_case(cases[i].in, hex_decode(cases[i].in, strlen(cases[i].in), out, cases[i].out_n) == cases[i].ok);
	assert_true(hex_decode("00fF7a", 6, out, 3));
	assert_memory_equal(out, "\x00\xff\x7a", 3);
	hex_encode(out, 3, text);
	assert_string_equal(text, "00ff7a");
	hex_encode(out, 0, text);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare), cmocka_unit_test(test_append_to_the_limit), cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_text),	cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
