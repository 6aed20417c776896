/*
 * The stages that check what passes: exact length, limit, digest, tap. Each looks for the end below before it
 * tells its own, so that the checks of all stages underneath have been made when the topmost says SOURCE_END.
 */
#include "base/stream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

/* What all stages here begin with. */
struct stage {
	struct source base;
	struct source *below; /* owned once the constructor has succeeded */
	char *what;
};

/* Zeroed memory for a stage of @size bytes; does not take @below over yet: set it last. Return: NULL with *e filled */
static void *stage_new(size_t size, const struct source_ops *ops, const char *what, struct err *e)
{
	struct stage *s = calloc(1, size);
	char *name = strdup(what);

	if (!s || !name) {
		free(s);
		free(name);
		errno = ENOMEM;
		(void)err_sys(e, "a stage for %s", what);
		return NULL;
	}
	s->base.ops = ops;
	s->what = name;
	return s;
}

static void stage_free(struct source *base)
{
	struct stage *s = (struct stage *)base;

	source_free(s->below);
	free(s->what);
	free(s);
}

static int take_below(struct stage *s, struct source *below, struct source **out)
{
	s->below = below;
	*out = &s->base;
	return 0;
}

struct counted {
	struct stage stage;
	uint64_t max, rest;
};

/* At the last byte allowed: the end below is due. Return: SOURCE_END; 0 if there is a byte more; -1 */
static int end_due(struct counted *c, struct err *e)
{
	uint8_t extra;
	size_t n;

	return source_read(c->stage.below, &extra, 1, &n, e);
}

static int counted_read(struct counted *c, void *dst, size_t cap, size_t *n, struct err *e)
{
	const int r = source_read(c->stage.below, dst, (size_t)min_u64(cap, c->rest), n, e);

	if (r == 0)
		c->rest -= *n;
	return r;
}

static int counted_new(const struct source_ops *ops, struct source *below, uint64_t max, const char *what,
		       struct source **out, struct err *e)
{
	struct counted *c = stage_new(sizeof(*c), ops, what, e);

	if (!c)
		return -1;
	c->max = c->rest = max;
	return take_below(&c->stage, below, out);
}

static int exact_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct counted *c = (struct counted *)s;

	if (c->rest == 0) {
		const int r = end_due(c, e);

		return r ? r
			 : err_set(e, ERR_TRUST, "length", "%s: more than the %" PRIu64 " bytes it should have",
				   c->stage.what, c->max);
	}
	const int r = counted_read(c, dst, cap, n, e);

	if (r == SOURCE_END)
		return err_set(e, ERR_TRUST, "length", "%s: %" PRIu64 " bytes instead of %" PRIu64, c->stage.what,
			       c->max - c->rest, c->max);
	return r;
}

int source_exact_new(struct source *below, uint64_t length, const char *what, struct source **out, struct err *e)
{
	static const struct source_ops ops = { .read = exact_read, .free = stage_free };

	return counted_new(&ops, below, length, what, out, e);
}

static int limit_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct counted *c = (struct counted *)s;

	if (c->rest > 0)
		return counted_read(c, dst, cap, n, e);
	const int r = end_due(c, e);

	return r ? r
		 : err_set(e, ERR_FORMAT, "limit", "%s: more than the %" PRIu64 " bytes allowed", c->stage.what, c->max);
}

int source_limit_new(struct source *below, uint64_t max, const char *what, struct source **out, struct err *e)
{
	static const struct source_ops ops = { .read = limit_read, .free = stage_free };

	return counted_new(&ops, below, max, what, out, e);
}

struct digested {
	struct stage stage;
	struct digest expected;
	struct digest_ctx *ctx;
};

static int digest_compare(struct digested *d, struct err *e)
{
	char want[2 * DIGEST_MAX_BYTES + 1], have[2 * DIGEST_MAX_BYTES + 1];
	struct digest got;

	if (digest_final(d->ctx, &got, e) < 0)
		return err_wrap(e, "%s", d->stage.what);
	if (digest_equal(&got, &d->expected))
		return SOURCE_END;
	digest_hex(&got, have);
	digest_hex(&d->expected, want);
	return err_set(e, ERR_TRUST, "digest", "%s: %s is %.16s..., expected %.16s...", d->stage.what,
		       digest_name(got.alg), have, want);
}

static int digest_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct digested *d = (struct digested *)s;
	const int r = source_read(d->stage.below, dst, cap, n, e);

	if (r == SOURCE_END)
		return digest_compare(d, e);
	if (r == 0 && digest_update(d->ctx, dst, *n, e) < 0)
		return err_wrap(e, "%s", d->stage.what);
	return r;
}

static void digested_free(struct source *s)
{
	digest_free(((struct digested *)s)->ctx);
	stage_free(s);
}

int source_digest_new(struct source *below, const struct digest *expected, const char *what, struct source **out,
		      struct err *e)
{
	static const struct source_ops ops = { .read = digest_read, .free = digested_free };
	CLEANUP(digest_free_p) struct digest_ctx *ctx = NULL;

	if (digest_new(expected->alg, &ctx, e) < 0)
		return err_wrap(e, "%s", what);
	struct digested *d = stage_new(sizeof(*d), &ops, what, e);

	if (!d)
		return -1;
	d->ctx = TAKE(ctx);
	d->expected = *expected;
	return take_below(&d->stage, below, out);
}

struct tap {
	struct stage stage;
	source_seen_fn seen;
	void *ctx;
};

static int tap_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct tap *t = (struct tap *)s;
	const int r = source_read(t->stage.below, dst, cap, n, e);

	if (r == 0 && t->seen(t->ctx, dst, *n, e) < 0)
		return -1;
	return r;
}

int source_tap_new(struct source *below, source_seen_fn seen, void *ctx, struct source **out, struct err *e)
{
	static const struct source_ops ops = { .read = tap_read, .free = stage_free };
	struct tap *t = stage_new(sizeof(*t), &ops, "tap", e);

	if (!t)
		return -1;
	t->seen = seen;
	t->ctx = ctx;
	return take_below(&t->stage, below, out);
}
