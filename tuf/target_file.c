/* Both ways go through the same checks as any target: exact length, then every digest that is listed. */
#include "tuf/target_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/sys.h"

#define PIECE_BYTES (64 * 1024)

/* Reads @src, which it takes over, through the target's digests to its end. */
static bool passes_digests(struct source *src, const struct tuf_target *t, const char *name)
{
	CLEANUP(source_free_p) struct source *top = src;
	uint8_t piece[PIECE_BYTES];
	struct source *next;
	struct err e;
	size_t n;
	int r;

	for (size_t i = 0; i < t->n_hashes; i++) {
		if (source_digest_new(top, &t->hashes[i], name, &next, &e) < 0)
			return false;
		top = next;
	}
	while ((r = source_read(top, piece, sizeof(piece), &n, &e)) == 0)
		;
	return r == SOURCE_END;
}

bool tuf_target_is_file(const struct tuf_target *t, int dir, const char *name)
{
	CLEANUP(close_p) int fd = sys_openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct source *src;
	struct stat st;
	struct err e;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != t->length || t->n_hashes == 0)
		return false;
	if (source_fd_new(fd, false, 0, t->length, name, &src, &e) < 0)
		return false;
	return passes_digests(src, t, name);
}

int tuf_target_to_file(struct tuf_client *c, const struct tuf_target *t, int dir, const char *name, mode_t mode,
		       source_seen_fn seen, void *ctx, const volatile sig_atomic_t *stop, struct err *e)
{
	CLEANUP(source_free_p) struct source *from = NULL;
	CLEANUP(file_draft_free_p) struct file_draft *draft = NULL;
	CLEANUP(sink_free_p) struct sink *to = NULL;
	struct source *tapped;

	if (tuf_client_open_target(c, t, &from, e) < 0)
		return -1;
	if (seen) {
		if (source_tap_new(from, seen, ctx, &tapped, e) < 0)
			return -1;
		from = tapped;
	}
	if (file_draft_new(dir, name, mode, &draft, e) < 0 || sink_draft_new(draft, &to, e) < 0)
		return -1;
	(void)TAKE(draft);
	return pump(from, to, stop, e);
}
