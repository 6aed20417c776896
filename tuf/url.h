/*
 * URLs of a repository's files. They are put together as text and never resolved or normalised, so a name from
 * metadata stays the one path segment (or, for targets, the row of segments) that it is. All pure.
 */
#ifndef FLIPSIDE_TUF_URL_H
#define FLIPSIDE_TUF_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

#define TUF_URL_SHOWN_BYTES 200 /* of a URL in messages, with its NUL */

enum tuf_scheme { TUF_SCHEME_OTHER, TUF_SCHEME_FILE, TUF_SCHEME_HTTP, TUF_SCHEME_HTTPS };

/* By the text in front of "://", in any case. */
enum tuf_scheme tuf_url_scheme(const char *url);

/**
 * tuf_url_encode() - append @name with every byte as %XX but letters, digits and "_.-~"
 * @keep_slashes: '/' stays too: a path rather than one segment
 * Upper-case digits, byte by byte, no locale. Python's quote(name, "") and tough's encode_filename() give the same.
 * Return: 0; -1: the buffer's errors
 */
int tuf_url_encode(const char *name, bool keep_slashes, struct buf *out, struct err *e);

/**
 * tuf_url_metadata() - append BASE/[VERSION.]ROLE.json
 * @base: '/' is added if it does not end with one
 * @version: 0: not numbered
 * From: TUF specification 5.2 to 5.6 and 6.2.1. Return: 0; -1: the buffer's errors
 */
int tuf_url_metadata(const char *base, uint64_t version, const char *role, struct buf *out, struct err *e);

/**
 * tuf_url_target() - append BASE/DIRECTORY/[HASH.]NAME
 * @hash: hex digest in front of the last part of @path; NULL: none
 * From: TUF specification 5.7.3. Return: 0; -1: the buffer's errors
 */
int tuf_url_target(const char *base, const char *path, const char *hash, struct buf *out, struct err *e);

/**
 * tuf_url_file_path() - append the local path of a file:// URL
 * Percent-decoded as a web server does it, but for an encoded slash, which stays %2F: it is part of a name, so a
 * file name has it.
 * Return: 0; -1: ERR_USAGE "url" for another scheme, a host that is not this one, a query, %00 or a broken escape
 */
int tuf_url_file_path(const char *url, struct buf *out, struct err *e);

/* A base can be used: a scheme known above, neither query nor fragment. Return: 0; -1: ERR_USAGE "url" */
int tuf_url_check_base(const char *base, const char *what, struct err *e);

/* @url for people: without user and password, a long one shortened in its middle. @out always gets a NUL. */
void tuf_url_show(const char *url, char out[TUF_URL_SHOWN_BYTES]);

#endif
