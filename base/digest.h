/* SHA-256 and SHA-512 over OpenSSL; TUF targets and dm-verity trees both hash. */
#ifndef FLIPSIDE_BASE_DIGEST_H
#define FLIPSIDE_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"

#define DIGEST_MAX_BYTES 64

enum digest_alg { DIGEST_SHA256, DIGEST_SHA512 };

struct digest {
	enum digest_alg alg;
	uint8_t v[DIGEST_MAX_BYTES]; /* the first digest_size(alg) bytes count */
};

size_t digest_size(enum digest_alg alg);

/* "sha256", "sha512": the names in TUF metadata, dm-verity superblocks and manifests. */
const char *digest_name(enum digest_alg alg);
bool digest_parse_name(const char *name, enum digest_alg *out);

/* A running digest; may be used again after digest_final(). */
struct digest_ctx;

/* ERR_SYSTEM when OpenSSL refuses or memory is out. */
int digest_new(enum digest_alg alg, struct digest_ctx **out, struct err *e);
void digest_free(struct digest_ctx *d);
DEFINE_CLEANUP(struct digest_ctx, digest_free);

int digest_update(struct digest_ctx *d, const void *p, size_t n, struct err *e);

/* The digest of all since the start or the last final; @d starts again from nothing. */
int digest_final(struct digest_ctx *d, struct digest *out, struct err *e);

/* @to takes over the state of @from, of the same algorithm: a salt is hashed once and used for many blocks. */
int digest_copy(struct digest_ctx *to, const struct digest_ctx *from, struct err *e);

/* One shot. */
int digest_bytes(enum digest_alg alg, struct bytes in, struct digest *out, struct err *e);

/* Constant time in the contents; false if the algorithms differ. */
bool digest_equal(const struct digest *a, const struct digest *b);

/* Lower-case digits and a NUL: 2 * DIGEST_MAX_BYTES + 1 bytes are always enough. */
void digest_hex(const struct digest *d, char *out);

/* From exactly 2 * digest_size(alg) digits of either case. */
bool digest_parse_hex(enum digest_alg alg, const char *hex, size_t hex_n, struct digest *out);

#endif
