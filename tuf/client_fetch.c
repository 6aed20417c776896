/*
 * A metadata file from the first mirror whose copy can be trusted. Fetching and verifying go together here, since
 * only both tell whether a mirror served: the trusted set is unchanged by a copy that it refused, so the next
 * mirror's is judged as if it were the first.
 *
 * The next root is different, as there "not found" is an answer: it ends the chain. A mirror that lags must not
 * hide a newer root, so the chain ends only when every mirror that answers has no further one. Mirrors that rest
 * are not woken for that, nor does one that cannot be reached stop it: a dead mirror would stop every update.
 * With one mirror all this is one request, and its answer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "tuf/client_state.h"
#include "tuf/url.h"

#define FILE_NAME_BYTES (TUF_NAME_MAX_BYTES + 40)

uint64_t tuf_client_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* From the present mirror. What is left to try elsewhere is not tried twice here. */
static int fetch_from(const struct tuf_client *c, const struct tuf_sweep *s, const char *role, const struct tuf_next *next,
		      struct buf *out, struct err *e)
{
	struct tuf_fetch_request q = { .max_bytes = next->max_bytes, .elsewhere = !tuf_sweep_is_last(s) };
	struct buf url = BUF_INIT(TUF_FETCH_URL_MAX_BYTES);
	char what[FILE_NAME_BYTES], number[24] = "";
	int r = -1;

	if (next->version)
		snprintf(number, sizeof(number), "%" PRIu64 ".", next->version);
	snprintf(what, sizeof(what), "%s%s.json", number, role);
	*out = (struct buf){ .max = next->max_bytes };
	if (tuf_url_metadata(tuf_sweep_url(s), next->version, role, &url, e) < 0 || !buf_str(&url, e))
		err_wrap(e, "URL of %s", what);
	else {
		q.url = (const char *)url.p;
		q.what = what;
		r = tuf_fetch_whole(c->fetcher, &q, out, e);
	}
	buf_fini(&url);
	return r;
}

void tuf_client_note_failure(const struct tuf_sweep *s, const struct err *e)
{
	if (!tuf_sweep_is_last(s))
		log_debug("%s; asking the next mirror", e->msg);
}

int tuf_client_fetch(const struct tuf_client *c, const char *role, const struct tuf_next *next, tuf_accept_fn accept, void *ctx,
		     struct buf *out, struct err *e)
{
	const bool is_root = strcmp(role, "root") == 0;
	struct tuf_sweep s;

	if (!tuf_mirrors_count(c->mirrors, TUF_MIRROR_METADATA))
		return err_set(e, ERR_USAGE, "url", "%s: no metadata URL was given", role);
	if (c->offline)
		return err_set(e, ERR_STATE, "offline", "%s: not in the store, and this is offline", role);
	tuf_sweep_begin(&s, c->mirrors, TUF_MIRROR_METADATA);
	while (tuf_sweep_next(&s, tuf_client_now_ms()) && !(is_root && s.missing && s.resting)) {
		int r = fetch_from(c, &s, role, next, out, e);

		if (r == 0)
			r = accept(ctx, buf_bytes(out), e);
		if (r >= 0) {
			tuf_sweep_served(&s);
			return r;
		}
		buf_fini(out);
		if (tuf_sweep_failed(&s, tuf_client_now_ms(), e) < 0)
			return -1;
		tuf_client_note_failure(&s, e);
	}
	if (is_root && s.missing)
		return err_set(e, ERR_MISSING, TUF_E_HTTP, "%" PRIu64 ".root.json: no mirror has it", next->version);
	return tuf_sweep_error(&s, e);
}
