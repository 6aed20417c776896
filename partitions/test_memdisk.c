#include "partitions/test_memdisk.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define HEADER_BYTES 92

static bool fails(struct memdisk *m)
{
	return m->fail_at != MEM_NEVER && m->calls++ >= m->fail_at;
}

/* The core must never ask for what is not on the disk: that is the test's own invariant, so it stops at once. */
static uint8_t *at(struct memdisk *m, uint64_t lba, uint32_t n)
{
	if (lba >= m->io.n_sectors || n > m->io.n_sectors - lba)
		abort();
	return m->bytes + lba * m->io.sector_bytes;
}

static int mem_read(void *ctx, uint64_t lba, uint32_t n, void *dst)
{
	struct memdisk *m = (struct memdisk *)ctx;
	const uint8_t *p = at(m, lba, n);

	if (m->bad_lba >= lba && m->bad_lba < lba + n && m->bad_lba)
		return -1;
	memcpy(dst, p, (size_t)n * m->io.sector_bytes);
	return 0;
}

static void record(struct memdisk *m, uint64_t lba, uint32_t n, const void *src)
{
	const size_t bytes = (size_t)n * m->io.sector_bytes;
	struct mem_event *event = &m->log[m->n_log];

	if (m->n_log++ >= MEM_EVENTS_MAX)
		abort();
	*event = (struct mem_event){ .lba = lba, .n = n, .data = src ? (uint8_t *)malloc(bytes) : NULL };
	if (src)
		memcpy(event->data, src, bytes);
}

static int mem_write(void *ctx, uint64_t lba, uint32_t n, const void *src)
{
	struct memdisk *m = (struct memdisk *)ctx;
	uint8_t *p = at(m, lba, n);

	if (fails(m))
		return -1;
	record(m, lba, n, src);
	memcpy(p, src, (size_t)n * m->io.sector_bytes);
	return 0;
}

static int mem_flush(void *ctx)
{
	struct memdisk *m = (struct memdisk *)ctx;

	if (fails(m))
		return -1;
	if (m->flushes++ != m->drop_flush)
		record(m, 0, 0, NULL);
	return 0;
}

void mem_init(struct memdisk *m, uint32_t sector_bytes, uint64_t n_sectors)
{
	*m = (struct memdisk){ .fail_at = MEM_NEVER, .drop_flush = MEM_NEVER };
	m->bytes = (uint8_t *)calloc(n_sectors ? n_sectors : 1, sector_bytes);
	m->io = (struct gpt_io){ .ctx = m,
				 .sector_bytes = sector_bytes,
				 .n_sectors = n_sectors,
				 .read = mem_read,
				 .write = mem_write,
				 .flush = mem_flush };
}

void mem_forget(struct memdisk *m)
{
	for (size_t i = 0; i < m->n_log; i++)
		free(m->log[i].data);
	m->n_log = 0;
	m->calls = m->flushes = 0;
	m->fail_at = m->drop_flush = MEM_NEVER;
	m->bad_lba = 0;
}

void mem_fini(struct memdisk *m)
{
	mem_forget(m);
	free(m->bytes);
	m->bytes = NULL;
}

size_t mem_size(const struct memdisk *m)
{
	return m->io.n_sectors * m->io.sector_bytes;
}

void mem_clone(struct memdisk *to, const struct memdisk *from)
{
	mem_init(to, from->io.sector_bytes, from->io.n_sectors);
	memcpy(to->bytes, from->bytes, mem_size(from));
}

uint64_t mem_get(const struct memdisk *m, uint64_t offset, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i-- > 0;)
		v = v << 8 | m->bytes[offset + i];
	return v;
}

void mem_put(struct memdisk *m, uint64_t offset, size_t n, uint64_t v)
{
	for (size_t i = 0; i < n; i++)
		m->bytes[offset + i] = (uint8_t)(v >> (8 * i));
}

uint64_t mem_header_at(const struct memdisk *m, bool backup)
{
	const uint64_t primary = m->io.sector_bytes;

	return backup ? mem_get(m, primary + 32, 8) * m->io.sector_bytes : primary;
}

uint64_t mem_entries_at(const struct memdisk *m, bool backup)
{
	return mem_get(m, mem_header_at(m, backup) + 72, 8) * m->io.sector_bytes;
}

void mem_type(uint8_t n, uint8_t out[GPT_GUID_BYTES])
{
	memset(out, n, GPT_GUID_BYTES);
}

void mem_entry(struct memdisk *m, bool backup, uint32_t i, uint8_t type, uint64_t first, uint64_t last, uint64_t attributes)
{
	const uint64_t entry = mem_entries_at(m, backup) + i * mem_get(m, mem_header_at(m, backup) + 84, 4);

	memset(m->bytes + entry, type, 16);
	memset(m->bytes + entry + 16, (int)(0x80 + i), 16);
	mem_put(m, entry + 32, 8, first);
	mem_put(m, entry + 40, 8, last);
	mem_put(m, entry + 48, 8, attributes);
	mem_put(m, entry + 56, 2, 'p');
}

void mem_seal_at(struct memdisk *m, uint64_t h)
{
	mem_put(m, h + 16, 4, 0);
	mem_put(m, h + 16, 4, crc32(0, m->bytes + h, HEADER_BYTES));
}

void mem_seal(struct memdisk *m)
{
	for (int backup = 0; backup < 2; backup++) {
		const uint64_t h = mem_header_at(m, backup);
		const uint64_t bytes = mem_get(m, h + 80, 4) * mem_get(m, h + 84, 4);

		mem_put(m, h + 88, 4, crc32(0, m->bytes + mem_entries_at(m, backup), (uInt)bytes));
		mem_seal_at(m, h);
	}
}

void mem_make(struct memdisk *m, const struct mem_shape *s)
{
	const uint64_t array = (s->n_entries * (uint64_t)s->entry_bytes + s->sector_bytes - 1) / s->sector_bytes;
	const uint64_t last = s->n_sectors - 1;

	mem_init(m, s->sector_bytes, s->n_sectors);
	for (int backup = 0; backup < 2; backup++) {
		const uint64_t h = (backup ? last : 1) * s->sector_bytes;

		memcpy(m->bytes + h, "EFI PART", 8);
		mem_put(m, h + 8, 4, 0x10000);
		mem_put(m, h + 12, 4, HEADER_BYTES);
		mem_put(m, h + 24, 8, backup ? last : 1);
		mem_put(m, h + 32, 8, backup ? 1 : last);
		mem_put(m, h + 40, 8, 2 + array);
		mem_put(m, h + 48, 8, last - array - 1);
		memset(m->bytes + h + 56, 0xd1, 16);
		mem_put(m, h + 72, 8, backup ? last - array : 2);
		mem_put(m, h + 80, 4, s->n_entries);
		mem_put(m, h + 84, 4, s->entry_bytes);
	}
	mem_seal(m);
}
