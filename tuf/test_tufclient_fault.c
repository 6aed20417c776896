/*
 * The program, its main() called in this process under another name: each call of the system and each allocation
 * of a download fails once, power is cut before each call once. It ends with 0 and all that is due, or with 1 and
 * a sentence; store and targets are the old ones or the new, and the next run gets to the end. jansson allocates
 * through the same counters here. OpenSSL and curl do not: their own allocations are beyond these tests.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "test-fixtures/harness/fault.h"
#include "tuf/test_world.h"

#define NOW "2026-01-01T00:00:00Z" /* TUFREPO_NOW_SEC */
#define OUT_MAX_BYTES 20000

int tufclient_main(int argc, char **argv);

static const char *const stored[] = { "root.json", "timestamp.json", "snapshot.json", "targets.json", "d.json" };
static const char *const fetched[] = { "a.txt", "d%2Fx" };
static const char *const old_text[] = { TARGET_TEXT, "old x" };
static const char *const new_text[] = { "another content of a.txt", "x is new" };

struct run {
	struct world w;
	char metadata_dir[SCRATCH_PATH_BYTES + 16], target_dir[SCRATCH_PATH_BYTES + 16];
	struct buf old[ARRAY_LEN(stored)];
	char out[OUT_MAX_BYTES], err[OUT_MAX_BYTES]; /* of the last call */
};

static void read_text(struct run *r, const char *name, char text[OUT_MAX_BYTES])
{
	FILE *f = fopen(scratch_path(&r->w.dir, name), "r");

	assert_non_null(f);
	text[fread(text, 1, OUT_MAX_BYTES - 1, f)] = 0;
	fclose(f);
}

/* Sends a descriptor to a file; what it was before, to be put back. */
static int divert(const struct run *r, int fd, const char *name)
{
	const int kept = dup(fd), file = open(scratch_path(&r->w.dir, name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(kept >= 0 && file >= 0 && dup2(file, fd) == fd);
	close(file);
	return kept;
}

static void put_back(int fd, int kept)
{
	assert_int_equal(dup2(kept, fd), fd);
	close(kept);
}

/* Exit status of the program; the fault, if one is to come, is armed for it alone. @hit NULL: none is. */
struct fault {
	enum fault_kind kind;
	unsigned int nth;
	int sys;
	bool from;
};

static int call(struct run *r, const char *const *args, const struct fault *fault, bool *hit)
{
	char *argv[32] = { (char *)(uintptr_t)"tufclient" };
	int argc = 1;

	for (; args[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	fflush(stdout);
	const int out = divert(r, 1, "out"), err = divert(r, 2, "err");

	if (fault)
		(fault->from ? fault_arm_from : fault_arm)(fault->kind, fault->nth, fault->sys);
	const int status = tufclient_main(argc, argv);

	if (fault)
		*hit = fault_disarm();
	fflush(stdout);
	clearerr(stdout);
	put_back(1, out);
	put_back(2, err);
	read_text(r, "out", r->out);
	read_text(r, "err", r->err);
	return status;
}

static int download(struct run *r, const char *mode, const struct fault *fault, bool *hit)
{
	const char *const args[] = { mode, "--metadata-url", r->w.metadata_url, "--metadata-dir", r->metadata_dir, "--time", NOW,
				     "--target-name", "a.txt", "--target-name", "d/x", "--target-dir", r->target_dir,
				     "--target-base-url", r->w.targets_url, "download", NULL };

	return call(r, args, fault, hit);
}

static int report(struct run *r, const char *mode, const char *verb, const struct fault *fault, bool *hit)
{
	const char *const args[] = { mode, "--metadata-dir", r->metadata_dir, "--time", NOW, verb, NULL };

	return call(r, args, fault, hit);
}

static struct buf read_stored(const struct run *r, const char *file)
{
	struct buf b = BUF_INIT(1u << 20);
	char path[512];
	struct err e;

	snprintf(path, sizeof(path), "%s/%s", r->metadata_dir, file);
	assert_int_equal(file_read(AT_FDCWD, path, &b, &e), 0);
	return b;
}

static void set_up(struct run *r)
{
	static const char *const paths[] = { "d/*", NULL };
	const int key = 51;

	world_make(&r->w, false);
	snprintf(r->metadata_dir, sizeof(r->metadata_dir), "%s/m", r->w.dir.path);
	snprintf(r->target_dir, sizeof(r->target_dir), "%s/t", r->w.dir.path);
	assert_int_equal(mkdir(r->target_dir, 0755), 0);
	tufrepo_delegate(r->w.repo, (struct tufrepo_delegation){ .from = "targets", .name = "d", .paths = paths, .key = 9 });
	tufrepo_add_target(r->w.repo, "d", "d/x", bytes_of_str(old_text[1]));
	world_publish(&r->w);
	assert_int_equal(mkdir(r->metadata_dir, 0755), 0);
	scratch_write(&r->w.dir, "m/root.json", r->w.shipped.p, r->w.shipped.n);
	assert_int_equal(download(r, "--quiet", NULL, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(stored); i++)
		r->old[i] = read_stored(r, stored[i]);
	tufrepo_set_keys(r->w.repo, "timestamp", &key, 1, 1);
	tufrepo_bump(r->w.repo, "root");
	tufrepo_add_target(r->w.repo, "targets", "a.txt", bytes_of_str(new_text[0]));
	tufrepo_bump(r->w.repo, "targets");
	tufrepo_add_target(r->w.repo, "d", "d/x", bytes_of_str(new_text[1]));
	tufrepo_bump(r->w.repo, "d");
	world_publish(&r->w);
}

static void tear_down(struct run *r)
{
	for (size_t i = 0; i < ARRAY_LEN(stored); i++)
		buf_fini(&r->old[i]);
	world_remove(&r->w);
}

static void make_old(struct run *r)
{
	char path[64];

	for (size_t i = 0; i < ARRAY_LEN(stored); i++) {
		snprintf(path, sizeof(path), "m/%s", stored[i]);
		scratch_write(&r->w.dir, path, r->old[i].p, r->old[i].n);
	}
	for (size_t i = 0; i < ARRAY_LEN(fetched); i++) {
		snprintf(path, sizeof(path), "t/%s", fetched[i]);
		scratch_write(&r->w.dir, path, old_text[i], strlen(old_text[i]));
	}
}

static bool target_is(const struct run *r, size_t i, const char *const text[])
{
	char path[64];

	snprintf(path, sizeof(path), "t/%s", fetched[i]);
	return scratch_holds(&r->w.dir, path, text[i], strlen(text[i]));
}

static int64_t version_stored(const struct run *r, const char *file)
{
	struct world at = { .now_sec = 0 };

	snprintf(at.store, sizeof(at.store), "%s", r->metadata_dir);
	return world_stored(&at, file);
}

static size_t entries(const char *dir)
{
	struct scratch s = { .fd = -1 };

	snprintf(s.path, sizeof(s.path), "%.250s", dir);
	return scratch_entries(&s);
}

#define FAIL(f, what) fail_msg("%s %u: %s: %s", fault_name((f)->kind), (f)->nth, what, r->err)

static void check_old_or_new(struct run *r, const struct fault *f)
{
	for (size_t i = 0; i < ARRAY_LEN(stored); i++) {
		const int64_t version = version_stored(r, stored[i]);
		const bool may_be_gone = i == 1 || i == 2; /* their keys are rotated */

		if (version != 1 && version != 2 && !(version == 0 && may_be_gone))
			FAIL(f, stored[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(fetched); i++)
		if (!target_is(r, i, old_text) && !target_is(r, i, new_text))
			FAIL(f, fetched[i]);
}

static void check_all_new(struct run *r, const struct fault *f)
{
	for (size_t i = 0; i < ARRAY_LEN(stored); i++)
		if (version_stored(r, stored[i]) != 2)
			FAIL(f, stored[i]);
	for (size_t i = 0; i < ARRAY_LEN(fetched); i++)
		if (!target_is(r, i, new_text))
			FAIL(f, fetched[i]);
}

/* What a power cut leaves of a half-way target is hidden, and not the program's to sort out in somebody else's folder. */
static void remove_drafts(const struct run *r)
{
	DIR *d = opendir(r->target_dir);

	assert_non_null(d);
	for (const struct dirent *entry; (entry = readdir(d));)
		if (entry->d_name[0] == '.' && entry->d_type == DT_REG)
			assert_int_equal(unlinkat(dirfd(d), entry->d_name, 0), 0);
	closedir(d);
}

/* Beside the files of roles the store has its lock, and a note on targets. */
static void check_recovery(struct run *r, const struct fault *f)
{
	if (download(r, "--quiet", NULL, NULL) != 0)
		FAIL(f, "the next download");
	check_all_new(r, f);
	if (f->from)
		remove_drafts(r);
	if (entries(r->metadata_dir) != ARRAY_LEN(stored) + 2 || entries(r->target_dir) != ARRAY_LEN(fetched))
		FAIL(f, "something else is left");
}

/* One download with a fault. Return: false if there is no such call any more */
static bool try_download(struct run *r, const struct fault *f, const char *answer, bool recover)
{
	bool hit = false;

	make_old(r);
	const size_t fds = fault_open_fds();
	const int status = download(r, "--json", f, &hit);

	if (fault_open_fds() != fds)
		FAIL(f, "a descriptor has leaked");
	if (status != 0 && (status != 1 || !hit || strncmp(r->err, "tufclient: ", 11) != 0))
		FAIL(f, "it fails without a fault, or without a sentence");
	check_old_or_new(r, f);
	if (status == 0) {
		check_all_new(r, f);
		if (strcmp(r->out, answer) != 0)
			FAIL(f, "it succeeds and answers otherwise");
	}
	if (hit && recover)
		check_recovery(r, f);
	return hit;
}

/* The answer of a download that nothing disturbs. */
static void good_answer(struct run *r, char answer[OUT_MAX_BYTES])
{
	make_old(r);
	assert_int_equal(download(r, "--json", NULL, NULL), 0);
	memcpy(answer, r->out, OUT_MAX_BYTES);
	assert_non_null(strstr(answer, "d%2Fx"));
}

static void each_call_fails_once(void **state)
{
	static const struct fault kinds[] = {
		{ FAULT_OPEN, 0, EIO, false },	 { FAULT_READ, 0, EIO, false },
		{ FAULT_PREAD, 0, EIO, false },	 { FAULT_WRITE, 0, ENOSPC, false }, { FAULT_FSYNC, 0, EIO, false },
		{ FAULT_RENAME, 0, EIO, false }, { FAULT_UNLINK, 0, EROFS, false }, { FAULT_MKDIR, 0, ENOSPC, false },
		{ FAULT_SYS, 0, EIO, true }, /* a power cut */
	};
	char answer[OUT_MAX_BYTES];
	struct run r;

	(void)state;
	set_up(&r);
	good_answer(&r, answer);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct fault f = kinds[i];

		do
			f.nth++;
		while (try_download(&r, &f, answer, true));
	}
	tear_down(&r);
}

/* With FLIPSIDE_EVERY_ALLOCATION in the environment all are tried; else the first ones, and of the later ones a part. */
static bool every_allocation;

static void memory_runs_out(void **state)
{
	struct fault f = { FAULT_MEMORY, 1, ENOMEM, false };
	char answer[OUT_MAX_BYTES];
	struct run r;

	(void)state;
	set_up(&r);
	good_answer(&r, answer);
	while (try_download(&r, &f, answer, f.nth % 16 == 0))
		f.nth += every_allocation ? 1 : 1 + f.nth / 128;
	assert_true(f.nth > 500);
	tear_down(&r);
}

/* A report is whole or there is none. */
static void reports_without_memory(void **state)
{
	static const char *const modes[] = { "--json", "--log-level=error" };
	static const char *const verbs[] = { "info", "list" };
	char answer[OUT_MAX_BYTES];
	struct run r;

	(void)state;
	set_up(&r);
	for (size_t i = 0; i < 4; i++) {
		struct fault f = { FAULT_MEMORY, 0, ENOMEM, false };
		bool hit = true;

		assert_int_equal(report(&r, modes[i / 2], verbs[i % 2], NULL, NULL), 0);
		memcpy(answer, r.out, OUT_MAX_BYTES);
		while (hit) {
			f.nth += every_allocation ? 1 : 1 + f.nth / 128;
			const int status = report(&r, modes[i / 2], verbs[i % 2], &f, &hit);

			if (status == 0 ? strcmp(r.out, answer) != 0 : !hit || !r.err[0])
				fail_msg("%s %s, allocation %u: status %d: %s%s", modes[i / 2], verbs[i % 2], f.nth, status, r.err, r.out);
		}
	}
	tear_down(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_fails_once),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(reports_without_memory),
	};

	/* jansson's allocations are counted too; the names stand for the counting ones here. */
	json_set_alloc_funcs(malloc, free);
	every_allocation = getenv("FLIPSIDE_EVERY_ALLOCATION") != NULL;
	return cmocka_run_group_tests_name("tuf/tufclient_fault", tests, NULL, NULL);
}
