#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/scratch.h"
#include "updater/status.h"

static struct scratch s;

static int set_up(void **state)
{
	(void)state;
	scratch_make(&s);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	scratch_remove(&s);
	return 0;
}

/* The document as status_to_json() writes it, members in their order. */
#define IMAGE(v) "{\n      \"arch\": \"x86_64\",\n      \"version\": \"" v "\",\n      \"variant\": \"metal-demo\"\n    }"
static const char full[] = "{\n"
			   "  \"update_state\": \"Staged\",\n"
			   "  \"available_updates\": [\n    \"1.4.2\",\n    \"1.4.1\"\n  ],\n"
			   "  \"chosen_update\": {\n    \"arch\": \"x86_64\",\n    \"version\": \"1.4.2\",\n"
			   "    \"variant\": \"metal-demo\"\n  },\n"
			   "  \"active_partition\": {\n    \"image\": " IMAGE("1.4.1") ",\n    \"next_to_boot\": true\n  },\n"
			   "  \"staging_partition\": {\n    \"image\": " IMAGE("1.4.2") ",\n    \"next_to_boot\": false\n  },\n"
			   "  \"most_recent_command\": {\n    \"cmd_type\": \"prepare\",\n    \"cmd_status\": \"Success\",\n"
			   "    \"timestamp\": \"2026-03-02T09:15:00.123456789Z\",\n    \"exit_status\": 0,\n"
			   "    \"stderr\": \"Starting update to 1.4.2\\n\"\n  }\n"
			   "}\n";

static const char empty[] = "{\n  \"update_state\": \"Idle\",\n  \"available_updates\": [],\n  \"chosen_update\": null,\n"
			    "  \"active_partition\": null,\n  \"staging_partition\": null,\n  \"most_recent_command\": null\n}\n";

static struct version version_of(const char *text)
{
	struct version v;
	struct err e;

	assert_int_equal(version_parse(text, &v, &e), 0);
	return v;
}

static struct upd_image image_of(const char *version)
{
	const struct version v = version_of(version);
	struct upd_image i;
	struct err e;

	assert_int_equal(upd_image_set(&i, "metal-demo", "x86_64", &v, &e), 0);
	return i;
}

static struct status *full_status(void)
{
	const struct version list[] = { version_of("1.4.2"), version_of("1.4.1") };
	struct status *st;
	struct err e;

	assert_int_equal(status_new(&st, &e), 0);
	st->state = UPD_STAGED;
	assert_int_equal(status_set_available(st, list, 2, &e), 0);
	st->has_chosen = true;
	st->chosen = image_of("1.4.2");
	st->active = (struct status_partition){ true, image_of("1.4.1"), true };
	st->staging = (struct status_partition){ true, image_of("1.4.2"), false };
	assert_int_equal(status_set_command(st, UPD_PREPARE, STATUS_SUCCESS, 1772442900, 123456789, 0,
					    "Starting update to 1.4.2\n", &e), 0);
	return st;
}

static struct staged_record record(void)
{
	struct staged_record r = { .image = image_of("1.4.2"),
				   .set = PART_SET_B,
				   .verified_at_sec = 1772442900,
				   .trust = { 1, 2, 3, UINT64_C(1772442900000) } };

	for (size_t i = 0; i < PART_N_ROLES; i++)
		memset(r.targets[i].v, (int)i + 1, digest_size(DIGEST_SHA256));
	r.root_hash.alg = DIGEST_SHA512;
	memset(r.root_hash.v, 0xab, digest_size(DIGEST_SHA512));
	return r;
}

static void assert_document(const struct status *st, const char *want)
{
	struct buf text = BUF_INIT(STATUS_MAX_BYTES);
	struct err e = { 0 };
	json_t *j = status_to_json(st, &e);

	assert_non_null(j);
	assert_int_equal(json_to_buf(j, &text, &e), 0);
	assert_string_equal(buf_str(&text, &e), want);
	buf_fini(&text);
	json_decref(j);
}

static void test_document(void **state)
{
	struct status *st = full_status(), *again;
	struct err e;

	(void)state;
	assert_document(st, full);
	assert_int_equal(status_parse(bytes_of_str(full), &again, &e), 0);
	assert_document(again, full);
	assert_int_equal(again->command.at_nsec, 123456789);
	status_free(st);
	status_free(again);
	assert_int_equal(status_new(&st, &e), 0);
	assert_document(st, empty);
	status_free(st);
	assert_int_equal(status_parse(bytes_of_str(empty), &st, &e), 0);
	assert_document(st, empty);
	status_free(st);
}

static void test_refused(void **state)
{
	static const struct {
		const char *name, *from, *to;
		int ret;
	} cases[] = {
		{ "unknown member", "\"update_state\"", "\"more\": 1, \"update_state\"", 0 },
		{ "no state", "\"update_state\"", "\"state\"", -1 },
		{ "unknown state", "\"Staged\"", "\"staged\"", -1 },
		{ "no list", "\"available_updates\"", "\"updates\"", -1 },
		{ "list an object", "\"available_updates\": [\n    \"1.4.2\",\n    \"1.4.1\"\n  ]", "\"available_updates\": {}", -1 },
		{ "list of numbers", "\"1.4.1\"\n  ]", "1\n  ]", -1 },
		{ "list of no versions", "\"1.4.1\"\n  ]", "\"1.4\"\n  ]", -1 },
		{ "no chosen", "\"chosen_update\"", "\"chosen\"", -1 },
		{ "no active", "\"active_partition\"", "\"active\"", -1 },
		{ "no staging", "\"staging_partition\"", "\"staging\"", -1 },
		{ "no command", "\"most_recent_command\"", "\"command\"", -1 },
		{ "image without arch", "\"arch\"", "\"arc\"", -1 },
		{ "image with a bad version", "\"version\": \"1.4.1\"", "\"version\": \"\"", -1 },
		{ "empty variant", "\"metal-demo\"", "\"\"", -1 },
		{ "next_to_boot no boolean", "\"next_to_boot\": true", "\"next_to_boot\": 1", -1 },
		{ "unknown command", "\"prepare\"", "\"Prepare\"", -1 },
		{ "unknown result", "\"Success\"", "\"success\"", -1 },
		{ "no time", "\"2026-03-02T09:15:00.123456789Z\"", "\"now\"", -1 },
		{ "whole seconds", "00.123456789Z", "00Z", 0 },
		{ "exit status null", "\"exit_status\": 0", "\"exit_status\": null", 0 },
		{ "exit status missing", "\"exit_status\": 0", "\"exit\": 0", -1 },
		{ "exit status text", "\"exit_status\": 0", "\"exit_status\": \"0\"", -1 },
		{ "exit status large", "\"exit_status\": 0", "\"exit_status\": 2147483648", -1 },
		{ "stderr null", "\"Starting update to 1.4.2\\n\"", "null", 0 },
		{ "stderr missing", "\"stderr\"", "\"err\"", -1 },
		{ "staged image null", "\"update_state\"", "\"staged_image\": null, \"update_state\"", -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *at = strstr(full, cases[i].from);
		struct buf text = BUF_INIT(STATUS_MAX_BYTES);
		struct status *st = NULL;
		struct err e = { 0 };

		assert_case(cases[i].name, at != NULL);
		assert_case(cases[i].name, buf_printf(&text, &e, "%.*s%s%s", (int)(at - full), full, cases[i].to,
						      at + strlen(cases[i].from)) == 0);
		assert_case(cases[i].name, status_parse(buf_bytes(&text), &st, &e) == cases[i].ret);
		assert_case(cases[i].name, cases[i].ret == 0 || e.kind == ERR_FORMAT);
		status_free(st);
		buf_fini(&text);
	}
}

static void test_file(void **state)
{
	struct status *st = full_status(), *back;
	struct err e = { 0 };
	struct stat info;

	(void)state;
	st->has_staged = true;
	st->staged = record();
	assert_int_equal(status_store(st, s.fd, &e), 0);
	assert_int_equal(fstatat(s.fd, STATUS_FILE, &info, 0), 0);
	assert_int_equal(info.st_mode & 0777, 0644);
	assert_int_equal(status_load(s.fd, &back, &e), 0);
	assert_true(back->has_staged && upd_image_equal(&back->staged.image, &st->staged.image));
	assert_memory_equal(&back->staged.trust, &st->staged.trust, sizeof(back->staged.trust));
	status_free(back);
	status_free(st);
}

/* Cut anywhere it counts as absent, with a fresh status, and never worse. */
static void test_damaged_file(void **state)
{
	struct status *st;
	struct err e = { 0 };

	(void)state;
	for (size_t n = 0; n < sizeof(full) - 2; n++) {
		scratch_write(&s, STATUS_FILE, full, n);
		assert_int_equal(status_load(s.fd, &st, &e), STATUS_ABSENT);
		assert_document(st, empty);
		status_free(st);
	}
	scratch_write(&s, STATUS_FILE, full, sizeof(full) - 1);
	assert_int_equal(status_load(s.fd, &st, &e), 0);
	status_free(st);
}

static void test_no_file(void **state)
{
	struct scratch other;
	struct status *st;
	struct staged_record r;
	struct err e = { 0 };

	(void)state;
	scratch_make(&other);
	assert_int_equal(status_load(other.fd, &st, &e), STATUS_ABSENT);
	status_free(st);
	assert_int_equal(staged_load(other.fd, &r, &e), STAGED_ABSENT);
	assert_int_equal(staged_remove(other.fd, &e), 0);
	assert_int_equal(mkdirat(other.fd, STATUS_FILE, 0755), 0);
	assert_int_equal(mkdirat(other.fd, STAGED_FILE, 0755), 0);
	assert_int_equal(status_load(other.fd, &st, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	assert_int_equal(staged_load(other.fd, &r, &e), -1);
	scratch_remove(&other);
}

static void test_command_text(void **state)
{
	struct status *st = full_status();
	const size_t most = STATUS_STDERR_MAX_BYTES;
	char *text = malloc(most + 2);
	struct err e;

	(void)state;
	assert_non_null(text);
	for (size_t n = most - 1; n <= most + 1; n++) {
		memset(text, 'a', n);
		text[0] = 'F';
		text[n - 1] = 'L';
		text[n] = '\0';
		assert_int_equal(status_set_command(st, UPD_REFRESH, STATUS_FAILED, 0, 0, 1, text, &e), 0);
		assert_int_equal(strlen(st->command.text), n > most ? most : n);
		assert_int_equal(st->command.text[0], 'F');
		assert_int_equal(st->command.text[strlen(st->command.text) - 1], 'L');
	}
	free(text);
	assert_int_equal(status_set_command(st, UPD_REFRESH, STATUS_FAILED, 0, 0, 1,
					    "a\xff\xc3\xa9\xc3(\xed\xa0\x80\xf0\x9f\x92\xa9\xf5\xc0\xaf\xe2\x82", &e), 0);
	assert_string_equal(st->command.text, "a?\xc3\xa9?(???\xf0\x9f\x92\xa9?????");
	status_free(st);
}

static void test_staged(void **state)
{
	const struct staged_record r = record();
	struct buf text = BUF_INIT(STAGED_MAX_BYTES);
	struct staged_record back;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(staged_store(&r, s.fd, &e), 0);
	assert_int_equal(staged_load(s.fd, &back, &e), 0);
	assert_true(upd_image_equal(&r.image, &back.image));
	assert_int_equal(back.set, PART_SET_B);
	assert_true(digest_equal(&r.root_hash, &back.root_hash));
	for (size_t i = 0; i < PART_N_ROLES; i++)
		assert_true(digest_equal(&r.targets[i], &back.targets[i]));
	assert_int_equal(back.verified_at_sec, r.verified_at_sec);
	assert_true(back.trust.targets == r.trust.targets && back.trust.root == 1);

	/* A file cut anywhere vouches for nothing. */
	assert_int_equal(file_read(s.fd, STAGED_FILE, &text, &e), 0);
	for (size_t n = 0; n < text.n - 2; n++) {
		scratch_write(&s, STAGED_FILE, text.p, n);
		assert_int_equal(staged_load(s.fd, &back, &e), STAGED_ABSENT);
	}
	scratch_write(&s, STAGED_FILE, text.p, text.n);
	assert_int_equal(staged_load(s.fd, &back, &e), 0);
	buf_fini(&text);
	assert_int_equal(staged_remove(s.fd, &e), 0);
	assert_int_equal(staged_load(s.fd, &back, &e), STAGED_ABSENT);
}

static void test_image_names(void **state)
{
	const struct version v = version_of("1.0.0");
	char name[UPD_NAME_BYTES + 1];
	struct upd_image i;
	struct err e;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[UPD_NAME_BYTES] = '\0';
	assert_int_equal(upd_image_set(&i, name, "a", &v, &e), -1);
	assert_int_equal(upd_image_set(&i, "v", name, &v, &e), -1);
	name[UPD_NAME_BYTES - 1] = '\0';
	assert_int_equal(upd_image_set(&i, name, name, &v, &e), 0);
	assert_string_equal(i.variant, name);
	assert_int_equal(upd_image_set(&i, "", "a", &v, &e), -1);
	assert_int_equal(upd_image_set(&i, "v", "", &v, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_document),     cmocka_unit_test(test_refused), cmocka_unit_test(test_file),
		cmocka_unit_test(test_damaged_file), cmocka_unit_test(test_no_file), cmocka_unit_test(test_command_text),
		cmocka_unit_test(test_staged),	     cmocka_unit_test(test_image_names),
	};

	log_init("test_status", LOG_ERROR); /* damaged files are meant to be */
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
