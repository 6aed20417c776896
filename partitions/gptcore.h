/*
 * The GPT core: reads and checks both copies of a partition table, chooses by gptprio, changes attribute bits,
 * and commits in the order that survives a power cut. Freestanding C: no libc, no allocation, no I/O of its own;
 * reading, writing and flushing are handed in. The boot selector, partitions/ and the tests compile this same
 * file, and it alone writes a live table.
 *
 * From: UEFI 2.10 section 5.3 (GPT), ChromeOS/CoreOS gptprio (attribute bits 48 to 56) as Bottlerocket uses it.
 */
#ifndef FLIPSIDE_PARTITIONS_GPTCORE_H
#define FLIPSIDE_PARTITIONS_GPTCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GPT_SECTOR_MAX_BYTES 4096
#define GPT_ENTRIES_MAX_BYTES (64 * 1024) /* the entry array of one copy; 16 KiB is the standard's minimum and the rule */
#define GPT_GUID_BYTES 16
#define GPT_NAME_UNITS 36 /* UTF-16LE */

/* The disk as the core sees it: whole sectors only. Each function returns 0 or a negative number of its own,
 * handed on as GPT_EIO. */
struct gpt_io {
	void *ctx;
	uint32_t sector_bytes; /* 512 or 4096 */
	uint64_t n_sectors;
	int (*read)(void *ctx, uint64_t lba, uint32_t n, void *dst);
	int (*write)(void *ctx, uint64_t lba, uint32_t n, const void *src);
	int (*flush)(void *ctx); /* all earlier writes are on stable storage on return */
};

enum gpt_status {
	GPT_OK = 0,
	GPT_EIO = -1,	    /* a callback failed */
	GPT_ENOTABLE = -2,  /* neither copy is valid */
	GPT_ENOBOOT = -3,   /* no entry may boot */
	GPT_ERANGE = -4,    /* no such entry, or a number out of range */
};

/* What was wrong with one copy; GPT_COPY_OK is 0. */
enum gpt_copy {
	GPT_COPY_OK,
	GPT_COPY_UNREADABLE,
	GPT_COPY_NO_SIGNATURE,
	GPT_COPY_BAD_HEADER,  /* size, revision, own LBA, positions, counts out of bounds */
	GPT_COPY_BAD_HEADER_CRC,
	GPT_COPY_BAD_ENTRIES_CRC,
	GPT_COPY_BAD_ENTRIES, /* an entry outside the usable range, reversed, or overlapping another */
};

const char *gpt_copy_text(enum gpt_copy c); /* "header CRC", ... for messages */

/* A loaded table: both copies looked at, one in force. Some 72 KiB: not for small stacks. */
struct gpt {
	const struct gpt_io *io; /* borrowed; must outlive the table */
	bool loaded;		 /* false before a load that succeeded and after a commit that failed: nothing is written then */
	enum gpt_copy primary, backup;
	bool from_backup;  /* the backup is in force, because the primary is invalid */
	bool copies_equal; /* both valid and say the same */
	uint8_t header[GPT_SECTOR_MAX_BYTES]; /* of the copy in force, as loaded; a commit makes its own from it */
	uint32_t n_entries, entry_bytes;
	uint64_t primary_entries_lba, backup_lba, backup_entries_lba;
	uint8_t entries[GPT_ENTRIES_MAX_BYTES];
	bool dirty; /* entries changed since load or commit; set it to have both copies written anyway */
	uint8_t scratch[GPT_SECTOR_MAX_BYTES];
};

struct gpt_bits {
	uint8_t priority;   /* 0..15; 0 never boots */
	uint8_t tries_left; /* 0..15 */
	bool successful;
};

struct gpt_entry {
	uint8_t type[GPT_GUID_BYTES], unique[GPT_GUID_BYTES]; /* as on disk: first three groups little-endian */
	uint64_t first_lba, last_lba;			       /* inclusive */
	uint64_t attributes;
	uint16_t name[GPT_NAME_UNITS];
};

/**
 * gpt_load() - read both copies, check each, put one in force
 * The primary if it is valid, else the backup (UEFI 5.3.2). A copy is valid when signature, revision, header size
 * 92, own LBA, CRC, positions, entry size 128 * 2^n, entry count, entries CRC and every used entry's bounds
 * (inside the usable range, first <= last, no overlap) hold. The backup is looked for where a valid primary
 * header says (a disk may have grown), else at the last sector. @g: any content; on failure only primary, backup
 * and loaded mean something.
 * Return: GPT_OK; GPT_EIO when neither copy could be read; GPT_ENOTABLE; GPT_ERANGE for an @io of impossible
 * sector size
 */
int gpt_load(struct gpt *g, const struct gpt_io *io);

/* Entry @i, 0-based. GPT_ERANGE beyond n_entries. An unused entry has an all-zero type. */
int gpt_entry(const struct gpt *g, uint32_t i, struct gpt_entry *out);

/* True if entry @i exists, is used, and is of @type. */
bool gpt_entry_is(const struct gpt *g, uint32_t i, const uint8_t type[GPT_GUID_BYTES]);

struct gpt_bits gpt_bits_of(uint64_t attributes);
uint64_t gpt_bits_into(uint64_t attributes, struct gpt_bits bits); /* all other bits are kept */

/* Sets an entry's attributes in memory; gpt_commit() makes it count. */
int gpt_set_attributes(struct gpt *g, uint32_t i, uint64_t attributes);

/**
 * gpt_choose() - the boot rule: of the entries of @type that may boot, the highest priority, the lowest entry
 * number on a tie
 * May boot: priority above 0, and tries left above 0 or successful. Pure. Return: GPT_OK with *@i; GPT_ENOBOOT
 */
int gpt_choose(const struct gpt *g, const uint8_t type[GPT_GUID_BYTES], uint32_t *i);

/* One try less for the chosen entry, in memory, if it has any: also when it is successful, as GRUB does. True: changed. */
bool gpt_count_down(struct gpt *g, uint32_t i);

/**
 * gpt_commit() - make both copies say what is in memory
 * The copy that is not in force is written first: entries, flush, header, flush; then the one in force likewise.
 * So at every instant one valid copy is whole, and it says the old state or the new; the table in gptcore.c has
 * each cut. With a valid primary this is the order backup, primary; with an invalid primary, primary, backup.
 * Writes when dirty, or when the copies differ or one is invalid (repair); otherwise nothing.
 * Return: GPT_OK; GPT_EIO at the first failure, or if nothing is loaded: nothing more is written, and the table
 * must be loaded again
 */
int gpt_commit(struct gpt *g);

#endif
