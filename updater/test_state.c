#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "updater/state.h"

#define I UPD_IDLE
#define A UPD_AVAILABLE
#define S UPD_STAGED
#define R UPD_READY
#define NO (-1) /* not allowed in this state */
#define NC (-2) /* no update is chosen */
#define NS (-3) /* nothing is staged */

/* The whole machine: next state by command, state, success, has_chosen and has_staged (00, 01, 10, 11). */
static const int table[UPD_N_COMMANDS][UPD_N_STATES][2][4] = {
	[UPD_REFRESH] = {
		[I] = { { I, I, I, I }, { I, I, A, A } },
		[A] = { { I, I, I, I }, { I, I, A, A } },
		[S] = { { S, S, S, S }, { S, S, S, S } },
		[R] = { { R, R, R, R }, { R, R, R, R } },
	},
	[UPD_PREPARE] = {
		[I] = { { NO, NO, NO, NO }, { NO, NO, NO, NO } },
		[A] = { { NC, NC, A, A }, { NC, NC, S, S } },
		[S] = { { NC, NC, A, A }, { NC, NC, S, S } },
		[R] = { { NO, NO, NO, NO }, { NO, NO, NO, NO } },
	},
	[UPD_ACTIVATE] = {
		[I] = { { NO, NO, NO, NO }, { NO, NO, NO, NO } },
		[A] = { { NO, NO, NO, NO }, { NO, NO, NO, NO } },
		[S] = { { NS, S, NS, S }, { NS, R, NS, R } },
		[R] = { { NO, NO, NO, NO }, { NO, NO, NO, NO } },
	},
	[UPD_DEACTIVATE] = {
		[I] = { { NO, NO, NO, NO }, { NO, NO, NO, NO } },
		[A] = { { NO, NO, NO, NO }, { NO, NO, NO, NO } },
		[S] = { { NO, NO, NO, NO }, { NO, NO, NO, NO } },
		[R] = { { NS, R, NS, R }, { NS, S, NS, S } },
	},
};

static void check_refusal(const char *name, int want, const struct err *e)
{
	static const char *const reasons[] = { UPD_E_STATE, UPD_E_NO_CHOSEN, UPD_E_NO_STAGED };

	assert_case(name, e->kind == (want == NO ? ERR_STATE : ERR_MISSING));
	assert_case(name, strcmp(e->reason, reasons[-1 - want]) == 0);
}

static void test_table(void **state)
{
	char name[64];

	(void)state;
	for (unsigned n = 0; n < UPD_N_COMMANDS * UPD_N_STATES * 8; n++) {
		const enum upd_command c = (enum upd_command)(n / 8 / UPD_N_STATES);
		const enum upd_state s = (enum upd_state)(n / 8 % UPD_N_STATES);
		const bool ok = n & 4, chosen = n & 2, staged = n & 1;
		const int want = table[c][s][ok][n & 3];
		enum upd_state next = (enum upd_state)99;
		struct err e = { 0 };
		const int r = upd_state_step(s, c, ok, chosen, staged, &next, &e);

		snprintf(name, sizeof(name), "%s in %s, %d%d%d", upd_command_name(c), upd_state_name(s), ok, chosen, staged);
		if (want < 0) {
			assert_case(name, r == -1 && (int)next == 99);
			check_refusal(name, want, &e);
		} else {
			assert_case(name, r == 0 && (int)next == want);
		}
	}
}

static void test_names(void **state)
{
	enum upd_state s;
	enum upd_command c;

	(void)state;
	for (unsigned i = 0; i < UPD_N_STATES; i++)
		assert_true(upd_state_parse(upd_state_name((enum upd_state)i), &s) && s == i);
	for (unsigned i = 0; i < UPD_N_COMMANDS; i++)
		assert_true(upd_command_parse(upd_command_name((enum upd_command)i), &c) && c == i);
	assert_false(upd_state_parse("idle", &s) || upd_state_parse("", &s) || upd_state_parse("Readyy", &s));
	assert_false(upd_command_parse("Refresh", &c) || upd_command_parse("", &c));
}

static void test_from_disk(void **state)
{
	static const struct {
		const char *name;
		struct gpt_bits bits;
		bool next, staged, chosen;
		enum upd_state want;
	} cases[] = {
		{ "fresh", { 0, 0, false }, false, false, false, UPD_IDLE },
		{ "fresh, refreshed", { 0, 0, false }, false, false, true, UPD_AVAILABLE },
		{ "being written", { 0, 0, false }, false, true, true, UPD_AVAILABLE },
		{ "staged", { 0, 1, false }, false, true, false, UPD_STAGED },
		{ "staged, chosen", { 0, 1, false }, false, true, true, UPD_STAGED },
		{ "staged without a record", { 0, 1, false }, false, false, true, UPD_AVAILABLE },
		{ "activated", { 2, 1, false }, true, true, true, UPD_READY },
		{ "activated by hand", { 2, 1, false }, true, false, false, UPD_READY },
		{ "rollback by hand", { 2, 0, true }, true, false, false, UPD_READY },
		{ "fell back", { 2, 0, false }, false, true, true, UPD_AVAILABLE },
		{ "the old set after an update", { 1, 0, true }, false, false, false, UPD_IDLE },
		{ "the old set, record left over", { 1, 0, true }, false, true, false, UPD_IDLE },
		{ "bootable at a lower priority", { 1, 1, false }, false, true, true, UPD_AVAILABLE },
		{ "successful and tries", { 0, 1, true }, false, true, false, UPD_IDLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_case(cases[i].name, upd_state_from_disk(cases[i].bits, cases[i].next, cases[i].staged,
							       cases[i].chosen) == cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_from_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
