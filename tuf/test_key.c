#include "test-fixtures/harness/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/openssl.h"
#include "test-fixtures/tufrepo.h"
#include "tuf/key.h"
#include "tuf/tuf.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

static const int usable[] = { 0, TUFREPO_RSA, TUFREPO_P256, TUFREPO_P256_OLD, TUFREPO_P256_HEX };

static struct tuf_key *key_of(json_t *j)
{
	struct tuf_key *k = NULL;
	struct err e;

	if (tuf_key_parse(j, "key", &k, &e) < 0)
		fail_msg("%s", e.msg);
	json_decref(j);
	return k;
}

static void test_verify(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(usable); i++) {
		struct tuf_key *k = key_of(tufrepo_key_object(usable[i]));
		struct buf sig = BUF_INIT(4096);

		assert_string_equal(tuf_key_why(k), "");
		for (size_t n = 0; n <= 3; n++) {
			const struct bytes msg = bytes_of("abc", n);

			sig.n = 0;
			tufrepo_sign_raw(usable[i], msg, &sig);
			assert_true(tuf_key_verify(k, msg, buf_bytes(&sig)));
			assert_false(tuf_key_verify(k, bytes_of_str("abd"), buf_bytes(&sig)));
			assert_false(tuf_key_verify(k, msg, bytes_of(sig.p, sig.n - 1)));
			assert_false(tuf_key_verify(k, msg, bytes_of(sig.p, 0)));
		}
		for (size_t at = 0; at < sig.n; at++) {
			sig.p[at] ^= 1;
			assert_false(tuf_key_verify(k, bytes_of_str("abc"), buf_bytes(&sig)));
			sig.p[at] ^= 1;
		}
		assert_int_equal(ERR_peek_error(), 0);
		buf_fini(&sig);
		tuf_key_free(k);
	}
}

/* RFC 8032 7.1, test 2: a signature that neither the client nor the fixture has made. */
static void test_known_ed25519(void **state)
{
	static const char sig_hex[] = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
				      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
	struct tuf_key *k =
		key_of(json_pack("{s:s, s:s, s:{s:s}}", "keytype", "ed25519", "scheme", "ed25519", "keyval", "public",
				 "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
	uint8_t sig[64];

	(void)state;
	assert_true(hex_decode(sig_hex, sizeof(sig_hex) - 1, sig, sizeof(sig)));
	assert_true(tuf_key_verify(k, bytes_of("\x72", 1), bytes_of(sig, sizeof(sig))));
	assert_false(tuf_key_verify(k, bytes_of("\x73", 1), bytes_of(sig, sizeof(sig))));
	tuf_key_free(k);
}

static void test_fingerprints(void **state)
{
	struct tuf_key *pem = key_of(tufrepo_key_object(TUFREPO_P256)),
		       *old = key_of(tufrepo_key_object(TUFREPO_P256_OLD)),
		       *hex = key_of(tufrepo_key_object(TUFREPO_P256_HEX)),
		       *other = key_of(tufrepo_key_object(TUFREPO_RSA)), *ed = key_of(tufrepo_key_object(0)),
		       *ed1 = key_of(tufrepo_key_object(1));

	(void)state;
	assert_true(digest_equal(tuf_key_fingerprint(pem), tuf_key_fingerprint(old)));
	assert_true(digest_equal(tuf_key_fingerprint(pem), tuf_key_fingerprint(hex)));
	assert_false(digest_equal(tuf_key_fingerprint(pem), tuf_key_fingerprint(other)));
	assert_false(digest_equal(tuf_key_fingerprint(ed), tuf_key_fingerprint(ed1)));
	tuf_key_free(pem);
	tuf_key_free(old);
	tuf_key_free(hex);
	tuf_key_free(other);
	tuf_key_free(ed);
	tuf_key_free(ed1);
}

/* PEM of a new key made by OpenSSL; @compressed for a P-256 point in the shorter form. */
static char *new_pem(const char *type, const char *group, unsigned int bits, bool compressed, bool explicit_params)
{
	EVP_PKEY *pkey = group	? EVP_PKEY_Q_keygen(NULL, NULL, type, group)
			 : bits ? EVP_PKEY_Q_keygen(NULL, NULL, type, (size_t)bits)
				: EVP_PKEY_Q_keygen(NULL, NULL, type);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = calloc(1, 8192);

	assert_non_null(pkey);
	assert_non_null(text);
	if (compressed)
		assert_true(EVP_PKEY_set_utf8_string_param(pkey, "point-format", "compressed"));
	if (explicit_params)
		assert_true(EVP_PKEY_set_utf8_string_param(pkey, "encoding", "explicit"));
	assert_true(PEM_write_bio_PUBKEY(bio, pkey) && BIO_read(bio, text, 8191) > 0);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return text;
}

static bool is_usable(const char *keytype, const char *scheme, const char *public)
{
	struct tuf_key *k = key_of(
		json_pack("{s:s, s:s, s:{s:s}}", "keytype", keytype, "scheme", scheme, "keyval", "public", public));
	const bool ok = tuf_key_kind(k) != TUF_KEY_UNUSABLE;

	assert_true(ok == (tuf_key_why(k)[0] == '\0'));
	assert_int_equal(ERR_peek_error(), 0);
	tuf_key_free(k);
	return ok;
}

/* A key is what its keytype says, in kind, curve and size. */
static void test_kinds_and_sizes(void **state)
{
	static const struct {
		const char *name, *type, *group;
		unsigned int bits;
		bool compressed, explicit_params;
		bool as_rsa, as_ecdsa;
	} cases[] = {
		{ "RSA 1024", "RSA", NULL, 1024, false, false, false, false },
		{ "RSA 2047", "RSA", NULL, 2047, false, false, false, false },
		{ "RSA 2048", "RSA", NULL, 2048, false, false, true, false },
		{ "RSA-PSS 2048", "RSA-PSS", NULL, 2048, false, false, false, false },
		{ "P-256", "EC", "P-256", 0, false, false, false, true },
		{ "P-256, compressed", "EC", "P-256", 0, true, false, false, true },
		{ "P-256, explicit", "EC", "P-256", 0, false, true, false, false },
		{ "P-384", "EC", "P-384", 0, false, false, false, false },
		{ "secp256k1", "EC", "secp256k1", 0, false, false, false, false },
		{ "ed25519", "ED25519", NULL, 0, false, false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		EVP_PKEY *rsa_pss = NULL;
		char *pem = NULL;

		if (strcmp(cases[i].type, "RSA-PSS") == 0) {
			EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
			BIO *bio = BIO_new(BIO_s_mem());

			pem = calloc(1, 8192);
			assert_true(pem && EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_generate(ctx, &rsa_pss) > 0);
			assert_true(PEM_write_bio_PUBKEY(bio, rsa_pss) && BIO_read(bio, pem, 8191) > 0);
			BIO_free(bio);
			EVP_PKEY_free(rsa_pss);
			EVP_PKEY_CTX_free(ctx);
		} else {
			pem = new_pem(cases[i].type, cases[i].group, cases[i].bits, cases[i].compressed,
				      cases[i].explicit_params);
		}
		assert_case(cases[i].name, is_usable("rsa", "rsassa-pss-sha256", pem) == cases[i].as_rsa);
		assert_case(cases[i].name, is_usable("ecdsa", "ecdsa-sha2-nistp256", pem) == cases[i].as_ecdsa);
		assert_case(cases[i].name, !is_usable("ed25519", "ed25519", pem));
		free(pem);
	}
}

static void test_compressed_point_is_the_same_key(void **state)
{
	char *pem = new_pem("EC", "P-256", 0, true, false);
	struct tuf_key *k = key_of(json_pack("{s:s, s:s, s:{s:s}}", "keytype", "ecdsa", "scheme", "ecdsa-sha2-nistp256",
					     "keyval", "public", pem));
	BIO *bio = BIO_new_mem_buf(pem, -1), *out = BIO_new(BIO_s_mem());
	EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	char again[8192] = "";

	(void)state;
	assert_true(EVP_PKEY_set_utf8_string_param(pkey, "point-format", "uncompressed"));
	assert_true(PEM_write_bio_PUBKEY(out, pkey) && BIO_read(out, again, sizeof(again) - 1) > 0);
	assert_string_not_equal(pem, again);
	struct tuf_key *k2 = key_of(json_pack("{s:s, s:s, s:{s:s}}", "keytype", "ecdsa", "scheme",
					      "ecdsa-sha2-nistp256", "keyval", "public", again));
	assert_true(digest_equal(tuf_key_fingerprint(k), tuf_key_fingerprint(k2)));
	EVP_PKEY_free(pkey);
	BIO_free(bio);
	BIO_free(out);
	tuf_key_free(k);
	tuf_key_free(k2);
	free(pem);
}

/* The text of a PEM: a final line feed may be missing, nothing else may be there. */
static void test_pem_text(void **state)
{
	json_t *j = tufrepo_key_object(TUFREPO_P256);
	const char *pem = json_string_value(json_object_get(json_object_get(j, "keyval"), "public"));
	const size_t n = strlen(pem);
	char text[4096];

	(void)state;
#define P256(t) is_usable("ecdsa", "ecdsa-sha2-nistp256", (t))
	assert_true(P256(pem));
	snprintf(text, sizeof(text), "%.*s", (int)n - 1, pem);
	assert_true(P256(text));
	snprintf(text, sizeof(text), "%s\n", pem);
	assert_true(P256(text));
	snprintf(text, sizeof(text), "x%s", pem);
	assert_false(P256(text));
	snprintf(text, sizeof(text), "\n%s", pem);
	assert_false(P256(text));
	snprintf(text, sizeof(text), "%sx", pem);
	assert_false(P256(text));
	snprintf(text, sizeof(text), "%s%s", pem, pem);
	assert_false(P256(text));
	snprintf(text, sizeof(text), "-----BEGIN PRIVATE KEY-----%s", pem + strlen("-----BEGIN PUBLIC KEY-----"));
	assert_false(P256(text));
	for (size_t cut = 0; cut + 1 < n; cut++) {
		snprintf(text, sizeof(text), "%.*s", (int)cut, pem);
		assert_false(P256(text));
	}
#undef P256
	json_decref(j);
}

static void test_hex_text(void **state)
{
	json_t *ed = tufrepo_key_object(0), *p256 = tufrepo_key_object(TUFREPO_P256_HEX);
	const char *ed_hex = json_string_value(json_object_get(json_object_get(ed, "keyval"), "public"));
	const char *point = json_string_value(json_object_get(json_object_get(p256, "keyval"), "public"));
	char text[256];

	(void)state;
	assert_true(is_usable("ed25519", "ed25519", ed_hex));
	snprintf(text, sizeof(text), "%.62s", ed_hex);
	assert_false(is_usable("ed25519", "ed25519", text));
	snprintf(text, sizeof(text), "%s00", ed_hex);
	assert_false(is_usable("ed25519", "ed25519", text));
	snprintf(text, sizeof(text), " %.63s", ed_hex);
	assert_false(is_usable("ed25519", "ed25519", text));
	assert_false(is_usable("ed25519", "ed25519", ""));

	assert_true(is_usable("ecdsa", "ecdsa-sha2-nistp256", point));
	snprintf(text, sizeof(text), "02%s", point + 2);
	assert_false(is_usable("ecdsa", "ecdsa-sha2-nistp256", text));
	snprintf(text, sizeof(text), "%.128s%c%c", point, point[128], point[129] == '0' ? '1' : '0');
	assert_false(is_usable("ecdsa", "ecdsa-sha2-nistp256", text)); /* not on the curve */
	snprintf(text, sizeof(text), "%.66s", point);
	assert_false(is_usable("ecdsa", "ecdsa-sha2-nistp256", text));
	json_decref(ed);
	json_decref(p256);
}

/* What is no key object refuses the file; a key that nobody can use does not. */
static void test_objects(void **state)
{
	static const struct {
		const char *name, *text;
		bool parses;
	} cases[] = {
		{ "unknown keytype", "{\"keytype\":\"a\",\"scheme\":\"b\",\"keyval\":{\"public\":\"c\"}}", true },
		{ "unknown, another shape of keyval",
		  "{\"keytype\":\"a\",\"scheme\":\"b\",\"keyval\":{\"identity\":[1]}}", true },
		{ "unknown scheme",
		  "{\"keytype\":\"rsa\",\"scheme\":\"rsassa-pss-sha512\",\"keyval\":{\"public\":\"\"}}", true },
		{ "schemes crossed",
		  "{\"keytype\":\"ed25519\",\"scheme\":\"rsassa-pss-sha256\",\"keyval\":{\"public\":\"\"}}", true },
		{ "no keytype", "{\"scheme\":\"b\",\"keyval\":{\"public\":\"c\"}}", false },
		{ "no scheme", "{\"keytype\":\"a\",\"keyval\":{\"public\":\"c\"}}", false },
		{ "no keyval", "{\"keytype\":\"a\",\"scheme\":\"b\"}", false },
		{ "keyval is no object", "{\"keytype\":\"a\",\"scheme\":\"b\",\"keyval\":\"c\"}", false },
		{ "no public", "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{}}", false },
		{ "public is no string", "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":1}}",
		  false },
		{ "keytype is no string", "{\"keytype\":1,\"scheme\":\"b\",\"keyval\":{\"public\":\"c\"}}", false },
		{ "an array", "[]", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *j = json_loads(cases[i].text, 0, NULL);
		struct tuf_key *k = NULL;
		struct err e = { 0 };

		assert_case(cases[i].name, (tuf_key_parse(j, "key", &k, &e) == 0) == cases[i].parses);
		if (cases[i].parses)
			assert_case(cases[i].name, tuf_key_kind(k) == TUF_KEY_UNUSABLE && tuf_key_why(k)[0]);
		else
			assert_case(cases[i].name, !k && e.kind == ERR_FORMAT);
		if (k)
			assert_false(tuf_key_verify(k, bytes_of_str("a"), bytes_of_str("b")));
		tuf_key_free(k);
		json_decref(j);
	}
}

/* The client's key id against the fixture's, which has another canonical form at its base. */
static void test_key_id(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(usable); i++) {
		char id[TUF_KEY_ID_BYTES], want[TUFREPO_KEY_ID_BYTES];
		json_t *j = tufrepo_key_object(usable[i]);
		struct err e;

		assert_int_equal(tuf_key_id(j, id, &e), 0);
		assert_string_equal(id, tufrepo_key_id(usable[i], want));
		json_decref(j);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_known_ed25519),
		cmocka_unit_test(test_fingerprints),
		cmocka_unit_test(test_kinds_and_sizes),
		cmocka_unit_test(test_compressed_point_is_the_same_key),
		cmocka_unit_test(test_pem_text),
		cmocka_unit_test(test_hex_text),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_key_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
