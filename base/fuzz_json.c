/* What loads can be read, written and loaded again, and is the same; a failure has a kind and a message. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* Each reader on each value: whatever it is, one of them may refuse it, none may crash, and the refusal has a path. */
static int read_value(void *ctx, const char *name, json_t *value, const char *path, struct err *e)
{
	struct err mine = { 0 };
	struct json_in in = { .obj = json_is_object(value) ? value : NULL, .e = &mine };
	const char *s = "";
	uint64_t number = 0;
	int64_t sec = 0;

	(void)ctx;
	(void)e;
	require(*path != '\0' && strlen(path) < JSON_PATH_BYTES && (!name || strlen(name) < SIZE_MAX));
	require(json_str_value(value, 16, path, &mine) != NULL || mine.kind == ERR_FORMAT);
	json_opt_u64(&in, "version", 1, UINT32_MAX, &number);
	json_opt_str(&in, "_type", 8, &s);
	require(number <= UINT32_MAX && strlen(s) <= 8);
	if (json_has(&in, "expires"))
		json_get_time(&in, "expires", &sec);
	json_opt_each(&in, "keys", 8, read_value, NULL);
	require(json_in_end(&in) == 0 || mine.kind == ERR_FORMAT);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(json_decref_p) json_t *j = NULL;
	CLEANUP(json_decref_p) json_t *again = NULL;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(SIZE_MAX);
	struct err e = { 0 };

	if (json_load_bytes(bytes_of(p, n), &j, &e) < 0) {
		require(j == NULL && e.kind == ERR_FORMAT && e.msg[0] != '\0');
		return 0;
	}
	struct json_in in = { .obj = j, .e = &e, .path = "top" };
	json_get_each(&in, NULL, SIZE_MAX, read_value, NULL);
	require(json_in_end(&in) == 0);
	require(json_to_buf(j, &text, &e) == 0);
	require(json_load_bytes(buf_bytes(&text), &again, &e) == 0);
	require(json_equal(j, again));
	return 0;
}
