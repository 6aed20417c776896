/* The shape of each role, field by field, and each limit. Nothing here is signed: parsers come after that. */
#include "test-fixtures/harness/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/tufrepo.h"
#include "tuf/role.h"

/* Loads @body as the `signed` of @type and parses it. */
static int parse(enum tuf_type type, struct bytes body, struct err *e)
{
	struct buf b = BUF_INIT(64u << 20);
	struct tuf_signed *s = NULL;
	struct tuf_root *root = NULL;
	struct tuf_timestamp *timestamp = NULL;
	struct tuf_snapshot *snapshot = NULL;
	struct tuf_targets *targets = NULL;
	int r = -1;

	assert_int_equal(buf_append_str(&b, "{\"signatures\":[],\"signed\":", e), 0);
	assert_int_equal(buf_append(&b, body.p, body.n, e), 0);
	assert_int_equal(buf_append_str(&b, "}", e), 0);
	if (tuf_signed_load(buf_bytes(&b), type, "x.json", &s, e) == 0)
		r = type == TUF_ROOT	    ? tuf_root_parse(s, &root, e)
		    : type == TUF_TIMESTAMP ? tuf_timestamp_parse(s, &timestamp, e)
		    : type == TUF_SNAPSHOT  ? tuf_snapshot_parse(s, &snapshot, e)
					    : tuf_targets_parse(s, &targets, e);
	assert_true((r == 0) == (root || timestamp || snapshot || targets));
	tuf_root_free(root);
	tuf_timestamp_free(timestamp);
	tuf_snapshot_free(snapshot);
	tuf_targets_free(targets);
	tuf_signed_free(s);
	buf_fini(&b);
	return r;
}

static void expect(const char *name, int r, const struct err *e, const char *reason)
{
	if (!reason && r != 0)
		fail_msg("%s: %s", name, e->msg);
	if (reason && (r != -1 || e->kind != ERR_FORMAT || !e->reason || strcmp(e->reason, reason) != 0))
		fail_msg("%s: returned %d, %s", name, r, r < 0 ? e->msg : "");
	if (reason)
		assert_case(name, strncmp(e->msg, "x.json: ", 8) == 0);
}

/* A good role in which the object at @in gets the member @name with this value: text, or NULL to take it away. */
struct change {
	const char *name;
	const char *in, *member, *value;
	bool ok;
};

/* The object at a path of names with blanks between; "#" is the first element of an array. */
static json_t *walk(json_t *j, const char *path)
{
	char name[64];
	int n;

	for (; sscanf(path, "%63s%n", name, &n) == 1; path += n)
		j = strcmp(name, "#") == 0 ? json_array_get(j, 0) : json_object_get(j, name);
	assert_non_null(j);
	return j;
}

static const char *const any_path[] = { "*", NULL };

static json_t *good_body(enum tuf_type type, struct tufrepo **out)
{
	struct tufrepo *r = tufrepo_new();

	tufrepo_add_target(r, "targets", "t", bytes_of_str("x"));
	tufrepo_set_custom(r, "targets", "t", json_pack("{s:i}", "a", 1));
	tufrepo_delegate(r, (struct tufrepo_delegation){ .from = "targets", .name = "d", .paths = any_path, .key = 9 });
	r->list_hashes = r->list_lengths = true;
	tufrepo_publish(r);
	*out = r;
	return tufrepo_signed(r, tuf_type_name(type));
}

static void run_changes(enum tuf_type type, const struct change *c, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct tufrepo *r;
		json_t *body = good_body(type, &r), *at = walk(body, c[i].in);
		struct err e = { 0 };

		if (c[i].value)
			json_object_set_new(at, c[i].member, json_loads(c[i].value, JSON_DECODE_ANY, NULL));
		else
			assert_case(c[i].name, json_object_del(at, c[i].member) == 0);
		char *text = json_dumps(body, 0);
		expect(c[i].name, parse(type, bytes_of_str(text), &e), &e, c[i].ok ? NULL : TUF_E_METADATA);
		free(text);
		tufrepo_free(r);
	}
}

static const struct change common[] = {
	{ "a member nobody knows", "", "x", "{\"y\":[null]}", true },
	{ "version 1", "", "version", "1", true },
	{ "the largest version", "", "version", "9223372036854775807", true },
	{ "version 0", "", "version", "0", false },
	{ "version -1", "", "version", "-1", false },
	{ "version is a string", "", "version", "\"1\"", false },
	{ "version is true", "", "version", "true", false },
	{ "no version", "", "version", NULL, false },
	{ "no expires", "", "expires", NULL, false },
	{ "expires is a number", "", "expires", "1", false },
	{ "expires without zone", "", "expires", "\"2030-01-01T00:00:00\"", false },
	{ "expires on no real day", "", "expires", "\"2030-02-30T00:00:00Z\"", false },
	{ "expires with a leap second", "", "expires", "\"2030-06-30T23:59:60Z\"", false },
	{ "expires with text behind it", "", "expires", "\"2030-01-01T00:00:00Z \"", false },
	{ "expires with a fraction", "", "expires", "\"2030-01-01T00:00:00.5Z\"", true },
	{ "expires with an offset", "", "expires", "\"2030-01-01T00:00:00+02:00\"", true },
};

static void test_common(void **state)
{
	(void)state;
	for (size_t i = 0; i < TUF_TYPES; i++)
		run_changes((enum tuf_type)i, common, ARRAY_LEN(common));
}

static void test_root(void **state)
{
	static const struct change changes[] = {
		{ "consistent_snapshot absent", "", "consistent_snapshot", NULL, true },
		{ "consistent_snapshot false", "", "consistent_snapshot", "false", true },
		{ "consistent_snapshot 1", "", "consistent_snapshot", "1", false },
		{ "no keys", "", "keys", NULL, false },
		{ "keys empty", "", "keys", "{}", true },
		{ "keys is an array", "", "keys", "[{}]", false },
		{ "a key that is none", "keys", "a", "{}", false },
		{ "an unknown key", "keys", "a", "{\"keytype\":\"a\",\"scheme\":\"b\",\"keyval\":{}}", true },
		{ "no roles", "", "roles", NULL, false },
		{ "no root role", "roles", "root", NULL, false },
		{ "no timestamp role", "roles", "timestamp", NULL, false },
		{ "no snapshot role", "roles", "snapshot", NULL, false },
		{ "no targets role", "roles", "targets", NULL, false },
		{ "mirrors", "roles", "mirrors", "{}", true },
		{ "threshold 0", "roles root", "threshold", "0", false },
		{ "threshold -1", "roles root", "threshold", "-1", false },
		{ "threshold true", "roles root", "threshold", "true", false },
		{ "threshold 1.0", "roles root", "threshold", "\"1\"", false },
		{ "no threshold", "roles root", "threshold", NULL, false },
		{ "threshold above the number of keys", "roles root", "threshold", "5", true },
		{ "no keyids", "roles root", "keyids", NULL, false },
		{ "keyids empty", "roles root", "keyids", "[]", true },
		{ "keyids repeated", "roles root", "keyids", "[\"a\",\"a\"]", true },
		{ "keyids of a number", "roles root", "keyids", "[1]", false },
		{ "keyids is an object", "roles root", "keyids", "{\"a\":\"b\"}", false },
		{ "keyids is a string", "roles root", "keyids", "\"a\"", false },
	};

	(void)state;
	run_changes(TUF_ROOT, changes, ARRAY_LEN(changes));
}

#define SHA "\"sha256\":\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\""

static const struct change hashes[] = {
	{ "hashes empty", "", "hashes", "{}", false },
	{ "hashes an array", "", "hashes", "[]", false },
	{ "sha256", "", "hashes", "{" SHA "}", true },
	{ "sha256 and an unknown one", "", "hashes", "{" SHA ",\"md5\":1}", true },
	{ "an unknown one alone", "", "hashes", "{\"md5\":\"aa\"}", true },
	{ "sha256 too short", "", "hashes", "{\"sha256\":\"2cf2\"}", false },
	{ "sha256 is no string", "", "hashes", "{\"sha256\":1}", false },
	{ "sha512 of 32 bytes", "", "hashes",
	  "{\"sha512\":\"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\"}", false },
	{ "length 0", "", "length", "0", true },
	{ "length -1", "", "length", "-1", false },
	{ "length is a string", "", "length", "\"1\"", false },
	{ "the largest length", "", "length", "9223372036854775807", true },
};

/* The same changes in another object. */
static void run_hashes(enum tuf_type type, const char *in)
{
	struct change c[ARRAY_LEN(hashes)];

	memcpy(c, hashes, sizeof(c));
	for (size_t i = 0; i < ARRAY_LEN(c); i++)
		c[i].in = in;
	run_changes(type, c, ARRAY_LEN(c));
}

static void test_meta(void **state)
{
	static const struct change timestamp[] = {
		{ "no meta", "", "meta", NULL, false },
		{ "no snapshot.json", "meta", "snapshot.json", NULL, false },
		{ "another member", "meta", "other.json", "1", true },
		{ "snapshot version 0", "meta snapshot.json", "version", "0", false },
		{ "no snapshot version", "meta snapshot.json", "version", NULL, false },
		{ "no length", "meta snapshot.json", "length", NULL, true },
		{ "no hashes", "meta snapshot.json", "hashes", NULL, true },
	};
	static const struct change snapshot[] = {
		{ "no meta", "", "meta", NULL, false },
		{ "meta empty", "", "meta", "{}", true },
		{ "meta is an array", "", "meta", "[{\"version\":1}]", false },
		{ "an old root.json", "meta", "root.json", "{\"version\":1}", true },
		{ "a member that is no object", "meta", "x.json", "1", false },
		{ "a version of 0", "meta targets.json", "version", "0", false },
		{ "no version", "meta targets.json", "version", NULL, false },
	};

	(void)state;
	run_changes(TUF_TIMESTAMP, timestamp, ARRAY_LEN(timestamp));
	run_changes(TUF_SNAPSHOT, snapshot, ARRAY_LEN(snapshot));
	run_hashes(TUF_TIMESTAMP, "meta snapshot.json");
	run_hashes(TUF_SNAPSHOT, "meta targets.json");
}

static void test_targets(void **state)
{
	static const struct change changes[] = {
		{ "no targets", "", "targets", NULL, false },
		{ "targets empty", "", "targets", "{}", true },
		{ "targets is an array", "", "targets", "[{}]", false },
		{ "a target that is no object", "targets", "y", "1", false },
		{ "no length", "targets t", "length", NULL, false },
		{ "no hashes", "targets t", "hashes", NULL, false },
		{ "no custom", "targets t", "custom", NULL, true },
		{ "custom is no object", "targets t", "custom", "[]", false },
		{ "an odd name", "targets", "../\\\n", "{\"length\":0,\"hashes\":{" SHA "}}", true },
	};

	(void)state;
	run_changes(TUF_TARGETS, changes, ARRAY_LEN(changes));
	run_hashes(TUF_TARGETS, "targets t");
}

#define ROLE(name, rest) "[{\"name\":" name ",\"keyids\":[],\"threshold\":1,\"terminating\":true" rest "}]"
#define BINS(rest) "{\"keyids\":[],\"threshold\":1" rest "}"

static void test_delegations(void **state)
{
	static const struct change changes[] = {
		{ "none", "", "delegations", NULL, true },
		{ "null", "", "delegations", "null", false },
		{ "no keys", "delegations", "keys", NULL, false },
		{ "no roles", "delegations", "roles", NULL, false },
		{ "roles empty", "delegations", "roles", "[]", true },
		{ "roles is an object", "delegations", "roles", "{\"a\":{}}", false },
		{ "roles and bins", "delegations", "succinct_roles", BINS(",\"bit_length\":1,\"name_prefix\":\"b\""),
		  false },
		{ "no name", "delegations roles #", "name", NULL, false },
		{ "no keyids", "delegations roles #", "keyids", NULL, false },
		{ "no threshold", "delegations roles #", "threshold", NULL, false },
		{ "threshold 0", "delegations roles #", "threshold", "0", false },
		{ "no terminating", "delegations roles #", "terminating", NULL, false },
		{ "terminating 1", "delegations roles #", "terminating", "1", false },
		{ "neither paths nor prefixes", "delegations roles #", "paths", NULL, false },
		{ "both", "delegations roles #", "path_hash_prefixes", "[]", false },
		{ "paths of a number", "delegations roles #", "paths", "[1]", false },
		{ "paths is a string", "delegations roles #", "paths", "\"*\"", false },
		{ "paths empty", "delegations roles #", "paths", "[]", true },
		{ "prefixes", "delegations", "roles", ROLE("\"a\"", ",\"path_hash_prefixes\":[\"\",\"0\"]"), true },
		{ "empty name", "delegations roles #", "name", "\"\"", false },
		{ "name root", "delegations roles #", "name", "\"root\"", false },
		{ "name timestamp", "delegations roles #", "name", "\"timestamp\"", false },
		{ "name snapshot", "delegations roles #", "name", "\"snapshot\"", false },
		{ "name targets", "delegations roles #", "name", "\"targets\"", false },
		{ "name ../x", "delegations roles #", "name", "\"../x\"", true },
		{ "one name twice", "delegations", "roles",
		  "[{\"name\":\"a\",\"keyids\":[],\"threshold\":1,\"terminating\":true,\"paths\":[]},"
		  "{\"name\":\"b\",\"keyids\":[],\"threshold\":1,\"terminating\":true,\"paths\":[]},"
		  "{\"name\":\"a\",\"keyids\":[],\"threshold\":1,\"terminating\":true,\"paths\":[]}]",
		  false },
	};
	static const struct change bins[] = {
		{ "bins", "", "delegations",
		  "{\"keys\":{},\"succinct_roles\":" BINS(",\"bit_length\":1,\"name_prefix\":\"b\"") "}", true },
		{ "32 bits", "", "delegations",
		  "{\"keys\":{},\"succinct_roles\":" BINS(",\"bit_length\":32,\"name_prefix\":\"b\"") "}", true },
		{ "0 bits", "", "delegations",
		  "{\"keys\":{},\"succinct_roles\":" BINS(",\"bit_length\":0,\"name_prefix\":\"b\"") "}", false },
		{ "33 bits", "", "delegations",
		  "{\"keys\":{},\"succinct_roles\":" BINS(",\"bit_length\":33,\"name_prefix\":\"b\"") "}", false },
		{ "no bits", "", "delegations", "{\"keys\":{},\"succinct_roles\":" BINS(",\"name_prefix\":\"b\"") "}",
		  false },
		{ "no prefix", "", "delegations", "{\"keys\":{},\"succinct_roles\":" BINS(",\"bit_length\":1") "}",
		  false },
		{ "empty prefix", "", "delegations",
		  "{\"keys\":{},\"succinct_roles\":" BINS(",\"bit_length\":1,\"name_prefix\":\"\"") "}", false },
		{ "no keyids", "", "delegations",
		  "{\"keys\":{},\"succinct_roles\":{\"threshold\":1,\"bit_length\":1,\"name_prefix\":\"b\"}}", false },
	};

	(void)state;
	run_changes(TUF_TARGETS, changes, ARRAY_LEN(changes));
	run_changes(TUF_TARGETS, bins, ARRAY_LEN(bins));
}

/* What comes out is what went in. */
static void test_values(void **state)
{
	struct tufrepo *r;
	struct tuf_signed *s = NULL;
	struct tuf_targets *t = NULL;
	char hash[2 * DIGEST_MAX_BYTES + 1];
	struct err e;

	(void)state;
	good_body(TUF_TARGETS, &r);
	tufrepo_add_target(r, "targets", "b", bytes_of_str("hello"));
	tufrepo_add_target(r, "targets", "a/b", bytes_of_str(""));
	assert_int_equal(tuf_signed_load(tufrepo_sign(r, "targets"), TUF_TARGETS, "x", &s, &e), 0);
	assert_int_equal(tuf_targets_parse(s, &t, &e), 0);
	tuf_signed_free(s);
	assert_int_equal(t->head.version, 1);
	assert_int_equal(t->head.expires_sec, 1893456000);
	assert_int_equal(t->n_entries, 3);
	assert_string_equal(t->entries[0].path, "a/b");
	assert_null(tuf_targets_find(t, "a"));
	assert_null(tuf_targets_find(t, ""));
	const struct tuf_entry *b = tuf_targets_find(t, "b");
	assert_non_null(b);
	assert_int_equal(b->length, 5);
	assert_null(b->custom);
	digest_hex(&b->hashes.v[0], hash);
	assert_string_equal(hash, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	assert_string_equal(tuf_targets_find(t, "t")->custom, "{\"a\":1}");
	assert_int_equal(t->n_delegations, 1);
	assert_string_equal(t->delegations[0].name, "d");
	assert_false(t->delegations[0].terminating);
	assert_int_equal(t->keys.n, 1);
	tuf_targets_free(t);
	tufrepo_free(r);
}

/* A body with @n numbered entries between @head and @tail, each printed by @entry with its number. */
static int parse_many(enum tuf_type type, const char *head, const char *entry, const char *tail, size_t n,
		      struct err *e)
{
	struct buf b = BUF_INIT(64u << 20);
	char text[512];

	assert_int_equal(buf_printf(&b, e,
				    "{\"_type\":\"%s\",\"spec_version\":\"1.0\",\"version\":1,\"expires\":\"%s\",%s",
				    tuf_type_name(type), TUFREPO_EXPIRES, head),
			 0);
	for (size_t i = 0; i < n; i++) {
		const char *mark = strchr(entry, '#');
		const int len = snprintf(text, sizeof(text), "%s%.*s%zx%s", i ? "," : "", (int)(mark - entry), entry, i,
					 mark + 1);

		assert_int_equal(buf_append(&b, text, (size_t)len, e), 0);
	}
	assert_int_equal(buf_append_str(&b, tail, e), 0);
	const int r = parse(type, buf_bytes(&b), e);
	buf_fini(&b);
	return r;
}

static void test_limits(void **state)
{
	static const struct {
		const char *name;
		enum tuf_type type;
		const char *head, *entry, *tail;
		size_t max;
	} cases[] = {
		{ "files in a snapshot", TUF_SNAPSHOT, "\"meta\":{", "\"#\":{\"version\":1}", "}}", TUF_META_MAX },
		{ "targets", TUF_TARGETS, "\"targets\":{", "\"#\":{\"length\":1,\"hashes\":{" SHA "}}", "}}",
		  TUF_TARGETS_MAX },
		{ "delegated roles", TUF_TARGETS, "\"targets\":{},\"delegations\":{\"keys\":{},\"roles\":[",
		  "{\"name\":\"#\",\"keyids\":[],\"threshold\":1,\"terminating\":false,\"paths\":[]}", "]}}",
		  TUF_ROLES_MAX },
		{ "keys", TUF_TARGETS, "\"targets\":{},\"delegations\":{\"roles\":[],\"keys\":{",
		  "\"#\":{\"keytype\":\"\",\"scheme\":\"\",\"keyval\":{}}", "}}}", TUF_KEYS_MAX },
		{ "key ids", TUF_TARGETS,
		  "\"targets\":{},\"delegations\":{\"keys\":{},\"roles\":[{\"name\":\"a\",\"threshold\":1,"
		  "\"terminating\":false,"
		  "\"paths\":[],\"keyids\":[",
		  "\"#\"", "]}]}}", TUF_KEYS_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		/* The largest one takes a second each time. */
		for (size_t n = cases[i].max - (cases[i].max < 100000); n <= cases[i].max + 1; n++) {
			struct err e = { 0 };
			const int r = parse_many(cases[i].type, cases[i].head, cases[i].entry, cases[i].tail, n, &e);

			expect(cases[i].name, r, &e, n <= cases[i].max ? NULL : TUF_E_LIMIT);
		}
	}
}

static void test_name_lengths(void **state)
{
	static const struct {
		const char *name;
		enum tuf_type type;
		const char *in;
		size_t more;
	} cases[] = {
		{ "target", TUF_TARGETS, "targets", 0 },
		{ "file in a snapshot", TUF_SNAPSHOT, "meta", sizeof(".json") - 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const size_t max = TUF_NAME_MAX_BYTES + cases[i].more;

		for (size_t n = max - 1; n <= max + 1; n++) {
			struct tufrepo *r;
			json_t *body = good_body(cases[i].type, &r);
			char name[TUF_NAME_MAX_BYTES + 16];
			struct err e = { 0 };

			memset(name, 'n', n);
			name[n] = '\0';
			json_object_set_new(walk(body, cases[i].in), name,
					    json_loads("{\"version\":1,\"length\":1,\"hashes\":{" SHA "}}", 0, NULL));
			char *text = json_dumps(body, 0);
			expect(cases[i].name, parse(cases[i].type, bytes_of_str(text), &e), &e,
			       n <= max ? NULL : TUF_E_LIMIT);
			free(text);
			tufrepo_free(r);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_common),	cmocka_unit_test(test_root),	     cmocka_unit_test(test_meta),
		cmocka_unit_test(test_targets), cmocka_unit_test(test_delegations),  cmocka_unit_test(test_values),
		cmocka_unit_test(test_limits),	cmocka_unit_test(test_name_lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
