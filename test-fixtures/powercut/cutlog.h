/*
 * The log of a recording: what the programs asked of one disk and of the files beside it, in order. record.c
 * writes it, from inside the programs; the driver adds marks between them; the replayer reads it.
 *
 * A write and a flush have a beginning and an end of their own, because they may overlap in a program with
 * threads: a write may reach the disk from its beginning on, and a flush vouches only for writes that had ended
 * when it began, and only when it has ended.
 */
#ifndef FLIPSIDE_TEST_FIXTURES_CUTLOG_H
#define FLIPSIDE_TEST_FIXTURES_CUTLOG_H

#include <stdint.h>

/* Environment of a recording program. */
#define CUT_ENV_LOG "FLIPSIDE_RECORD_LOG"	/* appended to; not set: nothing is recorded */
#define CUT_ENV_DISK "FLIPSIDE_RECORD_DISK"	/* the file whose writes and flushes count */
#define CUT_ENV_CACHED "FLIPSIDE_RECORD_CACHED" /* set: O_DIRECT is refused, as by a file system without it */

enum cut_kind {
	CUT_WRITE = 'W',	 /* data follows */
	CUT_WRITE_END = 'w',	 /* of the write with this id; n: the bytes written, 0 if it failed */
	CUT_FLUSH = 'F',
	CUT_FLUSH_END = 'f',	 /* of the flush with this id; n: 1 if it was done, 0 if it failed */
	CUT_RENAME = 'R',	 /* data: the new name without its folder, NUL, the file's content */
	CUT_UNLINK = 'U',	 /* data: the name without its folder, NUL */
	CUT_FOLDER_FLUSHED = 'D', /* a folder's fsync has ended: names are durable */
	CUT_MARK = 'M',		 /* data: text of the driver */
};

#define CUT_DIRECT 1   /* of a write: past the page cache */
#define CUT_UNSYNCED 2 /* of a rename: the content was never flushed */

/* Numbers as the host has them; a log does not travel. @n bytes of data follow writes, renames, unlinks and marks. */
struct cut_record {
	uint8_t kind, flags;
	uint16_t zero;
	uint32_t file; /* which open of the disk */
	uint32_t id;   /* ties an end to its beginning */
	uint32_t n;
	uint64_t offset; /* of a write, in bytes */
};

_Static_assert(sizeof(struct cut_record) == 24, "the driver writes marks in this shape");

#endif
