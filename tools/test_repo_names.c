/* Names of targets and words in them: charset, every limit, and the file system told by its magic. */
#include "tools/repo_names.h"

#include <string.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"

static void test_words(void **state)
{
	static const struct {
		const char *s;
		size_t max;
		int ret;
	} cases[] = {
		{ "metal", 63, 0 },   { "x86_64", 63, 0 }, { "a.b-c+d_E9", 63, 0 }, { "", 63, -1 },	 { ".a", 63, -1 },
		{ "-a", 63, -1 },     { "a/b", 63, -1 },   { "a b", 63, -1 },	   { "a\nb", 63, -1 }, { "\xc3\xa9", 63, -1 },
		{ "..", 63, -1 },     { "abc", 2, -1 },	   { "abc", 3, 0 },	   { "abc", 4, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { .kind = ERR_NONE };

		assert_case(cases[i].s, repo_word_check("word", cases[i].s, cases[i].max, &e) == cases[i].ret);
		assert_case(cases[i].s, cases[i].ret == 0 || (e.kind == ERR_USAGE && strcmp(e.reason, REPO_E_NAME) == 0));
	}
}

static void test_file_systems(void **state)
{
	static const struct {
		const char *name;
		size_t offset;
		const char *magic;
		size_t n;
	} cases[] = {
		{ "ext4", 1080, "\x53\xef", 2 }, { "erofs", 1024, "\xe2\xe1\xf5\xe0", 4 }, { "squashfs", 0, "hsqs", 4 },
		{ "vfat", 82, "FAT32   ", 8 },	 { "vfat", 54, "FAT16   ", 8 },		   { "img", 0, "zzzz", 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t head[REPO_FS_HEAD_BYTES] = { 0 };
		const size_t end = cases[i].offset + cases[i].n;

		memcpy(head + cases[i].offset, cases[i].magic, cases[i].n);
		assert_case(cases[i].name, strcmp(repo_fs_name(bytes_of(head, sizeof(head))), cases[i].name) == 0);
		/* Cut before the magic ends, nothing is known (FAT needs only the first 4 or 5 of its 8 bytes). */
		assert_case(cases[i].name, strcmp(repo_fs_name(bytes_of(head, end - cases[i].n)), "img") == 0);
	}
	assert_string_equal(repo_fs_name(bytes_of(NULL, 0)), "img");
}

static void test_image_targets(void **state)
{
	static const struct {
		enum part_role role;
		enum unpack_format format;
		const char *want;
	} cases[] = {
		{ PART_ROOT, UNPACK_ZSTD, "demo-metal-x86_64-1.4.2-root.erofs.zst" },
		{ PART_BOOT, UNPACK_LZ4, "demo-metal-x86_64-1.4.2-boot.erofs.lz4" },
		{ PART_HASH, UNPACK_XZ, "demo-metal-x86_64-1.4.2-root.verity.xz" },
		{ PART_ROOT, UNPACK_NONE, "demo-metal-x86_64-1.4.2-root.erofs" },
		{ PART_ROOT, UNPACK_GZIP, "demo-metal-x86_64-1.4.2-root.erofs.gz" },
	};
	const struct version v = { .text = "1.4.2" };
	char out[REPO_TARGET_BYTES];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct repo_image_name n = { "demo", "metal", "x86_64", &v, cases[i].role, "erofs", cases[i].format };

		assert_case(cases[i].want, repo_image_target(&n, out, &e) == 0);
		assert_case(cases[i].want, strcmp(out, cases[i].want) == 0);
	}
}

/* Words of the greatest length do not fit into one name: 3 * 63 is more than a target name holds. */
static void test_image_target_limits(void **state)
{
	char word[REPO_WORD_BYTES + 1];
	const struct version v = { .text = "1.0.0" };
	char out[REPO_TARGET_BYTES];
	struct err e = { .kind = ERR_NONE };

	(void)state;
	memset(word, 'a', sizeof(word));
	word[REPO_WORD_MAX_BYTES] = '\0';
	struct repo_image_name n = { "demo", word, "x86_64", &v, PART_ROOT, "ext4", UNPACK_ZSTD };

	assert_int_equal(repo_image_target(&n, out, &e), 0);
	n.product = n.arch = word;
	assert_int_equal(repo_image_target(&n, out, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	word[REPO_WORD_MAX_BYTES] = 'a';
	word[REPO_WORD_MAX_BYTES + 1] = '\0';
	n.product = n.arch = "a";
	assert_int_equal(repo_image_target(&n, out, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	n.variant = "a/b";
	assert_int_equal(repo_image_target(&n, out, &e), -1);
}

static void test_migration_targets(void **state)
{
	const struct version v = { .text = "1.4.2" };
	char name[REPO_TARGET_BYTES + 1], out[REPO_TARGET_BYTES];
	struct err e;

	(void)state;
	assert_int_equal(repo_migration_target(&v, "build/add-ntp-options", out, &e), 0);
	assert_string_equal(out, "migrate_v1.4.2_add-ntp-options.lz4");
	assert_int_equal(repo_migration_target(&v, "build/", out, &e), -1);
	assert_int_equal(repo_migration_target(&v, "a b", out, &e), -1);
	const size_t frame = strlen("migrate_v1.4.2_.lz4");

	for (size_t n = REPO_TARGET_MAX_BYTES - frame - 1; n <= REPO_TARGET_MAX_BYTES - frame + 1; n++) {
		memset(name, 'm', n);
		name[n] = '\0';
		assert_int_equal(repo_migration_target(&v, name, out, &e), n + frame <= REPO_TARGET_MAX_BYTES ? 0 : -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),		     cmocka_unit_test(test_file_systems),
		cmocka_unit_test(test_image_targets),	     cmocka_unit_test(test_image_target_limits),
		cmocka_unit_test(test_migration_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
