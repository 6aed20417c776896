/* The system's calls that change or read disks, one line each, so that tests make the N-th of them fail (--wrap).
 * They return what the call returns, with errno; interrupted calls are tried again. Nothing else in the tree
 * calls the originals on files that must survive a power cut. */
#ifndef FLIPSIDE_BASE_SYS_H
#define FLIPSIDE_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int sys_openat(int dir, const char *name, int flags, mode_t mode); /* O_CLOEXEC is added */
ssize_t sys_read(int fd, void *p, size_t n);
ssize_t sys_write(int fd, const void *p, size_t n);
ssize_t sys_pread(int fd, void *p, size_t n, uint64_t offset);
ssize_t sys_pwrite(int fd, const void *p, size_t n, uint64_t offset);
int sys_fsync(int fd);
int sys_fdatasync(int fd);
int sys_renameat(int from_dir, const char *from, int to_dir, const char *to);
int sys_unlinkat(int dir, const char *name, int flags);
int sys_symlinkat(const char *target, int dir, const char *name);
int sys_mkdirat(int dir, const char *name, mode_t mode);

#endif
