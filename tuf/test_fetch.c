/* The fetcher against a server that misbehaves in every way, and against files. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/num.h"
#include "test-fixtures/httpd.h"
#include "tuf/fetch.h"
#include "tuf/tuf.h"

#define BODY "0123456789abcdefghijklmnopqrstuvwxyz"

static const struct tuf_fetch_options quick = {
	.allow_http = true,
	.no_proxy = "127.0.0.1",
	.idle_timeout_ms = 300,
	.connect_timeout_ms = 2000,
	.backoff_ms = 4,
};

static uint64_t ms_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The whole body of PATH below the server's URL into @out. */
static int get(struct httpd *h, const struct tuf_fetch_options *o, const char *path, uint64_t max, struct buf *out,
	       struct err *e)
{
	CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
	CLEANUP(source_free_p) struct source *s = NULL;
	char url[8192];

	memset(e, 0, sizeof(*e));
	snprintf(url, sizeof(url), "%s%s", h ? httpd_url(h) : "", path);
	if (tuf_fetcher_new(o, &f, e) < 0 || tuf_fetch_open(f, url, max, "thing", &s, e) < 0)
		return -1;
	return source_read_all(s, out, e);
}

static void every_answer(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule rule; /* of every path */
		uint64_t max;
		int ret;
		enum err_kind kind;
		const char *reason;
	} cases[] = {
		{ "plain", { .act = HTTPD_SERVE }, 36, 0, ERR_NONE, NULL },
		{ "no length", { .act = HTTPD_NO_LENGTH }, 36, 0, ERR_NONE, NULL },
		{ "chunked", { .act = HTTPD_CHUNKED }, 36, 0, ERR_NONE, NULL },
		{ "slow", { .act = HTTPD_SLOW, .n = 2 }, 36, 0, ERR_NONE, NULL },
		{ "room to spare", { .act = HTTPD_SERVE }, UINT64_MAX, 0, ERR_NONE, NULL },
		{ "announced too long", { .act = HTTPD_SERVE }, 35, -1, ERR_FORMAT, TUF_E_LIMIT },
		{ "announced too long, never sent", { .act = HTTPD_STALL, .n = 0 }, 35, -1, ERR_FORMAT, TUF_E_LIMIT },
		{ "chunked, too long", { .act = HTTPD_CHUNKED }, 35, -1, ERR_FORMAT, TUF_E_LIMIT },
		{ "no length, too long", { .act = HTTPD_NO_LENGTH }, 35, -1, ERR_FORMAT, TUF_E_LIMIT },
		{ "endless", { .act = HTTPD_ENDLESS }, 500000, -1, ERR_FORMAT, TUF_E_LIMIT },
		{ "nothing allowed", { .act = HTTPD_SERVE }, 0, -1, ERR_FORMAT, TUF_E_LIMIT },
		{ "shorter than announced", { .act = HTTPD_CLAIM, .n = 37 }, 40, -1, ERR_NETWORK, TUF_E_TRANSPORT },
		{ "cut at nothing", { .act = HTTPD_CUT, .n = 0 }, 40, -1, ERR_NETWORK, TUF_E_TRANSPORT },
		{ "cut before the last byte", { .act = HTTPD_CUT, .n = 35 }, 40, -1, ERR_NETWORK, TUF_E_TRANSPORT },
		{ "stalls in the body", { .act = HTTPD_STALL, .n = 5 }, 40, -1, ERR_NETWORK, TUF_E_TIMEOUT },
		{ "stalls before the body", { .act = HTTPD_STALL, .n = 0 }, 40, -1, ERR_NETWORK, TUF_E_TIMEOUT },
		{ "never answers", { .act = HTTPD_SILENT }, 40, -1, ERR_NETWORK, TUF_E_TIMEOUT },
		{ "a byte now and then", { .act = HTTPD_SLOW, .n = 120 }, 40, -1, ERR_NETWORK, TUF_E_TIMEOUT },
		{ "closes at once", { .act = HTTPD_CLOSE }, 40, -1, ERR_NETWORK, TUF_E_TRANSPORT },
		{ "resets", { .act = HTTPD_RESET }, 40, -1, ERR_NETWORK, TUF_E_TRANSPORT },
		{ "201", { .status = 201 }, 40, -1, ERR_NETWORK, TUF_E_HTTP },
		{ "206", { .status = 206 }, 40, -1, ERR_NETWORK, TUF_E_HTTP },
		{ "400", { .status = 400 }, 40, -1, ERR_NETWORK, TUF_E_HTTP },
		{ "401", { .status = 401 }, 40, -1, ERR_NETWORK, TUF_E_HTTP },
		{ "403", { .status = 403 }, 40, -1, ERR_MISSING, TUF_E_HTTP },
		{ "404", { .status = 404 }, 40, -1, ERR_MISSING, TUF_E_HTTP },
		{ "404 with a longer page than asked for", { .status = 404 }, 4, -1, ERR_MISSING, TUF_E_HTTP },
		{ "404 without end", { .status = 404, .act = HTTPD_ENDLESS }, 40, -1, ERR_MISSING, TUF_E_HTTP },
		{ "410", { .status = 410 }, 40, -1, ERR_MISSING, TUF_E_HTTP },
		{ "500", { .status = 500 }, 40, -1, ERR_NETWORK, TUF_E_HTTP },
		{ "503 without end", { .status = 503, .act = HTTPD_ENDLESS }, 40, -1, ERR_NETWORK, TUF_E_HTTP },
		{ "302 without a place", { .status = 302 }, 40, -1, ERR_NETWORK, TUF_E_HTTP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd *h = httpd_new(NULL);
		struct httpd_rule rule = cases[i].rule;
		struct buf b = BUF_INIT(1000000);
		struct err e;

		print_message("case %s\n", cases[i].name);
		rule.path = "*";
		rule.body = bytes_of_str(BODY);
		if (!rule.status)
			rule.status = 200;
		httpd_add(h, rule);
		assert_int_equal(get(h, &quick, "/x", cases[i].max, &b, &e), cases[i].ret);
		assert_int_equal(e.kind, cases[i].kind);
		if (cases[i].reason)
			assert_string_equal(e.reason, cases[i].reason);
		if (cases[i].ret == 0)
			assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(BODY)));
		if (cases[i].ret < 0)
			assert_non_null(strstr(e.msg, "thing"));
		assert_int_equal(httpd_n_requests(h), 1);
		buf_fini(&b);
		httpd_free(h);
	}
}

static void an_empty_body_is_an_end(void **state)
{
	struct httpd *h = httpd_new(NULL);
	struct buf b = BUF_INIT(10);
	struct err e;

	(void)state;
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .body = bytes_of_str("") });
	assert_int_equal(get(h, &quick, "/x", 0, &b, &e), 0);
	assert_int_equal(b.n, 0);
	httpd_free(h);
}

static void redirects(void **state)
{
	static const struct {
		const char *name, *headers;
		int ret;
		size_t n_requests;
		const char *reason;
	} cases[] = {
		{ "same server", "Location: /there\r\n", 0, 2, NULL },
		{ "to itself", "Location: /x\r\n", -1, 1 + TUF_FETCH_REDIRECTS_MAX, TUF_E_HTTP },
		{ "to a local file", "Location: file:///etc/hostname\r\n", -1, 1, TUF_E_HTTP },
		{ "to another scheme", "Location: https://127.0.0.1:1/\r\n", -1, 1, TUF_E_HTTP },
		{ "to ftp", "Location: ftp://127.0.0.1:1/\r\n", -1, 1, TUF_E_HTTP },
		{ "to nothing there", "Location: /nothing\r\n", -1, 2, TUF_E_HTTP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd *h = httpd_new(NULL);
		struct buf b = BUF_INIT(1000);
		struct err e;

		print_message("case %s\n", cases[i].name);
		httpd_add(h, (struct httpd_rule){ .path = "/there", .status = 200, .body = bytes_of_str(BODY) });
		httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 302, .headers = cases[i].headers });
		assert_int_equal(get(h, &quick, "/x", 100, &b, &e), cases[i].ret);
		assert_int_equal(httpd_n_requests(h), cases[i].n_requests);
		if (cases[i].ret < 0)
			assert_string_equal(e.reason, cases[i].reason);
		buf_fini(&b);
		httpd_free(h);
	}
}

static void retries(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule rule; /* of the first @rule.times requests */
		uint32_t retries;
		int ret;
		size_t n_requests;
	} cases[] = {
		{ "503 once", { .status = 503, .times = 1 }, 3, 0, 2 },
		{ "503 as often as there are retries", { .status = 503, .times = 3 }, 3, 0, 4 },
		{ "503 once more", { .status = 503, .times = 4 }, 3, -1, 4 },
		{ "429", { .status = 429, .times = 1 }, 3, 0, 2 },
		{ "500, none allowed", { .status = 500, .times = 1 }, 0, -1, 1 },
		{ "reset", { .act = HTTPD_RESET, .times = 2 }, 3, 0, 3 },
		{ "closed", { .act = HTTPD_CLOSE, .times = 2 }, 3, 0, 3 },
		{ "stall before the body", { .act = HTTPD_STALL, .n = 0, .times = 1 }, 3, 0, 2 },
		{ "cut before the body", { .act = HTTPD_CUT, .n = 0, .times = 1 }, 3, 0, 2 },
		{ "404 is an answer", { .status = 404, .times = 1 }, 3, -1, 1 },
		{ "403 is an answer", { .status = 403, .times = 1 }, 3, -1, 1 },
		{ "400 is an answer", { .status = 400, .times = 1 }, 3, -1, 1 },
		{ "too long is an answer", { .act = HTTPD_CLAIM, .n = 1000, .times = 1 }, 3, -1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd *h = httpd_new(NULL);
		struct tuf_fetch_options o = quick;
		struct httpd_rule rule = cases[i].rule;
		struct buf b = BUF_INIT(1000);
		struct err e;

		print_message("case %s\n", cases[i].name);
		httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .body = bytes_of_str(BODY) });
		rule.path = "/x";
		rule.status = rule.status ? rule.status : 200;
		rule.body = bytes_of_str(BODY);
		httpd_add(h, rule);
		o.retries = cases[i].retries;
		assert_int_equal(get(h, &o, "/x", 100, &b, &e), cases[i].ret);
		assert_int_equal(httpd_n_requests(h), cases[i].n_requests);
		if (cases[i].ret == 0)
			assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(BODY)));
		buf_fini(&b);
		httpd_free(h);
	}
}

/* Without retries a body that ends early is a failure, and what came before it is handed out first. */
static void no_retries_means_none(void **state)
{
	struct httpd *h = httpd_new(NULL);
	CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
	CLEANUP(source_free_p) struct source *s = NULL;
	char url[256], c;
	struct err e;
	size_t n;
	int r;

	(void)state;
	httpd_add(h, (struct httpd_rule){ .path = "/x", .act = HTTPD_STALL, .n = 5, .status = 200, .body = bytes_of_str(BODY) });
	snprintf(url, sizeof(url), "%s/x", httpd_url(h));
	assert_int_equal(tuf_fetcher_new(&quick, &f, &e), 0);
	assert_int_equal(tuf_fetch_open(f, url, 100, "thing", &s, &e), 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(source_read(s, &c, 1, &n, &e), 0);
		assert_int_equal(c, BODY[i]);
	}
	while ((r = source_read(s, &c, 1, &n, &e)) == 0)
		;
	assert_int_equal(r, -1);
	assert_int_equal(e.kind, ERR_NETWORK);
	assert_string_equal(e.reason, TUF_E_TIMEOUT);
	assert_int_equal(httpd_n_requests(h), 1);
	source_free(TAKE(s));
	tuf_fetcher_free(TAKE(f));
	httpd_free(h);
}

static void nobody_listens(void **state)
{
	struct httpd *h = httpd_new(NULL);
	char url[256];
	struct buf b = BUF_INIT(10);
	struct err e;

	(void)state;
	snprintf(url, sizeof(url), "%s/x", httpd_url(h));
	httpd_free(h);
	assert_int_equal(get(NULL, &quick, url, 10, &b, &e), -1);
	assert_int_equal(e.kind, ERR_NETWORK);
	assert_string_equal(e.reason, TUF_E_TRANSPORT);
}

/* More than all buffers between hold: the server has to wait for the reader, and the reader gets every byte. */
static void a_slow_reader_holds_the_sender_back(void **state)
{
	const size_t size = 24u << 20;
	uint8_t *body = (uint8_t *)malloc(size), piece[50000];
	struct httpd *h = httpd_new(NULL);
	CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
	CLEANUP(source_free_p) struct source *s = NULL;
	char url[256];
	struct err e;
	size_t at = 0, n;
	int r;

	(void)state;
	for (size_t i = 0; i < size; i++)
		body[i] = (uint8_t)(i * 2654435761u >> 13);
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .body = bytes_of(body, size) });
	snprintf(url, sizeof(url), "%s/x", httpd_url(h));
	assert_int_equal(tuf_fetcher_new(&quick, &f, &e), 0);
	assert_int_equal(tuf_fetch_open(f, url, size, "thing", &s, &e), 0);
	/* Longer than the idle time-out: the server is not to blame. */
	usleep(700 * 1000);
	while ((r = source_read(s, piece, sizeof(piece), &n, &e)) == 0) {
		assert_true(at + n <= size);
		assert_memory_equal(piece, body + at, n);
		at += n;
	}
	assert_int_equal(r, SOURCE_END);
	assert_int_equal(at, size);
	source_free(TAKE(s));
	tuf_fetcher_free(TAKE(f));
	httpd_free(h);
	free(body);
}

static void two_at_a_time(void **state)
{
	struct httpd *h = httpd_new(NULL);
	CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
	CLEANUP(source_free_p) struct source *a = NULL;
	CLEANUP(source_free_p) struct source *b = NULL;
	struct buf got = BUF_INIT(1000);
	char url[256];
	struct err e;

	(void)state;
	httpd_add(h, (struct httpd_rule){ .path = "/*", .act = HTTPD_SLOW, .n = 2, .status = 200, .body = bytes_of_str(BODY) });
	snprintf(url, sizeof(url), "%s/x", httpd_url(h));
	assert_int_equal(tuf_fetcher_new(&quick, &f, &e), 0);
	assert_int_equal(tuf_fetch_open(f, url, 100, "a", &a, &e), 0);
	assert_int_equal(tuf_fetch_open(f, url, 100, "b", &b, &e), 0);
	assert_int_equal(source_read_all(a, &got, &e), 0);
	assert_int_equal(source_read_all(b, &got, &e), 0);
	assert_true(bytes_equal(buf_bytes(&got), bytes_of_str(BODY BODY)));
	buf_fini(&got);
	source_free(TAKE(a));
	source_free(TAKE(b));
	tuf_fetcher_free(TAKE(f));
	httpd_free(h);
}

static void freed_half_way(void **state)
{
	struct httpd *h = httpd_new(NULL);
	CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
	struct source *s = NULL;
	struct buf b = BUF_INIT(1000);
	char url[256], c;
	struct err e;
	size_t n;

	(void)state;
	httpd_add(h, (struct httpd_rule){ .path = "/x", .act = HTTPD_ENDLESS, .status = 200, .body = bytes_of_str(BODY) });
	httpd_add(h, (struct httpd_rule){ .path = "/y", .status = 200, .body = bytes_of_str(BODY) });
	assert_int_equal(tuf_fetcher_new(&quick, &f, &e), 0);
	for (int i = 0; i < 3; i++) {
		snprintf(url, sizeof(url), "%s/x", httpd_url(h));
		assert_int_equal(tuf_fetch_open(f, url, UINT64_MAX, "x", &s, &e), 0);
		assert_int_equal(source_read(s, &c, 1, &n, &e), 0);
		source_free(s);
	}
	snprintf(url, sizeof(url), "%s/y", httpd_url(h));
	assert_int_equal(tuf_fetch_open(f, url, 100, "y", &s, &e), 0);
	assert_int_equal(source_read_all(s, &b, &e), 0);
	source_free(s);
	buf_fini(&b);
	tuf_fetcher_free(TAKE(f));
	httpd_free(h);
}

/* Also across a 404, whose page is read for that purpose. */
static void the_connection_is_kept(void **state)
{
	static const char *const paths[] = { "/a", "/none", "/b", "/none", "/a" };
	struct httpd *h = httpd_new(NULL);
	CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
	struct err e;

	(void)state;
	httpd_add(h, (struct httpd_rule){ .path = "/a", .status = 200, .body = bytes_of_str(BODY) });
	httpd_add(h, (struct httpd_rule){ .path = "/b", .status = 200, .act = HTTPD_CHUNKED, .body = bytes_of_str(BODY) });
	assert_int_equal(tuf_fetcher_new(&quick, &f, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct source *s = NULL;
		struct buf b = BUF_INIT(1000);
		char url[256];

		snprintf(url, sizeof(url), "%s%s", httpd_url(h), paths[i]);
		if (tuf_fetch_open(f, url, 100, "thing", &s, &e) == 0)
			assert_int_equal(source_read_all(s, &b, &e), 0);
		source_free(s);
		buf_fini(&b);
	}
	assert_int_equal(httpd_n_requests(h), ARRAY_LEN(paths));
	assert_int_equal(httpd_n_connections(h), 1);
	tuf_fetcher_free(TAKE(f));
	httpd_free(h);
}

static void the_url_goes_out_as_it_is(void **state)
{
	static const struct {
		const char *path, *query, *request;
	} cases[] = {
		{ "/a/../b/./c", NULL, "GET /a/../b/./c\n" },
		{ "/a%2Fb%5Bc%5D//d", NULL, "GET /a%2Fb%5Bc%5D//d\n" },
		{ "/..%2Fx.json", "seed=5", "GET /..%2Fx.json?seed=5\n" },
		{ "/a", "version=1.0.0&seed=5", "GET /a?version=1.0.0&seed=5\n" },
		{ "/a?b=c", "seed=5", "GET /a?b=c&seed=5\n" },
		{ "/a", "", "GET /a\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd *h = httpd_new(NULL);
		struct tuf_fetch_options o = quick;
		struct buf b = BUF_INIT(1000);
		struct err e;

		o.query = cases[i].query;
		assert_int_equal(get(h, &o, cases[i].path, 100, &b, &e), -1);
		assert_int_equal(e.kind, ERR_MISSING);
		char *requests = httpd_requests(h);

		assert_string_equal(requests, cases[i].request);
		free(requests);
		httpd_free(h);
	}
}

static void refused_urls(void **state)
{
	static const struct {
		const char *name, *url;
		bool allow_http;
	} cases[] = {
		{ "http, not allowed", "http://127.0.0.1:1/", false },
		{ "ftp", "ftp://127.0.0.1:1/", true },
		{ "path", "/etc/hostname", true },
		{ "empty", "", true },
		{ "file on a host", "file://example.org/a", true },
		{ "file with a query", "file:///a?b", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tuf_fetch_options o = quick;
		struct buf b = BUF_INIT(1000);
		struct err e;

		print_message("case %s\n", cases[i].name);
		o.allow_http = cases[i].allow_http;
		assert_int_equal(get(NULL, &o, cases[i].url, 100, &b, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_string_equal(e.reason, "url");
	}
}

static void a_url_has_a_limit(void **state)
{
	struct httpd *h = httpd_new(NULL);
	char path[TUF_FETCH_URL_MAX_BYTES + 1];
	const size_t most = TUF_FETCH_URL_MAX_BYTES - 1 - strlen(httpd_url(h));
	struct buf b = BUF_INIT(1000);
	struct err e;

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	for (size_t n = most - 1; n <= most + 1; n++) {
		path[n] = 0;
		assert_int_equal(get(h, &quick, path, 100, &b, &e), -1);
		assert_int_equal(e.kind, n <= most ? ERR_MISSING : ERR_FORMAT);
		path[n] = 'a';
	}
	httpd_free(h);
}

static void messages_have_no_password(void **state)
{
	struct httpd *h = httpd_new(NULL);
	char url[256];
	struct buf b = BUF_INIT(1000);
	struct err e;

	(void)state;
	httpd_add(h, (struct httpd_rule){ .path = "*", .status = 500 });
	snprintf(url, sizeof(url), "http://user:secret@%s/x", httpd_url(h) + strlen("http://"));
	assert_int_equal(get(NULL, &quick, url, 100, &b, &e), -1);
	assert_int_equal(e.kind, ERR_NETWORK);
	assert_null(strstr(e.msg, "secret"));
	assert_null(strstr(e.msg, "user"));
	assert_non_null(strstr(e.msg, httpd_url(h) + strlen("http://")));
	assert_non_null(strstr(e.msg, "500"));
	httpd_free(h);
}

struct stopper {
	volatile sig_atomic_t stop;
	int after_ms;
};

static void *stop_later(void *ctx)
{
	struct stopper *s = (struct stopper *)ctx;

	usleep((useconds_t)s->after_ms * 1000);
	s->stop = 1;
	return NULL;
}

static void the_stop_flag_ends_it_soon(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule rule;
		int after_ms;
	} cases[] = {
		{ "before", { .path = "*", .act = HTTPD_SILENT }, 0 },
		{ "waiting for an answer", { .path = "*", .act = HTTPD_SILENT }, 50 },
		{ "in the body", { .path = "*", .act = HTTPD_STALL, .n = 3 }, 50 },
		{ "waiting to try again", { .path = "*", .status = 500 }, 50 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd *h = httpd_new(NULL);
		struct tuf_fetch_options o = quick;
		struct httpd_rule rule = cases[i].rule;
		struct stopper stopper = { .after_ms = cases[i].after_ms };
		struct buf b = BUF_INIT(1000);
		pthread_t thread;
		struct err e;

		print_message("case %s\n", cases[i].name);
		rule.body = bytes_of_str(BODY);
		rule.status = rule.status ? rule.status : 200;
		httpd_add(h, rule);
		o.idle_timeout_ms = o.backoff_ms = 9000;
		o.retries = 5;
		o.stop = &stopper.stop;
		if (!cases[i].after_ms)
			stopper.stop = 1;
		else
			assert_int_equal(pthread_create(&thread, NULL, stop_later, &stopper), 0);
		const uint64_t start = ms_now();

		assert_int_equal(get(h, &o, "/x", 100, &b, &e), -1);
		assert_int_equal(e.kind, ERR_STATE);
		assert_string_equal(e.reason, "interrupted");
		assert_true(ms_now() - start < 2000); /* 250 by design; the machine may be busy */
		if (cases[i].after_ms)
			pthread_join(thread, NULL);
		buf_fini(&b);
		httpd_free(h);
	}
}

static void files(void **state)
{
	static const struct {
		const char *name, *url; /* behind file://FOLDER */
		uint64_t max;
		int ret;
		enum err_kind kind;
	} cases[] = {
		{ "plain", "/plain", 36, 0, ERR_NONE },
		{ "escaped", "/%70lain", 36, 0, ERR_NONE },
		{ "one byte too long", "/plain", 35, -1, ERR_FORMAT },
		{ "missing", "/none", 36, -1, ERR_MISSING },
		{ "below a file", "/plain/x", 36, -1, ERR_MISSING },
		{ "a folder", "/", 36, -1, ERR_NETWORK },
		{ "a pipe", "/pipe", 36, -1, ERR_NETWORK },
	};
	char dir[] = "/tmp/flipside-fetch-XXXXXX", path[256], url[300];
	struct tuf_fetch_options o = quick;

	(void)state;
	o.query = "seed=5"; /* not for files */
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/plain", dir);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(BODY, f) >= 0);
	assert_int_equal(fclose(f), 0);
	snprintf(path, sizeof(path), "%s/pipe", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1000);
		struct err e;

		print_message("case %s\n", cases[i].name);
		snprintf(url, sizeof(url), "file://%s%s", dir, cases[i].url);
		assert_int_equal(get(NULL, &o, url, cases[i].max, &b, &e), cases[i].ret);
		assert_int_equal(e.kind, cases[i].kind);
		if (cases[i].ret == 0)
			assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(BODY)));
		buf_fini(&b);
	}
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/plain", dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer),
		cmocka_unit_test(an_empty_body_is_an_end),
		cmocka_unit_test(redirects),
		cmocka_unit_test(retries),
		cmocka_unit_test(no_retries_means_none),
		cmocka_unit_test(nobody_listens),
		cmocka_unit_test(a_slow_reader_holds_the_sender_back),
		cmocka_unit_test(two_at_a_time),
		cmocka_unit_test(freed_half_way),
		cmocka_unit_test(the_connection_is_kept),
		cmocka_unit_test(the_url_goes_out_as_it_is),
		cmocka_unit_test(refused_urls),
		cmocka_unit_test(a_url_has_a_limit),
		cmocka_unit_test(messages_have_no_password),
		cmocka_unit_test(the_stop_flag_ends_it_soon),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests_name("tuf/fetch", tests, NULL, NULL);
}
