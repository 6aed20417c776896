/*
 * Private keys: make, load, keep and sign with them. A library of its own (tuf-sign), so that a host's client has
 * no code that signs. Files and PKCS#11 tokens are opened by OpenSSL's store, so whatever that can open is a key
 * here. Key material is wiped by OpenSSL.
 */
#ifndef FLIPSIDE_TUF_SIGNER_H
#define FLIPSIDE_TUF_SIGNER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "tuf/key.h"

#define TUF_SIGNER_RSA_MIN_BITS 3072 /* of new keys; smaller ones down to TUF_RSA_MIN_BITS can be loaded */
#define TUF_SIGNER_SEED_BYTES 32
#define TUF_SIGNER_PASSPHRASE_BYTES 1024

/* A private key with its public half; RSA signs with PSS and SHA-256, salt of 32 bytes. */
struct tuf_signer;

void tuf_signer_free(struct tuf_signer *s);
DEFINE_CLEANUP(struct tuf_signer, tuf_signer_free);

/**
 * tuf_signer_generate() - a new key from OpenSSL's random generator
 * @rsa_bits: TUF_SIGNER_RSA_MIN_BITS..TUF_RSA_MAX_BITS for TUF_KEY_RSA (others: ERR_USAGE), ignored for other kinds
 */
int tuf_signer_generate(enum tuf_key_kind kind, unsigned int rsa_bits, struct tuf_signer **out, struct err *e);

/* The ed25519 key of a fixed seed (RFC 8032 5.1.5): what fixtures use, so that they are the same each time. */
int tuf_signer_from_seed(const uint8_t seed[TUF_SIGNER_SEED_BYTES], struct tuf_signer **out, struct err *e);

/**
 * typedef tuf_passphrase_fn - asked for the passphrase or PIN of @what
 * @out: @cap bytes to fill; wiped by the caller afterwards
 * Return: 0 with *@n the length; -1 with *e filled when there is none
 */
typedef int (*tuf_passphrase_fn)(void *ctx, const char *what, char *out, size_t cap, size_t *n, struct err *e);

/**
 * tuf_signer_load() - the one private key at @uri
 * @uri: path of a PEM or DER file (PKCS#8, encrypted PKCS#8, PKCS#1, SEC 1), file: URI, or pkcs11: URI when a
 * provider or the
 *	 engine "pkcs11" serves it (the URI may have the PIN: it is not repeated in messages)
 * @ask: may be NULL: an encrypted key is then ERR_USAGE "passphrase"
 * Return: 0; -1: ERR_MISSING nothing there, ERR_USAGE "passphrase" a wrong one, ERR_FORMAT "key" no private key,
 * several, or of a kind that TUF_KEY_* has not, ERR_SYSTEM; or what @ask set
 */
int tuf_signer_load(const char *uri, tuf_passphrase_fn ask, void *ctx, struct tuf_signer **out, struct err *e);

/**
 * tuf_signer_write_pem() - the private key as PKCS#8 PEM, mode 0600, replacing atomically
 * @dir: directory descriptor or AT_FDCWD; @name is relative to it
 * @passphrase: .n 0: not encrypted; else AES-256-CBC with PBKDF2
 * Return: 0; -1: ERR_USAGE for a key that lives in a token, ERR_SYSTEM
 */
int tuf_signer_write_pem(const struct tuf_signer *s, int dir, const char *name, struct bytes passphrase, struct err *e);

/* Appends the raw signature of @msg: ed25519 64 bytes, P-256 DER, RSA modulus length. ERR_SYSTEM when OpenSSL or
 * a token refuses. */
int tuf_signer_sign(const struct tuf_signer *s, struct bytes msg, struct buf *sig, struct err *e);

enum tuf_key_kind tuf_signer_kind(const struct tuf_signer *s);

/* The public half as a TUF key object, borrowed: {"keytype": ..., "keyval": {"public": ...}, "scheme": ...}. */
json_t *tuf_signer_public(const struct tuf_signer *s);

/* Its key id, 64 hex digits (tuf_key_id()). */
const char *tuf_signer_key_id(const struct tuf_signer *s);

#endif
