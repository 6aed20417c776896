/*
 * The writer gathers what follows each other into one aligned piece and writes whole pieces past the page cache;
 * what is no whole sector (the end of an image, a small hash block) goes through the cache, to the byte, and from
 * then on everything does. Both ways end in the one fsync of part_writer_finish(), which flushes the device's own
 * cache too.
 *
 * Invariant: every byte goes through put(), which looks at the range on the disk once more. The checks at the
 * open make that look superfluous; it is there for the day when somebody changes them.
 */
#include "partitions/write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/num.h"
#include "base/sys.h"
#include "partitions/table_internal.h"

#define MEMORY_ALIGN 4096

struct part_writer {
	struct part_extent x;
	struct part_range range;		/* on the disk, as the active set's */
	struct part_range active[PART_N_ROLES];
	char what[32]; /* "root of set B" */
	uint8_t *piece;
	uint64_t piece_offset; /* in the partition */
	size_t piece_n;
	bool ended; /* finished or failed: nothing more is written */
};

/* The last look before the disk: @n bytes at @offset of the partition are the partition's, and not the running set's. */
static int guard(const struct part_writer *w, uint64_t offset, size_t n, struct err *e)
{
	const uint64_t first = w->range.offset_bytes + offset;

	if (offset > w->range.size_bytes || n > w->range.size_bytes - offset)
		return err_set(e, ERR_BUG, PART_E_ACTIVE, "%s: a write beyond its end", w->what);
	for (size_t i = 0; i < PART_N_ROLES; i++)
		if (first < w->active[i].offset_bytes + w->active[i].size_bytes && w->active[i].offset_bytes < first + n)
			return err_set(e, ERR_BUG, PART_E_ACTIVE, "%s: a write into the running set", w->what);
	return 0;
}

/* Whole sectors from aligned memory, as far as O_DIRECT takes them. Return: the bytes written; -1 */
static ssize_t put_direct(struct part_writer *w, const uint8_t *p, size_t n, uint64_t at, struct err *e)
{
	size_t done = 0;

	while (done < n) {
		const ssize_t r = sys_pwrite(w->x.fd, p + done, n - done, at + done);

		if (r < 0 && errno == EINVAL)
			break; /* a file system with rules of its own, or an earlier write that ended amid a sector */
		if (r < 0)
			return err_sys(e, "writing %s at byte %" PRIu64, w->what, at + done - w->x.offset_bytes);
		if (r == 0)
			return err_set(e, ERR_SYSTEM, "short", "writing %s: nothing written", w->what);
		done += (size_t)r;
	}
	return (ssize_t)done;
}

static int put(struct part_writer *w, const uint8_t *p, size_t n, uint64_t offset, struct err *e)
{
	const uint64_t at = w->x.offset_bytes + offset;
	size_t whole = 0;

	if (guard(w, offset, n, e) < 0)
		return -1;
	if (w->x.direct && at % w->x.sector_bytes == 0) {
		const ssize_t r = put_direct(w, p, n - n % w->x.sector_bytes, at, e);

		if (r < 0)
			return -1;
		whole = (size_t)r;
	}
	if (whole == n)
		return 0;
	if (w->x.direct && part_extent_leave_direct(&w->x, e) < 0)
		return -1;
	return file_pwrite_all(w->x.fd, p + whole, n - whole, at + whole, w->what, e);
}

static int put_piece(struct part_writer *w, struct err *e)
{
	const size_t n = w->piece_n;

	w->piece_n = 0;
	return n ? put(w, w->piece, n, w->piece_offset, e) : 0;
}

int part_writer_new(struct part_table *t, enum part_role r, struct part_writer **out, struct err *e)
{
	CLEANUP(part_writer_free_p) struct part_writer *w = calloc(1, sizeof(*w));
	const enum part_set s = part_table_inactive(t);

	if (!w)
		return err_sys(e, "writer");
	w->x.fd = -1;
	(void)snprintf(w->what, sizeof(w->what), "%s of set %s", part_role_name(r), part_set_name(s));
	w->range = part_table_range(t, s, r);
	for (int i = 0; i < PART_N_ROLES; i++)
		w->active[i] = part_table_range(t, part_table_active(t), (enum part_role)i);
	w->piece = aligned_alloc(MEMORY_ALIGN, PART_PIECE_BYTES);
	if (!w->piece)
		return err_sys(e, "%s: buffer", w->what);
	if (part_extent_open_write(t, r, &w->x, e) < 0)
		return -1;
	*out = TAKE(w);
	return 0;
}

/* Whole pieces from memory that O_DIRECT accepts need no copy. */
static bool goes_straight(const struct part_writer *w, const uint8_t *p, size_t n)
{
	return !w->piece_n && n >= PART_PIECE_BYTES && (uintptr_t)p % MEMORY_ALIGN == 0;
}

static int gather(struct part_writer *w, uint64_t offset, const uint8_t *p, size_t n, struct err *e)
{
	if (offset != w->piece_offset + w->piece_n && put_piece(w, e) < 0)
		return -1;
	while (n > 0) {
		size_t taken = min_size(n, PART_PIECE_BYTES - w->piece_n);

		if (goes_straight(w, p, n)) {
			if (put(w, p, taken, offset, e) < 0)
				return -1;
		} else {
			if (!w->piece_n)
				w->piece_offset = offset;
			memcpy(w->piece + w->piece_n, p, taken);
			w->piece_n += taken;
			if (w->piece_n == PART_PIECE_BYTES && put_piece(w, e) < 0)
				return -1;
		}
		p += taken;
		offset += taken;
		n -= taken;
	}
	return 0;
}

int part_writer_write(void *writer, uint64_t offset, const void *p, size_t n, struct err *e)
{
	struct part_writer *w = writer;

	if (w->ended)
		return err_set(e, ERR_BUG, NULL, "%s: a write after its end", w->what);
	w->ended = true; /* unless all below goes well */
	if (offset > w->range.size_bytes || n > w->range.size_bytes - offset)
		return err_set(e, ERR_FORMAT, PART_E_SPACE, "%s holds %" PRIu64 " bytes, the image is larger", w->what,
			       w->range.size_bytes);
	if (gather(w, offset, p, n, e) < 0)
		return -1;
	w->ended = false;
	return 0;
}

int part_writer_finish(struct part_writer *w, struct err *e)
{
	if (w->ended)
		return err_set(e, ERR_BUG, NULL, "%s: ended after its end", w->what);
	w->ended = true;
	if (put_piece(w, e) < 0)
		return -1;
	if (sys_fsync(w->x.fd) < 0)
		return err_sys(e, "flushing %s", w->what);
	return 0;
}

void part_writer_free(struct part_writer *w)
{
	if (!w)
		return;
	close_p(&w->x.fd);
	free(w->piece);
	free(w);
}

struct part_sink {
	struct sink base;
	struct part_writer *w;
	uint64_t offset;
};

static int part_sink_write(struct sink *s, const void *p, size_t n, struct err *e)
{
	struct part_sink *sink = (struct part_sink *)s;

	if (part_writer_write(sink->w, sink->offset, p, n, e) < 0)
		return -1;
	sink->offset += n;
	return 0;
}

static int part_sink_finish(struct sink *s, struct err *e)
{
	return part_writer_finish(((struct part_sink *)s)->w, e);
}

static void part_sink_free(struct sink *s)
{
	struct part_sink *sink = (struct part_sink *)s;

	part_writer_free(sink->w);
	free(sink);
}

int part_sink_new(struct part_table *t, enum part_role r, struct sink **out, struct err *e)
{
	static const struct sink_ops ops = { part_sink_write, part_sink_finish, part_sink_free };
	CLEANUP(part_writer_free_p) struct part_writer *w = NULL;
	struct part_sink *sink;

	if (part_writer_new(t, r, &w, e) < 0)
		return -1;
	sink = calloc(1, sizeof(*sink));
	if (!sink)
		return err_sys(e, "sink");
	sink->base.ops = &ops;
	sink->w = TAKE(w);
	*out = &sink->base;
	return 0;
}
