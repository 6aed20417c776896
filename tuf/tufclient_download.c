/*
 * Targets lie flat in the target folder, under their percent-encoded paths, and appear there only whole and
 * verified. One that is there already, with the length and digests that are due, is not fetched again.
 */
#include "tuf/tufclient.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "tuf/target_file.h"
#include "tuf/url.h"

#define NAME_MAX_BYTES (3 * TUF_NAME_MAX_BYTES + 1)

static int target_file_name(const char *path, struct buf *out, struct err *e)
{
	if (tuf_url_encode(path, false, out, e) < 0 || !buf_str(out, e))
		return err_wrap(e, "target %s", path);
	if (!file_name_is_safe((const char *)out->p))
		return err_set(e, ERR_FORMAT, "name", "target %s: no file can have this name", path);
	return 0;
}

static int show_progress(void *ctx, const void *p, size_t n, struct err *e)
{
	progress_add((struct progress *)ctx, n, progress_now_ms());
	return 0;
}

static int fetch_to(struct tuf_client *c, const struct options *o, const struct tuf_target *t, int dir, const char *name,
		    struct err *e)
{
	struct progress progress;
	int r;

	progress_init(&progress, isatty(STDERR_FILENO) ? stderr : NULL, o->quiet || o->json);
	progress_start(&progress, t->path, t->length, progress_now_ms());
	r = tuf_target_to_file(c, t, dir, name, 0644, show_progress, &progress, &stop_requested, e);
	progress_end(&progress, progress_now_ms());
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
		there = tuf_target_is_file(&t, dir, (const char *)name.p);
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
	if (!o->target_names.n || !o->target_dir || !o->target_base_urls.n)
		return err_set(e, ERR_USAGE, "option", "--target-name, --target-dir and --target-base-url are needed");
	if (open_client(o, (struct bytes){ 0 }, &c, e) < 0 || tuf_client_refresh(c, e) < 0)
		return -1;
	return download_all(c, o, e);
}
