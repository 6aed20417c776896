/* Heads of responses, and what they are to a stream in the middle of a file. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "tuf/fetch_head.h"

static struct fetch_head head_of(const char *text)
{
	struct fetch_head h;

	fetch_head_line(&h, "HTTP/1.1 200 OK\r\n", strlen("HTTP/1.1 200 OK\r\n"));
	for (const char *end; *text; text = end) {
		end = strchr(text, '\n') + 1;
		fetch_head_line(&h, text, (size_t)(end - text));
	}
	return h;
}

static void ranges(void **state)
{
	static const struct {
		const char *value;
		enum fetch_range range;
		uint64_t first, last, total;
	} cases[] = {
		{ "bytes 0-0/1", FETCH_RANGE_GIVEN, 0, 0, 1 },
		{ "bytes 5-9/10", FETCH_RANGE_GIVEN, 5, 9, 10 },
		{ "BYTES 5-9/10", FETCH_RANGE_GIVEN, 5, 9, 10 },
		{ "bytes   5-9/10  ", FETCH_RANGE_GIVEN, 5, 9, 10 },
		{ "bytes 0-18446744073709551613/18446744073709551614", FETCH_RANGE_GIVEN, 0, UINT64_MAX - 2, UINT64_MAX - 1 },
		{ "bytes 0-1/18446744073709551615", FETCH_RANGE_BAD, 0, 0, 0 }, /* FETCH_UNKNOWN is no number */
		{ "bytes 0-1/18446744073709551616", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes */10", FETCH_RANGE_UNSATISFIED, 0, 0, 10 },
		{ "bytes */*", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes */", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes 5-9/*", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes 9-5/10", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes 5-10/10", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes 5-9", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes 5/10", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes 5-9/10x", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes +5-9/10", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes 5 - 9/10", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "items 5-9/10", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "bytes", FETCH_RANGE_BAD, 0, 0, 0 },
		{ "", FETCH_RANGE_BAD, 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char line[200];

		snprintf(line, sizeof(line), "content-range: %s\r\n", cases[i].value);
		const struct fetch_head h = head_of(line);

		assert_case(cases[i].value, h.range == cases[i].range);
		if (h.range == FETCH_RANGE_GIVEN)
			assert_case(cases[i].value, h.first == cases[i].first && h.last == cases[i].last);
		if (h.range != FETCH_RANGE_BAD)
			assert_case(cases[i].value, h.total == cases[i].total);
		/* Cut anywhere it is not read beyond its end, and is never what it was not. */
		for (size_t n = 0; n < strlen(line); n++) {
			char cut[200];
			struct fetch_head part = { 0 };

			memcpy(cut, line, n);
			fetch_head_line(&part, cut, n);
			assert_case(cases[i].value, part.range != FETCH_RANGE_GIVEN || part.last < part.total);
		}
	}
}

static void fields(void **state)
{
	char longest[FETCH_VALIDATOR_BYTES + 20];
	struct fetch_head h = head_of("Content-Length: 12\r\nETAG:\t\"a b\" \r\nlast-modified: yesterday\r\n\r\n");

	assert_int_equal(h.length, 12);
	assert_string_equal(h.is.etag, "\"a b\"");
	assert_string_equal(h.is.modified, "yesterday");
	assert_int_equal(h.range, FETCH_RANGE_NONE);
	fetch_head_line(&h, "HTTP/1.1 206", strlen("HTTP/1.1 206")); /* a new head */
	assert_true(h.length == FETCH_UNKNOWN && !*h.is.etag && !*h.is.modified);
	assert_true(head_of("Content-Length: -1\r\n").length == FETCH_UNKNOWN);
	assert_true(head_of("Content-Length : 1\r\nX-Content-Length: 1\r\nContent-Length\r\n").length == FETCH_UNKNOWN);
	assert_int_equal(head_of("Content-Range: bytes 0-0/1\r\nContent-Range: bytes 0-0/1\r\n").range, FETCH_RANGE_BAD);
	for (int n = FETCH_VALIDATOR_BYTES - 2; n <= FETCH_VALIDATOR_BYTES; n++) {
		snprintf(longest, sizeof(longest), "ETag: %0*d\r\n", n, 0);
		h = head_of(longest);
		assert_int_equal(strlen(h.is.etag), n < FETCH_VALIDATOR_BYTES ? n : 0);
	}
}

static void judgements(void **state)
{
	static const struct {
		const char *name;
		long status;
		const char *head;
		uint64_t pos;
		bool asked;
		uint64_t total; /* known before; 0: unknown */
		const char *etag; /* known before */
		enum fetch_judgement verdict;
		uint64_t skip, due, total_after;
	} cases[] = {
		{ "whole", 200, "Content-Length: 10\r\n", 0, false, 0, "", FETCH_BODY, 0, 10, 10 },
		{ "whole, no length", 200, "", 0, false, 0, "", FETCH_BODY, 0, FETCH_UNKNOWN, FETCH_UNKNOWN },
		{ "whole for a part", 200, "Content-Length: 10\r\n", 4, true, 10, "", FETCH_BODY, 4, 10, 10 },
		{ "whole for a part, no length", 200, "", 4, true, 10, "", FETCH_BODY, 4, 10, 10 },
		{ "whole of another length", 200, "Content-Length: 9\r\n", 4, true, 10, "", FETCH_CHANGED, 0, 0, 0 },
		{ "whole with another tag", 200, "ETag: \"2\"\r\n", 4, true, 10, "\"1\"", FETCH_CHANGED, 0, 0, 0 },
		{ "whole with the tag, weak", 200, "ETag: W/\"1\"\r\n", 4, true, 10, "\"1\"", FETCH_BODY, 4, 10, 10 },
		{ "whole, too short", 200, "Content-Length: 3\r\n", 4, true, 0, "", FETCH_BAD_RANGE, 0, 0, 0 },
		{ "part", 206, "Content-Range: bytes 4-9/10\r\n", 4, true, 10, "", FETCH_BODY, 0, 6, 10 },
		{ "part, total now known", 206, "Content-Range: bytes 4-9/10\r\n", 4, true, 0, "", FETCH_BODY, 0, 6, 10 },
		{ "part of a part", 206, "Content-Range: bytes 4-5/10\r\n", 4, true, 10, "", FETCH_BODY, 0, 2, 10 },
		{ "part nobody asked for", 206, "Content-Range: bytes 0-9/10\r\n", 0, false, 0, "", FETCH_NO_BODY, 0, 0, 0 },
		{ "part without a range", 206, "Content-Length: 6\r\n", 4, true, 10, "", FETCH_BAD_RANGE, 0, 0, 0 },
		{ "part, another length", 206, "Content-Range: bytes 4-9/10\r\nContent-Length: 7\r\n", 4, true, 10, "", FETCH_BAD_RANGE, 0, 0,
		  0 },
		{ "416 at the end", 416, "Content-Range: bytes */4\r\n", 4, true, 0, "", FETCH_AT_END, 0, 0, 0 },
		{ "416 before the end", 416, "Content-Range: bytes */5\r\n", 4, true, 0, "", FETCH_BAD_RANGE, 0, 0, 0 },
		{ "416 of another length", 416, "Content-Range: bytes */4\r\n", 4, true, 10, "", FETCH_CHANGED, 0, 0, 0 },
		{ "416 without a range", 416, "", 4, true, 10, "", FETCH_BAD_RANGE, 0, 0, 0 },
		{ "416 nobody asked for", 416, "Content-Range: bytes */0\r\n", 0, false, 0, "", FETCH_NO_BODY, 0, 0, 0 },
		{ "404", 404, "Content-Length: 10\r\n", 4, true, 10, "", FETCH_NO_BODY, 0, 0, 0 },
		{ "100", 100, "", 0, false, 0, "", FETCH_NO_BODY, 0, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fetch_file file = { .total = cases[i].total ? cases[i].total : FETCH_UNKNOWN };
		const struct fetch_head h = head_of(cases[i].head);
		uint64_t skip = 77, due = 77;

		snprintf(file.is.etag, sizeof(file.is.etag), "%s", cases[i].etag);
		const struct fetch_file before = file;

		assert_case(cases[i].name,
			    fetch_judge(cases[i].status, &h, cases[i].pos, cases[i].asked, &file, &skip, &due) == cases[i].verdict);
		if (cases[i].verdict == FETCH_BODY)
			assert_case(cases[i].name, skip == cases[i].skip && due == cases[i].due && file.total == cases[i].total_after);
		else if (cases[i].verdict == FETCH_CHANGED)
			assert_case(cases[i].name, memcmp(&before, &file, sizeof(file)) == 0);
	}
}

static void conditions(void **state)
{
	struct fetch_validators v = { 0 };

	assert_null(fetch_if_range(&v));
	memcpy(v.modified, "then", 5);
	assert_string_equal(fetch_if_range(&v), "then");
	memcpy(v.etag, "W/\"1\"", 6);
	assert_string_equal(fetch_if_range(&v), "then");
	memcpy(v.etag, "\"1\"", 4);
	assert_string_equal(fetch_if_range(&v), "\"1\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(fields),
		cmocka_unit_test(judgements),
		cmocka_unit_test(conditions),
	};

	return cmocka_run_group_tests_name("tuf/fetch_head", tests, NULL, NULL);
}
