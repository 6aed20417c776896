/*
 * All writing is base/file's atomic replace, so a reader or a boot after a power cut sees each file old or new.
 * The lock is the kernel's and ends with the process; only its holder writes, so temporary files found at the
 * opening belong to nobody.
 */
#include "tuf/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "tuf/tuf.h"
#include "tuf/url.h"

#define LOCK_NAME ".lock"
#define ENCODED_MAX_BYTES (3 * TUF_NAME_MAX_BYTES + 16)

struct tuf_store {
	int dir;
	int lock; /* -1: a read-only file system, where nobody writes */
};

int tuf_store_name(const char *role, char out[TUF_STORE_NAME_BYTES], struct err *e)
{
	struct buf b = BUF_INIT(ENCODED_MAX_BYTES);
	struct digest d;
	char hex[2 * DIGEST_MAX_BYTES + 1];
	int r = -1;

	if (tuf_url_encode(role, false, &b, e) < 0 || buf_append_str(&b, ".json", e) < 0 || !buf_str(&b, e))
		err_wrap(e, "role %.40s", role);
	else if (b.n < TUF_STORE_NAME_BYTES)
		r = snprintf(out, TUF_STORE_NAME_BYTES, "%.*s", (int)b.n, (const char *)b.p) < 0 ? -1 : 0;
	else if (digest_bytes(DIGEST_SHA256, bytes_of_str(role), &d, e) == 0) {
		digest_hex(&d, hex);
		snprintf(out, TUF_STORE_NAME_BYTES, "%%sha256-%.64s.json", hex);
		r = 0;
	}
	buf_fini(&b);
	return r;
}

static bool is_temporary(const char *name)
{
	static const char end[] = ".tmp";
	const size_t n = strlen(name);

	return name[0] == '.' && n > sizeof(end) && strcmp(name + n - (sizeof(end) - 1), end) == 0;
}

/* They do no harm, so a failure to remove them does neither. */
static void remove_leftovers(const struct tuf_store *s)
{
	const int fd = openat(s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	struct err e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(d)) != NULL)
		if (is_temporary(entry->d_name) && file_remove(s->dir, entry->d_name, &e) < 0)
			log_debug("metadata store: %s", e.msg);
	closedir(d);
}

int tuf_store_open(const char *dir, struct tuf_store **out, struct err *e)
{
	CLEANUP(tuf_store_free_p) struct tuf_store *s = (struct tuf_store *)calloc(1, sizeof(*s));
	CLEANUP(free_p) char *lock = NULL;

	if (!s)
		return err_set(e, ERR_SYSTEM, "memory", "metadata store: out of memory");
	s->dir = s->lock = -1;
	if (asprintf(&lock, "%s/%s", dir, LOCK_NAME) < 0) {
		lock = NULL;
		return err_set(e, ERR_SYSTEM, "memory", "metadata store: out of memory");
	}
	if (file_make_dirs(dir, 0755, e) < 0 || file_open_dir(dir, &s->dir, e) < 0)
		return err_wrap(e, "metadata store");
	if (file_lock(lock, &s->lock, e) == 0)
		remove_leftovers(s);
	else if (e->kind != ERR_SYSTEM || e->sys != EROFS)
		return err_wrap(e, "metadata store");
	*out = TAKE(s);
	return 0;
}

void tuf_store_free(struct tuf_store *s)
{
	if (!s)
		return;
	close_p(&s->dir);
	close_p(&s->lock);
	free(s);
}

int tuf_store_load(const struct tuf_store *s, const char *role, struct buf *out, struct err *e)
{
	char name[TUF_STORE_NAME_BYTES];

	if (tuf_store_name(role, name, e) < 0 || file_read(s->dir, name, out, e) < 0)
		return err_wrap(e, "stored");
	return 0;
}

int tuf_store_save(struct tuf_store *s, const char *role, struct bytes in, struct err *e)
{
	char name[TUF_STORE_NAME_BYTES];

	if (tuf_store_name(role, name, e) < 0 || file_replace(s->dir, name, in, 0644, e) < 0)
		return err_wrap(e, "storing");
	return 0;
}

int tuf_store_remove(struct tuf_store *s, const char *role, struct err *e)
{
	char name[TUF_STORE_NAME_BYTES];

	if (tuf_store_name(role, name, e) < 0 || file_remove(s->dir, name, e) < 0)
		return err_wrap(e, "metadata store");
	return 0;
}

/* ".json" and ".note" are of one length, so a name that fits does so with either. */
static int note_name(const char *role, char out[TUF_STORE_NAME_BYTES], struct err *e)
{
	static const char end[] = ".note";

	if (tuf_store_name(role, out, e) < 0)
		return -1;
	memcpy(out + strlen(out) - strlen(end), end, sizeof(end));
	return 0;
}

int tuf_store_load_note(const struct tuf_store *s, const char *role, struct buf *out, struct err *e)
{
	char name[TUF_STORE_NAME_BYTES];

	if (note_name(role, name, e) < 0 || file_read(s->dir, name, out, e) < 0)
		return err_wrap(e, "stored");
	return 0;
}

int tuf_store_save_note(struct tuf_store *s, const char *role, struct bytes in, struct err *e)
{
	char name[TUF_STORE_NAME_BYTES];

	if (note_name(role, name, e) < 0 || file_replace(s->dir, name, in, 0644, e) < 0)
		return err_wrap(e, "storing");
	return 0;
}

bool tuf_store_is_writable(const struct tuf_store *s)
{
	return s->lock >= 0;
}

static uint64_t ns_of(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

int tuf_store_stamp(const struct tuf_store *s, const char *role, struct tuf_stamp *out, struct err *e)
{
	char name[TUF_STORE_NAME_BYTES];
	struct stat st;

	if (tuf_store_name(role, name, e) < 0)
		return -1;
	if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? err_set(e, ERR_MISSING, NULL, "stored %s: not there", name) : err_sys(e, "stored %s", name);
	*out = (struct tuf_stamp){ st.st_ino, (uint64_t)st.st_size, ns_of(&st.st_mtim), ns_of(&st.st_ctim) };
	return 0;
}
