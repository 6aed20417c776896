/*
 * Each attack on a client that has refreshed well once (the attacks of TUF specification 1.5.2, and what goes
 * beyond), by a mirror that can serve anything, or by who holds some of the keys. Each has to fail with its
 * reason, and must leave the store as far as the honest part reached: never behind, never with a byte of the
 * rest. Then the honest repository comes back, and the client with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tuf/test_world.h"
#include "tuf/tuf.h"

#define STRANGER 77

static void publish_again(struct world *w)
{
	tufrepo_bump(w->repo, "targets");
	world_publish(w);
}

static void keep_signed(struct world *w, const char *role)
{
	tufrepo_sign(w->repo, role);
	tufrepo_keep(w->repo, role);
}

static void serve(struct world *w, const char *name, struct bytes content)
{
	tufrepo_put(w->repo, name, content);
}

static void serve_kept(struct world *w, const char *name, const char *kept)
{
	struct buf b = world_copy(w, kept);

	serve(w, name, buf_bytes(&b));
	buf_fini(&b);
}

/* arbitrary installation: whole metadata by keys that nobody trusts */
static void foreign_timestamp(struct world *w)
{
	const int key = STRANGER;

	tufrepo_signers(w->repo, "timestamp", &key, 1);
	publish_again(w);
}

static void foreign_snapshot(struct world *w)
{
	const int key = STRANGER;

	tufrepo_signers(w->repo, "snapshot", &key, 1);
	publish_again(w);
}

static void foreign_targets(struct world *w)
{
	const int key = STRANGER;

	tufrepo_signers(w->repo, "targets", &key, 1);
	publish_again(w);
}

static void foreign_root(struct world *w)
{
	const int key = STRANGER;

	tufrepo_set_keys(w->repo, "root", &key, 1, 1);
	tufrepo_signers(w->repo, "root", &key, 1);
	tufrepo_bump(w->repo, "root");
	publish_again(w);
}

/* The new root's own keys have not signed it. */
static void root_without_itself(struct world *w)
{
	const int key = STRANGER, old = 0;

	tufrepo_set_keys(w->repo, "root", &key, 1, 1);
	tufrepo_signers(w->repo, "root", &old, 1);
	tufrepo_bump(w->repo, "root");
	publish_again(w);
}

static void root_that_skips_a_version(struct world *w)
{
	tufrepo_set_version(w->repo, "root", 3);
	keep_signed(w, "root");
	serve_kept(w, "2.root.json", "3.root.json");
}

static void root_served_again(struct world *w)
{
	serve_kept(w, "2.root.json", "1.root.json");
}

/* key compromise below the threshold: one of two, twice */
static void one_key_of_two(struct world *w)
{
	static const int keys[] = { 1, 51 };

	tufrepo_set_keys(w->repo, "timestamp", keys, 2, 2);
	tufrepo_signers(w->repo, "timestamp", keys, 1);
	tufrepo_bump(w->repo, "root");
	publish_again(w);
}

static void one_key_signs_twice(struct world *w)
{
	tufrepo_sig(w->repo, "timestamp", 1, TUFREPO_SIG_TWICE);
	publish_again(w);
}

/* rollback: the world is at version 2 of everything, and version 1 comes back */
static void old_timestamp(struct world *w)
{
	struct buf old = world_copy(w, "timestamp.json");
	struct err e;

	publish_again(w);
	assert_int_equal(world_refresh(w, &e), 0);
	serve(w, "timestamp.json", buf_bytes(&old));
	buf_fini(&old);
}

/* by who holds the timestamp key */
static void old_snapshot(struct world *w)
{
	struct err e;

	publish_again(w);
	assert_int_equal(world_refresh(w, &e), 0);
	tufrepo_set_version(w->repo, "timestamp", 3);
	tufrepo_set_version(w->repo, "snapshot", 1);
	tufrepo_fill_timestamp(w->repo);
	tufrepo_keep(w->repo, "timestamp");
}

/* by who holds timestamp and snapshot keys */
static void old_targets(struct world *w)
{
	struct err e;

	publish_again(w);
	assert_int_equal(world_refresh(w, &e), 0);
	tufrepo_set_version(w->repo, "targets", 1);
	world_publish(w);
}

static void vanished_role(struct world *w)
{
	static const char *const paths[] = { "d/*", NULL };
	struct err e;

	tufrepo_delegate(w->repo, (struct tufrepo_delegation){ .from = "targets", .name = "d", .paths = paths, .key = 60 });
	publish_again(w);
	assert_int_equal(world_refresh(w, &e), 0);
	tufrepo_leave_out(w->repo, "d", true);
	world_publish(w);
}

/* freeze: nothing new comes, and the time goes on */
static void nothing_happens(struct world *w)
{
	w->now_sec = AFTER_EXPIRY_SEC;
}

static void expire(struct world *w, const char *role)
{
	tufrepo_set_expires(w->repo, role, "2026-01-01T00:00:00Z"); /* TUFREPO_NOW_SEC: not valid from then on */
	if (strcmp(role, "root") == 0)
		tufrepo_bump(w->repo, role);
	publish_again(w);
}

static void expired_root(struct world *w)
{
	expire(w, "root");
}

static void expired_timestamp(struct world *w)
{
	expire(w, "timestamp");
}

static void expired_snapshot(struct world *w)
{
	expire(w, "snapshot");
}

static void expired_targets(struct world *w)
{
	expire(w, "targets");
}

/* endless data */
static void endless(struct world *w, const char *path)
{
	publish_again(w);
	httpd_add(w->h, (struct httpd_rule){
				.path = path, .act = HTTPD_ENDLESS, .status = 200, .body = bytes_of_str("{\"signed\": {\"a\": [0,0,0,0,0,0,0,0,0,0,0,0") });
}

static void endless_root(struct world *w)
{
	endless(w, "/metadata/2.root.json");
}

static void endless_timestamp(struct world *w)
{
	endless(w, "/metadata/timestamp.json");
}

static void endless_snapshot(struct world *w)
{
	w->repo->list_lengths = true;
	endless(w, "/metadata/2.snapshot.json");
}

static void longer_than_listed(struct world *w)
{
	struct buf b;
	struct err e;

	w->repo->list_lengths = true;
	publish_again(w);
	b = world_copy(w, "2.snapshot.json");
	assert_int_equal(buf_append_str(&b, "\n", &e), 0);
	serve(w, "2.snapshot.json", buf_bytes(&b));
	buf_fini(&b);
}

static void shorter_than_listed(struct world *w)
{
	struct buf b;

	w->repo->list_lengths = true;
	publish_again(w);
	b = world_copy(w, "2.snapshot.json");
	b.n--;
	serve(w, "2.snapshot.json", buf_bytes(&b));
	buf_fini(&b);
}

/* mix-and-match: parts that were never one repository */
static void another_snapshot(struct world *w)
{
	publish_again(w);
	serve_kept(w, "2.snapshot.json", "1.snapshot.json");
}

static void another_targets(struct world *w)
{
	publish_again(w);
	serve_kept(w, "2.targets.json", "1.targets.json");
}

/* The same version, well signed, but not the file that the timestamp has the hash of. */
static void another_snapshot_of_that_version(struct world *w)
{
	w->repo->list_hashes = true;
	publish_again(w);
	tufrepo_set_expires(w->repo, "snapshot", "2031-01-01T00:00:00Z");
	keep_signed(w, "snapshot");
}

static void another_targets_of_that_version(struct world *w)
{
	w->repo->list_hashes = true;
	publish_again(w);
	tufrepo_set_expires(w->repo, "targets", "2031-01-01T00:00:00Z");
	keep_signed(w, "targets");
}

/* One key signs timestamp and snapshot, and one is served as the other. */
static void snapshot_as_timestamp(struct world *w)
{
	const int key = 1;

	tufrepo_set_keys(w->repo, "snapshot", &key, 1, 1);
	tufrepo_signers(w->repo, "snapshot", &key, 1);
	tufrepo_bump(w->repo, "root");
	publish_again(w);
	serve_kept(w, "timestamp.json", "2.snapshot.json");
}

/* slow retrieval */
static void slow_timestamp(struct world *w)
{
	publish_again(w);
	httpd_add(w->h, (struct httpd_rule){ .path = "/metadata/timestamp.json", .act = HTTPD_SLOW, .n = 100 });
}

/* a mirror that only hinders */
static void no_timestamp(struct world *w)
{
	publish_again(w);
	serve(w, "timestamp.json", bytes_of(NULL, 0));
	httpd_add(w->h, (struct httpd_rule){ .path = "/metadata/timestamp.json", .status = 404 });
}

static void no_snapshot(struct world *w)
{
	publish_again(w);
	httpd_add(w->h, (struct httpd_rule){ .path = "/metadata/2.snapshot.json", .status = 404 });
}

static void no_targets(struct world *w)
{
	publish_again(w);
	httpd_add(w->h, (struct httpd_rule){ .path = "/metadata/2.targets.json", .status = 404 });
}

/* Trouble with the next root is no proof that there is none: a meddler could hold a client at an old one. */
static void root_hidden_by_500(struct world *w)
{
	publish_again(w);
	httpd_add(w->h, (struct httpd_rule){ .path = "/metadata/2.root.json", .status = 500 });
}

static void root_hidden_by_a_reset(struct world *w)
{
	publish_again(w);
	httpd_add(w->h, (struct httpd_rule){ .path = "/metadata/2.root.json", .act = HTTPD_RESET });
}

static void redirected_to_a_file(struct world *w)
{
	publish_again(w);
	httpd_add(w->h, (struct httpd_rule){ .path = "/metadata/timestamp.json", .status = 302,
					     .headers = "Location: file:///etc/passwd\r\n" });
}

static void rubbish(struct world *w)
{
	publish_again(w);
	serve(w, "timestamp.json", bytes_of_str("<html>please log in</html>"));
}

static void nothing_in_it(struct world *w)
{
	publish_again(w);
	serve(w, "timestamp.json", bytes_of_str(""));
}

static const struct {
	const char *name;
	void (*attack)(struct world *w);
	enum err_kind kind;
	const char *reason;
	int root, timestamp, snapshot, targets; /* stored afterwards */
	const char *last_request;
} attacks[] = {
	{ "arbitrary installation: timestamp", foreign_timestamp, ERR_TRUST, TUF_E_THRESHOLD, 1, 1, 1, 1, "timestamp.json" },
	{ "arbitrary installation: snapshot", foreign_snapshot, ERR_TRUST, TUF_E_THRESHOLD, 1, 2, 1, 1, "2.snapshot.json" },
	{ "arbitrary installation: targets", foreign_targets, ERR_TRUST, TUF_E_THRESHOLD, 1, 2, 2, 1, "2.targets.json" },
	{ "arbitrary installation: root", foreign_root, ERR_TRUST, TUF_E_THRESHOLD, 1, 1, 1, 1, "2.root.json" },
	{ "root not signed by itself", root_without_itself, ERR_TRUST, TUF_E_THRESHOLD, 1, 1, 1, 1, "2.root.json" },
	{ "root that skips a version", root_that_skips_a_version, ERR_TRUST, TUF_E_VERSION, 1, 1, 1, 1, "2.root.json" },
	{ "rollback of root", root_served_again, ERR_TRUST, TUF_E_VERSION, 1, 1, 1, 1, "2.root.json" },
	{ "key compromise below the threshold", one_key_of_two, ERR_TRUST, TUF_E_THRESHOLD, 2, 0, 0, 1, "timestamp.json" },
	{ "one key signs twice", one_key_signs_twice, ERR_TRUST, TUF_E_DUPLICATE_SIG, 1, 1, 1, 1, "timestamp.json" },
	{ "rollback of timestamp", old_timestamp, ERR_TRUST, TUF_E_ROLLBACK, 1, 2, 2, 2, "timestamp.json" },
	{ "rollback of snapshot", old_snapshot, ERR_TRUST, TUF_E_ROLLBACK, 1, 2, 2, 2, "timestamp.json" },
	{ "rollback of targets", old_targets, ERR_TRUST, TUF_E_ROLLBACK, 1, 3, 2, 2, "3.snapshot.json" },
	{ "removal of a role", vanished_role, ERR_TRUST, TUF_E_ROLLBACK, 1, 3, 2, 2, "3.snapshot.json" },
	{ "freeze", nothing_happens, ERR_TRUST, TUF_E_EXPIRED, 1, 1, 1, 1, "2.root.json" },
	{ "expired root", expired_root, ERR_TRUST, TUF_E_EXPIRED, 2, 1, 1, 1, "3.root.json" },
	{ "expired timestamp", expired_timestamp, ERR_TRUST, TUF_E_EXPIRED, 1, 1, 1, 1, "timestamp.json" },
	{ "expired snapshot", expired_snapshot, ERR_TRUST, TUF_E_EXPIRED, 1, 2, 1, 1, "2.snapshot.json" },
	{ "expired targets", expired_targets, ERR_TRUST, TUF_E_EXPIRED, 1, 2, 2, 1, "2.targets.json" },
	{ "endless data: root", endless_root, ERR_FORMAT, TUF_E_LIMIT, 1, 1, 1, 1, "2.root.json" },
	{ "endless data: timestamp", endless_timestamp, ERR_FORMAT, TUF_E_LIMIT, 1, 1, 1, 1, "timestamp.json" },
	{ "endless data: snapshot", endless_snapshot, ERR_FORMAT, TUF_E_LIMIT, 1, 2, 1, 1, "2.snapshot.json" },
	{ "longer than listed", longer_than_listed, ERR_FORMAT, TUF_E_LIMIT, 1, 2, 1, 1, "2.snapshot.json" },
	{ "shorter than listed", shorter_than_listed, ERR_TRUST, TUF_E_LENGTH, 1, 2, 1, 1, "2.snapshot.json" },
	{ "mix-and-match: snapshot", another_snapshot, ERR_TRUST, TUF_E_VERSION, 1, 2, 1, 1, "2.snapshot.json" },
	{ "mix-and-match: targets", another_targets, ERR_TRUST, TUF_E_VERSION, 1, 2, 2, 1, "2.targets.json" },
	{ "mix-and-match: snapshot's hash", another_snapshot_of_that_version, ERR_TRUST, TUF_E_DIGEST, 1, 2, 1, 1, "2.snapshot.json" },
	{ "mix-and-match: targets' hash", another_targets_of_that_version, ERR_TRUST, TUF_E_DIGEST, 1, 2, 2, 1, "2.targets.json" },
	{ "wrong role's file", snapshot_as_timestamp, ERR_TRUST, TUF_E_TYPE, 2, 0, 0, 1, "timestamp.json" },
	{ "slow retrieval", slow_timestamp, ERR_NETWORK, TUF_E_TIMEOUT, 1, 1, 1, 1, "timestamp.json" },
	{ "no timestamp", no_timestamp, ERR_MISSING, TUF_E_HTTP, 1, 1, 1, 1, "timestamp.json" },
	{ "no snapshot", no_snapshot, ERR_MISSING, TUF_E_HTTP, 1, 2, 1, 1, "2.snapshot.json" },
	{ "no targets", no_targets, ERR_MISSING, TUF_E_HTTP, 1, 2, 2, 1, "2.targets.json" },
	{ "next root hidden by an error", root_hidden_by_500, ERR_NETWORK, TUF_E_HTTP, 1, 1, 1, 1, "2.root.json" },
	{ "next root hidden by a reset", root_hidden_by_a_reset, ERR_NETWORK, TUF_E_TRANSPORT, 1, 1, 1, 1, "2.root.json" },
	{ "redirect to a local file", redirected_to_a_file, ERR_NETWORK, TUF_E_HTTP, 1, 1, 1, 1, "timestamp.json" },
	{ "rubbish", rubbish, ERR_FORMAT, NULL, 1, 1, 1, 1, "timestamp.json" },
	{ "nothing", nothing_in_it, ERR_FORMAT, NULL, 1, 1, 1, 1, "timestamp.json" },
};

static bool ends_with(const char *s, const char *end)
{
	const size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

static void each_attack_fails_and_leaves_the_store_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
		const char *name = attacks[i].name;
		struct world w;
		struct err e;

		world_make(&w, true);
		world_publish(&w);
		assert_case(name, world_refresh(&w, &e) == 0);
		attacks[i].attack(&w);
		world_write(&w);
		world_requests(&w);
		if (world_refresh(&w, &e) != -1)
			fail_msg("%s: it works", name);
		if (e.kind != attacks[i].kind || (attacks[i].reason && (!e.reason || strcmp(e.reason, attacks[i].reason) != 0)))
			fail_msg("%s: %s, %s: %s", name, err_kind_name(e.kind), e.reason, e.msg);
		const char *requests = world_requests(&w);

		if (!ends_with(requests, attacks[i].last_request))
			fail_msg("%s: %s", name, requests);
		assert_case(name, world_stored(&w, "root.json") == attacks[i].root);
		assert_case(name, world_stored(&w, "timestamp.json") == attacks[i].timestamp);
		assert_case(name, world_stored(&w, "snapshot.json") == attacks[i].snapshot);
		assert_case(name, world_stored(&w, "targets.json") == attacks[i].targets);
		world_remove(&w);
	}
}

/* What an attacker could do to the store, by way of a failed refresh, must not stand in the way of the honest
 * repository. */
static void the_client_comes_back(void **state)
{
	static const int good[] = { 0, 1, 2, 3 };
	static const char *const roles[] = { "root", "timestamp", "snapshot", "targets" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
		const char *name = attacks[i].name;
		struct world w;
		struct err e;

		/* Roots that an attack has published stay published; those are the repository's own doings. */
		if (attacks[i].root != 1 || strstr(name, "oot"))
			continue;
		world_make(&w, true);
		world_publish(&w);
		assert_case(name, world_refresh(&w, &e) == 0);
		attacks[i].attack(&w);
		world_write(&w);
		assert_case(name, world_refresh(&w, &e) == -1);

		httpd_clear_rules(w.h);
		w.now_sec = TUFREPO_NOW_SEC;
		for (size_t k = 0; k < ARRAY_LEN(roles); k++)
			tufrepo_signers(w.repo, roles[k], &good[k], 1);
		for (size_t k = 1; k < ARRAY_LEN(roles); k++) {
			tufrepo_set_expires(w.repo, roles[k], TUFREPO_EXPIRES);
			tufrepo_set_version(w.repo, roles[k], 9);
		}
		if (strstr(name, "removal"))
			tufrepo_leave_out(w.repo, "d", false);
		tufrepo_set_version(w.repo, "root", 1);
		world_publish(&w);
		if (world_refresh(&w, &e) != 0)
			fail_msg("%s: %s", name, e.msg);
		assert_case(name, world_stored(&w, "targets.json") == 9);
		world_remove(&w);
	}
}

/* Whoever had the online keys has published enormous versions. New keys in a new root, and low numbers are good again. */
static void fast_forward_recovery(void **state)
{
	static const int64_t versions[] = { 1000000, INT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		const int timestamp = 51, snapshot = 52;
		struct world w;
		struct err e;

		world_make(&w, true);
		world_publish(&w);
		tufrepo_set_version(w.repo, "timestamp", versions[i]);
		tufrepo_set_version(w.repo, "snapshot", versions[i]);
		tufrepo_set_version(w.repo, "targets", versions[i]);
		tufrepo_fill_snapshot(w.repo);
		tufrepo_fill_timestamp(w.repo);
		tufrepo_keep(w.repo, "targets");
		tufrepo_keep(w.repo, "snapshot");
		tufrepo_keep(w.repo, "timestamp");
		world_write(&w);
		assert_int_equal(world_refresh(&w, &e), 0);
		assert_int_equal(world_stored(&w, "timestamp.json"), versions[i]);

		tufrepo_set_keys(w.repo, "timestamp", &timestamp, 1, 1);
		tufrepo_set_keys(w.repo, "snapshot", &snapshot, 1, 1);
		tufrepo_bump(w.repo, "root");
		tufrepo_set_version(w.repo, "timestamp", 1);
		tufrepo_set_version(w.repo, "snapshot", 1);
		tufrepo_set_version(w.repo, "targets", 1);
		world_publish(&w);
		if (world_refresh(&w, &e) != 0)
			fail_msg("%s", e.msg);
		assert_int_equal(world_stored(&w, "timestamp.json"), 2);
		assert_int_equal(world_stored(&w, "targets.json"), 1);
		world_remove(&w);
	}
}

/* Without new keys there is no way back, however it is tried. */
static void no_way_back_without_new_keys(void **state)
{
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	tufrepo_set_version(w.repo, "timestamp", 1000);
	tufrepo_fill_timestamp(w.repo);
	tufrepo_keep(w.repo, "timestamp");
	world_write(&w);
	assert_int_equal(world_refresh(&w, &e), 0);
	tufrepo_set_version(w.repo, "timestamp", 1);
	tufrepo_bump(w.repo, "root");
	world_publish(&w);
	assert_int_equal(world_refresh(&w, &e), -1);
	assert_string_equal(e.reason, TUF_E_ROLLBACK);
	assert_int_equal(world_stored(&w, "root.json"), 2);
	assert_int_equal(world_stored(&w, "timestamp.json"), 1000);
	world_remove(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_attack_fails_and_leaves_the_store_whole),
		cmocka_unit_test(the_client_comes_back),
		cmocka_unit_test(fast_forward_recovery),
		cmocka_unit_test(no_way_back_without_new_keys),
	};

	return cmocka_run_group_tests_name("tuf/client_attack", tests, NULL, NULL);
}
