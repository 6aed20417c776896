/* One file into the work area as a target: read once, padded, hashed into a tree on the way if asked, compressed. */
#ifndef FLIPSIDE_TOOLS_REPO_PACK_H
#define FLIPSIDE_TOOLS_REPO_PACK_H

#include <signal.h>

#include "base/progress.h"
#include "partitions/verity.h"
#include "tools/pack.h"
#include "tools/repo.h"
#include "tools/repo_cli.h"
#include "tools/repo_draft.h"
#include "tools/repo_state.h"

#define REPO_PACK_PIECE_BYTES (1u << 20)

struct repo_packing {
	struct pack_options pack;
	struct verity_tree *tree; /* gets every byte, the padding too; NULL: none */
	uint64_t align_bytes;	  /* zeros are added up to a multiple of this power of two, REPO_PACK_PIECE_BYTES at most; 0: none */
	struct progress *progress;
	const volatile sig_atomic_t *stop; /* set: ERR_STATE "interrupted" */
};

/* --compress, --level, --threads; @standard is the format without --compress. ERR_USAGE */
int repo_pack_options(const struct repo_cli *c, enum unpack_format standard, struct pack_options *out, struct err *e);

/**
 * repo_pack_file() - the first @size bytes of @fd to staging/targets/@name
 * @what: names the input in messages
 * @out:  name, length and digest of what was written; for the caller to add to the draft
 */
int repo_pack_file(const struct repo *r, int fd, uint64_t size, const char *what, const char *name, const struct repo_packing *p,
		   struct draft_target *out, struct err *e);

/* Refuses a name that is published already: published targets do not change. ERR_STATE REPO_E_EXISTS */
int repo_pack_name_check(const struct repo_state *s, const char *name, struct err *e);

#endif
