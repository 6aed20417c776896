/*
 * The pieces are a ring. Three counters that only grow say where each stage is, taken <= claimed <= filled <=
 * taken + n, and a flag in each slot says that the work on it is done; one lock guards them all. At a megabyte a
 * piece the lock is taken some thousand times a second, so one condition for all waiters is enough, and leaves no
 * wake-up to get lost.
 *
 * Invariant: a slot belongs to the filler from taken + n on, to the worker that claimed it until its flag is set,
 * then to the taker. Whoever fails writes the error under the lock if nobody has before; everybody else sees it
 * at the next turn and leaves.
 */
#include "base/workers.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define PIECES_MAX (2 * WORKERS_MAX + 2)

struct ring {
	const struct workers_job *job;
	pthread_mutex_t lock;
	pthread_cond_t moved; /* any of what follows */
	uint64_t filled, claimed, taken;
	bool ended; /* nothing more is filled */
	bool failed;
	struct err err; /* of the first failure */
	unsigned int n;
	struct slot {
		struct workers_piece piece;
		bool done;
	} slots[PIECES_MAX];
	uint8_t *memory;
};

unsigned int workers_n_pieces(unsigned int n_workers)
{
	return n_workers == 1 ? 1 : 2 * n_workers + 2;
}

unsigned int workers_default(void)
{
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1; /* more than CPU_SETSIZE of them, or a kernel with rules of its own */
	const unsigned int n = (unsigned int)CPU_COUNT(&cpus); /* 1 at the least */

	return n < WORKERS_DEFAULT_MAX ? n : WORKERS_DEFAULT_MAX;
}

static int ring_init(struct ring *r, const struct workers_job *job, struct err *e)
{
	const size_t extra = (job->extra_bytes + WORKERS_ALIGN - 1) / WORKERS_ALIGN * WORKERS_ALIGN;
	const size_t each = WORKERS_PIECE_BYTES + extra;

	r->job = job;
	r->n = workers_n_pieces(job->n_workers);
	r->memory = aligned_alloc(WORKERS_ALIGN, r->n * each);
	if (!r->memory)
		return err_sys(e, "%u buffers of %zu bytes", r->n, each);
	for (unsigned int i = 0; i < r->n; i++) {
		r->slots[i].piece.data = r->memory + i * each;
		r->slots[i].piece.extra = r->memory + i * each + WORKERS_PIECE_BYTES;
	}
	return 0;
}

static int do_fill(const struct workers_job *job, struct workers_piece *p, uint64_t number, struct err *e)
{
	p->number = number;
	p->offset = 0;
	p->n = 0;
	if (job->stop && *job->stop)
		return err_set(e, ERR_STATE, "interrupted", "interrupted");
	return job->fill(job->ctx, p, e);
}

static int do_work(const struct workers_job *job, unsigned int worker, struct workers_piece *p, struct err *e)
{
	return job->work ? job->work(job->ctx, worker, p, e) : 0;
}

static int do_take(const struct workers_job *job, struct workers_piece *p, struct err *e)
{
	return job->take ? job->take(job->ctx, p, e) : 0;
}

/* One after the other: the meaning of the whole. */
static int run_alone(struct ring *r, struct err *e)
{
	struct workers_piece *p = &r->slots[0].piece;

	for (uint64_t number = 0;; number++) {
		const int ret = do_fill(r->job, p, number, e);

		if (ret != 0)
			return ret == SOURCE_END ? 0 : -1;
		if (do_work(r->job, 0, p, e) < 0 || do_take(r->job, p, e) < 0)
			return -1;
	}
}

static struct slot *slot_of(struct ring *r, uint64_t number)
{
	return &r->slots[number % r->n];
}

static void fail(struct ring *r, const struct err *e)
{
	if (!r->failed)
		r->err = *e;
	r->failed = true;
}

/* With the lock held and a piece to claim: works on it without the lock. */
static void work_one(struct ring *r, unsigned int worker)
{
	struct slot *s = slot_of(r, r->claimed++);
	struct err e;

	pthread_mutex_unlock(&r->lock);
	const int ret = do_work(r->job, worker, &s->piece, &e);

	pthread_mutex_lock(&r->lock);
	s->done = true;
	if (ret < 0)
		fail(r, &e);
	pthread_cond_broadcast(&r->moved);
}

struct helper {
	struct ring *ring;
	unsigned int worker;
	pthread_t thread;
};

static void *helper_main(void *arg)
{
	const struct helper *h = arg;
	struct ring *r = h->ring;

	pthread_mutex_lock(&r->lock);
	while (!r->failed) {
		if (r->claimed < r->filled)
			work_one(r, h->worker);
		else if (r->ended)
			break;
		else
			pthread_cond_wait(&r->moved, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

static void take_one(struct ring *r)
{
	struct slot *s = slot_of(r, r->taken);
	struct err e;

	pthread_mutex_unlock(&r->lock);
	const int ret = do_take(r->job, &s->piece, &e);

	pthread_mutex_lock(&r->lock);
	s->done = false;
	r->taken++;
	if (ret < 0)
		fail(r, &e);
	pthread_cond_broadcast(&r->moved);
}

static void *taker_main(void *arg)
{
	struct ring *r = arg;

	pthread_mutex_lock(&r->lock);
	while (!r->failed) {
		if (r->taken < r->claimed && slot_of(r, r->taken)->done)
			take_one(r);
		else if (r->ended && r->taken == r->filled)
			break;
		else
			pthread_cond_wait(&r->moved, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

static void fill_one(struct ring *r)
{
	struct slot *s = slot_of(r, r->filled);
	const uint64_t number = r->filled;
	struct err e;

	pthread_mutex_unlock(&r->lock);
	const int ret = do_fill(r->job, &s->piece, number, &e);

	pthread_mutex_lock(&r->lock);
	if (ret == 0)
		r->filled++;
	else
		r->ended = true;
	if (ret < 0)
		fail(r, &e);
	pthread_cond_broadcast(&r->moved);
}

/* The caller's part: filling goes first, because all others wait for it. */
static void fill_main(struct ring *r)
{
	pthread_mutex_lock(&r->lock);
	while (!r->failed) {
		if (!r->ended && r->filled < r->taken + r->n)
			fill_one(r);
		else if (r->claimed < r->filled)
			work_one(r, 0);
		else if (r->ended)
			break;
		else
			pthread_cond_wait(&r->moved, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
}

/* Signals belong to the threads that were there before. Return: whether the thread runs */
static bool start(pthread_t *t, void *(*main_of)(void *), void *arg)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	const int ret = pthread_create(t, NULL, main_of, arg);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ret == 0;
}

static int run_together(struct ring *r, struct err *e)
{
	struct helper helpers[WORKERS_MAX];
	unsigned int n_helpers = 0;
	pthread_t taker;

	if (!start(&taker, taker_main, r))
		return run_alone(r, e);
	for (unsigned int i = 1; i < r->job->n_workers; i++) {
		helpers[n_helpers] = (struct helper){ .ring = r, .worker = i };
		if (start(&helpers[n_helpers].thread, helper_main, &helpers[n_helpers]))
			n_helpers++;
	}
	fill_main(r);
	for (unsigned int i = 0; i < n_helpers; i++)
		pthread_join(helpers[i].thread, NULL);
	pthread_join(taker, NULL);
	if (!r->failed)
		return 0;
	*e = r->err;
	return -1;
}

int workers_run(const struct workers_job *job, struct err *e)
{
	struct ring r = { .lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER };

	if (job->n_workers == 0 || job->n_workers > WORKERS_MAX)
		return err_set(e, ERR_BUG, NULL, "%u workers", job->n_workers);
	if (ring_init(&r, job, e) < 0)
		return -1;
	const int ret = job->n_workers == 1 ? run_alone(&r, e) : run_together(&r, e);

	free(r.memory);
	pthread_cond_destroy(&r.moved);
	pthread_mutex_destroy(&r.lock);
	return ret;
}

struct ahead {
	struct source base;
	struct source *below;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	uint64_t filled, taken; /* chunks */
	bool quit;
	int ended; /* 0, SOURCE_END or -1: what comes behind the last chunk */
	struct err err;
	size_t n[AHEAD_CHUNKS];
	size_t at; /* in the chunk that is being taken; the reader's alone */
	uint8_t *chunks;
};

static uint8_t *chunk_of(const struct ahead *a, uint64_t number)
{
	return a->chunks + number % AHEAD_CHUNKS * AHEAD_CHUNK_BYTES;
}

static void *ahead_main(void *arg)
{
	struct ahead *a = arg;

	pthread_mutex_lock(&a->lock);
	while (!a->quit && a->ended == 0) {
		if (a->filled == a->taken + AHEAD_CHUNKS) {
			pthread_cond_wait(&a->moved, &a->lock);
			continue;
		}
		struct err e;
		size_t n = 0;

		pthread_mutex_unlock(&a->lock);
		const int ret = source_read(a->below, chunk_of(a, a->filled), AHEAD_CHUNK_BYTES, &n, &e);

		pthread_mutex_lock(&a->lock);
		a->ended = ret;
		if (ret < 0)
			a->err = e;
		if (ret == 0)
			a->n[a->filled++ % AHEAD_CHUNKS] = n;
		pthread_cond_broadcast(&a->moved);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

/* Waits for a chunk or the end. Return: 0; SOURCE_END; -1 */
static int await_chunk(struct ahead *a, struct err *e)
{
	int ret = 0;

	pthread_mutex_lock(&a->lock);
	while (a->filled == a->taken && a->ended == 0)
		pthread_cond_wait(&a->moved, &a->lock);
	if (a->filled == a->taken)
		ret = a->ended;
	if (ret < 0)
		*e = a->err;
	pthread_mutex_unlock(&a->lock);
	return ret;
}

static void release_chunk(struct ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->taken++;
	a->at = 0;
	pthread_cond_broadcast(&a->moved);
	pthread_mutex_unlock(&a->lock);
}

static int ahead_read(struct source *s, void *dst, size_t cap, size_t *n, struct err *e)
{
	struct ahead *a = (struct ahead *)s;
	const int ret = await_chunk(a, e);

	if (ret != 0)
		return ret;
	const size_t have = a->n[a->taken % AHEAD_CHUNKS];

	*n = min_size(cap, have - a->at);
	memcpy(dst, chunk_of(a, a->taken) + a->at, *n);
	a->at += *n;
	if (a->at == have)
		release_chunk(a);
	return 0;
}

static void ahead_free(struct source *s)
{
	struct ahead *a = (struct ahead *)s;

	pthread_mutex_lock(&a->lock);
	a->quit = true;
	pthread_cond_broadcast(&a->moved);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	pthread_cond_destroy(&a->moved);
	pthread_mutex_destroy(&a->lock);
	source_free(a->below);
	free(a->chunks);
	free(a);
}

int source_ahead_new(struct source *below, struct source **out, struct err *e)
{
	static const struct source_ops ops = { .read = ahead_read, .free = ahead_free };
	struct ahead *a = calloc(1, sizeof(*a));
	uint8_t *chunks = malloc((size_t)AHEAD_CHUNKS * AHEAD_CHUNK_BYTES);

	if (!a || !chunks) {
		free(a);
		free(chunks);
		errno = ENOMEM;
		return err_sys(e, "buffers to read ahead");
	}
	a->base.ops = &ops;
	a->below = below;
	a->chunks = chunks;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->moved, NULL);
	if (start(&a->thread, ahead_main, a)) {
		*out = &a->base;
		return 0;
	}
	free(chunks);
	free(a);
	*out = below;
	return 0;
}
