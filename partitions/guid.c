/*
 * Type GUIDs: their text form and the presets. In text the first three groups are big-endian numbers, on disk
 * little-endian (UEFI 2.10 appendix A), so their bytes are reversed; the last two groups stand as they are.
 */
#include <stdio.h>

#include "base/bytes.h"
#include "partitions/table.h"

/* Where the pairs of digits of the text go, and where each begins in "8-4-4-4-12". */
static const uint8_t byte_at[GPT_GUID_BYTES] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
static const uint8_t text_at[GPT_GUID_BYTES] = { 0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34 };
#define GUID_TEXT_BYTES 36

/* bottlerocket-os: boot 6b636168-..., root 5526016a-..., hash 598f10af-..., private 440408bb-... */
const struct part_types part_types_bottlerocket = {
	.role = {
		[PART_BOOT] = { 0x68, 0x61, 0x63, 0x6b, 0x20, 0x74, 0x68, 0x65, 0x20, 0x70, 0x6c, 0x61, 0x6e, 0x65, 0x74, 0x21 },
		[PART_ROOT] = { 0x6a, 0x01, 0x26, 0x55, 0x97, 0x1a, 0xa4, 0x4e, 0xb3, 0x9a, 0xb7, 0xc8, 0xc6, 0xca, 0x45, 0x02 },
		[PART_HASH] = { 0xaf, 0x10, 0x8f, 0x59, 0x55, 0xc9, 0x56, 0x44, 0x6a, 0x99, 0x77, 0x20, 0x06, 0x8a, 0x6c, 0xea },
	},
	.private_data = { 0xbb, 0x08, 0x04, 0x44, 0x0b, 0xeb, 0x28, 0x43, 0xa6, 0xe5, 0xa2, 0x90, 0x38, 0xfa, 0xd7, 0x06 },
};

/* Discoverable Partitions Specification: XBOOTLDR bc13c2ff-..., root x86-64 4f68bce3-..., its verity
 * 2c7357ed-..., /var 4d21b016-... */
const struct part_types part_types_discoverable = {
	.role = {
		[PART_BOOT] = { 0xff, 0xc2, 0x13, 0xbc, 0xe6, 0x59, 0x62, 0x42, 0xa3, 0x52, 0xb2, 0x75, 0xfd, 0x6f, 0x71, 0x72 },
		[PART_ROOT] = { 0xe3, 0xbc, 0x68, 0x4f, 0xcd, 0xe8, 0xb1, 0x4d, 0x96, 0xe7, 0xfb, 0xca, 0xf9, 0x84, 0xb7, 0x09 },
		[PART_HASH] = { 0xed, 0x57, 0x73, 0x2c, 0xd2, 0xeb, 0xd9, 0x46, 0xae, 0xc1, 0x23, 0xd4, 0x37, 0xec, 0x2b, 0xf5 },
	},
	.private_data = { 0x16, 0xb0, 0x21, 0x4d, 0x34, 0xb5, 0xc2, 0x45, 0xa9, 0xfb, 0x5c, 0x16, 0xe0, 0x91, 0xfd, 0x2d },
};

bool part_guid_parse(const char *s, uint8_t out[GPT_GUID_BYTES])
{
	uint8_t guid[GPT_GUID_BYTES];

	for (size_t i = 0; i < GUID_TEXT_BYTES; i++) {
		const bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (s[i] == '\0' || (s[i] == '-') != dash)
			return false;
	}
	if (s[GUID_TEXT_BYTES] != '\0')
		return false;
	for (size_t i = 0; i < GPT_GUID_BYTES; i++)
		if (!hex_decode(s + text_at[i], 2, &guid[byte_at[i]], 1))
			return false;
	for (size_t i = 0; i < GPT_GUID_BYTES; i++)
		out[i] = guid[i];
	return true;
}

void part_guid_format(const uint8_t guid[GPT_GUID_BYTES], char out[37])
{
	const uint8_t *g = guid;

	(void)snprintf(out, GUID_TEXT_BYTES + 1, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[3], g[2],
		       g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}
