/*
 * Times by fixed columns and days by arithmetic of the Gregorian calendar: the C library's strptime is lenient
 * and mktime is local. A year is counted from March here, so that the leap day is its last and months have a
 * regular pattern.
 */
#include "base/datetime.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"

#define DAY_SEC 86400
#define FIRST_SEC INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_SEC INT64_C(253402300799)	/* 9999-12-31T23:59:59Z */
#define ERA_DAYS 146097			/* 400 years */
#define ERA_OFFSET_DAYS 719468		/* 0000-03-01 to 1970-01-01 */
#define OFFSET_MAX_SEC (INT64_C(36525) * DAY_SEC)

/* Days from 1970-01-01; @year 1 to 9999, @month 1 to 12. */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
	const int64_t y = month > 2 ? year : year - 1; /* years since 0000-03-01 */
	const int64_t era = y / 400, year_of_era = y % 400;
	const int64_t month_from_march = month > 2 ? month - 3 : month + 9;
	const int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;

	return era * ERA_DAYS + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - ERA_OFFSET_DAYS;
}

static void date_of_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	const int64_t z = days + ERA_OFFSET_DAYS; /* not negative from year 1 on */
	const int64_t era = z / ERA_DAYS, day_of_era = z % ERA_DAYS;
	const int64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / (ERA_DAYS - 1)) / 365;
	const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	const int64_t month_from_march = (5 * day_of_year + 2) / 153;

	*day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
	*month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
	*year = era * 400 + year_of_era + (*month <= 2);
}

static int64_t days_in_month(int64_t year, int64_t month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* What is left of the text; the readers below consume from its front. */
struct text {
	const char *p;
	size_t n;
};

static bool take_char(struct text *t, const char *any_of)
{
	if (t->n == 0 || *t->p == '\0' || !strchr(any_of, *t->p))
		return false;
	t->p++;
	t->n--;
	return true;
}

static bool take_number(struct text *t, size_t digits, uint64_t min, uint64_t max, int64_t *out)
{
	uint64_t v;

	if (t->n < digits || !num_parse_u64_n(t->p, digits, min, max, &v))
		return false;
	t->p += digits;
	t->n -= digits;
	*out = (int64_t)v;
	return true;
}

static bool take_date(struct text *t, int64_t *days)
{
	int64_t year, month, day;

	if (!take_number(t, 4, 1, 9999, &year) || !take_char(t, "-") || !take_number(t, 2, 1, 12, &month) ||
	    !take_char(t, "-") || !take_number(t, 2, 1, 31, &day) || day > days_in_month(year, month))
		return false;
	*days = days_of_date(year, month, day);
	return true;
}

static bool take_time(struct text *t, int64_t *sec_of_day)
{
	int64_t hour, minute, second;

	if (!take_number(t, 2, 0, 23, &hour) || !take_char(t, ":") || !take_number(t, 2, 0, 59, &minute) ||
	    !take_char(t, ":") || !take_number(t, 2, 0, 59, &second))
		return false;
	if (take_char(t, ".")) {
		if (!take_char(t, "0123456789"))
			return false;
		while (take_char(t, "0123456789"))
			;
	}
	*sec_of_day = (hour * 60 + minute) * 60 + second;
	return true;
}

/* Seconds that local time is ahead of UTC. "-00:00", offset unknown, counts as UTC (RFC 3339 section 4.3). */
static bool take_zone(struct text *t, int64_t *ahead_sec)
{
	const bool west = t->n > 0 && *t->p == '-';
	int64_t hour, minute;

	if (take_char(t, "Zz")) {
		*ahead_sec = 0;
		return true;
	}
	if (!take_char(t, "+-") || !take_number(t, 2, 0, 23, &hour) || !take_char(t, ":") ||
	    !take_number(t, 2, 0, 59, &minute))
		return false;
	*ahead_sec = (west ? -1 : 1) * (hour * 60 + minute) * 60;
	return true;
}

bool datetime_parse(const char *s, size_t n, int64_t *out_sec)
{
	struct text t = { s, n };
	int64_t days, sec_of_day, ahead_sec;

	if (!take_date(&t, &days) || !take_char(&t, "Tt") || !take_time(&t, &sec_of_day) || !take_zone(&t, &ahead_sec) ||
	    t.n != 0)
		return false;
	const int64_t sec = days * DAY_SEC + sec_of_day - ahead_sec;
	if (sec < FIRST_SEC || sec > LAST_SEC)
		return false;
	*out_sec = sec;
	return true;
}

void datetime_format(int64_t sec, char out[DATETIME_BYTES])
{
	int64_t year, month, day;

	sec = sec < FIRST_SEC ? FIRST_SEC : sec > LAST_SEC ? LAST_SEC : sec;
	int64_t days = sec / DAY_SEC, rest = sec % DAY_SEC;
	if (rest < 0) {
		rest += DAY_SEC;
		days--;
	}
	date_of_days(days, &year, &month, &day);
	/* The remainders change nothing; they show the compiler that the text fits. */
	snprintf(out, DATETIME_BYTES, "%04u-%02u-%02uT%02u:%02u:%02uZ", (unsigned int)year % 10000, (unsigned int)month % 100,
		 (unsigned int)day % 100, (unsigned int)(rest / 3600) % 100, (unsigned int)(rest / 60 % 60),
		 (unsigned int)(rest % 60));
}

bool datetime_parse_offset(const char *s, int64_t *out_sec)
{
	static const struct {
		const char *one, *many;
		uint64_t sec;
	} units[] = {
		{ "second", "seconds", 1 },	{ "minute", "minutes", 60 },	    { "hour", "hours", 3600 },
		{ "day", "days", DAY_SEC },	{ "week", "weeks", 7 * DAY_SEC },
	};
	uint64_t count, sec;

	if (strncmp(s, "in ", 3) == 0)
		s += 3;
	const size_t digits = strspn(s, "0123456789");
	if (s[digits] != ' ' || !num_parse_u64_n(s, digits, 1, OFFSET_MAX_SEC, &count))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		const char *unit = s + digits + 1;

		if (strcmp(unit, units[i].one) != 0 && strcmp(unit, units[i].many) != 0)
			continue;
		if (!mul_u64(count, units[i].sec, &sec) || sec > OFFSET_MAX_SEC)
			return false;
		*out_sec = (int64_t)sec;
		return true;
	}
	return false;
}
