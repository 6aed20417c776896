/*
 * The one place that opens the network: https, http where allowed, and file:// URLs as pulled sources, over
 * libcurl. Limits hold while bytes arrive; redirects are few and never to another scheme; what ends a slow
 * transfer is a minimum of bytes in a window of time, not a total time. A fetcher keeps its connections between
 * requests.
 *
 * A transfer that breaks goes on where it stopped: the rest is asked for as a range, on condition that the file
 * is still the same where the server gives a strong ETag or a date. An answer must be exactly that range of a
 * file of the same size; a server that sends the whole again is read up to the point and not further believed. A
 * file that was changed meanwhile is read anew only while nothing of it has been handed out.
 *
 * A proxy of the environment (https_proxy, http_proxy, all_proxy) serves 127.0.0.1 and localhost too unless
 * no_proxy names them: that is curl's rule, and left as it is.
 */
#ifndef FLIPSIDE_TUF_FETCH_H
#define FLIPSIDE_TUF_FETCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/stream.h"

#define TUF_FETCH_URL_MAX_BYTES 4096 /* with its query and a NUL */
#define TUF_FETCH_REDIRECTS_MAX 5
#define TUF_FETCH_MIN_BYTES_PER_SEC 16	/* averaged over one idle time-out; less is a stalled or hostile server */
#define TUF_FETCH_BUFFER_BYTES (256 * 1024) /* waiting for the reader; then the transfer is paused */
#define TUF_FETCH_BACKOFF_MAX_MS 10000
#define TUF_FETCH_PROGRESS_BYTES 4096 /* a transfer that got so far since it last broke has all its retries again */
#define TUF_FETCH_RATE_MIN 1024 /* bytes per second; a lower limit is taken for this */

/* Reasons of ERR_NETWORK beside TUF_E_HTTP (a status or redirect that is not accepted). */
#define TUF_E_TRANSPORT "transport" /* name, connection, TLS, a body cut short */
#define TUF_E_TIMEOUT "timeout"
#define TUF_E_TLS "tls"		/* a certificate that is not good, theirs or ours */
#define TUF_E_RANGE "range"	/* an answer that is not the part that was asked for */
#define TUF_E_CHANGED "changed" /* another file than the one that the transfer began with */

/* Zero-initialised is a good default: https and file only, no retries. Strings are borrowed for the fetcher's life. */
struct tuf_fetch_options {
	const char *user_agent;	    /* "flipside/1.0.0"; NULL: none */
	const char *query;	    /* appended to every http(s) request: "version=1.0.0&seed=5"; NULL: none */
	const char *https_proxy;    /* for https URLs; NULL: the environment's */
	const char *no_proxy;	    /* comma list; NULL: the environment's */
	const char *ca_file;	    /* PEM bundle; NULL: the system's */
	const char *client_cert;    /* PEM, shown to servers that ask for one; NULL: none */
	const char *client_key;	    /* PEM, its private key; NULL: it is in client_cert */
	bool allow_http;	    /* plain http besides https and file */
	uint32_t connect_timeout_ms; /* 0: 10 s */
	uint32_t idle_timeout_ms;    /* waiting so long for less than the minimum of bytes ends the transfer; 0: 30 s */
	uint32_t retries;	    /* more tries in a row without progress, after 5xx, 429 and transport trouble; 0: none ever */
	uint32_t backoff_ms;	    /* before the first retry; doubles up to TUF_FETCH_BACKOFF_MAX_MS; 0: 500 ms */
	uint64_t rate_limit;	    /* bytes per second of each transfer; 0: none */
	uint64_t jitter_seed;	    /* spreads the retries of many hosts: each waits half of the back-off and a part of the rest */
	const volatile sig_atomic_t *stop; /* set: ERR_STATE "interrupted" within 200 ms; NULL: none */
};

/* Connections and their settings; used by one thread. */
struct tuf_fetcher;

/* @o is copied, its strings are not. Return: 0; -1 ERR_SYSTEM */
int tuf_fetcher_new(const struct tuf_fetch_options *o, struct tuf_fetcher **out, struct err *e);
void tuf_fetcher_free(struct tuf_fetcher *f); /* after all its sources */
DEFINE_CLEANUP(struct tuf_fetcher, tuf_fetcher_free);

/**
 * tuf_fetch_open() - start a transfer
 * @f: outlives the source
 * @url: absolute; percent-encoded; sent as it is, no normalising of dots
 * @max_bytes: a body longer than this is ERR_FORMAT TUF_E_LIMIT, at once when the server announces it, else when
 * it arrives
 * @what: names the file in messages; copied
 * Returns when the status is known; only 200 has a body. Return: 0 with a source for the body, which ends as the
 * server says (a missing length is no error: the caller checks what is due); -1: ERR_MISSING TUF_E_HTTP for 403,
 * 404, 410 and a missing file, ERR_NETWORK otherwise (message has URL without password, and status or cause),
 * ERR_USAGE "url" for a scheme that is not allowed
 */
int tuf_fetch_open(struct tuf_fetcher *f, const char *url, uint64_t max_bytes, const char *what, struct source **out,
		   struct err *e);

/* What is asked for. Strings are borrowed for the call. */
struct tuf_fetch_request {
	const char *url, *what; /* as in tuf_fetch_open() */
	uint64_t max_bytes;	/* of the whole file */
	uint64_t offset;	/* the first byte wanted; behind the end of the file: ERR_NETWORK TUF_E_RANGE */
	bool elsewhere;		/* another server has it too: no second try unless some of it has come */
};

/* From @q->offset to the end of the file; with 0 the same as tuf_fetch_open(). */
int tuf_fetch_open_range(struct tuf_fetcher *f, const struct tuf_fetch_request *q, struct source **out, struct err *e);

/* A small file, whole, appended to @out, whose maximum bounds it too. Never put together from parts: after
 * trouble it is read anew. */
int tuf_fetch_whole(struct tuf_fetcher *f, const struct tuf_fetch_request *q, struct buf *out, struct err *e);

#endif
