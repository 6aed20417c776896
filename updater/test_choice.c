#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "updater/choice.h"

#define NOW INT64_C(1772438400)
#define HOUR 3600
#define ENTRIES_MAX 6

struct entry {
	const char *version, *max, *variant, *arch; /* variant and arch NULL: ours */
	struct manifest_wave waves[3];
	size_t n_waves;
};

static struct version version_of(const char *s)
{
	struct version v;
	struct err e;

	assert_int_equal(version_parse(s, &v, &e), 0);
	return v;
}

/* A manifest over @entries; free() what comes back in *updates. */
static struct manifest manifest_over(const struct entry *entries, size_t n)
{
	struct manifest m = { .updates = calloc(n ? n : 1, sizeof(*m.updates)), .n_updates = n };

	assert_non_null(m.updates);
	for (size_t i = 0; i < n; i++) {
		struct manifest_update *u = &m.updates[i];

		u->variant = strdup(entries[i].variant ? entries[i].variant : "demo");
		u->arch = strdup(entries[i].arch ? entries[i].arch : "x86_64");
		u->version = version_of(entries[i].version);
		u->max_version = version_of(entries[i].max);
		u->n_waves = entries[i].n_waves;
		u->waves = malloc(sizeof(entries[i].waves));
		assert_non_null(u->waves);
		memcpy(u->waves, entries[i].waves, sizeof(entries[i].waves));
	}
	return m;
}

static void manifest_end(struct manifest *m)
{
	for (size_t i = 0; i < m->n_updates; i++) {
		free(m->updates[i].variant);
		free(m->updates[i].arch);
		free(m->updates[i].waves);
	}
	free(m->updates);
}

struct vector {
	const char *name, *running, *lock, *forced;
	uint32_t seed;
	bool ignore_waves, disabled;
	const char *fell_back;
	struct entry entries[ENTRIES_MAX];
	const char *want;	/* NULL: none */
	const char *reasons; /* one letter for each entry in the manifest's order, see letters */
};

/* By enum choice_reason. */
static const char letters[CHOICE_N_REASONS + 1] = "CVAMWQDRLFOB";

#define E(v, m) { v, m, NULL, NULL, { { 0, 0 } }, 0 }
#define OTHER_ARCH(v, m) { v, m, NULL, "aarch64", { { 0, 0 } }, 0 }
#define OTHER_VARIANT(v, m) { v, m, "other", NULL, { { 0, 0 } }, 0 }
#define MIX { E("1.13.0", "1.20.0"), E("1.15.0", "1.20.0"), E("1.25.0", "1.20.0"), OTHER_ARCH("1.16.0", "1.20.0") }
#define LINE { E("1.2.0", "2.1.0"), E("1.2.3", "2.1.0"), E("1.3.0", "2.1.0"), E("2.0.0", "2.1.0"), E("2.1.0", "2.1.0") }

static const struct vector vectors[] = {
	{ "no updates", "1.0.0", "latest", NULL, 0, false, false, NULL, { { 0 } }, NULL, "" },
	{ "above max", "1.18.0", "latest", NULL, 0, false, false, NULL, { E("1.25.0", "1.20.0") }, NULL, "M" },
	{ "recall", "0.1.3", "latest", NULL, 0, false, false, NULL, { E("0.1.1", "0.1.2"), E("0.1.2", "0.1.2") }, "0.1.2",
	  "BC" },
	{ "highest allowed", "1.10.0", "latest", NULL, 0, false, false, NULL, MIX, "1.15.0", "BCMA" },
	{ "forced", "1.10.0", "latest", "1.13.0", 0, false, false, NULL, MIX, "1.13.0", "CQMA" },
	{ "forced above max", "1.10.0", "latest", "1.25.0", 0, false, false, NULL, MIX, NULL, "QQMA" },
	{ "forced to another arch's", "1.10.0", "latest", "1.16.0", 0, false, false, NULL, MIX, NULL, "QQMA" },
	{ "forced down", "1.20.0", "latest", "1.13.0", 0, false, false, NULL, MIX, "1.13.0", "CQMA" },
	{ "forced to what runs", "1.13.0", "latest", "1.13.0", 0, false, false, NULL, MIX, "1.13.0", "CQMA" },
	{ "forced to none there", "1.10.0", "latest", "1.14.0", 0, false, false, NULL, MIX, NULL, "QQMA" },
	{ "forced over a lock", "1.10.0", "current", "1.13.0", 0, false, false, NULL, MIX, "1.13.0", "CQMA" },
	{ "forced though disabled", "1.10.0", "latest", "1.13.0", 0, false, true, NULL, MIX, "1.13.0", "CQMA" },
	{ "forced though fallen back", "1.10.0", "latest", "1.13.0", 0, false, false, "1.13.0", MIX, "1.13.0", "CQMA" },
	{ "disabled", "1.10.0", "latest", NULL, 0, false, true, NULL, MIX, NULL, "DDMA" },
	{ "fallen back: the next best", "1.10.0", "latest", NULL, 0, false, false, "1.15.0", MIX, "1.13.0", "CFMA" },
	{ "up to date", "1.15.0", "latest", NULL, 0, false, false, NULL, MIX, NULL, "ORMA" },
	{ "newer than all, within max", "1.18.0", "latest", NULL, 0, false, false, NULL, MIX, NULL, "OOMA" },
	{ "other variant", "1.0.0", "latest", NULL, 0, false, false, NULL, { OTHER_VARIANT("1.1.0", "1.1.0") }, NULL, "V" },
	{ "pre-release runs", "1.15.0-rc.1", "latest", NULL, 0, false, false, NULL, MIX, "1.15.0", "OCMA" },

	{ "seed 0, first wave now", "1.0.0", "latest", NULL, 0, false, false, NULL,
	  { { "1.1.0", "1.1.0", NULL, NULL, { { 0, NOW } }, 1 } }, "1.1.0", "C" },
	{ "seed 2000, later wave", "1.0.0", "latest", NULL, 2000, false, false, NULL,
	  { { "1.1.0", "1.1.0", NULL, NULL, { { 0, NOW }, { 1024, NOW + HOUR }, { 2048, NOW + HOUR } }, 3 } }, NULL, "W" },
	{ "the same, waves ignored", "1.0.0", "latest", NULL, 2000, true, false, NULL,
	  { { "1.1.0", "1.1.0", NULL, NULL, { { 0, NOW }, { 1024, NOW + HOUR }, { 2048, NOW + HOUR } }, 3 } }, "1.1.0", "C" },
	{ "forced waits for its wave too", "1.0.0", "latest", "1.1.0", 2000, false, false, NULL,
	  { { "1.1.0", "1.1.0", NULL, NULL, { { 0, NOW }, { 1024, NOW + HOUR } }, 2 } }, NULL, "W" },
	{ "a lower version whose wave is open", "1.0.0", "latest", NULL, 2000, false, false, NULL,
	  { { "1.2.0", "1.2.0", NULL, NULL, { { 0, NOW + HOUR } }, 1 }, E("1.1.0", "1.2.0") }, "1.1.0", "WC" },
	{ "before the first wave", "1.0.0", "latest", NULL, 0, false, false, NULL,
	  { { "1.1.0", "1.1.0", NULL, NULL, { { 0, NOW + 1 } }, 1 } }, NULL, "W" },

	{ "locked up", "1.0.0", "1.2.3", NULL, 0, false, false, NULL, LINE, "1.2.3", "LCLLL" },
	{ "locked down, v", "2.0.0", "v1.2.3", NULL, 0, false, false, NULL, LINE, "1.2.3", "LCLRL" },
	{ "locked to what runs", "1.2.3", "1.2.3", NULL, 0, false, false, NULL, LINE, NULL, "LRLLL" },
	{ "locked to none there", "1.2.3", "1.2.4", NULL, 0, false, false, NULL, LINE, NULL, "LRLLL" },
	{ "locked to what fell back", "1.2.0", "1.2.3", NULL, 0, false, false, "1.2.3", LINE, NULL, "RFLLL" },
	{ "current", "1.2.0", "current", NULL, 0, false, false, NULL, LINE, NULL, "RLLLL" },
	{ "minor", "1.2.0", "1.2.x", NULL, 0, false, false, NULL, LINE, "1.2.3", "RCLLL" },
	{ "minor, up to date", "1.2.3", "v1.2.x", NULL, 0, false, false, NULL, LINE, NULL, "ORLLL" },
	{ "minor from below", "1.0.0", "1.2.x", NULL, 0, false, false, NULL, LINE, "1.2.3", "BCLLL" },
	{ "minor from above", "2.0.0", "1.2.x", NULL, 0, false, false, NULL, LINE, "1.2.3", "BCLRL" },
	{ "minor, newer within", "1.2.9", "1.2.x", NULL, 0, false, false, NULL, LINE, NULL, "OOLLL" },
	{ "major", "1.2.0", "1.x", NULL, 0, false, false, NULL, LINE, "1.3.0", "RBCLL" },
	{ "major from above", "2.1.0", "1.x", NULL, 0, false, false, NULL, LINE, "1.3.0", "BBCLR" },
	{ "major with nothing in it", "1.2.0", "3.x", NULL, 0, false, false, NULL, LINE, NULL, "RLLLL" },
	{ "recall within a range", "1.9.0", "1.x", NULL, 0, false, false, NULL, { E("1.3.0", "1.4.0"), E("1.4.0", "1.4.0") },
	  "1.4.0", "BC" },
	{ "the same version twice: the first", "1.0.0", "latest", NULL, 0, false, false, NULL,
	  { E("1.1.0", "1.1.0"), E("1.1.0", "1.1.0") }, "1.1.0", "CB" },
};

static void check_verdicts(const struct vector *v, const struct manifest *m, const struct choice_input *in,
			   const struct choice *c)
{
	char text[CHOICE_TEXT_BYTES];

	assert_case(v->name, c->n_verdicts == m->n_updates);
	for (size_t i = 0; i < c->n_verdicts; i++) {
		const struct choice_verdict *d = &c->verdicts[i];

		assert_case(v->name, letters[d->reason] == v->reasons[d->update - m->updates]);
		assert_case(v->name, i == 0 || version_compare(&d[-1].update->version, &d->update->version) >= 0);
		assert_case(v->name, (d->reason == CHOICE_CHOSEN) == (d->update == c->chosen));
		assert_case(v->name, (d->reason == CHOICE_WAVE) == (d->opens_at_sec > NOW));
		choice_text(in, d, text);
		assert_case(v->name, text[0] && strlen(text) < sizeof(text));
	}
}

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct manifest m = manifest_over(v->entries, strlen(v->reasons));
		const struct version running = version_of(v->running);
		const struct version forced = version_of(v->forced ? v->forced : "0.0.0");
		const struct version fell_back = version_of(v->fell_back ? v->fell_back : "0.0.0");
		struct choice_input in = { .manifest = &m,
					   .running = &running,
					   .variant = "demo",
					   .arch = "x86_64",
					   .seed = v->seed,
					   .now_sec = NOW,
					   .ignore_waves = v->ignore_waves,
					   .disabled = v->disabled,
					   .forced = v->forced ? &forced : NULL,
					   .fell_back = &fell_back,
					   .n_fell_back = v->fell_back ? 1 : 0 };
		struct choice c;
		struct err e = { 0 };

		assert_case(v->name, version_lock_parse(v->lock, &in.lock, &e) == 0);
		assert_case(v->name, choice_make(&in, &c, &e) == 0);
		assert_case(v->name, (c.chosen != NULL) == (v->want != NULL));
		assert_case(v->name, !c.chosen || strcmp(c.chosen->version.text, v->want) == 0);
		check_verdicts(v, &m, &in, &c);
		choice_fini(&c);
		manifest_end(&m);
	}
}

static void test_lock(void **state)
{
	static const struct {
		const char *s;
		int kind; /* -1: refused */
		uint64_t major, minor;
	} cases[] = {
		{ "latest", LOCK_LATEST, 0, 0 },
		{ "current", LOCK_CURRENT, 0, 0 },
		{ "1.2.3", LOCK_EXACT, 0, 0 },
		{ "v1.2.3-rc.1+b", LOCK_EXACT, 0, 0 },
		{ "1.2.x", LOCK_MINOR, 1, 2 },
		{ "v1.20.x", LOCK_MINOR, 1, 20 },
		{ "0.0.x", LOCK_MINOR, 0, 0 },
		{ "12.x", LOCK_MAJOR, 12, 0 },
		{ "v0.x", LOCK_MAJOR, 0, 0 },
		{ "18446744073709551615.x", LOCK_MAJOR, UINT64_MAX, 0 },
		{ "", -1, 0, 0 },
		{ "v", -1, 0, 0 },
		{ "x", -1, 0, 0 },
		{ ".x", -1, 0, 0 },
		{ "1.", -1, 0, 0 },
		{ "1.2", -1, 0, 0 },
		{ "1.X", -1, 0, 0 },
		{ "1.x.x", -1, 0, 0 },
		{ "1.x.3", -1, 0, 0 },
		{ "1..x", -1, 0, 0 },
		{ "1.2.3.x", -1, 0, 0 },
		{ "01.x", -1, 0, 0 },
		{ "1.02.x", -1, 0, 0 },
		{ "-1.x", -1, 0, 0 },
		{ " 1.x", -1, 0, 0 },
		{ "1.x ", -1, 0, 0 },
		{ "vv1.2.3", -1, 0, 0 },
		{ "vlatest", -1, 0, 0 },
		{ "Latest", -1, 0, 0 },
		{ "18446744073709551616.x", -1, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct version_lock l;
		struct err e = { 0 };
		const int r = version_lock_parse(cases[i].s, &l, &e);

		assert_case(cases[i].s, r == (cases[i].kind < 0 ? -1 : 0));
		if (r < 0)
			assert_case(cases[i].s, e.kind == ERR_FORMAT && strcmp(e.reason, "version-lock") == 0);
		else
			assert_case(cases[i].s, (int)l.kind == cases[i].kind && l.major == cases[i].major &&
							l.minor == cases[i].minor && strcmp(l.text, cases[i].s) == 0);
	}
}

static void test_lock_length(void **state)
{
	char s[VERSION_BYTES + 8];
	struct version_lock l;
	struct err e;

	(void)state;
	memset(s, 'a', sizeof(s));
	memcpy(s, "1.2.3-", 6);
	s[VERSION_BYTES] = '\0';
	assert_int_equal(version_lock_parse(s, &l, &e), -1);
	s[VERSION_BYTES - 1] = '\0';
	assert_int_equal(version_lock_parse(s, &l, &e), 0);
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CHOICE_N_REASONS; i++) {
		const enum choice_reason r = (enum choice_reason)i;

		assert_true(choice_reason_name(r)[0]);
		assert_int_equal(choice_is_applicable(r), strchr("VAMW", letters[i]) == NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_lock_length),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
