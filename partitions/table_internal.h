/* Ways to a partition's bytes, for the files of partitions/ that read and write them. */
#ifndef FLIPSIDE_PARTITIONS_TABLE_INTERNAL_H
#define FLIPSIDE_PARTITIONS_TABLE_INTERNAL_H

#include <stdbool.h>

#include "partitions/active.h"
#include "partitions/disk.h"
#include "partitions/table.h"

/* An open piece of a disk; close_p(&x.fd) ends it. */
struct part_extent {
	int fd;		       /* the partition's own device, or the whole disk or image file; -1: none */
	uint64_t offset_bytes; /* of the partition's first byte on @fd */
	uint64_t size_bytes;
	uint32_t sector_bytes; /* with O_DIRECT, offsets and lengths are multiples of this, and memory is aligned to 4096 */
	bool direct;	       /* O_DIRECT is set. A file system may still refuse a transfer: EINVAL; see part_extent_leave_direct() */
};

/* Reading any partition, past the page cache if the file system can. Return: 0; -1: ERR_SYSTEM */
int part_extent_open_read(const struct part_table *t, enum part_set s, enum part_role r, struct part_extent *out, struct err *e);

/**
 * part_extent_open_write() - writing a partition of the inactive set
 * The set is not an argument, and three things are looked at before the open: the range does not touch any
 * partition of the active set (ERR_STATE PART_E_ACTIVE), the inactive set's bits are 0/0/0 (ERR_BUG), and on a
 * block device the partition's own device is used, exclusively: the kernel refuses one that is mounted or mapped
 * (ERR_BUSY), and bounds every write. Only where the kernel knows no such partition (a bare loop device) the
 * whole disk is opened.
 * Return: 0; -1: as above, ERR_SYSTEM
 */
int part_extent_open_write(const struct part_table *t, enum part_role r, struct part_extent *out, struct err *e);

/* Through the page cache from now on, for a tail that is no whole sector or a file system that refuses. Return:
 * 0; -1 ERR_SYSTEM */
int part_extent_leave_direct(struct part_extent *x, struct err *e);

/* The partition's number, from 1, as the kernel counts. */
unsigned part_table_number(const struct part_table *t, enum part_set s, enum part_role r);

/* The set that owns all the partitions of @u, which are of the table's disk. Return: 0; -1: ERR_STATE PART_E_ACTIVE */
int part_table_set_under(const struct part_table *t, const struct part_under *u, enum part_set *out, struct err *e);

/* The disk below; borrowed. part_disk_fd() of it reads through the page cache. */
const struct part_disk *part_table_disk_of(const struct part_table *t);

#endif
