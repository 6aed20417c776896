/*
 * Any bytes as a disk. What loads can be committed, and then both copies are valid, equal, and say what was in
 * force. The first byte chooses the sector size and whether the CRCs are made right first: a fuzzer does not find
 * them by itself.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "partitions/gptcore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct disk {
	uint8_t *bytes;
	size_t sector_bytes, n_sectors;
};

static uint8_t *at(struct disk *d, uint64_t lba, uint32_t n)
{
	if (lba >= d->n_sectors || n > d->n_sectors - lba)
		abort();
	return d->bytes + lba * d->sector_bytes;
}

static int disk_read(void *ctx, uint64_t lba, uint32_t n, void *dst)
{
	struct disk *d = (struct disk *)ctx;

	memcpy(dst, at(d, lba, n), n * d->sector_bytes);
	return 0;
}

static int disk_write(void *ctx, uint64_t lba, uint32_t n, const void *src)
{
	struct disk *d = (struct disk *)ctx;

	memcpy(at(d, lba, n), src, n * d->sector_bytes);
	return 0;
}

static int disk_flush(void *ctx)
{
	(void)ctx;
	return 0;
}

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* Both CRCs of the header in sector @lba, as far as its entries lie on the disk. */
static void seal(struct disk *d, uint64_t lba)
{
	uint8_t *h = at(d, lba, 1);
	const uint64_t entries = (uint64_t)get32(h + 72) * d->sector_bytes;
	const uint64_t bytes = (uint64_t)get32(h + 80) * get32(h + 84);
	const uint64_t disk_bytes = d->n_sectors * d->sector_bytes;

	if (entries <= disk_bytes && bytes <= disk_bytes - entries)
		put32(h + 88, (uint32_t)crc32(0, d->bytes + entries, (uInt)bytes));
	put32(h + 16, 0);
	put32(h + 16, (uint32_t)crc32(0, h, 92));
}

static void try_disk(const uint8_t *data, size_t size, uint32_t sector_bytes, bool sealed, struct gpt *g,
		     uint8_t *entries)
{
	struct disk d = { .bytes = (uint8_t *)malloc(size + 1), .sector_bytes = sector_bytes, .n_sectors = size / sector_bytes };
	const struct gpt_io io = { &d, sector_bytes, d.n_sectors, disk_read, disk_write, disk_flush };
	uint32_t n, i;

	if (!d.bytes)
		return;
	memcpy(d.bytes, data, size);
	if (sealed && d.n_sectors > 2) {
		seal(&d, d.n_sectors - 1);
		seal(&d, 1);
	}
	if (gpt_load(g, &io) == GPT_OK) {
		n = g->n_entries * g->entry_bytes;
		(void)(gpt_choose(g, g->entries, &i) == GPT_OK && gpt_count_down(g, i));
		memcpy(entries, g->entries, n);
		if (gpt_commit(g) != GPT_OK || gpt_load(g, &io) != GPT_OK || !g->copies_equal || g->from_backup ||
		    n != g->n_entries * g->entry_bytes || memcmp(entries, g->entries, n) != 0)
			abort();
	}
	free(d.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gpt *g = (struct gpt *)malloc(sizeof(*g));
	uint8_t *entries = (uint8_t *)malloc(GPT_ENTRIES_MAX_BYTES);

	if (g && entries && size)
		try_disk(data + 1, size - 1, data[0] & 1 ? 4096 : 512, data[0] & 2, g, entries);
	free(entries);
	free(g);
	return 0;
}
