/*
 * The metadata store: a flat folder with the newest trusted file of each role, bytes exactly as received, under
 * the role's plain name without a version number: root.json, timestamp.json, a%2Fb.json. What is in it was
 * trusted when it was stored; whether it still is has to be decided anew by whoever loads it.
 *
 * Every file in the folder that ends in ".json" is metadata. Others: ".lock", notes "ROLE.note", and
 * ".NAME.XXXXXX.tmp" of a write in progress.
 */
#ifndef FLIPSIDE_TUF_STORE_H
#define FLIPSIDE_TUF_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"

#define TUF_STORE_NAME_BYTES 241 /* of a file's name, with its NUL: leaves room for the temporary one's additions */

struct tuf_store;

/**
 * tuf_store_open() - open the store and lock it for this client
 * @dir: made (0755) with its parents if missing
 * Temporary files that a crash has left are removed. A store on a read-only file system can be opened, without a lock.
 * Return: 0; -1: ERR_BUSY another client has it, ERR_SYSTEM
 */
int tuf_store_open(const char *dir, struct tuf_store **out, struct err *e);
void tuf_store_free(struct tuf_store *s);
DEFINE_CLEANUP(struct tuf_store, tuf_store_free);

/**
 * tuf_store_load() - the stored file of a role
 * @role: unencoded name
 * @out:  appended to; its maximum bounds the file
 * Return: 0; -1: ERR_MISSING, ERR_FORMAT "limit", ERR_SYSTEM
 */
int tuf_store_load(const struct tuf_store *s, const char *role, struct buf *out, struct err *e);

/* Replaces it, durably and atomically; on failure the old one is in place. ERR_SYSTEM */
int tuf_store_save(struct tuf_store *s, const char *role, struct bytes in, struct err *e);

/* Tells whether a stored file is the one that it was: these change with any write to it, and when it is replaced. */
struct tuf_stamp {
	uint64_t inode, size, mtime_ns, ctime_ns;
};

/* Return: 0; -1: ERR_MISSING, ERR_SYSTEM */
int tuf_store_stamp(const struct tuf_store *s, const char *role, struct tuf_stamp *out, struct err *e);

/* A note on a role's file, kept beside it as "ROLE.note": whatever a client wants to remember. As load and save
 * of the file. */
int tuf_store_load_note(const struct tuf_store *s, const char *role, struct buf *out, struct err *e);
int tuf_store_save_note(struct tuf_store *s, const char *role, struct bytes in, struct err *e);

/* False for a store on a read-only file system. */
bool tuf_store_is_writable(const struct tuf_store *s);

/* Removes it, durably; not being there is no failure. ERR_SYSTEM */
int tuf_store_remove(struct tuf_store *s, const char *role, struct err *e);

/**
 * tuf_store_name() - the file name of a role: percent-encoded as in URLs, and ".json"
 * One that would be too long is "%sha256-DIGEST.json", which no encoded name can be. Return: 0; -1 ERR_SYSTEM
 */
int tuf_store_name(const char *role, char out[TUF_STORE_NAME_BYTES], struct err *e);

#endif
