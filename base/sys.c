/*
 * One line for each call: nothing is decided here, so that a test that makes a call fail tests its caller. All
 * are in an object of their own because the linker's --wrap reaches only calls that cross objects.
 */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* glibc's TEMP_FAILURE_RETRY makes a long of every result. */
#define RETRY(call)                                                                                                    \
	({                                                                                                             \
		__typeof__(call) result_;                                                                              \
		do                                                                                                     \
			result_ = (call);                                                                              \
		while (result_ < 0 && errno == EINTR);                                                                 \
		result_;                                                                                               \
	})

int sys_openat(int dir, const char *name, int flags, mode_t mode)
{
	return RETRY(openat(dir, name, flags | O_CLOEXEC, mode));
}

ssize_t sys_read(int fd, void *p, size_t n)
{
	return RETRY(read(fd, p, n));
}

ssize_t sys_write(int fd, const void *p, size_t n)
{
	return RETRY(write(fd, p, n));
}

/* The kernel's offsets are signed: those beyond would turn negative on the way. */
static int check_offset(uint64_t offset)
{
	if (offset <= INT64_MAX)
		return 0;
	errno = EOVERFLOW;
	return -1;
}

ssize_t sys_pread(int fd, void *p, size_t n, uint64_t offset)
{
	return check_offset(offset) < 0 ? -1 : RETRY(pread(fd, p, n, (off_t)offset));
}

ssize_t sys_pwrite(int fd, const void *p, size_t n, uint64_t offset)
{
	return check_offset(offset) < 0 ? -1 : RETRY(pwrite(fd, p, n, (off_t)offset));
}

int sys_fsync(int fd)
{
	return RETRY(fsync(fd));
}

int sys_fdatasync(int fd)
{
	return RETRY(fdatasync(fd));
}

int sys_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	return RETRY(renameat(from_dir, from, to_dir, to));
}

int sys_unlinkat(int dir, const char *name, int flags)
{
	return RETRY(unlinkat(dir, name, flags));
}

int sys_symlinkat(const char *target, int dir, const char *name)
{
	return RETRY(symlinkat(target, dir, name));
}

int sys_mkdirat(int dir, const char *name, mode_t mode)
{
	return RETRY(mkdirat(dir, name, mode));
}
