/*
 * The envelope of every metadata file: {"signed": ..., "signatures": [...]}. Loads it, knows the bytes that
 * signatures cover, and counts good signatures by distinct keys against a threshold (specification 4.2.1, 5; TAP
 * 12).
 */
#ifndef FLIPSIDE_TUF_SIGNED_H
#define FLIPSIDE_TUF_SIGNED_H

#include <jansson.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "tuf/key.h"

enum tuf_type { TUF_ROOT, TUF_TIMESTAMP, TUF_SNAPSHOT, TUF_TARGETS };
#define TUF_TYPES 4

/* "root", "timestamp", "snapshot", "targets": the value of _type and the name of the top-level role. */
const char *tuf_type_name(enum tuf_type type);

/* The largest file of this type that is looked at, in bytes. */
size_t tuf_type_max_bytes(enum tuf_type type);

/* The most objects and arrays in it, what its entries may have at most; and four times as many commas. Checked
 * before the text is parsed, since parsing takes many times its bytes and comes before any signature. */
size_t tuf_type_max_parts(enum tuf_type type);
#define TUF_COMMAS_PER_PART 4

/* Whether a JSON text has at most @max objects and arrays, and commas in proportion. Return: 0; -1: ERR_FORMAT
 * TUF_E_LIMIT */
int tuf_check_parts(struct bytes in, size_t max, struct err *e);

/* What vouches for a role: any @threshold distinct keys out of these. */
struct tuf_role_keys {
	size_t n_ids;
	char **ids;	    /* a repeated id is harmless */
	uint64_t threshold; /* >= 1; may be more than there are keys, then nothing is ever accepted */
};

void tuf_role_keys_fini(struct tuf_role_keys *r);

struct tuf_signed;

/**
 * tuf_signed_load() - parse the envelope and look at _type and spec_version
 * @in:   the file's bytes, as received
 * @file: names the file in messages ("3.root.json"); copied
 * Nothing in it is trusted yet. spec_version: two or three decimal numbers with dots, the first of them 1.
 * Return: 0; -1: ERR_FORMAT TUF_E_METADATA or TUF_E_LIMIT, ERR_TRUST TUF_E_TYPE when _type is another role's,
 * ERR_TRUST TUF_E_DUPLICATE_SIG when a key id signs twice, ERR_SYSTEM
 */
int tuf_signed_load(struct bytes in, enum tuf_type type, const char *file, struct tuf_signed **out, struct err *e);
void tuf_signed_free(struct tuf_signed *s);

/* The same without the canonical form, for bytes that are known to have been verified: tuf_signed_verify() is
 * then ERR_BUG. */
int tuf_signed_load_verified(struct bytes in, enum tuf_type type, const char *file, struct tuf_signed **out, struct err *e);

/* No signature will be looked at any more: frees the canonical form, which is as large as the file. */
void tuf_signed_drop_canon(struct tuf_signed *s);

DEFINE_CLEANUP(struct tuf_signed, tuf_signed_free);

/**
 * tuf_signed_verify() - the threshold of @role, counted by distinct keys of @keys
 * @whose: whose keys they are, for messages: "root 4", "targets"
 * Ids without a key, keys that cannot verify, broken signatures and strangers' signatures count nothing and do no harm.
 * Return: 0; -1: ERR_TRUST TUF_E_THRESHOLD
 */
int tuf_signed_verify(const struct tuf_signed *s, const struct tuf_keyring *keys, const struct tuf_role_keys *role,
		      const char *whose, struct err *e);

/* Good signatures by distinct keys, as tuf_signed_verify() counts them: "n of m", for tools. Return: 0; -1 ERR_SYSTEM */
int tuf_signed_count(const struct tuf_signed *s, const struct tuf_keyring *keys, const struct tuf_role_keys *role,
		     uint64_t *out, struct err *e);

/* The parsed value of `signed`, borrowed, for the parsers of role_*.c. */
json_t *tuf_signed_body(const struct tuf_signed *s);
const char *tuf_signed_file(const struct tuf_signed *s);
enum tuf_type tuf_signed_type(const struct tuf_signed *s);

/* The canonical form of `signed`: what signatures cover. Borrowed. */
struct bytes tuf_signed_canon(const struct tuf_signed *s);

#endif
