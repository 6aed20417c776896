/* The order in which mirrors are asked, and what is told when none served. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "tuf/mirror.h"
#include "tuf/tuf.h"

#define A "https://a.example/m"
#define B "https://b.example/m"
#define C "file:///srv/m"

static struct tuf_mirrors *three(void)
{
	struct tuf_mirrors *m = NULL;
	struct err e;

	assert_int_equal(tuf_mirrors_new(A " " B " " C, "https://a.example/t\t" B "/t  file:///srv/t ", &m, &e), 0);
	return m;
}

static void lists(void **state)
{
	static const struct {
		const char *name, *metadata, *targets;
		int ret;
		size_t n_metadata, n_targets;
	} cases[] = {
		{ "one of each", A, B, 0, 1, 1 },
		{ "none", NULL, NULL, 0, 0, 0 },
		{ "no targets", A " " B, NULL, 0, 2, 0 },
		{ "no metadata", NULL, A, 0, 0, 1 },
		{ "blanks all over", "  " A "\t " B " ", A " " B, 0, 2, 2 },
		{ "fewer targets", A " " B, A, -1, 0, 0 },
		{ "more targets", A, A " " B, -1, 0, 0 },
		{ "empty", "", NULL, -1, 0, 0 },
		{ "blank", A, "  ", -1, 0, 0 },
		{ "the second is no URL", A " b", A " " B, -1, 0, 0 },
		{ "the second has a query", A " " B "?x", A " " B, -1, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tuf_mirrors *m = NULL;
		struct err e = { 0 };

		assert_case(cases[i].name, tuf_mirrors_new(cases[i].metadata, cases[i].targets, &m, &e) == cases[i].ret);
		if (cases[i].ret < 0) {
			assert_case(cases[i].name, !m && e.kind == ERR_USAGE && strcmp(e.reason, "url") == 0);
			continue;
		}
		assert_case(cases[i].name, tuf_mirrors_count(m, TUF_MIRROR_METADATA) == cases[i].n_metadata);
		assert_case(cases[i].name, tuf_mirrors_count(m, TUF_MIRROR_TARGETS) == cases[i].n_targets);
		tuf_mirrors_free(m);
	}
}

static void their_number_has_a_limit(void **state)
{
	for (int n = TUF_MIRRORS_MAX - 1; n <= TUF_MIRRORS_MAX + 1; n++) {
		struct tuf_mirrors *m = NULL;
		char text[1024] = "";
		struct err e;

		for (int i = 0; i < n; i++)
			strncat(text, A " ", sizeof(text) - 1 - strlen(text));
		assert_int_equal(tuf_mirrors_new(text, NULL, &m, &e), n <= TUF_MIRRORS_MAX ? 0 : -1);
		tuf_mirrors_free(m);
	}
}

/* One sweep at @now in which the mirrors named in @fail fail with @kind; the order of asking, as digits. */
static const char *sweep(struct tuf_mirrors *m, uint64_t now, const char *fail, enum err_kind kind)
{
	static char order[8];
	struct tuf_sweep s;
	struct err e;
	size_t n = 0;

	(void)err_set(&e, kind, TUF_E_HTTP, "it failed");
	tuf_sweep_begin(&s, m, TUF_MIRROR_METADATA);
	while (tuf_sweep_next(&s, now)) {
		order[n++] = (char)('0' + s.at);
		order[n] = 0;
		assert_int_equal(tuf_sweep_is_last(&s), n == 3);
		if (!strchr(fail, order[n - 1])) {
			tuf_sweep_served(&s);
			return order;
		}
		assert_int_equal(tuf_sweep_failed(&s, now, &e), 0);
	}
	return order;
}

static void who_fails_rests(void **state)
{
	struct tuf_mirrors *m = three();
	uint64_t now = 1000, ms = TUF_MIRROR_REST_MS;

	assert_string_equal(sweep(m, now, "", ERR_NETWORK), "0");
	for (int i = 0; i < 10; i++) { /* the rest doubles, up to its cap */
		assert_string_equal(sweep(m, now, "0", ERR_NETWORK), "01");
		assert_string_equal(sweep(m, now + ms - 1, "", ERR_NETWORK), "1");
		now += ms;
		ms = min_u64(2 * ms, TUF_MIRROR_REST_MAX_MS);
	}
	assert_string_equal(sweep(m, now, "", ERR_NETWORK), "0"); /* rested, and forgiven */
	assert_string_equal(sweep(m, now, "0", ERR_NETWORK), "01");
	assert_string_equal(sweep(m, now + TUF_MIRROR_REST_MS, "", ERR_NETWORK), "0");
	tuf_mirrors_free(m);
}

static void who_rests_is_asked_last(void **state)
{
	struct tuf_mirrors *m = three();

	assert_string_equal(sweep(m, 5, "0", ERR_NETWORK), "01");
	assert_string_equal(sweep(m, 6, "12", ERR_NETWORK), "120");
	assert_string_equal(sweep(m, 7, "12", ERR_NETWORK), "0");  /* the other two rest now, and it is forgiven */
	assert_string_equal(sweep(m, 8, "012", ERR_NETWORK), "012");
	assert_string_equal(sweep(m, 9, "012", ERR_NETWORK), "012"); /* all rest: the given order again */
	tuf_mirrors_free(m);
}

static void only_transport_lets_rest(void **state)
{
	static const enum err_kind kinds[] = { ERR_MISSING, ERR_FORMAT, ERR_TRUST };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct tuf_mirrors *m = three();

		assert_string_equal(sweep(m, 5, "01", kinds[i]), "012");
		assert_string_equal(sweep(m, 6, "01", kinds[i]), "012");
		tuf_mirrors_free(m);
	}
}

static void some_failures_are_no_mirrors(void **state)
{
	static const enum err_kind kinds[] = { ERR_BUG, ERR_USAGE, ERR_STATE, ERR_BUSY, ERR_SYSTEM };
	struct tuf_mirrors *m = three();
	struct tuf_sweep s;
	struct err e;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		(void)err_set(&e, kinds[i], NULL, "no");
		tuf_sweep_begin(&s, m, TUF_MIRROR_TARGETS);
		assert_true(tuf_sweep_next(&s, 0));
		assert_int_equal(tuf_sweep_failed(&s, 0, &e), -1);
	}
	e.sys = 5; /* EIO, the last kind being ERR_SYSTEM */
	assert_int_equal(tuf_sweep_failed(&s, 0, &e), 0);
	tuf_mirrors_free(m);
}

static void the_message(void **state)
{
	struct tuf_mirrors *m = three();
	char text[sizeof(((struct err *)0)->msg)];
	struct tuf_sweep s;
	struct err e;

	tuf_sweep_begin(&s, m, TUF_MIRROR_METADATA);
	assert_int_equal(tuf_sweep_error(&s, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);

	assert_true(tuf_sweep_next(&s, 0));
	(void)err_set(&e, ERR_TRUST, TUF_E_EXPIRED, "timestamp.json: expired");
	assert_int_equal(tuf_sweep_failed(&s, 0, &e), 0);
	assert_int_equal(tuf_sweep_error(&s, &e), -1);
	assert_string_equal(e.msg, "timestamp.json: expired"); /* with one failure nothing is added */

	assert_true(tuf_sweep_next(&s, 0));
	(void)err_set(&e, ERR_NETWORK, NULL, "far too long to be told");
	assert_int_equal(tuf_sweep_failed(&s, 0, &e), 0);
	assert_true(tuf_sweep_next(&s, 0));
	(void)err_set(&e, ERR_MISSING, TUF_E_HTTP, "status 404");
	assert_int_equal(tuf_sweep_failed(&s, 0, &e), 0);
	assert_false(tuf_sweep_next(&s, 0));
	assert_int_equal(tuf_sweep_error(&s, &e), -1);
	assert_int_equal(e.kind, ERR_TRUST);
	assert_string_equal(e.reason, TUF_E_EXPIRED);
	assert_string_equal(e.msg, "timestamp.json: expired; also " B ": network; also " C ": http-status");

	/* A long first one gives way in its middle. */
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	memcpy(text, "begin", 5);
	memcpy(text + sizeof(text) - 4, "end", 3);
	memcpy(s.first.msg, text, sizeof(text));
	assert_int_equal(tuf_sweep_error(&s, &e), -1);
	assert_int_equal(strlen(e.msg), sizeof(e.msg) - 1);
	assert_memory_equal(e.msg, "begin", 5);
	assert_non_null(strstr(e.msg, "xend; also " B));
	tuf_mirrors_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists),
		cmocka_unit_test(their_number_has_a_limit),
		cmocka_unit_test(who_fails_rests),
		cmocka_unit_test(who_rests_is_asked_last),
		cmocka_unit_test(only_transport_lets_rest),
		cmocka_unit_test(some_failures_are_no_mirrors),
		cmocka_unit_test(the_message),
	};

	return cmocka_run_group_tests_name("tuf/mirror", tests, NULL, NULL);
}
