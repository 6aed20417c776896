/*
 * OpenSSL's EVP digests. The algorithm is fetched once for each context because fetching costs more than hashing
 * a block of a verity tree; starting again and copying reuse it. OpenSSL fails here only for want of memory or of
 * the algorithm.
 */
#include "base/digest.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/openssl.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

struct digest_ctx {
	enum digest_alg alg;
	EVP_MD *md;
	EVP_MD_CTX *evp;
};

static const struct {
	const char *name, *openssl;
	size_t size_bytes;
} algs[] = {
	[DIGEST_SHA256] = { "sha256", "SHA2-256", 32 },
	[DIGEST_SHA512] = { "sha512", "SHA2-512", 64 },
};

size_t digest_size(enum digest_alg alg)
{
	return algs[alg].size_bytes;
}

const char *digest_name(enum digest_alg alg)
{
	return algs[alg].name;
}

bool digest_parse_name(const char *name, enum digest_alg *out)
{
	for (size_t i = 0; i < ARRAY_LEN(algs); i++)
		if (strcmp(name, algs[i].name) == 0) {
			*out = (enum digest_alg)i;
			return true;
		}
	return false;
}

static int openssl_failed(enum digest_alg alg, const char *what, struct err *e)
{
	char text[128] = "no reason given";
	const unsigned long code = ERR_get_error();

	if (code)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return err_set(e, ERR_SYSTEM, "crypto", "%s: %s: %s", algs[alg].name, what, text);
}

int digest_new(enum digest_alg alg, struct digest_ctx **out, struct err *e)
{
	CLEANUP(digest_free_p) struct digest_ctx *d = calloc(1, sizeof(*d));

	if (!d)
		return err_sys(e, "a %s digest", algs[alg].name);
	d->alg = alg;
	d->md = EVP_MD_fetch(NULL, algs[alg].openssl, NULL);
	d->evp = EVP_MD_CTX_new();
	if (!d->md || !d->evp || EVP_DigestInit_ex2(d->evp, d->md, NULL) != 1)
		/* cppcheck-suppress memleak ; it does not follow the cleanup attribute */
		return openssl_failed(alg, "starting", e);
	*out = TAKE(d);
	return 0;
}

void digest_free(struct digest_ctx *d)
{
	if (!d)
		return;
	EVP_MD_CTX_free(d->evp);
	EVP_MD_free(d->md);
	free(d);
}

int digest_update(struct digest_ctx *d, const void *p, size_t n, struct err *e)
{
	if (EVP_DigestUpdate(d->evp, p, n) != 1)
		return openssl_failed(d->alg, "hashing", e);
	return 0;
}

int digest_final(struct digest_ctx *d, struct digest *out, struct err *e)
{
	struct digest sum = { .alg = d->alg };

	if (EVP_DigestFinal_ex(d->evp, sum.v, NULL) != 1)
		return openssl_failed(d->alg, "finishing", e);
	if (EVP_DigestInit_ex2(d->evp, d->md, NULL) != 1)
		return openssl_failed(d->alg, "starting again", e);
	*out = sum;
	return 0;
}

int digest_copy(struct digest_ctx *to, const struct digest_ctx *from, struct err *e)
{
	if (to->alg != from->alg)
		return err_set(e, ERR_BUG, "digest", "copying a %s state to a %s one", algs[from->alg].name, algs[to->alg].name);
	if (EVP_MD_CTX_copy_ex(to->evp, from->evp) != 1)
		return openssl_failed(to->alg, "copying", e);
	return 0;
}

int digest_bytes(enum digest_alg alg, struct bytes in, struct digest *out, struct err *e)
{
	CLEANUP(digest_free_p) struct digest_ctx *d = NULL;

	if (digest_new(alg, &d, e) < 0 || digest_update(d, in.p, in.n, e) < 0)
		return -1;
	return digest_final(d, out, e);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return a->alg == b->alg && CRYPTO_memcmp(a->v, b->v, digest_size(a->alg)) == 0;
}

void digest_hex(const struct digest *d, char *out)
{
	hex_encode(d->v, digest_size(d->alg), out);
}

bool digest_parse_hex(enum digest_alg alg, const char *hex, size_t hex_n, struct digest *out)
{
	struct digest d = { .alg = alg };

	if (!hex_decode(hex, hex_n, d.v, digest_size(alg)))
		return false;
	*out = d;
	return true;
}
