/*
 * What has to hold, whatever is served: a failure changes nothing and has a reason; a file that nobody has signed
 * is never accepted; a root's number goes up by one, all other numbers never go down from what was stored, unless
 * keys have been rotated; what was once stored loads again under the same root; snapshot and targets are of the
 * version that the referring file has; nothing expired is trusted.
 */
#include "tuf/fuzz_trusted.h"

#include <stdlib.h>
#include <string.h>

#include "test-fixtures/tufrepo.h"
#include "tuf/search.h"
#include "tuf/trusted.h"

#define LINES_MAX 48
#define FILES_MAX 8

/* A file as it lies in the store. @own: put there by this host, under its present root. */
struct stored {
	struct buf file;
	bool there, own, loaded;
};

struct delegated {
	char *role;
	struct buf file;
	bool can_be_good;
};

struct host {
	fuzz_sign_fn sign;
	bool offline, offline_next;
	struct tuf_trusted *t;
	bool roots_done;
	struct stored root, timestamp, snapshot;
	size_t n_files;
	struct delegated files[FILES_MAX];
};

/* What a failed call may not change. */
struct view {
	const struct tuf_root *root;
	const struct tuf_timestamp *timestamp;
	const struct tuf_snapshot *snapshot;
	const struct tuf_targets *targets;
	uint64_t root_version;
	bool rotated;
};

static void require(bool cond)
{
	if (!cond)
		abort();
}

static struct view view_of(const struct tuf_trusted *t)
{
	const struct tuf_root *root = tuf_trusted_root(t);

	return (struct view){ root, tuf_trusted_timestamp(t), tuf_trusted_snapshot(t), tuf_trusted_targets(t),
			      root->head.version, tuf_trusted_keys_rotated(t) };
}

static void check_failure(const struct host *h, const struct view *was, const struct err *e)
{
	const struct view is = view_of(h->t);

	require(is.root == was->root && is.timestamp == was->timestamp && is.snapshot == was->snapshot &&
		is.targets == was->targets && is.root_version == was->root_version && is.rotated == was->rotated);
	require(e->kind == ERR_FORMAT || e->kind == ERR_TRUST || e->kind == ERR_BUG);
	require(e->msg[0] && (e->reason || e->kind == ERR_BUG));
}

static void check_fresh(const struct host *h, const struct tuf_head *head)
{
	require(head->version >= 1 && head->version <= TUF_VERSION_MAX);
	require(h->offline || head->expires_sec > TUFREPO_NOW_SEC);
}

static void forget(struct stored *s)
{
	buf_fini(&s->file);
	*s = (struct stored){ .there = false };
}

static void keep(struct stored *s, struct buf *file)
{
	forget(s);
	*s = (struct stored){ .file = *file, .there = true, .own = true };
	*file = (struct buf){ 0 };
}

static struct tuf_signed *signed_of(struct bytes file, enum tuf_type type)
{
	struct tuf_signed *s = NULL;
	struct err e;

	require(tuf_signed_load(file, type, "stored", &s, &e) == 0);
	return s;
}

/* Root */

static void begin(struct host *h)
{
	struct err e = { 0 };

	tuf_trusted_free(h->t);
	h->t = NULL;
	h->offline = h->offline_next;
	h->roots_done = false;
	h->timestamp.loaded = h->snapshot.loaded = false;
	require(tuf_trusted_new(buf_bytes(&h->root.file), TUFREPO_NOW_SEC,
				h->offline ? TUF_EXPIRY_IGNORED : TUF_EXPIRY_ENFORCED, &h->t, &e) == 0);
	require(!tuf_trusted_keys_rotated(h->t) && !tuf_trusted_timestamp(h->t) && !tuf_trusted_snapshot(h->t) &&
		!tuf_trusted_targets(h->t));
}

static void first_root(struct host *h, struct buf *file, bool can_be_good)
{
	struct err e = { 0 };

	if (tuf_trusted_new(buf_bytes(file), TUFREPO_NOW_SEC, TUF_EXPIRY_ENFORCED, &h->t, &e) < 0) {
		require(!h->t && (e.kind == ERR_FORMAT || e.kind == ERR_TRUST) && e.msg[0]);
		return;
	}
	require(can_be_good);
	keep(&h->root, file);
	begin(h);
}

static void next_root(struct host *h, struct buf *file, bool can_be_good)
{
	const struct view was = view_of(h->t);
	struct err e = { 0 };

	if (tuf_trusted_update_root(h->t, buf_bytes(file), &e) < 0) {
		check_failure(h, &was, &e);
		return;
	}
	require(can_be_good && !h->roots_done && tuf_trusted_root(h->t)->head.version == was.root_version + 1);
	keep(&h->root, file);
	h->timestamp.own = h->snapshot.own = false;
	if (tuf_trusted_keys_rotated(h->t)) {
		forget(&h->timestamp);
		forget(&h->snapshot);
	}
}

static void roots_done(struct host *h)
{
	const struct view was = view_of(h->t);
	struct err e = { 0 };

	if (tuf_trusted_root_done(h->t, &e) < 0) {
		check_failure(h, &was, &e);
		require(strcmp(e.reason, TUF_E_EXPIRED) == 0);
		return;
	}
	check_fresh(h, &tuf_trusted_root(h->t)->head);
	h->roots_done = true;
	if (!h->timestamp.there || h->timestamp.loaded || was.timestamp)
		return;
	if (tuf_trusted_load_timestamp(h->t, buf_bytes(&h->timestamp.file), &e) < 0) {
		check_failure(h, &was, &e);
		require(!h->timestamp.own);
		forget(&h->timestamp);
		return;
	}
	h->timestamp.loaded = true;
	require((tuf_trusted_timestamp(h->t) != NULL) == h->offline);
}

/* Timestamp and snapshot */

static void check_timestamp_floor(const struct host *h, const struct tuf_timestamp *is)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	CLEANUP(tuf_timestamp_free_p) struct tuf_timestamp *was = NULL;
	struct err e;

	if (!h->timestamp.loaded)
		return;
	s = signed_of(buf_bytes(&h->timestamp.file), TUF_TIMESTAMP);
	require(tuf_timestamp_parse(s, &was, &e) == 0);
	require(is->head.version >= was->head.version && is->snapshot.version >= was->snapshot.version);
}

static void check_snapshot_floor(const struct host *h, const struct tuf_snapshot *is)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	CLEANUP(tuf_snapshot_free_p) struct tuf_snapshot *was = NULL;
	struct err e;

	if (!h->snapshot.loaded)
		return;
	s = signed_of(buf_bytes(&h->snapshot.file), TUF_SNAPSHOT);
	require(tuf_snapshot_parse(s, &was, &e) == 0);
	for (size_t i = 0; i < was->n_meta; i++) {
		const struct tuf_meta *m = tuf_snapshot_find(is, was->meta[i].name);

		require(m && m->version >= was->meta[i].version);
	}
}

static void check_snapshot(const struct host *h)
{
	const struct tuf_snapshot *s = tuf_trusted_snapshot(h->t);

	require(s && s->head.version == tuf_trusted_timestamp(h->t)->snapshot.version);
	check_fresh(h, &s->head);
}

static void load_snapshot(struct host *h)
{
	const struct view was = view_of(h->t);
	struct err e = { 0 };

	if (!h->snapshot.there || h->snapshot.loaded || was.snapshot)
		return;
	const int r = tuf_trusted_load_snapshot(h->t, buf_bytes(&h->snapshot.file), &e);

	if (r != 0)
		check_failure(h, &was, &e);
	if (r < 0) {
		require(!h->snapshot.own);
		forget(&h->snapshot);
		return;
	}
	h->snapshot.loaded = true;
	if (r == 0)
		check_snapshot(h);
}

static void timestamp(struct host *h, struct buf *file, bool can_be_good)
{
	const struct view was = view_of(h->t);
	struct err e = { 0 };
	const int r = tuf_trusted_update_timestamp(h->t, buf_bytes(file), &e);

	if (r < 0) {
		check_failure(h, &was, &e);
		return;
	}
	require(can_be_good && h->roots_done && !was.timestamp && tuf_trusted_timestamp(h->t));
	check_fresh(h, &tuf_trusted_timestamp(h->t)->head);
	check_timestamp_floor(h, tuf_trusted_timestamp(h->t));
	if (r == 0)
		keep(&h->timestamp, file);
	load_snapshot(h);
}

static void snapshot(struct host *h, struct buf *file, bool can_be_good)
{
	const struct view was = view_of(h->t);
	struct err e = { 0 };

	if (tuf_trusted_update_snapshot(h->t, buf_bytes(file), &e) < 0) {
		check_failure(h, &was, &e);
		return;
	}
	require(can_be_good && was.timestamp && !was.snapshot);
	check_snapshot(h);
	check_snapshot_floor(h, tuf_trusted_snapshot(h->t));
	keep(&h->snapshot, file);
}

/* Targets */

static void check_targets(const struct host *h, const char *role, const struct tuf_targets *t)
{
	CLEANUP(buf_fini) struct buf name = BUF_INIT(SIZE_MAX);
	struct err e;

	require(buf_printf(&name, &e, "%s.json", role) == 0);
	const struct tuf_meta *m = tuf_snapshot_find(tuf_trusted_snapshot(h->t), buf_str(&name, &e));

	require(m && m->version == t->head.version);
	check_fresh(h, &t->head);
}

static void targets(struct host *h, struct buf *file, bool can_be_good)
{
	const struct view was = view_of(h->t);
	struct err e = { 0 };

	if (tuf_trusted_update_targets(h->t, buf_bytes(file), &e) < 0) {
		check_failure(h, &was, &e);
		return;
	}
	require(can_be_good && was.snapshot && !was.targets);
	check_targets(h, "targets", tuf_trusted_targets(h->t));
}

static void delegated(struct host *h, struct bytes line)
{
	const uint8_t *blank = line.n ? memchr(line.p, ' ', line.n) : NULL;

	if (!blank || h->n_files == FILES_MAX)
		return;
	struct delegated *d = &h->files[h->n_files++];
	const size_t name_n = (size_t)(blank - line.p);

	d->role = strndup((const char *)line.p, name_n);
	require(d->role != NULL);
	d->file = BUF_INIT(SIZE_MAX);
	d->can_be_good = h->sign(bytes_of(blank + 1, line.n - name_n - 1), &d->file);
}

/* The newest file of the role, from the point of view of @at.from. Return: 0; -1 */
static int serve(struct host *h, const struct tuf_search_at *at)
{
	const struct view was = view_of(h->t);
	const struct tuf_targets *got = NULL;
	size_t i = h->n_files;
	struct err e = { 0 };

	require(!tuf_trusted_delegated(h->t, at->from, at->role) && at->next.max_bytes <= TUF_TARGETS_MAX_BYTES);
	while (i > 0 && strcmp(h->files[i - 1].role, at->role) != 0)
		i--;
	if (i == 0)
		return -1;
	if (tuf_trusted_update_delegated(h->t, at->from, at->role, buf_bytes(&h->files[i - 1].file), &got, &e) < 0) {
		check_failure(h, &was, &e);
		require(!got && !tuf_trusted_delegated(h->t, at->from, at->role));
		return -1;
	}
	require(h->files[i - 1].can_be_good && got && tuf_trusted_delegated(h->t, at->from, at->role) == got);
	check_targets(h, at->role, got);
	return 0;
}

static void find(struct host *h, struct bytes line)
{
	CLEANUP(tuf_search_free_p) struct tuf_search *s = NULL;
	CLEANUP(free_p) char *path = strndup((const char *)line.p, line.n);
	struct tuf_search_at at;
	struct err e = { 0 };
	size_t n_loads = 0;
	int r;

	require(path != NULL);
	if (tuf_search_new(h->t, path, &s, &e) < 0) {
		require(e.kind == ERR_BUG && !tuf_trusted_targets(h->t));
		return;
	}
	while ((r = tuf_search_step(s, &at, &e)) == TUF_SEARCH_LOAD) {
		require(++n_loads <= TUF_DELEGATIONS_MAX);
		if (serve(h, &at) < 0)
			return;
	}
	if (r == TUF_SEARCH_FOUND)
		require(strcmp(at.entry->path, path) == 0);
	else
		require(r == -1 && (e.kind == ERR_MISSING || e.kind == ERR_TRUST) && e.reason && e.msg[0]);
}

/* What to ask for is what the trusted files say. */
static void check_next(const struct host *h)
{
	const struct view is = view_of(h->t);
	struct tuf_next next = { 0 };
	struct err e = { 0 };

	if (tuf_trusted_next(h->t, "root", &next, &e) == 0)
		require(next.version == is.root_version + 1 && next.max_bytes == TUF_ROOT_MAX_BYTES);
	else
		require(is.root_version == TUF_VERSION_MAX);
	require((tuf_trusted_next(h->t, "snapshot", &next, &e) == 0) == (is.timestamp != NULL));
	if (is.timestamp)
		require(next.version == (is.root->consistent_snapshot ? is.timestamp->snapshot.version : 0) &&
			next.max_bytes <= TUF_SNAPSHOT_MAX_BYTES);
	if (tuf_trusted_next(h->t, "targets", &next, &e) == 0)
		require(is.snapshot && tuf_snapshot_find(is.snapshot, "targets.json") &&
			next.max_bytes <= TUF_TARGETS_MAX_BYTES);
}

static void put_into_store(struct stored *s, struct buf *file)
{
	keep(s, file);
	s->own = false;
}

static void serve_file(struct host *h, char what, struct bytes text)
{
	CLEANUP(buf_fini) struct buf file = BUF_INIT(SIZE_MAX);
	const bool can_be_good = h->sign(text, &file);

	if (what == 'R')
		(h->t ? next_root : first_root)(h, &file, can_be_good);
	else if (what == 'T')
		timestamp(h, &file, can_be_good);
	else if (what == 'S')
		snapshot(h, &file, can_be_good);
	else if (what == 'G')
		targets(h, &file, can_be_good);
	else
		put_into_store(what == 't' ? &h->timestamp : &h->snapshot, &file);
}

static void step(struct host *h, char what, struct bytes text)
{
	if (what == 'O')
		h->offline_next = true;
	else if (what == 'D')
		delegated(h, text);
	else if (what == 'R' || (h->t && what && strchr("TSG", what)))
		serve_file(h, what, text);
	/* The store changes between two updates, and under the loaded file of the same one it would be a bad
	 * comparison. */
	else if (h->t && !h->roots_done && (what == 't' || what == 's'))
		serve_file(h, what, text);
	else if (h->t && what == 'F')
		find(h, text);
	else if (h->t && what == '.')
		roots_done(h);
	else if (h->t && what == '=')
		begin(h);
	if (h->t)
		check_next(h);
}

void fuzz_trusted_run(const uint8_t *p, size_t n, fuzz_sign_fn sign)
{
	struct host h = { .sign = sign };

	for (size_t i = 0; i < LINES_MAX && n > 0; i++) {
		const uint8_t *end = memchr(p, '\n', n);
		const size_t line_n = end ? (size_t)(end - p) : n, used = end ? line_n + 1 : n;

		if (line_n > 0)
			step(&h, (char)p[0], bytes_of(p + (line_n > 1 ? 2 : 1), line_n > 1 ? line_n - 2 : 0));
		p += used;
		n -= used;
	}
	tuf_trusted_free(h.t);
	forget(&h.root);
	forget(&h.timestamp);
	forget(&h.snapshot);
	for (size_t i = 0; i < h.n_files; i++) {
		free(h.files[i].role);
		buf_fini(&h.files[i].file);
	}
}
