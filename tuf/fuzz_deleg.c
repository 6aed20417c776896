/* A pattern, a line feed, a path. Besides not crashing and ending soon: what is true of a match stays true when
 * both get the same further part, and when each star is written twice. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "tuf/deleg.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* The @n bytes at @p as text, as far as the first NUL, with @tail behind it. */
static char *text_of(const uint8_t *p, size_t n, const char *tail)
{
	char *s = calloc(1, n + strlen(tail) + 1);

	require(s);
	if (n)
		memcpy(s, p, n);
	memcpy(s + strlen(s), tail, strlen(tail) + 1);
	return s;
}

static char *double_stars(const char *s)
{
	char *out = calloc(1, 2 * strlen(s) + 1), *to = out;

	require(out);
	for (; *s; s++) {
		*to++ = *s;
		if (*s == '*')
			*to++ = '*';
	}
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *cut = n ? memchr(p, '\n', n) : NULL;

	if (!cut || n > 2 * TUF_NAME_MAX_BYTES)
		return 0;
	const size_t n_pattern = (size_t)(cut - p), n_path = n - n_pattern - 1;
	CLEANUP(free_p) char *pattern = text_of(p, n_pattern, ""), *path = text_of(cut + 1, n_path, "");
	CLEANUP(free_p) char *pattern_more = text_of(p, n_pattern, "/?"), *path_more = text_of(cut + 1, n_path, "/x");
	CLEANUP(free_p) char *doubled = double_stars(pattern);
	const bool match = tuf_path_match(pattern, path);

	require(tuf_path_match(pattern_more, path_more) == match);
	/* In a set a second star could become the end of a range, or stand behind it. */
	if (!strchr(pattern, '['))
		require(tuf_path_match(doubled, path) == match);
	if (!tuf_path_pattern_is_odd(pattern) && !strpbrk(pattern, "*?"))
		require(match == (strcmp(pattern, path) == 0));
	return 0;
}
