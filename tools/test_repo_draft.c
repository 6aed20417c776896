/* draft.json: there and back, what it refuses, and the editing of its lists. */
#include "tools/repo_draft.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define HEX32 "00112233445566778899aabbccddeeff"
#define UUID "00112233-4455-6677-8899-aabbccddeeff"
#define VERITY                                                                                                                          \
	"{\"algorithm\":\"sha256\",\"data_block_size\":4096,\"hash_block_size\":4096,\"data_blocks\":7,\"salt\":\"abcd\",\"uuid\":\"" UUID \
	"\",\"root_hash\":\"" HEX64 "\"}"
#define IMAGE(n) "{\"target\":\"" n "\",\"size\":28672}"
#define IMAGES(version, verity)                                                                                                         \
	"{\"variant\":\"metal\",\"arch\":\"x86_64\",\"version\":\"" version "\",\"verity\":" verity            \
	",\"boot\":" IMAGE("b") ",\"root\":" IMAGE("r") ",\"hash\":" IMAGE("h") "}"
#define TARGET "\"t.zst\":{\"length\":5,\"sha256\":\"" HEX64 "\"}"
#define DRAFT(targets, images) "{\"targets\":{" targets "},\"images\":[" images "]}"

static const char good[] = DRAFT(TARGET, IMAGES("1.2.3", VERITY));

static int parse(const char *text, size_t n, struct draft **out, struct err *e)
{
	*e = (struct err){ .kind = ERR_NONE };
	return draft_parse(bytes_of(text, n), out, e);
}

static void test_good(void **state)
{
	CLEANUP(draft_free_p) struct draft *d = NULL;
	struct err e;
	struct version v;

	(void)state;
	assert_int_equal(parse(good, sizeof(good) - 1, &d, &e), 0);
	const struct draft_target *t = draft_find_target(d, "t.zst");

	assert_non_null(t);
	assert_int_equal(t->length, 5);
	assert_int_equal(t->sha256.v[31], 0xff);
	assert_int_equal(version_parse("1.2.3", &v, &e), 0);
	const struct draft_images *m = draft_find_images(d, "metal", "x86_64", &v);

	assert_non_null(m);
	assert_int_equal(m->verity.n_data_blocks, 7);
	assert_int_equal(m->verity.salt_bytes, 2);
	assert_int_equal(m->verity.salt[1], 0xcd);
	assert_int_equal(m->verity.uuid[1], 0x11);
	assert_string_equal(m->targets[PART_HASH], "h");
	assert_int_equal(m->sizes[PART_BOOT], 28672);
}

static void test_print_again(void **state)
{
	CLEANUP(draft_free_p) struct draft *d = NULL;
	CLEANUP(draft_free_p) struct draft *again = NULL;
	CLEANUP(buf_fini) struct buf first = BUF_INIT(65536);
	CLEANUP(buf_fini) struct buf second = BUF_INIT(65536);
	struct err e;

	(void)state;
	assert_int_equal(parse(good, sizeof(good) - 1, &d, &e), 0);
	assert_int_equal(draft_print(d, &first, &e), 0);
	assert_int_equal(draft_parse(buf_bytes(&first), &again, &e), 0);
	assert_int_equal(draft_print(again, &second, &e), 0);
	assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
}

static void test_truncated(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		CLEANUP(draft_free_p) struct draft *d = NULL;
		struct err e;

		assert_int_equal(parse(good, n, &d, &e), -1);
		assert_int_equal(e.kind, ERR_FORMAT);
	}
}

/* Nothing signs a draft, so a changed byte may pass; it must do no harm, and what passes must print and parse. */
static void test_changed_bytes(void **state)
{
	char text[sizeof(good)];

	(void)state;
	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		static const char changes[] = { '\0', '"', '{', '}', '0', '9', '-', '\x7f', '\xff' };

		for (size_t k = 0; k < sizeof(changes); k++) {
			CLEANUP(draft_free_p) struct draft *d = NULL;
			CLEANUP(buf_fini) struct buf out = BUF_INIT(65536);
			struct err e;

			memcpy(text, good, sizeof(good));
			text[i] = changes[k];
			if (parse(text, sizeof(good) - 1, &d, &e) == 0)
				assert_int_equal(draft_print(d, &out, &e), 0);
		}
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *name, *text;
	} cases[] = {
		{ "no object", "[]" },
		{ "no targets", "{\"images\":[]}" },
		{ "no images", "{\"targets\":{}}" },
		{ "negative length", DRAFT("\"t\":{\"length\":-1,\"sha256\":\"" HEX64 "\"}", "") },
		{ "real length", DRAFT("\"t\":{\"length\":1.0,\"sha256\":\"" HEX64 "\"}", "") },
		{ "short digest", DRAFT("\"t\":{\"length\":1,\"sha256\":\"" HEX32 "\"}", "") },
		{ "no digest", DRAFT("\"t\":{\"length\":1}", "") },
		{ "same target twice", DRAFT(TARGET "," TARGET, "") },
		{ "bad version", DRAFT("", IMAGES("1.2", VERITY)) },
		{ "verity is text", DRAFT("", IMAGES("1.2.3", "\"x\"")) },
		{ "unknown hash", DRAFT("", IMAGES("1.2.3", "{\"algorithm\":\"md5\",\"data_block_size\":4096,\"hash_block_size\":4096,"
								 "\"data_blocks\":7,\"salt\":\"\",\"uuid\":\"" UUID "\",\"root_hash\":\"" HEX64 "\"}")) },
		{ "odd block", DRAFT("", IMAGES("1.2.3", "{\"algorithm\":\"sha256\",\"data_block_size\":4095,\"hash_block_size\":4096,"
							      "\"data_blocks\":7,\"salt\":\"\",\"uuid\":\"" UUID "\",\"root_hash\":\"" HEX64 "\"}")) },
		{ "odd salt", DRAFT("", IMAGES("1.2.3", "{\"algorithm\":\"sha256\",\"data_block_size\":4096,\"hash_block_size\":4096,"
							     "\"data_blocks\":7,\"salt\":\"abc\",\"uuid\":\"" UUID "\",\"root_hash\":\"" HEX64 "\"}")) },
		{ "no root hash", DRAFT("", IMAGES("1.2.3", "{\"algorithm\":\"sha256\",\"data_block_size\":4096,\"hash_block_size\":4096,"
							 "\"data_blocks\":7,\"salt\":\"\",\"uuid\":\"" UUID "\"}")) },
		{ "no blocks", DRAFT("", IMAGES("1.2.3", "{\"algorithm\":\"sha256\",\"data_block_size\":4096,\"hash_block_size\":4096,"
							      "\"data_blocks\":0,\"salt\":\"\",\"uuid\":\"" UUID "\",\"root_hash\":\"" HEX64 "\"}")) },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(draft_free_p) struct draft *d = NULL;
		struct err e;

		assert_case(cases[i].name, parse(cases[i].text, strlen(cases[i].text), &d, &e) == -1);
		assert_case(cases[i].name, e.kind == ERR_FORMAT);
		assert_case(cases[i].name, d == NULL);
	}
}

static void test_name_limit(void **state)
{
	(void)state;
	for (size_t n = REPO_TARGET_MAX_BYTES - 1; n <= REPO_TARGET_MAX_BYTES + 1; n++) {
		CLEANUP(draft_free_p) struct draft *d = NULL;
		char name[REPO_TARGET_BYTES + 1], text[1024];
		struct err e;

		memset(name, 'n', n);
		name[n] = '\0';
		snprintf(text, sizeof(text), DRAFT("\"%s\":{\"length\":1,\"sha256\":\"" HEX64 "\"}", ""), name);
		assert_int_equal(parse(text, strlen(text), &d, &e), n <= REPO_TARGET_MAX_BYTES ? 0 : -1);
	}
}

static struct draft_target make_target(const char *name, uint64_t length)
{
	struct draft_target t = { .length = length, .sha256 = { .alg = DIGEST_SHA256 } };

	snprintf(t.name, sizeof(t.name), "%s", name);
	return t;
}

static void test_editing(void **state)
{
	CLEANUP(draft_free_p) struct draft *d = NULL;
	struct err e;
	const struct draft_target a = make_target("a", 1), b = make_target("b", 2), c = make_target("c", 3), b2 = make_target("b", 9);

	(void)state;
	assert_int_equal(draft_new(&d, &e), 0);
	assert_int_equal(draft_add_target(d, &a, &e), 0);
	assert_int_equal(draft_add_target(d, &b, &e), 0);
	assert_int_equal(draft_add_target(d, &c, &e), 0);
	assert_int_equal(draft_add_target(d, &b2, &e), 0);
	assert_int_equal(d->n_targets, 3);
	assert_int_equal(draft_find_target(d, "b")->length, 9);
	draft_remove_target(d, "b");
	draft_remove_target(d, "not there");
	assert_null(draft_find_target(d, "b"));
	assert_int_equal(draft_find_target(d, "c")->length, 3);
	assert_int_equal(d->n_targets, 2);
}

static void test_editing_images(void **state)
{
	CLEANUP(draft_free_p) struct draft *d = NULL;
	struct err e;
	struct draft_images m = { .variant = "v", .arch = "a" };
	struct version first, second;

	(void)state;
	assert_int_equal(version_parse("1.0.0", &first, &e), 0);
	assert_int_equal(version_parse("2.0.0", &second, &e), 0);
	assert_int_equal(draft_new(&d, &e), 0);
	m.version = first;
	assert_int_equal(draft_add_images(d, &m, &e), 0);
	assert_int_equal(draft_add_images(d, &m, &e), 0);
	m.version = second;
	assert_int_equal(draft_add_images(d, &m, &e), 0);
	assert_int_equal(d->n_images, 2);
	assert_null(draft_find_images(d, "v", "other", &first));
	assert_null(draft_find_images(d, "other", "a", &first));
	draft_remove_images(d, draft_find_images(d, "v", "a", &first));
	assert_null(draft_find_images(d, "v", "a", &first));
	assert_non_null(draft_find_images(d, "v", "a", &second));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	 cmocka_unit_test(test_print_again), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_changed_bytes), cmocka_unit_test(test_refused), cmocka_unit_test(test_name_limit),
		cmocka_unit_test(test_editing),	 cmocka_unit_test(test_editing_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
