/*
 * What a failed try means, and what comes after it. A stream goes on where it stopped, as often as it makes
 * progress; it begins again from the beginning only while nobody has seen a byte of it.
 */
#include <inttypes.h>
#include <time.h>

#include "base/log.h"
#include "base/num.h"
#include "tuf/fetch_internal.h"
#include "tuf/tuf.h"

#define STOP_LOOK_MS 200
#define BACKOFF_MS 500

uint64_t fetch_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

int fetch_stop_check(const struct tuf_fetcher *f, struct err *e)
{
	if (f->o.stop && *f->o.stop)
		return err_set(e, ERR_STATE, "interrupted", "interrupted");
	return 0;
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

static const char *reason_of(CURLcode c)
{
	switch ((int)c) {
	case CURLE_OPERATION_TIMEDOUT:
		return TUF_E_TIMEOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_ISSUER_ERROR:
		return TUF_E_TLS;
	default:
		return TUF_E_TRANSPORT;
	}
}

static const char *curls_words(const struct transfer *t)
{
	return t->curl_says[0] ? t->curl_says : curl_easy_strerror(t->result);
}

/* A try that was ended because of what came. */
static int tell_trouble(const struct transfer *t, bool *again, struct err *e)
{
	*again = t->trouble == FETCH_OTHER_CONTENT && !t->handed_out;
	switch (t->trouble) {
	case FETCH_TOO_LONG:
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "%s: %s: more than %" PRIu64 " bytes", t->what, t->shown, t->max_bytes);
	case FETCH_OTHER_CONTENT:
		return err_set(e, ERR_NETWORK, TUF_E_CHANGED, "%s: %s: it was changed on the server while it was read, after %" PRIu64 " bytes",
			       t->what, t->shown, t->pos);
	case FETCH_WRONG_RANGE:
		return err_set(e, ERR_NETWORK, TUF_E_RANGE, "%s: %s: the server's answer is not the range from byte %" PRIu64 " on", t->what,
			       t->shown, t->pos);
	case FETCH_TOO_MUCH:
	case FETCH_FINE:
		break;
	}
	return err_set(e, ERR_NETWORK, TUF_E_RANGE, "%s: %s: the server sends more than it announced", t->what, t->shown);
}

/* A complete answer that is not the file. */
static int tell_status(const struct transfer *t, bool *again, struct err *e)
{
	const long status = t->status;

	if (status == 403 || status == 404 || status == 410) {
		if (t->pos > t->begin)
			return err_set(e, ERR_NETWORK, TUF_E_CHANGED, "%s: %s: it vanished after %" PRIu64 " bytes: status %ld", t->what,
				       t->shown, t->pos, status);
		return err_set(e, ERR_MISSING, TUF_E_HTTP, "%s: %s: status %ld", t->what, t->shown, status);
	}
	*again = status >= 500 || status == 429;
	return err_set(e, ERR_NETWORK, TUF_E_HTTP, "%s: %s: status %ld", t->what, t->shown, status);
}

int fetch_verdict(const struct transfer *t, bool *again, struct err *e)
{
	const bool is_file = t->in_body || t->at_end;
	const bool is_known = t->file.total != FETCH_UNKNOWN;

	*again = false;
	if (t->trouble != FETCH_FINE)
		return tell_trouble(t, again, e);
	if (t->result == CURLE_TOO_MANY_REDIRECTS || t->result == CURLE_UNSUPPORTED_PROTOCOL)
		return err_set(e, ERR_NETWORK, TUF_E_HTTP, "%s: %s: redirect refused: %s", t->what, t->shown, curls_words(t));
	if (t->status && !is_file && (t->result == CURLE_OK || t->result == CURLE_WRITE_ERROR))
		return tell_status(t, again, e);
	if (is_file && (t->at_end || (is_known && t->pos == t->file.total && !t->skip)))
		return 0;
	*again = t->result == CURLE_OK || is_passing_trouble(t->result);
	if (t->result == CURLE_OK && is_known)
		return err_set(e, ERR_NETWORK, TUF_E_TRANSPORT, "%s: %s: ended after %" PRIu64 " of %" PRIu64 " bytes", t->what, t->shown,
			       t->pos, t->file.total);
	if (t->result == CURLE_OK)
		return 0;
	return err_set(e, ERR_NETWORK, reason_of(t->result), "%s: %s: %s", t->what, t->shown, curls_words(t));
}

static bool has_progress(const struct transfer *t)
{
	return !t->restarts && t->pos >= t->progress_from && t->pos - t->progress_from >= TUF_FETCH_PROGRESS_BYTES;
}

bool fetch_may_try_again(const struct transfer *t, bool again)
{
	if (!again || (t->elsewhere && t->pos == t->begin))
		return false;
	return t->tries < t->f->o.retries || (has_progress(t) && t->f->o.retries > 0);
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
static int wait_a_while(const struct transfer *t, struct err *e)
{
	uint64_t ms = t->f->o.backoff_ms ? t->f->o.backoff_ms : BACKOFF_MS;

	for (uint32_t i = 1; i < t->tries && ms < TUF_FETCH_BACKOFF_MAX_MS; i++)
		ms *= 2;
	ms = min_u64(ms, TUF_FETCH_BACKOFF_MAX_MS);
	ms = ms / 2 + jitter_next(t->f) % (ms / 2 + 1);

	const uint64_t end = fetch_now_ms() + ms;

	for (uint64_t now; (now = fetch_now_ms()) < end;) {
		const uint64_t left = min_u64(end - now, STOP_LOOK_MS);
		const struct timespec ts = { .tv_nsec = (long)left * 1000000 };

		if (fetch_stop_check(t->f, e) < 0)
			return -1;
		nanosleep(&ts, NULL);
	}
	return fetch_stop_check(t->f, e);
}

/* Nobody has seen a byte of it: what the next try brings may be another content. */
static void start_over(struct transfer *t)
{
	t->pos = t->begin;
	t->file = (struct fetch_file){ .total = FETCH_UNKNOWN };
	t->from = t->to = 0;
	t->starts++;
}

int fetch_back_off(struct transfer *t, const struct err *why, struct err *e)
{
	if (has_progress(t)) {
		t->tries = 0;
		t->progress_from = t->pos;
	}
	t->tries++;
	if (t->restarts || t->trouble == FETCH_OTHER_CONTENT)
		start_over(t);
	log_debug("%s; trying again from byte %" PRIu64 " (%u of %u)", why->msg, t->pos, t->tries, t->f->o.retries);
	return wait_a_while(t, e);
}
