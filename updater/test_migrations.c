#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "updater/manifest.h"

#define EDGES_MAX 12
#define NAME_BYTES 32

static struct version version_of(const char *s)
{
	struct version v;
	struct err e;

	assert_int_equal(version_parse(s, &v, &e), 0);
	return v;
}

/* A step called "FROM>TO.1", "FROM>TO.2", ... */
static void add(struct manifest *m, const char *from, const char *to, size_t n_names)
{
	char texts[2][NAME_BYTES];
	char *names[2] = { texts[0], texts[1] };
	struct manifest_step s = { .from = version_of(from), .to = version_of(to), .names = names, .n_names = n_names };
	struct err e;

	for (size_t i = 0; i < n_names; i++)
		snprintf(texts[i], sizeof(texts[i]), "%s>%s.%zu", from, to, i + 1);
	assert_int_equal(manifest_add_step(m, &s, &e), 0);
}

/* Names joined by blanks, or the failure's reason. */
static void path_text(const struct manifest *m, const char *from, const char *to, char *out, size_t size)
{
	const struct version a = version_of(from), b = version_of(to);
	const char **names = NULL;
	struct err e = { 0 };
	size_t n = 99;

	out[0] = '\0';
	if (manifest_migrations(m, &a, &b, &names, &n, &e) < 0) {
		assert_int_equal(e.kind, ERR_MISSING);
		snprintf(out, size, "missing %s", e.reason);
		return;
	}
	assert_int_equal(n == 0, names == NULL);
	for (size_t i = 0; i < n; i++)
		snprintf(out + strlen(out), size - strlen(out), "%s%s", i ? " " : "", names[i]);
	free(names);
}

static void test_table(void **state)
{
	static const struct {
		const char *from, *to, *want;
	} cases[] = {
		{ "1.0.0", "1.0.0", "" },
		{ "1.0.0", "1.0.1", "1.0.0>1.0.1.1" },
		{ "1.0.1", "1.0.0", "1.0.0>1.0.1.1" },
		{ "1.0.1", "1.0.2", "" }, /* a known step without migrations */
		{ "1.0.0", "1.1.0", "1.0.0>1.1.0.1 1.0.0>1.1.0.2" }, /* the long step, not the short ones */
		{ "1.1.0", "1.0.0", "1.0.0>1.1.0.2 1.0.0>1.1.0.1" }, /* backward: in reverse */
		{ "1.0.0", "1.0.2", "1.0.0>1.0.1.1" },
		{ "1.0.0", "1.2.0", "1.0.0>1.1.0.1 1.0.0>1.1.0.2 1.1.0>1.2.0.1" },
		{ "1.2.0", "1.0.0", "1.1.0>1.2.0.1 1.0.0>1.1.0.2 1.0.0>1.1.0.1" },
		{ "1.0.0", "1.0.9", "missing migration" },
		{ "1.0.5", "1.1.0", "missing migration" },
		{ "2.0.0", "3.0.0", "missing migration" }, /* greedy: the long step ends in nothing */
		{ "2.0.0", "2.1.0", "2.0.0>2.1.0.1" },
		{ "4.0.0", "4.1.0", "missing migration" }, /* steps that lead nowhere or down are not taken */
		{ "9.0.0", "9.0.0", "" },
	};
	struct manifest *m;
	struct err e;
	char got[256], name[64];

	(void)state;
	assert_int_equal(manifest_new(&m, &e), 0);
	add(m, "1.0.0", "1.0.1", 1);
	add(m, "1.0.1", "1.0.2", 0);
	add(m, "1.0.2", "1.1.0", 1);
	add(m, "1.0.0", "1.1.0", 2);
	add(m, "1.1.0", "1.2.0", 1);
	add(m, "2.0.0", "2.9.0", 1);
	add(m, "2.0.0", "2.1.0", 1);
	add(m, "2.1.0", "3.0.0", 1);
	add(m, "4.0.0", "4.0.0", 1);
	add(m, "4.0.0", "3.0.0", 1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		snprintf(name, sizeof(name), "%s to %s", cases[i].from, cases[i].to);
		path_text(m, cases[i].from, cases[i].to, got, sizeof(got));
		assert_case(name, strcmp(got, cases[i].want) == 0);
	}
	manifest_free(m);
}

/* The rule once more, on plain numbers: go to the highest end within the goal until there. False if stuck. */
static bool walk_again(const unsigned edges[][2], size_t n, unsigned at, unsigned goal, char *out, size_t size)
{
	out[0] = '\0';
	while (at != goal) {
		unsigned end = goal;

		for (; end > at; end--) {
			size_t i = 0;

			while (i < n && (edges[i][0] != at || edges[i][1] != end))
				i++;
			if (i < n)
				break;
		}
		if (end == at)
			return false;
		snprintf(out + strlen(out), size - strlen(out), "%s0.0.%u>0.0.%u.1", out[0] ? " " : "", at, end);
		at = end;
	}
	return true;
}

static void test_random(void **state)
{
	uint32_t x = 2026;
	size_t found = 0, stuck = 0;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		unsigned edges[EDGES_MAX][2];
		struct manifest *m;
		struct err e;
		char want[512], got[512], from[16], to[16];
		unsigned low, high;
		size_t n;

		assert_int_equal(manifest_new(&m, &e), 0);
		x = x * 1664525u + 1013904223u;
		n = (x >> 16) % (EDGES_MAX + 1);
		for (size_t i = 0; i < n; i++) {
			x = x * 1664525u + 1013904223u;
			edges[i][0] = (x >> 16) % 6;
			edges[i][1] = (x >> 24) % 7;
			snprintf(from, sizeof(from), "0.0.%u", edges[i][0]);
			snprintf(to, sizeof(to), "0.0.%u", edges[i][1]);
			add(m, from, to, 1);
		}
		x = x * 1664525u + 1013904223u;
		low = (x >> 16) % 4;
		high = low + (x >> 24) % 4;
		snprintf(from, sizeof(from), "0.0.%u", low);
		snprintf(to, sizeof(to), "0.0.%u", high);
		path_text(m, from, to, got, sizeof(got));
		if (!walk_again((const unsigned(*)[2])edges, n, low, high, want, sizeof(want))) {
			snprintf(want, sizeof(want), "missing migration");
			stuck++;
		} else if (low != high) {
			found++;
		}
		assert_string_equal(got, want);
		manifest_free(m);
	}
	assert_true(found > 200 && stuck > 200); /* the rounds say something */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
