/* Names as Bottlerocket's build makes them, without the build id, and with the real compression in the suffix. */
#include "tools/repo_names.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "tools/pack.h"

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
	       c == '+' || c == '-';
}

int repo_word_check(const char *what, const char *s, size_t max, struct err *e)
{
	const size_t n = strlen(s);

	if (n == 0)
		return err_set(e, ERR_USAGE, REPO_E_NAME, "%s: empty", what);
	if (n > max)
		return err_set(e, ERR_USAGE, REPO_E_NAME, "%s '%.40s...': longer than %zu bytes", what, s, max);
	if (s[0] == '.' || s[0] == '-')
		return err_set(e, ERR_USAGE, REPO_E_NAME, "%s '%s': begins with '%c'", what, s, s[0]);
	for (size_t i = 0; i < n; i++)
		if (!is_word_char(s[i]))
			return err_set(e, ERR_USAGE, REPO_E_NAME, "%s '%s': only letters, digits and '._+-'", what, s);
	return 0;
}

/* ext4: fs/ext4/ext4.h s_magic; erofs: fs/erofs/erofs_fs.h; squashfs: 4.0 superblock; FAT: BS_FilSysType of
 * FAT12/16 and FAT32 */
static const struct {
	const char *name;
	size_t offset, n;
	const char *magic;
} file_systems[] = {
	{ "ext4", 1024 + 56, 2, "\x53\xef" }, { "erofs", 1024, 4, "\xe2\xe1\xf5\xe0" }, { "squashfs", 0, 4, "hsqs" },
	{ "vfat", 82, 5, "FAT32" },	      { "vfat", 54, 4, "FAT1" },
};

const char *repo_fs_name(struct bytes head)
{
	for (size_t i = 0; i < ARRAY_LEN(file_systems); i++)
		if (head.n >= file_systems[i].offset + file_systems[i].n &&
		    memcmp(head.p + file_systems[i].offset, file_systems[i].magic, file_systems[i].n) == 0)
			return file_systems[i].name;
	return "img";
}

/* @n is what snprintf returned for a target name. */
static int name_made(int n, const char *out, struct err *e)
{
	if (n < 0 || n > REPO_TARGET_MAX_BYTES)
		return err_set(e, ERR_USAGE, REPO_E_NAME, "target name '%.40s...': longer than %d bytes", out,
			       REPO_TARGET_MAX_BYTES);
	return 0;
}

int repo_image_target(const struct repo_image_name *n, char out[REPO_TARGET_BYTES], struct err *e)
{
	if (repo_word_check("product name", n->product, REPO_WORD_MAX_BYTES, e) < 0 ||
	    repo_word_check("variant", n->variant, REPO_WORD_MAX_BYTES, e) < 0 ||
	    repo_word_check("architecture", n->arch, REPO_WORD_MAX_BYTES, e) < 0)
		return -1;
	return name_made(snprintf(out, REPO_TARGET_BYTES, "%s-%s-%s-%s-%s.%s%s", n->product, n->variant, n->arch,
				  n->version->text, n->role == PART_BOOT ? "boot" : "root",
				  n->role == PART_HASH ? "verity" : n->fs, pack_suffix(n->format)),
			 out, e);
}

const char *repo_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

int repo_migration_target(const struct version *to, const char *file, char out[REPO_TARGET_BYTES], struct err *e)
{
	const char *name = repo_base_name(file);

	if (repo_word_check("migration", name, REPO_TARGET_MAX_BYTES, e) < 0)
		return -1;
	return name_made(snprintf(out, REPO_TARGET_BYTES, "migrate_v%s_%s.lz4", to->text, name), out, e);
}
