/* Pointer and length stay together: a borrowed view, an owned buffer with a maximum, and hexadecimal. */
#ifndef FLIPSIDE_BASE_BYTES_H
#define FLIPSIDE_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A view of somebody else's bytes; owns nothing. */
struct bytes {
	const uint8_t *p;
	size_t n;
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
	return (struct bytes){ .p = (const uint8_t *)p, .n = n };
}

/* The bytes of a C string, without its NUL. */
struct bytes bytes_of_str(const char *s);

bool bytes_equal(struct bytes a, struct bytes b);

/* Order of memcmp; of two that agree as far as the shorter goes, the shorter is first. <0, 0, >0. */
int bytes_compare(struct bytes a, struct bytes b);

/* Owned bytes that grow up to @max. Zero-initialised with a maximum set is a valid empty buffer. */
struct buf {
	uint8_t *p;
	size_t n;   /* bytes used */
	size_t cap; /* bytes allocated */
	size_t max; /* appending beyond is ERR_FORMAT */
};

/* An empty buffer, for declarations: struct buf b = BUF_INIT(4096); */
#define BUF_INIT(max_bytes) ((struct buf){ .max = (max_bytes) })

/* Frees the storage; the maximum stays and the buffer can be used again. */
void buf_fini(struct buf *b);

static inline struct bytes buf_bytes(const struct buf *b)
{
	return bytes_of(b->p, b->n);
}

/* Return: 0; -1: ERR_FORMAT "limit" beyond the maximum, ERR_SYSTEM out of memory. The buffer is unchanged on failure. */
int buf_append(struct buf *b, const void *p, size_t n, struct err *e);
int buf_append_str(struct buf *b, const char *s, struct err *e);
int buf_printf(struct buf *b, struct err *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Room for @n more bytes at b->p + b->n; after filling k of them the caller adds k to b->n. Errors as buf_append(). */
int buf_reserve(struct buf *b, size_t n, struct err *e);

/* A NUL behind the last byte (not counted in b->n) and the bytes as a string, owned by the buffer; NULL on failure. */
const char *buf_str(struct buf *b, struct err *e);

/* 2 * @n lower-case digits and a NUL to @out. */
void hex_encode(const void *p, size_t n, char *out);

/**
 * hex_decode() - exactly @out_n bytes of the @hex_n characters at @hex; upper and lower case, no blanks
 * Return: true; false if the length is not 2 * @out_n or a character is no hex digit
 */
bool hex_decode(const char *hex, size_t hex_n, uint8_t *out, size_t out_n);

#endif
