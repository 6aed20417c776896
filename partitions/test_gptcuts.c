/*
 * Power cuts during gpt_commit(). The commit runs once against a recording disk; then every state that a cut
 * could have left is rebuilt and loaded by the same core. A flush that returned makes all writes before it
 * durable. Of the writes after it, any 512-byte pieces may be down and any not, in any order: all subsets are
 * tried (a sample where there are too many). In a second pass one piece is torn inside, at many places.
 *
 * Each state must load, as the old attributes or the new; what a load gives must survive the repair, and the
 * repair's own cuts. The same checker must catch a commit without the flush between the copies, and one in the
 * wrong order.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "partitions/gptcore.h"
#include "partitions/test_memdisk.h"

#define PIECE 512
#define EXHAUSTIVE_MAX 10
#define SAMPLES 1500
#define PIECES_MAX 256
#define N_CHANGED 3

static const uint32_t changed[N_CHANGED] = { 1, 6, 14 }; /* in three sectors of 512 bytes */
static const uint64_t old_attributes[N_CHANGED] = { UINT64_C(0x0101000000000000), UINT64_C(0x0010000000000000), 0 };
static const uint64_t new_attributes[N_CHANGED] = { UINT64_C(0x0102000000000000), 0, UINT64_C(0x0200000000000000) };

enum damage {
	NONE,
	BACKUP_HEADER,
	BACKUP_ENTRIES,
	BACKUP_STALE, /* valid, and says something else */
	BACKUP_BLANK,
	PRIMARY_HEADER,
	PRIMARY_ENTRIES,
	PRIMARY_BLANK,
	GROWN,
};

static const struct {
	const char *name;
	struct mem_shape shape;
	enum damage damage;
} scenes[] = {
	{ "both good", { 512, 16, 128, 32 }, NONE },
	{ "both good, standard size", { 512, 128, 128, 80 }, NONE },
	{ "both good, 4096-byte sectors", { 4096, 16, 128, 12 }, NONE },
	{ "both good, 4096, standard size", { 4096, 128, 128, 16 }, NONE },
	{ "backup header broken", { 512, 16, 128, 32 }, BACKUP_HEADER },
	{ "backup entries broken", { 512, 16, 128, 32 }, BACKUP_ENTRIES },
	{ "backup stale", { 512, 16, 128, 32 }, BACKUP_STALE },
	{ "backup stale, 4096", { 4096, 16, 128, 12 }, BACKUP_STALE },
	{ "backup blank", { 512, 128, 128, 80 }, BACKUP_BLANK },
	{ "primary header broken", { 512, 16, 128, 32 }, PRIMARY_HEADER },
	{ "primary header broken, 4096", { 4096, 16, 128, 12 }, PRIMARY_HEADER },
	{ "primary entries broken", { 512, 16, 128, 32 }, PRIMARY_ENTRIES },
	{ "primary blank", { 512, 128, 128, 80 }, PRIMARY_BLANK },
	{ "grown", { 512, 16, 128, 32 }, GROWN },
};

static void fill(struct memdisk *m, bool backup, const uint64_t attributes[N_CHANGED])
{
	const uint64_t first = mem_get(m, mem_header_at(m, false) + 40, 8);

	for (uint32_t i = 0; i < N_CHANGED; i++)
		mem_entry(m, backup, changed[i], 0xb0, first + i, first + i, attributes[i]);
}

static void blank(struct memdisk *m, bool backup)
{
	const uint64_t header = mem_header_at(m, backup), entries = mem_entries_at(m, backup);
	const uint64_t bytes = mem_get(m, header + 80, 4) * mem_get(m, header + 84, 4);

	memset(m->bytes + entries, 0, bytes);
	memset(m->bytes + header, 0, 92);
}

static void make(struct memdisk *m, const struct mem_shape *shape, enum damage damage)
{
	static const uint64_t stale[N_CHANGED] = { 1, 2, 3 };

	mem_make(m, shape);
	fill(m, false, old_attributes);
	fill(m, true, damage == BACKUP_STALE ? stale : old_attributes);
	mem_seal(m);
	if (damage == BACKUP_HEADER || damage == PRIMARY_HEADER)
		m->bytes[mem_header_at(m, damage == BACKUP_HEADER) + 60] ^= 1;
	if (damage == BACKUP_ENTRIES || damage == PRIMARY_ENTRIES)
		m->bytes[mem_entries_at(m, damage == BACKUP_ENTRIES) + 130] ^= 1;
	if (damage == BACKUP_BLANK || damage == PRIMARY_BLANK)
		blank(m, damage == BACKUP_BLANK);
	if (damage == GROWN) {
		m->bytes = (uint8_t *)realloc(m->bytes, mem_size(m) + 8 * PIECE);
		memset(m->bytes + mem_size(m), 0, 8 * PIECE);
		m->io.n_sectors += 8;
	}
}

/* What a run of the checker works with, and what it found. */
struct checker {
	const char *name;
	struct memdisk disk; /* the state under test */
	struct gpt gpt;
	bool tears, repair;
	unsigned n_states, n_old, n_new;
	char fault[200]; /* the first state that is neither old nor new */
};

static bool says(const struct gpt *g, const uint64_t attributes[N_CHANGED])
{
	for (uint32_t i = 0; i < N_CHANGED; i++) {
		struct gpt_entry entry;

		if (gpt_entry(g, changed[i], &entry) != GPT_OK || entry.attributes != attributes[i])
			return false;
	}
	return true;
}

static bool same_as(const struct gpt *g, bool is_new)
{
	return says(g, is_new ? new_attributes : old_attributes);
}

static void fault(struct checker *c, const char *what, const char *where)
{
	if (!c->fault[0])
		(void)snprintf(c->fault, sizeof(c->fault), "%s: %s (%s)", c->name, what, where);
}

/* Repair of a state that loaded: afterwards, and after each write of the repair in order, the same state. */
static void check_repair(struct checker *c, bool is_new, const char *where)
{
	struct memdisk before;

	mem_clone(&before, &c->disk);
	if (gpt_commit(&c->gpt) != GPT_OK || gpt_load(&c->gpt, &c->disk.io) != GPT_OK || !same_as(&c->gpt, is_new) ||
	    !c->gpt.copies_equal)
		fault(c, "the repair failed", where);
	for (size_t i = 0; i < c->disk.n_log; i++) {
		const struct mem_event *event = &c->disk.log[i];

		if (event->data)
			memcpy(before.bytes + event->lba * before.io.sector_bytes, event->data,
			       (size_t)event->n * before.io.sector_bytes);
		if (gpt_load(&c->gpt, &before.io) != GPT_OK || !same_as(&c->gpt, is_new))
			fault(c, "a cut of the repair changed the state", where);
	}
	memcpy(c->disk.bytes, before.bytes, mem_size(&before));
	mem_forget(&c->disk);
	mem_fini(&before);
}

/* @disk holds one possible state. True: it is the new one. */
static bool check_state(struct checker *c, const char *where)
{
	bool is_new;

	c->n_states++;
	if (gpt_load(&c->gpt, &c->disk.io) != GPT_OK) {
		fault(c, "no table", where);
		return false;
	}
	is_new = same_as(&c->gpt, true);
	if (!is_new && !same_as(&c->gpt, false))
		fault(c, "neither old nor new", where);
	c->n_new += is_new;
	c->n_old += !is_new;
	if (c->repair && !c->fault[0])
		check_repair(c, is_new, where);
	return is_new;
}

struct piece {
	uint64_t at;
	const uint8_t *data;
};

/* The pieces of the writes @from..@to that would change something on @durable. */
static size_t pieces_of(const struct memdisk *m, size_t from, size_t to, const uint8_t *durable, struct piece out[PIECES_MAX])
{
	size_t n = 0;

	for (size_t i = from; i < to; i++) {
		const uint64_t at = m->log[i].lba * m->io.sector_bytes;

		for (uint64_t k = 0; m->log[i].data && k < (uint64_t)m->log[i].n * m->io.sector_bytes; k += PIECE)
			if (memcmp(durable + at + k, m->log[i].data + k, PIECE) != 0) {
				assert_true(n < PIECES_MAX);
				out[n++] = (struct piece){ at + k, m->log[i].data + k };
			}
	}
	return n;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void apply(struct checker *c, const uint8_t *durable, const struct piece *pieces, size_t n, const bool *down)
{
	memcpy(c->disk.bytes, durable, mem_size(&c->disk));
	for (size_t i = 0; i < n; i++)
		if (down[i])
			memcpy(c->disk.bytes + pieces[i].at, pieces[i].data, PIECE);
}

/* Every subset of the pieces, or prefixes, single ones, all but one, and a seeded sample. */
static void check_subsets(struct checker *c, const uint8_t *durable, const struct piece *pieces, size_t n, const char *where)
{
	bool down[PIECES_MAX] = { false };
	uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

	if (n <= EXHAUSTIVE_MAX) {
		for (uint32_t mask = 0; mask < 1u << n; mask++) {
			for (size_t i = 0; i < n; i++)
				down[i] = mask >> i & 1;
			apply(c, durable, pieces, n, down);
			check_state(c, where);
		}
		return;
	}
	for (size_t k = 0; k < 3 * n + SAMPLES; k++) {
		for (size_t i = 0; i < n; i++)
			down[i] = k < n ? i < k : k < 2 * n ? i == k - n : k < 3 * n ? i != k - 2 * n : next_random(&seed) & 1;
		apply(c, durable, pieces, n, down);
		check_state(c, where);
	}
}

/* In order up to a piece that is torn inside. Not repaired: those states are repaired like any broken copy. */
static void check_tears(struct checker *c, const uint8_t *durable, const struct piece *pieces, size_t n, const char *where)
{
	bool down[PIECES_MAX] = { false };

	for (size_t i = 0; i < n; i++) {
		/* Fine where a header has its fields, coarse behind. */
		for (size_t cut = 8; cut < PIECE; cut += cut < 96 ? 8 : 52) {
			apply(c, durable, pieces, n, down);
			memcpy(c->disk.bytes + pieces[i].at, pieces[i].data, cut);
			check_state(c, where);
			apply(c, durable, pieces, n, down);
			memcpy(c->disk.bytes + pieces[i].at + cut, pieces[i].data + cut, PIECE - cut);
			check_state(c, where);
		}
		down[i] = true;
	}
}

/* All states between @initial and the end of @done's log; at the end the new state must be durable. */
static void check_cuts(struct checker *c, const struct memdisk *initial, const struct memdisk *done)
{
	const bool repair = c->repair;
	struct memdisk durable;
	size_t from = 0;

	mem_clone(&durable, initial);
	mem_clone(&c->disk, initial);
	for (size_t i = 0; i <= done->n_log; i++) {
		struct piece pieces[PIECES_MAX];
		char where[40];
		size_t n;

		if (i < done->n_log && done->log[i].data)
			continue;
		(void)snprintf(where, sizeof(where), "events %zu to %zu", from, i);
		n = pieces_of(done, from, i, durable.bytes, pieces);
		check_subsets(c, durable.bytes, pieces, n, where);
		c->repair = false;
		if (c->tears)
			check_tears(c, durable.bytes, pieces, n, where);
		c->repair = repair;
		if (i < done->n_log)
			for (size_t k = 0; k < n; k++)
				memcpy(durable.bytes + pieces[k].at, pieces[k].data, PIECE);
		from = i + 1;
	}
	memcpy(c->disk.bytes, durable.bytes, mem_size(&durable));
	if (!check_state(c, "the end"))
		fault(c, "the new state is not durable", "the end");
	mem_fini(&durable);
	mem_fini(&c->disk);
}

/* A recorded commit of the new attributes on @m, which may have been told to drop a flush. */
static void commit_new(struct memdisk *m, const char *name)
{
	struct gpt *g = (struct gpt *)malloc(sizeof(*g));

	if (gpt_load(g, &m->io) != GPT_OK || !says(g, old_attributes))
		fail_msg("%s: not the old state to begin with", name);
	for (uint32_t i = 0; i < N_CHANGED; i++)
		assert_int_equal(gpt_set_attributes(g, changed[i], new_attributes[i]), GPT_OK);
	assert_int_equal(gpt_commit(g), GPT_OK);
	free(g);
}

static void test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
		struct checker *c = (struct checker *)calloc(1, sizeof(*c));
		struct memdisk initial, done;

		make(&initial, &scenes[i].shape, scenes[i].damage);
		mem_clone(&done, &initial);
		commit_new(&done, scenes[i].name);
		assert_int_equal(done.n_log, 8);
		c->name = scenes[i].name;
		/* A tear inside the primary's header of a grown disk hides where its backup is: see gpt_commit(). */
		c->tears = scenes[i].damage != GROWN;
		c->repair = true;
		check_cuts(c, &initial, &done);
		if (c->fault[0])
			fail_msg("%s", c->fault);
		/* A checker that saw one state only has not cut anything. */
		assert_true(c->n_old > 1 && c->n_new > 1);
		mem_fini(&initial);
		mem_fini(&done);
		free(c);
	}
}

/* True if the checker has found something. */
static bool caught(const struct mem_shape *shape, enum damage damage, int drop_flush, bool swap_copies)
{
	struct checker *c = (struct checker *)calloc(1, sizeof(*c));
	struct memdisk initial, done;
	bool r;

	make(&initial, shape, damage);
	mem_clone(&done, &initial);
	done.drop_flush = drop_flush;
	commit_new(&done, "mutant");
	if (swap_copies)
		for (size_t k = 0; k < 4; k++) {
			const struct mem_event first = done.log[k];

			done.log[k] = done.log[k + 4];
			done.log[k + 4] = first;
		}
	c->name = "mutant";
	check_cuts(c, &initial, &done);
	r = c->fault[0] != '\0';
	mem_fini(&initial);
	mem_fini(&done);
	free(c);
	return r;
}

/* The checker is only worth something if it catches a commit that is wrong. */
static void test_wrong_commits_are_caught(void **state)
{
	static const struct mem_shape shapes[] = { { 512, 16, 128, 32 }, { 4096, 16, 128, 12 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		assert_false(caught(&shapes[i], NONE, MEM_NEVER, false));
		assert_true(caught(&shapes[i], NONE, 1, false));		 /* between the copies */
		assert_true(caught(&shapes[i], PRIMARY_HEADER, 1, false));
		assert_true(caught(&shapes[i], BACKUP_HEADER, MEM_NEVER, true)); /* the only valid copy first */
		assert_true(caught(&shapes[i], BACKUP_STALE, MEM_NEVER, true));
		assert_true(caught(&shapes[i], PRIMARY_HEADER, MEM_NEVER, true));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_wrong_commits_are_caught),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
