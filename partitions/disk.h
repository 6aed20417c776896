/*
 * The disk under a partition table: a block device or an image file, as whole sectors for partitions/gptcore.h.
 * Reads and writes of the table bypass the page cache where the file allows it, sector by sector, so that nothing
 * beside the table is written along: the cache of a whole disk is not coherent with those of its partitions.
 */
#ifndef FLIPSIDE_PARTITIONS_DISK_H
#define FLIPSIDE_PARTITIONS_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "partitions/gptcore.h"

struct part_disk;

/**
 * part_disk_open() - open for reading
 * @path: block device or regular file; copied
 * Return: 0; -1: ERR_SYSTEM (also for any other kind of file)
 */
int part_disk_open(const char *path, struct part_disk **out, struct err *e);
void part_disk_free(struct part_disk *d);
DEFINE_CLEANUP(struct part_disk, part_disk_free);

const char *part_disk_path(const struct part_disk *d);
bool part_disk_is_device(const struct part_disk *d);
void part_disk_number(const struct part_disk *d, unsigned *major_out, unsigned *minor_out); /* of a device; else 0, 0 */
uint64_t part_disk_size(const struct part_disk *d);	 /* bytes */
uint32_t part_disk_sector_bytes(const struct part_disk *d); /* of a file: known after part_disk_load() */

/* A read-only descriptor for the whole disk, through the page cache; borrowed. */
int part_disk_fd(const struct part_disk *d);

/**
 * part_disk_load() - gpt_load() with the failures in words
 * @g: refers to @d from now on
 * A device has its own sector size; in a file 512 is tried, then 4096.
 * Return: 0; -1: ERR_FORMAT PART_E_TABLE says what is wrong with each copy, ERR_SYSTEM
 */
int part_disk_load(struct part_disk *d, struct gpt *g, struct err *e);

/* A line in the log if one copy is damaged or the two differ, and which is used. */
void part_disk_warn(const struct part_disk *d, const struct gpt *g);

/**
 * part_disk_lock() - open for writing and keep others who use this function out, until part_disk_unlock()
 * Load the table after it, not before: somebody else may have changed it. The lock is flock() on the disk, as udev and
 * partitioning tools take it; it is waited for some seconds.
 * Return: 0; -1: ERR_BUSY, ERR_SYSTEM
 */
int part_disk_lock(struct part_disk *d, struct err *e);
void part_disk_unlock(struct part_disk *d);

/* gpt_commit() with the failure in words; @d is locked. Return: 0; -1: ERR_SYSTEM, load the table again */
int part_disk_commit(struct part_disk *d, struct gpt *g, struct err *e);

#endif
