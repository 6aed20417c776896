#include "tools/repo_range.h"

#include <stdbool.h>
#include <string.h>

#include "base/num.h"

static const char unit[] = "bytes=";

/* A number of any length: what does not fit is as good as the largest. False if there are other characters. */
static bool parse_position(const char *s, size_t n, uint64_t *out)
{
	if (strspn(s, "0123456789") < n)
		return false;
	if (!num_parse_u64_n(s, n, 0, UINT64_MAX, out))
		*out = UINT64_MAX;
	return true;
}

/* "-N": the last N bytes. */
static enum repo_range_kind suffix(uint64_t n, uint64_t size, struct repo_range *out)
{
	if (n == 0 || size == 0)
		return REPO_RANGE_BAD;
	out->length = min_u64(n, size);
	out->first = size - out->length;
	return REPO_RANGE_PART;
}

enum repo_range_kind repo_range_parse(const char *header, uint64_t size, struct repo_range *out)
{
	uint64_t first, last = UINT64_MAX;

	*out = (struct repo_range){ .first = 0, .length = size };
	if (!header || strncmp(header, unit, sizeof(unit) - 1) != 0)
		return REPO_RANGE_WHOLE;
	const char *s = header + sizeof(unit) - 1;
	const char *dash = strchr(s, '-');

	if (!dash)
		return REPO_RANGE_WHOLE;
	const size_t first_n = (size_t)(dash - s), last_n = strlen(dash + 1);

	if ((first_n && !parse_position(s, first_n, &first)) || (last_n && !parse_position(dash + 1, last_n, &last)) ||
	    (first_n == 0 && last_n == 0))
		return REPO_RANGE_WHOLE;
	if (first_n == 0)
		return suffix(last, size, out);
	if (last < first)
		return REPO_RANGE_WHOLE; /* not a valid range: 14.1.1 */
	if (first >= size)
		return REPO_RANGE_BAD;
	out->first = first;
	out->length = min_u64(last, size - 1) - first + 1;
	return REPO_RANGE_PART;
}
