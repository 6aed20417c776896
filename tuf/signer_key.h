/* Between signer.c, which makes and uses private keys, and signer_file.c, which loads and stores them. */
#ifndef FLIPSIDE_TUF_SIGNER_KEY_H
#define FLIPSIDE_TUF_SIGNER_KEY_H

#include "base/openssl.h"
#include "tuf/signer.h"

#include <openssl/evp.h>
#include <openssl/ui.h>

/* Takes @pkey over, on failure too (then it is freed). ERR_FORMAT "key" for a kind or size that no TUF key has.
 * @what: for messages. */
int tuf_signer_new(EVP_PKEY *pkey, const char *what, struct tuf_signer **out, struct err *e);

/* The private key at a pkcs11: URI by OpenSSL's engine for them; NULL where there is no engine or no such key,
 * told in OpenSSL's queue. */
EVP_PKEY *tuf_signer_engine_key(const char *uri, UI_METHOD *ui, void *ui_data);

EVP_PKEY *tuf_signer_pkey(const struct tuf_signer *s);

/* Records what OpenSSL's error queue says last, behind @what, and empties the queue. Return: -1 */
int tuf_ossl_fail(struct err *e, const char *what);

#endif
