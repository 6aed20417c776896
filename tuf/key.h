/*
 * Public keys as TUF metadata carries them, and what they verify. A key that this program cannot use (unknown
 * keytype or scheme, a broken or too small key) is kept and never verifies anything, so that a repository can
 * introduce a new scheme without cutting off its clients. Keys are told apart by what they decode to, never by
 * their key id, which is opaque text.
 */
#ifndef FLIPSIDE_TUF_KEY_H
#define FLIPSIDE_TUF_KEY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/json.h"

#define TUF_RSA_MIN_BITS 2048
#define TUF_RSA_MAX_BITS 8192
#define TUF_KEY_MAX_BYTES 8192 /* of the text in keyval.public */
#define TUF_KEY_ID_BYTES 65    /* a key id made by us, with its NUL */

enum tuf_key_kind {
	TUF_KEY_UNUSABLE,   /* verifies nothing; tuf_key_why() says why */
	TUF_KEY_ED25519,    /* ed25519 / ed25519: 64 hex digits */
	TUF_KEY_RSA,	    /* rsa / rsassa-pss-sha256: PEM, 2048 to 8192 bits */
	TUF_KEY_ECDSA_P256, /* ecdsa or ecdsa-sha2-nistp256 / ecdsa-sha2-nistp256: PEM, or 130 hex digits of the uncompressed point */
};

struct tuf_key;

/**
 * tuf_key_parse() - a key object: {"keytype": ..., "scheme": ..., "keyval": {"public": ...}}
 * @path: names the field in messages
 * Return: 0, also for an unusable key; -1: ERR_FORMAT if it has not this shape, ERR_SYSTEM
 */
int tuf_key_parse(json_t *j, const char *path, struct tuf_key **out, struct err *e);
void tuf_key_free(struct tuf_key *k);
DEFINE_CLEANUP(struct tuf_key, tuf_key_free);

enum tuf_key_kind tuf_key_kind(const struct tuf_key *k);

/* Why a key is unusable, in a few words; "" for one that is usable. */
const char *tuf_key_why(const struct tuf_key *k);

/* SHA-256 of the decoded key's kind and numbers, the same for each of its spellings; of the canonical object if
 * it is unusable. */
const struct digest *tuf_key_fingerprint(const struct tuf_key *k);

/**
 * tuf_key_verify() - does @sig of @msg hold?
 * RSA: PSS, SHA-256, MGF1 with SHA-256, any salt length; P-256: SHA-256, DER. Leaves nothing in OpenSSL's error queue.
 * Return: false for an unusable key and for every failure
 */
bool tuf_key_verify(const struct tuf_key *k, struct bytes msg, struct bytes sig);

/* The key id of specification 4.2.1: hex SHA-256 of the object's canonical form. Clients do not compare it;
 * makers and lint do. */
int tuf_key_id(const json_t *key, char out[TUF_KEY_ID_BYTES], struct err *e);

/* The keys of one file by id. Zero-initialised is an empty one. */
struct tuf_keyring {
	size_t n;
	struct tuf_keyring_entry {
		char *id;
		struct tuf_key *key;
	} *v; /* ids ascending, by strcmp */
};

/* A reader as those of base/json.h, of a required object {keyid: key}; @out must be empty and is untouched on failure. */
void tuf_keyring_get(struct json_in *in, const char *name, struct tuf_keyring *out);
void tuf_keyring_fini(struct tuf_keyring *r);

/* NULL if no key has this id. */
const struct tuf_key *tuf_keyring_find(const struct tuf_keyring *r, const char *id);

#endif
