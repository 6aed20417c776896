/*
 * libcurl pushes, sources are pulled. A transfer is an easy handle on the fetcher's multi handle with a buffer
 * between: the write callback fills it and pauses the transfer when it is full, reading drains it and lets the
 * transfer go on.
 *
 * Invariants:
 * - What a reader got stays: a stream goes on at the byte where it stopped, or fails.
 * - The buffer holds what is before @pos in the file, without a gap, whichever try brought it.
 * - file:// does not go through curl, which cannot pause it and does not tell a missing file from an unreadable one.
 */
#include "tuf/fetch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"
#include "tuf/fetch_file.h"
#include "tuf/fetch_internal.h"
#include "tuf/tuf.h"

#define STOP_LOOK_MS 200
#define IDLE_TIMEOUT_MS 30000

/* Lets every transfer of the fetcher go on, and notes those that have ended. */
static int fetcher_drive(struct tuf_fetcher *f, struct err *e)
{
	int running, left;
	const CURLMcode r = curl_multi_perform(f->multi, &running);
	CURLMsg *m;

	if (r != CURLM_OK)
		return err_set(e, ERR_SYSTEM, NULL, "curl: %s", curl_multi_strerror(r));
	while ((m = curl_multi_info_read(f->multi, &left)) != NULL) {
		char *owner = NULL;

		if (m->msg != CURLMSG_DONE || curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &owner) != CURLE_OK)
			continue;
		struct transfer *t = (struct transfer *)(void *)owner;

		t->ended = true;
		t->result = m->data.result;
	}
	return 0;
}

static uint32_t idle_timeout_ms(const struct tuf_fetcher *f)
{
	return f->o.idle_timeout_ms ? f->o.idle_timeout_ms : IDLE_TIMEOUT_MS;
}

/*
 * Time counts only while somebody waits in here, so a slow reader is not taken for a slow server. Every window of
 * one idle time-out has to bring a minimum; a window that brought enough is followed by a new one.
 */
static int slow_check(struct transfer *t, uint64_t waited_ms, struct err *e)
{
	const uint64_t window_ms = idle_timeout_ms(t->f);
	const uint64_t due = window_ms * TUF_FETCH_MIN_BYTES_PER_SEC / 1000;

	t->waited_ms += waited_ms;
	if (t->waited_ms < window_ms || t->ended)
		return 0;
	if (t->window_bytes <= due)
		return err_set(e, ERR_NETWORK, TUF_E_TIMEOUT, "%s: %s: only %" PRIu64 " bytes came in %" PRIu64 " ms",
			       t->what, t->shown, t->window_bytes, t->waited_ms);
	t->waited_ms = t->window_bytes = 0;
	return 0;
}

/* Waits until something has happened, at most until the stop flag is due to be looked at. */
static int transfer_poll(struct transfer *t, struct err *e)
{
	const uint64_t window_ms = idle_timeout_ms(t->f);
	const uint64_t left = t->waited_ms < window_ms ? window_ms - t->waited_ms : 1;
	const uint64_t start = fetch_now_ms();
	const CURLMcode r = curl_multi_poll(t->f->multi, NULL, 0, (int)min_u64(left, STOP_LOOK_MS), NULL);

	if (r != CURLM_OK)
		return err_set(e, ERR_SYSTEM, NULL, "curl: %s", curl_multi_strerror(r));
	if (fetcher_drive(t->f, e) < 0)
		return -1;
	return slow_check(t, fetch_now_ms() - start, e);
}

static int transfer_start(struct transfer *t, struct err *e)
{
	t->head = (struct fetch_head){ .length = FETCH_UNKNOWN };
	t->status = 0;
	t->trouble = FETCH_FINE;
	t->in_body = t->at_end = t->paused = t->ended = false;
	t->skip = t->due = t->ignored = t->waited_ms = t->window_bytes = 0;
	t->curl_says[0] = 0;
	if (fetch_set_range(t, e) < 0)
		return -1;
	log_debug("GET %s%s", t->shown, t->asked_range ? ", a part" : "");

	const CURLMcode r = curl_multi_add_handle(t->f->multi, t->easy);

	if (r != CURLM_OK)
		return err_set(e, ERR_SYSTEM, NULL, "curl: %s", curl_multi_strerror(r));
	return fetcher_drive(t->f, e);
}

/* After a failure in *@e: a new try if one is left. Return: 0 it runs; -1 with *@e as it was, or why no new try began */
static int transfer_again(struct transfer *t, bool again, struct err *e)
{
	const struct err why = *e;

	if (!fetch_may_try_again(t, again))
		return -1;
	curl_multi_remove_handle(t->f->multi, t->easy);
	if (fetch_back_off(t, &why, e) < 0)
		return -1;
	return transfer_start(t, e);
}

/* Until there are bytes to hand out (0), or the body is complete (SOURCE_END). */
static int transfer_wait(struct transfer *t, struct err *e)
{
	for (;;) {
		bool again = false;
		int r = t->ended ? fetch_verdict(t, &again, e) : 0;

		/* Bytes that came before a failure, unless the next try may bring others in their place. */
		if (t->to > t->from && (r == 0 || t->handed_out || !fetch_may_try_again(t, again)))
			return 0;
		if (r == 0 && t->ended)
			return SOURCE_END;
		if (fetch_stop_check(t->f, e) < 0)
			return -1;
		if (r == 0 && t->paused) {
			t->paused = false;
			t->result = curl_easy_pause(t->easy, CURLPAUSE_CONT); /* calls fetch_on_body() */
			t->ended = t->ended || t->result != CURLE_OK;
			continue;
		}
		if (r == 0 && transfer_poll(t, e) < 0) {
			r = -1;
			again = e->kind == ERR_NETWORK;
		}
		if (r < 0 && transfer_again(t, again, e) < 0)
			return -1;
	}
}

static int transfer_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct transfer *t = (struct transfer *)s;
	const int r = transfer_wait(t, e);

	if (r != 0)
		return r;
	*n = min_size(cap, t->to - t->from);
	memcpy(dst, t->buffer + t->from, *n);
	t->from += *n;
	t->handed_out = !t->restarts;
	return 0;
}

static void transfer_free(struct source *s)
{
	struct transfer *t = (struct transfer *)s;

	if (t->n_skipped)
		log_debug("%s: %" PRIu64 " bytes came more than once", t->shown, t->n_skipped);
	if (t->easy) {
		curl_multi_remove_handle(t->f->multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->if_range);
	free(t->url);
	free(t->what);
	free(t);
}

static const struct source_ops transfer_ops = { .read = transfer_read, .free = transfer_free };

/* @url and the query, in new memory. */
static int with_query(const struct tuf_fetcher *f, const char *url, char **out, struct err *e)
{
	struct buf b = BUF_INIT(TUF_FETCH_URL_MAX_BYTES);
	const char *mark = strchr(url, '?') ? "&" : "?";
	const bool has = f->o.query && f->o.query[0];

	if (buf_printf(&b, e, "%s%s%s", url, has ? mark : "", has ? f->o.query : "") < 0 || !buf_str(&b, e)) {
		buf_fini(&b);
		return err_wrap(e, "URL");
	}
	*out = (char *)b.p;
	return 0;
}

static int transfer_new(struct tuf_fetcher *f, const struct tuf_fetch_request *q, struct transfer **out, struct err *e)
{
	struct transfer *t = (struct transfer *)calloc(1, sizeof(*t));

	if (!t)
		return err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", q->what);
	t->base.ops = &transfer_ops;
	t->f = f;
	t->max_bytes = q->max_bytes;
	t->elsewhere = q->elsewhere;
	t->begin = t->pos = t->progress_from = q->offset;
	t->file.total = FETCH_UNKNOWN;
	t->what = strdup(q->what);
	tuf_url_show(q->url, t->shown);
	if (!t->what) {
		transfer_free(&t->base);
		return err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", q->what);
	}
	if (with_query(f, q->url, &t->url, e) < 0 || fetch_set_up(t, e) < 0) {
		transfer_free(&t->base);
		return -1;
	}
	*out = t;
	return 0;
}

static int request_check(const struct tuf_fetcher *f, const struct tuf_fetch_request *q, struct err *e)
{
	const enum tuf_scheme scheme = tuf_url_scheme(q->url);
	char shown[TUF_URL_SHOWN_BYTES];

	tuf_url_show(q->url, shown);
	if (fetch_stop_check(f, e) < 0)
		return -1;
	if (scheme == TUF_SCHEME_OTHER || (scheme == TUF_SCHEME_HTTP && !f->o.allow_http))
		return err_set(e, ERR_USAGE, "url", "%s: %s: only %shttps and file URLs are allowed", q->what, shown,
			       f->o.allow_http ? "http, " : "");
	if (q->offset > q->max_bytes)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "%s: %s: more than %" PRIu64 " bytes", q->what, shown, q->max_bytes);
	return 0;
}

/* Curl and what is below it take milliseconds to start, so they wait for the first request that is not for a file. */
static int start_curl(struct tuf_fetcher *f, struct err *e)
{
	if (f->multi)
		return 0;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, ERR_SYSTEM, NULL, "curl does not start");
	f->multi = curl_multi_init();
	if (f->multi)
		return 0;
	curl_global_cleanup();
	return err_set(e, ERR_SYSTEM, "memory", "fetcher: out of memory");
}

/* @whole: not NULL for a body that may begin again; gets the transfer, or NULL for a local file. */
static int request_open(struct tuf_fetcher *f, const struct tuf_fetch_request *q, struct transfer **whole, struct source **out,
			struct err *e)
{
	struct transfer *t = NULL;

	if (request_check(f, q, e) < 0)
		return -1;
	if (tuf_url_scheme(q->url) == TUF_SCHEME_FILE)
		return tuf_fetch_file_range(q, out, e);
	if (start_curl(f, e) < 0 || transfer_new(f, q, &t, e) < 0)
		return -1;
	t->restarts = whole != NULL;
	if (transfer_start(t, e) < 0 || transfer_wait(t, e) < 0) {
		transfer_free(&t->base);
		return -1;
	}
	if (whole)
		*whole = t;
	*out = &t->base;
	return 0;
}

int tuf_fetch_open_range(struct tuf_fetcher *f, const struct tuf_fetch_request *q, struct source **out, struct err *e)
{
	return request_open(f, q, NULL, out, e);
}

int tuf_fetch_open(struct tuf_fetcher *f, const char *url, uint64_t max_bytes, const char *what, struct source **out,
		   struct err *e)
{
	const struct tuf_fetch_request q = { .url = url, .what = what, .max_bytes = max_bytes };

	return request_open(f, &q, NULL, out, e);
}

int tuf_fetch_whole(struct tuf_fetcher *f, const struct tuf_fetch_request *q, struct buf *out, struct err *e)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	struct transfer *t = NULL;
	const size_t before = out->n;
	uint32_t starts = 0;
	uint8_t piece[16 * 1024];
	size_t n;
	int r;

	if (request_open(f, q, &t, &s, e) < 0)
		return -1;
	while ((r = source_read(s, piece, sizeof(piece), &n, e)) >= 0) {
		if (t && t->starts != starts)
			out->n = before;
		starts = t ? t->starts : 0;
		if (r == SOURCE_END)
			return 0;
		if (buf_append(out, piece, n, e) < 0)
			return err_wrap(e, "%s", q->what);
	}
	return -1;
}

int tuf_fetcher_new(const struct tuf_fetch_options *o, struct tuf_fetcher **out, struct err *e)
{
	struct tuf_fetcher *f = (struct tuf_fetcher *)calloc(1, sizeof(*f));

	if (!f)
		return err_set(e, ERR_SYSTEM, "memory", "fetcher: out of memory");
	f->o = *o;
	f->jitter = o->jitter_seed ? o->jitter_seed : 1; /* 0 would stay 0 */
	*out = f;
	return 0;
}

void tuf_fetcher_free(struct tuf_fetcher *f)
{
	if (!f)
		return;
	if (f->multi) {
		curl_multi_cleanup(f->multi);
		curl_global_cleanup();
	}
	free(f);
}
