/*
 * Any JSON has one canonical form or none: the same that the test repositories' own encoder makes, never longer
 * than the text it is from, and the same after the document was written in another layout. Where it is valid JSON
 * itself, it stands for the same document.
 */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "test-fixtures/tufrepo.h"
#include "tuf/canon.h"
#include "tuf/tuf.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

static bool has_real(const json_t *j)
{
	json_t *in = (json_t *)(uintptr_t)j, *value;
	const char *name;
	size_t i;

	json_object_foreach (in, name, value)
		if (has_real(value))
			return true;
	json_array_foreach (in, i, value)
		if (has_real(value))
			return true;
	return json_is_real(j);
}

static bool has_control(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if (b.p[i] < ' ')
			return true;
	return false;
}

/* The form of the document read from @text is @want. */
static void check_same(struct bytes text, const json_t *j, struct bytes want)
{
	CLEANUP(json_decref_p) json_t *again = NULL;
	CLEANUP(buf_fini) struct buf canon = BUF_INIT(SIZE_MAX);
	struct err e = { 0 };

	require(json_load_bytes(text, &again, &e) == 0 && json_equal(j, again));
	require(tuf_canon(again, &canon, &e) == 0 && bytes_equal(buf_bytes(&canon), want));
}

static void check_form(const json_t *j, struct bytes canon)
{
	CLEANUP(buf_fini) struct buf other = BUF_INIT(SIZE_MAX);
	CLEANUP(buf_fini) struct buf layout = BUF_INIT(SIZE_MAX);
	CLEANUP(json_decref_p) json_t *none = NULL;
	struct err e = { 0 };

	tufrepo_canon(j, &other);
	require(bytes_equal(buf_bytes(&other), canon));
	require(json_to_buf(j, &layout, &e) == 0);
	check_same(buf_bytes(&layout), j, canon);
	/* Raw control characters are what canonical form has and JSON has not. */
	if (!has_control(canon))
		check_same(canon, j, canon);
	else
		require(json_load_bytes(canon, &none, &e) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(json_decref_p) json_t *j = NULL;
	CLEANUP(buf_fini) struct buf canon = BUF_INIT(SIZE_MAX);
	CLEANUP(buf_fini) struct buf small = BUF_INIT(0);
	struct err e = { 0 };

	if (json_load_bytes(bytes_of(p, n), &j, &e) < 0)
		return 0;
	if (tuf_canon(j, &canon, &e) < 0) {
		require(e.kind == ERR_FORMAT && strcmp(e.reason, TUF_E_METADATA) == 0 && has_real(j));
		return 0;
	}
	require(canon.n <= n && !has_real(j));
	check_form(j, buf_bytes(&canon));
	small.max = canon.n - 1;
	require(tuf_canon(j, &small, &e) < 0 && small.n <= small.max);
	return 0;
}
