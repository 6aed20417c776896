/* Every call that can fail, fails once: the history then holds the old lines, and perhaps the new one, and never
 * loses a whole line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/fault.h"
#include "test-fixtures/harness/scratch.h"
#include "updater/history.h"

#define OLD_LINES 3

static struct scratch s;

static struct history_entry entry(int64_t at)
{
	return history_entry_of(at, "refresh", NULL, NULL, NULL);
}

/* OLD_LINES lines; @torn: and the beginning of one more. */
static void make_old(bool torn)
{
	struct buf text = BUF_INIT(HISTORY_MAX_BYTES);
	struct err e;

	assert_int_equal(file_remove(s.fd, HISTORY_FILE, &e), 0);
	for (int64_t at = 1; at <= OLD_LINES; at++) {
		const struct history_entry h = entry(at);

		assert_int_equal(history_append(s.fd, &h, &e), 0);
	}
	assert_int_equal(file_read(s.fd, HISTORY_FILE, &text, &e), 0);
	if (torn)
		assert_int_equal(buf_append_str(&text, "{\"time\"", &e), 0);
	scratch_write(&s, HISTORY_FILE, text.p, text.n);
	buf_fini(&text);
}

/* How many of the lines 1, 2, ... are there, in order and no other. */
static int64_t lines_there(void)
{
	struct history_entry *list = NULL;
	struct err e;
	size_t n;

	assert_int_equal(history_read(s.fd, SIZE_MAX, &list, &n, &e), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(list[i].at_sec, n - i);
	free(list);
	return (int64_t)n;
}

/* All faults of one kind against an append; @from: the N-th call and all later ones, as a power cut. */
static void each_fault(enum fault_kind kind, bool torn, bool from)
{
	const struct history_entry h = entry(OLD_LINES + 1), next = entry(OLD_LINES + 2);

	for (unsigned nth = 1;; nth++) {
		struct err e = { 0 };
		size_t fds;
		int r;

		make_old(torn);
		fds = fault_open_fds();
		if (from)
			fault_arm_from(kind, nth, EIO);
		else
			fault_arm(kind, nth, kind == FAULT_MEMORY ? ENOMEM : EIO);
		r = history_append(s.fd, &h, &e);
		if (!fault_disarm()) {
			assert_int_equal(r, 0);
			assert_int_equal(lines_there(), OLD_LINES + 1);
			break;
		}
		assert_case(fault_name(kind), r == 0 || e.kind == ERR_SYSTEM);
		assert_case(fault_name(kind), fault_open_fds() == fds);
		assert_case(fault_name(kind), lines_there() >= OLD_LINES + (r == 0));
		if (lines_there() == OLD_LINES)
			assert_int_equal(history_append(s.fd, &h, &e), 0);
		assert_int_equal(history_append(s.fd, &next, &e), 0);
		assert_case(fault_name(kind), lines_there() == OLD_LINES + 2);
	}
}

static void test_faults(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_OPEN,  FAULT_READ,   FAULT_WRITE,  FAULT_PREAD,
						 FAULT_FSYNC, FAULT_RENAME, FAULT_UNLINK, FAULT_MEMORY };

	(void)state;
	scratch_make(&s);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		each_fault(kinds[i], false, false);
		each_fault(kinds[i], true, false);
	}
	each_fault(FAULT_SYS, false, true);
	each_fault(FAULT_SYS, true, true);
	scratch_remove(&s);
}

/* Writes of a few bytes at a time, and each of them the last: the torn line is mended. */
static void test_short_writes(void **state)
{
	const struct history_entry h = entry(OLD_LINES + 1), next = entry(OLD_LINES + 2);

	(void)state;
	scratch_make(&s);
	fault_short(3);
	for (unsigned nth = 1;; nth++) {
		struct err e = { 0 };
		int r;

		make_old(false);
		fault_arm(FAULT_WRITE, nth, ENOSPC);
		r = history_append(s.fd, &h, &e);
		if (!fault_disarm()) {
			assert_int_equal(r, 0);
			break;
		}
		assert_int_equal(r, -1);
		assert_int_equal(e.sys, ENOSPC);
		assert_int_equal(lines_there(), OLD_LINES);
		assert_int_equal(history_append(s.fd, &h, &e), 0);
		assert_int_equal(history_append(s.fd, &next, &e), 0);
		assert_int_equal(lines_there(), OLD_LINES + 2);
	}
	fault_short(0);
	scratch_remove(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_short_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
