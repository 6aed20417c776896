/* The line as a table of states and times; what is written to a stream that is no terminal; a bar on a real
 * pseudo-terminal. */
#include "base/progress.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static void test_line(void **state)
{
	static const struct {
		const char *name;
		bool tty;
		uint64_t total, done, ms;
		const char *line;
	} cases[] = {
		{ "nothing yet", true, 40 * MIB, 0, 0,
		  "w   0% [>                       ] 0.0 of 40.0 MiB, 0.0 MiB/s, --:--" },
		{ "half", true, 40 * MIB, 20 * MIB, 4000,
		  "w  50% [============>           ] 20.0 of 40.0 MiB, 5.0 MiB/s, 00:04" },
		{ "all", true, 40 * MIB, 40 * MIB, 8000,
		  "w 100% [========================] 40.0 of 40.0 MiB, 5.0 MiB/s, 00:00" },
		{ "more than all", true, 40 * MIB, 44 * MIB, 8000,
		  "w 100% [========================] 44.0 of 40.0 MiB, 5.5 MiB/s, 00:00" },
		{ "a byte short of all", true, 1000, 999, 1000,
		  "w  99% [=======================>] 0.0 of 0.0 MiB, 0.0 MiB/s, 00:01" },
		{ "GiB", true, 2 * GIB, GIB / 2, 1024,
		  "w  25% [======>                 ] 0.5 of 2.0 GiB, 500.0 MiB/s, 00:04" },
		{ "just below a GiB", true, GIB - 1, 0, 1,
		  "w   0% [>                       ] 0.0 of 1024.0 MiB, 0.0 MiB/s, --:--" },
		{ "an hour", true, 3601 * MIB, MIB, 1000,
		  "w   0% [>                       ] 0.0 of 3.5 GiB, 1.0 MiB/s, 1:00:00" },
		{ "59:59", true, 3600 * MIB, MIB, 1000,
		  "w   0% [>                       ] 0.0 of 3.5 GiB, 1.0 MiB/s, 59:59" },
		{ "99 hours", true, 99 * 3600 * MIB + MIB, MIB, 1000,
		  "w   0% [>                       ] 0.0 of 348.0 GiB, 1.0 MiB/s, 99:00:00" },
		{ "too far off", true, 99 * 3600 * MIB + 2 * MIB, MIB, 1000,
		  "w   0% [>                       ] 0.0 of 348.0 GiB, 1.0 MiB/s, --:--" },
		{ "total unknown", true, 0, 20 * MIB, 4000, "w  20.0 MiB, 5.0 MiB/s" },
		{ "clock stands", true, 0, 20 * MIB, 0, "w  20.0 MiB, 0.0 MiB/s" },
		{ "plain", false, 40 * MIB, 12 * MIB, 2000, "w: 30 % (12.0 of 40.0 MiB, 6.0 MiB/s)" },
		{ "plain, total unknown", false, 0, 12 * MIB, 2000, "w: 12.0 MiB, 6.0 MiB/s" },
		{ "largest numbers", false, UINT64_MAX, UINT64_MAX, 1,
		  "w: 100 % (17179869184.0 of 17179869184.0 GiB, 17179869184.0 GiB/s)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct progress p = { .tty = cases[i].tty,
					    .columns = PROGRESS_COLUMNS,
					    .what = "w",
					    .total = cases[i].total,
					    .done = cases[i].done,
					    .start_ms = 5000 };
		char line[PROGRESS_LINE_BYTES];

		progress_line(&p, 5000 + cases[i].ms, line, sizeof(line));
		if (strcmp(line, cases[i].line) != 0)
			fail_msg("%s: \"%s\"", cases[i].name, line);
	}
}

/* Whatever the width of the terminal and the length of the name, the line stays within, one column free for the cursor. */
static void test_width(void **state)
{
	(void)state;
	for (unsigned int columns = 1; columns <= PROGRESS_COLUMNS; columns++)
		for (size_t name = 0; name < sizeof(((struct progress *)0)->what); name++) {
			struct progress p = { .tty = true, .columns = columns, .total = 90 * GIB, .done = 4 * GIB };
			char line[PROGRESS_LINE_BYTES];

			memset(p.what, 'x', name);
			for (p.total = 90 * GIB;; p.total = 0) {
				progress_line(&p, 3000, line, sizeof(line));
				if (strlen(line) >= columns)
					fail_msg("%u columns, name of %zu: \"%s\"", columns, name, line);
				if (p.total == 0)
					break;
			}
		}
}

static void test_small_buffer(void **state)
{
	const struct progress p = { .tty = true, .columns = PROGRESS_COLUMNS, .what = "fetching", .total = 100 };
	char line[8] = "*******";

	(void)state;
	progress_line(&p, 0, line, 0);
	assert_string_equal(line, "*******");
	progress_line(&p, 0, line, 4);
	assert_string_equal(line, "fet");
}

static char *all_of(FILE *f, char *text, size_t n)
{
	rewind(f);
	text[fread(text, 1, n - 1, f)] = '\0';
	return text;
}

static unsigned int count_lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void test_plain(void **state)
{
	struct progress p;
	FILE *f = tmpfile();
	char text[4096];

	(void)state;
	assert_non_null(f);
	progress_init(&p, f, false);
	progress_start(&p, "fetching root", 100 * MIB, 0);
	for (uint64_t i = 1; i <= 100; i++)
		progress_add(&p, MIB, i * 100);
	progress_end(&p, 10000);
	progress_end(&p, 20000); /* ended once */
	progress_add(&p, MIB, 20000);
	all_of(f, text, sizeof(text));
	assert_int_equal(count_lines(text), 11); /* start, nine tenths, end */
	assert_non_null(strstr(text, ": fetching root\n"));
	assert_non_null(strstr(text, ": fetching root: 10 % (10.0 of 100.0 MiB, 10.0 MiB/s)\n"));
	assert_non_null(strstr(text, ": fetching root: 90 % (90.0 of 100.0 MiB, 10.0 MiB/s)\n"));
	assert_non_null(strstr(text, ": fetching root: 100 % (100.0 of 100.0 MiB, 10.0 MiB/s)\n"));
	assert_null(strchr(text, '\r'));
	fclose(f);
}

/* One big piece skips tenths; the next piece of work ends the one before. */
static void test_plain_jump_and_restart(void **state)
{
	struct progress p;
	FILE *f = tmpfile();
	char text[4096];

	(void)state;
	assert_non_null(f);
	progress_init(&p, f, false);
	progress_start(&p, "one", 100, 0);
	progress_add(&p, 75, 1);
	progress_start(&p, "two", 0, 2);
	progress_add(&p, UINT64_MAX, 3);
	progress_add(&p, UINT64_MAX, 4); /* the sum stays at the largest number */
	assert_int_equal(p.done, UINT64_MAX);
	progress_end(&p, 5);
	all_of(f, text, sizeof(text));
	assert_int_equal(count_lines(text), 5); /* one, one: 75 %, one: 75 % (its end), two, two: its end */
	fclose(f);
}

static void test_quiet(void **state)
{
	FILE *f = tmpfile();
	char text[64];

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 2; i++) {
		struct progress p;

		progress_init(&p, i ? f : NULL, i);
		progress_start(&p, "w", 10, 0);
		progress_add(&p, 10, 1000);
		progress_end(&p, 2000);
	}
	assert_string_equal(all_of(f, text, sizeof(text)), "");
	fclose(f);
}

/* A pseudo-terminal of @columns; *@other is its far end. */
static FILE *open_terminal(unsigned short columns, int *other)
{
	const struct winsize w = { .ws_row = 24, .ws_col = columns };
	const int far = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];

	assert_true(far >= 0);
	assert_int_equal(grantpt(far), 0);
	assert_int_equal(unlockpt(far), 0);
	assert_int_equal(ptsname_r(far, name, sizeof(name)), 0);
	const int near = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(near >= 0);
	assert_int_equal(ioctl(near, TIOCSWINSZ, &w), 0);
	*other = far;
	return fdopen(near, "w");
}

/* Up to the line feed: the kernel hands over what was written in pieces, and not at once. */
static void read_line(int far, char *text, size_t size)
{
	size_t n = 0;

	do {
		struct pollfd p = { .fd = far, .events = POLLIN };

		assert_true(n < size - 1);
		assert_int_equal(poll(&p, 1, 5000), 1);
		const ssize_t got = read(far, text + n, size - 1 - n);

		assert_true(got > 0);
		n += (size_t)got;
	} while (!memchr(text, '\n', n));
	text[n] = '\0';
}

static void test_terminal(void **state)
{
	static const struct {
		unsigned short columns;
		unsigned int used;
	} cases[] = { { 0, 80 }, { 40, 40 }, { 79, 79 }, { 80, 80 }, { 81, 80 }, { 200, 80 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct progress p;
		char text[4096];
		int far;
		FILE *f = open_terminal(cases[i].columns, &far);

		assert_non_null(f);
		progress_init(&p, f, false);
		assert_true(p.tty);
		progress_start(&p, "fetching root", 100 * MIB, 0);
		assert_int_equal(p.columns, cases[i].used);
		progress_add(&p, 50 * MIB, 99);	 /* too soon after the first */
		progress_add(&p, 1 * MIB, 100);	 /* in time */
		progress_add(&p, 1 * MIB, 199);	 /* too soon */
		progress_add(&p, 48 * MIB, 199); /* too soon, shown by the end */
		progress_end(&p, 1000);
		read_line(far, text, sizeof(text));
		unsigned int redrawn = 0;

		for (const char *at = text; (at = strstr(at, "\r\033[K")); at++)
			redrawn++;
		assert_int_equal(redrawn, 3);
		assert_non_null(strstr(text, "fetching root  51%"));
		assert_non_null(strstr(text, "fetching root 100%"));
		assert_int_equal(count_lines(text), 1);
		fclose(f);
		close(far);
	}
}

static void test_now(void **state)
{
	const uint64_t a = progress_now_ms(), b = progress_now_ms();

	(void)state;
	assert_true(a > 0 && b >= a && b - a < 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_small_buffer),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_plain_jump_and_restart),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
