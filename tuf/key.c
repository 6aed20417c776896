/*
 * Decoding and verifying public keys. PEM_read_bio and d2i_PUBKEY return whatever a text holds, so the kind, the
 * curve and the size are checked after decoding, against what `keytype` and `scheme` promise. A key that fails
 * here is unusable, not an error: it can only take away from a threshold, never add to it.
 *
 * The fingerprint hashes the key's numbers and not an encoding of it: one P-256 point has three spellings (PEM
 * with a compressed or an uncompressed point, hex), and all must count as one key.
 */
#include "tuf/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/openssl.h"
#include "tuf/canon.h"
#include "tuf/tuf.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#define ED25519_KEY_BYTES 32
#define P256_POINT_BYTES 65 /* 04, X, Y */
#define P256_FIELD_BYTES 32
#define RSA_E_MAX_BITS 64 /* what OpenSSL verifies with for large moduli */

struct tuf_key {
	enum tuf_key_kind kind;
	EVP_PKEY *pkey; /* NULL if unusable */
	const char *why;
	struct digest fingerprint;
};

/* What a decoder makes: a key, or a reason why there is none. Both NULL: OpenSSL could not. */
struct decoded {
	EVP_PKEY *pkey;
	const char *why;
};

static struct decoded refuse(EVP_PKEY *pkey, const char *why)
{
	EVP_PKEY_free(pkey);
	return (struct decoded){ NULL, why };
}

static struct decoded decode_ed25519(const char *text)
{
	uint8_t raw[ED25519_KEY_BYTES];

	if (!hex_decode(text, strlen(text), raw, sizeof(raw)))
		return refuse(NULL, "not 64 hex digits");
	return (struct decoded){ EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw)), NULL };
}

/* DER of a whole SubjectPublicKeyInfo, nothing behind it. */
static EVP_PKEY *decode_spki(const uint8_t *der, size_t n)
{
	const uint8_t *p = der;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)n);

	if (pkey && p != der + n) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	return pkey;
}

static bool only_line_feeds(const char *s)
{
	return s[strspn(s, "\r\n")] == '\0';
}

/* One block labelled PUBLIC KEY, without headers, from the first byte on; a final line feed may be missing. */
static EVP_PKEY *decode_pem(const char *text)
{
	static const char begin[] = "-----BEGIN PUBLIC KEY-----", end[] = "-----END PUBLIC KEY-----";
	const char *tail = strstr(text, end);
	char *name = NULL, *header = NULL;
	uint8_t *der = NULL;
	long der_n = 0;
	EVP_PKEY *pkey = NULL;

	if (strncmp(text, begin, sizeof(begin) - 1) != 0 || !tail || !only_line_feeds(tail + sizeof(end) - 1))
		return NULL;
	BIO *bio = BIO_new_mem_buf(text, -1);
	if (bio && PEM_read_bio(bio, &name, &header, &der, &der_n) == 1 && header[0] == '\0' && der_n > 0)
		pkey = decode_spki(der, (size_t)der_n);
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	BIO_free(bio);
	return pkey;
}

/* An even exponent or 1 makes signatures that anybody can forge. */
static bool rsa_exponent_is_sound(const EVP_PKEY *pkey)
{
	BIGNUM *exp = NULL;
	bool ok = false;

	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &exp))
		ok = BN_is_odd(exp) && !BN_is_one(exp) && BN_num_bits(exp) <= RSA_E_MAX_BITS;
	BN_free(exp);
	return ok;
}

static struct decoded decode_rsa(const char *text)
{
	EVP_PKEY *pkey = decode_pem(text);

	if (!pkey)
		return refuse(NULL, "not a public key in PEM");
	if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_RSA)
		return refuse(pkey, "not an RSA key");
	if (EVP_PKEY_get_bits(pkey) < TUF_RSA_MIN_BITS)
		return refuse(pkey, "an RSA modulus below 2048 bits");
	if (EVP_PKEY_get_bits(pkey) > TUF_RSA_MAX_BITS)
		return refuse(pkey, "an RSA modulus above 8192 bits");
	if (!rsa_exponent_is_sound(pkey))
		return refuse(pkey, "an unsound RSA exponent");
	return (struct decoded){ pkey, NULL };
}

/* The older spelling: the uncompressed point as hex. Put behind the head of its SubjectPublicKeyInfo (RFC 5480
 * 2), so that one decoder checks that it lies on the curve. */
static EVP_PKEY *decode_p256_point(const char *text)
{
	static const uint8_t head[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
					0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 };
	uint8_t der[sizeof(head) + P256_POINT_BYTES];

	memcpy(der, head, sizeof(head));
	if (!hex_decode(text, strlen(text), der + sizeof(head), P256_POINT_BYTES) || der[sizeof(head)] != 4)
		return NULL;
	return decode_spki(der, sizeof(der));
}

static struct decoded decode_p256(const char *text)
{
	char group[32];
	int explicit_params = 0;
	EVP_PKEY *pkey = text[0] == '-' ? decode_pem(text) : decode_p256_point(text);

	if (!pkey)
		return refuse(NULL, "neither a public key in PEM nor 130 hex digits of a point");
	if (EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC)
		return refuse(pkey, "not an EC key");
	if (!EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) || strcmp(group, "prime256v1") != 0)
		return refuse(pkey, "not on the curve P-256");
	if (!EVP_PKEY_get_int_param(pkey, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_params) ||
	    explicit_params)
		return refuse(pkey, "explicit curve parameters");
	return (struct decoded){ pkey, NULL };
}

static const struct scheme {
	const char *keytype, *scheme;
	enum tuf_key_kind kind;
	struct decoded (*decode)(const char *text);
} schemes[] = {
	{ "ed25519", "ed25519", TUF_KEY_ED25519, decode_ed25519 },
	{ "rsa", "rsassa-pss-sha256", TUF_KEY_RSA, decode_rsa },
	{ "ecdsa", "ecdsa-sha2-nistp256", TUF_KEY_ECDSA_P256, decode_p256 },
	{ "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", TUF_KEY_ECDSA_P256, decode_p256 },
};

static const struct scheme *scheme_find(const char *keytype, const char *scheme)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strcmp(schemes[i].keytype, keytype) == 0 && strcmp(schemes[i].scheme, scheme) == 0)
			return &schemes[i];
	return NULL;
}

/* Appends a number of the key at fixed width, or at its own for @width 0. */
static int put_number(const EVP_PKEY *pkey, const char *param, size_t width, struct buf *out, struct err *e)
{
	BIGNUM *bn = NULL;
	int r = -1;

	if (!EVP_PKEY_get_bn_param(pkey, param, &bn))
		return err_set(e, ERR_SYSTEM, NULL, "OpenSSL cannot tell %s of a key", param);
	const size_t n = width ? width : (size_t)BN_num_bytes(bn);
	if (buf_reserve(out, n, e) == 0) {
		r = BN_bn2binpad(bn, out->p + out->n, (int)n) < 0
			    ? err_set(e, ERR_SYSTEM, NULL, "OpenSSL: %s of a key", param)
			    : 0;
		out->n += r == 0 ? n : 0;
	}
	BN_free(bn);
	return r;
}

static int put_numbers(const struct tuf_key *k, struct buf *out, struct err *e)
{
	uint8_t raw[ED25519_KEY_BYTES];
	size_t n = sizeof(raw);

	switch (k->kind) {
	case TUF_KEY_ED25519:
		if (!EVP_PKEY_get_raw_public_key(k->pkey, raw, &n))
			return err_set(e, ERR_SYSTEM, NULL, "OpenSSL cannot tell the bytes of a key");
		return buf_append_str(out, "ed25519:", e) < 0 ? -1 : buf_append(out, raw, n, e);
	case TUF_KEY_RSA:
		if (buf_append_str(out, "rsa:", e) < 0 || put_number(k->pkey, OSSL_PKEY_PARAM_RSA_N, 0, out, e) < 0 ||
		    buf_append_str(out, ":", e) < 0)
			return -1;
		return put_number(k->pkey, OSSL_PKEY_PARAM_RSA_E, 0, out, e);
	case TUF_KEY_ECDSA_P256:
		if (buf_append_str(out, "p256:", e) < 0 ||
		    put_number(k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, P256_FIELD_BYTES, out, e) < 0)
			return -1;
		return put_number(k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, P256_FIELD_BYTES, out, e);
	case TUF_KEY_UNUSABLE:
		break;
	}
	return err_set(e, ERR_BUG, NULL, "an unusable key has no numbers");
}

static int set_fingerprint(struct tuf_key *k, const json_t *j, struct err *e)
{
	struct buf b = BUF_INIT(1024u * 1024);
	int r = k->kind == TUF_KEY_UNUSABLE ? tuf_canon(j, &b, e) : put_numbers(k, &b, e);

	if (r == 0)
		r = digest_bytes(DIGEST_SHA256, buf_bytes(&b), &k->fingerprint, e);
	buf_fini(&b);
	return r;
}

static void decode(struct tuf_key *k, const struct scheme *s, const char *text)
{
	k->kind = TUF_KEY_UNUSABLE;
	k->why = "unknown keytype or scheme";
	if (!s)
		return;
	const struct decoded d = s->decode(text);
	ERR_clear_error();
	k->pkey = d.pkey;
	k->why = d.pkey ? "" : d.why ? d.why : "OpenSSL does not take it";
	k->kind = d.pkey ? s->kind : TUF_KEY_UNUSABLE;
}

int tuf_key_parse(json_t *j, const char *path, struct tuf_key **out, struct err *e)
{
	struct json_in in = json_in_object(j, path, e);
	const char *keytype = "", *scheme = "", *text = "";

	json_get_str(&in, "keytype", TUF_NAME_MAX_BYTES, &keytype);
	json_get_str(&in, "scheme", TUF_NAME_MAX_BYTES, &scheme);
	struct json_in val = json_get_object(&in, "keyval");
	const struct scheme *s = scheme_find(keytype, scheme);
	if (s)
		json_get_str(&val, "public", TUF_KEY_MAX_BYTES, &text);
	json_in_join(&in, &val);
	if (json_in_end(&in) < 0)
		return -1;

	CLEANUP(tuf_key_free_p) struct tuf_key *k = calloc(1, sizeof(*k));
	if (!k)
		return errno = ENOMEM, err_sys(e, "%s", path);
	decode(k, s, text);
	if (set_fingerprint(k, j, e) < 0)
		return err_wrap(e, "%s", path);
	*out = TAKE(k);
	return 0;
}

void tuf_key_free(struct tuf_key *k)
{
	if (!k)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

enum tuf_key_kind tuf_key_kind(const struct tuf_key *k)
{
	return k->kind;
}

const char *tuf_key_why(const struct tuf_key *k)
{
	return k->why;
}

const struct digest *tuf_key_fingerprint(const struct tuf_key *k)
{
	return &k->fingerprint;
}

static bool verify_init(const struct tuf_key *k, EVP_MD_CTX *md)
{
	const EVP_MD *hash = k->kind == TUF_KEY_ED25519 ? NULL : EVP_sha256();
	EVP_PKEY_CTX *ctx; /* owned by @md */

	if (EVP_DigestVerifyInit(md, &ctx, hash, NULL, k->pkey) != 1)
		return false;
	if (k->kind != TUF_KEY_RSA)
		return true;
	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_AUTO) == 1;
}

bool tuf_key_verify(const struct tuf_key *k, struct bytes msg, struct bytes sig)
{
	if (k->kind == TUF_KEY_UNUSABLE || sig.n == 0)
		return false;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const bool ok = md && verify_init(k, md) && EVP_DigestVerify(md, sig.p, sig.n, msg.p, msg.n) == 1;

	EVP_MD_CTX_free(md);
	ERR_clear_error();
	return ok;
}

int tuf_key_id(const json_t *key, char out[TUF_KEY_ID_BYTES], struct err *e)
{
	struct buf b = BUF_INIT(1024u * 1024);
	struct digest d;
	int r = tuf_canon(key, &b, e);

	if (r == 0)
		r = digest_bytes(DIGEST_SHA256, buf_bytes(&b), &d, e);
	if (r == 0)
		digest_hex(&d, out);
	buf_fini(&b);
	return r;
}
