/* Which roles a search visits, in which order, and by which delegator each is verified. */
#include "test-fixtures/harness/case.h"

#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/tufrepo.h"
#include "tuf/search.h"

#define KEY 50

static const char *const all[] = { "*", NULL };
static const char *const none[] = { "nothing", NULL };

/* A repository whose delegations are told as "from>to from>!to ...": '!' terminating, '~' not matching. */
static struct tufrepo *repo_of(const char *graph, const char *holder)
{
	struct tufrepo *r = tufrepo_new();
	char from[32], to[32];
	int n = 0;

	for (const char *p = graph; sscanf(p, " %31[a-z0-9]>%31s%n", from, to, &n) == 2; p += n) {
		const bool terminating = to[0] == '!', no_match = to[0] == '~';

		tufrepo_delegate(r, (struct tufrepo_delegation){ .from = from,
								 .name = to + (terminating || no_match),
								 .paths = no_match ? none : all,
								 .terminating = terminating,
								 .key = KEY });
	}
	if (holder)
		tufrepo_add_target(r, holder, "x", bytes_of_str("content"));
	tufrepo_publish(r);
	return r;
}

static struct tuf_trusted *trust(struct tufrepo *r)
{
	struct tuf_trusted *t = NULL;
	struct err e = { 0 };

	if (tuf_trusted_new(tufrepo_kept(r, "1.root.json"), TUFREPO_NOW_SEC, TUF_EXPIRY_ENFORCED, &t, &e) < 0 ||
	    tuf_trusted_root_done(t, &e) < 0 ||
	    tuf_trusted_update_timestamp(t, tufrepo_kept(r, "timestamp.json"), &e) < 0 ||
	    tuf_trusted_update_snapshot(t, tufrepo_kept(r, "1.snapshot.json"), &e) < 0 ||
	    tuf_trusted_update_targets(t, tufrepo_kept(r, "1.targets.json"), &e) < 0)
		fail_msg("%s", e.msg);
	return t;
}

/* Searches to the end; the roles loaded are written to @visited, each with a blank behind it. Return: of the last step */
static int search(struct tuf_trusted *t, struct tufrepo *r, const char *path, struct buf *visited,
		  struct tuf_search_at *at, struct err *e)
{
	CLEANUP(tuf_search_free_p) struct tuf_search *s = NULL;
	struct err mine;
	int ret;

	assert_int_equal(tuf_search_new(t, path, &s, e), 0);
	while ((ret = tuf_search_step(s, at, e)) == TUF_SEARCH_LOAD) {
		assert_int_equal(buf_printf(visited, &mine, "%s ", at->role), 0);
		if (tuf_trusted_update_delegated(t, at->from, at->role, tufrepo_sign(r, at->role), NULL, e) < 0)
			return -1;
	}
	return ret;
}

static const struct {
	const char *name, *graph, *holder; /* NULL: nobody */
	const char *visited;
} graphs[] = {
	{ "top level", "", "targets", "" },
	{ "nobody", "", NULL, "" },
	{ "top level before its delegations", "targets>a", "targets", "" },
	{ "one", "targets>a", "a", "a " },
	{ "in order", "targets>a targets>b targets>c", "c", "a b c " },
	{ "depth first", "targets>a targets>b a>c c>d", "b", "a c d b " },
	{ "not further than needed", "targets>a targets>b", "a", "a " },
	{ "no match, no visit", "targets>~a targets>b", "a", "b " },
	{ "terminating ends its list", "targets>a targets>!b targets>c", "c", "a b " },
	{ "found before the terminating one", "targets>a targets>!b", "a", "a " },
	{ "terminating: its own descendants are searched", "targets>!a a>b", "b", "a b " },
	{ "terminating below ends all ancestors' lists", "targets>a targets>z a>!b a>c b>d", "z", "a b d " },
	{ "terminating without a match has no effect", "targets>~a targets>b", "b", "b " },
	{ "each once", "targets>a targets>b a>c b>c", NULL, "a c b " },
	{ "diamond", "targets>a targets>b a>d b>d d>e", "e", "a d e " },
	{ "cycle", "targets>a a>b b>a", NULL, "a b " },
	{ "to itself", "targets>a a>a", NULL, "a " },
	{ "long cycle with a tail", "targets>a a>b b>c c>a c>d", "d", "a b c d " },
};

static void test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(graphs); i++) {
		struct tufrepo *r = repo_of(graphs[i].graph, graphs[i].holder);
		struct tuf_trusted *t = trust(r);
		struct buf visited = BUF_INIT(4096);
		struct tuf_search_at at = { 0 };
		struct err e = { 0 };
		const int ret = search(t, r, "x", &visited, &at, &e);

		if (!bytes_equal(buf_bytes(&visited), bytes_of_str(graphs[i].visited)))
			fail_msg("%s: %.*s", graphs[i].name, (int)visited.n, (const char *)visited.p);
		if (ret == TUF_SEARCH_FOUND) {
			assert_case(graphs[i].name, graphs[i].holder && strcmp(at.entry->path, "x") == 0);
			assert_case(graphs[i].name, at.entry->length == 7 && at.entry->hashes.n == 1);
		} else {
			assert_case(graphs[i].name, ret == -1 && e.kind == ERR_MISSING);
			assert_string_equal(e.reason, TUF_E_NO_TARGET);
		}
		buf_fini(&visited);
		tuf_trusted_free(t);
		tufrepo_free(r);
	}
}

/* A chain of @n roles; the last one has the target. */
static int search_chain(unsigned int n)
{
	struct tufrepo *r = tufrepo_new();
	struct buf visited = BUF_INIT(4096);
	struct tuf_search_at at;
	char from[16] = "targets", to[16];
	struct err e = { 0 };

	for (unsigned int i = 0; i < n; i++) {
		snprintf(to, sizeof(to), "r%u", i);
		tufrepo_delegate(r, (struct tufrepo_delegation){ .from = from, .name = to, .paths = all, .key = KEY });
		memcpy(from, to, sizeof(from));
	}
	tufrepo_add_target(r, from, "x", bytes_of_str(""));
	tufrepo_publish(r);
	struct tuf_trusted *t = trust(r);
	const int ret = search(t, r, "x", &visited, &at, &e);
	assert_true(ret == TUF_SEARCH_FOUND || e.kind == ERR_MISSING);
	buf_fini(&visited);
	tuf_trusted_free(t);
	tufrepo_free(r);
	return ret;
}

static void test_most_roles(void **state)
{
	(void)state;
	assert_int_equal(search_chain(TUF_DELEGATIONS_MAX - 1), TUF_SEARCH_FOUND);
	assert_int_equal(search_chain(TUF_DELEGATIONS_MAX), TUF_SEARCH_FOUND);
	assert_int_equal(search_chain(TUF_DELEGATIONS_MAX + 1), -1);
}

static void test_not_in_snapshot(void **state)
{
	struct tufrepo *r = tufrepo_new();
	struct buf visited = BUF_INIT(4096);
	struct tuf_search_at at;
	struct err e = { 0 };

	(void)state;
	tufrepo_delegate(r, (struct tufrepo_delegation){ .from = "targets", .name = "a", .paths = all, .key = KEY });
	tufrepo_leave_out(r, "a", true);
	tufrepo_publish(r);
	struct tuf_trusted *t = trust(r);
	assert_int_equal(search(t, r, "x", &visited, &at, &e), -1);
	assert_int_equal(e.kind, ERR_TRUST);
	assert_string_equal(e.reason, TUF_E_DELEGATION);
	assert_int_equal(visited.n, 0);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

static void bend_nothing(struct tufrepo *r)
{
	(void)r;
}

static void bend_signature(struct tufrepo *r)
{
	tufrepo_sig(r, "a", KEY, TUFREPO_SIG_WRONG);
}

static void bend_expiry(struct tufrepo *r)
{
	tufrepo_set_expires(r, "a", "2025-12-31T00:00:00Z");
}

static void bend_version(struct tufrepo *r)
{
	tufrepo_bump(r, "a");
}

static void bend_type(struct tufrepo *r)
{
	json_object_set_new(tufrepo_signed(r, "a"), "_type", json_string("a"));
}

/* A delegated role is held to the same rules as the top level; a failure ends the search, even if a later role
 * has the target. */
static void test_bad_role(void **state)
{
	static const struct {
		const char *name;
		void (*bend)(struct tufrepo *r);
		bool hashes;
		const char *reason;
	} cases[] = {
		{ "good", bend_nothing, true, NULL },
		{ "signature", bend_signature, false, TUF_E_THRESHOLD },
		{ "expired", bend_expiry, false, TUF_E_EXPIRED },
		{ "version", bend_version, false, TUF_E_VERSION },
		{ "hash", bend_version, true, TUF_E_DIGEST },
		{ "_type", bend_type, false, TUF_E_TYPE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tufrepo *r = repo_of("targets>a targets>b", "b");
		struct buf visited = BUF_INIT(4096);
		struct tuf_search_at at;
		struct err e = { 0 };

		r->list_hashes = cases[i].hashes;
		tufrepo_set_version(r, "snapshot", 0);
		tufrepo_publish(r);
		struct tuf_trusted *t = trust(r);
		cases[i].bend(r);
		const int ret = search(t, r, "x", &visited, &at, &e);
		if (cases[i].reason) {
			assert_case(cases[i].name, ret == -1 && e.kind == ERR_TRUST);
			assert_string_equal(e.reason, cases[i].reason);
			assert_true(bytes_equal(buf_bytes(&visited), bytes_of_str("a ")));
		} else {
			assert_case(cases[i].name, ret == TUF_SEARCH_FOUND);
		}
		buf_fini(&visited);
		tuf_trusted_free(t);
		tufrepo_free(r);
	}
}

/* "c" is delegated to by "a" with one key and by "b" with another, and signed by a's alone. What was verified for
 * "a" is not for "b". */
static void test_verdict_is_not_taken_over(void **state)
{
	static const char *const x[] = { "x", NULL }, *const y[] = { "y", NULL };
	struct tufrepo *r = tufrepo_new();
	struct buf visited = BUF_INIT(4096);
	struct tuf_search_at at;
	struct err e = { 0 };

	(void)state;
	tufrepo_delegate(r, (struct tufrepo_delegation){ .from = "targets", .name = "a", .paths = x, .key = KEY });
	tufrepo_delegate(r, (struct tufrepo_delegation){ .from = "targets", .name = "b", .paths = y, .key = KEY });
	tufrepo_delegate(r, (struct tufrepo_delegation){ .from = "a", .name = "c", .paths = x, .key = 61 });
	tufrepo_delegate(r, (struct tufrepo_delegation){ .from = "b", .name = "c", .paths = y, .key = 62 });
	const int only = 61;
	tufrepo_signers(r, "c", &only, 1);
	tufrepo_add_target(r, "c", "x", bytes_of_str("1"));
	tufrepo_add_target(r, "c", "y", bytes_of_str("2"));
	tufrepo_publish(r);
	struct tuf_trusted *t = trust(r);
	assert_int_equal(search(t, r, "x", &visited, &at, &e), TUF_SEARCH_FOUND);
	const struct tuf_entry *found = at.entry;
	assert_int_equal(search(t, r, "y", &visited, &at, &e), -1);
	assert_string_equal(e.reason, TUF_E_THRESHOLD);
	assert_true(bytes_equal(buf_bytes(&visited), bytes_of_str("a c b c ")));
	/* What was handed out is valid still, and is found again without a load. */
	assert_int_equal(search(t, r, "x", &visited, &at, &e), TUF_SEARCH_FOUND);
	assert_ptr_equal(at.entry, found);
	assert_int_equal(visited.n, strlen("a c b c "));
	buf_fini(&visited);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

static void test_hash_prefixes(void **state)
{
	/* SHA-256 of "hello" begins with 2cf24. */
	static const char *const yes[] = { "00", "2cf", NULL }, *const no[] = { "2cf3", NULL };
	struct tufrepo *r = tufrepo_new();
	struct buf visited = BUF_INIT(4096);
	struct tuf_search_at at;
	struct err e = { 0 };

	(void)state;
	tufrepo_delegate(r, (struct tufrepo_delegation){ .from = "targets", .name = "n", .prefixes = no, .key = KEY });
	tufrepo_delegate(r, (struct tufrepo_delegation){ .from = "targets", .name = "y", .prefixes = yes, .key = KEY });
	tufrepo_add_target(r, "y", "hello", bytes_of_str("1"));
	tufrepo_publish(r);
	struct tuf_trusted *t = trust(r);
	assert_int_equal(search(t, r, "hello", &visited, &at, &e), TUF_SEARCH_FOUND);
	assert_true(bytes_equal(buf_bytes(&visited), bytes_of_str("y ")));
	buf_fini(&visited);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

static void test_bins(void **state)
{
	struct tufrepo *r = tufrepo_new();
	struct buf visited = BUF_INIT(4096);
	struct tuf_search_at at;
	struct err e = { 0 };

	(void)state;
	tufrepo_add_bins(r, "targets", "bin", 5, KEY);
	tufrepo_add_target(r, "bin-05", "hello", bytes_of_str("1"));
	tufrepo_add_target(r, "bin-06", "other", bytes_of_str("1"));
	tufrepo_publish(r);
	struct tuf_trusted *t = trust(r);
	assert_int_equal(search(t, r, "hello", &visited, &at, &e), TUF_SEARCH_FOUND);
	assert_true(bytes_equal(buf_bytes(&visited), bytes_of_str("bin-05 ")));
	/* Listed, but in a bin that is not its own. */
	assert_int_equal(search(t, r, "other", &visited, &at, &e), -1);
	assert_string_equal(e.reason, TUF_E_NO_TARGET);
	buf_fini(&visited);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

static void test_misuse(void **state)
{
	CLEANUP(tuf_search_free_p) struct tuf_search *s = NULL;
	struct tufrepo *r = repo_of("targets>a", "a");
	struct tuf_trusted *t = trust(r), *early = NULL;
	struct tuf_search_at at;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(tuf_search_new(t, "x", &s, &e), 0);
	assert_int_equal(tuf_search_step(s, &at, &e), TUF_SEARCH_LOAD);
	assert_int_equal(at.next.version, 1);
	assert_int_equal(tuf_search_step(s, &at, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
	tuf_search_free(TAKE(s));
	assert_int_equal(
		tuf_trusted_new(tufrepo_kept(r, "1.root.json"), TUFREPO_NOW_SEC, TUF_EXPIRY_ENFORCED, &early, &e), 0);
	assert_int_equal(tuf_search_new(early, "x", &s, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
	tuf_trusted_free(early);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_most_roles),
		cmocka_unit_test(test_not_in_snapshot),
		cmocka_unit_test(test_bad_role),
		cmocka_unit_test(test_verdict_is_not_taken_over),
		cmocka_unit_test(test_hash_prefixes),
		cmocka_unit_test(test_bins),
		cmocka_unit_test(test_misuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
