/*
 * Which delegation covers a target path: path patterns, prefixes of the path's hash, and hash bins (specification
 * 4.5, TAP 15). Pure.
 *
 * Patterns and paths are split at '/' and must have equally many parts. Within a part: '*' is any run of
 * characters, '?' one character, '[abc]', '[a-z]' and '[!a]' as in Python's fnmatch (a '[' without its ']' is
 * itself), all else is literal, the backslash, braces and a leading dot too. A character is a code point; case
 * counts. Matching takes no more steps than pattern times path.
 */
#ifndef FLIPSIDE_TUF_DELEG_H
#define FLIPSIDE_TUF_DELEG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "tuf/role.h"
#include "tuf/tuf.h"

#define TUF_PATH_HASH_BYTES 65				  /* hex SHA-256 and a NUL */
#define TUF_BIN_NAME_BYTES (TUF_NAME_MAX_BYTES + 1 + 8 + 1) /* prefix, '-', hex digits, NUL */

/* Both are UTF-8, as everything that base/json.h loads. */
bool tuf_path_match(const char *pattern, const char *path);

/* True if a tool should warn: the pattern has characters beside '*' and '?' that implementations read differently. */
bool tuf_path_pattern_is_odd(const char *pattern);

/* The hex SHA-256 of a target path, for prefixes and bins. ERR_SYSTEM if OpenSSL refuses. */
int tuf_path_hash(const char *path, char out[TUF_PATH_HASH_BYTES], struct err *e);

/* Does @d cover the path of this hash? */
bool tuf_delegation_covers(const struct tuf_delegation *d, const char *path, const char *path_hash);

/* The name of the bin that holds a path of this hash. */
void tuf_bin_name(const struct tuf_bins *b, const char *path_hash, char out[TUF_BIN_NAME_BYTES]);

/* True if @name is one of the 2^bit_length bins. */
bool tuf_bin_is(const struct tuf_bins *b, const char *name);

/* The keys that @from gives to @role; NULL if it does not delegate to it. */
const struct tuf_role_keys *tuf_delegation_keys(const struct tuf_targets *from, const char *role);

#endif
