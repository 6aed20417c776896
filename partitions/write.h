/*
 * Writing and reading back the partitions of the inactive set. The active set cannot be opened for writing here:
 * the set is not an argument, and every write's range is compared with the partition's and with the active set's
 * before it (invariant: the running set is never written).
 */
#ifndef FLIPSIDE_PARTITIONS_WRITE_H
#define FLIPSIDE_PARTITIONS_WRITE_H

#include "base/stream.h"
#include "partitions/table.h"

#define PART_PIECE_BYTES (1024 * 1024) /* writes are gathered to this, reads are made by it */

/* Writes at any place of one partition of the inactive set: what a hash tree's builder needs. */
struct part_writer;

/**
 * part_writer_new() - open a partition of the inactive set for writing
 * @t: borrowed for the call; its inactive set must stand at 0/0/0 (part_table_clear_inactive())
 * Return: 0; -1: ERR_BUG when the set's bits let it boot, ERR_STATE PART_E_ACTIVE when the partition and one of
 * the active set overlap, ERR_BUSY when the partition is in use, ERR_SYSTEM
 */
int part_writer_new(struct part_table *t, enum part_role r, struct part_writer **out, struct err *e);

/**
 * part_writer_write() - @n bytes at @offset of the partition; has the type of verity_emit_fn
 * @writer: a struct part_writer
 * Bytes that follow each other are gathered to pieces of PART_PIECE_BYTES. After a failure the writer is only freed.
 * Return: 0; -1: ERR_FORMAT PART_E_SPACE when the partition ends before, and nothing of this call is written;
 * ERR_SYSTEM
 */
int part_writer_write(void *writer, uint64_t offset, const void *p, size_t n, struct err *e);

/**
 * part_writer_finish() - write what is gathered and flush it to stable storage
 * A failure here is final, since the kernel tells of a lost write only once: the partition has to be written anew.
 */
int part_writer_finish(struct part_writer *w, struct err *e);
void part_writer_free(struct part_writer *w); /* without finish: what is gathered is dropped */
DEFINE_CLEANUP(struct part_writer, part_writer_free);

/**
 * part_sink_new() - a sink that fills a partition of the inactive set from its start, over a part_writer
 * Errors as above. What lies behind the last byte in the partition keeps its old content. sink_finish() flushes
 * to stable storage; a failed flush fails the whole, never tried twice.
 */
int part_sink_new(struct part_table *t, enum part_role r, struct sink **out, struct err *e);

/**
 * part_source_new() - the first @length bytes of a partition of either set, read past the page cache
 * @t: borrowed for the call
 * O_DIRECT where the disk allows it; otherwise cached pages are dropped first (POSIX_FADV_DONTNEED after fdatasync).
 * Return: 0; -1: ERR_FORMAT PART_E_SPACE when the partition is smaller, ERR_SYSTEM
 */
int part_source_new(struct part_table *t, enum part_set s, enum part_role r, uint64_t length, struct source **out,
		    struct err *e);

/**
 * part_open_read() - a read-only descriptor of the disk, and where on it the partition lies; for verity_verify()
 * @out_fd: the caller closes it. Cached pages of the partition have been written and dropped, so that the disk is
 * what is read.
 * Return: 0; -1: ERR_SYSTEM
 */
int part_open_read(struct part_table *t, enum part_set s, enum part_role r, int *out_fd, uint64_t *offset, struct err *e);

#endif
