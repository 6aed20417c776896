/* Buffers grow by doubling up to their maximum, so that appending byte by byte stays linear. */
#include "base/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define BUF_FIRST_BYTES 256

struct bytes bytes_of_str(const char *s)
{
	return bytes_of(s, strlen(s));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int bytes_compare(struct bytes a, struct bytes b)
{
	const size_t n = min_size(a.n, b.n);
	const int order = n ? memcmp(a.p, b.p, n) : 0;

	if (order)
		return order;
	return (a.n > b.n) - (a.n < b.n);
}

void buf_fini(struct buf *b)
{
	free(b->p);
	b->p = NULL;
	b->n = b->cap = 0;
}

int buf_reserve(struct buf *b, size_t n, struct err *e)
{
	size_t need, cap;

	if (!add_size(b->n, n, &need) || need > b->max)
		return err_set(e, ERR_FORMAT, "limit", "more than %zu bytes", b->max);
	if (need <= b->cap)
		return 0;
	cap = b->cap ? b->cap : BUF_FIRST_BYTES;
	while (cap < need)
		if (!mul_size(cap, 2, &cap))
			cap = need;
	cap = cap > b->max ? b->max : cap;
	uint8_t *p = realloc(b->p, cap);
	if (!p) {
		errno = ENOMEM;
		return err_sys(e, "a buffer of %zu bytes", cap);
	}
	b->p = p;
	b->cap = cap;
	return 0;
}

int buf_append(struct buf *b, const void *p, size_t n, struct err *e)
{
	if (n == 0)
		return 0;
	if (buf_reserve(b, n, e) < 0)
		return -1;
	memcpy(b->p + b->n, p, n);
	b->n += n;
	return 0;
}

int buf_append_str(struct buf *b, const char *s, struct err *e)
{
	return buf_append(b, s, strlen(s), e);
}

int buf_printf(struct buf *b, struct err *e, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	const int n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		errno = ENOMEM;
		return err_sys(e, "formatting text");
	}
	const int r = buf_append(b, text, (size_t)n, e);
	free(text);
	return r;
}

const char *buf_str(struct buf *b, struct err *e)
{
	static const uint8_t nul = 0;

	if (buf_append(b, &nul, 1, e) < 0)
		return NULL;
	b->n--;
	return (const char *)b->p;
}

void hex_encode(const void *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[b[i] >> 4];
		out[2 * i + 1] = digits[b[i] & 15];
	}
	out[2 * n] = '\0';
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_decode(const char *hex, size_t hex_n, uint8_t *out, size_t out_n)
{
	if (hex_n % 2 || hex_n / 2 != out_n)
		return false;
	for (size_t i = 0; i < out_n; i++) {
		const int hi = hex_digit(hex[2 * i]), lo = hex_digit(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}
