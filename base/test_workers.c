/* The pieces of a run come out in order and whole with any number of workers, and a failure or stop in any stage
 * ends it at once. */
#include "test-fixtures/harness/case.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/test_source.h"
#include "base/workers.h"

#define NEVER UINT64_MAX

/* Pieces of numbers: filled with i, worked to 3 i + 1, summed in order. */
struct count {
	uint64_t n;		       /* pieces in all */
	uint64_t fail_fill, fail_work, fail_take, stop_at;
	uint64_t filled, taken, sum;
	uint64_t worked;	       /* atomic */
	int busy[WORKERS_MAX];
	volatile sig_atomic_t stop;
	bool slow_take;
};

static int count_fill(void *ctx, struct workers_piece *p, struct err *e)
{
	struct count *c = ctx;

	assert_true(p->number == c->filled && (uintptr_t)p->data % WORKERS_ALIGN == 0 && (uintptr_t)p->extra % WORKERS_ALIGN == 0);
	if (c->filled == c->fail_fill)
		return err_set(e, ERR_NETWORK, "fill", "told to fail");
	if (c->filled == c->stop_at)
		c->stop = 1;
	if (c->filled == c->n)
		return SOURCE_END;
	store_le64(p->data, c->filled++);
	memset(p->data + WORKERS_PIECE_BYTES - 8, 7, 8);
	p->n = 8;
	return 0;
}

static int count_work(void *ctx, unsigned int worker, struct workers_piece *p, struct err *e)
{
	struct count *c = ctx;
	const uint64_t v = load_le64(p->data);

	if (__atomic_exchange_n(&c->busy[worker], 1, __ATOMIC_SEQ_CST))
		return err_set(e, ERR_BUG, "busy", "worker %u is two", worker);
	__atomic_add_fetch(&c->worked, 1, __ATOMIC_SEQ_CST);
	if (v % 5 == 0)
		usleep(200);
	__atomic_store_n(&c->busy[worker], 0, __ATOMIC_SEQ_CST);
	if (v == c->fail_work)
		return err_set(e, ERR_FORMAT, "work", "told to fail");
	store_le64(p->extra, 3 * v + 1);
	return 0;
}

static int count_take(void *ctx, struct workers_piece *p, struct err *e)
{
	struct count *c = ctx;

	if (p->number != c->taken || load_le64(p->extra) != 3 * c->taken + 1 || p->n != 8)
		return err_set(e, ERR_BUG, "order", "piece %llu", (unsigned long long)p->number);
	if (c->taken == c->fail_take)
		return err_set(e, ERR_SYSTEM, "take", "told to fail");
	if (c->slow_take)
		usleep(100);
	c->taken++;
	c->sum = c->sum * 31 + load_le64(p->extra);
	return 0;
}

static const struct count plain = { .fail_fill = NEVER, .fail_work = NEVER, .fail_take = NEVER, .stop_at = NEVER };

static int run(struct count *c, unsigned int n_workers, struct err *e)
{
	const struct workers_job job = { .fill = count_fill, .work = count_work, .take = count_take, .ctx = c,
					 .n_workers = n_workers, .extra_bytes = 8, .stop = &c->stop };

	return workers_run(&job, e);
}

static void one_and_many_agree(void **state)
{
	static const uint64_t counts[] = { 0, 1, 2, 5, 6, 7, 100 };

	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		for (unsigned int workers = 1; workers <= WORKERS_MAX; workers += workers < 4 ? 1 : 4) {
			struct count alone = plain, many = plain;
			struct err e;

			alone.n = many.n = counts[i];
			many.slow_take = i % 2;
			assert_int_equal(run(&alone, 1, &e), 0);
			assert_int_equal(run(&many, workers, &e), 0);
			assert_int_equal(many.taken, counts[i]);
			assert_int_equal(many.worked, counts[i]);
			assert_int_equal(many.sum, alone.sum);
		}
}

/* Each stage fails at each of the first pieces, alone and together. */
static void failures_end_all(void **state)
{
	for (unsigned int workers = 1; workers <= 4; workers++)
		for (uint64_t at = 0; at < 20; at++)
			for (int stage = 0; stage < 4; stage++) {
				static const char *const reasons[] = { "fill", "work", "take", "interrupted" };
				struct count c = plain;
				struct err e;

				c.n = 20;
				*(uint64_t *[]){ &c.fail_fill, &c.fail_work, &c.fail_take, &c.stop_at }[stage] = at;
				assert_int_equal(run(&c, workers, &e), -1);
				assert_string_equal(e.reason, reasons[stage]);
				assert_true(c.taken <= at + (stage == 3));
			}
}

static void stages_may_be_missing(void **state)
{
	for (unsigned int workers = 1; workers <= 3; workers++) {
		struct count c = plain;
		struct err e;
		const struct workers_job job = { .fill = count_fill, .ctx = &c, .n_workers = workers };

		c.n = 30;
		assert_int_equal(workers_run(&job, &e), 0);
		assert_int_equal(c.filled, 30);
	}
}

static void workers_have_bounds(void **state)
{
	struct count c = plain;
	struct err e;

	assert_int_equal(run(&c, 0, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
	assert_int_equal(run(&c, WORKERS_MAX + 1, &e), -1);
	assert_int_equal(run(&c, WORKERS_MAX, &e), 0);
	assert_in_range(workers_default(), 1, WORKERS_DEFAULT_MAX);
}

static void assert_same_bytes(const struct buf *got, const uint8_t *want, size_t n)
{
	assert_int_equal(got->n, n);
	assert_memory_equal(got->p, want, n);
}

static void ahead_is_the_same_stream(void **state)
{
	static const size_t pieces[] = { 1000, AHEAD_CHUNK_BYTES, AHEAD_CHUNK_BYTES + 1, SIZE_MAX };
	const size_t n = (size_t)(AHEAD_CHUNKS + 3) * AHEAD_CHUNK_BYTES + 77;
	uint8_t *in = malloc(n);

	assert_non_null(in);
	for (size_t i = 0; i < n; i++)
		in[i] = (uint8_t)(i * 2654435761u >> 24);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++)
		for (size_t cap = 777; cap <= 777 * 777; cap *= 777) {
			struct buf out = BUF_INIT(n + 777 * 777);
			bool ended = false, freed = false;
			struct source *s;
			struct err e;

			s = test_source_new(bytes_of(in, n), pieces[i], TEST_NO_FAILURE, &ended, &freed);
			assert_int_equal(source_ahead_new(s, &s, &e), 0);
			assert_int_equal(test_source_drain(s, cap, &out, &e), SOURCE_END);
			assert_same_bytes(&out, in, n);
			source_free(s);
			assert_true(ended && freed);
			buf_fini(&out);
		}
	free(in);
}

/* What came before a failure is handed out, then the failure. */
static void ahead_tells_failures_in_their_place(void **state)
{
	static const size_t at[] = { 0, 1, AHEAD_CHUNK_BYTES, 5u * AHEAD_CHUNK_BYTES + 3 };
	uint8_t *in = calloc(10, AHEAD_CHUNK_BYTES);

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		struct buf out = BUF_INIT(20u * AHEAD_CHUNK_BYTES);
		bool freed = false;
		struct source *s = test_source_new(bytes_of(in, (size_t)10 * AHEAD_CHUNK_BYTES), SIZE_MAX, at[i], NULL, &freed);
		struct err e;

		assert_int_equal(source_ahead_new(s, &s, &e), 0);
		assert_int_equal(test_source_drain(s, AHEAD_CHUNK_BYTES, &out, &e), -1);
		assert_int_equal(e.kind, ERR_NETWORK);
		assert_int_equal(out.n, at[i]);
		source_free(s);
		assert_true(freed);
		buf_fini(&out);
	}
	free(in);
}

static void ahead_is_freed_half_way(void **state)
{
	uint8_t *in = calloc(30, AHEAD_CHUNK_BYTES);

	for (size_t reads = 0; reads < 25; reads += 6) {
		bool freed = false;
		struct source *s = test_source_new(bytes_of(in, (size_t)30 * AHEAD_CHUNK_BYTES), 60000, TEST_NO_FAILURE, NULL, &freed);
		uint8_t piece[60000];
		struct err e;
		size_t n;

		assert_int_equal(source_ahead_new(s, &s, &e), 0);
		for (size_t i = 0; i < reads; i++)
			assert_int_equal(source_read(s, piece, sizeof(piece), &n, &e), 0);
		source_free(s);
		assert_true(freed);
	}
	free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_and_many_agree),
		cmocka_unit_test(failures_end_all),
		cmocka_unit_test(stages_may_be_missing),
		cmocka_unit_test(workers_have_bounds),
		cmocka_unit_test(ahead_is_the_same_stream),
		cmocka_unit_test(ahead_tells_failures_in_their_place),
		cmocka_unit_test(ahead_is_freed_half_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
