/*
 * libfdisk does all that matters: header, CRCs, backup, protective MBR. Attribute bits and type GUIDs are written
 * down here a second time, as facts of the format, and not taken from partitions/: a mistake there must not be
 * repeated by its fixture.
 */
#include "test-fixtures/mkdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libfdisk/libfdisk.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"

#define MIB (UINT64_C(1024) * 1024)
#define PARTITIONS_MAX 8
#define SIZE_MAX_MIB (UINT64_C(1) << 24)

#define TYPE_ESP "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
#define TYPE_BOOT "6B636168-7420-6568-2070-6C616E657421"
#define TYPE_ROOT "5526016A-1A97-4EA4-B39A-B7C8C6CA4502"
#define TYPE_HASH "598F10AF-C955-4456-6A99-7720068A6CEA"
#define TYPE_PRIVATE "440408BB-EB0B-4328-A6E5-A29038FAD706"
#define DISK_ID "F11B51DE-0000-4000-8000-000000000000"

struct row {
	const char *type, *name;
	uint64_t size_mib, attributes;
};

static void unref_context_p(struct fdisk_context **c)
{
	fdisk_unref_context(*c);
}

static void unref_partition_p(struct fdisk_partition **p)
{
	fdisk_unref_partition(*p);
}

static void unref_type_p(struct fdisk_parttype **t)
{
	fdisk_unref_parttype(*t);
}

struct mkdisk_params mkdisk_params_default(void)
{
	return (struct mkdisk_params){
		.sector_bytes = 512,
		.esp_mib = 4,
		.boot_mib = 4,
		.root_mib = 16,
		.hash_mib = 1,
		.private_mib = 4,
		.attributes_a = UINT64_C(0x0101000000000000), /* priority 1, successful */
	};
}

/* libfdisk gives -errno. */
static int failed(int r, const char *what, const char *path, struct err *e)
{
	errno = -r;
	return err_sys(e, "%s %s", what, path);
}

static size_t rows_of(const struct mkdisk_params *p, struct row rows[PARTITIONS_MAX])
{
	const uint64_t root_b = p->root_b_mib ? p->root_b_mib : p->root_mib;
	const struct row all[PARTITIONS_MAX] = {
		{ TYPE_ESP, "EFI-SYSTEM", p->esp_mib, 0 },
		{ TYPE_BOOT, "BOTTLEROCKET-BOOT-A", p->boot_mib, p->attributes_a },
		{ TYPE_ROOT, "BOTTLEROCKET-ROOT-A", p->root_mib, 0 },
		{ TYPE_HASH, "BOTTLEROCKET-HASH-A", p->hash_mib, 0 },
		{ TYPE_BOOT, "BOTTLEROCKET-BOOT-B", p->boot_mib, p->attributes_b },
		{ TYPE_ROOT, "BOTTLEROCKET-ROOT-B", root_b, 0 },
		{ TYPE_HASH, "BOTTLEROCKET-HASH-B", p->hash_mib, 0 },
		{ TYPE_PRIVATE, "BOTTLEROCKET-PRIVATE", p->private_mib, p->attributes_private },
	};
	size_t n = 0;

	for (size_t i = 0; i < PARTITIONS_MAX; i++)
		if (all[i].size_mib)
			rows[n++] = all[i];
	return n;
}

static int check(const struct mkdisk_params *p, struct err *e)
{
	const uint64_t sizes[] = { p->esp_mib, p->boot_mib, p->root_mib, p->hash_mib, p->private_mib, p->root_b_mib };

	if (p->sector_bytes != 512 && p->sector_bytes != 4096)
		return err_set(e, ERR_USAGE, NULL, "sectors have 512 or 4096 bytes, not %" PRIu32, p->sector_bytes);
	if (!p->boot_mib || !p->root_mib || !p->hash_mib)
		return err_set(e, ERR_USAGE, NULL, "boot, root and hash partitions need a size above 0 MiB");
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		if (sizes[i] > SIZE_MAX_MIB)
			return err_set(e, ERR_USAGE, NULL, "%" PRIu64 " MiB is more than a partition may have here", sizes[i]);
	return 0;
}

static int make_file(const char *path, uint64_t size_bytes, struct err *e)
{
	CLEANUP(close_p) int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_sys(e, "making %s", path);
	return ftruncate(fd, (off_t)size_bytes) < 0 ? err_sys(e, "sizing %s", path) : 0;
}

static int add_row(struct fdisk_context *c, const struct row *row, size_t i, uint64_t start_mib, uint64_t sectors_per_mib)
{
	CLEANUP(unref_partition_p) struct fdisk_partition *pa = fdisk_new_partition();
	CLEANUP(unref_type_p) struct fdisk_parttype *type = fdisk_new_parttype();
	char unique[sizeof(DISK_ID)];
	size_t number;
	int r;

	if (!pa || !type)
		return -ENOMEM;
	(void)snprintf(unique, sizeof(unique), "%.34s%02zX", DISK_ID, i + 1);
	if ((r = fdisk_parttype_set_typestr(type, row->type)) || (r = fdisk_partition_set_type(pa, type)) ||
	    (r = fdisk_partition_set_partno(pa, i)) || (r = fdisk_partition_set_name(pa, row->name)) ||
	    (r = fdisk_partition_set_uuid(pa, unique)) || (r = fdisk_partition_set_start(pa, start_mib * sectors_per_mib)) ||
	    (r = fdisk_partition_set_size(pa, row->size_mib * sectors_per_mib)) ||
	    (r = fdisk_add_partition(c, pa, &number)))
		return r;
	return fdisk_gpt_set_partition_attrs(c, i, row->attributes);
}

static int make_label(struct fdisk_context *c, const struct mkdisk_params *p, const struct row *rows, size_t n)
{
	const uint64_t sectors_per_mib = MIB / p->sector_bytes;
	uint64_t at_mib = 1;
	int r;

	if ((r = fdisk_create_disklabel(c, "gpt")) || (r = fdisk_set_disklabel_id_from_string(c, DISK_ID)))
		return r;
	for (size_t i = 0; i < n; i++) {
		r = add_row(c, &rows[i], i, at_mib, sectors_per_mib);
		if (r)
			return r;
		at_mib += rows[i].size_mib;
	}
	return fdisk_write_disklabel(c);
}

int mkdisk(const char *path, const struct mkdisk_params *p, struct err *e)
{
	CLEANUP(unref_context_p) struct fdisk_context *c = NULL;
	struct row rows[PARTITIONS_MAX];
	uint64_t size_mib = 2;
	size_t n;
	int r;

	if (check(p, e) < 0)
		return -1;
	n = rows_of(p, rows);
	for (size_t i = 0; i < n; i++)
		size_mib += rows[i].size_mib;
	if (make_file(path, size_mib * MIB, e) < 0)
		return -1;
	c = fdisk_new_context();
	if (!c)
		return err_sys(e, "making %s", path);
	if ((r = fdisk_save_user_sector_size(c, p->sector_bytes, p->sector_bytes)) || (r = fdisk_assign_device(c, path, 0)))
		return failed(r, "opening", path, e);
	r = make_label(c, p, rows, n);
	if (r)
		return failed(r, "partitioning", path, e);
	/* Without sync(): a fixture need not survive a power cut, and that call waits for the whole machine. */
	r = fdisk_deassign_device(c, 1);
	return r ? failed(r, "closing", path, e) : 0;
}
