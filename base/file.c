/*
 * Files that survive a power cut. Whatever appears under its name goes through struct temp: made under a
 * temporary name in the same directory, then placed by one rename, which is the write that makes it count. So
 * replacing a file, writing one piece by piece and flipping a link differ only in how the temporary thing is
 * filled.
 *
 * Invariants: a temporary name never outlives its struct temp, except when the process dies or unlink fails; the
 * directory is opened anew for each operation, so that its fsync works whatever the caller's descriptor is (AT_FDCWD,
 * O_PATH).
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "base/sys.h"

#define NAME_BYTES (NAME_MAX + 1)
#define READ_STEP_BYTES 65536
#define TEMP_RANDOM_CHARS 6
#define TEMP_TRIES 64 /* names in use are leftovers of crashes: with 32^6 names a second try is rare already */

bool file_name_is_safe(const char *name)
{
	const size_t n = strlen(name);

	if (n == 0 || n > NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f || name[i] == '/')
			return false;
	return true;
}

int file_pread_all(int fd, void *p, size_t n, uint64_t offset, const char *what, struct err *e)
{
	uint8_t *at = p;
	uint64_t end;

	if (!add_u64(offset, n, &end))
		return err_set(e, ERR_SYSTEM, "range", "reading %s: offset %" PRIu64 " is beyond any file", what, offset);
	while (n > 0) {
		const ssize_t got = sys_pread(fd, at, n, offset);

		if (got < 0)
			return err_sys(e, "reading %s at byte %" PRIu64, what, offset);
		if (got == 0)
			return err_set(e, ERR_SYSTEM, "short", "reading %s: it ends at byte %" PRIu64 ", not %" PRIu64,
				       what, offset, end);
		at += got;
		n -= (size_t)got;
		offset += (size_t)got;
	}
	return 0;
}

int file_pwrite_all(int fd, const void *p, size_t n, uint64_t offset, const char *what, struct err *e)
{
	const uint8_t *at = p;
	uint64_t end;

	if (!add_u64(offset, n, &end))
		return err_set(e, ERR_SYSTEM, "range", "writing %s: offset %" PRIu64 " is beyond any file", what, offset);
	while (n > 0) {
		const ssize_t done = sys_pwrite(fd, at, n, offset);

		if (done < 0)
			return err_sys(e, "writing %s at byte %" PRIu64, what, offset);
		if (done == 0)
			return err_set(e, ERR_SYSTEM, "short", "writing %s: nothing written at byte %" PRIu64, what, offset);
		at += done;
		n -= (size_t)done;
		offset += (size_t)done;
	}
	return 0;
}

int file_write_all(int fd, const void *p, size_t n, const char *what, struct err *e)
{
	const uint8_t *at = p;

	while (n > 0) {
		const ssize_t done = sys_write(fd, at, n);

		if (done < 0)
			return err_sys(e, "writing %s", what);
		if (done == 0)
			return err_set(e, ERR_SYSTEM, "short", "writing %s: nothing written", what);
		at += done;
		n -= (size_t)done;
	}
	return 0;
}

int file_open_dir(const char *path, int *out_fd, struct err *e)
{
	const int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_MISSING, "directory", "%s: there is no such directory", path);
	if (fd < 0)
		return err_sys(e, "opening directory %s", path);
	*out_fd = fd;
	return 0;
}

/* fsync of a directory that may be open as O_PATH only, which fsync refuses. */
static int sync_dir(int dir)
{
	CLEANUP(close_p) int fd = sys_openat(dir, ".", O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? -1 : sys_fsync(fd);
}

/*
 * mkdir, then fsync of the parent. A directory whose entry could not be made durable is taken back: the next
 * attempt would find it, believe it safe, and put files in it.
 */
static int make_dir(int parent, const char *name, mode_t mode)
{
	if (sys_mkdirat(parent, name, mode) < 0)
		return errno == EEXIST ? 0 : -1;
	if (sync_dir(parent) == 0)
		return 0;
	const int sys = errno;
	(void)sys_unlinkat(parent, name, AT_REMOVEDIR);
	errno = sys;
	return -1;
}

int file_make_dirs(const char *path, mode_t mode, struct err *e)
{
	CLEANUP(close_p) int dir = sys_openat(AT_FDCWD, *path == '/' ? "/" : ".", O_PATH | O_DIRECTORY, 0);

	if (dir < 0)
		return err_sys(e, "making directory %s", path);
	for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
		const size_t n = strcspn(p, "/");
		char name[NAME_BYTES];

		if (n >= sizeof(name)) {
			errno = ENAMETOOLONG;
			return err_sys(e, "making directory %s", path);
		}
		memcpy(name, p, n);
		name[n] = '\0';
		if (make_dir(dir, name, mode) < 0)
			return err_sys(e, "making directory %s: %s", path, name);
		const int next = sys_openat(dir, name, O_PATH | O_DIRECTORY, 0);
		if (next < 0)
			return err_sys(e, "making directory %s: %s", path, name);
		close_p(&dir);
		dir = next;
		p += n;
	}
	return 0;
}

/* Opens a regular file and nothing else: O_NONBLOCK so that a FIFO in its place cannot hold us up. */
static int open_regular(int dir, const char *name, uint64_t *size_bytes, int *out_fd, struct err *e)
{
	CLEANUP(close_p) int fd = sys_openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_MISSING, "file", "%s: there is no such file", name);
	if (fd < 0 && errno == ELOOP)
		return err_set(e, ERR_SYSTEM, "type", "%s is a symbolic link, not a regular file", name);
	if (fd < 0)
		return err_sys(e, "opening %s", name);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "looking at %s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_SYSTEM, "type", "%s is not a regular file", name);
	*size_bytes = (uint64_t)st.st_size;
	*out_fd = TAKE_FD(fd);
	return 0;
}

static int too_large(const char *name, size_t max, struct err *e)
{
	return err_set(e, ERR_FORMAT, "limit", "%s: larger than %zu bytes", name, max);
}

/* Reads to the end rather than to the size seen: a file may grow, and those in /proc show size 0. */
static int read_to_end(int fd, const char *name, struct buf *out, size_t max, struct err *e)
{
	for (;;) {
		const size_t room = min_size(out->max - out->n, READ_STEP_BYTES);
		uint8_t beyond;

		if (room > 0 && buf_reserve(out, room, e) < 0)
			return err_wrap(e, "reading %s", name);
		const ssize_t got = room ? sys_read(fd, out->p + out->n, room) : sys_read(fd, &beyond, 1);
		if (got < 0)
			return err_sys(e, "reading %s", name);
		if (got == 0)
			return 0;
		if (room == 0)
			return too_large(name, max, e);
		out->n += (size_t)got;
	}
}

int file_read(int dir, const char *name, struct buf *out, struct err *e)
{
	const size_t n_before = out->n, max = out->max - out->n;
	CLEANUP(close_p) int fd = -1;
	uint64_t size_bytes;

	if (open_regular(dir, name, &size_bytes, &fd, e) < 0)
		return -1;
	if (size_bytes > max)
		return too_large(name, max, e);
	if (read_to_end(fd, name, out, max, e) < 0) {
		out->n = n_before;
		return -1;
	}
	return 0;
}

/* A thing on its way to its name. dir -1: nothing open. */
struct temp {
	int dir;
	bool exists;		/* under temp_name */
	char name[NAME_BYTES];	/* the final one, a single component */
	char temp_name[NAME_BYTES];
};

/* Splits @path into its directory, which is opened, and its last component. */
static int open_parent(int dir, const char *path, char name[NAME_BYTES], int *out_dir, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	char parent[PATH_MAX] = ".";

	if (!file_name_is_safe(last))
		return err_set(e, ERR_FORMAT, "name", "%s: not the name of a file", path);
	if (slash) {
		const size_t n = (size_t)(slash - path) + 1;

		if (n >= sizeof(parent)) {
			errno = ENAMETOOLONG;
			return err_sys(e, "opening the directory of %s", path);
		}
		memcpy(parent, path, n);
		parent[n] = '\0';
	}
	const int fd = sys_openat(dir, parent, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return err_sys(e, "opening the directory of %s", path);
	memcpy(name, last, strlen(last) + 1);
	*out_dir = fd;
	return 0;
}

static int temp_init(struct temp *t, int dir, const char *path, struct err *e)
{
	*t = (struct temp){ .dir = -1 };
	return open_parent(dir, path, t->name, &t->dir, e);
}

static void temp_fini(struct temp *t)
{
	if (t->exists)
		(void)sys_unlinkat(t->dir, t->temp_name, 0);
	close_p(&t->dir);
	*t = (struct temp){ .dir = -1 };
}

/* A new temporary name, ".NAME.XXXXXX.tmp"; of a long NAME as much as fits. */
static int temp_choose_name(struct temp *t, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
	const int keep = NAME_MAX - TEMP_RANDOM_CHARS - (int)strlen("....tmp") + 1;
	uint8_t random[TEMP_RANDOM_CHARS];
	char text[TEMP_RANDOM_CHARS + 1] = "";

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_sys(e, "random bytes for a temporary name");
	for (size_t i = 0; i < sizeof(random); i++)
		text[i] = letters[random[i] % 32];
	snprintf(t->temp_name, sizeof(t->temp_name), ".%.*s.%s.tmp", keep, t->name, text);
	return 0;
}

/* Makes the temporary thing: a link to @target, or if that is NULL a file. Return: the file's descriptor; 0 for a
 * link; -1 */
static int temp_make(struct temp *t, const char *target, mode_t mode, struct err *e)
{
	int r = -1;

	for (int i = 0; i < TEMP_TRIES && r < 0; i++) {
		if (temp_choose_name(t, e) < 0)
			return -1;
		r = target ? sys_symlinkat(target, t->dir, t->temp_name) :
			     sys_openat(t->dir, t->temp_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
		if (r < 0 && errno != EEXIST)
			break;
	}
	if (r < 0)
		return err_sys(e, "making a temporary %s for %s", target ? "link" : "file", t->name);
	t->exists = true;
	return r;
}

/*
 * The one commit path. What is under the temporary name is durable already (a link has no content but its inode, which
 * journaling file systems log with the entry). A power cut
 *	before the rename: the old thing, and a leftover temporary name;
 *	after the rename, before fsync: the old thing or the new, whole;
 *	after fsync: the new thing.
 */
static int temp_place(struct temp *t, struct err *e)
{
	if (sys_renameat(t->dir, t->temp_name, t->dir, t->name) < 0)
		return err_sys(e, "renaming %s to %s", t->temp_name, t->name);
	t->exists = false;
	if (sys_fsync(t->dir) < 0)
		return err_sys(e, "flushing the directory of %s", t->name);
	return 0;
}

struct file_draft {
	struct temp temp;
	int fd;
	bool failed; /* a piece is missing: it must not appear under its name */
};

int file_draft_new(int dir, const char *name, mode_t mode, struct file_draft **out, struct err *e)
{
	CLEANUP(file_draft_free_p) struct file_draft *f = calloc(1, sizeof(*f));

	if (!f)
		return err_sys(e, "a draft of %s", name);
	f->fd = -1;
	if (temp_init(&f->temp, dir, name, e) < 0 || (f->fd = temp_make(&f->temp, NULL, mode, e)) < 0)
		return -1;
	*out = TAKE(f);
	return 0;
}

int file_draft_write(struct file_draft *f, const void *p, size_t n, struct err *e)
{
	if (file_write_all(f->fd, p, n, f->temp.name, e) == 0)
		return 0;
	f->failed = true;
	return -1;
}

/*
 * Order: content, fsync, close, rename, fsync of the directory. A power cut before the first fsync is done leaves a
 * temporary file of any content and the old thing under the name; later: see temp_place().
 */
int file_draft_commit(struct file_draft *f, struct err *e)
{
	if (f->fd < 0 || f->failed)
		return err_set(e, ERR_BUG, "draft", "%s: commit of a draft that failed or was committed", f->temp.name);
	f->failed = true;
	if (sys_fsync(f->fd) < 0)
		return err_sys(e, "flushing %s", f->temp.name);
	if (close(TAKE_FD(f->fd)) < 0)
		return err_sys(e, "closing %s", f->temp.name);
	return temp_place(&f->temp, e);
}

void file_draft_free(struct file_draft *f)
{
	if (!f)
		return;
	close_p(&f->fd);
	temp_fini(&f->temp);
	free(f);
}

int file_replace(int dir, const char *name, struct bytes content, mode_t mode, struct err *e)
{
	CLEANUP(file_draft_free_p) struct file_draft *f = NULL;

	if (file_draft_new(dir, name, mode, &f, e) < 0 || file_draft_write(f, content.p, content.n, e) < 0 ||
	    file_draft_commit(f, e) < 0)
		return err_wrap(e, "replacing %s", name);
	return 0;
}

int file_flip_link(int dir, const char *name, const char *target, struct err *e)
{
	CLEANUP(temp_fini) struct temp t;

	if (temp_init(&t, dir, name, e) < 0 || temp_make(&t, target, 0, e) < 0 || temp_place(&t, e) < 0)
		return err_wrap(e, "pointing %s at %s", name, target);
	return 0;
}

/*
 * The directory is flushed even if the name is gone already: an earlier attempt may have removed it and failed
 * after that. A power cut before the fsync leaves the file or not; after it, not.
 */
int file_remove(int dir, const char *name, struct err *e)
{
	CLEANUP(close_p) int parent = -1;
	char last[NAME_BYTES];

	if (open_parent(dir, name, last, &parent, e) < 0) {
		if (e->sys != ENOENT)
			return err_wrap(e, "removing %s", name);
		*e = (struct err){ 0 };
		return 0;
	}
	if (sys_unlinkat(parent, last, 0) < 0 && errno != ENOENT)
		return err_sys(e, "removing %s", name);
	if (sys_fsync(parent) < 0)
		return err_sys(e, "removing %s: flushing its directory", name);
	return 0;
}

/* The process number in a lock file; 0 if there is none to be read. */
static uint64_t lock_holder(int fd)
{
	char text[24];
	uint64_t pid = 0;
	const ssize_t n = sys_pread(fd, text, sizeof(text), 0);
	const char *end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;

	if (end)
		(void)num_parse_u64_n(text, (size_t)(end - text), 1, INT_MAX, &pid);
	return pid;
}

/* flock belongs to the open file, so a worker that this process forks keeps the lock, and closing other files does not. */
int file_lock(const char *path, int *out_fd, struct err *e)
{
	CLEANUP(close_p) int fd = sys_openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0600);
	char text[24];

	if (fd < 0)
		return err_sys(e, "opening lock %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return err_sys(e, "locking %s", path);
		const uint64_t pid = lock_holder(fd);
		if (pid)
			return err_set(e, ERR_BUSY, "lock", "%s is locked by process %" PRIu64, path, pid);
		return err_set(e, ERR_BUSY, "lock", "%s is locked by another process", path);
	}
	/* The number only serves the message above: a full disk must not stand in the way of the lock. */
	const int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) == 0)
		(void)sys_pwrite(fd, text, (size_t)n, 0);
	*out_fd = TAKE_FD(fd);
	return 0;
}
