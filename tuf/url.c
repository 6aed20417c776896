/* Percent-encoding works on bytes by a fixed set, so the result depends on nothing but the name. */
#include "tuf/url.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

static const struct {
	const char *prefix;
	enum tuf_scheme scheme;
} schemes[] = {
	{ "file://", TUF_SCHEME_FILE },
	{ "http://", TUF_SCHEME_HTTP },
	{ "https://", TUF_SCHEME_HTTPS },
};

enum tuf_scheme tuf_url_scheme(const char *url)
{
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strncasecmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
			return schemes[i].scheme;
	return TUF_SCHEME_OTHER;
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_.-~", c));
}

static int encode(const char *name, size_t n, bool keep_slashes, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)name[i];
		const bool plain = is_unreserved(c) || (keep_slashes && c == '/');

		if ((plain ? buf_append(out, &c, 1, e) : buf_printf(out, e, "%%%02X", c)) < 0)
			return -1;
	}
	return 0;
}

int tuf_url_encode(const char *name, bool keep_slashes, struct buf *out, struct err *e)
{
	return encode(name, strlen(name), keep_slashes, out, e);
}

static int append_base(const char *base, struct buf *out, struct err *e)
{
	const size_t n = strlen(base);

	if (buf_append(out, base, n, e) < 0)
		return -1;
	return n && base[n - 1] == '/' ? 0 : buf_append(out, "/", 1, e);
}

int tuf_url_metadata(const char *base, uint64_t version, const char *role, struct buf *out, struct err *e)
{
	if (append_base(base, out, e) < 0)
		return -1;
	if (version && buf_printf(out, e, "%" PRIu64 ".", version) < 0)
		return -1;
	if (tuf_url_encode(role, false, out, e) < 0)
		return -1;
	return buf_append_str(out, ".json", e);
}

int tuf_url_target(const char *base, const char *path, const char *hash, struct buf *out, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;

	if (append_base(base, out, e) < 0)
		return -1;
	if (encode(path, (size_t)(last - path), true, out, e) < 0)
		return -1;
	if (hash && buf_printf(out, e, "%s.", hash) < 0)
		return -1;
	return tuf_url_encode(last, false, out, e);
}

/* One %XX at @p. Return: the byte, or -1 */
static int escaped_byte(const char *p)
{
	uint8_t c;

	if (!p[1] || !p[2] || !hex_decode(p + 1, 2, &c, 1))
		return -1;
	return c;
}

int tuf_url_file_path(const char *url, struct buf *out, struct err *e)
{
	static const char local[] = "localhost";
	const char *p = url + strlen("file://");

	if (tuf_url_scheme(url) != TUF_SCHEME_FILE)
		return err_set(e, ERR_USAGE, "url", "not a file:// URL");
	if (strncasecmp(p, local, sizeof(local) - 1) == 0)
		p += sizeof(local) - 1;
	if (*p != '/')
		return err_set(e, ERR_USAGE, "url", "a file:// URL with a host or a relative path");
	if (strpbrk(p, "?#"))
		return err_set(e, ERR_USAGE, "url", "a file:// URL with a query or fragment");
	for (; *p; p++) {
		const int c = *p == '%' ? escaped_byte(p) : *p;
		const char byte = (char)c;

		if (*p != '%' || c == '/') { /* of %2F the digits follow by themselves */
			if (buf_append(out, p, 1, e) < 0)
				return -1;
			continue;
		}
		if (c <= 0)
			return err_set(e, ERR_USAGE, "url", "a file:// URL with a bad escape");
		if (buf_append(out, &byte, 1, e) < 0)
			return -1;
		p += 2;
	}
	return 0;
}

int tuf_url_check_base(const char *base, const char *what, struct err *e)
{
	char shown[TUF_URL_SHOWN_BYTES];

	tuf_url_show(base, shown);
	if (tuf_url_scheme(base) == TUF_SCHEME_OTHER)
		return err_set(e, ERR_USAGE, "url", "%s %s: neither https, http nor file", what, shown);
	if (strpbrk(base, "?#"))
		return err_set(e, ERR_USAGE, "url", "%s %s: a base URL has no query and no fragment", what, shown);
	return 0;
}

static size_t put(char *to, const char *from, size_t n)
{
	memcpy(to, from, n);
	return n;
}

void tuf_url_show(const char *url, char out[TUF_URL_SHOWN_BYTES])
{
	static const char gap[] = "...";
	const size_t max = TUF_URL_SHOWN_BYTES - 1;
	const char *colon = strstr(url, "://");
	const char *host = colon ? colon + 3 : url;
	const char *at = colon ? memrchr(host, '@', strcspn(host, "/?#")) : NULL;
	const size_t scheme_n = min_size((size_t)(host - url), max / 4);
	const char *rest = at ? at + 1 : host;
	const size_t rest_n = strlen(rest);

	const bool fits = scheme_n + rest_n <= max;
	const size_t tail = fits ? rest_n : max / 2;
	const size_t head = fits ? 0 : max - scheme_n - tail - strlen(gap);
	size_t n = 0;

	n += put(out + n, url, scheme_n);
	n += put(out + n, rest, head);
	n += put(out + n, gap, fits ? 0 : strlen(gap));
	n += put(out + n, rest + rest_n - tail, tail);
	out[n] = 0;
}
