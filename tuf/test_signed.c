#include "test-fixtures/harness/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/tufrepo.h"
#include "tuf/signed.h"
#include "tuf/tuf.h"

static void expect(const char *name, int r, const struct err *e, enum err_kind kind, const char *reason)
{
	if (kind == ERR_NONE && r != 0)
		fail_msg("%s: %s", name, e->msg);
	if (kind != ERR_NONE && (r != -1 || e->kind != kind || !e->reason || strcmp(e->reason, reason) != 0))
		fail_msg("%s: returned %d, %s", name, r, e->msg);
}

#define BODY "{\"_type\":\"targets\",\"spec_version\":\"1.0.34\"}"
#define SIG(id, sig) "{\"keyid\":\"" id "\",\"sig\":\"" sig "\"}"

static void test_envelope(void **state)
{
	static const struct {
		const char *name, *text;
		enum err_kind kind;
		const char *reason;
	} cases[] = {
		{ "plain", "{\"signed\":" BODY ",\"signatures\":[]}", ERR_NONE, NULL },
		{ "more members",
		  "{\"x\":1,\"signed\":" BODY ",\"signatures\":[{\"keyid\":\"a\",\"sig\":\"\",\"x\":1}]}", ERR_NONE,
		  NULL },
		{ "two signatures", "{\"signed\":" BODY ",\"signatures\":[" SIG("a", "00") "," SIG("b", "00") "]}",
		  ERR_NONE, NULL },
		{ "signature not hex", "{\"signed\":" BODY ",\"signatures\":[" SIG("a", "x") "]}", ERR_NONE, NULL },
		{ "signature of odd length", "{\"signed\":" BODY ",\"signatures\":[" SIG("a", "123") "]}", ERR_NONE,
		  NULL },
		{ "key id not hex", "{\"signed\":" BODY ",\"signatures\":[" SIG("some one", "00") "]}", ERR_NONE,
		  NULL },
		{ "key id twice",
		  "{\"signed\":" BODY ",\"signatures\":[" SIG("a", "00") "," SIG("b", "") "," SIG("a", "") "]}",
		  ERR_TRUST, TUF_E_DUPLICATE_SIG },
		{ "no signatures", "{\"signed\":" BODY "}", ERR_FORMAT, TUF_E_METADATA },
		{ "no signed", "{\"signatures\":[]}", ERR_FORMAT, TUF_E_METADATA },
		{ "signed is no object", "{\"signed\":[],\"signatures\":[]}", ERR_FORMAT, TUF_E_METADATA },
		{ "signatures is an object", "{\"signed\":" BODY ",\"signatures\":{\"a\":" SIG("a", "") "}}",
		  ERR_FORMAT, TUF_E_METADATA },
		{ "signatures is a string", "{\"signed\":" BODY ",\"signatures\":\"\"}", ERR_FORMAT, TUF_E_METADATA },
		{ "signature without key id", "{\"signed\":" BODY ",\"signatures\":[{\"sig\":\"\"}]}", ERR_FORMAT,
		  TUF_E_METADATA },
		{ "signature without sig", "{\"signed\":" BODY ",\"signatures\":[{\"keyid\":\"\"}]}", ERR_FORMAT,
		  TUF_E_METADATA },
		{ "sig is no string", "{\"signed\":" BODY ",\"signatures\":[{\"keyid\":\"\",\"sig\":1}]}", ERR_FORMAT,
		  TUF_E_METADATA },
		{ "an array", "[]", ERR_FORMAT, TUF_E_METADATA },
		{ "nothing", "", ERR_FORMAT, TUF_E_METADATA },
		{ "text behind it", "{\"signed\":" BODY ",\"signatures\":[]}x", ERR_FORMAT, TUF_E_METADATA },
		{ "byte order mark", "\xef\xbb\xbf{\"signed\":" BODY ",\"signatures\":[]}", ERR_FORMAT,
		  TUF_E_METADATA },
		{ "duplicate member", "{\"signed\":{\"a\":1,\"a\":2},\"signatures\":[]}", ERR_FORMAT, TUF_E_METADATA },
		{ "a NUL", "{\"signed\":{\"_type\":\"targets\\u0000\"},\"signatures\":[]}", ERR_FORMAT,
		  TUF_E_METADATA },
		{ "a real", "{\"signed\":{\"_type\":\"targets\",\"spec_version\":\"1.0\",\"x\":1.0},\"signatures\":[]}",
		  ERR_FORMAT, TUF_E_METADATA },
		{ "too large an integer",
		  "{\"signed\":{\"_type\":\"targets\",\"spec_version\":\"1.0\",\"x\":9223372036854775808},"
		  "\"signatures\":[]}",
		  ERR_FORMAT, TUF_E_METADATA },
		{ "a lone surrogate", "{\"signed\":{\"x\":\"\\ud800\"},\"signatures\":[]}", ERR_FORMAT,
		  TUF_E_METADATA },
		{ "another type", "{\"signed\":{\"_type\":\"root\",\"spec_version\":\"1.0\"},\"signatures\":[]}",
		  ERR_TRUST, TUF_E_TYPE },
		{ "no type", "{\"signed\":{\"spec_version\":\"1.0\"},\"signatures\":[]}", ERR_FORMAT, TUF_E_METADATA },
		{ "type in capitals", "{\"signed\":{\"_type\":\"Targets\",\"spec_version\":\"1.0\"},\"signatures\":[]}",
		  ERR_TRUST, TUF_E_TYPE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tuf_signed *s = NULL;
		struct err e = { 0 };
		const int r = tuf_signed_load(bytes_of_str(cases[i].text), TUF_TARGETS, "x.json", &s, &e);

		expect(cases[i].name, r, &e, cases[i].kind, cases[i].reason);
		if (r < 0)
			assert_case(cases[i].name, strncmp(e.msg, "x.json: ", 8) == 0);
		tuf_signed_free(s);
	}
}

static void test_spec_version(void **state)
{
	static const struct {
		const char *v;
		bool ok;
	} cases[] = {
		{ "1.0", true },   { "1.0.0", true }, { "1.0.34", true }, { "1.99.0", true },  { "1.0.0.0", false },
		{ "1", false },	   { "1.", false },   { "1..0", false },  { "1.0.", false },   { "2.0.0", false },
		{ "0.9", false },  { "10.0", false }, { "", false },	  { "1.0-rc", false }, { "1.a", false },
		{ " 1.0", false }, { "1.0 ", false }, { "v1.0", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tuf_signed *s = NULL;
		struct err e = { 0 };
		char text[256];

		snprintf(text, sizeof(text),
			 "{\"signed\":{\"_type\":\"root\",\"spec_version\":\"%s\"},\"signatures\":[]}", cases[i].v);
		expect(cases[i].v, tuf_signed_load(bytes_of_str(text), TUF_ROOT, "x.json", &s, &e), &e,
		       cases[i].ok ? ERR_NONE : ERR_FORMAT, TUF_E_METADATA);
		tuf_signed_free(s);
	}
}

/* A file of @n bytes, blanks in front. */
static int load_padded(enum tuf_type type, size_t n, struct err *e)
{
	char text[128], *padded = malloc(n);
	struct tuf_signed *s = NULL;
	const int len = snprintf(text, sizeof(text),
				 "{\"signed\":{\"_type\":\"%s\",\"spec_version\":\"1.0\"},\"signatures\":[]}",
				 tuf_type_name(type));

	assert_non_null(padded);
	memset(padded, ' ', n);
	memcpy(padded + n - len, text, (size_t)len);
	const int r = tuf_signed_load(bytes_of(padded, n), type, "x.json", &s, e);
	tuf_signed_free(s);
	free(padded);
	return r;
}

static void test_largest_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < TUF_TYPES; i++) {
		const enum tuf_type type = (enum tuf_type)i;
		const size_t max = tuf_type_max_bytes(type);
		struct err e = { 0 };

		expect(tuf_type_name(type), load_padded(type, max - 1, &e), &e, ERR_NONE, NULL);
		expect(tuf_type_name(type), load_padded(type, max, &e), &e, ERR_NONE, NULL);
		expect(tuf_type_name(type), load_padded(type, max + 1, &e), &e, ERR_FORMAT, TUF_E_LIMIT);
	}
}

/* A document with this many objects and arrays and this many commas; three and one are the envelope's own, three
 * commas the body's. */
static int load_dense(enum tuf_type type, size_t n_parts, size_t n_commas, struct err *e)
{
	struct buf b = BUF_INIT(SIZE_MAX);
	struct tuf_signed *s = NULL;

	assert_int_equal(buf_printf(&b, e, "{\"signatures\":[],\"signed\":{\"_type\":\"%s\",\"spec_version\":\"1.0.0\",\"s\":\"[{,,\\\",[\",\"a\":[0",
				    tuf_type_name(type)), 0);
	n_parts -= 4;
	n_commas -= 4;
	for (; n_parts > 0 || n_commas > 0; n_parts -= n_parts > 0, n_commas--) {
		assert_true(n_commas > 0);
		assert_int_equal(buf_append_str(&b, n_parts > 0 ? ",[]" : ",0", e), 0);
	}
	assert_int_equal(buf_append_str(&b, "]}}", e), 0);
	const int r = tuf_signed_load(buf_bytes(&b), type, "x.json", &s, e);
	tuf_signed_free(s);
	buf_fini(&b);
	return r;
}

static void test_densest_files(void **state)
{
	static const enum tuf_type types[] = { TUF_ROOT, TUF_SNAPSHOT };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		const char *name = tuf_type_name(types[i]);
		const size_t max = tuf_type_max_parts(types[i]), commas = TUF_COMMAS_PER_PART * max;
		struct err e = { 0 };

		expect(name, load_dense(types[i], max - 1, max + 9, &e), &e, ERR_NONE, NULL);
		expect(name, load_dense(types[i], max, max + 9, &e), &e, ERR_NONE, NULL);
		expect(name, load_dense(types[i], max + 1, max + 9, &e), &e, ERR_FORMAT, TUF_E_LIMIT);
		if (2 * commas > tuf_type_max_bytes(types[i]))
			continue; /* that many do not fit in its bytes */
		expect(name, load_dense(types[i], 4, commas - 1, &e), &e, ERR_NONE, NULL);
		expect(name, load_dense(types[i], 4, commas, &e), &e, ERR_NONE, NULL);
		expect(name, load_dense(types[i], 4, commas + 1, &e), &e, ERR_FORMAT, TUF_E_LIMIT);
	}
}

static int load_many_signatures(unsigned int n, struct err *e)
{
	struct buf b = BUF_INIT(1u << 20);
	struct tuf_signed *s = NULL;

	assert_int_equal(buf_append_str(&b, "{\"signed\":" BODY ",\"signatures\":[", e), 0);
	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(buf_printf(&b, e, "%s{\"keyid\":\"%u\",\"sig\":\"\"}", i ? "," : "", i), 0);
	assert_int_equal(buf_append_str(&b, "]}", e), 0);
	const int r = tuf_signed_load(buf_bytes(&b), TUF_TARGETS, "x.json", &s, e);
	tuf_signed_free(s);
	buf_fini(&b);
	return r;
}

static void test_most_signatures(void **state)
{
	struct err e = { 0 };

	(void)state;
	expect("below", load_many_signatures(TUF_SIGNATURES_MAX - 1, &e), &e, ERR_NONE, NULL);
	expect("at", load_many_signatures(TUF_SIGNATURES_MAX, &e), &e, ERR_NONE, NULL);
	expect("above", load_many_signatures(TUF_SIGNATURES_MAX + 1, &e), &e, ERR_FORMAT, TUF_E_LIMIT);
}

/* What is signed is the canonical form, of members that nobody knows too; compared with the fixture's own form of it. */
static void test_canonical_bytes(void **state)
{
	struct tufrepo *r = tufrepo_new();
	struct buf want = BUF_INIT(1u << 20);
	struct tuf_signed *s = NULL;
	struct err e;

	(void)state;
	json_object_set_new(tufrepo_signed(r, "targets"), "\xc3\xa9\n\"",
			    json_pack("{s:[i,b,n], s:s}", "z z", -1, 1, "z", "\\/"));
	expect("load", tuf_signed_load(tufrepo_sign(r, "targets"), TUF_TARGETS, "x", &s, &e), &e, ERR_NONE, NULL);
	tufrepo_canon(tufrepo_signed(r, "targets"), &want);
	assert_true(bytes_equal(tuf_signed_canon(s), buf_bytes(&want)));
	tuf_signed_free(s);
	buf_fini(&want);
	tufrepo_free(r);
}

/* Keys 0, 1 and 2 as "0", "1", "2", and "same" for key 0 again. */
static void make_keys(struct tuf_keyring *out)
{
	json_t *j = json_pack("{s:{s:o, s:o, s:o, s:o, s:o}}", "keys", "0", tufrepo_key_object(0), "1",
			      tufrepo_key_object(1), "2", tufrepo_key_object(2), "same", tufrepo_key_object(0),
			      "unknown", tufrepo_key_object(TUFREPO_UNKNOWN));
	struct err e;
	struct json_in in = json_in_object(j, "", &e);

	tuf_keyring_get(&in, "keys", out);
	assert_int_equal(json_in_end(&in), 0);
	json_decref(j);
}

/* One element of signatures by the key of this id; a capital letter in front: broken. */
static void put_signature(struct buf *b, const char *id, const char *sep)
{
	struct buf sig = BUF_INIT(4096);
	char hex[256];
	struct err e;
	const bool broken = *id == 'X';
	const int key = id[broken] == 's' ? 0 : id[broken] - '0';

	tufrepo_sign_raw(key >= 0 && key < 3 ? key : 5, bytes_of_str(broken ? "x" : BODY), &sig);
	hex_encode(sig.p, sig.n, hex);
	assert_int_equal(buf_printf(b, &e, "%s{\"keyid\":\"%s\",\"sig\":\"%s\"}", sep, id + broken, hex), 0);
	buf_fini(&sig);
}

static const struct {
	const char *name;
	const char *sigs[5], *ids[6];
	uint64_t threshold, good;
} counts[] = {
	{ "one of one", { "0" }, { "0" }, 1, 1 },
	{ "none", { NULL }, { "0" }, 1, 0 },
	{ "two of two", { "0", "1" }, { "0", "1" }, 2, 2 },
	{ "two of three", { "2", "0" }, { "0", "1", "2" }, 2, 2 },
	{ "one is broken", { "0", "X1" }, { "0", "1" }, 2, 1 },
	{ "one is broken, one is enough", { "X0", "1" }, { "0", "1" }, 1, 1 },
	{ "a stranger's counts nothing", { "0", "2" }, { "0", "1" }, 2, 1 },
	{ "many strangers", { "1", "2", "4", "5" }, { "0" }, 1, 0 },
	{ "an id without a key", { "0", "9" }, { "0", "9" }, 2, 1 },
	{ "one key under two ids", { "0", "same" }, { "0", "same" }, 2, 1 },
	{ "one key under two ids, and another", { "0", "same", "1" }, { "0", "same", "1" }, 2, 2 },
	{ "an id listed twice", { "0" }, { "0", "0" }, 2, 1 },
	{ "an unknown scheme", { "0", "unknown" }, { "0", "unknown" }, 2, 1 },
	{ "more wanted than there are", { "0", "1" }, { "0", "1" }, 3, 2 },
	{ "no keys at all", { "0" }, { NULL }, 1, 0 },
	{ "the largest threshold", { "0" }, { "0" }, INT64_MAX, 1 },
};

static void test_threshold(void **state)
{
	struct tuf_keyring keys = { .n = 0 };

	(void)state;
	make_keys(&keys);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		struct tuf_role_keys role = { .threshold = counts[i].threshold,
					      .ids = (char **)(uintptr_t)counts[i].ids };
		struct buf b = BUF_INIT(1u << 20);
		struct tuf_signed *s = NULL;
		uint64_t n = 99;
		struct err e = { 0 };

		while (counts[i].ids[role.n_ids])
			role.n_ids++;
		assert_int_equal(buf_append_str(&b, "{\"signatures\":[", &e), 0);
		for (size_t k = 0; counts[i].sigs[k]; k++)
			put_signature(&b, counts[i].sigs[k], k ? "," : "");
		assert_int_equal(buf_append_str(&b, "],\"signed\":" BODY "}", &e), 0);
		expect(counts[i].name, tuf_signed_load(buf_bytes(&b), TUF_TARGETS, "x", &s, &e), &e, ERR_NONE, NULL);
		assert_int_equal(tuf_signed_count(s, &keys, &role, &n, &e), 0);
		assert_case(counts[i].name, n == counts[i].good);
		expect(counts[i].name, tuf_signed_verify(s, &keys, &role, "role", &e), &e,
		       n >= role.threshold ? ERR_NONE : ERR_TRUST, TUF_E_THRESHOLD);
		tuf_signed_free(s);
		buf_fini(&b);
	}
	tuf_keyring_fini(&keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope),	cmocka_unit_test(test_spec_version),
		cmocka_unit_test(test_largest_files),	cmocka_unit_test(test_most_signatures),
		cmocka_unit_test(test_densest_files),
		cmocka_unit_test(test_canonical_bytes), cmocka_unit_test(test_threshold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
