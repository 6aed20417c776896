/*
 * Matching without backtracking beyond the last star: once a later star has matched, an earlier one never needs
 * to give way, because the later one can take over whatever the earlier one would have skipped. So each star
 * costs at most one pass over the path's part.
 *
 * The reading of [...] is that of Python's fnmatch, which is what the reference implementation uses: '!' negates,
 * a ']' right after the opening (or the '!') is a member, a range with its ends reversed holds nothing, and there
 * are no escapes and no classes.
 */
#include "tuf/deleg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

#define NO_CODE_POINT 0x80000000u

/* The code point at @p, before @end, and its length. Metadata is UTF-8, checked when it was loaded; of other
 * bytes, which a caller may look for, each is a character of its own beyond all code points, so that none
 * swallows what follows it or equals another. */
static uint32_t next_char(const char *p, const char *end, size_t *n)
{
	const unsigned char c = (unsigned char)*p;
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const size_t want = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 1;
	uint32_t v = c & (0xffu >> (want + 1));

	*n = 1;
	if (c < 0x80)
		return c;
	if (want == 1 || want > (size_t)(end - p))
		return NO_CODE_POINT | c;
	for (size_t i = 1; i < want; i++) {
		if (((unsigned char)p[i] & 0xc0) != 0x80)
			return NO_CODE_POINT | c;
		v = v << 6 | ((unsigned char)p[i] & 0x3f);
	}
	if (v < least[want])
		return NO_CODE_POINT | c;
	*n = want;
	return v;
}

/* A part between slashes. */
struct part {
	const char *p, *end;
};

/* The bracket that closes the set whose inside begins at @p; NULL if there is none. */
static const char *set_end(const char *p, const char *end)
{
	if (p < end && *p == '!')
		p++;
	if (p < end && *p == ']')
		p++;
	return p < end ? memchr(p, ']', (size_t)(end - p)) : NULL;
}

/* Is @c in the set with the inside @p..@end? */
static bool set_has(const char *p, const char *end, uint32_t c)
{
	const bool negated = *p == '!';
	bool found = false;
	size_t n;

	if (negated)
		p++;
	while (p < end) {
		const uint32_t from = next_char(p, end, &n);
		uint32_t to = from;

		p += n;
		if (end - p >= 2 && *p == '-') {
			to = next_char(p + 1, end, &n);
			p += 1 + n;
		}
		found = found || (from <= c && c <= to);
	}
	return found != negated;
}

/* Does the pattern's next element, which is no star, match the character @c? Sets *@after behind the element. */
static bool one_matches(const char *p, const char *end, uint32_t c, const char **after)
{
	size_t n;
	const uint32_t want = next_char(p, end, &n);
	const char *close = want == '[' ? set_end(p + 1, end) : NULL;

	*after = close ? close + 1 : p + n;
	if (close)
		return set_has(p + 1, close, c);
	return want == '?' || want == c;
}

static bool part_matches(struct part pat, struct part text)
{
	const char *star = NULL,
		   *star_text = NULL; /* behind the last star, and where its run of characters ends for now */
	const char *after;
	size_t n;

	while (text.p < text.end) {
		if (pat.p < pat.end && *pat.p == '*') {
			star = ++pat.p;
			star_text = text.p;
			continue;
		}
		const uint32_t c = next_char(text.p, text.end, &n);
		if (pat.p < pat.end && one_matches(pat.p, pat.end, c, &after)) {
			pat.p = after;
			text.p += n;
			continue;
		}
		if (!star)
			return false;
		(void)next_char(star_text, text.end, &n);
		star_text += n;
		text.p = star_text;
		pat.p = star;
	}
	while (pat.p < pat.end && *pat.p == '*')
		pat.p++;
	return pat.p == pat.end;
}

/* Cuts the next part off; false when there is none. */
static bool next_part(const char **rest, struct part *out)
{
	if (!*rest)
		return false;
	const char *slash = strchr(*rest, '/');
	*out = (struct part){ *rest, slash ? slash : *rest + strlen(*rest) };
	*rest = slash ? slash + 1 : NULL;
	return true;
}

bool tuf_path_match(const char *pattern, const char *path)
{
	struct part pat = { 0 }, text = { 0 };

	for (;;) {
		const bool more_pattern = next_part(&pattern, &pat), more_path = next_part(&path, &text);

		if (more_pattern != more_path)
			return false;
		if (!more_pattern)
			return true;
		if (!part_matches(pat, text))
			return false;
	}
}

bool tuf_path_pattern_is_odd(const char *pattern)
{
	return pattern[0] == '.' || strpbrk(pattern, "[]{}\\") || strstr(pattern, "/.") || strstr(pattern, "**");
}

int tuf_path_hash(const char *path, char out[TUF_PATH_HASH_BYTES], struct err *e)
{
	struct digest d;

	if (digest_bytes(DIGEST_SHA256, bytes_of_str(path), &d, e) < 0)
		return -1;
	digest_hex(&d, out);
	return 0;
}

bool tuf_delegation_covers(const struct tuf_delegation *d, const char *path, const char *path_hash)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->by_hash ? strncmp(path_hash, d->v[i], strlen(d->v[i])) == 0 : tuf_path_match(d->v[i], path))
			return true;
	}
	return false;
}

/* Hex digits that number 2^bits bins. */
static int bin_digits(uint32_t bits)
{
	return (int)((bits + 3) / 4);
}

void tuf_bin_name(const struct tuf_bins *b, const char *path_hash, char out[TUF_BIN_NAME_BYTES])
{
	char head[9]; /* the first 32 bits of the hash */

	memcpy(head, path_hash, sizeof(head) - 1);
	head[sizeof(head) - 1] = '\0';
	const unsigned long bin = strtoul(head, NULL, 16) >> (32 - b->bit_length);
	snprintf(out, TUF_BIN_NAME_BYTES, "%s-%0*lx", b->prefix, bin_digits(b->bit_length), bin);
}

bool tuf_bin_is(const struct tuf_bins *b, const char *name)
{
	if (!b->prefix)
		return false;
	const size_t n_prefix = strlen(b->prefix), n_digits = (size_t)bin_digits(b->bit_length);
	const char *digits = name + n_prefix + 1;

	if (strncmp(name, b->prefix, n_prefix) != 0 || name[n_prefix] != '-' || strlen(digits) != n_digits ||
	    strspn(digits, "0123456789abcdef") != n_digits)
		return false;
	return strtoull(digits, NULL, 16) >> b->bit_length == 0;
}

const struct tuf_role_keys *tuf_delegation_keys(const struct tuf_targets *from, const char *role)
{
	for (size_t i = 0; i < from->n_delegations; i++)
		if (strcmp(from->delegations[i].name, role) == 0)
			return &from->delegations[i].keys;
	return tuf_bin_is(&from->bins, role) ? &from->bins.keys : NULL;
}
