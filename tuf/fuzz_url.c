/*
 * A base URL, a line feed, a name. A name becomes one segment (of a target: as many as it has slashes), from
 * which it can be got back; what is shown of a URL is short and has no password.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/num.h"
#include "tuf/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~%";

static void require(bool cond)
{
	if (!cond)
		abort();
}

static char *text_of(const uint8_t *p, size_t n)
{
	char *s = calloc(1, n + 1);

	require(s != NULL);
	if (n)
		memcpy(s, p, n);
	return s;
}

static size_t count(const char *s, char c)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == c;
	return n;
}

static const char *str(struct buf *b)
{
	struct err e;
	const char *s = buf_str(b, &e);

	require(s != NULL);
	return s;
}

/* What stands behind @base in @url. */
static const char *behind(const char *base, const char *url)
{
	const size_t n = strlen(base);

	require(strncmp(url, base, n) == 0);
	if (n && base[n - 1] == '/')
		return url + n;
	require(url[n] == '/');
	return url + n + 1;
}

/* The name comes back when the URL is read as a file's, but for its slashes, which stay encoded. */
static void check_decoded(const char *name)
{
	CLEANUP(buf_fini) struct buf url = BUF_INIT(SIZE_MAX);
	CLEANUP(buf_fini) struct buf path = BUF_INIT(SIZE_MAX);
	struct err e = { 0 };
	const char *d;

	require(tuf_url_target("file:///", name, NULL, &url, &e) == 0);
	require(tuf_url_file_path(str(&url), &path, &e) == 0);
	d = str(&path);
	require(d[0] == '/' && strcmp(d + 1, name) == 0);
	buf_fini(&url);
	buf_fini(&path);
	require(tuf_url_metadata("file://localhost/x", 0, name, &url, &e) == 0);
	require(tuf_url_file_path(str(&url), &path, &e) == 0);
	d = str(&path);
	require(count(d, '/') == 2 && strncmp(d, "/x/", 3) == 0);
	for (d += 3; *name; name++) {
		const bool slash = *name == '/';

		require(slash ? strncmp(d, "%2F", 3) == 0 : *d == *name);
		d += slash ? 3 : 1;
	}
	require(strcmp(d, ".json") == 0);
}

static void check_urls(const char *base, const char *name)
{
	CLEANUP(buf_fini) struct buf url = BUF_INIT(SIZE_MAX);
	struct err e = { 0 };
	const char *s;

	require(tuf_url_metadata(base, UINT64_MAX, name, &url, &e) == 0);
	s = behind(base, str(&url));
	require(strncmp(s, "18446744073709551615.", 21) == 0 && strspn(s, plain) == strlen(s));
	buf_fini(&url);
	require(tuf_url_target(base, name, "abc", &url, &e) == 0);
	s = behind(base, str(&url));
	require(count(s, '/') == count(name, '/') && s[strspn(s, plain)] == (strchr(s, '/') ? '/' : '\0'));
	s = strrchr(s, '/') ? strrchr(s, '/') + 1 : s;
	require(strncmp(s, "abc.", 4) == 0);
}

static void check_shown(const char *url)
{
	char shown[TUF_URL_SHOWN_BYTES];
	const char *colon;

	memset(shown, 'x', sizeof(shown));
	tuf_url_show(url, shown);
	require(memchr(shown, '\0', sizeof(shown)) != NULL);
	colon = strstr(url, "://");
	if (!colon || strlen(url) >= sizeof(shown))
		return;
	const char *host = colon + 3, *at = memrchr(host, '@', strcspn(host, "/?#"));
	const size_t scheme_n = (size_t)(host - url);

	/* What it keeps of the scheme is bounded, and the rest stands as it is behind the last '@' of the authority. */
	if (scheme_n <= 20)
		require(strncmp(shown, url, scheme_n) == 0 && strcmp(shown + scheme_n, at ? at + 1 : host) == 0);
}

static void check_base(const char *base)
{
	CLEANUP(buf_fini) struct buf path = BUF_INIT(SIZE_MAX);
	struct err e = { 0 };

	if (tuf_url_check_base(base, "base", &e) < 0)
		require(e.kind == ERR_USAGE && strcmp(e.reason, "url") == 0);
	else
		require(tuf_url_scheme(base) != TUF_SCHEME_OTHER && !strpbrk(base, "?#"));
	if (tuf_url_file_path(base, &path, &e) < 0)
		require(e.kind == ERR_USAGE && strcmp(e.reason, "url") == 0);
	else
		require(tuf_url_scheme(base) == TUF_SCHEME_FILE && path.n > 0 && path.p[0] == '/' && !memchr(path.p, '\0', path.n));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *cut = n ? memchr(p, '\n', n) : NULL;
	const size_t base_n = cut ? (size_t)(cut - p) : n, used = cut ? base_n + 1 : n;
	CLEANUP(free_p) char *base = text_of(p, base_n), *name = text_of(used < n ? p + used : p, n - used);

	check_base(base);
	check_shown(base);
	check_urls(base, name);
	check_decoded(name);
	return 0;
}
