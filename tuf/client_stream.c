/*
 * A target's bytes from whichever mirror gives them: when one fails in the middle the next goes on at the same
 * byte. That is sound because all of it has to have the signed length and digests in the end, whoever sent which
 * part; the checks are stages above this one.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/client_state.h"
#include "tuf/url.h"

struct stream {
	struct source base;
	const struct tuf_client *c;
	char *path, *what;
	char hash[2 * DIGEST_MAX_BYTES + 1]; /* of the file's name; "": none */
	uint64_t length;
	struct tuf_sweep sweep;
	struct source *below; /* from the sweep's present mirror; NULL between two */
	uint64_t pos, swept_from; /* bytes handed out: now, and when the sweep began */
};

static int url_of(const struct stream *s, struct buf *url, struct err *e)
{
	if (tuf_url_target(tuf_sweep_url(&s->sweep), s->path, *s->hash ? s->hash : NULL, url, e) < 0 || !buf_str(url, e))
		return err_wrap(e, "URL of %s", s->what);
	return 0;
}

/*
 * The rest, from the present mirror. Here the limit is a signed length, so more is a matter of trust. One byte
 * beyond is let through to the stage above, which tells so as well when the server had not announced how much
 * would come.
 */
static int open_at(struct stream *s, struct err *e)
{
	struct buf url = BUF_INIT(TUF_FETCH_URL_MAX_BYTES);
	struct tuf_fetch_request q = {
		.what = s->what,
		.max_bytes = s->length == UINT64_MAX ? s->length : s->length + 1,
		.offset = s->pos,
		.elsewhere = !tuf_sweep_is_last(&s->sweep),
	};
	int r = url_of(s, &url, e);

	q.url = (const char *)url.p;
	if (r == 0)
		r = tuf_fetch_open_range(s->c->fetcher, &q, &s->below, e);
	if (r < 0 && e->reason && strcmp(e->reason, TUF_E_LIMIT) == 0)
		err_set(e, ERR_TRUST, TUF_E_LENGTH, "%s: longer than its signed length of %" PRIu64 " bytes", s->what, s->length);
	buf_fini(&url);
	return r;
}

/* The next mirror that has it. Return: 0; -1 with every mirror's failure */
static int open_next(struct stream *s, struct err *e)
{
	while (tuf_sweep_next(&s->sweep, tuf_client_now_ms())) {
		if (open_at(s, e) == 0) {
			tuf_sweep_served(&s->sweep);
			return 0;
		}
		if (tuf_sweep_failed(&s->sweep, tuf_client_now_ms(), e) < 0)
			return -1;
		tuf_client_note_failure(&s->sweep, e);
	}
	return tuf_sweep_error(&s->sweep, e);
}

/* After *@e in the middle. Each mirror may fail once until there is progress again. */
static int go_on(struct stream *s, struct err *e)
{
	if (s->pos - s->swept_from >= TUF_FETCH_PROGRESS_BYTES) {
		tuf_sweep_again(&s->sweep);
		s->swept_from = s->pos;
	}
	if (tuf_sweep_failed(&s->sweep, tuf_client_now_ms(), e) < 0)
		return -1;
	tuf_client_note_failure(&s->sweep, e);
	source_free(TAKE(s->below));
	return open_next(s, e);
}

static int stream_read(struct source *base, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct stream *s = (struct stream *)base;
	int r;

	while ((r = source_read(s->below, dst, cap, n, e)) < 0)
		if (go_on(s, e) < 0)
			return -1;
	if (r == 0)
		s->pos += *n;
	return r;
}

static void stream_free(struct source *base)
{
	struct stream *s = (struct stream *)base;

	source_free(s->below);
	free(s->path);
	free(s->what);
	free(s);
}

static const struct source_ops stream_ops = { .read = stream_read, .free = stream_free };

int tuf_client_stream(const struct tuf_client *c, const struct tuf_target *t, const char *what, struct source **out, struct err *e)
{
	struct stream *s = (struct stream *)calloc(1, sizeof(*s));

	if (!s)
		return err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", what);
	s->base.ops = &stream_ops;
	s->c = c;
	s->path = strdup(t->path);
	s->what = strdup(what);
	s->length = t->length;
	if (tuf_trusted_root(c->trusted)->consistent_snapshot)
		digest_hex(&t->hashes[0], s->hash);
	tuf_sweep_begin(&s->sweep, c->mirrors, TUF_MIRROR_TARGETS);
	if (!s->path || !s->what) {
		stream_free(&s->base);
		return err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", what);
	}
	if (open_next(s, e) < 0) {
		stream_free(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}
