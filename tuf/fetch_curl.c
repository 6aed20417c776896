/*
 * What curl is told, and what it tells back. The write callback fills the transfer's buffer and pauses the
 * transfer when it is full.
 *
 * - Bytes of a body are in the buffer only if fetch_judge() found that they go on where the stream stands, and
 * never more than the limit.
 * - HTTP/1.1 only: over HTTP/2 curl takes in a paused stream's whole window, tens of megabytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "tuf/fetch_internal.h"

#define CONNECT_TIMEOUT_MS 10000
#define ERROR_BODY_MAX_BYTES (64 * 1024) /* of an error's page, read so that the connection can be used again */
#define RECEIVE_BYTES (64 * 1024)

/* Ends the transfer with CURLE_WRITE_ERROR. */
static size_t refuse(struct transfer *t, enum fetch_trouble why)
{
	t->trouble = why;
	return 0;
}

static size_t judge(struct transfer *t, size_t n)
{
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->status);
	switch (fetch_judge(t->status, &t->head, t->pos, t->asked_range, &t->file, &t->skip, &t->due)) {
	case FETCH_BODY:
		t->in_body = true;
		return t->file.total != FETCH_UNKNOWN && t->file.total > t->max_bytes ? refuse(t, FETCH_TOO_LONG) : n;
	case FETCH_AT_END:
		t->at_end = true;
		return n;
	case FETCH_CHANGED:
		return refuse(t, FETCH_OTHER_CONTENT);
	case FETCH_BAD_RANGE:
		return refuse(t, FETCH_WRONG_RANGE);
	case FETCH_NO_BODY:
		break;
	}
	return n;
}

/* One header line; an empty one ends a head. What follows the body (a trailer) is not looked at. */
size_t fetch_on_header(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = (struct transfer *)ctx;

	(void)size; /* curl: always 1 */
	t->window_bytes += n;
	if (t->in_body)
		return n;
	if ((n == 2 && memcmp(p, "\r\n", 2) == 0) || (n == 1 && *p == '\n'))
		return judge(t, n);
	fetch_head_line(&t->head, p, n);
	return n;
}

size_t fetch_on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = (struct transfer *)ctx;

	(void)size;
	if (!t->in_body) {
		t->window_bytes += n;
		t->ignored += n;
		return t->ignored > ERROR_BODY_MAX_BYTES ? 0 : n;
	}
	if (t->due != FETCH_UNKNOWN && n > t->due)
		return refuse(t, FETCH_TOO_MUCH);
	if (t->from == t->to)
		t->from = t->to = 0;
	const size_t skip = (size_t)min_u64(n, t->skip), rest = n - skip;

	if (rest > sizeof(t->buffer) - t->to) {
		t->paused = true;
		return CURL_WRITEFUNC_PAUSE; /* the same bytes come again */
	}
	const size_t take = (size_t)min_u64(rest, t->max_bytes - t->pos);

	memcpy(t->buffer + t->to, p + skip, take);
	t->to += take;
	t->pos += take;
	t->skip -= skip;
	t->n_skipped += skip;
	t->window_bytes += skip + take;
	if (t->due != FETCH_UNKNOWN)
		t->due -= n;
	return take < rest ? refuse(t, FETCH_TOO_LONG) : n;
}

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

/* Curl fills its buffer, then waits until the average is right again: the buffer must not hold more than a
 * second's worth. */
static CURLcode set_rate(struct transfer *t)
{
	const uint64_t rate = t->f->o.rate_limit;
	const uint64_t used = rate && rate < TUF_FETCH_RATE_MIN ? TUF_FETCH_RATE_MIN : min_u64(rate, INT64_MAX);
	CURLcode r = CURLE_OK;

	SET(t, r, CURLOPT_BUFFERSIZE, (long)(used ? min_u64(used, RECEIVE_BYTES) : RECEIVE_BYTES));
	SET(t, r, CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t)used);
	return r;
}

static CURLcode set_options(struct transfer *t, enum tuf_scheme scheme)
{
	const struct tuf_fetch_options *o = &t->f->o;
	CURLcode r = set_rate(t);

	SET(t, r, CURLOPT_NOSIGNAL, 1L);
	SET(t, r, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_timeout_ms ? o->connect_timeout_ms : CONNECT_TIMEOUT_MS));
	if (o->user_agent)
		SET(t, r, CURLOPT_USERAGENT, o->user_agent);
	if (o->ca_file)
		SET(t, r, CURLOPT_CAINFO, o->ca_file);
	if (o->client_cert)
		SET(t, r, CURLOPT_SSLCERT, o->client_cert);
	if (o->client_key)
		SET(t, r, CURLOPT_SSLKEY, o->client_key);
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
	SET(t, r, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* a proxy's heads are not the server's */
	SET(t, r, CURLOPT_HEADERFUNCTION, fetch_on_header);
	SET(t, r, CURLOPT_HEADERDATA, (void *)t);
	SET(t, r, CURLOPT_WRITEFUNCTION, fetch_on_body);
	SET(t, r, CURLOPT_WRITEDATA, (void *)t);
	return r;
}

int fetch_set_up(struct transfer *t, struct err *e)
{
	const enum tuf_scheme scheme = tuf_url_scheme(t->url);
	CURLcode r = CURLE_OUT_OF_MEMORY;

	t->easy = curl_easy_init();
	if (t->easy && (r = set_request(t, scheme)) == CURLE_OK && (r = set_options(t, scheme)) == CURLE_OK)
		r = set_callbacks(t);
	return r == CURLE_OK ? 0 : err_set(e, ERR_SYSTEM, NULL, "%s: curl: %s", t->what, curl_easy_strerror(r));
}

static int set_if_range(struct transfer *t, struct err *e)
{
	const char *value = fetch_if_range(&t->file.is);
	char line[sizeof("If-Range: ") + FETCH_VALIDATOR_BYTES];

	if (!value)
		return 0;
	snprintf(line, sizeof(line), "If-Range: %s", value);
	t->if_range = curl_slist_append(NULL, line);
	return t->if_range ? 0 : err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", t->what);
}

int fetch_set_range(struct transfer *t, struct err *e)
{
	char range[24];
	CURLcode r = CURLE_OK;

	t->asked_range = t->pos > 0;
	curl_slist_free_all(t->if_range);
	t->if_range = NULL;
	if (t->asked_range && set_if_range(t, e) < 0)
		return -1;
	snprintf(range, sizeof(range), "%" PRIu64 "-", t->pos);
	SET(t, r, CURLOPT_RANGE, t->asked_range ? range : NULL);
	SET(t, r, CURLOPT_HTTPHEADER, t->if_range);
	return r == CURLE_OK ? 0 : err_set(e, ERR_SYSTEM, NULL, "%s: curl: %s", t->what, curl_easy_strerror(r));
}
