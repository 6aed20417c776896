/*
 * Each call of the system that base/file.c makes fails once, and every step is cut off by power once: the old
 * state or the new is on disk, the error is told, and nothing is left behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/fault.h"
#include "test-fixtures/harness/scratch.h"

static const char old_text[] = "the old content", new_text[] = "the new content, which is longer";

static struct bytes new_bytes(void)
{
	return bytes_of(new_text, strlen(new_text));
}

static bool is_old(const struct scratch *s)
{
	return scratch_holds(s, "file", old_text, strlen(old_text));
}

static bool is_new(const struct scratch *s)
{
	return scratch_holds(s, "file", new_text, strlen(new_text));
}

static int replace(const struct scratch *s, struct err *e)
{
	return file_replace(s->fd, "file", new_bytes(), 0644, e);
}

static int draft(const struct scratch *s, struct err *e)
{
	CLEANUP(file_draft_free_p) struct file_draft *f = NULL;

	if (file_draft_new(s->fd, "file", 0644, &f, e) < 0 || file_draft_write(f, new_text, 10, e) < 0 ||
	    file_draft_write(f, new_text + 10, strlen(new_text) - 10, e) < 0)
		return -1;
	return file_draft_commit(f, e);
}

static int flip(const struct scratch *s, struct err *e)
{
	return file_flip_link(s->fd, "link", "new", e);
}

static bool link_is(const struct scratch *s, const char *target)
{
	char got[64] = "";
	const ssize_t n = readlinkat(s->fd, "link", got, sizeof(got) - 1);

	return n == (ssize_t)strlen(target) && memcmp(got, target, (size_t)n) == 0;
}

static bool link_is_old(const struct scratch *s)
{
	return link_is(s, "old");
}

static bool link_is_new(const struct scratch *s)
{
	return link_is(s, "new");
}

static int remove_file(const struct scratch *s, struct err *e)
{
	return file_remove(s->fd, "file", e);
}

static bool is_gone(const struct scratch *s)
{
	return faccessat(s->fd, "file", F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT;
}

static int make_dirs(const struct scratch *s, struct err *e)
{
	char path[SCRATCH_PATH_BYTES + 16];

	snprintf(path, sizeof(path), "%s/a/b/c", s->path);
	return file_make_dirs(path, 0755, e);
}

static bool has_dirs(const struct scratch *s)
{
	struct stat st;

	return fstatat(s->fd, "a/b/c", &st, 0) == 0 && S_ISDIR(st.st_mode);
}

static bool lacks_dirs(const struct scratch *s)
{
	return !has_dirs(s);
}

/* The state before: file, link. Each step below is one change of it, seen as a whole or not at all. */
static const struct step {
	const char *name;
	int (*run)(const struct scratch *s, struct err *e);
	bool (*is_old)(const struct scratch *s);
	bool (*is_new)(const struct scratch *s);
} steps[] = {
	{ "replace", replace, is_old, is_new },
	{ "draft", draft, is_old, is_new },
	{ "flip", flip, link_is_old, link_is_new },
	{ "remove", remove_file, is_old, is_gone },
	{ "make dirs", make_dirs, lacks_dirs, has_dirs },
};

static void set_up(struct scratch *s)
{
	scratch_make(s);
	scratch_write(s, "file", old_text, strlen(old_text));
	assert_int_equal(symlinkat("old", s->fd, "link"), 0);
}

/* Entries with a temporary name. */
static size_t leftovers(const struct scratch *s, const struct step *step)
{
	const size_t n = scratch_entries(s) + (step->run == remove_file && is_gone(s) ? 1 : 0);
	struct stat st;

	return n - 2 - (fstatat(s->fd, "a", &st, 0) == 0);
}

/* Return: false when the step has no @nth call of this kind. */
static bool fail_once(const struct step *step, enum fault_kind kind, unsigned int nth)
{
	struct err e = { 0 };
	struct scratch s;
	char name[64];

	snprintf(name, sizeof(name), "%s, %s %u", step->name, fault_name(kind), nth);
	set_up(&s);
	const size_t fds = fault_open_fds();
	fault_arm(kind, nth, kind == FAULT_MEMORY ? ENOMEM : EIO);
	const int r = step->run(&s, &e);
	const bool hit = fault_disarm();

	assert_case(name, hit ? r == -1 && e.kind == ERR_SYSTEM && e.msg[0] : r == 0);
	assert_case(name, !hit || e.sys == (kind == FAULT_MEMORY ? ENOMEM : EIO));
	assert_case(name, hit ? step->is_old(&s) || step->is_new(&s) : step->is_new(&s));
	assert_case(name, leftovers(&s, step) == 0);
	assert_case(name, fault_open_fds() == fds);

	/* I8: a second attempt is like a first. */
	assert_case(name, step->run(&s, &e) == 0);
	assert_case(name, step->is_new(&s) && leftovers(&s, step) == 0);
	scratch_remove(&s);
	return hit;
}

static void test_each_call_fails(void **state)
{
	unsigned int n_hits = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		for (enum fault_kind kind = 0; kind < FAULT_KINDS; kind++)
			for (unsigned int nth = 1; fail_once(&steps[i], kind, nth); nth++)
				n_hits++;
	/* Opens, writes, flushes, renames, mkdirs, twice each because FAULT_SYS finds them again. */
	assert_true(n_hits > 50);
}

/* From the N-th call on nothing reaches the disk any more; the temporary name may stay. */
static void test_power_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		bool hit = true;

		for (unsigned int nth = 1; hit; nth++) {
			struct err e = { 0 };
			struct scratch s;

			set_up(&s);
			fault_arm_from(FAULT_SYS, nth, EIO);
			const int r = steps[i].run(&s, &e);
			hit = fault_disarm();
			assert_case(steps[i].name, r == (hit ? -1 : 0));
			assert_case(steps[i].name, steps[i].is_old(&s) || steps[i].is_new(&s));
			assert_case(steps[i].name, leftovers(&s, &steps[i]) <= 1);
			assert_case(steps[i].name, steps[i].run(&s, &e) == 0 && steps[i].is_new(&s));
			scratch_remove(&s);
		}
	}
}

/* Before the rename, all the content has been flushed: the N-th flush is the content's, so the old file must
 * still be there. */
static void test_content_is_flushed_first(void **state)
{
	struct err e = { 0 };
	struct scratch s;

	(void)state;
	set_up(&s);
	fault_arm(FAULT_FSYNC, 1, EIO);
	assert_int_equal(replace(&s, &e), -1);
	assert_true(fault_disarm());
	assert_true(is_old(&s));
	fault_arm(FAULT_FSYNC, 2, EIO);
	assert_int_equal(replace(&s, &e), -1);
	assert_true(fault_disarm());
	assert_true(is_new(&s)); /* the directory's: too late to be undone, too early to be promised */
	scratch_remove(&s);
}

/* Each change of a directory is flushed, and each file's content; fsync is the only proof of it that a test can see. */
static void test_number_of_flushes(void **state)
{
	static const unsigned int want[] = { 2, 2, 1, 1, 3 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		unsigned int n = 0;

		while (fail_once(&steps[i], FAULT_FSYNC, n + 1))
			n++;
		assert_case(steps[i].name, n == want[i]);
	}
}

/* A directory whose entry was not flushed is taken back, or the next attempt would believe it safe. */
static void test_unflushed_directory_is_taken_back(void **state)
{
	static const char *const paths[] = { "a", "a/b", "a/b/c" };

	(void)state;
	for (unsigned int nth = 1; nth <= ARRAY_LEN(paths); nth++) {
		struct err e = { 0 };
		struct scratch s;

		scratch_make(&s);
		fault_arm(FAULT_FSYNC, nth, EIO);
		assert_int_equal(make_dirs(&s, &e), -1);
		assert_true(fault_disarm());
		for (unsigned int i = 0; i < ARRAY_LEN(paths); i++)
			assert_case(paths[i], (faccessat(s.fd, paths[i], F_OK, 0) == 0) == (i + 1 < nth));
		scratch_remove(&s);
	}
}

/* A caller that overlooks a failure cannot place half a file. */
static void test_failed_draft_is_not_placed(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_WRITE, FAULT_FSYNC };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		CLEANUP(file_draft_free_p) struct file_draft *f = NULL;
		struct err e = { 0 };
		struct scratch s;

		set_up(&s);
		assert_int_equal(file_draft_new(s.fd, "file", 0644, &f, &e), 0);
		fault_arm(kinds[i], 1, EIO);
		const int written = file_draft_write(f, "abc", 3, &e);
		assert_int_equal(written, kinds[i] == FAULT_WRITE ? -1 : 0);
		assert_int_equal(file_draft_commit(f, &e), -1);
		assert_true(fault_disarm());
		assert_int_equal(file_draft_commit(f, &e), -1);
		assert_int_equal(e.kind, ERR_BUG);
		assert_true(is_old(&s));
		file_draft_free(TAKE(f));
		scratch_remove(&s);
	}
}

/* The size alone is enough to refuse. */
static void test_large_file_is_not_read(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1024);
	struct err e = { 0 };
	struct scratch s;

	(void)state;
	set_up(&s);
	assert_int_equal(truncate(scratch_path(&s, "file"), 1025), 0);
	fault_arm(FAULT_READ, 1, EIO);
	assert_int_equal(file_read(s.fd, "file", &b, &e), -1);
	assert_false(fault_disarm());
	assert_string_equal(e.reason, "limit");
	scratch_remove(&s);
}

static void test_short_transfers(void **state)
{
	CLEANUP(buf_fini) struct buf got = BUF_INIT(4096);
	struct err e = { 0 };
	struct scratch s;
	char back[sizeof(new_text)];

	(void)state;
	set_up(&s);
	fault_short(1);
	assert_int_equal(replace(&s, &e), 0);
	assert_true(is_new(&s));
	assert_int_equal(file_read(s.fd, "file", &got, &e), 0);
	assert_true(bytes_equal(buf_bytes(&got), new_bytes()));

	CLEANUP(close_p) int fd = openat(s.fd, "file", O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(file_pwrite_all(fd, "OLD", 3, 4, "file", &e), 0);
	assert_int_equal(file_pread_all(fd, back, 11, 4, "file", &e), 0);
	assert_memory_equal(back, "OLD content", 11);
	fault_short(0);
	scratch_remove(&s);
}

/* Readers: the error is told and what was there before stays. */
static void test_failed_reads(void **state)
{
	CLEANUP(buf_fini) struct buf got = BUF_INIT(4096);
	struct err e = { 0 };
	struct scratch s;
	char back[4];

	(void)state;
	set_up(&s);
	fault_short(5);
	assert_int_equal(buf_append_str(&got, "before", &e), 0);
	const size_t fds = fault_open_fds();
	for (enum fault_kind kind = FAULT_OPEN; kind <= FAULT_READ; kind++)
		for (unsigned int nth = 1;; nth++) {
			fault_arm(kind, nth, EIO);
			const int r = file_read(s.fd, "file", &got, &e);
			if (!fault_disarm()) {
				assert_int_equal(r, 0);
				got.n = strlen("before");
				break;
			}
			assert_int_equal(r, -1);
			assert_int_equal(e.kind, ERR_SYSTEM);
			assert_int_equal(e.sys, EIO);
			assert_int_equal(got.n, strlen("before"));
			assert_int_equal(fault_open_fds(), fds);
		}
	fault_short(0);

	CLEANUP(close_p) int fd = openat(s.fd, "file", O_RDWR | O_CLOEXEC);
	fault_arm(FAULT_PREAD, 1, EIO);
	assert_int_equal(file_pread_all(fd, back, 4, 0, "file", &e), -1);
	assert_true(fault_disarm());
	assert_int_equal(e.sys, EIO);
	fault_arm(FAULT_PWRITE, 1, ENOSPC);
	assert_int_equal(file_pwrite_all(fd, back, 4, 0, "file", &e), -1);
	assert_true(fault_disarm());
	assert_int_equal(e.sys, ENOSPC);
	scratch_remove(&s);
}

/* A full disk keeps the process number out of the lock file, not the lock from its taker. */
static void test_lock_without_a_number(void **state)
{
	CLEANUP(close_p) int first = -1;
	struct err e = { 0 };
	struct scratch s;
	int second = -1;

	(void)state;
	scratch_make(&s);
	fault_arm(FAULT_PWRITE, 1, ENOSPC);
	assert_int_equal(file_lock(scratch_path(&s, "lock"), &first, &e), 0);
	assert_true(fault_disarm());
	assert_int_equal(file_lock(scratch_path(&s, "lock"), &second, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(second, -1);
	fault_arm(FAULT_OPEN, 1, EACCES);
	assert_int_equal(file_lock(scratch_path(&s, "lock"), &second, &e), -1);
	assert_true(fault_disarm());
	assert_int_equal(e.kind, ERR_SYSTEM);
	scratch_remove(&s);
}

/* The rest of base/ that allocates. */
static int allocate(struct err *e)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(100000);
	CLEANUP(digest_free_p) struct digest_ctx *d = NULL;
	CLEANUP(json_decref_p) json_t *j = NULL;

	if (buf_append_str(&b, "{\"a\": [1, 2, 3]}", e) < 0 || json_load_bytes(buf_bytes(&b), &j, e) < 0)
		return -1;
	for (int i = 0; i < 100; i++)
		if (json_to_buf(j, &b, e) < 0)
			return -1;
	return digest_new(DIGEST_SHA256, &d, e);
}

static void test_memory_runs_out(void **state)
{
	unsigned int nth = 1;

	(void)state;
	for (;; nth++) {
		struct err e = { 0 };

		fault_arm(FAULT_MEMORY, nth, ENOMEM);
		const int r = allocate(&e);
		if (!fault_disarm()) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -1);
		assert_int_equal(e.kind, ERR_SYSTEM);
		assert_string_equal(e.reason, "memory");
	}
	assert_true(nth > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_fails),
		cmocka_unit_test(test_power_cut),
		cmocka_unit_test(test_content_is_flushed_first),
		cmocka_unit_test(test_number_of_flushes),
		cmocka_unit_test(test_unflushed_directory_is_taken_back),
		cmocka_unit_test(test_failed_draft_is_not_placed),
		cmocka_unit_test(test_large_file_is_not_read),
		cmocka_unit_test(test_short_transfers),
		cmocka_unit_test(test_failed_reads),
		cmocka_unit_test(test_lock_without_a_number),
		cmocka_unit_test(test_memory_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
