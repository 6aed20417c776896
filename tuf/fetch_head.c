/*
 * Only what is exact goes on: a range that begins elsewhere, or is of a file of another size, would put wrong
 * bytes into the middle of a stream. Digests above would find out, but only after the whole was written.
 */
#include "tuf/fetch_head.h"

#include <string.h>
#include <strings.h>

#include "base/num.h"

struct text {
	const char *p;
	size_t n;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct text trim(const char *p, size_t n)
{
	for (; n && is_blank(*p); n--)
		p++;
	while (n && is_blank(p[n - 1]))
		n--;
	return (struct text){ p, n };
}

/* The value of the header @name, if this line is it. */
static bool take_value(const char *line, size_t n, const char *name, struct text *out)
{
	const size_t k = strlen(name);

	if (n <= k || strncasecmp(line, name, k) != 0 || line[k] != ':')
		return false;
	*out = trim(line + k + 1, n - k - 1);
	return true;
}

/* What does not fit is left out: half a validator would match another content. */
static void copy(struct text v, char out[FETCH_VALIDATOR_BYTES])
{
	const size_t n = v.n < FETCH_VALIDATOR_BYTES && !memchr(v.p, 0, v.n) ? v.n : 0;

	memcpy(out, v.p, n);
	out[n] = 0;
}

static bool take_number(struct text *t, char end, uint64_t *out)
{
	const char *stop = end ? memchr(t->p, end, t->n) : t->p + t->n;

	if (!stop || !num_parse_u64_n(t->p, (size_t)(stop - t->p), 0, FETCH_UNKNOWN - 1, out))
		return false;
	const size_t used = (size_t)(stop - t->p) + (end ? 1 : 0);

	t->p += used;
	t->n -= used;
	return true;
}

static enum fetch_range parse_range(struct text v, struct fetch_head *h)
{
	static const char unit[] = "bytes ";

	if (v.n < strlen(unit) || strncasecmp(v.p, unit, strlen(unit)) != 0)
		return FETCH_RANGE_BAD;
	v = trim(v.p + strlen(unit), v.n - strlen(unit));
	if (v.n > 2 && memcmp(v.p, "*/", 2) == 0) {
		v = (struct text){ v.p + 2, v.n - 2 };
		return take_number(&v, 0, &h->total) ? FETCH_RANGE_UNSATISFIED : FETCH_RANGE_BAD;
	}
	if (!take_number(&v, '-', &h->first) || !take_number(&v, '/', &h->last) || !take_number(&v, 0, &h->total))
		return FETCH_RANGE_BAD;
	return h->first <= h->last && h->last < h->total ? FETCH_RANGE_GIVEN : FETCH_RANGE_BAD;
}

void fetch_head_line(struct fetch_head *h, const char *line, size_t n)
{
	struct text v;

	if (n >= 5 && memcmp(line, "HTTP/", 5) == 0)
		*h = (struct fetch_head){ .length = FETCH_UNKNOWN };
	else if (take_value(line, n, "Content-Length", &v)) {
		if (!num_parse_u64_n(v.p, v.n, 0, FETCH_UNKNOWN - 1, &h->length))
			h->length = FETCH_UNKNOWN; /* curl has its own opinion of a malformed one */
	} else if (take_value(line, n, "Content-Range", &v))
		h->range = h->range == FETCH_RANGE_NONE ? parse_range(v, h) : FETCH_RANGE_BAD;
	else if (take_value(line, n, "ETag", &v))
		copy(v, h->is.etag);
	else if (take_value(line, n, "Last-Modified", &v))
		copy(v, h->is.modified);
}

static const char *opaque(const char *etag)
{
	return strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag;
}

/* Both have told it, and told it differently. */
static bool differs(const char *a, const char *b)
{
	return *a && *b && strcmp(a, b) != 0;
}

static bool is_other(const struct fetch_file *file, const struct fetch_head *h, uint64_t total)
{
	if (differs(opaque(file->is.etag), opaque(h->is.etag)))
		return true;
	if (differs(file->is.modified, h->is.modified))
		return true;
	return file->total != FETCH_UNKNOWN && total != FETCH_UNKNOWN && file->total != total;
}

static void learn(struct fetch_file *file, const struct fetch_head *h, uint64_t total)
{
	if (total != FETCH_UNKNOWN)
		file->total = total;
	if (!*file->is.etag)
		memcpy(file->is.etag, h->is.etag, sizeof(h->is.etag));
	if (!*file->is.modified)
		memcpy(file->is.modified, h->is.modified, sizeof(h->is.modified));
}

/* All of the file, though a part may have been asked for: the server knows no ranges, or If-Range did not hold. */
static enum fetch_judgement judge_whole(const struct fetch_head *h, uint64_t pos, struct fetch_file *file, uint64_t *skip,
					uint64_t *due)
{
	if (is_other(file, h, h->length))
		return FETCH_CHANGED;
	learn(file, h, h->length);
	if (file->total != FETCH_UNKNOWN && pos > file->total)
		return FETCH_BAD_RANGE;
	*skip = pos;
	*due = file->total;
	return FETCH_BODY;
}

static enum fetch_judgement judge_part(const struct fetch_head *h, uint64_t pos, struct fetch_file *file, uint64_t *skip,
				       uint64_t *due)
{
	if (h->range != FETCH_RANGE_GIVEN)
		return FETCH_BAD_RANGE;
	if (is_other(file, h, h->total))
		return FETCH_CHANGED;
	if (h->first != pos || (h->length != FETCH_UNKNOWN && h->length != h->last - h->first + 1))
		return FETCH_BAD_RANGE;
	learn(file, h, h->total);
	*skip = 0;
	*due = h->last - h->first + 1;
	return FETCH_BODY;
}

static enum fetch_judgement judge_unsatisfied(const struct fetch_head *h, uint64_t pos, const struct fetch_file *file)
{
	if (h->range != FETCH_RANGE_UNSATISFIED)
		return FETCH_BAD_RANGE;
	if (is_other(file, h, h->total))
		return FETCH_CHANGED;
	return h->total == pos ? FETCH_AT_END : FETCH_BAD_RANGE;
}

enum fetch_judgement fetch_judge(long status, const struct fetch_head *h, uint64_t pos, bool asked_range, struct fetch_file *file,
				 uint64_t *skip, uint64_t *due)
{
	if (status == 200)
		return judge_whole(h, pos, file, skip, due);
	if (status == 206 && asked_range)
		return judge_part(h, pos, file, skip, due);
	if (status == 416 && asked_range)
		return judge_unsatisfied(h, pos, file);
	return FETCH_NO_BODY;
}

const char *fetch_if_range(const struct fetch_validators *v)
{
	if (*v->etag && strncmp(v->etag, "W/", 2) != 0)
		return v->etag;
	return *v->modified ? v->modified : NULL;
}
