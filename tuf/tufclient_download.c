/*
 * Targets lie flat in the target folder, under their percent-encoded paths, and appear there only whole and verified. One that is there
 * already, with the length and digests that are due, is not fetched again.
 */
#include "tuf/tufclient.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/sys.h"
#include "tuf/url.h"

#define NAME_MAX_BYTES (3 * TUF_NAME_MAX_BYTES + 1)

/* A file that appears when the stream has ended well. */
struct draft_sink {
	struct sink base;
	struct file_draft *draft;
};

static int draft_write(struct sink *s, const void *p, size_t n, struct err *e)
{
	return file_draft_write(((struct draft_sink *)s)->draft, p, n, e);
}

static int draft_finish(struct sink *s, struct err *e)
{
	return file_draft_commit(((struct draft_sink *)s)->draft, e);
}

static void draft_free(struct sink *s)
{
	file_draft_free(((struct draft_sink *)s)->draft);
}

static const struct sink_ops draft_ops = { .write = draft_write, .finish = draft_finish, .free = draft_free };

static int target_file_name(const char *path, struct buf *out, struct err *e)
{
	if (tuf_url_encode(path, false, out, e) < 0 || !buf_str(out, e))
		return err_wrap(e, "target %s", path);
	if (!file_name_is_safe((const char *)out->p))
		return err_set(e, ERR_FORMAT, "name", "target %s: no file can have this name", path);
	return 0;
}

/* Reads the file there through the target's checks. */
static bool is_there(int dir, const char *name, const struct tuf_target *t)
{
	CLEANUP(close_p) int fd = sys_openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	CLEANUP(source_free_p) struct source *top = NULL;
	uint8_t piece[65536];
	struct source *next;
	struct stat st;
	struct err e;
	size_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != t->length || !t->n_hashes)
		return false;
	if (source_fd_new(fd, false, 0, t->length, name, &top, &e) < 0)
		return false;
	for (size_t i = 0; i < t->n_hashes; i++) {
		if (source_digest_new(top, &t->hashes[i], name, &next, &e) < 0)
			return false;
		top = next;
	}
	while ((r = source_read(top, piece, sizeof(piece), &n, &e)) == 0)
		;
	return r == SOURCE_END;
}

static int show_progress(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)p;
	(void)e;
	progress_add((struct progress *)ctx, n, progress_now_ms());
	return 0;
}

static int fetch_to(struct tuf_client *c, const struct options *o, const struct tuf_target *t, int dir, const char *name,
		    struct err *e)
{
	CLEANUP(source_free_p) struct source *from = NULL;
	struct source *tapped;
	struct draft_sink to = { .base.ops = &draft_ops };
	struct progress progress;
	int r = -1;

	if (tuf_client_open_target(c, t, &from, e) < 0)
		return -1;
	progress_init(&progress, isatty(STDERR_FILENO) ? stderr : NULL, o->quiet || o->json);
	if (source_tap_new(from, show_progress, &progress, &tapped, e) < 0)
		return -1;
	from = tapped;
	if (file_draft_new(dir, name, 0644, &to.draft, e) < 0)
		return -1;
	progress_start(&progress, t->path, t->length, progress_now_ms());
	r = pump(from, &to.base, &stop_requested, e);
	progress_end(&progress, progress_now_ms());
	sink_free(&to.base);
	return r;
}

/* One target into the folder; what was done is added to @done. */
static int download(struct tuf_client *c, const struct options *o, int dir, const char *path, json_t *done, struct err *e)
{
	struct buf name = BUF_INIT(NAME_MAX_BYTES);
	struct tuf_target t;
	bool there = false;
	int r = -1;

	if (target_file_name(path, &name, e) == 0 && tuf_client_find(c, path, &t, e) == 0) {
		there = is_there(dir, (const char *)name.p, &t);
		r = there ? 0 : fetch_to(c, o, &t, dir, (const char *)name.p, e);
	}
	if (r == 0 && !o->quiet && !o->json)
		printf("%s: %s, %" PRIu64 " bytes\n", path, there ? "unchanged" : "verified", t.length);
	if (r == 0 &&
	    json_array_append_new(done, json_pack("{s:s, s:s, s:s, s:I, s:b}", "path", t.path, "role", t.role, "file",
						  (const char *)name.p, "length", (json_int_t)t.length, "fetched",
						  !there)) < 0)
		r = err_set(e, ERR_SYSTEM, "memory", "out of memory");
	buf_fini(&name);
	return r;
}

static int download_all(struct tuf_client *c, const struct options *o, struct err *e)
{
	CLEANUP(close_p) int dir = -1;
	CLEANUP(json_decref_p) json_t *done = json_array();

	if (!done)
		return err_set(e, ERR_SYSTEM, "memory", "out of memory");
	if (file_open_dir(o->target_dir, &dir, e) < 0)
		return -1;
	for (size_t i = 0; i < o->target_names.n; i++)
		if (download(c, o, dir, o->target_names.v[i], done, e) < 0)
			return -1;
	return answer(o, json_pack("{s:O}", "targets", done), "", e);
}

int run_download(void *ctx, int argc, char **argv, struct err *e)
{
	const struct options *o = (const struct options *)ctx;
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;

	(void)argc;
	(void)argv;
	if (!o->target_names.n || !o->target_dir || !o->target_base_url)
		return err_set(e, ERR_USAGE, "option", "--target-name, --target-dir and --target-base-url are needed");
	if (open_client(o, (struct bytes){ 0 }, &c, e) < 0 || tuf_client_refresh(c, e) < 0)
		return -1;
	return download_all(c, o, e);
}
