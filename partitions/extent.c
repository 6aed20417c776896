/*
 * A partition's bytes. On a block device the kernel's own device for the partition is preferred: it bounds every
 * write, its page cache is the one that a later mount uses, and an exclusive open fails while it is in use. In an
 * image file, or on a device whose partitions the kernel does not know, it is a range of the whole.
 */
#include <errno.h>
#include <fcntl.h>

#include "base/sys.h"
#include "partitions/active.h"
#include "partitions/table_internal.h"

static bool ranges_touch(struct part_range a, struct part_range b)
{
	return a.offset_bytes < b.offset_bytes + b.size_bytes && b.offset_bytes < a.offset_bytes + a.size_bytes;
}

static int open_either(const char *path, int flags, bool *direct)
{
	int fd = sys_openat(AT_FDCWD, path, flags | O_DIRECT, 0);

	*direct = fd >= 0;
	if (fd < 0 && errno == EINVAL)
		fd = sys_openat(AT_FDCWD, path, flags, 0);
	return fd;
}

/* True if the kernel has the partition as a device of its own, in the place where the table has it. */
static bool kernel_knows(const struct part_table *t, enum part_set s, enum part_role r)
{
	const struct part_range range = part_table_range(t, s, r);
	unsigned major_number, minor_number;
	struct part_sysdev d;
	uint64_t start;
	struct err e;

	if (!part_disk_is_device(part_table_disk_of(t)))
		return false;
	part_disk_number(part_table_disk_of(t), &major_number, &minor_number);
	return part_child_find(PART_SYSFS, major_number, minor_number, part_table_number(t, s, r), &d, &start, &e) == 0 &&
	       start == range.offset_bytes;
}

static int open_extent(const struct part_table *t, enum part_set s, enum part_role r, int mode, struct part_extent *out,
		       struct err *e)
{
	const struct part_range range = part_table_range(t, s, r);
	const bool own = kernel_knows(t, s, r);
	const char *path = own ? part_table_device(t, s, r) : part_table_disk(t);
	struct part_extent x = { .size_bytes = range.size_bytes,
				 .offset_bytes = own ? 0 : range.offset_bytes,
				 .sector_bytes = part_disk_sector_bytes(part_table_disk_of(t)) };

	x.fd = open_either(path, mode | (own && mode == O_RDWR ? O_EXCL : 0), &x.direct);
	if (x.fd < 0 && errno == EBUSY)
		return err_set(e, ERR_BUSY, NULL, "%s is in use: mounted, or part of a mapped device", path);
	if (x.fd < 0)
		return err_sys(e, "opening %s%s", path, mode == O_RDWR ? " for writing" : "");
	if (own && lseek(x.fd, 0, SEEK_END) != (off_t)range.size_bytes) {
		(void)close(x.fd);
		return err_set(e, ERR_STATE, PART_E_SETS, "%s is not as large as the partition table says", path);
	}
	*out = x;
	return 0;
}

int part_extent_open_read(const struct part_table *t, enum part_set s, enum part_role r, struct part_extent *out, struct err *e)
{
	return open_extent(t, s, r, O_RDONLY, out, e);
}

int part_extent_open_write(const struct part_table *t, enum part_role r, struct part_extent *out, struct err *e)
{
	const enum part_set s = part_table_inactive(t);
	const struct gpt_bits bits = part_table_bits(t, s);

	for (int other = 0; other < PART_N_ROLES; other++)
		if (ranges_touch(part_table_range(t, s, r), part_table_range(t, part_table_active(t), (enum part_role)other)))
			return err_set(e, ERR_STATE, PART_E_ACTIVE, "%s touches the running set", part_table_device(t, s, r));
	if (bits.priority || bits.tries_left || bits.successful)
		return err_set(e, ERR_BUG, NULL, "%s: set %s was to be written while its bits let it boot",
			       part_table_device(t, s, r), part_set_name(s));
	return open_extent(t, s, r, O_RDWR, out, e);
}

int part_extent_leave_direct(struct part_extent *x, struct err *e)
{
	const int flags = fcntl(x->fd, F_GETFL);

	if (flags < 0 || fcntl(x->fd, F_SETFL, flags & ~O_DIRECT) < 0)
		return err_sys(e, "going through the page cache");
	x->direct = false;
	return 0;
}
