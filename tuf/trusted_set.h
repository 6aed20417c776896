/* The inside of a trusted set: between trusted.c (root, timestamp, snapshot) and trusted_targets.c (targets and
 * delegated roles). */
#ifndef FLIPSIDE_TUF_TRUSTED_SET_H
#define FLIPSIDE_TUF_TRUSTED_SET_H

#include "tuf/trusted.h"

#define TUF_FILE_NAME_BYTES (TUF_NAME_MAX_BYTES + sizeof(".json"))

struct tuf_delegated {
	const struct tuf_targets *from;
	char *name;
	struct tuf_targets *role;
};

struct tuf_trusted {
	int64_t now_sec;
	enum tuf_expiry expiry;
	struct tuf_root *first; /* NULL while it is still @root */
	struct tuf_root *root;
	bool roots_done;
	struct tuf_timestamp *timestamp;
	bool timestamp_final;
	struct tuf_snapshot *snapshot;
	bool snapshot_final;
	struct tuf_targets *targets;
	bool relying; /* on @known, while @targets is NULL */
	struct tuf_known_targets known;
	size_t n_delegated, cap_delegated;
	struct tuf_delegated *delegated; /* ascending by @from, then @name */
};

/* Every check says in *e which file broke which rule. Return: 0; -1 */
int tuf_out_of_order(struct err *e, const char *what); /* always -1, ERR_BUG */
int tuf_check_expiry(const struct tuf_trusted *t, const struct tuf_head *h, const char *file, struct err *e);
int tuf_check_version(const struct tuf_head *h, uint64_t due, const char *file, struct err *e);

/* The raw bytes against what the referring file lists of them: length and every hash known. */
int tuf_check_listed(const struct tuf_meta *m, struct bytes in, const char *file, struct err *e);

/* Has @in the length and sha256 that are relied on? */
bool tuf_is_known(const struct tuf_trusted *t, struct bytes in);

/* The top-level targets from bytes that are known: signatures were verified before, and version and expiry must
 * be those relied on. */
int tuf_read_known_targets(const struct tuf_trusted *t, struct bytes in, struct tuf_targets **out, struct err *e);

/* What the snapshot says of a role's file, whose name is written to @file; NULL with *e filled if it does not list it. */
const struct tuf_meta *tuf_find_listed(const struct tuf_trusted *t, const char *role, char file[TUF_FILE_NAME_BYTES],
				       struct err *e);

#endif
