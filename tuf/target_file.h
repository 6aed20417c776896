/* Targets as files: is this one there already, and have it there. For those who keep targets on disk. */
#ifndef FLIPSIDE_TUF_TARGET_FILE_H
#define FLIPSIDE_TUF_TARGET_FILE_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/stream.h"
#include "tuf/client.h"

/* Whether @name in the directory @dir is a regular file with the target's length and every digest. Trouble with
 * it means no. */
bool tuf_target_is_file(const struct tuf_target *t, int dir, const char *name);

/**
 * tuf_target_to_file() - fetch a target into a file
 * @name: safe (file_name_is_safe()); the file appears under it, whole, verified and durable, or not at all; an
 * older one stays until then
 * @seen: told the bytes that arrive, for progress; may be NULL
 * @stop: set: ERR_STATE "interrupted"; may be NULL
 * Return: 0; -1: as tuf_client_open_target() and its stream, ERR_SYSTEM
 */
int tuf_target_to_file(struct tuf_client *c, const struct tuf_target *t, int dir, const char *name, mode_t mode,
		       source_seen_fn seen, void *ctx, const volatile sig_atomic_t *stop, struct err *e);

#endif
