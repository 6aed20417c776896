/*
 * The one gate for JSON: a bounded, strict load, and typed readers that name the field's path when they refuse.
 *
 *	struct json_in in = json_in_object(obj, "targets.signed", e);
 *	json_get_u64(&in, "version", 1, UINT32_MAX, &t.version);
 *	json_get_time(&in, "expires", &t.expires_sec);
 *	return json_in_end(&in);
 *
 * The first failure sticks: later readers do nothing and json_in_end() returns -1, so a parser reads like the format.
 * Unknown members are left alone. Outputs of a failed reader are untouched.
 *
 * All refusals are ERR_FORMAT. Reasons: "json" no valid JSON, "missing", "type", "range" of a number, "limit" of
 * depth, length or count, "time", "hex", "nul", and "field" for json_in_fail().
 */
#ifndef FLIPSIDE_BASE_JSON_H
#define FLIPSIDE_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/err.h"

#define JSON_DEPTH_MAX 64  /* objects and arrays inside each other */
#define JSON_PATH_BYTES 160 /* of a field's path in messages; longer ones lose their front */

static inline void json_decref_p(json_t **j)
{
	json_decref(*j);
}

/**
 * json_load_bytes() - parse one JSON text, strictly
 * @in:  the whole text, an object or array; the caller has bounded its length
 * @out: a new reference for the caller
 * Refused, ERR_FORMAT: duplicate members, NUL in a string, invalid UTF-8, a byte order mark, text behind the
 * value, integers beyond int64, more than JSON_DEPTH_MAX levels (found by a scan before parsing, so the stack is
 * bounded). The message has line and column. Out of memory is ERR_SYSTEM.
 */
int json_load_bytes(struct bytes in, json_t **out, struct err *e);

/* A cursor on one object (or array) with its path for messages; a value, nothing to free; borrows @obj. */
struct json_in {
	json_t *obj; /* NULL if it was not there or of a wrong type */
	struct err *e;
	bool failed;
	char path[JSON_PATH_BYTES];
};

/* A cursor on @obj, which must be an object: otherwise it starts failed, with ERR_FORMAT. @path "": the whole document. */
struct json_in json_in_object(json_t *obj, const char *path, struct err *e);

/* 0 if every reader was content; -1 with *e filled by the first that was not. */
int json_in_end(const struct json_in *in);

/* Fails the cursor with ERR_FORMAT and "PATH.NAME: ..." (NAME may be NULL: the object itself). Return: -1 */
int json_in_fail(struct json_in *in, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* True if the member is there (also when null). */
bool json_has(const struct json_in *in, const char *name);

/* Required members. Integers only, never reals or booleans; strings without NUL, @max_bytes long at most, borrowed. */
void json_get_u64(struct json_in *in, const char *name, uint64_t min, uint64_t max, uint64_t *out);
void json_get_bool(struct json_in *in, const char *name, bool *out);
void json_get_str(struct json_in *in, const char *name, size_t max_bytes, const char **out);
void json_get_time(struct json_in *in, const char *name, int64_t *out_sec); /* RFC 3339, see base/datetime.h */
void json_get_hex(struct json_in *in, const char *name, uint8_t *out, size_t out_n); /* exactly @out_n bytes */

/* Optional ones: absent leaves the output as the caller set it; present and wrong fails. */
void json_opt_u64(struct json_in *in, const char *name, uint64_t min, uint64_t max, uint64_t *out);
void json_opt_bool(struct json_in *in, const char *name, bool *out);
void json_opt_str(struct json_in *in, const char *name, size_t max_bytes, const char **out);

/* A cursor on a member that must be an object; on failure @in fails and the cursor returned is failed too. */
struct json_in json_get_object(struct json_in *in, const char *name);

/* The same for a member that may be absent: then the cursor's obj is NULL and it is not failed. A failure below
 * is taken over by json_in_join(). */
struct json_in json_opt_object(struct json_in *in, const char *name);

/* Ends a child cursor: if it failed, its parent has failed. Return: as json_in_end(child). */
int json_in_join(struct json_in *in, const struct json_in *child);

/* One member or element: @name is the member's name, or NULL in an array; @path names it in messages. */
typedef int (*json_each_fn)(void *ctx, const char *name, json_t *value, const char *path, struct err *e);

/**
 * json_get_each() - call @fn for each member of an object or element of an array, in order
 * @name: of the member; NULL: the cursor's own value
 * @max:  more members than this is ERR_FORMAT "limit", before the first call
 * Stops at the first -1 of @fn, which has filled *e; the cursor has then failed. json_opt_each(): absent is no failure.
 */
void json_get_each(struct json_in *in, const char *name, size_t max, json_each_fn fn, void *ctx);
void json_opt_each(struct json_in *in, const char *name, size_t max, json_each_fn fn, void *ctx);

/* @value as a string without NUL, at most @max_bytes; borrowed. NULL with *e filled (ERR_FORMAT, @path in front). */
const char *json_str_value(json_t *value, size_t max_bytes, const char *path, struct err *e);

/* The whole of @j as text with a final line feed, indented by two, members in insertion order. ERR_SYSTEM out of
 * memory. */
int json_to_buf(const json_t *j, struct buf *out, struct err *e);

/* The same to @f: the answer of a reporting verb. */
int json_print(const json_t *j, FILE *f, struct err *e);

/* {"error": {"kind": ..., "reason": ..., "message": ...}}; a new reference, NULL out of memory. */
json_t *json_of_err(const struct err *e);

#endif
