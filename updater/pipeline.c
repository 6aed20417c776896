/*
 * Filled by the caller's thread (fetching and unpacking, or reading back), leaf digests by any worker, and in order: write, whole digest, tree.
 * Pieces are full up to the last, so blocks of the tree never straddle two; a last piece that is no whole number of blocks is left to
 * the tree, which knows how to refuse it. Writing comes after hashing for each piece, so what a later check makes of its digests is known first.
 */
#include "updater/pipeline.h"

#include <stdlib.h>

#include "base/workers.h"

struct run {
	const struct pipeline *p;
	struct verity_hasher *hashers[WORKERS_MAX];
	struct verity_tree *tree;
	struct digest_ctx *digest;
	uint64_t bytes; /* taken */
	bool over;	/* the source has told its end */
};

static void run_fini(struct run *r)
{
	for (size_t i = 0; i < WORKERS_MAX; i++)
		verity_hasher_free(r->hashers[i]);
	verity_tree_free(r->tree);
	digest_free(r->digest);
}

static int run_init(struct run *r, struct err *e)
{
	const struct pipeline *p = r->p;

	if (p->digest && digest_new(DIGEST_SHA256, &r->digest, e) < 0)
		return -1;
	if (!p->verity)
		return 0;
	if (verity_tree_new(p->verity, p->emit, p->emit_ctx, &r->tree, e) < 0)
		return -1;
	for (unsigned int i = 0; i < p->workers; i++)
		if (verity_hasher_new(p->verity, &r->hashers[i], e) < 0)
			return -1;
	return 0;
}

static int fill(void *ctx, struct workers_piece *piece, struct err *e)
{
	struct run *r = ctx;

	if (r->over)
		return SOURCE_END;
	const int ret = source_read_full(r->p->from, piece->data, WORKERS_PIECE_BYTES, &piece->n, e);

	if (ret < 0)
		return -1;
	r->over = ret == SOURCE_END;
	if (r->p->progress)
		progress_add(r->p->progress, piece->n, progress_now_ms());
	return piece->n ? 0 : SOURCE_END;
}

/* Whether a piece's leaf digests are made by the workers. */
static bool is_whole_blocks(const struct run *r, const struct workers_piece *piece)
{
	return r->tree && piece->n % r->p->verity->data_block_bytes == 0;
}

static int work(void *ctx, unsigned int worker, struct workers_piece *piece, struct err *e)
{
	struct run *r = ctx;

	if (!is_whole_blocks(r, piece))
		return 0;
	return verity_hasher_blocks(r->hashers[worker], piece->data, piece->n / r->p->verity->data_block_bytes, piece->extra, e);
}

static int add_to_tree(struct run *r, const struct workers_piece *piece, struct err *e)
{
	if (is_whole_blocks(r, piece))
		return verity_tree_add(r->tree, piece->extra, piece->n / r->p->verity->data_block_bytes, e);
	return verity_tree_update(r->tree, piece->data, piece->n, e);
}

static int take(void *ctx, struct workers_piece *piece, struct err *e)
{
	struct run *r = ctx;

	if (r->p->to && part_writer_write(r->p->to, r->bytes, piece->data, piece->n, e) < 0)
		return -1;
	if (r->digest && digest_update(r->digest, piece->data, piece->n, e) < 0)
		return -1;
	if (r->tree && add_to_tree(r, piece, e) < 0)
		return -1;
	r->bytes += piece->n;
	return 0;
}

/* Digests of the blocks of one piece. */
static size_t leaf_bytes(const struct verity_params *v)
{
	return v ? WORKERS_PIECE_BYTES / v->data_block_bytes * digest_size(v->alg) : 0;
}

int pipeline_run(const struct pipeline *p, struct pipeline_sums *out, struct err *e)
{
	CLEANUP(run_fini) struct run r = { .p = p };
	struct pipeline_sums sums = { 0 };
	const struct workers_job job = {
		.fill = fill,
		.work = work,
		.take = take,
		.ctx = &r,
		.n_workers = p->workers,
		.extra_bytes = leaf_bytes(p->verity),
		.stop = p->stop,
	};

	if (run_init(&r, e) < 0 || workers_run(&job, e) < 0)
		return -1;
	sums.bytes = r.bytes;
	if (r.digest && digest_final(r.digest, &sums.content, e) < 0)
		return -1;
	if (r.tree && verity_tree_finish(r.tree, &sums.root_hash, e) < 0)
		return -1;
	*out = sums;
	return 0;
}
