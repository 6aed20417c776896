#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"

#define TEXT(s) bytes_of((s), sizeof(s) - 1)

static json_t *load(const char *text)
{
	json_t *j = NULL;
	struct err e = { 0 };

	if (json_load_bytes(bytes_of_str(text), &j, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
	return j;
}

static void test_load(void **state)
{
	const struct {
		const char *name;
		struct bytes in;
		bool ok;
		const char *reason;
	} cases[] = {
		{ "object", TEXT("{}"), true, NULL },
		{ "array", TEXT(" [] \n"), true, NULL },
		{ "no NUL behind", { (const uint8_t *)"[1]garbage", 3 }, true, NULL },
		{ "int64 max", TEXT("[9223372036854775807]"), true, NULL },
		{ "int64 min", TEXT("[-9223372036854775808]"), true, NULL },
		{ "same name in two objects", TEXT("[{\"a\":1},{\"a\":1}]"), true, NULL },
		{ "brackets in strings", TEXT("[\"[[[[[[\\\"{{{{\"]"), true, NULL },
		{ "empty", TEXT(""), false, "json" },
		{ "blank", TEXT(" \n"), false, "json" },
		{ "text behind", TEXT("{} x"), false, "json" },
		{ "second value", TEXT("{}{}"), false, "json" },
		{ "NUL behind", TEXT("{}\0"), false, "json" },
		{ "string on top", TEXT("\"a\""), false, "json" },
		{ "duplicate", TEXT("{\"a\":1,\"a\":1}"), false, "json" },
		{ "duplicate by escape", TEXT("{\"a\":1,\"\\u0061\":1}"), false, "json" },
		{ "duplicate below", TEXT("{\"x\":[{\"a\":1,\"b\":2,\"a\":3}]}"), false, "json" },
		{ "escaped NUL", TEXT("[\"a\\u0000b\"]"), false, "json" },
		{ "escaped NUL in a name", TEXT("{\"a\\u0000b\":1}"), false, "json" },
		{ "raw NUL", TEXT("[\"a\0b\"]"), false, "json" },
		{ "raw line feed", TEXT("[\"a\nb\"]"), false, "json" },
		{ "bad UTF-8", TEXT("[\"\xc3\x28\"]"), false, "json" },
		{ "overlong", TEXT("[\"\xc0\x80\"]"), false, "json" },
		{ "surrogate in UTF-8", TEXT("[\"\xed\xa0\x80\"]"), false, "json" },
		{ "lone surrogate", TEXT("[\"\\ud800\"]"), false, "json" },
		{ "byte order mark", TEXT("\xef\xbb\xbf{}"), false, "json" },
		{ "beyond int64", TEXT("[9223372036854775808]"), false, "json" },
		{ "below int64", TEXT("[-9223372036854775809]"), false, "json" },
		{ "beyond double", TEXT("[1e999]"), false, "json" },
		{ "leading zero", TEXT("[01]"), false, "json" },
		{ "plus", TEXT("[+1]"), false, "json" },
		{ "NaN", TEXT("[NaN]"), false, "json" },
		{ "comma at the end", TEXT("[1,]"), false, "json" },
		{ "comment", TEXT("[1] // x"), false, "json" },
		{ "single quotes", TEXT("{'a':1}"), false, "json" },
		{ "crossed brackets", TEXT("[{]}"), false, "json" },
		{ "only closing", TEXT("]]]]"), false, "json" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(json_decref_p) json_t *j = NULL;
		struct err e = { 0 };
		const int r = json_load_bytes(cases[i].in, &j, &e);

		assert_case(cases[i].name, r == (cases[i].ok ? 0 : -1) && (j != NULL) == cases[i].ok);
		if (!cases[i].ok)
			assert_case(cases[i].name, e.kind == ERR_FORMAT && strcmp(e.reason, cases[i].reason) == 0);
	}
}

/* @n levels: objects in arrays in turns, in blocks of memory without a byte to spare. */
static int load_nested(size_t n, bool closed, struct err *e)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 24);
	CLEANUP(json_decref_p) json_t *j = NULL;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_append_str(&b, i % 2 ? "{\"a\":" : "[", e), 0);
	assert_int_equal(buf_append_str(&b, "1", e), 0);
	for (size_t i = n; closed && i-- > 0;)
		assert_int_equal(buf_append_str(&b, i % 2 ? "}" : "]", e), 0);
	return json_load_bytes(buf_bytes(&b), &j, e);
}

static void test_depth(void **state)
{
	static const struct {
		const char *name;
		size_t n;
		bool closed;
		const char *reason;
	} cases[] = {
		{ "one below", JSON_DEPTH_MAX - 1, true, NULL }, { "at", JSON_DEPTH_MAX, true, NULL },
		{ "one above", JSON_DEPTH_MAX + 1, true, "limit" }, { "at, open", JSON_DEPTH_MAX, false, "json" },
		{ "a million", 1000000, true, "limit" },	 { "a million, open", 1000000, false, "limit" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		const int r = load_nested(cases[i].n, cases[i].closed, &e);

		assert_case(cases[i].name, r == (cases[i].reason ? -1 : 0));
		assert_case(cases[i].name, r == 0 || (e.kind == ERR_FORMAT && strcmp(e.reason, cases[i].reason) == 0));
	}
}

/* Brackets in a string are text, also behind an escaped quotation mark; those behind its end are not. */
static void test_brackets_in_strings(void **state)
{
	static const struct {
		const char *before, *behind;
		bool ok;
	} cases[] = {
		{ "[\"", "\"]", true },
		{ "[\"\\\"", "\"]", true },
		{ "[\"\\\\\\\"", "\"]", true },
		{ "[\"\\\\\",", "1", false },
		{ "[\"\",", "1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
		CLEANUP(json_decref_p) json_t *j = NULL;
		struct err e = { 0 };

		assert_int_equal(buf_append_str(&b, cases[i].before, &e), 0);
		for (int n = 0; n < JSON_DEPTH_MAX; n++)
			assert_int_equal(buf_append_str(&b, "[", &e), 0);
		assert_int_equal(buf_append_str(&b, cases[i].behind, &e), 0);
		assert_case(cases[i].before, json_load_bytes(buf_bytes(&b), &j, &e) == (cases[i].ok ? 0 : -1));
		assert_case(cases[i].before, cases[i].ok || strcmp(e.reason, "limit") == 0);
	}
}

/* Side by side they do not add up. */
static void test_width_is_not_depth(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1 << 20);
	CLEANUP(json_decref_p) json_t *j = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(buf_append_str(&b, "[0", &e), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(buf_append_str(&b, ",[{}]", &e), 0);
	assert_int_equal(buf_append_str(&b, "]", &e), 0);
	assert_int_equal(json_load_bytes(buf_bytes(&b), &j, &e), 0);
	assert_int_equal(json_array_size(j), 1001);
}

static void test_messages_have_a_place(void **state)
{
	struct err e = { 0 };
	json_t *j = NULL;

	(void)state;
	assert_int_equal(json_load_bytes(TEXT("{\n  \"a\": x\n}"), &j, &e), -1);
	assert_non_null(strstr(e.msg, "line 2, column "));
	assert_int_equal(json_load_bytes(TEXT("[\n\"[\",\n [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
					      "[[[[["),
					 &j, &e),
			 -1);
	assert_string_equal(e.reason, "limit");
	assert_non_null(strstr(e.msg, "line 3, column 65:"));
	assert_null(j);
}

static void test_u64(void **state)
{
	static const struct {
		const char *in;
		uint64_t min, max;
		const char *reason; /* NULL: good */
		uint64_t value;
	} cases[] = {
		{ "{\"v\":0}", 1, 10, "range", 0 },
		{ "{\"v\":1}", 1, 10, NULL, 1 },
		{ "{\"v\":10}", 1, 10, NULL, 10 },
		{ "{\"v\":11}", 1, 10, "range", 0 },
		{ "{\"v\":-1}", 0, UINT64_MAX, "range", 0 },
		{ "{\"v\":-9223372036854775808}", 0, UINT64_MAX, "range", 0 },
		{ "{\"v\":9223372036854775807}", 0, UINT64_MAX, NULL, INT64_MAX },
		{ "{\"v\":9223372036854775807}", 0, INT64_MAX, NULL, INT64_MAX },
		{ "{\"v\":-0}", 0, 0, NULL, 0 },
		{ "{\"v\":1.0}", 0, 10, "type", 0 },
		{ "{\"v\":1e0}", 0, 10, "type", 0 },
		{ "{\"v\":true}", 0, 10, "type", 0 },
		{ "{\"v\":\"1\"}", 0, 10, "type", 0 },
		{ "{\"v\":null}", 0, 10, "type", 0 },
		{ "{\"v\":[1]}", 0, 10, "type", 0 },
		{ "{\"V\":1}", 0, 10, "missing", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(json_decref_p) json_t *j = load(cases[i].in);
		const bool ok = !cases[i].reason, absent = !ok && strcmp(cases[i].reason, "missing") == 0;
		struct err e = { 0 };
		struct json_in in = json_in_object(j, "t", &e);
		uint64_t v = 4711;

		json_get_u64(&in, "v", cases[i].min, cases[i].max, &v);
		assert_case(cases[i].in, json_in_end(&in) == (ok ? 0 : -1) && v == (ok ? cases[i].value : 4711));
		assert_case(cases[i].in, ok || (e.kind == ERR_FORMAT && strcmp(e.reason, cases[i].reason) == 0));
		assert_case(cases[i].in, ok || strncmp(e.msg, "t.v: ", 5) == 0);

		in = json_in_object(j, "t", &e);
		v = 4711;
		json_opt_u64(&in, "v", cases[i].min, cases[i].max, &v);
		assert_case(cases[i].in, json_in_end(&in) == (ok || absent ? 0 : -1) && v == (ok ? cases[i].value : 4711));
	}
}

static void test_range_message(void **state)
{
	CLEANUP(json_decref_p) json_t *j = load("{\"version\":0}");
	struct err e = { 0 };
	struct json_in in = json_in_object(j, "", &e);
	uint64_t v;

	(void)state;
	json_get_u64(&in, "version", 1, INT64_MAX, &v);
	assert_int_equal(json_in_end(&in), -1);
	assert_string_equal(e.msg, "version: 0 is not in 1..9223372036854775807");
}

static void test_bool(void **state)
{
	CLEANUP(json_decref_p) json_t *j = load("{\"t\":true,\"f\":false,\"one\":1,\"s\":\"true\",\"null\":null}");
	static const char *const bad[] = { "one", "s", "null", "none" };
	struct err e = { 0 };
	struct json_in in = json_in_object(j, "o", &e);
	bool t = false, f = true, kept = true;

	(void)state;
	json_get_bool(&in, "t", &t);
	json_opt_bool(&in, "f", &f);
	json_opt_bool(&in, "none", &kept);
	assert_int_equal(json_in_end(&in), 0);
	assert_true(t && !f && kept);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		in = json_in_object(j, "o", &e);
		json_get_bool(&in, bad[i], &kept);
		assert_case(bad[i], json_in_end(&in) == -1 && kept);
	}
}

static void test_str(void **state)
{
	/* A NUL comes through no load, but documents are also made by hand. */
	CLEANUP(json_decref_p) json_t *j = json_pack("{s:s, s:s, s:i, s:n, s:s%}", "five", "12345", "empty", "", "int", 5, "null",
						     "nul", "a\0b", (size_t)3);
	static const struct {
		const char *name;
		size_t max;
		const char *reason, *value;
	} cases[] = {
		{ "five", 4, "limit", NULL },	 { "five", 5, NULL, "12345" },	 { "five", 6, NULL, "12345" },
		{ "five", SIZE_MAX, NULL, "12345" }, { "empty", 0, NULL, "" },	 { "five", 0, "limit", NULL },
		{ "int", 10, "type", NULL },	 { "null", 10, "type", NULL },	 { "nul", 10, "nul", NULL },
		{ "none", 10, "missing", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct json_in in = json_in_object(j, "o", &e);
		const char *v = "kept";

		json_get_str(&in, cases[i].name, cases[i].max, &v);
		assert_case(cases[i].name, json_in_end(&in) == (cases[i].reason ? -1 : 0));
		assert_string_equal(v, cases[i].reason ? "kept" : cases[i].value);
		assert_case(cases[i].name, !cases[i].reason || strcmp(e.reason, cases[i].reason) == 0);
		in = json_in_object(j, "o", &e);
		json_opt_str(&in, cases[i].name, cases[i].max, &v);
		assert_case(cases[i].name, json_in_end(&in) == (cases[i].reason && strcmp(cases[i].name, "none") != 0 ? -1 : 0));
	}
}

static void test_time_and_hex(void **state)
{
	CLEANUP(json_decref_p) json_t *j = load("{\"t\":\"2029-11-22T00:00:00Z\",\"bad\":\"2029-11-22\",\"h\":\"00fF\",\"i\":7}");
	struct err e = { 0 };
	struct json_in in = json_in_object(j, "o", &e);
	int64_t sec = 0;
	uint8_t h[3] = { 1, 1, 1 };

	(void)state;
	json_get_time(&in, "t", &sec);
	json_get_hex(&in, "h", h, 2);
	assert_int_equal(json_in_end(&in), 0);
	assert_true(sec == INT64_C(1890000000));
	assert_memory_equal(h, "\x00\xff\x01", 3);
	static const struct {
		const char *time, *hex;
		size_t hex_n;
	} bad[] = {
		{ "bad", NULL, 0 }, { "i", NULL, 0 },  { "none", NULL, 0 }, { NULL, "h", 1 },
		{ NULL, "h", 3 },   { NULL, "i", 1 },  { NULL, "bad", 5 },  { NULL, "none", 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		in = json_in_object(j, "o", &e);
		if (bad[i].time)
			json_get_time(&in, bad[i].time, &sec);
		else
			json_get_hex(&in, bad[i].hex, h, bad[i].hex_n);
		assert_case(bad[i].time ? bad[i].time : bad[i].hex, json_in_end(&in) == -1 && e.kind == ERR_FORMAT);
	}
	assert_true(sec == INT64_C(1890000000));
}

/* After the first failure nothing is read, and its message stays. */
static void test_first_failure_sticks(void **state)
{
	CLEANUP(json_decref_p) json_t *j = load("{\"a\":1,\"s\":\"x\",\"o\":{},\"l\":[1]}");
	struct err e = { 0 };
	struct json_in in = json_in_object(j, "doc", &e);
	const char *s = "kept";
	uint64_t a = 4711;
	bool b = true;

	(void)state;
	json_get_u64(&in, "first", 0, 9, &a);
	json_get_u64(&in, "a", 0, 9, &a);
	json_get_bool(&in, "second", &b);
	json_get_str(&in, "s", 9, &s);
	json_opt_str(&in, "s", 9, &s);
	const struct json_in o = json_get_object(&in, "o");
	const struct json_in p = json_opt_object(&in, "o");
	assert_int_equal(json_in_fail(&in, "x", "third"), -1);
	assert_int_equal(json_in_end(&in), -1);
	assert_int_equal(json_in_end(&o), -1);
	assert_int_equal(json_in_end(&p), -1);
	assert_string_equal(e.msg, "doc.first: missing");
	assert_true(a == 4711 && b);
	assert_string_equal(s, "kept");
}

static void test_objects(void **state)
{
	CLEANUP(json_decref_p) json_t *j = load("{\"o\":{\"p\":{\"v\":5}},\"a\":[],\"n\":null}");
	struct err e = { 0 };
	struct json_in in = json_in_object(j, "doc", &e);
	struct json_in o = json_get_object(&in, "o");
	struct json_in p = json_get_object(&o, "p");
	uint64_t v = 0;

	(void)state;
	struct json_in copy = p; /* a cursor is a value */
	memset(&p, 0xff, sizeof(p));
	json_get_u64(&copy, "v", 6, 9, &v);
	assert_int_equal(json_in_join(&o, &copy), -1);
	assert_int_equal(json_in_join(&in, &o), -1);
	assert_int_equal(json_in_end(&in), -1);
	assert_string_equal(e.msg, "doc.o.p.v: 5 is not in 6..9");

	in = json_in_object(j, "doc", &e);
	struct json_in none = json_opt_object(&in, "none");
	assert_null(none.obj);
	assert_int_equal(json_in_end(&none), 0);
	json_opt_u64(&none, "v", 0, 9, &v);
	assert_int_equal(json_in_join(&in, &none), 0);
	json_get_u64(&none, "v", 0, 9, &v); /* required of what is not there */
	assert_int_equal(json_in_join(&in, &none), -1);
	assert_string_equal(e.reason, "missing");

	static const char *const bad[] = { "a", "n", "none" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		in = json_in_object(j, "doc", &e);
		o = json_get_object(&in, bad[i]);
		assert_case(bad[i], json_in_end(&in) == -1 && json_in_end(&o) == -1 && !o.obj);
		in = json_in_object(j, "doc", &e);
		o = json_opt_object(&in, bad[i]);
		assert_case(bad[i], json_in_end(&in) == (strcmp(bad[i], "none") == 0 ? 0 : -1));
	}
	in = json_in_object(j, "doc", &e);
	assert_true(json_has(&in, "n") && json_has(&in, "o") && !json_has(&in, "none"));
}

static void test_wrong_top(void **state)
{
	CLEANUP(json_decref_p) json_t *array = load("[1]");
	struct err e = { 0 };
	struct json_in in = json_in_object(array, "doc", &e);
	uint64_t v = 4711;

	(void)state;
	assert_int_equal(json_in_end(&in), -1);
	assert_string_equal(e.reason, "type");
	assert_false(json_has(&in, "v"));
	json_get_u64(&in, "v", 0, 9, &v);
	assert_true(v == 4711);
	in = json_in_object(NULL, "doc", &e);
	assert_int_equal(json_in_end(&in), -1);
	in = json_in_object(NULL, "", &e);
	assert_string_equal(e.msg, "the document: missing, not an object");
}

struct seen {
	char text[512];
	size_t fail_at, n;
};

static int see(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct seen *seen = ctx;
	const size_t used = strlen(seen->text);

	if (++seen->n == seen->fail_at)
		return err_set(e, ERR_TRUST, "mine", "%s: no", path);
	snprintf(seen->text + used, sizeof(seen->text) - used, "%s|%s|%d ", name ? name : "-", path,
		 (int)json_integer_value(value));
	return 0;
}

static void test_each(void **state)
{
	CLEANUP(json_decref_p) json_t *j = load("{\"o\":{\"z\":1,\"a\":2,\"m\":3},\"l\":[7,8],\"e\":[],\"i\":1}");
	static const struct {
		const char *name;
		size_t max, fail_at;
		const char *seen, *reason;
	} cases[] = {
		{ "o", 3, 0, "z|d.o.z|1 a|d.o.a|2 m|d.o.m|3 ", NULL },
		{ "l", 2, 0, "-|d.l[0]|7 -|d.l[1]|8 ", NULL },
		{ "l", 3, 0, "-|d.l[0]|7 -|d.l[1]|8 ", NULL },
		{ "e", 0, 0, "", NULL },
		{ "o", 2, 0, "", "limit" },
		{ "l", 1, 0, "", "limit" },
		{ "l", 2, 2, "-|d.l[0]|7 ", "mine" },
		{ "o", 3, 1, "", "mine" },
		{ "i", 9, 0, "", "type" },
		{ "none", 9, 0, "", "missing" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct seen seen = { .fail_at = cases[i].fail_at }, opt_seen = seen;
		struct err e = { 0 };
		struct json_in in = json_in_object(j, "d", &e);

		json_get_each(&in, cases[i].name, cases[i].max, see, &seen);
		assert_case(cases[i].name, json_in_end(&in) == (cases[i].reason ? -1 : 0));
		assert_string_equal(seen.text, cases[i].seen);
		assert_case(cases[i].name, !cases[i].reason || strcmp(e.reason, cases[i].reason) == 0);
		const bool absent = !json_has(&in, cases[i].name);
		in = json_in_object(j, "d", &e);
		json_opt_each(&in, cases[i].name, cases[i].max, see, &opt_seen);
		assert_case(cases[i].name, json_in_end(&in) == (cases[i].reason && !absent ? -1 : 0));
		assert_string_equal(opt_seen.text, cases[i].seen);
	}
}

/* Long paths lose their front; the member's own name is what counts, and no character is torn. */
static void test_long_paths(void **state)
{
	(void)state;
	for (size_t n = 1; n < 2 * JSON_PATH_BYTES; n++) {
		CLEANUP(json_decref_p) json_t *j = json_object();
		char name[4 * JSON_PATH_BYTES + 1] = "";
		struct err e = { 0 };
		struct json_in in = json_in_object(j, "top", &e);
		uint64_t v;

		for (size_t i = 0; i < n; i++)
			memcpy(name + 2 * i, "\xc3\xa9", 3);
		json_object_set_new(j, name, json_object());
		struct json_in below = json_get_object(&in, name);
		json_get_u64(&below, "version", 0, 9, &v);
		assert_int_equal(json_in_join(&in, &below), -1);
		assert_non_null(strstr(e.msg, "\xa9.version: missing"));
		assert_true(strlen(below.path) < JSON_PATH_BYTES);
		if (strlen("top.") + 2 * n < JSON_PATH_BYTES)
			assert_int_equal(strncmp(below.path, "top.\xc3\xa9", 6), 0);
		else
			assert_int_equal(strncmp(below.path, "...\xc3\xa9", 5), 0);
		CLEANUP(json_decref_p) json_t *text = json_string(below.path); /* jansson checks UTF-8 */
		assert_non_null(text);
	}
}

static void test_output(void **state)
{
	CLEANUP(json_decref_p) json_t *j = load("{\"z\":1,\"a\":[true,null,\"\\u00e9\"],\"m\":{}}");
	static const char want[] = "{\n  \"z\": 1,\n  \"a\": [\n    true,\n    null,\n    \"\xc3\xa9\"\n  ],\n  \"m\": {}\n}\n";
	CLEANUP(buf_fini) struct buf b = BUF_INIT(sizeof(want) - 1);
	struct err e = { 0 };
	char text[256] = "";

	(void)state;
	assert_int_equal(json_to_buf(j, &b, &e), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(want)));
	assert_int_equal(json_to_buf(j, &b, &e), -1);
	assert_string_equal(e.reason, "limit");
	assert_int_equal(b.n, sizeof(want) - 1);
	b.n = 0;
	b.max--;
	assert_int_equal(json_to_buf(j, &b, &e), -1); /* only the line feed is too much */
	assert_int_equal(b.n, 0);

	FILE *f = fmemopen(text, sizeof(text), "w");
	assert_non_null(f);
	assert_int_equal(json_print(j, f, &e), 0);
	fclose(f);
	assert_string_equal(text, want);
	f = fopen("/dev/full", "w");
	assert_non_null(f);
	assert_int_equal(json_print(j, f, &e), -1);
	assert_int_equal(e.sys, ENOSPC);
	fclose(f);
}

static void test_of_err(void **state)
{
	static const struct {
		const char *name, *msg, *want;
	} cases[] = {
		{ "plain", "root 5: 1 of 2", "root 5: 1 of 2" },
		{ "UTF-8", "caf\xc3\xa9", "caf\xc3\xa9" },
		{ "cut in a character", "caf\xc3", "caf?" },
		{ "any bytes", "\xff\xfe", "??" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *kind = "", *reason = "", *message = "";
		struct err e;

		err_set(&e, ERR_TRUST, "threshold", "%s", cases[i].msg);
		CLEANUP(json_decref_p) json_t *j = json_of_err(&e);
		assert_case(cases[i].name, json_unpack(j, "{s:{s:s,s:s,s:s}}", "error", "kind", &kind, "reason", &reason,
						       "message", &message) == 0);
		assert_string_equal(kind, "trust");
		assert_string_equal(reason, "threshold");
		assert_string_equal(message, cases[i].want);
	}
	struct err e;
	err_set(&e, ERR_USAGE, NULL, "x");
	CLEANUP(json_decref_p) json_t *j = json_of_err(&e);
	assert_true(json_is_null(json_object_get(json_object_get(j, "error"), "reason")));
}

static const char good[] = "{\"signed\":{\"_type\":\"root\",\"version\":12,\"keys\":[\"a\\u00e9\",{\"n\":-1.5e3}],\"x\":true}}";

static void test_truncations_and_changes(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		json_t *j = NULL;
		struct err e = { 0 };

		assert_int_equal(json_load_bytes(bytes_of(good, n), &j, &e), -1);
		assert_int_equal(e.kind, ERR_FORMAT);
	}
	for (size_t at = 0; at < sizeof(good) - 1; at++)
		for (int c = 0; c < 256; c++) {
			CLEANUP(json_decref_p) json_t *j = NULL;
			struct err e = { 0 };
			char text[sizeof(good)];

			memcpy(text, good, sizeof(good));
			text[at] = (char)c;
			if (json_load_bytes(bytes_of(text, sizeof(good) - 1), &j, &e) < 0)
				assert_true(e.kind == ERR_FORMAT && e.msg[0] && !j);
			else
				assert_true(json_is_object(j) || json_is_array(j));
		}
}

static size_t allocations, fail_allocation;

static void *failing_malloc(size_t n)
{
	if (++allocations == fail_allocation) {
		errno = ENOMEM;
		return NULL;
	}
	return malloc(n);
}

/* jansson's own memory runs out at each allocation in turn: told as that, never as malformed. */
static void test_memory_runs_out(void **state)
{
	(void)state;
	json_set_alloc_funcs(failing_malloc, free);
	for (fail_allocation = 1;; fail_allocation++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
		json_t *j = NULL;
		struct err e = { 0 };

		allocations = 0;
		int r = json_load_bytes(bytes_of(good, sizeof(good) - 1), &j, &e);
		if (r == 0)
			r = json_to_buf(j, &b, &e);
		json_decref(j);
		if (allocations < fail_allocation) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -1);
		assert_int_equal(e.kind, ERR_SYSTEM);
		assert_string_equal(e.reason, "memory");
		assert_int_equal(b.n, 0);
	}
	json_set_alloc_funcs(malloc, free);
	assert_true(fail_allocation > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_brackets_in_strings),
		cmocka_unit_test(test_width_is_not_depth),
		cmocka_unit_test(test_messages_have_a_place),
		cmocka_unit_test(test_u64),
		cmocka_unit_test(test_range_message),
		cmocka_unit_test(test_bool),
		cmocka_unit_test(test_str),
		cmocka_unit_test(test_time_and_hex),
		cmocka_unit_test(test_first_failure_sticks),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_wrong_top),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_of_err),
		cmocka_unit_test(test_truncations_and_changes),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
