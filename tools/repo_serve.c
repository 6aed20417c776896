/*
 * `serve`: a small static web server for demonstrations and tests without a network. GET and HEAD of files in
 * metadata/ and targets/, single byte ranges (RFC 9110 14.1.2), no listing of folders. Loopback unless told
 * otherwise; any real mirror does better.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/sys.h"
#include "tools/repo.h"
#include "tools/repo_cli.h"
#include "tools/repo_range.h"

#define CONNECTIONS_MAX 64
#define IDLE_TIMEOUT_S 30u
#define BLOCK_BYTES (64u * 1024)
#define WAIT_MS 200 /* how soon a signal between two looks ends the server */

struct server {
	const struct repo_cli *cli;
	struct repo repo;
};

/* The one gate from a request to a file: /metadata/NAME or /targets/NAME, NAME a plain name that is not hidden.
 * -1 if it is none. */
static int open_requested(const struct server *s, const char *url)
{
	static const char metadata[] = "/metadata/", targets[] = "/targets/";
	int dir;

	if (strncmp(url, metadata, sizeof(metadata) - 1) == 0) {
		dir = s->repo.metadata;
		url += sizeof(metadata) - 1;
	} else if (strncmp(url, targets, sizeof(targets) - 1) == 0) {
		dir = s->repo.targets;
		url += sizeof(targets) - 1;
	} else {
		return -1;
	}
	if (!file_name_is_safe(url) || url[0] == '.')
		return -1;
	return sys_openat(dir, url, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
}

static enum MHD_Result answer(struct MHD_Connection *c, unsigned int status, struct MHD_Response *r)
{
	if (!r)
		return MHD_NO;
	const enum MHD_Result result = MHD_queue_response(c, status, r);

	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result answer_empty(struct MHD_Connection *c, unsigned int status, const char *header, const char *value)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);

	if (r && header)
		MHD_add_response_header(r, header, value);
	return answer(c, status, r);
}

struct paced {
	int fd;
	uint64_t offset, rate;
};

static ssize_t paced_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	const struct paced *p = cls;
	const size_t want = min_size(max, (size_t)min_u64((p->rate + 9) / 10, BLOCK_BYTES));
	const uint64_t pause_ms = want * 1000 / p->rate; /* a second at most: @want is no more than @rate */
	const struct timespec pause = { .tv_sec = (time_t)(pause_ms / 1000), .tv_nsec = (long)(pause_ms % 1000) * 1000000 };
	const ssize_t n = sys_pread(p->fd, buf, want, p->offset + pos);

	nanosleep(&pause, NULL);
	return n > 0 ? n : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void paced_free(void *cls)
{
	struct paced *p = cls;

	close_p(&p->fd);
	free(p);
}

/* Takes @fd over. */
static struct MHD_Response *file_response(const struct server *s, int fd, uint64_t offset, uint64_t length)
{
	if (!s->cli->rate_limit)
		return MHD_create_response_from_fd_at_offset64(length, fd, offset);
	struct paced *p = calloc(1, sizeof(*p));

	if (!p) {
		close_p(&fd);
		return NULL;
	}
	*p = (struct paced){ .fd = fd, .offset = offset, .rate = s->cli->rate_limit };
	return MHD_create_response_from_callback(length, BLOCK_BYTES, paced_read, p, paced_free);
}

/* Takes @fd over. Return: the status, for the log; 0 when no answer could be made */
static unsigned int answer_file(const struct server *s, struct MHD_Connection *c, int fd, uint64_t size)
{
	struct repo_range range;
	char text[96];
	unsigned int status = MHD_HTTP_OK;

	switch (repo_range_parse(MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Range"), size, &range)) {
	case REPO_RANGE_WHOLE:
		break;
	case REPO_RANGE_PART:
		status = MHD_HTTP_PARTIAL_CONTENT;
		break;
	case REPO_RANGE_BAD:
		close_p(&fd);
		snprintf(text, sizeof(text), "bytes */%ju", (uintmax_t)size);
		return answer_empty(c, MHD_HTTP_RANGE_NOT_SATISFIABLE, "Content-Range", text) == MHD_YES ?
			       MHD_HTTP_RANGE_NOT_SATISFIABLE :
			       0;
	}
	struct MHD_Response *r = file_response(s, fd, range.first, range.length);

	if (r) {
		MHD_add_response_header(r, "Accept-Ranges", "bytes");
		MHD_add_response_header(r, "Content-Type", "application/octet-stream");
	}
	if (r && status == MHD_HTTP_PARTIAL_CONTENT) {
		snprintf(text, sizeof(text), "bytes %ju-%ju/%ju", (uintmax_t)range.first, (uintmax_t)(range.first + range.length - 1),
			 (uintmax_t)size);
		MHD_add_response_header(r, "Content-Range", text);
	}
	return answer(c, status, r) == MHD_YES ? status : 0;
}

static unsigned int respond(const struct server *s, struct MHD_Connection *c, const char *url, const char *method)
{
	struct stat st;
	unsigned int status = MHD_HTTP_NOT_FOUND;

	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer_empty(c, MHD_HTTP_METHOD_NOT_ALLOWED, "Allow", "GET, HEAD") == MHD_YES ? MHD_HTTP_METHOD_NOT_ALLOWED : 0;
	CLEANUP(close_p) int fd = open_requested(s, url);

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return answer_empty(c, status, NULL, NULL) == MHD_YES ? status : 0;
	return answer_file(s, c, TAKE_FD(fd), (uint64_t)st.st_size);
}

/* Called by libmicrohttpd first when the headers are there, then for each piece of a body, then at its end. */
static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version,
			      const char *body, size_t *body_n, void **seen)
{
	static char headers_seen;
	const struct server *s = cls;

	(void)version;
	(void)body;
	if (!*seen) {
		*seen = &headers_seen;
		return MHD_YES;
	}
	if (*body_n) { /* of no use to any request here */
		*body_n = 0;
		return MHD_YES;
	}
	const unsigned int status = respond(s, c, url, method);

	if (s->cli->verbose)
		log_info("%s %s: %u", method, url, status);
	return status ? MHD_YES : MHD_NO;
}

/* libmicrohttpd decodes %2F and %2E before we see the path; a NUL would cut the name that is opened short of the
 * one checked. */
static size_t unescape(void *cls, struct MHD_Connection *c, char *s)
{
	(void)cls;
	(void)c;
	const size_t n = MHD_http_unescape(s);

	if (strlen(s) != n)
		s[0] = '\0';
	return strlen(s);
}

static int start(struct server *s, struct MHD_Daemon **out, struct err *e)
{
	const char *host = s->cli->listen ? s->cli->listen : "127.0.0.1";
	struct sockaddr_in at = { .sin_family = AF_INET };

	if (s->cli->port > UINT16_MAX)
		return err_set(e, ERR_USAGE, "option", "--port %ju: at most %d", (uintmax_t)s->cli->port, UINT16_MAX);
	at.sin_port = htons((uint16_t)s->cli->port);
	if (inet_pton(AF_INET, host, &at.sin_addr) != 1)
		return err_set(e, ERR_USAGE, "option", "--listen '%s': not an IPv4 address", host);
	/* A thread for each connection, because a paced reader sleeps in its own. */
	const unsigned int threads =
		s->cli->rate_limit ? MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL :
				     MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;

	errno = 0;
	*out = MHD_start_daemon(threads, (uint16_t)s->cli->port, NULL, NULL, handle, s, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at,
				MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
				MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_END);
	if (!*out)
		return err_sys(e, "listening at %s port %ju", host, (uintmax_t)s->cli->port);
	return 0;
}

static int tell(const struct server *s, struct MHD_Daemon *d, const char *path, struct err *e)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT);

	if (!info)
		return err_set(e, ERR_BUG, NULL, "the port is not known");
	printf("serving %s at http://%s:%u/\n", path, s->cli->listen ? s->cli->listen : "127.0.0.1", (unsigned int)info->port);
	if (fflush(stdout) != 0)
		return err_sys(e, "writing the answer");
	return 0;
}

int repo_serve(void *ctx, int argc, char **argv, struct err *e)
{
	struct server s = { .cli = ctx, .repo = REPO_CLOSED };
	struct MHD_Daemon *d = NULL;

	(void)argc;
	if (repo_open(argv[0], REPO_READ, &s.repo, e) < 0)
		return -1;
	int r = start(&s, &d, e);

	if (r == 0)
		r = tell(&s, d, argv[0], e);
	while (r == 0 && !*s.cli->stop)
		(void)poll(NULL, 0, WAIT_MS);
	if (d)
		MHD_stop_daemon(d);
	repo_fini(&s.repo);
	return r;
}
