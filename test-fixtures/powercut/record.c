/*
 * The recorder: the programs of this tree, linked with --wrap for the calls of base/sys.h, write down what they
 * do to one disk. All writes to disks go through base/sys.h, so nothing is missed; that it is so is tested too:
 * the replayed log must give the disk that the programs left, byte for byte.
 *
 * Every process appends to the same log; ids are made of the process and a counter. A recording that cannot go on ends
 * the program: a log with a hole would prove nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/sys.h"
#include "test-fixtures/powercut/cutlog.h"
#include "test-fixtures/powercut/record.h"

#define FDS_MAX 1024
#define DIRTY_MAX 64
#define CONTENT_MAX (256 * 1024)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool looked;
static int log_fd = -1;
static struct stat disk;
static uint32_t last_id;
static uint32_t file_of[FDS_MAX]; /* which open of the disk a descriptor is; 0: none */
static ino_t dirty[DIRTY_MAX];	  /* files written and not flushed since */
static size_t n_dirty;

static void give_up(const char *what)
{
	fprintf(stderr, "recorder: %s: %s\n", what, strerror(errno));
	abort();
}

static bool recording(void)
{
	const char *log = getenv(CUT_ENV_LOG), *path = getenv(CUT_ENV_DISK);

	if (looked)
		return log_fd >= 0;
	looked = true;
	if (!log || !path)
		return false;
	log_fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (log_fd < 0 || stat(path, &disk) < 0)
		give_up(log_fd < 0 ? log : path);
	return true;
}

static uint32_t new_id(void)
{
	return (uint32_t)getpid() << 10 | (++last_id & 1023);
}

static void put(uint8_t kind, uint8_t flags, uint32_t file, uint32_t id, uint64_t offset, const void *p, uint32_t n, bool has_data)
{
	struct cut_record r = { .kind = kind, .flags = flags, .file = file, .id = id, .n = n, .offset = offset };
	struct iovec v[2] = { { &r, sizeof(r) }, { (void *)(uintptr_t)p, has_data ? n : 0 } };

	if (writev(log_fd, v, 2) != (ssize_t)(v[0].iov_len + v[1].iov_len))
		give_up("writing the log");
}

/* Which open of the disk @fd is; 0: it is something else. */
static uint32_t disk_file(int fd)
{
	struct stat st;

	if (!recording() || fd < 0 || fd >= FDS_MAX || fstat(fd, &st) < 0 || st.st_ino != disk.st_ino || st.st_dev != disk.st_dev)
		return 0;
	if (!file_of[fd])
		file_of[fd] = new_id();
	return file_of[fd];
}

static void note_dirty(int fd, bool is_dirty)
{
	struct stat st;
	size_t i = 0;

	if (fstat(fd, &st) < 0)
		return;
	while (i < n_dirty && dirty[i] != st.st_ino)
		i++;
	if (is_dirty && i == n_dirty) {
		if (n_dirty == DIRTY_MAX)
			give_up("too many files");
		dirty[n_dirty++] = st.st_ino;
	}
	if (!is_dirty && i < n_dirty)
		dirty[i] = dirty[--n_dirty];
}

int __wrap_sys_openat(int dir, const char *name, int flags, mode_t mode)
{
	int fd;

	if ((flags & O_DIRECT) && getenv(CUT_ENV_CACHED)) {
		errno = EINVAL;
		return -1;
	}
	fd = __real_sys_openat(dir, name, flags, mode);
	if (fd < 0 || fd >= FDS_MAX)
		return fd;
	pthread_mutex_lock(&lock);
	file_of[fd] = 0; /* the number was another file's once */
	(void)disk_file(fd);
	pthread_mutex_unlock(&lock);
	return fd;
}

ssize_t __wrap_sys_pwrite(int fd, const void *p, size_t n, uint64_t offset)
{
	uint32_t file, id = 0;
	ssize_t r;

	pthread_mutex_lock(&lock);
	file = disk_file(fd);
	if (file) {
		id = new_id();
		put(CUT_WRITE, fcntl(fd, F_GETFL) & O_DIRECT ? CUT_DIRECT : 0, file, id, offset, p, (uint32_t)n, true);
	} else if (log_fd >= 0) {
		note_dirty(fd, true);
	}
	pthread_mutex_unlock(&lock);
	r = __real_sys_pwrite(fd, p, n, offset);
	const int saved = errno;
	pthread_mutex_lock(&lock);
	if (file)
		put(CUT_WRITE_END, 0, file, id, offset, NULL, r < 0 ? 0 : (uint32_t)r, false);
	pthread_mutex_unlock(&lock);
	errno = saved;
	return r;
}

ssize_t __wrap_sys_write(int fd, const void *p, size_t n)
{
	pthread_mutex_lock(&lock);
	if (disk_file(fd))
		give_up("a write to the disk that has no offset");
	if (log_fd >= 0)
		note_dirty(fd, true);
	pthread_mutex_unlock(&lock);
	return __real_sys_write(fd, p, n);
}

int record_dup(int fd)
{
	const int other = dup(fd);

	if (other < 0 || other >= FDS_MAX)
		give_up("dup");
	file_of[other] = file_of[fd];
	return other;
}

static int flush(int fd, int (*real)(int fd))
{
	struct stat st;
	uint32_t file, id = 0;
	int r;

	pthread_mutex_lock(&lock);
	file = disk_file(fd);
	if (file && record_drops_flush && record_drops_flush(fd)) {
		pthread_mutex_unlock(&lock);
		return 0;
	}
	if (file) {
		id = new_id();
		put(CUT_FLUSH, 0, file, id, 0, NULL, 0, false);
	}
	pthread_mutex_unlock(&lock);
	r = real(fd);
	const int saved = errno;
	pthread_mutex_lock(&lock);
	if (file)
		put(CUT_FLUSH_END, 0, file, id, 0, NULL, r == 0, false);
	else if (log_fd >= 0 && r == 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		put(CUT_FOLDER_FLUSHED, 0, 0, 0, 0, NULL, 0, false);
	else if (log_fd >= 0 && r == 0)
		note_dirty(fd, false);
	pthread_mutex_unlock(&lock);
	errno = saved;
	return r;
}

int __wrap_sys_fsync(int fd)
{
	return flush(fd, __real_sys_fsync);
}

int __wrap_sys_fdatasync(int fd)
{
	return flush(fd, __real_sys_fdatasync);
}

static const char *last_part(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash ? slash + 1 : name;
}

/* The record of a file that is about to get its name: the name, and what the name will stand for. */
static void put_rename(int from_dir, const char *from, const char *to)
{
	static char text[NAME_MAX_BYTES + CONTENT_MAX];
	const int fd = openat(from_dir, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	const size_t name_n = strlen(to) + 1;
	struct stat st;
	uint8_t flags = 0;
	ssize_t n;

	if (fd < 0)
		return; /* a link */
	if (name_n > NAME_MAX_BYTES || fstat(fd, &st) < 0)
		give_up(to);
	memcpy(text, to, name_n);
	n = read(fd, text + name_n, CONTENT_MAX);
	(void)close(fd);
	if (n < 0)
		give_up(to);
	for (size_t i = 0; i < n_dirty; i++)
		if (dirty[i] == st.st_ino)
			flags = CUT_UNSYNCED;
	put(CUT_RENAME, flags, 0, 0, 0, text, (uint32_t)(name_n + (size_t)n), true);
}

int __wrap_sys_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	pthread_mutex_lock(&lock);
	if (recording())
		put_rename(from_dir, from, last_part(to));
	pthread_mutex_unlock(&lock);
	return __real_sys_renameat(from_dir, from, to_dir, to);
}

int __wrap_sys_unlinkat(int dir, const char *name, int flags)
{
	const char *last = last_part(name);

	pthread_mutex_lock(&lock);
	if (recording())
		put(CUT_UNLINK, 0, 0, 0, 0, last, (uint32_t)strlen(last) + 1, true);
	pthread_mutex_unlock(&lock);
	return __real_sys_unlinkat(dir, name, flags);
}
