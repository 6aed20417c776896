#include "tuf/test_world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

#define FILE_MAX_BYTES (16u << 20)

void world_make(struct world *w, bool http)
{
	char repo[SCRATCH_PATH_BYTES + 16];

	memset(w, 0, sizeof(*w));
	/* Most of the time would go into fsync on a disk, and no power cut is tested by waiting for it. */
	if (access("/dev/shm", W_OK | X_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	scratch_make(&w->dir);
	w->repo = tufrepo_new();
	tufrepo_add_target(w->repo, "targets", "a.txt", bytes_of_str(TARGET_TEXT));
	snprintf(repo, sizeof(repo), "%s/repo", w->dir.path);
	if (http)
		w->h = httpd_new(repo);
	snprintf(w->metadata_url, sizeof(w->metadata_url), "%s%s/metadata", http ? httpd_url(w->h) : "file://", http ? "" : repo);
	snprintf(w->targets_url, sizeof(w->targets_url), "%s%s/targets", http ? httpd_url(w->h) : "file://", http ? "" : repo);
	snprintf(w->store, sizeof(w->store), "%s/store", w->dir.path);
	w->now_sec = TUFREPO_NOW_SEC;
	w->fetch = (struct tuf_fetch_options){
		.allow_http = true, .no_proxy = "127.0.0.1", .idle_timeout_ms = 300, .connect_timeout_ms = 2000, .backoff_ms = 4
	};
}

void world_remove(struct world *w)
{
	httpd_free(w->h);
	tufrepo_free(w->repo);
	buf_fini(&w->shipped);
	scratch_remove(&w->dir);
}

struct buf world_copy(const struct world *w, const char *kept)
{
	const struct bytes b = tufrepo_kept(w->repo, kept);
	struct buf out = BUF_INIT(FILE_MAX_BYTES);
	struct err e;

	assert_non_null(b.p);
	assert_int_equal(buf_append(&out, b.p, b.n, &e), 0);
	return out;
}

void world_write(struct world *w)
{
	char repo[SCRATCH_PATH_BYTES + 16];

	snprintf(repo, sizeof(repo), "%s/repo", w->dir.path);
	tufrepo_write(w->repo, repo);
}

void world_publish(struct world *w)
{
	tufrepo_publish(w->repo);
	world_write(w);
	if (!w->shipped.p)
		w->shipped = world_copy(w, "1.root.json");
}

int world_open(struct world *w, struct tuf_client **out, struct err *e)
{
	const struct tuf_client_config c = {
		.metadata_url = w->metadata_url,
		.targets_url = w->targets_url,
		.store_dir = w->store,
		.trusted_root = buf_bytes(&w->shipped),
		.now_sec = w->now_sec,
		.fetch = &w->fetch,
	};

	memset(e, 0, sizeof(*e));
	return tuf_client_open(&c, out, e);
}

int world_refresh(struct world *w, struct err *e)
{
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;

	return world_open(w, &c, e) < 0 ? -1 : tuf_client_refresh(c, e);
}

int world_read_target(struct world *w, const char *path, struct buf *out, struct err *e)
{
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;

	if (world_open(w, &c, e) < 0 || tuf_client_refresh(c, e) < 0)
		return -1;
	return tuf_client_read_target(c, path, out, e);
}

static bool read_stored(const struct world *w, const char *file, struct buf *out)
{
	char path[2 * SCRATCH_PATH_BYTES];
	struct err e;

	*out = BUF_INIT(FILE_MAX_BYTES);
	snprintf(path, sizeof(path), "%s/%s", w->store, file);
	return file_read(AT_FDCWD, path, out, &e) == 0;
}

int64_t world_stored(const struct world *w, const char *file)
{
	struct buf b;
	int64_t version = 0;

	if (read_stored(w, file, &b)) {
		json_t *j = json_loadb((const char *)b.p, b.n, 0, NULL);

		version = json_integer_value(json_object_get(json_object_get(j, "signed"), "version"));
		json_decref(j);
	}
	buf_fini(&b);
	return version;
}

bool world_stored_is(const struct world *w, const char *file, const char *kept)
{
	struct buf b;
	const bool same = read_stored(w, file, &b) && bytes_equal(buf_bytes(&b), tufrepo_kept(w->repo, kept));

	buf_fini(&b);
	return same;
}

const char *world_requests(struct world *w)
{
	static char text[16384];
	char *all = httpd_requests(w->h), *rest = all, *line;
	size_t n = 0;

	text[0] = 0;
	while ((line = strsep(&rest, "\n")) != NULL && *line) {
		assert_memory_equal(line, "GET /", 5);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "", line + 5);
		assert_true(n < sizeof(text));
	}
	free(all);
	httpd_forget(w->h);
	return text;
}
