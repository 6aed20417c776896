/*
 * Partition sets A and B of the operating system's disk: which is active, what their gptprio bits say, and the
 * changes of state that an update makes, each one durable when it returns. The disk is a block device or a disk
 * image file; in a file a partition is a range, so no root and no loop device is needed.
 *
 * From: bottlerocket-os signpost (states and preconditions), GPT attribute bits as in partitions/gptcore.h.
 */
#ifndef FLIPSIDE_PARTITIONS_TABLE_H
#define FLIPSIDE_PARTITIONS_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "partitions/gptcore.h"

/* Reasons that partitions/ gives in struct err. */
#define PART_E_TABLE "partition-table"	 /* neither GPT copy is valid */
#define PART_E_SETS "partition-sets"	 /* the disk has not the partitions that two sets need */
#define PART_E_ACTIVE "active-set"	 /* which set runs cannot be told, or a write would hit it */
#define PART_E_MARKED "already-marked"	 /* the inactive set is already next to boot or was booted */
#define PART_E_NOT_VALID "not-valid"	 /* the inactive set holds no complete, verified image */
#define PART_E_UNBOOTABLE "unbootable"	 /* the change would leave nothing that may boot */
#define PART_E_SPACE "partition-size"	 /* an image does not fit its partition */
#define PART_E_VERITY "verity"		 /* data, hash tree and root hash do not agree */

enum part_set { PART_SET_A, PART_SET_B };
enum part_role { PART_BOOT, PART_ROOT, PART_HASH };
#define PART_N_SETS 2
#define PART_N_ROLES 3

const char *part_set_name(enum part_set s);   /* "A", "B" */
const char *part_role_name(enum part_role r); /* "boot", "root", "hash" */

/* Type GUIDs as on disk, the roles' not zero and all different. In entry order the first partition of a type is
 * set A's, the second set B's; there must be two of each. The private partition may be missing. */
struct part_types {
	uint8_t role[PART_N_ROLES][GPT_GUID_BYTES];
	uint8_t private_data[GPT_GUID_BYTES];
};

extern const struct part_types part_types_bottlerocket;	  /* the default */
/* Discoverable Partitions Specification, x86-64: XBOOTLDR, root, root verity; private is /var. */
extern const struct part_types part_types_discoverable;

/* "8-4-4-4-12" text of either case to the bytes on disk. */
bool part_guid_parse(const char *s, uint8_t out[GPT_GUID_BYTES]);
void part_guid_format(const uint8_t guid[GPT_GUID_BYTES], char out[37]);

enum part_active { PART_ACTIVE_AUTO, PART_ACTIVE_A, PART_ACTIVE_B };

struct part_options {
	const char *disk;	  /* block device or image file; NULL: the disk that holds the running root file system */
	enum part_active active;  /* AUTO: the set under the running root file system, by /sys */
	struct part_types types;
};

struct part_range {
	uint64_t offset_bytes, size_bytes; /* on the disk */
};

struct part_table;

/**
 * part_table_open() - read the table, find both sets, tell the active one
 * @o: borrowed for the call
 * A damaged copy of the GPT is told by a warning in the log; the other copy is used. The next write repairs it.
 * AUTO works where the disk is the one under the running root file system; an image file needs A or B.
 * Return: 0; -1: ERR_FORMAT PART_E_TABLE or PART_E_SETS, ERR_STATE PART_E_ACTIVE, ERR_USAGE for impossible types,
 * ERR_SYSTEM
 */
int part_table_open(const struct part_options *o, struct part_table **out, struct err *e);
void part_table_free(struct part_table *t);
DEFINE_CLEANUP(struct part_table, part_table_free);

const char *part_table_disk(const struct part_table *t);
enum part_set part_table_active(const struct part_table *t);
enum part_set part_table_inactive(const struct part_table *t);
struct gpt_bits part_table_bits(const struct part_table *t, enum part_set s);
struct part_range part_table_range(const struct part_table *t, enum part_set s, enum part_role r);

/* The device of a partition ("/dev/vda3"), or "DISK#3" where the disk is an image file; owned by @t. */
const char *part_table_device(const struct part_table *t, enum part_set s, enum part_role r);

/* The set that the boot selector would start now, by its own rule gpt_choose(). signpost's rule was looser: it
 * counted a successful set of priority 0 as bootable, and no boot selector ever starts that. True with *@s; false
 * if it would start none. */
bool part_table_next(const struct part_table *t, enum part_set *s);

/* True once any boot was marked successful: attribute bit 57 of the private partition. */
bool part_table_boot_ever_succeeded(const struct part_table *t);

/*
 * Changes of state. Each locks the disk, reads the table again (another process may have changed it since), looks
 * at its precondition, changes bits in memory, and commits both GPT copies durably (gpt_commit). 0 when done; -1
 * with ERR_STATE when the precondition does not hold (nothing written), ERR_BUSY when the lock cannot be had,
 * ERR_STATE PART_E_SETS when the partitions are not those of part_table_open() any more, ERR_FORMAT PART_E_TABLE,
 * or ERR_SYSTEM (state on disk: old or new, never between; open the table again). A change that would leave a
 * machine that can boot without a set that may boot is refused, ERR_STATE PART_E_UNBOOTABLE. p/t/s is
 * priority/tries left/successful. Nothing is written when nothing changes and both copies are valid and equal.
 */
int part_table_clear_inactive(struct part_table *t, struct err *e);	  /* inactive 0/0/0 */
int part_table_mark_inactive_valid(struct part_table *t, struct err *e); /* inactive t=1; the caller has verified the set */
/* Inactive 2/t/0, active p=1. Refused PART_E_MARKED unless the inactive set is p=0 and s=0, PART_E_NOT_VALID
 * unless t>0. */
int part_table_upgrade_to_inactive(struct part_table *t, struct err *e);
int part_table_cancel_upgrade(struct part_table *t, struct err *e); /* inactive p=0, t and s kept; active p=2 */
/* Inactive p=2, t and s kept; active p=1. Refused PART_E_NOT_VALID unless the inactive set is successful (also at
 * p=0, as after a cancelled upgrade), or has p>0 and t>0. A staged set that was never activated is for
 * part_table_upgrade_to_inactive(). */
int part_table_rollback_to_inactive(struct part_table *t, struct err *e);
int part_table_mark_successful_boot(struct part_table *t, struct err *e); /* active s=1, private bit 57 */
int part_table_rewrite(struct part_table *t, struct err *e);		   /* both copies from the one in force */

#endif
