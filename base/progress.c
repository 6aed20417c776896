/*
 * The line is made by a pure function of the record and the time; everything else decides when to show it. On a
 * terminal the line is redrawn in place, elsewhere there is one at the start, one at each tenth, and one at the
 * end, so that a log stays readable.
 */
#include "base/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/num.h"

#define REDRAW_MS 100
#define BAR_CELLS 24
#define ETA_MAX_SEC (99 * 3600)
#define CLEAR_LINE "\r\033[K"

uint64_t progress_now_ms(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static unsigned int terminal_columns(FILE *out)
{
	struct winsize w;

	if (ioctl(fileno(out), TIOCGWINSZ, &w) != 0 || w.ws_col == 0 || w.ws_col > PROGRESS_COLUMNS)
		return PROGRESS_COLUMNS;
	return w.ws_col;
}

void progress_init(struct progress *p, FILE *out, bool quiet)
{
	*p = (struct progress){ .out = quiet ? NULL : out, .columns = PROGRESS_COLUMNS };
	if (p->out)
		p->tty = isatty(fileno(p->out)) == 1;
}

/* MiB below one GiB, GiB from there: one scale for both numbers of a line, that of the larger. */
static bool in_gib(uint64_t bytes)
{
	return bytes >= (uint64_t)1 << 30;
}

static double scaled(uint64_t bytes, bool gib)
{
	return (double)bytes / (double)((uint64_t)1 << (gib ? 30 : 20));
}

static const char *unit(bool gib)
{
	return gib ? "GiB" : "MiB";
}

/* Bytes a second since the start; 0 while there is nothing to say. */
static uint64_t rate(const struct progress *p, uint64_t now_ms)
{
	const uint64_t ms = now_ms > p->start_ms ? now_ms - p->start_ms : 0;

	if (ms == 0)
		return 0;
	const double r = (double)p->done * 1000.0 / (double)ms;

	return r < (double)UINT64_MAX ? (uint64_t)r : UINT64_MAX;
}

static unsigned int percent(const struct progress *p)
{
	if (p->total == 0)
		return 0;
	return (unsigned int)((double)min_u64(p->done, p->total) * 100.0 / (double)p->total);
}

/* " 12.3 of 40.0 MiB" or, when the whole is not known, "12.3 MiB" */
static void print_amount(const struct progress *p, char *out, size_t n)
{
	const bool gib = in_gib(p->total > p->done ? p->total : p->done);

	if (p->total)
		snprintf(out, n, "%.1f of %.1f %s", scaled(p->done, gib), scaled(p->total, gib), unit(gib));
	else
		snprintf(out, n, "%.1f %s", scaled(p->done, gib), unit(gib));
}

static void print_rate(const struct progress *p, uint64_t now_ms, char *out, size_t n)
{
	const uint64_t r = rate(p, now_ms);

	snprintf(out, n, "%.1f %s/s", scaled(r, in_gib(r)), unit(in_gib(r)));
}

/* "02:05" or "1:02:05"; "--:--" when it cannot be known or is too far off to mean anything. */
static void print_eta(const struct progress *p, uint64_t now_ms, char *out, size_t n)
{
	const uint64_t r = rate(p, now_ms), rest = p->total > p->done ? p->total - p->done : 0;
	const uint64_t sec = r ? rest / r + (rest % r != 0) : 0;

	if ((rest && !r) || sec > ETA_MAX_SEC)
		snprintf(out, n, "--:--");
	else if (sec >= 3600)
		snprintf(out, n, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, sec / 3600, sec / 60 % 60, sec % 60);
	else
		snprintf(out, n, "%02" PRIu64 ":%02" PRIu64, sec / 60, sec % 60);
}

static void print_bar(unsigned int pct, char out[BAR_CELLS + 1])
{
	const unsigned int full = pct * BAR_CELLS / 100;

	memset(out, ' ', BAR_CELLS);
	memset(out, '=', full);
	if (full < BAR_CELLS)
		out[full] = '>';
	out[BAR_CELLS] = '\0';
}

static void bar_line(const struct progress *p, uint64_t now_ms, char *out, size_t n)
{
	char amount[64], speed[32], eta[32], bar[BAR_CELLS + 1];
	const size_t wide = min_size(n, (size_t)p->columns); /* one column stays free: the cursor's */

	print_amount(p, amount, sizeof(amount));
	print_rate(p, now_ms, speed, sizeof(speed));
	if (p->total == 0) {
		snprintf(out, wide, "%s  %s, %s", p->what, amount, speed);
		return;
	}
	print_eta(p, now_ms, eta, sizeof(eta));
	print_bar(percent(p), bar);
	const int full = snprintf(out, n, "%s %3u%% [%s] %s, %s, %s", p->what, percent(p), bar, amount, speed, eta);

	if (full < 0 || (size_t)full >= wide)
		snprintf(out, wide, "%s %3u%% %s, %s, %s", p->what, percent(p), amount, speed, eta);
}

static void plain_line(const struct progress *p, uint64_t now_ms, char *out, size_t n)
{
	char amount[64], speed[32];

	print_amount(p, amount, sizeof(amount));
	print_rate(p, now_ms, speed, sizeof(speed));
	if (p->total)
		snprintf(out, n, "%s: %u %% (%s, %s)", p->what, percent(p), amount, speed);
	else
		snprintf(out, n, "%s: %s, %s", p->what, amount, speed);
}

void progress_line(const struct progress *p, uint64_t now_ms, char *out, size_t out_bytes)
{
	if (out_bytes == 0)
		return;
	if (p->tty)
		bar_line(p, now_ms, out, out_bytes);
	else
		plain_line(p, now_ms, out, out_bytes);
}

static void show(struct progress *p, uint64_t now_ms)
{
	char line[PROGRESS_LINE_BYTES];

	progress_line(p, now_ms, line, sizeof(line));
	if (p->tty)
		fprintf(p->out, CLEAR_LINE "%s", line);
	else
		fprintf(p->out, "%s: %s\n", program_invocation_short_name, line);
	fflush(p->out);
	p->shown_ms = now_ms;
}

void progress_start(struct progress *p, const char *what, uint64_t total_bytes, uint64_t now_ms)
{
	if (!p->out)
		return;
	progress_end(p, now_ms);
	snprintf(p->what, sizeof(p->what), "%s", what);
	p->total = total_bytes;
	p->done = 0;
	p->start_ms = now_ms;
	p->shown_tenths = 0;
	p->running = true;
	if (p->tty) {
		p->columns = terminal_columns(p->out);
		show(p, now_ms);
	} else {
		fprintf(p->out, "%s: %s\n", program_invocation_short_name, p->what);
		p->shown_ms = now_ms;
	}
}

/* A plain line is due at each further tenth of a known whole; never for the last, which progress_end() tells. */
static bool tenth_due(struct progress *p)
{
	const unsigned int tenths = percent(p) / 10;

	if (tenths <= p->shown_tenths || tenths >= 10)
		return false;
	p->shown_tenths = tenths;
	return true;
}

void progress_add(struct progress *p, uint64_t bytes, uint64_t now_ms)
{
	if (!p->out || !p->running)
		return;
	if (!add_u64(p->done, bytes, &p->done))
		p->done = UINT64_MAX;
	if (p->tty ? now_ms - p->shown_ms >= REDRAW_MS : tenth_due(p))
		show(p, now_ms);
}

void progress_end(struct progress *p, uint64_t now_ms)
{
	if (!p->out || !p->running)
		return;
	show(p, now_ms);
	if (p->tty)
		fputc('\n', p->out);
	fflush(p->out);
	p->running = false;
}
