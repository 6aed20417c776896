/* Transfers that break in the middle: what is asked for next, what is believed of the answer, and when it is given up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/httpd.h"
#include "tuf/fetch.h"
#include "tuf/tuf.h"

#define BODY "0123456789abcdefghijklmnopqrstuvwxyz"
#define OTHER "zyxwvutsrqponmlkjihgfedcba9876543210"
#define TAG "ETag: \"one\"\r\n"
#define TAG_2 "ETag: \"two\"\r\n"
#define DATE "Last-Modified: Sun, 01 Nov 2026 00:00:00 GMT\r\n"
#define DATE_2 "Last-Modified: Mon, 02 Nov 2026 00:00:00 GMT\r\n"

static const struct tuf_fetch_options quick = {
	.allow_http = true,
	.no_proxy = "127.0.0.1",
	.idle_timeout_ms = 300,
	.connect_timeout_ms = 2000,
	.backoff_ms = 4,
	.retries = 3,
};

static uint64_t ms_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* All of /x from @offset on, read in pieces of @piece bytes. */
static int get(struct httpd *h, const struct tuf_fetch_options *o, uint64_t offset, uint64_t max, size_t piece, struct buf *out,
	       struct err *e)
{
	CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
	CLEANUP(source_free_p) struct source *s = NULL;
	CLEANUP(free_p) uint8_t *dst = malloc(piece);
	char url[256];
	const struct tuf_fetch_request q = { .url = url, .what = "thing", .max_bytes = max, .offset = offset };
	size_t n;
	int r;

	memset(e, 0, sizeof(*e));
	snprintf(url, sizeof(url), "%s/x", httpd_url(h));
	if (tuf_fetcher_new(o, &f, e) < 0 || tuf_fetch_open_range(f, &q, &s, e) < 0)
		return -1;
	while ((r = source_read(s, dst, piece, &n, e)) == 0)
		assert_int_equal(buf_append(out, dst, n, e), 0);
	return r == SOURCE_END ? 0 : -1;
}

static uint8_t *big_body(size_t n)
{
	uint8_t *p = malloc(n);
	uint32_t v = 1;

	assert_non_null(p);
	for (size_t i = 0; i < n; i++) {
		v = v * 1664525 + 1013904223;
		p[i] = (uint8_t)(v >> 24);
	}
	return p;
}

/* The first answer breaks after 10 bytes, the second one is as the case says; a third would be good again. */
static void what_is_believed(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule first, second;
		const char *ranges;
		int ret;
		const char *reason, *text;
	} cases[] = {
		{ "nothing told", { 0 }, { 0 }, "-\nbytes=10-\n", 0, NULL, BODY },
		{ "the same tag", { .headers = TAG }, { .headers = TAG }, "-\nbytes=10- if \"one\"\n", 0, NULL, BODY },
		{ "the same date", { .headers = DATE }, { .headers = DATE },
		  "-\nbytes=10- if Sun, 01 Nov 2026 00:00:00 GMT\n", 0, NULL, BODY },
		{ "tag before date", { .headers = TAG DATE }, { .headers = TAG DATE }, "-\nbytes=10- if \"one\"\n", 0, NULL, BODY },
		{ "a weak tag is no condition", { .headers = "ETag: W/\"one\"\r\n" }, { .headers = "ETag: W/\"one\"\r\n" },
		  "-\nbytes=10-\n", 0, NULL, BODY },
		{ "the tag is not told again", { .headers = TAG }, { .no_range = true }, "-\nbytes=10- if \"one\"\n", 0, NULL, BODY },
		{ "without ranges", { 0 }, { .no_range = true }, "-\nbytes=10-\n", 0, NULL, BODY },
		{ "without ranges, in chunks", { 0 }, { .no_range = true, .act = HTTPD_CHUNKED }, "-\nbytes=10-\n", 0, NULL, BODY },
		{ "a part in chunks", { 0 }, { .act = HTTPD_CHUNKED }, "-\nbytes=10-\n", 0, NULL, BODY },
		{ "503 between", { 0 }, { .status = 503 }, "-\nbytes=10-\nbytes=10-\n", 0, NULL, BODY },
		{ "closed between", { 0 }, { .act = HTTPD_CLOSE }, "-\nbytes=10-\nbytes=10-\n", 0, NULL, BODY },
		{ "stalls in the second part", { 0 }, { .act = HTTPD_STALL, .n = 5 }, "-\nbytes=10-\nbytes=15-\n", 0, NULL, BODY },
		{ "breaks again while skipping", { 0 }, { .no_range = true, .act = HTTPD_CUT, .n = 4 },
		  "-\nbytes=10-\nbytes=10-\n", 0, NULL, BODY },
		{ "the range ends early", { 0 }, { .content_range = "bytes 10-19/36", .act = HTTPD_CLAIM, .n = 10 },
		  "-\nbytes=10-\nbytes=20-\n", 0, NULL, BODY },
		{ "another tag", { .headers = TAG }, { .headers = TAG_2 }, "-\nbytes=10- if \"one\"\n", -1, TUF_E_CHANGED, NULL },
		{ "another date", { .headers = DATE }, { .headers = DATE_2 },
		  "-\nbytes=10- if Sun, 01 Nov 2026 00:00:00 GMT\n", -1, TUF_E_CHANGED, NULL },
		{ "another weak tag", { .headers = "ETag: W/\"one\"\r\n" }, { .headers = "ETag: W/\"two\"\r\n" }, "-\nbytes=10-\n", -1,
		  TUF_E_CHANGED, NULL },
		{ "longer than before", { 0 }, { .body = { (const uint8_t *)BODY "more", 40 } }, "-\nbytes=10-\n", -1, TUF_E_CHANGED,
		  NULL },
		{ "shorter than before", { 0 }, { .body = { (const uint8_t *)BODY, 30 } }, "-\nbytes=10-\n", -1, TUF_E_CHANGED, NULL },
		{ "shorter than what was read", { 0 }, { .body = { (const uint8_t *)BODY, 9 } }, "-\nbytes=10-\n", -1, TUF_E_CHANGED,
		  NULL },
		{ "longer, without ranges", { 0 }, { .no_range = true, .body = { (const uint8_t *)BODY "more", 40 } }, "-\nbytes=10-\n",
		  -1, TUF_E_CHANGED, NULL },
		{ "vanished", { 0 }, { .status = 404 }, "-\nbytes=10-\n", -1, TUF_E_CHANGED, NULL },
		{ "from the beginning", { 0 }, { .content_range = "bytes 0-25/36" }, "-\nbytes=10-\n", -1, TUF_E_RANGE, NULL },
		{ "one byte too far", { 0 }, { .content_range = "bytes 11-35/36" }, "-\nbytes=10-\n", -1, TUF_E_RANGE, NULL },
		{ "another total", { 0 }, { .content_range = "bytes 10-35/37" }, "-\nbytes=10-\n", -1, TUF_E_CHANGED, NULL },
		{ "of a total not told", { 0 }, { .content_range = "bytes 10-35/*" }, "-\nbytes=10-\n", -1, TUF_E_RANGE, NULL },
		{ "beyond the total", { 0 }, { .content_range = "bytes 10-36/36" }, "-\nbytes=10-\n", -1, TUF_E_RANGE, NULL },
		{ "no range told", { 0 }, { .content_range = "" }, "-\nbytes=10-\n", -1, TUF_E_RANGE, NULL },
		{ "nonsense", { 0 }, { .content_range = "bytes ten-twenty/36" }, "-\nbytes=10-\n", -1, TUF_E_RANGE, NULL },
		{ "more than told", { 0 }, { .act = HTTPD_MORE }, "-\nbytes=10-\n", -1, TUF_E_RANGE, NULL },
		{ "too many, in chunks", { 0 }, { .act = HTTPD_CHUNKED, .content_range = "bytes 10-34/36" }, "-\nbytes=10-\n", -1,
		  TUF_E_RANGE, NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd_rule first = cases[i].first, second = cases[i].second;
		struct httpd_rule good = first;
		struct httpd *h = httpd_new(NULL);
		struct buf b = BUF_INIT(100);
		struct err e;

		first.act = HTTPD_CUT;
		first.n = 10;
		good.path = first.path = second.path = "/x";
		first.times = second.times = 1;
		good.status = first.status = 200;
		second.status = second.status ? second.status : 200;
		good.body = first.body = bytes_of_str(BODY);
		second.body = second.body.p ? second.body : first.body;
		httpd_add(h, good);
		httpd_add(h, second);
		httpd_add(h, first);
		const int ret = get(h, &quick, 0, 100, 1, &b, &e);
		char *ranges = httpd_ranges(h);

		if (ret != cases[i].ret || strcmp(ranges, cases[i].ranges) != 0)
			print_message("%s: %d %s\n%s", cases[i].name, ret, e.msg, ranges);
		assert_case(cases[i].name, ret == cases[i].ret);
		assert_case(cases[i].name, strcmp(ranges, cases[i].ranges) == 0);
		if (ret == 0)
			assert_case(cases[i].name, bytes_equal(buf_bytes(&b), bytes_of_str(cases[i].text)));
		else {
			assert_case(cases[i].name, e.kind == ERR_NETWORK && strcmp(e.reason, cases[i].reason) == 0);
			assert_case(cases[i].name, b.n >= 10 && memcmp(b.p, BODY, b.n) == 0); /* never a wrong byte */
		}
		free(ranges);
		buf_fini(&b);
		httpd_free(h);
	}
}

/* As long as nobody has read of it, a changed file is simply read anew. */
static void changed_before_anybody_read(void **state)
{
	struct httpd *h = httpd_new(NULL);
	CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
	struct buf b = BUF_INIT(100);
	char url[256];
	const struct tuf_fetch_request q = { .url = url, .what = "thing", .max_bytes = 100 };
	struct err e;

	snprintf(url, sizeof(url), "%s/x", httpd_url(h));
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .headers = TAG_2, .body = bytes_of_str(OTHER) });
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .headers = TAG, .act = HTTPD_CUT, .n = 10, .times = 1,
					  .body = bytes_of_str(BODY) });
	assert_int_equal(tuf_fetcher_new(&quick, &f, &e), 0);
	assert_int_equal(tuf_fetch_whole(f, &q, &b, &e), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(OTHER)));
	buf_fini(&b);
	httpd_free(h);
}

/* A whole file is never put together: every try asks for all of it, and only so often. */
static void small_files_begin_again(void **state)
{
	for (unsigned int times = 2; times <= 4; times++) {
		struct httpd *h = httpd_new(NULL);
		CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
		struct buf b = BUF_INIT(100);
		char url[256];
		const struct tuf_fetch_request q = { .url = url, .what = "thing", .max_bytes = 36 };
		struct err e;

		snprintf(url, sizeof(url), "%s/x", httpd_url(h));
		httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .body = bytes_of_str(BODY) });
		httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .act = HTTPD_CUT, .n = 35, .times = times,
						  .body = bytes_of_str(OTHER) });
		assert_int_equal(tuf_fetcher_new(&quick, &f, &e), 0);
		assert_int_equal(buf_append_str(&b, "before ", &e), 0);
		assert_int_equal(tuf_fetch_whole(f, &q, &b, &e), times <= 3 ? 0 : -1);
		if (times <= 3)
			assert_true(bytes_equal(buf_bytes(&b), bytes_of_str("before " BODY)));
		char *ranges = httpd_ranges(h);

		assert_string_equal(ranges, times == 2 ? "-\n-\n-\n" : "-\n-\n-\n-\n");
		free(ranges);
		buf_fini(&b);
		httpd_free(h);
	}
}

/* Each break comes after progress, so there are far more of them than retries. */
static void a_line_that_drops_each_mebibyte(void **state)
{
	const size_t size = 10u << 20;
	uint8_t *body = big_body(size);
	struct httpd *h = httpd_new(NULL);
	struct buf b = BUF_INIT(size);
	struct err e;

	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .headers = TAG, .act = HTTPD_CUT, .n = 1u << 20,
					  .body = bytes_of(body, size) });
	assert_int_equal(get(h, &quick, 0, size, 65536, &b, &e), 0);
	assert_int_equal(b.n, size);
	assert_memory_equal(b.p, body, size);
	assert_true(httpd_n_requests(h) >= 10);
	assert_true(httpd_n_body_bytes(h) <= size + size / 20);
	buf_fini(&b);
	httpd_free(h);
	free(body);
}

static void breaks_anywhere(void **state)
{
	static const size_t pieces[] = { 1000, 65536 };
	const size_t size = 1u << 20;
	uint8_t *body = big_body(size);

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		struct tuf_fetch_options o = quick;
		struct httpd *h = httpd_new(NULL);
		struct buf b = BUF_INIT(size);
		struct err e;

		o.retries = 8;
		o.backoff_ms = 1;
		httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .act = HTTPD_CUT_ANYWHERE, .n = 40000,
						  .body = bytes_of(body, size) });
		assert_int_equal(get(h, &o, 0, size, pieces[i], &b, &e), 0);
		assert_int_equal(b.n, size);
		assert_memory_equal(b.p, body, size);
		assert_true(httpd_n_requests(h) > 20);
		buf_fini(&b);
		httpd_free(h);
	}
	free(body);
}

/* Without progress the retries end: with none at all, with too little, and with none behind the point where it
 * always breaks. */
static void retries_without_progress_end(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule rule;
		size_t n_requests;
	} cases[] = {
		{ "a few bytes each time", { .act = HTTPD_CUT, .n = TUF_FETCH_PROGRESS_BYTES / 4 - 1 }, 4 },
		{ "the same point without ranges", { .act = HTTPD_CUT, .n = 50000, .no_range = true }, 4 },
		{ "nothing", { .act = HTTPD_CUT, .n = 0 }, 4 },
	};
	const size_t size = 100000;
	uint8_t *body = big_body(size);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd_rule rule = cases[i].rule;
		struct httpd *h = httpd_new(NULL);
		struct buf b = BUF_INIT(size);
		struct err e;

		rule.path = "/x";
		rule.status = 200;
		rule.body = bytes_of(body, size);
		httpd_add(h, rule);
		assert_case(cases[i].name, get(h, &quick, 0, size, 1000, &b, &e) == -1);
		assert_case(cases[i].name, e.kind == ERR_NETWORK && strcmp(e.reason, TUF_E_TRANSPORT) == 0);
		if (httpd_n_requests(h) != cases[i].n_requests)
			print_message("%s: %zu requests\n", cases[i].name, httpd_n_requests(h));
		assert_case(cases[i].name, httpd_n_requests(h) == cases[i].n_requests);
		assert_case(cases[i].name, b.n < size && memcmp(b.p ? b.p : body, body, b.n) == 0);
		buf_fini(&b);
		httpd_free(h);
	}
	free(body);
}

static void from_the_middle(void **state)
{
	static const struct {
		const char *name;
		uint64_t offset, max;
		bool no_range;
		int ret;
		enum err_kind kind;
		const char *reason;
	} cases[] = {
		{ "the beginning", 0, 36, false, 0, ERR_NONE, NULL },
		{ "the middle", 20, 36, false, 0, ERR_NONE, NULL },
		{ "the last byte", 35, 36, false, 0, ERR_NONE, NULL },
		{ "the end", 36, 36, false, 0, ERR_NONE, NULL },
		{ "behind the end", 37, 40, false, -1, ERR_NETWORK, TUF_E_RANGE },
		{ "over the limit", 20, 35, false, -1, ERR_FORMAT, TUF_E_LIMIT },
		{ "behind the limit", 37, 36, false, -1, ERR_FORMAT, TUF_E_LIMIT },
		{ "the middle without ranges", 20, 36, true, 0, ERR_NONE, NULL },
		{ "the end without ranges", 36, 36, true, 0, ERR_NONE, NULL },
		{ "behind the end without ranges", 37, 40, true, -1, ERR_NETWORK, TUF_E_RANGE },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd *h = httpd_new(NULL);
		struct buf b = BUF_INIT(100);
		struct err e;

		httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .no_range = cases[i].no_range,
						  .body = bytes_of_str(BODY) });
		const int ret = get(h, &quick, cases[i].offset, cases[i].max, 7, &b, &e);

		if (ret != cases[i].ret)
			print_message("%s: %s\n", cases[i].name, e.msg);
		assert_case(cases[i].name, ret == cases[i].ret);
		if (ret == 0)
			assert_case(cases[i].name, bytes_equal(buf_bytes(&b), bytes_of_str(&BODY[cases[i].offset])));
		else
			assert_case(cases[i].name, e.kind == cases[i].kind && strcmp(e.reason, cases[i].reason) == 0);
		buf_fini(&b);
		httpd_free(h);
	}
}

static void files_from_the_middle(void **state)
{
	static const struct {
		uint64_t offset;
		int ret;
	} cases[] = { { 0, 0 }, { 35, 0 }, { 36, 0 }, { 37, -1 } };
	char path[] = "/tmp/flipside-resume-XXXXXX", url[300];
	const int fd = mkstemp(path);

	assert_true(fd >= 0 && write(fd, BODY, 36) == 36 && close(fd) == 0);
	snprintf(url, sizeof(url), "file://%s", path);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct tuf_fetch_request q = { .url = url, .what = "thing", .max_bytes = 40, .offset = cases[i].offset };
		CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
		CLEANUP(source_free_p) struct source *s = NULL;
		struct buf b = BUF_INIT(100);
		struct err e;

		assert_int_equal(tuf_fetcher_new(&quick, &f, &e), 0);
		assert_int_equal(tuf_fetch_open_range(f, &q, &s, &e), cases[i].ret);
		if (cases[i].ret == 0) {
			assert_int_equal(source_read_all(s, &b, &e), 0);
			assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(&BODY[cases[i].offset])));
		} else
			assert_string_equal(e.reason, TUF_E_RANGE);
		buf_fini(&b);
	}
	assert_int_equal(unlink(path), 0);
}

/* Slow is fine while it is not too slow: a time-out is not one of the whole. */
static void a_byte_at_a_time(void **state)
{
	struct tuf_fetch_options o = quick;
	struct httpd *h = httpd_new(NULL);
	struct buf b = BUF_INIT(100);
	struct err e;

	o.idle_timeout_ms = 200; /* 3 bytes are due in it */
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .act = HTTPD_SLOW, .n = 20, .body = bytes_of_str(BODY) });
	const uint64_t start = ms_now();

	assert_int_equal(get(h, &o, 0, 36, 100, &b, &e), 0);
	assert_true(ms_now() - start > o.idle_timeout_ms);
	assert_int_equal(httpd_n_requests(h), 1);
	assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(BODY)));
	buf_fini(&b);
	httpd_free(h);
}

static void elsewhere_saves_the_retries(void **state)
{
	struct httpd *h = httpd_new(NULL);
	CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
	CLEANUP(source_free_p) struct source *s = NULL;
	struct buf b = BUF_INIT(100);
	char url[256];
	const struct tuf_fetch_request q = { .url = url, .what = "thing", .max_bytes = 36, .elsewhere = true };
	struct err e;

	snprintf(url, sizeof(url), "%s/x", httpd_url(h));
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .body = bytes_of_str(BODY) });
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .act = HTTPD_CUT, .n = 10, .times = 1, .body = bytes_of_str(BODY) });
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 503, .times = 1 });
	assert_int_equal(tuf_fetcher_new(&quick, &f, &e), 0);
	assert_int_equal(tuf_fetch_open_range(f, &q, &s, &e), -1);
	assert_int_equal(httpd_n_requests(h), 1);
	/* Some of it has come: then this server is as good as another. */
	assert_int_equal(tuf_fetch_open_range(f, &q, &s, &e), 0);
	assert_int_equal(source_read_all(s, &b, &e), 0);
	assert_int_equal(httpd_n_requests(h), 3);
	buf_fini(&b);
	source_free(TAKE(s));
	tuf_fetcher_free(TAKE(f));
	httpd_free(h);
}

/* Never above the limit, and not so far below it that it would be of no use. */
static void the_rate_has_a_limit(void **state)
{
	const size_t size = 300000;
	uint8_t *body = big_body(size);
	struct tuf_fetch_options o = quick;
	struct httpd *h = httpd_new(NULL);
	struct buf b = BUF_INIT(size);
	struct err e;

	o.rate_limit = 300000;
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .body = bytes_of(body, size) });
	const uint64_t start = ms_now();

	assert_int_equal(get(h, &o, 0, size, 65536, &b, &e), 0);
	const uint64_t ms = ms_now() - start;

	assert_true(ms > 600); /* the last buffer needs no waiting for */
	assert_true(ms < 5000);
	assert_memory_equal(b.p, body, size);
	buf_fini(&b);
	httpd_free(h);
	free(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_believed),
		cmocka_unit_test(changed_before_anybody_read),
		cmocka_unit_test(small_files_begin_again),
		cmocka_unit_test(a_line_that_drops_each_mebibyte),
		cmocka_unit_test(breaks_anywhere),
		cmocka_unit_test(retries_without_progress_end),
		cmocka_unit_test(from_the_middle),
		cmocka_unit_test(files_from_the_middle),
		cmocka_unit_test(a_byte_at_a_time),
		cmocka_unit_test(elsewhere_saves_the_retries),
		cmocka_unit_test(the_rate_has_a_limit),
	};

	return cmocka_run_group_tests_name("tuf/fetch_resume", tests, NULL, NULL);
}
