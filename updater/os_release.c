/* os-release(5) line by line. Only the names we want are unquoted; the others need not even be well-formed, for
 * they are not ours to judge. */
#include "updater/os_release.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/num.h"

/* What a backslash keeps its meaning before, inside of double quotes. */
static bool is_special(char c)
{
	return c == '$' || c == '"' || c == '`' || c == '\\';
}

struct unquoter {
	const char *p, *end;
	char *out;
	size_t n;
};

static bool put(struct unquoter *u, char c)
{
	if (u->n + 1 >= OS_RELEASE_VALUE_BYTES || (unsigned char)c < 0x20 || c == 0x7f)
		return false;
	u->out[u->n++] = c;
	return true;
}

/* The inside of one pair of quotes; the opening one has been taken. False if it does not close on the line. */
static bool quoted_part(struct unquoter *u, char quote)
{
	while (u->p < u->end && *u->p != quote) {
		if (quote == '"' && *u->p == '\\' && u->p + 1 < u->end && is_special(u->p[1]))
			u->p++;
		if (!put(u, *u->p++))
			return false;
	}
	if (u->p == u->end)
		return false;
	u->p++;
	return true;
}

/* As a shell reads an assignment: quoted and bare parts one after the other; a bare blank would end the word, so
 * it is refused. */
static bool unquote(struct bytes value, char out[OS_RELEASE_VALUE_BYTES])
{
	struct unquoter u = { .p = (const char *)value.p, .end = (const char *)value.p + value.n, .out = out };

	while (u.p < u.end) {
		const char c = *u.p++;

		if (c == '"' || c == '\'') {
			if (!quoted_part(&u, c))
				return false;
		} else if (c == '\\') {
			if (u.p == u.end || !put(&u, *u.p++))
				return false;
		} else if (c == ' ' || c == '\t' || !put(&u, c)) {
			return false;
		}
	}
	out[u.n] = '\0';
	return true;
}

static struct bytes trim(struct bytes b)
{
	while (b.n && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t' || b.p[b.n - 1] == '\r'))
		b.n--;
	while (b.n && (*b.p == ' ' || *b.p == '\t'))
		b = bytes_of(b.p + 1, b.n - 1);
	return b;
}

struct fields {
	char version[OS_RELEASE_VALUE_BYTES];
	struct os_release r;
};

static char *field_of(struct fields *f, struct bytes name)
{
	const struct {
		const char *name;
		char *value;
	} known[] = {
		{ "VERSION_ID", f->version },
		{ "VARIANT_ID", f->r.variant },
		{ "PRETTY_NAME", f->r.pretty_name },
		{ "BUILD_ID", f->r.build_id },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (bytes_equal(name, bytes_of_str(known[i].name)))
			return known[i].value;
	return NULL;
}

static int parse_line(struct fields *f, struct bytes line, unsigned number, struct err *e)
{
	const uint8_t *eq;
	char value[OS_RELEASE_VALUE_BYTES] = "";
	char *field;

	line = trim(line);
	if (line.n == 0 || *line.p == '#')
		return 0;
	eq = memchr(line.p, '=', line.n);
	if (!eq)
		return 0;
	field = field_of(f, bytes_of(line.p, (size_t)(eq - line.p)));
	if (!field)
		return 0;
	if (!unquote(bytes_of(eq + 1, (size_t)(line.p + line.n - eq - 1)), value))
		return err_set(e, ERR_FORMAT, OS_E_RELEASE, "os-release: line %u: bad value of %.*s", number, (int)(eq - line.p),
			       (const char *)line.p);
	memcpy(field, value, sizeof(value));
	return 0;
}

/* The rules on the whole. */
static int finish(struct fields *f, const char *arch, struct err *e)
{
	if (!f->version[0] || !f->r.variant[0])
		return err_set(e, ERR_FORMAT, OS_E_RELEASE, "os-release: %s is missing",
			       f->version[0] ? "VARIANT_ID" : "VERSION_ID");
	if (!arch[0] || strlen(arch) >= sizeof(f->r.arch))
		return err_set(e, ERR_FORMAT, OS_E_RELEASE, "os-release: no name of an architecture");
	if (version_parse(f->version, &f->r.version, e) < 0) {
		e->reason = OS_E_RELEASE;
		return err_wrap(e, "os-release: VERSION_ID");
	}
	memcpy(f->r.arch, arch, strlen(arch) + 1);
	return 0;
}

int os_release_parse(struct bytes text, const char *arch, struct os_release *out, struct err *e)
{
	struct fields f = { 0 };
	unsigned number = 0;

	if (text.n > OS_RELEASE_MAX_BYTES)
		return err_set(e, ERR_FORMAT, "limit", "os-release: larger than %u bytes", OS_RELEASE_MAX_BYTES);
	while (text.n) {
		const uint8_t *lf = memchr(text.p, '\n', text.n);
		const size_t n = lf ? (size_t)(lf - text.p) : text.n;

		if (parse_line(&f, bytes_of(text.p, n), ++number, e) < 0)
			return -1;
		text = bytes_of(text.p + n + (lf ? 1 : 0), text.n - n - (lf ? 1 : 0));
	}
	if (finish(&f, arch, e) < 0)
		return -1;
	*out = f.r;
	return 0;
}

int os_release_load(const char *path, const char *arch, struct os_release *out, struct err *e)
{
	struct buf text = BUF_INIT(OS_RELEASE_MAX_BYTES);
	CLEANUP(free_p) char *real = realpath(path, NULL); /* often a link */
	int r = file_read(AT_FDCWD, real ? real : path, &text, e);

	if (r == 0)
		r = os_release_parse(buf_bytes(&text), arch, out, e);
	buf_fini(&text);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}
