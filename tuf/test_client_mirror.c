/* The client with two mirrors, "first" and "second": each a server with a folder of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "tuf/test_world.h"
#include "tuf/tuf.h"

struct pair {
	struct world w; /* its server is the first mirror */
	struct httpd *second;
	char second_dir[SCRATCH_PATH_BYTES + 16];
};

static void pair_make(struct pair *p)
{
	world_make(&p->w, true);
	snprintf(p->second_dir, sizeof(p->second_dir), "%s/second", p->w.dir.path);
	assert_int_equal(mkdir(p->second_dir, 0755), 0);
	p->second = httpd_new(p->second_dir);
	snprintf(p->w.metadata_url, sizeof(p->w.metadata_url), "%s/metadata %s/metadata", httpd_url(p->w.h), httpd_url(p->second));
	snprintf(p->w.targets_url, sizeof(p->w.targets_url), "%s/targets %s/targets", httpd_url(p->w.h), httpd_url(p->second));
}

static void pair_remove(struct pair *p)
{
	httpd_free(p->second);
	world_remove(&p->w);
}

/* What the repository has been published with last, on the second mirror only; the first has it by world_write(). */
static void write_second(struct pair *p)
{
	tufrepo_write(p->w.repo, p->second_dir);
}

static void publish_both(struct pair *p)
{
	world_publish(&p->w);
	write_second(p);
}

/* Requests to the second mirror since the last call. */
static size_t n_second(struct pair *p)
{
	const size_t n = httpd_n_requests(p->second);

	httpd_forget(p->second);
	return n;
}

static void the_second_is_left_alone(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct pair p;
	struct err e;

	pair_make(&p);
	publish_both(&p);
	assert_int_equal(world_read_target(&p.w, "a.txt", &b, &e), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(TARGET_TEXT)));
	/* But for the end of the root chain, of which each has to be asked. */
	assert_int_equal(n_second(&p), 1);
	buf_fini(&b);
	pair_remove(&p);
}

static void any_trouble_of_the_first_is_passed_over(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule rule;
	} cases[] = {
		{ "closes", { .path = "*", .act = HTTPD_CLOSE } },
		{ "500", { .path = "*", .status = 500 } },
		{ "401", { .path = "*", .status = 401 } },
		{ "nothing there", { .path = "*", .status = 404 } },
		{ "no timestamp", { .path = "/metadata/timestamp.json", .status = 404 } },
		{ "no snapshot", { .path = "/metadata/1.snapshot.json", .status = 404 } },
		{ "bad snapshot", { .path = "/metadata/1.snapshot.json", .status = 200, .body = { (const uint8_t *)"{}", 2 } } },
		{ "bad timestamp", { .path = "/metadata/timestamp.json", .status = 200, .body = { (const uint8_t *)"x", 1 } } },
		{ "bad targets", { .path = "/metadata/1.targets.json", .status = 200, .body = { (const uint8_t *)"x", 1 } } },
		{ "bad root", { .path = "/metadata/2.root.json", .status = 200, .body = { (const uint8_t *)"x", 1 } } },
		{ "endless", { .path = "/metadata/timestamp.json", .status = 200, .act = HTTPD_ENDLESS,
			       .body = { (const uint8_t *)"x", 1 } } },
		{ "cut", { .path = "/metadata/*", .act = HTTPD_CUT, .n = 20 } },
		{ "the target cut at nothing", { .path = "/targets/*", .act = HTTPD_CUT } },
		{ "no target", { .path = "/targets/*", .status = 403 } },
		{ "a target too long", { .path = "/targets/*", .act = HTTPD_CLAIM, .n = 1000 } },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct buf b = BUF_INIT(1000);
		struct pair p;
		struct err e;

		pair_make(&p);
		publish_both(&p);
		httpd_add(p.w.h, cases[i].rule);
		assert_case(cases[i].name, world_read_target(&p.w, "a.txt", &b, &e) == 0);
		assert_case(cases[i].name, bytes_equal(buf_bytes(&b), bytes_of_str(TARGET_TEXT)));
		assert_case(cases[i].name, n_second(&p) >= 2 || strstr(cases[i].rule.path, "root"));
		buf_fini(&b);
		pair_remove(&p);
	}
}

/* It has to fail once only: then it rests, and what follows is asked of the other. */
static void a_dead_mirror_rests(void **state)
{
	struct buf b = BUF_INIT(1000);
	struct pair p;
	struct err e;

	pair_make(&p);
	publish_both(&p);
	httpd_add(p.w.h, (struct httpd_rule){ .path = "*", .act = HTTPD_CLOSE });
	assert_int_equal(world_read_target(&p.w, "a.txt", &b, &e), 0);
	assert_int_equal(httpd_n_requests(p.w.h), 1);
	assert_int_equal(n_second(&p), 5);
	buf_fini(&b);
	pair_remove(&p);
}

static void a_mirror_that_lags_hides_no_root(void **state)
{
	static const int keys[] = { 7 };
	struct pair p;
	struct err e;

	pair_make(&p);
	publish_both(&p);
	/* From here on the first mirror lags: other keys for timestamp, and two roots. */
	tufrepo_set_keys(p.w.repo, "timestamp", keys, 1, 1);
	tufrepo_bump(p.w.repo, "root");
	tufrepo_publish(p.w.repo);
	tufrepo_bump(p.w.repo, "root");
	tufrepo_publish(p.w.repo);
	write_second(&p);
	assert_int_equal(world_refresh(&p.w, &e), 0);
	assert_int_equal(world_stored(&p.w, "root.json"), 3);
	assert_int_equal(world_stored(&p.w, "timestamp.json"), 3);
	pair_remove(&p);
}

/* The one that lags may serve what is still valid, and never less than what was seen. */
static void a_mirror_that_lags_rolls_nothing_back(void **state)
{
	struct pair p;
	struct err e;

	pair_make(&p);
	publish_both(&p);
	tufrepo_bump(p.w.repo, "targets");
	tufrepo_publish(p.w.repo);
	write_second(&p);
	httpd_add(p.w.h, (struct httpd_rule){ .path = "*", .status = 503, .times = 1 });
	assert_int_equal(world_refresh(&p.w, &e), 0);
	assert_int_equal(world_stored(&p.w, "targets.json"), 2);
	assert_int_equal(world_refresh(&p.w, &e), 0); /* a new client, and the first mirror answers */
	assert_int_equal(world_stored(&p.w, "timestamp.json"), 2);
	assert_int_equal(world_stored(&p.w, "targets.json"), 2);
	pair_remove(&p);
}

static void every_mirror_failed(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule first, second;
		enum err_kind kind;
		const char *reason, *says, *also;
	} cases[] = {
		{ "both dead", { .path = "*", .act = HTTPD_CLOSE }, { .path = "*", .status = 500 },
		  ERR_NETWORK, TUF_E_TRANSPORT, "2.root.json", "http-status" },
		{ "bad and missing", { .path = "/metadata/timestamp.json", .status = 200, .body = { (const uint8_t *)"{}", 2 } },
		  { .path = "/metadata/timestamp.json", .status = 404 }, ERR_FORMAT, TUF_E_METADATA, "timestamp.json", "http-status" },
		{ "missing and bad", { .path = "/metadata/timestamp.json", .status = 404 },
		  { .path = "/metadata/timestamp.json", .status = 200, .body = { (const uint8_t *)"{}", 2 } },
		  ERR_MISSING, TUF_E_HTTP, "404", TUF_E_METADATA },
		{ "bad roots", { .path = "/metadata/2.root.json", .status = 200, .body = { (const uint8_t *)"{}", 2 } },
		  { .path = "/metadata/2.root.json", .status = 500 }, ERR_FORMAT, TUF_E_METADATA, "2.root.json", "http-status" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pair p;
		struct err e;

		pair_make(&p);
		publish_both(&p);
		httpd_add(p.w.h, cases[i].first);
		httpd_add(p.second, cases[i].second);
		assert_case(cases[i].name, world_refresh(&p.w, &e) == -1);
		assert_case(cases[i].name, e.kind == cases[i].kind && strcmp(e.reason, cases[i].reason) == 0);
		assert_case(cases[i].name, strstr(e.msg, cases[i].says) != NULL);
		assert_case(cases[i].name, strstr(e.msg, httpd_url(p.second)) != NULL);
		assert_case(cases[i].name, strstr(e.msg, cases[i].also) != NULL);
		pair_remove(&p);
	}
}

/* A big target, of which each mirror gives only a part before it fails. */
static void one_goes_on_where_another_failed(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule first, second;
		uint32_t retries;
		int ret;
		const char *second_range;
	} cases[] = {
		{ "the first breaks", { .act = HTTPD_CUT, .n = 30000, .times = 1 }, { 0 }, 0, 0, "bytes=30000-\n" },
		{ "the first stalls", { .act = HTTPD_STALL, .n = 30000, .times = 1 }, { 0 }, 0, 0, "bytes=30000-\n" },
		{ "the second has no ranges", { .act = HTTPD_CUT, .n = 30000, .times = 1 }, { .no_range = true }, 0, 0, "bytes=30000-\n" },
		{ "each gives 30000", { .act = HTTPD_CUT, .n = 30000 }, { .act = HTTPD_CUT, .n = 30000 }, 0, 0,
		  "bytes=30000-\nbytes=90000-\n" },
		{ "with retries the first goes on itself", { .act = HTTPD_CUT, .n = 30000 }, { 0 }, 2, 0, "" },
		{ "each gives too little", { .act = HTTPD_CUT, .n = 1000 }, { .act = HTTPD_CUT, .n = 1000 }, 0, -1, "bytes=1000-\n" },
		{ "the second has another one", { .act = HTTPD_CUT, .n = 30000 }, { .body = { (const uint8_t *)"short", 5 } }, 0, -1,
		  "bytes=30000-\n" },
		{ "the second has none", { .act = HTTPD_CUT, .n = 30000 }, { .status = 404 }, 0, -1, "bytes=30000-\n" },
	};
	static uint8_t body[100000];

	for (size_t i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 2654435761u >> 13);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
		struct httpd_rule first = cases[i].first, second = cases[i].second;
		struct buf b = BUF_INIT(sizeof(body));
		struct pair p;
		struct err e;

		pair_make(&p);
		p.w.fetch.retries = cases[i].retries;
		tufrepo_add_target(p.w.repo, "targets", "big", bytes_of(body, sizeof(body)));
		publish_both(&p);
		assert_case(cases[i].name, world_open(&p.w, &c, &e) == 0 && tuf_client_refresh(c, &e) == 0);
		httpd_forget(p.second);
		first.path = second.path = "/targets/*";
		httpd_add(p.w.h, first);
		httpd_add(p.second, second);
		const int ret = tuf_client_read_target(c, "big", &b, &e);
		char *ranges = httpd_ranges(p.second);

		if (ret != cases[i].ret || strcmp(ranges, cases[i].second_range) != 0)
			print_message("%s: %s\n%s", cases[i].name, e.msg, ranges);
		assert_case(cases[i].name, ret == cases[i].ret);
		assert_case(cases[i].name, ret < 0 ? e.kind == ERR_NETWORK : b.n == sizeof(body) && memcmp(b.p, body, b.n) == 0);
		assert_case(cases[i].name, strcmp(ranges, cases[i].second_range) == 0);
		free(ranges);
		buf_fini(&b);
		tuf_client_free(TAKE(c));
		pair_remove(&p);
	}
}

/* The end of the root chain needs one answer, and no bad copy beside it makes it a failure. */
static void the_end_of_the_root_chain(void **state)
{
	static const struct {
		const char *name;
		struct httpd_rule first, second;
		int ret;
	} cases[] = {
		{ "one is dead", { .path = "*", .act = HTTPD_CLOSE }, { .path = "/none" }, 0 },
		{ "the other is dead", { .path = "/none" }, { .path = "*", .act = HTTPD_CLOSE }, 0 },
		{ "one has a bad one", { .path = "/none" },
		  { .path = "/metadata/2.root.json", .status = 200, .body = { (const uint8_t *)"{}", 2 } }, 0 },
		{ "both are in trouble", { .path = "/metadata/2.root.json", .status = 500 },
		  { .path = "/metadata/2.root.json", .status = 500 }, -1 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pair p;
		struct err e;

		pair_make(&p);
		publish_both(&p);
		httpd_add(p.w.h, cases[i].first);
		httpd_add(p.second, cases[i].second);
		assert_case(cases[i].name, world_refresh(&p.w, &e) == cases[i].ret);
		pair_remove(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_second_is_left_alone),
		cmocka_unit_test(any_trouble_of_the_first_is_passed_over),
		cmocka_unit_test(a_dead_mirror_rests),
		cmocka_unit_test(a_mirror_that_lags_hides_no_root),
		cmocka_unit_test(a_mirror_that_lags_rolls_nothing_back),
		cmocka_unit_test(every_mirror_failed),
		cmocka_unit_test(one_goes_on_where_another_failed),
		cmocka_unit_test(the_end_of_the_root_chain),
	};

	return cmocka_run_group_tests_name("tuf/client_mirror", tests, NULL, NULL);
}
