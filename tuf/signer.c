/*
 * A signer is a private key together with the public key object that a client will see. That object goes through
 * the client's own decoder when the signer is made, and each signature through the client's own verification
 * before it is handed out: what no client would accept is never made here, whatever a token or a damaged key file
 * does.
 */
#include "tuf/signer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/signer_key.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>

#define SIGNATURE_MAX_BYTES (TUF_RSA_MAX_BITS / 8)

struct tuf_signer {
	EVP_PKEY *pkey;
	json_t *public;
	struct tuf_key *key; /* @public as a client reads it */
	char id[TUF_KEY_ID_BYTES];
};

int tuf_ossl_fail(struct err *e, const char *what)
{
	char text[160] = "no reason given";
	const unsigned long code = ERR_peek_last_error();

	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return err_set(e, ERR_SYSTEM, NULL, "%s: OpenSSL: %s", what, text);
}

void tuf_signer_free(struct tuf_signer *s)
{
	if (!s)
		return;
	EVP_PKEY_free(s->pkey);
	json_decref(s->public);
	tuf_key_free(s->key);
	free(s);
}

static json_t *key_object(const char *keytype, const char *scheme, const char *public)
{
	return json_pack("{s:s, s:s, s:{s:s}}", "keytype", keytype, "scheme", scheme, "keyval", "public", public);
}

static json_t *ed25519_object(const EVP_PKEY *pkey)
{
	uint8_t raw[32];
	char hex[2 * sizeof(raw) + 1];
	size_t n = sizeof(raw);

	if (!EVP_PKEY_get_raw_public_key(pkey, raw, &n) || n != sizeof(raw))
		return NULL;
	hex_encode(raw, n, hex);
	return key_object("ed25519", "ed25519", hex);
}

static json_t *pem_object(EVP_PKEY *pkey, const char *keytype, const char *scheme)
{
	BIO *bio = BIO_new(BIO_s_mem());
	json_t *j = NULL;
	char *text = NULL;

	/* The NUL makes the memory a string. */
	if (bio && PEM_write_bio_PUBKEY(bio, pkey) && BIO_write(bio, "", 1) == 1 && BIO_get_mem_data(bio, &text) > 1)
		j = key_object(keytype, scheme, text);
	BIO_free(bio);
	return j;
}

static json_t *public_object(EVP_PKEY *pkey)
{
	if (EVP_PKEY_is_a(pkey, "ED25519"))
		return ed25519_object(pkey);
	if (EVP_PKEY_is_a(pkey, "RSA"))
		return pem_object(pkey, "rsa", "rsassa-pss-sha256");
	if (EVP_PKEY_is_a(pkey, "EC"))
		return pem_object(pkey, "ecdsa", "ecdsa-sha2-nistp256");
	return NULL;
}

int tuf_signer_new(EVP_PKEY *pkey, const char *what, struct tuf_signer **out, struct err *e)
{
	CLEANUP(tuf_signer_free_p) struct tuf_signer *s = calloc(1, sizeof(*s));

	if (!s) {
		EVP_PKEY_free(pkey);
		errno = ENOMEM;
		return err_sys(e, "%s", what);
	}
	s->pkey = pkey;
	s->public = public_object(pkey);
	ERR_clear_error();
	if (!s->public)
		return err_set(e, ERR_FORMAT, "key", "%s: not a key for ed25519, RSA or P-256", what);
	if (tuf_key_parse(s->public, what, &s->key, e) < 0 || tuf_key_id(s->public, s->id, e) < 0)
		return -1;
	if (tuf_key_kind(s->key) == TUF_KEY_UNUSABLE)
		return err_set(e, ERR_FORMAT, "key", "%s: %s", what, tuf_key_why(s->key));
	*out = TAKE(s);
	return 0;
}

int tuf_signer_generate(enum tuf_key_kind kind, unsigned int rsa_bits, struct tuf_signer **out, struct err *e)
{
	EVP_PKEY *pkey = NULL;

	switch (kind) {
	case TUF_KEY_ED25519:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	case TUF_KEY_ECDSA_P256:
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
		break;
	case TUF_KEY_RSA:
		if (rsa_bits < TUF_SIGNER_RSA_MIN_BITS || rsa_bits > TUF_RSA_MAX_BITS)
			return err_set(e, ERR_USAGE, NULL, "RSA keys are made with %d to %d bits, not %u",
				       TUF_SIGNER_RSA_MIN_BITS, TUF_RSA_MAX_BITS, rsa_bits);
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)rsa_bits);
		break;
	case TUF_KEY_UNUSABLE:
		return err_set(e, ERR_USAGE, NULL, "no kind of key to make");
	}
	if (!pkey)
		return tuf_ossl_fail(e, "making a key");
	return tuf_signer_new(pkey, "the new key", out, e);
}

int tuf_signer_from_seed(const uint8_t seed[TUF_SIGNER_SEED_BYTES], struct tuf_signer **out, struct err *e)
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, TUF_SIGNER_SEED_BYTES);

	if (!pkey)
		return tuf_ossl_fail(e, "a key from a seed");
	return tuf_signer_new(pkey, "the seed's key", out, e);
}

static bool sign_init(const struct tuf_signer *s, EVP_MD_CTX *md)
{
	const enum tuf_key_kind kind = tuf_key_kind(s->key);
	EVP_PKEY_CTX *ctx; /* owned by @md */

	if (EVP_DigestSignInit(md, &ctx, kind == TUF_KEY_ED25519 ? NULL : EVP_sha256(), NULL, s->pkey) != 1)
		return false;
	if (kind != TUF_KEY_RSA)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

int tuf_signer_sign(const struct tuf_signer *s, struct bytes msg, struct buf *sig, struct err *e)
{
	uint8_t raw[SIGNATURE_MAX_BYTES];
	size_t n = sizeof(raw);
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const bool ok = md && sign_init(s, md) && EVP_DigestSign(md, raw, &n, msg.p, msg.n) == 1;

	EVP_MD_CTX_free(md);
	if (!ok)
		return tuf_ossl_fail(e, "signing");
	if (!tuf_key_verify(s->key, msg, bytes_of(raw, n)))
		return err_set(e, ERR_SYSTEM, NULL, "signing with key %s: the signature does not verify", s->id);
	return buf_append(sig, raw, n, e);
}

EVP_PKEY *tuf_signer_pkey(const struct tuf_signer *s)
{
	return s->pkey;
}

enum tuf_key_kind tuf_signer_kind(const struct tuf_signer *s)
{
	return tuf_key_kind(s->key);
}

json_t *tuf_signer_public(const struct tuf_signer *s)
{
	return s->public;
}

const char *tuf_signer_key_id(const struct tuf_signer *s)
{
	return s->id;
}
