#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/scratch.h"
#include "updater/config.h"

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

static struct config *parsed(const char *text)
{
	struct config *c = NULL;
	struct err e = { 0 };

	if (config_parse(bytes_of_str(text), "f", &c, &e) < 0)
		fail_msg("%s", e.msg);
	return c;
}

static void assert_refused(const char *name, const char *text)
{
	struct config *c = NULL;
	struct err e = { 0 };

	assert_case(name, config_parse(bytes_of_str(text), "f", &c, &e) == -1);
	assert_case(name, c == NULL && e.kind == ERR_FORMAT && strcmp(e.reason, CONFIG_E_CONFIG) == 0);
}

static void test_defaults(void **state)
{
	struct config *c = parsed("");

	(void)state;
	assert_string_equal(c->metadata_base_url, "");
	assert_false(c->has_seed || c->ignore_waves || c->allow_http);
	assert_true(c->enabled && c->send_query);
	assert_int_equal(c->version_lock.kind, LOCK_LATEST);
	assert_int_equal(c->idle_timeout_ms, 30000);
	assert_int_equal(c->connect_timeout_ms, 10000);
	assert_int_equal(c->active_set, PART_ACTIVE_AUTO);
	assert_memory_equal(&c->types, &part_types_bottlerocket, sizeof(c->types));
	assert_string_equal(c->state_dir, "/var/lib/flipside");
	assert_string_equal(c->disk, "");
	for (size_t i = 0; i < CONFIG_N_KEYS; i++) {
		assert_string_equal(c->origins[i].where, "default");
		assert_string_equal(c->origins[i].text, config_keys[i].preset);
		assert_true(strlen(config_keys[i].help) > 10);
	}
	assert_int_equal(c->warnings.n, 0);
	config_free(c);
}

static void test_all_keys(void **state)
{
	static const char text[] = "# all\n"
				   "[updates]\n"
				   "metadata_base_url = https://updates.example/2026/demo/x86_64/\n"
				   "  targets_base_url=file:///srv/targets\n"
				   "seed = 4095\r\n"
				   "version_lock = v1.2.x ; for now\n"
				   "ignore_waves = yes\n"
				   "enabled = off\n"
				   "send_query = 0\n"
				   "[network]\n"
				   "https_proxy = proxy.example:3128\n"
				   "no_proxy = localhost, 10.0.0.0/8\n"
				   "ca_file = /etc/ca.pem\n"
				   "client_cert = /etc/client.pem\n"
				   "client_key = /etc/client.key\n"
				   "rate_limit = 2M\n"
				   "allow_http = true\n"
				   "idle_timeout = 2m\n"
				   "connect_timeout = 1500ms\n"
				   "[host]\n"
				   "os_release = /os\n"
				   "disk = /dev/vda\n"
				   "active_set = B\n"
				   "partition_types = discoverable\n"
				   "private_type = 440408BB-eb0b-4328-a6e5-a29038fad706\n"
				   "trusted_root = /r\n"
				   "state_dir = /s\n"
				   "metadata_dir = /m\n"
				   "migrations_dir = /g\n"
				   "lock_file = /l";
	struct config *c = parsed(text);
	struct err e;
	uint32_t seed;

	(void)state;
	assert_string_equal(c->metadata_base_url, "https://updates.example/2026/demo/x86_64/");
	assert_string_equal(c->targets_base_url, "file:///srv/targets");
	assert_int_equal(config_seed(c, "/nonexistent", &seed, &e), 0);
	assert_int_equal(seed, 4095);
	assert_int_equal(c->version_lock.kind, LOCK_MINOR);
	assert_true(c->ignore_waves && !c->enabled && !c->send_query && c->allow_http);
	assert_string_equal(c->https_proxy, "proxy.example:3128");
	assert_string_equal(c->no_proxy, "localhost, 10.0.0.0/8");
	assert_string_equal(c->ca_file, "/etc/ca.pem");
	assert_string_equal(c->client_cert, "/etc/client.pem");
	assert_string_equal(c->client_key, "/etc/client.key");
	assert_int_equal(c->rate_limit, 2 << 20);
	assert_int_equal(c->idle_timeout_ms, 120000);
	assert_int_equal(c->connect_timeout_ms, 1500);
	assert_string_equal(c->os_release, "/os");
	assert_string_equal(c->disk, "/dev/vda");
	assert_int_equal(c->active_set, PART_ACTIVE_B);
	assert_memory_equal(c->types.role, part_types_discoverable.role, sizeof(c->types.role));
	assert_memory_equal(c->types.private_data, part_types_bottlerocket.private_data, GPT_GUID_BYTES);
	assert_string_equal(c->trusted_root, "/r");
	assert_string_equal(c->state_dir, "/s");
	assert_string_equal(c->metadata_dir, "/m");
	assert_string_equal(c->migrations_dir, "/g");
	assert_string_equal(c->lock_file, "/l");
	assert_string_equal(c->origins[0].where, "f:3");
	assert_int_equal(c->warnings.n, 0);
	config_free(c);
}

static void test_bad_values(void **state)
{
	static const char *const bad[] = {
		"[updates]\nmetadata_base_url = ftp://x/",
		"[updates]\nmetadata_base_url = https://",
		"[updates]\nmetadata_base_url = https://a b",
		"[updates]\nmetadata_base_url = https://a https:// https://b",
		"[updates]\ntargets_base_url = https://a gopher://b",
		"[network]\nclient_cert = client.pem",
		"[network]\nclient_key = client.key",
		"[network]\nrate_limit =",
		"[network]\nrate_limit = -1",
		"[network]\nrate_limit = 1.5M",
		"[network]\nrate_limit = M",
		"[network]\nrate_limit = 2 M",
		"[network]\nrate_limit = 2MB",
		"[network]\nrate_limit = 2m",
		"[network]\nrate_limit = 1023",
		"[network]\nrate_limit = 1025G",
		"[updates]\nmetadata_base_url = \"https://a\"",
		"[updates]\nseed = -1",
		"[updates]\nseed = 4294967296",
		"[updates]\nseed = 5x",
		"[updates]\nversion_lock = newest",
		"[updates]\nversion_lock =",
		"[updates]\nignore_waves = maybe",
		"[updates]\nignore_waves = True",
		"[updates]\nenabled =",
		"[network]\nca_file = ca.pem",
		"[network]\nidle_timeout = 0s",
		"[network]\nidle_timeout = 25h",
		"[network]\nidle_timeout = 10 s",
		"[network]\nidle_timeout = s",
		"[network]\nidle_timeout =",
		"[network]\nidle_timeout = 18446744073709551616",
		"[network]\nhttps_proxy = a\033b",
		"[host]\nactive_set = C",
		"[host]\nactive_set = a",
		"[host]\npartition_types = gpt",
		"[host]\nboot_type = 1234",
		"[host]\nstate_dir =",
		"[host]\nstate_dir = var",
		"[host\nstate_dir = /a",
		"[host]\nstate_dir",
		"nonsense",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_refused(bad[i], bad[i]);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		uint32_t ms;
	} cases[] = {
		{ "1ms", 1 },	      { "30s", 30000 },	      { "7", 7000 },	     { "2m", 120000 },	{ "2min", 120000 },
		{ "24h", 86400000 },  { "86400s", 86400000 }, { "86400000ms", 86400000 },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c;

		snprintf(text, sizeof(text), "[network]\nidle_timeout = %s\n", cases[i].text);
		c = parsed(text);
		assert_case(cases[i].text, c->idle_timeout_ms == cases[i].ms);
		config_free(c);
	}
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "0", 0 },	  { "0K", 0 },	       { "1024", 1024 },	   { "1K", 1024 },
		{ "500K", 512000 }, { "2M", 2 << 20 }, { "1024G", UINT64_C(1) << 40 }, { "1099511627776", UINT64_C(1) << 40 },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c;

		snprintf(text, sizeof(text), "[network]\nrate_limit = %s\n", cases[i].text);
		c = parsed(text);
		assert_case(cases[i].text, c->rate_limit == cases[i].bytes);
		config_free(c);
	}
}

static void test_mirrors(void **state)
{
	static const struct {
		const char *name, *metadata, *targets;
		bool allow_http;
		int ret;
	} cases[] = {
		{ "one", "https://a/m", "https://a/t", false, 0 },
		{ "two", "https://a/m https://b/m", "https://a/t  file:///b/t", false, 0 },
		{ "fewer targets", "https://a/m https://b/m", "https://a/t", false, -1 },
		{ "more targets", "https://a/m", "https://a/t  https://b/t", false, -1 },
		{ "no targets", "https://a/m", "", false, -1 },
		{ "the second is http", "https://a/m http://b/m", "https://a/t https://b/t", false, -1 },
		{ "the second is http, allowed", "https://a/m http://b/m", "https://a/t https://b/t", true, 0 },
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c;
		struct err e = { 0 };

		snprintf(text, sizeof(text), "[updates]\nmetadata_base_url = %s\ntargets_base_url = %s\n[network]\nallow_http = %d\n",
			 cases[i].metadata, cases[i].targets, cases[i].allow_http);
		c = parsed(text);
		assert_case(cases[i].name, config_check_repository(c, &e) == cases[i].ret);
		assert_case(cases[i].name, cases[i].ret == 0 || (e.kind == ERR_FORMAT && strcmp(e.reason, CONFIG_E_CONFIG) == 0));
		config_free(c);
	}
	/* As many as there may be, and one more. */
	for (int n = 15; n <= 17; n++) {
		struct config *c = NULL;
		struct err e;

		snprintf(text, sizeof(text), "[updates]\nmetadata_base_url =");
		for (int k = 0; k < n; k++)
			strncat(text, " https://a", sizeof(text) - 1 - strlen(text));
		assert_int_equal(config_parse(bytes_of_str(text), "f", &c, &e), n <= 16 ? 0 : -1);
		config_free(c);
	}
}

/* The message says where, what and why. */
static void test_message(void **state)
{
	struct config *c;
	struct err e;

	(void)state;
	assert_int_equal(config_parse(bytes_of_str("\n[updates]\n\nseed = x\nenabled = y\n"), "conf", &c, &e), -1);
	assert_non_null(strstr(e.msg, "conf:4: seed: must be a number"));
	assert_int_equal(config_parse(bytes_of_str("[updates]\nwhat\n"), "conf", &c, &e), -1);
	assert_non_null(strstr(e.msg, "conf:2: "));
}

static void test_warnings(void **state)
{
	struct config *c = parsed("[updates]\nsed = 5\n[extra]\na = b\n[host]\nseed = 4\n");
	struct err e;

	(void)state;
	assert_string_equal(buf_str(&c->warnings, &e), "f:2: key \"sed\" is not known\nf:4: section \"extra\" is not known\n"
							 "f:6: key \"seed\" is not known\n");
	assert_false(c->has_seed);
	config_free(c);
	c = parsed("seed = 5\n");
	assert_true(c->warnings.n > 0 && !c->has_seed);
	config_free(c);
}

/* More unknown keys than warnings are kept for: the file is read all the same. */
static void test_many_warnings(void **state)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	struct config *c;
	struct err e;

	(void)state;
	while (text.n + 16 < CONFIG_FILE_MAX_BYTES)
		assert_int_equal(buf_append_str(&text, "a=\n", &e), 0);
	assert_int_equal(buf_append_str(&text, "[updates]\nseed=1", &e), 0);
	assert_int_equal(config_parse(buf_bytes(&text), "f", &c, &e), 0);
	assert_true(c->has_seed && c->warnings.n > 1000);
	config_free(c);
	buf_fini(&text);
}

static void test_line_length(void **state)
{
	static const char key[] = "[network]\nno_proxy = ";
	const size_t most = CONFIG_LINE_MAX_BYTES - strlen("no_proxy = ") - 1; /* with the line feed */
	char *text = malloc(CONFIG_LINE_MAX_BYTES * 2);
	struct config *c;
	struct err e;

	(void)state;
	assert_non_null(text);
	for (size_t n = most - 1; n <= most + 1; n++) {
		memcpy(text, key, sizeof(key));
		memset(text + sizeof(key) - 1, 'a', n);
		memcpy(text + sizeof(key) - 1 + n, "\nca_file=/a\n", sizeof("\nca_file=/a\n"));
		assert_int_equal(config_parse(bytes_of_str(text), "f", &c, &e), n <= most ? 0 : -1);
		if (n > most) {
			assert_string_equal(e.reason, CONFIG_E_CONFIG);
			continue;
		}
		assert_int_equal(strlen(c->no_proxy), n);
		assert_string_equal(c->ca_file, "/a");
		config_free(c);
	}
	free(text);
}

static void test_file_size(void **state)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX_BYTES + 1);
	struct config *c;
	struct err e;

	(void)state;
	while (text.n < CONFIG_FILE_MAX_BYTES)
		assert_int_equal(buf_append_str(&text, "\n", &e), 0);
	scratch_write(&s, "c", text.p, text.n);
	assert_int_equal(config_load(scratch_path(&s, "c"), &c, &e), 0);
	config_free(c);
	assert_int_equal(buf_append_str(&text, "\n", &e), 0);
	assert_int_equal(config_parse(buf_bytes(&text), "f", &c, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	scratch_write(&s, "c", text.p, text.n);
	assert_int_equal(config_load(scratch_path(&s, "c"), &c, &e), -1);
	assert_int_equal(e.kind, ERR_FORMAT);
	assert_string_equal(e.reason, CONFIG_E_CONFIG);
	buf_fini(&text);
}

static void write_text(const char *name, const char *text)
{
	scratch_write(&s, name, text, strlen(text));
}

static void test_dropins(void **state)
{
	char main_path[SCRATCH_PATH_BYTES + 16], dir[SCRATCH_PATH_BYTES + 16];
	struct config *c;
	struct err e = { 0 };

	(void)state;
	snprintf(main_path, sizeof(main_path), "%s/main", s.path);
	snprintf(dir, sizeof(dir), "%s/d", s.path);
	assert_int_equal(config_load_from(main_path, dir, &c, &e), 0); /* neither is there */
	config_free(c);
	assert_int_equal(config_load(main_path, &c, &e), -1); /* asked for by name it must be */
	assert_int_equal(e.kind, ERR_MISSING);

	assert_int_equal(mkdirat(s.fd, "d", 0755), 0);
	write_text("main", "[updates]\nseed = 1\nversion_lock = 1.0.0\nenabled = no\n[host]\nboot_type = 5526016a-1a97-4ea4-b39a-b7c8c6ca4502\n");
	write_text("d/10-a.conf", "[updates]\nseed = 2\nversion_lock = 2.0.0\n");
	write_text("d/9-b.conf", "[updates]\nseed = 3\n[host]\npartition_types = discoverable\n");
	write_text("d/B.conf", "[host]\nstate_dir = /B\n");
	write_text("d/a.conf", "[host]\nstate_dir = /a\n");
	write_text("d/x.conf~", "nonsense");
	write_text("d/.x.conf", "nonsense");
	write_text("d/.conf", "nonsense");
	assert_int_equal(symlinkat("../target", s.fd, "d/z.conf"), 0);
	write_text("target", "[host]\nlock_file = /z\n");
	assert_int_equal(config_load_from(main_path, dir, &c, &e), 0);
	assert_int_equal(c->seed, 3);			      /* "10-a" < "9-b" by bytes */
	assert_string_equal(c->version_lock.text, "2.0.0");
	assert_false(c->enabled);
	assert_string_equal(c->state_dir, "/a");	      /* "B" < "a" */
	assert_string_equal(c->lock_file, "/z");
	/* A single GUID stands over the preset, wherever the preset comes from. */
	assert_memory_equal(c->types.role[PART_BOOT], part_types_bottlerocket.role[PART_ROOT], GPT_GUID_BYTES);
	assert_memory_equal(c->types.role[PART_ROOT], part_types_discoverable.role[PART_ROOT], GPT_GUID_BYTES);
	config_free(c);

	assert_int_equal(config_load(main_path, &c, &e), 0); /* alone */
	assert_int_equal(c->seed, 1);
	config_free(c);
	write_text("d/5.conf", "[updates]\nseed = x\n");
	assert_int_equal(config_load_from(main_path, dir, &c, &e), -1);
	assert_non_null(strstr(e.msg, "d/5.conf:2: seed"));
}

static void test_too_many_dropins(void **state)
{
	char dir[SCRATCH_PATH_BYTES + 16], name[32];
	struct config *c;
	struct err e;

	(void)state;
	snprintf(dir, sizeof(dir), "%s/many", s.path);
	assert_int_equal(mkdirat(s.fd, "many", 0755), 0);
	for (int i = 0; i < CONFIG_DROPINS_MAX; i++) {
		snprintf(name, sizeof(name), "many/%d.conf", i);
		write_text(name, "");
	}
	assert_int_equal(config_load_from("/nonexistent/c", dir, &c, &e), 0);
	config_free(c);
	write_text("many/more.conf", "");
	assert_int_equal(config_load_from("/nonexistent/c", dir, &c, &e), -1);
	assert_string_equal(e.reason, CONFIG_E_CONFIG);
}

static void test_print(void **state)
{
	struct config *c = parsed("[updates]\nseed = 77\nversion_lock = 1.x\n[network]\nno_proxy = a,b\nidle_timeout = 90s\n");
	struct buf text = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	struct config *again;
	struct err e;

	(void)state;
	assert_int_equal(config_print(c, &text, &e), 0);
	assert_non_null(strstr(buf_str(&text, &e), "(f:2)\nseed = 77\n"));
	again = parsed(buf_str(&text, &e));
	assert_int_equal(again->warnings.n, 0);
	for (size_t i = 0; i < CONFIG_N_KEYS; i++) {
		assert_string_equal(again->origins[i].text, c->origins[i].text);
		assert_string_not_equal(again->origins[i].where, "default");
	}
	buf_fini(&text);
	config_free(c);
	config_free(again);
}

static void test_repository(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "", false },
		{ "[updates]\nmetadata_base_url = https://a\n", false },
		{ "[updates]\ntargets_base_url = https://a\n", false },
		{ "[updates]\nmetadata_base_url = https://a\ntargets_base_url = file:///b\n", true },
		{ "[updates]\nmetadata_base_url = https://a\ntargets_base_url = http://b\n", false },
		{ "[updates]\nmetadata_base_url = http://a\ntargets_base_url = https://b\n", false },
		{ "[updates]\nmetadata_base_url = http://a\ntargets_base_url = http://b\n[network]\nallow_http=1\n", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct config *c = parsed(cases[i].text);
		struct err e = { 0 };

		assert_case(cases[i].text, config_check_repository(c, &e) == (cases[i].good ? 0 : -1));
		assert_case(cases[i].text, cases[i].good || e.kind == ERR_FORMAT);
		config_free(c);
	}
}

static void test_machine_seed(void **state)
{
	static const char id[] = "0123456789abcdef0123456789abcdef";
	static const char *const bad[] = { "", "0123", "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcdef0",
					   "uninitialized" };
	struct config *c = parsed("");
	struct err e = { 0 };
	uint32_t seed = 0, from_file = 0;

	(void)state;
	/* printf 0123456789abcdef0123456789abcdef | sha256sum: the first 8 bytes modulo 2048 */
	assert_int_equal(config_seed_of_machine(id, &seed, &e), 0);
	assert_int_equal(seed, 886);
	write_text("machine-id", "0123456789abcdef0123456789abcdef\n");
	assert_int_equal(config_seed(c, scratch_path(&s, "machine-id"), &from_file, &e), 0);
	assert_int_equal(from_file, seed);
	assert_int_equal(config_seed(c, scratch_path(&s, "no-machine-id"), &from_file, &e), -1);
	assert_int_equal(e.kind, ERR_MISSING);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_case(bad[i], config_seed_of_machine(bad[i], &seed, &e) == -1);
		assert_case(bad[i], e.kind == ERR_FORMAT);
	}
	config_free(c);
}

static void test_damage(void **state)
{
	static const char good[] = "[updates]\nseed = 5 ; x\nversion_lock=1.2.3\n[host]\n disk = /d\n";
	struct config *c;
	struct err e;
	char copy[sizeof(good)];

	(void)state;
	for (size_t n = 0; n < sizeof(good); n++)
		if (config_parse(bytes_of(good, n), "f", &c, &e) == 0)
			config_free(c);
	for (size_t i = 0; i < sizeof(good) - 1; i++)
		for (unsigned v = 0; v < 256; v++) {
			memcpy(copy, good, sizeof(good));
			copy[i] = (char)v;
			if (config_parse(bytes_of(copy, sizeof(good) - 1), "f", &c, &e) == 0)
				config_free(c);
			else
				assert_int_equal(e.kind, ERR_FORMAT);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_mirrors),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_many_warnings),
		cmocka_unit_test(test_line_length),
		cmocka_unit_test(test_file_size),
		cmocka_unit_test(test_dropins),
		cmocka_unit_test(test_too_many_dropins),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_repository),
		cmocka_unit_test(test_machine_seed),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
