/* One thread accepts, and each connection has one; all end when the server's own end of a pipe is closed or their
 * socket is shut down. */
#include "test-fixtures/httpd_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/num.h"

#define REQUESTS_MAX_BYTES (1024 * 1024)

void httpd_must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "httpd fixture: %s: %s\n", what, strerror(errno));
		abort();
	}
}

bool httpd_wait_over(const struct connection *c, int ms)
{
	struct pollfd p[2] = { { .fd = c->h->quit[0], .events = POLLIN }, { .fd = c->fd, .events = POLLRDHUP } };

	return poll(p, 2, ms) > 0;
}

static bool send_plain(const struct connection *c, const void *p, size_t n)
{
	const char *at = (const char *)p;

	while (n) {
		struct pollfd wait[2] = { { .fd = c->h->quit[0], .events = POLLIN },
					  { .fd = c->fd, .events = POLLOUT } };

		if (poll(wait, 2, -1) < 0 || wait[0].revents)
			return false;
		const ssize_t k = send(c->fd, at, n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (k < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (k <= 0)
			return false;
		at += k;
		n -= (size_t)k;
	}
	return true;
}

static bool send_tls(const struct connection *c, const void *p, size_t n)
{
	const char *at = (const char *)p;

	while (n) {
		const int k = SSL_write(c->ssl, at, (int)min_size(n, 16384));

		if (k <= 0)
			return false;
		at += k;
		n -= (size_t)k;
	}
	return true;
}

bool httpd_send(const struct connection *c, const void *p, size_t n)
{
	return c->ssl ? send_tls(c, p, n) : send_plain(c, p, n);
}

static bool path_matches(const char *rule, const char *path)
{
	const size_t n = strlen(rule), path_n = strcspn(path, "?");

	if (n && rule[n - 1] == '*')
		return path_n >= n - 1 && strncmp(rule, path, n - 1) == 0;
	return path_n == n && strncmp(rule, path, n) == 0;
}

struct httpd_rule httpd_take_rule(struct httpd *h, const char *request, const char *path, const char *range)
{
	struct httpd_rule rule = { .act = HTTPD_SERVE };
	struct err e;

	pthread_mutex_lock(&h->lock);
	httpd_must(buf_printf(&h->requests, &e, "%s\n", request) == 0, "too many requests");
	httpd_must(buf_printf(&h->ranges, &e, "%s\n", range) == 0, "too many requests");
	h->n_requests++;
	for (size_t i = h->n_rules; i-- > 0;)
		if (path_matches(h->rules[i].path, path) && (!h->rules[i].times || h->used[i] < h->rules[i].times)) {
			h->used[i]++;
			rule = h->rules[i];
			break;
		}
	pthread_mutex_unlock(&h->lock);
	return rule;
}

void httpd_note_body(struct httpd *h, size_t n)
{
	pthread_mutex_lock(&h->lock);
	h->n_body_bytes += n;
	pthread_mutex_unlock(&h->lock);
}

/* One request head into @head. Return: false at the end of the connection */
static bool read_head(const struct connection *c, char *head, size_t cap)
{
	size_t n = 0;

	while (n + 1 < cap) {
		const ssize_t k = c->ssl ? SSL_read(c->ssl, head + n, 1) : recv(c->fd, head + n, 1, 0);

		if (k < 0 && !c->ssl && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		head[++n] = 0;
		if (n >= 4 && memcmp(head + n - 4, "\r\n\r\n", 4) == 0)
			return true;
	}
	return false;
}

/* Before the first request of a TLS connection. */
static bool shake_hands(struct connection *c)
{
	if (!c->h->tls || c->ssl)
		return true;
	c->ssl = SSL_new(c->h->tls);
	httpd_must(c->ssl && SSL_set_fd(c->ssl, c->fd) == 1, "TLS");
	return SSL_accept(c->ssl) == 1;
}

static void *serve(void *ctx)
{
	struct connection *c = (struct connection *)ctx;
	char head[HEAD_MAX_BYTES];
	sigset_t pipes;

	/* OpenSSL writes without MSG_NOSIGNAL. */
	sigemptyset(&pipes);
	sigaddset(&pipes, SIGPIPE);
	httpd_must(pthread_sigmask(SIG_BLOCK, &pipes, NULL) == 0, "SIGPIPE");
	while (shake_hands(c) && read_head(c, head, sizeof(head))) {
		char *end = strstr(head, " HTTP/1.");

		if (!end || !strchr(head, ' ') || end == strchr(head, ' '))
			break;
		*end = 0;
		if (!httpd_answer(c, head, end + 1))
			break;
	}
	SSL_free(c->ssl);
	ERR_clear_error();
	pthread_mutex_lock(&c->h->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&c->h->lock);
	return NULL;
}

static void *accept_all(void *ctx)
{
	struct httpd *h = (struct httpd *)ctx;

	for (;;) {
		struct pollfd p[2] = { { .fd = h->quit[0], .events = POLLIN }, { .fd = h->listener, .events = POLLIN } };

		if (poll(p, 2, -1) < 0 && errno == EINTR)
			continue;
		if (p[0].revents)
			return NULL;
		const int fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		/* Heads and bodies go out apart: with Nagle's delay every answer would take 40 ms. */
		httpd_must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) == 0, "TCP_NODELAY");
		pthread_mutex_lock(&h->lock);
		httpd_must(h->n_connections < CONNECTIONS_MAX, "too many connections");
		struct connection *c = &h->connections[h->n_connections++];

		c->h = h;
		c->fd = fd;
		httpd_must(pthread_create(&c->thread, NULL, serve, c) == 0, "thread");
		pthread_mutex_unlock(&h->lock);
	}
}

static SSL_CTX *tls_context(const char *pem, const char *client_ca)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	httpd_must(ctx && SSL_CTX_use_certificate_chain_file(ctx, pem) == 1 &&
			   SSL_CTX_use_PrivateKey_file(ctx, pem, SSL_FILETYPE_PEM) == 1,
		   "the server's certificate");
	if (client_ca) {
		httpd_must(SSL_CTX_load_verify_locations(ctx, client_ca, NULL) == 1, "the clients' authority");
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	return ctx;
}

struct httpd *httpd_new(const char *folder)
{
	return httpd_new_tls(folder, NULL, NULL);
}

struct httpd *httpd_new_tls(const char *folder, const char *pem, const char *client_ca)
{
	struct httpd *h = (struct httpd *)calloc(1, sizeof(*h));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	httpd_must(h && (!folder || (h->folder = strdup(folder))), "memory");
	h->requests.max = h->ranges.max = REQUESTS_MAX_BYTES;
	h->tls = pem ? tls_context(pem, client_ca) : NULL;
	pthread_mutex_init(&h->lock, NULL);
	httpd_must(pipe2(h->quit, O_CLOEXEC) == 0, "pipe");
	h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	httpd_must(h->listener >= 0 && bind(h->listener, (struct sockaddr *)&a, sizeof(a)) == 0, "bind");
	httpd_must(listen(h->listener, 16) == 0 && getsockname(h->listener, (struct sockaddr *)&a, &n) == 0, "listen");
	snprintf(h->url, sizeof(h->url), "%s://127.0.0.1:%u", pem ? "https" : "http", ntohs(a.sin_port));
	httpd_must(pthread_create(&h->thread, NULL, accept_all, h) == 0, "thread");
	return h;
}

void httpd_free(struct httpd *h)
{
	if (!h)
		return;
	close(h->quit[1]);
	pthread_join(h->thread, NULL);
	pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < h->n_connections; i++)
		if (h->connections[i].fd >= 0)
			shutdown(h->connections[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < h->n_connections; i++)
		pthread_join(h->connections[i].thread, NULL);
	close(h->quit[0]);
	close(h->listener);
	pthread_mutex_destroy(&h->lock);
	SSL_CTX_free(h->tls);
	buf_fini(&h->requests);
	buf_fini(&h->ranges);
	free(h->folder);
	free(h);
}

void httpd_add(struct httpd *h, struct httpd_rule rule)
{
	pthread_mutex_lock(&h->lock);
	httpd_must(h->n_rules < RULES_MAX, "too many rules");
	h->used[h->n_rules] = 0;
	h->rules[h->n_rules++] = rule;
	pthread_mutex_unlock(&h->lock);
}

void httpd_clear_rules(struct httpd *h)
{
	pthread_mutex_lock(&h->lock);
	h->n_rules = 0;
	pthread_mutex_unlock(&h->lock);
}

const char *httpd_url(const struct httpd *h)
{
	return h->url;
}

static char *text_of(struct httpd *h, const struct buf *b)
{
	pthread_mutex_lock(&h->lock);
	char *s = strndup(b->p ? (const char *)b->p : "", b->n);

	pthread_mutex_unlock(&h->lock);
	httpd_must(s != NULL, "memory");
	return s;
}

char *httpd_requests(struct httpd *h)
{
	return text_of(h, &h->requests);
}

char *httpd_ranges(struct httpd *h)
{
	return text_of(h, &h->ranges);
}

uint64_t httpd_n_body_bytes(struct httpd *h)
{
	pthread_mutex_lock(&h->lock);
	const uint64_t n = h->n_body_bytes;

	pthread_mutex_unlock(&h->lock);
	return n;
}

size_t httpd_n_requests(struct httpd *h)
{
	pthread_mutex_lock(&h->lock);
	const size_t n = h->n_requests;

	pthread_mutex_unlock(&h->lock);
	return n;
}

size_t httpd_n_connections(struct httpd *h)
{
	pthread_mutex_lock(&h->lock);
	const size_t n = h->n_connections - h->counted_from;

	pthread_mutex_unlock(&h->lock);
	return n;
}

void httpd_forget(struct httpd *h)
{
	pthread_mutex_lock(&h->lock);
	h->requests.n = h->ranges.n = 0;
	h->n_body_bytes = 0;
	h->n_requests = 0;
	h->counted_from = h->n_connections;
	pthread_mutex_unlock(&h->lock);
}
