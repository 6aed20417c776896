#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/datetime.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"

#define FIRST INT64_C(-62135596800)
#define LAST INT64_C(253402300799)

static void test_parse(void **state)
{
	static const struct {
		const char *in;
		bool ok;
		int64_t sec;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", true, 0 },
		{ "1969-12-31T23:59:59Z", true, -1 },
		{ "2001-09-09T01:46:40Z", true, 1000000000 },
		{ "2038-01-19T03:14:08Z", true, INT64_C(2147483648) },
		{ "1985-04-12T23:20:50.52Z", true, 482196050 }, /* RFC 3339 section 5.8, and the next two */
		{ "1996-12-19T16:39:57-08:00", true, 851042397 },
		{ "1937-01-01T12:00:27.87+00:20", true, -1041337173 },
		{ "1990-12-31T23:59:60Z", false, 0 }, /* also there: a leap second, refused */
		{ "1970-01-01t00:00:00z", true, 0 },
		{ "1970-01-01T00:00:00.000000000000000000000000001Z", true, 0 },
		{ "1969-12-31T23:59:59.999Z", true, -1 },
		{ "1970-01-01T00:00:00-00:00", true, 0 },
		{ "1970-01-01T00:00:00+00:00", true, 0 },
		{ "1970-01-01T23:59:00+23:59", true, 0 },
		{ "1969-12-31T00:01:00-23:59", true, 0 },
		{ "2000-02-29T00:00:00Z", true, 951782400 },
		{ "2024-02-29T00:00:00Z", true, 1709164800 },
		{ "2023-02-29T00:00:00Z", false, 0 },
		{ "1900-02-29T00:00:00Z", false, 0 },
		{ "2100-02-29T00:00:00Z", false, 0 },
		{ "2400-02-29T00:00:00Z", true, INT64_C(13574563200) },
		{ "2024-02-30T00:00:00Z", false, 0 },
		{ "2024-04-30T00:00:00Z", true, 1714435200 },
		{ "2024-04-31T00:00:00Z", false, 0 },
		{ "2024-12-31T00:00:00Z", true, 1735603200 },
		{ "2024-12-32T00:00:00Z", false, 0 },
		{ "2024-01-00T00:00:00Z", false, 0 },
		{ "2024-00-01T00:00:00Z", false, 0 },
		{ "2024-13-01T00:00:00Z", false, 0 },
		{ "0001-01-01T00:00:00Z", true, FIRST },
		{ "0001-01-01T00:00:00+00:01", false, 0 }, /* in the year 0 */
		{ "0000-12-31T23:59:59Z", false, 0 },
		{ "9999-12-31T23:59:59Z", true, LAST },
		{ "9999-12-31T23:59:59-00:01", false, 0 }, /* in the year 10000 */
		{ "10000-01-01T00:00:00Z", false, 0 },
		{ "2024-01-01T23:00:00Z", true, 1704150000 },
		{ "2024-01-01T24:00:00Z", false, 0 },
		{ "2024-01-01T00:60:00Z", false, 0 },
		{ "2024-01-01T00:00:61Z", false, 0 },
		{ "2024-01-01T00:00:00+24:00", false, 0 },
		{ "2024-01-01T00:00:00+00:60", false, 0 },
		{ "2024-01-01T00:00:00", false, 0 },
		{ "2024-01-01T00:00:00.Z", false, 0 },
		{ "2024-01-01T00:00:00,5Z", false, 0 },
		{ "2024-01-01T00:00:00.5", false, 0 },
		{ "2024-01-01T00:00:00+0100", false, 0 },
		{ "2024-01-01T00:00:00+01", false, 0 },
		{ "2024-01-01T00:00:00 Z", false, 0 },
		{ "2024-01-01T00:00Z", false, 0 },
		{ "2024-01-01 00:00:00Z", false, 0 },
		{ "2024-01-01", false, 0 },
		{ "2024-1-01T00:00:00Z", false, 0 },
		{ "24-01-01T00:00:00Z", false, 0 },
		{ "20240101T000000Z", false, 0 },
		{ "+024-01-01T00:00:00Z", false, 0 },
		{ "-001-01-01T00:00:00Z", false, 0 },
		{ " 2024-01-01T00:00:00Z", false, 0 },
		{ "2024-01-01T00:00:00Z ", false, 0 },
		{ "2024-01-01T00:00:00ZZ", false, 0 },
		{ "2024-01-01T00:00:00Z+00:00", false, 0 },
		{ "2024-01-01T00:00:00+00:00Z", false, 0 },
		{ "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t sec = 4711;
		const bool ok = datetime_parse(cases[i].in, strlen(cases[i].in), &sec);

		assert_case(cases[i].in, ok == cases[i].ok);
		assert_case(cases[i].in, sec == (ok ? cases[i].sec : 4711));
	}
}

/* The length counts, not a NUL. */
static void test_length(void **state)
{
	static const char text[] = "2024-01-01T00:00:00Z";
	int64_t sec;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_false(datetime_parse(text, n, &sec));
	assert_true(datetime_parse(text, sizeof(text) - 1, &sec));
	assert_false(datetime_parse(text, sizeof(text), &sec));	 /* with its NUL */
	assert_false(datetime_parse("2024-01-01T00:00:00\0", 20, &sec));
}

static void test_changed_bytes(void **state)
{
	static const char good[] = "2024-02-28T10:20:30Z";
	static const char columns[] = "dddd-dd-ddTdd:dd:ddZ";

	(void)state;
	for (size_t at = 0; at < sizeof(good) - 1; at++)
		for (int c = 0; c < 256; c++) {
			char text[sizeof(good)];
			int64_t sec;

			memcpy(text, good, sizeof(good));
			text[at] = (char)c;
			const bool ok = datetime_parse(text, sizeof(good) - 1, &sec);
			const bool digit = c >= '0' && c <= '9';
			const char kind = columns[at];
			/* A digit may be right where one was; elsewhere only the letter itself in either case is. */
			if (kind == 'd')
				assert_case(text, digit || !ok);
			else
				assert_case(text, ok == (c == kind || (kind >= 'A' && c == kind + 32)));
		}
}

/* The C library's own calendar, which the code does not use, agrees on days across all years. */
static void test_every_few_days(void **state)
{
	(void)state;
	for (int64_t sec = FIRST; sec <= LAST; sec += INT64_C(86400) * 23 + 3607) {
		char text[DATETIME_BYTES], want[64];
		const time_t t = sec;
		struct tm tm;
		int64_t back;

		assert_non_null(gmtime_r(&t, &tm));
		snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
			 tm.tm_hour, tm.tm_min, tm.tm_sec);
		datetime_format(sec, text);
		assert_case(want, strcmp(text, want) == 0);
		assert_case(want, datetime_parse(text, strlen(text), &back) && back == sec);
	}
}

static void test_format_limits(void **state)
{
	static const struct {
		const char *want;
		int64_t sec;
	} cases[] = {
		{ "0001-01-01T00:00:00Z", INT64_MIN }, { "0001-01-01T00:00:00Z", FIRST - 1 },
		{ "0001-01-01T00:00:00Z", FIRST },     { "0001-01-01T00:00:01Z", FIRST + 1 },
		{ "1969-12-31T23:59:59Z", -1 },	       { "1970-01-01T00:00:00Z", 0 },
		{ "9999-12-31T23:59:58Z", LAST - 1 },  { "9999-12-31T23:59:59Z", LAST },
		{ "9999-12-31T23:59:59Z", LAST + 1 },  { "9999-12-31T23:59:59Z", INT64_MAX },
	};
	char text[DATETIME_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		datetime_format(cases[i].sec, text);
		assert_string_equal(text, cases[i].want);
	}
}

static void test_offset(void **state)
{
	static const struct {
		const char *in;
		bool ok;
		int64_t sec;
	} cases[] = {
		{ "1 second", true, 1 },
		{ "90 minutes", true, 5400 },
		{ "4 hours", true, 14400 },
		{ "1 day", true, 86400 },
		{ "2 weeks", true, 1209600 },
		{ "in 2 weeks", true, 1209600 },
		{ "in 1 hours", true, 3600 },
		{ "36524 days", true, INT64_C(36524) * 86400 },
		{ "36525 days", true, INT64_C(36525) * 86400 },
		{ "36526 days", false, 0 },
		{ "3155760000 seconds", true, INT64_C(3155760000) },
		{ "3155760001 seconds", false, 0 },
		{ "3155760000 weeks", false, 0 },
		{ "18446744073709551616 seconds", false, 0 },
		{ "0 days", false, 0 },
		{ "-1 days", false, 0 },
		{ "+1 days", false, 0 },
		{ "1.5 days", false, 0 },
		{ "1  day", false, 0 },
		{ "1day", false, 0 },
		{ "1 day ", false, 0 },
		{ " 1 day", false, 0 },
		{ "1 Day", false, 0 },
		{ "1 month", false, 0 },
		{ "1 days and 2 hours", false, 0 },
		{ "day", false, 0 },
		{ "1", false, 0 },
		{ "1 ", false, 0 },
		{ "in ", false, 0 },
		{ "in in 1 day", false, 0 },
		{ "in  1 day", false, 0 },
		{ "2024-01-01T00:00:00Z", false, 0 },
		{ "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int64_t sec = 4711;
		const bool ok = datetime_parse_offset(cases[i].in, &sec);

		assert_case(cases[i].in, ok == cases[i].ok);
		assert_case(cases[i].in, sec == (ok ? cases[i].sec : 4711));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),	       cmocka_unit_test(test_length),
		cmocka_unit_test(test_changed_bytes),  cmocka_unit_test(test_every_few_days),
		cmocka_unit_test(test_format_limits),  cmocka_unit_test(test_offset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
