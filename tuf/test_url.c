/* Names of roles and targets as URLs and file names, and what people get to see of a URL. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "base/num.h"
#include "tuf/tuf.h"
#include "tuf/url.h"

static void metadata_urls(void **state)
{
	static const struct {
		const char *name, *base;
		uint64_t version;
		const char *role, *url;
	} cases[] = {
		{ "plain", "https://h/m", 0, "timestamp", "https://h/m/timestamp.json" },
		{ "slash is there", "https://h/m/", 0, "timestamp", "https://h/m/timestamp.json" },
		{ "numbered", "https://h/m/", 7, "root", "https://h/m/7.root.json" },
		{ "largest version", "https://h/", TUF_VERSION_MAX, "root", "https://h/9223372036854775807.root.json" },
		{ "upwards", "https://h/m", 1, "../x", "https://h/m/1...%2Fx.json" },
		{ "absolute", "https://h/m", 0, "/x", "https://h/m/%2Fx.json" },
		{ "query and fragment", "https://h/m", 0, "a?b#c", "https://h/m/a%3Fb%23c.json" },
		{ "percent", "https://h/m", 0, "a%2Fb", "https://h/m/a%252Fb.json" },
		{ "unreserved stay", "https://h/m", 0, "aZ09_.-~", "https://h/m/aZ09_.-~.json" },
		{ "not ASCII, blank, control", "https://h/m", 0, "\xc3\xa9 \x01\x7f", "https://h/m/%C3%A9%20%01%7F.json" },
		{ "escapes of the base stay", "http://h/t%5Bx%5D/", 0, "a", "http://h/t%5Bx%5D/a.json" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1000);
		struct err e;

		print_message("case %s\n", cases[i].name);
		assert_int_equal(tuf_url_metadata(cases[i].base, cases[i].version, cases[i].role, &b, &e), 0);
		assert_string_equal(buf_str(&b, &e), cases[i].url);
		buf_fini(&b);
	}
}

static void target_urls(void **state)
{
	static const struct {
		const char *name, *base, *path, *hash, *url;
	} cases[] = {
		{ "plain", "https://h/t", "a.img", NULL, "https://h/t/a.img" },
		{ "consistent", "https://h/t", "a.img", "00ff", "https://h/t/00ff.a.img" },
		{ "prefix on the last part", "https://h/t/", "a/b/c.txt", "00ff", "https://h/t/a/b/00ff.c.txt" },
		{ "each part encoded", "https://h/t/", "a b/c?d", "00ff", "https://h/t/a%20b/00ff.c%3Fd" },
		{ "upwards stays as it is", "https://h/t/", "../x", NULL, "https://h/t/../x" },
		{ "leading slash", "https://h/t/", "/x", "00", "https://h/t//00.x" },
		{ "final slash", "https://h/t/", "x/", "00", "https://h/t/x/00." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1000);
		struct err e;

		print_message("case %s\n", cases[i].name);
		assert_int_equal(tuf_url_target(cases[i].base, cases[i].path, cases[i].hash, &b, &e), 0);
		assert_string_equal(buf_str(&b, &e), cases[i].url);
		buf_fini(&b);
	}
}

static void a_url_meets_the_buffers_limit(void **state)
{
	static const char url[] = "https://h/m/12.a%20.json";

	(void)state;
	for (size_t max = 0; max < sizeof(url) + 1; max++) {
		struct buf b = BUF_INIT(max);
		struct err e = { 0 };
		const int r = tuf_url_metadata("https://h/m", 12, "a ", &b, &e);

		assert_int_equal(r, max < strlen(url) ? -1 : 0);
		assert_int_equal(e.kind, max < strlen(url) ? ERR_FORMAT : ERR_NONE);
		buf_fini(&b);
	}
}

static void file_paths(void **state)
{
	static const struct {
		const char *name, *url, *path; /* path NULL: refused */
	} cases[] = {
		{ "plain", "file:///a/b.json", "/a/b.json" },
		{ "this host", "file://localhost/a", "/a" },
		{ "upper case", "FILE:///a", "/a" },
		{ "escape", "file:///a%20b%C3%A9", "/a b\xc3\xa9" },
		{ "escaped slash is part of the name", "file:///m/..%2Fx.json", "/m/..%2Fx.json" },
		{ "escaped percent", "file:///a%2520b", "/a%20b" },
		{ "dots are no business of ours", "file:///a/../b", "/a/../b" },
		{ "not ASCII as it is", "file:///\xc3\xa9", "/\xc3\xa9" },
		{ "another host", "file://example.org/a", NULL },
		{ "a host that only begins so", "file://localhostess/a", NULL },
		{ "relative", "file://a", NULL },
		{ "no path", "file://", NULL },
		{ "query", "file:///a?b", NULL },
		{ "fragment", "file:///a#b", NULL },
		{ "NUL", "file:///a%00b", NULL },
		{ "no digits", "file:///a%zz", NULL },
		{ "cut after the percent", "file:///a%", NULL },
		{ "cut after one digit", "file:///a%2", NULL },
		{ "another scheme", "http:///a", NULL },
		{ "empty", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1000);
		struct err e = { 0 };
		const int r = tuf_url_file_path(cases[i].url, &b, &e);

		print_message("case %s\n", cases[i].name);
		assert_int_equal(r, cases[i].path ? 0 : -1);
		if (r == 0) {
			assert_string_equal(buf_str(&b, &e), cases[i].path);
		} else {
			assert_int_equal(e.kind, ERR_USAGE);
			assert_string_equal(e.reason, "url");
		}
		buf_fini(&b);
	}
}

static void shown_urls_have_no_password(void **state)
{
	static const struct {
		const char *name, *url, *shown;
	} cases[] = {
		{ "none", "https://h/a", "https://h/a" },
		{ "user and password", "https://u:p@h:8/a", "https://h:8/a" },
		{ "user", "https://u@h/a", "https://h/a" },
		{ "an at sign in the password", "https://u:p@q@h/a", "https://h/a" },
		{ "an at sign in the path", "https://h/a@b", "https://h/a@b" },
		{ "an at sign in the query", "https://h?a@b", "https://h?a@b" },
		{ "no URL", "u:p@h", "u:p@h" },
		{ "empty", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char shown[TUF_URL_SHOWN_BYTES];

		print_message("case %s\n", cases[i].name);
		tuf_url_show(cases[i].url, shown);
		assert_string_equal(shown, cases[i].shown);
	}
}

static void long_urls_are_shown_in_part(void **state)
{
	char url[600], shown[TUF_URL_SHOWN_BYTES];

	(void)state;
	for (size_t n = 20; n < sizeof(url) - 1; n++) {
		memset(url, 'x', n);
		memcpy(url, "https://u:p@host/", 17);
		memcpy(url + n - 3, "end", 4);
		tuf_url_show(url, shown);
		assert_non_null(strstr(shown, "https://host/"));
		assert_string_equal(shown + strlen(shown) - 3, "end");
		assert_int_equal(strlen(shown), n - 4 < sizeof(shown) ? n - 4 : sizeof(shown) - 1);
	}
	/* A scheme as long as the whole. */
	memset(url, 'x', sizeof(url));
	memcpy(url + 300, "://h", 5);
	tuf_url_show(url, shown);
	assert_true(strlen(shown) < sizeof(shown));
}

static void base_urls(void **state)
{
	static const struct {
		const char *name, *base;
		int ret;
	} cases[] = {
		{ "https", "https://h/a/", 0 },
		{ "http", "http://h/a/", 0 },
		{ "file", "file:///a", 0 },
		{ "path", "/a", -1 },
		{ "ftp", "ftp://h/", -1 },
		{ "empty", "", -1 },
		{ "query", "https://h/a?b", -1 },
		{ "fragment", "https://h/a#b", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };

		print_message("case %s\n", cases[i].name);
		assert_int_equal(tuf_url_check_base(cases[i].base, "metadata URL", &e), cases[i].ret);
		assert_int_equal(e.kind, cases[i].ret ? ERR_USAGE : ERR_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_urls),
		cmocka_unit_test(target_urls),
		cmocka_unit_test(a_url_meets_the_buffers_limit),
		cmocka_unit_test(file_paths),
		cmocka_unit_test(shown_urls_have_no_password),
		cmocka_unit_test(long_urls_are_shown_in_part),
		cmocka_unit_test(base_urls),
	};

	return cmocka_run_group_tests_name("tuf/url", tests, NULL, NULL);
}
