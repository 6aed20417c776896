/*
 * A repository is a plain folder:
 *
 *	REPO/metadata/	served: N.root.json, timestamp.json, V.snapshot.json, V.targets.json
 *	REPO/targets/	served: SHA256.NAME
 *	REPO/staging/	the release engineer's work area, never served (mode 0700): draft.json, manifest.json, targets/NAME, lock
 *
 * The served folders may be read by clients at any instant. Only timestamp.json is ever replaced there.
 */
#ifndef FLIPSIDE_TOOLS_REPO_H
#define FLIPSIDE_TOOLS_REPO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/stream.h"

#define REPO_MANIFEST "manifest.json"
#define REPO_DRAFT "draft.json"

#define REPO_E_EXISTS "exists"	 /* ERR_STATE: it would replace what is there */
#define REPO_E_CHANGED "changed" /* ERR_TRUST: a file is not what was recorded or published */

struct repo {
	char *path; /* as given */
	int metadata, targets;	     /* directory descriptors */
	int staging, staged_targets; /* -1 unless opened for writing */
	int lock;
};

/* Closed: what a struct repo must be before repo_open() and repo_fini(). */
#define REPO_CLOSED ((struct repo){ .metadata = -1, .targets = -1, .staging = -1, .staged_targets = -1, .lock = -1 })

enum repo_mode {
	REPO_READ,
	REPO_WRITE,  /* takes the lock and makes the work area */
	REPO_CREATE, /* makes all of it; refused ERR_STATE REPO_E_EXISTS where a root is already */
};

/* Return: 0; -1: ERR_MISSING when there is no repository, ERR_BUSY when another process works on it, ERR_STATE,
 * ERR_SYSTEM */
int repo_open(const char *path, enum repo_mode mode, struct repo *r, struct err *e);
void repo_fini(struct repo *r);

/* HEX.NAME as it lies in targets/, to @out: bytes as in REPO_PUBLISHED_BYTES. */
#define REPO_PUBLISHED_BYTES 256
int repo_published_name(const char *name, const struct digest *sha256, char out[REPO_PUBLISHED_BYTES], struct err *e);

/* True if @name is there (a regular file or anything else). */
bool repo_has(int dir, const char *name);

/* A descriptor and the size (unless NULL) of the regular file @path, relative to @dir or AT_FDCWD. ERR_MISSING,
 * ERR_SYSTEM; anything but a regular file: ERR_USAGE. */
int repo_open_input(int dir, const char *path, int *out_fd, uint64_t *out_size, struct err *e);

/* A sink that writes a new file: durable and under its name when finished, gone if freed before. Knows its length
 * and digest. */
struct repo_file;

/* @dir must stay open; an existing @name is replaced. */
int repo_file_new(int dir, const char *name, struct repo_file **out, struct err *e);
void repo_file_free(struct repo_file *f);
DEFINE_CLEANUP(struct repo_file, repo_file_free);
struct sink *repo_file_sink(struct repo_file *f); /* owned by @f: not to be freed */

/* Of all that was written; after a finish only. */
uint64_t repo_file_length(const struct repo_file *f);
struct digest repo_file_sha256(const struct repo_file *f);

#endif
