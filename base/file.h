/*
 * Files, whole and durable: full reads and writes, atomic replace, link flip, safe names. Built on base/sys.h.
 *
 * @dir is a directory's descriptor (O_PATH will do) or AT_FDCWD, and @name a path from there. Where a file is made or
 * removed, the last component of the path must be safe by file_name_is_safe(): ERR_FORMAT "name" otherwise.
 */
#ifndef FLIPSIDE_BASE_FILE_H
#define FLIPSIDE_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"

/* True for a single path component that is safe to create in a folder: not empty, ".", "..", at most 255 bytes,
 * no '/', NUL or control character. The one place where a foreign name becomes a path. */
bool file_name_is_safe(const char *name);

/* Exactly @n bytes at @offset; an end of file before is ERR_SYSTEM "short". @what names the file in messages. */
int file_pread_all(int fd, void *p, size_t n, uint64_t offset, const char *what, struct err *e);
int file_pwrite_all(int fd, const void *p, size_t n, uint64_t offset, const char *what, struct err *e);
int file_write_all(int fd, const void *p, size_t n, const char *what, struct err *e);

/* Opens a directory for the *at functions. Return: 0; -1: ERR_MISSING when it is not there, ERR_SYSTEM */
int file_open_dir(const char *path, int *out_fd, struct err *e);

/* Makes a directory and those above it that are missing, durably, with @mode less the umask; being there is no failure. */
int file_make_dirs(const char *path, mode_t mode, struct err *e);

/**
 * file_read() - a whole regular file
 * @out: appended to; its maximum bounds the file: a larger one is ERR_FORMAT "limit", found before reading
 * Return: 0; -1: ERR_MISSING when it is not there, ERR_FORMAT, ERR_SYSTEM (also for anything but a regular file,
 * such as a link); @out then holds what it held
 */
int file_read(int dir, const char *name, struct buf *out, struct err *e);

/**
 * file_replace() - atomically and durably: a reader, or a boot after a power cut, sees the old content or the new
 * Order: temporary name in the same directory (O_EXCL, ".NAME.XXXXXX.tmp"), write, fsync, rename, fsync the
 * directory. A leftover temporary file of an earlier crash does no harm. On failure the temporary is gone and the
 * old content is in place, or, if only the last fsync failed, the new one, of which it is unknown whether it
 * lasts.
 * @mode: less the umask, also when the file was there; a link under the name is replaced, not followed
 */
int file_replace(int dir, const char *name, struct bytes content, mode_t mode, struct err *e);

/* Points the symbolic link @name at @target, atomically and durably, whether or not it exists. Failures as
 * file_replace(). */
int file_flip_link(int dir, const char *name, const char *target, struct err *e);

/* Removes @name durably; not being there is no failure. */
int file_remove(int dir, const char *name, struct err *e);

/* A file that is written piece by piece and appears under its name, durable and whole, only at commit. */
struct file_draft;

/* Return: 0; -1: ERR_FORMAT "name", ERR_SYSTEM. @dir may be closed from then on. */
int file_draft_new(int dir, const char *name, mode_t mode, struct file_draft **out, struct err *e);
int file_draft_write(struct file_draft *f, const void *p, size_t n, struct err *e);

/* Once, and not after a failed write (ERR_BUG). Frees nothing. Order and failures as file_replace(). */
int file_draft_commit(struct file_draft *f, struct err *e);
void file_draft_free(struct file_draft *f); /* without commit: the temporary file is removed */
DEFINE_CLEANUP(struct file_draft, file_draft_free);

/**
 * file_lock() - an exclusive lock that the kernel releases when its holder dies
 * @path: made (mode 0600) if it is not there; never removed; not a link
 * @out_fd: holds the lock until closed here and in every process forked since
 * Return: 0; -1: ERR_BUSY with the holder's process number in the message when it is known, ERR_SYSTEM
 */
int file_lock(const char *path, int *out_fd, struct err *e);

#endif
