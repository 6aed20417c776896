/* RFC 9110 14.1: which bytes a Range header asks for. */
#include "tools/repo_range.h"

#include "base/num.h"
#include "test-fixtures/harness/case.h"

static const struct {
	const char *header;
	uint64_t size;
	enum repo_range_kind kind;
	uint64_t first, length;
} cases[] = {
	{ NULL, 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "bytes=0-9", 100, REPO_RANGE_PART, 0, 10 },
	{ "bytes=0-0", 100, REPO_RANGE_PART, 0, 1 },
	{ "bytes=10-", 100, REPO_RANGE_PART, 10, 90 },
	{ "bytes=0-98", 100, REPO_RANGE_PART, 0, 99 },
	{ "bytes=0-99", 100, REPO_RANGE_PART, 0, 100 },
	{ "bytes=0-100", 100, REPO_RANGE_PART, 0, 100 },
	{ "bytes=98-", 100, REPO_RANGE_PART, 98, 2 },
	{ "bytes=99-", 100, REPO_RANGE_PART, 99, 1 },
	{ "bytes=100-", 100, REPO_RANGE_BAD, 0, 100 },
	{ "bytes=100-200", 100, REPO_RANGE_BAD, 0, 100 },
	{ "bytes=-1", 100, REPO_RANGE_PART, 99, 1 },
	{ "bytes=-99", 100, REPO_RANGE_PART, 1, 99 },
	{ "bytes=-100", 100, REPO_RANGE_PART, 0, 100 },
	{ "bytes=-101", 100, REPO_RANGE_PART, 0, 100 },
	{ "bytes=-0", 100, REPO_RANGE_BAD, 0, 100 },
	{ "bytes=-5", 0, REPO_RANGE_BAD, 0, 0 },
	{ "bytes=0-", 0, REPO_RANGE_BAD, 0, 0 },
	{ "bytes=5-4", 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "bytes=-", 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "bytes=", 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "bytes=5", 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "bytes=0-1,5-6", 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "bytes= 0-1", 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "bytes=0-1 ", 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "bytes=--5", 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "bytes=+1-5", 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "items=0-5", 100, REPO_RANGE_WHOLE, 0, 100 },
	{ "bytes=0-99999999999999999999999", 100, REPO_RANGE_PART, 0, 100 },
	{ "bytes=99999999999999999999999-", 100, REPO_RANGE_BAD, 0, 100 },
	{ "bytes=-99999999999999999999999", 100, REPO_RANGE_PART, 0, 100 },
	{ "bytes=0-18446744073709551615", UINT64_MAX, REPO_RANGE_PART, 0, UINT64_MAX },
};

static void test_ranges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *name = cases[i].header ? cases[i].header : "none";
		struct repo_range r;

		assert_case(name, repo_range_parse(cases[i].header, cases[i].size, &r) == cases[i].kind);
		assert_case(name, r.first == cases[i].first && r.length == cases[i].length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ranges) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
