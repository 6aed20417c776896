/*
 * Each file appears under its name only when its whole content was verified and is on stable storage
 * (tuf_target_to_file()), so a power cut leaves files that are right and files that are missing, never others.
 * Old files go last.
 */
#include "updater/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "tuf/target_file.h"

#define CACHE_NAME_BYTES (2 * DIGEST_MAX_BYTES + 1 + TUF_NAME_MAX_BYTES + 1)
#define CACHE_FILE_MAX_BYTES (256u * 1024 * 1024) /* of one migration as published */

struct cached {
	struct tuf_target target;
	char file[CACHE_NAME_BYTES];
	bool there;
};

struct cache {
	const struct cache_job *job;
	int dir;
	struct cached *files; /* job->n_names of them */
};

static void cache_fini(struct cache *c)
{
	close_p(&c->dir);
	free(c->files);
}

static int describe(struct cache *c, size_t i, struct err *e)
{
	struct cached *f = &c->files[i];
	char hex[2 * DIGEST_MAX_BYTES + 1];

	if (tuf_client_find(c->job->repo, c->job->names[i], &f->target, e) < 0)
		return -1;
	digest_hex(&f->target.hashes[0], hex);
	snprintf(f->file, sizeof(f->file), "%s.%s", hex, f->target.path);
	if (!file_name_is_safe(f->file))
		return err_set(e, ERR_FORMAT, "name", "%s: not usable as a file's name", f->target.path);
	if (f->target.length > CACHE_FILE_MAX_BYTES)
		return err_set(e, ERR_FORMAT, "limit", "%s: more than %u bytes", f->target.path, CACHE_FILE_MAX_BYTES);
	return 0;
}

static int check_space(const struct cache *c, struct err *e)
{
	struct statvfs vfs;
	uint64_t need = 0, free_bytes;

	for (size_t i = 0; i < c->job->n_names; i++)
		if (!c->files[i].there && !add_u64(need, c->files[i].target.length, &need))
			return err_set(e, ERR_FORMAT, "limit", "the migrations' lengths are absurd");
	if (fstatvfs(c->dir, &vfs) < 0)
		return err_sys(e, "free space of %s", c->job->dir);
	if (!mul_u64(vfs.f_bavail, vfs.f_frsize, &free_bytes))
		free_bytes = UINT64_MAX;
	if (need <= free_bytes)
		return 0;
	return err_set(e, ERR_SYSTEM, "no-space", "%s: %llu bytes are free, the migrations need %llu", c->job->dir,
		       (unsigned long long)free_bytes, (unsigned long long)need);
}

static bool is_wanted(const struct cache *c, const char *name)
{
	for (size_t i = 0; i < c->job->n_names; i++)
		if (strcmp(c->files[i].file, name) == 0)
			return true;
	return false;
}

/* Files of earlier updates and of interrupted ones. What cannot be removed only takes space: a warning. */
static int remove_others(const struct cache *c, struct err *e)
{
	const int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct err failed;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return err_sys(e, "listing %s", c->job->dir);
	}
	while ((entry = readdir(d))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 || is_wanted(c, entry->d_name))
			continue;
		if (file_remove(c->dir, entry->d_name, &failed) < 0)
			log_warn("%s: %s", c->job->dir, failed.msg);
	}
	closedir(d);
	return 0;
}

int cache_fill(const struct cache_job *job, struct err *e)
{
	CLEANUP(cache_fini) struct cache c = { .job = job, .dir = -1 };

	c.files = calloc(job->n_names ? job->n_names : 1, sizeof(*c.files));
	if (!c.files)
		return err_sys(e, "caching migrations");
	if (file_make_dirs(job->dir, 0700, e) < 0 || file_open_dir(job->dir, &c.dir, e) < 0)
		return -1;
	for (size_t i = 0; i < job->n_names; i++) {
		if (describe(&c, i, e) < 0)
			return err_wrap(e, "migration %s", job->names[i]);
		c.files[i].there = tuf_target_is_file(&c.files[i].target, c.dir, c.files[i].file);
	}
	if (check_space(&c, e) < 0)
		return -1;
	for (size_t i = 0; i < job->n_names; i++)
		if (!c.files[i].there && tuf_target_to_file(job->repo, &c.files[i].target, c.dir, c.files[i].file, 0600, NULL,
							    NULL, job->stop, e) < 0)
			return err_wrap(e, "migration %s", job->names[i]);
	return remove_others(&c, e);
}
