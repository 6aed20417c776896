/*
 * A small HTTP/1.1 server for tests, in threads of its own on 127.0.0.1, that serves a folder and misbehaves on
 * request. It records what it was asked for. Requests for "bytes=N-" get that part with 206, or the whole where
 * If-Range names nothing that stands in the rule's headers; @n of an act counts from the first byte of the part.
 * It asserts on trouble of its own: it is a fixture.
 */
#ifndef FLIPSIDE_FIXTURES_HTTPD_H
#define FLIPSIDE_FIXTURES_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum httpd_act {
	HTTPD_SERVE,	 /* as it should be */
	HTTPD_NO_LENGTH, /* no Content-Length; the end of the body is the end of the connection */
	HTTPD_CHUNKED,	 /* chunks of 7 bytes */
	HTTPD_CLAIM,	 /* Content-Length is @n, then the real body, then the connection is closed */
	HTTPD_CUT,	 /* the right Content-Length, but only @n bytes of the body, then the connection is closed */
	HTTPD_CUT_ANYWHERE, /* the same with 1 to @n bytes, which depend on the length of the body */
	HTTPD_MORE,	 /* four bytes behind the body, counted in Content-Length, but not in Content-Range */
	HTTPD_STALL,	 /* @n bytes of the body, then nothing more */
	HTTPD_SLOW,	 /* one byte each @n milliseconds */
	HTTPD_SILENT,	 /* the request is read, and never answered */
	HTTPD_CLOSE,	 /* the request is read, and the connection is closed */
	HTTPD_RESET,	 /* the same with a TCP reset */
	HTTPD_ENDLESS,	 /* no Content-Length, the body again and again */
};

/* What happens to requests of a path; later rules are looked at first. */
struct httpd_rule {
	const char *path; /* without query; a '*' at the end: any that begins so */
	unsigned int times; /* the rule is used up after so many requests; 0: never */
	enum httpd_act act;
	uint64_t n;	      /* see httpd_act */
	int status;	      /* 0: 200 if there is a body, else 404 */
	const char *headers;  /* more of them, each with "\r\n"; NULL: none. "Location: ...\r\n" */
	bool no_range;	      /* the whole is sent though a part is asked for */
	const char *content_range; /* in place of the right value when a part is asked for; "": the header is left out */
	struct bytes body;    /* .p NULL: the file's content; borrowed for the server's life */
};

struct httpd;

/* @folder NULL: nothing is there but what rules say. Never NULL. */
struct httpd *httpd_new(const char *folder);
void httpd_free(struct httpd *h);

/*
 * The same over TLS, "https://127.0.0.1:PORT". @pem: file with certificate and private key (test-fixtures/pki.h).
 * @client_ca: clients must show a certificate of this authority; NULL: they need none.
 */
struct httpd *httpd_new_tls(const char *folder, const char *pem, const char *client_ca);

/* Strings in it are borrowed for the server's life. */
void httpd_add(struct httpd *h, struct httpd_rule rule);
void httpd_clear_rules(struct httpd *h);

/* "http://127.0.0.1:PORT", no slash at the end. */
const char *httpd_url(const struct httpd *h);

/* Requests since the start or the last httpd_forget(), as "GET /path?query", one per line in order; to be freed
 * by the caller. */
char *httpd_requests(struct httpd *h);
/* For each of these what part was asked for: "bytes=5- if \"tag\"", or "-" for the whole; to be freed. */
char *httpd_ranges(struct httpd *h);

/* Of bodies, handed to the kernel, in the same time. */
uint64_t httpd_n_body_bytes(struct httpd *h);
size_t httpd_n_requests(struct httpd *h);
size_t httpd_n_connections(struct httpd *h);
void httpd_forget(struct httpd *h);

#endif
