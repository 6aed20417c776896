/*
 * The builder. Each level owns one hash block that fills with the digests of the level below; a full block is
 * handed out, hashed, and its digest goes one level up. The number of data blocks is known from the start, so
 * every block's place is too, although the top level lies first on disk and is complete last.
 *
 * Invariants: a level's block is zero behind its fill, so a partial one needs no padding step; the bytes seen
 * never exceed the bytes due, so no level gets more blocks than its layout has room for; all memory of its own is
 * taken in verity_tree_new().
 */
#include "partitions/verity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "partitions/table.h"

struct level {
	uint8_t *block; /* hash_block_bytes, inside the tree's one allocation */
	size_t fill;	/* bytes of digests in it */
	uint64_t next_offset;
};

struct verity_tree {
	struct verity_params p;
	struct verity_layout layout;
	struct level level[VERITY_LEVELS_MAX];
	verity_emit_fn emit;
	void *emit_ctx;
	struct verity_hasher *hasher;
	struct digest root;
	uint64_t rest_bytes; /* of the data still due */
	uint8_t *partial;    /* a data block that came in pieces */
	size_t partial_n;
	uint8_t *blocks; /* what level[].block and partial point into */
	bool ended;	 /* finished or failed: nothing more is accepted */
};

struct verity_hasher {
	struct digest_ctx *salted; /* the salt and nothing more */
	struct digest_ctx *work;
	size_t data_block_bytes, digest_bytes;
};

int verity_hasher_new(const struct verity_params *p, struct verity_hasher **out, struct err *e)
{
	CLEANUP(verity_hasher_free_p) struct verity_hasher *h = calloc(1, sizeof(*h));

	if (!h)
		return err_sys(e, "hashing blocks");
	h->data_block_bytes = p->data_block_bytes;
	h->digest_bytes = digest_size(p->alg);
	if (digest_new(p->alg, &h->salted, e) < 0 || digest_new(p->alg, &h->work, e) < 0 ||
	    digest_update(h->salted, p->salt, p->salt_bytes, e) < 0)
		return -1;
	*out = TAKE(h);
	return 0;
}

void verity_hasher_free(struct verity_hasher *h)
{
	if (!h)
		return;
	digest_free(h->salted);
	digest_free(h->work);
	free(h);
}

/* Hash type 1: the salt, then the block. The salted state is copied: as fast as hashing a short salt anew, faster
 * for a long one. */
static int hash_block(struct verity_hasher *h, const void *block, size_t n, struct digest *out, struct err *e)
{
	if (digest_copy(h->work, h->salted, e) < 0 || digest_update(h->work, block, n, e) < 0)
		return -1;
	return digest_final(h->work, out, e);
}

int verity_hasher_blocks(struct verity_hasher *h, const void *p, size_t n_blocks, uint8_t *out, struct err *e)
{
	struct digest d;

	for (size_t i = 0; i < n_blocks; i++) {
		if (hash_block(h, (const uint8_t *)p + i * h->data_block_bytes, h->data_block_bytes, &d, e) < 0)
			return -1;
		memcpy(out + i * h->digest_bytes, d.v, h->digest_bytes);
	}
	return 0;
}

static int emit_superblock(struct verity_tree *t, struct err *e)
{
	uint8_t block[VERITY_BLOCK_MAX_BYTES] = { 0 };

	verity_superblock_write(&t->p, block);
	return t->emit(t->emit_ctx, 0, block, t->p.hash_block_bytes, e);
}

/* Hands out a level's block, complete or the last one, and leaves its digest in *@out. */
static int close_block(struct verity_tree *t, struct level *l, struct digest *out, struct err *e)
{
	const size_t n = t->p.hash_block_bytes;

	if (t->emit(t->emit_ctx, l->next_offset, l->block, n, e) < 0 || hash_block(t->hasher, l->block, n, out, e) < 0)
		return -1;
	l->next_offset += n;
	l->fill = 0;
	memset(l->block, 0, n);
	return 0;
}

/* Puts a digest into a level, and as long as that fills a block, the block's digest into the next. Above the top
 * is the root hash. */
static int add_digest(struct verity_tree *t, unsigned i, struct digest *d, struct err *e)
{
	const size_t size = digest_size(t->p.alg);

	for (; i < t->layout.n_levels; i++) {
		struct level *l = &t->level[i];

		memcpy(l->block + l->fill, d->v, size);
		l->fill += size;
		if (l->fill < t->p.hash_block_bytes)
			return 0;
		if (close_block(t, l, d, e) < 0)
			return -1;
	}
	t->root = *d;
	return 0;
}

static int add_data_block(struct verity_tree *t, const void *block, struct err *e)
{
	struct digest d;

	if (hash_block(t->hasher, block, t->p.data_block_bytes, &d, e) < 0)
		return -1;
	return add_digest(t, 0, &d, e);
}

/* One allocation for all blocks. */
static int init_blocks(struct verity_tree *t, struct err *e)
{
	const size_t n = t->p.hash_block_bytes;

	t->blocks = calloc(1, t->layout.n_levels * n + t->p.data_block_bytes);
	if (!t->blocks)
		return err_sys(e, "hash tree of %u levels", t->layout.n_levels);
	for (unsigned i = 0; i < t->layout.n_levels; i++) {
		t->level[i].block = t->blocks + i * n;
		t->level[i].next_offset = t->layout.first_block[i] * n;
	}
	t->partial = t->blocks + t->layout.n_levels * n;
	return 0;
}

int verity_tree_new(const struct verity_params *p, verity_emit_fn emit, void *ctx, struct verity_tree **out, struct err *e)
{
	CLEANUP(verity_tree_free_p) struct verity_tree *t = NULL;

	if (verity_params_check(p, e) < 0)
		return -1;
	t = calloc(1, sizeof(*t));
	if (!t)
		return err_sys(e, "hash tree");
	t->p = *p;
	t->layout = verity_layout_of(p);
	t->emit = emit;
	t->emit_ctx = ctx;
	t->rest_bytes = p->n_data_blocks * p->data_block_bytes;
	if (verity_hasher_new(p, &t->hasher, e) < 0 || init_blocks(t, e) < 0 || emit_superblock(t, e) < 0)
		return -1;
	*out = TAKE(t);
	return 0;
}

/* Adds to a block that came in pieces, as much as it lacks. Return: the bytes taken, or -1 */
static ssize_t fill_partial(struct verity_tree *t, const uint8_t *p, size_t n, struct err *e)
{
	const size_t take = min_size(n, t->p.data_block_bytes - t->partial_n);

	memcpy(t->partial + t->partial_n, p, take);
	t->partial_n += take;
	if (t->partial_n == t->p.data_block_bytes) {
		t->partial_n = 0;
		if (add_data_block(t, t->partial, e) < 0)
			return -1;
	}
	return (ssize_t)take;
}

static int update(struct verity_tree *t, const uint8_t *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t taken = t->p.data_block_bytes;

		if (t->partial_n || n < t->p.data_block_bytes)
			taken = fill_partial(t, p, n, e);
		else if (add_data_block(t, p, e) < 0)
			taken = -1;
		if (taken < 0)
			return -1;
		p += taken;
		n -= (size_t)taken;
	}
	return 0;
}

/* Leaves the builder ended: the caller takes that back when all has gone well. */
static int begin_update(struct verity_tree *t, uint64_t n, struct err *e)
{
	if (t->ended)
		return err_set(e, ERR_BUG, PART_E_VERITY, "hash tree: data after the end");
	t->ended = true;
	if (n > t->rest_bytes)
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "hash tree: more data than %" PRIu64 " blocks of %" PRIu32 " bytes",
			       t->p.n_data_blocks, t->p.data_block_bytes);
	return 0;
}

int verity_tree_add(struct verity_tree *t, const uint8_t *digests, size_t n_blocks, struct err *e)
{
	const size_t size = digest_size(t->p.alg);
	struct digest d = { .alg = t->p.alg };
	uint64_t n;

	if (!mul_u64(n_blocks, t->p.data_block_bytes, &n))
		n = UINT64_MAX; /* more than any tree has */
	if (begin_update(t, n, e) < 0)
		return -1;
	if (t->partial_n)
		return err_set(e, ERR_BUG, PART_E_VERITY, "hash tree: digests amid a block");
	for (size_t i = 0; i < n_blocks; i++) {
		memcpy(d.v, digests + i * size, size);
		if (add_digest(t, 0, &d, e) < 0)
			return -1;
	}
	t->rest_bytes -= n;
	t->ended = false;
	return 0;
}

int verity_tree_update(struct verity_tree *t, const void *p, size_t n, struct err *e)
{
	if (begin_update(t, n, e) < 0 || update(t, p, n, e) < 0)
		return -1;
	t->rest_bytes -= n;
	t->ended = false;
	return 0;
}

int verity_tree_finish(struct verity_tree *t, struct digest *root_hash, struct err *e)
{
	struct digest d;

	if (t->ended)
		return err_set(e, ERR_BUG, PART_E_VERITY, "hash tree: ended twice");
	t->ended = true;
	if (t->rest_bytes)
		return err_set(e, ERR_FORMAT, PART_E_VERITY,
			       "hash tree: data ends %" PRIu64 " bytes before its %" PRIu64 " blocks of %" PRIu32 " bytes",
			       t->rest_bytes, t->p.n_data_blocks, t->p.data_block_bytes);
	/* From the bottom up: closing a partial block may fill the one above, which add_digest() then closes itself. */
	for (unsigned i = 0; i < t->layout.n_levels; i++)
		if (t->level[i].fill && (close_block(t, &t->level[i], &d, e) < 0 || add_digest(t, i + 1, &d, e) < 0))
			return -1;
	*root_hash = t->root;
	return 0;
}

void verity_tree_free(struct verity_tree *t)
{
	if (!t)
		return;
	verity_hasher_free(t->hasher);
	free(t->blocks);
	free(t);
}
