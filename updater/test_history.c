#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/scratch.h"
#include "updater/history.h"

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

static struct version version_of(const char *text)
{
	struct version v;
	struct err e;

	assert_int_equal(version_parse(text, &v, &e), 0);
	return v;
}

/* The @i-th of a series; odd ones failed. */
static struct history_entry entry(unsigned i)
{
	const struct version from = version_of("1.0.0"), to = version_of("1.1.0");
	struct history_entry h;
	struct err e;

	err_set(&e, ERR_TRUST, "digest", "target %u: \"quoted\" \xff", i);
	h = history_entry_of(1772442900 + i, i % 3 ? "prepare" : "activate", &from, i % 5 ? &to : NULL, i % 2 ? &e : NULL);
	h.trust = (struct upd_trust){ 1, i, 3, 4 };
	h.has_target = i % 4 == 0;
	if (h.has_target)
		memset(h.target.v, (int)i & 0xff, digest_size(DIGEST_SHA256));
	return h;
}

static void append(unsigned i)
{
	const struct history_entry h = entry(i);
	struct err e = { 0 };

	if (history_append(s.fd, &h, &e) < 0)
		fail_msg("%u: %s", i, e.msg);
}

/* Reads all; the newest must be @newest, and before it one less each, @n in all. */
static void assert_series(const char *name, unsigned newest, size_t n)
{
	struct history_entry *list = NULL;
	struct err e = { 0 };
	size_t got = 99;

	assert_case(name, history_read(s.fd, SIZE_MAX, &list, &got, &e) == 0);
	assert_case(name, got == n);
	for (size_t i = 0; i < n; i++) {
		const struct history_entry want = entry(newest - (unsigned)i);

		assert_case(name, list[i].at_sec == want.at_sec && list[i].ok == want.ok);
		assert_case(name, strcmp(list[i].action, want.action) == 0 && strcmp(list[i].to, want.to) == 0);
		assert_case(name, strcmp(list[i].error_message, want.error_message) == 0);
		assert_case(name, strcmp(list[i].error_kind, want.error_kind) == 0);
		assert_case(name, strcmp(list[i].error_reason, want.error_reason) == 0);
		assert_case(name, list[i].trust.timestamp == want.trust.timestamp);
		assert_case(name, list[i].has_target == want.has_target && digest_equal(&list[i].target, &want.target));
	}
	free(list);
}

static void clear(void)
{
	struct err e;

	assert_int_equal(file_remove(s.fd, HISTORY_FILE, &e), 0);
}

static void test_append_and_read(void **state)
{
	struct history_entry *list;
	struct err e;
	size_t n;

	(void)state;
	clear();
	assert_series("no file", 0, 0);
	for (unsigned i = 1; i <= 20; i++) {
		append(i);
		assert_series("growing", i, i);
	}
	assert_int_equal(history_read(s.fd, 3, &list, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_int_equal(list[0].at_sec, 1772442920);
	free(list);
	assert_int_equal(history_read(s.fd, 0, &list, &n, &e), 0);
	assert_true(n == 0 && !list);
}

/* A file of two lines cut at every byte: whole lines are read, the next append mends the end, and nothing whole
 * is lost. */
static void test_cut(void **state)
{
	struct buf text = BUF_INIT(HISTORY_MAX_BYTES);
	size_t first;
	struct err e;
	char name[32];

	(void)state;
	clear();
	append(1);
	append(2);
	assert_int_equal(file_read(s.fd, HISTORY_FILE, &text, &e), 0);
	first = (size_t)((uint8_t *)memchr(text.p, '\n', text.n) - text.p) + 1;
	for (size_t n = 0; n <= text.n; n++) {
		const unsigned whole = n == text.n ? 2 : n >= first ? 1 : 0;

		snprintf(name, sizeof(name), "cut at %zu", n);
		scratch_write(&s, HISTORY_FILE, text.p, n);
		assert_series(name, whole, whole);
		append(whole + 1);
		assert_series(name, whole + 1, whole + 1);
		append(whole + 2);
		assert_series(name, whole + 2, whole + 2);
	}
	buf_fini(&text);
}

/* A line that is whole and makes no sense is left out, and what is around it read. */
static void test_strange_lines(void **state)
{
	static const char *const strange[] = {
		"\n", "{}\n", "null\n", "[1]\n", "\xff\xff\n", "{\"time\": 5}\n",
		"{\"time\":\"2026-03-02T09:15:00Z\",\"action\":\"a\",\"from\":null,\"to\":null,\"result\":\"maybe\",\"error\":null,"
		"\"trust\":{\"root\":1,\"timestamp\":1,\"snapshot\":1,\"targets\":1},\"target\":null}\n",
		"{\"time\":\"2026-03-02T09:15:00Z\",\"action\":\"a\",\"from\":null,\"to\":null,\"result\":\"ok\",\"error\":null,"
		"\"trust\":null,\"target\":null}\n",
		"{\"time\":\"2026-03-02T09:15:00Z\",\"action\":\"a\",\"from\":null,\"to\":null,\"result\":\"ok\",\"error\":null,"
		"\"trust\":{\"root\":1,\"timestamp\":1,\"snapshot\":1,\"targets\":1},\"target\":\"00\"}\n",
	};
	struct buf text = BUF_INIT(HISTORY_MAX_BYTES);
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
		clear();
		append(1);
		text.n = 0;
		assert_int_equal(file_read(s.fd, HISTORY_FILE, &text, &e), 0);
		assert_int_equal(buf_append_str(&text, strange[i], &e), 0);
		scratch_write(&s, HISTORY_FILE, text.p, text.n);
		append(2);
		assert_series(strange[i], 2, 2);
	}
	buf_fini(&text);
}

static void test_bound(void **state)
{
	struct stat st;
	off_t before = 0;
	unsigned i, shrunk = 0;
	struct history_entry *list;
	struct err e;
	size_t n;

	(void)state;
	clear();
	for (i = 1; shrunk < 2; i++) {
		append(i);
		assert_int_equal(fstatat(s.fd, HISTORY_FILE, &st, 0), 0);
		assert_true(st.st_size <= (off_t)HISTORY_MAX_BYTES);
		if (st.st_size < before) {
			shrunk++;
			/* The newest half, and the line that made it too long. */
			assert_true(st.st_size > (off_t)(HISTORY_MAX_BYTES / 2 - HISTORY_LINE_MAX_BYTES));
			assert_int_equal(history_read(s.fd, SIZE_MAX, &list, &n, &e), 0);
			assert_int_equal(list[0].at_sec, 1772442900 + i);
			assert_int_equal(list[n - 1].at_sec, 1772442900 + i - (n - 1));
			free(list);
		}
		before = st.st_size;
		assert_true(i < 5000);
	}
}

/* A file that something else made too large is read at its end, and brought within bounds by the next append. */
static void test_oversized(void **state)
{
	struct buf text = BUF_INIT(8 * HISTORY_MAX_BYTES);
	struct buf line = BUF_INIT(HISTORY_MAX_BYTES);
	struct history_entry *list;
	struct stat st;
	struct err e;
	size_t n;

	(void)state;
	clear();
	append(7);
	assert_int_equal(file_read(s.fd, HISTORY_FILE, &line, &e), 0);
	while (text.n < 3 * HISTORY_MAX_BYTES)
		assert_int_equal(buf_append(&text, line.p, line.n, &e), 0);
	scratch_write(&s, HISTORY_FILE, text.p, text.n);
	assert_int_equal(history_read(s.fd, SIZE_MAX, &list, &n, &e), 0);
	assert_int_equal(n, HISTORY_MAX_BYTES / line.n);
	free(list);
	append(8);
	assert_int_equal(fstatat(s.fd, HISTORY_FILE, &st, 0), 0);
	assert_true(st.st_size <= (off_t)HISTORY_MAX_BYTES);
	assert_int_equal(history_read(s.fd, 2, &list, &n, &e), 0);
	assert_true(n == 2 && list[0].at_sec == 1772442908 && list[1].at_sec == 1772442907);
	free(list);

	memset(text.p, 'x', text.n); /* one endless line */
	scratch_write(&s, HISTORY_FILE, text.p, text.n);
	assert_series("endless line", 0, 0);
	append(1);
	assert_series("after the endless line", 1, 1);
	buf_fini(&text);
	buf_fini(&line);
}

/* The longest texts an entry can hold, each byte escaped, still make a line. */
static void test_longest_line(void **state)
{
	struct history_entry h = entry(1);
	struct err e = { 0 };

	(void)state;
	clear();
	memset(h.action, 1, sizeof(h.action) - 1);
	memset(h.from, 1, sizeof(h.from) - 1);
	memset(h.to, 1, sizeof(h.to) - 1);
	memset(h.error_kind, 1, sizeof(h.error_kind) - 1);
	memset(h.error_reason, 1, sizeof(h.error_reason) - 1);
	memset(h.error_message, 1, sizeof(h.error_message) - 1);
	h.action[sizeof(h.action) - 1] = h.from[sizeof(h.from) - 1] = h.to[sizeof(h.to) - 1] = '\0';
	assert_int_equal(history_append(s.fd, &h, &e), 0);
	append(2);
}

static void test_not_a_file(void **state)
{
	struct scratch other;
	const struct history_entry h = entry(1);
	struct history_entry *list;
	struct err e = { 0 };
	size_t n;

	(void)state;
	scratch_make(&other);
	assert_int_equal(mkdirat(other.fd, HISTORY_FILE, 0755), 0);
	assert_int_equal(history_append(other.fd, &h, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(history_read(other.fd, 1, &list, &n, &e), -1);
	scratch_remove(&other);
}

static void test_fell_back(void **state)
{
	static const struct {
		const char *name;
		struct {
			const char *action, *from, *to;
		} newest_first[5];
		size_t n;
		const char *want; /* joined by blanks */
	} cases[] = {
		{ "nothing", { { 0 } }, 0, "" },
		{ "one", { { HISTORY_FELL_BACK, "1.1.0", "1.0.0" } }, 1, "1.1.0" },
		{ "twice", { { HISTORY_FELL_BACK, "1.1.0", "1.0.0" }, { HISTORY_FELL_BACK, "1.1.0", "1.0.0" } }, 2, "1.1.0" },
		{ "two", { { HISTORY_FELL_BACK, "1.2.0", "1.0.0" }, { HISTORY_FELL_BACK, "1.1.0", "1.0.0" } }, 2, "1.2.0 1.1.0" },
		{ "confirmed since", { { HISTORY_BOOTED, "1.0.0", "1.1.0" }, { HISTORY_FELL_BACK, "1.1.0", "1.0.0" } }, 2, "" },
		{ "confirmed before", { { HISTORY_FELL_BACK, "1.1.0", "1.0.0" }, { HISTORY_BOOTED, "", "1.1.0" } }, 2, "1.1.0" },
		{ "another confirmed", { { HISTORY_BOOTED, "1.0.0", "1.0.0" }, { HISTORY_FELL_BACK, "1.1.0", "1.0.0" } }, 2, "1.1.0" },
		{ "other actions", { { "activate", "1.1.0", "1.0.0" }, { HISTORY_FELL_BACK, "", "1.0.0" } }, 2, "" },
		{ "more than room", { { HISTORY_FELL_BACK, "1.3.0", "" }, { HISTORY_FELL_BACK, "1.2.0", "" },
				      { HISTORY_FELL_BACK, "1.1.0", "" } }, 3, "1.3.0 1.2.0" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct history_entry list[5] = { 0 };
		struct version out[2];
		char got[64] = "";
		size_t n;

		for (size_t k = 0; k < cases[i].n; k++) {
			list[k].ok = true;
			snprintf(list[k].action, sizeof(list[k].action), "%s", cases[i].newest_first[k].action);
			snprintf(list[k].from, sizeof(list[k].from), "%s", cases[i].newest_first[k].from);
			snprintf(list[k].to, sizeof(list[k].to), "%s", cases[i].newest_first[k].to);
		}
		history_fell_back(list, cases[i].n, out, ARRAY_LEN(out), &n);
		for (size_t k = 0; k < n; k++)
			snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", k ? " " : "", out[k].text);
		assert_case(cases[i].name, strcmp(got, cases[i].want) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append_and_read), cmocka_unit_test(test_cut),	   cmocka_unit_test(test_strange_lines),
		cmocka_unit_test(test_bound),		cmocka_unit_test(test_oversized),  cmocka_unit_test(test_longest_line),
		cmocka_unit_test(test_not_a_file),	cmocka_unit_test(test_fell_back),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
