/*
 * jansson behind one gate. Its parser recurses for each level, so a scan of the brackets bounds the depth before
 * it starts: as long as the text is valid both see the same levels, and at the first byte that is not, jansson
 * stops.
 *
 * A cursor fails once: in->failed is set with the message, every reader looks at it first. Paths in messages are
 * built from their end, because "...signed.roles.root.threshold" says more than the front of it.
 */
#include "base/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/datetime.h"
#include "base/num.h"

/* Where the depth limit is passed, or NULL. Brackets in strings do not count. */
static const uint8_t *find_too_deep(struct bytes in)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < in.n; i++) {
		const uint8_t c = in.p[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MAX)
				return in.p + i;
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return NULL;
}

static int check_depth(struct bytes in, struct err *e)
{
	const uint8_t *deep = find_too_deep(in);
	size_t line = 1, column = 1;

	if (!deep)
		return 0;
	for (const uint8_t *p = in.p; p < deep; p++, column++)
		if (*p == '\n') {
			line++;
			column = 0;
		}
	return err_set(e, ERR_FORMAT, "limit", "line %zu, column %zu: more than %d levels", line, column, JSON_DEPTH_MAX);
}

struct text_in {
	struct bytes rest;
	bool no_memory;
};

/*
 * jansson 2.14 drops a character of a token when the token's buffer cannot grow, and goes on: a string comes out
 * shorter, and nothing tells. The allocator says it in errno, which jansson itself resets before it converts a
 * number; so it is looked at between any two characters.
 */
static size_t next_byte(void *dst, size_t cap, void *ctx)
{
	struct text_in *t = ctx;

	t->no_memory = t->no_memory || errno == ENOMEM;
	if (t->no_memory || t->rest.n == 0)
		return 0;
	*(uint8_t *)dst = *t->rest.p;
	t->rest = bytes_of(t->rest.p + 1, t->rest.n - 1);
	return 1;
}

int json_load_bytes(struct bytes in, json_t **out, struct err *e)
{
	struct text_in t = { .rest = in };
	json_error_t why;

	if (check_depth(in, e) < 0)
		return -1;
	errno = 0;
	json_t *j = json_load_callback(next_byte, &t, JSON_REJECT_DUPLICATES, &why);
	if (t.no_memory || errno == ENOMEM) {
		json_decref(j);
		errno = ENOMEM;
		return err_sys(e, "reading JSON");
	}
	if (!j)
		return err_set(e, ERR_FORMAT, "json", "line %d, column %d: %s", why.line, why.column, why.text);
	*out = j;
	return 0;
}

/* Appends to a path; what no longer fits is dropped from its front, whole characters at a time, and "..." put there. */
static void path_append(char path[JSON_PATH_BYTES], const char *piece)
{
	static const char gap[] = "...";
	const size_t room = JSON_PATH_BYTES - 1, room_after_gap = room - (sizeof(gap) - 1);
	size_t n = strlen(path), more = strlen(piece);

	if (n + more <= room) {
		memcpy(path + n, piece, more + 1);
		return;
	}
	if (more > room_after_gap) {
		piece += more - room_after_gap;
		more = room_after_gap;
	}
	const size_t keep = min_size(n, room_after_gap - more);
	memmove(path + sizeof(gap) - 1, path + n - keep, keep);
	memcpy(path, gap, sizeof(gap) - 1);
	memcpy(path + sizeof(gap) - 1 + keep, piece, more + 1);

	size_t torn = 0; /* continuation bytes of a character that lost its first */
	while (((unsigned char)path[sizeof(gap) - 1 + torn] & 0xc0) == 0x80)
		torn++;
	memmove(path + sizeof(gap) - 1, path + sizeof(gap) - 1 + torn, strlen(path + sizeof(gap) - 1 + torn) + 1);
}

static void path_of_member(char out[JSON_PATH_BYTES], const char *parent, const char *name)
{
	out[0] = '\0';
	path_append(out, parent);
	if (name && *out)
		path_append(out, ".");
	if (name)
		path_append(out, name);
}

static void path_of_element(char out[JSON_PATH_BYTES], const char *parent, size_t index)
{
	char text[32];

	snprintf(text, sizeof(text), "[%zu]", index);
	out[0] = '\0';
	path_append(out, parent);
	path_append(out, text);
}

static int fail_at(struct err *e, const char *path, const char *reason, const char *text)
{
	return err_set(e, ERR_FORMAT, reason, "%s: %s", *path ? path : "the document", text);
}

static __attribute__((format(printf, 4, 0))) int fail_va(struct json_in *in, const char *name, const char *reason,
							 const char *fmt, va_list ap)
{
	char path[JSON_PATH_BYTES], text[ERR_MSG_BYTES];

	if (in->failed)
		return -1;
	vsnprintf(text, sizeof(text), fmt, ap);
	path_of_member(path, in->path, name);
	in->failed = true;
	return fail_at(in->e, path, reason, text);
}

static __attribute__((format(printf, 4, 5))) int fail(struct json_in *in, const char *name, const char *reason,
						      const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_va(in, name, reason, fmt, ap);
	va_end(ap);
	return -1;
}

int json_in_fail(struct json_in *in, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_va(in, name, "field", fmt, ap);
	va_end(ap);
	return -1;
}

static const char *type_name(const json_t *j)
{
	if (!j)
		return "missing";
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a real number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "unknown";
}

static int fail_type(struct json_in *in, const char *name, const json_t *got, const char *wanted)
{
	return fail(in, name, "type", "%s, not %s", type_name(got), wanted);
}

struct json_in json_in_object(json_t *obj, const char *path, struct err *e)
{
	struct json_in in = { .obj = json_is_object(obj) ? obj : NULL, .e = e };

	path_append(in.path, path);
	if (!in.obj)
		fail_type(&in, NULL, obj, "an object");
	return in;
}

int json_in_end(const struct json_in *in)
{
	return in->failed ? -1 : 0;
}

bool json_has(const struct json_in *in, const char *name)
{
	return json_object_get(in->obj, name) != NULL;
}

/* The member, or NULL: absent and optional, or the cursor has failed. @name NULL is the cursor's own value. */
static json_t *find(struct json_in *in, const char *name, bool required)
{
	if (in->failed)
		return NULL;
	json_t *j = name ? json_object_get(in->obj, name) : in->obj;
	if (!j && required)
		fail(in, name, "missing", "missing");
	return j;
}

static void read_u64(struct json_in *in, const char *name, json_t *j, uint64_t min, uint64_t max, uint64_t *out)
{
	if (!j)
		return;
	if (!json_is_integer(j)) {
		fail_type(in, name, j, "an integer");
		return;
	}
	const json_int_t v = json_integer_value(j);
	if (v < 0 || (uint64_t)v < min || (uint64_t)v > max)
		fail(in, name, "range", "%" JSON_INTEGER_FORMAT " is not in %" PRIu64 "..%" PRIu64, v, min, max);
	else
		*out = (uint64_t)v;
}

static void read_bool(struct json_in *in, const char *name, json_t *j, bool *out)
{
	if (!j)
		return;
	if (!json_is_boolean(j))
		fail_type(in, name, j, "a boolean");
	else
		*out = json_is_true(j);
}

const char *json_str_value(json_t *value, size_t max_bytes, const char *path, struct err *e)
{
	char text[96];

	if (!json_is_string(value)) {
		snprintf(text, sizeof(text), "%s, not a string", type_name(value));
		fail_at(e, path, "type", text);
		return NULL;
	}
	const size_t n = json_string_length(value);
	if (n > max_bytes) {
		snprintf(text, sizeof(text), "%zu bytes long, more than %zu", n, max_bytes);
		fail_at(e, path, "limit", text);
		return NULL;
	}
	const char *s = json_string_value(value);
	if (strlen(s) != n) {
		fail_at(e, path, "nul", "a NUL in a string");
		return NULL;
	}
	return s;
}

/* The string, or NULL if there is none or the cursor fails. */
static const char *read_str(struct json_in *in, const char *name, json_t *j, size_t max_bytes)
{
	char path[JSON_PATH_BYTES];

	if (!j)
		return NULL;
	path_of_member(path, in->path, name);
	const char *s = json_str_value(j, max_bytes, path, in->e);
	if (!s)
		in->failed = true;
	return s;
}

void json_get_u64(struct json_in *in, const char *name, uint64_t min, uint64_t max, uint64_t *out)
{
	read_u64(in, name, find(in, name, true), min, max, out);
}

void json_opt_u64(struct json_in *in, const char *name, uint64_t min, uint64_t max, uint64_t *out)
{
	read_u64(in, name, find(in, name, false), min, max, out);
}

void json_get_bool(struct json_in *in, const char *name, bool *out)
{
	read_bool(in, name, find(in, name, true), out);
}

void json_opt_bool(struct json_in *in, const char *name, bool *out)
{
	read_bool(in, name, find(in, name, false), out);
}

void json_get_str(struct json_in *in, const char *name, size_t max_bytes, const char **out)
{
	const char *s = read_str(in, name, find(in, name, true), max_bytes);

	if (s)
		*out = s;
}

void json_opt_str(struct json_in *in, const char *name, size_t max_bytes, const char **out)
{
	const char *s = read_str(in, name, find(in, name, false), max_bytes);

	if (s)
		*out = s;
}

void json_get_time(struct json_in *in, const char *name, int64_t *out_sec)
{
	const char *s = read_str(in, name, find(in, name, true), SIZE_MAX);

	if (s && !datetime_parse(s, strlen(s), out_sec))
		fail(in, name, "time", "\"%.40s\" is not a time such as 2026-11-22T04:00:00Z", s);
}

void json_get_hex(struct json_in *in, const char *name, uint8_t *out, size_t out_n)
{
	const char *s = read_str(in, name, find(in, name, true), SIZE_MAX);

	if (s && !hex_decode(s, strlen(s), out, out_n))
		fail(in, name, "hex", "not %zu bytes in hexadecimal", out_n);
}

static struct json_in child_of(struct json_in *in, const char *name, bool required)
{
	json_t *j = find(in, name, required);
	struct json_in child = { .obj = j, .e = in->e };

	path_of_member(child.path, in->path, name);
	if (j && !json_is_object(j)) {
		child.obj = NULL;
		fail_type(in, name, j, "an object");
	}
	child.failed = in->failed;
	return child;
}

struct json_in json_get_object(struct json_in *in, const char *name)
{
	return child_of(in, name, true);
}

struct json_in json_opt_object(struct json_in *in, const char *name)
{
	return child_of(in, name, false);
}

int json_in_join(struct json_in *in, const struct json_in *child)
{
	if (child->failed)
		in->failed = true;
	return json_in_end(child);
}

static int each_member(json_t *obj, const char *parent, json_each_fn fn, void *ctx, struct err *e)
{
	const char *name;
	json_t *value;

	json_object_foreach(obj, name, value) {
		char path[JSON_PATH_BYTES];

		path_of_member(path, parent, name);
		if (fn(ctx, name, value, path, e) < 0)
			return -1;
	}
	return 0;
}

static int each_element(json_t *array, const char *parent, json_each_fn fn, void *ctx, struct err *e)
{
	json_t *value;
	size_t i;

	json_array_foreach(array, i, value) {
		char path[JSON_PATH_BYTES];

		path_of_element(path, parent, i);
		if (fn(ctx, NULL, value, path, e) < 0)
			return -1;
	}
	return 0;
}

static void read_each(struct json_in *in, const char *name, json_t *j, size_t max, json_each_fn fn, void *ctx)
{
	char path[JSON_PATH_BYTES];
	const size_t n = json_is_object(j) ? json_object_size(j) : json_array_size(j);

	if (!j)
		return;
	if (!json_is_object(j) && !json_is_array(j)) {
		fail_type(in, name, j, "an object or array");
		return;
	}
	if (n > max) {
		fail(in, name, "limit", "%zu entries, more than %zu", n, max);
		return;
	}
	path_of_member(path, in->path, name);
	if ((json_is_object(j) ? each_member : each_element)(j, path, fn, ctx, in->e) < 0)
		in->failed = true;
}

void json_get_each(struct json_in *in, const char *name, size_t max, json_each_fn fn, void *ctx)
{
	read_each(in, name, find(in, name, true), max, fn, ctx);
}

void json_opt_each(struct json_in *in, const char *name, size_t max, json_each_fn fn, void *ctx)
{
	read_each(in, name, find(in, name, false), max, fn, ctx);
}

struct dump {
	struct buf *out;
	struct err *e;
	bool told; /* *e is filled */
};

static int dump_piece(const char *p, size_t n, void *ctx)
{
	struct dump *d = ctx;

	if (buf_append(d->out, p, n, d->e) == 0)
		return 0;
	d->told = true;
	return -1;
}

int json_to_buf(const json_t *j, struct buf *out, struct err *e)
{
	struct dump d = { .out = out, .e = e };
	const size_t n_before = out->n;

	if (json_dump_callback(j, dump_piece, &d, JSON_INDENT(2) | JSON_ENCODE_ANY) == 0 && dump_piece("\n", 1, &d) == 0)
		return 0;
	out->n = n_before;
	if (d.told)
		return -1;
	errno = ENOMEM;
	return err_sys(e, "writing JSON");
}

int json_print(const json_t *j, FILE *f, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(SIZE_MAX);

	if (json_to_buf(j, &text, e) < 0)
		return -1;
	if (fwrite(text.p, 1, text.n, f) != text.n || fflush(f) != 0)
		return err_sys(e, "writing the answer");
	return 0;
}

/* A message may quote a file name of any bytes, or be cut within a character; JSON must be UTF-8 all the same. */
static json_t *json_of_text(const char *s)
{
	char ascii[ERR_MSG_BYTES];
	json_t *j = json_string(s);

	if (j)
		return j;
	snprintf(ascii, sizeof(ascii), "%s", s);
	for (char *p = ascii; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(ascii);
}

json_t *json_of_err(const struct err *e)
{
	return json_pack("{s:{s:s,s:s?,s:o}}", "error", "kind", err_kind_name(e->kind), "reason", e->reason, "message",
			 json_of_text(e->msg));
}
