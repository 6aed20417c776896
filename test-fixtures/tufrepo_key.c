/*
 * The keys of the test repositories. They are public: whoever trusts one of them trusts everybody.
 */
#include "test-fixtures/tufrepo.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/openssl.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

#define POINT_BYTES 65 /* 04, X, Y: the end of a P-256 key's SubjectPublicKeyInfo */

static const char rsa_pem[] = "-----BEGIN PRIVATE KEY-----\n"
			      "MIIEvgIBADANBgkqhkiG9w0BAQEFAASCBKgwggSkAgEAAoIBAQCpS3dS4X0CzpDY\n"
			      "+AdgK1bYxqkZK2zFUegm5PQivBPjlVXtwlrlwdrBt1EJRcQvQ4D9ox0VaEBbOtV8\n"
			      "19Kd6188IxYqAfgX7JmlpEiET0Iy96Dx3TTJW3i370jatq68a8hkJJ45hTSOD2W9\n"
			      "38DE0Sy6yIkyWrXsgTBYSDNYAVRa0RthdtL5R2obYTgBnrZJC4AbAruIoghLKX5p\n"
			      "X8WTYyoKhDZ3W+MpDVlNX/YL6r2P1BAJAOgxTe+RuyibN116XnykInBCVG6QlABg\n"
			      "dJFzi662DcijNSqR3wqzQ/opg7QoohRwlqADs/FgXzV7OaXdCFA/QEGJg13lRVqW\n"
			      "/zA0IuuXAgMBAAECggEAGkwCqPkltf3oOgus+Z9BykJxmdtI9g2XBhOiaJLWdA+K\n"
			      "XXhHLlFCbbzP9aTEqKLPspZXui+Lb6Bf8RiFOsqI7Ip2sufDZdP2uege6450Nf6J\n"
			      "HYjC3lQ7GDcvFeoykkobwpJ9kWnDlB2ILEpJY0kqrYjg5tV4VNhsbgopD46FT+XS\n"
			      "ryvewEq30+Ykq5y2OC3domw4OqupB660qcgdJxka9c41klmadVk3wjM7xShwS1U6\n"
			      "LgWcF4/SuLba6R2K7Rnt3N20aMC4RFc9X4v3VOua4RR7zi3mfFMPdeGan9e4Omm2\n"
			      "J6muVN6pnsG/KYXLwCsnJWBT/bBiFjAZPOR5Pn6d4QKBgQDUHIZGDXeBbyqX1/ys\n"
			      "dc+GjHupcDMWHPwac9sRGUzWMQNcv7KIILl019B3q5FT3ur13x97W6sSYatLxZ/I\n"
			      "mONMdWVVKNQwueUTfrw/2VnEZ1FPzDFDpanEvTudb4yV4tXupott6+/hXEFgFkBH\n"
			      "lXKaiUIJHGJhL1P2BeYcrjfUYwKBgQDMUvU61gxCbuemDaJlCYznV8KnTCOcsihA\n"
			      "cFGIIwVGsyY8Li01PL4wBDi8bh/wllES1uZNBNCTI/ObQDSZvkDfVsi9/hy7pjYs\n"
			      "yVf7ebs5jgXhSQpscw9Bgu5/fnVBbODBEI+fKw3VIrYtoTP62RCL8/gmkjynpeTv\n"
			      "J2+hR45wPQKBgHOnUfdkZGLo0FqW5CjM2+jLNKpAiTpnd3ac8TezidfIRcMOqzPa\n"
			      "VATHn92AaO9IPujtTecfJnoRUysviF4CLv2DjUsPxhMDaUpl8hMGWhHjG8zc04fF\n"
			      "Dno9jAHdztPzKR7FJIU8/kDs4qCXwVjGvgRRDvaUyXegLLGaqcu9mqdtAoGBAK2M\n"
			      "oUNyYENlVFmVJyTO8eHmhy323CDSqqHhRT9vD6I3tPhU+I1JpPm//DkBCRwfcYmh\n"
			      "A0jUGB2C4f4ykPstwIhzfFr0po805Lsx4gt2IHMIkTIECliHeqPYhJ/CV/JUeqtC\n"
			      "V9uIhF1O+JLVZANjsExP061fdSmpHUWNp6HD19a5AoGBAL/eWaIF5N9uk/VlaYEg\n"
			      "NW27NdLaoya8wUdqauRUICUQslIZnn8cDWcyjnnKsXLbcM7Hwlnnv6rAn2mxcDa2\n"
			      "PVTN9NL0+ONTHQ1HI0Me7epZRNFMaLeL5lvxJs8DV1K9rXzm25/JwN95aTfTEK4u\n"
			      "y1vXdPXYhEzN1w1YQjJUOIHF\n"
			      "-----END PRIVATE KEY-----\n";

static const char p256_pem[] = "-----BEGIN PRIVATE KEY-----\n"
			       "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/RTOoca2VXaTztfD\n"
			       "Ltre90ztWfzaHj9CrA8PR9s3HvWhRANCAAR6ygO4j1RsH5u/yzDhSbICx1v35VVY\n"
			       "xNRAYWNCzCqdERZOW9usxQ+hVlfbM0fzBe/f2WRroGtylkGgq8b/eZ9b\n"
			       "-----END PRIVATE KEY-----\n";

static EVP_PKEY *read_pem(const char *text)
{
	BIO *bio = BIO_new_mem_buf(text, -1);
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return pkey;
}

static EVP_PKEY *private_key(int key)
{
	uint8_t seed[32] = { (uint8_t)key, (uint8_t)(key >> 8) };
	EVP_PKEY *pkey = key < TUFREPO_RSA    ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed))
			 : key == TUFREPO_RSA ? read_pem(rsa_pem)
					      : read_pem(p256_pem);

	assert(pkey);
	return pkey;
}

static json_t *object_of(const char *keytype, const char *scheme, const char *public)
{
	return json_pack("{s:s, s:s, s:{s:s}}", "keytype", keytype, "scheme", scheme, "keyval", "public", public);
}

static json_t *pem_object(EVP_PKEY *pkey, const char *keytype, const char *scheme)
{
	char text[2048] = "";
	BIO *bio = BIO_new(BIO_s_mem());

	assert(PEM_write_bio_PUBKEY(bio, pkey) && BIO_read(bio, text, sizeof(text) - 1) > 0);
	BIO_free(bio);
	return object_of(keytype, scheme, text);
}

static json_t *hex_object(EVP_PKEY *pkey, const char *keytype, const char *scheme, size_t n)
{
	uint8_t *der = NULL;
	char hex[2 * POINT_BYTES + 1];
	const int der_n = i2d_PUBKEY(pkey, &der);

	/* The key itself is the end of its encoding. */
	assert(der_n > (int)n);
	hex_encode(der + der_n - n, n, hex);
	OPENSSL_free(der);
	return object_of(keytype, scheme, hex);
}

json_t *tufrepo_key_object(int key)
{
	EVP_PKEY *pkey = private_key(key);
	json_t *j = NULL;

	switch (key) {
	case TUFREPO_RSA:
		j = pem_object(pkey, "rsa", "rsassa-pss-sha256");
		break;
	case TUFREPO_P256:
		j = pem_object(pkey, "ecdsa", "ecdsa-sha2-nistp256");
		break;
	case TUFREPO_P256_OLD:
		j = pem_object(pkey, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256");
		break;
	case TUFREPO_P256_HEX:
		j = hex_object(pkey, "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", POINT_BYTES);
		break;
	case TUFREPO_UNKNOWN:
		j = object_of("sphincs", "sphincs-shake-256s", "abcdef");
		break;
	default:
		j = hex_object(pkey, "ed25519", "ed25519", 32);
		break;
	}
	EVP_PKEY_free(pkey);
	assert(j);
	return j;
}

const char *tufrepo_key_id(int key, char out[TUFREPO_KEY_ID_BYTES])
{
	struct buf b = BUF_INIT(1u << 20);
	uint8_t sum[SHA256_DIGEST_LENGTH];
	json_t *j = tufrepo_key_object(key);

	tufrepo_canon(j, &b);
	SHA256(b.p, b.n, sum);
	hex_encode(sum, sizeof(sum), out);
	buf_fini(&b);
	json_decref(j);
	return out;
}

void tufrepo_sign_raw(int key, struct bytes msg, struct buf *sig)
{
	EVP_PKEY *pkey = private_key(key);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx;
	uint8_t raw[1024];
	size_t n = sizeof(raw);
	struct err e;

	assert(EVP_DigestSignInit(md, &ctx, key < TUFREPO_RSA ? NULL : EVP_sha256(), NULL, pkey) == 1);
	if (key == TUFREPO_RSA) {
		assert(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1);
		assert(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1);
	}
	assert(EVP_DigestSign(md, raw, &n, msg.p, msg.n) == 1);
	assert(buf_append(sig, raw, n, &e) == 0);
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(pkey);
}
