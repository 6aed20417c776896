/* Targets: lookup through delegations, names of requests, and every way in which the bytes can be other than the
 * metadata says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tuf/test_world.h"
#include "tuf/tuf.h"

#define N_TARGET 21 /* bytes of TARGET_TEXT */

static const char *const under_d[] = { "d/*", NULL };

static void delegate(struct world *w, const char *from, const char *name, const char *const *paths, int key)
{
	tufrepo_delegate(w->repo, (struct tufrepo_delegation){ .from = from, .name = name, .paths = paths, .key = key });
}

/* The part of the requests behind the refresh. */
static const char *target_requests(struct world *w)
{
	const char *all = world_requests(w), *behind = strstr(all, "1.targets.json");

	if (!behind)
		behind = strstr(all, "timestamp.json");
	assert_non_null(behind);
	return strchr(behind, ' ') ? strchr(behind, ' ') + 1 : "";
}

static void a_target_and_its_request(void **state)
{
	static const struct {
		const char *path;
		bool consistent;
		const char *request; /* %s: its sha256 */
	} cases[] = {
		{ "a.txt", true, "targets/%s.a.txt" },
		{ "a.txt", false, "targets/a.txt" },
		{ "x/y/b.txt", true, "targets/x/y/%s.b.txt" },
		{ "x/y/b.txt", false, "targets/x/y/b.txt" },
		{ "odd name?#%.txt", true, "targets/%s.odd%%20name%%3F%%23%%25.txt" },
		{ "\xc3\xa9", false, "targets/%%C3%%A9" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
		struct buf b = BUF_INIT(N_TARGET), expected = BUF_INIT(1000);
		char hex[2 * DIGEST_MAX_BYTES + 1];
		struct tuf_target t;
		struct world w;
		struct err e;

		world_make(&w, true);
		tufrepo_set_consistent(w.repo, cases[i].consistent);
		tufrepo_add_target(w.repo, "targets", cases[i].path, bytes_of_str(TARGET_TEXT));
		tufrepo_set_custom(w.repo, "targets", cases[i].path, json_pack("{s:i}", "k", 1));
		world_publish(&w);
		assert_case(cases[i].path, world_open(&w, &c, &e) == 0 && tuf_client_refresh(c, &e) == 0);
		assert_case(cases[i].path, tuf_client_find(c, cases[i].path, &t, &e) == 0);
		assert_string_equal(t.path, cases[i].path);
		assert_string_equal(t.role, "targets");
		assert_string_equal(t.custom, "{\"k\":1}");
		assert_int_equal(t.length, N_TARGET);
		assert_int_equal(t.n_hashes, 1);
		world_requests(&w);
		if (tuf_client_read_target(c, cases[i].path, &b, &e) < 0)
			fail_msg("%s: %s", cases[i].path, e.msg);
		assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(TARGET_TEXT)));
		digest_hex(&t.hashes[0], hex);
		const char *mark = strstr(cases[i].request, "%s");
		const int front = mark ? (int)(mark - cases[i].request) : 0;

		assert_int_equal(buf_printf(&expected, &e, "%.*s%s", front, cases[i].request, mark ? hex : ""), 0);
		for (const char *p = cases[i].request + front + (mark ? 2 : 0); *p; p++)
			assert_int_equal(buf_append(&expected, p[0] == '%' && p[1] == '%' ? p++ : p, 1, &e), 0);
		assert_string_equal(world_requests(&w), buf_str(&expected, &e));
		buf_fini(&expected);
		buf_fini(&b);
		tuf_client_free(TAKE(c));
		world_remove(&w);
	}
}

static void wrong_bytes_are_refused(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule rule; /* for the target */
		enum err_kind kind;
		const char *reason;
	} cases[] = {
		{ "substituted", { .body = { (const uint8_t *)"the target's CONTENT\n", N_TARGET } }, ERR_TRUST, TUF_E_DIGEST },
		{ "one byte too few", { .body = { (const uint8_t *)TARGET_TEXT, N_TARGET - 1 } }, ERR_TRUST, TUF_E_LENGTH },
		{ "one byte too many", { .body = { (const uint8_t *)TARGET_TEXT "+", N_TARGET + 1 } }, ERR_TRUST, TUF_E_LENGTH },
		{ "one too many, not announced", { .act = HTTPD_CHUNKED, .body = { (const uint8_t *)TARGET_TEXT "+", N_TARGET + 1 } },
		  ERR_TRUST, TUF_E_LENGTH },
		{ "far too many", { .body = { (const uint8_t *)TARGET_TEXT TARGET_TEXT, 2 * N_TARGET } }, ERR_TRUST, TUF_E_LENGTH },
		{ "nothing", { .body = { (const uint8_t *)"", 0 } }, ERR_TRUST, TUF_E_LENGTH },
		{ "endless", { .act = HTTPD_ENDLESS }, ERR_TRUST, TUF_E_LENGTH },
		{ "cut", { .act = HTTPD_CUT, .n = 7 }, ERR_NETWORK, TUF_E_TRANSPORT },
		{ "stalls", { .act = HTTPD_STALL, .n = 7 }, ERR_NETWORK, TUF_E_TIMEOUT },
		{ "404", { .status = 404 }, ERR_MISSING, TUF_E_HTTP },
		{ "500", { .status = 500 }, ERR_NETWORK, TUF_E_HTTP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd_rule rule = cases[i].rule;
		struct buf b = BUF_INIT(1000);
		struct world w;
		struct err e;

		world_make(&w, true);
		world_publish(&w);
		rule.path = "/targets/*";
		rule.status = rule.status ? rule.status : 200;
		httpd_add(w.h, rule);
		assert_case(cases[i].name, world_read_target(&w, "a.txt", &b, &e) == -1);
		if (e.kind != cases[i].kind || strcmp(e.reason, cases[i].reason) != 0)
			fail_msg("%s: %s, %s: %s", cases[i].name, err_kind_name(e.kind), e.reason, e.msg);
		buf_fini(&b);
		world_remove(&w);
	}
}

static json_t *entry_of(struct world *w, const char *path)
{
	return json_object_get(json_object_get(tufrepo_signed(w->repo, "targets"), "targets"), path);
}

static const char *hex_of(enum digest_alg alg, const char *text, char *out)
{
	struct digest d;
	struct err e;

	assert_int_equal(digest_bytes(alg, bytes_of_str(text), &d, &e), 0);
	digest_hex(&d, out);
	return out;
}

/* All that are listed are checked; unknown ones alone are no ground to believe anything. */
static void hash_algorithms(void **state)
{
	static const struct {
		const char *name;
		const char *sha256, *sha512, *unknown; /* of which text; NULL: not listed */
		int ret;
	} cases[] = {
		{ "sha256", TARGET_TEXT, NULL, NULL, 0 },
		{ "sha512", NULL, TARGET_TEXT, NULL, 0 },
		{ "both", TARGET_TEXT, TARGET_TEXT, NULL, 0 },
		{ "both, the first one differs", "x", TARGET_TEXT, NULL, -1 },
		{ "both, the second one differs", TARGET_TEXT, "x", NULL, -1 },
		{ "a known and an unknown one", TARGET_TEXT, NULL, "x", 0 },
		{ "an unknown one", NULL, NULL, TARGET_TEXT, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		json_t *hashes = json_object();
		char hex[2 * DIGEST_MAX_BYTES + 1];
		struct buf b = BUF_INIT(1000);
		struct world w;
		struct err e;

		world_make(&w, true);
		if (cases[i].sha512)
			json_object_set_new(hashes, "sha512", json_string(hex_of(DIGEST_SHA512, cases[i].sha512, hex)));
		if (cases[i].sha256)
			json_object_set_new(hashes, "sha256", json_string(hex_of(DIGEST_SHA256, cases[i].sha256, hex)));
		if (cases[i].unknown)
			json_object_set_new(hashes, "crc32", json_string("00000000"));
		json_object_set_new(entry_of(&w, "a.txt"), "hashes", hashes);
		world_publish(&w);
		httpd_add(w.h, (struct httpd_rule){ .path = "/targets/*", .status = 200, .body = bytes_of_str(TARGET_TEXT) });
		if (world_read_target(&w, "a.txt", &b, &e) != cases[i].ret)
			fail_msg("%s: %s", cases[i].name, e.msg);
		if (cases[i].ret < 0)
			assert_case(cases[i].name, e.kind == ERR_TRUST && strcmp(e.reason, TUF_E_DIGEST) == 0);
		buf_fini(&b);
		world_remove(&w);
	}
}

static void a_targets_room_is_looked_at_before_its_request(void **state)
{
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	for (size_t max = N_TARGET - 1; max <= N_TARGET + 1; max++) {
		struct buf b = BUF_INIT(max);
		const int r = world_read_target(&w, "a.txt", &b, &e);

		assert_int_equal(r, max < N_TARGET ? -1 : 0);
		assert_true(r == 0 || e.kind == ERR_FORMAT);
		assert_true((strstr(world_requests(&w), " targets/") == NULL) == (max < N_TARGET));
		buf_fini(&b);
	}
	world_remove(&w);
}

static void an_empty_target(void **state)
{
	struct buf b = BUF_INIT(1);
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	tufrepo_add_target(w.repo, "targets", "empty", bytes_of("", 0));
	world_publish(&w);
	assert_int_equal(world_read_target(&w, "empty", &b, &e), 0);
	assert_int_equal(b.n, 0);
	httpd_add(w.h, (struct httpd_rule){ .path = "/targets/*", .status = 200, .body = bytes_of_str("x") });
	assert_int_equal(world_read_target(&w, "empty", &b, &e), -1);
	assert_int_equal(e.kind, ERR_TRUST);
	assert_string_equal(e.reason, TUF_E_LENGTH);
	buf_fini(&b);
	world_remove(&w);
}

static void unknown_targets(void **state)
{
	static const char *const paths[] = { "none", "A.TXT", "/a.txt", "./a.txt", "a.txt/", "", "../a.txt" };
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
	struct tuf_target t;
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	assert_int_equal(world_open(&w, &c, &e), 0);
	assert_int_equal(tuf_client_refresh(c, &e), 0);
	world_requests(&w);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		assert_case(paths[i], tuf_client_find(c, paths[i], &t, &e) == -1);
		assert_case(paths[i], e.kind == ERR_MISSING && strcmp(e.reason, TUF_E_NO_TARGET) == 0);
	}
	assert_string_equal(world_requests(&w), "");
	tuf_client_free(TAKE(c));
	world_remove(&w);
}

static void a_delegated_target(void **state)
{
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
	struct tuf_target t, again;
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	delegate(&w, "targets", "d", under_d, 60);
	tufrepo_add_target(w.repo, "d", "d/b.txt", bytes_of_str("delegated"));
	world_publish(&w);
	assert_int_equal(world_open(&w, &c, &e), 0);
	assert_int_equal(tuf_client_refresh(c, &e), 0);
	assert_string_equal(target_requests(&w), ""); /* a refresh is the top level only */
	assert_int_equal(tuf_client_find(c, "a.txt", &t, &e), 0);
	assert_string_equal(world_requests(&w), "");
	assert_int_equal(tuf_client_find(c, "d/b.txt", &t, &e), 0);
	assert_string_equal(world_requests(&w), "metadata/1.d.json");
	assert_string_equal(t.role, "d");
	assert_true(world_stored_is(&w, "d.json", "1.d.json"));
	assert_int_equal(tuf_client_find(c, "d/b.txt", &again, &e), 0);
	assert_string_equal(world_requests(&w), "");
	assert_ptr_equal(again.role, t.role);
	tuf_client_free(TAKE(c));

	/* The next client has it in the store. */
	assert_int_equal(world_open(&w, &c, &e), 0);
	assert_int_equal(tuf_client_refresh(c, &e), 0);
	assert_int_equal(tuf_client_find(c, "d/b.txt", &t, &e), 0);
	assert_string_equal(world_requests(&w), "metadata/2.root.json metadata/timestamp.json");
	tuf_client_free(TAKE(c));

	/* So has one that is offline. */
	assert_int_equal(world_open(&w, &c, &e), 0);
	assert_int_equal(tuf_client_load_offline(c, &e), 0);
	assert_int_equal(tuf_client_find(c, "d/b.txt", &t, &e), 0);
	assert_string_equal(world_requests(&w), "");
	tuf_client_free(TAKE(c));
	world_remove(&w);
}

static void odd_role_names(void **state)
{
	static const struct {
		const char *role, *request, *stored;
	} cases[] = {
		{ "?", "metadata/1.%3F.json", "%3F.json" },
		{ "#", "metadata/1.%23.json", "%23.json" },
		{ "/x", "metadata/1.%2Fx.json", "%2Fx.json" },
		{ "../x", "metadata/1...%2Fx.json", "..%2Fx.json" },
		{ ".", "metadata/1...json", "..json" },
		{ "..", "metadata/1....json", "...json" },
		{ "a b%2F\xc3\xa9", "metadata/1.a%20b%252F%C3%A9.json", "a%20b%252F%C3%A9.json" },
	};

	(void)state;
	for (int http = 0; http < 2; http++)
		for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
			struct buf b = BUF_INIT(1000);
			struct world w;
			struct err e;

			world_make(&w, http);
			delegate(&w, "targets", cases[i].role, under_d, 60);
			tufrepo_add_target(w.repo, cases[i].role, "d/b.txt", bytes_of_str("delegated"));
			world_publish(&w);
			if (world_read_target(&w, "d/b.txt", &b, &e) != 0)
				fail_msg("%s: %s", cases[i].role, e.msg);
			if (http)
				assert_memory_equal(target_requests(&w), cases[i].request, strlen(cases[i].request));
			assert_case(cases[i].role, world_stored(&w, cases[i].stored) == 1);
			buf_fini(&b);
			world_remove(&w);
		}
}

/* A file name cannot hold it, but a store can. */
static void a_role_name_of_the_greatest_length(void **state)
{
	char role[TUF_NAME_MAX_BYTES + 1];
	struct buf b = BUF_INIT(1000);
	struct world w;
	struct err e;

	(void)state;
	memset(role, 'r', sizeof(role));
	role[TUF_NAME_MAX_BYTES - 5] = 0; /* "ROLE.json" is a name too */
	world_make(&w, true);
	delegate(&w, "targets", role, under_d, 60);
	tufrepo_add_target(w.repo, role, "d/b.txt", bytes_of_str("delegated"));
	tufrepo_publish(w.repo);
	w.shipped = world_copy(&w, "1.root.json");
	httpd_add(w.h, (struct httpd_rule){ .path = "/metadata/1.rrr*", .status = 200, .body = tufrepo_sign(w.repo, role) });
	struct buf root = world_copy(&w, "1.root.json"), timestamp = world_copy(&w, "timestamp.json"),
		   snapshot = world_copy(&w, "1.snapshot.json"), targets = world_copy(&w, "1.targets.json");

	httpd_add(w.h, (struct httpd_rule){ .path = "/metadata/timestamp.json", .status = 200, .body = buf_bytes(&timestamp) });
	httpd_add(w.h, (struct httpd_rule){ .path = "/metadata/1.snapshot.json", .status = 200, .body = buf_bytes(&snapshot) });
	httpd_add(w.h, (struct httpd_rule){ .path = "/metadata/1.targets.json", .status = 200, .body = buf_bytes(&targets) });
	httpd_add(w.h, (struct httpd_rule){ .path = "/targets/*", .status = 200, .body = bytes_of_str("delegated") });
	for (int i = 0; i < 2; i++) {
		if (world_read_target(&w, "d/b.txt", &b, &e) != 0)
			fail_msg("%s", e.msg);
		/* Only the first time. */
		assert_true((strstr(world_requests(&w), "metadata/1.rrr") != NULL) == (i == 0));
		b.n = 0;
	}
	buf_fini(&b);
	httpd_free(w.h); /* before what it serves */
	w.h = NULL;
	buf_fini(&root);
	buf_fini(&timestamp);
	buf_fini(&snapshot);
	buf_fini(&targets);
	world_remove(&w);
}

static void bad_delegated_roles_end_the_search(void **state)
{
	static const struct {
		const char *name;
		enum err_kind kind;
		const char *reason;
		bool asked_for;
	} cases[] = {
		{ "not in the snapshot", ERR_TRUST, TUF_E_DELEGATION, false },
		{ "not on the server", ERR_MISSING, TUF_E_HTTP, true },
		{ "signed by another", ERR_TRUST, TUF_E_THRESHOLD, true },
		{ "expired", ERR_TRUST, TUF_E_EXPIRED, true },
		{ "another version", ERR_TRUST, TUF_E_VERSION, true },
		{ "another hash", ERR_TRUST, TUF_E_DIGEST, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *name = cases[i].name;
		const int stranger = 77;
		struct buf b = BUF_INIT(1000);
		struct world w;
		struct err e;

		world_make(&w, true);
		/* The second role lists it too, but a role that cannot be had is not passed over. */
		delegate(&w, "targets", "d", under_d, 60);
		delegate(&w, "targets", "second", under_d, 61);
		tufrepo_add_target(w.repo, "d", "d/b.txt", bytes_of_str("delegated"));
		tufrepo_add_target(w.repo, "second", "d/b.txt", bytes_of_str("delegated"));
		w.repo->list_hashes = strcmp(name, "another hash") == 0;
		if (strcmp(name, "not in the snapshot") == 0)
			tufrepo_leave_out(w.repo, "d", true);
		if (strcmp(name, "signed by another") == 0)
			tufrepo_signers(w.repo, "d", &stranger, 1);
		if (strcmp(name, "expired") == 0)
			tufrepo_set_expires(w.repo, "d", "2026-01-01T00:00:00Z");
		world_publish(&w);
		if (strcmp(name, "not on the server") == 0)
			httpd_add(w.h, (struct httpd_rule){ .path = "/metadata/1.d.json", .status = 404 });
		if (strcmp(name, "another version") == 0)
			tufrepo_bump(w.repo, "d");
		if (strcmp(name, "another hash") == 0)
			tufrepo_set_expires(w.repo, "d", "2031-01-01T00:00:00Z");
		tufrepo_put(w.repo, "1.d.json", tufrepo_sign(w.repo, "d"));
		world_write(&w);
		if (world_read_target(&w, "d/b.txt", &b, &e) != -1)
			fail_msg("%s: found", name);
		if (e.kind != cases[i].kind || strcmp(e.reason, cases[i].reason) != 0)
			fail_msg("%s: %s, %s: %s", name, err_kind_name(e.kind), e.reason, e.msg);
		assert_case(name, strcmp(target_requests(&w), cases[i].asked_for ? "metadata/1.d.json" : "") == 0);
		assert_case(name, world_stored(&w, "d.json") == 0);
		/* The top level is none the worse. */
		assert_case(name, world_read_target(&w, "a.txt", &b, &e) == 0);
		buf_fini(&b);
		world_remove(&w);
	}
}

/* One role, two delegators with different keys: what the first one's key signed is nothing for the second, stored
 * or not. */
static void a_role_is_verified_for_each_delegator(void **state)
{
	static const char *const x[] = { "x/*", NULL }, *const y[] = { "y/*", NULL };
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
	const int first_key = 65;
	struct tuf_target t;
	struct world w;
	struct err e;

	(void)state;
	world_make(&w, true);
	delegate(&w, "targets", "left", x, 60);
	delegate(&w, "targets", "right", y, 61);
	delegate(&w, "left", "shared", x, 65);
	delegate(&w, "right", "shared", y, 66);
	tufrepo_signers(w.repo, "shared", &first_key, 1);
	tufrepo_add_target(w.repo, "shared", "x/t", bytes_of_str("1"));
	tufrepo_add_target(w.repo, "shared", "y/t", bytes_of_str("2"));
	world_publish(&w);
	assert_int_equal(world_open(&w, &c, &e), 0);
	assert_int_equal(tuf_client_refresh(c, &e), 0);
	assert_int_equal(tuf_client_find(c, "x/t", &t, &e), 0);
	assert_int_equal(tuf_client_find(c, "y/t", &t, &e), -1);
	assert_int_equal(e.kind, ERR_TRUST);
	assert_string_equal(e.reason, TUF_E_THRESHOLD);
	assert_int_equal(tuf_client_find(c, "x/t", &t, &e), 0);
	tuf_client_free(TAKE(c));
	world_remove(&w);
}

static void two_streams_and_one_left_half_way(void **state)
{
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
	struct source *a = NULL, *b = NULL;
	struct buf got = BUF_INIT(1000);
	struct tuf_target t;
	struct world w;
	struct err e;
	uint8_t byte;
	size_t n;

	(void)state;
	world_make(&w, true);
	world_publish(&w);
	assert_int_equal(world_open(&w, &c, &e), 0);
	assert_int_equal(tuf_client_refresh(c, &e), 0);
	assert_int_equal(tuf_client_find(c, "a.txt", &t, &e), 0);
	assert_int_equal(tuf_client_open_target(c, &t, &a, &e), 0);
	assert_int_equal(source_read(a, &byte, 1, &n, &e), 0);
	assert_int_equal(tuf_client_open_target(c, &t, &b, &e), 0);
	assert_int_equal(source_read_all(b, &got, &e), 0);
	assert_true(bytes_equal(buf_bytes(&got), bytes_of_str(TARGET_TEXT)));
	source_free(a);
	source_free(b);
	buf_fini(&got);
	tuf_client_free(TAKE(c));
	world_remove(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_and_its_request),
		cmocka_unit_test(wrong_bytes_are_refused),
		cmocka_unit_test(hash_algorithms),
		cmocka_unit_test(a_targets_room_is_looked_at_before_its_request),
		cmocka_unit_test(an_empty_target),
		cmocka_unit_test(unknown_targets),
		cmocka_unit_test(a_delegated_target),
		cmocka_unit_test(odd_role_names),
		cmocka_unit_test(a_role_name_of_the_greatest_length),
		cmocka_unit_test(bad_delegated_roles_end_the_search),
		cmocka_unit_test(a_role_is_verified_for_each_delegator),
		cmocka_unit_test(two_streams_and_one_left_half_way),
	};

	return cmocka_run_group_tests_name("tuf/client_target", tests, NULL, NULL);
}
