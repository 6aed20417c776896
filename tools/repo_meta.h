/*
 * The `signed` parts of metadata files as JSON, made for signing (specification 4.3 to 4.6). What an earlier file
 * of the role holds beside what is changed here (custom members, delegations, roles in snapshot) goes on in the
 * next one.
 */
#ifndef FLIPSIDE_TOOLS_REPO_META_H
#define FLIPSIDE_TOOLS_REPO_META_H

#include <jansson.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "tools/repo_keys.h"
#include "tuf/signed.h"

#define REPO_SPEC_VERSION "1.0.31"

/* All return a new reference to *@out, or -1: ERR_SYSTEM out of memory, ERR_FORMAT for an old file without the
 * members due. */

/* @old as it is, with another version and expiry: its deep copy. */
int repo_meta_renew(const json_t *old, enum tuf_type type, uint64_t version, int64_t expires_sec, json_t **out, struct err *e);

/* A new root, consistent snapshots on. @roles and @thresholds are by enum tuf_type. */
int repo_meta_root(uint64_t version, int64_t expires_sec, const struct repo_signers roles[TUF_TYPES],
		   const uint64_t thresholds[TUF_TYPES], json_t **out, struct err *e);

/* @old: the present `signed` of the role, or NULL */
int repo_meta_targets(const json_t *old, uint64_t version, int64_t expires_sec, json_t **out, struct err *e);

/* Lists a target in @targets, in place of one of the same name. */
int repo_meta_set_target(json_t *targets, const char *name, uint64_t length, const struct digest *sha256, struct err *e);

/* A file that another file lists. */
struct repo_meta_file {
	uint64_t version, length;
	struct digest sha256;
};

int repo_meta_snapshot(const json_t *old, uint64_t version, int64_t expires_sec, const struct repo_meta_file *targets, json_t **out,
		       struct err *e);
/* Lists a file of a delegated role in @snapshot, in place of an older one. */
int repo_meta_set_role(json_t *snapshot, const char *role, const struct repo_meta_file *file, struct err *e);

int repo_meta_timestamp(uint64_t version, int64_t expires_sec, const struct repo_meta_file *snapshot, json_t **out, struct err *e);

#endif
