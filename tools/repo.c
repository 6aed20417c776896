/* The folders of a repository and the files in them. One process at a time works on a repository: the lock is
 * staging/lock. */
#include "tools/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/sys.h"

static int make_path(const char *repo, const char *rest, char **out, struct err *e)
{
	if (asprintf(out, "%s/%s", repo, rest) < 0) {
		*out = NULL;
		errno = ENOMEM;
		return err_sys(e, "%s", repo);
	}
	return 0;
}

/* Opens REPO/@rest; with @make it is made first. */
static int open_dir(const char *repo, const char *rest, bool make, mode_t mode, int *out, struct err *e)
{
	CLEANUP(free_p) char *path = NULL;

	if (make_path(repo, rest, &path, e) < 0)
		return -1;
	if (make && file_make_dirs(path, mode, e) < 0)
		return -1;
	return file_open_dir(path, out, e);
}

static int take_lock(struct repo *r, struct err *e)
{
	CLEANUP(free_p) char *path = NULL;

	if (make_path(r->path, "staging/lock", &path, e) < 0)
		return -1;
	return file_lock(path, &r->lock, e);
}

static int open_all(const char *path, enum repo_mode mode, struct repo *r, struct err *e)
{
	const bool make = mode == REPO_CREATE;

	r->path = strdup(path);
	if (!r->path)
		return err_sys(e, "%s", path);
	if (open_dir(path, "metadata", make, 0755, &r->metadata, e) < 0 ||
	    open_dir(path, "targets", make, 0755, &r->targets, e) < 0)
		return -1;
	if (!make && !repo_has(r->metadata, "1.root.json"))
		return err_set(e, ERR_MISSING, NULL, "%s: no repository: metadata/1.root.json is not there", path);
	if (mode == REPO_READ)
		return 0;
	if (open_dir(path, "staging", true, 0700, &r->staging, e) < 0 ||
	    open_dir(path, "staging/targets", true, 0700, &r->staged_targets, e) < 0)
		return -1;
	if (take_lock(r, e) < 0)
		return -1;
	if (make && repo_has(r->metadata, "1.root.json"))
		return err_set(e, ERR_STATE, REPO_E_EXISTS, "%s: is a repository already", path);
	return 0;
}

int repo_open(const char *path, enum repo_mode mode, struct repo *r, struct err *e)
{
	if (open_all(path, mode, r, e) == 0)
		return 0;
	repo_fini(r);
	return -1;
}

void repo_fini(struct repo *r)
{
	close_p(&r->metadata);
	close_p(&r->targets);
	close_p(&r->staging);
	close_p(&r->staged_targets);
	close_p(&r->lock);
	free(r->path);
	*r = REPO_CLOSED;
}

int repo_published_name(const char *name, const struct digest *sha256, char out[REPO_PUBLISHED_BYTES], struct err *e)
{
	char hex[2 * DIGEST_MAX_BYTES + 1];

	digest_hex(sha256, hex);
	if (!file_name_is_safe(name))
		return err_set(e, ERR_FORMAT, NULL, "target '%s': not a plain file name", name);
	if (snprintf(out, REPO_PUBLISHED_BYTES, "%s.%s", hex, name) >= REPO_PUBLISHED_BYTES)
		return err_set(e, ERR_FORMAT, "limit", "target '%s': the name is too long", name);
	return 0;
}

bool repo_has(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int repo_open_input(int dir, const char *path, int *out_fd, uint64_t *out_size, struct err *e)
{
	CLEANUP(close_p) int fd = sys_openat(dir, path, O_RDONLY, 0);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_MISSING, NULL, "%s: no such file", path);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "opening %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, NULL, "%s: not a regular file", path);
	if (out_size)
		*out_size = (uint64_t)st.st_size;
	*out_fd = TAKE_FD(fd);
	return 0;
}

struct repo_file {
	struct sink base;
	struct file_draft *draft;
	struct digest_ctx *digest;
	struct digest sha256;
	uint64_t length;
};

static int file_sink_write(struct sink *s, const void *p, size_t n, struct err *e)
{
	struct repo_file *f = (struct repo_file *)s;

	if (digest_update(f->digest, p, n, e) < 0 || file_draft_write(f->draft, p, n, e) < 0)
		return -1;
	f->length += n; /* bounded by what a file system holds */
	return 0;
}

static int file_sink_finish(struct sink *s, struct err *e)
{
	struct repo_file *f = (struct repo_file *)s;

	if (digest_final(f->digest, &f->sha256, e) < 0)
		return -1;
	return file_draft_commit(f->draft, e);
}

static void file_sink_free(struct sink *s)
{
	(void)s; /* repo_file_free() does it */
}

static const struct sink_ops file_sink_ops = { file_sink_write, file_sink_finish, file_sink_free };

int repo_file_new(int dir, const char *name, struct repo_file **out, struct err *e)
{
	CLEANUP(repo_file_free_p) struct repo_file *f = calloc(1, sizeof(*f));

	if (!f)
		return err_sys(e, "%s", name);
	f->base.ops = &file_sink_ops;
	if (digest_new(DIGEST_SHA256, &f->digest, e) < 0 || file_draft_new(dir, name, 0644, &f->draft, e) < 0)
		return -1;
	*out = TAKE(f);
	return 0;
}

void repo_file_free(struct repo_file *f)
{
	if (!f)
		return;
	file_draft_free(f->draft);
	digest_free(f->digest);
	free(f);
}

struct sink *repo_file_sink(struct repo_file *f)
{
	return &f->base;
}

uint64_t repo_file_length(const struct repo_file *f)
{
	return f->length;
}

struct digest repo_file_sha256(const struct repo_file *f)
{
	return f->sha256;
}
