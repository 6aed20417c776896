/* One pass with hashes and tree: the same for any number of workers and any packing; damage, wrong lengths and
 * stops end it with their cause. */
#include "updater/pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/test_pack.h"
#include "base/test_source.h"
#include "base/workers.h"
#include "test-fixtures/harness/case.h"

#define N_BLOCKS 1000u /* not quite 4 MiB: the last piece is not full */
#define BYTES ((size_t)N_BLOCKS * 4096)

static uint8_t *content;

struct tree {
	uint8_t p[64 * 1024];
	uint64_t n_blocks, fail_at;
};

static int keep(void *ctx, uint64_t offset, const void *block, size_t n, struct err *e)
{
	struct tree *t = ctx;

	if (t->n_blocks++ == t->fail_at)
		return err_set(e, ERR_SYSTEM, "tree", "told to fail");
	assert(offset + n <= sizeof(t->p));
	memcpy(t->p + offset, block, n);
	return 0;
}

static int set_up(void **state)
{
	content = malloc(BYTES);
	assert_non_null(content);
	for (size_t i = 0; i < BYTES; i++)
		content[i] = i / 5000 % 2 ? (uint8_t)(i * 2654435761u >> 17) : 9;
	return 0;
}

static int tear_down(void **state)
{
	free(content);
	return 0;
}

/* zstd in frames of @frame bytes each, or another format as a whole. */
static struct buf packed_as(enum unpack_format f, size_t frame)
{
	struct buf out = BUF_INIT(2 * BYTES);

	for (size_t at = 0; at < BYTES; at += frame)
		pack(f, bytes_of(content + at, min_size(frame, BYTES - at)), &out);
	return out;
}

struct attempt {
	struct bytes in;
	const char *packed;
	unsigned int workers;
	uint64_t length;
	size_t fail_at;
	uint64_t fail_tree;
	const volatile sig_atomic_t *stop;
	bool digest_fits; /* of the source; false: it fails at its end */
};

static int attempt(const struct attempt *a, struct tree *t, struct pipeline_sums *sums, struct err *e)
{
	const struct verity_params v = verity_params_default(N_BLOCKS);
	bool freed = false;
	struct source *s = test_source_new(a->in, 70000, a->fail_at, NULL, &freed);
	struct digest d;

	assert_int_equal(digest_bytes(DIGEST_SHA256, a->in, &d, e), 0);
	d.v[0] ^= !a->digest_fits;
	assert_int_equal(source_digest_new(s, &d, "test", &s, e), 0);
	if (a->workers > 1)
		assert_int_equal(source_ahead_new(s, &s, e), 0);
	const struct pipeline p = { .from = s,	      .packed = a->packed,  .length = a->packed ? &a->length : NULL, .verity = &v,
				    .emit = keep,     .emit_ctx = t,	    .digest = true,
				    .workers = a->workers, .stop = a->stop };

	memset(t, 0, sizeof(*t));
	t->fail_at = a->fail_tree;
	const int r = pipeline_run(&p, sums, e);

	assert_true(freed);
	return r;
}

static struct attempt good(struct buf in, const char *packed, unsigned int workers)
{
	return (struct attempt){ .in = buf_bytes(&in), .packed = packed, .workers = workers, .length = BYTES,
				 .fail_at = TEST_NO_FAILURE, .fail_tree = UINT64_MAX, .digest_fits = true };
}

static const struct {
	const char *name;
	enum unpack_format format;
	size_t frame;
} packings[] = {
	{ "zstd, 1 MiB", UNPACK_ZSTD, 1 << 20 }, { "zstd, 100 kB", UNPACK_ZSTD, 100000 }, { "zstd, 12 KiB", UNPACK_ZSTD, 12288 },
	{ "zstd, whole", UNPACK_ZSTD, BYTES },	 { "zstd, two", UNPACK_ZSTD, 3000000 },	   { "xz", UNPACK_XZ, BYTES },
	{ "gzip", UNPACK_GZIP, 1 << 20 },	 { "lz4", UNPACK_LZ4, BYTES },		   { "none", UNPACK_NONE, BYTES },
};

static void test_same_sums(void **state)
{
	const struct buf plain = { .p = content, .n = BYTES };
	const struct attempt first = good(plain, NULL, 1);
	struct pipeline_sums want, got;
	struct tree tree, other;
	struct err e;

	assert_int_equal(attempt(&first, &tree, &want, &e), 0);
	assert_int_equal(want.bytes, BYTES);
	for (size_t i = 0; i < ARRAY_LEN(packings); i++)
		for (unsigned int workers = 1; workers <= 5; workers += 2) {
			struct buf in = packed_as(packings[i].format, packings[i].frame);
			const struct attempt a = good(in, "test", workers);

			if (attempt(&a, &other, &got, &e) < 0)
				fail_msg("%s: %s", packings[i].name, e.msg);
			assert_case(packings[i].name, got.bytes == BYTES && digest_equal(&got.content, &want.content) &&
							      digest_equal(&got.root_hash, &want.root_hash) &&
							      memcmp(tree.p, other.p, sizeof(tree.p)) == 0);
			buf_fini(&in);
		}
}

static void check_refused(const char *name, const struct attempt *a, enum err_kind kind, const char *reason)
{
	struct pipeline_sums sums;
	struct tree tree;
	struct err e;

	if (attempt(a, &tree, &sums, &e) == 0)
		fail_msg("%s: not refused", name);
	if (e.kind != kind || strcmp(e.reason, reason) != 0)
		fail_msg("%s: %s: %s", name, e.reason, e.msg);
}

static void test_refusals(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(packings); i++)
		for (unsigned int workers = 1; workers <= 3; workers++) {
			struct buf in = packed_as(packings[i].format, packings[i].frame);
			const volatile sig_atomic_t stop = 1;
			struct attempt a = good(in, "test", workers);

			a.length = BYTES - 1;
			check_refused(packings[i].name, &a, ERR_TRUST, "length");
			a.length = BYTES + 1;
			check_refused(packings[i].name, &a, ERR_TRUST, "length");
			a = good(in, "test", workers);
			a.fail_at = in.n / 2;
			check_refused(packings[i].name, &a, ERR_NETWORK, "test");
			a = good(in, "test", workers);
			a.fail_tree = 4;
			check_refused(packings[i].name, &a, ERR_SYSTEM, "tree");
			a = good(in, "test", workers);
			a.stop = &stop;
			check_refused(packings[i].name, &a, ERR_STATE, "interrupted");
			a = good(in, "test", workers);
			a.digest_fits = false;
			check_refused(packings[i].name, &a, ERR_TRUST, "digest");
			/* Damage on the way, found by the unpacker before the digest could be: the digest is the cause. */
			in.p[in.n / 3] ^= 0x10;
			check_refused(packings[i].name, &a, ERR_TRUST, "digest");
			buf_fini(&in);
		}
}

/* Made like this: the digest is right. */
static void test_damaged_before_it_was_signed(void **state)
{
	for (unsigned int workers = 1; workers <= 3; workers++) {
		struct buf in = packed_as(UNPACK_ZSTD, 1 << 20);
		struct attempt a = good(in, "test", workers);

		in.p[in.n - 1] ^= 1; /* the last frame's checksum */
		check_refused("checksum", &a, ERR_FORMAT, "corrupt");
		in.p[in.n - 1] ^= 1;
		a.in = bytes_of(in.p, in.n - 1);
		check_refused("cut", &a, ERR_FORMAT, "truncated");
		buf_fini(&in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_sums),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_damaged_before_it_was_signed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
