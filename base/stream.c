/*
 * The pump, the sources at the bottom (memory, descriptor), and the sinks for a buffer and a file. The contract
 * is enforced at one point: source_read() asserts it on every call, so that a stage that breaks it is found by
 * whatever test runs through it.
 */
#include "base/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/num.h"
#include "base/sys.h"

int source_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	size_t got = 0;

	assert(cap > 0 && !s->over);
	const int r = s->ops->read(s, dst, cap, &got, e);

	assert(r != 0 || (got > 0 && got <= cap));
	s->over = r != 0;
	*n = r == 0 ? got : 0;
	return r;
}

void source_free(struct source *s)
{
	if (s)
		s->ops->free(s);
}

int source_read_full(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	size_t have = 0;
	int r = 0;

	while (have < cap && r == 0) {
		size_t got = 0;

		r = source_read(s, (uint8_t *)dst + have, cap - have, &got, e);
		have += got;
	}
	*n = have;
	return r;
}

int source_read_all(struct source *s, struct buf *out, struct err *e)
{
	uint8_t piece[4096];
	size_t n;
	int r;

	while ((r = source_read(s, piece, sizeof(piece), &n, e)) == 0)
		if (buf_append(out, piece, n, e) < 0)
			return -1;
	return r == SOURCE_END ? 0 : -1;
}

struct mem_source {
	struct source base;
	struct bytes rest;
};

static int mem_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct mem_source *m = (struct mem_source *)s;

	(void)e;
	if (m->rest.n == 0)
		return SOURCE_END;
	*n = min_size(cap, m->rest.n);
	memcpy(dst, m->rest.p, *n);
	m->rest = bytes_of(m->rest.p + *n, m->rest.n - *n);
	return 0;
}

static void mem_free(struct source *s)
{
	free(s);
}

int source_mem_new(struct bytes in, struct source **out, struct err *e)
{
	static const struct source_ops ops = { .read = mem_read, .free = mem_free };
	struct mem_source *m = calloc(1, sizeof(*m));

	if (!m)
		return err_sys(e, "a memory source");
	m->base.ops = &ops;
	m->rest = in;
	*out = &m->base;
	return 0;
}

struct fd_source {
	struct source base;
	int fd;
	bool own;
	uint64_t at, end;
	char *what;
};

static int fd_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct fd_source *f = (struct fd_source *)s;
	const uint64_t rest = f->end - f->at;

	if (rest == 0)
		return SOURCE_END;
	const ssize_t got = sys_pread(f->fd, dst, (size_t)min_u64(cap, rest), f->at);

	if (got < 0)
		return err_sys(e, "reading %s", f->what);
	if (got == 0)
		return err_set(e, ERR_SYSTEM, "length", "%s ends at byte %llu, %llu too early", f->what,
			       (unsigned long long)f->at, (unsigned long long)rest);
	f->at += (uint64_t)got;
	*n = (size_t)got;
	return 0;
}

static void fd_free(struct source *s)
{
	struct fd_source *f = (struct fd_source *)s;

	if (f->own)
		(void)close(f->fd);
	free(f->what);
	free(f);
}

int source_fd_new(int fd, bool own, uint64_t offset, uint64_t length, const char *what, struct source **out, struct err *e)
{
	static const struct source_ops ops = { .read = fd_read, .free = fd_free };
	uint64_t end;

	if (!add_u64(offset, length, &end) || end > INT64_MAX)
		return err_set(e, ERR_FORMAT, "limit", "%s: %llu bytes from %llu are beyond any file", what,
			       (unsigned long long)length, (unsigned long long)offset);
	struct fd_source *f = calloc(1, sizeof(*f));
	char *name = strdup(what);

	if (!f || !name) {
		free(f);
		free(name);
		errno = ENOMEM;
		return err_sys(e, "a source for %s", what);
	}
	*f = (struct fd_source){ .base.ops = &ops, .fd = fd, .own = own, .at = offset, .end = end, .what = name };
	*out = &f->base;
	return 0;
}

int sink_write(struct sink *s, const void *p, size_t n, struct err *e)
{
	return n ? s->ops->write(s, p, n, e) : 0;
}

int sink_finish(struct sink *s, struct err *e)
{
	return s->ops->finish ? s->ops->finish(s, e) : 0;
}

void sink_free(struct sink *s)
{
	if (s)
		s->ops->free(s);
}

struct buf_sink {
	struct sink base;
	struct buf *to;
};

static int buf_sink_write(struct sink *s, const void *p, size_t n, struct err *e)
{
	return buf_append(((struct buf_sink *)s)->to, p, n, e);
}

static void buf_sink_free(struct sink *s)
{
	free(s);
}

int sink_buf_new(struct buf *b, struct sink **out, struct err *e)
{
	static const struct sink_ops ops = { .write = buf_sink_write, .free = buf_sink_free };
	struct buf_sink *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(e, "a buffer sink");
	s->base.ops = &ops;
	s->to = b;
	*out = &s->base;
	return 0;
}

struct draft_sink {
	struct sink base;
	struct file_draft *draft;
};

static int draft_sink_write(struct sink *s, const void *p, size_t n, struct err *e)
{
	return file_draft_write(((struct draft_sink *)s)->draft, p, n, e);
}

static int draft_sink_finish(struct sink *s, struct err *e)
{
	return file_draft_commit(((struct draft_sink *)s)->draft, e);
}

static void draft_sink_free(struct sink *s)
{
	file_draft_free(((struct draft_sink *)s)->draft);
	free(s);
}

int sink_draft_new(struct file_draft *draft, struct sink **out, struct err *e)
{
	static const struct sink_ops ops = { .write = draft_sink_write, .finish = draft_sink_finish, .free = draft_sink_free };
	struct draft_sink *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(e, "a file sink");
	s->base.ops = &ops;
	s->draft = draft;
	*out = &s->base;
	return 0;
}

int pump(struct source *from, struct sink *to, const volatile sig_atomic_t *stop, struct err *e)
{
	CLEANUP(free_p) uint8_t *piece = malloc(PUMP_BUFFER_BYTES);

	if (!piece)
		return err_sys(e, "a buffer of %d bytes", PUMP_BUFFER_BYTES);
	for (;;) {
		size_t n;

		if (stop && *stop)
			return err_set(e, ERR_STATE, "interrupted", "interrupted");
		const int r = source_read(from, piece, PUMP_BUFFER_BYTES, &n, e);

		if (r < 0)
			return -1;
		if (r == SOURCE_END)
			return sink_finish(to, e);
		if (sink_write(to, piece, n, e) < 0)
			return -1;
	}
}
