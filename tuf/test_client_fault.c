/*
 * Each call of the system and each allocation of a refresh fails once, and power is cut before each of them once:
 * the refresh says so, the store holds for each role the old file or the new, and the next refresh gets to the
 * end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/harness/fault.h"
#include "tuf/test_world.h"
#include "tuf/tuf.h"

static const char *const roles[] = { "root", "timestamp", "snapshot", "targets" };

/* Root 2 rotates the timestamp's key, so that stored files are removed on the way as well. */
static void make_news(struct world *w)
{
	const int key = 51;

	tufrepo_set_keys(w->repo, "timestamp", &key, 1, 1);
	tufrepo_bump(w->repo, "root");
	tufrepo_bump(w->repo, "targets");
	world_publish(w);
}

/* The store as it was before the news: what was shipped, and a refresh from version 1. */
struct old_store {
	struct buf files[ARRAY_LEN(roles)];
};

static void put_back(struct world *w, const struct old_store *old)
{
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		snprintf(path, sizeof(path), "store/%s.json", roles[i]);
		scratch_write(&w->dir, path, old->files[i].p, old->files[i].n);
	}
}

static void set_up(struct world *w, struct old_store *old)
{
	struct err e;

	world_make(w, false);
	world_publish(w);
	assert_int_equal(world_refresh(w, &e), 0);
	old->files[0] = world_copy(w, "1.root.json");
	old->files[1] = world_copy(w, "timestamp.json");
	old->files[2] = world_copy(w, "1.snapshot.json");
	old->files[3] = world_copy(w, "1.targets.json");
	make_news(w);
}

static void tear_down(struct world *w, struct old_store *old)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		buf_fini(&old->files[i]);
	world_remove(w);
}

/* Old or new, each file; timestamp and snapshot may be gone, since the new root drops them. */
static void check_store(const struct world *w, const char *name, unsigned int nth)
{
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		char file[32];

		snprintf(file, sizeof(file), "%s.json", roles[i]);
		const int64_t version = world_stored(w, file);
		const bool may_be_gone = i == 1 || i == 2;

		if (version != 1 && version != 2 && !(version == 0 && may_be_gone))
			fail_msg("%s %u: %s has version %d", name, nth, file, (int)version);
	}
	/* Never something new before what vouches for it. */
	if (world_stored(w, "timestamp.json") == 2 && world_stored(w, "root.json") != 2)
		fail_msg("%s %u: a timestamp before its root", name, nth);
	if (world_stored(w, "snapshot.json") == 2 && world_stored(w, "timestamp.json") != 2)
		fail_msg("%s %u: a snapshot before its timestamp", name, nth);
	if (world_stored(w, "targets.json") == 2 && world_stored(w, "snapshot.json") != 2)
		fail_msg("%s %u: targets before their snapshot", name, nth);
}

static void check_recovery(struct world *w, const char *name, unsigned int nth)
{
	struct err e;

	if (world_refresh(w, &e) < 0)
		fail_msg("%s %u: the next refresh: %s", name, nth, e.msg);
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		char file[32], kept[32];

		snprintf(file, sizeof(file), "%s.json", roles[i]);
		snprintf(kept, sizeof(kept), "%s%s.json", i == 1 ? "" : "2.", roles[i]);
		if (!world_stored_is(w, file, kept))
			fail_msg("%s %u: %s is not the new one", name, nth, file);
	}
	/* root, timestamp, snapshot, targets, the note on them, the lock: no temporary file of the failure is left. */
	struct scratch store = { .fd = -1 };

	snprintf(store.path, sizeof(store.path), "%.200s", w->store);
	if (scratch_entries(&store) != ARRAY_LEN(roles) + 2)
		fail_msg("%s %u: something else is left in the store", name, nth);
}

static void each_call_fails_once(void **state)
{
	static const struct {
		enum fault_kind kind;
		int sys;
	} cases[] = {
		{ FAULT_OPEN, EIO },   { FAULT_PREAD, EIO },  { FAULT_READ, EIO },   { FAULT_WRITE, ENOSPC },
		{ FAULT_FSYNC, EIO },  { FAULT_RENAME, EIO }, { FAULT_UNLINK, EROFS }, { FAULT_MKDIR, ENOSPC },
		{ FAULT_OPEN, ENOSPC },
	};
	struct old_store old;
	struct world w;

	(void)state;
	set_up(&w, &old);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned int nth = 1;; nth++) {
			const char *name = fault_name(cases[i].kind);
			struct err e;

			put_back(&w, &old);
			const size_t fds = fault_open_fds();

			fault_arm(cases[i].kind, nth, cases[i].sys);
			const int r = world_refresh(&w, &e);
			const bool hit = fault_disarm();

			if (fault_open_fds() != fds)
				fail_msg("%s %u: a descriptor has leaked", name, nth);
			if (!hit && r < 0)
				fail_msg("%s: %s", name, e.msg);
			if (!hit)
				break;
			if (r < 0 && (e.kind == ERR_NONE || !e.msg[0]))
				fail_msg("%s %u: it fails and does not say why", name, nth);
			check_store(&w, name, nth);
			check_recovery(&w, name, nth);
		}
	tear_down(&w, &old);
}

static void power_is_cut_before_each_call(void **state)
{
	struct old_store old;
	struct world w;
	unsigned int nth;

	(void)state;
	set_up(&w, &old);
	for (nth = 1;; nth++) {
		struct err e;

		put_back(&w, &old);
		fault_arm_from(FAULT_SYS, nth, EIO);
		const int r = world_refresh(&w, &e);
		const bool hit = fault_disarm();

		if (!hit) {
			assert_int_equal(r, 0);
			break;
		}
		check_store(&w, "power cut", nth);
		check_recovery(&w, "power cut", nth);
	}
	assert_true(nth > 40); /* a refresh that stores four files makes no less */
	tear_down(&w, &old);
}

static void no_space_for_any_file(void **state)
{
	struct old_store old;
	struct world w;
	struct err e;

	(void)state;
	set_up(&w, &old);
	put_back(&w, &old);
	fault_arm_from(FAULT_WRITE, 1, ENOSPC);
	assert_int_equal(world_refresh(&w, &e), -1);
	assert_true(fault_disarm());
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(e.sys, ENOSPC);
	check_store(&w, "no space", 1);
	assert_int_equal(world_stored(&w, "root.json"), 1);
	check_recovery(&w, "no space", 1);
	tear_down(&w, &old);
}

static void memory_runs_out(void **state)
{
	struct old_store old;
	struct world w;

	(void)state;
	set_up(&w, &old);
	for (unsigned int nth = 1;; nth++) {
		struct err e;

		put_back(&w, &old);
		fault_arm(FAULT_MEMORY, nth, ENOMEM);
		const int r = world_refresh(&w, &e);
		const bool hit = fault_disarm();

		if (!hit) {
			assert_int_equal(r, 0);
			break;
		}
		if (r < 0 && (e.kind == ERR_NONE || !e.msg[0]))
			fail_msg("memory %u: it fails and does not say why", nth);
		check_store(&w, "memory", nth);
		if (nth % 8 == 0)
			check_recovery(&w, "memory", nth);
	}
	tear_down(&w, &old);
}

/* A file that could not be read for want of memory or descriptors is no damaged one: the shipped root must not
 * take its place. */
static void trouble_never_takes_a_root_back(void **state)
{
	static const struct {
		enum fault_kind kind;
		int sys;
	} cases[] = { { FAULT_OPEN, EMFILE }, { FAULT_READ, ENOMEM }, { FAULT_PREAD, ENOMEM }, { FAULT_MEMORY, ENOMEM } };
	struct old_store old;
	struct world w;
	struct err e;

	(void)state;
	set_up(&w, &old);
	assert_int_equal(world_refresh(&w, &e), 0);
	assert_int_equal(world_stored(&w, "root.json"), 2);
	/* The server hides the second root, as it may: the client has seen it. */
	tufrepo_put(w.repo, "2.root.json", bytes_of(NULL, 0));
	world_write(&w);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned int nth = 1;; nth += 1 + nth / 128) {
			fault_arm(cases[i].kind, nth, cases[i].sys);
			(void)world_refresh(&w, &e);
			if (!fault_disarm())
				break;
			if (world_stored(&w, "root.json") != 2)
				fail_msg("%s %u: root has version %d", fault_name(cases[i].kind), nth,
					 (int)world_stored(&w, "root.json"));
			if (world_stored(&w, "timestamp.json") != 2)
				fail_msg("%s %u: the timestamp is gone", fault_name(cases[i].kind), nth);
		}
	assert_int_equal(world_refresh(&w, &e), 0);
	tear_down(&w, &old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_fails_once),
		cmocka_unit_test(power_is_cut_before_each_call),
		cmocka_unit_test(no_space_for_any_file),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(trouble_never_takes_a_root_back),
	};

	/* jansson's allocations are counted too; the names stand for the counting ones here. */
	json_set_alloc_funcs(malloc, free);
	return cmocka_run_group_tests_name("tuf/client_fault", tests, NULL, NULL);
}
