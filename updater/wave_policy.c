/*
 * A reader for the one form of TOML that wave policies have, line by line. What is not exactly that form is
 * refused, so that a policy never means less than its author thought.
 */
#include "updater/wave_policy.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/num.h"
#include "updater/wave.h"

#define LINE_MAX_BYTES 256

/* The last second of year 9999: later times cannot be written in a manifest. */
#define TIME_MAX_SEC INT64_C(253402300799)

struct reader {
	struct wave_policy policy;
	unsigned line;
	bool in_table; /* a [[waves]] was seen: its step is steps[n_steps] until it is closed */
	bool has_after, has_percent;
	struct err *e;
};

static int fail(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct reader *r, const char *fmt, ...)
{
	char why[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(r->e, ERR_FORMAT, WAVE_E_POLICY, "wave policy: line %u: %s", r->line, why);
}

static char *skip_blanks(char *s)
{
	return s + strspn(s, " \t");
}

/* Nothing but blanks and a comment. */
static bool is_rest_empty(char *s)
{
	s = skip_blanks(s);
	return *s == '\0' || *s == '#';
}

/* The step that the table has filled: complete, and above the one before it. */
static int close_table(struct reader *r)
{
	struct wave_policy *p = &r->policy;
	const struct wave_step *s = &p->steps[p->n_steps];

	if (!r->in_table)
		return 0;
	if (!r->has_after || !r->has_percent)
		return fail(r, "the wave before lacks %s", r->has_after ? "fleet_percentage" : "start_after");
	if (p->n_steps && s->start_after_sec <= s[-1].start_after_sec)
		return fail(r, "the wave before starts no later than the one before that");
	if (p->n_steps && s->fleet_percent <= s[-1].fleet_percent)
		return fail(r, "the wave before reaches no more of the fleet than the one before that");
	p->n_steps++;
	r->in_table = false;
	return 0;
}

static int open_table(struct reader *r)
{
	if (close_table(r) < 0)
		return -1;
	if (r->policy.n_steps == WAVE_POLICY_STEPS_MAX)
		return fail(r, "more than %d waves", WAVE_POLICY_STEPS_MAX);
	r->in_table = true;
	r->has_after = r->has_percent = false;
	return 0;
}

/* 'text' or "text" at @s, in place; *@end is behind the closing quote. NULL if it is no such string. */
static char *quoted(char *s, char **end)
{
	const char quote = *s;
	char *close;

	if (quote != '\'' && quote != '"')
		return NULL;
	close = strchr(s + 1, quote);
	if (!close || (quote == '"' && memchr(s, '\\', (size_t)(close - s))))
		return NULL;
	*close = '\0';
	*end = close + 1;
	return s + 1;
}

static int read_after(struct reader *r, char *value)
{
	struct wave_step *s = &r->policy.steps[r->policy.n_steps];
	char *end = NULL;
	const char *text = quoted(value, &end);

	if (!text || !is_rest_empty(end))
		return fail(r, "start_after is a quoted string");
	if (r->has_after)
		return fail(r, "start_after twice");
	if (!datetime_parse_offset(text, &s->start_after_sec))
		return fail(r, "start_after is a span such as '4 hours'");
	r->has_after = true;
	return 0;
}

static int read_percent(struct reader *r, char *value)
{
	struct wave_step *s = &r->policy.steps[r->policy.n_steps];
	const size_t n = strspn(value, "0123456789");
	uint64_t v;

	if (r->has_percent)
		return fail(r, "fleet_percentage twice");
	if (!is_rest_empty(value + n) || !num_parse_u64_n(value, n, 1, 100, &v))
		return fail(r, "fleet_percentage is a number from 1 to 100");
	s->fleet_percent = (uint32_t)v; /* at most 100 */
	r->has_percent = true;
	return 0;
}

static int read_line(struct reader *r, char *s)
{
	static const char table[] = "[[waves]]";
	char *value;
	size_t n;

	s = skip_blanks(s);
	if (is_rest_empty(s))
		return 0;
	if (strncmp(s, table, sizeof(table) - 1) == 0 && is_rest_empty(s + sizeof(table) - 1))
		return open_table(r);
	n = strcspn(s, " \t=");
	value = skip_blanks(s + n);
	if (*value != '=')
		return fail(r, "neither [[waves]] nor KEY = VALUE");
	value = skip_blanks(value + 1);
	if (!r->in_table)
		return fail(r, "a key outside of [[waves]]");
	if (n == strlen("start_after") && strncmp(s, "start_after", n) == 0)
		return read_after(r, value);
	if (n == strlen("fleet_percentage") && strncmp(s, "fleet_percentage", n) == 0)
		return read_percent(r, value);
	return fail(r, "a key other than start_after and fleet_percentage");
}

/* Cuts the next line out of *@text into @line, without its end. */
static int next_line(struct reader *r, struct bytes *text, char line[LINE_MAX_BYTES])
{
	const uint8_t *lf = memchr(text->p, '\n', text->n);
	const size_t whole = lf ? (size_t)(lf - text->p) + 1 : text->n;
	size_t n = lf ? whole - 1 : whole;

	r->line++;
	if (n && text->p[n - 1] == '\r')
		n--;
	if (n >= LINE_MAX_BYTES)
		return fail(r, "longer than %d bytes", LINE_MAX_BYTES - 1);
	if (memchr(text->p, '\0', n))
		return fail(r, "a NUL byte");
	memcpy(line, text->p, n);
	line[n] = '\0';
	*text = bytes_of(text->p + whole, text->n - whole);
	return 0;
}

int wave_policy_parse(struct bytes text, struct wave_policy *out, struct err *e)
{
	struct reader r = { .e = e };
	char line[LINE_MAX_BYTES];

	if (text.n > WAVE_POLICY_MAX_BYTES)
		return err_set(e, ERR_FORMAT, WAVE_E_POLICY, "wave policy: larger than %u bytes", WAVE_POLICY_MAX_BYTES);
	while (text.n)
		if (next_line(&r, &text, line) < 0 || read_line(&r, line) < 0)
			return -1;
	if (close_table(&r) < 0)
		return -1;
	if (r.policy.n_steps == 0)
		return fail(&r, "no [[waves]]");
	if (r.policy.steps[r.policy.n_steps - 1].fleet_percent != 100)
		return fail(&r, "the last wave does not reach 100 percent");
	*out = r.policy;
	return 0;
}

#define HOUR 3600
#define DAY 86400

static const struct {
	const char *name;
	struct wave_policy policy;
} presets[] = {
	{ "default",
	  { { { HOUR, 1 }, { 4 * HOUR, 5 }, { DAY, 15 }, { 2 * DAY, 40 }, { 4 * DAY, 60 }, { 5 * DAY, 90 }, { 6 * DAY, 100 } },
	    7 } },
	{ "accelerated", { { { HOUR, 3 }, { 4 * HOUR, 12 }, { 8 * HOUR, 40 }, { 16 * HOUR, 80 }, { DAY, 100 } }, 5 } },
	{ "slow-roll",
	  { { { HOUR, 1 }, { DAY, 5 }, { 3 * DAY, 15 }, { 7 * DAY, 40 }, { 9 * DAY, 60 }, { 12 * DAY, 90 }, { 13 * DAY, 100 } },
	    7 } },
	{ "ohno",
	  { { { HOUR / 2, 5 }, { HOUR, 25 }, { 2 * HOUR, 50 }, { 5 * HOUR / 2, 90 }, { 3 * HOUR, 100 } }, 5 } },
};

int wave_policy_preset(const char *name, struct wave_policy *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(presets); i++)
		if (strcmp(presets[i].name, name) == 0) {
			*out = presets[i].policy;
			return 0;
		}
	return err_set(e, ERR_MISSING, WAVE_E_POLICY, "no wave policy is called \"%s\"", name);
}

int wave_policy_apply(const struct wave_policy *p, int64_t start_sec, struct manifest_update *u, struct err *e)
{
	struct manifest_wave *waves = calloc(p->n_steps ? p->n_steps : 1, sizeof(*waves));
	uint32_t seed = 0;

	if (!waves)
		return err_sys(e, "waves");
	for (size_t i = 0; i < p->n_steps; i++) {
		waves[i].start_seed = seed;
		if (__builtin_add_overflow(start_sec, p->steps[i].start_after_sec, &waves[i].start_sec) ||
		    waves[i].start_sec > TIME_MAX_SEC) {
			free(waves);
			return err_set(e, ERR_FORMAT, WAVE_E_POLICY, "wave policy: wave %zu starts after year 9999", i + 1);
		}
		/* Single precision as the original, so that both tools write the same keys. */
		seed = (uint32_t)((float)p->steps[i].fleet_percent / 100.0f * (float)WAVE_SEEDS);
	}
	free(u->waves);
	u->waves = waves;
	u->n_waves = p->n_steps;
	return 0;
}

int wave_order_check(const struct manifest_update *u, struct err *e)
{
	for (size_t i = 1; i < u->n_waves; i++)
		if (u->waves[i].start_sec <= u->waves[i - 1].start_sec)
			return err_set(e, ERR_FORMAT, WAVE_E_POLICY, "%s %s: the wave of seed %u starts no later than the one before",
				       u->variant, u->version.text, (unsigned)u->waves[i].start_seed);
	return 0;
}
