/* What the files of the fetcher share; nobody else includes this. */
#ifndef FLIPSIDE_TUF_FETCH_INTERNAL_H
#define FLIPSIDE_TUF_FETCH_INTERNAL_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "tuf/fetch.h"
#include "tuf/fetch_head.h"
#include "tuf/url.h"

struct tuf_fetcher {
	struct tuf_fetch_options o;
	CURLM *multi; /* NULL before the first request to a server */
	uint64_t jitter;
};

/* Why the present try was ended from our side. */
enum fetch_trouble { FETCH_FINE, FETCH_TOO_LONG, FETCH_OTHER_CONTENT, FETCH_WRONG_RANGE, FETCH_TOO_MUCH };

struct transfer {
	struct source base;
	struct tuf_fetcher *f;
	CURL *easy;
	struct curl_slist *if_range; /* of the present try */
	char *url;		     /* with the query */
	char *what;
	char shown[TUF_URL_SHOWN_BYTES];
	char curl_says[CURL_ERROR_SIZE];
	uint64_t max_bytes;
	bool elsewhere; /* see tuf_fetch_request */
	bool restarts;	/* after a failure it begins from the beginning, and the reader looks at @starts */

	/* of the stream; positions are bytes of the file */
	uint64_t begin, pos;	/* its first byte, and the next one to come from the server */
	struct fetch_file file; /* as the responses so far have told */
	bool handed_out;	/* bytes that the reader cannot give back */
	uint32_t starts;	/* how often it began from the beginning */
	uint32_t tries;		/* that have failed since the last progress */
	uint64_t progress_from; /* @pos of that */
	uint64_t n_skipped;	/* bytes that came a second time */

	/* of the present try */
	struct fetch_head head;
	long status; /* of the last response whose head is complete; 0: none */
	enum fetch_trouble trouble;
	bool asked_range, in_body, at_end;
	uint64_t skip, due;		  /* of the body: bytes to skip, bytes it may have left */
	uint64_t ignored;		  /* bytes of another status' body */
	uint64_t waited_ms, window_bytes; /* see slow_check() */
	bool paused, ended;
	CURLcode result; /* once ended */

	size_t from, to; /* of @buffer: what waits for the reader */
	uint8_t buffer[TUF_FETCH_BUFFER_BYTES];
};

uint64_t fetch_now_ms(void);

/* fetch_curl.c */
size_t fetch_on_header(char *p, size_t size, size_t n, void *ctx);
size_t fetch_on_body(char *p, size_t size, size_t n, void *ctx);

/* A handle with all that stays the same for every try. @t->url is set. Return: 0; -1 ERR_SYSTEM */
int fetch_set_up(struct transfer *t, struct err *e);

/* The range that the next try asks for: from @t->pos on. Sets asked_range. Return: 0; -1 ERR_SYSTEM */
int fetch_set_range(struct transfer *t, struct err *e);

/* fetch_retry.c */

/* What a transfer that has ended comes to. Return: 0 it is complete; -1, with *@again set if another try may help */
int fetch_verdict(const struct transfer *t, bool *again, struct err *e);

/* A failure that another try may help is followed by one. */
bool fetch_may_try_again(const struct transfer *t, bool again);

/* Counts the failed try, makes ready what the next one needs, and waits. Return: 0; -1 interrupted */
int fetch_back_off(struct transfer *t, const struct err *why, struct err *e);

int fetch_stop_check(const struct tuf_fetcher *f, struct err *e);

#endif
