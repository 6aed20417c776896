/*
 * OpenSSL beside base/err.h: both know an ERR_STATE. Include this instead of <openssl/err.h> and before any other
 * header of OpenSSL; its type of that name, which nothing here needs, is then called otherwise.
 */
#ifndef FLIPSIDE_BASE_OPENSSL_H
#define FLIPSIDE_BASE_OPENSSL_H

#ifdef OPENSSL_TYPES_H
#error "base/openssl.h comes before other headers of OpenSSL"
#endif

#define ERR_STATE openssl_err_state_
#include <openssl/err.h>
#undef ERR_STATE

#endif
