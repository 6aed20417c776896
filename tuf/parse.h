/* What the parsers of metadata files share; nobody else includes this. */
#ifndef FLIPSIDE_TUF_PARSE_H
#define FLIPSIDE_TUF_PARSE_H

#include "base/json.h"
#include "tuf/role.h"

/* Puts the file's name in front, and makes the reasons of base/json.h the one of this folder, TUF_E_METADATA.
 * Return: -1 */
int tuf_parse_failed(struct err *e, const char *file);

/* The readers below follow base/json.h: a failure sticks in @in. What they have allocated by then is in *@out,
 * for the caller to free. */

/* `version` and `expires` */
void tuf_get_head(struct json_in *in, struct tuf_head *out);

/* `keyids` and `threshold` of a role object */
void tuf_get_role_keys(struct json_in *in, struct tuf_role_keys *out);

/* `hashes`; an empty one is refused, unknown algorithms are dropped. */
void tuf_get_hashes(struct json_in *in, struct tuf_hashes *out);

/* The fields of a member of a `meta` object, all but its name. */
void tuf_get_meta(struct json_in *in, struct tuf_meta *out);

/* An array of strings as copies; *@v and *@n_v must be empty. */
void tuf_get_strings(struct json_in *in, const char *name, size_t max, size_t max_bytes, char ***v, size_t *n_v);

/* How many entries a member has, as far as @max: what to allocate before json_get_each(). 0 if it is not there. */
size_t tuf_count(const struct json_in *in, const char *name, size_t max);

/* @n zeroed elements, at least one; NULL and the cursor fails when memory is out. */
void *tuf_alloc(struct json_in *in, size_t n, size_t size);

#endif
