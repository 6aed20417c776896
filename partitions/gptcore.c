/*
 * The GPT core. Two copies of one table lie on the disk; this file decides which is in force, and replaces both
 * so that a power cut never leaves the disk without a valid one.
 *
 * Invariants:
 * - A number from the disk is used only after check_header() has bounded it; after that the array of entries fits
 *   g->entries, lies inside the disk, and touches neither a header nor the usable range.
 * - g->loaded is true only while g holds what the copy in force on the disk says, or that with changes in memory.
 * - Only 92 bytes of a header sector mean anything and are covered by its CRC; the rest is written as zeros.
 * - Freestanding: no libc, loops over bytes instead, stack frames far below 4 KiB (no stack probe in firmware).
 */
#include "partitions/gptcore.h"

#define PRIMARY_LBA 1
#define PRIMARY_ENTRIES_LBA 2 /* where the array of a primary is put if its own header cannot say */
#define HEADER_BYTES 92
#define REVISION_1_0 0x00010000u
#define ENTRY_MIN_BYTES 128
#define SECTOR_MIN_BYTES 512

/* Offsets in the header, UEFI 2.10 table 5.5, and in an entry, table 5.6. */
enum {
	H_SIGNATURE = 0,
	H_REVISION = 8,
	H_SIZE = 12,
	H_CRC = 16,
	H_MY_LBA = 24,
	H_ALTERNATE_LBA = 32,
	H_FIRST_USABLE = 40,
	H_LAST_USABLE = 48,
	H_DISK_GUID = 56,
	H_ENTRIES_LBA = 72,
	H_N_ENTRIES = 80,
	H_ENTRY_BYTES = 84,
	H_ENTRIES_CRC = 88,

	E_TYPE = 0,
	E_UNIQUE = 16,
	E_FIRST = 32,
	E_LAST = 40,
	E_ATTRIBUTES = 48,
	E_NAME = 56,
};

#define PRIORITY_SHIFT 48
#define TRIES_SHIFT 52
#define SUCCESSFUL_SHIFT 56
#define BITS_MASK ((UINT64_C(0x1ff)) << PRIORITY_SHIFT)

/* A header's numbers, checked. */
struct fields {
	uint64_t alternate_lba, first_usable, last_usable, entries_lba;
	uint32_t n_entries, entry_bytes, entries_crc;
	uint32_t array_bytes, array_sectors; /* of n_entries * entry_bytes; at most GPT_ENTRIES_MAX_BYTES */
};

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t get64(const uint8_t *p)
{
	return get32(p) | (uint64_t)get32(p + 4) << 32;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static void copy(uint8_t *to, const uint8_t *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[i];
}

static bool equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
}

/* CRC-32 of UEFI (ISO 3309, reflected, 0xedb88320), four bits at a time: a table of 64 bytes is enough here. */
static uint32_t crc32_add(uint32_t crc, const uint8_t *p, size_t n)
{
	static const uint32_t nibble[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
		0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (size_t i = 0; i < n; i++) {
		crc ^= p[i];
		crc = crc >> 4 ^ nibble[crc & 15];
		crc = crc >> 4 ^ nibble[crc & 15];
	}
	return crc;
}

static uint32_t crc32(const uint8_t *p, size_t n)
{
	return ~crc32_add(0xffffffff, p, n);
}

/* A header's CRC is taken with its own field as zero. */
static uint32_t header_crc(const uint8_t *h)
{
	static const uint8_t zero[4];
	uint32_t crc = crc32_add(0xffffffff, h, H_CRC);

	crc = crc32_add(crc, zero, sizeof(zero));
	return ~crc32_add(crc, h + H_CRC + 4, HEADER_BYTES - H_CRC - 4);
}

static bool has_signature(const uint8_t *h)
{
	static const uint8_t text[8] = { 'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T' };

	return equal(h + H_SIGNATURE, text, sizeof(text));
}

static bool sector_size_is_possible(uint32_t n)
{
	return n >= SECTOR_MIN_BYTES && n <= GPT_SECTOR_MAX_BYTES && !(n & (n - 1));
}

/* Size and number of entries, so that all later sums on them are small. */
static bool check_array_size(const struct gpt_io *io, const uint8_t *h, struct fields *f)
{
	f->n_entries = get32(h + H_N_ENTRIES);
	f->entry_bytes = get32(h + H_ENTRY_BYTES);
	f->entries_crc = get32(h + H_ENTRIES_CRC);
	if (f->entry_bytes < ENTRY_MIN_BYTES || f->entry_bytes > GPT_ENTRIES_MAX_BYTES ||
	    (f->entry_bytes & (f->entry_bytes - 1)))
		return false;
	if (f->n_entries < 1 || f->n_entries > GPT_ENTRIES_MAX_BYTES / f->entry_bytes)
		return false;
	f->array_bytes = f->n_entries * f->entry_bytes;
	f->array_sectors = (f->array_bytes + io->sector_bytes - 1) / io->sector_bytes;
	return true;
}

/* True if @n sectors from @lba on lie in @first..@end, @end excluded. No sum of foreign numbers is made. */
static bool inside(uint64_t lba, uint32_t n, uint64_t first, uint64_t end)
{
	return lba >= first && lba <= end && n <= end - lba;
}

/*
 * The order on the disk is: protective MBR, primary header, primary array, usable range, backup array, backup
 * header. Both copies' arrays must have room, also the one that this header does not tell of, because a repair
 * puts it there.
 */
static bool check_positions(const struct gpt_io *io, const uint8_t *h, bool primary, uint64_t lba, struct fields *f)
{
	const uint64_t backup_lba = primary ? get64(h + H_ALTERNATE_LBA) : lba;

	f->alternate_lba = get64(h + H_ALTERNATE_LBA);
	f->first_usable = get64(h + H_FIRST_USABLE);
	f->last_usable = get64(h + H_LAST_USABLE);
	f->entries_lba = get64(h + H_ENTRIES_LBA);
	if (get64(h + H_MY_LBA) != lba || (!primary && f->alternate_lba != PRIMARY_LBA))
		return false;
	if (backup_lba >= io->n_sectors || f->first_usable > f->last_usable || f->last_usable >= backup_lba)
		return false;
	if (!inside(PRIMARY_ENTRIES_LBA, f->array_sectors, PRIMARY_ENTRIES_LBA, f->first_usable) ||
	    !inside(f->last_usable + 1, f->array_sectors, 0, backup_lba))
		return false;
	return primary ? inside(f->entries_lba, f->array_sectors, PRIMARY_ENTRIES_LBA, f->first_usable)
		       : inside(f->entries_lba, f->array_sectors, f->last_usable + 1, backup_lba);
}

static enum gpt_copy check_header(const struct gpt_io *io, const uint8_t *h, bool primary, uint64_t lba, struct fields *f)
{
	if (!has_signature(h))
		return GPT_COPY_NO_SIGNATURE;
	if (get32(h + H_SIZE) != HEADER_BYTES || get32(h + H_REVISION) != REVISION_1_0)
		return GPT_COPY_BAD_HEADER;
	if (get32(h + H_CRC) != header_crc(h))
		return GPT_COPY_BAD_HEADER_CRC;
	if (!check_array_size(io, h, f) || !check_positions(io, h, primary, lba, f))
		return GPT_COPY_BAD_HEADER;
	return GPT_COPY_OK;
}

static bool entry_is_used(const uint8_t *entry)
{
	return !all_zero(entry + E_TYPE, GPT_GUID_BYTES);
}

static bool entries_overlap(const uint8_t *a, const uint8_t *b)
{
	return get64(a + E_FIRST) <= get64(b + E_LAST) && get64(b + E_FIRST) <= get64(a + E_LAST);
}

/* At most 512 entries, and few are used, so each used one is compared with all before it. */
static bool check_entries(const uint8_t *entries, const struct fields *f)
{
	for (uint32_t i = 0; i < f->n_entries; i++) {
		const uint8_t *a = entries + (size_t)i * f->entry_bytes;
		const uint64_t first = get64(a + E_FIRST), last = get64(a + E_LAST);

		if (!entry_is_used(a))
			continue;
		if (first > last || first < f->first_usable || last > f->last_usable)
			return false;
		for (uint32_t j = 0; j < i; j++) {
			const uint8_t *b = entries + (size_t)j * f->entry_bytes;

			if (entries_overlap(a, b) && entry_is_used(b))
				return false;
		}
	}
	return true;
}

static enum gpt_copy load_header(struct gpt *g, uint64_t lba, struct fields *f)
{
	if (g->io->read(g->io->ctx, lba, 1, g->header))
		return GPT_COPY_UNREADABLE;
	return check_header(g->io, g->header, lba == PRIMARY_LBA, lba, f);
}

/* Header and entries of one copy into @g, checked. @f is filled whenever the header is good, whatever the entries are. */
static enum gpt_copy load_copy(struct gpt *g, uint64_t lba, struct fields *f, bool *header_good)
{
	const enum gpt_copy c = load_header(g, lba, f);

	*header_good = c == GPT_COPY_OK;
	if (c != GPT_COPY_OK)
		return c;
	if (g->io->read(g->io->ctx, f->entries_lba, f->array_sectors, g->entries))
		return GPT_COPY_UNREADABLE;
	if (crc32(g->entries, f->array_bytes) != f->entries_crc)
		return GPT_COPY_BAD_ENTRIES_CRC;
	return check_entries(g->entries, f) ? GPT_COPY_OK : GPT_COPY_BAD_ENTRIES;
}

/* Headers of two copies say the same: all but their CRC and the three fields that tell where each copy lies. */
static bool headers_agree(const uint8_t *a, const uint8_t *b)
{
	return equal(a, b, H_CRC) && equal(a + H_FIRST_USABLE, b + H_FIRST_USABLE, H_ENTRIES_LBA - H_FIRST_USABLE) &&
	       equal(a + H_N_ENTRIES, b + H_N_ENTRIES, HEADER_BYTES - H_N_ENTRIES);
}

/* Compares the valid backup on the disk with the primary in memory; the CRC could not tell all differences apart. */
static bool backup_agrees(struct gpt *g, const struct fields *p, const struct fields *b)
{
	const struct gpt_io *io = g->io;

	if (io->read(io->ctx, g->backup_lba, 1, g->scratch) || !headers_agree(g->header, g->scratch))
		return false;
	for (uint32_t i = 0; i < p->array_sectors; i++) {
		const size_t at = (size_t)i * io->sector_bytes;
		const size_t rest = p->array_bytes - at;

		if (io->read(io->ctx, b->entries_lba + i, 1, g->scratch) ||
		    !equal(g->scratch, g->entries + at, rest < io->sector_bytes ? rest : io->sector_bytes))
			return false;
	}
	return true;
}

/*
 * Where each copy's array is, or will be put by a commit: where its own header says, if that is good and the array in
 * force fits there, else right beside its header. check_positions() of the copy in force has made sure of the room.
 */
static void place_arrays(struct gpt *g, const struct fields *force, const struct fields *p, bool p_good,
			 const struct fields *b, bool b_good)
{
	const uint32_t n = force->array_sectors;

	g->primary_entries_lba = PRIMARY_ENTRIES_LBA;
	if (p_good && inside(p->entries_lba, n, PRIMARY_ENTRIES_LBA, force->first_usable))
		g->primary_entries_lba = p->entries_lba;
	g->backup_entries_lba = g->backup_lba - n;
	if (b_good && inside(b->entries_lba, n, force->last_usable + 1, g->backup_lba))
		g->backup_entries_lba = b->entries_lba;
}

int gpt_load(struct gpt *g, const struct gpt_io *io)
{
	struct fields p = { 0 }, b = { 0 };
	const struct fields *force = &p;
	bool p_good, b_good;

	g->io = io;
	g->loaded = g->from_backup = g->copies_equal = g->dirty = false;
	g->n_entries = g->entry_bytes = 0;
	g->primary = g->backup = GPT_COPY_NO_SIGNATURE;
	if (!sector_size_is_possible(io->sector_bytes))
		return GPT_ERANGE;
	if (io->n_sectors <= PRIMARY_LBA + 1)
		return GPT_ENOTABLE;
	/* The primary header first: it tells where the backup is, also if its own entries turn out to be damaged.
	 * Then the whole backup, then the whole primary over it in the same memory: the usual winner comes last. */
	g->backup_lba = load_header(g, PRIMARY_LBA, &p) == GPT_COPY_OK ? p.alternate_lba : io->n_sectors - 1;
	g->backup = load_copy(g, g->backup_lba, &b, &b_good);
	g->primary = load_copy(g, PRIMARY_LBA, &p, &p_good);
	if (g->primary == GPT_COPY_OK) {
		g->copies_equal = g->backup == GPT_COPY_OK && backup_agrees(g, &p, &b);
	} else if (g->backup == GPT_COPY_OK) {
		g->backup = load_copy(g, g->backup_lba, &b, &b_good);
		g->from_backup = true;
		force = &b;
	}
	if (g->primary != GPT_COPY_OK && g->backup != GPT_COPY_OK) {
		g->from_backup = false;
		return g->primary == GPT_COPY_UNREADABLE && g->backup == GPT_COPY_UNREADABLE ? GPT_EIO : GPT_ENOTABLE;
	}
	place_arrays(g, force, &p, p_good, &b, b_good);
	g->n_entries = force->n_entries;
	g->entry_bytes = force->entry_bytes;
	g->loaded = true;
	return GPT_OK;
}

int gpt_entry(const struct gpt *g, uint32_t i, struct gpt_entry *out)
{
	const uint8_t *e;

	if (i >= g->n_entries)
		return GPT_ERANGE;
	e = g->entries + (size_t)i * g->entry_bytes;
	copy(out->type, e + E_TYPE, GPT_GUID_BYTES);
	copy(out->unique, e + E_UNIQUE, GPT_GUID_BYTES);
	out->first_lba = get64(e + E_FIRST);
	out->last_lba = get64(e + E_LAST);
	out->attributes = get64(e + E_ATTRIBUTES);
	for (size_t u = 0; u < GPT_NAME_UNITS; u++)
		out->name[u] = (uint16_t)(e[E_NAME + 2 * u] | e[E_NAME + 2 * u + 1] << 8);
	return GPT_OK;
}

bool gpt_entry_is(const struct gpt *g, uint32_t i, const uint8_t type[GPT_GUID_BYTES])
{
	const uint8_t *e = g->entries + (size_t)(i < g->n_entries ? i : 0) * g->entry_bytes;

	return i < g->n_entries && entry_is_used(e) && equal(e + E_TYPE, type, GPT_GUID_BYTES);
}

struct gpt_bits gpt_bits_of(uint64_t attributes)
{
	struct gpt_bits bits;

	bits.priority = attributes >> PRIORITY_SHIFT & 15;
	bits.tries_left = attributes >> TRIES_SHIFT & 15;
	bits.successful = attributes >> SUCCESSFUL_SHIFT & 1;
	return bits;
}

uint64_t gpt_bits_into(uint64_t attributes, struct gpt_bits bits)
{
	return (attributes & ~BITS_MASK) | (uint64_t)(bits.priority & 15) << PRIORITY_SHIFT |
	       (uint64_t)(bits.tries_left & 15) << TRIES_SHIFT | (uint64_t)bits.successful << SUCCESSFUL_SHIFT;
}

int gpt_set_attributes(struct gpt *g, uint32_t i, uint64_t attributes)
{
	uint8_t *p;

	if (i >= g->n_entries)
		return GPT_ERANGE;
	p = g->entries + (size_t)i * g->entry_bytes + E_ATTRIBUTES;
	if (get64(p) != attributes) {
		put64(p, attributes);
		g->dirty = true;
	}
	return GPT_OK;
}

int gpt_choose(const struct gpt *g, const uint8_t type[GPT_GUID_BYTES], uint32_t *i)
{
	uint8_t best = 0; /* so priority 0 never wins, and on a tie the first stays */

	for (uint32_t k = 0; k < g->n_entries; k++) {
		struct gpt_bits bits;

		if (!gpt_entry_is(g, k, type))
			continue;
		bits = gpt_bits_of(get64(g->entries + (size_t)k * g->entry_bytes + E_ATTRIBUTES));
		if ((bits.tries_left || bits.successful) && bits.priority > best) {
			best = bits.priority;
			*i = k;
		}
	}
	return best ? GPT_OK : GPT_ENOBOOT;
}

bool gpt_count_down(struct gpt *g, uint32_t i)
{
	struct gpt_entry e;
	struct gpt_bits bits;

	if (gpt_entry(g, i, &e) != GPT_OK)
		return false;
	bits = gpt_bits_of(e.attributes);
	if (!bits.tries_left)
		return false;
	bits.tries_left--;
	return gpt_set_attributes(g, i, gpt_bits_into(e.attributes, bits)) == GPT_OK;
}

/* One copy from memory to the disk: entries, flush, header, flush. */
static int write_copy(struct gpt *g, bool primary)
{
	const struct gpt_io *io = g->io;
	const uint32_t array_bytes = g->n_entries * g->entry_bytes;
	const uint64_t entries_lba = primary ? g->primary_entries_lba : g->backup_entries_lba;
	const uint64_t header_lba = primary ? PRIMARY_LBA : g->backup_lba;
	uint8_t *h = g->scratch;

	for (size_t i = 0; i < io->sector_bytes; i++)
		h[i] = i < HEADER_BYTES ? g->header[i] : 0;
	put64(h + H_MY_LBA, header_lba);
	put64(h + H_ALTERNATE_LBA, primary ? g->backup_lba : PRIMARY_LBA);
	put64(h + H_ENTRIES_LBA, entries_lba);
	put32(h + H_ENTRIES_CRC, crc32(g->entries, array_bytes));
	put32(h + H_CRC, header_crc(h));

	if (io->write(io->ctx, entries_lba, (array_bytes + io->sector_bytes - 1) / io->sector_bytes, g->entries) ||
	    io->flush(io->ctx) || io->write(io->ctx, header_lba, 1, h) || io->flush(io->ctx))
		return GPT_EIO;
	return GPT_OK;
}

/*
 * What a power cut leaves. "Old" and "new" are whole states; a copy is "broken" while its entries and its
 * header's CRC of them disagree. A step that is cut may have reached the disk in part, in any sectors, torn at
 * 512 bytes; the steps before it are behind a flush. A header's 92 bytes lie in one 512-byte piece, on disks of
 * 4096-byte sectors too.
 *
 * Primary valid, so in force (backup valid, different, or broken):
 *
 *	cut in step                      primary   backup          a reader gets
 *	1 backup entries                 old       old or broken   old
 *	2 backup header                  old       broken or new   old
 *	3 primary entries                old or    new             old while not one changed sector is down, then new:
 *	                                 broken                    the primary is broken and the backup whole
 *	4 primary header                 broken    new             new
 *	                                 or new
 *	after 4                          new       new             new
 *
 * Primary broken, so the backup is in force: the same table with the names exchanged, but the primary's header decides:
 *
 *	1 primary entries                broken    old             old
 *	2 primary header                 broken    old             old; new from the moment the header is down
 *	                                 or new
 *	3, 4 backup entries, header      new       any             new
 *
 * (A primary broken only in its entries has a good header of some state X. Step 1 can make it valid again only by
 * making its entries those of X, that is, if the state to be committed is X.)
 *
 * The flush after step 2 is the one that all rests on: without it step 3 could spoil the primary before the
 * backup is whole. In the other order, one that wrote the primary first, a broken or stale backup would become
 * the only copy during the write. If a header were torn inside its 512 bytes, its CRC fails and the other copy is
 * found all the same, except on a disk that has grown: there only the primary header knows where the backup is.
 */
int gpt_commit(struct gpt *g)
{
	if (!g->loaded)
		return GPT_EIO;
	if (!g->dirty && g->copies_equal)
		return GPT_OK;
	/* After a failure the disk's state is unknown: a second try in the same order could spoil the only valid copy. */
	g->loaded = false;
	if (write_copy(g, g->from_backup) != GPT_OK || write_copy(g, !g->from_backup) != GPT_OK)
		return GPT_EIO;
	g->primary = g->backup = GPT_COPY_OK;
	g->from_backup = g->dirty = false;
	g->copies_equal = g->loaded = true;
	return GPT_OK;
}

const char *gpt_copy_text(enum gpt_copy c)
{
	switch (c) {
	case GPT_COPY_OK:
		return "valid";
	case GPT_COPY_UNREADABLE:
		return "cannot be read";
	case GPT_COPY_NO_SIGNATURE:
		return "no signature";
	case GPT_COPY_BAD_HEADER:
		return "impossible numbers in the header";
	case GPT_COPY_BAD_HEADER_CRC:
		return "bad header CRC";
	case GPT_COPY_BAD_ENTRIES_CRC:
		return "bad CRC of the entries";
	case GPT_COPY_BAD_ENTRIES:
		return "entries overlap or leave the usable range";
	}
	return "unknown";
}
