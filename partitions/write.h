/*
 * Writing and reading back the partitions of the inactive set. The active set cannot be opened for writing here: the set is not
 * an argument, and the range is compared with the active set's before the first byte (invariant: the running set is never written).
 */
#ifndef FLIPSIDE_PARTITIONS_WRITE_H
#define FLIPSIDE_PARTITIONS_WRITE_H

#include "base/stream.h"
#include "partitions/table.h"

/**
 * part_sink_new() - a sink that fills a partition of the inactive set from its start
 * @t: borrowed; its inactive set must stand at 0/0/0 (part_table_clear_inactive()), or ERR_BUG
 * Writes are gathered to aligned pieces of 1 MiB. More bytes than the partition holds is ERR_FORMAT PART_E_SPACE, before anything beyond
 * its end is touched. sink_finish() flushes to stable storage; a failed flush fails the whole, never tried twice.
 */
int part_sink_new(struct part_table *t, enum part_role r, struct sink **out, struct err *e);

/**
 * part_source_new() - the first @length bytes of a partition of either set, read past the page cache
 * O_DIRECT where the file allows it; otherwise the cached pages are dropped first (POSIX_FADV_DONTNEED after fsync).
 */
int part_source_new(struct part_table *t, enum part_set s, enum part_role r, uint64_t length, struct source **out,
		    struct err *e);

/* A read-only descriptor of the disk and the partition's offset on it, for verity_verify(); borrowed from @t. */
int part_table_read_fd(struct part_table *t, enum part_set s, enum part_role r, uint64_t *offset);

#endif
