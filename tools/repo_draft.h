/*
 * The draft: what the release engineer has prepared and not yet published, in staging/draft.json. Targets lie in
 * staging/targets under their own names. What is known of a version's images stays in the draft after they are
 * published, so that an update may be added later.
 *
 *	{ "targets": { NAME: { "length": N, "sha256": HEX, "role": "a delegated role or the prefix of bins"; not there: targets } },
 *	  "images": [ { "variant", "arch", "version", "verity": { as in updater/verity_json.h },
 *			"boot", "root", "hash": { "target": NAME, "size": unpacked bytes } } ] }
 */
#ifndef FLIPSIDE_TOOLS_REPO_DRAFT_H
#define FLIPSIDE_TOOLS_REPO_DRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/version.h"
#include "partitions/table.h"
#include "partitions/verity.h"
#include "tools/repo.h"
#include "tools/repo_names.h"

#define DRAFT_MAX_BYTES (16u * 1024 * 1024)
#define DRAFT_TARGETS_MAX 65536
#define DRAFT_IMAGES_MAX 4096
#define DRAFT_E_FORMAT "draft" /* ERR_FORMAT: draft.json is not as above */

struct draft_target {
	char name[REPO_TARGET_BYTES];
	char role[REPO_WORD_BYTES]; /* delegated role, or prefix of hash bins; "": targets itself */
	uint64_t length;
	struct digest sha256;
};

/* The images of one version for one variant and architecture. */
struct draft_images {
	char variant[REPO_WORD_BYTES], arch[REPO_WORD_BYTES];
	struct version version;
	struct digest root_hash;
	struct verity_params verity;
	char targets[PART_N_ROLES][REPO_TARGET_BYTES];
	uint64_t sizes[PART_N_ROLES]; /* unpacked bytes */
};

struct draft {
	struct draft_target *targets;
	size_t n_targets;
	struct draft_images *images;
	size_t n_images;
};

void draft_free(struct draft *d);
DEFINE_CLEANUP(struct draft, draft_free);

int draft_new(struct draft **out, struct err *e);

/* Return: 0 with a draft for the caller to draft_free(); -1: ERR_FORMAT DRAFT_E_FORMAT with the field's path,
 * ERR_SYSTEM */
int draft_parse(struct bytes json, struct draft **out, struct err *e);
int draft_print(const struct draft *d, struct buf *out, struct err *e);

/* From and to staging/draft.json; where there is none, an empty one. The repository is open for writing. */
int draft_load(const struct repo *r, struct draft **out, struct err *e);
int draft_store(const struct repo *r, const struct draft *d, struct err *e);

/* Copies in; a target of the same name, or images of the same version, variant and architecture, are replaced. */
int draft_add_target(struct draft *d, const struct draft_target *t, struct err *e);
int draft_add_images(struct draft *d, const struct draft_images *i, struct err *e);

/* NULL if there is none; borrowed until the draft changes. */
const struct draft_target *draft_find_target(const struct draft *d, const char *name);
struct draft_images *draft_find_images(const struct draft *d, const char *variant, const char *arch, const struct version *v);

/* Forgets; pointers into the draft are void afterwards. */
void draft_remove_target(struct draft *d, const char *name);
void draft_remove_images(struct draft *d, struct draft_images *i);

#endif
