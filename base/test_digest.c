/* Vectors: FIPS 180-4 examples as published by NIST (csrc.nist.gov, "Examples with Intermediate Values"). */
#include <string.h>

#include "base/digest.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"

#define LONG_TEXT "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

static const struct {
	const char *name;
	enum digest_alg alg;
	const char *in, *hex;
} vectors[] = {
	{ "256 empty", DIGEST_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "256 abc", DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "256 two blocks", DIGEST_SHA256, LONG_TEXT, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "512 empty", DIGEST_SHA512, "",
	  "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
	  "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e" },
	{ "512 abc", DIGEST_SHA512, "abc",
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct digest d, want;
		struct err e = { 0 };
		char hex[2 * DIGEST_MAX_BYTES + 1];

		assert_case(vectors[i].name, digest_bytes(vectors[i].alg, bytes_of_str(vectors[i].in), &d, &e) == 0);
		digest_hex(&d, hex);
		assert_string_equal(hex, vectors[i].hex);
		assert_case(vectors[i].name, digest_parse_hex(vectors[i].alg, vectors[i].hex, strlen(vectors[i].hex), &want));
		assert_case(vectors[i].name, digest_equal(&d, &want));
	}
}

/* In pieces of every size, twice with the same context. */
static void test_pieces_and_reuse(void **state)
{
	static const char text[] = LONG_TEXT;
	const size_t n = strlen(text);
	CLEANUP(digest_free_p) struct digest_ctx *ctx = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(digest_new(DIGEST_SHA256, &ctx, &e), 0);
	for (size_t piece = 1; piece <= n; piece++) {
		struct digest d, want;

		for (size_t at = 0; at < n; at += piece)
			assert_int_equal(digest_update(ctx, text + at, min_size(piece, n - at), &e), 0);
		assert_int_equal(digest_final(ctx, &d, &e), 0);
		digest_parse_hex(DIGEST_SHA256, vectors[2].hex, 64, &want);
		assert_true(digest_equal(&d, &want));
	}
}

static void test_copy(void **state)
{
	CLEANUP(digest_free_p) struct digest_ctx *salted = NULL;
	CLEANUP(digest_free_p) struct digest_ctx *work = NULL;
	CLEANUP(digest_free_p) struct digest_ctx *other = NULL;
	struct digest d, want;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(digest_new(DIGEST_SHA256, &salted, &e), 0);
	assert_int_equal(digest_new(DIGEST_SHA256, &work, &e), 0);
	assert_int_equal(digest_new(DIGEST_SHA512, &other, &e), 0);
	digest_bytes(DIGEST_SHA256, bytes_of_str("abc"), &want, &e);
	assert_int_equal(digest_update(salted, "a", 1, &e), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(digest_copy(work, salted, &e), 0);
		assert_int_equal(digest_update(work, "bc", 2, &e), 0);
		assert_int_equal(digest_final(work, &d, &e), 0);
		assert_true(digest_equal(&d, &want));
	}
	assert_int_equal(digest_copy(other, salted, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
}

static void test_equal(void **state)
{
	struct digest a = { .alg = DIGEST_SHA256 }, b = a;

	(void)state;
	assert_true(digest_equal(&a, &b));
	for (size_t i = 0; i < digest_size(DIGEST_SHA256); i++) {
		b = a;
		b.v[i] ^= 1;
		assert_false(digest_equal(&a, &b));
	}
	b = a;
	b.v[32] = 1; /* beyond what counts */
	assert_true(digest_equal(&a, &b));
	b = a;
	b.alg = DIGEST_SHA512;
	assert_false(digest_equal(&a, &b));
}

static void test_names(void **state)
{
	static const char *const bad[] = { "", "sha", "SHA256", "sha2-256", "sha256 ", "sha1", "sha5122" };
	enum digest_alg alg = DIGEST_SHA256;

	(void)state;
	assert_true(digest_parse_name("sha512", &alg));
	assert_int_equal(alg, DIGEST_SHA512);
	assert_true(digest_parse_name("sha256", &alg));
	assert_int_equal(alg, DIGEST_SHA256);
	assert_string_equal(digest_name(DIGEST_SHA256), "sha256");
	assert_string_equal(digest_name(DIGEST_SHA512), "sha512");
	assert_int_equal(digest_size(DIGEST_SHA512), 64);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_case(bad[i], !digest_parse_name(bad[i], &alg));
}

static void test_bad_hex(void **state)
{
	char hex[2 * DIGEST_MAX_BYTES + 2];
	struct digest d;

	(void)state;
	memset(hex, 'A', sizeof(hex));
	assert_true(digest_parse_hex(DIGEST_SHA256, hex, 64, &d));
	assert_false(digest_parse_hex(DIGEST_SHA256, hex, 63, &d));
	assert_false(digest_parse_hex(DIGEST_SHA256, hex, 65, &d));
	assert_false(digest_parse_hex(DIGEST_SHA256, hex, 128, &d));
	assert_false(digest_parse_hex(DIGEST_SHA512, hex, 64, &d));
	assert_true(digest_parse_hex(DIGEST_SHA512, hex, 128, &d));
	assert_false(digest_parse_hex(DIGEST_SHA512, hex, 0, &d));
	hex[63] = 'x';
	assert_false(digest_parse_hex(DIGEST_SHA256, hex, 64, &d));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_pieces_and_reuse), cmocka_unit_test(test_copy),
		cmocka_unit_test(test_equal),	cmocka_unit_test(test_names),		 cmocka_unit_test(test_bad_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
