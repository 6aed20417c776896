/*
 * OLPC canonical JSON: the bytes that a signature covers and that key ids are made of. It is encoded from the
 * tree that was parsed, so members that this program does not know survive. Not always valid JSON (control
 * characters stay raw): never parse it back.
 */
#ifndef FLIPSIDE_TUF_CANON_H
#define FLIPSIDE_TUF_CANON_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/err.h"

/* Appends the canonical form of @j. Return: 0; -1: ERR_FORMAT for reals and other than JSON values, ERR_SYSTEM,
 * the buffer's limit */
int tuf_canon(const json_t *j, struct buf *out, struct err *e);

#endif
