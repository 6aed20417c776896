#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/scratch.h"

static struct scratch s;

static int set_up(void **state)
{
	(void)state;
	scratch_make(&s);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(&s);
	return 0;
}

static void test_safe_names(void **state)
{
	char name[NAME_MAX + 2];
	static const struct {
		const char *name;
		bool safe;
	} cases[] = {
		{ "a", true },	    { "1.root.json", true }, { "...", true },	 { ".a", true },     { "a b", true },
		{ "\xc3\xa9", true }, { "-rf", true },	     { "", false },	 { ".", false },     { "..", false },
		{ "/", false },	    { "a/b", false },	     { "a/", false },	 { "/a", false },    { "../a", false },
		{ "a\n", false },   { "\t", false },	     { "a\177", false }, { "\033[2J", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_case(cases[i].name, file_name_is_safe(cases[i].name) == cases[i].safe);
	memset(name, 'n', sizeof(name));
	name[NAME_MAX + 1] = '\0';
	assert_false(file_name_is_safe(name));
	name[NAME_MAX] = '\0';
	assert_true(file_name_is_safe(name));
	name[NAME_MAX - 1] = '\0';
	assert_true(file_name_is_safe(name));
	for (int c = 1; c < 0x20; c++) {
		name[3] = (char)c;
		assert_false(file_name_is_safe(name));
	}
}

static void test_read_limits(void **state)
{
	static const struct {
		const char *name;
		size_t max;
		int ret;
	} cases[] = {
		{ "one less", 9, -1 },
		{ "exact", 10, 0 },
		{ "one more", 11, 0 },
		{ "none", 0, -1 },
	};

	(void)state;
	scratch_write(&s, "ten", "0123456789", 10);
	scratch_write(&s, "empty", "", 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(cases[i].max);
		struct err e = { 0 };

		assert_case(cases[i].name, file_read(s.fd, "ten", &b, &e) == cases[i].ret);
		if (cases[i].ret < 0)
			assert_case(cases[i].name, e.kind == ERR_FORMAT && strcmp(e.reason, "limit") == 0 && b.n == 0);
		else
			assert_case(cases[i].name, b.n == 10 && memcmp(b.p, "0123456789", 10) == 0);
		assert_case(cases[i].name, file_read(s.fd, "empty", &(struct buf){ .max = 0 }, &e) == 0);
	}
}

/* It is appended, and what was there counts. */
static void test_read_appends(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(25);
	struct err e = { 0 };

	(void)state;
	scratch_write(&s, "ten", "0123456789", 10);
	assert_int_equal(file_read(s.fd, "ten", &b, &e), 0);
	assert_int_equal(file_read(AT_FDCWD, scratch_path(&s, "ten"), &b, &e), 0);
	assert_int_equal(file_read(s.fd, "ten", &b, &e), -1);
	assert_int_equal(b.n, 20);
}

static void test_read_large(void **state)
{
	static uint8_t content[300000];
	CLEANUP(buf_fini) struct buf b = BUF_INIT(sizeof(content));
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i * 7919 >> 8);
	scratch_write(&s, "large", content, sizeof(content));
	assert_int_equal(file_read(s.fd, "large", &b, &e), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_of(content, sizeof(content))));
}

/* Its size is 0 in stat, and still it has content, and a limit. */
static void test_read_proc(void **state)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(4096);
	CLEANUP(buf_fini) struct buf tiny = BUF_INIT(4);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/stat", &b, &e), 0);
	assert_true(b.n > 10);
	assert_int_equal(file_read(AT_FDCWD, "/proc/self/stat", &tiny, &e), -1);
	assert_string_equal(e.reason, "limit");
	assert_int_equal(tiny.n, 0);
}

static void test_read_refuses(void **state)
{
	static const struct {
		const char *name;
		enum err_kind kind;
	} cases[] = {
		{ "none", ERR_MISSING },	{ "none/none", ERR_MISSING }, { "fifo", ERR_SYSTEM }, { "folder", ERR_SYSTEM },
		{ "link", ERR_SYSTEM },		{ "dangling", ERR_SYSTEM },   { "", ERR_MISSING },   { "file/x", ERR_SYSTEM },
		{ "/dev/zero", ERR_SYSTEM },	{ "socket/", ERR_MISSING },
	};

	(void)state;
	scratch_write(&s, "file", "x", 1);
	assert_int_equal(mkfifoat(s.fd, "fifo", 0600), 0);
	assert_int_equal(mkdirat(s.fd, "folder", 0700), 0);
	assert_int_equal(symlinkat("file", s.fd, "link"), 0);
	assert_int_equal(symlinkat("nowhere", s.fd, "dangling"), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(100);
		struct err e = { 0 };

		assert_case(cases[i].name, file_read(s.fd, cases[i].name, &b, &e) == -1);
		assert_case(cases[i].name, e.kind == cases[i].kind && b.n == 0);
	}
}

static void test_replace(void **state)
{
	char longest[NAME_MAX + 1];
	struct err e = { 0 };
	struct stat st;

	(void)state;
	umask(022);
	assert_int_equal(file_replace(s.fd, "new", bytes_of_str("one"), 0640, &e), 0);
	assert_true(scratch_holds(&s, "new", "one", 3));
	assert_int_equal(fstatat(s.fd, "new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(file_replace(s.fd, "new", bytes_of_str("two, longer"), 0666, &e), 0);
	assert_true(scratch_holds(&s, "new", "two, longer", 11));
	assert_int_equal(fstatat(s.fd, "new", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(file_replace(AT_FDCWD, scratch_path(&s, "new"), bytes_of(NULL, 0), 0600, &e), 0);
	assert_true(scratch_holds(&s, "new", "", 0));

	memset(longest, 'n', NAME_MAX);
	longest[NAME_MAX] = '\0';
	assert_int_equal(file_replace(s.fd, longest, bytes_of_str("x"), 0600, &e), 0);
	assert_true(scratch_holds(&s, longest, "x", 1));
	assert_int_equal(scratch_entries(&s), 2); /* nothing temporary stays */
}

/* A link under the name is replaced, not followed: what it points at is not ours to write. */
static void test_replace_over_a_link(void **state)
{
	struct err e = { 0 };

	(void)state;
	scratch_write(&s, "precious", "keep", 4);
	assert_int_equal(symlinkat("precious", s.fd, "link"), 0);
	assert_int_equal(file_replace(s.fd, "link", bytes_of_str("new"), 0600, &e), 0);
	assert_true(scratch_holds(&s, "link", "new", 3));
	assert_true(scratch_holds(&s, "precious", "keep", 4));
}

/* A reader that has the old file open keeps it. */
static void test_replace_leaves_readers_alone(void **state)
{
	CLEANUP(close_p) int fd = -1;
	char got[8] = "";
	struct err e = { 0 };

	(void)state;
	scratch_write(&s, "file", "old", 3);
	fd = openat(s.fd, "file", O_RDONLY | O_CLOEXEC);
	assert_int_equal(file_replace(s.fd, "file", bytes_of_str("new"), 0600, &e), 0);
	assert_int_equal(file_pread_all(fd, got, 3, 0, "file", &e), 0);
	assert_string_equal(got, "old");
}

static void test_replace_refuses(void **state)
{
	static const struct {
		const char *name;
		enum err_kind kind;
	} cases[] = {
		{ "", ERR_FORMAT },	{ ".", ERR_FORMAT },	{ "..", ERR_FORMAT },	   { "none/file", ERR_SYSTEM },
		{ "folder/", ERR_FORMAT }, { "a\nb", ERR_FORMAT }, { "folder", ERR_SYSTEM }, { "file/x", ERR_SYSTEM },
		{ "folder/..", ERR_FORMAT },
	};

	(void)state;
	scratch_write(&s, "file", "x", 1);
	assert_int_equal(mkdirat(s.fd, "folder", 0700), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };

		assert_case(cases[i].name, file_replace(s.fd, cases[i].name, bytes_of_str("x"), 0600, &e) == -1);
		assert_case(cases[i].name, e.kind == cases[i].kind);
		assert_case(cases[i].name, file_flip_link(s.fd, cases[i].name, "x", &e) == -1);
		assert_case(cases[i].name, e.kind == cases[i].kind);
		assert_case(cases[i].name, scratch_entries(&s) == 2);
	}
}

static void test_flip_link(void **state)
{
	char target[64] = "";
	struct err e = { 0 };

	(void)state;
	assert_int_equal(file_flip_link(s.fd, "current", "v1.0.0", &e), 0);
	assert_int_equal(file_flip_link(s.fd, "current", "v1.1.0_x", &e), 0);
	assert_int_equal(readlinkat(s.fd, "current", target, sizeof(target) - 1), 8);
	assert_string_equal(target, "v1.1.0_x");
	assert_int_equal(file_flip_link(s.fd, "current", "", &e), -1); /* the system refuses an empty one */
	assert_int_equal(e.kind, ERR_SYSTEM);
	scratch_write(&s, "file", "x", 1);
	assert_int_equal(file_flip_link(s.fd, "file", "current", &e), 0);
	assert_int_equal(scratch_entries(&s), 2);
}

static void test_remove(void **state)
{
	struct err e = { 0 };

	(void)state;
	scratch_write(&s, "file", "x", 1);
	assert_int_equal(mkdirat(s.fd, "folder", 0700), 0);
	assert_int_equal(file_remove(s.fd, "file", &e), 0);
	assert_int_equal(file_remove(s.fd, "file", &e), 0);
	assert_int_equal(file_remove(s.fd, "none/file", &e), 0);
	assert_int_equal(file_remove(s.fd, "folder", &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(file_remove(s.fd, "..", &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	assert_int_equal(scratch_entries(&s), 1);
}

static void test_draft(void **state)
{
	CLEANUP(file_draft_free_p) struct file_draft *f = NULL;
	struct err e = { 0 };

	(void)state;
	scratch_write(&s, "file", "old", 3);
	assert_int_equal(file_draft_new(s.fd, "file", 0600, &f, &e), 0);
	assert_int_equal(file_draft_write(f, "ab", 2, &e), 0);
	assert_int_equal(file_draft_write(f, NULL, 0, &e), 0);
	assert_int_equal(file_draft_write(f, "cd", 2, &e), 0);
	assert_true(scratch_holds(&s, "file", "old", 3));
	assert_int_equal(file_draft_commit(f, &e), 0);
	assert_true(scratch_holds(&s, "file", "abcd", 4));
	assert_int_equal(file_draft_commit(f, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
	assert_int_equal(scratch_entries(&s), 1);
}

static void test_draft_without_commit(void **state)
{
	struct file_draft *f = NULL;
	struct err e = { 0 };

	(void)state;
	scratch_write(&s, "file", "old", 3);
	assert_int_equal(file_draft_new(s.fd, "file", 0600, &f, &e), 0);
	assert_int_equal(file_draft_write(f, "ab", 2, &e), 0);
	assert_int_equal(scratch_entries(&s), 2);
	file_draft_free(f);
	file_draft_free(NULL);
	assert_int_equal(scratch_entries(&s), 1);
	assert_true(scratch_holds(&s, "file", "old", 3));
}

static void test_make_dirs(void **state)
{
	static const char *const good[] = { "a/b/c", "a/b/c", "a//d///e/", "a/./f", "a/../g", "a", "link/h" };
	static const char *const bad[] = { "file", "file/x", "a/file/x", "dangling/x" };
	char name[NAME_MAX + 2], path[1024];
	struct err e = { 0 };
	struct stat st;

	(void)state;
	scratch_write(&s, "file", "x", 1);
	assert_int_equal(symlinkat("a", s.fd, "link"), 0);
	assert_int_equal(symlinkat("nowhere", s.fd, "dangling"), 0);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		snprintf(path, sizeof(path), "%s/%s", s.path, good[i]);
		assert_case(good[i], file_make_dirs(path, 0750, &e) == 0);
		assert_case(good[i], stat(path, &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0750);
	}
	scratch_write(&s, "a/file", "x", 1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(path, sizeof(path), "%s/%s", s.path, bad[i]);
		assert_case(bad[i], file_make_dirs(path, 0750, &e) == -1 && e.kind == ERR_SYSTEM);
	}
	memset(name, 'n', sizeof(name));
	name[NAME_MAX + 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s", s.path, name);
	assert_int_equal(file_make_dirs(path, 0750, &e), -1);
	assert_int_equal(e.sys, ENAMETOOLONG);
	path[strlen(path) - 1] = '\0';
	assert_int_equal(file_make_dirs(path, 0750, &e), 0);
}

static void test_open_dir(void **state)
{
	struct err e = { 0 };
	int fd = -1;

	(void)state;
	scratch_write(&s, "file", "x", 1);
	assert_int_equal(file_open_dir(scratch_path(&s, "none"), &fd, &e), -1);
	assert_int_equal(e.kind, ERR_MISSING);
	assert_int_equal(file_open_dir(scratch_path(&s, "file"), &fd, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(fd, -1);
	assert_int_equal(file_open_dir(s.path, &fd, &e), 0);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	close(fd);
}

static void test_pread_and_pwrite(void **state)
{
	CLEANUP(close_p) int fd = -1;
	struct err e = { 0 };
	char got[8];

	(void)state;
	scratch_write(&s, "file", "0123456789", 10);
	fd = openat(s.fd, "file", O_RDWR | O_CLOEXEC);
	assert_int_equal(file_pread_all(fd, got, 4, 6, "file", &e), 0);
	assert_memory_equal(got, "6789", 4);
	assert_int_equal(file_pread_all(fd, got, 4, 7, "file", &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_string_equal(e.reason, "short");
	assert_int_equal(file_pread_all(fd, got, 0, 100, "file", &e), 0);
	assert_int_equal(file_pread_all(fd, got, 4, UINT64_MAX - 3, "file", &e), -1);
	assert_string_equal(e.reason, "range");
	assert_int_equal(file_pread_all(fd, got, 4, (uint64_t)INT64_MAX + 1, "file", &e), -1);
	assert_int_equal(e.sys, EOVERFLOW);
	assert_int_equal(file_pwrite_all(fd, "ab", 2, UINT64_MAX, "file", &e), -1);
	assert_string_equal(e.reason, "range");
	assert_int_equal(file_pwrite_all(fd, "ab", 2, (uint64_t)INT64_MAX + 1, "file", &e), -1);
	assert_int_equal(e.sys, EOVERFLOW);
	assert_int_equal(file_pwrite_all(fd, "ab", 2, 9, "file", &e), 0);
	assert_true(scratch_holds(&s, "file", "012345678ab", 11));
	assert_int_equal(file_write_all(-1, "ab", 2, "file", &e), -1);
	assert_int_equal(e.sys, EBADF);
}

static void test_lock(void **state)
{
	struct err e = { 0 };
	char number[32];
	int fd = -1, other = -1;
	struct stat st;

	(void)state;
	assert_int_equal(file_lock(scratch_path(&s, "lock"), &fd, &e), 0);
	assert_int_equal(fstatat(s.fd, "lock", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_lock(scratch_path(&s, "lock"), &other, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(other, -1);
	snprintf(number, sizeof(number), "process %d", (int)getpid());
	assert_non_null(strstr(e.msg, number));
	close(fd);
	assert_int_equal(file_lock(scratch_path(&s, "lock"), &fd, &e), 0);
	close(fd);
	assert_int_equal(scratch_entries(&s), 1);
}

/* Whatever an earlier holder left in it: no number is made up. */
static void test_lock_with_strange_content(void **state)
{
	static const char *const contents[] = { "", "x\n", "-5\n", "0\n", "99999999999\n", "12", "12 \n",
						"1234567890123456789012345678901234567890\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		CLEANUP(close_p) int holder = -1;
		struct err e = { 0 };
		int fd = -1;

		scratch_write(&s, "lock", contents[i], strlen(contents[i]));
		holder = openat(s.fd, "lock", O_RDWR | O_CLOEXEC);
		assert_int_equal(flock(holder, LOCK_EX), 0);
		assert_case(contents[i], file_lock(scratch_path(&s, "lock"), &fd, &e) == -1 && e.kind == ERR_BUSY);
		assert_case(contents[i], strstr(e.msg, "another process") != NULL);
	}
}

static void test_lock_refuses(void **state)
{
	struct err e = { 0 };
	int fd = -1;

	(void)state;
	scratch_write(&s, "file", "x", 1);
	assert_int_equal(symlinkat("file", s.fd, "link"), 0);
	assert_int_equal(file_lock(scratch_path(&s, "link"), &fd, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(file_lock(scratch_path(&s, "none/lock"), &fd, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(file_lock(s.path, &fd, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_true(scratch_holds(&s, "file", "x", 1));
	assert_int_equal(fd, -1);
}

/* A worker keeps the lock of a parent that died; when both are gone it is free. */
static void test_lock_is_inherited(void **state)
{
	struct err e = { 0 };
	int fd = -1, go[2], status;
	char byte;

	(void)state;
	assert_int_equal(pipe(go), 0);
	assert_int_equal(file_lock(scratch_path(&s, "lock"), &fd, &e), 0);
	const pid_t worker = fork();
	if (worker == 0) {
		close(go[1]);
		_exit(read(go[0], &byte, 1) == 0 ? 0 : 1);
	}
	close(fd);
	fd = -1;
	assert_int_equal(file_lock(scratch_path(&s, "lock"), &fd, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	close(go[0]);
	close(go[1]);
	assert_int_equal(waitpid(worker, &status, 0), worker);
	assert_int_equal(status, 0);
	assert_int_equal(file_lock(scratch_path(&s, "lock"), &fd, &e), 0);
	close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe_names),
		TEST(test_read_limits),
		TEST(test_read_appends),
		TEST(test_read_large),
		TEST(test_read_proc),
		TEST(test_read_refuses),
		TEST(test_replace),
		TEST(test_replace_over_a_link),
		TEST(test_replace_leaves_readers_alone),
		TEST(test_replace_refuses),
		TEST(test_flip_link),
		TEST(test_remove),
		TEST(test_draft),
		TEST(test_draft_without_commit),
		TEST(test_make_dirs),
		TEST(test_open_dir),
		TEST(test_pread_and_pwrite),
		TEST(test_lock),
		TEST(test_lock_with_strange_content),
		TEST(test_lock_refuses),
		TEST(test_lock_is_inherited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
