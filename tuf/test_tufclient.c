/* The program as a script drives it: order of arguments, exit status, and what lies in its folders afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "tuf/test_world.h"

#define ARGS_MAX 32
#define NOW "2026-01-01T00:00:00Z" /* TUFREPO_NOW_SEC */

extern char **environ;

struct run {
	struct world w;
	char metadata_dir[SCRATCH_PATH_BYTES + 16], target_dir[SCRATCH_PATH_BYTES + 16], root[SCRATCH_PATH_BYTES + 16];
	char out[20000]; /* stdout of the last call */
};

static void set_up(struct run *r)
{
	world_make(&r->w, true);
	snprintf(r->metadata_dir, sizeof(r->metadata_dir), "%s/m", r->w.dir.path);
	snprintf(r->target_dir, sizeof(r->target_dir), "%s/t", r->w.dir.path);
	snprintf(r->root, sizeof(r->root), "%s/first.json", r->w.dir.path);
	assert_int_equal(mkdir(r->target_dir, 0755), 0);
}

static void publish(struct run *r)
{
	world_publish(&r->w);
	scratch_write(&r->w.dir, "first.json", r->w.shipped.p, r->w.shipped.n);
}

/* Exit status of the program with these arguments; a signal is -1. */
static int call(struct run *r, const char *const *args)
{
	const char *program = getenv("TUFCLIENT");
	char *argv[ARGS_MAX + 2] = { strdup(program ? program : "tuf/tufclient") };
	posix_spawn_file_actions_t files;
	pid_t pid;
	int status;
	size_t n;

	for (n = 0; args[n]; n++) {
		assert_true(n < ARGS_MAX);
		argv[n + 1] = strdup(args[n]);
	}
	assert_int_equal(setenv("no_proxy", "127.0.0.1", 1), 0);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 1, scratch_path(&r->w.dir, "out"), O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(posix_spawn(&pid, argv[0], &files, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&files);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (n = 0; argv[n]; n++)
		free(argv[n]);
	FILE *f = fopen(scratch_path(&r->w.dir, "out"), "r");

	assert_non_null(f);
	r->out[fread(r->out, 1, sizeof(r->out) - 1, f)] = 0;
	fclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define CALL(r, ...) call((r), (const char *const[]){ __VA_ARGS__, NULL })

static int init(struct run *r)
{
	return CALL(r, "--metadata-dir", r->metadata_dir, "--quiet", "init", r->root);
}

static int refresh(struct run *r)
{
	return CALL(r, "--metadata-url", r->w.metadata_url, "--metadata-dir", r->metadata_dir, "--time", NOW, "refresh");
}

static int download(struct run *r, const char *name, const char *name2)
{
	return CALL(r, "--metadata-url", r->w.metadata_url, "--metadata-dir", r->metadata_dir, "--time", NOW, "--target-name", name,
		    "--target-name", name2, "--target-dir", r->target_dir, "--target-base-url", r->w.targets_url, "download");
}

static size_t n_targets(const struct run *r)
{
	struct scratch s = { .fd = -1 };

	snprintf(s.path, sizeof(s.path), "%.250s", r->target_dir);
	return scratch_entries(&s);
}

static bool has_target(const struct run *r, const char *file, const char *content)
{
	char path[512];

	snprintf(path, sizeof(path), "t/%s", file);
	return scratch_holds(&r->w.dir, path, content, strlen(content));
}

static void tear_down(struct run *r)
{
	world_remove(&r->w);
}

static void options_stand_anywhere(void **state)
{
	struct run r;

	(void)state;
	set_up(&r);
	publish(&r);
	assert_int_equal(init(&r), 0);
	assert_string_equal(r.out, "");
	assert_string_equal(world_requests(&r.w), ""); /* init asks for nothing */
	assert_int_equal(refresh(&r), 0);
	assert_string_equal(world_requests(&r.w), "metadata/2.root.json metadata/timestamp.json metadata/1.snapshot.json "
						  "metadata/1.targets.json");
	assert_int_equal(CALL(&r, "refresh", "--metadata-dir", r.metadata_dir, "--time=" NOW, "--metadata-url", r.w.metadata_url), 0);
	assert_string_equal(world_requests(&r.w), "metadata/2.root.json metadata/timestamp.json");
	tear_down(&r);
}

/* A final slash of a base URL, escapes in it, and none. */
static void base_urls_as_they_are(void **state)
{
	struct run r;
	char url[600];

	(void)state;
	set_up(&r);
	publish(&r);
	assert_int_equal(init(&r), 0);
	snprintf(url, sizeof(url), "%s/%%6Detadata/", httpd_url(r.w.h));
	assert_int_equal(CALL(&r, "--metadata-url", url, "--metadata-dir", r.metadata_dir, "--time", NOW, "refresh"), 0);
	assert_non_null(strstr(world_requests(&r.w), "%6Detadata/2.root.json %6Detadata/timestamp.json"));
	tear_down(&r);
}

static void every_failure_ends_with_one(void **state)
{
	struct run r;

	(void)state;
	set_up(&r);
	publish(&r);
	assert_int_equal(CALL(&r, "--nonsense"), 1);
	assert_int_equal(CALL(&r, "nonsense"), 1);
	assert_int_equal(CALL(&r, "refresh"), 1);
	assert_int_equal(CALL(&r, "init"), 1);
	assert_int_equal(CALL(&r, "init", r.root), 1);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "init", "/none"), 1);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "info"), 1);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "list"), 1);
	assert_int_equal(refresh(&r), 1); /* no root */
	assert_string_equal(world_requests(&r.w), "");
	assert_int_equal(init(&r), 0);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "refresh"), 1);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "--metadata-url", r.w.metadata_url, "--time", "now", "refresh"), 1);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "--metadata-url", r.w.metadata_url, "--log-level", "x", "refresh"), 1);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "--metadata-url", r.w.metadata_url, "--https-only", "refresh"), 1);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "--metadata-url", r.w.metadata_url, "download"), 1);
	assert_string_equal(world_requests(&r.w), "");
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "--metadata-url", r.w.metadata_url, "--time",
			      "2030-01-01T00:00:00Z", "refresh"), 1);
	assert_int_equal(CALL(&r, "--help"), 0);
	assert_int_equal(CALL(&r, "--version"), 0);
	tear_down(&r);
}

static void a_first_root_not_signed_by_itself(void **state)
{
	struct run r;

	(void)state;
	set_up(&r);
	tufrepo_sig(r.w.repo, "root", 0, TUFREPO_SIG_WRONG);
	publish(&r);
	assert_int_equal(init(&r), 1);
	assert_int_equal(refresh(&r), 1);
	/* Put there by other means it is no better. */
	scratch_write(&r.w.dir, "m/root.json", r.w.shipped.p, r.w.shipped.n);
	assert_int_equal(refresh(&r), 1);
	assert_string_equal(world_requests(&r.w), "");
	tear_down(&r);
}

static void a_bad_root_is_told_even_if_a_good_one_is_stored(void **state)
{
	struct run r;

	(void)state;
	set_up(&r);
	publish(&r);
	assert_int_equal(init(&r), 0);
	scratch_write(&r.w.dir, "first.json", "{}", 2);
	assert_int_equal(init(&r), 1);
	assert_int_equal(refresh(&r), 0);
	tear_down(&r);
}

static void downloads(void **state)
{
	struct run r;

	(void)state;
	set_up(&r);
	tufrepo_add_target(r.w.repo, "targets", "x/../b c.txt", bytes_of_str("second"));
	publish(&r);
	assert_int_equal(init(&r), 0);
	/* What the file system would make of such a path must not matter: the server is told what to give. */
	httpd_add(r.w.h, (struct httpd_rule){ .path = "/targets/x/*", .status = 200, .body = bytes_of_str("second") });
	assert_int_equal(download(&r, "a.txt", "x/../b c.txt"), 0);
	assert_true(has_target(&r, "a.txt", TARGET_TEXT));
	assert_true(has_target(&r, "x%2F..%2Fb%20c.txt", "second"));
	assert_int_equal(n_targets(&r), 2);
	world_requests(&r.w);

	/* Unchanged: not asked for again. */
	assert_int_equal(download(&r, "a.txt", "x/../b c.txt"), 0);
	assert_string_equal(world_requests(&r.w), "metadata/2.root.json metadata/timestamp.json");

	/* Changed here, to the same length: repaired. */
	scratch_write(&r.w.dir, "t/a.txt", "THE TARGET'S CONTENT\n", strlen(TARGET_TEXT));
	assert_int_equal(download(&r, "a.txt", "a.txt"), 0);
	assert_true(has_target(&r, "a.txt", TARGET_TEXT));

	/* Changed there: replaced. */
	tufrepo_add_target(r.w.repo, "targets", "a.txt", bytes_of_str("new"));
	tufrepo_bump(r.w.repo, "targets");
	world_publish(&r.w);
	assert_int_equal(download(&r, "a.txt", "a.txt"), 0);
	assert_true(has_target(&r, "a.txt", "new"));
	assert_int_equal(n_targets(&r), 2);
	tear_down(&r);
}

static void a_failed_download_leaves_what_was_there(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule rule;
	} cases[] = {
		{ "substituted", { .body = { (const uint8_t *)"NEW", 3 } } },
		{ "too long", { .body = { (const uint8_t *)"newer", 5 } } },
		{ "too short", { .body = { (const uint8_t *)"ne", 2 } } },
		{ "404", { .status = 404 } },
		{ "closed", { .act = HTTPD_CUT, .n = 1, .no_range = true } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd_rule rule = cases[i].rule;
		struct run r;

		set_up(&r);
		publish(&r);
		assert_case(cases[i].name, init(&r) == 0 && download(&r, "a.txt", "a.txt") == 0);
		tufrepo_add_target(r.w.repo, "targets", "a.txt", bytes_of_str("new"));
		tufrepo_add_target(r.w.repo, "targets", "b.txt", bytes_of_str("second"));
		tufrepo_bump(r.w.repo, "targets");
		world_publish(&r.w);
		rule.path = "/targets/*";
		rule.status = rule.status ? rule.status : 200;
		httpd_add(r.w.h, rule);
		assert_case(cases[i].name, download(&r, "a.txt", "b.txt") == 1);
		assert_case(cases[i].name, has_target(&r, "a.txt", TARGET_TEXT));
		assert_case(cases[i].name, n_targets(&r) == 1); /* it stopped there, and left nothing else */
		tear_down(&r);
	}
}

static void targets_before_a_missing_one_stay(void **state)
{
	struct run r;

	(void)state;
	set_up(&r);
	publish(&r);
	assert_int_equal(init(&r), 0);
	assert_int_equal(download(&r, "a.txt", "none"), 1);
	assert_true(has_target(&r, "a.txt", TARGET_TEXT));
	assert_int_equal(n_targets(&r), 1);
	tear_down(&r);
}

static void paths_that_no_file_can_have(void **state)
{
	static const char *const paths[] = { ".", ".." };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct run r;

		set_up(&r);
		tufrepo_add_target(r.w.repo, "targets", paths[i], bytes_of(NULL, 0));
		publish(&r);
		assert_case(paths[i], init(&r) == 0);
		assert_case(paths[i], download(&r, paths[i], paths[i]) == 1);
		assert_case(paths[i], strstr(world_requests(&r.w), " targets/") == NULL);
		assert_case(paths[i], n_targets(&r) == 0);
		tear_down(&r);
	}
}

/* A link in the folder is not followed, neither to read nor to write. */
static void a_link_is_replaced(void **state)
{
	struct run r;

	(void)state;
	set_up(&r);
	publish(&r);
	scratch_write(&r.w.dir, "elsewhere", TARGET_TEXT, strlen(TARGET_TEXT));
	assert_int_equal(symlinkat("../elsewhere", r.w.dir.fd, "t/a.txt"), 0);
	assert_int_equal(init(&r), 0);
	assert_int_equal(download(&r, "a.txt", "a.txt"), 0);
	struct stat st;

	assert_int_equal(fstatat(r.w.dir.fd, "t/a.txt", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	tear_down(&r);
}

static void answers_in_json(void **state)
{
	struct run r;

	(void)state;
	set_up(&r);
	publish(&r);
	assert_int_equal(init(&r), 0);
	assert_int_equal(CALL(&r, "--json", "--metadata-url", r.w.metadata_url, "--metadata-dir", r.metadata_dir, "--time", NOW, "refresh"), 0);
	json_t *j = json_loads(r.out, 0, NULL);

	assert_int_equal(json_integer_value(json_object_get(j, "root_version")), 1);
	assert_int_equal(json_integer_value(json_object_get(j, "targets_version")), 1);
	assert_string_equal(json_string_value(json_object_get(j, "expires")), TUFREPO_EXPIRES);
	json_decref(j);

	assert_int_equal(CALL(&r, "--json", "--metadata-dir", r.metadata_dir, "info"), 0);
	j = json_loads(r.out, 0, NULL);
	assert_true(json_is_true(json_object_get(j, "consistent_snapshot")));
	assert_int_equal(json_array_size(json_object_get(j, "roles")), 4);
	json_decref(j);

	assert_int_equal(CALL(&r, "--json", "--metadata-dir", r.metadata_dir, "list"), 0);
	j = json_loads(r.out, 0, NULL);
	const json_t *first = json_array_get(json_object_get(j, "targets"), 0);

	assert_string_equal(json_string_value(json_object_get(first, "path")), "a.txt");
	assert_int_equal(json_integer_value(json_object_get(first, "length")), strlen(TARGET_TEXT));
	json_decref(j);

	assert_int_equal(CALL(&r, "--json", "--metadata-dir", r.metadata_dir, "refresh"), 1);
	j = json_loads(r.out, 0, NULL);
	assert_string_equal(json_string_value(json_object_get(json_object_get(j, "error"), "kind")), "usage");
	json_decref(j);
	tear_down(&r);
}

/* targets -> pkg -> bins, with a target in each; the bins only once a lookup has led there. */
static void list_follows_what_is_stored(void **state)
{
	struct run r;

	(void)state;
	set_up(&r);
	tufrepo_delegate(r.w.repo, (struct tufrepo_delegation){
					   .from = "targets", .name = "pkg", .paths = (const char *const[]){ "p*", NULL }, .key = 10 });
	tufrepo_add_bins(r.w.repo, "pkg", "bin", 1, 11);
	tufrepo_add_target(r.w.repo, "pkg", "p1", bytes_of_str("one"));
	tufrepo_add_target(r.w.repo, "bin-0", "p-in-a-bin", bytes_of_str("two"));
	tufrepo_add_target(r.w.repo, "bin-1", "p-in-a-bin", bytes_of_str("two"));
	publish(&r);
	assert_int_equal(init(&r), 0);
	assert_int_equal(refresh(&r), 0);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "list"), 0);
	assert_string_equal(r.out, "          21  a.txt\nrole pkg (not stored): p*\n");
	assert_int_equal(download(&r, "p1", "p-in-a-bin"), 0);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "list"), 0);
	assert_memory_equal(r.out, "          21  a.txt\nrole pkg: p*\n           3  p1\nbins bin: 2 roles\nbin bin-", 74);
	assert_non_null(strstr(r.out, ":\n           3  p-in-a-bin\n"));
	world_requests(&r.w);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "--json", "list"), 0);
	assert_string_equal(world_requests(&r.w), "");
	json_t *j = json_loads(r.out, 0, NULL), *targets = json_object_get(j, "targets");

	assert_int_equal(json_array_size(targets), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(targets, 1), "role")), "pkg");
	assert_true(json_is_true(json_object_get(json_array_get(json_object_get(j, "delegations"), 0), "stored")));
	assert_int_equal(json_array_size(json_object_get(j, "bins")), 1);
	json_decref(j);
	tear_down(&r);
}

static void verify_a_repository(void **state)
{
	struct run r;
	char repo[SCRATCH_PATH_BYTES + 16];

	(void)state;
	set_up(&r);
	tufrepo_set_consistent(r.w.repo, false);
	publish(&r);
	snprintf(repo, sizeof(repo), "%s/repo", r.w.dir.path);
	assert_int_equal(CALL(&r, "verify", repo, "--time", NOW), 0);
	assert_string_equal(r.out, "4 metadata files and 1 targets checked, 0 failed\n");
	assert_int_equal(CALL(&r, "verify", repo, "--time", NOW, "--root", r.root), 0);
	assert_int_equal(CALL(&r, "verify", repo, "--time", NOW, "--quiet"), 0);
	assert_string_equal(r.out, "");

	/* All four have expired, and the target is another. */
	scratch_write(&r.w.dir, "repo/targets/a.txt", "x", 1);
	assert_int_equal(CALL(&r, "verify", repo, "--time", TUFREPO_EXPIRES, "--json"), 1);
	json_t *j = json_loads(r.out, 0, NULL), *failures = json_object_get(j, "failures");

	assert_int_equal(json_integer_value(json_object_get(j, "metadata_files")), 4);
	assert_int_equal(json_array_size(failures), 5);
	assert_string_equal(json_string_value(json_object_get(json_array_get(failures, 0), "reason")), "expired");
	assert_string_equal(json_string_value(json_object_get(json_array_get(failures, 4), "target")), "a.txt");
	assert_string_equal(json_string_value(json_object_get(json_array_get(failures, 4), "reason")), "length");
	json_decref(j);
	scratch_write(&r.w.dir, "first.json", "", 0);
	assert_int_equal(CALL(&r, "verify", repo, "--time", NOW, "--root", r.root), 1);
	assert_int_equal(CALL(&r, "verify", repo, "--time", NOW, "--root", "/nonexistent"), 1);
	assert_int_equal(CALL(&r, "verify", "/nonexistent", "--time", NOW), 1);
	assert_int_equal(CALL(&r, "verify"), 1);
	assert_int_equal(CALL(&r, "--metadata-dir", r.metadata_dir, "--root", r.root, "info"), 1); /* not an option of info */
	tear_down(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_stand_anywhere),
		cmocka_unit_test(base_urls_as_they_are),
		cmocka_unit_test(every_failure_ends_with_one),
		cmocka_unit_test(a_first_root_not_signed_by_itself),
		cmocka_unit_test(a_bad_root_is_told_even_if_a_good_one_is_stored),
		cmocka_unit_test(downloads),
		cmocka_unit_test(a_failed_download_leaves_what_was_there),
		cmocka_unit_test(targets_before_a_missing_one_stay),
		cmocka_unit_test(paths_that_no_file_can_have),
		cmocka_unit_test(a_link_is_replaced),
		cmocka_unit_test(answers_in_json),
		cmocka_unit_test(list_follows_what_is_stored),
		cmocka_unit_test(verify_a_repository),
	};

	return cmocka_run_group_tests_name("tuf/tufclient", tests, NULL, NULL);
}
