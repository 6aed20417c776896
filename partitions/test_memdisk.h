/* A disk in memory with a GPT that the test makes itself (CRCs by zlib), and a record of all that is written to it. */
#ifndef FLIPSIDE_PARTITIONS_TEST_MEMDISK_H
#define FLIPSIDE_PARTITIONS_TEST_MEMDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "partitions/gptcore.h"

#define MEM_EVENTS_MAX 64
#define MEM_NEVER (-1)

/* One write, or a flush if @data is NULL. */
struct mem_event {
	uint64_t lba;
	uint32_t n;
	uint8_t *data;
};

struct memdisk {
	struct gpt_io io;
	uint8_t *bytes;
	struct mem_event log[MEM_EVENTS_MAX];
	size_t n_log;
	int calls, fail_at;	   /* the call with this number fails, and all after it; MEM_NEVER */
	int flushes, drop_flush;   /* the flush with this number is answered and forgotten; MEM_NEVER */
	uint64_t bad_lba;	   /* reading it fails; 0: none */
};

struct mem_shape {
	uint32_t sector_bytes, n_entries, entry_bytes;
	uint64_t n_sectors;
};

/* Zeros, without a table. */
void mem_init(struct memdisk *m, uint32_t sector_bytes, uint64_t n_sectors);
void mem_fini(struct memdisk *m);
void mem_clone(struct memdisk *to, const struct memdisk *from); /* content only: no log, no faults */
void mem_forget(struct memdisk *m);				 /* the log and all faults */
size_t mem_size(const struct memdisk *m);

/* A disk with both copies and no partition; the usable range is all that is left. */
void mem_make(struct memdisk *m, const struct mem_shape *shape);

uint64_t mem_header_at(const struct memdisk *m, bool backup);  /* byte offset on the disk */
uint64_t mem_entries_at(const struct memdisk *m, bool backup); /* as that header says */
uint64_t mem_get(const struct memdisk *m, uint64_t at, size_t n);
void mem_put(struct memdisk *m, uint64_t at, size_t n, uint64_t v); /* little-endian */

/* An entry in both copies or one; mem_seal() makes the CRCs right. */
void mem_entry(struct memdisk *m, bool backup, uint32_t i, uint8_t type, uint64_t first, uint64_t last, uint64_t attributes);
void mem_seal_at(struct memdisk *m, uint64_t header_at); /* a header's own CRC only */
void mem_seal(struct memdisk *m);

/* Type @n's GUID, as mem_entry() writes it: sixteen times the byte. */
void mem_type(uint8_t n, uint8_t out[GPT_GUID_BYTES]);

#endif
