/*
 * Verification is the builder once more: it makes the tree from the data, and each block that it hands out is
 * compared with the stored one. So there is one statement of what a tree is, and data, tree, superblock and root
 * hash are all covered.
 *
 * The stored tree is read a block at a time, as it is needed: a 4 KiB block stands for 512 KiB of data, so the
 * call costs some 0.2 % of the hashing, and the kernel reads ahead.
 */
#include "partitions/verity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/num.h"
#include "partitions/table.h"

#define DATA_PIECE_BYTES (1024 * 1024)
#define MEMORY_ALIGN VERITY_BLOCK_MAX_BYTES /* enough for a descriptor opened with O_DIRECT */

struct verity_compare {
	struct verity_params p;
	struct verity_layout layout;
	int hash_fd;
	uint64_t hash_offset;
	uint8_t *stored; /* a hash block */
};

static size_t first_difference(const uint8_t *a, const uint8_t *b, size_t n)
{
	size_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	return i;
}

/* The level that holds hash block @block; there is one, since the builder made the block. */
static unsigned level_of(const struct verity_layout *l, uint64_t block)
{
	unsigned i = 0;

	while (i + 1 < l->n_levels && block < l->first_block[i])
		i++;
	return i;
}

/* Names the hash block, and the data blocks that the first digest which differs stands for. */
static int tell_difference(const struct verity_compare *v, uint64_t block, size_t at, struct err *e)
{
	const unsigned level = level_of(&v->layout, block);
	const uint64_t slot = at / digest_size(v->p.alg);
	uint64_t span = 1; /* data blocks that one digest of this level stands for */
	uint64_t first, last;

	for (unsigned i = 0; i < level; i++)
		span *= v->layout.digests_per_block;
	first = ((block - v->layout.first_block[level]) * v->layout.digests_per_block + slot) * span;
	last = min_u64(first + span, v->p.n_data_blocks) - 1;
	if (first >= v->p.n_data_blocks) /* behind the last digest, where only zeros belong */
		return err_set(e, ERR_TRUST, PART_E_VERITY, "verity: hash block %" PRIu64 " (level %u) has padding that is not zero",
			       block, level);
	return err_set(e, ERR_TRUST, PART_E_VERITY,
		       "verity: hash block %" PRIu64 " (level %u) differs from the data, first for data blocks %" PRIu64
		       " to %" PRIu64,
		       block, level, first, last);
}

int verity_compare_block(void *ctx, uint64_t offset, const void *block, size_t n, struct err *e)
{
	const struct verity_compare *v = ctx;
	size_t at;

	if (file_pread_all(v->hash_fd, v->stored, n, v->hash_offset + offset, "hash tree", e) < 0)
		return -1;
	at = first_difference(v->stored, block, n);
	if (at == n)
		return 0;
	if (offset == 0)
		return err_set(e, ERR_TRUST, PART_E_VERITY, "verity: superblock differs at byte %zu", at);
	return tell_difference(v, offset / v->p.hash_block_bytes, at, e);
}

int verity_compare_new(const struct verity_params *p, int hash_fd, uint64_t hash_offset, struct verity_compare **out, struct err *e)
{
	CLEANUP(verity_compare_free_p) struct verity_compare *v = calloc(1, sizeof(*v));
	uint64_t end;

	if (!v)
		return err_sys(e, "verity");
	*v = (struct verity_compare){ .p = *p, .layout = verity_layout_of(p), .hash_fd = hash_fd, .hash_offset = hash_offset };
	if (!add_u64(hash_offset, verity_hash_bytes(p), &end) || end > INT64_MAX)
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity: hash tree at %" PRIu64 " is out of range", hash_offset);
	v->stored = aligned_alloc(MEMORY_ALIGN, MEMORY_ALIGN);
	if (!v->stored)
		return err_sys(e, "verity: buffer");
	*out = TAKE(v);
	return 0;
}

void verity_compare_free(struct verity_compare *v)
{
	if (!v)
		return;
	free(v->stored);
	free(v);
}

static int feed(struct verity_tree *t, uint64_t rest, struct source *data, source_seen_fn seen, void *ctx, struct err *e)
{
	const size_t piece_bytes = (size_t)min_u64(rest, DATA_PIECE_BYTES);
	CLEANUP(free_p) uint8_t *piece = aligned_alloc(MEMORY_ALIGN, (piece_bytes + MEMORY_ALIGN - 1) / MEMORY_ALIGN * MEMORY_ALIGN);

	if (!piece)
		return err_sys(e, "verity: buffer");
	while (rest > 0) {
		size_t n = 0;
		const int ret = source_read(data, piece, (size_t)min_u64(rest, piece_bytes), &n, e);

		if (ret == SOURCE_END)
			return err_set(e, ERR_TRUST, PART_E_VERITY, "verity: data ends %" PRIu64 " bytes early", rest);
		if (ret < 0 || verity_tree_update(t, piece, n, e) < 0)
			return -1;
		if (seen && seen(ctx, piece, n, e) < 0)
			return -1;
		rest -= n;
	}
	return 0;
}

int verity_check_tree(const struct verity_params *p, struct source *data, int hash_fd, uint64_t hash_offset,
		      source_seen_fn seen, void *ctx, struct digest *root_hash, struct err *e)
{
	CLEANUP(verity_compare_free_p) struct verity_compare *v = NULL;
	CLEANUP(verity_tree_free_p) struct verity_tree *t = NULL;

	if (verity_params_check(p, e) < 0 || verity_compare_new(p, hash_fd, hash_offset, &v, e) < 0 ||
	    verity_tree_new(p, verity_compare_block, v, &t, e) < 0 ||
	    feed(t, p->n_data_blocks * p->data_block_bytes, data, seen, ctx, e) < 0)
		return -1;
	return verity_tree_finish(t, root_hash, e);
}

int verity_verify(const struct verity_params *p, struct source *data, int hash_fd, uint64_t hash_offset,
		  const struct digest *expected, source_seen_fn seen, void *ctx, struct err *e)
{
	struct digest root;

	if (verity_check_tree(p, data, hash_fd, hash_offset, seen, ctx, &root, e) < 0)
		return -1;
	if (!digest_equal(&root, expected))
		return err_set(e, ERR_TRUST, PART_E_VERITY, "verity: root hash differs from the one expected");
	return 0;
}
