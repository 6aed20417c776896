#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"

static void test_set(void **state)
{
	struct err e = { .kind = ERR_SYSTEM, .reason = "old", .sys = ENOSPC, .msg = "old" };

	(void)state;
	assert_int_equal(err_set(&e, ERR_TRUST, "digest", "%s: %d", "file", 3), -1);
	assert_int_equal(e.kind, ERR_TRUST);
	assert_string_equal(e.reason, "digest");
	assert_int_equal(e.sys, 0);
	assert_string_equal(e.msg, "file: 3");
}

static void test_control_characters(void **state)
{
	struct err e;

	(void)state;
	err_set(&e, ERR_FORMAT, NULL, "a\033[2J\n\tb\177 ~\xc3\xa9");
	assert_string_equal(e.msg, "a?[2J??b? ~\xc3\xa9");
	err_wrap(&e, "x\ry");
	assert_string_equal(e.msg, "x?y: a?[2J??b? ~\xc3\xa9");
}

static void test_sys(void **state)
{
	struct err e;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_sys(&e, "opening %s", "/dev/none"), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(e.sys, ENOENT);
	assert_null(e.reason);
	assert_non_null(strstr(e.msg, "opening /dev/none: "));
	errno = ENOMEM;
	err_sys(&e, "a table");
	assert_string_equal(e.reason, "memory");
	assert_string_equal(e.msg, "a table: out of memory");
}

static void test_wrap_keeps_the_cause(void **state)
{
	struct err e;

	(void)state;
	errno = EIO;
	err_sys(&e, "reading");
	assert_int_equal(err_wrap(&e, "preparing %s", "1.2.0"), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(e.sys, EIO);
	assert_memory_equal(e.msg, "preparing 1.2.0: reading: ", 26);
}

/* A wrap to exactly the limit changes nothing; one byte more takes the middle. */
static void test_wrap_at_the_limit(void **state)
{
	static const struct {
		const char *name;
		size_t total;
		bool cut;
	} cases[] = {
		{ "below", ERR_MSG_BYTES - 2, false },
		{ "at", ERR_MSG_BYTES - 1, false },
		{ "above", ERR_MSG_BYTES, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char inner[ERR_MSG_BYTES];
		struct err e;
		const size_t n = cases[i].total - strlen("front: ");

		memset(inner, 'x', n);
		inner[n - 1] = '!';
		inner[n] = '\0';
		err_set(&e, ERR_FORMAT, "limit", "%s", inner);
		err_wrap(&e, "front");
		const size_t got = strlen(e.msg);
		assert_case(cases[i].name, got == min_size(cases[i].total, ERR_MSG_BYTES - 1));
		assert_case(cases[i].name, (strstr(e.msg, "...") != NULL) == cases[i].cut);
		assert_case(cases[i].name, strncmp(e.msg, "front: ", 7) == 0 && e.msg[got - 1] == '!');
	}
}

static void test_long_texts_stay_inside(void **state)
{
	char text[2 * ERR_MSG_BYTES];
	struct err e;

	(void)state;
	memset(text, 'y', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&e, ERR_FORMAT, NULL, "%s", text);
	assert_int_equal(strlen(e.msg), ERR_MSG_BYTES - 1);
	for (int i = 0; i < 20; i++)
		err_wrap(&e, "%s", text);
	assert_int_equal(strlen(e.msg), ERR_MSG_BYTES - 1);
	errno = EIO;
	err_sys(&e, "%s", text);
	assert_true(strlen(e.msg) < ERR_MSG_BYTES);
	assert_non_null(strstr(e.msg, strerror(EIO))); /* never the cause */
}

static void test_kinds(void **state)
{
	static const struct {
		enum err_kind kind;
		int exit_code;
		const char *name;
	} cases[] = {
		{ ERR_NONE, 0, "none" },       { ERR_BUG, 1, "bug" },	  { ERR_USAGE, 2, "usage" },
		{ ERR_STATE, 3, "state" },     { ERR_BUSY, 4, "busy" },	  { ERR_MISSING, 5, "missing" },
		{ ERR_NETWORK, 6, "network" }, { ERR_FORMAT, 7, "format" }, { ERR_TRUST, 8, "trust" },
		{ ERR_SYSTEM, 9, "system" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_case(cases[i].name, err_exit_code(cases[i].kind) == cases[i].exit_code);
		assert_string_equal(err_kind_name(cases[i].kind), cases[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_sys),
		cmocka_unit_test(test_wrap_keeps_the_cause),
		cmocka_unit_test(test_wrap_at_the_limit),
		cmocka_unit_test(test_long_texts_stay_inside),
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
