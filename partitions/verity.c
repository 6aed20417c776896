/*
 * Parameters, layout and superblock of a hash tree; pure. All sums on foreign numbers happen once, in
 * verity_params_check(); behind it every size and offset of the hash image fits in an off_t, so the functions
 * here cannot fail.
 */
#include "partitions/verity.h"

#include <inttypes.h>
#include <string.h>

#include "base/num.h"
#include "partitions/table.h"

/* The superblock as cryptsetup's lib/verity/verity.c lays it out: integers little-endian, all other bytes zero. */
enum {
	SB_SIGNATURE = 0,
	SB_VERSION = 8,
	SB_HASH_TYPE = 12,
	SB_UUID = 16,
	SB_ALGORITHM = 32,
	SB_DATA_BLOCK_BYTES = 64,
	SB_HASH_BLOCK_BYTES = 68,
	SB_N_DATA_BLOCKS = 72,
	SB_SALT_BYTES = 80,
	SB_SALT = 88,
};

#define SB_ALGORITHM_BYTES 32
#define SB_VERSION_1 1
#define SB_HASH_TYPE_1 1 /* salt before the data; type 0 is Chromium's of long ago */

static const char sb_signature[8] = "verity\0";

struct verity_params verity_params_default(uint64_t n_data_blocks)
{
	return (struct verity_params){
		.alg = DIGEST_SHA256,
		.data_block_bytes = 4096,
		.hash_block_bytes = 4096,
		.n_data_blocks = n_data_blocks,
	};
}

static bool block_bytes_ok(uint32_t n)
{
	return n >= VERITY_BLOCK_MIN_BYTES && n <= VERITY_BLOCK_MAX_BYTES && is_pow2_u64(n);
}

static bool sizes_ok(const struct verity_params *p)
{
	uint64_t bytes;

	/* A digest is at most 64 bytes for 512 of data, so the tree is less than a seventh of the data and a
	 * block a level. */
	return mul_u64(p->n_data_blocks, p->data_block_bytes, &bytes) && bytes <= INT64_MAX / 2;
}

int verity_params_check(const struct verity_params *p, struct err *e)
{
	if (p->alg != DIGEST_SHA256 && p->alg != DIGEST_SHA512)
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity: unknown hash algorithm");
	if (!block_bytes_ok(p->data_block_bytes))
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity: data block size %" PRIu32 " is not 512, 1024, 2048 or 4096",
			       p->data_block_bytes);
	if (!block_bytes_ok(p->hash_block_bytes))
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity: hash block size %" PRIu32 " is not 512, 1024, 2048 or 4096",
			       p->hash_block_bytes);
	if (p->n_data_blocks == 0)
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity: no data blocks");
	if (!sizes_ok(p))
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity: %" PRIu64 " data blocks are too many", p->n_data_blocks);
	if (p->salt_bytes > VERITY_SALT_MAX_BYTES)
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity: salt of %u bytes is longer than %u",
			       (unsigned)p->salt_bytes, VERITY_SALT_MAX_BYTES);
	return 0;
}

struct verity_layout verity_layout_of(const struct verity_params *p)
{
	/* Hash type 1 pads a digest to a power of two; 32 and 64 bytes are that already. */
	const uint32_t per_block = p->hash_block_bytes / (uint32_t)digest_size(p->alg);
	struct verity_layout l = { .digests_per_block = per_block };
	uint64_t n = p->n_data_blocks;
	uint64_t next = 1; /* block 0 is the superblock's */

	/* 8 digests a block at the least: never more than 21 levels. */
	while (n > 1) {
		n = (n - 1) / per_block + 1;
		l.n_blocks[l.n_levels++] = n;
	}
	for (unsigned i = l.n_levels; i-- > 0;) {
		l.first_block[i] = next;
		next += l.n_blocks[i];
	}
	l.total_blocks = next;
	return l;
}

uint64_t verity_hash_bytes(const struct verity_params *p)
{
	return verity_layout_of(p).total_blocks * p->hash_block_bytes;
}

void verity_superblock_write(const struct verity_params *p, uint8_t *out)
{
	const char *alg = digest_name(p->alg);

	memset(out, 0, VERITY_SUPERBLOCK_BYTES);
	memcpy(out + SB_SIGNATURE, sb_signature, sizeof(sb_signature));
	store_le32(out + SB_VERSION, SB_VERSION_1);
	store_le32(out + SB_HASH_TYPE, SB_HASH_TYPE_1);
	memcpy(out + SB_UUID, p->uuid, VERITY_UUID_BYTES);
	memcpy(out + SB_ALGORITHM, alg, strlen(alg));
	store_le32(out + SB_DATA_BLOCK_BYTES, p->data_block_bytes);
	store_le32(out + SB_HASH_BLOCK_BYTES, p->hash_block_bytes);
	store_le64(out + SB_N_DATA_BLOCKS, p->n_data_blocks);
	store_le16(out + SB_SALT_BYTES, p->salt_bytes);
	memcpy(out + SB_SALT, p->salt, p->salt_bytes);
}

static int parse_algorithm(const uint8_t *in, enum digest_alg *out, struct err *e)
{
	char name[SB_ALGORITHM_BYTES + 1] = { 0 };

	memcpy(name, in + SB_ALGORITHM, SB_ALGORITHM_BYTES);
	if (!digest_parse_name(name, out))
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity superblock: hash algorithm \"%s\" is not sha256 or sha512", name);
	return 0;
}

int verity_superblock_parse(const uint8_t in[VERITY_SUPERBLOCK_BYTES], struct verity_params *out, struct err *e)
{
	struct verity_params p = {
		.data_block_bytes = load_le32(in + SB_DATA_BLOCK_BYTES),
		.hash_block_bytes = load_le32(in + SB_HASH_BLOCK_BYTES),
		.n_data_blocks = load_le64(in + SB_N_DATA_BLOCKS),
		.salt_bytes = load_le16(in + SB_SALT_BYTES),
	};
	uint8_t again[VERITY_SUPERBLOCK_BYTES];

	if (memcmp(in + SB_SIGNATURE, sb_signature, sizeof(sb_signature)) != 0)
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity superblock: no signature");
	if (load_le32(in + SB_VERSION) != SB_VERSION_1)
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity superblock: version %" PRIu32 " is not 1",
			       load_le32(in + SB_VERSION));
	if (load_le32(in + SB_HASH_TYPE) != SB_HASH_TYPE_1)
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity superblock: hash type %" PRIu32 " is not 1",
			       load_le32(in + SB_HASH_TYPE));
	if (parse_algorithm(in, &p.alg, e) < 0 || verity_params_check(&p, e) < 0)
		return -1;
	memcpy(p.uuid, in + SB_UUID, VERITY_UUID_BYTES);
	memcpy(p.salt, in + SB_SALT, p.salt_bytes);

	verity_superblock_write(&p, again);
	if (memcmp(again, in, sizeof(again)) != 0)
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "verity superblock: padding is not zero");
	*out = p;
	return 0;
}
