/*
 * replay_cuts DISK LOG VERSION-FOLDER...: every state in which a power cut could have left the disk, judged.
 *
 * What is assumed of a disk: a flush that has ended made all writes durable that had ended when it began; a flush
 * through one open file does so for what other files wrote only if that went past the page cache. Of all other
 * writes any 512-byte sectors may be down, in any order. Names of files become durable in their order, with the
 * flush of their folder at the latest.
 *
 * States are looked at before each flush takes effect, at each mark, and at the end: what a cut between two
 * writes leaves is among them, as the writes after it may be missing. Of pending writes all subsets are taken (up
 * to EXHAUSTIVE_MAX, else prefixes, single ones, all but one, and random ones), then subsets of their sectors in
 * the same way.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"
#include "test-fixtures/powercut/cutevents.h"
#include "test-fixtures/powercut/cutjudge.h"
#include "updater/staged.h"

#define FILE_MAX_BYTES ((size_t)8 << 30)
#define EXHAUSTIVE_MAX 10
#define PENDING_MAX 4096
#define SECTORS_MAX 1024 /* of the table that differ, in one point */
#define NAMES_MAX 64
#define KEYS (1u << 23)

struct options {
	const char *fault, *keep, *final;
	uint64_t seed, samples, keep_every;
};

struct flush {
	uint32_t id, file;
	size_t began;
};

struct replay {
	struct options o;
	struct cut_disk disk;
	struct judge judge;
	struct cut_events events;
	size_t at; /* event */
	struct cut_write pending[PENDING_MAX];
	size_t n_pending;
	struct flush flushes[64];
	size_t n_flushes;
	struct bytes staged;		/* the record as it is durable */
	struct bytes names[NAMES_MAX]; /* what it becomes, not durable yet; p NULL: gone */
	size_t n_names;
	bool news;	      /* there are states that the last point had not */
	uint64_t random;
	uint64_t *keys;	      /* of states seen; 0: free */
	uint64_t n_states, n_distinct, n_points, n_kept;
	uint64_t keep_in;     /* the state of this point with this number is kept */
	char fault[400];
};

static uint64_t next_random(struct replay *r)
{
	uint64_t v = r->random += UINT64_C(0x9e3779b97f4a7c15);

	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

static void count_distinct(struct replay *r)
{
	const uint64_t key = cut_disk_key(&r->disk) | 1;
	size_t i = (size_t)(key >> 20) % KEYS;

	while (r->keys[i] && r->keys[i] != key)
		i = (i + 1) % KEYS;
	if (r->keys[i] || r->n_distinct > KEYS / 4 * 3)
		return;
	r->keys[i] = key;
	r->n_distinct++;
}

/* A state for the driver: the disk, the record beside it, and a line that tells of it. */
static void keep(struct replay *r, struct bytes staged)
{
	char path[512], staged_path[sizeof(path) + 16];
	struct err e;

	(void)snprintf(path, sizeof(path), "%s/%04" PRIu64 ".img", r->o.keep, r->n_kept++);
	(void)snprintf(staged_path, sizeof(staged_path), "%s.staged", path);
	if (cut_disk_save(&r->disk, path, &e) < 0 ||
	    (staged.p && file_replace(AT_FDCWD, staged_path, staged, 0644, &e) < 0)) {
		fprintf(stderr, "replay_cuts: %s\n", e.msg);
		exit(2);
	}
	printf("state %s %s %c\n", path, r->judge.step, 'A' + (int)r->judge.next);
}

/* Names become durable in order, so the record is one of its versions so far. */
static void check(struct replay *r)
{
	r->n_states++;
	count_distinct(r);
	for (size_t k = 0; k <= r->n_names && !r->fault[0]; k++) {
		const char *why = judge_state(&r->judge, k ? r->names[k - 1] : r->staged);

		if (why)
			(void)snprintf(r->fault, sizeof(r->fault), "%s, event %zu of %zu: %s (%zu sectors of %zu pending writes are down)",
				       r->judge.step, r->at, r->events.n, why, r->disk.n_changed, r->n_pending);
	}
	if (r->keep_in > 0 && --r->keep_in == 0 && !r->fault[0])
		keep(r, r->n_names ? r->names[r->n_names - 1] : r->staged);
}

static void check_mask(struct replay *r, const bool *down)
{
	cut_reset(&r->disk);
	for (size_t i = 0; i < r->n_pending; i++)
		if (down[i])
			cut_put_all(&r->disk, &r->pending[i]);
	check(r);
}

/* What the @k-th choice of those among @n says of element @i: prefixes, single ones, all but one, then chance. */
static bool chosen(struct replay *r, size_t k, size_t n, size_t i)
{
	return k < n ? i < k : k < 2 * n ? i == k - n : k < 3 * n ? i != k - 2 * n : next_random(r) & 1;
}

static size_t n_choices(const struct replay *r, size_t n)
{
	return n <= EXHAUSTIVE_MAX ? (size_t)1 << n : 3 * n + r->o.samples;
}

static void check_writes(struct replay *r)
{
	static bool down[PENDING_MAX];
	const size_t n = r->n_pending;

	for (size_t k = 0; k < n_choices(r, n) && !r->fault[0]; k++) {
		for (size_t i = 0; i < n; i++)
			down[i] = n <= EXHAUSTIVE_MAX ? k >> i & 1 : chosen(r, k, n, i);
		check_mask(r, down);
	}
}

struct sector {
	const struct cut_write *w;
	uint32_t i;
};

/* The sectors of the table that pending writes would change. */
static size_t table_sectors(const struct replay *r, struct sector out[SECTORS_MAX])
{
	size_t n = 0;

	for (size_t k = 0; k < r->n_pending; k++) {
		const struct cut_write *w = &r->pending[k];

		for (uint32_t i = 0; w->table && i < w->n && n < SECTORS_MAX; i++)
			if (w->hash[i] != r->disk.durable_hash[w->first + i])
				out[n++] = (struct sector){ w, i };
	}
	return n;
}

/* One write of data, torn: nothing, all, its beginning, its end, a stretch, or sectors here and there. */
static void put_torn(struct replay *r, const struct cut_write *w)
{
	const uint64_t how = next_random(r) % 6;
	uint32_t from = (uint32_t)(next_random(r) % (w->n + 1)), to = (uint32_t)(next_random(r) % (w->n + 1));

	if (how == 5) {
		const uint64_t density = next_random(r);

		for (uint32_t i = 0; i < w->n; i++)
			if (next_random(r) > density)
				cut_put(&r->disk, w, i);
		return;
	}
	if (how == 0 || how == 2 || from > to)
		from = 0;
	if (how == 0)
		to = 0;
	if (how == 1 || how == 3)
		to = w->n;
	if (how == 1)
		from = 0;
	for (uint32_t i = from; i < to; i++)
		cut_put(&r->disk, w, i);
}

static bool data_pends(const struct replay *r)
{
	for (size_t i = 0; i < r->n_pending; i++)
		if (!r->pending[i].table)
			return true;
	return false;
}

/* Subsets of the table's sectors, all if they are few, each time with some state of the data. */
static void check_sectors(struct replay *r)
{
	static struct sector sectors[SECTORS_MAX];
	const size_t n = table_sectors(r, sectors);
	const bool data = data_pends(r);
	const size_t n_all = n_choices(r, n), n_times = data && n_all < r->o.samples ? r->o.samples : n_all;

	for (size_t k = 0; k < n_times && !r->fault[0]; k++) {
		cut_reset(&r->disk);
		for (size_t i = 0; data && i < r->n_pending; i++)
			if (!r->pending[i].table)
				put_torn(r, &r->pending[i]);
		for (size_t i = 0; i < n; i++)
			if (n <= EXHAUSTIVE_MAX ? k >> i & 1 : chosen(r, k, n, i))
				cut_put(&r->disk, sectors[i].w, sectors[i].i);
		check(r);
	}
}

/* All states of a cut at this moment. */
static void point(struct replay *r)
{
	if (!r->news || !r->judge.n_legal || r->fault[0])
		return;
	r->news = false;
	r->n_points++;
	r->keep_in = r->o.keep && r->n_points % r->o.keep_every == 0 ?
			     1 + next_random(r) % (n_choices(r, r->n_pending) + (data_pends(r) ? r->o.samples : 0)) : 0;
	check_writes(r);
	check_sectors(r);
	cut_reset(&r->disk);
}

static void forget(struct replay *r, size_t i)
{
	cut_write_fini(&r->pending[i]);
	memmove(&r->pending[i], &r->pending[i + 1], (--r->n_pending - i) * sizeof(r->pending[0]));
}

static int begin_write(struct replay *r, const struct cut_event *ev, struct err *e)
{
	struct cut_write w;

	if (r->n_pending == PENDING_MAX)
		return err_set(e, ERR_FORMAT, "limit", "more than %d writes without a flush", PENDING_MAX);
	if (!cut_write_init(&w, &r->disk, ev->data.p, ev->r.offset, ev->r.n))
		return err_set(e, ERR_FORMAT, "range", "event %zu writes beyond the end of the disk", r->at);
	w.file = ev->r.file;
	w.id = ev->r.id;
	w.direct = ev->r.flags & CUT_DIRECT;
	r->pending[r->n_pending++] = w;
	r->news = true;
	return 0;
}

static void end_write(struct replay *r, const struct cut_event *ev)
{
	for (size_t i = r->n_pending; i-- > 0;) {
		struct cut_write *w = &r->pending[i];

		if (w->ended || w->id != ev->r.id)
			continue;
		w->ended = r->at;
		if (!ev->r.n)
			forget(r, i);
		else
			w->n = (uint32_t)min_u64(w->n, (ev->r.n + CUT_SECTOR - 1) / CUT_SECTOR);
		return;
	}
}

static void end_flush(struct replay *r, const struct cut_event *ev)
{
	size_t f = 0;

	while (f < r->n_flushes && r->flushes[f].id != ev->r.id)
		f++;
	if (f == r->n_flushes)
		return;
	const struct flush flush = r->flushes[f];

	r->flushes[f] = r->flushes[--r->n_flushes];
	if (!ev->r.n)
		return;
	point(r);
	for (size_t i = 0; i < r->n_pending;) {
		const struct cut_write *w = &r->pending[i];

		if (w->ended && w->ended < flush.began && (w->direct || w->file == flush.file)) {
			cut_settle(&r->disk, w);
			forget(r, i);
		} else {
			i++;
		}
	}
}

/* Only the staged record's name matters to a boot; of all names the content must be durable first. */
static int change_name(struct replay *r, const struct cut_event *ev, struct err *e)
{
	const char *name = (const char *)ev->data.p;
	const size_t name_n = strnlen(name, ev->data.n) + 1;
	const bool gone = ev->r.kind == CUT_UNLINK;

	if (ev->r.flags & CUT_UNSYNCED)
		(void)snprintf(r->fault, sizeof(r->fault), "%s, event %zu: %s gets its name before its content is durable", r->judge.step,
			       r->at, name);
	if (strcmp(name, STAGED_FILE) != 0)
		return 0;
	if (r->n_names == NAMES_MAX)
		return err_set(e, ERR_FORMAT, "limit", "more than %d names without a flush", NAMES_MAX);
	r->names[r->n_names++] = gone ? (struct bytes){ 0 } : bytes_of(ev->data.p + name_n, ev->data.n - name_n);
	r->news = true;
	return 0;
}

static void settle_names(struct replay *r)
{
	if (!r->n_names)
		return;
	point(r);
	r->staged = r->names[r->n_names - 1];
	r->n_names = 0;
}

static int step(struct replay *r, const struct cut_event *ev, struct err *e)
{
	switch (ev->r.kind) {
	case CUT_WRITE:
		return begin_write(r, ev, e);
	case CUT_WRITE_END:
		end_write(r, ev);
		return 0;
	case CUT_FLUSH:
		if (r->n_flushes == ARRAY_LEN(r->flushes))
			return err_set(e, ERR_FORMAT, "limit", "too many flushes at once");
		r->flushes[r->n_flushes++] = (struct flush){ ev->r.id, ev->r.file, r->at };
		return 0;
	case CUT_FLUSH_END:
		end_flush(r, ev);
		return 0;
	case CUT_RENAME:
	case CUT_UNLINK:
		return change_name(r, ev, e);
	case CUT_FOLDER_FLUSHED:
		settle_names(r);
		return 0;
	case CUT_MARK:
		point(r);
		if (judge_mark(&r->judge, ev->data, e) < 0)
			return -1;
		r->news = true;
		point(r); /* what is pending from before is judged by the new mark too: a program that ended has kept its word */
		return 0;
	default:
		return 0;
	}
}

static bool is_table(void *ctx, uint64_t offset)
{
	const struct replay *r = ctx;

	return offset / CUT_SECTOR < r->disk.n_sectors && r->disk.region[offset / CUT_SECTOR] == CUT_TABLE;
}

/* With all writes down the disk must be the one that the programs left, or the log has missed something. */
static int check_final(struct replay *r, struct err *e)
{
	CLEANUP(buf_fini) struct buf final = BUF_INIT(FILE_MAX_BYTES);

	if (!r->o.final)
		return 0;
	if (file_read(AT_FDCWD, r->o.final, &final, e) < 0)
		return -1;
	cut_reset(&r->disk);
	for (size_t i = 0; i < r->n_pending; i++)
		cut_put_all(&r->disk, &r->pending[i]);
	for (uint64_t lba = 0; lba < r->disk.n_sectors; lba++)
		if ((lba + 1) * CUT_SECTOR > final.n || memcmp(final.p + lba * CUT_SECTOR, r->disk.now[lba], CUT_SECTOR) != 0)
			return err_set(e, ERR_FORMAT, "final", "sector %" PRIu64 " of %s is not what was recorded", lba, r->o.final);
	return 0;
}

static int replay(struct replay *r, struct err *e)
{
	for (r->at = 1; r->at <= r->events.n && !r->fault[0]; r->at++)
		if (step(r, &r->events.v[r->at - 1], e) < 0)
			return -1;
	r->news = true;
	point(r);
	printf("%" PRIu64 " states judged, %" PRIu64 " distinct disks, %" PRIu64 " moments, %zu events\n", r->n_states,
	       r->n_distinct, r->n_points, r->events.n);
	if (r->fault[0])
		return err_set(e, ERR_TRUST, "bad-state", "%s", r->fault);
	return check_final(r, e);
}

static int run(void *ctx, int argc, char **argv, struct err *e)
{
	struct replay *r = ctx;
	struct buf image = BUF_INIT(FILE_MAX_BYTES), log = BUF_INIT(FILE_MAX_BYTES); /* until the end: all points into them */

	r->random = r->o.seed;
	r->judge.disk = &r->disk;
	r->keys = calloc(KEYS, sizeof(*r->keys));
	if (!r->keys)
		return err_sys(e, "the states seen");
	if (file_read(AT_FDCWD, argv[0], &image, e) < 0 || file_read(AT_FDCWD, argv[1], &log, e) < 0 ||
	    cut_disk_init(&r->disk, image.p, image.n, e) < 0 || cut_events_parse(buf_bytes(&log), &r->events, e) < 0)
		return -1;
	for (int i = 2; i < argc; i++)
		if (judge_add_version(&r->judge, argv[i], e) < 0)
			return -1;
	if (r->o.fault && cut_events_mutate(&r->events, r->o.fault, is_table, r, e) < 0)
		return -1;
	return replay(r, e);
}

int main(int argc, char **argv)
{
	static struct replay r = { .o = { .seed = 1, .samples = 1000, .keep_every = 1 } };
	const struct cli_option options[] = {
		{ "fault", 0, CLI_STRING, &r.o.fault, "NAME:N", "replay a wrong log, see cutevents.h", NULL },
		{ "final", 0, CLI_STRING, &r.o.final, "DISK", "what all writes together must give", NULL },
		{ "keep", 0, CLI_STRING, &r.o.keep, "FOLDER", "write a state of some moments there", NULL },
		{ "keep-every", 0, CLI_NUMBER, &r.o.keep_every, "N", "of each N-th moment; default 1", NULL },
		{ "samples", 0, CLI_NUMBER, &r.o.samples, "N", "random states of a moment; default 1000", NULL },
		{ "seed", 0, CLI_NUMBER, &r.o.seed, "N", "of what is random; default 1", NULL },
	};
	const struct cli_verb verbs[] = {
		{ "", "DISK LOG VERSION...", 2, 2 + JUDGE_VERSIONS_MAX, "Judge every state that a power cut could have left.", run },
	};
	const struct cli_program program = {
		.name = "replay_cuts",
		.summary = "Power cuts, replayed from a recording.",
		.verbs = verbs,
		.n_verbs = ARRAY_LEN(verbs),
		.options = options,
		.n_options = ARRAY_LEN(options),
	};

	return cli_main(&program, &r, argc, argv);
}
