/*
 * Disks are image files in the real layout. After each write the whole disk is looked at: what is inside of the
 * image has the new bytes, everything else has the old ones, the running set above all.
 */
#include "test-fixtures/harness/case.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/num.h"
#include "partitions/verity.h"
#include "partitions/write.h"
#include "test-fixtures/harness/fault.h"
#include "test-fixtures/harness/scratch.h"
#include "test-fixtures/mkdisk.h"

#define MIB (UINT64_C(1) << 20)
#define HASH_BYTES MIB /* of the hash partitions below */

/* A small disk with set A running and set B at 0/0/0; every partition is full of something. */
struct disk {
	struct scratch scratch;
	char path[SCRATCH_PATH_BYTES + 16];
	struct part_table *t;
	uint8_t *now, *old; /* the file as it is (a shared map), and as it was */
	size_t n;
};

static struct mkdisk_params small_params(void)
{
	struct mkdisk_params p = mkdisk_params_default();

	p.esp_mib = 0;
	p.boot_mib = 1;
	p.root_mib = 3;
	p.hash_mib = 1;
	p.private_mib = 1;
	return p;
}

static void fill_sets(struct disk *d)
{
	uint32_t x = 88675123;

	for (int s = 0; s < PART_N_SETS; s++) {
		for (int r = 0; r < PART_N_ROLES; r++) {
			const struct part_range range = part_table_range(d->t, (enum part_set)s, (enum part_role)r);

			for (uint64_t i = 0; i < range.size_bytes; i += 4) {
				x = x * 1664525 + 1013904223;
				store_le32(d->now + range.offset_bytes + i, x);
			}
		}
	}
	memcpy(d->old, d->now, d->n);
}

static void open_table(struct disk *d)
{
	const struct part_options o = { .disk = d->path, .active = PART_ACTIVE_A, .types = part_types_bottlerocket };
	struct err e;

	if (part_table_open(&o, &d->t, &e) < 0)
		fail_msg("%s", e.msg);
}

static void disk_init(struct disk *d, const struct mkdisk_params *p)
{
	struct stat st;
	struct err e;
	int fd;

	memset(d, 0, sizeof(*d));
	scratch_make(&d->scratch);
	(void)snprintf(d->path, sizeof(d->path), "%s", scratch_path(&d->scratch, "disk"));
	if (mkdisk(d->path, p, &e) < 0)
		fail_msg("%s", e.msg);
	open_table(d);
	fd = open(d->path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	d->n = (size_t)st.st_size;
	d->now = mmap(NULL, d->n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(d->now != MAP_FAILED);
	close(fd);
	d->old = malloc(d->n);
	assert_non_null(d->old);
	fill_sets(d);
	/* On the disk before the test begins, so that a direct write meets no dirty page of ours. */
	assert_int_equal(msync(d->now, d->n, MS_SYNC), 0);
}

static void disk_fini(struct disk *d)
{
	part_table_free(d->t);
	munmap(d->now, d->n);
	free(d->old);
	scratch_remove(&d->scratch);
}

/* All but the first @n bytes of the inactive set's partition is as it was. */
static void assert_rest_untouched(const struct disk *d, enum part_role r, uint64_t n, const char *name)
{
	const struct part_range range = part_table_range(d->t, PART_SET_B, r);
	const uint64_t end = range.offset_bytes + n;

	assert_case(name, memcmp(d->now, d->old, range.offset_bytes) == 0);
	assert_case(name, memcmp(d->now + end, d->old + end, d->n - end) == 0);
}

static void assert_image(const struct disk *d, enum part_role r, const uint8_t *image, uint64_t n, const char *name)
{
	assert_case(name, memcmp(d->now + part_table_range(d->t, PART_SET_B, r).offset_bytes, image, n) == 0);
}

static uint8_t *make_image(uint64_t n)
{
	/* Aligned, so that whole pieces may go straight. */
	uint8_t *p = aligned_alloc(4096, (n / 4096 + 2) * 4096);

	assert_non_null(p);
	for (uint64_t i = 0; i < n + 4096; i++)
		p[i] = (uint8_t)((i * 2654435761u) >> 13);
	return p;
}

static int write_sink(const struct disk *d, enum part_role r, const uint8_t *p, uint64_t n, size_t portion, struct err *e)
{
	CLEANUP(sink_free_p) struct sink *s = NULL;

	if (part_sink_new(d->t, r, &s, e) < 0)
		return -1;
	for (uint64_t i = 0; i < n; i += portion)
		if (sink_write(s, p + i, (size_t)min_u64(portion, n - i), e) < 0)
			return -1;
	return sink_finish(s, e);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *name;
		enum part_role role;
		uint64_t n;
		size_t portion;
		int ret;
	} cases[] = {
		{ "nothing", PART_HASH, 0, 1, 0 },
		{ "one byte", PART_HASH, 1, 1, 0 },
		{ "a byte below a sector", PART_HASH, 511, 100, 0 },
		{ "a sector", PART_HASH, 512, 512, 0 },
		{ "a byte above a sector", PART_HASH, 513, 513, 0 },
		{ "a page and a bit", PART_HASH, 4097, 1000, 0 },
		{ "a byte below the partition", PART_HASH, HASH_BYTES - 1, 65536, 0 },
		{ "the partition", PART_HASH, HASH_BYTES, HASH_BYTES, 0 },
		{ "the partition in odd portions", PART_HASH, HASH_BYTES, 4099, 0 },
		{ "a byte above the partition", PART_HASH, HASH_BYTES + 1, HASH_BYTES + 1, -1 },
		{ "a byte above, the last alone", PART_HASH, HASH_BYTES + 1, HASH_BYTES, -1 },
		{ "a byte above, in odd portions", PART_HASH, HASH_BYTES + 1, 4099, -1 },
		{ "boot", PART_BOOT, MIB - 5, 5000, 0 },
		{ "root whole", PART_ROOT, 3 * MIB, 3 * MIB, 0 },
		{ "root at once with a tail", PART_ROOT, 2 * MIB + 12345, 3 * MIB, 0 },
		{ "root in pieces with a tail", PART_ROOT, 2 * MIB + 12345, MIB, 0 },
		{ "root in odd portions", PART_ROOT, 3 * MIB - 1, 77777, 0 },
		{ "root above", PART_ROOT, 3 * MIB + 1, MIB, -1 },
	};
	const struct mkdisk_params p = small_params();
	uint8_t *image = make_image(3 * MIB + 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const uint64_t n = cases[i].n;
		struct err e = { 0 };
		struct disk d;

		disk_init(&d, &p);
		if (write_sink(&d, cases[i].role, image, n, cases[i].portion, &e) != cases[i].ret)
			fail_msg("%s: %s", cases[i].name, e.msg);
		if (cases[i].ret == 0) {
			assert_image(&d, cases[i].role, image, n, cases[i].name);
			assert_rest_untouched(&d, cases[i].role, n, cases[i].name);
		} else {
			assert_case(cases[i].name, e.kind == ERR_FORMAT && !strcmp(e.reason, PART_E_SPACE));
			assert_rest_untouched(&d, cases[i].role, n - 1, cases[i].name);
		}
		disk_fini(&d);
	}
	free(image);
}

/* The same where pages are what sectors are, and where O_DIRECT is refused at the open or at a write. */
static void test_other_ways(void **state)
{
	static const struct {
		const char *name;
		uint32_t sector_bytes;
		enum fault_kind kind;
		unsigned nth;
		size_t at_most;
	} cases[] = {
		{ "sectors of 4096", 4096, FAULT_KINDS, 0, 0 },
		{ "open refuses O_DIRECT", 512, FAULT_OPEN, 1, 0 },
		{ "first write refuses O_DIRECT", 512, FAULT_PWRITE, 1, 0 },
		{ "second write refuses O_DIRECT", 512, FAULT_PWRITE, 2, 0 },
		{ "short writes of sectors", 512, FAULT_KINDS, 0, 64 * 1024 },
		{ "short writes of odd length", 512, FAULT_KINDS, 0, 70001 },
	};
	const uint64_t n = 2 * MIB + 777;
	uint8_t *image = make_image(n);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mkdisk_params p = small_params();
		struct err e = { 0 };
		struct disk d;

		p.sector_bytes = cases[i].sector_bytes;
		disk_init(&d, &p);
		if (cases[i].kind != FAULT_KINDS)
			fault_arm(cases[i].kind, cases[i].nth, EINVAL);
		fault_short(cases[i].at_most);
		if (write_sink(&d, PART_ROOT, image, n, MIB, &e) < 0)
			fail_msg("%s: %s", cases[i].name, e.msg);
		fault_short(0);
		if (cases[i].kind != FAULT_KINDS)
			assert_case(cases[i].name, fault_disarm());
		assert_image(&d, PART_ROOT, image, n, cases[i].name);
		assert_rest_untouched(&d, PART_ROOT, n, cases[i].name);
		disk_fini(&d);
	}
	free(image);
}

static void test_bits(void **state)
{
	static const struct {
		const char *name;
		uint64_t attributes;
		int ret;
	} cases[] = {
		{ "0/0/0", 0, 0 },
		{ "other bits only", UINT64_C(1) << 2 | UINT64_C(1) << 60, 0 },
		{ "priority", UINT64_C(1) << 48, -1 },
		{ "tries", UINT64_C(1) << 52, -1 },
		{ "successful", UINT64_C(1) << 56, -1 },
	};
	uint8_t byte = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct mkdisk_params p = small_params();
		struct err e = { 0 };
		struct disk d;

		p.attributes_b = cases[i].attributes;
		disk_init(&d, &p);
		for (int r = 0; r < PART_N_ROLES; r++) {
			if (write_sink(&d, (enum part_role)r, &byte, 1, 1, &e) != cases[i].ret)
				fail_msg("%s: %s", cases[i].name, e.msg);
			if (cases[i].ret < 0) {
				assert_case(cases[i].name, e.kind == ERR_BUG);
				assert_case(cases[i].name, memcmp(d.now, d.old, d.n) == 0);
			}
		}
		disk_fini(&d);
	}
}

/* Blocks in a tree's order: back and forth, some of them again. */
static void test_writer_anywhere(void **state)
{
	static const struct {
		uint64_t offset;
		size_t n;
	} writes[] = {
		{ 0, 4096 },	     { 8192, 4096 },  { 12288, 4096 }, { 4096, 4096 }, { 16384, 512 }, { 16896, 100 },
		{ 20000, 3 },	     { 19999, 5 },    { 0, 4096 },     { 4000, 200 },  { 65536, 512 }, { HASH_BYTES - 1, 1 },
		{ HASH_BYTES - 4096, 4096 }, { HASH_BYTES, 0 },
	};
	CLEANUP(part_writer_free_p) struct part_writer *w = NULL;
	const struct mkdisk_params p = small_params();
	uint8_t *image = make_image(HASH_BYTES), *expected;
	struct err e;
	struct disk d;

	(void)state;
	disk_init(&d, &p);
	expected = malloc(HASH_BYTES);
	assert_non_null(expected);
	memcpy(expected, d.old + part_table_range(d.t, PART_SET_B, PART_HASH).offset_bytes, HASH_BYTES);
	assert_int_equal(part_writer_new(d.t, PART_HASH, &w, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
		if (part_writer_write(w, writes[i].offset, image + i, writes[i].n, &e) < 0)
			fail_msg("write %zu: %s", i, e.msg);
		memcpy(expected + writes[i].offset, image + i, writes[i].n);
	}
	assert_int_equal(part_writer_finish(w, &e), 0);
	assert_image(&d, PART_HASH, expected, HASH_BYTES, "anywhere");
	assert_rest_untouched(&d, PART_HASH, HASH_BYTES, "anywhere");
	free(expected);
	free(image);
	disk_fini(&d);
}

static void test_writer_bounds(void **state)
{
	static const struct {
		const char *name;
		uint64_t offset;
		size_t n;
	} cases[] = {
		{ "beyond the end", HASH_BYTES + 1, 0 },   { "at the end", HASH_BYTES, 1 },
		{ "across the end", HASH_BYTES - 4, 5 },   { "far", UINT64_MAX, 1 },
		{ "sum overflows", UINT64_MAX - 2, 4096 }, { "length overflows", 1, SIZE_MAX },
	};
	const struct mkdisk_params p = small_params();
	uint8_t bytes[4096] = { 1 };
	struct disk d;

	(void)state;
	disk_init(&d, &p);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(part_writer_free_p) struct part_writer *w = NULL;
		struct err e = { 0 };

		assert_int_equal(part_writer_new(d.t, PART_HASH, &w, &e), 0);
		assert_case(cases[i].name, part_writer_write(w, cases[i].offset, bytes, cases[i].n, &e) == -1);
		assert_case(cases[i].name, e.kind == ERR_FORMAT && !strcmp(e.reason, PART_E_SPACE));
		assert_case(cases[i].name, part_writer_write(w, 0, bytes, 1, &e) == -1 && e.kind == ERR_BUG);
		assert_case(cases[i].name, part_writer_finish(w, &e) == -1 && e.kind == ERR_BUG);
		assert_case(cases[i].name, memcmp(d.now, d.old, d.n) == 0);
	}
	disk_fini(&d);
}

/* Each call in turn fails: told as the system's, nothing leaked, nothing outside of the partition changed, and
 * never success. */
static void test_faults(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_OPEN, FAULT_PWRITE, FAULT_FSYNC, FAULT_MEMORY };
	const struct mkdisk_params p = small_params();
	const uint64_t n = 2 * MIB + 777;
	uint8_t *image = make_image(n);
	struct disk d;

	(void)state;
	disk_init(&d, &p);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		for (unsigned nth = 1;; nth++) {
			const size_t fds = fault_open_fds();
			struct err e = { 0 };
			int ret;

			assert_true(nth < 50);
			fault_arm(kinds[i], nth, kinds[i] == FAULT_MEMORY ? ENOMEM : EIO);
			ret = write_sink(&d, PART_ROOT, image, n, MIB, &e);
			if (!fault_disarm()) {
				assert_case(fault_name(kinds[i]), ret == 0 && nth > 1);
				break;
			}
			assert_case(fault_name(kinds[i]), ret == -1 && e.kind == ERR_SYSTEM && e.msg[0]);
			assert_int_equal(fault_open_fds(), fds);
			assert_rest_untouched(&d, PART_ROOT, n, fault_name(kinds[i]));
		}
		assert_image(&d, PART_ROOT, image, n, "at last");
	}
	free(image);
	disk_fini(&d);
}

/* The kernel tells of a lost write once: a flush that failed is not tried again. */
static void test_flush_is_final(void **state)
{
	CLEANUP(part_writer_free_p) struct part_writer *w = NULL;
	const struct mkdisk_params p = small_params();
	struct err e;
	struct disk d;

	(void)state;
	disk_init(&d, &p);
	assert_int_equal(part_writer_new(d.t, PART_HASH, &w, &e), 0);
	assert_int_equal(part_writer_write(w, 0, "data", 4, &e), 0);
	fault_arm(FAULT_FSYNC, 1, EIO);
	assert_int_equal(part_writer_finish(w, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(e.sys, EIO);
	assert_true(fault_disarm());
	fault_arm(FAULT_FSYNC, 1, EIO);
	assert_int_equal(part_writer_finish(w, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
	assert_false(fault_disarm());
	disk_fini(&d);
}

static int read_source(const struct disk *d, enum part_set s, enum part_role r, uint64_t length, size_t portion, struct buf *out,
		       struct err *e)
{
	CLEANUP(source_free_p) struct source *src = NULL;
	uint8_t *piece;
	int ret;

	out->n = 0;
	if (part_source_new(d->t, s, r, length, &src, e) < 0)
		return -1;
	do {
		size_t n = 0;

		if (buf_reserve(out, portion, e) < 0)
			return -1;
		piece = out->p + out->n;
		ret = source_read(src, piece, portion, &n, e);
		if (ret == 0) {
			assert_true(n > 0 && n <= portion);
			out->n += n;
		}
	} while (ret == 0);
	return ret == SOURCE_END ? 0 : -1;
}

static void test_source(void **state)
{
	static const struct {
		const char *name;
		enum part_set set;
		enum part_role role;
		uint64_t length;
		size_t portion;
		int ret;
	} cases[] = {
		{ "nothing", PART_SET_B, PART_HASH, 0, 1, 0 },
		{ "a byte", PART_SET_B, PART_HASH, 1, 10, 0 },
		{ "a byte below a sector", PART_SET_B, PART_HASH, 511, 511, 0 },
		{ "a byte above a sector", PART_SET_B, PART_HASH, 513, 7, 0 },
		{ "a byte below the partition", PART_SET_B, PART_HASH, HASH_BYTES - 1, 4096, 0 },
		{ "the partition", PART_SET_B, PART_HASH, HASH_BYTES, 2 * HASH_BYTES, 0 },
		{ "a byte above the partition", PART_SET_B, PART_HASH, HASH_BYTES + 1, 4096, -1 },
		{ "far above the partition", PART_SET_B, PART_HASH, UINT64_MAX, 4096, -1 },
		{ "root", PART_SET_B, PART_ROOT, 3 * MIB, MIB, 0 },
		{ "root in odd portions", PART_SET_B, PART_ROOT, 3 * MIB - 1, 99991, 0 },
		{ "the running set", PART_SET_A, PART_ROOT, 3 * MIB, MIB, 0 },
		{ "the running set's boot", PART_SET_A, PART_BOOT, 12345, MIB, 0 },
	};
	/* As above: refused at the open, refused at a read, short reads. */
	static const struct {
		enum fault_kind kind;
		size_t at_most;
	} ways[] = { { FAULT_KINDS, 0 }, { FAULT_OPEN, 0 }, { FAULT_PREAD, 0 }, { FAULT_KINDS, 4096 }, { FAULT_KINDS, 70001 } };
	struct buf got = BUF_INIT(8 * MIB);
	struct mkdisk_params p = small_params();

	(void)state;
	for (size_t w = 0; w < 2 * ARRAY_LEN(ways); w++) {
		struct disk d;

		p.sector_bytes = w % 2 ? 4096 : 512;
		disk_init(&d, &p);
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			const struct part_range range = part_table_range(d.t, cases[i].set, cases[i].role);
			struct err e = { 0 };

			if (ways[w / 2].kind != FAULT_KINDS)
				fault_arm(ways[w / 2].kind, 1, EINVAL);
			fault_short(ways[w / 2].at_most);
			if (read_source(&d, cases[i].set, cases[i].role, cases[i].length, cases[i].portion, &got, &e) != cases[i].ret)
				fail_msg("%s, way %zu: %s", cases[i].name, w, e.msg);
			fault_short(0);
			(void)fault_disarm();
			if (cases[i].ret < 0) {
				assert_case(cases[i].name, e.kind == ERR_FORMAT && !strcmp(e.reason, PART_E_SPACE));
				continue;
			}
			assert_case(cases[i].name, got.n == cases[i].length);
			assert_case(cases[i].name, got.n == 0 || memcmp(got.p, d.old + range.offset_bytes, got.n) == 0);
		}
		disk_fini(&d);
	}
	buf_fini(&got);
}

static void test_source_faults(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_OPEN, FAULT_PREAD, FAULT_MEMORY };
	struct buf got = BUF_INIT(8 * MIB);
	const struct mkdisk_params p = small_params();
	struct disk d;

	(void)state;
	disk_init(&d, &p);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		for (unsigned nth = 1;; nth++) {
			const size_t fds = fault_open_fds();
			struct err e = { 0 };
			int ret;

			assert_true(nth < 50);
			fault_arm(kinds[i], nth, kinds[i] == FAULT_MEMORY ? ENOMEM : EIO);
			ret = read_source(&d, PART_SET_B, PART_ROOT, 2 * MIB + 777, MIB, &got, &e);
			if (!fault_disarm()) {
				assert_case(fault_name(kinds[i]), ret == 0 && nth > 1);
				break;
			}
			assert_case(fault_name(kinds[i]), ret == -1 && e.kind == ERR_SYSTEM);
			assert_int_equal(fault_open_fds(), fds);
		}
	}
	buf_fini(&got);
	disk_fini(&d);
}

/* The disk ends inside of the partition: as when an image file was cut. */
static void test_source_cut_disk(void **state)
{
	struct buf got = BUF_INIT(8 * MIB);
	const struct mkdisk_params p = small_params();
	struct err e = { 0 };
	struct disk d;

	(void)state;
	disk_init(&d, &p);
	assert_int_equal(truncate(d.path, (off_t)(part_table_range(d.t, PART_SET_B, PART_ROOT).offset_bytes + MIB + 100)), 0);
	assert_int_equal(read_source(&d, PART_SET_B, PART_ROOT, 2 * MIB, MIB, &got, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(read_source(&d, PART_SET_B, PART_ROOT, MIB + 100, MIB, &got, &e), 0);
	buf_fini(&got);
	disk_fini(&d);
}

/* Image and tree go to the inactive set, and are read back against the root hash: the life of an update in short. */
static int install(const struct disk *d, const struct verity_params *p, const uint8_t *image, struct digest *root, struct err *e)
{
	CLEANUP(verity_tree_free_p) struct verity_tree *tree = NULL;
	CLEANUP(part_writer_free_p) struct part_writer *w = NULL;
	const uint64_t n = p->n_data_blocks * p->data_block_bytes;

	if (write_sink(d, PART_ROOT, image, n, MIB, e) < 0 || part_writer_new(d->t, PART_HASH, &w, e) < 0 ||
	    verity_tree_new(p, part_writer_write, w, &tree, e) < 0 || verity_tree_update(tree, image, n, e) < 0 ||
	    verity_tree_finish(tree, root, e) < 0)
		return -1;
	return part_writer_finish(w, e);
}

static int read_back(const struct disk *d, const struct verity_params *p, const struct digest *root, struct err *e)
{
	CLEANUP(source_free_p) struct source *src = NULL;
	CLEANUP(close_p) int fd = -1;
	uint64_t offset;

	if (part_source_new(d->t, PART_SET_B, PART_ROOT, p->n_data_blocks * p->data_block_bytes, &src, e) < 0 ||
	    part_open_read(d->t, PART_SET_B, PART_HASH, &fd, &offset, e) < 0)
		return -1;
	return verity_verify(p, src, fd, offset, root, NULL, NULL, e);
}

static void test_verity_on_disk(void **state)
{
	const struct mkdisk_params mp = small_params();
	struct verity_params p = verity_params_default(500);
	uint8_t *image = make_image(500 * 4096);
	const size_t fds = fault_open_fds();
	struct digest root;
	struct err e = { 0 };
	struct disk d;
	uint8_t *byte;

	(void)state;
	memcpy(p.salt, "salt", 4);
	p.salt_bytes = 4;
	disk_init(&d, &mp);
	if (install(&d, &p, image, &root, &e) < 0 || read_back(&d, &p, &root, &e) < 0)
		fail_msg("%s", e.msg);
	for (int r = PART_ROOT; r <= PART_HASH; r++) {
		byte = d.now + part_table_range(d.t, PART_SET_B, (enum part_role)r).offset_bytes + 4096 + 77;
		*byte ^= 1;
		assert_int_equal(read_back(&d, &p, &root, &e), -1);
		assert_int_equal(e.kind, ERR_TRUST);
		assert_string_equal(e.reason, PART_E_VERITY);
		*byte ^= 1;
	}
	assert_int_equal(read_back(&d, &p, &root, &e), 0);
	for (unsigned nth = 1; nth <= 3; nth++) {
		fault_arm(FAULT_PREAD, nth, EIO);
		assert_int_equal(read_back(&d, &p, &root, &e), -1);
		assert_true(fault_disarm());
		assert_int_equal(e.kind, ERR_SYSTEM);
	}
	fault_arm(FAULT_FDATASYNC, 1, EIO);
	assert_int_equal(read_back(&d, &p, &root, &e), -1);
	assert_true(fault_disarm());
	assert_int_equal(e.kind, ERR_SYSTEM);
	free(image);
	disk_fini(&d);
	assert_int_equal(fault_open_fds(), fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),	       cmocka_unit_test(test_other_ways),
		cmocka_unit_test(test_bits),	       cmocka_unit_test(test_writer_anywhere),
		cmocka_unit_test(test_writer_bounds),  cmocka_unit_test(test_faults),
		cmocka_unit_test(test_flush_is_final), cmocka_unit_test(test_source),
		cmocka_unit_test(test_source_faults),  cmocka_unit_test(test_source_cut_disk),
		cmocka_unit_test(test_verity_on_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
