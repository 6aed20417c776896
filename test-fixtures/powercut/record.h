/* Both sides of the linker's --wrap for the calls that the recorder sees. For test programs only. */
#ifndef FLIPSIDE_TEST_FIXTURES_RECORD_H
#define FLIPSIDE_TEST_FIXTURES_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NAME_MAX_BYTES 256

/* A wrong build has it: true for a flush of the disk that is said to be done, and is not. Called under the
 * recorder's lock. */
bool record_drops_flush(int fd) __attribute__((weak));

/* Another descriptor of the same open file, for the same build; only under the lock. */
int record_dup(int fd);

int __real_sys_openat(int dir, const char *name, int flags, mode_t mode);
ssize_t __real_sys_pwrite(int fd, const void *p, size_t n, uint64_t offset);
ssize_t __real_sys_write(int fd, const void *p, size_t n);
int __real_sys_fsync(int fd);
int __real_sys_fdatasync(int fd);
int __real_sys_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_sys_unlinkat(int dir, const char *name, int flags);

int __wrap_sys_openat(int dir, const char *name, int flags, mode_t mode);
ssize_t __wrap_sys_pwrite(int fd, const void *p, size_t n, uint64_t offset);
ssize_t __wrap_sys_write(int fd, const void *p, size_t n);
int __wrap_sys_fsync(int fd);
int __wrap_sys_fdatasync(int fd);
int __wrap_sys_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_sys_unlinkat(int dir, const char *name, int flags);

#endif
