/* Examples: semver.org 2.0.0, sections 2, 9 to 11, and its list of valid and invalid versions. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/version.h"
#include "test-fixtures/harness/case.h"

static void test_good(void **state)
{
	static const struct {
		const char *in;
		uint64_t major, minor, patch;
		const char *pre;
	} cases[] = {
		{ "0.0.0", 0, 0, 0, "" },
		{ "0.0.4", 0, 0, 4, "" },
		{ "1.2.3", 1, 2, 3, "" },
		{ "10.20.30", 10, 20, 30, "" },
		{ "1.1.2-prerelease+meta", 1, 1, 2, "prerelease" },
		{ "1.1.2+meta", 1, 1, 2, "" },
		{ "1.1.2+meta-valid", 1, 1, 2, "" },
		{ "1.0.0-alpha", 1, 0, 0, "alpha" },
		{ "1.0.0-alpha.beta.1", 1, 0, 0, "alpha.beta.1" },
		{ "1.0.0-alpha0.valid", 1, 0, 0, "alpha0.valid" },
		{ "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay", 1, 0, 0, "alpha-a.b-c-somethinglong" },
		{ "1.0.0-rc.1+build.1", 1, 0, 0, "rc.1" },
		{ "1.2.3----RC-SNAPSHOT.12.9.1--.12+788", 1, 2, 3, "---RC-SNAPSHOT.12.9.1--.12" },
		{ "1.0.0+0.build.1-rc.10000aaa-kk-0.1", 1, 0, 0, "" },
		{ "1.0.0-0A.is.legal", 1, 0, 0, "0A.is.legal" },
		{ "1.0.0-0", 1, 0, 0, "0" },
		{ "1.0.0+001", 1, 0, 0, "" },
		{ "18446744073709551615.0.18446744073709551614", UINT64_MAX, 0, UINT64_MAX - 1, "" },
		{ "1.0.0-99999999999999999999999", 1, 0, 0, "99999999999999999999999" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct version v;
		struct err e = { 0 };

		assert_case(cases[i].in, version_parse(cases[i].in, &v, &e) == 0);
		assert_case(cases[i].in, v.major == cases[i].major && v.minor == cases[i].minor && v.patch == cases[i].patch);
		assert_string_equal(v.pre, cases[i].pre);
		assert_string_equal(v.text, cases[i].in);
	}
}

static void test_bad(void **state)
{
	static const char *const cases[] = {
		"", "1", "1.2", "1.2.", "1.2.3.4", ".1.2", "1..2", "a.b.c", "1.2.x", "1.2.3 ", " 1.2.3", "1.2.3\n", "v1.2.3",
		"V1.2.3", "01.1.1", "1.01.1", "1.1.01", "00.0.0", "-1.0.0", "+1.0.0", "1.-2.3", "1.2.3-", "1.2.3-+", "1.2.3-+b",
		"1.2.3+", "1.2.3-01", "1.2.3-a.01", "1.2.3-a..b", "1.2.3-.a", "1.2.3-a.", "1.2.3+a..b", "1.2.3+a+b", "1.2.3-a_b",
		"1.2.3-\xc3\xa9", "1.2.3+a/b", "1.2-3", "1,2,3", "18446744073709551616.0.0", "1.2.3/../..", "0x1.2.3", "1e1.0.0",
		"1.1.2+.123", "alpha", "1.2.3-0123", "1.2.3-0123.0123", "~1.2.3", "1.2.*",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct version v = { .major = 77 };
		struct err e = { 0 };

		assert_case(cases[i], version_parse(cases[i], &v, &e) == -1);
		assert_case(cases[i], e.kind == ERR_FORMAT && v.major == 77);
		assert_string_equal(e.reason, "version");
	}
}

static void test_length_limit(void **state)
{
	char text[VERSION_BYTES + 2] = "1.2.3-";
	struct version v;
	struct err e = { 0 };

	(void)state;
	memset(text + 6, 'a', sizeof(text) - 7);
	text[VERSION_BYTES + 1] = '\0';
	assert_int_equal(version_parse(text, &v, &e), -1);
	text[VERSION_BYTES] = '\0';
	assert_int_equal(version_parse(text, &v, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	text[VERSION_BYTES - 1] = '\0';
	assert_int_equal(version_parse(text, &v, &e), 0);
	assert_int_equal(strlen(v.text), VERSION_BYTES - 1);
	assert_int_equal(strlen(v.pre), VERSION_BYTES - 1 - 6);
	text[VERSION_BYTES - 2] = '\0';
	assert_int_equal(version_parse(text, &v, &e), 0);
}

static void test_friendly(void **state)
{
	struct version v;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(version_parse_friendly("v1.2.3-rc.1", &v, &e), 0);
	assert_string_equal(v.text, "1.2.3-rc.1");
	assert_int_equal(version_parse_friendly("1.2.3", &v, &e), 0);
	assert_int_equal(version_parse_friendly("vv1.2.3", &v, &e), -1);
	assert_int_equal(version_parse_friendly("V1.2.3", &v, &e), -1);
	assert_int_equal(version_parse_friendly("v", &v, &e), -1);
	assert_int_equal(version_parse_friendly("v 1.2.3", &v, &e), -1);
	assert_int_equal(version_parse_friendly("", &v, &e), -1);
}

/* Ascending; each is compared with each. Section 11's own examples are among them. */
static const char *const ascending[] = {
	"0.0.0",
	"0.0.1",
	"0.9.9",
	"1.0.0-0",
	"1.0.0-2",
	"1.0.0-10",
	"1.0.0-9999999999999999999",
	"1.0.0-99999999999999999999999",
	"1.0.0-100000000000000000000000",
	"1.0.0--",
	"1.0.0-10a",
	"1.0.0-2a",
	"1.0.0-A",
	"1.0.0-alpha",
	"1.0.0-alpha.1",
	"1.0.0-alpha.1.0",
	"1.0.0-alpha.beta",
	"1.0.0-alpha-",
	"1.0.0-beta",
	"1.0.0-beta.2",
	"1.0.0-beta.11",
	"1.0.0-rc.1",
	"1.0.0",
	"1.0.1-a",
	"1.9.0",
	"1.10.0",
	"2.0.0",
	"2.1.0",
	"2.1.1",
	"10.0.0",
	"18446744073709551615.0.0",
};

static void test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ascending); i++)
		for (size_t j = 0; j < ARRAY_LEN(ascending); j++) {
			struct version a, b;
			struct err e = { 0 };
			char name[256];

			assert_int_equal(version_parse(ascending[i], &a, &e), 0);
			assert_int_equal(version_parse(ascending[j], &b, &e), 0);
			snprintf(name, sizeof(name), "%s and %s", ascending[i], ascending[j]);
			const int order = version_compare(&a, &b);
			assert_case(name, (order > 0) - (order < 0) == (i > j) - (i < j));
		}
}

static void test_build_is_ignored(void **state)
{
	struct version a, b;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(version_parse("1.0.0-rc.1+b2", &a, &e), 0);
	assert_int_equal(version_parse("1.0.0-rc.1+a10.9", &b, &e), 0);
	assert_int_equal(version_compare(&a, &b), 0);
	assert_int_equal(version_parse("1.0.0-rc.1", &b, &e), 0);
	assert_int_equal(version_compare(&a, &b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	 cmocka_unit_test(test_bad),   cmocka_unit_test(test_length_limit),
		cmocka_unit_test(test_friendly), cmocka_unit_test(test_order), cmocka_unit_test(test_build_is_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
