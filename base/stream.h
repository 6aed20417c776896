/*
 * Streams are pulled: the caller holds the loop, so back-pressure, errors and tests with memory sources come for free.
 * A stage is a struct with `struct source base` first and a table of functions; it owns the stage below and frees it.
 *
 * SOURCE_END is a promise that the end seen was the end due. A frame still open, a length not reached, a digest
 * that differs, bytes after the end: failures, never an end. After SOURCE_END or -1 a source is only freed.
 */
#ifndef FLIPSIDE_BASE_STREAM_H
#define FLIPSIDE_BASE_STREAM_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"

#define SOURCE_END 1
#define PUMP_BUFFER_BYTES (1024 * 1024)

struct source;

struct source_ops {
	int (*read)(struct source *s, void *dst, size_t cap, size_t *n, struct err *e);
	void (*free)(struct source *s);
};

struct source {
	const struct source_ops *ops;
	bool over; /* false at birth; kept by source_read(): after the end or a failure nobody may read on */
};

/* Fills 1 to @cap (above 0) bytes. Return: 0 with *@n > 0; SOURCE_END when complete and checked; -1 */
int source_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e);
void source_free(struct source *s); /* NULL is fine; frees the stages below */
DEFINE_CLEANUP(struct source, source_free);

/* Fills up to @cap bytes, less only at the end. Return: 0 with *@n == @cap; SOURCE_END with *@n < @cap; -1 */
int source_read_full(struct source *s, void *dst, size_t cap, size_t *n, struct err *e);

/* The whole rest appended to @out, whose maximum bounds it: more is ERR_FORMAT "limit". Return: 0; -1 */
int source_read_all(struct source *s, struct buf *out, struct err *e);

/* Borrowed bytes, which must outlive the source. */
int source_mem_new(struct bytes in, struct source **out, struct err *e);

/*
 * @length bytes of a descriptor from @offset, by pread. The descriptor is borrowed unless @own: then it is closed
 * with the source, and stays the caller's if this fails. An early end is ERR_SYSTEM "length"; a range no file can
 * have is ERR_FORMAT "limit".
 */
int source_fd_new(int fd, bool own, uint64_t offset, uint64_t length, const char *what, struct source **out, struct err *e);

/*
 * The stages below take @below over when they succeed; on failure it stays the caller's.
 * @what names the file in messages ("target demo-root.erofs.zst") and is copied.
 */

/* Exactly @length bytes: fewer or more is ERR_TRUST "length". */
int source_exact_new(struct source *below, uint64_t length, const char *what, struct source **out, struct err *e);

/* At most @max bytes: more is ERR_FORMAT "limit", told before the byte beyond is handed out. */
int source_limit_new(struct source *below, uint64_t max, const char *what, struct source **out, struct err *e);

/* All that passes has @expected as its digest, or the end is ERR_TRUST "digest". */
int source_digest_new(struct source *below, const struct digest *expected, const char *what, struct source **out,
		      struct err *e);

/* Calls @seen with the number of bytes of each piece that passes: progress, or a counter. -1 of @seen ends the stream. */
typedef int (*source_seen_fn)(void *ctx, const void *p, size_t n, struct err *e);
int source_tap_new(struct source *below, source_seen_fn seen, void *ctx, struct source **out, struct err *e);

struct sink;

struct sink_ops {
	int (*write)(struct sink *s, const void *p, size_t n, struct err *e);
	int (*finish)(struct sink *s, struct err *e); /* all written: flush to stable storage where the sink has any; or NULL */
	void (*free)(struct sink *s);
};

struct sink {
	const struct sink_ops *ops;
};

int sink_write(struct sink *s, const void *p, size_t n, struct err *e); /* all @n or -1 */
int sink_finish(struct sink *s, struct err *e);
void sink_free(struct sink *s); /* NULL is fine */
DEFINE_CLEANUP(struct sink, sink_free);

/* Appends to a borrowed buffer, whose maximum bounds it. */
int sink_buf_new(struct buf *b, struct sink **out, struct err *e);

/* Into a file that appears at sink_finish(): see struct file_draft in base/file.h. Takes @draft over when it succeeds. */
struct file_draft;
int sink_draft_new(struct file_draft *draft, struct sink **out, struct err *e);

/**
 * pump() - all of @from into @to, then sink_finish()
 * @stop: looked at between pieces; not NULL and set: ERR_STATE "interrupted". For signal handlers.
 * Neither end is freed. One buffer of PUMP_BUFFER_BYTES is the memory it takes.
 */
int pump(struct source *from, struct sink *to, const volatile sig_atomic_t *stop, struct err *e);

#endif
