/*
 * Names of targets: made by rules here, checked here. Target names are flat (no '/'), because implementations
 * disagree about where the digest of a consistent snapshot goes in a name with folders. All pure.
 */
#ifndef FLIPSIDE_TOOLS_REPO_NAMES_H
#define FLIPSIDE_TOOLS_REPO_NAMES_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/unpack.h"
#include "base/version.h"
#include "partitions/table.h"

/* A file name holds 255 bytes; in front of the name stand 64 digits and a dot, and while it is written ".",
 * ".XXXXXX.tmp". */
#define REPO_TARGET_MAX_BYTES (255 - 65 - 12)
#define REPO_TARGET_BYTES (REPO_TARGET_MAX_BYTES + 1)
#define REPO_WORD_MAX_BYTES 63 /* of a variant, an architecture, a product's name */
#define REPO_WORD_BYTES (REPO_WORD_MAX_BYTES + 1)

#define REPO_FS_HEAD_BYTES 2048 /* as many as repo_fs_name() wants to see */

#define REPO_E_NAME "name" /* ERR_USAGE: a name that cannot stand in a target name or a manifest */

/* Letters, digits and "._+-", not beginning with a dot or dash, 1 to @max bytes. @what names the field in messages. */
int repo_word_check(const char *what, const char *s, size_t max, struct err *e);

/* What the file system image begins with: "ext4", "erofs", "squashfs", "vfat", or "img" for anything else. */
const char *repo_fs_name(struct bytes head);

struct repo_image_name {
	const char *product, *variant, *arch;
	const struct version *version;
	enum part_role role;
	const char *fs; /* repo_fs_name(); not used for the hash image */
	enum unpack_format format;
};

/* PRODUCT-VARIANT-ARCH-VERSION-root.ext4.zst, -boot.ext4.zst, -root.verity.zst. Return: 0; -1: ERR_USAGE REPO_E_NAME */
int repo_image_target(const struct repo_image_name *n, char out[REPO_TARGET_BYTES], struct err *e);

/* migrate_vVERSION_NAME.lz4. @file: the migration's file name or path, of which the last part counts. */
int repo_migration_target(const struct version *to, const char *file, char out[REPO_TARGET_BYTES], struct err *e);

/* The last part of a path. */
const char *repo_base_name(const char *path);

#endif
