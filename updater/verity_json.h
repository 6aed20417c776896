/* Verity parameters and root hash as a JSON object, as our manifest and block map carry them. */
#ifndef FLIPSIDE_UPDATER_VERITY_JSON_H
#define FLIPSIDE_UPDATER_VERITY_JSON_H

#include "base/digest.h"
#include "base/json.h"
#include "partitions/verity.h"

/*
 * {"algorithm": "sha256", "data_block_size": 4096, "hash_block_size": 4096, "data_blocks": 1000, "salt": "00ff"
 * or "", "uuid": "8-4-4-4-12", "root_hash": "..."}, all required.
 */

/* Reads the members of @in, which fails on the first that is wrong; outputs then hold nothing of use. */
void verity_json_get(struct json_in *in, struct verity_params *p, struct digest *root_hash);

/* A new reference; NULL out of memory. */
json_t *verity_json_of(const struct verity_params *p, const struct digest *root_hash);

#endif
