#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "tuf/canon.h"
#include "tuf/tuf.h"

/* Expected forms are written by hand from the rules of OLPC's canonical JSON. */
static const struct {
	const char *name, *in, *want;
} good[] = {
	{ "empty object", "{}", "{}" },
	{ "empty array", "[]", "[]" },
	{ "white space goes", " { \"b\" : [ 1 , 2 ] ,\n\t\"a\" : { } } ", "{\"a\":{},\"b\":[1,2]}" },
	{ "literals", "[true, false, null]", "[true,false,null]" },
	{ "order of an array stays", "[3,1,2]", "[3,1,2]" },
	{ "integers", "[0, -0, 7, -7, 9223372036854775807, -9223372036854775808]",
	  "[0,0,7,-7,9223372036854775807,-9223372036854775808]" },
	{ "quote and backslash", "[\"a\\\"b\\\\c\"]", "[\"a\\\"b\\\\c\"]" },
	{ "slash is never escaped", "[\"a\\/b\"]", "[\"a/b\"]" },
	{ "control characters stay raw", "[\"\\n\\t\\r\\b\\f\\u0001\\u001f\\u007f\"]", "[\"\n\t\r\b\f\x01\x1f\x7f\"]" },
	{ "escapes become UTF-8", "[\"\\u00e9\\u2028\\ud83d\\ude00\"]", "[\"\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80\"]" },
	{ "no normalising", "[\"e\\u0301\", \"\\u00e9\"]", "[\"e\xcc\x81\",\"\xc3\xa9\"]" },
	{ "shorter name first", "{\"a b\":1, \"a!\":2, \"a\":3, \"a\\\"\":4}", "{\"a\":3,\"a b\":1,\"a!\":2,\"a\\\"\":4}" },
	{ "capitals before small letters", "{\"b\":1,\"B\":2,\"a\":3,\"_\":4}", "{\"B\":2,\"_\":4,\"a\":3,\"b\":1}" },
	{ "names by code point, not UTF-16", "{\"\\ud83d\\ude00\":1, \"\\uff5e\":2}",
	  "{\"\xef\xbd\x9e\":2,\"\xf0\x9f\x98\x80\":1}" },
	{ "names are unescaped before sorting", "{\"\\u0062\":1, \"a\":2}", "{\"a\":2,\"b\":1}" },
	{ "control characters in names", "{\"b\\n\":1, \"a\":2, \"b\":3}", "{\"a\":2,\"b\":3,\"b\n\":1}" },
	{ "numbers in names sort as text", "{\"10\":1,\"9\":2}", "{\"10\":1,\"9\":2}" },
	{ "the empty name", "{\"a\":1,\"\":2}", "{\"\":2,\"a\":1}" },
	{ "nested", "{\"z\":{\"b\":[{\"d\":1,\"c\":2}],\"a\":1}}", "{\"z\":{\"a\":1,\"b\":[{\"c\":2,\"d\":1}]}}" },
};

static void test_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct buf out = BUF_INIT(4096);
		json_t *j = NULL;
		struct err e;

		if (json_load_bytes(bytes_of_str(good[i].in), &j, &e) < 0 || tuf_canon(j, &out, &e) < 0)
			fail_msg("%s: %s", good[i].name, e.msg);
		if (!bytes_equal(buf_bytes(&out), bytes_of_str(good[i].want)))
			fail_msg("%s: %.*s", good[i].name, (int)out.n, (const char *)out.p);
		json_decref(j);
		buf_fini(&out);
	}
}

/* What another implementation, securesystemslib, makes of the same texts (test-fixtures/golden/make_golden.py). */
static void one_vector(const char *text, const char *want)
{
	struct buf out = BUF_INIT(65536);
	json_t *j = NULL;
	struct err e;
	char *hex;

	if (json_load_bytes(bytes_of_str(text), &j, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	const int r = tuf_canon(j, &out, &e);

	if ((r == 0) != (want != NULL))
		fail_msg("%s: %s", text, r < 0 ? e.msg : "should be refused");
	if (want) {
		hex = malloc(2 * out.n + 1);
		assert_non_null(hex);
		hex_encode(out.p, out.n, hex);
		if (strcmp(hex, want) != 0)
			fail_msg("%s: %s, not %s", text, hex, want);
		free(hex);
	}
	json_decref(j);
	buf_fini(&out);
}

static void test_golden(void **state)
{
	const char *path = getenv("GOLDEN");
	json_t *all = json_load_file(path ? path : "test-fixtures/golden/canonical.json", 0, NULL);

	assert_true(json_array_size(all) > 100);
	for (size_t i = 0; i < json_array_size(all); i++) {
		const json_t *v = json_array_get(all, i);

		one_vector(json_string_value(json_object_get(v, "text")), json_string_value(json_object_get(v, "canonical")));
	}
	json_decref(all);
}

/* No text becomes longer: what the envelope's buffer is sized by. */
static void test_never_longer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (strlen(good[i].want) > strlen(good[i].in))
			fail_msg("%s", good[i].name);
}

static void test_reals(void **state)
{
	static const char *const in[] = { "[1.0]", "[1e2]", "{\"a\":{\"b\":-0.5}}", "[1E400]" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		struct buf out = BUF_INIT(4096);
		json_t *j = NULL;
		struct err e;

		/* The last one is refused by the loader already. */
		if (json_load_bytes(bytes_of_str(in[i]), &j, &e) == 0 && tuf_canon(j, &out, &e) == 0)
			fail_msg("%s was accepted", in[i]);
		assert_int_equal(e.kind, ERR_FORMAT);
		json_decref(j);
		buf_fini(&out);
	}
}

static json_t *nested(size_t levels)
{
	json_t *j = json_array();

	while (--levels > 0)
		j = json_pack("[o]", j);
	return j;
}

static void test_depth(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct err e;
	json_t *at = nested(JSON_DEPTH_MAX), *above = nested(JSON_DEPTH_MAX + 1);

	(void)state;
	assert_int_equal(tuf_canon(at, &out, &e), 0);
	assert_int_equal(out.n, 2 * JSON_DEPTH_MAX);
	assert_int_equal(tuf_canon(above, &out, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	assert_string_equal(e.reason, TUF_E_LIMIT);
	/* A value in the innermost array is no level more. */
	json_t *inner = at;

	while (json_array_size(inner))
		inner = json_array_get(inner, 0);
	json_array_append_new(inner, json_true());
	buf_fini(&out);
	assert_int_equal(tuf_canon(at, &out, &e), 0);
	assert_int_equal(out.n, 2 * JSON_DEPTH_MAX + strlen("true"));
	json_decref(at);
	json_decref(above);
	buf_fini(&out);
}

static void test_buffer_limit(void **state)
{
	json_t *j = json_string("12345678");
	struct buf at = BUF_INIT(10), below = BUF_INIT(9);
	struct err e;

	(void)state;
	assert_int_equal(tuf_canon(j, &at, &e), 0);
	assert_int_equal(tuf_canon(j, &below, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	json_decref(j);
	buf_fini(&at);
	buf_fini(&below);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),  cmocka_unit_test(test_golden), cmocka_unit_test(test_never_longer),
		cmocka_unit_test(test_reals),
		cmocka_unit_test(test_depth), cmocka_unit_test(test_buffer_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
