/*
 * Reading a partition as it is on the disk, not as the page cache remembers it: what was written must be judged
 * by what a boot will read. O_DIRECT if the file system takes it; if not, what is cached is written and dropped
 * before the first read.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/sys.h"
#include "partitions/table_internal.h"
#include "partitions/write.h"

#define MEMORY_ALIGN 4096 /* a page: of O_DIRECT's memory, and what the cache holds */

struct part_source {
	struct source base;
	struct part_extent x;
	char what[32]; /* "root of set B" */
	uint64_t at, length; /* in the partition: the next byte to read, and the end */
	uint8_t *piece;
	size_t piece_n, piece_at;
};

/* DONTNEED leaves dirty pages, and those at the range's edges, so the range is written first and widened. Advice
 * may be refused. */
static int drop_cached(const struct part_extent *x, struct err *e)
{
	const uint64_t first = x->offset_bytes - x->offset_bytes % MEMORY_ALIGN;
	const uint64_t n = x->offset_bytes - first + x->size_bytes + MEMORY_ALIGN;

	if (sys_fdatasync(x->fd) < 0)
		return err_sys(e, "flushing before reading back");
	(void)posix_fadvise(x->fd, (off_t)first, (off_t)n, POSIX_FADV_DONTNEED);
	return 0;
}

static int read_cached(struct part_extent *x, struct err *e)
{
	if (x->direct && part_extent_leave_direct(x, e) < 0)
		return -1;
	return drop_cached(x, e);
}

/* Whole sectors while O_DIRECT is in force: a partition ends with one, so the rounding stays inside of it. */
static size_t piece_bytes(const struct part_source *s)
{
	const uint64_t rest = s->length - s->at;
	const uint64_t unit = s->x.direct ? s->x.sector_bytes : 1;

	return (size_t)min_u64((rest + unit - 1) / unit * unit, PART_PIECE_BYTES);
}

/* The next bytes to @to, which holds PART_PIECE_BYTES; *@got of them count. */
static int fill(struct part_source *s, uint8_t *to, size_t *got, struct err *e)
{
	ssize_t n = sys_pread(s->x.fd, to, piece_bytes(s), s->x.offset_bytes + s->at);

	if (n < 0 && errno == EINVAL && s->x.direct) { /* as in put_direct() of the writer */
		if (read_cached(&s->x, e) < 0)
			return -1;
		n = sys_pread(s->x.fd, to, piece_bytes(s), s->x.offset_bytes + s->at);
	}
	if (n < 0)
		return err_sys(e, "reading %s at byte %" PRIu64, s->what, s->at);
	if (n == 0)
		return err_set(e, ERR_SYSTEM, "short", "reading %s: the disk ends at byte %" PRIu64, s->what, s->at);
	*got = (size_t)min_u64((uint64_t)n, s->length - s->at);
	s->at += *got;
	return 0;
}

/* Whole pieces go straight to memory that O_DIRECT accepts. */
static bool goes_straight(const void *dst, size_t cap)
{
	return cap >= PART_PIECE_BYTES && (uintptr_t)dst % MEMORY_ALIGN == 0;
}

static int part_source_read(struct source *base, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct part_source *s = (struct part_source *)base;

	if (s->piece_at == s->piece_n) {
		if (s->at == s->length)
			return SOURCE_END;
		if (goes_straight(dst, cap))
			return fill(s, dst, n, e);
		s->piece_at = s->piece_n = 0;
		if (fill(s, s->piece, &s->piece_n, e) < 0)
			return -1;
	}
	*n = min_size(cap, s->piece_n - s->piece_at);
	memcpy(dst, s->piece + s->piece_at, *n);
	s->piece_at += *n;
	return 0;
}

static void part_source_free(struct source *base)
{
	struct part_source *s = (struct part_source *)base;

	if (!s)
		return;
	close_p(&s->x.fd);
	free(s->piece);
	free(s);
}

int part_source_new(struct part_table *t, enum part_set set, enum part_role r, uint64_t length, struct source **out,
		    struct err *e)
{
	static const struct source_ops ops = { part_source_read, part_source_free };
	CLEANUP(source_free_p) struct source *base = NULL;
	struct part_source *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(e, "source");
	s->base.ops = &ops;
	s->x.fd = -1;
	base = &s->base;
	(void)snprintf(s->what, sizeof(s->what), "%s of set %s", part_role_name(r), part_set_name(set));
	s->length = length;
	if (length > part_table_range(t, set, r).size_bytes)
		return err_set(e, ERR_FORMAT, PART_E_SPACE, "%s holds fewer than %" PRIu64 " bytes", s->what, length);
	s->piece = aligned_alloc(MEMORY_ALIGN, PART_PIECE_BYTES);
	if (!s->piece)
		return err_sys(e, "%s: buffer", s->what);
	if (part_extent_open_read(t, set, r, &s->x, e) < 0 || (!s->x.direct && drop_cached(&s->x, e) < 0))
		return -1;
	*out = TAKE(base);
	return 0;
}

int part_open_read(struct part_table *t, enum part_set s, enum part_role r, int *out_fd, uint64_t *offset, struct err *e)
{
	struct part_extent x = { .fd = -1 };
	CLEANUP(close_p) int fd = -1;

	if (part_extent_open_read(t, s, r, &x, e) < 0)
		return -1;
	fd = x.fd;
	if (read_cached(&x, e) < 0)
		return -1;
	*out_fd = TAKE_FD(fd);
	*offset = x.offset_bytes;
	return 0;
}
