/*
 * Files that are signed well and hold what no file should, files damaged at each byte, and attacks by way of
 * delegations and targets. Whoever holds a key of one role must not bring down the client, reach beyond that
 * role, or leave anything in the store.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "tuf/test_world.h"
#include "tuf/tuf.h"

#define HEAD "{\"_type\":\"timestamp\",\"spec_version\":\"1.0.0\","
#define EXPIRES "\"expires\":\"2030-01-01T00:00:00Z\","
#define META "\"meta\":{\"snapshot.json\":{\"version\":2}}"
#define NESTED_16 "[[[[[[[[[[[[[[[["
#define CLOSED_16 "]]]]]]]]]]]]]]]]"
#define INT64_MAX_TEXT "9223372036854775807"

/* `signed` of the second timestamp. All is as it should be in the first row, which is taken. */
static const struct {
	const char *name, *text;
	enum err_kind kind;
} contents[] = {
	{ "good", HEAD EXPIRES "\"version\":2," META "}", ERR_NONE },
	{ "a NUL in a string", HEAD EXPIRES "\"version\":2,\"x\":\"a\\u0000b\"," META "}", ERR_FORMAT },
	{ "a NUL in a name", HEAD EXPIRES "\"version\":2,\"a\\u0000b\":1," META "}", ERR_FORMAT },
	{ "no UTF-8", HEAD EXPIRES "\"version\":2,\"x\":\"\xff\"," META "}", ERR_FORMAT },
	{ "half of a surrogate pair", HEAD EXPIRES "\"version\":2,\"x\":\"\\ud800\"," META "}", ERR_FORMAT },
	{ "an overlong slash", HEAD EXPIRES "\"version\":2,\"x\":\"\xc0\xaf\"," META "}", ERR_FORMAT },
	{ "a member twice", HEAD EXPIRES "\"version\":2,\"version\":2," META "}", ERR_FORMAT },
	{ "a member twice, once escaped", HEAD EXPIRES "\"version\":2,\"v\\u0065rsion\":3," META "}", ERR_FORMAT },
	{ "too deep", HEAD EXPIRES "\"version\":2,\"x\":" NESTED_16 NESTED_16 NESTED_16 NESTED_16 CLOSED_16 CLOSED_16 CLOSED_16 CLOSED_16
	  "," META "}", ERR_FORMAT },
	{ "text behind the end", HEAD EXPIRES "\"version\":2," META "}}{\"a\":1}", ERR_FORMAT },
	{ "version as text", HEAD EXPIRES "\"version\":\"2\"," META "}", ERR_FORMAT },
	{ "version true", HEAD EXPIRES "\"version\":true," META "}", ERR_FORMAT },
	{ "version as a real", HEAD EXPIRES "\"version\":2.0," META "}", ERR_FORMAT },
	{ "version with an exponent", HEAD EXPIRES "\"version\":2e0," META "}", ERR_FORMAT },
	{ "version 0", HEAD EXPIRES "\"version\":0," META "}", ERR_FORMAT },
	{ "version below 0", HEAD EXPIRES "\"version\":-2," META "}", ERR_FORMAT },
	{ "version beyond 63 bits", HEAD EXPIRES "\"version\":9223372036854775808," META "}", ERR_FORMAT },
	{ "version of many digits", HEAD EXPIRES "\"version\":" INT64_MAX_TEXT INT64_MAX_TEXT "," META "}", ERR_FORMAT },
	{ "no version", HEAD EXPIRES META "}", ERR_FORMAT },
	{ "a date that is none", HEAD "\"expires\":\"2030-02-30T00:00:00Z\",\"version\":2," META "}", ERR_FORMAT },
	{ "the year 10000", HEAD "\"expires\":\"10000-01-01T00:00:00Z\",\"version\":2," META "}", ERR_FORMAT },
	{ "the year 0", HEAD "\"expires\":\"0000-01-01T00:00:00Z\",\"version\":2," META "}", ERR_FORMAT },
	{ "the year 1", HEAD "\"expires\":\"0001-01-01T00:00:00Z\",\"version\":2," META "}", ERR_TRUST },
	{ "a date as a number", HEAD "\"expires\":1893456000,\"version\":2," META "}", ERR_FORMAT },
	{ "no date", HEAD "\"version\":2," META "}", ERR_FORMAT },
	{ "meta as an array", HEAD EXPIRES "\"version\":2,\"meta\":[{\"version\":2}]}", ERR_FORMAT },
	{ "meta null", HEAD EXPIRES "\"version\":2,\"meta\":null}", ERR_FORMAT },
	{ "no snapshot in meta", HEAD EXPIRES "\"version\":2,\"meta\":{\"targets.json\":{\"version\":2}}}", ERR_FORMAT },
	{ "a length below 0", HEAD EXPIRES "\"version\":2,\"meta\":{\"snapshot.json\":{\"version\":2,\"length\":-1}}}", ERR_FORMAT },
	{ "a hash too short", HEAD EXPIRES "\"version\":2,\"meta\":{\"snapshot.json\":{\"version\":2,\"hashes\":{\"sha256\":\"00\"}}}}", ERR_FORMAT },
	{ "no hashes in hashes", HEAD EXPIRES "\"version\":2,\"meta\":{\"snapshot.json\":{\"version\":2,\"hashes\":{}}}}", ERR_FORMAT },
	{ "an array", "[]", ERR_FORMAT },
	{ "null", "null", ERR_FORMAT },
};

static void set_up(struct world *w)
{
	struct err e;

	world_make(w, false);
	world_publish(w);
	assert_int_equal(world_refresh(w, &e), 0);
	tufrepo_bump(w->repo, "targets");
	world_publish(w);
}

static void serve(const struct world *w, const char *file, struct bytes content)
{
	char path[128];

	snprintf(path, sizeof(path), "repo/metadata/%s", file);
	scratch_write(&w->dir, path, content.p, content.n);
}

/* What has no canonical form cannot be signed well; the signature is of an empty object then. */
static struct buf sign_timestamp(const char *text)
{
	static const int timestamp_key = 1;
	json_t *j = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL), *empty = json_object();
	const bool has_form = j && !json_is_real(json_object_get(j, "version"));
	struct buf file = tufrepo_envelope(text, has_form ? j : empty, &timestamp_key, 1);

	json_decref(j);
	json_decref(empty);
	return file;
}

static void signed_well_and_no_good(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		const char *name = contents[i].name;
		const int64_t stored = contents[i].kind == ERR_NONE ? 2 : 1;
		struct world w;
		struct err e;

		set_up(&w);
		struct buf file = sign_timestamp(contents[i].text);

		serve(&w, "timestamp.json", buf_bytes(&file));
		const int r = world_refresh(&w, &e);

		if ((r < 0 ? e.kind : ERR_NONE) != contents[i].kind)
			fail_msg("%s: %s: %s", name, err_kind_name(e.kind), e.msg);
		assert_case(name, world_stored(&w, "timestamp.json") == stored);
		assert_case(name, world_stored(&w, "targets.json") == stored);
		buf_fini(&file);
		world_remove(&w);
	}
}

static const struct {
	const char *file;
	const char *stored;
	int64_t newest[3]; /* of timestamp, snapshot, targets, while this file is damaged */
} damaged[] = { /* in the order of enum tuf_type */
	{ "2.root.json", "root.json", { 1, 1, 1 } },
	{ "timestamp.json", "timestamp.json", { 1, 1, 1 } },
	{ "2.snapshot.json", "snapshot.json", { 2, 1, 1 } },
	{ "2.targets.json", "targets.json", { 2, 2, 1 } },
};

static void check_refused(struct world *w, size_t i, struct bytes content, const char *how, size_t at)
{
	static const char *const roles[] = { "timestamp.json", "snapshot.json", "targets.json" };
	struct err e;

	serve(w, damaged[i].file, content);
	if (world_refresh(w, &e) != -1)
		fail_msg("%s, %s at %zu: it is taken", damaged[i].file, how, at);
	assert_case(damaged[i].file, e.kind == ERR_FORMAT || e.kind == ERR_TRUST);
	if (world_stored(w, damaged[i].stored) != 1)
		fail_msg("%s, %s at %zu: it is stored", damaged[i].file, how, at);
	for (size_t k = 0; k < ARRAY_LEN(roles); k++)
		if (world_stored(w, roles[k]) != damaged[i].newest[k])
			fail_msg("%s, %s at %zu: %s", damaged[i].file, how, at, roles[k]);
}

/* Cut at each byte and with each byte changed, of the large files at each seventh; then the whole file, which is taken. */
static void damaged_at_each_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(damaged); i++) {
		struct world w;
		struct err e;

		set_up(&w);
		if (i == 0) {
			tufrepo_bump(w.repo, "root");
			tufrepo_sign(w.repo, "root");
			tufrepo_keep(w.repo, "root");
		}
		struct buf file = world_copy(&w, damaged[i].file);

		for (size_t at = 0; at < file.n; at += i == TUF_TIMESTAMP ? 1 : 7) {
			check_refused(&w, i, bytes_of(file.p, at), "cut", at);
			file.p[at] ^= 1;
			check_refused(&w, i, buf_bytes(&file), "changed", at);
			file.p[at] ^= 1;
		}
		serve(&w, damaged[i].file, buf_bytes(&file));
		assert_case(damaged[i].file, world_refresh(&w, &e) == 0 && world_stored(&w, damaged[i].stored) == 2);
		buf_fini(&file);
		world_remove(&w);
	}
}

/* Attacks by who holds the key of a delegated role "d", which may say what "d/x" and "d/e/..." are; or by a
 * mirror that holds its files. */
static const char *const d_paths[] = { "d/*", "d/e/*", NULL }, *const e_paths[] = { "d/e/*", "a.txt", NULL };

static void delegate(struct world *w, const char *from, const char *name, const char *const *paths, int key)
{
	tufrepo_delegate(w->repo, (struct tufrepo_delegation){ .from = from, .name = name, .paths = paths, .key = key });
}

static void another_roles_target(struct world *w)
{
	tufrepo_remove_target(w->repo, "targets", "a.txt");
	tufrepo_add_target(w->repo, "d", "a.txt", bytes_of_str("mine now"));
}

static void by_way_of_a_third_role(struct world *w)
{
	tufrepo_remove_target(w->repo, "targets", "a.txt");
	delegate(w, "d", "e", e_paths, 61);
	tufrepo_add_target(w->repo, "e", "a.txt", bytes_of_str("mine now"));
}

static void loop(struct world *w)
{
	delegate(w, "d", "e", e_paths, 61);
	delegate(w, "e", "d", e_paths, 60);
	delegate(w, "e", "e", e_paths, 61);
}

static void chain(struct world *w)
{
	char from[8] = "d", name[8];

	for (int i = 0; i < TUF_DELEGATIONS_MAX; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		delegate(w, from, name, d_paths, 61);
		memcpy(from, name, sizeof(from));
	}
	tufrepo_add_target(w->repo, from, "d/e/x", bytes_of_str("far away"));
}

static void top_level_name(struct world *w)
{
	delegate(w, "d", "extra", e_paths, 61);
	json_t *roles = json_object_get(json_object_get(tufrepo_signed(w->repo, "d"), "delegations"), "roles");

	json_object_set_new(json_array_get(roles, 0), "name", json_string("targets"));
}

static void nothing(struct world *w)
{
}

static const struct {
	const char *name;
	void (*attack)(struct world *w);
	const char *path;
	enum err_kind kind;
	const char *reason;
} lookups[] = {
	{ "extraneous dependency: a target that nobody lists", nothing, "d/other", ERR_MISSING, TUF_E_NO_TARGET },
	{ "wrong role's file: a target outside of its paths", another_roles_target, "a.txt", ERR_MISSING, TUF_E_NO_TARGET },
	{ "wrong role's file: outside of its delegator's paths", by_way_of_a_third_role, "a.txt", ERR_MISSING, TUF_E_NO_TARGET },
	{ "delegation loop", loop, "d/e/x", ERR_MISSING, TUF_E_NO_TARGET },
	{ "more delegated roles than are visited", chain, "d/e/x", ERR_MISSING, TUF_E_NO_TARGET },
	{ "a delegated role with a top-level name", top_level_name, "d/e/x", ERR_FORMAT, TUF_E_METADATA },
	{ "path traversal: a target above its folder", nothing, "../store/root.json", ERR_MISSING, TUF_E_NO_TARGET },
};

static void attacks_by_delegation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lookups); i++) {
		const char *name = lookups[i].name;
		struct buf got = BUF_INIT(1024);
		struct world w;
		struct err e;

		world_make(&w, false);
		delegate(&w, "targets", "d", d_paths, 60);
		tufrepo_add_target(w.repo, "d", "d/x", bytes_of_str("honest"));
		lookups[i].attack(&w);
		world_publish(&w);
		assert_case(name, world_read_target(&w, lookups[i].path, &got, &e) == -1);
		if (e.kind != lookups[i].kind || !e.reason || strcmp(e.reason, lookups[i].reason) != 0)
			fail_msg("%s: %s, %s: %s", name, err_kind_name(e.kind), e.reason, e.msg);
		assert_case(name, got.n == 0);
		assert_case(name, world_stored(&w, "root.json") == 1);
		buf_fini(&got);
		world_remove(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signed_well_and_no_good),
		cmocka_unit_test(damaged_at_each_byte),
		cmocka_unit_test(attacks_by_delegation),
	};

	return cmocka_run_group_tests_name("tuf/client_hostile", tests, NULL, NULL);
}
