#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "updater/wave.h"
#include "updater/wave_policy.h"

#define START INT64_C(1772438400) /* 2026-03-02T08:00:00Z */
#define HOUR 3600
#define DAY 86400

static struct manifest_update update_of(struct manifest_wave *waves, size_t n)
{
	static char variant[] = "demo";
	struct manifest_update u = { .variant = variant, .waves = waves, .n_waves = n };

	memcpy(u.version.text, "1.0.0", 6);
	return u;
}

static void test_openings(void **state)
{
	static const struct {
		const char *name;
		struct manifest_wave waves[3];
		size_t n;
		uint32_t seed;
		bool always;
		int64_t at;
		size_t wave;
	} cases[] = {
		{ "no waves", { { 0, 0 } }, 0, 5, true, 0, 0 },
		{ "below the first key", { { 100, START } }, 1, 99, true, 0, 0 },
		{ "at the first key", { { 100, START } }, 1, 100, false, START, 0 },
		{ "seed 0 belongs to the first wave", { { 0, START }, { 1024, START + HOUR } }, 2, 0, false, START, 0 },
		{ "half way", { { 0, START }, { 1024, START + 1024 } }, 2, 512, false, START + 512, 0 },
		{ "last of a wave", { { 0, START }, { 1024, START + 1024 } }, 2, 1023, false, START + 1023, 0 },
		{ "first of the next", { { 0, START }, { 1024, START + 1024 } }, 2, 1024, false, START + 1024, 1 },
		{ "offset counts from the wave's start",
		  { { 0, START }, { 307, START + 2 * DAY }, { 819, START + 4 * DAY } }, 3, 500, false,
		  START + 2 * DAY + 2 * DAY * 193 / 512, 1 },
		{ "last wave keeps the pace", { { 0, START }, { 1024, START + 1024 } }, 2, 2047, false, START + 2047, 1 },
		{ "last wave at a slower start is bounded by the one before",
		  { { 0, START }, { 1, START + 2047 } }, 2, 2047, false, START + 2047 + INT64_C(2047) * 2046 / 2047, 1 },
		{ "lone wave", { { 0, START } }, 1, 1024, false, START + WAVE_LONE_SPREAD_SEC / 2, 0 },
		{ "key 2048 ends the last wave", { { 0, START }, { 2048, START + 4096 } }, 2, 2047, false, START + 4094, 0 },
		{ "times that fall: the wave opens at its start", { { 0, START }, { 1024, START - HOUR } }, 2, 1000, false,
		  START, 0 },
		{ "equal times", { { 0, START }, { 1024, START } }, 2, 1000, false, START, 0 },
		{ "seed 2048 is seed 0", { { 0, START }, { 1024, START + 1024 } }, 2, 2048, false, START, 0 },
		{ "largest seed", { { 0, START }, { 1024, START + 1024 } }, 2, UINT32_MAX, false, START + 2047, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct manifest_wave waves[3];
		struct manifest_update u = update_of(waves, cases[i].n);
		struct wave_opening o;

		memcpy(waves, cases[i].waves, sizeof(waves));
		o = wave_opening(&u, cases[i].seed);
		assert_case(cases[i].name, o.always == cases[i].always);
		assert_case(cases[i].name, o.always || (o.at_sec == cases[i].at && o.wave == cases[i].wave));
		assert_case(cases[i].name, wave_is_open(&o, cases[i].at));
		assert_case(cases[i].name, wave_is_open(&o, cases[i].at - 1) == cases[i].always);
	}
}

/* What must hold for every seed of an update whose times rise. */
static void check_properties(const char *name, const struct manifest_update *u, unsigned most_in_a_second)
{
	const int64_t complete = wave_complete_at(u);
	int64_t before = INT64_MIN, latest = INT64_MIN;
	size_t wave_before = 0;
	unsigned in_second = 0;

	for (uint32_t seed = u->waves[0].start_seed; seed < WAVE_SEEDS; seed++) {
		const struct wave_opening o = wave_opening(u, seed);

		assert_case(name, !o.always);
		assert_case(name, o.at_sec >= u->waves[o.wave].start_sec);
		assert_case(name, u->waves[o.wave].start_seed <= seed);
		assert_case(name, o.wave + 1 == u->n_waves || o.at_sec < u->waves[o.wave + 1].start_sec);
		assert_case(name, o.wave >= wave_before && o.at_sec >= before);
		in_second = o.at_sec == before ? in_second + 1 : 1;
		assert_case(name, in_second <= most_in_a_second);
		assert_case(name, o.at_sec <= complete);
		before = latest = o.at_sec;
		wave_before = o.wave;
	}
	assert_case(name, latest == complete);
}

static void test_policies_spread(void **state)
{
	static const char *const names[] = { "default", "accelerated", "slow-roll", "ohno" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct wave_policy p;
		struct manifest_update u = update_of(NULL, 0);
		struct err e;

		assert_case(names[i], wave_policy_preset(names[i], &p, &e) == 0);
		assert_case(names[i], wave_policy_apply(&p, START, &u, &e) == 0);
		assert_case(names[i], wave_order_check(&u, &e) == 0);
		check_properties(names[i], &u, 2);
		free(u.waves);
	}
}

static void test_random_waves(void **state)
{
	uint32_t x = 12345;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct manifest_wave waves[8];
		struct manifest_update u = update_of(waves, 0);
		uint32_t seed = 0;
		int64_t at = START;

		while (u.n_waves < ARRAY_LEN(waves) && seed < WAVE_SEEDS) {
			waves[u.n_waves++] = (struct manifest_wave){ seed, at };
			x = x * 1664525u + 1013904223u;
			seed += 1 + (x >> 16) % 600;
			at += 1 + (x >> 8) % 200000;
		}
		check_properties("random", &u, WAVE_SEEDS);
	}
}

/* A wave of a second for each seed opens exactly one seed in each. */
static void test_even(void **state)
{
	struct manifest_wave waves[] = { { 0, START }, { 1024, START + 1024 }, { 2048, START + 2048 } };
	struct manifest_update u = update_of(waves, 3);

	(void)state;
	check_properties("even", &u, 1);
	assert_int_equal(wave_complete_at(&u), START + 2047);
}

static void test_complete(void **state)
{
	struct manifest_wave lone[] = { { 2048, START } };
	struct manifest_update none = update_of(NULL, 0), beyond = update_of(lone, 1);

	(void)state;
	assert_true(wave_complete_at(&none) == INT64_MIN);
	assert_true(wave_complete_at(&beyond) == INT64_MIN);
	assert_true(wave_opening(&beyond, 2047).always);
}

static void test_default_keys(void **state)
{
	static const struct manifest_wave want[] = {
		{ 0, START + HOUR },	  { 20, START + 4 * HOUR }, { 102, START + DAY },     { 307, START + 2 * DAY },
		{ 819, START + 4 * DAY }, { 1228, START + 5 * DAY }, { 1843, START + 6 * DAY },
	};
	struct manifest_update u = update_of(NULL, 0);
	struct wave_policy p;
	struct err e;

	(void)state;
	assert_int_equal(wave_policy_preset("default", &p, &e), 0);
	assert_int_equal(wave_policy_apply(&p, START, &u, &e), 0);
	assert_int_equal(u.n_waves, ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(u.waves[i].start_seed, want[i].start_seed);
		assert_int_equal(u.waves[i].start_sec, want[i].start_sec);
	}
	free(u.waves);
	assert_int_equal(wave_policy_preset("Default", &p, &e), -1);
	assert_int_equal(e.kind, ERR_MISSING);
}

#define ONE "[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 100\n"

static void test_policy_text(void **state)
{
	static const struct {
		const char *name, *text;
		bool good;
		size_t n;
		int64_t last_after;
	} cases[] = {
		{ "one", ONE, true, 1, HOUR },
		{ "comments, blanks, double quotes, other order, CRLF, no last line feed",
		  "# policy\r\n\r\n [[waves]] # first\r\n  fleet_percentage=5# five\r\n start_after=\"30 minutes\" # soon\r\n"
		  "[[waves]]\nstart_after = '2 days'\nfleet_percentage = 100",
		  true, 2, 2 * DAY },
		{ "empty", "", false, 0, 0 },
		{ "comment only", "# nothing\n", false, 0, 0 },
		{ "key before a table", "start_after = '1 hour'\n" ONE, false, 0, 0 },
		{ "no percentage", "[[waves]]\nstart_after = '1 hour'\n", false, 0, 0 },
		{ "no start", "[[waves]]\nfleet_percentage = 100\n", false, 0, 0 },
		{ "first incomplete", "[[waves]]\nfleet_percentage = 1\n" ONE, false, 0, 0 },
		{ "start twice", "[[waves]]\nstart_after = '1 hour'\nstart_after = '1 hour'\nfleet_percentage = 100\n", false, 0,
		  0 },
		{ "percentage twice", ONE "fleet_percentage = 100\n", false, 0, 0 },
		{ "unknown key", ONE "jitter = 5\n", false, 0, 0 },
		{ "longer key", "[[waves]]\nstart_after_all = '1 hour'\nfleet_percentage = 100\n", false, 0, 0 },
		{ "another table", "[waves]\nstart_after = '1 hour'\nfleet_percentage = 100\n", false, 0, 0 },
		{ "bare time", "[[waves]]\nstart_after = 1 hour\nfleet_percentage = 100\n", false, 0, 0 },
		{ "open quote", "[[waves]]\nstart_after = '1 hour\nfleet_percentage = 100\n", false, 0, 0 },
		{ "other quote", "[[waves]]\nstart_after = '1 hour\"\nfleet_percentage = 100\n", false, 0, 0 },
		{ "escape", "[[waves]]\nstart_after = \"1\\u0020hour\"\nfleet_percentage = 100\n", false, 0, 0 },
		{ "behind the string", "[[waves]]\nstart_after = '1 hour' 2\nfleet_percentage = 100\n", false, 0, 0 },
		{ "no span", "[[waves]]\nstart_after = 'soon'\nfleet_percentage = 100\n", false, 0, 0 },
		{ "percentage 0", "[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 0\n" ONE, false, 0, 0 },
		{ "percentage 101", "[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 101\n", false, 0, 0 },
		{ "negative", "[[waves]]\nstart_after = '1 hour'\nfleet_percentage = -1\n", false, 0, 0 },
		{ "real", "[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 100.0\n", false, 0, 0 },
		{ "quoted number", "[[waves]]\nstart_after = '1 hour'\nfleet_percentage = '100'\n", false, 0, 0 },
		{ "not all", "[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 99\n", false, 0, 0 },
		{ "same time", "[[waves]]\nstart_after = '1 hour'\nfleet_percentage = 9\n" ONE, false, 0, 0 },
		{ "same percentage", "[[waves]]\nstart_after = '30 minutes'\nfleet_percentage = 100\n" ONE, false, 0, 0 },
		{ "no equals", "[[waves]]\nstart_after '1 hour'\nfleet_percentage = 100\n", false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wave_policy p;
		struct err e = { 0 };
		const int r = wave_policy_parse(bytes_of_str(cases[i].text), &p, &e);

		assert_case(cases[i].name, r == (cases[i].good ? 0 : -1));
		if (r < 0) {
			assert_case(cases[i].name, e.kind == ERR_FORMAT && strcmp(e.reason, WAVE_E_POLICY) == 0);
			continue;
		}
		assert_case(cases[i].name, p.n_steps == cases[i].n);
		assert_case(cases[i].name, p.steps[p.n_steps - 1].start_after_sec == cases[i].last_after);
	}
}

/* As many steps as allowed, and one more. */
static void test_policy_limits(void **state)
{
	struct buf text = BUF_INIT(1024 * 1024);
	struct wave_policy p;
	struct err e;

	(void)state;
	for (int i = 1; i <= WAVE_POLICY_STEPS_MAX; i++)
		assert_int_equal(buf_printf(&text, &e, "[[waves]]\nstart_after='%d hours'\nfleet_percentage=%d\n", i, i), 0);
	assert_int_equal(wave_policy_parse(buf_bytes(&text), &p, &e), 0);
	assert_int_equal(p.n_steps, WAVE_POLICY_STEPS_MAX);
	for (size_t n = 0; n < text.n; n++) {
		const int r = wave_policy_parse(bytes_of(text.p, n), &p, &e);

		/* Whole but for its last line feed, every other cut leaves out something needed. */
		assert_true(r < 0 || n == text.n - 1);
	}
	assert_int_equal(buf_append_str(&text, ONE, &e), 0);
	assert_int_equal(wave_policy_parse(buf_bytes(&text), &p, &e), -1);
	text.n = 0;
	for (size_t i = 0; i < WAVE_POLICY_MAX_BYTES - sizeof(ONE) + 1; i++)
		assert_int_equal(buf_append_str(&text, "\n", &e), 0);
	assert_int_equal(buf_append_str(&text, ONE, &e), 0);
	assert_int_equal(text.n, WAVE_POLICY_MAX_BYTES);
	assert_int_equal(wave_policy_parse(buf_bytes(&text), &p, &e), 0);
	assert_int_equal(buf_append_str(&text, "\n", &e), 0);
	assert_int_equal(wave_policy_parse(buf_bytes(&text), &p, &e), -1);
	buf_fini(&text);
}

static void test_apply_far_future(void **state)
{
	struct manifest_wave old = { 7, START };
	struct manifest_update u = update_of(&old, 1);
	struct wave_policy p;
	struct err e;

	(void)state;
	assert_int_equal(wave_policy_preset("ohno", &p, &e), 0);
	assert_int_equal(wave_policy_apply(&p, INT64_MAX, &u, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	assert_int_equal(wave_policy_apply(&p, INT64_C(253402300799), &u, &e), -1);
	assert_ptr_equal(u.waves, &old);
	assert_int_equal(u.n_waves, 1);
}

static void test_order(void **state)
{
	struct manifest_wave waves[] = { { 0, START }, { 20, START + 1 }, { 30, START + 1 } };
	struct manifest_update u = update_of(waves, 2);
	struct err e;

	(void)state;
	assert_int_equal(wave_order_check(&u, &e), 0);
	u.n_waves = 3;
	assert_int_equal(wave_order_check(&u, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	assert_string_equal(e.reason, WAVE_E_POLICY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_openings),      cmocka_unit_test(test_policies_spread),
		cmocka_unit_test(test_random_waves),  cmocka_unit_test(test_even),
		cmocka_unit_test(test_complete),      cmocka_unit_test(test_default_keys),
		cmocka_unit_test(test_policy_text),   cmocka_unit_test(test_policy_limits),
		cmocka_unit_test(test_apply_far_future), cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
