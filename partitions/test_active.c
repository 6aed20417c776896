/* The way from a mounted device to its partitions, in made-up trees of sysfs. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/num.h"
#include "partitions/active.h"
#include "partitions/table.h"

/* Two trees: the second holds the device of this machine's own root file system, whose number could be any. */
static char trees[2][40] = { "/tmp/flipside-sysfs-XXXXXX", "/tmp/flipside-sysfs-XXXXXX" };
static char *root = trees[0];

static void put_dir(const char *path)
{
	char full[512], *slash;

	assert_in_range(snprintf(full, sizeof(full), "%s/%s/", root, path), 1, sizeof(full) - 1);
	for (slash = full + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
}

static void put_file(const char *dir, const char *name, const char *text)
{
	char full[512];
	FILE *f;

	(void)snprintf(full, sizeof(full), "%s/%s/%s", root, dir, name);
	f = fopen(full, "we");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* A device's folder with its uevent, and the link from dev/block. @partition 0: none */
static void put_device(const char *dir, unsigned major_number, unsigned minor_number, const char *name, unsigned partition)
{
	char text[512], link[512], target[512];
	int n;

	put_dir(dir);
	n = snprintf(text, sizeof(text), "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=%s\n", major_number, minor_number, name,
		     partition ? "partition" : "disk");
	if (partition) {
		(void)snprintf(text + n, sizeof(text) - (size_t)n, "PARTN=%u\nPARTNAME=SOME NAME=X\n", partition);
		put_file(dir, "uevent", text);
		(void)snprintf(text, sizeof(text), "%u\n", partition);
		put_file(dir, "partition", text);
		(void)snprintf(text, sizeof(text), "%u\n", partition * 2048);
		put_file(dir, "start", text);
	} else {
		put_file(dir, "uevent", text);
	}
	(void)snprintf(link, sizeof(link), "%s/dev/block/%u:%u", root, major_number, minor_number);
	(void)snprintf(target, sizeof(target), "../../%s", dir);
	assert_int_equal(symlink(target, link), 0);
}

static void put_slave(const char *dir, const char *below_dir, const char *below)
{
	char path[512], target[512];

	(void)snprintf(path, sizeof(path), "%s/slaves", dir);
	put_dir(path);
	(void)snprintf(path, sizeof(path), "%s/%s/slaves/%s", root, dir, below);
	(void)snprintf(target, sizeof(target), "../../../../../%s", below_dir);
	assert_int_equal(symlink(target, path), 0);
}

#define VDA "devices/pci0/virtio0/block/vda"
#define NVME "devices/pci0/nvme/nvme0/nvme0n1"
#define DM "devices/virtual/block/"

static void make_disks(void)
{
	char dir[128], name[32];

	put_device(VDA, 254, 0, "vda", 0);
	put_dir(VDA "/queue");
	for (unsigned i = 1; i <= 9; i++) {
		(void)snprintf(dir, sizeof(dir), VDA "/vda%u", i);
		(void)snprintf(name, sizeof(name), "vda%u", i);
		put_device(dir, 254, i, name, i);
	}
	put_device(NVME, 259, 0, "nvme0n1", 0);
	put_device(NVME "/nvme0n1p3", 259, 65539, "nvme0n1p3", 3);
	put_device("devices/pci0/cciss/cciss!c0d0", 104, 0, "cciss/c0d0", 0);
	put_device("devices/pci0/cciss/cciss!c0d0/cciss!c0d0p2", 104, 2, "cciss/c0d0p2", 2);
}

static void make_mapped(void)
{
	char dir[128], name[32];

	/* dm-0: verity over root and hash. dm-1: something over dm-0 and vda3 again. */
	put_device(DM "dm-0", 253, 0, "dm-0", 0);
	put_slave(DM "dm-0", VDA "/vda3", "vda3");
	put_slave(DM "dm-0", VDA "/vda4", "vda4");
	put_device(DM "dm-1", 253, 300, "dm-1", 0);
	put_slave(DM "dm-1", DM "dm-0", "dm-0");
	put_slave(DM "dm-1", VDA "/vda3", "vda3");
	/* dm-2: over two disks. dm-3: over a whole disk. dm-4, dm-5: each on the other. dm-6: an empty folder `slaves`. */
	put_device(DM "dm-2", 253, 2, "dm-2", 0);
	put_slave(DM "dm-2", VDA "/vda3", "vda3");
	put_slave(DM "dm-2", NVME "/nvme0n1p3", "nvme0n1p3");
	put_device(DM "dm-3", 253, 3, "dm-3", 0);
	put_slave(DM "dm-3", VDA, "vda");
	put_device(DM "dm-4", 253, 4, "dm-4", 0);
	put_device(DM "dm-5", 253, 5, "dm-5", 0);
	put_slave(DM "dm-4", DM "dm-5", "dm-5");
	put_slave(DM "dm-5", DM "dm-4", "dm-4");
	put_device(DM "dm-6", 253, 6, "dm-6", 0);
	put_dir(DM "dm-6/slaves");
	/* dm-8: on eight partitions, dm-9: on nine. */
	put_device(DM "dm-8", 253, 8, "dm-8", 0);
	put_device(DM "dm-9", 253, 9, "dm-9", 0);
	for (unsigned i = 1; i <= 9; i++) {
		(void)snprintf(dir, sizeof(dir), VDA "/vda%u", i);
		(void)snprintf(name, sizeof(name), "vda%u", i);
		if (i <= 8)
			put_slave(DM "dm-8", dir, name);
		put_slave(DM "dm-9", dir, name);
	}
	/* dm-100 to dm-140: a tower, each on the next, the last on vda5. */
	for (unsigned i = 100; i <= 140; i++) {
		char above[128];

		(void)snprintf(dir, sizeof(dir), DM "dm-%u", i);
		(void)snprintf(name, sizeof(name), "dm-%u", i);
		put_device(dir, 253, i, name, 0);
		(void)snprintf(above, sizeof(above), DM "dm-%u", i - 1);
		if (i > 100)
			put_slave(above, dir, name);
	}
	put_slave(DM "dm-140", VDA "/vda5", "vda5");
}

static void make_broken(void)
{
	static const char *const texts[] = {
		"MAJOR=x\nMINOR=1\nDEVNAME=a\nPARTN=1\n", "MAJOR=1\nMINOR=-1\nDEVNAME=a\nPARTN=1\n",
		"MAJOR=1\nMINOR=1\nPARTN=1\n",		     "MAJOR=1\nMINOR=1\nDEVNAME=\nPARTN=1\n",
		"MAJOR=1\nMINOR=1\nDEVNAME=a\nPARTN=0\n",  "MAJOR=1\nMINOR=1\nDEVNAME=a\nPARTN=99999999999\n",
		"MAJOR=4096\nMINOR=1\nDEVNAME=a\n",	     "MAJOR=1\nMINOR=1048576\nDEVNAME=a\n",
		"",
	};
	char dir[64], name[256];

	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		(void)snprintf(dir, sizeof(dir), DM "odd%u", i);
		put_device(dir, 7, i, "odd", 1);
		put_file(dir, "uevent", texts[i]);
	}
	put_device(DM "long", 8, 0, "long", 1);
	memset(name, 'n', sizeof(name));
	memcpy(name, "DEVNAME=", 8);
	name[sizeof(name) - 1] = '\0';
	put_file(DM "long", "uevent", name);
	put_device(DM "bare", 8, 1, "bare", 1);
	(void)snprintf(dir, sizeof(dir), "%s/" DM "bare/uevent", root);
	assert_int_equal(unlink(dir), 0);
	/* A partition whose folder lies in no disk's. */
	put_device("devices/lost", 8, 2, "lost", 1);
}

static int make_tree(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(root));
	put_dir("dev/block");
	make_disks();
	make_mapped();
	make_broken();
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static int remove_tree(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static const struct {
	const char *name;
	unsigned major, minor;
	int ret;
	enum err_kind kind;
	const char *reason;
	const char *disk;
	unsigned partitions; /* as a bit mask */
} cases[] = {
	{ "a plain partition", 254, 3, 0, ERR_NONE, NULL, "vda", 1u << 3 },
	{ "verity on root and hash", 253, 0, 0, ERR_NONE, NULL, "vda", 1u << 3 | 1u << 4 },
	{ "mapped twice, minor above 255", 253, 300, 0, ERR_NONE, NULL, "vda", 1u << 3 | 1u << 4 },
	{ "NVMe, minor above 65535", 259, 65539, 0, ERR_NONE, NULL, "nvme0n1", 1u << 3 },
	{ "name with a slash", 104, 2, 0, ERR_NONE, NULL, "cciss/c0d0", 1u << 2 },
	{ "eight partitions", 253, 8, 0, ERR_NONE, NULL, "vda", 0x1fe },
	{ "a tower just not too high", 253, 110, 0, ERR_NONE, NULL, "vda", 1u << 5 },
	{ "a tower too high", 253, 109, -1, ERR_STATE, PART_E_ACTIVE, NULL, 0 },
	{ "nine partitions", 253, 9, -1, ERR_STATE, PART_E_ACTIVE, NULL, 0 },
	{ "no device", 0, 45, -1, ERR_STATE, PART_E_ACTIVE, NULL, 0 },
	{ "minor cut to eight bits would be vda3", 254, 259, -1, ERR_STATE, PART_E_ACTIVE, NULL, 0 },
	{ "a whole disk", 254, 0, -1, ERR_STATE, PART_E_ACTIVE, NULL, 0 },
	{ "mapped on a whole disk", 253, 3, -1, ERR_STATE, PART_E_ACTIVE, NULL, 0 },
	{ "on two disks", 253, 2, -1, ERR_STATE, PART_E_ACTIVE, NULL, 0 },
	{ "a ring", 253, 4, -1, ERR_STATE, PART_E_ACTIVE, NULL, 0 },
	{ "mapped on nothing", 253, 6, -1, ERR_STATE, PART_E_ACTIVE, NULL, 0 },
	{ "major no number", 7, 0, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "minor negative", 7, 1, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "no name", 7, 2, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "empty name", 7, 3, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "partition 0", 7, 4, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "partition number too large", 7, 5, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "major too large", 7, 6, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "minor too large", 7, 7, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "empty uevent", 7, 8, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "name too long", 8, 0, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "no uevent", 8, 1, -1, ERR_SYSTEM, NULL, NULL, 0 },
	{ "partition without a disk", 8, 2, -1, ERR_SYSTEM, NULL, NULL, 0 },
};

static void test_under(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct part_under u = { 0 };
		struct err e = { 0 };
		unsigned mask = 0;

		if (part_under_find(root, cases[i].major, cases[i].minor, &u, &e) != cases[i].ret || e.kind != cases[i].kind)
			fail_msg("%s: %s", cases[i].name, e.msg);
		if (cases[i].ret < 0) {
			if (cases[i].reason && (!e.reason || strcmp(e.reason, cases[i].reason) != 0))
				fail_msg("%s: reason %s", cases[i].name, e.reason ? e.reason : "none");
			continue;
		}
		for (unsigned k = 0; k < u.n; k++)
			mask |= 1u << u.partition[k];
		if (mask != cases[i].partitions || strcmp(u.disk.name, cases[i].disk) != 0)
			fail_msg("%s: partitions %#x of %s", cases[i].name, mask, u.disk.name);
	}
}

static void test_path(void **state)
{
	struct part_under u;
	struct stat st;
	struct err e;

	(void)state;
	root = trees[1];
	assert_non_null(mkdtemp(root));
	put_dir("dev/block");
	put_dir("devices/here/own");
	put_file("devices/here/own", "uevent", "MAJOR=4000\nMINOR=9\nDEVNAME=own\n");
	assert_int_equal(stat("/", &st), 0);
	put_device("devices/here/own/own6", major(st.st_dev), minor(st.st_dev), "own6", 6);
	assert_int_equal(part_under_path(root, "/", &u, &e), 0);
	assert_int_equal(u.n, 1);
	assert_int_equal(u.partition[0], 6);
	assert_string_equal(u.disk.name, "own");
	assert_int_equal(part_under_path(root, "/no such folder", &u, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	root = trees[0];
}

static void test_children(void **state)
{
	struct part_sysdev d;
	uint64_t start = 0;
	struct err e;

	(void)state;
	assert_int_equal(part_child_find(root, 254, 0, 7, &d, &start, &e), 0);
	assert_string_equal(d.name, "vda7");
	assert_true(start == UINT64_C(7) * 2048 * 512);
	assert_int_equal(part_child_find(root, 254, 0, 10, &d, &start, &e), -1);
	assert_int_equal(e.kind, ERR_MISSING);
	assert_int_equal(part_child_find(root, 1, 1, 1, &d, &start, &e), -1);
	assert_int_equal(e.kind, ERR_MISSING);
	put_file(VDA "/vda7", "start", "12x\n");
	assert_int_equal(part_child_find(root, 254, 0, 7, &d, &start, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	put_file(VDA "/vda7", "start", "36028797018963968\n"); /* times 512 is 2^64 */
	assert_int_equal(part_child_find(root, 254, 0, 7, &d, &start, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	put_file(VDA "/vda7", "start", "36028797018963967\n");
	assert_int_equal(part_child_find(root, 254, 0, 7, &d, &start, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_under),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_children),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
