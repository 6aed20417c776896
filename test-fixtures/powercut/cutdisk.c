/* The sectors and their sums. Invariant: now differs from durable in the sectors listed in changed, and sums are
 * those of the hashes. */
#include "test-fixtures/powercut/cutdisk.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"

#define SAVE_SECTORS 128

static const uint8_t zeros[CUT_SECTOR];

static uint64_t mix(uint64_t v)
{
	v ^= v >> 30;
	v *= UINT64_C(0xbf58476d1ce4e5b9);
	v ^= v >> 27;
	v *= UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

/* Of a sector in its place, so that a sum over sectors tells disks apart. Nobody chooses the content to deceive it. */
static uint64_t hash_of(const uint8_t *p, uint64_t lba)
{
	uint64_t h = lba + 1;

	for (size_t i = 0; i < CUT_SECTOR; i += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, p + i, sizeof(word));
		h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	return mix(h);
}

static int io_read(void *ctx, uint64_t lba, uint32_t n, void *dst)
{
	const struct cut_disk *d = (const struct cut_disk *)ctx;

	if (lba >= d->n_sectors || n > d->n_sectors - lba)
		return -1;
	cut_read(d, lba * CUT_SECTOR, (size_t)n * CUT_SECTOR, (uint8_t *)dst);
	return 0;
}

static void set_region(struct cut_disk *d, uint64_t first, uint64_t n, int region)
{
	memset(d->region + first, region, n);
}

static int find_sets(struct cut_disk *d, struct err *e)
{
	const struct gpt *g = &d->gpt;
	const uint64_t array = ((uint64_t)g->n_entries * g->entry_bytes + CUT_SECTOR - 1) / CUT_SECTOR;

	for (int r = 0; r < PART_N_ROLES; r++) {
		int s = 0;

		for (uint32_t i = 0; i < g->n_entries && s < PART_N_SETS; i++) {
			struct gpt_entry entry;

			if (!gpt_entry_is(g, i, part_types_bottlerocket.role[r]))
				continue;
			(void)gpt_entry(g, i, &entry);
			if (r == PART_BOOT)
				d->boot_entry[s] = i;
			d->range[s][r] = (struct part_range){ entry.first_lba * CUT_SECTOR,
							      (entry.last_lba - entry.first_lba + 1) * CUT_SECTOR };
			set_region(d, entry.first_lba, entry.last_lba - entry.first_lba + 1, CUT_PARTS + s * PART_N_ROLES + r);
			s++;
		}
		if (s < PART_N_SETS)
			return err_set(e, ERR_FORMAT, PART_E_SETS, "the disk has not two sets");
	}
	set_region(d, 1, 1, CUT_TABLE);
	set_region(d, g->primary_entries_lba, array, CUT_TABLE);
	set_region(d, g->backup_lba, 1, CUT_TABLE);
	set_region(d, g->backup_entries_lba, array, CUT_TABLE);
	return 0;
}

int cut_disk_init(struct cut_disk *d, const uint8_t *image, uint64_t size_bytes, struct err *e)
{
	const uint64_t n = size_bytes / CUT_SECTOR;

	*d = (struct cut_disk){ .n_sectors = n };
	d->region = calloc(n, 1);
	d->changed = calloc(n, sizeof(*d->changed));
	d->durable_hash = calloc(n, sizeof(uint64_t));
	d->now_hash = calloc(n, sizeof(uint64_t));
	d->durable = calloc(n, sizeof(*d->durable));
	d->now = calloc(n, sizeof(*d->now));
	d->cached = calloc(n, sizeof(*d->cached));
	if (!d->region || !d->changed || !d->durable_hash || !d->now_hash || !d->durable || !d->now || !d->cached)
		return err_sys(e, "the disk");
	d->io = (struct gpt_io){ .ctx = d, .sector_bytes = CUT_SECTOR, .n_sectors = n, .read = io_read };
	for (uint64_t i = 0; i < n; i++) {
		d->durable[i] = d->now[i] = d->cached[i] = image + i * CUT_SECTOR;
		d->durable_hash[i] = d->now_hash[i] = hash_of(d->durable[i], i);
	}
	if (gpt_load(&d->gpt, &d->io) != GPT_OK)
		return err_set(e, ERR_FORMAT, PART_E_TABLE, "the disk has no table to begin with");
	if (find_sets(d, e) < 0)
		return -1;
	for (uint64_t i = 0; i < n; i++)
		d->durable_sum[d->region[i]] += d->durable_hash[i];
	memcpy(d->now_sum, d->durable_sum, sizeof(d->now_sum));
	return 0;
}

/* Memory for @n sectors that lives as long as the disk. */
static uint8_t *new_filled(struct cut_disk *d, uint32_t n)
{
	uint8_t *p = calloc(n, CUT_SECTOR);

	d->filled = realloc(d->filled, (d->n_filled + 1) * sizeof(*d->filled));
	if (!p || !d->filled)
		abort();
	d->filled[d->n_filled++] = p;
	return p;
}

bool cut_write_init(struct cut_write *w, struct cut_disk *d, const uint8_t *data, uint64_t offset, uint32_t n)
{
	const uint64_t end = offset + n;
	const uint64_t first = offset / CUT_SECTOR, last = (end + CUT_SECTOR - 1) / CUT_SECTOR;
	uint8_t *filled = NULL;

	if (!n || end > d->n_sectors * CUT_SECTOR)
		return false;
	*w = (struct cut_write){ .first = first, .n = (uint32_t)(last - first), .table = true };
	w->at = calloc(w->n, sizeof(*w->at));
	w->hash = calloc(w->n, sizeof(*w->hash));
	if (offset % CUT_SECTOR || end % CUT_SECTOR)
		filled = new_filled(d, w->n);
	if (!w->at || !w->hash)
		abort();
	for (uint32_t i = 0; filled && i < w->n; i++)
		memcpy(filled + (size_t)i * CUT_SECTOR, d->cached[first + i], CUT_SECTOR);
	if (filled)
		memcpy(filled + offset % CUT_SECTOR, data, n);
	for (uint32_t i = 0; i < w->n; i++) {
		w->at[i] = (filled ? filled : data) + (size_t)i * CUT_SECTOR;
		w->hash[i] = hash_of(w->at[i], first + i);
		w->table = w->table && d->region[first + i] == CUT_TABLE;
		d->cached[first + i] = w->at[i];
	}
	return true;
}

/* The sectors stay: the disk points at them. */
void cut_write_fini(struct cut_write *w)
{
	free(w->at);
	free(w->hash);
	w->at = NULL;
	w->hash = NULL;
}

static void set_now(struct cut_disk *d, uint64_t lba, const uint8_t *at, uint64_t hash)
{
	d->now_sum[d->region[lba]] += hash - d->now_hash[lba];
	d->now[lba] = at;
	d->now_hash[lba] = hash;
}

void cut_reset(struct cut_disk *d)
{
	for (size_t i = 0; i < d->n_changed; i++)
		set_now(d, d->changed[i], d->durable[d->changed[i]], d->durable_hash[d->changed[i]]);
	d->n_changed = 0;
}

void cut_put(struct cut_disk *d, const struct cut_write *w, uint32_t i)
{
	const uint64_t lba = w->first + i;

	if (w->hash[i] == d->now_hash[lba])
		return;
	if (d->now[lba] == d->durable[lba])
		d->changed[d->n_changed++] = (uint32_t)lba;
	set_now(d, lba, w->at[i], w->hash[i]);
}

void cut_put_all(struct cut_disk *d, const struct cut_write *w)
{
	for (uint32_t i = 0; i < w->n; i++)
		cut_put(d, w, i);
}

void cut_settle(struct cut_disk *d, const struct cut_write *w)
{
	cut_reset(d);
	for (uint32_t i = 0; i < w->n; i++) {
		const uint64_t lba = w->first + i;

		d->durable_sum[d->region[lba]] += w->hash[i] - d->durable_hash[lba];
		d->durable[lba] = w->at[i];
		d->durable_hash[lba] = w->hash[i];
		set_now(d, lba, w->at[i], w->hash[i]);
	}
}

uint64_t cut_disk_key(const struct cut_disk *d)
{
	uint64_t sum = 0;

	for (int i = 0; i < CUT_REGIONS; i++)
		sum += d->now_sum[i];
	return sum;
}

void cut_read(const struct cut_disk *d, uint64_t offset, size_t n, uint8_t *out)
{
	for (size_t i = 0; i < n / CUT_SECTOR; i++)
		memcpy(out + i * CUT_SECTOR, d->now[offset / CUT_SECTOR + i], CUT_SECTOR);
}

int cut_disk_save(const struct cut_disk *d, const char *path, struct err *e)
{
	CLEANUP(close_p) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	uint8_t piece[SAVE_SECTORS * CUT_SECTOR];

	if (fd < 0 || ftruncate(fd, (off_t)(d->n_sectors * CUT_SECTOR)) < 0)
		return err_sys(e, "saving %s", path);
	for (uint64_t lba = 0; lba < d->n_sectors; lba += SAVE_SECTORS) {
		const size_t n = (size_t)min_u64(SAVE_SECTORS, d->n_sectors - lba);
		bool blank = true;

		for (size_t i = 0; blank && i < n; i++)
			blank = memcmp(d->now[lba + i], zeros, CUT_SECTOR) == 0;
		if (blank)
			continue;
		cut_read(d, lba * CUT_SECTOR, n * CUT_SECTOR, piece);
		if (file_pwrite_all(fd, piece, n * CUT_SECTOR, lba * CUT_SECTOR, path, e) < 0)
			return -1;
	}
	return 0;
}
