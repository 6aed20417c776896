/* The client against a repository that behaves: which requests, in which order, and what is stored after each. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "tuf/test_world.h"
#include "tuf/tuf.h"

#define FIRST "metadata/2.root.json metadata/timestamp.json metadata/1.snapshot.json metadata/1.targets.json"
#define NOTHING_NEW "metadata/2.root.json metadata/timestamp.json"

static void first_and_second_refresh(void **state)
{
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	assert_int_equal(world_refresh(&w, &e), 0);
	assert_string_equal(world_requests(&w), FIRST);
	assert_true(world_stored_is(&w, "root.json", "1.root.json"));
	assert_true(world_stored_is(&w, "timestamp.json", "timestamp.json"));
	assert_true(world_stored_is(&w, "snapshot.json", "1.snapshot.json"));
	assert_true(world_stored_is(&w, "targets.json", "1.targets.json"));

	assert_int_equal(world_refresh(&w, &e), 0);
	assert_string_equal(world_requests(&w), NOTHING_NEW);
	world_remove(&w);
}

static void only_what_is_new_is_asked_for(void **state)
{
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	assert_int_equal(world_refresh(&w, &e), 0);
	world_requests(&w);

	world_publish(&w); /* new timestamp and snapshot, the same targets */
	assert_int_equal(world_refresh(&w, &e), 0);
	assert_string_equal(world_requests(&w), "metadata/2.root.json metadata/timestamp.json metadata/2.snapshot.json");
	assert_int_equal(world_stored(&w, "snapshot.json"), 2);

	tufrepo_bump(w.repo, "timestamp");
	tufrepo_fill_timestamp(w.repo);
	tufrepo_keep(w.repo, "timestamp");
	world_write(&w);
	assert_int_equal(world_refresh(&w, &e), 0);
	assert_string_equal(world_requests(&w), NOTHING_NEW);
	assert_int_equal(world_stored(&w, "timestamp.json"), 3);
	world_remove(&w);
}

static void one_client_refreshes_again(void **state)
{
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	assert_int_equal(world_open(&w, &c, &e), 0);
	assert_string_equal(world_requests(&w), "");
	assert_int_equal(tuf_client_trust(c).root_version, 1);
	assert_int_equal(tuf_client_trust(c).targets_version, 0);
	assert_int_equal(tuf_client_refresh(c, &e), 0);
	tufrepo_bump(w.repo, "root");
	tufrepo_bump(w.repo, "targets");
	world_publish(&w);
	world_requests(&w);
	assert_int_equal(tuf_client_refresh(c, &e), 0);
	assert_string_equal(world_requests(&w), "metadata/2.root.json metadata/3.root.json metadata/timestamp.json "
						"metadata/2.snapshot.json metadata/2.targets.json");
	const struct tuf_trust t = tuf_client_trust(c);

	assert_int_equal(t.root_version, 2);
	assert_int_equal(t.timestamp_version, 2);
	assert_int_equal(t.snapshot_version, 2);
	assert_int_equal(t.targets_version, 2);
	assert_int_equal(t.earliest_expiry_sec, AFTER_EXPIRY_SEC);
	tuf_client_free(TAKE(c));
	world_remove(&w);
}

static void fifteen_roots(void **state)
{
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	for (int i = 2; i <= 15; i++) {
		const int key = 100 + i;

		tufrepo_set_keys(w.repo, "root", &key, 1, 1);
		tufrepo_bump(w.repo, "root");
		world_publish(&w);
		tufrepo_signers(w.repo, "root", &key, 1);
	}
	assert_int_equal(world_refresh(&w, &e), 0);
	assert_int_equal(world_stored(&w, "root.json"), 15);
	const char *requests = world_requests(&w);

	assert_non_null(strstr(requests, "metadata/16.root.json metadata/timestamp.json"));
	assert_null(strstr(requests, "metadata/17.root.json"));
	world_remove(&w);
}

/* Three keys of which two have to sign. Each new root revokes the oldest key for a new one; in every second step
 * one key is lost, so that the one being revoked signs for the last time. The keys of timestamp change on the way
 * as well. @bad: the root that is signed badly. */
static void publish_rotations(struct world *w, int bad)
{
	for (int i = 1; i <= 15; i++) {
		const int keys[] = { 100 + i, 101 + i, 102 + i };
		const int all_there[] = { 100 + i, 101 + i }, one_lost[] = { 99 + i, 101 + i, 102 + i }, too_few[] = { 101 + i, 102 + i };

		tufrepo_set_keys(w->repo, "root", keys, ARRAY_LEN(keys), 2);
		if (i % 4 == 0)
			tufrepo_set_keys(w->repo, "timestamp", &keys[1], 1, 1);
		if (i > 1)
			tufrepo_bump(w->repo, "root");
		if (i == bad)
			tufrepo_signers(w->repo, "root", too_few, ARRAY_LEN(too_few)); /* one of the old keys, two of the new */
		else if (i % 2 == 0)
			tufrepo_signers(w->repo, "root", one_lost, ARRAY_LEN(one_lost));
		else
			tufrepo_signers(w->repo, "root", all_there, ARRAY_LEN(all_there));
		world_publish(w);
	}
}

static void keys_replaced_lost_and_revoked(void **state)
{
	for (int bad = 0; bad <= 9; bad += 9) {
		struct world w;
		struct err e;

		world_make(&w, true);
		publish_rotations(&w, bad);
		assert_int_equal(world_refresh(&w, &e), bad ? -1 : 0);
		assert_int_equal(world_stored(&w, "root.json"), bad ? bad - 1 : 15);
		assert_int_equal(world_stored(&w, "timestamp.json") != 0, !bad);
		const char *requests = world_requests(&w);

		if (bad)
			assert_string_equal(e.reason, TUF_E_THRESHOLD);
		else
			assert_non_null(strstr(requests, "metadata/2.root.json metadata/3.root.json metadata/4.root.json"));
		assert_true(bad ? !strstr(requests, "timestamp") : strstr(requests, "metadata/16.root.json metadata/timestamp.json") != NULL);
		world_remove(&w);
	}
}

static void too_many_roots_end_the_refresh(void **state)
{
	struct world w;
	struct err e;
	char name[32];

	(void)state;
	world_make(&w, false);
	world_publish(&w);
	for (unsigned int i = 2; i <= TUF_ROOTS_MAX + 1; i++) {
		tufrepo_bump(w.repo, "root");
		tufrepo_sign(w.repo, "root");
		tufrepo_keep(w.repo, "root");
	}
	world_write(&w);
	/* As many as there may be, but whether another follows is not looked at any more. */
	assert_int_equal(world_refresh(&w, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	assert_string_equal(e.reason, TUF_E_LIMIT);
	assert_int_equal(world_stored(&w, "root.json"), TUF_ROOTS_MAX + 1);
	/* What was reached is kept, so the next one gets to the end. */
	assert_int_equal(world_refresh(&w, &e), 0);
	snprintf(name, sizeof(name), "%u.root.json", TUF_ROOTS_MAX + 1);
	assert_true(world_stored_is(&w, "root.json", name));
	world_remove(&w);
}

static void names_without_numbers(void **state)
{
	struct world w;
	struct buf b = BUF_INIT(1000);
	struct err e;

	(void)state;
	world_make(&w, true);
	tufrepo_set_consistent(w.repo, false);
	world_publish(&w);
	assert_int_equal(world_read_target(&w, "a.txt", &b, &e), 0);
	assert_string_equal(world_requests(&w), "metadata/2.root.json metadata/timestamp.json metadata/snapshot.json "
						"metadata/targets.json targets/a.txt");
	buf_fini(&b);

	/* The newest root decides for all that follows it. */
	tufrepo_set_consistent(w.repo, true);
	tufrepo_bump(w.repo, "root");
	tufrepo_bump(w.repo, "targets");
	world_publish(&w);
	assert_int_equal(world_refresh(&w, &e), 0);
	assert_string_equal(world_requests(&w), "metadata/2.root.json metadata/3.root.json metadata/timestamp.json "
						"metadata/2.snapshot.json metadata/2.targets.json");
	world_remove(&w);
}

static void the_query_goes_with_each_request(void **state)
{
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	w.fetch.query = "seed=7";
	world_publish(&w);
	assert_int_equal(world_refresh(&w, &e), 0);
	assert_int_equal(world_refresh(&w, &e), 0);
	assert_non_null(strstr(world_requests(&w), "metadata/1.targets.json?seed=7 metadata/2.root.json?seed=7"));
	world_remove(&w);
}

static void a_timestamp_of_equal_version_changes_nothing(void **state)
{
	struct world w;
	struct err e;
	struct buf first;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	assert_int_equal(world_refresh(&w, &e), 0);
	world_requests(&w);
	first = world_copy(&w, "timestamp.json");
	tufrepo_set_expires(w.repo, "timestamp", "2031-01-01T00:00:00Z");
	tufrepo_sign(w.repo, "timestamp");
	tufrepo_keep(w.repo, "timestamp");
	world_write(&w);
	assert_int_equal(world_refresh(&w, &e), 0);
	assert_string_equal(world_requests(&w), NOTHING_NEW);
	assert_false(world_stored_is(&w, "timestamp.json", "timestamp.json"));
	tufrepo_put(w.repo, "timestamp.json", buf_bytes(&first));
	assert_true(world_stored_is(&w, "timestamp.json", "timestamp.json"));
	buf_fini(&first);
	world_remove(&w);
}

/* Stored files that are damaged, foreign or gone are as if absent: the refresh heals them. */
static void damaged_stores_heal(void **state)
{
	static const struct {
		const char *name, *file, *content;
		const char *requests;
	} cases[] = {
		{ "root", "root.json", "{", FIRST },
		{ "empty root", "root.json", "", NOTHING_NEW },
		{ "timestamp", "timestamp.json", "{\"signed\": {}}", NOTHING_NEW },
		{ "snapshot", "snapshot.json", "", "metadata/2.root.json metadata/timestamp.json metadata/1.snapshot.json" },
		{ "targets", "targets.json", "[]", "metadata/2.root.json metadata/timestamp.json metadata/1.targets.json" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[SCRATCH_PATH_BYTES];
		struct world w;
		struct err e;

		world_make(&w, true);
		world_publish(&w);
		assert_case(cases[i].name, world_refresh(&w, &e) == 0);
		world_requests(&w);
		snprintf(path, sizeof(path), "store/%s", cases[i].file);
		scratch_write(&w.dir, path, cases[i].content, strlen(cases[i].content));
		assert_case(cases[i].name, world_refresh(&w, &e) == 0);
		if (strcmp(cases[i].file, "root.json") != 0)
			assert_case(cases[i].name, strcmp(world_requests(&w), cases[i].requests) == 0);
		assert_case(cases[i].name, world_stored_is(&w, "root.json", "1.root.json"));
		assert_case(cases[i].name, world_stored_is(&w, "timestamp.json", "timestamp.json"));
		assert_case(cases[i].name, world_stored_is(&w, "snapshot.json", "1.snapshot.json"));
		assert_case(cases[i].name, world_stored_is(&w, "targets.json", "1.targets.json"));
		world_remove(&w);
	}
}

static void openings(void **state)
{
	/* Versions of the root in the store and of the one given: 0 none, -1 one that is not signed by itself, -2
	 * damaged. */
	static const struct {
		const char *name;
		int stored, given, trusted; /* trusted 0: it fails */
		enum err_kind kind;
	} cases[] = {
		{ "neither", 0, 0, 0, ERR_MISSING },	      { "given", 0, 1, 1, ERR_NONE },
		{ "stored", 1, 0, 1, ERR_NONE },	      { "stored is newer", 2, 1, 2, ERR_NONE },
		{ "given is newer", 1, 2, 2, ERR_NONE },      { "the same", 2, 2, 2, ERR_NONE },
		{ "given is not its own", 0, -1, 0, ERR_TRUST }, { "given is damaged", 0, -2, 0, ERR_FORMAT },
		{ "given is bad, stored is good", 1, -1, 1, ERR_NONE },
		{ "stored is not its own", -1, 0, 0, ERR_TRUST }, { "stored is damaged", -2, 0, 0, ERR_FORMAT },
		{ "stored is bad, given is good", -1, 2, 2, ERR_NONE },
		{ "stored is damaged, given is good", -2, 2, 2, ERR_NONE },
		{ "both are bad", -1, -2, 0, ERR_FORMAT },
	};
	struct buf roots[5]; /* by version + 2 */
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	tufrepo_bump(w.repo, "root");
	world_publish(&w);
	roots[3] = world_copy(&w, "1.root.json");
	roots[4] = world_copy(&w, "2.root.json");
	tufrepo_sig(w.repo, "root", 0, TUFREPO_SIG_WRONG);
	tufrepo_bump(w.repo, "root"); /* a version higher than all: it must not win by that */
	tufrepo_sign(w.repo, "root");
	tufrepo_keep(w.repo, "root");
	roots[1] = world_copy(&w, "3.root.json");
	roots[0] = BUF_INIT(100);
	assert_int_equal(buf_append_str(&roots[0], "{\"signed\":", &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct buf *stored = &roots[cases[i].stored + 2], *given = &roots[cases[i].given + 2];
		struct tuf_client *c = NULL;
		struct tuf_client_config config = { .store_dir = w.store, .now_sec = w.now_sec };

		(void)unlink(scratch_path(&w.dir, "store/root.json"));
		if (cases[i].stored)
			scratch_write(&w.dir, "store/root.json", stored->p, stored->n);
		if (cases[i].given)
			config.trusted_root = buf_bytes(given);
		memset(&e, 0, sizeof(e));
		const int r = tuf_client_open(&config, &c, &e);

		assert_case(cases[i].name, r == (cases[i].trusted ? 0 : -1));
		assert_case(cases[i].name, e.kind == cases[i].kind || r == 0);
		if (r == 0)
			assert_case(cases[i].name, tuf_client_trust(c).root_version == (uint64_t)cases[i].trusted);
		if (r == 0)
			assert_case(cases[i].name, world_stored(&w, "root.json") == cases[i].trusted);
		tuf_client_free(c);
	}
	assert_string_equal(world_requests(&w), "");
	for (size_t i = 0; i < ARRAY_LEN(roots); i++)
		if (i != 2)
			buf_fini(&roots[i]);
	world_remove(&w);
}

/* A new image brings a root that gives timestamp another key: what the old key signed, with any number, binds nobody. */
static void a_given_root_that_rotates_keys_drops_what_they_signed(void **state)
{
	static const int new_keys[] = { 1, 51 };
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	tufrepo_set_version(w.repo, "timestamp", 1000);
	world_publish(&w);
	assert_int_equal(world_refresh(&w, &e), 0);
	tufrepo_set_keys(w.repo, "timestamp", new_keys, 2, 1); /* the old key stays good */
	for (int i = 0; i < 2; i++) {
		tufrepo_bump(w.repo, "root");
		world_publish(&w);
	}
	tufrepo_set_version(w.repo, "timestamp", 2);
	tufrepo_sign(w.repo, "timestamp");
	tufrepo_keep(w.repo, "timestamp");
	world_write(&w);
	buf_fini(&w.shipped);
	w.shipped = world_copy(&w, "3.root.json");
	assert_int_equal(world_refresh(&w, &e), 0);
	assert_int_equal(world_stored(&w, "timestamp.json"), 2);
	world_remove(&w);
}

static void two_clients_on_one_store(void **state)
{
	struct tuf_client *a = NULL, *b = NULL;
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, false);
	world_publish(&w);
	assert_int_equal(world_open(&w, &a, &e), 0);
	assert_int_equal(world_open(&w, &b, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	tuf_client_free(a);
	assert_int_equal(world_open(&w, &b, &e), 0);
	tuf_client_free(b);
	world_remove(&w);
}

static void urls_that_cannot_be(void **state)
{
	static const char *const urls[] = { "", "/srv/repo", "ftp://h/", "https://h/?a=b", "https://h/#a" };
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, false);
	world_publish(&w);
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct tuf_client *c = NULL;

		snprintf(w.metadata_url, sizeof(w.metadata_url), "%s", urls[i]);
		assert_case(urls[i], world_open(&w, &c, &e) == -1 && e.kind == ERR_USAGE);
	}
	world_remove(&w);
}

static void offline(void **state)
{
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
	struct tuf_target t;
	struct source *s = NULL;
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	assert_int_equal(world_refresh(&w, &e), 0);
	world_requests(&w);
	w.now_sec = AFTER_EXPIRY_SEC + 1;
	assert_int_equal(world_open(&w, &c, &e), 0);
	assert_int_equal(tuf_client_find(c, "a.txt", &t, &e), -1);
	assert_int_equal(e.kind, ERR_STATE);
	assert_int_equal(tuf_client_load_offline(c, &e), 0);
	assert_int_equal(tuf_client_trust(c).targets_version, 1);
	assert_int_equal(tuf_client_find(c, "a.txt", &t, &e), 0);
	assert_int_equal(t.length, strlen(TARGET_TEXT));
	assert_int_equal(tuf_client_open_target(c, &t, &s, &e), -1);
	assert_int_equal(e.kind, ERR_STATE);
	assert_int_equal(tuf_client_refresh(c, &e), -1);
	assert_int_equal(e.kind, ERR_STATE);
	assert_string_equal(world_requests(&w), "");
	tuf_client_free(TAKE(c));
	world_remove(&w);
}

static void offline_enforces_all_but_expiry(void **state)
{
	static const struct {
		const char *name, *file;
		const char *kept; /* a file put in its place; NULL: removed */
		enum err_kind kind;
	} cases[] = {
		{ "no timestamp", "timestamp.json", NULL, ERR_MISSING },
		{ "no snapshot", "snapshot.json", NULL, ERR_MISSING },
		{ "no targets", "targets.json", NULL, ERR_MISSING },
		{ "another role's file", "timestamp.json", "1.snapshot.json", ERR_TRUST },
		{ "an older snapshot", "snapshot.json", "1.snapshot.json", ERR_TRUST },
		{ "older targets", "targets.json", "1.targets.json", ERR_TRUST },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
		char path[SCRATCH_PATH_BYTES];
		struct world w;
		struct err e;

		world_make(&w, false);
		world_publish(&w);
		tufrepo_bump(w.repo, "targets");
		world_publish(&w);
		assert_case(cases[i].name, world_refresh(&w, &e) == 0);
		snprintf(path, sizeof(path), "store/%s", cases[i].file);
		assert_int_equal(unlink(scratch_path(&w.dir, path)), 0);
		if (cases[i].kept)
			scratch_write(&w.dir, path, tufrepo_kept(w.repo, cases[i].kept).p, tufrepo_kept(w.repo, cases[i].kept).n);
		assert_case(cases[i].name, world_open(&w, &c, &e) == 0);
		assert_case(cases[i].name, tuf_client_load_offline(c, &e) == -1 && e.kind == cases[i].kind);
		tuf_client_free(TAKE(c));
		world_remove(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_and_second_refresh),
		cmocka_unit_test(only_what_is_new_is_asked_for),
		cmocka_unit_test(one_client_refreshes_again),
		cmocka_unit_test(fifteen_roots),
		cmocka_unit_test(keys_replaced_lost_and_revoked),
		cmocka_unit_test(too_many_roots_end_the_refresh),
		cmocka_unit_test(names_without_numbers),
		cmocka_unit_test(the_query_goes_with_each_request),
		cmocka_unit_test(a_timestamp_of_equal_version_changes_nothing),
		cmocka_unit_test(damaged_stores_heal),
		cmocka_unit_test(openings),
		cmocka_unit_test(a_given_root_that_rotates_keys_drops_what_they_signed),
		cmocka_unit_test(two_clients_on_one_store),
		cmocka_unit_test(urls_that_cannot_be),
		cmocka_unit_test(offline),
		cmocka_unit_test(offline_enforces_all_but_expiry),
	};

	return cmocka_run_group_tests_name("tuf/client", tests, NULL, NULL);
}
