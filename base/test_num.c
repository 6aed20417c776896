#include "base/num.h"
#include "test-fixtures/harness/case.h"

static void test_parse(void **state)
{
	static const struct {
		const char *in;
		uint64_t min, max;
		bool ok;
		uint64_t value;
	} cases[] = {
		{ "0", 0, UINT64_MAX, true, 0 },
		{ "007", 0, UINT64_MAX, true, 7 },
		{ "42", 0, 100, true, 42 },
		{ "18446744073709551614", 0, UINT64_MAX, true, UINT64_MAX - 1 },
		{ "18446744073709551615", 0, UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", 0, UINT64_MAX, false, 0 },
		{ "18446744073709551620", 0, UINT64_MAX, false, 0 },
		{ "99999999999999999999999", 0, UINT64_MAX, false, 0 },
		{ "00000000000000000000000000001", 0, UINT64_MAX, true, 1 },
		{ "9", 10, 20, false, 0 },
		{ "10", 10, 20, true, 10 },
		{ "20", 10, 20, true, 20 },
		{ "21", 10, 20, false, 0 },
		{ "", 0, UINT64_MAX, false, 0 },
		{ " 1", 0, UINT64_MAX, false, 0 },
		{ "1 ", 0, UINT64_MAX, false, 0 },
		{ "1\n", 0, UINT64_MAX, false, 0 },
		{ "+1", 0, UINT64_MAX, false, 0 },
		{ "-1", 0, UINT64_MAX, false, 0 },
		{ "-0", 0, UINT64_MAX, false, 0 },
		{ "0x10", 0, UINT64_MAX, false, 0 },
		{ "1e3", 0, UINT64_MAX, false, 0 },
		{ "1.0", 0, UINT64_MAX, false, 0 },
		{ "\xd9\xa1", 0, UINT64_MAX, false, 0 }, /* an Arabic digit */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t v = 12345;
		const bool ok = num_parse_u64(cases[i].in, cases[i].min, cases[i].max, &v);

		assert_case(cases[i].in, ok == cases[i].ok);
		assert_case(cases[i].in, v == (ok ? cases[i].value : 12345)); /* untouched when refused */
	}
}

static void test_parse_part(void **state)
{
	const char digits[] = { '1', '2', '3' }; /* no NUL behind them */
	uint64_t v;

	(void)state;
	assert_true(num_parse_u64_n(digits, 3, 0, 999, &v));
	assert_int_equal(v, 123);
	assert_true(num_parse_u64_n(digits, 1, 0, 999, &v));
	assert_int_equal(v, 1);
	assert_false(num_parse_u64_n(digits, 0, 0, 999, &v));
	assert_false(num_parse_u64_n("1\0" "2", 3, 0, 999, &v));
}

static void test_sums(void **state)
{
	uint64_t v;
	size_t n;

	(void)state;
	assert_true(add_u64(UINT64_MAX - 1, 1, &v) && v == UINT64_MAX);
	assert_false(add_u64(UINT64_MAX, 1, &v));
	assert_true(mul_u64(UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1, &v) && v == UINT64_C(0xffffffff00000000));
	assert_false(mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &v));
	assert_true(mul_u64(UINT64_MAX, 0, &v) && v == 0);
	assert_true(add_size(SIZE_MAX, 0, &n) && n == SIZE_MAX);
	assert_false(add_size(SIZE_MAX, 1, &n));
	assert_true(mul_size(SIZE_MAX, 1, &n) && n == SIZE_MAX);
	assert_false(mul_size(SIZE_MAX, 2, &n));
	assert_int_equal(min_u64(1, 2), 1);
	assert_int_equal(min_u64(2, 1), 1);
	assert_int_equal(min_size(3, 3), 3);
}

static void test_align(void **state)
{
	static const struct {
		const char *name;
		uint64_t v, unit, want;
		bool ok;
	} cases[] = {
		{ "zero", 0, 4096, 0, true },
		{ "one", 1, 4096, 4096, true },
		{ "one below", 4095, 4096, 4096, true },
		{ "at", 4096, 4096, 4096, true },
		{ "one above", 4097, 4096, 8192, true },
		{ "no power of two", 10, 7, 14, true },
		{ "last", UINT64_MAX - 4095, 4096, UINT64_MAX - 4095, true },
		{ "beyond", UINT64_MAX - 4094, 4096, 0, false },
		{ "by one", UINT64_MAX, 1, UINT64_MAX, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint64_t v = 0;

		assert_case(cases[i].name, align_up_u64(cases[i].v, cases[i].unit, &v) == cases[i].ok);
		assert_case(cases[i].name, !cases[i].ok || v == cases[i].want);
	}
	assert_false(is_pow2_u64(0));
	assert_true(is_pow2_u64(1));
	assert_true(is_pow2_u64(UINT64_C(1) << 63));
	assert_false(is_pow2_u64(3));
	assert_false(is_pow2_u64(UINT64_MAX));
}

static void test_byte_order(void **state)
{
	const uint8_t b[] = { 0xff, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x88 };
	uint8_t out[9] = { 0 };

	(void)state;
	assert_int_equal(load_le16(b + 1), 0x0201);
	assert_int_equal(load_le32(b + 1), 0x04030201);
	assert_true(load_le64(b + 1) == UINT64_C(0x8807060504030201));
	assert_int_equal(load_be32(b + 1), 0x01020304);
	store_le16(out + 1, 0x0201);
	assert_memory_equal(out + 1, b + 1, 2);
	store_le32(out + 1, 0x04030201);
	assert_memory_equal(out + 1, b + 1, 4);
	store_le64(out + 1, UINT64_C(0x8807060504030201));
	assert_memory_equal(out + 1, b + 1, 8);
	assert_int_equal(out[0], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),	   cmocka_unit_test(test_parse_part), cmocka_unit_test(test_sums),
		cmocka_unit_test(test_align),	   cmocka_unit_test(test_byte_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
