#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "updater/manifest.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* As manifest_print() writes it, so that the text comes back byte for byte. */
static const char good[] =
	"{\n"
	"  \"updates\": [\n"
	"    {\n"
	"      \"variant\": \"metal-demo\",\n"
	"      \"arch\": \"x86_64\",\n"
	"      \"version\": \"1.4.2\",\n"
	"      \"max_version\": \"1.5.0\",\n"
	"      \"waves\": {\n"
	"        \"0\": \"2026-03-02T08:00:00Z\",\n"
	"        \"409\": \"2026-03-03T07:00:00Z\",\n"
	"        \"1024\": \"2026-03-04T07:00:00Z\"\n"
	"      },\n"
	"      \"images\": {\n"
	"        \"boot\": \"demo-boot.ext4.lz4\",\n"
	"        \"root\": \"demo-root.ext4.lz4\",\n"
	"        \"hash\": \"demo-root.verity.lz4\"\n"
	"      },\n"
	"      \"verity\": {\n"
	"        \"algorithm\": \"sha256\",\n"
	"        \"data_block_size\": 4096,\n"
	"        \"hash_block_size\": 4096,\n"
	"        \"data_blocks\": 1000,\n"
	"        \"salt\": \"00ff\",\n"
	"        \"uuid\": \"01234567-89ab-cdef-0123-456789abcdef\",\n"
	"        \"root_hash\": \"" HEX64 "\"\n"
	"      },\n"
	"      \"sizes\": {\n"
	"        \"boot\": 1048576,\n"
	"        \"root\": 4096000,\n"
	"        \"hash\": 40960\n"
	"      }\n"
	"    },\n"
	"    {\n"
	"      \"variant\": \"metal-demo\",\n"
	"      \"arch\": \"aarch64\",\n"
	"      \"version\": \"1.4.1\",\n"
	"      \"max_version\": \"1.5.0\",\n"
	"      \"waves\": {},\n"
	"      \"images\": {\n"
	"        \"boot\": \"b\",\n"
	"        \"root\": \"r\",\n"
	"        \"hash\": \"h\"\n"
	"      }\n"
	"    }\n"
	"  ],\n"
	"  \"migrations\": {\n"
	"    \"(1.4.0, 1.4.1)\": [],\n"
	"    \"(1.4.1, 1.4.2)\": [\n"
	"      \"migrate_v1.4.2_add-ntp-options.lz4\",\n"
	"      \"migrate_v1.4.2_drop-old-flag.lz4\"\n"
	"    ],\n"
	"    \"(1.4.1, 1.10.0)\": []\n"
	"  }\n"
	"}\n";

static void test_fields(void **state)
{
	struct manifest *m;
	struct err e = { 0 };
	int64_t first;

	(void)state;
	assert_true(datetime_parse("2026-03-02T08:00:00Z", 20, &first));
	assert_int_equal(manifest_parse(bytes_of_str(good), &m, &e), 0);
	assert_int_equal(m->n_updates, 2);
	assert_string_equal(m->updates[0].variant, "metal-demo");
	assert_string_equal(m->updates[0].max_version.text, "1.5.0");
	assert_int_equal(m->updates[0].n_waves, 3);
	assert_int_equal(m->updates[0].waves[1].start_seed, 409);
	assert_int_equal(m->updates[0].waves[0].start_sec, first);
	assert_string_equal(m->updates[0].images[PART_HASH], "demo-root.verity.lz4");
	assert_true(m->updates[0].has_verity && m->updates[0].has_sizes);
	assert_int_equal(m->updates[0].verity.n_data_blocks, 1000);
	assert_int_equal(m->updates[0].verity.salt_bytes, 2);
	assert_int_equal(m->updates[0].verity.uuid[15], 0xef);
	assert_int_equal(m->updates[0].root_hash.v[1], 0x11);
	assert_int_equal(m->updates[0].sizes[PART_ROOT], 4096000);
	assert_false(m->updates[1].has_verity || m->updates[1].has_sizes);
	assert_int_equal(m->n_steps, 3);
	assert_int_equal(m->steps[1].n_names, 2);
	assert_string_equal(m->steps[1].names[0], "migrate_v1.4.2_add-ntp-options.lz4");
	manifest_free(m);
}

static void assert_prints(const struct manifest *m, const char *want)
{
	struct buf text = BUF_INIT(MANIFEST_MAX_BYTES);
	struct err e = { 0 };

	assert_int_equal(manifest_print(m, &text, &e), 0);
	assert_string_equal(buf_str(&text, &e), want);
	buf_fini(&text);
}

static void test_round_trip(void **state)
{
	struct manifest *m;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(manifest_parse(bytes_of_str(good), &m, &e), 0);
	assert_prints(m, good);
	manifest_free(m);
}

static void test_sorted(void **state)
{
	static const char mixed[] = "{\"migrations\": {\"(1.10.0,1.11.0)\": [], \"(1.9.0,   1.10.0)\": [\"m\"]}, \"updates\": ["
				    "{\"images\": {\"hash\": \"h\", \"root\": \"r\", \"boot\": \"b\", \"data\": 5}, \"new\": {},"
				    "\"waves\": {\"1024\": \"2026-03-03T07:00:00+01:00\", \"20\": \"2026-03-02T08:00:00.5Z\"},"
				    "\"max_version\": \"2.0.0\", \"version\": \"1.11.0\", \"arch\": \"a\", \"variant\": \"v\"}]}";
	static const char want[] = "{\n  \"updates\": [\n    {\n      \"variant\": \"v\",\n      \"arch\": \"a\",\n"
				   "      \"version\": \"1.11.0\",\n      \"max_version\": \"2.0.0\",\n      \"waves\": {\n"
				   "        \"20\": \"2026-03-02T08:00:00Z\",\n        \"1024\": \"2026-03-03T06:00:00Z\"\n      },\n"
				   "      \"images\": {\n        \"boot\": \"b\",\n        \"root\": \"r\",\n        \"hash\": \"h\"\n"
				   "      }\n    }\n  ],\n  \"migrations\": {\n    \"(1.9.0, 1.10.0)\": [\n      \"m\"\n    ],\n"
				   "    \"(1.10.0, 1.11.0)\": []\n  }\n}\n";
	struct manifest *m;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(manifest_parse(bytes_of_str(mixed), &m, &e), 0);
	assert_prints(m, want);
	manifest_free(m);
}

/* @good with the first @from replaced by @to; free() it. */
static char *changed(const char *from, const char *to)
{
	const char *at = strstr(good, from);
	const size_t n = sizeof(good) + strlen(to);
	char *s = malloc(n);

	assert_non_null(at);
	assert_non_null(s);
	snprintf(s, n, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
	return s;
}

static void test_rules(void **state)
{
	static const struct {
		const char *name, *from, *to;
		int ret;
	} cases[] = {
		{ "unchanged", "metal-demo", "metal-demo", 0 },
		{ "unknown member", "\"arch\": \"x86_64\"", "\"arch\": \"x86_64\", \"x\": [1.5, null]", 0 },
		{ "unknown top member", "\"migrations\": {", "\"x\": null, \"migrations\": {", 0 },
		{ "no variant", "\"variant\": \"metal-demo\",", "", -1 },
		{ "no arch", "\"arch\": \"x86_64\",", "", -1 },
		{ "no version", "\"version\": \"1.4.2\",", "", -1 },
		{ "no max_version", "\"max_version\": \"1.5.0\",", "", -1 },
		{ "no waves", "\"waves\": {", "\"waved\": {", -1 },
		{ "no images", "\"images\": {", "\"imaged\": {", -1 },
		{ "no boot image", "\"boot\": \"demo-boot.ext4.lz4\",", "", -1 },
		{ "no updates", "\"updates\"", "\"update\"", -1 },
		{ "no migrations", "\"migrations\"", "\"migration\"", -1 },
		{ "empty variant", "\"metal-demo\"", "\"\"", -1 },
		{ "variant with slash", "metal-demo", "metal/demo", -1 },
		{ "variant of a wrong type", "\"metal-demo\"", "5", -1 },
		{ "version with v", "\"1.4.2\"", "\"v1.4.2\"", -1 },
		{ "version in part", "\"1.4.2\"", "\"1.4\"", -1 },
		{ "version a number", "\"1.4.2\"", "1", -1 },
		{ "max_version null", "\"1.5.0\"", "null", -1 },
		{ "seed 2048", "\"409\"", "\"2048\"", 0 },
		{ "seed 2049", "\"409\"", "\"2049\"", -1 },
		{ "seed negative", "\"409\"", "\"-1\"", -1 },
		{ "seed hexadecimal", "\"409\"", "\"0x9\"", -1 },
		{ "seed empty", "\"409\"", "\"\"", -1 },
		{ "seed twice in other digits", "\"409\"", "\"00\"", -1 },
		{ "seed twice", "\"409\"", "\"0\"", -1 },
		{ "wave without a time", "\"2026-03-02T08:00:00Z\"", "\"soon\"", -1 },
		{ "wave's time a number", "\"2026-03-02T08:00:00Z\"", "5", -1 },
		{ "times fall", "2026-03-03T07", "2025-03-03T07", 0 },
		{ "waves an empty array", "\"waves\": {}", "\"waves\": []", -1 },
		{ "waves an array", "\"waves\": {}", "\"waves\": [\"2026-03-02T08:00:00Z\"]", -1 },
		{ "waves a string", "\"waves\": {}", "\"waves\": \"\"", -1 },
		{ "image with slash", "demo-boot.ext4.lz4", "../demo-boot.ext4.lz4", -1 },
		{ "image ..", "demo-boot.ext4.lz4", "..", -1 },
		{ "image empty", "demo-boot.ext4.lz4", "", -1 },
		{ "image with a control character", "demo-boot.ext4.lz4", "a\\nb", -1 },
		{ "image with NUL", "demo-boot.ext4.lz4", "a\\u0000b", -1 },
		{ "algorithm", "\"sha256\"", "\"md5\"", -1 },
		{ "algorithm of another length", "\"sha256\"", "\"sha512\"", -1 },
		{ "block size no power of two", "\"data_block_size\": 4096", "\"data_block_size\": 4095", -1 },
		{ "block size too small", "\"data_block_size\": 4096", "\"data_block_size\": 256", -1 },
		{ "block size too large", "\"hash_block_size\": 4096", "\"hash_block_size\": 8192", -1 },
		{ "no blocks", "\"data_blocks\": 1000", "\"data_blocks\": 0", -1 },
		{ "blocks beyond sums", "\"data_blocks\": 1000", "\"data_blocks\": 9223372036854775807", -1 },
		{ "salt empty", "\"00ff\"", "\"\"", 0 },
		{ "salt odd", "\"00ff\"", "\"00f\"", -1 },
		{ "salt not hexadecimal", "\"00ff\"", "\"00fg\"", -1 },
		{ "no salt", "\"salt\": \"00ff\",", "", -1 },
		{ "uuid short", "01234567-89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123-456789abcde", -1 },
		{ "uuid with a dash moved", "01234567-89ab-cdef-0123-456789abcdef", "0123456789ab--cdef-0123-456789abcdef", -1 },
		{ "uuid not hexadecimal", "01234567-89ab-cdef", "0123456g-89ab-cdef", -1 },
		{ "root hash short", HEX64, "0011", -1 },
		{ "verity null", "\"verity\": {", "\"verity\": null, \"x\": {", -1 },
		{ "size 0", "\"root\": 4096000", "\"root\": 0", -1 },
		{ "size negative", "\"root\": 4096000", "\"root\": -1", -1 },
		{ "size missing", "\"boot\": 1048576,", "", -1 },
		{ "step without blank", "(1.4.0, 1.4.1)", "(1.4.0,1.4.1)", 0 },
		{ "step without parenthesis", "(1.4.0, 1.4.1)", "(1.4.0, 1.4.1", -1 },
		{ "step without comma", "(1.4.0, 1.4.1)", "(1.4.0 1.4.1)", -1 },
		{ "step of three", "(1.4.0, 1.4.1)", "(1.4.0, 1.4.1, 1.4.2)", -1 },
		{ "step with blank in front", "(1.4.0, 1.4.1)", "( 1.4.0, 1.4.1)", -1 },
		{ "step with v", "(1.4.0, 1.4.1)", "(v1.4.0, 1.4.1)", -1 },
		{ "step empty", "(1.4.0, 1.4.1)", "", -1 },
		{ "step of commas", "(1.4.0, 1.4.1)", "(,)", -1 },
		{ "step twice in other blanks", "(1.4.0, 1.4.1)", "(1.4.1,1.4.2)", -1 },
		{ "step no array", "\"(1.4.0, 1.4.1)\": []", "\"(1.4.0, 1.4.1)\": {}", -1 },
		{ "migration with slash", "migrate_v1.4.2_add-ntp-options.lz4", "a/b", -1 },
		{ "migration of a wrong type", "\"migrate_v1.4.2_add-ntp-options.lz4\"", "5", -1 },
		{ "migrations an array", "\"migrations\": {", "\"migrations\": [], \"x\": {", -1 },
		{ "updates an object", "\"updates\": [", "\"updates\": {}, \"x\": [", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = changed(cases[i].from, cases[i].to);
		struct manifest *m = NULL;
		struct err e = { 0 };

		assert_case(cases[i].name, manifest_parse(bytes_of_str(text), &m, &e) == cases[i].ret);
		assert_case(cases[i].name, (m != NULL) == (cases[i].ret == 0));
		assert_case(cases[i].name, cases[i].ret == 0 || e.kind == ERR_FORMAT);
		manifest_free(m);
		free(text);
	}
}

static void test_damage(void **state)
{
	static const uint8_t values[] = { 0, ' ', '"', '{', '}', ',', '9', 'x', 0x80, 0xff };
	uint8_t copy[sizeof(good)];
	struct manifest *m;
	struct err e;

	(void)state;
	for (size_t n = 0; n < sizeof(good) - 2; n++) {
		assert_int_equal(manifest_parse(bytes_of(good, n), &m, &e), -1);
		assert_int_equal(e.kind, ERR_FORMAT);
	}
	for (size_t i = 0; i < sizeof(good) - 1; i++)
		for (size_t v = 0; v < ARRAY_LEN(values); v++) {
			memcpy(copy, good, sizeof(good));
			copy[i] = values[v];
			if (manifest_parse(bytes_of(copy, sizeof(good) - 1), &m, &e) == 0)
				manifest_free(m);
			else
				assert_int_equal(e.kind, ERR_FORMAT);
		}
}

/* A manifest of @updates, @waves in the first, @steps, and @names in the first step. */
static void many(struct buf *b, size_t updates, size_t waves, size_t steps, size_t names)
{
	struct err e;

	b->n = 0;
	assert_int_equal(buf_append_str(b, "{\"updates\":[", &e), 0);
	for (size_t i = 0; i < updates; i++) {
		assert_int_equal(buf_printf(b, &e, "%s{\"variant\":\"v\",\"arch\":\"a\",\"version\":\"1.0.0\",\"max_version\":"
						   "\"1.0.0\",\"images\":{\"boot\":\"b\",\"root\":\"r\",\"hash\":\"h\"},\"waves\":{",
					    i ? "," : ""), 0);
		for (size_t w = 0; i == 0 && w < waves; w++)
			assert_int_equal(buf_printf(b, &e, "%s\"%zu\":\"2026-03-02T08:00:00Z\"", w ? "," : "", w), 0);
		assert_int_equal(buf_append_str(b, "}}", &e), 0);
	}
	assert_int_equal(buf_append_str(b, "],\"migrations\":{", &e), 0);
	for (size_t i = 0; i < steps; i++) {
		assert_int_equal(buf_printf(b, &e, "%s\"(0.0.%zu, 0.0.%zu)\":[", i ? "," : "", i, i + 1), 0);
		for (size_t k = 0; i == 0 && k < names; k++)
			assert_int_equal(buf_printf(b, &e, "%s\"m\"", k ? "," : ""), 0);
		assert_int_equal(buf_append_str(b, "]", &e), 0);
	}
	assert_int_equal(buf_append_str(b, "}}", &e), 0);
}

static void test_limits(void **state)
{
	static const struct {
		const char *name;
		size_t updates, waves, steps, names;
		int ret;
	} cases[] = {
		{ "none", 0, 0, 0, 0, 0 },
		{ "updates", MANIFEST_UPDATES_MAX, 0, 0, 0, 0 },
		{ "updates, one more", MANIFEST_UPDATES_MAX + 1, 0, 0, 0, -1 },
		{ "waves", 1, MANIFEST_WAVES_MAX, 0, 0, 0 },
		{ "waves, one more", 1, MANIFEST_WAVES_MAX + 1, 0, 0, -1 },
		{ "steps", 0, 0, MANIFEST_MIGRATIONS_MAX, 0, 0 },
		{ "steps, one more", 0, 0, MANIFEST_MIGRATIONS_MAX + 1, 0, -1 },
		{ "names", 0, 0, 1, MANIFEST_MIGRATIONS_MAX, 0 },
		{ "names, one more", 0, 0, 1, MANIFEST_MIGRATIONS_MAX + 1, -1 },
	};
	struct buf b = BUF_INIT(MANIFEST_MAX_BYTES + 1);
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct manifest *m = NULL;

		many(&b, cases[i].updates, cases[i].waves, cases[i].steps, cases[i].names);
		assert_case(cases[i].name, manifest_parse(buf_bytes(&b), &m, &e) == cases[i].ret);
		manifest_free(m);
	}
	for (size_t n = MANIFEST_MAX_BYTES - 1; n <= MANIFEST_MAX_BYTES + 1; n++) {
		struct manifest *m = NULL;

		many(&b, 1, 0, 0, 0);
		assert_int_equal(buf_reserve(&b, n - b.n, &e), 0);
		memset(b.p + b.n, ' ', n - b.n);
		b.n = n;
		assert_int_equal(manifest_parse(buf_bytes(&b), &m, &e), n <= MANIFEST_MAX_BYTES ? 0 : -1);
		manifest_free(m);
	}
	buf_fini(&b);
}

static void test_edit(void **state)
{
	static char one[] = "one", two[] = "two";
	char *names[] = { one, two };
	struct manifest_step s = { .names = names, .n_names = 2 };
	struct manifest *m, *copy;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(manifest_parse(bytes_of_str(good), &m, &e), 0);
	assert_int_equal(manifest_new(&copy, &e), 0);
	for (size_t i = 0; i < m->n_updates; i++)
		assert_int_equal(manifest_add_update(copy, &m->updates[i], &e), 0);
	for (size_t i = m->n_steps; i-- > 0;)
		assert_int_equal(manifest_add_step(copy, &m->steps[i], &e), 0);
	manifest_free(m);
	assert_prints(copy, good);

	s.from = copy->steps[0].from;
	s.to = copy->steps[0].to;
	assert_int_equal(manifest_add_step(copy, &s, &e), 0);
	assert_int_equal(copy->n_steps, 3);
	assert_int_equal(copy->steps[0].n_names, 2);
	assert_string_equal(copy->steps[0].names[1], "two");
	assert_ptr_not_equal(copy->steps[0].names[1], two);
	manifest_free(copy);
	manifest_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields), cmocka_unit_test(test_round_trip), cmocka_unit_test(test_sorted),
		cmocka_unit_test(test_rules),  cmocka_unit_test(test_damage),	  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_edit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
