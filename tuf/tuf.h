/* What all of tuf/ shares: reasons in struct err, and the limits on everything that comes from a repository. */
#ifndef FLIPSIDE_TUF_TUF_H
#define FLIPSIDE_TUF_TUF_H

#include <stdint.h>

/* Reasons that tuf/ gives in struct err. ERR_TRUST unless said otherwise. */
#define TUF_E_THRESHOLD "threshold"	    /* too few good signatures by distinct keys */
#define TUF_E_DUPLICATE_SIG "duplicate-signature"
#define TUF_E_TYPE "type"		    /* _type is another role's */
#define TUF_E_VERSION "version"	    /* not the version that was announced or due */
#define TUF_E_ROLLBACK "rollback"	    /* a version lower than one seen before, or a role removed */
#define TUF_E_EXPIRED "expired"
#define TUF_E_LENGTH "length"
#define TUF_E_DIGEST "digest"
#define TUF_E_LIMIT "limit"		    /* ERR_FORMAT: over one of the limits below */
#define TUF_E_METADATA "metadata"	    /* ERR_FORMAT: not what the specification describes */
#define TUF_E_NO_TARGET "no-target"	    /* ERR_MISSING: no trusted role lists this target */
#define TUF_E_DELEGATION "delegation"	    /* a delegated role that the snapshot does not list */
#define TUF_E_HTTP "http-status"	    /* ERR_NETWORK: an answer other than the expected */
#define TUF_E_NO_ROOT "no-root"	    /* no trusted root to start from */

/* Bytes of a metadata file; a length that a referring file lists lowers the limit, and never raises it. */
#define TUF_ROOT_MAX_BYTES (512u * 1000)
#define TUF_TIMESTAMP_MAX_BYTES (16u * 1024)
#define TUF_SNAPSHOT_MAX_BYTES (2u * 1000 * 1000)
#define TUF_TARGETS_MAX_BYTES (32u * 1024 * 1024)

/* The same where the referring file lists no length; and where it lists no hash, objects and arrays in the file:
 * then nothing but a signature vouches for it, which can be looked at only after parsing. */
#define TUF_UNLISTED_MAX_BYTES (5u * 1000 * 1000)
#define TUF_UNLISTED_PARTS_MAX 16384u

#define TUF_ROOTS_MAX 1024u	   /* new roots in one refresh */
#define TUF_DELEGATIONS_MAX 32	   /* delegated roles visited in one search */
#define TUF_KEYS_MAX 1024	   /* in one file */
#define TUF_SIGNATURES_MAX 1024 /* in one file */
#define TUF_ROLES_MAX 16384	   /* delegated by one file */
#define TUF_META_MAX 65536	   /* files listed in a snapshot */
#define TUF_TARGETS_MAX 200000	   /* in one file */
#define TUF_NAME_MAX_BYTES 1024 /* of a role's or a target's name */
#define TUF_HASHES_MAX 2	   /* algorithms known: sha256, sha512 */
#define TUF_VERSION_MAX INT64_MAX

/* Positive outcomes. */
#define TUF_SAME 1  /* a timestamp of the version that is trusted already: that one stays */
#define TUF_STALE 2 /* a stored snapshot that is not the one due, kept to compare with */

#endif
