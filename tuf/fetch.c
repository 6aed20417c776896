/*
 * libcurl pushes, sources are pulled. A transfer is an easy handle on the fetcher's multi handle with a buffer between: the write
 * callback fills it and pauses the transfer when it is full, reading drains it and lets the transfer go on.
 *
 * Invariants:
 * - Bytes of a body are in the buffer only if the status is 200, and never more of them than the limit.
 * - After the first byte was handed out a transfer is never started again: the reader cannot take bytes back.
 * - HTTP/1.1 only: over HTTP/2 curl takes in a paused stream's whole window, tens of megabytes.
 * - file:// does not go through curl, which cannot pause it and does not tell a missing file from an unreadable one.
 */
#include "tuf/fetch.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/num.h"
#include "tuf/fetch_file.h"
#include "tuf/tuf.h"
#include "tuf/url.h"

#define STOP_LOOK_MS 200
#define CONNECT_TIMEOUT_MS 10000
#define IDLE_TIMEOUT_MS 30000
#define BACKOFF_MS 500
#define ERROR_BODY_MAX_BYTES (64 * 1024) /* of an error's page, read so that the connection can be used again */

struct tuf_fetcher {
	struct tuf_fetch_options o;
	CURLM *multi;
	uint64_t jitter;
};

struct transfer {
	struct source base;
	struct tuf_fetcher *f;
	CURL *easy;
	char *url; /* with the query */
	char *what;
	char shown[TUF_URL_SHOWN_BYTES];
	char curl_says[CURL_ERROR_SIZE];
	uint64_t max_bytes;

	/* of the present try */
	uint64_t received, skipped; /* bytes of a 200's body, of another status' body */
	uint64_t announced;	    /* Content-Length of the present response; UINT64_MAX: none */
	bool too_long, paused, ended;
	CURLcode result;	       /* once ended */
	uint64_t waited_ms, window_bytes; /* see slow_check() */

	uint32_t tries; /* that have failed */
	bool handed_out;
	size_t head, tail; /* of @buffer: what waits for the reader */
	uint8_t buffer[TUF_FETCH_BUFFER_BYTES];
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static long status_of(const struct transfer *t)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	return status;
}

static bool announces_too_much(const struct transfer *t)
{
	return t->announced != UINT64_MAX && t->announced > t->max_bytes;
}

/* One header line; a status line begins each response, an empty line ends its headers. */
static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	static const char name[] = "content-length:";
	struct transfer *t = (struct transfer *)ctx;
	const char *end = p + n;

	(void)size; /* curl: always 1 */
	t->window_bytes += n;
	if (n >= 5 && memcmp(p, "HTTP/", 5) == 0)
		t->announced = UINT64_MAX;
	if (n > sizeof(name) - 1 && strncasecmp(p, name, sizeof(name) - 1) == 0) {
		const char *v = p + sizeof(name) - 1;

		while (v < end && (*v == ' ' || *v == '\t'))
			v++;
		while (end > v && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t'))
			end--;
		if (!num_parse_u64_n(v, (size_t)(end - v), 0, UINT64_MAX - 1, &t->announced))
			t->announced = UINT64_MAX; /* curl has its own opinion of a malformed one */
	}
	if ((n == 2 && memcmp(p, "\r\n", 2) == 0) && status_of(t) == 200 && announces_too_much(t)) {
		t->too_long = true;
		return 0; /* ends the transfer with CURLE_WRITE_ERROR */
	}
	return n;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = (struct transfer *)ctx;

	(void)size;
	if (status_of(t) != 200) {
		t->window_bytes += n;
		t->skipped += n;
		return t->skipped > ERROR_BODY_MAX_BYTES ? 0 : n;
	}
	if (t->head == t->tail)
		t->head = t->tail = 0;
	if (n > sizeof(t->buffer) - t->tail) {
		t->paused = true;
		return CURL_WRITEFUNC_PAUSE; /* the same bytes come again */
	}
	const size_t take = (size_t)min_u64(n, t->max_bytes - t->received);

	memcpy(t->buffer + t->tail, p, take);
	t->tail += take;
	t->received += take;
	t->window_bytes += take;
	t->too_long = take < n;
	return take; /* less than all of it ends the transfer */
}

static int stop_check(const struct tuf_fetcher *f, struct err *e)
{
	if (f->o.stop && *f->o.stop)
		return err_set(e, ERR_STATE, "interrupted", "interrupted");
	return 0;
}

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
 * Time counts only while somebody waits in here, so a slow reader is not taken for a slow server. Every window of one idle time-out has to
 * bring a minimum; a window that brought enough is followed by a new one.
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
	const uint64_t start = now_ms();
	const CURLMcode r = curl_multi_poll(t->f->multi, NULL, 0, (int)min_u64(left, STOP_LOOK_MS), NULL);

	if (r != CURLM_OK)
		return err_set(e, ERR_SYSTEM, NULL, "curl: %s", curl_multi_strerror(r));
	if (fetcher_drive(t->f, e) < 0)
		return -1;
	return slow_check(t, now_ms() - start, e);
}

/* Trouble that may be gone at the next try. Wrong certificates, refused redirects and limits are not. */
static bool is_passing_trouble(CURLcode c)
{
	switch ((int)c) { /* the enum has a hundred values */
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SSL_CONNECT_ERROR:
		return true;
	default:
		return false;
	}
}

/* What a transfer that has ended comes to. Return: 0 a complete body; -1, with *@again set if another try may help */
static int transfer_verdict(const struct transfer *t, bool *again, struct err *e)
{
	const long status = status_of(t);

	*again = false;
	if (t->too_long)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "%s: %s: more than %" PRIu64 " bytes", t->what, t->shown,
			       t->max_bytes);
	if (t->result == CURLE_TOO_MANY_REDIRECTS || t->result == CURLE_UNSUPPORTED_PROTOCOL)
		return err_set(e, ERR_NETWORK, TUF_E_HTTP, "%s: %s: redirect refused: %s", t->what, t->shown,
			       t->curl_says[0] ? t->curl_says : curl_easy_strerror(t->result));
	if (status == 403 || status == 404 || status == 410)
		return err_set(e, ERR_MISSING, TUF_E_HTTP, "%s: %s: status %ld", t->what, t->shown, status);
	if (status != 200 && status != 0 && (t->result == CURLE_OK || t->result == CURLE_WRITE_ERROR)) {
		*again = status >= 500 || status == 429;
		return err_set(e, ERR_NETWORK, TUF_E_HTTP, "%s: %s: status %ld", t->what, t->shown, status);
	}
	if (t->result == CURLE_OK)
		return 0;
	*again = is_passing_trouble(t->result);
	return err_set(e, ERR_NETWORK, t->result == CURLE_OPERATION_TIMEDOUT ? TUF_E_TIMEOUT : TUF_E_TRANSPORT,
		       "%s: %s: %s", t->what, t->shown,
		       t->curl_says[0] ? t->curl_says : curl_easy_strerror(t->result));
}

static int transfer_start(struct transfer *t, struct err *e)
{
	t->received = t->skipped = t->waited_ms = t->window_bytes = 0;
	t->announced = UINT64_MAX;
	t->too_long = t->paused = t->ended = false;
	t->head = t->tail = 0;
	t->curl_says[0] = 0;
	log_debug("GET %s", t->shown);

	const CURLMcode r = curl_multi_add_handle(t->f->multi, t->easy);

	if (r != CURLM_OK)
		return err_set(e, ERR_SYSTEM, NULL, "curl: %s", curl_multi_strerror(r));
	return fetcher_drive(t->f, e);
}

/* xorshift64*: good enough to keep hosts apart, and the same for the same seed. */
static uint64_t jitter_next(struct tuf_fetcher *f)
{
	f->jitter ^= f->jitter >> 12;
	f->jitter ^= f->jitter << 25;
	f->jitter ^= f->jitter >> 27;
	return (f->jitter * UINT64_C(0x2545F4914F6CDD1D)) >> 33;
}

/* Half of 2^(tries-1) back-offs, and a part of the other half. */
static int back_off(struct transfer *t, struct err *e)
{
	uint64_t ms = t->f->o.backoff_ms ? t->f->o.backoff_ms : BACKOFF_MS;

	for (uint32_t i = 1; i < t->tries && ms < TUF_FETCH_BACKOFF_MAX_MS; i++)
		ms *= 2;
	ms = min_u64(ms, TUF_FETCH_BACKOFF_MAX_MS);
	ms = ms / 2 + jitter_next(t->f) % (ms / 2 + 1);

	const uint64_t end = now_ms() + ms;

	for (uint64_t now; (now = now_ms()) < end;) {
		const uint64_t left = min_u64(end - now, STOP_LOOK_MS);
		const struct timespec ts = { .tv_nsec = (long)left * 1000000 };

		if (stop_check(t->f, e) < 0)
			return -1;
		nanosleep(&ts, NULL);
	}
	return stop_check(t->f, e);
}

static bool may_try_again(const struct transfer *t, bool again)
{
	return again && !t->handed_out && t->tries < t->f->o.retries;
}

/* After a failure in *@e: a new try if one is left. Return: 0 it runs; -1 with *@e as it was, or why no new try began */
static int transfer_again(struct transfer *t, bool again, struct err *e)
{
	if (!may_try_again(t, again))
		return -1;
	t->tries++;
	log_debug("%s; trying again (%u of %u)", e->msg, t->tries, t->f->o.retries);
	curl_multi_remove_handle(t->f->multi, t->easy);
	if (back_off(t, e) < 0)
		return -1;
	return transfer_start(t, e);
}

/* Until there are bytes to hand out (0), or the body is complete (SOURCE_END). */
static int transfer_wait(struct transfer *t, struct err *e)
{
	for (;;) {
		bool again = false;
		int r = t->ended ? transfer_verdict(t, &again, e) : 0;

		/* Bytes that came before a failure, unless another try will bring them again. */
		if (t->tail > t->head && (r == 0 || !may_try_again(t, again)))
			return 0;
		if (r == 0 && t->ended)
			return SOURCE_END;
		if (stop_check(t->f, e) < 0)
			return -1;
		if (r == 0 && t->paused) {
			t->paused = false;
			t->result = curl_easy_pause(t->easy, CURLPAUSE_CONT); /* calls on_body() */
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
	*n = min_size(cap, t->tail - t->head);
	memcpy(dst, t->buffer + t->head, *n);
	t->head += *n;
	t->handed_out = true;
	return 0;
}

static void transfer_free(struct source *s)
{
	struct transfer *t = (struct transfer *)s;

	if (t->easy) {
		curl_multi_remove_handle(t->f->multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	free(t->url);
	free(t->what);
	free(t);
}

static const struct source_ops transfer_ops = { .read = transfer_read, .free = transfer_free };

/* One option after the other; the first refusal sticks. */
#define SET(t, r, option, value)                                                                                       \
	do {                                                                                                           \
		if ((r) == CURLE_OK)                                                                                   \
			(r) = curl_easy_setopt((t)->easy, (option), (value));                                          \
	} while (0)

static CURLcode set_request(struct transfer *t, enum tuf_scheme scheme)
{
	/* A redirect may go where the URL's own scheme goes, never down to http or to the local disk. */
	const char *same = scheme == TUF_SCHEME_HTTPS ? "https" : "http";
	CURLcode r = CURLE_OK;

	SET(t, r, CURLOPT_URL, t->url);
	SET(t, r, CURLOPT_PATH_AS_IS, 1L);
	SET(t, r, CURLOPT_PROTOCOLS_STR, same);
	SET(t, r, CURLOPT_REDIR_PROTOCOLS_STR, same);
	SET(t, r, CURLOPT_FOLLOWLOCATION, 1L);
	SET(t, r, CURLOPT_MAXREDIRS, (long)TUF_FETCH_REDIRECTS_MAX);
	SET(t, r, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(t, r, CURLOPT_HTTP09_ALLOWED, 0L);
	SET(t, r, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	return r;
}

static CURLcode set_options(struct transfer *t, enum tuf_scheme scheme)
{
	const struct tuf_fetch_options *o = &t->f->o;
	CURLcode r = CURLE_OK;

	SET(t, r, CURLOPT_NOSIGNAL, 1L);
	SET(t, r, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_timeout_ms ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS));
	SET(t, r, CURLOPT_BUFFERSIZE, 64L * 1024);
	if (o->user_agent)
		SET(t, r, CURLOPT_USERAGENT, o->user_agent);
	if (o->ca_file)
		SET(t, r, CURLOPT_CAINFO, o->ca_file);
	if (o->https_proxy && scheme == TUF_SCHEME_HTTPS)
		SET(t, r, CURLOPT_PROXY, o->https_proxy);
	if (o->no_proxy)
		SET(t, r, CURLOPT_NOPROXY, o->no_proxy);
	return r;
}

static CURLcode set_callbacks(struct transfer *t)
{
	CURLcode r = CURLE_OK;

	SET(t, r, CURLOPT_PRIVATE, (void *)t);
	SET(t, r, CURLOPT_ERRORBUFFER, t->curl_says);
	SET(t, r, CURLOPT_HEADERFUNCTION, on_header);
	SET(t, r, CURLOPT_HEADERDATA, (void *)t);
	SET(t, r, CURLOPT_WRITEFUNCTION, on_body);
	SET(t, r, CURLOPT_WRITEDATA, (void *)t);
	return r;
}

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

static int transfer_new(struct tuf_fetcher *f, const char *url, uint64_t max_bytes, const char *what,
			struct transfer **out, struct err *e)
{
	const enum tuf_scheme scheme = tuf_url_scheme(url);
	struct transfer *t = (struct transfer *)calloc(1, sizeof(*t));
	CURLcode r = CURLE_OUT_OF_MEMORY;

	if (!t)
		return err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", what);
	t->base.ops = &transfer_ops;
	t->f = f;
	t->max_bytes = max_bytes;
	t->what = strdup(what);
	t->easy = curl_easy_init();
	tuf_url_show(url, t->shown);
	if (with_query(f, url, &t->url, e) < 0) {
		transfer_free(&t->base);
		return -1;
	}
	if (t->what && t->easy && (r = set_request(t, scheme)) == CURLE_OK && (r = set_options(t, scheme)) == CURLE_OK)
		r = set_callbacks(t);
	if (r != CURLE_OK) {
		transfer_free(&t->base);
		return err_set(e, ERR_SYSTEM, NULL, "%s: curl: %s", what, curl_easy_strerror(r));
	}
	*out = t;
	return 0;
}

int tuf_fetch_open(struct tuf_fetcher *f, const char *url, uint64_t max_bytes, const char *what, struct source **out,
		   struct err *e)
{
	const enum tuf_scheme scheme = tuf_url_scheme(url);
	char shown[TUF_URL_SHOWN_BYTES];
	struct transfer *t = NULL;

	tuf_url_show(url, shown);
	if (stop_check(f, e) < 0)
		return -1;
	if (scheme == TUF_SCHEME_FILE)
		return tuf_fetch_file(url, max_bytes, what, out, e);
	if (scheme == TUF_SCHEME_OTHER || (scheme == TUF_SCHEME_HTTP && !f->o.allow_http))
		return err_set(e, ERR_USAGE, "url", "%s: %s: only %shttps and file URLs are allowed", what, shown,
			       f->o.allow_http ? "http, " : "");
	if (transfer_new(f, url, max_bytes, what, &t, e) < 0)
		return -1;
	if (transfer_start(t, e) < 0 || transfer_wait(t, e) < 0) {
		transfer_free(&t->base);
		return -1;
	}
	*out = &t->base;
	return 0;
}

int tuf_fetcher_new(const struct tuf_fetch_options *o, struct tuf_fetcher **out, struct err *e)
{
	struct tuf_fetcher *f = (struct tuf_fetcher *)calloc(1, sizeof(*f));

	if (!f)
		return err_set(e, ERR_SYSTEM, "memory", "fetcher: out of memory");
	f->o = *o;
	f->jitter = o->jitter_seed ? o->jitter_seed : 1; /* 0 would stay 0 */
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(f);
		return err_set(e, ERR_SYSTEM, NULL, "curl does not start");
	}
	f->multi = curl_multi_init();
	if (!f->multi) {
		tuf_fetcher_free(f);
		return err_set(e, ERR_SYSTEM, "memory", "fetcher: out of memory");
	}
	*out = f;
	return 0;
}

void tuf_fetcher_free(struct tuf_fetcher *f)
{
	if (!f)
		return;
	curl_multi_cleanup(f->multi);
	curl_global_cleanup();
	free(f);
}
