/* Makes disk images in Bottlerocket's layout with libfdisk, for tests and demos: the other implementation that
 * the GPT core is held against. */
#ifndef FLIPSIDE_TEST_FIXTURES_MKDISK_H
#define FLIPSIDE_TEST_FIXTURES_MKDISK_H

#include <stdint.h>

#include "base/err.h"

/* Sizes in MiB; 0 leaves that partition out (only esp and private). */
struct mkdisk_params {
	uint32_t sector_bytes; /* 512 or 4096 */
	uint64_t esp_mib, boot_mib, root_mib, hash_mib, private_mib;
	uint64_t root_b_mib; /* 0: as root_mib */
	uint64_t attributes_a, attributes_b, attributes_private;
};

/* 512-byte sectors; ESP 4, boot 4, root 16, hash 1, private 4; set A at 1/0/1, set B at 0/0/0. */
struct mkdisk_params mkdisk_params_default(void);

/**
 * mkdisk() - a sparse image file with a protective MBR and a GPT
 * @path: made, or replaced
 * Entries in order: ESP, then boot, root, hash of A, the same of B, private; each aligned to 1 MiB, with 1 MiB
 * free at both ends. All GUIDs are fixed, so the same parameters give the same bytes.
 * Return: 0; -1: ERR_SYSTEM, ERR_USAGE for a sector size or a size of 0
 */
int mkdisk(const char *path, const struct mkdisk_params *p, struct err *e);

#endif
