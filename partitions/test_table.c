/* Sets and their states on disk images that libfdisk made. After each change sgdisk, which shares no code with
 * us, must find no problem and read back the same attributes. */
#include "test-fixtures/harness/case.h"

#include <errno.h>
#include <fcntl.h>
#include <libfdisk/libfdisk.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/num.h"
#include "partitions/table.h"
#include "partitions/table_internal.h"
#include "test-fixtures/harness/scratch.h"
#include "test-fixtures/mkdisk.h"

#define N_BOOT_A 2 /* partition numbers on the images of mkdisk */
#define N_BOOT_B 5
#define N_PRIVATE 8
#define BITS_MASK UINT64_C(0x01ff000000000000)

static struct scratch scratch;

static const char *image(void)
{
	return scratch_path(&scratch, "disk.img");
}

static uint64_t bits_of(unsigned priority, unsigned tries, bool successful)
{
	return (uint64_t)priority << 48 | (uint64_t)tries << 52 | (uint64_t)successful << 56;
}

static void make_image(const struct mkdisk_params *p)
{
	struct err e;

	if (mkdisk(image(), p, &e) < 0)
		fail_msg("%s", e.msg);
}

static struct part_table *open_as(enum part_active active)
{
	const struct part_options o = { .disk = image(), .active = active, .types = part_types_bottlerocket };
	struct part_table *t = NULL;
	struct err e;

	if (part_table_open(&o, &t, &e) < 0)
		fail_msg("%s", e.msg);
	return t;
}

/* Runs sgdisk with its output in @out. Return: its exit code */
static int sgdisk(const char *const *args, char *out, size_t out_bytes)
{
	const char *argv[8] = { "sgdisk" };
	posix_spawn_file_actions_t actions;
	int pipe_fd[2], status;
	size_t n = 0;
	ssize_t k;
	pid_t pid;

	for (size_t i = 0; args[i]; i++)
		argv[i + 1] = args[i];
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], 1), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, pipe_fd[1], 2), 0);
	if (posix_spawnp(&pid, "sgdisk", &actions, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
		fail_msg("sgdisk (package gdisk) cannot be started");
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(pipe_fd[1]);
	while (n < out_bytes - 1 && (k = read(pipe_fd[0], out + n, out_bytes - 1 - n)) > 0)
		n += (size_t)k;
	out[n] = '\0';
	(void)close(pipe_fd[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void check_verify(const char *name)
{
	const char *const args[] = { "--verify", image(), NULL };
	char out[4096];

	if (sgdisk(args, out, sizeof(out)) != 0 || !strstr(out, "No problems found"))
		fail_msg("%s: sgdisk --verify: %s", name, out);
}

static uint64_t attributes_by_sgdisk(unsigned number)
{
	static const char label[] = "Attribute flags: ";
	char text[16], out[4096];
	const char *const args[] = { "-i", text, image(), NULL };
	const char *at;

	(void)snprintf(text, sizeof(text), "%u", number);
	assert_int_equal(sgdisk(args, out, sizeof(out)), 0);
	at = strstr(out, label);
	assert_non_null(at);
	return strtoull(at + sizeof(label) - 1, NULL, 16);
}

/* Attributes as libfdisk reads them: sgdisk knows no image files with sectors of 4096 bytes. */
static uint64_t attributes_by_fdisk(uint32_t sector_bytes, size_t number)
{
	struct fdisk_context *c = fdisk_new_context();
	uint64_t v = 0;

	assert_non_null(c);
	assert_int_equal(fdisk_save_user_sector_size(c, sector_bytes, sector_bytes), 0);
	assert_int_equal(fdisk_assign_device(c, image(), 1), 0);
	assert_true(fdisk_has_label(c));
	assert_int_equal(fdisk_verify_disklabel(c), 0);
	assert_int_equal(fdisk_gpt_get_partition_attrs(c, number - 1, &v), 0);
	(void)fdisk_deassign_device(c, 1);
	fdisk_unref_context(c);
	return v;
}

typedef int (*op_fn)(struct part_table *t, struct err *e);

#define A_1_0_1 { 1, 0, true }
#define SAME { 99, 0, false } /* as before */

static const struct {
	const char *name;
	op_fn op;
	enum part_active active;
	struct gpt_bits a, b;
	const char *refused; /* reason, or NULL */
	struct gpt_bits new_a, new_b;
	int next; /* set, or -1 */
} rows[] = {
	/* The life of an update, facts of all states. */
	{ "clear a fresh B", part_table_clear_inactive, PART_ACTIVE_A, A_1_0_1, { 0, 0, false }, NULL, SAME, SAME, PART_SET_A },
	{ "staged", part_table_mark_inactive_valid, PART_ACTIVE_A, A_1_0_1, { 0, 0, false }, NULL, SAME, { 0, 1, false }, PART_SET_A },
	{ "activated", part_table_upgrade_to_inactive, PART_ACTIVE_A, A_1_0_1, { 0, 1, false }, NULL, SAME, { 2, 1, false }, PART_SET_B },
	{ "B confirmed", part_table_mark_successful_boot, PART_ACTIVE_B, A_1_0_1, { 2, 0, false }, NULL, SAME, { 2, 0, true }, PART_SET_B },
	{ "B failed, cleared for the next", part_table_clear_inactive, PART_ACTIVE_A, A_1_0_1, { 2, 0, false }, NULL, SAME, { 0, 0, false }, PART_SET_A },
	{ "activated, then cancelled", part_table_cancel_upgrade, PART_ACTIVE_A, A_1_0_1, { 2, 1, false }, NULL, { 2, 0, true }, { 0, 1, false }, PART_SET_A },
	{ "cancelled, then activated again", part_table_upgrade_to_inactive, PART_ACTIVE_A, { 2, 0, true }, { 0, 1, false }, NULL, A_1_0_1, { 2, 1, false }, PART_SET_B },
	{ "next update from B: clear A", part_table_clear_inactive, PART_ACTIVE_B, A_1_0_1, { 2, 0, true }, NULL, { 0, 0, false }, SAME, PART_SET_B },
	{ "next update from B: stage A", part_table_mark_inactive_valid, PART_ACTIVE_B, { 0, 0, false }, { 2, 0, true }, NULL, { 0, 1, false }, SAME, PART_SET_B },
	{ "next update from B: activate A", part_table_upgrade_to_inactive, PART_ACTIVE_B, { 0, 1, false }, { 2, 0, true }, NULL, { 2, 1, false }, { 1, 0, true }, PART_SET_A },
	/* Preconditions and odd states. */
	{ "upgrade of nothing", part_table_upgrade_to_inactive, PART_ACTIVE_A, A_1_0_1, { 0, 0, false }, PART_E_NOT_VALID, SAME, SAME, PART_SET_A },
	{ "upgrade twice", part_table_upgrade_to_inactive, PART_ACTIVE_A, A_1_0_1, { 2, 1, false }, PART_E_MARKED, SAME, SAME, PART_SET_B },
	{ "upgrade to a set that was tried", part_table_upgrade_to_inactive, PART_ACTIVE_A, A_1_0_1, { 2, 0, false }, PART_E_MARKED, SAME, SAME, PART_SET_A },
	{ "upgrade to an old good set", part_table_upgrade_to_inactive, PART_ACTIVE_B, { 0, 1, true }, { 2, 0, true }, PART_E_MARKED, SAME, SAME, PART_SET_B },
	{ "cancel at any time", part_table_cancel_upgrade, PART_ACTIVE_A, A_1_0_1, { 0, 0, false }, NULL, { 2, 0, true }, SAME, PART_SET_A },
	{ "cancel keeps the old set's success", part_table_cancel_upgrade, PART_ACTIVE_B, A_1_0_1, { 2, 0, true }, NULL, { 0, 0, true }, SAME, PART_SET_B },
	{ "roll back to the old set", part_table_rollback_to_inactive, PART_ACTIVE_B, A_1_0_1, { 2, 0, true }, NULL, { 2, 0, true }, { 1, 0, true }, PART_SET_A },
	{ "roll back after a cancel", part_table_rollback_to_inactive, PART_ACTIVE_B, { 0, 0, true }, { 2, 0, true }, NULL, { 2, 0, true }, { 1, 0, true }, PART_SET_A },
	{ "roll back to a set with a try", part_table_rollback_to_inactive, PART_ACTIVE_A, A_1_0_1, { 1, 3, false }, NULL, SAME, { 2, 3, false }, PART_SET_B },
	{ "roll back to one that failed", part_table_rollback_to_inactive, PART_ACTIVE_A, A_1_0_1, { 2, 0, false }, PART_E_NOT_VALID, SAME, SAME, PART_SET_A },
	{ "roll back to one only staged", part_table_rollback_to_inactive, PART_ACTIVE_A, A_1_0_1, { 0, 1, false }, PART_E_NOT_VALID, SAME, SAME, PART_SET_A },
	{ "roll back to nothing", part_table_rollback_to_inactive, PART_ACTIVE_A, A_1_0_1, { 0, 0, false }, PART_E_NOT_VALID, SAME, SAME, PART_SET_A },
	{ "success keeps priority and tries", part_table_mark_successful_boot, PART_ACTIVE_A, { 7, 9, false }, { 0, 0, false }, NULL, { 7, 9, true }, SAME, PART_SET_A },
	{ "staging keeps the rest", part_table_mark_inactive_valid, PART_ACTIVE_A, A_1_0_1, { 3, 15, true }, NULL, SAME, { 3, 1, true }, PART_SET_B },
	{ "clearing the only set that boots", part_table_clear_inactive, PART_ACTIVE_A, { 0, 5, true }, { 15, 15, true }, PART_E_UNBOOTABLE, SAME, SAME, PART_SET_B },
	{ "clearing the fallback during a trial", part_table_clear_inactive, PART_ACTIVE_B, A_1_0_1, { 2, 0, false }, PART_E_UNBOOTABLE, SAME, SAME, PART_SET_A },
	{ "cancelling during a trial", part_table_cancel_upgrade, PART_ACTIVE_B, A_1_0_1, { 2, 0, false }, PART_E_UNBOOTABLE, SAME, SAME, PART_SET_A },
	{ "nothing boots, nothing to lose", part_table_clear_inactive, PART_ACTIVE_A, { 0, 5, true }, { 0, 15, true }, NULL, SAME, { 0, 0, false }, -1 },
	{ "a tie is A's", part_table_rewrite, PART_ACTIVE_B, { 2, 0, true }, { 2, 0, true }, NULL, SAME, SAME, PART_SET_A },
	{ "rewrite", part_table_rewrite, PART_ACTIVE_A, A_1_0_1, { 2, 1, false }, NULL, SAME, SAME, PART_SET_B },
};

static uint64_t expected(struct gpt_bits new_bits, struct gpt_bits before)
{
	const struct gpt_bits b = new_bits.priority == 99 ? before : new_bits;

	return bits_of(b.priority, b.tries_left, b.successful);
}

static uint64_t table_bits(const struct part_table *t, enum part_set s)
{
	const struct gpt_bits b = part_table_bits(t, s);

	return bits_of(b.priority, b.tries_left, b.successful);
}

static void check_table(size_t i, const struct part_table *t, uint64_t a, uint64_t b)
{
	enum part_set next = PART_SET_A;
	const bool any = part_table_next(t, &next);

	assert_case(rows[i].name, table_bits(t, PART_SET_A) == a);
	assert_case(rows[i].name, table_bits(t, PART_SET_B) == b);
	assert_case(rows[i].name, any == (rows[i].next >= 0));
	assert_case(rows[i].name, !any || (int)next == rows[i].next);
}

static void check_row(size_t i, uint32_t sector_bytes, uint64_t others)
{
	const uint64_t a = expected(rows[i].new_a, rows[i].a), b = expected(rows[i].new_b, rows[i].b);
	struct mkdisk_params p = mkdisk_params_default();
	CLEANUP(part_table_free_p) struct part_table *t = NULL;
	CLEANUP(part_table_free_p) struct part_table *again = NULL;
	struct err e = { 0 };
	int r;

	/* Bits that are not ours are to stay. */
	p.attributes_a = expected(rows[i].a, rows[i].a) | others;
	p.attributes_b = expected(rows[i].b, rows[i].b) | others;
	p.attributes_private = 4;
	p.sector_bytes = sector_bytes;
	make_image(&p);
	t = open_as(rows[i].active);
	r = rows[i].op(t, &e);
	if (r != (rows[i].refused ? -1 : 0))
		fail_msg("%s: %s", rows[i].name, r < 0 ? e.msg : "was not refused");
	if (rows[i].refused) {
		assert_case(rows[i].name, e.kind == ERR_STATE);
		assert_case(rows[i].name, strcmp(e.reason, rows[i].refused) == 0);
	}
	check_table(i, t, a, b);
	again = open_as(rows[i].active);
	check_table(i, again, a, b);
	if (sector_bytes == 512) {
		check_verify(rows[i].name);
		assert_case(rows[i].name, attributes_by_sgdisk(N_BOOT_A) == (a | others));
		assert_case(rows[i].name, attributes_by_sgdisk(N_BOOT_B) == (b | others));
	} else {
		assert_case(rows[i].name, attributes_by_fdisk(4096, N_BOOT_A) == (a | others));
		assert_case(rows[i].name, attributes_by_fdisk(4096, N_BOOT_B) == (b | others));
	}
}

static void test_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i, 512, i % 2 ? UINT64_C(0xfc0000000000000f) : 0);
}

static void test_states_4096(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_row(i, 4096, 0);
}

static void test_what_it_is(void **state)
{
	struct mkdisk_params p = mkdisk_params_default();
	CLEANUP(part_table_free_p) struct part_table *t = NULL;
	struct part_range range;
	char name[SCRATCH_PATH_BYTES + 8];

	(void)state;
	p.root_b_mib = 20;
	make_image(&p);
	t = open_as(PART_ACTIVE_B);
	assert_string_equal(part_table_disk(t), image());
	assert_int_equal(part_table_active(t), PART_SET_B);
	assert_int_equal(part_table_inactive(t), PART_SET_A);
	assert_string_equal(part_set_name(PART_SET_A), "A");
	assert_string_equal(part_role_name(PART_HASH), "hash");
	(void)snprintf(name, sizeof(name), "%s#7", image());
	assert_string_equal(part_table_device(t, PART_SET_B, PART_HASH), name);
	/* ESP 1..5 MiB, boot A 5..9, root A 9..25, hash A 25..26, boot B 26..30, root B 30..50 */
	range = part_table_range(t, PART_SET_A, PART_BOOT);
	assert_true(range.offset_bytes == 5u << 20 && range.size_bytes == 4u << 20);
	range = part_table_range(t, PART_SET_A, PART_ROOT);
	assert_true(range.offset_bytes == 9u << 20 && range.size_bytes == 16u << 20);
	range = part_table_range(t, PART_SET_B, PART_ROOT);
	assert_true(range.offset_bytes == 30u << 20 && range.size_bytes == 20u << 20);
}

static void test_private(void **state)
{
	struct mkdisk_params p = mkdisk_params_default();

	(void)state;
	for (int with = 0; with < 2; with++) {
		struct part_table *t;
		struct err e;

		p.private_mib = with ? 4 : 0;
		p.attributes_private = 1;
		make_image(&p);
		t = open_as(PART_ACTIVE_A);
		assert_false(part_table_boot_ever_succeeded(t));
		assert_int_equal(part_table_mark_successful_boot(t, &e), 0);
		assert_int_equal(part_table_boot_ever_succeeded(t), with);
		part_table_free(t);
		if (with)
			assert_true(attributes_by_sgdisk(N_PRIVATE) == (UINT64_C(0x0200000000000000) | 1));
	}
}

/* Writes @n bytes of @v at @offset (from the end if negative). */
static void scribble(off_t offset, uint8_t v, size_t n)
{
	CLEANUP(close_p) int fd = open(image(), O_RDWR | O_CLOEXEC);
	uint8_t bytes[512];

	memset(bytes, v, sizeof(bytes));
	assert_true(fd >= 0 && n <= sizeof(bytes));
	assert_true(lseek(fd, offset, offset < 0 ? SEEK_END : SEEK_SET) >= 0);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
}

static void test_damaged_copies(void **state)
{
	static const struct {
		const char *name;
		off_t offset;
	} cases[] = {
		{ "primary header", 512 + 60 },
		{ "primary entries", 1024 + 128 + 20 },
		{ "backup header", -512 + 60 },
		{ "backup entries", -512 - 16384 + 128 + 20 },
	};
	struct mkdisk_params p = mkdisk_params_default();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct part_table *t;
		struct err e;

		make_image(&p);
		scribble(cases[i].offset, 0x5a, 1);
		t = open_as(PART_ACTIVE_A);
		assert_case(cases[i].name, table_bits(t, PART_SET_A) == bits_of(1, 0, true));
		/* No change of bits, and yet a write: the repair. */
		assert_case(cases[i].name, part_table_clear_inactive(t, &e) == 0);
		check_verify(cases[i].name);
		part_table_free(t);
	}
}

/* Each makes an image that is to be refused. */
static void make_empty(void)
{
	scratch_write(&scratch, "disk.img", "", 0);
}

static void make_text(void)
{
	static const char text[20000] = "not a disk";

	scratch_write(&scratch, "disk.img", text, sizeof(text));
}

static void make_twice_damaged(void)
{
	struct mkdisk_params p = mkdisk_params_default();

	make_image(&p);
	scribble(512 + 30, 0x5a, 1);
	scribble(-512 + 30, 0x5a, 1);
}

static void make_truncated(void)
{
	struct mkdisk_params p = mkdisk_params_default();
	struct stat st;

	make_image(&p);
	assert_int_equal(stat(image(), &st), 0);
	assert_int_equal(truncate(image(), st.st_size - 512), 0);
}

#define TYPE_ROOT "5526016A-1A97-4EA4-B39A-B7C8C6CA4502"
#define TYPE_HASH "598F10AF-C955-4456-6A99-7720068A6CEA"
#define TYPE_OTHER "0FC63DAF-8483-4772-8E79-3D69D8477DE4"

/* Another program gives partition @number another type; NULL: removes it. */
static void retype(size_t number, const char *type)
{
	struct fdisk_context *c = fdisk_new_context();
	struct fdisk_parttype *t = fdisk_new_parttype();

	assert_true(c && t);
	assert_int_equal(fdisk_assign_device(c, image(), 0), 0);
	if (type) {
		assert_int_equal(fdisk_parttype_set_typestr(t, type), 0);
		assert_int_equal(fdisk_set_partition_type(c, number - 1, t), 0);
	} else {
		assert_int_equal(fdisk_delete_partition(c, number - 1), 0);
	}
	assert_int_equal(fdisk_write_disklabel(c), 0);
	(void)fdisk_deassign_device(c, 1);
	fdisk_unref_parttype(t);
	fdisk_unref_context(c);
}

static void make_one_boot(void)
{
	struct mkdisk_params p = mkdisk_params_default();

	make_image(&p);
	retype(N_BOOT_B, NULL);
}

static void make_no_hash(void)
{
	struct mkdisk_params p = mkdisk_params_default();

	make_image(&p);
	retype(4, NULL);
	retype(7, TYPE_OTHER);
}

static void make_three_roots(void)
{
	struct mkdisk_params p = mkdisk_params_default();

	make_image(&p);
	retype(N_PRIVATE, TYPE_ROOT);
}

static void test_refused(void **state)
{
	static const struct {
		const char *name;
		void (*make)(void);
		enum part_active active;
		enum err_kind kind;
		const char *reason;
	} cases[] = {
		{ "empty file", make_empty, PART_ACTIVE_A, ERR_FORMAT, PART_E_TABLE },
		{ "text", make_text, PART_ACTIVE_A, ERR_FORMAT, PART_E_TABLE },
		{ "both copies damaged", make_twice_damaged, PART_ACTIVE_A, ERR_FORMAT, PART_E_TABLE },
		{ "truncated", make_truncated, PART_ACTIVE_A, ERR_FORMAT, PART_E_TABLE },
		{ "one boot partition", make_one_boot, PART_ACTIVE_A, ERR_FORMAT, PART_E_SETS },
		{ "no hash partition", make_no_hash, PART_ACTIVE_A, ERR_FORMAT, PART_E_SETS },
		{ "three root partitions", make_three_roots, PART_ACTIVE_A, ERR_FORMAT, PART_E_SETS },
		{ "no active set said", NULL, PART_ACTIVE_AUTO, ERR_STATE, PART_E_ACTIVE },
	};
	struct mkdisk_params p = mkdisk_params_default();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct part_options o = { image(), cases[i].active, part_types_bottlerocket };
		struct part_table *t = NULL;
		struct err e = { 0 };

		if (cases[i].make)
			cases[i].make();
		else
			make_image(&p);
		assert_case(cases[i].name, part_table_open(&o, &t, &e) == -1);
		assert_case(cases[i].name, e.kind == cases[i].kind);
		assert_case(cases[i].name, strcmp(e.reason, cases[i].reason) == 0);
		assert_null(t);
	}
}

static void test_no_disk(void **state)
{
	static const char *const paths[] = { "/dev/null", "/", "/no such file" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const struct part_options o = { paths[i], PART_ACTIVE_A, part_types_bottlerocket };
		struct part_table *t = NULL;
		struct err e = { 0 };

		assert_case(paths[i], part_table_open(&o, &t, &e) == -1);
		assert_case(paths[i], e.kind == ERR_SYSTEM);
	}
}

static void test_types(void **state)
{
	struct mkdisk_params p = mkdisk_params_default();
	struct part_options o = { image(), PART_ACTIVE_A, part_types_discoverable };
	struct part_table *t = NULL;
	struct err e = { 0 };

	(void)state;
	make_image(&p);
	assert_int_equal(part_table_open(&o, &t, &e), -1);
	assert_string_equal(e.reason, PART_E_SETS);
	memcpy(o.types.role[PART_ROOT], o.types.role[PART_HASH], GPT_GUID_BYTES);
	assert_int_equal(part_table_open(&o, &t, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	o.types = part_types_bottlerocket;
	memset(o.types.role[PART_BOOT], 0, GPT_GUID_BYTES);
	assert_int_equal(part_table_open(&o, &t, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	/* Without a type there is no private partition: unused entries are not taken for one. */
	o.types = part_types_bottlerocket;
	memset(o.types.private_data, 0, GPT_GUID_BYTES);
	assert_int_equal(part_table_open(&o, &t, &e), 0);
	assert_int_equal(part_table_mark_successful_boot(t, &e), 0);
	assert_false(part_table_boot_ever_succeeded(t));
	part_table_free(t);
	check_verify("no private type");
}

/* Two programs with the table open: the second acts on what the first has written. */
static void test_two_openers(void **state)
{
	struct mkdisk_params p = mkdisk_params_default();
	CLEANUP(part_table_free_p) struct part_table *one = NULL;
	CLEANUP(part_table_free_p) struct part_table *two = NULL;
	struct err e = { 0 };

	(void)state;
	make_image(&p);
	one = open_as(PART_ACTIVE_A);
	two = open_as(PART_ACTIVE_A);
	assert_int_equal(part_table_mark_inactive_valid(one, &e), 0);
	assert_int_equal(part_table_upgrade_to_inactive(two, &e), 0);
	assert_int_equal(part_table_upgrade_to_inactive(one, &e), -1);
	assert_string_equal(e.reason, PART_E_MARKED);
	assert_true(table_bits(one, PART_SET_B) == bits_of(2, 1, false));
}

/* The disk partitioned anew behind our back: nothing is written by the old places. */
static void test_changed_layout(void **state)
{
	struct mkdisk_params p = mkdisk_params_default();
	CLEANUP(part_table_free_p) struct part_table *t = NULL;
	struct err e = { 0 };

	(void)state;
	make_image(&p);
	t = open_as(PART_ACTIVE_A);
	retype(4, TYPE_OTHER);
	retype(N_PRIVATE, TYPE_HASH);
	assert_int_equal(part_table_clear_inactive(t, &e), -1);
	assert_int_equal(e.kind, ERR_STATE);
	assert_string_equal(e.reason, PART_E_SETS);
	check_verify("changed layout");
}

static void test_lock(void **state)
{
	struct mkdisk_params p = mkdisk_params_default();
	CLEANUP(part_table_free_p) struct part_table *t = NULL;
	CLEANUP(close_p) int fd = -1;
	struct err e = { 0 };

	(void)state;
	make_image(&p);
	t = open_as(PART_ACTIVE_A);
	fd = open(image(), O_RDONLY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_SH), 0);
	assert_int_equal(part_table_mark_inactive_valid(t, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	assert_int_equal(part_table_mark_inactive_valid(t, &e), 0);
	/* Ours is gone after the change. */
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
}

static void test_set_under(void **state)
{
	static const struct {
		const char *name;
		unsigned n, partition[3];
		int set; /* or -1 */
	} cases[] = {
		{ "root and hash of A", 2, { 3, 4 }, PART_SET_A },   { "root of B", 1, { 6 }, PART_SET_B },
		{ "boot of B", 1, { 5 }, PART_SET_B },		     { "all of B", 3, { 7, 5, 6 }, PART_SET_B },
		{ "root of A, hash of B", 2, { 3, 7 }, -1 },	     { "private", 1, { 8 }, -1 },
		{ "root of A and private", 2, { 3, 8 }, -1 },	     { "none such", 1, { 99 }, -1 },
	};
	struct mkdisk_params p = mkdisk_params_default();
	CLEANUP(part_table_free_p) struct part_table *t = NULL;

	(void)state;
	make_image(&p);
	t = open_as(PART_ACTIVE_A);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct part_under u = { .disk = { .name = "vda" }, .n = cases[i].n };
		enum part_set s = PART_SET_A;
		struct err e = { 0 };

		memcpy(u.partition, cases[i].partition, sizeof(cases[i].partition));
		assert_case(cases[i].name, part_table_set_under(t, &u, &s, &e) == (cases[i].set < 0 ? -1 : 0));
		assert_case(cases[i].name, cases[i].set < 0 ? e.kind == ERR_STATE : (int)s == cases[i].set);
	}
}

static void test_extents(void **state)
{
	struct mkdisk_params p = mkdisk_params_default();
	CLEANUP(part_table_free_p) struct part_table *t = NULL;
	struct part_extent x = { .fd = -1 };
	struct err e = { 0 };
	uint8_t *piece = NULL;

	(void)state;
	make_image(&p);
	t = open_as(PART_ACTIVE_A);
	assert_int_equal(part_extent_open_write(t, PART_ROOT, &x, &e), 0);
	assert_true(x.offset_bytes == part_table_range(t, PART_SET_B, PART_ROOT).offset_bytes && x.size_bytes == 16u << 20);
	piece = (uint8_t *)aligned_alloc(4096, 4096);
	assert_non_null(piece);
	memset(piece, 0x77, 4096);
	assert_int_equal(pwrite(x.fd, piece, 4096, (off_t)x.offset_bytes), 4096);
	assert_int_equal(part_extent_leave_direct(&x, &e), 0);
	assert_int_equal(pwrite(x.fd, piece, 7, (off_t)x.offset_bytes + 4096), 7);
	(void)close(x.fd);
	free(piece);
	assert_int_equal(part_extent_open_read(t, PART_SET_A, PART_HASH, &x, &e), 0);
	assert_true(x.offset_bytes == part_table_range(t, PART_SET_A, PART_HASH).offset_bytes && x.size_bytes == 1u << 20);
	(void)close(x.fd);
	/* Bits that let the set boot, or will: not to be written. */
	assert_int_equal(part_table_mark_inactive_valid(t, &e), 0);
	assert_int_equal(part_extent_open_write(t, PART_ROOT, &x, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
	check_verify("a partition written");
}

static void test_guids(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "6b636168-7420-6568-2070-6c616e657421", true },   { "6B636168-7420-6568-2070-6C616E657421", true },
		{ "6b636168-7420-6568-2070-6c616e65742", false },   { "6b636168-7420-6568-2070-6c616e6574211", false },
		{ "6b636168-7420-6568-2070-6c616e65742g", false },  { "6b636168 7420-6568-2070-6c616e657421", false },
		{ "6b6361687-420-6568-2070-6c616e657421", false },  { "{6b636168-7420-6568-2070-6c616e65742", false },
		{ "", false },					     { "6b636168742065682070-6c616e657421----", false },
	};
	static const char *const presets[] = {
		"6b636168-7420-6568-2070-6c616e657421", "5526016a-1a97-4ea4-b39a-b7c8c6ca4502",
		"598f10af-c955-4456-6a99-7720068a6cea", "bc13c2ff-59e6-4262-a352-b275fd6f7172",
		"4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5",
	};
	uint8_t guid[GPT_GUID_BYTES] = { 0 };
	char text[37];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_case(cases[i].text, part_guid_parse(cases[i].text, guid) == cases[i].good);
	for (size_t i = 0; i < ARRAY_LEN(presets); i++) {
		const struct part_types *t = i < 3 ? &part_types_bottlerocket : &part_types_discoverable;

		part_guid_format(t->role[i % 3], text);
		assert_string_equal(text, presets[i]);
		assert_true(part_guid_parse(presets[i], guid));
		assert_memory_equal(guid, t->role[i % 3], GPT_GUID_BYTES);
	}
	assert_memory_equal(part_types_bottlerocket.role[PART_BOOT], "hack the planet!", GPT_GUID_BYTES);
	part_guid_format(part_types_bottlerocket.private_data, text);
	assert_string_equal(text, "440408bb-eb0b-4328-a6e5-a29038fad706");
	part_guid_format(part_types_discoverable.private_data, text);
	assert_string_equal(text, "4d21b016-b534-45c2-a9fb-5c16e091fd2d");
}

static int set_up(void **state)
{
	const char *path = getenv("PATH");
	char with_sbin[4096];

	(void)state;
	log_init("test", LOG_ERROR);
	/* sgdisk lies where a user's PATH may not lead. */
	(void)snprintf(with_sbin, sizeof(with_sbin), "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	scratch_make(&scratch);
	return setenv("PATH", with_sbin, 1);
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),		cmocka_unit_test(test_states_4096),
		cmocka_unit_test(test_what_it_is),	cmocka_unit_test(test_private),
		cmocka_unit_test(test_damaged_copies),	cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_disk),		cmocka_unit_test(test_types),
		cmocka_unit_test(test_two_openers),	cmocka_unit_test(test_changed_layout),
		cmocka_unit_test(test_lock),		cmocka_unit_test(test_set_under),
		cmocka_unit_test(test_extents),		cmocka_unit_test(test_guids),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
