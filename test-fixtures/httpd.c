/* One thread accepts, and each connection has one; all end when the server's own end of a pipe is closed or their socket is shut down. */
#include "test-fixtures/httpd.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

#define CONNECTIONS_MAX 256
#define RULES_MAX 32
#define REQUESTS_MAX_BYTES (1024 * 1024)
#define HEAD_MAX_BYTES 16384
#define BODY_MAX_BYTES (64u << 20)

struct connection {
	struct httpd *h;
	pthread_t thread;
	int fd;
};

struct httpd {
	char *folder;
	char url[64];
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
	struct buf requests;
};

/* Every failure of the fixture itself ends the test, also with NDEBUG. */
static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "httpd fixture: %s: %s\n", what, strerror(errno));
		abort();
	}
}

/* True when the server ends before @ms have passed, or the client has gone. */
static bool wait_over(const struct connection *c, int ms)
{
	struct pollfd p[2] = { { .fd = c->h->quit[0], .events = POLLIN }, { .fd = c->fd, .events = POLLRDHUP } };

	return poll(p, 2, ms) > 0;
}

static bool send_all(const struct connection *c, const void *p, size_t n)
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

__attribute__((format(printf, 2, 3))) static bool send_text(const struct connection *c, const char *fmt, ...)
{
	char text[HEAD_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	const int n = vsnprintf(text, sizeof(text), fmt, ap);

	va_end(ap);
	must(n >= 0 && (size_t)n < sizeof(text), "header too long");
	return send_all(c, text, (size_t)n);
}

static int hex_value(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The file's name for the path of a request: decoded, but for an encoded slash. */
static void decode_path(const char *path, char *out, size_t cap)
{
	size_t n = 0;

	for (; *path && *path != '?'; path++) {
		int c = *path;

		if (c == '%' && strncasecmp(path, "%2f", 3) != 0 && hex_value(path[1]) >= 0 && hex_value(path[2]) >= 0) {
			c = hex_value(path[1]) * 16 + hex_value(path[2]);
			path += 2;
		}
		must(n + 1 < cap, "path too long");
		out[n++] = (char)c;
	}
	out[n] = 0;
}

/* The file under the name as it stands in the URL, else under the decoded one. Return: -1 if there is none */
static int open_file(const struct httpd *h, const char *path)
{
	char name[HEAD_MAX_BYTES], *full = NULL;
	int fd = -1;

	for (int decoded = 0; decoded < 2 && fd < 0; decoded++) {
		if (decoded)
			decode_path(path, name, sizeof(name));
		else
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(path, "?"), path);
		if (strstr(name, "/../"))
			return -1;
		must(asprintf(&full, "%s%s", h->folder, name) >= 0, "memory");
		fd = open(full, O_RDONLY | O_CLOEXEC);
		free(full);
	}
	return fd;
}

/* Return: false if there is no such regular file */
static bool read_file(const struct httpd *h, const char *path, struct buf *out)
{
	struct stat st;
	struct err e;

	if (!h->folder)
		return false;
	const int fd = open_file(h, path);

	if (fd < 0)
		return false;
	const bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);

	if (ok && st.st_size > 0) {
		must(buf_reserve(out, (size_t)st.st_size, &e) == 0, "memory");
		must(read(fd, out->p, (size_t)st.st_size) == st.st_size, "reading a file");
		out->n = (size_t)st.st_size;
	}
	close(fd);
	return ok;
}

static bool path_matches(const char *rule, const char *path)
{
	const size_t n = strlen(rule), path_n = strcspn(path, "?");

	if (n && rule[n - 1] == '*')
		return path_n >= n - 1 && strncmp(rule, path, n - 1) == 0;
	return path_n == n && strncmp(rule, path, n) == 0;
}

/* Notes the request, and finds the rule for it. */
static struct httpd_rule take_rule(struct httpd *h, const char *request, const char *path)
{
	struct httpd_rule rule = { .act = HTTPD_SERVE };
	struct err e;

	pthread_mutex_lock(&h->lock);
	must(buf_printf(&h->requests, &e, "%s\n", request) == 0, "too many requests");
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

static bool send_head(const struct connection *c, const struct httpd_rule *r, int status, int64_t length, const char *more)
{
	if (!send_text(c, "HTTP/1.1 %d X\r\nServer: fixture\r\n%s%s", status, r->headers ? r->headers : "", more))
		return false;
	return (length < 0 || send_text(c, "Content-Length: %" PRId64 "\r\n", length)) && send_text(c, "\r\n");
}

static bool send_slowly(const struct connection *c, struct bytes body, uint64_t ms)
{
	for (size_t i = 0; i < body.n; i++)
		if (!send_all(c, body.p + i, 1) || wait_over(c, (int)ms))
			return false;
	return true;
}

static bool send_chunks(const struct connection *c, struct bytes body)
{
	for (size_t i = 0, n; i < body.n; i += n) {
		n = min_size(7, body.n - i);
		if (!send_text(c, "%zx\r\n", n) || !send_all(c, body.p + i, n) || !send_text(c, "\r\n"))
			return false;
	}
	return send_text(c, "0\r\n\r\n");
}

/* Return: true if the connection may be used for another request */
static bool act(const struct connection *c, const struct httpd_rule *r, int status, struct bytes body)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	const size_t part = (size_t)min_u64(r->n, body.n);
	const int64_t length = (int64_t)body.n;

	switch (r->act) {
	case HTTPD_SERVE:
		return send_head(c, r, status, length, "") && send_all(c, body.p, body.n);
	case HTTPD_CHUNKED:
		return send_head(c, r, status, -1, "Transfer-Encoding: chunked\r\n") && send_chunks(c, body);
	case HTTPD_SLOW:
		return send_head(c, r, status, length, "") && send_slowly(c, body, r->n);
	case HTTPD_NO_LENGTH:
		return send_head(c, r, status, -1, "Connection: close\r\n") && send_all(c, body.p, body.n) && false;
	case HTTPD_CLAIM:
		return send_head(c, r, status, (int64_t)r->n, "") && send_all(c, body.p, body.n) && false;
	case HTTPD_CUT:
		return send_head(c, r, status, length, "") && send_all(c, body.p, part) && false;
	case HTTPD_STALL:
		return send_head(c, r, status, length, "") && send_all(c, body.p, part) && wait_over(c, -1) && false;
	case HTTPD_SILENT:
		return wait_over(c, -1) && false;
	case HTTPD_ENDLESS:
		if (send_head(c, r, status, -1, "Connection: close\r\n"))
			while (body.n && send_all(c, body.p, body.n))
				;
		return false;
	case HTTPD_RESET:
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return false;
	case HTTPD_CLOSE:
		return false;
	}
	return false;
}

static bool answer(const struct connection *c, const char *request)
{
	const char *path = strchr(request, ' ') + 1;
	const struct httpd_rule rule = take_rule(c->h, request, path);
	struct buf file = BUF_INIT(BODY_MAX_BYTES);
	const bool found = rule.body.p || read_file(c->h, path, &file);
	const struct bytes body = rule.body.p ? rule.body : found ? buf_bytes(&file) : bytes_of_str("nothing here\n");
	const bool again = act(c, &rule, rule.status ? rule.status : found ? 200 : 404, body);

	buf_fini(&file);
	return again;
}

/* One request head into @head. Return: false at the end of the connection */
static bool read_head(const struct connection *c, char *head, size_t cap)
{
	size_t n = 0;

	while (n + 1 < cap) {
		const ssize_t k = recv(c->fd, head + n, 1, 0);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		head[++n] = 0;
		if (n >= 4 && memcmp(head + n - 4, "\r\n\r\n", 4) == 0)
			return true;
	}
	return false;
}

static void *serve(void *ctx)
{
	struct connection *c = (struct connection *)ctx;
	char head[HEAD_MAX_BYTES];

	while (read_head(c, head, sizeof(head))) {
		char *end = strstr(head, " HTTP/1.");

		if (!end || !strchr(head, ' ') || end == strchr(head, ' '))
			break;
		*end = 0;
		if (!answer(c, head))
			break;
	}
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
		must(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)) == 0, "TCP_NODELAY");
		pthread_mutex_lock(&h->lock);
		must(h->n_connections < CONNECTIONS_MAX, "too many connections");
		struct connection *c = &h->connections[h->n_connections++];

		c->h = h;
		c->fd = fd;
		must(pthread_create(&c->thread, NULL, serve, c) == 0, "thread");
		pthread_mutex_unlock(&h->lock);
	}
}

struct httpd *httpd_new(const char *folder)
{
	struct httpd *h = (struct httpd *)calloc(1, sizeof(*h));
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);

	must(h && (!folder || (h->folder = strdup(folder))), "memory");
	h->requests.max = REQUESTS_MAX_BYTES;
	pthread_mutex_init(&h->lock, NULL);
	must(pipe2(h->quit, O_CLOEXEC) == 0, "pipe");
	h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	must(h->listener >= 0 && bind(h->listener, (struct sockaddr *)&a, sizeof(a)) == 0, "bind");
	must(listen(h->listener, 16) == 0 && getsockname(h->listener, (struct sockaddr *)&a, &n) == 0, "listen");
	snprintf(h->url, sizeof(h->url), "http://127.0.0.1:%u", ntohs(a.sin_port));
	must(pthread_create(&h->thread, NULL, accept_all, h) == 0, "thread");
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
	buf_fini(&h->requests);
	free(h->folder);
	free(h);
}

void httpd_add(struct httpd *h, struct httpd_rule rule)
{
	pthread_mutex_lock(&h->lock);
	must(h->n_rules < RULES_MAX, "too many rules");
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

char *httpd_requests(struct httpd *h)
{
	pthread_mutex_lock(&h->lock);
	char *s = strndup(h->requests.p ? (const char *)h->requests.p : "", h->requests.n);

	pthread_mutex_unlock(&h->lock);
	must(s != NULL, "memory");
	return s;
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
	h->requests.n = 0;
	h->n_requests = 0;
	h->counted_from = h->n_connections;
	pthread_mutex_unlock(&h->lock);
}
