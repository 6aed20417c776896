/*
 * Publication under faults: each call of the system fails once, each is where the power goes, each allocation
 * fails. Whatever happens, what is served is whole and verifies, nothing served but timestamp.json has changed,
 * and the next publication works.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/fault.h"
#include "test-fixtures/harness/scratch.h"
#include "tools/repo_cli.h"
#include "tools/repo_state.h"
#include "tuf/signer.h"

#define NOW "2026-11-22T04:00:00Z"
#define NOW_SEC 1795320000
#define FILES_MAX 64
#define NTH_MAX 3000 /* far more than there are calls: the loop must end */

static struct scratch scratch;
static char repo_path[SCRATCH_PATH_BYTES + 16], key_path[SCRATCH_PATH_BYTES + 16];
static struct repo_cli cli;

static void must(int r, const struct err *e, const char *what)
{
	if (r < 0)
		fail_msg("%s: %s", what, e->msg);
}

static void write_key(void)
{
	static const uint8_t seed[TUF_SIGNER_SEED_BYTES] = { 7 };
	CLEANUP(tuf_signer_free_p) struct tuf_signer *signer = NULL;
	struct err e;

	must(tuf_signer_from_seed(seed, &signer, &e), &e, "key");
	must(tuf_signer_write_pem(signer, scratch.fd, "key.pem", bytes_of(NULL, 0), &e), &e, "key");
}

static int publish(struct err *e)
{
	char *argv[] = { repo_path, NULL };

	*e = (struct err){ .kind = ERR_NONE };
	return repo_publish(&cli, 1, argv, e);
}

/* One more target in the draft, of a name of its own. */
static void add_target(void)
{
	static unsigned int count;
	char name[32], path[SCRATCH_PATH_BYTES + 64];
	struct err e;

	snprintf(name, sizeof(name), "file-%u", ++count);
	scratch_write(&scratch, name, name, strlen(name));
	snprintf(path, sizeof(path), "%s/%s", scratch.path, name);
	char *argv[] = { repo_path, path, NULL };

	must(repo_target_add(&cli, 2, argv, &e), &e, "target add");
}

/* A repository of one publication; made anew for each fault, so that the number of calls is the same each time. */
static void make_repo(void)
{
	struct err e;

	scratch_make(&scratch);
	snprintf(repo_path, sizeof(repo_path), "%s/repo", scratch.path);
	snprintf(key_path, sizeof(key_path), "%s/key.pem", scratch.path);
	write_key();
	cli = (struct repo_cli){ .quiet = true, .json = true, .now = NOW, .thresholds = { 1, 1, 1, 1 }, .threads = 1 };
	for (int t = 0; t < TUF_TYPES; t++)
		cli.keys[t] = (struct cli_strings){ .n = 1, .v = { key_path } };
	char *argv[] = { repo_path, NULL };

	must(repo_root_init(&cli, 1, argv, &e), &e, "root init");
	add_target();
	must(publish(&e), &e, "first publication");
}

/* What a host would see: everything verifies, every target is there. Returns the timestamp's version. */
static uint64_t look(const char *when, unsigned int nth)
{
	CLEANUP(repo_fini) struct repo r = REPO_CLOSED;
	CLEANUP(repo_state_fini) struct repo_state s = { .trusted = NULL };
	struct err e;

	if (repo_open(repo_path, REPO_READ, &r, &e) < 0 || repo_state_load(&r, NOW_SEC, &s, &e) < 0)
		fail_msg("%s %u: %s", when, nth, e.msg);
	const struct tuf_targets *t = tuf_trusted_targets(s.trusted);

	for (size_t i = 0; i < t->n_entries; i++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(65536);

		if (repo_state_read_target(&r, &s, t->entries[i].path, &b, &e) < 0)
			fail_msg("%s %u: %s", when, nth, e.msg);
	}
	return tuf_trusted_timestamp(s.trusted)->head.version;
}

/* The served files by name and inode: a file that was replaced has another inode. */
static struct served {
	char name[256];
	ino_t inode;
} served[FILES_MAX];
static size_t n_served;

static void note_dir(const char *name, bool compare, const char *when, unsigned int nth)
{
	char path[SCRATCH_PATH_BYTES + 32];

	snprintf(path, sizeof(path), "%s/%s", repo_path, name);
	DIR *d = opendir(path);

	assert_non_null(d);
	for (const struct dirent *x; (x = readdir(d));) {
		if (x->d_name[0] == '.' || strcmp(x->d_name, "timestamp.json") == 0)
			continue;
		if (compare) {
			for (size_t i = 0; i < n_served; i++)
				if (strcmp(served[i].name, x->d_name) == 0 && served[i].inode != x->d_ino)
					fail_msg("%s %u: %s was replaced", when, nth, x->d_name);
			continue;
		}
		assert_true(n_served < FILES_MAX);
		snprintf(served[n_served].name, sizeof(served[0].name), "%s", x->d_name);
		served[n_served++].inode = x->d_ino;
	}
	closedir(d);
}

static void note_served(bool compare, const char *when, unsigned int nth)
{
	if (!compare)
		n_served = 0;
	note_dir("metadata", compare, when, nth);
	note_dir("targets", compare, when, nth);
}

/* Return: whether the fault was met */
static bool publish_with_fault(const char *when, unsigned int nth)
{
	struct err e;
	const int r = publish(&e);
	const bool hit = fault_disarm();
	const uint64_t after = look(when, nth);

	assert_case(when, r == 0 || (e.kind != ERR_NONE && e.msg[0]));
	assert_case(when, after == 1 || after == 2);
	assert_case(when, r < 0 || after == 2);
	assert_case(when, hit || r == 0);
	return hit;
}

static void run(const char *when, enum fault_kind kind, bool all_later, int sys)
{
	bool hit = true;

	for (unsigned int nth = 1; hit; nth++) {
		struct err e;

		if (nth > NTH_MAX)
			fail_msg("%s: no end after %u faults", when, nth);
		make_repo();
		add_target();
		note_served(false, when, nth);
		const size_t fds = fault_open_fds();

		if (all_later)
			fault_arm_from(kind, nth, sys);
		else
			fault_arm(kind, nth, sys);
		hit = publish_with_fault(when, nth);
		note_served(true, when, nth);
		assert_case(when, fault_open_fds() == fds);
		must(publish(&e), &e, when);
		assert_case(when, look(when, nth) > 1);
		note_served(true, when, nth);
		scratch_remove(&scratch);
	}
}

static void test_each_call_fails(void **state)
{
	(void)state;
	run("failing call", FAULT_SYS, false, EIO);
}

static void test_power_cut(void **state)
{
	(void)state;
	run("power cut", FAULT_SYS, true, EIO);
}

static void test_memory(void **state)
{
	(void)state;
	run("no memory", FAULT_MEMORY, false, ENOMEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_fails),
		cmocka_unit_test(test_power_cut),
		cmocka_unit_test(test_memory),
	};

	/* Thousands of flushes: a disk would only be slow. */
	if (access("/dev/shm", W_OK | X_OK) == 0)
		setenv("TMPDIR", "/dev/shm", 0);
	log_init("test", LOG_ERROR);
	/* The verbs answer on stdout. */
	if (!freopen("/dev/null", "w", stdout))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
