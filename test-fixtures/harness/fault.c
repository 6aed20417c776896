/*
 * The linker's --wrap=f sends calls of f to __wrap_f and calls of __real_f to f. The counters are atomic because
 * the image pipeline allocates in several threads.
 */
#include "test-fixtures/harness/fault.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

static const char *const names[FAULT_KINDS] = {
	[FAULT_OPEN] = "open",	   [FAULT_READ] = "read",	    [FAULT_WRITE] = "write",
	[FAULT_PREAD] = "pread",   [FAULT_PWRITE] = "pwrite",	    [FAULT_FSYNC] = "fsync",
	[FAULT_FDATASYNC] = "fdatasync", [FAULT_RENAME] = "rename", [FAULT_UNLINK] = "unlink",
	[FAULT_SYMLINK] = "symlink", [FAULT_MKDIR] = "mkdir",	    [FAULT_MEMORY] = "memory",
	[FAULT_SYS] = "any call",
};

static atomic_bool armed, hit;
static bool all_later;
static enum fault_kind armed_kind;
static unsigned int armed_nth;
static int armed_errno;
static atomic_uint n_calls;
static size_t most_bytes; /* 0: no limit */

const char *fault_name(enum fault_kind kind)
{
	return names[kind];
}

static void arm(enum fault_kind kind, unsigned int nth, int sys, bool later)
{
	armed_kind = kind;
	armed_nth = nth;
	armed_errno = sys;
	all_later = later;
	n_calls = 0;
	hit = false;
	armed = true;
}

void fault_arm(enum fault_kind kind, unsigned int nth, int sys)
{
	arm(kind, nth, sys, false);
}

void fault_arm_from(enum fault_kind kind, unsigned int nth, int sys)
{
	arm(kind, nth, sys, true);
}

bool fault_disarm(void)
{
	armed = false;
	return hit;
}

void fault_short(size_t n)
{
	most_bytes = n;
}

static bool fails(enum fault_kind kind)
{
	if (!armed || (kind != armed_kind && !(armed_kind == FAULT_SYS && kind != FAULT_MEMORY)))
		return false;
	const unsigned int n = ++n_calls;
	if (n != armed_nth && !(all_later && n > armed_nth))
		return false;
	hit = true;
	errno = armed_errno;
	return true;
}

static size_t cut(size_t n)
{
	return most_bytes && n > most_bytes ? most_bytes : n;
}

size_t fault_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	if (!d)
		abort();
	while (readdir(d))
		n++;
	closedir(d);
	return n - 3; /* ".", ".." and the directory itself */
}

/* @args with their types, @names without. */
#define WRAP(type, failed, kind, f, args, names)                                                                       \
	type __real_##f args;                                                                                          \
	type __wrap_##f args;                                                                                          \
	type __wrap_##f args                                                                                           \
	{                                                                                                              \
		return fails(kind) ? (failed) : __real_##f names;                                                      \
	}

WRAP(int, -1, FAULT_OPEN, sys_openat, (int dir, const char *name, int flags, mode_t mode), (dir, name, flags, mode))
WRAP(ssize_t, -1, FAULT_READ, sys_read, (int fd, void *p, size_t n), (fd, p, cut(n)))
WRAP(ssize_t, -1, FAULT_WRITE, sys_write, (int fd, const void *p, size_t n), (fd, p, cut(n)))
WRAP(ssize_t, -1, FAULT_PREAD, sys_pread, (int fd, void *p, size_t n, uint64_t offset), (fd, p, cut(n), offset))
WRAP(ssize_t, -1, FAULT_PWRITE, sys_pwrite, (int fd, const void *p, size_t n, uint64_t offset), (fd, p, cut(n), offset))
WRAP(int, -1, FAULT_FSYNC, sys_fsync, (int fd), (fd))
WRAP(int, -1, FAULT_FDATASYNC, sys_fdatasync, (int fd), (fd))
WRAP(int, -1, FAULT_RENAME, sys_renameat, (int from_dir, const char *from, int to_dir, const char *to),
     (from_dir, from, to_dir, to))
WRAP(int, -1, FAULT_UNLINK, sys_unlinkat, (int dir, const char *name, int flags), (dir, name, flags))
WRAP(int, -1, FAULT_SYMLINK, sys_symlinkat, (const char *target, int dir, const char *name), (target, dir, name))
WRAP(int, -1, FAULT_MKDIR, sys_mkdirat, (int dir, const char *name, mode_t mode), (dir, name, mode))

WRAP(void *, NULL, FAULT_MEMORY, malloc, (size_t n), (n))
WRAP(void *, NULL, FAULT_MEMORY, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, NULL, FAULT_MEMORY, realloc, (void *p, size_t n), (p, n))
WRAP(void *, NULL, FAULT_MEMORY, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, NULL, FAULT_MEMORY, strdup, (const char *s), (s))
WRAP(char *, NULL, FAULT_MEMORY, strndup, (const char *s, size_t n), (s, n))
