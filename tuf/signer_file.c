/*
 * Private keys in files and tokens. OpenSSL's store opens whatever it has a loader for; the passphrase always
 * goes through the caller's function, because without one OpenSSL would ask at the terminal behind everybody's
 * back.
 */
#include "tuf/signer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "tuf/signer_key.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#define PBKDF2_ROUNDS 600000 /* OWASP's figure for PBKDF2 with HMAC-SHA-256 */

/* One load, as the passphrase callback sees it. */
struct asking {
	tuf_passphrase_fn ask;
	void *ctx;
	const char *uri;
	bool asked;
	bool failed; /* @err says why */
	struct err err;
};

static int ask_passphrase(char *out, int cap, int rwflag, void *arg)
{
	struct asking *a = arg;
	size_t n = 0;

	(void)rwflag;
	a->asked = true;
	if (a->failed || cap <= 0)
		return -1;
	if (!a->ask) {
		a->failed = true;
		return err_set(&a->err, ERR_USAGE, "passphrase", "%s: the key is encrypted and there is no passphrase",
			       a->uri);
	}
	if (a->ask(a->ctx, a->uri, out, (size_t)cap, &n, &a->err) < 0 || n > (size_t)cap) {
		a->failed = true;
		return -1;
	}
	return (int)n;
}

/* True if the last failure is that of a file that is not there; leaves the queue as it is. */
static bool queue_has_enoent(void)
{
	const unsigned long code = ERR_peek_last_error();

	return ERR_SYSTEM_ERROR(code) && ERR_GET_REASON(code) == ENOENT;
}

static int open_store(struct asking *a, UI_METHOD *ui, OSSL_STORE_CTX **out, struct err *e)
{
	OSSL_STORE_CTX *store;

	ERR_clear_error();
	store = OSSL_STORE_open(a->uri, ui, a, NULL, NULL);
	if (store && OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY)) {
		*out = store;
		return 0;
	}
	const bool missing = queue_has_enoent();
	OSSL_STORE_close(store);
	if (a->failed)
		return *e = a->err, -1;
	if (missing) {
		ERR_clear_error();
		return err_set(e, ERR_MISSING, NULL, "%s: no such key", a->uri);
	}
	return tuf_ossl_fail(e, a->uri);
}

/* The one private key; *@n_found counts all. */
static EVP_PKEY *read_keys(OSSL_STORE_CTX *store, unsigned int *n_found)
{
	EVP_PKEY *found = NULL;

	*n_found = 0;
	while (!OSSL_STORE_eof(store)) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (!info && OSSL_STORE_error(store))
			break;
		if (info && OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY) {
			EVP_PKEY_free(found);
			found = OSSL_STORE_INFO_get1_PKEY(info);
			++*n_found;
		}
		OSSL_STORE_INFO_free(info);
	}
	ERR_clear_error();
	return found;
}

static int key_of_store(struct asking *a, OSSL_STORE_CTX *store, struct tuf_signer **out, struct err *e)
{
	unsigned int n_found;
	EVP_PKEY *pkey = read_keys(store, &n_found);

	if (n_found == 1 && pkey)
		return tuf_signer_new(pkey, a->uri, out, e);
	EVP_PKEY_free(pkey);
	if (n_found > 1)
		return err_set(e, ERR_FORMAT, "key", "%s: more than one private key", a->uri);
	if (a->failed)
		return *e = a->err, -1;
	if (a->asked)
		return err_set(e, ERR_USAGE, "passphrase", "%s: wrong passphrase, or a damaged key", a->uri);
	return err_set(e, ERR_FORMAT, "key", "%s: no private key in it", a->uri);
}

static bool is_token(const char *uri)
{
	return strncmp(uri, "pkcs11:", strlen("pkcs11:")) == 0;
}

/* Where the store has no loader for tokens. */
static int key_of_engine(struct asking *a, UI_METHOD *ui, struct tuf_signer **out, struct err *e)
{
	ERR_clear_error();
	EVP_PKEY *pkey = tuf_signer_engine_key(a->uri, ui, a);

	if (pkey) {
		ERR_clear_error();
		return tuf_signer_new(pkey, "the token's key", out, e);
	}
	if (a->failed)
		return *e = a->err, -1;
	return tuf_ossl_fail(e, "the token's key");
}

int tuf_signer_load(const char *uri, tuf_passphrase_fn ask, void *ctx, struct tuf_signer **out, struct err *e)
{
	struct asking a = { .ask = ask, .ctx = ctx, .uri = uri };
	UI_METHOD *ui = UI_UTIL_wrap_read_pem_callback(ask_passphrase, 0);
	OSSL_STORE_CTX *store = NULL;
	int r;

	if (!ui)
		return tuf_ossl_fail(e, "asking for passphrases");
	r = open_store(&a, ui, &store, e);
	if (r == 0)
		r = key_of_store(&a, store, out, e);
	else if (is_token(uri) && !a.failed)
		r = key_of_engine(&a, ui, out, e);
	OSSL_STORE_close(store);
	UI_destroy_method(ui);
	return r;
}

static bool put_pkcs8(BIO *bio, PKCS8_PRIV_KEY_INFO *p8, struct bytes passphrase)
{
	if (passphrase.n == 0)
		return PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, p8) == 1;
	X509_SIG *sealed = PKCS8_encrypt(-1, EVP_aes_256_cbc(), (const char *)passphrase.p, (int)passphrase.n, NULL, 0,
					 PBKDF2_ROUNDS, p8);
	const bool ok = sealed && PEM_write_bio_PKCS8(bio, sealed) == 1;

	X509_SIG_free(sealed);
	return ok;
}

int tuf_signer_write_pem(const struct tuf_signer *s, int dir, const char *name, struct bytes passphrase, struct err *e)
{
	int r;

	if (passphrase.n > TUF_SIGNER_PASSPHRASE_BYTES)
		return err_set(e, ERR_USAGE, "passphrase", "%s: a passphrase of more than %d bytes", name,
			       TUF_SIGNER_PASSPHRASE_BYTES);
	ERR_clear_error();
	PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(tuf_signer_pkey(s));
	if (!p8) {
		ERR_clear_error();
		return err_set(e, ERR_USAGE, "key", "%s: the key cannot be taken out of its token", name);
	}
	BIO *bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
	char *text = NULL;
	if (bio && put_pkcs8(bio, p8, passphrase)) {
		const long n = BIO_get_mem_data(bio, &text);

		r = file_replace(dir, name, bytes_of(text, (size_t)n), 0600, e);
	} else {
		r = tuf_ossl_fail(e, name);
	}
	BIO_free(bio);
	PKCS8_PRIV_KEY_INFO_free(p8);
	return r;
}
