/*
 * What a mirror without any key can make the program spend: streams that do not end, and files as large and as
 * dense as they may be, which are parsed before a signature can be looked at. Each is refused, and the real
 * program's peak memory is measured.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/num.h"
#include "tuf/test_world.h"
#include "tuf/tuf.h"

#define NOW "2026-01-01T00:00:00Z" /* TUFREPO_NOW_SEC */
#define MIB_KB 1024

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

/*
 * The program, waiting for a word to begin. exec() counts the memory of the process before it too, so this is to
 * be called while the test is small, before it makes what the server gives.
 */
struct waiting {
	pid_t pid;
	int gate;
};

static char *arg(const char *s)
{
	return (char *)(uintptr_t)s;
}

static struct waiting prepare(const struct world *w)
{
	const char *program = getenv("TUFCLIENT");
	char *argv[] = { arg(program ? program : "tuf/tufclient"), arg("--metadata-url"), arg(w->metadata_url),
			 arg("--metadata-dir"), arg(w->store), arg("--time"), arg(NOW), arg("--quiet"), arg("refresh"), NULL };
	const int err = open(scratch_path(&w->dir, "err"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int gate[2];
	char word;

	assert_true(err >= 0 && pipe2(gate, O_CLOEXEC) == 0);
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (read(gate[0], &word, 1) == 1 && dup2(err, 2) == 2)
			execv(argv[0], argv);
		_exit(127);
	}
	close(gate[0]);
	close(err);
	return (struct waiting){ pid, gate[1] };
}

/* Exit status, -1 for a signal; its peak in *@peak_kb and what it said in @said. */
static int run(const struct world *w, struct waiting p, long *peak_kb, char said[1000])
{
	struct rusage used;
	int status;

	assert_int_equal(write(p.gate, "!", 1), 1);
	close(p.gate);
	assert_int_equal(wait4(p.pid, &status, 0, &used), p.pid);
	*peak_kb = used.ru_maxrss;
	FILE *f = fopen(scratch_path(&w->dir, "err"), "r");

	assert_non_null(f);
	said[fread(said, 1, 999, f)] = 0;
	fclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* @n bytes: @piece again and again behind @head. */
static uint8_t *fill(const char *head, const char *piece, size_t n)
{
	uint8_t *p = malloc(n);
	const size_t head_n = strlen(head), piece_n = strlen(piece);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i < head_n ? head[i] : piece[(i - head_n) % piece_n]);
	return p;
}

static const struct {
	const char *role, *path; /* in the order of enum tuf_type */
	size_t max_bytes;
	long endless_kb, whole_kb; /* the peak that is allowed: of a stream, and of a file as large as may be */
} files[] = {
	{ "root", "/metadata/2.root.json", TUF_ROOT_MAX_BYTES, 32 * MIB_KB, 32 * MIB_KB },
	{ "timestamp", "/metadata/timestamp.json", TUF_TIMESTAMP_MAX_BYTES, 32 * MIB_KB, 32 * MIB_KB },
	{ "snapshot", "/metadata/2.snapshot.json", TUF_SNAPSHOT_MAX_BYTES, 32 * MIB_KB, 32 * MIB_KB },
	{ "targets", "/metadata/2.targets.json", TUF_UNLISTED_MAX_BYTES, 32 * MIB_KB, 32 * MIB_KB },
};

#define OBJECTS 4

static const struct {
	const char *name, *head, *piece;
	bool endless;
} bodies[] = {
	{ "endless text", "", "0123456789abcdef", true },
	{ "endless brackets", "{\"signatures\":[],\"signed\":", "[", true },
	{ "numbers", "{\"signatures\":[],\"signed\":[0", ",0", false },
	{ "arrays", "{\"signatures\":[],\"signed\":[0", ",[]", false },
	[OBJECTS] = { "objects", "{\"signatures\":[],\"signed\":[0", ",{}", false },
	{ "one string", "{\"signatures\":[],\"signed\":\"", "x", false },
	{ "signatures", "{\"signed\":{},\"signatures\":[0", ",{}", false },
};

/* Objects as far as their limit goes, and then a string: the most memory that a file of this type can take. */
static void stop_at_the_limit(uint8_t *body, size_t n, enum tuf_type type)
{
	const size_t head_n = strlen(bodies[OBJECTS].head), objects_n = 3 * (min_size(tuf_type_max_parts(type), TUF_UNLISTED_PARTS_MAX) - 4);

	if (head_n + objects_n + 2 > n)
		return;
	memset(body + head_n + objects_n, 'x', n - head_n - objects_n);
	memcpy(body + head_n + objects_n, ",\"", 2);
}

static void try_serving(struct world *w, size_t f, size_t b)
{
	const size_t n = bodies[b].endless ? 65536 : files[f].max_bytes;
	const long max_kb = bodies[b].endless ? files[f].endless_kb : files[f].whole_kb;
	struct waiting p = prepare(w);
	uint8_t *body = fill(bodies[b].head, bodies[b].piece, n);
	char said[1000];
	long peak_kb;

	if (b == OBJECTS)
		stop_at_the_limit(body, n, (enum tuf_type)f);
	httpd_add(w->h, (struct httpd_rule){ .path = files[f].path, .act = bodies[b].endless ? HTTPD_ENDLESS : HTTPD_SERVE,
					     .status = 200, .body = bytes_of(body, n) });
	const int status = run(w, p, &peak_kb, said);

	httpd_clear_rules(w->h);
	free(body);
	if (status != 1 || !strstr(said, files[f].role) || strstr(said, "emory"))
		fail_msg("%s, %s: status %d: %s", files[f].role, bodies[b].name, status, said);
	if (!IS_SANITIZED && peak_kb > max_kb)
		fail_msg("%s, %s: %ld KiB, more than %ld", files[f].role, bodies[b].name, peak_kb, max_kb);
}

static void set_up(struct world *w, bool list_lengths)
{
	struct err e;

	world_make(w, true);
	assert_int_equal(setenv("no_proxy", "127.0.0.1", 1), 0);
	world_publish(w);
	assert_int_equal(world_refresh(w, &e), 0);
	w->repo->list_lengths = list_lengths;
	tufrepo_bump(w->repo, "targets");
	world_publish(w);
}

static void what_a_mirror_can_serve(void **state)
{
	struct world w;
	char said[1000];
	long peak_kb;

	set_up(&w, false);
	for (size_t f = 0; f < ARRAY_LEN(files); f++)
		for (size_t b = 0; b < ARRAY_LEN(bodies); b++)
			try_serving(&w, f, b);
	if (run(&w, prepare(&w), &peak_kb, said) != 0)
		fail_msg("the honest repository: %s", said);
	assert_true(IS_SANITIZED || peak_kb < 32 * MIB_KB);
	world_remove(&w);
}

/* With lengths, as flipside-repo publishes them, nothing of it costs anything. */
static void listed_lengths_bound_it_all(void **state)
{
	struct world w;
	char said[1000];
	long peak_kb;

	set_up(&w, true);
	for (size_t b = 0; b < ARRAY_LEN(bodies); b++) {
		struct waiting p = prepare(&w);
		uint8_t *body = fill(bodies[b].head, bodies[b].piece, 65536);

		httpd_add(w.h, (struct httpd_rule){ .path = "/metadata/2.targets.json", .act = HTTPD_ENDLESS, .status = 200,
						    .body = bytes_of(body, 65536) });
		const int status = run(&w, p, &peak_kb, said);

		httpd_clear_rules(w.h);
		free(body);
		if (status != 1 || !strstr(said, "targets") || (!IS_SANITIZED && peak_kb > 32 * MIB_KB))
			fail_msg("%s: status %d, %ld KiB: %s", bodies[b].name, status, peak_kb, said);
	}
	world_remove(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(what_a_mirror_can_serve), cmocka_unit_test(listed_lengths_bound_it_all) };

	return cmocka_run_group_tests_name("tuf/tufclient_hostile", tests, NULL, NULL);
}
