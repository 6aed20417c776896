/* Whole repositories, good ones and ones with everything wrong that a release engineer can do. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "tuf/audit.h"
#include "tuf/test_world.h"

#define FOUND_MAX 64

/* What the walk told: failures as "name reason", in order. */
struct seen {
	size_t n;
	char failed[FOUND_MAX][80];
	char good[4096]; /* names, with a blank behind each */
	int stop_at;	 /* the callback fails when it is called for this time; 0: never */
	struct tuf_audit_result result;
};

static int note(void *ctx, const struct tuf_audit_item *item, struct err *e)
{
	struct seen *s = (struct seen *)ctx;

	if (s->stop_at > 0 && --s->stop_at == 0)
		return err_set(e, ERR_STATE, "enough", "enough");
	if (!item->failure) {
		assert_true(item->what == TUF_AUDIT_TARGET ? item->entry != NULL : item->head != NULL);
		snprintf(s->good + strlen(s->good), sizeof(s->good) - strlen(s->good), "%s ", item->name);
		return 0;
	}
	assert_true(s->n < FOUND_MAX);
	snprintf(s->failed[s->n++], sizeof(s->failed[0]), "%s %s", item->name, item->failure->reason ? item->failure->reason : "-");
	return 0;
}

static int audit_at(struct world *w, int64_t now_sec, struct bytes root, struct seen *s, struct err *e)
{
	char metadata[SCRATCH_PATH_BYTES + 32], targets[SCRATCH_PATH_BYTES + 32];
	const int stop_at = s->stop_at;

	snprintf(metadata, sizeof(metadata), "%s/repo/metadata", w->dir.path);
	snprintf(targets, sizeof(targets), "%s/repo/targets", w->dir.path);
	memset(s, 0, sizeof(*s));
	s->stop_at = stop_at;
	const struct tuf_audit_options o = {
		.metadata_dir = metadata, .targets_dir = targets, .now_sec = now_sec, .trusted_root = root
	};
	const int r = tuf_audit(&o, note, s, &s->result, e);

	assert_true(r < 0 || s->result.n_failures == s->n);
	tuf_trusted_free(s->result.trusted);
	return r;
}

/* Walks what the repository has written. */
static void audit(struct world *w, struct seen *s)
{
	struct err e;

	memset(s, 0, sizeof(*s));
	assert_int_equal(audit_at(w, w->now_sec, (struct bytes){ 0 }, s, &e), 0);
}

static void assert_failures(const char *name, const struct seen *s, const char *const *want)
{
	size_t n = 0;

	for (; want[n]; n++) {
		if (n >= s->n || strcmp(want[n], s->failed[n]) != 0)
			fail_msg("%s: failure %zu is %s, not %s", name, n, n < s->n ? s->failed[n] : "not there", want[n]);
	}
	if (n != s->n)
		fail_msg("%s: also %s", name, s->failed[n]);
}

#define ASSERT_FAILURES(name, s, ...) assert_failures((name), (s), (const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL })

static const char *const all_paths[] = { "*", NULL };

/* targets -> a -> b -> a again, and targets -> b: a cycle, and a role reached twice. */
static void make_graph(struct world *w)
{
	tufrepo_delegate(w->repo, (struct tufrepo_delegation){ .from = "targets", .name = "a", .paths = all_paths, .key = 10 });
	tufrepo_delegate(w->repo, (struct tufrepo_delegation){ .from = "a", .name = "b", .paths = all_paths, .key = 11 });
	tufrepo_delegate(w->repo, (struct tufrepo_delegation){ .from = "b", .name = "a", .paths = all_paths, .key = 10 });
	tufrepo_delegate(w->repo, (struct tufrepo_delegation){ .from = "targets", .name = "b", .paths = all_paths, .key = 11 });
	tufrepo_add_target(w->repo, "a", "dir/of a.txt", bytes_of_str("of a"));
	tufrepo_add_target(w->repo, "b", "of b", bytes_of_str("of b"));
	tufrepo_add_target(w->repo, "b", "empty", bytes_of_str(""));
}

/* targets -> c -> bins */
static void add_bins(struct world *w, unsigned int bits)
{
	tufrepo_delegate(w->repo, (struct tufrepo_delegation){ .from = "targets", .name = "c", .paths = all_paths, .key = 13 });
	tufrepo_add_bins(w->repo, "c", "bin", bits, 12);
}

static void good_ones(void **state)
{
	for (int consistent = 0; consistent < 2; consistent++) {
		struct world w;
		struct seen s;

		world_make(&w, false);
		make_graph(&w);
		tufrepo_set_consistent(w.repo, consistent);
		add_bins(&w, 3);
		world_publish(&w);
		audit(&w, &s);
		ASSERT_FAILURES("good", &s);
		assert_string_equal(s.good, consistent ? "1.root.json timestamp.json 1.snapshot.json 1.targets.json a.txt 1.a.json "
							 "dir/of a.txt 1.b.json empty of b 1.c.json 1.b.json 1.a.json "
							 "1.bin-0.json 1.bin-1.json 1.bin-2.json 1.bin-3.json "
							 "1.bin-4.json 1.bin-5.json 1.bin-6.json 1.bin-7.json " :
							 "1.root.json timestamp.json snapshot.json targets.json a.txt a.json "
							 "dir/of a.txt b.json empty of b c.json b.json a.json bin-0.json bin-1.json "
							 "bin-2.json bin-3.json bin-4.json bin-5.json bin-6.json bin-7.json ");
		assert_int_equal(s.result.n_metadata, 4 + 5 + 8);
		assert_int_equal(s.result.n_targets, 4);
		world_remove(&w);
	}
}

/* One thing goes wrong and is told without hiding what is behind; several are told together. */
static void drop_target(struct world *w, const char *path)
{
	char cmd_path[2 * SCRATCH_PATH_BYTES];

	snprintf(cmd_path, sizeof(cmd_path), "%s/repo/targets/%s", w->dir.path, path);
	assert_int_equal(unlink(cmd_path), 0);
}

static void overwrite_target(struct world *w, const char *path, const char *text)
{
	char name[2 * SCRATCH_PATH_BYTES];

	snprintf(name, sizeof(name), "repo/targets/%s", path);
	scratch_write(&w->dir, name, text, strlen(text));
}

static void all_failures_are_told(void **state)
{
	struct world w;
	struct seen s;

	world_make(&w, false);
	tufrepo_set_consistent(w.repo, false);
	make_graph(&w);
	tufrepo_set_expires(w.repo, "timestamp", "2025-01-01T00:00:00Z");
	tufrepo_set_expires(w.repo, "root", "2026-01-01T00:00:00Z"); /* not valid from that second on */
	tufrepo_set_expires(w.repo, "a", "2025-12-31T23:59:59Z");
	world_publish(&w);
	overwrite_target(&w, "a.txt", "other, and longer than it should be");
	overwrite_target(&w, "of b", "OF B");
	drop_target(&w, "dir/of a.txt");
	audit(&w, &s);
	ASSERT_FAILURES("all", &s, "1.root.json expired", "timestamp.json expired", "a.txt length", "a.json expired",
			"dir/of a.txt http-status", "of b digest", "a.json expired");
	assert_non_null(strstr(s.good, "snapshot.json targets.json b.json empty "));
	world_remove(&w);
}

static void bad_sig(struct tufrepo *r, const char *role, int key)
{
	tufrepo_signers(r, role, NULL, 0);
	tufrepo_sig(r, role, key, TUFREPO_SIG_WRONG);
}

static void refused_roles(void **state)
{
	static const struct {
		const char *name, *role;
		int key;
		const char *want[5];
	} cases[] = {
		{ "timestamp", "timestamp", 1,
		  { "timestamp.json threshold", "snapshot.json unchecked", "targets.json unchecked", NULL } },
		{ "snapshot", "snapshot", 2, { "1.snapshot.json threshold", "targets.json unchecked", NULL } },
		{ "targets", "targets", 3, { "1.targets.json threshold", NULL } },
		{ "delegated", "a", 10, { "1.a.json threshold", "1.a.json threshold", NULL } },
		{ "root", "root", 0,
		  { "1.root.json threshold", "timestamp.json unchecked", "snapshot.json unchecked", "targets.json unchecked", NULL } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world w;
		struct seen s;

		world_make(&w, false);
		make_graph(&w);
		bad_sig(w.repo, cases[i].role, cases[i].key);
		world_publish(&w);
		audit(&w, &s);
		assert_failures(cases[i].name, &s, cases[i].want);
		world_remove(&w);
	}
}

static void left_out_of_the_snapshot(void **state)
{
	struct world w;
	struct seen s;

	world_make(&w, false);
	make_graph(&w);
	add_bins(&w, 2);
	tufrepo_leave_out(w.repo, "a", true);
	tufrepo_leave_out(w.repo, "bin-2", true);
	world_publish(&w);
	audit(&w, &s);
	ASSERT_FAILURES("left out", &s, "a.json delegation", "a.json delegation", "bin delegation");
	assert_non_null(strstr(s.good, "1.bin-0.json 1.bin-1.json 1.bin-3.json "));
	world_remove(&w);
}

/* Three roots, of which the second has expired, which nobody minds. */
static void make_roots(struct world *w)
{
	world_publish(w);
	tufrepo_bump(w->repo, "root");
	tufrepo_set_expires(w->repo, "root", "2020-01-01T00:00:00Z");
	world_publish(w);
	tufrepo_bump(w->repo, "root");
	tufrepo_set_expires(w->repo, "root", TUFREPO_EXPIRES);
	world_publish(w);
}

static void roots(void **state)
{
	struct world w;
	struct seen s;
	struct err e;

	world_make(&w, false);
	make_roots(&w);
	audit(&w, &s);
	ASSERT_FAILURES("three", &s);
	assert_memory_equal(s.good, "1.root.json 2.root.json 3.root.json timestamp.json", 50);

	/* From the second on. */
	struct buf second = world_copy(&w, "2.root.json");

	s.stop_at = 0;
	assert_int_equal(audit_at(&w, w.now_sec, buf_bytes(&second), &s, &e), 0);
	ASSERT_FAILURES("from the second", &s);
	assert_memory_equal(s.good, "2.root.json 3.root.json timestamp.json", 38);

	/* A gap: clients stop before it, at an expired root. */
	tufrepo_put(w.repo, "3.root.json", (struct bytes){ 0 });
	tufrepo_put(w.repo, "5.root.json", buf_bytes(&second));
	tufrepo_put(w.repo, "11.root.json", buf_bytes(&second));
	world_write(&w);
	audit(&w, &s);
	ASSERT_FAILURES("gap", &s, "2.root.json expired", "5.root.json unchecked", "11.root.json unchecked");

	/* A root refused: nothing behind it can be checked. */
	tufrepo_put(w.repo, "3.root.json", buf_bytes(&second));
	world_write(&w);
	audit(&w, &s);
	ASSERT_FAILURES("refused", &s, "2.root.json expired", "3.root.json version", "5.root.json unchecked",
			"11.root.json unchecked", "timestamp.json unchecked", "snapshot.json unchecked", "targets.json unchecked");
	buf_fini(&second);
	world_remove(&w);
}

static void trusted_root_of_another_repository(void **state)
{
	struct world w, other;
	struct seen s = { 0 };
	struct err e;

	world_make(&w, false);
	world_publish(&w);
	world_make(&other, false);
	tufrepo_set_keys(other.repo, "root", (const int[]){ 50 }, 1, 1);
	world_publish(&other);
	assert_int_equal(audit_at(&w, w.now_sec, buf_bytes(&other.shipped), &s, &e), 0);
	ASSERT_FAILURES("another", &s, "1.root.json digest", "timestamp.json unchecked", "snapshot.json unchecked",
			"targets.json unchecked");
	assert_int_equal(audit_at(&w, w.now_sec, bytes_of("", 0), &s, &e), 0);
	ASSERT_FAILURES("empty", &s, "trusted root metadata", "timestamp.json unchecked", "snapshot.json unchecked",
			"targets.json unchecked");
	world_remove(&other);
	world_remove(&w);
}

static void the_end_of_a_walk(void **state)
{
	struct world w;
	struct seen s = { 0 };
	struct err e;

	world_make(&w, false);
	make_graph(&w);
	world_publish(&w);
	for (int n = 1; n <= 13; n++) {
		s.stop_at = n;
		assert_int_equal(audit_at(&w, w.now_sec, (struct bytes){ 0 }, &s, &e), n <= 12 ? -1 : 0);
		assert_true(n > 12 || strcmp(e.reason, "enough") == 0);
	}
	const struct tuf_audit_options nowhere = { .metadata_dir = "/nonexistent/metadata", .now_sec = w.now_sec };

	assert_int_equal(tuf_audit(&nowhere, note, &s, &s.result, &e), -1);
	assert_int_equal(e.kind, ERR_MISSING);
	const volatile sig_atomic_t stop = 1;
	char metadata[SCRATCH_PATH_BYTES + 32], targets[SCRATCH_PATH_BYTES + 32];

	snprintf(metadata, sizeof(metadata), "%s/repo/metadata", w.dir.path);
	snprintf(targets, sizeof(targets), "%s/repo/targets", w.dir.path);
	const struct tuf_audit_options stopped = {
		.metadata_dir = metadata, .targets_dir = targets, .now_sec = w.now_sec, .stop = &stop
	};

	s.stop_at = 0;
	assert_int_equal(tuf_audit(&stopped, note, &s, &s.result, &e), -1);
	assert_string_equal(e.reason, "interrupted");
	world_remove(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones),
		cmocka_unit_test(all_failures_are_told),
		cmocka_unit_test(refused_roles),
		cmocka_unit_test(left_out_of_the_snapshot),
		cmocka_unit_test(roots),
		cmocka_unit_test(trusted_root_of_another_repository),
		cmocka_unit_test(the_end_of_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
