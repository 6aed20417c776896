#include "test-fixtures/harness/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tuf/deleg.h"

static const struct {
	const char *name, *pattern, *path;
	bool want;
} patterns[] = {
	{ "literal", "a/b.txt", "a/b.txt", true },
	{ "case counts", "a/B.txt", "a/b.txt", false },
	{ "star", "*.tgz", "foo.tgz", true },
	{ "star matches nothing", "*.tgz", ".tgz", true },
	{ "star does not cross a slash", "*.tgz", "a/b.tgz", false },
	{ "star in the middle", "a*c", "abbbc", true },
	{ "star does not take the end away", "a*c", "abbb", false },
	{ "two parts", "releases/*", "releases/x", true },
	{ "part too many in the path", "releases/*", "releases/x/y", false },
	{ "part too few in the path", "releases/*/*", "releases/x", false },
	{ "exactly two slashes", "releases/*/*", "releases/x/y", true },
	{ "star for an empty part", "releases/*", "releases/", true },
	{ "star alone, empty path", "*", "", true },
	{ "both empty", "", "", true },
	{ "empty pattern", "", "a", false },
	{ "empty pattern, slash", "", "/", false },
	{ "star alone, with a slash", "*", "a/b", false },
	{ "two stars are one", "**", "abc", true },
	{ "two stars do not cross a slash", "**", "a/b", false },
	{ "question mark", "foo-version-?.tgz", "foo-version-a.tgz", true },
	{ "question mark wants one", "foo-version-?.tgz", "foo-version-.tgz", false },
	{ "question mark wants only one", "foo-version-?.tgz", "foo-version-ab.tgz", false },
	{ "question mark is no slash", "a?b", "a/b", false },
	{ "question mark takes a code point of two bytes", "?", "\xc3\xa9", true },
	{ "of four bytes", "a?b",
	  "a\xf0\x9f\x98\x80"
	  "b",
	  true },
	{ "one for two code points", "?", "e\xcc\x81", false },
	{ "a torn character does not swallow a star", "\xc3*",
	  "\xc3"
	  "abc",
	  true },
	{ "an overlong form is no letter", "a", "\xc1\xa1", false },
	{ "a byte is not the code point of its value", "\xaf", "\xc2\xaf", false },
	{ "leading dot is nothing special", "*", ".hidden", true },
	{ "question mark for a dot", "?hidden", ".hidden", true },
	{ "leading slash is an empty part", "/a", "/a", true },
	{ "leading slash in the path only", "a", "/a", false },
	{ "leading slash in the pattern only", "/a", "a", false },
	{ "star for what is before a leading slash", "*/a", "/a", true },
	{ "backslash is literal", "a\\*", "a\\b", true },
	{ "backslash does not escape", "a\\*", "a*", false },
	{ "braces are literal", "{a,b}", "a", false },
	{ "braces match themselves", "{a,b}", "{a,b}", true },
	{ "set", "[abc].txt", "b.txt", true },
	{ "not in the set", "[abc].txt", "d.txt", false },
	{ "range", "[a-c]", "b", true },
	{ "outside of the range", "[a-c]", "d", false },
	{ "range of code points", "[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true },
	{ "negated", "[!a]", "b", true },
	{ "negated, in it", "[!a]", "a", false },
	{ "caret does not negate", "[^a]", "b", false },
	{ "caret is a member", "[^a]", "^", true },
	{ "bracket first is a member", "[]a]", "]", true },
	{ "bracket first after the exclamation mark", "[!]a]", "]", false },
	{ "bracket first, negated, other", "[!]a]", "b", true },
	{ "hyphen last", "[a-]", "-", true },
	{ "hyphen first", "[-a]", "-", true },
	{ "hyphen after a range", "[a-c-e]", "-", true },
	{ "no range from a range's end", "[a-c-e]", "d", false },
	{ "reversed range is empty", "[z-a]", "b", false },
	{ "negated reversed range is everything", "[!z-a]", "b", true },
	{ "lone bracket is literal", "a[b", "a[b", true },
	{ "empty set is literal", "[]", "[]", true },
	{ "empty negated set is literal", "[!]", "[!]", true },
	{ "set does not hold a slash", "a[/]b", "a/b", false },
	{ "set cut by a slash is literal", "a[/]b", "a[/]b", true },
	{ "star and question mark in a set are literal", "[*?]", "*", true },
	{ "no class names", "[[:alpha:]]", "a", false },
	{ "set after a star", "*[0-9]", "abc7", true },
	{ "set after a star, no", "*[0-9]", "abc", false },
	{ "star gives back", "*ab*ab", "abxabab", true },
	{ "star gives back, not enough", "*ab*abc", "abxabab", false },
	{ "stars and question marks", "*?*?", "ab", true },
	{ "stars and question marks, too short", "*?*?", "a", false },
};

static void test_patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(patterns); i++)
		assert_case(patterns[i].name,
			    tuf_path_match(patterns[i].pattern, patterns[i].path) == patterns[i].want);
}

/* What blows up a matcher that backtracks over each star: this must end at once. */
static void test_many_stars(void **state)
{
	char pattern[TUF_NAME_MAX_BYTES + 1], path[TUF_NAME_MAX_BYTES + 1];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 0; i + 2 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	pattern[sizeof(pattern) - 1] = '\0';
	assert_true(tuf_path_match(pattern, path));
	pattern[sizeof(pattern) - 2] = 'b';
	assert_false(tuf_path_match(pattern, path));
	memset(pattern, '[', sizeof(pattern) - 1);
	pattern[0] = '*';
	assert_false(tuf_path_match(pattern, path));
}

static void test_odd_patterns(void **state)
{
	static const char *const odd[] = { "[a]", "a]", "a\\b", "{a}", "**", ".a", "a/.b" };
	static const char *const plain[] = { "*", "a/*/b?.txt", "a.b", "a b", "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++)
		assert_case(odd[i], tuf_path_pattern_is_odd(odd[i]));
	for (size_t i = 0; i < ARRAY_LEN(plain); i++)
		assert_case(plain[i], !tuf_path_pattern_is_odd(plain[i]));
}

/* SHA-256 of "hello" as any tool prints it. */
#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

static void test_prefixes(void **state)
{
	static const struct {
		const char *prefix;
		bool want;
	} cases[] = {
		{ "", true },	{ "2", true },	 { "2c", true },  { "2cf", true },	{ HELLO, true },
		{ "3", false }, { "2d", false }, { "2C", false }, { HELLO "0", false }, { "g", false },
	};
	char hash[TUF_PATH_HASH_BYTES];
	struct err e;

	(void)state;
	assert_int_equal(tuf_path_hash("hello", hash, &e), 0);
	assert_string_equal(hash, HELLO);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *v[] = { (char *)(uintptr_t) "ff", (char *)(uintptr_t)cases[i].prefix };
		const struct tuf_delegation d = { .by_hash = true, .n = 2, .v = v };

		assert_case(cases[i].prefix, tuf_delegation_covers(&d, "hello", hash) == cases[i].want);
	}
	const struct tuf_delegation none = { .n = 0 };
	assert_false(tuf_delegation_covers(&none, "hello", hash));
}

static void test_bins(void **state)
{
	static const struct {
		uint32_t bits;
		const char *want;
	} cases[] = {
		{ 1, "b-0" },  { 2, "b-0" },   { 3, "b-1" },	 { 4, "b-2" },	       { 5, "b-05" },
		{ 8, "b-2c" }, { 9, "b-059" }, { 16, "b-2cf2" }, { 31, "b-167926dd" }, { 32, "b-2cf24dba" },
	};
	char prefix[] = "b", name[TUF_BIN_NAME_BYTES];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct tuf_bins b = { .prefix = prefix, .bit_length = cases[i].bits };

		tuf_bin_name(&b, HELLO, name);
		assert_string_equal(name, cases[i].want);
		assert_case(name, tuf_bin_is(&b, name));
	}
}

static void test_bin_names(void **state)
{
	static const struct {
		const char *name;
		bool want;
	} cases[] = {
		{ "b-00", true },   { "b-1f", true },	{ "b-20", false }, { "b-0", false },
		{ "b-000", false }, { "b00", false },	{ "b-0A", false }, { "b-0a", true },
		{ "b", false },	    { "", false },	{ "b-", false },   { "c-00", false },
		{ "b-0g", false },  { "bb-00", false }, { "b- 1", false }, { "b-+1", false },
	};
	char prefix[] = "b";
	const struct tuf_bins b = { .prefix = prefix, .bit_length = 5 }, none = { .bit_length = 5 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_case(cases[i].name, tuf_bin_is(&b, cases[i].name) == cases[i].want);
	assert_false(tuf_bin_is(&none, "b-00"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns), cmocka_unit_test(test_many_stars), cmocka_unit_test(test_odd_patterns),
		cmocka_unit_test(test_prefixes), cmocka_unit_test(test_bins),	    cmocka_unit_test(test_bin_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
