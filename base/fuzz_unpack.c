/* However the input is cut into pieces, the same comes out of it: the same bytes and an end, or a refusal with a
 * reason. */
#include <stdlib.h>
#include <string.h>

#include "base/test_source.h"
#include "base/unpack.h"

#define OUT_MAX_BYTES 16384 /* so that a bomb does not take the fuzzer's time */

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* Return: true if it passed as a whole, with @out filled. */
static bool unpack_in_pieces(struct bytes in, size_t piece, size_t cap, struct buf *out)
{
	struct source *s = NULL, *top = NULL;
	struct err e = { 0 };
	bool ended = false;

	require(unpack_new(test_source_new(in, piece, TEST_NO_FAILURE, &ended, NULL), "input", &s, &e) == 0);
	require(source_limit_new(s, OUT_MAX_BYTES, "input", &top, &e) == 0);
	const int r = test_source_drain(top, cap, out, &e);

	source_free(top);
	require(r == SOURCE_END ? ended : e.kind == ERR_FORMAT && e.reason && e.msg[0]);
	return r == SOURCE_END;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(buf_fini) struct buf whole = BUF_INIT(4 * OUT_MAX_BYTES);
	CLEANUP(buf_fini) struct buf pieces = BUF_INIT(4 * OUT_MAX_BYTES);
	const struct bytes in = bytes_of(p, n);
	const bool passed = unpack_in_pieces(in, SIZE_MAX, OUT_MAX_BYTES, &whole);

	require(passed == unpack_in_pieces(in, 1, 1000, &pieces));
	if (!passed)
		return 0;
	require(bytes_equal(buf_bytes(&whole), buf_bytes(&pieces)));
	/* What is no known format passes as it is. */
	require(unpack_detect(in) != UNPACK_NONE || bytes_equal(buf_bytes(&whole), in));
	return 0;
}
