/*
 * Disks as a cut leaves them, without copying one: a disk is an array of pointers to sectors, into the image that
 * the recording began with or into the log. Putting a sector down is one assignment, and a sum of hashes over
 * each region tells whether anything changed.
 */
#ifndef FLIPSIDE_TEST_FIXTURES_CUTDISK_H
#define FLIPSIDE_TEST_FIXTURES_CUTDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "partitions/table.h"

#define CUT_SECTOR 512

/* Regions of the disk: the table's own sectors, each partition of a set, and the rest, which nobody may touch. */
enum { CUT_REST, CUT_TABLE, CUT_PARTS, CUT_REGIONS = CUT_PARTS + PART_N_SETS * PART_N_ROLES };

struct cut_disk {
	uint64_t n_sectors;
	uint8_t *region;		   /* of each sector */
	struct part_range range[PART_N_SETS][PART_N_ROLES];
	uint32_t boot_entry[PART_N_SETS];
	const uint8_t **durable, **now, **cached; /* after each flush; the state under test; what the programs would read */
	uint64_t *durable_hash, *now_hash;
	uint64_t durable_sum[CUT_REGIONS], now_sum[CUT_REGIONS];
	uint32_t *changed; /* sectors in which now differs from durable */
	size_t n_changed;
	uint8_t **filled; /* sectors that are neither in the image nor in the log, as writes of less than one make them */
	size_t n_filled;
	struct gpt_io io; /* reads the state under test */
	struct gpt gpt;
};

/* A write in the log, as sectors. One that begins or ends within a sector is filled up from what the page cache held. */
struct cut_write {
	uint32_t file, id, n;
	uint64_t first;		/* sector */
	const uint8_t **at;	/* n sectors */
	uint64_t *hash;
	bool direct, table;	/* table: within the partition table's sectors */
	size_t ended;		/* event at which it ended; 0: not yet */
};

/* @image: the disk at the beginning, borrowed. Finds both sets by the Bottlerocket types. */
int cut_disk_init(struct cut_disk *d, const uint8_t *image, uint64_t size_bytes, struct err *e);

/* @data is borrowed. False: beyond the end of the disk. */
bool cut_write_init(struct cut_write *w, struct cut_disk *d, const uint8_t *data, uint64_t offset, uint32_t n);
void cut_write_fini(struct cut_write *w);

void cut_reset(struct cut_disk *d); /* the state under test is what is durable */
void cut_put(struct cut_disk *d, const struct cut_write *w, uint32_t i); /* sector @i of @w is down */
void cut_put_all(struct cut_disk *d, const struct cut_write *w);
void cut_settle(struct cut_disk *d, const struct cut_write *w); /* @w is durable; the state under test is reset */

uint64_t cut_disk_key(const struct cut_disk *d); /* equal for equal states */
void cut_read(const struct cut_disk *d, uint64_t offset, size_t n, uint8_t *out); /* whole sectors of the state */
int cut_disk_save(const struct cut_disk *d, const char *path, struct err *e); /* as a sparse file */

#endif
