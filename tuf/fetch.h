/*
 * The one place that opens the network: https, http where allowed, and file:// URLs as pulled sources over libcurl. Limits hold while
 * bytes arrive; redirects are few and never to another scheme; idle time-outs rather than total ones.
 */
#ifndef FLIPSIDE_TUF_FETCH_H
#define FLIPSIDE_TUF_FETCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/stream.h"

#define TUF_FETCH_URL_MAX_BYTES 4096
#define TUF_FETCH_REDIRECTS_MAX 5

struct tuf_fetch_options {
	const char *user_agent;	    /* "flipside/1.0.0" */
	const char *query;	    /* appended to every http(s) request: "version=1.0.0&seed=5"; NULL: none */
	const char *https_proxy;    /* NULL: the environment's */
	const char *no_proxy;	    /* comma list; NULL: the environment's */
	const char *ca_file;	    /* PEM bundle; NULL: the system's */
	bool allow_http;	    /* plain http besides https and file */
	uint32_t connect_timeout_ms; /* 0: 10 s */
	uint32_t idle_timeout_ms;    /* no byte for so long ends the transfer; 0: 30 s */
	uint32_t retries;	    /* more tries of a transfer that failed before its first byte was handed out; 5xx and transport
				       trouble, with capped exponential back-off */
	const volatile sig_atomic_t *stop; /* set: ERR_STATE "interrupted" soon after; NULL: none */
};

/**
 * tuf_fetch_open() - start a transfer
 * @url: absolute; percent-encoded; sent as it is, no normalising of dots
 * @max_bytes: a body longer than this is ERR_FORMAT TUF_E_LIMIT
 * @what: names the file in messages
 * Returns when the status is known. Return: 0 with a source for the body; -1: ERR_MISSING for 403, 404, 410 and a missing file,
 * ERR_NETWORK otherwise (message has URL without password, and status or cause), ERR_USAGE for a scheme that is not allowed
 */
int tuf_fetch_open(const struct tuf_fetch_options *o, const char *url, uint64_t max_bytes, const char *what,
		   struct source **out, struct err *e);

#endif
