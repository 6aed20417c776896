/* What is sent for a request: the file or body that the rule names, or the part of it that was asked for, well or
 * badly. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "test-fixtures/httpd_internal.h"

#define BODY_MAX_BYTES (64u << 20)
#define FIELD_BYTES 300

__attribute__((format(printf, 2, 3))) static bool send_text(const struct connection *c, const char *fmt, ...)
{
	char text[HEAD_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	const int n = vsnprintf(text, sizeof(text), fmt, ap);

	va_end(ap);
	httpd_must(n >= 0 && (size_t)n < sizeof(text), "header too long");
	return httpd_send(c, text, (size_t)n);
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
		httpd_must(n + 1 < cap, "path too long");
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
		httpd_must(asprintf(&full, "%s%s", h->folder, name) >= 0, "memory");
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
		httpd_must(buf_reserve(out, (size_t)st.st_size, &e) == 0, "memory");
		httpd_must(read(fd, out->p, (size_t)st.st_size) == st.st_size, "reading a file");
		out->n = (size_t)st.st_size;
	}
	close(fd);
	return ok;
}

/* Of the head @fields the value of @name, or "". */
static void take_field(const char *fields, const char *name, char out[FIELD_BYTES])
{
	char begin[64];
	const char *p;

	snprintf(begin, sizeof(begin), "\r\n%s: ", name);
	p = strcasestr(fields, begin);
	p = p ? p + strlen(begin) : "";
	snprintf(out, FIELD_BYTES, "%.*s", (int)strcspn(p, "\r\n"), p);
}

struct reply {
	int status;
	struct bytes body;
	char range[FIELD_BYTES]; /* a head line, or "" */
};

/* "bytes=N-" of a body that is the same by If-Range (or without): only that part of it. */
static void take_part(const struct httpd_rule *r, const char *range, const char *if_range, struct reply *reply)
{
	const size_t whole = reply->body.n;
	uint64_t from;

	if (reply->status != 200 || r->no_range || strncmp(range, "bytes=", 6) != 0)
		return;
	if (*if_range && !(r->headers && strstr(r->headers, if_range)))
		return;
	httpd_must(num_parse_u64_n(range + 6, strcspn(range + 6, "-"), 0, UINT64_MAX, &from), "range");
	reply->status = from < whole ? 206 : 416;
	if (reply->status == 206)
		snprintf(reply->range, FIELD_BYTES, "Content-Range: bytes %" PRIu64 "-%zu/%zu\r\n", from, whole - 1, whole);
	else
		snprintf(reply->range, FIELD_BYTES, "Content-Range: bytes */%zu\r\n", whole);
	if (r->content_range)
		snprintf(reply->range, FIELD_BYTES, "%s%s%s", *r->content_range ? "Content-Range: " : "", r->content_range,
			 *r->content_range ? "\r\n" : "");
	reply->body = reply->status == 206 ? bytes_of(reply->body.p + from, whole - (size_t)from) : bytes_of_str("no\n");
}

static bool send_body(const struct connection *c, const void *p, size_t n)
{
	httpd_note_body(c->h, n);
	return httpd_send(c, p, n);
}

static bool send_head(const struct connection *c, const struct httpd_rule *r, const struct reply *reply, int64_t length,
		      const char *more)
{
	if (!send_text(c, "HTTP/1.1 %d X\r\nServer: fixture\r\n%s%s%s", reply->status, r->headers ? r->headers : "", reply->range, more))
		return false;
	return (length < 0 || send_text(c, "Content-Length: %" PRId64 "\r\n", length)) && send_text(c, "\r\n");
}

static bool send_slowly(const struct connection *c, struct bytes body, uint64_t ms)
{
	for (size_t i = 0; i < body.n; i++)
		if (!send_body(c, body.p + i, 1) || httpd_wait_over(c, (int)ms))
			return false;
	return true;
}

static bool send_chunks(const struct connection *c, struct bytes body)
{
	for (size_t i = 0, n; i < body.n; i += n) {
		n = min_size(7, body.n - i);
		if (!send_text(c, "%zx\r\n", n) || !send_body(c, body.p + i, n) || !send_text(c, "\r\n"))
			return false;
	}
	return send_text(c, "0\r\n\r\n");
}

/* Of @n bytes 1 to @most: different from one call to the next, though the same in each run for the same sizes. */
static size_t anywhere(size_t n, uint64_t most)
{
	const uint64_t mixed = ((uint64_t)n + 1) * UINT64_C(0x9E3779B97F4A7C15);

	return (size_t)min_u64(n, 1 + (mixed >> 32) % most);
}

/* Return: true if the connection may be used for another request */
static bool act(const struct connection *c, const struct httpd_rule *r, const struct reply *reply)
{
	const struct bytes body = reply->body;
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	const size_t part = (size_t)min_u64(r->n, body.n);
	const struct bytes more = bytes_of_str("more");
	const int64_t length = (int64_t)body.n;

	switch (r->act) {
	case HTTPD_SERVE:
		return send_head(c, r, reply, length, "") && send_body(c, body.p, body.n);
	case HTTPD_CHUNKED:
		return send_head(c, r, reply, -1, "Transfer-Encoding: chunked\r\n") && send_chunks(c, body);
	case HTTPD_SLOW:
		return send_head(c, r, reply, length, "") && send_slowly(c, body, r->n);
	case HTTPD_NO_LENGTH:
		return send_head(c, r, reply, -1, "Connection: close\r\n") && send_body(c, body.p, body.n) && false;
	case HTTPD_CLAIM:
		return send_head(c, r, reply, (int64_t)r->n, "") && send_body(c, body.p, body.n) && false;
	case HTTPD_CUT:
		return send_head(c, r, reply, length, "") && send_body(c, body.p, part) && false;
	case HTTPD_CUT_ANYWHERE:
		return send_head(c, r, reply, length, "") && send_body(c, body.p, anywhere(body.n, r->n)) && false;
	case HTTPD_MORE:
		return send_head(c, r, reply, length + (int64_t)more.n, "") && send_body(c, body.p, body.n) &&
		       send_body(c, more.p, more.n);
	case HTTPD_STALL:
		return send_head(c, r, reply, length, "") && send_body(c, body.p, part) && httpd_wait_over(c, -1) && false;
	case HTTPD_SILENT:
		return httpd_wait_over(c, -1) && false;
	case HTTPD_ENDLESS:
		if (send_head(c, r, reply, -1, "Connection: close\r\n"))
			while (body.n && send_body(c, body.p, body.n))
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

bool httpd_answer(const struct connection *c, const char *request, const char *fields)
{
	const char *path = strchr(request, ' ') + 1;
	char range[FIELD_BYTES], if_range[FIELD_BYTES], noted[2 * FIELD_BYTES + 8];
	struct buf file = BUF_INIT(BODY_MAX_BYTES);
	struct reply reply = { 0 };

	take_field(fields, "Range", range);
	take_field(fields, "If-Range", if_range);
	snprintf(noted, sizeof(noted), "%s%s%s", *range ? range : "-", *if_range ? " if " : "", if_range);
	const struct httpd_rule rule = httpd_take_rule(c->h, request, path, noted);
	const bool found = rule.body.p || read_file(c->h, path, &file);

	reply.body = rule.body.p ? rule.body : found ? buf_bytes(&file) : bytes_of_str("nothing here\n");
	reply.status = rule.status ? rule.status : found ? 200 : 404;
	take_part(&rule, range, if_range, &reply);
	const bool again = act(c, &rule, &reply);

	buf_fini(&file);
	return again;
}
