/* What the files of the server share; nobody else includes this. */
#ifndef FLIPSIDE_FIXTURES_HTTPD_INTERNAL_H
#define FLIPSIDE_FIXTURES_HTTPD_INTERNAL_H

#include "base/openssl.h"

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "test-fixtures/httpd.h"

#define CONNECTIONS_MAX 256
#define RULES_MAX 32
#define HEAD_MAX_BYTES 16384

struct connection {
	struct httpd *h;
	pthread_t thread;
	int fd;
	SSL *ssl; /* NULL: plain */
};

struct httpd {
	char *folder;
	char url[64];
	SSL_CTX *tls; /* NULL: plain */
	int listener;
	int quit[2]; /* readable (hung up) when the server ends */
	pthread_t thread;
	pthread_mutex_t lock; /* all below */
	size_t n_connections, n_requests;
	size_t counted_from; /* connections before httpd_forget() */
	struct connection connections[CONNECTIONS_MAX];
	size_t n_rules;
	struct httpd_rule rules[RULES_MAX];
	unsigned int used[RULES_MAX];
	struct buf requests, ranges;
	uint64_t n_body_bytes;
};

/* Every failure of the fixture itself ends the test, also with NDEBUG. */
void httpd_must(bool ok, const char *what);

/* Notes the request, and finds the rule for it. @range: for httpd_ranges() */
struct httpd_rule httpd_take_rule(struct httpd *h, const char *request, const char *path, const char *range);
void httpd_note_body(struct httpd *h, size_t n);

/* True when the server ends before @ms have passed, or the client has gone. */
bool httpd_wait_over(const struct connection *c, int ms);

/* All of it, or false when the client or the server has gone. */
bool httpd_send(const struct connection *c, const void *p, size_t n);

/* One request, its line as "GET /path" and the rest of its head. Return: true if the connection may be used for
 * another one */
bool httpd_answer(const struct connection *c, const char *request, const char *fields);

#endif
