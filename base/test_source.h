/* A source for tests: chosen bytes in pieces of a chosen size, which may fail on the way and tells whether it was
 * freed. */
#ifndef FLIPSIDE_BASE_TEST_SOURCE_H
#define FLIPSIDE_BASE_TEST_SOURCE_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/stream.h"

#define TEST_NO_FAILURE SIZE_MAX

struct test_source {
	struct source base;
	struct bytes rest;
	size_t piece;	/* at most so many bytes in a read */
	size_t fail_at; /* ERR_NETWORK "test" instead of the byte so many bytes in */
	bool *ended;	/* set when the end was told; or NULL */
	bool *freed;
};

static inline int test_source_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct test_source *t = (struct test_source *)s;

	if (t->fail_at == 0)
		return err_set(e, ERR_NETWORK, "test", "the line went dead");
	if (t->rest.n == 0) {
		if (t->ended)
			*t->ended = true;
		return SOURCE_END;
	}
	*n = min_size(min_size(cap, t->piece), min_size(t->rest.n, t->fail_at));
	memcpy(dst, t->rest.p, *n);
	t->rest = bytes_of(t->rest.p + *n, t->rest.n - *n);
	if (t->fail_at != TEST_NO_FAILURE)
		t->fail_at -= *n;
	return 0;
}

static inline void test_source_free(struct source *s)
{
	struct test_source *t = (struct test_source *)s;

	if (t->freed)
		*t->freed = true;
	free(t);
}

static inline struct source *test_source_new(struct bytes in, size_t piece, size_t fail_at, bool *ended, bool *freed)
{
	static const struct source_ops ops = { .read = test_source_read, .free = test_source_free };
	struct test_source *t = calloc(1, sizeof(*t));

	assert(t);
	*t = (struct test_source){ .rest = in, .piece = piece, .fail_at = fail_at, .ended = ended, .freed = freed };
	t->base.ops = &ops;
	return &t->base;
}

/* All of @s in reads of @cap bytes, appended to @out. Return: SOURCE_END or -1 */
static inline int test_source_drain(struct source *s, size_t cap, struct buf *out, struct err *e)
{
	int r;

	do {
		size_t n;

		if (buf_reserve(out, cap, e) < 0)
			return -1;
		r = source_read(s, out->p + out->n, cap, &n, e);
		out->n += n;
	} while (r == 0);
	return r;
}

#endif
