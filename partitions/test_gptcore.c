/* What the core accepts, what it refuses, which copy it uses, and the boot rule. Power cuts: test_gptcuts.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "partitions/gptcore.h"
#include "partitions/test_memdisk.h"

#define TYPE_BOOT 0xb0
#define TYPE_OTHER 0x07

static const struct mem_shape small = { .sector_bytes = 512, .n_entries = 16, .entry_bytes = 128, .n_sectors = 64 };

static const struct mem_shape shapes[] = {
	{ 512, 16, 128, 64 },	  { 512, 128, 128, 128 }, { 512, 512, 128, 300 }, { 512, 8, 256, 64 },
	{ 4096, 128, 128, 64 }, { 4096, 16, 128, 16 },  { 4096, 512, 128, 64 }, { 512, 5, 128, 64 },
};

/* Three partitions: boot A and B, and another. */
static void make(struct memdisk *m, const struct mem_shape *shape)
{
	uint64_t first;

	mem_make(m, shape);
	first = mem_get(m, mem_header_at(m, false) + 40, 8);
	for (int backup = 0; backup < 2; backup++) {
		mem_entry(m, backup, 1, TYPE_BOOT, first, first, UINT64_C(0x0101000000000004));
		mem_entry(m, backup, 2, TYPE_OTHER, first + 1, first + 2, 0);
		mem_entry(m, backup, 4, TYPE_BOOT, first + 3, first + 3, UINT64_C(0x0012000000000000));
	}
	mem_seal(m);
}

static struct gpt *load(struct memdisk *m, int expected, const char *name)
{
	struct gpt *g = (struct gpt *)malloc(sizeof(*g));
	int r;

	memset(g, 0xa5, sizeof(*g)); /* a load must not rest on what was there */
	r = gpt_load(g, &m->io);
	if (r != expected)
		fail_msg("%s: gpt_load gave %d, not %d (primary: %s, backup: %s)", name, r, expected, gpt_copy_text(g->primary),
			 gpt_copy_text(g->backup));
	assert_true(g->loaded == (expected == GPT_OK));
	return g;
}

static void test_good_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		struct gpt_entry entry;
		struct memdisk m;
		struct gpt *g;

		make(&m, &shapes[i]);
		g = load(&m, GPT_OK, "good");
		assert_int_equal(g->primary, GPT_COPY_OK);
		assert_int_equal(g->backup, GPT_COPY_OK);
		assert_true(g->copies_equal);
		assert_false(g->from_backup);
		assert_int_equal(g->n_entries, shapes[i].n_entries);
		assert_int_equal(gpt_entry(g, 4, &entry), GPT_OK);
		assert_int_equal(entry.attributes, UINT64_C(0x0012000000000000));
		assert_int_equal(entry.first_lba, entry.last_lba);
		assert_int_equal(entry.type[15], TYPE_BOOT);
		assert_int_equal(entry.unique[0], 0x84);
		assert_int_equal(entry.name[0], 'p');
		assert_int_equal(gpt_entry(g, shapes[i].n_entries - 1, &entry), GPT_OK);
		assert_int_equal(gpt_entry(g, shapes[i].n_entries, &entry), GPT_ERANGE);
		assert_int_equal(gpt_set_attributes(g, shapes[i].n_entries, 1), GPT_ERANGE);
		/* Equal copies and nothing changed: nothing is written. */
		assert_int_equal(gpt_commit(g), GPT_OK);
		assert_int_equal(m.n_log, 0);
		free(g);
		mem_fini(&m);
	}
}

/* One changed byte of one copy: the other is in force, says the same, and a commit restores the disk to the last byte. */
static void corrupt_one(const struct memdisk *good, uint64_t offset, uint8_t flip, bool backup)
{
	struct memdisk m;
	struct gpt *g;

	mem_clone(&m, good);
	m.bytes[offset] ^= flip;
	g = load(&m, GPT_OK, backup ? "byte of the backup" : "byte of the primary");
	if (g->from_backup == backup || (backup ? g->backup : g->primary) == GPT_COPY_OK)
		fail_msg("byte %llu ^ %02x of the %s was not noticed", (unsigned long long)offset, flip,
			 backup ? "backup" : "primary");
	assert_false(g->copies_equal);
	assert_int_equal(gpt_commit(g), GPT_OK);
	if (memcmp(m.bytes, good->bytes, mem_size(good)) != 0)
		fail_msg("byte %llu of the %s was not repaired", (unsigned long long)offset, backup ? "backup" : "primary");
	assert_true(g->copies_equal && !g->from_backup && g->loaded);
	free(g);
	mem_fini(&m);
}

static void test_every_byte(void **state)
{
	struct memdisk good;

	(void)state;
	make(&good, &small);
	for (int backup = 0; backup < 2; backup++) {
		for (uint64_t i = 0; i < 92; i++) {
			corrupt_one(&good, mem_header_at(&good, backup) + i, 0xff, backup);
			corrupt_one(&good, mem_header_at(&good, backup) + i, 0x01, backup);
		}
		for (uint64_t i = 0; i < 16 * 128; i++)
			corrupt_one(&good, mem_entries_at(&good, backup) + i, (uint8_t)(1u << i % 8), backup);
	}
	mem_fini(&good);
}

/* Bytes of a header sector behind the 92 mean nothing. */
static void test_reserved_bytes(void **state)
{
	struct memdisk m;
	struct gpt *g;

	(void)state;
	make(&m, &small);
	m.bytes[mem_header_at(&m, false) + 92] = 1;
	m.bytes[mem_header_at(&m, true) + 511] = 1;
	g = load(&m, GPT_OK, "reserved bytes");
	assert_true(g->copies_equal);
	g->dirty = true;
	assert_int_equal(gpt_commit(g), GPT_OK);
	assert_int_equal(m.bytes[mem_header_at(&m, false) + 92], 0);
	free(g);
	mem_fini(&m);
}

static void test_both_copies_damaged(void **state)
{
	struct memdisk good;

	(void)state;
	make(&good, &small);
	for (uint64_t i = 0; i < 92; i += 3) {
		struct memdisk m;

		mem_clone(&m, &good);
		m.bytes[mem_header_at(&good, false) + i] ^= 0x10;
		m.bytes[mem_entries_at(&good, true) + 20 * i] ^= 0x10;
		free(load(&m, GPT_ENOTABLE, "both copies damaged"));
		mem_fini(&m);
	}
	mem_fini(&good);
}

static void test_disk_sizes(void **state)
{
	struct memdisk m;
	struct gpt *g;

	(void)state;
	make(&m, &small);
	/* Shorter: the primary's backup is beyond the end, and the last sector is none. */
	for (uint64_t n = 0; n < small.n_sectors; n++) {
		m.io.n_sectors = n;
		g = load(&m, GPT_ENOTABLE, "truncated");
		assert_int_equal(gpt_commit(g), GPT_EIO);
		free(g);
	}
	mem_fini(&m);

	for (uint32_t n = 0; n <= 16384; n = n ? n * 2 : 1) {
		struct gpt_io io = { .sector_bytes = n, .n_sectors = 0 };

		g = (struct gpt *)malloc(sizeof(*g));
		assert_int_equal(gpt_load(g, &io), n >= 512 && n <= 4096 ? GPT_ENOTABLE : GPT_ERANGE);
		free(g);
	}
}

/* A disk that has grown keeps its backup where the primary's header says, also if the primary's entries are damaged. */
static void test_grown_disk(void **state)
{
	for (int damage = 0; damage < 3; damage++) {
		struct memdisk m;
		struct gpt *g;
		const uint64_t old_last = small.n_sectors - 1;

		(void)state;
		make(&m, &small);
		m.bytes = (uint8_t *)realloc(m.bytes, 100 * 512);
		memset(m.bytes + mem_size(&m), 0, 36 * 512);
		m.io.n_sectors = 100;
		if (damage == 1)
			m.bytes[mem_entries_at(&m, false) + 7] ^= 1;
		if (damage == 2)
			m.bytes[mem_header_at(&m, true) + 7] ^= 1;
		g = load(&m, GPT_OK, "grown");
		assert_int_equal(g->from_backup, damage == 1);
		assert_int_equal(g->backup_lba, old_last);
		gpt_set_attributes(g, 1, 1);
		assert_int_equal(gpt_commit(g), GPT_OK);
		free(g);
		g = load(&m, GPT_OK, "grown, committed");
		assert_true(g->copies_equal);
		assert_int_equal(g->backup_lba, old_last);
		free(g);
		mem_fini(&m);
	}
}

/* Numbers that a CRC vouches for and that are wrong all the same, written to both copies. Small shape: array 4
 * sectors, usable 6 to 58, backup array 59 to 62, backup header 63. */
static const struct {
	const char *name;
	uint64_t at;
	size_t n;
	uint64_t v;
	enum gpt_copy primary, backup;
} headers[] = {
	{ "as it is", 12, 4, 92, GPT_COPY_OK, GPT_COPY_OK },
	{ "header size below", 12, 4, 91, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "header size above", 12, 4, 93, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "header size of a sector", 12, 4, 512, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "header size greatest", 12, 4, UINT32_MAX, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "revision 2.0", 8, 4, 0x20000, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "own LBA 0", 24, 8, 0, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "own LBA 1 in both", 24, 8, 1, GPT_COPY_OK, GPT_COPY_BAD_HEADER },
	{ "own LBA 63 in both", 24, 8, 63, GPT_COPY_BAD_HEADER, GPT_COPY_OK },
	{ "alternate 0", 32, 8, 0, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "alternate 1 in both", 32, 8, 1, GPT_COPY_BAD_HEADER, GPT_COPY_OK },
	{ "alternate 63 in both", 32, 8, 63, GPT_COPY_OK, GPT_COPY_BAD_HEADER },
	{ "alternate beyond the disk", 32, 8, 64, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "alternate greatest", 32, 8, UINT64_MAX, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "alternate in the usable range", 32, 8, 30, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "first usable one below", 40, 8, 5, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "first usable at the least", 40, 8, 6, GPT_COPY_OK, GPT_COPY_OK },
	{ "first usable 0", 40, 8, 0, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "first usable behind a partition", 40, 8, 7, GPT_COPY_BAD_ENTRIES, GPT_COPY_BAD_ENTRIES },
	{ "first usable behind last", 40, 8, 59, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "first usable greatest", 40, 8, UINT64_MAX, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "last usable at the greatest", 48, 8, 58, GPT_COPY_OK, GPT_COPY_OK },
	{ "last usable one above", 48, 8, 59, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "last usable just enough", 48, 8, 9, GPT_COPY_OK, GPT_COPY_OK },
	{ "last usable before a partition's end", 48, 8, 8, GPT_COPY_BAD_ENTRIES, GPT_COPY_BAD_ENTRIES },
	{ "last usable 0", 48, 8, 0, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "last usable greatest", 48, 8, UINT64_MAX, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entries at 0", 72, 8, 0, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entries over the header", 72, 8, 1, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entries at 2 in both", 72, 8, 2, GPT_COPY_OK, GPT_COPY_BAD_HEADER },
	{ "entries into the usable range", 72, 8, 3, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entries in the usable range", 72, 8, 20, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entries from the usable range", 72, 8, 58, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entries at 59 in both", 72, 8, 59, GPT_COPY_BAD_HEADER, GPT_COPY_OK },
	{ "entries over the backup header", 72, 8, 60, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entries greatest", 72, 8, UINT64_MAX, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "no entries", 80, 4, 0, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "one entry more than there is room", 80, 4, 17, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entries over the limit", 80, 4, 513, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "number of entries greatest", 80, 4, UINT32_MAX, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entries whose bytes wrap to few", 80, 4, 0x02000001, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entry of 0 bytes", 84, 4, 0, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entry of 64 bytes", 84, 4, 64, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entry of 127 bytes", 84, 4, 127, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entry of 192 bytes", 84, 4, 192, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entry of 2^31 bytes", 84, 4, 0x80000000, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
	{ "entry of 2^17 bytes", 84, 4, 0x20000, GPT_COPY_BAD_HEADER, GPT_COPY_BAD_HEADER },
};

static void test_hostile_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		const bool any = headers[i].primary == GPT_COPY_OK || headers[i].backup == GPT_COPY_OK;
		struct memdisk m;
		struct gpt *g;

		make(&m, &small);
		for (uint64_t h = 512; h <= 63 * 512; h += 62 * 512) {
			mem_put(&m, h + headers[i].at, headers[i].n, headers[i].v);
			mem_seal_at(&m, h);
		}
		g = load(&m, any ? GPT_OK : GPT_ENOTABLE, headers[i].name);
		if (g->primary != headers[i].primary || g->backup != headers[i].backup)
			fail_msg("%s: primary \"%s\", backup \"%s\"", headers[i].name, gpt_copy_text(g->primary),
				 gpt_copy_text(g->backup));
		free(g);
		mem_fini(&m);
	}
}

static const struct {
	const char *name;
	uint64_t first, last; /* of entry 9; entries 1, 2, 4 have 6, 7 to 8, and 9 */
	uint8_t type;
	bool good;
} ranges[] = {
	{ "right behind the others", 10, 10, TYPE_OTHER, true },
	{ "all the rest", 10, 58, TYPE_OTHER, true },
	{ "one beyond the usable range", 10, 59, TYPE_OTHER, false },
	{ "one before the usable range", 5, 5, TYPE_OTHER, false },
	{ "reversed", 12, 11, TYPE_OTHER, false },
	{ "greatest", 10, UINT64_MAX, TYPE_OTHER, false },
	{ "greatest alone", UINT64_MAX, UINT64_MAX, TYPE_OTHER, false },
	{ "touching its neighbour", 9, 12, TYPE_OTHER, false },
	{ "over one", 7, 7, TYPE_OTHER, false },
	{ "around one", 6, 20, TYPE_BOOT, false },
	{ "the same as one", 7, 8, TYPE_OTHER, false },
	{ "unused, so free to say anything", 7, 3, 0, true },
};

static void test_entry_ranges(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		struct memdisk m;
		struct gpt *g;

		make(&m, &small);
		for (int backup = 0; backup < 2; backup++)
			mem_entry(&m, backup, 9, ranges[i].type, ranges[i].first, ranges[i].last, 0);
		mem_seal(&m);
		g = load(&m, ranges[i].good ? GPT_OK : GPT_ENOTABLE, ranges[i].name);
		if (!ranges[i].good)
			assert_int_equal(g->primary, GPT_COPY_BAD_ENTRIES);
		free(g);
		mem_fini(&m);
	}
}

/* Both valid and different: the primary rules, and a commit makes the backup follow. */
static void test_copies_differ(void **state)
{
	struct gpt_entry entry;
	struct memdisk m;
	struct gpt *g;

	(void)state;
	make(&m, &small);
	mem_entry(&m, true, 1, TYPE_BOOT, 6, 6, UINT64_C(0x0555000000000000));
	mem_seal(&m);
	g = load(&m, GPT_OK, "differ");
	assert_int_equal(g->backup, GPT_COPY_OK);
	assert_false(g->copies_equal || g->from_backup);
	assert_int_equal(gpt_entry(g, 1, &entry), GPT_OK);
	assert_int_equal(entry.attributes, UINT64_C(0x0101000000000004));
	assert_int_equal(gpt_commit(g), GPT_OK);
	free(g);
	g = load(&m, GPT_OK, "made equal");
	assert_true(g->copies_equal);
	free(g);
	mem_fini(&m);
}

static void test_unreadable(void **state)
{
	static const struct {
		const char *name;
		uint64_t bad;
		int ret;
		enum gpt_copy primary, backup;
	} cases[] = {
		{ "primary header", 1, GPT_OK, GPT_COPY_UNREADABLE, GPT_COPY_OK },
		{ "primary entries", 3, GPT_OK, GPT_COPY_UNREADABLE, GPT_COPY_OK },
		{ "backup header", 63, GPT_OK, GPT_COPY_OK, GPT_COPY_UNREADABLE },
		{ "backup entries", 60, GPT_OK, GPT_COPY_OK, GPT_COPY_UNREADABLE },
	};
	struct memdisk m;

	(void)state;
	make(&m, &small);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct gpt *g;

		m.bad_lba = cases[i].bad;
		g = load(&m, cases[i].ret, cases[i].name);
		assert_int_equal(g->primary, cases[i].primary);
		assert_int_equal(g->backup, cases[i].backup);
		free(g);
		/* The other copy damaged as well: not a table, but not all unreadable either. */
		m.bytes[cases[i].bad > 30 ? 520 : 63 * 512 + 8] ^= 1;
		free(load(&m, GPT_ENOTABLE, cases[i].name));
		m.bytes[cases[i].bad > 30 ? 520 : 63 * 512 + 8] ^= 1;
	}
	mem_fini(&m);
}

static int read_nothing(void *ctx, uint64_t lba, uint32_t n, void *dst)
{
	(void)ctx, (void)lba, (void)n, (void)dst;
	return -5;
}

static void test_nothing_readable(void **state)
{
	struct memdisk m;

	(void)state;
	make(&m, &small);
	m.io.read = read_nothing;
	free(load(&m, GPT_EIO, "no read works"));
	mem_fini(&m);
}

/* The N-th write or flush fails: told, nothing more is written, and the disk still has a table. */
static void test_write_faults(void **state)
{
	(void)state;
	for (int n = 0; n < 8; n++) {
		struct memdisk m;
		struct gpt *g;
		size_t n_log;

		make(&m, &small);
		g = load(&m, GPT_OK, "good");
		gpt_set_attributes(g, 1, 7);
		m.fail_at = n;
		assert_int_equal(gpt_commit(g), GPT_EIO);
		assert_int_equal(m.n_log, n);
		m.fail_at = MEM_NEVER;
		n_log = m.n_log;
		assert_int_equal(gpt_commit(g), GPT_EIO);
		assert_int_equal(m.n_log, n_log);
		free(g);
		g = load(&m, GPT_OK, "after a fault");
		assert_int_equal(gpt_commit(g), GPT_OK);
		free(g);
		mem_fini(&m);
	}
}

static void test_bits(void **state)
{
	static const struct {
		uint64_t attributes;
		struct gpt_bits bits;
	} cases[] = {
		{ UINT64_C(0x0101000000000000), { 1, 0, true } },  { UINT64_C(0x0010000000000000), { 0, 1, false } },
		{ UINT64_C(0x0012000000000000), { 2, 1, false } }, { UINT64_C(0x0002000000000000), { 2, 0, false } },
		{ UINT64_C(0x0102000000000000), { 2, 0, true } },  { UINT64_C(0x01ff000000000000), { 15, 15, true } },
	};
	uint64_t a = UINT64_C(0x5555555555555555);
	struct gpt_bits bits;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bits = gpt_bits_of(cases[i].attributes | UINT64_C(0xfe00ffffffffffff));
		assert_int_equal(bits.priority, cases[i].bits.priority);
		assert_int_equal(bits.tries_left, cases[i].bits.tries_left);
		assert_int_equal(bits.successful, cases[i].bits.successful);
		assert_true(gpt_bits_into(0, cases[i].bits) == cases[i].attributes);
		assert_true(gpt_bits_into(UINT64_MAX, cases[i].bits) ==
			    (cases[i].attributes | UINT64_C(0xfe00ffffffffffff)));
	}
	bits = gpt_bits_of(a);
	assert_true(bits.priority == 5 && bits.tries_left == 5 && bits.successful);
	bits.priority = 0;
	assert_true((a = gpt_bits_into(a, bits)) == UINT64_C(0x5550555555555555));
	bits.tries_left = 0;
	assert_true((a = gpt_bits_into(a, bits)) == UINT64_C(0x5500555555555555));
	bits.successful = false;
	assert_true(gpt_bits_into(a, bits) == UINT64_C(0x5400555555555555));
}

static const struct {
	const char *name;
	struct gpt_bits a, b;
	int chosen; /* entry, or GPT_ENOBOOT */
} choices[] = {
	{ "fresh", { 1, 0, true }, { 0, 0, false }, 1 },
	{ "staged", { 1, 0, true }, { 0, 1, false }, 1 },
	{ "activated", { 1, 0, true }, { 2, 1, false }, 4 },
	{ "tried, not confirmed", { 1, 0, true }, { 2, 0, false }, 1 },
	{ "confirmed", { 1, 0, true }, { 2, 0, true }, 4 },
	{ "tie, both good", { 2, 0, true }, { 2, 0, true }, 1 },
	{ "tie, only the second may boot", { 2, 0, false }, { 2, 0, true }, 4 },
	{ "tie by tries", { 3, 1, false }, { 3, 9, false }, 1 },
	{ "priority 0 never boots, successful", { 0, 0, true }, { 0, 15, true }, GPT_ENOBOOT },
	{ "priority without tries or success", { 15, 0, false }, { 14, 0, false }, GPT_ENOBOOT },
	{ "greatest priority", { 14, 15, true }, { 15, 1, false }, 4 },
	{ "tries alone", { 1, 1, false }, { 0, 0, false }, 1 },
	{ "nothing", { 0, 0, false }, { 0, 0, false }, GPT_ENOBOOT },
};

static void test_choose(void **state)
{
	uint8_t type[GPT_GUID_BYTES];

	(void)state;
	mem_type(TYPE_BOOT, type);
	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		uint32_t chosen = 99;
		struct memdisk m;
		struct gpt *g;
		int r;

		make(&m, &small);
		g = load(&m, GPT_OK, choices[i].name);
		/* One of another type would win if types were not looked at. */
		gpt_set_attributes(g, 2, UINT64_C(0x01ff000000000000));
		gpt_set_attributes(g, 1, gpt_bits_into(4, choices[i].a));
		gpt_set_attributes(g, 4, gpt_bits_into(4, choices[i].b));
		r = gpt_choose(g, type, &chosen);
		if (choices[i].chosen < 0 ? r != choices[i].chosen : r != GPT_OK || (int)chosen != choices[i].chosen)
			fail_msg("%s: %d, entry %u", choices[i].name, r, chosen);
		free(g);
		mem_fini(&m);
	}
	/* No entry of an unused one's type. */
	memset(type, 0, sizeof(type));
	{
		uint32_t chosen;
		struct memdisk m;
		struct gpt *g;

		make(&m, &small);
		g = load(&m, GPT_OK, "zero type");
		gpt_set_attributes(g, 0, UINT64_C(0x01ff000000000000));
		assert_int_equal(gpt_choose(g, type, &chosen), GPT_ENOBOOT);
		assert_false(gpt_entry_is(g, 0, type));
		assert_false(gpt_entry_is(g, 16, type));
		free(g);
		mem_fini(&m);
	}
}

static void test_count_down(void **state)
{
	struct gpt_entry entry;
	struct memdisk m;
	struct gpt *g;

	(void)state;
	make(&m, &small);
	g = load(&m, GPT_OK, "count down");
	assert_true(gpt_count_down(g, 4));
	assert_int_equal(gpt_entry(g, 4, &entry), GPT_OK);
	assert_int_equal(entry.attributes, UINT64_C(0x0002000000000000));
	g->dirty = false;
	assert_false(gpt_count_down(g, 4));
	assert_false(gpt_count_down(g, 16));
	assert_false(g->dirty);
	/* Also when it is successful. */
	gpt_set_attributes(g, 1, UINT64_C(0x01f1000000000004));
	assert_true(gpt_count_down(g, 1));
	assert_int_equal(gpt_entry(g, 1, &entry), GPT_OK);
	assert_int_equal(entry.attributes, UINT64_C(0x01e1000000000004));
	free(g);
	mem_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_tables),	  cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_reserved_bytes),	  cmocka_unit_test(test_both_copies_damaged),
		cmocka_unit_test(test_disk_sizes),	  cmocka_unit_test(test_grown_disk),
		cmocka_unit_test(test_hostile_headers),	  cmocka_unit_test(test_entry_ranges),
		cmocka_unit_test(test_copies_differ),	  cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_nothing_readable),  cmocka_unit_test(test_write_faults),
		cmocka_unit_test(test_bits),		  cmocka_unit_test(test_choose),
		cmocka_unit_test(test_count_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
