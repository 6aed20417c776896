/* Any text as a time and as a span, any eight bytes as a number of seconds: what is read is in range, what is
 * written is read back the same. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/datetime.h"
#include "base/num.h"

#define FIRST_SEC INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define LAST_SEC INT64_C(253402300799)	/* 9999-12-31T23:59:59Z */
#define CENTURY_SEC (INT64_C(36525) * 86400)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* The written form of @sec is canonical: reading and writing it again changes nothing. */
static void check_round_trip(int64_t sec, char text[DATETIME_BYTES])
{
	char again[DATETIME_BYTES];
	int64_t back = 0;

	datetime_format(sec, text);
	require(strlen(text) == DATETIME_BYTES - 1 && datetime_parse(text, DATETIME_BYTES - 1, &back));
	require(back == (sec < FIRST_SEC ? FIRST_SEC : sec > LAST_SEC ? LAST_SEC : sec));
	datetime_format(back, again);
	require(strcmp(text, again) == 0);
}

static void check_parse(const char *s, size_t n)
{
	char text[DATETIME_BYTES];
	int64_t sec = INT64_MIN;

	if (!datetime_parse(s, n, &sec)) {
		require(sec == INT64_MIN);
		return;
	}
	require(sec >= FIRST_SEC && sec <= LAST_SEC);
	check_round_trip(sec, text);
	/* Without a fraction and an offset there is one spelling, but for the case of two letters. */
	if (n == DATETIME_BYTES - 1)
		require(strncasecmp(text, s, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(free_p) char *copy = calloc(1, n + 1);
	char text[DATETIME_BYTES];
	int64_t span = 0;

	require(copy != NULL);
	if (n)
		memcpy(copy, p, n);
	check_parse(copy, n);
	if (datetime_parse_offset(copy, &span))
		require(span > 0 && span <= CENTURY_SEC);
	else
		require(span == 0);
	if (n >= 8) {
		const int64_t sec = (int64_t)load_le64(p);

		check_round_trip(sec, text);
		check_round_trip(sec % (LAST_SEC - FIRST_SEC), text);
	}
	return 0;
}
