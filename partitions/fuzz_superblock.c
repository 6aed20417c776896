/* Any 512 bytes: refused, or understood so well that writing them again gives the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "partitions/verity.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t in[VERITY_SUPERBLOCK_BYTES] = { 0 }, again[VERITY_SUPERBLOCK_BYTES];
	struct verity_params p;
	struct err e;

	memcpy(in, data, size < sizeof(in) ? size : sizeof(in));
	if (verity_superblock_parse(in, &p, &e) < 0)
		return 0;
	verity_superblock_write(&p, again);
	if (memcmp(in, again, sizeof(in)) != 0 || verity_hash_bytes(&p) > INT64_MAX)
		abort();
	return 0;
}
