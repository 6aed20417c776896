/* Verity parameters of a new image, and a place for its hash tree while it is made. */
#ifndef FLIPSIDE_TOOLS_REPO_VERITY_H
#define FLIPSIDE_TOOLS_REPO_VERITY_H

#include "partitions/verity.h"
#include "tools/repo.h"
#include "tools/repo_cli.h"

#define REPO_SALT_BYTES 32 /* of a random salt: as veritysetup makes them */

/* For @size bytes of data, with --salt (hexadecimal, "none", or "random", the default) and --uuid (text, or
 * random). ERR_USAGE */
int repo_verity_params(const struct repo_cli *c, uint64_t size, struct verity_params *out, struct err *e);

/* An unnamed file in the work area for the hash image: the builder's order is not the file's. */
int repo_verity_open(const struct repo *r, int *out_fd, struct err *e);

/* A verity_emit_fn that writes to the descriptor at @ctx. */
int repo_verity_emit(void *ctx, uint64_t offset, const void *block, size_t n, struct err *e);

#endif
