/*
 * A walk over the parsed tree. Only two characters are ever escaped, names are sorted as bytes, and numbers other
 * than integers have no canonical form. The tree's depth is bounded by the loader; the bound is repeated here
 * because the stack depends on it.
 */
#include "tuf/canon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "tuf/tuf.h"

static int put_value(const json_t *j, int depth, struct buf *out, struct err *e);

/* '"' and '\' get a backslash; everything else is raw, control characters too. */
static int put_string(const char *s, size_t n, struct buf *out, struct err *e)
{
	size_t from = 0;

	if (buf_append(out, "\"", 1, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '"' && s[i] != '\\')
			continue;
		if (buf_append(out, s + from, i - from, e) < 0 || buf_append(out, "\\", 1, e) < 0)
			return -1;
		from = i;
	}
	if (buf_append(out, s + from, n - from, e) < 0)
		return -1;
	return buf_append(out, "\"", 1, e);
}

static int put_array(const json_t *j, int depth, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < json_array_size(j); i++) {
		if (buf_append(out, i ? "," : "[", 1, e) < 0 || put_value(json_array_get(j, i), depth + 1, out, e) < 0)
			return -1;
	}
	return buf_append_str(out, json_array_size(j) ? "]" : "[]", e);
}

struct member {
	const char *name;
	const json_t *value;
};

/* Names hold no NUL, so strcmp is the order of their bytes, which for UTF-8 is that of the code points. */
static int member_order(const void *a, const void *b)
{
	return strcmp(((const struct member *)a)->name, ((const struct member *)b)->name);
}

static int put_members(const struct member *m, size_t n, int depth, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (buf_append(out, i ? "," : "{", 1, e) < 0 || put_string(m[i].name, strlen(m[i].name), out, e) < 0 ||
		    buf_append(out, ":", 1, e) < 0 || put_value(m[i].value, depth + 1, out, e) < 0)
			return -1;
	}
	return buf_append_str(out, n ? "}" : "{}", e);
}

static int put_object(const json_t *j, int depth, struct buf *out, struct err *e)
{
	const size_t n = json_object_size(j);
	CLEANUP(free_p) struct member *m = calloc(n ? n : 1, sizeof(*m));
	size_t i = 0;

	if (!m) {
		errno = ENOMEM;
		return err_sys(e, "canonical form");
	}
	/* The iterator functions want a mutable object and do not change it. */
	json_t *obj = (json_t *)(uintptr_t)j;
	for (void *it = json_object_iter(obj); it && i < n; it = json_object_iter_next(obj, it), i++)
		m[i] = (struct member){ json_object_iter_key(it), json_object_iter_value(it) };
	qsort(m, i, sizeof(*m), member_order);
	return put_members(m, i, depth, out, e);
}

static int put_value(const json_t *j, int depth, struct buf *out, struct err *e)
{
	/* As the loader counts: what is in the innermost array is no level more. */
	if (depth > JSON_DEPTH_MAX && (json_is_object(j) || json_is_array(j)))
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "canonical form: more than %d levels", JSON_DEPTH_MAX);
	if (!j)
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "canonical form: no value");
	switch (json_typeof(j)) {
	case JSON_OBJECT:
		return put_object(j, depth, out, e);
	case JSON_ARRAY:
		return put_array(j, depth, out, e);
	case JSON_STRING:
		return put_string(json_string_value(j), json_string_length(j), out, e);
	case JSON_INTEGER:
		return buf_printf(out, e, "%" JSON_INTEGER_FORMAT, json_integer_value(j));
	case JSON_TRUE:
		return buf_append_str(out, "true", e);
	case JSON_FALSE:
		return buf_append_str(out, "false", e);
	case JSON_NULL:
		return buf_append_str(out, "null", e);
	case JSON_REAL:
		break;
	}
	return err_set(e, ERR_FORMAT, TUF_E_METADATA, "canonical form: a number that is no integer");
}

int tuf_canon(const json_t *j, struct buf *out, struct err *e)
{
	return put_value(j, 1, out, e);
}
