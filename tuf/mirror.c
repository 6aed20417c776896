/*
 * A mirror that rests is not left out, only asked last: so the rest can save time and can never be what an update
 * fails of, and with one mirror it changes nothing.
 */
#include "tuf/mirror.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tuf/url.h"

#define BLANKS " \t"
#define SHORT_URL_BYTES 60

struct mirror {
	char *url[TUF_MIRROR_PARTS];
	uint32_t failures; /* of transport, in a row */
	uint64_t rests_until_ms;
};

struct tuf_mirrors {
	size_t n[TUF_MIRROR_PARTS];
	struct mirror v[TUF_MIRRORS_MAX];
};

static int add_url(struct tuf_mirrors *m, enum tuf_mirror_part part, const char *p, size_t n, const char *what, struct err *e)
{
	const size_t i = m->n[part];

	if (i == TUF_MIRRORS_MAX)
		return err_set(e, ERR_USAGE, "url", "%s: more than %d mirrors", what, TUF_MIRRORS_MAX);
	m->v[i].url[part] = strndup(p, n);
	if (!m->v[i].url[part])
		return err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", what);
	m->n[part]++;
	return tuf_url_check_base(m->v[i].url[part], what, e);
}

static int add_urls(struct tuf_mirrors *m, enum tuf_mirror_part part, const char *urls, const char *what, struct err *e)
{
	for (const char *p = urls ? urls + strspn(urls, BLANKS) : ""; *p; p += strspn(p, BLANKS)) {
		const size_t n = strcspn(p, BLANKS);

		if (add_url(m, part, p, n, what, e) < 0)
			return -1;
		p += n;
	}
	return !urls || m->n[part] ? 0 : err_set(e, ERR_USAGE, "url", "%s: it is empty", what);
}

int tuf_mirrors_new(const char *metadata_urls, const char *targets_urls, struct tuf_mirrors **out, struct err *e)
{
	CLEANUP(tuf_mirrors_free_p) struct tuf_mirrors *m = (struct tuf_mirrors *)calloc(1, sizeof(*m));

	if (!m)
		return err_set(e, ERR_SYSTEM, "memory", "mirrors: out of memory");
	if (add_urls(m, TUF_MIRROR_METADATA, metadata_urls, "metadata URL", e) < 0 ||
	    add_urls(m, TUF_MIRROR_TARGETS, targets_urls, "targets URL", e) < 0)
		return -1;
	const size_t n_metadata = m->n[TUF_MIRROR_METADATA], n_targets = m->n[TUF_MIRROR_TARGETS];

	if (n_metadata && n_targets && n_metadata != n_targets)
		return err_set(e, ERR_USAGE, "url", "mirrors: %zu metadata URLs and %zu targets URLs", n_metadata, n_targets);
	*out = TAKE(m);
	return 0;
}

void tuf_mirrors_free(struct tuf_mirrors *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < TUF_MIRRORS_MAX; i++)
		for (size_t part = 0; part < TUF_MIRROR_PARTS; part++)
			free(m->v[i].url[part]);
	free(m);
}

size_t tuf_mirrors_count(const struct tuf_mirrors *m, enum tuf_mirror_part part)
{
	return m->n[part];
}

const char *tuf_mirrors_url(const struct tuf_mirrors *m, size_t i, enum tuf_mirror_part part)
{
	return m->v[i].url[part];
}

void tuf_sweep_begin(struct tuf_sweep *s, struct tuf_mirrors *m, enum tuf_mirror_part part)
{
	*s = (struct tuf_sweep){ .m = m, .part = part };
}

static bool was_asked(const struct tuf_sweep *s, size_t i)
{
	return s->asked >> i & 1;
}

bool tuf_sweep_next(struct tuf_sweep *s, uint64_t now_ms)
{
	for (int resting = 0; resting < 2; resting++)
		for (size_t i = 0; i < s->m->n[s->part]; i++) {
			const struct mirror *v = &s->m->v[i];

			if (was_asked(s, i) || (!resting && v->failures && now_ms < v->rests_until_ms))
				continue;
			s->asked |= UINT32_C(1) << i;
			s->at = i;
			s->resting = resting;
			return true;
		}
	return false;
}

void tuf_sweep_again(struct tuf_sweep *s)
{
	const size_t at = s->at;

	tuf_sweep_begin(s, s->m, s->part);
	s->at = at;
	s->asked = UINT32_C(1) << at;
}

bool tuf_sweep_is_last(const struct tuf_sweep *s)
{
	for (size_t i = 0; i < s->m->n[s->part]; i++)
		if (!was_asked(s, i))
			return false;
	return true;
}

const char *tuf_sweep_url(const struct tuf_sweep *s)
{
	return s->m->v[s->at].url[s->part];
}

/* Of file:// mirrors: the folder is at fault, where other trouble of the system would meet the next mirror as well. */
static bool is_bad_folder(const struct err *e)
{
	return e->kind == ERR_SYSTEM && (e->sys == EIO || e->sys == EACCES || e->sys == EPERM || e->sys == ESTALE ||
					 e->sys == ENODEV || e->sys == ENXIO);
}

static bool is_mirrors_failure(const struct err *e)
{
	return e->kind == ERR_NETWORK || e->kind == ERR_MISSING || e->kind == ERR_FORMAT || e->kind == ERR_TRUST ||
	       is_bad_folder(e);
}

static void rest(struct mirror *v, uint64_t now_ms)
{
	uint64_t ms = TUF_MIRROR_REST_MS;

	for (uint32_t i = 0; i < v->failures && ms < TUF_MIRROR_REST_MAX_MS; i++)
		ms *= 2;
	v->rests_until_ms = now_ms + min_u64(ms, TUF_MIRROR_REST_MAX_MS);
	if (v->failures < UINT32_MAX)
		v->failures++;
}

/* What does not fit any more is left out: the first failures tell enough. */
static void note(struct tuf_sweep *s, const struct err *e)
{
	const size_t n = strlen(s->others);
	char shown[TUF_URL_SHOWN_BYTES];

	tuf_url_show(tuf_sweep_url(s), shown);
	if (strlen(shown) >= SHORT_URL_BYTES)
		memcpy(shown + SHORT_URL_BYTES - 4, "...", 4);
	if ((size_t)snprintf(s->others + n, sizeof(s->others) - n, "; also %s: %s", shown,
			     e->reason ? e->reason : err_kind_name(e->kind)) >= sizeof(s->others) - n)
		s->others[n] = 0;
}

int tuf_sweep_failed(struct tuf_sweep *s, uint64_t now_ms, const struct err *e)
{
	if (!is_mirrors_failure(e))
		return -1;
	s->missing = s->missing || e->kind == ERR_MISSING;
	if (e->kind == ERR_NETWORK || e->kind == ERR_SYSTEM)
		rest(&s->m->v[s->at], now_ms);
	if (s->n_failed++ == 0)
		s->first = *e;
	else
		note(s, e);
	return 0;
}

void tuf_sweep_served(struct tuf_sweep *s)
{
	s->m->v[s->at].failures = 0;
}

int tuf_sweep_error(const struct tuf_sweep *s, struct err *e)
{
	const size_t room = sizeof(s->first.msg) - 1 - strlen(s->others);

	if (!s->n_failed)
		return err_set(e, ERR_BUG, NULL, "no mirror was asked");
	*e = s->first;
	if (strlen(e->msg) > room) /* its middle names the URL, its end the cause */
		memmove(e->msg + room / 2, e->msg + strlen(e->msg) - (room - room / 2), room - room / 2 + 1);
	memcpy(e->msg + strlen(e->msg), s->others, strlen(s->others) + 1);
	return -1;
}
