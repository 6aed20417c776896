/* OpenSSL's headers for this folder. They declare a type ERR_STATE, which is the name of an error kind in base/err.h, so it is renamed
 * while they are read. */
#ifndef FLIPSIDE_TUF_OSSL_H
#define FLIPSIDE_TUF_OSSL_H

#define ERR_STATE openssl_err_state
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#undef ERR_STATE

#endif
