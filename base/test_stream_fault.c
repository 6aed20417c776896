/* Each allocation and each read of a pipeline fails once: the failure is told, nothing leaks, and what was not
 * taken over stays usable. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/stream.h"
#include "base/unpack.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/fault.h"
#include "test-fixtures/harness/scratch.h"

#define CONTENT "the content of the file, the same in and out"
#define CONTENT_BYTES (sizeof(CONTENT) - 1)

static int seen_nothing(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)ctx;
	(void)p;
	(void)n;
	(void)e;
	return 0;
}

/* Puts a stage on top of *@s: on failure *@s is what it was, and still the caller's. */
static int add_stage(int which, const struct digest *digest, struct source **s, struct err *e)
{
	struct source *below = *s;

	switch (which) {
	case 0:
		return source_exact_new(below, CONTENT_BYTES, "file", s, e);
	case 1:
		return source_digest_new(below, digest, "file", s, e);
	case 2:
		return source_limit_new(below, CONTENT_BYTES, "file", s, e);
	case 3:
		return source_tap_new(below, seen_nothing, NULL, s, e);
	default:
		return unpack_new(below, "file", s, e);
	}
}

static int run(int fd, const struct digest *digest, struct buf *got, struct err *e)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	CLEANUP(sink_free_p) struct sink *to = NULL;

	if (source_fd_new(fd, false, 0, CONTENT_BYTES, "file", &s, e) < 0)
		return -1;
	for (int which = 0; which < 5; which++)
		if (add_stage(which, digest, &s, e) < 0)
			return -1;
	if (sink_buf_new(got, &to, e) < 0)
		return -1;
	return pump(s, to, NULL, e);
}

static void test_each_call_fails(void **state)
{
	static const struct {
		enum fault_kind kind;
		int sys;
		unsigned int at_least;
	} kinds[] = { { FAULT_MEMORY, ENOMEM, 14 }, { FAULT_PREAD, EIO, 3 } };
	struct digest digest;
	struct scratch s;
	struct err e = { 0 };

	(void)state;
	scratch_make(&s);
	scratch_write(&s, "file", CONTENT, CONTENT_BYTES);
	FILE *f = fopen(scratch_path(&s, "file"), "rb");

	assert_non_null(f);
	assert_int_equal(digest_bytes(DIGEST_SHA256, bytes_of(CONTENT, CONTENT_BYTES), &digest, &e), 0);
	fault_short(16);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (unsigned int nth = 1;; nth++) {
			CLEANUP(buf_fini) struct buf got = BUF_INIT(4096);

			e = (struct err){ 0 };
			fault_arm(kinds[i].kind, nth, kinds[i].sys);
			const int r = run(fileno(f), &digest, &got, &e);

			if (!fault_disarm()) {
				assert_int_equal(r, 0);
				assert_true(bytes_equal(buf_bytes(&got), bytes_of(CONTENT, CONTENT_BYTES)));
				assert_true(nth > kinds[i].at_least);
				break;
			}
			if (r != -1 || e.kind != ERR_SYSTEM || e.sys != kinds[i].sys)
				fail_msg("%s %u: %d, %s", fault_name(kinds[i].kind), nth, r, e.msg);
		}
	fault_short(0);
	fclose(f);
	scratch_remove(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
