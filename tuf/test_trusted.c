/* Every rule of the client workflow, each with a repository bent in one place. */
#include "test-fixtures/harness/case.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/tufrepo.h"
#include "tuf/search.h"
#include "tuf/trusted.h"

#define EXPIRED "2025-12-31T23:59:59Z"
#define AT_NOW "2026-01-01T00:00:00Z" /* TUFREPO_NOW_SEC */
#define AFTER_NOW "2026-01-01T00:00:01Z"

/* A failure must be of this reason; kind follows from it. */
static void expect(const char *name, int r, const struct err *e, const char *reason)
{
	const bool format = strcmp(reason, TUF_E_METADATA) == 0 || strcmp(reason, TUF_E_LIMIT) == 0;

	if (r != -1)
		fail_msg("%s: returned %d, not a failure of reason %s", name, r, reason);
	if (!e->reason || strcmp(e->reason, reason) != 0 || e->kind != (format ? ERR_FORMAT : ERR_TRUST))
		fail_msg("%s: %s, kind %s, reason %s, not %s", name, e->msg, err_kind_name(e->kind),
			 e->reason ? e->reason : "none", reason);
}

static void expect_done(const char *name, int r, const struct err *e)
{
	if (r != 0)
		fail_msg("%s: returned %d: %s", name, r, r < 0 ? e->msg : "");
}

static struct tuf_trusted *start(struct tufrepo *r, const char *root)
{
	struct tuf_trusted *t = NULL;
	struct err e;

	expect_done(root, tuf_trusted_new(tufrepo_kept(r, root), TUFREPO_NOW_SEC, TUF_EXPIRY_ENFORCED, &t, &e), &e);
	return t;
}

static struct tuf_trusted *start_done(struct tufrepo *r)
{
	struct tuf_trusted *t = start(r, "1.root.json");
	struct err e;

	expect_done("root", tuf_trusted_root_done(t, &e), &e);
	return t;
}

static struct tufrepo *new_repo(void)
{
	struct tufrepo *r = tufrepo_new();

	tufrepo_add_target(r, "targets", "hello.txt", bytes_of_str("hello"));
	return r;
}

/* Root */

static void first_root_plain(struct tufrepo *r)
{
	(void)r;
}

static void first_root_expired(struct tufrepo *r)
{
	tufrepo_set_expires(r, "root", EXPIRED);
}

static void first_root_unsigned(struct tufrepo *r)
{
	tufrepo_signers(r, "root", NULL, 0);
}

static void first_root_wrong(struct tufrepo *r)
{
	tufrepo_sig(r, "root", 0, TUFREPO_SIG_WRONG);
}

static void first_root_stranger(struct tufrepo *r)
{
	const int stranger = 77;

	tufrepo_signers(r, "root", &stranger, 1);
}

static void first_root_twice(struct tufrepo *r)
{
	tufrepo_sig(r, "root", 0, TUFREPO_SIG_TWICE);
}

static void first_root_two_of_two(struct tufrepo *r)
{
	const int keys[] = { 0, 10 };

	tufrepo_set_keys(r, "root", keys, 2, 2);
}

static void first_root_one_of_two(struct tufrepo *r)
{
	first_root_two_of_two(r);
	tufrepo_sig(r, "root", 10, TUFREPO_SIG_EMPTY);
}

static void first_root_more_than_keys(struct tufrepo *r)
{
	const int keys[] = { 0, 10 };

	tufrepo_set_keys(r, "root", keys, 2, 3);
}

static void first_root_one_key_three_names(struct tufrepo *r)
{
	const int keys[] = { TUFREPO_P256, TUFREPO_P256_OLD, TUFREPO_P256_HEX };

	tufrepo_set_keys(r, "root", keys, 3, 2);
}

static void first_root_all_kinds(struct tufrepo *r)
{
	const int keys[] = { 0, TUFREPO_RSA, TUFREPO_P256_HEX, TUFREPO_UNKNOWN };

	tufrepo_set_keys(r, "root", keys, 4, 3);
}

static void first_root_unknown_counts_nothing(struct tufrepo *r)
{
	const int keys[] = { 0, TUFREPO_UNKNOWN };

	tufrepo_set_keys(r, "root", keys, 2, 2);
}

static void first_root_type(struct tufrepo *r)
{
	json_object_set_new(tufrepo_signed(r, "root"), "_type", json_string("targets"));
}

static void first_root_no_snapshot_role(struct tufrepo *r)
{
	json_object_del(json_object_get(tufrepo_signed(r, "root"), "roles"), "snapshot");
}

static void first_root_unknown_members(struct tufrepo *r)
{
	json_object_set_new(tufrepo_signed(r, "root"), "x-\"odd\n", json_pack("{s:[i,n]}", "b\\", 1));
	json_object_set_new(json_object_get(tufrepo_signed(r, "root"), "roles"), "mirrors",
			    json_pack("{s:[], s:i}", "keyids", "threshold", 1));
}

static void test_first_root(void **state)
{
	static const struct {
		const char *name;
		void (*bend)(struct tufrepo *r);
		const char *reason; /* NULL: accepted */
	} cases[] = {
		{ "plain", first_root_plain, NULL },
		{ "expired: not looked at", first_root_expired, NULL },
		{ "unsigned", first_root_unsigned, TUF_E_THRESHOLD },
		{ "wrong signature", first_root_wrong, TUF_E_THRESHOLD },
		{ "a stranger's signature", first_root_stranger, TUF_E_THRESHOLD },
		{ "a key id signs twice", first_root_twice, TUF_E_DUPLICATE_SIG },
		{ "two of two", first_root_two_of_two, NULL },
		{ "one of two, the other empty", first_root_one_of_two, TUF_E_THRESHOLD },
		{ "threshold above the number of keys", first_root_more_than_keys, TUF_E_THRESHOLD },
		{ "one key under three ids", first_root_one_key_three_names, TUF_E_THRESHOLD },
		{ "all kinds of keys", first_root_all_kinds, NULL },
		{ "an unknown scheme counts nothing", first_root_unknown_counts_nothing, TUF_E_THRESHOLD },
		{ "_type", first_root_type, TUF_E_TYPE },
		{ "a role missing", first_root_no_snapshot_role, TUF_E_METADATA },
		{ "members nobody knows", first_root_unknown_members, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tufrepo *r = new_repo();
		struct tuf_trusted *t = NULL;
		struct err e = { 0 };

		cases[i].bend(r);
		const int ret = tuf_trusted_new(tufrepo_sign(r, "root"), TUFREPO_NOW_SEC, TUF_EXPIRY_ENFORCED, &t, &e);
		if (cases[i].reason)
			expect(cases[i].name, ret, &e, cases[i].reason);
		else
			expect_done(cases[i].name, ret, &e);
		tuf_trusted_free(t);
		tufrepo_free(r);
	}
}

static void next_root_rotated(struct tufrepo *r)
{
	const int key = 20;

	tufrepo_set_keys(r, "root", &key, 1, 1);
}

static void next_root_only_new(struct tufrepo *r)
{
	const int key = 20;

	next_root_rotated(r);
	tufrepo_signers(r, "root", &key, 1);
}

static void next_root_only_old(struct tufrepo *r)
{
	const int key = 0;

	next_root_rotated(r);
	tufrepo_signers(r, "root", &key, 1);
}

static void next_root_same_version(struct tufrepo *r)
{
	tufrepo_set_version(r, "root", 1);
}

static void next_root_skips(struct tufrepo *r)
{
	tufrepo_set_version(r, "root", 3);
}

static void test_next_root(void **state)
{
	static const struct {
		const char *name;
		void (*bend)(struct tufrepo *r);
		const char *reason;
	} cases[] = {
		{ "plain", first_root_plain, NULL },
		{ "expired: may be an intermediate one", first_root_expired, NULL },
		{ "rotated, signed by both", next_root_rotated, NULL },
		{ "rotated, signed by the new key only", next_root_only_new, TUF_E_THRESHOLD },
		{ "rotated, signed by the old key only", next_root_only_old, TUF_E_THRESHOLD },
		{ "same version", next_root_same_version, TUF_E_VERSION },
		{ "a version skipped", next_root_skips, TUF_E_VERSION },
		{ "unsigned", first_root_unsigned, TUF_E_THRESHOLD },
		{ "_type", first_root_type, TUF_E_TYPE },
		{ "threshold raised beyond its keys", first_root_more_than_keys, TUF_E_THRESHOLD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tufrepo *r = new_repo();
		struct err e = { 0 };

		tufrepo_publish(r);
		struct tuf_trusted *t = start(r, "1.root.json");
		tufrepo_bump(r, "root");
		cases[i].bend(r);
		const int ret = tuf_trusted_update_root(t, tufrepo_sign(r, "root"), &e);
		if (cases[i].reason)
			expect(cases[i].name, ret, &e, cases[i].reason);
		else
			expect_done(cases[i].name, ret, &e);
		assert_int_equal(tuf_trusted_root(t)->head.version, cases[i].reason ? 1 : 2);
		tuf_trusted_free(t);
		tufrepo_free(r);
	}
}

static void test_root_chain_and_expiry(void **state)
{
	static const struct {
		const char *date;
		bool valid;
	} cases[] = {
		{ EXPIRED, false }, { AT_NOW, false }, { AFTER_NOW, true }, { "2026-01-01T01:00:00+01:00", false }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tufrepo *r = new_repo();
		struct err e = { 0 };

		tufrepo_publish(r);
		struct tuf_trusted *t = start(r, "1.root.json");
		for (int key = 30; key < 45; key++) {
			tufrepo_bump(r, "root");
			tufrepo_set_keys(r, "root", &key, 1, 1);
			tufrepo_set_expires(r, "root", key < 44 ? EXPIRED : cases[i].date);
			expect_done("chain", tuf_trusted_update_root(t, tufrepo_sign(r, "root"), &e), &e);
			tufrepo_signers(r, "root", &key, 1);
		}
		assert_int_equal(tuf_trusted_root(t)->head.version, 16);
		if (cases[i].valid)
			expect_done(cases[i].date, tuf_trusted_root_done(t, &e), &e);
		else
			expect(cases[i].date, tuf_trusted_root_done(t, &e), &e, TUF_E_EXPIRED);
		tuf_trusted_free(t);
		tufrepo_free(r);
	}
}

static void test_last_root_version(void **state)
{
	struct tufrepo *r = new_repo();
	struct tuf_next next;
	struct err e = { 0 };

	(void)state;
	tufrepo_set_version(r, "root", INT64_MAX);
	tufrepo_put(r, "x", tufrepo_sign(r, "root"));
	struct tuf_trusted *t = start(r, "x");
	expect("next", tuf_trusted_next(t, "root", &next, &e), &e, TUF_E_VERSION);
	expect("update", tuf_trusted_update_root(t, tufrepo_kept(r, "x"), &e), &e, TUF_E_VERSION);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

static void test_keys_rotated(void **state)
{
	static const struct {
		const char *name, *role;
		int keys[3];
		size_t n;
		int64_t threshold;
		bool want;
	} cases[] = {
		{ "nothing changed", "timestamp", { 1 }, 1, 1, false },
		{ "timestamp: another key", "timestamp", { 11 }, 1, 1, true },
		{ "timestamp: one key more", "timestamp", { 1, 11 }, 2, 1, true },
		{ "timestamp: threshold", "timestamp", { 1 }, 1, 2, true },
		{ "snapshot: another key", "snapshot", { 12 }, 1, 1, true },
		{ "snapshot: the same twice", "snapshot", { 2, 2 }, 2, 1, false },
		{ "targets: another key", "targets", { 13 }, 1, 1, false },
		{ "root: another key", "root", { 14 }, 1, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tufrepo *r = new_repo();
		struct err e = { 0 };

		tufrepo_publish(r);
		struct tuf_trusted *t = start(r, "1.root.json");
		assert_false(tuf_trusted_keys_rotated(t));
		tufrepo_set_keys(r, cases[i].role, cases[i].keys, cases[i].n, cases[i].threshold);
		for (int n = 0; n < 2; n++) {
			tufrepo_bump(r, "root");
			expect_done(cases[i].name, tuf_trusted_update_root(t, tufrepo_sign(r, "root"), &e), &e);
			assert_case(cases[i].name, tuf_trusted_keys_rotated(t) == cases[i].want);
		}
		tuf_trusted_free(t);
		tufrepo_free(r);
	}
}

/* Timestamp: stored version 5 of snapshot 5, against what is fetched */

static void test_timestamp(void **state)
{
	static const struct {
		const char *name;
		int64_t version, snapshot;
		const char *expires;
		enum tufrepo_sig sig;
		int ret;
		const char *reason;
	} cases[] = {
		{ "newer", 6, 6, TUFREPO_EXPIRES, TUFREPO_SIG_GOOD, 0, NULL },
		{ "newer, same snapshot", 6, 5, TUFREPO_EXPIRES, TUFREPO_SIG_GOOD, 0, NULL },
		{ "same version", 5, 6, TUFREPO_EXPIRES, TUFREPO_SIG_GOOD, TUF_SAME, NULL },
		{ "same version, itself expired", 5, 5, EXPIRED, TUFREPO_SIG_GOOD, TUF_SAME, NULL },
		{ "rollback", 4, 5, TUFREPO_EXPIRES, TUFREPO_SIG_GOOD, -1, TUF_E_ROLLBACK },
		{ "snapshot rollback", 6, 4, TUFREPO_EXPIRES, TUFREPO_SIG_GOOD, -1, TUF_E_ROLLBACK },
		{ "expired", 6, 6, EXPIRED, TUFREPO_SIG_GOOD, -1, TUF_E_EXPIRED },
		{ "expires now", 6, 6, AT_NOW, TUFREPO_SIG_GOOD, -1, TUF_E_EXPIRED },
		{ "expires in a second", 6, 6, AFTER_NOW, TUFREPO_SIG_GOOD, 0, NULL },
		{ "wrong signature", 6, 6, TUFREPO_EXPIRES, TUFREPO_SIG_WRONG, -1, TUF_E_THRESHOLD },
		{ "empty signature", 6, 6, TUFREPO_EXPIRES, TUFREPO_SIG_EMPTY, -1, TUF_E_THRESHOLD },
		{ "same version, wrong signature", 5, 5, TUFREPO_EXPIRES, TUFREPO_SIG_WRONG, -1, TUF_E_THRESHOLD },
		{ "signed twice", 6, 6, TUFREPO_EXPIRES, TUFREPO_SIG_TWICE, -1, TUF_E_DUPLICATE_SIG },
		{ "not hex", 6, 6, TUFREPO_EXPIRES, TUFREPO_SIG_NOT_HEX, -1, TUF_E_THRESHOLD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases) * 2; i++) {
		const size_t c = i / 2;
		struct tufrepo *r = new_repo();
		struct err e = { 0 };

		tufrepo_set_version(r, "snapshot", 5);
		tufrepo_set_version(r, "timestamp", 5);
		/* A stored one that has expired is as good to compare with, but cannot be the one to keep. */
		tufrepo_set_expires(r, "timestamp", i % 2 ? EXPIRED : TUFREPO_EXPIRES);
		tufrepo_publish(r);
		struct tuf_trusted *t = start_done(r);
		expect_done("stored", tuf_trusted_load_timestamp(t, tufrepo_kept(r, "timestamp.json"), &e), &e);
		assert_null(tuf_trusted_timestamp(t));

		tufrepo_set_version(r, "snapshot", cases[c].snapshot);
		tufrepo_set_version(r, "timestamp", cases[c].version);
		tufrepo_set_expires(r, "timestamp", cases[c].expires);
		tufrepo_sig(r, "timestamp", 1, cases[c].sig);
		tufrepo_fill_timestamp(r);
		const int ret = tuf_trusted_update_timestamp(t, tufrepo_sign(r, "timestamp"), &e);
		if (cases[c].ret == TUF_SAME && i % 2)
			expect(cases[c].name, ret, &e, TUF_E_EXPIRED);
		else if (cases[c].reason)
			expect(cases[c].name, ret, &e, cases[c].reason);
		else
			assert_case(cases[c].name, ret == cases[c].ret);
		const struct tuf_timestamp *now = tuf_trusted_timestamp(t);
		assert_case(cases[c].name, (now != NULL) == (ret >= 0));
		if (now)
			assert_case(cases[c].name, now->snapshot.version == (ret ? 5u : (uint64_t)cases[c].snapshot));
		tuf_trusted_free(t);
		tufrepo_free(r);
	}
}

static void test_stored_timestamp_of_lost_keys(void **state)
{
	struct tufrepo *r = new_repo();
	struct err e = { 0 };
	const int key = 11;

	(void)state;
	tufrepo_set_version(r, "timestamp", INT64_MAX);
	tufrepo_publish(r);
	struct tuf_trusted *t = start(r, "1.root.json");
	tufrepo_bump(r, "root");
	tufrepo_set_keys(r, "timestamp", &key, 1, 1);
	expect_done("root", tuf_trusted_update_root(t, tufrepo_sign(r, "root"), &e), &e);
	expect_done("done", tuf_trusted_root_done(t, &e), &e);
	expect("stored", tuf_trusted_load_timestamp(t, tufrepo_kept(r, "timestamp.json"), &e), &e, TUF_E_THRESHOLD);
	tufrepo_set_version(r, "timestamp", 1);
	expect_done("recovered", tuf_trusted_update_timestamp(t, tufrepo_sign(r, "timestamp"), &e), &e);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

/* One online key signs both, so only _type tells a snapshot from a timestamp. */
static void test_type_confusion(void **state)
{
	struct tufrepo *r = new_repo();
	struct err e = { 0 };
	const int key = 1;

	(void)state;
	tufrepo_set_keys(r, "snapshot", &key, 1, 1);
	tufrepo_publish(r);
	struct tuf_trusted *t = start_done(r);
	expect("stored", tuf_trusted_load_timestamp(t, tufrepo_kept(r, "1.snapshot.json"), &e), &e, TUF_E_TYPE);
	expect("fetched", tuf_trusted_update_timestamp(t, tufrepo_kept(r, "1.snapshot.json"), &e), &e, TUF_E_TYPE);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

/* Snapshot */

/* A set that has got as far as the timestamp kept now, with the stored snapshot of these bytes (if any) loaded. */
static struct tuf_trusted *with_timestamp(struct tufrepo *r)
{
	struct tuf_trusted *t = start_done(r);
	struct err e;

	expect_done("timestamp", tuf_trusted_update_timestamp(t, tufrepo_kept(r, "timestamp.json"), &e), &e);
	return t;
}

static const struct snapshot_case {
	const char *name;
	bool hashes;
	const char *expires;
	int64_t version; /* of the snapshot file that is served; the timestamp says 2 */
	enum tufrepo_sig sig;
	int64_t targets;  /* version of targets in it; stored says 3 */
	bool drop_role;	  /* one that the stored one lists */
	bool other_bytes; /* than the timestamp lists */
	const char *reason;
} snapshot_cases[] = {
	{ "plain", false, TUFREPO_EXPIRES, 2, TUFREPO_SIG_GOOD, 4, false, false, NULL },
	{ "with hashes", true, TUFREPO_EXPIRES, 2, TUFREPO_SIG_GOOD, 4, false, false, NULL },
	{ "same targets", false, TUFREPO_EXPIRES, 2, TUFREPO_SIG_GOOD, 3, false, false, NULL },
	{ "another blank, nothing listed", false, TUFREPO_EXPIRES, 2, TUFREPO_SIG_GOOD, 4, false, true, NULL },
	{ "another blank, hashes listed", true, TUFREPO_EXPIRES, 2, TUFREPO_SIG_GOOD, 4, false, true, TUF_E_DIGEST },
	{ "version too high", false, TUFREPO_EXPIRES, 3, TUFREPO_SIG_GOOD, 4, false, false, TUF_E_VERSION },
	{ "version too low", false, TUFREPO_EXPIRES, 1, TUFREPO_SIG_GOOD, 4, false, false, TUF_E_VERSION },
	{ "targets rolled back", false, TUFREPO_EXPIRES, 2, TUFREPO_SIG_GOOD, 2, false, false, TUF_E_ROLLBACK },
	{ "targets rolled back, with hashes", true, TUFREPO_EXPIRES, 2, TUFREPO_SIG_GOOD, 2, false, false,
	  TUF_E_ROLLBACK },
	{ "a role vanished", false, TUFREPO_EXPIRES, 2, TUFREPO_SIG_GOOD, 4, true, false, TUF_E_ROLLBACK },
	{ "expired", false, EXPIRED, 2, TUFREPO_SIG_GOOD, 4, false, false, TUF_E_EXPIRED },
	{ "expires now", false, AT_NOW, 2, TUFREPO_SIG_GOOD, 4, false, false, TUF_E_EXPIRED },
	{ "wrong signature", false, TUFREPO_EXPIRES, 2, TUFREPO_SIG_WRONG, 4, false, false, TUF_E_THRESHOLD },
	{ "signed twice", false, TUFREPO_EXPIRES, 2, TUFREPO_SIG_TWICE, 4, false, false, TUF_E_DUPLICATE_SIG },
};

static const char *const any_path[] = { "*", NULL };

/* Stored: snapshot 1 with targets 3 and a role, valid or @expired. Then the case's one is served. */
static void run_snapshot_case(const struct snapshot_case *c, bool expired)
{
	struct tufrepo *r = new_repo();
	struct err e = { 0 };
	struct buf stored = BUF_INIT(1u << 20), served = BUF_INIT(1u << 20);

	tufrepo_delegate(
		r, (struct tufrepo_delegation){ .from = "targets", .name = "role1", .paths = any_path, .key = 50 });
	tufrepo_set_version(r, "targets", 3);
	tufrepo_set_expires(r, "snapshot", expired ? EXPIRED : TUFREPO_EXPIRES);
	tufrepo_publish(r);
	const struct bytes old = tufrepo_kept(r, "1.snapshot.json");
	assert_int_equal(buf_append(&stored, old.p, old.n, &e), 0);

	r->list_lengths = false;
	r->list_hashes = c->hashes;
	tufrepo_set_version(r, "targets", c->targets);
	tufrepo_set_expires(r, "snapshot", c->expires);
	tufrepo_leave_out(r, "role1", c->drop_role);
	tufrepo_set_version(r, "snapshot", c->version);
	tufrepo_sig(r, "snapshot", 2, c->sig);
	tufrepo_fill_snapshot(r);
	tufrepo_fill_timestamp(r);
	json_t *meta = json_object_get(json_object_get(tufrepo_signed(r, "timestamp"), "meta"), "snapshot.json");
	json_object_set_new(meta, "version", json_integer(2));
	tufrepo_bump(r, "timestamp");
	tufrepo_sign(r, "timestamp");
	tufrepo_keep(r, "timestamp");
	const struct bytes new = tufrepo_sign(r, "snapshot");
	assert_int_equal(buf_append(&served, new.p, new.n, &e), 0);
	if (c->other_bytes)
		assert_int_equal(buf_append_str(&served, " ", &e), 0);

	struct tuf_trusted *t = with_timestamp(r);
	assert_case(c->name, tuf_trusted_load_snapshot(t, buf_bytes(&stored), &e) == TUF_STALE);
	assert_null(tuf_trusted_snapshot(t));
	const int ret = tuf_trusted_update_snapshot(t, buf_bytes(&served), &e);
	if (c->reason)
		expect(c->name, ret, &e, c->reason);
	else
		expect_done(c->name, ret, &e);
	assert_case(c->name, (tuf_trusted_snapshot(t) != NULL) == (ret == 0));
	tuf_trusted_free(t);
	tufrepo_free(r);
	buf_fini(&stored);
	buf_fini(&served);
}

static void test_snapshot(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(snapshot_cases); i++) {
		run_snapshot_case(&snapshot_cases[i], false);
		run_snapshot_case(&snapshot_cases[i], true);
	}
}

static void test_stored_snapshot(void **state)
{
	static const struct {
		const char *name, *expires;
		bool hashes, other_bytes;
		enum tufrepo_sig sig;
		int ret;
		const char *reason;
	} cases[] = {
		{ "due", TUFREPO_EXPIRES, false, false, TUFREPO_SIG_GOOD, 0, NULL },
		{ "due, with hashes", TUFREPO_EXPIRES, true, false, TUFREPO_SIG_GOOD, 0, NULL },
		{ "not of the listed hashes", TUFREPO_EXPIRES, true, true, TUFREPO_SIG_GOOD, TUF_STALE, TUF_E_LENGTH },
		{ "expired", EXPIRED, false, false, TUFREPO_SIG_GOOD, TUF_STALE, TUF_E_EXPIRED },
		{ "wrong signature", TUFREPO_EXPIRES, false, false, TUFREPO_SIG_WRONG, -1, TUF_E_THRESHOLD },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tufrepo *r = new_repo();
		struct buf stored = BUF_INIT(1u << 20);
		struct err e = { 0 };

		r->list_hashes = r->list_lengths = cases[i].hashes;
		tufrepo_set_expires(r, "snapshot", cases[i].expires);
		tufrepo_sig(r, "snapshot", 2, cases[i].sig);
		tufrepo_publish(r);
		struct tuf_trusted *t = with_timestamp(r);
		const struct bytes b = tufrepo_kept(r, "1.snapshot.json");
		assert_int_equal(buf_append(&stored, b.p, b.n, &e), 0);
		if (cases[i].other_bytes)
			assert_int_equal(buf_append_str(&stored, "\n", &e), 0);
		assert_case(cases[i].name, tuf_trusted_load_snapshot(t, buf_bytes(&stored), &e) == cases[i].ret);
		if (cases[i].reason)
			assert_string_equal(e.reason, cases[i].reason);
		assert_case(cases[i].name, (tuf_trusted_snapshot(t) != NULL) == (cases[i].ret == 0));
		tuf_trusted_free(t);
		tufrepo_free(r);
		buf_fini(&stored);
	}
}

/* Targets and delegated roles */

static struct tuf_trusted *with_snapshot(struct tufrepo *r)
{
	struct tuf_trusted *t = with_timestamp(r);
	struct tuf_next next;
	char name[64];
	struct err e;

	expect_done("next", tuf_trusted_next(t, "snapshot", &next, &e), &e);
	snprintf(name, sizeof(name), "%" PRIu64 ".snapshot.json", next.version);
	expect_done("snapshot", tuf_trusted_update_snapshot(t, tufrepo_kept(r, name), &e), &e);
	return t;
}

static void targets_expired(struct tufrepo *r)
{
	tufrepo_set_expires(r, "targets", EXPIRED);
}

static void targets_wrong(struct tufrepo *r)
{
	tufrepo_sig(r, "targets", 3, TUFREPO_SIG_WRONG);
}

static void targets_version(struct tufrepo *r)
{
	tufrepo_bump(r, "targets");
}

static void targets_type(struct tufrepo *r)
{
	json_object_set_new(tufrepo_signed(r, "targets"), "_type", json_string("snapshot"));
}

static void targets_empty_hashes(struct tufrepo *r)
{
	json_t *t = json_object_get(json_object_get(tufrepo_signed(r, "targets"), "targets"), "hello.txt");

	json_object_set_new(t, "hashes", json_object());
}

static void targets_same(struct tufrepo *r)
{
	(void)r;
}

/* The file is changed after the snapshot was made, which lists nothing but its version unless @hashes. */
static void test_targets(void **state)
{
	static const struct {
		const char *name;
		void (*bend)(struct tufrepo *r);
		bool lengths, hashes;
		const char *reason;
	} cases[] = {
		{ "plain", targets_same, false, false, NULL },
		{ "with length and hashes", targets_same, true, true, NULL },
		{ "expired", targets_expired, false, false, TUF_E_EXPIRED },
		{ "wrong signature", targets_wrong, false, false, TUF_E_THRESHOLD },
		{ "another version", targets_version, false, false, TUF_E_VERSION },
		{ "another version, of the same length", targets_version, true, true, TUF_E_DIGEST },
		{ "another length", targets_type, true, true, TUF_E_LENGTH },
		{ "_type", targets_type, false, false, TUF_E_TYPE },
		{ "hashes of nothing", targets_empty_hashes, false, false, TUF_E_METADATA },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tufrepo *r = new_repo();
		struct err e = { 0 };

		r->list_lengths = cases[i].lengths;
		r->list_hashes = cases[i].hashes;
		tufrepo_publish(r);
		struct tuf_trusted *t = with_snapshot(r);
		cases[i].bend(r);
		const int ret = tuf_trusted_update_targets(t, tufrepo_sign(r, "targets"), &e);
		if (cases[i].reason)
			expect(cases[i].name, ret, &e, cases[i].reason);
		else
			expect_done(cases[i].name, ret, &e);
		assert_case(cases[i].name, (tuf_trusted_targets(t) != NULL) == (ret == 0));
		tuf_trusted_free(t);
		tufrepo_free(r);
	}
}

static void test_targets_not_listed(void **state)
{
	struct tufrepo *r = new_repo();
	struct tuf_next next;
	struct err e = { 0 };

	(void)state;
	tufrepo_leave_out(r, "targets", true);
	tufrepo_publish(r);
	struct tuf_trusted *t = with_snapshot(r);
	expect("next", tuf_trusted_next(t, "targets", &next, &e), &e, TUF_E_DELEGATION);
	expect("update", tuf_trusted_update_targets(t, tufrepo_kept(r, "1.targets.json"), &e), &e, TUF_E_DELEGATION);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

/* Hashes of unknown algorithms alone can prove nothing. */
static void test_unknown_hashes(void **state)
{
	static const struct {
		const char *name;
		bool sha256;
		const char *reason;
	} cases[] = { { "alone", false, TUF_E_DIGEST }, { "beside a known one", true, NULL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tufrepo *r = new_repo();
		struct err e = { 0 };

		r->list_hashes = true;
		tufrepo_publish(r);
		json_t *hashes = json_object_get(
			json_object_get(json_object_get(tufrepo_signed(r, "timestamp"), "meta"), "snapshot.json"),
			"hashes");
		json_object_set_new(hashes, "blake9", json_string("00"));
		if (!cases[i].sha256)
			json_object_del(hashes, "sha256");
		struct tuf_trusted *t = start_done(r);
		expect_done("timestamp", tuf_trusted_update_timestamp(t, tufrepo_sign(r, "timestamp"), &e), &e);
		const int ret = tuf_trusted_update_snapshot(t, tufrepo_kept(r, "1.snapshot.json"), &e);
		if (cases[i].reason)
			expect(cases[i].name, ret, &e, cases[i].reason);
		else
			expect_done(cases[i].name, ret, &e);
		tuf_trusted_free(t);
		tufrepo_free(r);
	}
}

static void test_next(void **state)
{
	struct tuf_next next;
	struct err e = { 0 };

	(void)state;
	for (int consistent = 0; consistent < 2; consistent++) {
		struct tufrepo *r = new_repo();

		tufrepo_set_consistent(r, consistent);
		r->list_lengths = true;
		tufrepo_set_version(r, "snapshot", 7);
		tufrepo_set_version(r, "targets", 9);
		tufrepo_publish(r);
		struct tuf_trusted *t = start(r, "1.root.json");
		assert_int_equal(tuf_trusted_next(t, "root", &next, &e), 0);
		assert_int_equal(next.version, 2);
		assert_int_equal(next.max_bytes, TUF_ROOT_MAX_BYTES);
		assert_int_equal(tuf_trusted_next(t, "timestamp", &next, &e), 0);
		assert_int_equal(next.version, 0);
		assert_int_equal(next.max_bytes, TUF_TIMESTAMP_MAX_BYTES);
		assert_int_equal(tuf_trusted_next(t, "snapshot", &next, &e), -1);
		assert_int_equal(e.kind, ERR_BUG);
		expect_done("done", tuf_trusted_root_done(t, &e), &e);
		expect_done("timestamp", tuf_trusted_update_timestamp(t, tufrepo_kept(r, "timestamp.json"), &e), &e);
		assert_int_equal(tuf_trusted_next(t, "snapshot", &next, &e), 0);
		assert_int_equal(next.version, consistent ? 7 : 0);
		assert_int_equal(next.max_bytes, tufrepo_sign(r, "snapshot").n);
		assert_int_equal(tuf_trusted_next(t, "targets", &next, &e), -1);
		assert_int_equal(e.kind, ERR_BUG);
		expect_done("snapshot", tuf_trusted_update_snapshot(t, tufrepo_sign(r, "snapshot"), &e), &e);
		assert_int_equal(tuf_trusted_next(t, "targets", &next, &e), 0);
		assert_int_equal(next.version, consistent ? 9 : 0);
		tuf_trusted_free(t);
		tufrepo_free(r);
	}
}

/* A listed length lowers the limit and never raises it. */
static void test_huge_length(void **state)
{
	struct tufrepo *r = new_repo();
	struct tuf_next next;
	struct err e = { 0 };

	(void)state;
	tufrepo_publish(r);
	json_t *meta = json_object_get(json_object_get(tufrepo_signed(r, "timestamp"), "meta"), "snapshot.json");
	json_object_set_new(meta, "length", json_integer(INT64_MAX));
	struct tuf_trusted *t = start_done(r);
	expect_done("timestamp", tuf_trusted_update_timestamp(t, tufrepo_sign(r, "timestamp"), &e), &e);
	assert_int_equal(tuf_trusted_next(t, "snapshot", &next, &e), 0);
	assert_int_equal(next.max_bytes, TUF_SNAPSHOT_MAX_BYTES);
	expect("length", tuf_trusted_update_snapshot(t, tufrepo_kept(r, "1.snapshot.json"), &e), &e, TUF_E_LENGTH);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

/* Everything expired, from the store alone. */
static void test_offline(void **state)
{
	static const char *const roles[] = { "root", "timestamp", "snapshot", "targets" };
	struct tufrepo *r = new_repo();
	struct tuf_trusted *t = NULL;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(roles); i++)
		tufrepo_set_expires(r, roles[i], EXPIRED);
	tufrepo_publish(r);
	expect_done("new", tuf_trusted_new(tufrepo_kept(r, "1.root.json"), TUFREPO_NOW_SEC, TUF_EXPIRY_IGNORED, &t, &e),
		    &e);
	expect_done("done", tuf_trusted_root_done(t, &e), &e);
	expect_done("timestamp", tuf_trusted_load_timestamp(t, tufrepo_kept(r, "timestamp.json"), &e), &e);
	assert_non_null(tuf_trusted_timestamp(t));
	expect_done("snapshot", tuf_trusted_load_snapshot(t, tufrepo_kept(r, "1.snapshot.json"), &e), &e);
	targets_wrong(r);
	expect("wrong", tuf_trusted_update_targets(t, tufrepo_sign(r, "targets"), &e), &e, TUF_E_THRESHOLD);
	expect_done("targets", tuf_trusted_update_targets(t, tufrepo_kept(r, "1.targets.json"), &e), &e);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

static void expect_bug(const char *name, int r, const struct err *e)
{
	assert_case(name, r == -1 && e->kind == ERR_BUG);
}

static void test_order_of_calls(void **state)
{
	struct tufrepo *r = new_repo();
	struct err e = { 0 };

	(void)state;
	tufrepo_publish(r);
	const struct bytes ts = tufrepo_kept(r, "timestamp.json"), sn = tufrepo_kept(r, "1.snapshot.json"),
			   tg = tufrepo_kept(r, "1.targets.json");
	struct tuf_trusted *t = start(r, "1.root.json");
	expect_bug("timestamp before root", tuf_trusted_update_timestamp(t, ts, &e), &e);
	expect_bug("stored timestamp before root", tuf_trusted_load_timestamp(t, ts, &e), &e);
	expect_done("root", tuf_trusted_root_done(t, &e), &e);
	expect_bug("root after root", tuf_trusted_update_root(t, tufrepo_kept(r, "1.root.json"), &e), &e);
	expect_bug("snapshot before timestamp", tuf_trusted_update_snapshot(t, sn, &e), &e);
	expect_done("stored timestamp", tuf_trusted_load_timestamp(t, ts, &e), &e);
	expect_bug("snapshot after a stored timestamp", tuf_trusted_load_snapshot(t, sn, &e), &e);
	assert_int_equal(tuf_trusted_update_timestamp(t, ts, &e), TUF_SAME);
	expect_bug("timestamp twice", tuf_trusted_update_timestamp(t, ts, &e), &e);
	expect_bug("targets before snapshot", tuf_trusted_update_targets(t, tg, &e), &e);
	expect_done("snapshot", tuf_trusted_update_snapshot(t, sn, &e), &e);
	expect_bug("snapshot twice", tuf_trusted_update_snapshot(t, sn, &e), &e);
	expect_bug("delegated before targets", tuf_trusted_update_delegated(t, NULL, "x", tg, NULL, &e), &e);
	expect_done("targets", tuf_trusted_update_targets(t, tg, &e), &e);
	expect_bug("targets twice", tuf_trusted_update_targets(t, tg, &e), &e);
	expect("not delegated", tuf_trusted_update_delegated(t, tuf_trusted_targets(t), "x", tg, NULL, &e), &e,
	       TUF_E_DELEGATION);
	tuf_trusted_free(t);
	tufrepo_free(r);
}

/* Each file cut at each length, and each of its bytes changed, is refused and changes nothing; then the good one
 * is taken. */
static const struct {
	const char *file;
	int (*update)(struct tuf_trusted *t, struct bytes in, struct err *e);
} steps[] = {
	{ "2.root.json", tuf_trusted_update_root },
	{ "timestamp.json", tuf_trusted_update_timestamp },
	{ "1.snapshot.json", tuf_trusted_update_snapshot },
	{ "1.targets.json", tuf_trusted_update_targets },
};

static void refuse_damaged(struct tuf_trusted *t, size_t step, uint8_t *p, size_t n)
{
	struct err e;

	for (size_t cut = 0; cut < n; cut++) {
		if (steps[step].update(t, bytes_of(p, cut), &e) >= 0)
			fail_msg("%s cut at %zu was accepted", steps[step].file, cut);
		assert_true(e.kind == ERR_FORMAT || e.kind == ERR_TRUST);
	}
	for (size_t i = 0; i < n; i++) {
		const uint8_t was = p[i];

		/* White space outside of strings and the spelling of hex digits are not signed, all else is. */
		p[i] = was == ' ' || was == '\n' ? 'x' : (uint8_t)(was ^ 1);
		if (steps[step].update(t, bytes_of(p, n), &e) >= 0)
			fail_msg("%s with byte %zu changed from %c to %c was accepted", steps[step].file, i, was, p[i]);
		p[i] = was;
	}
}

static void test_damaged_files(void **state)
{
	struct tufrepo *r = new_repo();
	struct err e = { 0 };

	(void)state;
	tufrepo_publish(r);
	struct tuf_trusted *t = start(r, "1.root.json");
	tufrepo_bump(r, "root");
	tufrepo_sign(r, "root");
	tufrepo_keep(r, "root");
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		const struct bytes b = tufrepo_kept(r, steps[i].file);
		uint8_t *p = malloc(b.n);

		assert_non_null(p);
		memcpy(p, b.p, b.n);
		refuse_damaged(t, i, p, b.n);
		expect_done(steps[i].file, steps[i].update(t, b, &e), &e);
		if (i == 0)
			expect_done("done", tuf_trusted_root_done(t, &e), &e);
		free(p);
	}
	tuf_trusted_free(t);
	tufrepo_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_root),
		cmocka_unit_test(test_next_root),
		cmocka_unit_test(test_root_chain_and_expiry),
		cmocka_unit_test(test_last_root_version),
		cmocka_unit_test(test_keys_rotated),
		cmocka_unit_test(test_timestamp),
		cmocka_unit_test(test_stored_timestamp_of_lost_keys),
		cmocka_unit_test(test_type_confusion),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_stored_snapshot),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_targets_not_listed),
		cmocka_unit_test(test_unknown_hashes),
		cmocka_unit_test(test_next),
		cmocka_unit_test(test_huge_length),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_order_of_calls),
		cmocka_unit_test(test_damaged_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
