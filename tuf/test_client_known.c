/* A refresh that relies on targets which an earlier one verified: when it does, when it must not, and that it
 * never asks for more. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "tuf/store.h"
#include "tuf/test_world.h"
#include "tuf/tuf.h"

#define NOTHING_NEW "metadata/2.root.json metadata/timestamp.json"
#define NOTE "store/targets.note"

enum outcome { RELIED, VERIFIED, FAILED };

/* One refresh, by a client of its own. */
static enum outcome refresh(struct world *w, struct err *e)
{
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;

	if (world_open(w, &c, e) < 0 || tuf_client_refresh(c, e) < 0)
		return FAILED;
	assert_true(tuf_client_trust(c).targets_version > 0);
	assert_true(tuf_client_trust(c).earliest_expiry_sec < INT64_MAX);
	return tuf_trusted_targets(tuf_client_trusted(c)) ? VERIFIED : RELIED;
}

static void assert_found(struct world *w, const char *name)
{
	struct buf got = BUF_INIT(100);
	struct err e;

	if (world_read_target(w, "a.txt", &got, &e) < 0)
		fail_msg("%s: %s", name, e.msg);
	assert_case(name, bytes_equal(buf_bytes(&got), bytes_of_str(TARGET_TEXT)));
	buf_fini(&got);
}

static struct buf read_file(const struct world *w, const char *name)
{
	struct buf out = BUF_INIT(1 << 20);
	struct err e;

	assert_int_equal(file_read(w->dir.fd, name, &out, &e), 0);
	return out;
}

static void start(struct world *w, bool http)
{
	struct err e;

	world_make(w, http);
	w->repo->list_hashes = true;
	w->repo->list_lengths = true;
	world_publish(w);
	assert_int_equal(refresh(w, &e), VERIFIED);
	if (http)
		world_requests(w);
}

static void relied_on_until_the_first_lookup(void **state)
{
	struct world w;
	struct err e;

	start(&w, true);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(refresh(&w, &e), RELIED);
		assert_string_equal(world_requests(&w), NOTHING_NEW);
		assert_found(&w, "relied on");
		assert_memory_equal(world_requests(&w), NOTHING_NEW " targets/", sizeof(NOTHING_NEW " targets/") - 1);
	}
	world_remove(&w);
}

/* New versions of all but targets: what is known of them still holds. */
static void relied_on_under_a_new_snapshot(void **state)
{
	struct world w;
	struct err e;

	start(&w, true);
	world_publish(&w);
	assert_int_equal(refresh(&w, &e), RELIED);
	tufrepo_bump(w.repo, "targets");
	world_publish(&w);
	assert_int_equal(refresh(&w, &e), VERIFIED);
	assert_int_equal(world_stored(&w, "targets.json"), 2);
	assert_int_equal(refresh(&w, &e), RELIED);
	assert_found(&w, "second version");
	world_remove(&w);
}

static void expiry_holds(void **state)
{
	struct world w;
	struct err e;

	world_make(&w, false);
	tufrepo_set_expires(w.repo, "targets", "2026-06-01T00:00:00Z");
	world_publish(&w);
	assert_int_equal(refresh(&w, &e), VERIFIED);
	w.now_sec = 1780271999; /* 2026-05-31T23:59:59Z */
	assert_int_equal(refresh(&w, &e), RELIED);
	w.now_sec++;
	assert_int_equal(refresh(&w, &e), FAILED);
	assert_string_equal(e.reason, TUF_E_EXPIRED);
	world_remove(&w);
}

/* Other keys or another threshold for targets: what the old ones vouched for has to be signed anew. */
static void rotated_keys(void **state)
{
	static const struct {
		const char *name;
		int keys[2];
		size_t n;
		int64_t threshold;
		int signers[2];
		size_t n_signers;
		enum outcome want;
	} cases[] = {
		{ "another key", { 60 }, 1, 1, { 60 }, 1, VERIFIED },
		{ "another key, signed by the old one", { 60 }, 1, 1, { 3 }, 1, FAILED },
		{ "a key more", { 3, 60 }, 2, 1, { 3 }, 1, VERIFIED },
		{ "a higher threshold", { 3, 60 }, 2, 2, { 3, 60 }, 2, VERIFIED },
		{ "a higher threshold, not reached", { 3, 60 }, 2, 2, { 3 }, 1, FAILED },
		{ "the same key", { 3 }, 1, 1, { 3 }, 1, RELIED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		struct err e;

		world_make(&w, false);
		world_publish(&w);
		assert_int_equal(refresh(&w, &e), VERIFIED);
		tufrepo_set_keys(w.repo, "targets", cases[i].keys, cases[i].n, cases[i].threshold);
		tufrepo_signers(w.repo, "targets", cases[i].signers, cases[i].n_signers);
		tufrepo_bump(w.repo, "root");
		world_publish(&w);
		assert_case(cases[i].name, refresh(&w, &e) == cases[i].want);
		assert_case(cases[i].name, cases[i].want != FAILED || strcmp(e.reason, TUF_E_THRESHOLD) == 0);
		world_remove(&w);
	}
}

/* The same version with other content, told by the hash in the snapshot alone. */
static void another_hash_of_the_same_version(void **state)
{
	struct world w;
	struct err e;

	start(&w, false);
	tufrepo_add_target(w.repo, "targets", "b.txt", bytes_of_str("b"));
	world_publish(&w);
	assert_int_equal(refresh(&w, &e), VERIFIED);
	assert_true(world_stored_is(&w, "targets.json", "1.targets.json"));
	assert_int_equal(refresh(&w, &e), RELIED);
	world_remove(&w);
}

/* Whatever is wrong with the note: the long way, and a good note again. */
static void damaged_notes(void **state)
{
	struct world w;
	struct err e;

	start(&w, false);
	struct buf note = read_file(&w, NOTE);

	for (size_t n = 0; n < note.n - 1; n += 7) {
		scratch_write(&w.dir, NOTE, note.p, n);
		assert_int_equal(refresh(&w, &e), VERIFIED);
	}
	for (size_t at = 0; at < note.n - 1; at += 3) {
		const uint8_t was = note.p[at];

		if (was == ' ' || was == '\n')
			continue;
		note.p[at] = was == '1' ? '2' : '1';
		scratch_write(&w.dir, NOTE, note.p, note.n);
		note.p[at] = was;
		/* A later expiry is the one lie that nothing contradicts before the file is read. */
		const enum outcome got = refresh(&w, &e);

		assert_int_not_equal(got, FAILED);
		assert_found(&w, "changed note");
	}
	unlinkat(w.dir.fd, NOTE, 0);
	assert_int_equal(refresh(&w, &e), VERIFIED);
	assert_int_equal(refresh(&w, &e), RELIED);
	buf_fini(&note);
	world_remove(&w);
}

/* The file is another one than the note says, even if its times are made to fit: never used unverified. */
static void a_changed_file(void **state)
{
	struct world w;
	struct err e;
	char text[4096];
	struct stat st;

	start(&w, true);
	struct buf targets = read_file(&w, "store/targets.json");

	/* In place, by one byte: the times tell. */
	targets.p[targets.n / 2] ^= 1;
	scratch_write(&w.dir, "store/targets.json", targets.p, targets.n);
	assert_int_equal(refresh(&w, &e), VERIFIED);
	assert_string_equal(world_requests(&w), NOTHING_NEW " metadata/1.targets.json");
	assert_true(world_stored_is(&w, "targets.json", "1.targets.json"));

	/* A note made to fit the changed file. */
	struct buf note = read_file(&w, NOTE);
	json_t *j = json_loadb((const char *)note.p, note.n, 0, NULL);

	scratch_write(&w.dir, "store/targets.json", targets.p, targets.n);
	assert_int_equal(fstatat(w.dir.fd, "store/targets.json", &st, 0), 0);
	json_object_set_new(j, "inode", json_integer((json_int_t)st.st_ino));
	json_object_set_new(j, "mtime_ns", json_integer(st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec));
	json_object_set_new(j, "ctime_ns", json_integer(st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec));
	assert_true(json_dumpb(j, text, sizeof(text), 0) < sizeof(text));
	scratch_write(&w.dir, NOTE, text, json_dumpb(j, text, sizeof(text), 0));
	assert_int_equal(refresh(&w, &e), RELIED);
	assert_string_equal(world_requests(&w), NOTHING_NEW);
	assert_found(&w, "a note that fits");
	assert_non_null(strstr(world_requests(&w), NOTHING_NEW " metadata/1.targets.json targets/"));
	assert_true(world_stored_is(&w, "targets.json", "1.targets.json"));

	/* Gone. */
	assert_int_equal(unlinkat(w.dir.fd, "store/targets.json", 0), 0);
	assert_int_equal(refresh(&w, &e), VERIFIED);
	json_decref(j);
	buf_fini(&note);
	buf_fini(&targets);
	world_remove(&w);
}

/* Offline nothing is relied on: there, expiry does not count, and all is verified from the files. */
static void offline_verifies(void **state)
{
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
	struct world w;
	struct err e;

	start(&w, false);
	assert_int_equal(world_open(&w, &c, &e), 0);
	assert_int_equal(tuf_client_load_offline(c, &e), 0);
	assert_non_null(tuf_trusted_targets(tuf_client_trusted(c)));
	world_remove(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relied_on_until_the_first_lookup),
		cmocka_unit_test(relied_on_under_a_new_snapshot),
		cmocka_unit_test(expiry_holds),
		cmocka_unit_test(rotated_keys),
		cmocka_unit_test(another_hash_of_the_same_version),
		cmocka_unit_test(damaged_notes),
		cmocka_unit_test(a_changed_file),
		cmocka_unit_test(offline_verifies),
	};

	return cmocka_run_group_tests_name("tuf/client_known", tests, NULL, NULL);
}
