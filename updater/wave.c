/*
 * Wave arithmetic in whole seconds. Times come from RFC 3339 text, so they lie within the years 1 to 9999 and a
 * span times 2048 fits easily; a span beyond that, which only a caller's mistake can make, counts as none.
 */
#include "updater/wave.h"

#define SPAN_MAX_SEC (INT64_C(10000) * 366 * 86400)

/* Seconds from @a to @b; 0 if time does not rise between them. */
static int64_t span_between(int64_t a, int64_t b)
{
	int64_t d;

	if (b <= a || __builtin_sub_overflow(b, a, &d) || d > SPAN_MAX_SEC)
		return 0;
	return d;
}

/* The last wave keeps the pace of the one before it, within that one's time. */
static int64_t last_span(const struct manifest_update *u, uint32_t width)
{
	const size_t last = u->n_waves - 1;
	int64_t before, span;

	if (last == 0)
		return WAVE_LONE_SPREAD_SEC;
	before = span_between(u->waves[last - 1].start_sec, u->waves[last].start_sec);
	if (before == 0)
		return WAVE_LONE_SPREAD_SEC;
	span = before * width / (u->waves[last].start_seed - u->waves[last - 1].start_seed);
	return span < before ? span : before;
}

/* When the seed that is @offset seeds into wave @i opens. */
static int64_t opens_in_wave(const struct manifest_update *u, size_t i, uint32_t offset)
{
	const struct manifest_wave *w = &u->waves[i];
	const bool last = i + 1 == u->n_waves;
	const uint32_t width = (last ? WAVE_SEEDS : w[1].start_seed) - w->start_seed;
	const int64_t span = last ? last_span(u, width) : span_between(w->start_sec, w[1].start_sec);
	int64_t at;

	return __builtin_add_overflow(w->start_sec, span * offset / width, &at) ? INT64_MAX : at;
}

struct wave_opening wave_opening(const struct manifest_update *u, uint32_t seed)
{
	const uint32_t s = seed % WAVE_SEEDS;
	size_t i = 0;

	if (u->n_waves == 0 || s < u->waves[0].start_seed)
		return (struct wave_opening){ .always = true };
	while (i + 1 < u->n_waves && u->waves[i + 1].start_seed <= s)
		i++;
	return (struct wave_opening){ .at_sec = opens_in_wave(u, i, s - u->waves[i].start_seed), .wave = i };
}

bool wave_is_open(const struct wave_opening *o, int64_t now_sec)
{
	return o->always || now_sec >= o->at_sec;
}

int64_t wave_complete_at(const struct manifest_update *u)
{
	int64_t latest = INT64_MIN;

	for (size_t i = 0; i < u->n_waves && u->waves[i].start_seed < WAVE_SEEDS; i++) {
		const uint32_t end = i + 1 < u->n_waves ? u->waves[i + 1].start_seed : WAVE_SEEDS;
		const int64_t at = opens_in_wave(u, i, end - u->waves[i].start_seed - 1);

		latest = at > latest ? at : latest;
	}
	return latest;
}
