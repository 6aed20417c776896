/*
 * Two descriptors: @fd reads through the page cache, for others; @io_fd carries the table, with O_DIRECT where
 * that works. All table I/O goes through one aligned buffer, which O_DIRECT needs and the core's callers need not
 * know of. Where the file system refuses O_DIRECT, at the open or at a transfer of one sector, the descriptor
 * falls back to the page cache for good; fsync() then makes the difference. The core's callbacks can only say
 * "failed", so the first cause is kept in
 * @fault.
 */
#include "partitions/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "base/sys.h"
#include "partitions/table.h"

#define IO_ALIGN_BYTES 4096
#define LOCK_TRIES 20
#define LOCK_PAUSE_MS 100

struct part_disk {
	struct gpt_io io;
	char *path;
	int fd, io_fd;
	bool is_device, direct, locked;
	dev_t device; /* of a block device */
	uint64_t size_bytes;
	uint8_t *buffer; /* GPT_ENTRIES_MAX_BYTES, aligned */
	struct err fault;
};

/* Opens for table I/O, bypassing the page cache if the file system has that. */
static int open_io(struct part_disk *d, int mode, struct err *e)
{
	int fd = sys_openat(AT_FDCWD, d->path, mode | O_DIRECT, 0);

	d->direct = fd >= 0;
	if (fd < 0 && errno == EINVAL)
		fd = sys_openat(AT_FDCWD, d->path, mode, 0);
	if (fd < 0)
		return err_sys(e, "opening %s%s", d->path, mode == O_RDWR ? " for writing" : "");
	if (d->io_fd >= 0)
		(void)close(d->io_fd);
	d->io_fd = fd;
	return 0;
}

/* True if the transfer failed because it bypassed the cache, and the next one will not. */
static bool leave_direct(struct part_disk *d)
{
	int flags;

	if (!d->direct || d->fault.sys != EINVAL)
		return false;
	flags = fcntl(d->io_fd, F_GETFL);
	if (flags < 0 || fcntl(d->io_fd, F_SETFL, flags & ~O_DIRECT) < 0)
		return false;
	d->direct = false;
	log_debug("%s: sectors of %u bytes cannot bypass the page cache here", d->path, d->io.sector_bytes);
	return true;
}

/* The core stays inside the disk and its buffer by its own checks; this is the second lock on that door. */
static bool place(struct part_disk *d, uint64_t lba, uint32_t n, uint64_t *offset, size_t *bytes)
{
	if (lba >= d->io.n_sectors || n > d->io.n_sectors - lba || n > GPT_ENTRIES_MAX_BYTES / d->io.sector_bytes) {
		err_set(&d->fault, ERR_BUG, NULL, "sector %llu of %s is beyond its end", (unsigned long long)lba, d->path);
		return false;
	}
	*offset = lba * d->io.sector_bytes;
	*bytes = (size_t)n * d->io.sector_bytes;
	return true;
}

static int io_read(void *ctx, uint64_t lba, uint32_t n, void *dst)
{
	struct part_disk *d = (struct part_disk *)ctx;
	uint64_t offset;
	size_t bytes;

	if (!place(d, lba, n, &offset, &bytes))
		return -1;
	while (file_pread_all(d->io_fd, d->buffer, bytes, offset, d->path, &d->fault) < 0)
		if (!leave_direct(d))
			return -1;
	memcpy(dst, d->buffer, bytes);
	return 0;
}

static int io_write(void *ctx, uint64_t lba, uint32_t n, const void *src)
{
	struct part_disk *d = (struct part_disk *)ctx;
	uint64_t offset;
	size_t bytes;

	if (!place(d, lba, n, &offset, &bytes))
		return -1;
	memcpy(d->buffer, src, bytes);
	while (file_pwrite_all(d->io_fd, d->buffer, bytes, offset, d->path, &d->fault) < 0)
		if (!leave_direct(d))
			return -1;
	return 0;
}

/* Tried once: after a failed fsync the kernel may have dropped the pages and a second one would lie. */
static int io_flush(void *ctx)
{
	struct part_disk *d = (struct part_disk *)ctx;

	return sys_fsync(d->io_fd) < 0 ? err_sys(&d->fault, "flushing %s", d->path) : 0;
}

static void set_sector_bytes(struct part_disk *d, uint32_t n)
{
	d->io.sector_bytes = n;
	d->io.n_sectors = d->size_bytes / n;
}

/* What it is, how long, and of a device the sector size. */
static int look_at(struct part_disk *d, struct err *e)
{
	struct stat st;
	off_t end;
	int sector_bytes = 512;

	if (fstat(d->fd, &st) < 0)
		return err_sys(e, "looking at %s", d->path);
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode))
		return err_set(e, ERR_SYSTEM, NULL, "%s is neither a block device nor a regular file", d->path);
	d->is_device = S_ISBLK(st.st_mode);
	d->device = d->is_device ? st.st_rdev : 0;
	end = lseek(d->fd, 0, SEEK_END);
	if (end < 0)
		return err_sys(e, "finding the size of %s", d->path);
	d->size_bytes = (uint64_t)end;
	if (d->is_device && ioctl(d->fd, BLKSSZGET, &sector_bytes) < 0)
		return err_sys(e, "asking %s for its sector size", d->path);
	if (sector_bytes != 512 && sector_bytes != 4096)
		return err_set(e, ERR_SYSTEM, NULL, "%s has sectors of %d bytes, not 512 or 4096", d->path, sector_bytes);
	set_sector_bytes(d, (uint32_t)sector_bytes);
	return 0;
}

int part_disk_open(const char *path, struct part_disk **out, struct err *e)
{
	CLEANUP(part_disk_free_p) struct part_disk *d = (struct part_disk *)calloc(1, sizeof(*d));

	if (!d)
		return err_sys(e, "opening %s", path);
	d->fd = d->io_fd = -1;
	d->path = strdup(path);
	d->buffer = (uint8_t *)aligned_alloc(IO_ALIGN_BYTES, GPT_ENTRIES_MAX_BYTES);
	if (!d->path || !d->buffer)
		return err_sys(e, "opening %s", path);
	d->io = (struct gpt_io){ .ctx = d, .read = io_read, .write = io_write, .flush = io_flush };
	/* O_NONBLOCK, so that a FIFO is refused below instead of waited for. */
	d->fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
	if (d->fd < 0)
		return err_sys(e, "opening %s", path);
	if (look_at(d, e) < 0 || open_io(d, O_RDONLY, e) < 0)
		return -1;
	*out = TAKE(d);
	return 0;
}

void part_disk_free(struct part_disk *d)
{
	if (!d)
		return;
	close_p(&d->io_fd);
	close_p(&d->fd);
	free(d->buffer);
	free(d->path);
	free(d);
}

const char *part_disk_path(const struct part_disk *d)
{
	return d->path;
}

bool part_disk_is_device(const struct part_disk *d)
{
	return d->is_device;
}

void part_disk_number(const struct part_disk *d, unsigned *major_out, unsigned *minor_out)
{
	*major_out = major(d->device);
	*minor_out = minor(d->device);
}

uint64_t part_disk_size(const struct part_disk *d)
{
	return d->size_bytes;
}

uint32_t part_disk_sector_bytes(const struct part_disk *d)
{
	return d->io.sector_bytes;
}

int part_disk_fd(const struct part_disk *d)
{
	return d->fd;
}

int part_disk_load(struct part_disk *d, struct gpt *g, struct err *e)
{
	int r = gpt_load(g, &d->io);

	if (r == GPT_ENOTABLE && !d->is_device) {
		const uint32_t first = d->io.sector_bytes;
		const enum gpt_copy primary = g->primary, backup = g->backup;

		set_sector_bytes(d, first == 512 ? 4096 : 512);
		r = gpt_load(g, &d->io);
		/* Neither: tell of the size that looked more like a table. */
		if (r != GPT_OK && g->primary == GPT_COPY_NO_SIGNATURE && g->backup == GPT_COPY_NO_SIGNATURE) {
			set_sector_bytes(d, first);
			g->primary = primary;
			g->backup = backup;
		}
	}
	if (r == GPT_OK)
		return 0;
	if (r == GPT_EIO) {
		*e = d->fault;
		return err_wrap(e, "reading the partition table");
	}
	if (g->primary == GPT_COPY_NO_SIGNATURE && g->backup == GPT_COPY_NO_SIGNATURE)
		return err_set(e, ERR_FORMAT, PART_E_TABLE, "%s: no GPT partition table", d->path);
	return err_set(e, ERR_FORMAT, PART_E_TABLE, "%s: neither copy of the GPT is valid: primary: %s; backup: %s", d->path,
		       gpt_copy_text(g->primary), gpt_copy_text(g->backup));
}

void part_disk_warn(const struct part_disk *d, const struct gpt *g)
{
	if (g->from_backup)
		log_warn("primary GPT of %s: %s; working from the backup", d->path, gpt_copy_text(g->primary));
	else if (g->backup != GPT_COPY_OK)
		log_warn("backup GPT of %s: %s; working from the primary", d->path, gpt_copy_text(g->backup));
	else if (!g->copies_equal)
		log_warn("the two copies of the GPT of %s differ; working from the primary", d->path);
}

int part_disk_lock(struct part_disk *d, struct err *e)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000L };

	if (open_io(d, O_RDWR, e) < 0)
		return -1;
	for (int i = 0; flock(d->io_fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, "locking %s", d->path);
		if (i == LOCK_TRIES)
			return err_set(e, ERR_BUSY, NULL, "%s is locked by another program", d->path);
		(void)nanosleep(&pause, NULL);
	}
	d->locked = true;
	return 0;
}

/* The descriptor stays, and reads on; only the lock goes. Writing without a new lock is refused by part_disk_commit(). */
void part_disk_unlock(struct part_disk *d)
{
	if (d->locked)
		(void)flock(d->io_fd, LOCK_UN);
	d->locked = false;
}

int part_disk_commit(struct part_disk *d, struct gpt *g, struct err *e)
{
	if (!d->locked || !g->loaded || g->io != &d->io)
		return err_set(e, ERR_BUG, NULL, "%s: commit of a partition table that is not locked and loaded", d->path);
	if (gpt_commit(g) == GPT_OK)
		return 0;
	*e = d->fault;
	return err_wrap(e, "writing the partition table");
}
