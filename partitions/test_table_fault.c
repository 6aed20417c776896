/* A change of bits with a call that fails: told, nothing leaked, and on the disk the old state or the new. */
#include "test-fixtures/harness/case.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "partitions/table.h"
#include "test-fixtures/harness/fault.h"
#include "test-fixtures/harness/scratch.h"
#include "test-fixtures/mkdisk.h"

static struct scratch scratch;

static const struct {
	const char *name;
	uint32_t sector_bytes;
	long damage; /* a byte changed before: -1 none */
} scenes[] = {
	{ "good", 512, -1 },
	{ "4096-byte sectors", 4096, -1 },
	{ "primary damaged", 512, 512 + 60 },
};

static const char *image(void)
{
	return scratch_path(&scratch, "disk.img");
}

/* Only the ends of an image are ever written here, so a scene is made once and then brought back by its ends. */
#define END_BYTES 65536
static struct {
	size_t scene; /* plus 1 */
	off_t size;
	uint8_t head[END_BYTES], tail[END_BYTES];
} made;

static void build_scene(size_t i)
{
	struct mkdisk_params p = mkdisk_params_default();
	struct err e;
	FILE *f;

	p.esp_mib = p.boot_mib = p.root_mib = p.private_mib = 1;
	p.sector_bytes = scenes[i].sector_bytes;
	p.attributes_b = UINT64_C(0x0010000000000000);
	if (mkdisk(image(), &p, &e) < 0)
		fail_msg("%s", e.msg);
	f = fopen(image(), "r+e");
	assert_non_null(f);
	if (scenes[i].damage >= 0) {
		assert_int_equal(fseek(f, scenes[i].damage, SEEK_SET), 0);
		assert_int_equal(fputc(0x5a, f), 0x5a);
	}
	rewind(f);
	assert_int_equal(fread(made.head, 1, END_BYTES, f), END_BYTES);
	assert_int_equal(fseek(f, -END_BYTES, SEEK_END), 0);
	made.size = ftello(f) + END_BYTES;
	assert_int_equal(fread(made.tail, 1, END_BYTES, f), END_BYTES);
	assert_int_equal(fclose(f), 0);
	made.scene = i + 1;
}

static void make_scene(size_t i)
{
	int fd;

	if (made.scene != i + 1)
		build_scene(i);
	fd = open(image(), O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, made.head, END_BYTES, 0), END_BYTES);
	assert_int_equal(pwrite(fd, made.tail, END_BYTES, made.size - END_BYTES), END_BYTES);
	assert_int_equal(close(fd), 0);
}

static int open_image(struct part_table **t, struct err *e)
{
	const struct part_options o = { image(), PART_ACTIVE_A, part_types_bottlerocket };

	return part_table_open(&o, t, e);
}

/* The whole step of a program: open and activate. */
static int activate(struct err *e)
{
	CLEANUP(part_table_free_p) struct part_table *t = NULL;

	return open_image(&t, e) < 0 ? -1 : part_table_upgrade_to_inactive(t, e);
}

static bool is_bits(const struct part_table *t, enum part_set s, struct gpt_bits b)
{
	const struct gpt_bits is = part_table_bits(t, s);

	return is.priority == b.priority && is.tries_left == b.tries_left && is.successful == b.successful;
}

/* Old or new, both sets together; @must_be_new after a success. */
static void check_state(const char *name, bool must_be_new, bool again)
{
	CLEANUP(part_table_free_p) struct part_table *t = NULL;
	struct err e;
	bool is_old, is_new;

	if (open_image(&t, &e) < 0)
		fail_msg("%s: no table afterwards: %s", name, e.msg);
	/* The two differ in one priority only: A's is 1 before and after. */
	is_old = is_bits(t, PART_SET_A, (struct gpt_bits){ 1, 0, true }) && is_bits(t, PART_SET_B, (struct gpt_bits){ 0, 1, false });
	is_new = is_bits(t, PART_SET_A, (struct gpt_bits){ 1, 0, true }) && is_bits(t, PART_SET_B, (struct gpt_bits){ 2, 1, false });
	assert_case(name, is_new || (is_old && !must_be_new));
	/* And a second attempt from scratch behaves like a first. */
	assert_case(name, !again || is_new || part_table_upgrade_to_inactive(t, &e) == 0);
}

static void run_faults(size_t scene, enum fault_kind kind, bool from, int sys)
{
	unsigned n_failed = 0;

	for (unsigned nth = 1;; nth++) {
		struct err e = { 0 };
		size_t fds;
		char name[120];
		int r;

		(void)snprintf(name, sizeof(name), "%s, %s call %u%s, errno %d", scenes[scene].name, fault_name(kind), nth,
			       from ? " and all later" : "", sys);
		make_scene(scene);
		fds = fault_open_fds();
		if (from)
			fault_arm_from(kind, nth, sys);
		else
			fault_arm(kind, nth, sys);
		r = activate(&e);
		if (!fault_disarm()) {
			if (r < 0)
				fail_msg("%s: %s", name, e.msg);
			check_state(name, true, false);
			break;
		}
		assert_case(name, fault_open_fds() == fds);
		assert_case(name, r == 0 || (e.msg[0] && e.kind != ERR_NONE));
		n_failed += r < 0;
		check_state(name, r == 0, kind == FAULT_SYS || kind == FAULT_PWRITE || kind == FAULT_FSYNC);
	}
	/* Got over at every call: O_DIRECT that is refused, and a read of one of two good copies. */
	assert_true(n_failed > 0 || sys == EINVAL || kind == FAULT_PREAD);
}

static void test_faults(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_OPEN, FAULT_PREAD, FAULT_PWRITE, FAULT_FSYNC, FAULT_MEMORY };

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		run_faults(0, kinds[k], false, kinds[k] == FAULT_MEMORY ? ENOMEM : EIO);
	/* What differs in the other scenes is where and in which order is written. */
	for (size_t i = 1; i < ARRAY_LEN(scenes); i++) {
		run_faults(i, FAULT_PREAD, false, EIO);
		run_faults(i, FAULT_PWRITE, false, EIO);
		run_faults(i, FAULT_FSYNC, false, EIO);
	}
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++)
		run_faults(i, FAULT_SYS, true, EIO);
}

/* Transfers and opens that O_DIRECT spoils: the page cache does it. */
static void test_no_direct(void **state)
{
	(void)state;
	run_faults(0, FAULT_PREAD, false, EINVAL);
	run_faults(0, FAULT_PWRITE, false, EINVAL);
	run_faults(0, FAULT_OPEN, false, EINVAL);
}

/* Transfers that stop half-way, at odd places. */
static void test_short(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scenes); i++) {
		struct err e;
		int r;

		make_scene(i);
		fault_short(100);
		r = activate(&e);
		fault_short(0);
		if (r < 0)
			fail_msg("%s: %s", scenes[i].name, e.msg);
		check_state(scenes[i].name, true, false);
	}
}

static int set_up(void **state)
{
	(void)state;
	log_init("test", LOG_ERROR);
	scratch_make(&scratch);
	return 0;
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
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_no_direct),
		cmocka_unit_test(test_short),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
