/* The metadata store: names, bytes, bounds, the lock, and what it never leaves behind. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/scratch.h"
#include "tuf/store.h"
#include "tuf/tuf.h"

static void names(void **state)
{
	static const struct {
		const char *name, *role, *file;
	} cases[] = {
		{ "top level", "root", "root.json" },
		{ "slash", "a/b", "a%2Fb.json" },
		{ "upwards", "../x", "..%2Fx.json" },
		{ "dot", ".", "..json" },
		{ "dots", "..", "...json" },
		{ "already encoded", "a%2Fb", "a%252Fb.json" },
		{ "not ASCII", "\xc3\xa9", "%C3%A9.json" },
		{ "line feed", "a\nb", "a%0Ab.json" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char file[TUF_STORE_NAME_BYTES];
		struct err e;

		assert_case(cases[i].name, tuf_store_name(cases[i].role, file, &e) == 0);
		assert_case(cases[i].name, strcmp(file, cases[i].file) == 0);
	}
}

/* A long name is as good as a short one, differs from its neighbours, and cannot be met by another role's encoded name. */
static void long_names(void **state)
{
	char role[TUF_NAME_MAX_BYTES + 1], file[TUF_STORE_NAME_BYTES], before[TUF_STORE_NAME_BYTES] = "";
	struct err e;

	(void)state;
	for (size_t n = 230; n <= TUF_NAME_MAX_BYTES; n++) {
		memset(role, 'r', n);
		role[n] = 0;
		assert_int_equal(tuf_store_name(role, file, &e), 0);
		assert_true(strlen(file) < TUF_STORE_NAME_BYTES);
		assert_string_not_equal(file, before);
		assert_string_equal(file + strlen(file) - 5, ".json");
		if (n + strlen(".json") < TUF_STORE_NAME_BYTES)
			assert_memory_equal(file, role, n);
		else
			assert_memory_equal(file, "%sha256-", 8);
		memcpy(before, file, sizeof(file));
	}
	memset(role, '\xff', TUF_NAME_MAX_BYTES); /* three characters each */
	assert_int_equal(tuf_store_name(role, file, &e), 0);
	assert_memory_equal(file, "%sha256-", 8);
}

static void what_is_saved_is_loaded(void **state)
{
	static const char *const roles[] = { "root", "a/b", "../x", "." };
	static const uint8_t content[] = "{\"a\": 1}\n \0\xff"; /* as it came, whatever it is */
	struct scratch dir;
	struct err e = { 0 };

	(void)state;
	scratch_make(&dir);
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		CLEANUP(tuf_store_free_p) struct tuf_store *s = NULL;
		struct buf b = BUF_INIT(sizeof(content));

		assert_case(roles[i], tuf_store_open(scratch_path(&dir, "new/store"), &s, &e) == 0);
		assert_case(roles[i], tuf_store_load(s, roles[i], &b, &e) == -1 && e.kind == ERR_MISSING);
		assert_case(roles[i], tuf_store_save(s, roles[i], bytes_of("old", 3), &e) == 0);
		assert_case(roles[i], tuf_store_save(s, roles[i], bytes_of(content, sizeof(content)), &e) == 0);
		tuf_store_free(TAKE(s));

		assert_case(roles[i], tuf_store_open(scratch_path(&dir, "new/store"), &s, &e) == 0);
		assert_case(roles[i], tuf_store_load(s, roles[i], &b, &e) == 0);
		assert_case(roles[i], bytes_equal(buf_bytes(&b), bytes_of(content, sizeof(content))));
		b.n = 0;
		b.max = sizeof(content) - 1;
		assert_case(roles[i], tuf_store_load(s, roles[i], &b, &e) == -1 && e.kind == ERR_FORMAT);
		assert_case(roles[i], tuf_store_remove(s, roles[i], &e) == 0);
		assert_case(roles[i], tuf_store_load(s, roles[i], &b, &e) == -1 && e.kind == ERR_MISSING);
		assert_case(roles[i], tuf_store_remove(s, roles[i], &e) == 0);
		buf_fini(&b);
	}
	scratch_remove(&dir);
}

static void only_metadata_ends_in_json(void **state)
{
	CLEANUP(tuf_store_free_p) struct tuf_store *s = NULL;
	struct scratch dir;
	struct err e;
	size_t n_json = 0;

	(void)state;
	scratch_make(&dir);
	assert_int_equal(tuf_store_open(dir.path, &s, &e), 0);
	assert_int_equal(tuf_store_save(s, "root", bytes_of("1", 1), &e), 0);
	assert_int_equal(tuf_store_save(s, "a/b", bytes_of("2", 1), &e), 0);
	DIR *d = opendir(dir.path);
	const struct dirent *entry;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot && strcmp(dot, ".json") == 0)
			n_json++;
	}
	closedir(d);
	assert_int_equal(n_json, 2);
	assert_int_equal(scratch_entries(&dir), 3); /* and the lock */
	tuf_store_free(TAKE(s));
	scratch_remove(&dir);
}

static void leftovers_of_a_crash_go(void **state)
{
	static const struct {
		const char *name;
		bool goes;
	} cases[] = {
		{ ".root.json.AbC123.tmp", true }, { ".a%2Fb.json.000000.tmp", true }, { "root.json.tmp", false },
		{ ".tmp", false },		   { ".root.json", false },	      { "notes", false },
	};
	CLEANUP(tuf_store_free_p) struct tuf_store *s = NULL;
	struct scratch dir;
	struct err e;

	(void)state;
	scratch_make(&dir);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		scratch_write(&dir, cases[i].name, "x", 1);
	assert_int_equal(tuf_store_open(dir.path, &s, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_case(cases[i].name, scratch_holds(&dir, cases[i].name, "x", 1) == !cases[i].goes);
	tuf_store_free(TAKE(s));
	scratch_remove(&dir);
}

static void one_client_at_a_time(void **state)
{
	struct tuf_store *a = NULL, *b = NULL;
	struct scratch dir;
	struct err e = { 0 };

	(void)state;
	scratch_make(&dir);
	assert_int_equal(tuf_store_open(dir.path, &a, &e), 0);
	/* What another is writing is no leftover. */
	scratch_write(&dir, ".root.json.AbC123.tmp", "x", 1);
	assert_int_equal(tuf_store_open(dir.path, &b, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_true(scratch_holds(&dir, ".root.json.AbC123.tmp", "x", 1));
	tuf_store_free(a);
	assert_int_equal(tuf_store_open(dir.path, &b, &e), 0);
	tuf_store_free(b);
	scratch_remove(&dir);
}

static void a_folder_that_cannot_be(void **state)
{
	struct tuf_store *s = NULL;
	struct scratch dir;
	struct err e = { 0 };

	(void)state;
	scratch_make(&dir);
	scratch_write(&dir, "file", "x", 1);
	assert_int_equal(tuf_store_open(scratch_path(&dir, "file"), &s, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(tuf_store_open(scratch_path(&dir, "file/below"), &s, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	scratch_remove(&dir);
}

static void what_is_no_file_is_not_read(void **state)
{
	CLEANUP(tuf_store_free_p) struct tuf_store *s = NULL;
	struct buf b = BUF_INIT(100);
	struct scratch dir;
	struct err e = { 0 };

	(void)state;
	scratch_make(&dir);
	assert_int_equal(tuf_store_open(dir.path, &s, &e), 0);
	assert_int_equal(mkdir(scratch_path(&dir, "targets.json"), 0755), 0);
	assert_int_equal(mkfifo(scratch_path(&dir, "snapshot.json"), 0644), 0);
	assert_int_equal(tuf_store_load(s, "targets", &b, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(tuf_store_load(s, "snapshot", &b, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(tuf_store_save(s, "snapshot", bytes_of("x", 1), &e), 0);
	assert_true(scratch_holds(&dir, "snapshot.json", "x", 1));
	tuf_store_free(TAKE(s));
	scratch_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(long_names),
		cmocka_unit_test(what_is_saved_is_loaded),
		cmocka_unit_test(only_metadata_ends_in_json),
		cmocka_unit_test(leftovers_of_a_crash_go),
		cmocka_unit_test(one_client_at_a_time),
		cmocka_unit_test(a_folder_that_cannot_be),
		cmocka_unit_test(what_is_no_file_is_not_read),
	};

	return cmocka_run_group_tests_name("tuf/store", tests, NULL, NULL);
}
