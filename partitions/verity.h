/*
 * dm-verity hash trees, format 1, byte for byte as `veritysetup format` makes them: superblock in the first hash
 * block, then the levels from the top down. The builder takes the data once, in order, and hands out each hash
 * block when it is complete, so memory is one block a level whatever the size of the image.
 *
 * From: Linux Documentation/admin-guide/device-mapper/verity.rst, cryptsetup wiki "DMVerity" (superblock).
 */
#ifndef FLIPSIDE_PARTITIONS_VERITY_H
#define FLIPSIDE_PARTITIONS_VERITY_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/stream.h"

#define VERITY_SALT_MAX_BYTES 256
#define VERITY_UUID_BYTES 16
#define VERITY_SUPERBLOCK_BYTES 512
#define VERITY_BLOCK_MIN_BYTES 512
#define VERITY_BLOCK_MAX_BYTES 4096
#define VERITY_LEVELS_MAX 64

struct verity_params {
	enum digest_alg alg;
	uint32_t data_block_bytes, hash_block_bytes; /* powers of two between the bounds above */
	uint64_t n_data_blocks;			       /* at least 1 */
	uint8_t salt[VERITY_SALT_MAX_BYTES];
	uint16_t salt_bytes;
	uint8_t uuid[VERITY_UUID_BYTES]; /* in text order, as veritysetup prints it */
};

/* sha256, 4096-byte blocks, no salt, zero UUID. */
struct verity_params verity_params_default(uint64_t n_data_blocks);

/* Bounds and sums of @p. Return: 0; -1: ERR_FORMAT PART_E_VERITY, the message names the field */
int verity_params_check(const struct verity_params *p, struct err *e);

/*
 * Where the levels lie, in hash blocks from the start of the hash image. Level 0 holds the digests of data
 * blocks; the top level, n_levels - 1, is one block. Data of a single block has no level: its digest is the root
 * hash.
 */
struct verity_layout {
	unsigned n_levels;
	uint64_t first_block[VERITY_LEVELS_MAX], n_blocks[VERITY_LEVELS_MAX];
	uint64_t total_blocks;	   /* with the superblock's */
	uint32_t digests_per_block; /* a power of two */
};

/* @p has been checked. */
struct verity_layout verity_layout_of(const struct verity_params *p);

/* Bytes of the hash image: superblock's block and all levels. @p has been checked. */
uint64_t verity_hash_bytes(const struct verity_params *p);

/* The first hash block's superblock. @out: VERITY_SUPERBLOCK_BYTES */
void verity_superblock_write(const struct verity_params *p, uint8_t *out);

/**
 * verity_superblock_parse() - read and check a superblock
 * Strict: version 1, hash type 1, an algorithm of ours, parameters that pass verity_params_check(), zeros in all
 * padding. So what is accepted is what verity_superblock_write() makes of *@out, to the byte.
 * Return: 0; -1: ERR_FORMAT PART_E_VERITY, *@out untouched
 */
int verity_superblock_parse(const uint8_t in[VERITY_SUPERBLOCK_BYTES], struct verity_params *out, struct err *e);

/* One complete piece of the hash image: @n bytes at @offset, borrowed for the call. Each piece comes once; the
 * order is the builder's: ascending within a level, a level's block before the block above that holds its digest. */
typedef int (*verity_emit_fn)(void *ctx, uint64_t offset, const void *block, size_t n, struct err *e);

/*
 * Digests of data blocks, salt and all, for those who spread that work over threads: a hasher for each of them,
 * and the digests to verity_tree_add() in order.
 */
struct verity_hasher;

/* @p has been checked. Return: 0; -1: ERR_SYSTEM */
int verity_hasher_new(const struct verity_params *p, struct verity_hasher **out, struct err *e);

/* @n_blocks data blocks that follow each other. @out: digest_size(alg) bytes for each */
int verity_hasher_blocks(struct verity_hasher *h, const void *p, size_t n_blocks, uint8_t *out, struct err *e);
void verity_hasher_free(struct verity_hasher *h);
DEFINE_CLEANUP(struct verity_hasher, verity_hasher_free);

struct verity_tree;

/**
 * verity_tree_new() - a builder for data of known size
 * @p: copied, checked
 * @emit: gets the superblock's block first, before this call returns, then every hash block, padded with zeros to
 * the hash
 *        block size
 * Memory: a hash block a level and one data block. Errors: ERR_FORMAT PART_E_VERITY, ERR_SYSTEM, what @emit says.
 */
int verity_tree_new(const struct verity_params *p, verity_emit_fn emit, void *ctx, struct verity_tree **out, struct err *e);

/* The next bytes of the data, in any portions; whole blocks are hashed where they lie. More than n_data_blocks
 * blocks is ERR_FORMAT PART_E_VERITY. After any failure the builder is only freed. */
int verity_tree_update(struct verity_tree *t, const void *p, size_t n, struct err *e);

/* The next @n_blocks of the data by the digests that a hasher made of them: the same as verity_tree_update() with
 * the blocks, and the two may take turns, but not amid a block (ERR_BUG). */
int verity_tree_add(struct verity_tree *t, const uint8_t *digests, size_t n_blocks, struct err *e);

/* Ends the data: fewer bytes than n_data_blocks blocks is ERR_FORMAT PART_E_VERITY. Hands out what is left, and the
 * root hash. */
int verity_tree_finish(struct verity_tree *t, struct digest *root_hash, struct err *e);
void verity_tree_free(struct verity_tree *t);
DEFINE_CLEANUP(struct verity_tree, verity_tree_free);

/* A stored hash image, and what a builder hands out compared with it. */
struct verity_compare;

/* Arguments as verity_verify(); @p is copied and has been checked. Return: 0; -1: ERR_FORMAT PART_E_VERITY out of
 * range, ERR_SYSTEM */
int verity_compare_new(const struct verity_params *p, int hash_fd, uint64_t hash_offset, struct verity_compare **out, struct err *e);

/* Has the type of verity_emit_fn; @compare: a struct verity_compare. -1: ERR_TRUST PART_E_VERITY as
 * verity_verify(), ERR_SYSTEM */
int verity_compare_block(void *compare, uint64_t offset, const void *block, size_t n, struct err *e);
void verity_compare_free(struct verity_compare *c);
DEFINE_CLEANUP(struct verity_compare, verity_compare_free);

/**
 * verity_check_tree() - data against hash tree, in one pass over the data; the root hash that they have is for
 * the caller to judge
 * Arguments and errors as verity_verify(). @root_hash: filled on success
 */
int verity_check_tree(const struct verity_params *p, struct source *data, int hash_fd, uint64_t hash_offset,
		      source_seen_fn seen, void *ctx, struct digest *root_hash, struct err *e);

/**
 * verity_verify() - data against hash tree against root hash, in one pass over the data
 * @data:      exactly n_data_blocks blocks are read from it
 * @hash_fd, @hash_offset: where the hash image lies; read a block at a time into memory aligned to 4096 bytes
 * @expected:  the signed root hash
 * @seen:      called with the bytes of data that were hashed without a difference so far, for progress; may be NULL
 * Return: 0; -1: ERR_TRUST PART_E_VERITY (the superblock, the first hash block that differs with the data it
 * stands for, the root hash, or data that ends early), ERR_FORMAT PART_E_VERITY (@p), ERR_SYSTEM, what @data or
 * @seen say
 */
int verity_verify(const struct verity_params *p, struct source *data, int hash_fd, uint64_t hash_offset,
		  const struct digest *expected, source_seen_fn seen, void *ctx, struct err *e);

#endif
