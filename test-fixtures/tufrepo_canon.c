/*
 * Canonical JSON once more, written apart from the client's and in another way: members are found by selecting
 * the next larger name again and again, characters are put one by one. Slow, short, and independent.
 */
#include "test-fixtures/tufrepo.h"

#include <assert.h>
#include <string.h>

static void put(struct buf *out, const char *s, size_t n)
{
	struct err e;

	assert(buf_append(out, s, n, &e) == 0);
}

static void put_string(struct buf *out, const char *s, size_t n)
{
	put(out, "\"", 1);
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\\' || s[i] == '"')
			put(out, "\\", 1);
		put(out, &s[i], 1);
	}
	put(out, "\"", 1);
}

/* The smallest name above @above, which is NULL for the smallest of all. */
static const char *next_name(json_t *obj, const char *above)
{
	const char *best = NULL, *name;
	json_t *value;

	json_object_foreach (obj, name, value) {
		if ((!above || strcmp(name, above) > 0) && (!best || strcmp(name, best) < 0))
			best = name;
	}
	return best;
}

static void put_object(json_t *obj, struct buf *out)
{
	const char *sep = "{";

	for (const char *name = next_name(obj, NULL); name; name = next_name(obj, name)) {
		put(out, sep, 1);
		put_string(out, name, strlen(name));
		put(out, ":", 1);
		tufrepo_canon(json_object_get(obj, name), out);
		sep = ",";
	}
	put(out, *sep == '{' ? "{}" : "}", *sep == '{' ? 2 : 1);
}

void tufrepo_canon(const json_t *j, struct buf *out)
{
	struct err e;

	if (json_is_object(j)) {
		put_object((json_t *)(uintptr_t)j, out);
	} else if (json_is_array(j)) {
		put(out, "[", 1);
		for (size_t i = 0; i < json_array_size(j); i++) {
			put(out, ",", i > 0);
			tufrepo_canon(json_array_get(j, i), out);
		}
		put(out, "]", 1);
	} else if (json_is_string(j)) {
		put_string(out, json_string_value(j), json_string_length(j));
	} else if (json_is_integer(j)) {
		assert(buf_printf(out, &e, "%lld", (long long)json_integer_value(j)) == 0);
	} else {
		assert(!json_is_real(j));
		const char *word = json_is_true(j) ? "true" : json_is_false(j) ? "false" : "null";
		put(out, word, strlen(word));
	}
}
