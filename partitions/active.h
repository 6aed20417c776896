/*
 * What /sys says about block devices: which partitions lie under the root file system, and which device a
 * partition is. The root of sysfs is an argument, so that tests give a tree of their own.
 */
#ifndef FLIPSIDE_PARTITIONS_ACTIVE_H
#define FLIPSIDE_PARTITIONS_ACTIVE_H

#include <stdint.h>

#include "base/err.h"

#define PART_SYSFS "/sys"
#define PART_NAME_MAX_BYTES 128 /* of a kernel device name such as "nvme0n1p3", with its NUL */
#define PART_UNDER_MAX 8

/* A block device as its uevent file describes it. */
struct part_sysdev {
	unsigned major, minor;
	unsigned partition;		/* number, from 1; 0: no partition */
	char name[PART_NAME_MAX_BYTES]; /* relative to /dev */
};

/* Where a device's bytes lie in the end: partitions of one disk. */
struct part_under {
	struct part_sysdev disk;
	unsigned n, partition[PART_UNDER_MAX]; /* numbers, from 1 */
};

/**
 * part_under_find() - follow a device down through device mapper to the partitions that carry it
 * @sysfs: PART_SYSFS
 * A dm-verity root stands on two, root and hash partition; a plain one on itself. Every branch is followed.
 * Return: 0; -1: ERR_STATE PART_E_ACTIVE if it is no block device, no partition, or on several disks; ERR_SYSTEM
 */
int part_under_find(const char *sysfs, unsigned major, unsigned minor, struct part_under *out, struct err *e);

/* The same for the device of the file system that holds @path ("/"). */
int part_under_path(const char *sysfs, const char *path, struct part_under *out, struct err *e);

/**
 * part_child_find() - the device of partition @number of a disk
 * @start_bytes: where the kernel thinks it begins on the disk
 * Return: 0; -1: ERR_MISSING if the kernel knows no such partition, ERR_SYSTEM
 */
int part_child_find(const char *sysfs, unsigned major, unsigned minor, unsigned number, struct part_sysdev *out,
		    uint64_t *start_bytes, struct err *e);

#endif
