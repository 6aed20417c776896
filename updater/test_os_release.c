#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/scratch.h"
#include "updater/os_release.h"

#define MIN "VERSION_ID=1.4.1\nVARIANT_ID=metal-demo\n"

static const char good[] = "# the demo\n"
			   "NAME=\"Demo\"\n"
			   "PRETTY_NAME=\"Demo \\\"OS\\\" 1.4.1 ($5)\"\n"
			   "\n"
			   "  VERSION_ID='1.4.1'\n"
			   "VARIANT_ID=metal-demo\n"
			   "BUILD_ID=0abc1234\r\n";

static void test_good(void **state)
{
	struct os_release r;
	struct err e;

	(void)state;
	assert_int_equal(os_release_parse(bytes_of_str(good), "x86_64", &r, &e), 0);
	assert_string_equal(r.version.text, "1.4.1");
	assert_string_equal(r.variant, "metal-demo");
	assert_string_equal(r.arch, "x86_64");
	assert_string_equal(r.pretty_name, "Demo \"OS\" 1.4.1 ($5)");
	assert_string_equal(r.build_id, "0abc1234");
}

static void test_values(void **state)
{
	static const struct {
		const char *name, *line, *pretty; /* NULL: refused */
	} cases[] = {
		{ "absent", "", "" },
		{ "bare", "PRETTY_NAME=Demo\n", "Demo" },
		{ "empty", "PRETTY_NAME=\n", "" },
		{ "empty quotes", "PRETTY_NAME=\"\"\n", "" },
		{ "parts", "PRETTY_NAME=a'b c'\"d e\"f\n", "ab cd ef" },
		{ "dollar", "PRETTY_NAME=\"\\$HOME\"\n", "$HOME" },
		{ "nothing is expanded", "PRETTY_NAME=\"$HOME `id`\"\n", "$HOME `id`" },
		{ "backslash stays before others", "PRETTY_NAME=\"a\\nb\"\n", "a\\nb" },
		{ "backslash in single quotes", "PRETTY_NAME='a\\'\n", "a\\" },
		{ "bare backslash", "PRETTY_NAME=a\\ b\n", "a b" },
		{ "last one counts", "PRETTY_NAME=a\nPRETTY_NAME=b\n", "b" },
		{ "hash within", "PRETTY_NAME=\"a # b\"\n", "a # b" },
		{ "UTF-8", "PRETTY_NAME=\"\xc3\xa9\"\n", "\xc3\xa9" },
		{ "other names may be odd", "LOGO=\"open\nSTRANGE LINE\n", "" },
		{ "a longer name is another", "PRETTY_NAMES=x\n", "" },
		{ "open double quote", "PRETTY_NAME=\"a\n", NULL },
		{ "open single quote", "PRETTY_NAME='a\n", NULL },
		{ "escaped close", "PRETTY_NAME=\"a\\\"\n", NULL },
		{ "backslash at the end", "PRETTY_NAME=a\\\n", NULL },
		{ "bare blank", "PRETTY_NAME=a b\n", NULL },
		{ "control character", "PRETTY_NAME=\"a\033[2J\"\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf text = BUF_INIT(1024);
		struct os_release r;
		struct err e = { 0 };
		int got;

		assert_case(cases[i].name, buf_printf(&text, &e, "%s%s", cases[i].line, MIN) == 0);
		got = os_release_parse(buf_bytes(&text), "x86_64", &r, &e);
		assert_case(cases[i].name, got == (cases[i].pretty ? 0 : -1));
		if (got < 0)
			assert_case(cases[i].name, e.kind == ERR_FORMAT && strcmp(e.reason, OS_E_RELEASE) == 0);
		else
			assert_case(cases[i].name, strcmp(r.pretty_name, cases[i].pretty) == 0);
		buf_fini(&text);
	}
}

static void test_required(void **state)
{
	static const struct {
		const char *name, *text, *arch;
	} cases[] = {
		{ "empty", "", "x86_64" },
		{ "no version", "VARIANT_ID=a\n", "x86_64" },
		{ "no variant", "VERSION_ID=1.2.3\n", "x86_64" },
		{ "empty variant", "VERSION_ID=1.2.3\nVARIANT_ID=\n", "x86_64" },
		{ "not a semver", "VERSION_ID=12\nVARIANT_ID=a\n", "x86_64" },
		{ "v in front", "VERSION_ID=v1.2.3\nVARIANT_ID=a\n", "x86_64" },
		{ "no arch", MIN, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct os_release r;
		struct err e = { 0 };

		assert_case(cases[i].name, os_release_parse(bytes_of_str(cases[i].text), cases[i].arch, &r, &e) == -1);
		assert_case(cases[i].name, e.kind == ERR_FORMAT && strcmp(e.reason, OS_E_RELEASE) == 0);
	}
}

static void test_limits(void **state)
{
	struct buf text = BUF_INIT(1024 * 1024);
	struct os_release r;
	struct err e = { 0 };
	char name[OS_RELEASE_VALUE_BYTES + 1];

	(void)state;
	for (size_t n = OS_RELEASE_VALUE_BYTES - 2; n <= OS_RELEASE_VALUE_BYTES; n++) {
		memset(name, 'a', n);
		name[n] = '\0';
		text.n = 0;
		assert_int_equal(buf_printf(&text, &e, "VERSION_ID=1.2.3\nVARIANT_ID=%s\n", name), 0);
		assert_int_equal(os_release_parse(buf_bytes(&text), "x86_64", &r, &e), n < OS_RELEASE_VALUE_BYTES ? 0 : -1);
		assert_int_equal(os_release_parse(bytes_of_str(MIN), name, &r, &e), n < OS_RELEASE_VALUE_BYTES ? 0 : -1);
	}
	text.n = 0;
	assert_int_equal(buf_append_str(&text, MIN, &e), 0);
	while (text.n < OS_RELEASE_MAX_BYTES)
		assert_int_equal(buf_append_str(&text, "\n", &e), 0);
	assert_int_equal(os_release_parse(buf_bytes(&text), "x86_64", &r, &e), 0);
	assert_int_equal(buf_append_str(&text, "\n", &e), 0);
	assert_int_equal(os_release_parse(buf_bytes(&text), "x86_64", &r, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	buf_fini(&text);
}

/* Cut and changed texts are read or refused, never worse; the sanitizers look on. */
static void test_damage(void **state)
{
	uint8_t copy[sizeof(good)];
	struct os_release r;
	struct err e;

	(void)state;
	for (size_t n = 0; n < sizeof(good); n++)
		(void)os_release_parse(bytes_of(good, n), "x86_64", &r, &e);
	for (size_t i = 0; i < sizeof(good) - 1; i++)
		for (unsigned v = 0; v < 256; v++) {
			memcpy(copy, good, sizeof(good));
			copy[i] = (uint8_t)v;
			if (os_release_parse(bytes_of(copy, sizeof(good) - 1), "x86_64", &r, &e) == 0)
				assert_true(r.variant[0] && r.version.text[0]);
		}
}

static void test_load(void **state)
{
	struct scratch s;
	struct os_release r;
	struct err e = { 0 };

	(void)state;
	scratch_make(&s);
	assert_int_equal(os_release_load(scratch_path(&s, "os-release"), "aarch64", &r, &e), -1);
	assert_int_equal(e.kind, ERR_MISSING);
	scratch_write(&s, "os-release", MIN, strlen(MIN));
	assert_int_equal(os_release_load(scratch_path(&s, "os-release"), "aarch64", &r, &e), 0);
	assert_string_equal(r.arch, "aarch64");
	assert_int_equal(symlinkat("os-release", s.fd, "link"), 0);
	assert_int_equal(os_release_load(scratch_path(&s, "link"), "aarch64", &r, &e), 0);
	scratch_remove(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),   cmocka_unit_test(test_values), cmocka_unit_test(test_required),
		cmocka_unit_test(test_limits), cmocka_unit_test(test_damage), cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
