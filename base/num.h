/* Sums on numbers from outside, strict reading of numbers from text, and byte order. All pure. */
#ifndef FLIPSIDE_BASE_NUM_H
#define FLIPSIDE_BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Each returns false, and leaves *@out unspecified, if the result does not fit. Use *@out only after true. */
static inline bool add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

static inline bool add_size(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool mul_size(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

/* @v up to the next multiple of @unit, which is not 0. */
static inline bool align_up_u64(uint64_t v, uint64_t unit, uint64_t *out)
{
	const uint64_t rest = v % unit;

	return add_u64(v, rest ? unit - rest : 0, out);
}

static inline bool is_pow2_u64(uint64_t v)
{
	return v && !(v & (v - 1));
}

/**
 * num_parse_u64() - a whole string as a decimal number
 * @s: digits only: no sign, blank or empty string; "007" is accepted as 7
 * Return: true with *@out in @min..@max; false and *@out untouched otherwise
 */
bool num_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/* The same for the @n bytes at @s, which need no NUL behind them. */
bool num_parse_u64_n(const char *s, size_t n, uint64_t min, uint64_t max, uint64_t *out);

/* Little-endian and big-endian integers at any alignment. */
uint16_t load_le16(const void *p);
uint32_t load_le32(const void *p);
uint64_t load_le64(const void *p);
uint32_t load_be32(const void *p);
void store_le16(void *p, uint16_t v);
void store_le32(void *p, uint32_t v);
void store_le64(void *p, uint64_t v);

#endif
