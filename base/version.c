/*
 * semver.org 2.0.0. Numbers of a version fit 64 bits or are refused; numeric pre-release identifiers may be of
 * any length and are compared as text, which without leading zeros is: longer is greater, then digit by digit.
 */
#include "base/version.h"

#include <string.h>

#include "base/bytes.h"
#include "base/num.h"

#define DIGITS "0123456789"
#define IDENTIFIER DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-"

/* A number without leading zeros at *@s, which moves behind it. */
static bool take_number(const char **s, uint64_t *out)
{
	const size_t n = strspn(*s, DIGITS);

	if ((n > 1 && **s == '0') || !num_parse_u64_n(*s, n, 0, UINT64_MAX, out))
		return false;
	*s += n;
	return true;
}

static bool take_char(const char **s, char c)
{
	if (**s != c)
		return false;
	++*s;
	return true;
}

static bool is_numeric(const char *s, size_t n)
{
	return strspn(s, DIGITS) >= n;
}

/* Identifiers with dots between, none empty (sections 9 and 10); build metadata may have leading zeros. */
static bool take_identifiers(const char **s, bool leading_zeros)
{
	do {
		const size_t n = strspn(*s, IDENTIFIER);

		if (n == 0 || (!leading_zeros && n > 1 && **s == '0' && is_numeric(*s, n)))
			return false;
		*s += n;
	} while (take_char(s, '.'));
	return true;
}

static bool parse(const char *s, struct version *v)
{
	if (!take_number(&s, &v->major) || !take_char(&s, '.') || !take_number(&s, &v->minor) || !take_char(&s, '.') ||
	    !take_number(&s, &v->patch))
		return false;
	if (take_char(&s, '-')) {
		const char *pre = s;

		if (!take_identifiers(&s, false))
			return false;
		memcpy(v->pre, pre, (size_t)(s - pre)); /* a part of text, so it fits */
	}
	if (take_char(&s, '+') && !take_identifiers(&s, true))
		return false;
	return *s == '\0';
}

int version_parse(const char *s, struct version *out, struct err *e)
{
	struct version v = { 0 };
	const size_t n = strlen(s);

	if (n >= sizeof(v.text))
		return err_set(e, ERR_FORMAT, "version", "version \"%.40s...\": longer than %d bytes", s, VERSION_BYTES - 1);
	memcpy(v.text, s, n + 1);
	if (!parse(v.text, &v))
		return err_set(e, ERR_FORMAT, "version", "\"%s\" is not a version such as 1.2.3", s);
	*out = v;
	return 0;
}

int version_parse_friendly(const char *s, struct version *out, struct err *e)
{
	return version_parse(*s == 'v' ? s + 1 : s, out, e);
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Section 11.4: numeric ones by number and below the others, which go by ASCII. */
static int compare_identifiers(struct bytes a, struct bytes b)
{
	const bool a_numeric = is_numeric((const char *)a.p, a.n), b_numeric = is_numeric((const char *)b.p, b.n);

	if (a_numeric != b_numeric)
		return a_numeric ? -1 : 1;
	if (a_numeric && a.n != b.n)
		return a.n < b.n ? -1 : 1;
	return bytes_compare(a, b);
}

static int compare_pre(const char *a, const char *b)
{
	if (!*a || !*b) /* 11.3: a release is above its pre-releases */
		return (*a == '\0') - (*b == '\0');
	for (;;) {
		const size_t a_n = strcspn(a, "."), b_n = strcspn(b, ".");
		const int order = compare_identifiers(bytes_of(a, a_n), bytes_of(b, b_n));

		if (order)
			return order;
		if (!a[a_n] || !b[b_n]) /* 11.4.4: more identifiers are above fewer */
			return (a[a_n] != '\0') - (b[b_n] != '\0');
		a += a_n + 1;
		b += b_n + 1;
	}
}

int version_compare(const struct version *a, const struct version *b)
{
	int order = compare_u64(a->major, b->major);

	if (!order)
		order = compare_u64(a->minor, b->minor);
	if (!order)
		order = compare_u64(a->patch, b->patch);
	return order ? order : compare_pre(a->pre, b->pre);
}
