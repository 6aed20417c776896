#include "test-fixtures/harness/case.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "base/openssl.h"
#include "test-fixtures/harness/scratch.h"
#include "test-fixtures/tufrepo.h"
#include "tuf/signer.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

static const struct {
	const char *name;
	enum tuf_key_kind kind;
	unsigned int bits;
} kinds[] = {
	{ "ed25519", TUF_KEY_ED25519, 0 },
	{ "P-256", TUF_KEY_ECDSA_P256, 0 },
	{ "RSA", TUF_KEY_RSA, 3072 },
};

/* One of each kind for all tests: a new RSA key takes a while. */
static struct tuf_signer *made[3];

static struct tuf_signer *generate(size_t i)
{
	struct tuf_signer *s = NULL;
	struct err e;

	if (tuf_signer_generate(kinds[i].kind, kinds[i].bits, &s, &e) < 0)
		fail_msg("%s: %s", kinds[i].name, e.msg);
	return s;
}

static int make_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		made[i] = generate(i);
	return 0;
}

static int free_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		tuf_signer_free(made[i]);
	return 0;
}

/* A client's view of the key verifies what the signer signs. */
static void check_signs(const char *name, const struct tuf_signer *s)
{
	struct tuf_key *k = NULL;
	struct buf sig = BUF_INIT(4096);
	char id[TUF_KEY_ID_BYTES];
	struct err e;

	assert_case(name, tuf_key_parse(tuf_signer_public(s), "key", &k, &e) == 0);
	assert_case(name, tuf_key_kind(k) == tuf_signer_kind(s));
	assert_case(name, tuf_signer_sign(s, bytes_of_str("text"), &sig, &e) == 0);
	assert_case(name, tuf_key_verify(k, bytes_of_str("text"), buf_bytes(&sig)));
	assert_case(name, !tuf_key_verify(k, bytes_of_str("Text"), buf_bytes(&sig)));
	assert_int_equal(tuf_key_id(tuf_signer_public(s), id, &e), 0);
	assert_string_equal(id, tuf_signer_key_id(s));
	buf_fini(&sig);
	tuf_key_free(k);
}

static void test_generate_and_sign(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		assert_case(kinds[i].name, tuf_signer_kind(made[i]) == kinds[i].kind);
		check_signs(kinds[i].name, made[i]);
	}
}

static void test_rsa_sizes(void **state)
{
	static const unsigned int bad[] = { 0, 1024, TUF_SIGNER_RSA_MIN_BITS - 1, TUF_RSA_MAX_BITS + 1 };
	struct tuf_signer *s = NULL;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(tuf_signer_generate(TUF_KEY_RSA, bad[i], &s, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
	}
	assert_int_equal(tuf_signer_generate(TUF_KEY_UNUSABLE, 0, &s, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_null(s);
}

/* The seed's key is the fixture's, which OpenSSL made apart from this. */
static void test_seed(void **state)
{
	const uint8_t seed[TUF_SIGNER_SEED_BYTES] = { 7 };
	struct tuf_signer *s = NULL;
	char id[TUFREPO_KEY_ID_BYTES];
	json_t *want = tufrepo_key_object(7);
	struct err e;

	(void)state;
	assert_int_equal(tuf_signer_from_seed(seed, &s, &e), 0);
	assert_true(json_equal(tuf_signer_public(s), want));
	assert_string_equal(tuf_signer_key_id(s), tufrepo_key_id(7, id));
	check_signs("seed", s);
	json_decref(want);
	tuf_signer_free(s);
}

/* Gives what @ctx holds; NULL: fails. */
static int ask(void *ctx, const char *what, char *out, size_t cap, size_t *n, struct err *e)
{
	const char *text = ctx;

	assert_non_null(strstr(what, "key"));
	if (!text)
		return err_set(e, ERR_BUSY, "test", "asked for nothing");
	*n = min_size(strlen(text), cap);
	memcpy(out, text, *n);
	return 0;
}

static void test_write_and_load(void **state)
{
	static const char *const passphrases[] = { "", "correct horse battery staple" };
	struct scratch dir;
	struct stat st;
	struct err e;

	(void)state;
	scratch_make(&dir);
	/* Deriving a key from a passphrase is slow on purpose, and the same for each kind: once is enough. */
	for (size_t i = 0; i < ARRAY_LEN(kinds) + 1; i++) {
		const char *name = kinds[i % ARRAY_LEN(kinds)].name, *pass = passphrases[i / ARRAY_LEN(kinds)];
		struct tuf_signer *s = made[i % ARRAY_LEN(kinds)], *back = NULL;
		const char *path = scratch_path(&dir, "key.pem");

		assert_case(name, tuf_signer_write_pem(s, dir.fd, "key.pem", bytes_of_str(pass), &e) == 0);
		assert_int_equal(fstatat(dir.fd, "key.pem", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
		if (tuf_signer_load(path, *pass ? ask : NULL, (void *)(uintptr_t)pass, &back, &e) < 0)
			fail_msg("%s: %s", name, e.msg);
		assert_case(name, json_equal(tuf_signer_public(s), tuf_signer_public(back)));
		check_signs(name, back);
		tuf_signer_free(back);
	}
	assert_int_equal(scratch_entries(&dir), 1);
	scratch_remove(&dir);
}

static void test_encrypted_is_encrypted(void **state)
{
	struct scratch dir;
	struct tuf_signer *s = made[0];
	CLEANUP(buf_fini) struct buf text = BUF_INIT(4096);
	struct err e;

	(void)state;
	scratch_make(&dir);
	assert_int_equal(tuf_signer_write_pem(s, dir.fd, "key.pem", bytes_of_str("secret"), &e), 0);
	assert_int_equal(file_read(dir.fd, "key.pem", &text, &e), 0);
	assert_non_null(strstr(buf_str(&text, &e), "BEGIN ENCRYPTED PRIVATE KEY"));
	scratch_remove(&dir);
}

static void test_passphrases(void **state)
{
	static const struct {
		const char *name, *text;
		bool ask;
		enum err_kind kind;
		const char *reason;
	} cases[] = {
		{ "nobody to ask", NULL, false, ERR_USAGE, "passphrase" },
		{ "wrong", "sekret", true, ERR_USAGE, "passphrase" },
		{ "empty", "", true, ERR_USAGE, "passphrase" },
		{ "the asking fails", NULL, true, ERR_BUSY, "test" },
	};
	struct scratch dir;
	struct tuf_signer *s = made[0], *back = NULL;
	struct err e;

	(void)state;
	scratch_make(&dir);
	assert_int_equal(tuf_signer_write_pem(s, dir.fd, "key.pem", bytes_of_str("secret"), &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const int r = tuf_signer_load(scratch_path(&dir, "key.pem"), cases[i].ask ? ask : NULL,
					      (void *)(uintptr_t)cases[i].text, &back, &e);

		assert_case(cases[i].name, r == -1 && !back);
		if (e.kind != cases[i].kind || strcmp(e.reason, cases[i].reason) != 0)
			fail_msg("%s: %s", cases[i].name, e.msg);
		assert_int_equal(ERR_peek_error(), 0);
	}
	scratch_remove(&dir);
}

/* PEM of a key of a kind that TUF has not, or in another form than we write. */
static size_t other_pem(const char *type, const char *group, size_t bits, bool traditional, char *out, size_t cap)
{
	EVP_PKEY *pkey = bits	 ? EVP_PKEY_Q_keygen(NULL, NULL, type, bits)
			 : group ? EVP_PKEY_Q_keygen(NULL, NULL, type, group)
				 : EVP_PKEY_Q_keygen(NULL, NULL, type);
	BIO *bio = BIO_new(BIO_s_mem());

	assert_non_null(pkey);
	if (traditional)
		assert_true(PEM_write_bio_PrivateKey_traditional(bio, pkey, NULL, NULL, 0, NULL, NULL));
	else
		assert_true(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL));
	const int n = BIO_read(bio, out, (int)cap);
	assert_true(n > 0);
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return (size_t)n;
}

static void test_other_keys(void **state)
{
	static const struct {
		const char *name, *type, *group;
		size_t bits;
		bool traditional, ok;
	} cases[] = {
		{ "RSA 2048 in PKCS#1", "RSA", NULL, 2048, true, true },
		{ "P-256 in SEC 1", "EC", "P-256", 0, true, true },
		{ "RSA 1024", "RSA", NULL, 1024, false, false },
		{ "P-384", "EC", "P-384", 0, false, false },
		{ "X25519", "X25519", NULL, 0, false, false },
		{ "Ed448", "ED448", NULL, 0, false, false },
	};
	struct scratch dir;
	struct err e;

	(void)state;
	scratch_make(&dir);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tuf_signer *s = NULL;
		char pem[8192];
		const size_t n =
			other_pem(cases[i].type, cases[i].group, cases[i].bits, cases[i].traditional, pem, sizeof(pem));

		scratch_write(&dir, "key.pem", pem, n);
		const int r = tuf_signer_load(scratch_path(&dir, "key.pem"), NULL, NULL, &s, &e);
		assert_case(cases[i].name, (r == 0) == cases[i].ok);
		if (r < 0)
			assert_case(cases[i].name, e.kind == ERR_FORMAT && strcmp(e.reason, "key") == 0);
		else
			check_signs(cases[i].name, s);
		tuf_signer_free(s);
	}
	scratch_remove(&dir);
}

static void test_no_key(void **state)
{
	struct scratch dir;
	struct tuf_signer *s = NULL;
	char pem[16384];
	struct err e;

	(void)state;
	scratch_make(&dir);
	assert_int_equal(tuf_signer_load(scratch_path(&dir, "key.pem"), NULL, NULL, &s, &e), -1);
	assert_int_equal(e.kind, ERR_MISSING);
	scratch_write(&dir, "key.pem", "", 0);
	assert_int_equal(tuf_signer_load(scratch_path(&dir, "key.pem"), NULL, NULL, &s, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	scratch_write(&dir, "key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 59);
	assert_int_equal(tuf_signer_load(scratch_path(&dir, "key.pem"), NULL, NULL, &s, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	size_t n = other_pem("ED25519", NULL, 0, false, pem, sizeof(pem));
	n += other_pem("ED25519", NULL, 0, false, pem + n, sizeof(pem) - n);
	scratch_write(&dir, "key.pem", pem, n);
	assert_int_equal(tuf_signer_load(scratch_path(&dir, "key.pem"), NULL, NULL, &s, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	assert_string_equal(e.reason, "key");
	assert_int_equal(tuf_signer_load("pkcs11:object=none", NULL, NULL, &s, &e), -1);
	assert_true(e.kind == ERR_SYSTEM || e.kind == ERR_MISSING);
	assert_null(s);
	assert_int_equal(ERR_peek_error(), 0);
	scratch_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generate_and_sign),
		cmocka_unit_test(test_rsa_sizes),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_write_and_load),
		cmocka_unit_test(test_encrypted_is_encrypted),
		cmocka_unit_test(test_passphrases),
		cmocka_unit_test(test_other_keys),
		cmocka_unit_test(test_no_key),
	};

	return cmocka_run_group_tests(tests, make_all, free_all);
}
