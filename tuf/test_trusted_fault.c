/* Memory runs out at each allocation of a whole update in turn: each time a failure that says so, and nothing
 * leaked (the address sanitizer looks). */
#include "test-fixtures/harness/case.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "test-fixtures/harness/fault.h"
#include "test-fixtures/tufrepo.h"
#include "tuf/search.h"
#include "tuf/trusted.h"

static const char *const any_path[] = { "*", NULL };

static int load_all(struct tufrepo *r, struct tuf_trusted **t, struct err *e)
{
	if (tuf_trusted_new(tufrepo_kept(r, "1.root.json"), TUFREPO_NOW_SEC, TUF_EXPIRY_ENFORCED, t, e) < 0 ||
	    tuf_trusted_update_root(*t, tufrepo_kept(r, "2.root.json"), e) < 0 || tuf_trusted_root_done(*t, e) < 0 ||
	    tuf_trusted_load_timestamp(*t, tufrepo_kept(r, "timestamp.json"), e) < 0 ||
	    tuf_trusted_update_timestamp(*t, tufrepo_kept(r, "timestamp.json"), e) < 0 ||
	    tuf_trusted_load_snapshot(*t, tufrepo_kept(r, "1.snapshot.json"), e) < 0)
		return -1;
	return tuf_trusted_update_targets(*t, tufrepo_kept(r, "1.targets.json"), e);
}

static int find(struct tufrepo *r, struct tuf_trusted *t, struct err *e)
{
	CLEANUP(tuf_search_free_p) struct tuf_search *s = NULL;
	struct tuf_search_at at;
	int ret;

	if (tuf_search_new(t, "x", &s, e) < 0)
		return -1;
	while ((ret = tuf_search_step(s, &at, e)) == TUF_SEARCH_LOAD)
		if (tuf_trusted_update_delegated(t, at.from, at.role, tufrepo_kept(r, "1.d.json"), NULL, e) < 0)
			return -1;
	return ret == TUF_SEARCH_FOUND ? 0 : -1;
}

static void test_memory(void **state)
{
	struct tufrepo *r = tufrepo_new();
	unsigned int nth = 0;
	bool failed;

	(void)state;
	tufrepo_delegate(r, (struct tufrepo_delegation){ .from = "targets", .name = "d", .paths = any_path, .key = 9 });
	tufrepo_add_target(r, "d", "x", bytes_of_str("content"));
	tufrepo_set_custom(r, "d", "x", json_pack("{s:i}", "a", 1));
	tufrepo_publish(r);
	tufrepo_bump(r, "root");
	tufrepo_sign(r, "root");
	tufrepo_keep(r, "root");
	do {
		CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;
		struct err e = { 0 };

		fault_arm(FAULT_MEMORY, ++nth, ENOMEM);
		const int ret = load_all(r, &t, &e) < 0 ? -1 : find(r, t, &e);
		failed = fault_disarm();
		if (ret != (failed ? -1 : 0) || (failed && e.kind != ERR_SYSTEM))
			fail_msg("allocation %u: returned %d: %s", nth, ret, e.msg);
	} while (failed);
	/* The loop has gone through a good many, or the allocations were not counted. */
	assert_in_range(nth, 50, 10000);
	tufrepo_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_memory) };

	/* jansson's allocations are counted too; the names stand for the counting ones here. */
	json_set_alloc_funcs(malloc, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
