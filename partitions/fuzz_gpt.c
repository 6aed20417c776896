/* Any bytes as a disk. What loads can be committed, and then both copies are valid, equal, and say what was in force. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

static void try_disk(const uint8_t *data, size_t size, uint32_t sector_bytes, struct gpt *g, uint8_t *entries)
{
	struct disk d = { .bytes = (uint8_t *)malloc(size + 1), .sector_bytes = sector_bytes, .n_sectors = size / sector_bytes };
	const struct gpt_io io = { &d, sector_bytes, d.n_sectors, disk_read, disk_write, disk_flush };
	uint32_t n, i;

	if (!d.bytes)
		return;
	memcpy(d.bytes, data, size);
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

	if (g && entries) {
		try_disk(data, size, 512, g, entries);
		try_disk(data, size, 4096, g, entries);
	}
	free(entries);
	free(g);
	return 0;
}
