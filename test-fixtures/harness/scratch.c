/* Only the C library: a test directory must not depend on what is tested. */
#include "test-fixtures/harness/scratch.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
	perror(what);
	abort();
}

void scratch_make(struct scratch *s)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(s->path, sizeof(s->path), "%s/flipside-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(s->path))
		die(s->path);
	s->fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->fd < 0)
		die(s->path);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void scratch_remove(struct scratch *s)
{
	close(s->fd);
	if (nftw(s->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
		die(s->path);
}

const char *scratch_path(const struct scratch *s, const char *name)
{
	static char path[SCRATCH_PATH_BYTES + 512];

	snprintf(path, sizeof(path), "%s/%s", s->path, name);
	return path;
}

void scratch_write(const struct scratch *s, const char *name, const void *p, size_t n)
{
	const int fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, p, n) != (ssize_t)n || close(fd) < 0)
		die(name);
}

bool scratch_holds(const struct scratch *s, const char *name, const void *p, size_t n)
{
	const int fd = openat(s->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char *got = calloc(1, n + 1);
	bool same;

	if (!got)
		die("memory");
	same = fd >= 0 && read(fd, got, n + 1) == (ssize_t)n && memcmp(got, p, n) == 0;
	if (fd >= 0)
		close(fd);
	free(got);
	return same;
}

size_t scratch_entries(const struct scratch *s)
{
	DIR *d = opendir(s->path);
	size_t n = 0;

	if (!d)
		die(s->path);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2;
}
