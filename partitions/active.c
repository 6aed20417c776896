/*
 * /sys/dev/block/MAJOR:MINOR is a link to the device's folder. `slaves` in it holds links to the folders of the
 * devices below (device mapper), `uevent` tells number, name and, of a partition, its number; a partition's
 * folder lies in its disk's. The way down is a list worked off, not a recursion, and bounded.
 *
 * Numbers are compared as whole major and minor numbers; a minor may be above 255.
 */
#include "partitions/active.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "base/sys.h"
#include "partitions/table.h"

#define ATTRIBUTE_MAX_BYTES 4096 /* one page: what the kernel gives at most */
#define WAY_MAX 32		 /* devices between a file system and its partitions */
#define MINOR_MAX ((1u << 20) - 1)
#define MAJOR_MAX ((1u << 12) - 1)

static void closedir_p(DIR **d)
{
	if (*d)
		(void)closedir(*d);
}

/* A whole attribute file as a string. */
static int read_attribute(int dir, const char *name, char out[ATTRIBUTE_MAX_BYTES + 1], struct err *e)
{
	CLEANUP(close_p) int fd = sys_openat(dir, name, O_RDONLY, 0);
	size_t n = 0;

	if (fd < 0)
		return err_sys(e, "opening %s of a device in sysfs", name);
	while (n < ATTRIBUTE_MAX_BYTES) {
		const ssize_t k = sys_read(fd, out + n, ATTRIBUTE_MAX_BYTES - n);

		if (k < 0)
			return err_sys(e, "reading %s of a device in sysfs", name);
		if (k == 0)
			break;
		n += (size_t)k;
	}
	out[n] = '\0';
	return 0;
}

static bool parse_unsigned(const char *s, size_t n, unsigned min, unsigned max, unsigned *out)
{
	uint64_t v;

	if (!num_parse_u64_n(s, n, min, max, &v))
		return false;
	*out = (unsigned)v;
	return true;
}

/* One line KEY=VALUE of a uevent file. Keys that are not ours are fine. */
static bool parse_line(const char *line, size_t n, struct part_sysdev *d)
{
	const char *equals = (const char *)memchr(line, '=', n);
	const size_t key_n = equals ? (size_t)(equals - line) : n;
	const char *value = equals ? equals + 1 : line + n;
	const size_t value_n = n - (size_t)(value - line);

	if (key_n == 5 && !memcmp(line, "MAJOR", 5))
		return parse_unsigned(value, value_n, 0, MAJOR_MAX, &d->major);
	if (key_n == 5 && !memcmp(line, "MINOR", 5))
		return parse_unsigned(value, value_n, 0, MINOR_MAX, &d->minor);
	if (key_n == 5 && !memcmp(line, "PARTN", 5))
		return parse_unsigned(value, value_n, 1, INT32_MAX, &d->partition);
	if (key_n == 7 && !memcmp(line, "DEVNAME", 7)) {
		if (value_n == 0 || value_n >= sizeof(d->name))
			return false;
		memcpy(d->name, value, value_n);
		d->name[value_n] = '\0';
	}
	return true;
}

/* The device whose folder is open as @dir. */
static int read_device(int dir, struct part_sysdev *out, struct err *e)
{
	char text[ATTRIBUTE_MAX_BYTES + 1];
	struct part_sysdev d = { 0 };

	if (read_attribute(dir, "uevent", text, e) < 0)
		return -1;
	for (const char *line = text; *line;) {
		const size_t n = strcspn(line, "\n");

		if (!parse_line(line, n, &d))
			return err_set(e, ERR_SYSTEM, NULL, "sysfs: a device's uevent has an odd line \"%.*s\"", (int)min_size(n, 80),
				       line);
		line += n + (line[n] == '\n');
	}
	if (!d.name[0])
		return err_set(e, ERR_SYSTEM, NULL, "sysfs: a device's uevent has no DEVNAME");
	*out = d;
	return 0;
}

static int open_device(const char *sysfs, unsigned major_number, unsigned minor_number, int *out, struct err *e)
{
	char path[512];
	const int n = snprintf(path, sizeof(path), "%s/dev/block/%u:%u", sysfs, major_number, minor_number);

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(e, ERR_BUG, NULL, "the path of sysfs is too long");
	*out = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
	if (*out >= 0)
		return 0;
	return errno == ENOENT ? err_set(e, ERR_MISSING, NULL, "%u:%u is no block device", major_number, minor_number)
			       : err_sys(e, "opening %s", path);
}

/* The way down: devices found, of which the first @done have been looked at. */
struct way {
	unsigned n, done;
	struct {
		unsigned major, minor;
	} at[WAY_MAX];
};

static int way_add(struct way *w, unsigned major_number, unsigned minor_number, struct err *e)
{
	for (unsigned i = 0; i < w->n; i++)
		if (w->at[i].major == major_number && w->at[i].minor == minor_number)
			return 0;
	if (w->n == WAY_MAX)
		return err_set(e, ERR_STATE, PART_E_ACTIVE, "more than %d devices lie under the root file system", WAY_MAX);
	w->at[w->n].major = major_number;
	w->at[w->n].minor = minor_number;
	w->n++;
	return 0;
}

/* Adds what is in the folder `slaves` of the device open as @dir, if there is one. */
static int way_add_slaves(struct way *w, int dir, bool *any, struct err *e)
{
	CLEANUP(close_p) int fd = sys_openat(dir, "slaves", O_RDONLY | O_DIRECTORY, 0);
	CLEANUP(closedir_p) DIR *list = NULL;
	const struct dirent *entry;

	*any = false;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "opening slaves of a device in sysfs");
	list = fdopendir(fd);
	if (!list)
		return err_sys(e, "reading slaves of a device in sysfs");
	fd = -1;
	while (errno = 0, entry = readdir(list)) {
		CLEANUP(close_p) int below = -1;
		struct part_sysdev d;

		if (entry->d_name[0] == '.')
			continue;
		below = sys_openat(dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY, 0);
		if (below < 0)
			return err_sys(e, "opening slaves/%s of a device in sysfs", entry->d_name);
		if (read_device(below, &d, e) < 0 || way_add(w, d.major, d.minor, e) < 0)
			return -1;
		*any = true;
	}
	return errno ? err_sys(e, "reading slaves of a device in sysfs") : 0;
}

/* The device open as @dir has nothing below: it must be a partition, and of the same disk as those before. */
static int add_partition(struct part_under *u, int dir, struct err *e)
{
	CLEANUP(close_p) int above = -1;
	struct part_sysdev d, disk;

	if (read_device(dir, &d, e) < 0)
		return -1;
	if (!d.partition)
		return err_set(e, ERR_STATE, PART_E_ACTIVE, "%s, which carries the root file system, is no partition", d.name);
	above = sys_openat(dir, "..", O_RDONLY | O_DIRECTORY, 0);
	if (above < 0)
		return err_sys(e, "opening the disk of %s in sysfs", d.name);
	if (read_device(above, &disk, e) < 0)
		return err_wrap(e, "the disk of %s", d.name);
	if (u->n && (disk.major != u->disk.major || disk.minor != u->disk.minor))
		return err_set(e, ERR_STATE, PART_E_ACTIVE, "the root file system lies on two disks, %s and %s", u->disk.name,
			       disk.name);
	if (u->n == PART_UNDER_MAX)
		return err_set(e, ERR_STATE, PART_E_ACTIVE, "more than %d partitions carry the root file system",
			       PART_UNDER_MAX);
	u->disk = disk;
	u->partition[u->n++] = d.partition;
	return 0;
}

/* btrfs, overlay and network file systems have numbers of their own, with major 0: no device, so no set to be found. */
static int no_device(struct err *e)
{
	if (e->kind == ERR_MISSING) {
		e->kind = ERR_STATE;
		e->reason = PART_E_ACTIVE;
	}
	return -1;
}

int part_under_find(const char *sysfs, unsigned major_number, unsigned minor_number, struct part_under *out, struct err *e)
{
	struct part_under u = { 0 };
	struct way w = { 0 };

	if (way_add(&w, major_number, minor_number, e) < 0)
		return -1;
	for (; w.done < w.n; w.done++) {
		CLEANUP(close_p) int dir = -1;
		bool any;

		if (open_device(sysfs, w.at[w.done].major, w.at[w.done].minor, &dir, e) < 0)
			return no_device(e);
		if (way_add_slaves(&w, dir, &any, e) < 0)
			return -1;
		if (!any && add_partition(&u, dir, e) < 0)
			return -1;
	}
	/* Devices that stand on each other in a ring stand on nothing. */
	if (!u.n)
		return err_set(e, ERR_STATE, PART_E_ACTIVE, "no partition lies under the root file system");
	*out = u;
	return 0;
}

int part_under_path(const char *sysfs, const char *path, struct part_under *out, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "looking at %s", path);
	if (part_under_find(sysfs, major(st.st_dev), minor(st.st_dev), out, e) < 0)
		return err_wrap(e, "finding the partition under %s", path);
	return 0;
}

/* `start` counts units of 512 bytes, whatever the disk's sectors are. */
static int read_start(int dir, uint64_t *out_bytes, struct err *e)
{
	char text[ATTRIBUTE_MAX_BYTES + 1];
	uint64_t v;

	if (read_attribute(dir, "start", text, e) < 0)
		return -1;
	if (!num_parse_u64_n(text, strcspn(text, "\n"), 0, UINT64_MAX, &v) || !mul_u64(v, 512, out_bytes))
		return err_set(e, ERR_SYSTEM, NULL, "sysfs: a partition's start is no number");
	return 0;
}

int part_child_find(const char *sysfs, unsigned major_number, unsigned minor_number, unsigned number, struct part_sysdev *out,
		    uint64_t *start_bytes, struct err *e)
{
	CLEANUP(close_p) int disk = -1;
	CLEANUP(closedir_p) DIR *list = NULL;
	const struct dirent *entry;

	if (open_device(sysfs, major_number, minor_number, &disk, e) < 0)
		return -1;
	list = fdopendir(disk);
	if (!list)
		return err_sys(e, "reading the folder of %u:%u in sysfs", major_number, minor_number);
	disk = -1;
	while (errno = 0, entry = readdir(list)) {
		CLEANUP(close_p) int dir = -1;
		struct part_sysdev d;

		/* A partition's folder is the only kind that has a file `partition`. */
		if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
			continue;
		dir = sys_openat(dirfd(list), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		if (dir < 0 || faccessat(dir, "partition", F_OK, 0) < 0)
			continue;
		if (read_device(dir, &d, e) < 0)
			return -1;
		if (d.partition != number)
			continue;
		if (read_start(dir, start_bytes, e) < 0)
			return -1;
		*out = d;
		return 0;
	}
	if (errno)
		return err_sys(e, "reading the folder of %u:%u in sysfs", major_number, minor_number);
	return err_set(e, ERR_MISSING, NULL, "the kernel knows no partition %u of %u:%u", number, major_number, minor_number);
}
