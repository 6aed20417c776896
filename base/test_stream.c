/* Every stage: pieces of all sizes, cut at every length, one byte too many, errors from below and their way up,
 * freed half-way. */
#include "base/stream.h"

#include <stdio.h>
#include <unistd.h>

#include "base/test_source.h"
#include "test-fixtures/harness/case.h"

#define WHOLE_BYTES 37 /* odd, so that no piece size but 1 and itself divides it */

static uint8_t whole[WHOLE_BYTES + 1]; /* one byte more for the streams that are too long */
static struct digest whole_digest;

static int set_up(void **state)
{
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(whole); i++)
		whole[i] = (uint8_t)(i * 7 + 3);
	return digest_bytes(DIGEST_SHA256, bytes_of(whole, WHOLE_BYTES), &whole_digest, &e);
}

/* Stages under test, one constructor each, all content with exactly WHOLE_BYTES bytes. */
static int seen_count(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)p;
	(void)e;
	*(size_t *)ctx += n;
	return 0;
}

static size_t seen;

static int make_exact(struct source *below, struct source **out, struct err *e)
{
	return source_exact_new(below, WHOLE_BYTES, "t", out, e);
}

static int make_limit(struct source *below, struct source **out, struct err *e)
{
	return source_limit_new(below, WHOLE_BYTES, "t", out, e);
}

static int make_digest(struct source *below, struct source **out, struct err *e)
{
	return source_digest_new(below, &whole_digest, "t", out, e);
}

static int make_tap(struct source *below, struct source **out, struct err *e)
{
	seen = 0;
	return source_tap_new(below, seen_count, &seen, out, e);
}

static const struct {
	const char *name;
	int (*make)(struct source *below, struct source **out, struct err *e);
	/* what an input that is too short, or too long by one byte, is: a reason, or NULL if it passes */
	const char *cut, *longer;
	enum err_kind kind;
} stages[] = {
	{ "exact", make_exact, "length", "length", ERR_TRUST },
	{ "limit", make_limit, NULL, "limit", ERR_FORMAT },
	{ "digest", make_digest, "digest", "digest", ERR_TRUST },
	{ "tap", make_tap, NULL, NULL, ERR_NONE },
};

struct outcome {
	int ret;
	struct err e;
	struct buf got;
	bool ended, freed;
};

static void run(size_t stage, size_t input_bytes, size_t piece, size_t cap, size_t fail_at, struct outcome *o)
{
	struct source *below, *s = NULL;

	*o = (struct outcome){ .got = BUF_INIT(4096) };
	below = test_source_new(bytes_of(whole, input_bytes), piece, fail_at, &o->ended, &o->freed);
	if (stages[stage].make(below, &s, &o->e) < 0)
		fail_msg("%s: %s", stages[stage].name, o->e.msg);
	o->ret = test_source_drain(s, cap, &o->got, &o->e);
	source_free(s);
	if (!o->freed)
		fail_msg("%s: the source below was not freed", stages[stage].name);
}

static void check_refused(size_t stage, const char *what, size_t at, const struct outcome *o, enum err_kind kind,
			  const char *reason)
{
	if (o->ret != -1 || o->e.kind != kind || !o->e.reason || strcmp(o->e.reason, reason) != 0)
		fail_msg("%s, %s %zu: returned %d, %s, %s", stages[stage].name, what, at, o->ret,
			 err_kind_name(o->e.kind), o->e.reason ? o->e.reason : "-");
}

static void test_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stages); i++)
		for (size_t piece = 1; piece <= WHOLE_BYTES + 1; piece += 6)
			for (size_t cap = 1; cap <= WHOLE_BYTES + 1; cap += 12) {
				struct outcome o;

				run(i, WHOLE_BYTES, piece, cap, TEST_NO_FAILURE, &o);
				if (o.ret != SOURCE_END || !o.ended ||
				    !bytes_equal(buf_bytes(&o.got), bytes_of(whole, WHOLE_BYTES)))
					fail_msg("%s, pieces of %zu, reads of %zu: %d", stages[i].name, piece, cap,
						 o.ret);
				buf_fini(&o.got);
			}
	assert_int_equal(seen, WHOLE_BYTES);
}

static void test_cut_at_every_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stages); i++)
		for (size_t n = 0; n < WHOLE_BYTES; n++) {
			struct outcome o;

			run(i, n, 5, 4, TEST_NO_FAILURE, &o);
			if (stages[i].cut)
				check_refused(i, "cut at", n, &o, stages[i].kind, stages[i].cut);
			else if (o.ret != SOURCE_END || o.got.n != n)
				fail_msg("%s, cut at %zu: %d with %zu bytes", stages[i].name, n, o.ret, o.got.n);
			buf_fini(&o.got);
		}
}

static void test_one_byte_too_many(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stages); i++)
		for (size_t piece = 1; piece <= WHOLE_BYTES + 1; piece++) {
			struct outcome o;

			run(i, WHOLE_BYTES + 1, piece, 64, TEST_NO_FAILURE, &o);
			if (stages[i].longer)
				check_refused(i, "longer, pieces of", piece, &o, stages[i].kind, stages[i].longer);
			else
				assert_int_equal(o.ret, SOURCE_END);
			if (i < 2 && o.got.n > WHOLE_BYTES)
				fail_msg("%s: the byte beyond was handed out", stages[i].name);
			buf_fini(&o.got);
		}
}

static void test_every_byte_changed(void **state)
{
	(void)state;
	for (size_t at = 0; at < WHOLE_BYTES; at++) {
		struct outcome o;

		whole[at] ^= 0x40;
		run(2, WHOLE_BYTES, 5, 7, TEST_NO_FAILURE, &o);
		whole[at] ^= 0x40;
		check_refused(2, "changed byte", at, &o, ERR_TRUST, "digest");
		buf_fini(&o.got);
	}
}

static void test_error_from_below(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stages); i++)
		for (size_t at = 0; at <= WHOLE_BYTES; at++) {
			struct outcome o;

			run(i, WHOLE_BYTES, 5, 4, at, &o);
			check_refused(i, "error at", at, &o, ERR_NETWORK, "test");
			assert_int_equal(o.got.n, at);
			buf_fini(&o.got);
		}
}

static void test_freed_half_way(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stages); i++) {
		struct source *s = NULL;
		uint8_t some[10];
		bool freed = false;
		struct err e;
		size_t n;

		assert_int_equal(
			stages[i].make(test_source_new(bytes_of(whole, WHOLE_BYTES), 64, TEST_NO_FAILURE, NULL, &freed),
				       &s, &e),
			0);
		assert_int_equal(source_read(s, some, sizeof(some), &n, &e), 0);
		source_free(s);
		assert_true(freed);
	}
	source_free(NULL);
	sink_free(NULL);
}

/* A wrong digest below an exact length is found although the length stage has all it wants: it looks for the end. */
static void test_exact_sees_the_end_below(void **state)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	CLEANUP(buf_fini) struct buf got = BUF_INIT(4096);
	struct digest wrong = whole_digest;
	struct source *below;
	struct err e;

	(void)state;
	wrong.v[31] ^= 1;
	assert_int_equal(source_mem_new(bytes_of(whole, WHOLE_BYTES), &s, &e), 0);
	assert_int_equal(source_digest_new(s, &wrong, "t", &below, &e), 0);
	s = below;
	assert_int_equal(source_exact_new(s, WHOLE_BYTES, "t", &below, &e), 0);
	s = below;
	assert_int_equal(test_source_drain(s, WHOLE_BYTES, &got, &e), -1);
	assert_int_equal(e.kind, ERR_TRUST);
	assert_string_equal(e.reason, "digest");
}

static void test_exact_zero(void **state)
{
	(void)state;
	for (size_t n = 0; n <= 1; n++) {
		CLEANUP(source_free_p) struct source *s = NULL;
		struct source *below;
		struct err e;
		uint8_t b;
		size_t got;

		assert_int_equal(source_mem_new(bytes_of(whole, n), &below, &e), 0);
		assert_int_equal(source_exact_new(below, 0, "t", &s, &e), 0);
		assert_int_equal(source_read(s, &b, 1, &got, &e), n ? -1 : SOURCE_END);
	}
}

static int seen_refuse(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)ctx;
	(void)p;
	(void)n;
	return err_set(e, ERR_STATE, "test", "no more");
}

static void test_tap_refuses(void **state)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	struct source *below;
	struct err e;
	uint8_t b;
	size_t n;

	(void)state;
	assert_int_equal(source_mem_new(bytes_of(whole, WHOLE_BYTES), &below, &e), 0);
	assert_int_equal(source_tap_new(below, seen_refuse, NULL, &s, &e), 0);
	assert_int_equal(source_read(s, &b, 1, &n, &e), -1);
	assert_int_equal(e.kind, ERR_STATE);
	assert_int_equal(n, 0);
}

static void test_read_full(void **state)
{
	static const struct {
		const char *name;
		size_t input, cap, n;
		int ret;
	} cases[] = {
		{ "part", WHOLE_BYTES, 20, 20, 0 },
		{ "just all", WHOLE_BYTES, WHOLE_BYTES, WHOLE_BYTES, 0 },
		{ "one more than there is", WHOLE_BYTES, WHOLE_BYTES + 1, WHOLE_BYTES, SOURCE_END },
		{ "empty", 0, 1, 0, SOURCE_END },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct source *s = test_source_new(bytes_of(whole, cases[i].input), 3, TEST_NO_FAILURE, NULL, NULL);
		uint8_t got[WHOLE_BYTES + 1];
		struct err e;
		size_t n;
		const int r = source_read_full(s, got, cases[i].cap, &n, &e);

		source_free(s);
		if (r != cases[i].ret || n != cases[i].n || memcmp(got, whole, n) != 0)
			fail_msg("%s: %d with %zu bytes", cases[i].name, r, n);
	}
}

static void test_read_full_fails(void **state)
{
	struct source *s = test_source_new(bytes_of(whole, WHOLE_BYTES), 3, 10, NULL, NULL);
	uint8_t got[WHOLE_BYTES];
	struct err e;
	size_t n;

	(void)state;
	assert_int_equal(source_read_full(s, got, sizeof(got), &n, &e), -1);
	assert_int_equal(e.kind, ERR_NETWORK);
	source_free(s);
}

static void test_read_all_limit(void **state)
{
	(void)state;
	for (size_t max = WHOLE_BYTES - 1; max <= WHOLE_BYTES + 1; max++) {
		struct source *s = test_source_new(bytes_of(whole, WHOLE_BYTES), 8, TEST_NO_FAILURE, NULL, NULL);
		struct buf out = BUF_INIT(max);
		struct err e = { .kind = ERR_NONE };
		const int r = source_read_all(s, &out, &e);

		if (max < WHOLE_BYTES) {
			assert_int_equal(r, -1);
			assert_int_equal(e.kind, ERR_FORMAT);
			assert_string_equal(e.reason, "limit");
		} else {
			assert_int_equal(r, 0);
			assert_true(bytes_equal(buf_bytes(&out), bytes_of(whole, WHOLE_BYTES)));
		}
		buf_fini(&out);
		source_free(s);
	}
}

static int temporary_file(void)
{
	FILE *f = tmpfile();

	assert_non_null(f);
	assert_int_equal(fwrite(whole, 1, WHOLE_BYTES, f), WHOLE_BYTES);
	assert_int_equal(fflush(f), 0);
	const int fd = dup(fileno(f));

	fclose(f);
	assert_true(fd >= 0);
	return fd;
}

static void test_fd(void **state)
{
	static const struct {
		const char *name;
		uint64_t offset, length;
		enum err_kind kind;
		const char *reason;
	} cases[] = {
		{ "all", 0, WHOLE_BYTES, ERR_NONE, NULL },
		{ "middle", 5, 10, ERR_NONE, NULL },
		{ "nothing", 5, 0, ERR_NONE, NULL },
		{ "nothing at the end", WHOLE_BYTES, 0, ERR_NONE, NULL },
		{ "one byte beyond", 1, WHOLE_BYTES, ERR_SYSTEM, "length" },
		{ "from beyond", WHOLE_BYTES + 5, 1, ERR_SYSTEM, "length" },
		{ "largest end", INT64_MAX - 1, 1, ERR_SYSTEM, "length" },
		{ "end over the largest", INT64_MAX, 1, ERR_FORMAT, "limit" },
		{ "end that wraps", UINT64_MAX, 2, ERR_FORMAT, "limit" },
	};
	const int fd = temporary_file();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(source_free_p) struct source *s = NULL;
		CLEANUP(buf_fini) struct buf got = BUF_INIT(4096);
		struct err e = { .kind = ERR_NONE };
		int r = source_fd_new(fd, false, cases[i].offset, cases[i].length, "t", &s, &e);

		if (r == 0)
			r = test_source_drain(s, 8, &got, &e);
		if (cases[i].kind != e.kind || (e.reason && strcmp(e.reason, cases[i].reason) != 0))
			fail_msg("%s: %d, %s", cases[i].name, r, e.msg);
		if (!cases[i].kind && !bytes_equal(buf_bytes(&got), bytes_of(whole + cases[i].offset, cases[i].length)))
			fail_msg("%s: other bytes", cases[i].name);
	}
	assert_int_equal(close(fd), 0); /* it was borrowed, so it is still open */
}

static void test_fd_owned(void **state)
{
	struct source *s = NULL;
	const int fd = temporary_file();
	struct err e;

	(void)state;
	assert_int_equal(source_fd_new(fd, true, UINT64_MAX, 1, "t", &s, &e), -1); /* stays the caller's */
	assert_int_equal(source_fd_new(fd, true, 0, 1, "t", &s, &e), 0);
	source_free(s);
	assert_int_equal(close(fd), -1);
}

struct recording_sink {
	struct sink base;
	struct buf got;
	size_t fail_at; /* write fails once so many bytes are there */
	bool finish_fails, finished;
	volatile sig_atomic_t *set; /* set by the first write; or NULL */
};

static int record_write(struct sink *s, const void *p, size_t n, struct err *e)
{
	struct recording_sink *r = (struct recording_sink *)s;

	if (r->set)
		*r->set = 1;
	if (r->got.n + n > r->fail_at)
		return err_set(e, ERR_SYSTEM, "test", "full");
	return buf_append(&r->got, p, n, e);
}

static int record_finish(struct sink *s, struct err *e)
{
	struct recording_sink *r = (struct recording_sink *)s;

	r->finished = true;
	return r->finish_fails ? err_set(e, ERR_SYSTEM, "test", "flush failed") : 0;
}

static const struct sink_ops record_ops = { .write = record_write, .finish = record_finish };

static void test_pump(void **state)
{
	static const struct {
		const char *name;
		size_t source_fails, sink_fails;
		bool finish_fails, stopped;
		enum err_kind kind;
		bool finished;
	} cases[] = {
		{ "all", TEST_NO_FAILURE, SIZE_MAX, false, false, ERR_NONE, true },
		{ "source fails at once", 0, SIZE_MAX, false, false, ERR_NETWORK, false },
		{ "source fails late", WHOLE_BYTES, SIZE_MAX, false, false, ERR_NETWORK, false },
		{ "sink fails", TEST_NO_FAILURE, 20, false, false, ERR_SYSTEM, false },
		{ "finish fails", TEST_NO_FAILURE, SIZE_MAX, true, false, ERR_SYSTEM, true },
		{ "stopped before", TEST_NO_FAILURE, SIZE_MAX, false, true, ERR_STATE, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct source *s = test_source_new(bytes_of(whole, WHOLE_BYTES), 8, cases[i].source_fails, NULL, NULL);
		struct recording_sink to = { .base.ops = &record_ops,
					     .got = BUF_INIT(4096),
					     .fail_at = cases[i].sink_fails,
					     .finish_fails = cases[i].finish_fails };
		volatile sig_atomic_t stop = cases[i].stopped;
		struct err e = { .kind = ERR_NONE };
		const int r = pump(s, &to.base, &stop, &e);

		if (r != (cases[i].kind ? -1 : 0) || e.kind != cases[i].kind || to.finished != cases[i].finished)
			fail_msg("%s: %d, %s", cases[i].name, r, e.msg);
		if (r == 0)
			assert_true(bytes_equal(buf_bytes(&to.got), bytes_of(whole, WHOLE_BYTES)));
		if (cases[i].stopped)
			assert_int_equal(to.got.n, 0);
		buf_fini(&to.got);
		source_free(s);
	}
}

/* The flag is seen before the next piece: what a signal handler does during the first write. */
static void test_pump_stops_between_pieces(void **state)
{
	struct source *s = test_source_new(bytes_of(whole, WHOLE_BYTES), 8, TEST_NO_FAILURE, NULL, NULL);
	volatile sig_atomic_t stop = 0;
	struct recording_sink to = {
		.base.ops = &record_ops, .got = BUF_INIT(4096), .fail_at = SIZE_MAX, .set = &stop
	};
	struct err e;

	(void)state;
	assert_int_equal(pump(s, &to.base, &stop, &e), -1);
	assert_int_equal(e.kind, ERR_STATE);
	assert_string_equal(e.reason, "interrupted");
	assert_int_equal(to.got.n, 8);
	assert_false(to.finished);
	buf_fini(&to.got);
	source_free(s);
}

static void test_sink_buf(void **state)
{
	(void)state;
	for (size_t max = WHOLE_BYTES - 1; max <= WHOLE_BYTES + 1; max++) {
		CLEANUP(source_free_p) struct source *s = NULL;
		CLEANUP(sink_free_p) struct sink *to = NULL;
		CLEANUP(buf_fini) struct buf got = BUF_INIT(max);
		struct err e;

		assert_int_equal(source_mem_new(bytes_of(whole, WHOLE_BYTES), &s, &e), 0);
		assert_int_equal(sink_buf_new(&got, &to, &e), 0);
		assert_int_equal(pump(s, to, NULL, &e), max < WHOLE_BYTES ? -1 : 0);
		if (max >= WHOLE_BYTES)
			assert_true(bytes_equal(buf_bytes(&got), bytes_of(whole, WHOLE_BYTES)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_cut_at_every_length),
		cmocka_unit_test(test_one_byte_too_many),
		cmocka_unit_test(test_every_byte_changed),
		cmocka_unit_test(test_error_from_below),
		cmocka_unit_test(test_freed_half_way),
		cmocka_unit_test(test_exact_sees_the_end_below),
		cmocka_unit_test(test_exact_zero),
		cmocka_unit_test(test_tap_refuses),
		cmocka_unit_test(test_read_full),
		cmocka_unit_test(test_read_full_fails),
		cmocka_unit_test(test_read_all_limit),
		cmocka_unit_test(test_fd),
		cmocka_unit_test(test_fd_owned),
		cmocka_unit_test(test_pump),
		cmocka_unit_test(test_pump_stops_between_pieces),
		cmocka_unit_test(test_sink_buf),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
