/*
 * The judge is veritysetup: trees must equal what it formats, byte for byte, and it must accept ours. Without it
 * installed those tests are skipped; one golden root hash of its making stands here for such machines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/num.h"
#include "partitions/table.h"
#include "partitions/verity.h"

extern char **environ;

#define UUID_TEXT "01234567-89ab-cdef-0123-456789abcdef"

static const uint8_t uuid_bytes[VERITY_UUID_BYTES] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
						       0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };

/* A folder of this test's own with the files that both implementations look at. */
struct place {
	char dir[64];
	char data[96], hash[96], root[96];
};

static void place_init(struct place *p)
{
	snprintf(p->dir, sizeof(p->dir), "/tmp/flipside-verity-XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->data, sizeof(p->data), "%s/data", p->dir);
	snprintf(p->hash, sizeof(p->hash), "%s/hash", p->dir);
	snprintf(p->root, sizeof(p->root), "%s/root", p->dir);
}

static void place_fini(const struct place *p)
{
	(void)unlink(p->data);
	(void)unlink(p->hash);
	(void)unlink(p->root);
	assert_int_equal(rmdir(p->dir), 0);
}

static int open_file(const char *path, uint64_t size)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

/* Each 512 bytes begin with a number of their own; all else is filled too if @dense. */
static uint8_t *make_data(const char *path, uint64_t size, bool dense)
{
	const int fd = open_file(path, size);
	uint8_t *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	uint32_t x = 2463534242u;

	assert_true(m != MAP_FAILED);
	close(fd);
	for (uint64_t i = 0; i < size; i += dense ? 4 : 512) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		store_le32(m + i, x);
	}
	return m;
}

/* The hash image as the builder hands it out. */
struct image {
	uint8_t *p;
	uint64_t n, n_pieces;
	uint64_t block_bytes;
	uint8_t *came; /* one flag a block */
	uint64_t fail_at; /* emit number that fails; UINT64_MAX: none */
};

static void image_init(struct image *im, const struct verity_params *p)
{
	*im = (struct image){ .n = verity_hash_bytes(p), .block_bytes = p->hash_block_bytes, .fail_at = UINT64_MAX };
	im->p = calloc(1, im->n);
	im->came = calloc(1, im->n / im->block_bytes);
	assert_non_null(im->p);
	assert_non_null(im->came);
}

static void image_fini(struct image *im)
{
	free(im->p);
	free(im->came);
}

static int keep_block(void *ctx, uint64_t offset, const void *block, size_t n, struct err *e)
{
	struct image *im = ctx;

	if (im->n_pieces == im->fail_at)
		return err_set(e, ERR_NETWORK, "told-to", "emit told to fail");
	assert_true(offset % im->block_bytes == 0 && n == im->block_bytes && offset + n <= im->n);
	assert_true(im->n_pieces > 0 || offset == 0);
	assert_false(im->came[offset / im->block_bytes]);
	im->came[offset / im->block_bytes] = 1;
	memcpy(im->p + offset, block, n);
	im->n_pieces++;
	return 0;
}

static void assert_whole(const struct image *im)
{
	assert_int_equal(im->n_pieces, im->n / im->block_bytes);
}

static int build(const struct verity_params *p, const uint8_t *data, uint64_t n, size_t portion, struct image *im,
		 struct digest *root, struct err *e)
{
	CLEANUP(verity_tree_free_p) struct verity_tree *t = NULL;

	if (verity_tree_new(p, keep_block, im, &t, e) < 0)
		return -1;
	for (uint64_t i = 0; i < n; i += portion)
		if (verity_tree_update(t, data + i, (size_t)min_u64(portion, n - i), e) < 0)
			return -1;
	return verity_tree_finish(t, root, e);
}

static struct verity_params params(enum digest_alg alg, uint32_t data_block, uint32_t hash_block, uint64_t n, uint16_t salt)
{
	struct verity_params p = { .alg = alg, .data_block_bytes = data_block, .hash_block_bytes = hash_block,
				   .n_data_blocks = n, .salt_bytes = salt };

	memcpy(p.uuid, uuid_bytes, sizeof(p.uuid));
	for (uint16_t i = 0; i < salt; i++)
		p.salt[i] = (uint8_t)(i * 7 + 1);
	return p;
}

/* Not memcmp: a struct has padding. */
static void assert_same_params(const struct verity_params *a, const struct verity_params *b)
{
	assert_int_equal(a->alg, b->alg);
	assert_int_equal(a->data_block_bytes, b->data_block_bytes);
	assert_int_equal(a->hash_block_bytes, b->hash_block_bytes);
	assert_int_equal(a->n_data_blocks, b->n_data_blocks);
	assert_int_equal(a->salt_bytes, b->salt_bytes);
	assert_memory_equal(a->salt, b->salt, a->salt_bytes);
	assert_memory_equal(a->uuid, b->uuid, VERITY_UUID_BYTES);
}

/* Runs veritysetup with its output thrown away. Return: its exit status, -1 if it is not installed. */
static int veritysetup(const char *const *args)
{
	static const char *const names[] = { "veritysetup", "/usr/sbin/veritysetup", "/sbin/veritysetup" };
	posix_spawn_file_actions_t fa;
	char *argv[16] = { NULL };
	int status = 0;
	pid_t pid = -1;

	assert_int_equal(posix_spawn_file_actions_init(&fa), 0);
	assert_int_equal(posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0), 0);
	assert_int_equal(posix_spawn_file_actions_addopen(&fa, 2, "/dev/null", O_WRONLY, 0), 0);
	argv[0] = strdup("veritysetup");
	for (size_t i = 0; args[i]; i++) {
		assert_true(i + 2 < ARRAY_LEN(argv));
		argv[i + 1] = strdup(args[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(names) && pid < 0; i++)
		if (posix_spawnp(&pid, names[i], &fa, NULL, argv, environ) != 0)
			pid = -1;
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	posix_spawn_file_actions_destroy(&fa);
	if (pid < 0)
		return -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static bool have_veritysetup(void)
{
	static const char *const args[] = { "--version", NULL };

	return veritysetup(args) == 0;
}

/* Formats with the same parameters. The hash image comes in @image (to be freed), the root hash in @root. */
static uint64_t format_by_judge(const struct place *at, const struct verity_params *p, uint8_t **image, struct digest *root)
{
	char alg[32], data_block[48], hash_block[48], blocks[48], salt[600] = "--salt=", root_file[128];
	const char *const args[] = { "format",	 alg,	   data_block, hash_block, blocks, salt, "--uuid=" UUID_TEXT,
				     root_file, at->data, at->hash,   NULL };
	char hex[2 * DIGEST_MAX_BYTES + 1] = { 0 };
	ssize_t n;
	off_t size;
	int fd;

	snprintf(alg, sizeof(alg), "--hash=%s", digest_name(p->alg));
	snprintf(data_block, sizeof(data_block), "--data-block-size=%" PRIu32, p->data_block_bytes);
	snprintf(hash_block, sizeof(hash_block), "--hash-block-size=%" PRIu32, p->hash_block_bytes);
	snprintf(blocks, sizeof(blocks), "--data-blocks=%" PRIu64, p->n_data_blocks);
	snprintf(root_file, sizeof(root_file), "--root-hash-file=%s", at->root);
	if (p->salt_bytes)
		hex_encode(p->salt, p->salt_bytes, salt + strlen("--salt="));
	else
		strncat(salt, "-", 2);
	close(open_file(at->hash, 0));
	close(open_file(at->root, 0));
	assert_int_equal(veritysetup(args), 0);

	fd = open(at->root, O_RDONLY | O_CLOEXEC);
	n = read(fd, hex, sizeof(hex) - 1);
	close(fd);
	assert_true(n >= 0 && digest_parse_hex(p->alg, hex, 2 * digest_size(p->alg), root));
	fd = open(at->hash, O_RDONLY | O_CLOEXEC);
	size = lseek(fd, 0, SEEK_END);
	assert_true(size > 0);
	*image = malloc((size_t)size);
	assert_non_null(*image);
	assert_int_equal(pread(fd, *image, (size_t)size, 0), size);
	close(fd);
	return (uint64_t)size;
}

static int verify_file(const struct verity_params *p, struct bytes data, const char *hash_path, uint64_t offset,
		       const struct digest *root, struct err *e)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	CLEANUP(close_p) int fd = open(hash_path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(source_mem_new(data, &s, e), 0);
	return verity_verify(p, s, fd, offset, root, NULL, NULL, e);
}

static void write_file(const char *path, const void *p, uint64_t n)
{
	const int fd = open_file(path, 0);

	assert_int_equal(write(fd, p, n), n);
	close(fd);
}

/* Ours equals the judge's, ours verifies the judge's, the judge verifies ours. */
static void compare_with_judge(const struct place *at, const struct verity_params *p, const uint8_t *data, const char *name)
{
	char root_hex[2 * DIGEST_MAX_BYTES + 1];
	const char *const verify_args[] = { "verify", at->data, at->hash, root_hex, NULL };
	const uint64_t data_bytes = p->n_data_blocks * p->data_block_bytes;
	struct verity_params parsed;
	struct digest theirs = { 0 }, ours = { 0 };
	uint8_t *judged = NULL;
	struct image im;
	struct err e;
	uint64_t n;

	image_init(&im, p);
	n = format_by_judge(at, p, &judged, &theirs);
	if (build(p, data, data_bytes, 1 << 20, &im, &ours, &e) < 0)
		fail_msg("%s: %s", name, e.msg);
	assert_whole(&im);
	if (n != im.n || memcmp(judged, im.p, n) != 0)
		fail_msg("%s: hash image differs (%" PRIu64 " and %" PRIu64 " bytes)", name, im.n, n);
	if (!digest_equal(&ours, &theirs))
		fail_msg("%s: root hash differs", name);
	if (verity_superblock_parse(judged, &parsed, &e) < 0)
		fail_msg("%s: %s", name, e.msg);
	assert_same_params(&parsed, p);
	if (verify_file(&parsed, bytes_of(data, data_bytes), at->hash, 0, &theirs, &e) < 0)
		fail_msg("%s: %s", name, e.msg);

	write_file(at->hash, im.p, im.n);
	digest_hex(&ours, root_hex);
	if (veritysetup(verify_args) != 0)
		fail_msg("%s: veritysetup refuses our tree", name);
	root_hex[0] = root_hex[0] == '0' ? '1' : '0';
	if (veritysetup(verify_args) == 0)
		fail_msg("%s: veritysetup accepts any root hash", name);
	free(judged);
	image_fini(&im);
}

static void test_judge(void **state)
{
	/* The counts stand around one and two full levels; the block sizes are each of the four at least once on
	 * each side. */
	static const struct {
		enum digest_alg alg;
		uint32_t data_block, hash_block;
		uint16_t salt;
		uint64_t n;
	} cases[] = {
		{ DIGEST_SHA256, 4096, 4096, 0, 1 },	{ DIGEST_SHA256, 4096, 4096, 32, 1 },
		{ DIGEST_SHA256, 4096, 4096, 32, 2 },	{ DIGEST_SHA256, 4096, 4096, 0, 127 },
		{ DIGEST_SHA256, 4096, 4096, 32, 128 }, { DIGEST_SHA256, 4096, 4096, 256, 129 },
		{ DIGEST_SHA512, 4096, 4096, 0, 1 },	{ DIGEST_SHA512, 4096, 4096, 256, 63 },
		{ DIGEST_SHA512, 4096, 4096, 32, 64 },	{ DIGEST_SHA512, 4096, 4096, 0, 65 },
		{ DIGEST_SHA256, 512, 512, 1, 257 },	{ DIGEST_SHA256, 512, 1024, 255, 256 },
		{ DIGEST_SHA256, 512, 4096, 0, 128 },	{ DIGEST_SHA256, 1024, 512, 32, 255 },
		{ DIGEST_SHA256, 2048, 1024, 0, 33 },	{ DIGEST_SHA256, 1024, 2048, 256, 65 },
		{ DIGEST_SHA256, 4096, 512, 32, 17 },	{ DIGEST_SHA256, 2048, 2048, 64, 64 },
		{ DIGEST_SHA512, 512, 512, 32, 513 },	{ DIGEST_SHA512, 512, 512, 128, 512 },
		{ DIGEST_SHA512, 512, 512, 0, 511 },	{ DIGEST_SHA512, 1024, 2048, 256, 33 },
		{ DIGEST_SHA512, 2048, 1024, 32, 16 },	{ DIGEST_SHA512, 4096, 512, 0, 9 },
		{ DIGEST_SHA512, 1024, 1024, 111, 257 },
	};
	struct place at;
	uint8_t *data;

	(void)state;
	if (!have_veritysetup())
		skip();
	place_init(&at);
	data = make_data(at.data, 129 * 4096, true);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct verity_params p =
			params(cases[i].alg, cases[i].data_block, cases[i].hash_block, cases[i].n, cases[i].salt);
		char name[96];

		snprintf(name, sizeof(name), "%s data %u hash %u salt %u blocks %" PRIu64, digest_name(p.alg), p.data_block_bytes,
			 p.hash_block_bytes, p.salt_bytes, p.n_data_blocks);
		compare_with_judge(&at, &p, data, name);
	}
	munmap(data, 129 * 4096);
	place_fini(&at);
}

/* Two full levels of 4 KiB blocks, and one block more: a third level. */
static void test_judge_levels(void **state)
{
	const uint64_t size = 16385 * 4096;
	struct place at;
	uint8_t *data;

	(void)state;
	if (!have_veritysetup())
		skip();
	place_init(&at);
	data = make_data(at.data, size, false);
	for (uint64_t n = 16384; n <= 16385; n++) {
		const struct verity_params p = params(DIGEST_SHA256, 4096, 4096, n, 32);

		assert_int_equal(verity_layout_of(&p).n_levels, n - 16384 + 2);
		compare_with_judge(&at, &p, data, n == 16384 ? "16384 blocks" : "16385 blocks");
	}
	munmap(data, size);
	place_fini(&at);
}

/* veritysetup 2.6.1: format --salt=- --uuid=UUID_TEXT of 129 blocks, block i filled with the byte i. */
static void test_golden(void **state)
{
	static const char root_hex[] = "f0dbc433d6188c4e8e30ee2de31ee90ab1edf2fd7438d97feab12f75375886ad";
	static const char image_hex[] = "0d9e77070ce8670ec7a87017753bdb87886a1ab77f9be52af8071e384668cc8f";
	const struct verity_params p = params(DIGEST_SHA256, 4096, 4096, 129, 0);
	uint8_t *data = malloc(129 * 4096);
	struct digest root, of_image, expected;
	struct image im;
	struct err e;

	(void)state;
	assert_non_null(data);
	for (unsigned i = 0; i < 129; i++)
		memset(data + i * 4096, (int)i, 4096);
	image_init(&im, &p);
	assert_int_equal(build(&p, data, 129 * 4096, 129 * 4096, &im, &root, &e), 0);
	assert_whole(&im);
	assert_true(digest_parse_hex(DIGEST_SHA256, root_hex, strlen(root_hex), &expected));
	assert_true(digest_equal(&root, &expected));
	assert_int_equal(digest_bytes(DIGEST_SHA256, bytes_of(im.p, im.n), &of_image, &e), 0);
	assert_true(digest_parse_hex(DIGEST_SHA256, image_hex, strlen(image_hex), &expected));
	assert_true(digest_equal(&of_image, &expected));
	image_fini(&im);
	free(data);
}

/* A small tree of three levels, sha512 in 512-byte blocks, to look at from all sides; and one of two, smaller still. */
#define SMALL_BLOCKS 65
#define TINY_BLOCKS 9
#define SMALL_BYTES (SMALL_BLOCKS * 512)

struct small {
	struct verity_params p;
	uint8_t data[SMALL_BYTES + 512];
	struct image im;
	struct digest root;
};

static void small_init_blocks(struct small *s, uint64_t n_blocks)
{
	struct err e;

	s->p = params(DIGEST_SHA512, 512, 512, n_blocks, 32);
	for (size_t i = 0; i < sizeof(s->data); i++)
		s->data[i] = (uint8_t)(i * 31 + i / 512);
	image_init(&s->im, &s->p);
	assert_int_equal(build(&s->p, s->data, n_blocks * 512, SMALL_BYTES, &s->im, &s->root, &e), 0);
	assert_whole(&s->im);
}

static void small_init(struct small *s)
{
	small_init_blocks(s, SMALL_BLOCKS);
	assert_int_equal(verity_layout_of(&s->p).n_levels, 3);
	assert_int_equal(s->im.n, (1 + 1 + 2 + 9) * 512);
}

static void test_portions(void **state)
{
	static const size_t portions[] = { 1, 2, 7, 511, 512, 513, 1000, 1024, 1537, SMALL_BYTES - 1, SMALL_BYTES };
	struct small s;
	struct err e;

	(void)state;
	small_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(portions); i++) {
		struct digest root;
		struct image im;

		image_init(&im, &s.p);
		if (build(&s.p, s.data, SMALL_BYTES, portions[i], &im, &root, &e) < 0)
			fail_msg("portions of %zu: %s", portions[i], e.msg);
		assert_whole(&im);
		if (!digest_equal(&root, &s.root) || memcmp(im.p, s.im.p, im.n) != 0)
			fail_msg("portions of %zu: another tree", portions[i]);
		image_fini(&im);
	}
	image_fini(&s.im);
}

static void test_length(void **state)
{
	static const struct {
		const char *name;
		uint64_t n;
		size_t portion;
		int ret;
	} cases[] = {
		{ "nothing", 0, 1, -1 },
		{ "one byte", 1, 1, -1 },
		{ "a block less", SMALL_BYTES - 512, 4096, -1 },
		{ "a byte less", SMALL_BYTES - 1, 4096, -1 },
		{ "exact", SMALL_BYTES, 4096, 0 },
		{ "a byte more", SMALL_BYTES + 1, 1, -1 },
		{ "a byte more at once", SMALL_BYTES + 1, SMALL_BYTES + 1, -1 },
		{ "a block more", SMALL_BYTES + 512, 512, -1 },
	};
	struct small s;

	(void)state;
	small_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		struct digest root;
		struct image im;

		image_init(&im, &s.p);
		if (build(&s.p, s.data, cases[i].n, cases[i].portion, &im, &root, &e) != cases[i].ret)
			fail_msg("%s: %s", cases[i].name, e.msg);
		if (cases[i].ret < 0) {
			assert_int_equal(e.kind, ERR_FORMAT);
			assert_string_equal(e.reason, PART_E_VERITY);
		}
		image_fini(&im);
	}
	image_fini(&s.im);
}

static void test_after_end(void **state)
{
	CLEANUP(verity_tree_free_p) struct verity_tree *t = NULL;
	struct digest root;
	struct small s;
	struct image im;
	struct err e;

	(void)state;
	small_init(&s);
	image_init(&im, &s.p);
	assert_int_equal(verity_tree_new(&s.p, keep_block, &im, &t, &e), 0);
	assert_int_equal(im.n_pieces, 1); /* the superblock */
	assert_int_equal(verity_tree_update(t, s.data, SMALL_BYTES, &e), 0);
	assert_int_equal(verity_tree_finish(t, &root, &e), 0);
	assert_int_equal(verity_tree_finish(t, &root, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
	assert_int_equal(verity_tree_update(t, s.data, 1, &e), -1);
	assert_int_equal(e.kind, ERR_BUG);
	image_fini(&im);
	image_fini(&s.im);
}

/* A failure of the taker at each block ends the build with the taker's own error. */
static void test_emit_fails(void **state)
{
	struct small s;

	(void)state;
	small_init(&s);
	for (uint64_t at = 0; at < s.im.n_pieces; at++) {
		struct err e = { 0 };
		struct digest root;
		struct image im;

		image_init(&im, &s.p);
		im.fail_at = at;
		if (build(&s.p, s.data, SMALL_BYTES, 700, &im, &root, &e) != -1 || e.kind != ERR_NETWORK)
			fail_msg("block %" PRIu64 ": no failure", at);
		assert_int_equal(im.n_pieces, at);
		image_fini(&im);
	}
	image_fini(&s.im);
}

static void test_params(void **state)
{
	const uint64_t max_blocks = (uint64_t)INT64_MAX / 2 / 4096;
	const struct {
		const char *name;
		enum digest_alg alg;
		uint32_t data_block, hash_block;
		uint64_t n;
		uint16_t salt;
		int ret;
	} cases[] = {
		{ "plain", DIGEST_SHA256, 4096, 4096, 1, 0, 0 },
		{ "smallest blocks", DIGEST_SHA512, 512, 512, 1, 0, 0 },
		{ "no blocks", DIGEST_SHA256, 4096, 4096, 0, 0, -1 },
		{ "salt at the limit", DIGEST_SHA256, 4096, 4096, 1, 256, 0 },
		{ "salt above", DIGEST_SHA256, 4096, 4096, 1, 257, -1 },
		{ "data block 0", DIGEST_SHA256, 0, 4096, 1, 0, -1 },
		{ "data block 256", DIGEST_SHA256, 256, 4096, 1, 0, -1 },
		{ "data block 511", DIGEST_SHA256, 511, 4096, 1, 0, -1 },
		{ "data block 513", DIGEST_SHA256, 513, 4096, 1, 0, -1 },
		{ "data block 3072", DIGEST_SHA256, 3072, 4096, 1, 0, -1 },
		{ "data block 8192", DIGEST_SHA256, 8192, 4096, 1, 0, -1 },
		{ "hash block 0", DIGEST_SHA256, 4096, 0, 1, 0, -1 },
		{ "hash block 256", DIGEST_SHA256, 4096, 256, 1, 0, -1 },
		{ "hash block 1536", DIGEST_SHA256, 4096, 1536, 1, 0, -1 },
		{ "hash block 8192", DIGEST_SHA256, 4096, 8192, 1, 0, -1 },
		{ "hash block 2^31", DIGEST_SHA256, 4096, 1u << 31, 1, 0, -1 },
		{ "blocks at the limit", DIGEST_SHA256, 4096, 4096, max_blocks, 0, 0 },
		{ "blocks above", DIGEST_SHA256, 4096, 4096, max_blocks + 1, 0, -1 },
		{ "blocks overflow", DIGEST_SHA256, 4096, 4096, UINT64_MAX, 0, -1 },
		{ "no such algorithm", (enum digest_alg)2, 4096, 4096, 1, 0, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct verity_params p = params(cases[i].alg, cases[i].data_block, cases[i].hash_block, cases[i].n, 0);
		struct err e = { 0 };

		p.salt_bytes = cases[i].salt;
		if (verity_params_check(&p, &e) != cases[i].ret)
			fail_msg("%s: %s", cases[i].name, e.msg);
		if (cases[i].ret == 0)
			assert_true(verity_hash_bytes(&p) <= INT64_MAX);
		else if (e.kind != ERR_FORMAT || strcmp(e.reason, PART_E_VERITY) != 0)
			fail_msg("%s: kind %d", cases[i].name, (int)e.kind);
	}
}

static void test_superblock(void **state)
{
	const struct verity_params p = params(DIGEST_SHA512, 1024, 2048, 77, 100);
	uint8_t sb[VERITY_SUPERBLOCK_BYTES], again[VERITY_SUPERBLOCK_BYTES];
	struct verity_params out;
	struct err e;

	(void)state;
	verity_superblock_write(&p, sb);
	assert_int_equal(verity_superblock_parse(sb, &out, &e), 0);
	assert_same_params(&out, &p);
	for (size_t i = 0; i < sizeof(sb); i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			const bool free_field = (i >= 16 && i < 32) || (i >= 72 && i < 80) || (i >= 88 && i < 188);

			sb[i] ^= (uint8_t)(1u << bit);
			memset(&out, 0xa5, sizeof(out));
			if (verity_superblock_parse(sb, &out, &e) == 0) {
				verity_superblock_write(&out, again);
				assert_memory_equal(again, sb, sizeof(sb));
				/* Uuid, number of data blocks and salt are free, and the zeros behind the salt may be
				 * its own; all else has one value here. */
				if (!free_field && out.salt_bytes <= p.salt_bytes)
					fail_msg("byte %zu bit %u: accepted", i, bit);
			} else {
				assert_int_equal(e.kind, ERR_FORMAT);
				assert_string_equal(e.reason, PART_E_VERITY);
				assert_int_equal(out.salt_bytes, 0xa5a5);
			}
			sb[i] ^= (uint8_t)(1u << bit);
		}
	}
}

static int verify_small(const struct small *s, size_t data_n, int hash_fd, const struct digest *root, struct err *e)
{
	CLEANUP(source_free_p) struct source *src = NULL;

	assert_int_equal(source_mem_new(bytes_of(s->data, data_n), &src, e), 0);
	return verity_verify(&s->p, src, hash_fd, 512, root, NULL, NULL, e);
}

/* The small tree in a file, 512 bytes behind its start, with something else behind it. */
static int small_file(const struct small *s)
{
	const int fd = memfd_create("tree", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, s->im.p, s->im.n, 512), s->im.n);
	assert_int_equal(pwrite(fd, "beyond", 6, (off_t)(512 + s->im.n)), 6);
	return fd;
}

static void assert_refused(int ret, const struct err *e, const char *what, size_t at)
{
	if (ret != -1 || e->kind != ERR_TRUST || !e->reason || strcmp(e->reason, PART_E_VERITY) != 0)
		fail_msg("%s byte %zu: returned %d, kind %d: %s", what, at, ret, (int)e->kind, e->msg);
}

static void flip_data(struct small *s, size_t n, size_t step)
{
	CLEANUP(close_p) int fd = small_file(s);
	struct err e = { 0 };

	for (size_t i = 0; i < n; i += step) {
		s->data[i] ^= (uint8_t)(1u << i % 8);
		assert_refused(verify_small(s, n, fd, &s->root, &e), &e, "data", i);
		s->data[i] ^= (uint8_t)(1u << i % 8);
	}
	assert_int_equal(verify_small(s, n, fd, &s->root, &e), 0);
}

static void test_every_byte(void **state)
{
	CLEANUP(close_p) int fd = -1;
	struct small s, tiny;
	struct err e = { 0 };

	(void)state;
	small_init(&s);
	small_init_blocks(&tiny, TINY_BLOCKS);
	fd = small_file(&s);
	assert_int_equal(verify_small(&s, SMALL_BYTES, fd, &s.root, &e), 0);
	for (size_t i = 0; i < s.im.n; i++) {
		const uint8_t bad = s.im.p[i] ^ (uint8_t)(1u << i % 8);

		assert_int_equal(pwrite(fd, &bad, 1, (off_t)(512 + i)), 1);
		assert_refused(verify_small(&s, SMALL_BYTES, fd, &s.root, &e), &e, "hash image", i);
		assert_int_equal(pwrite(fd, s.im.p + i, 1, (off_t)(512 + i)), 1);
	}
	for (size_t i = 0; i < digest_size(s.root.alg); i++) {
		struct digest root = s.root;

		root.v[i] ^= 1;
		assert_refused(verify_small(&s, SMALL_BYTES, fd, &root, &e), &e, "root hash", i);
	}
	assert_int_equal(verify_small(&s, SMALL_BYTES, fd, &s.root, &e), 0);
	flip_data(&tiny, TINY_BLOCKS * 512, 1);
	flip_data(&s, SMALL_BYTES, 61);
	image_fini(&s.im);
	image_fini(&tiny.im);
}

static int count_seen(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)p;
	(void)e;
	*(uint64_t *)ctx += n;
	return 0;
}

static int refuse_seen(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)ctx;
	(void)p;
	(void)n;
	return err_set(e, ERR_STATE, "interrupted", "interrupted");
}

static void test_verify_length(void **state)
{
	CLEANUP(source_free_p) struct source *longer = NULL, *again = NULL;
	CLEANUP(close_p) int fd = -1;
	struct digest other;
	struct small s;
	struct err e = { 0 };
	uint64_t seen = 0;
	uint8_t rest[1024];
	size_t n;

	(void)state;
	small_init(&s);
	fd = small_file(&s);
	assert_refused(verify_small(&s, 0, fd, &s.root, &e), &e, "no data", 0);
	assert_refused(verify_small(&s, SMALL_BYTES - 1, fd, &s.root, &e), &e, "a byte less", 0);
	assert_refused(verify_small(&s, SMALL_BYTES - 512, fd, &s.root, &e), &e, "a block less", 0);

	/* What lies behind the data is not read. */
	assert_int_equal(source_mem_new(bytes_of(s.data, sizeof(s.data)), &longer, &e), 0);
	assert_int_equal(verity_verify(&s.p, longer, fd, 512, &s.root, count_seen, &seen, &e), 0);
	assert_int_equal(seen, SMALL_BYTES);
	assert_int_equal(source_read_full(longer, rest, sizeof(rest), &n, &e), SOURCE_END);
	assert_int_equal(n, sizeof(s.data) - SMALL_BYTES);

	assert_int_equal(source_mem_new(bytes_of(s.data, SMALL_BYTES), &again, &e), 0);
	assert_int_equal(verity_verify(&s.p, again, fd, 512, &s.root, refuse_seen, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_STATE);

	other = s.root;
	other.alg = DIGEST_SHA256;
	assert_refused(verify_small(&s, SMALL_BYTES, fd, &other, &e), &e, "another algorithm", 0);

	assert_int_equal(ftruncate(fd, (off_t)(512 + s.im.n - 1)), 0);
	assert_int_equal(verify_small(&s, SMALL_BYTES, fd, &s.root, &e), -1);
	assert_int_equal(e.kind, ERR_SYSTEM);
	image_fini(&s.im);
}

/* Without a root hash to expect, the tree must still be the data's; then its root hash is told. */
static void test_check_tree(void **state)
{
	CLEANUP(source_free_p) struct source *good = NULL, *bad = NULL;
	CLEANUP(close_p) int fd = -1;
	struct digest root = { 0 };
	struct small s;
	struct err e = { 0 };

	(void)state;
	small_init(&s);
	fd = small_file(&s);
	assert_int_equal(source_mem_new(bytes_of(s.data, SMALL_BYTES), &good, &e), 0);
	assert_int_equal(verity_check_tree(&s.p, good, fd, 512, NULL, NULL, &root, &e), 0);
	assert_true(digest_equal(&root, &s.root));
	s.data[SMALL_BYTES - 1] ^= 1;
	assert_int_equal(source_mem_new(bytes_of(s.data, SMALL_BYTES), &bad, &e), 0);
	assert_refused(verity_check_tree(&s.p, bad, fd, 512, NULL, NULL, &root, &e), &e, "check of data", 0);
	image_fini(&s.im);
}

/* An operator learns which data is damaged: here the text is the contract. */
static void test_names_damage(void **state)
{
	static const struct {
		bool in_data;
		size_t at;
		const char *text;
	} cases[] = {
		{ true, 0, "hash block 4 (level 0)" },
		{ true, 0, "data blocks 0 to 0" },
		{ true, 64 * 512, "hash block 12 (level 0)" },
		{ true, 64 * 512, "data blocks 64 to 64" },
		{ false, 5 * 512 + 64, "data blocks 9 to 9" },
		{ false, 12 * 512 + 64, "hash block 12 (level 0) has padding" },
		{ false, 2 * 512 + 3 * 64, "hash block 2 (level 1)" },
		{ false, 2 * 512 + 3 * 64, "data blocks 24 to 31" },
		{ false, 1 * 512 + 64, "hash block 1 (level 2)" },
		{ false, 1 * 512 + 64, "data blocks 64 to 64" },
		{ false, 3, "superblock" },
	};
	struct small s;

	(void)state;
	small_init(&s);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		uint8_t *p = cases[i].in_data ? s.data : s.im.p;
		CLEANUP(close_p) int fd = -1;
		struct err e = { 0 };

		p[cases[i].at] ^= 0x80;
		fd = small_file(&s);
		assert_refused(verify_small(&s, SMALL_BYTES, fd, &s.root, &e), &e, "damage", cases[i].at);
		if (!strstr(e.msg, cases[i].text))
			fail_msg("\"%s\" lacks \"%s\"", e.msg, cases[i].text);
		p[cases[i].at] ^= 0x80;
	}
	image_fini(&s.im);
}

/* Digests made elsewhere, in portions, and blocks that the builder hashes itself take turns: the tree is the same. */
static void test_hasher(void **state)
{
	static const struct {
		enum digest_alg alg;
		uint32_t block;
		uint16_t salt;
	} cases[] = { { DIGEST_SHA256, 4096, 32 }, { DIGEST_SHA256, 1024, 0 }, { DIGEST_SHA512, 512, 256 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const uint64_t n = 300;
		const struct verity_params p = params(cases[i].alg, cases[i].block, 4096, n, cases[i].salt);
		const size_t size = digest_size(p.alg);
		uint8_t *data = malloc(n * cases[i].block);
		uint8_t *digests = malloc(n * size);
		struct digest plain, spread;
		struct verity_hasher *h;
		struct verity_tree *t;
		struct image a, b;
		struct err e;

		assert_true(data && digests);
		for (size_t at = 0; at < n * cases[i].block; at++)
			data[at] = (uint8_t)(at * 2654435761u >> 13);
		image_init(&a, &p);
		image_init(&b, &p);
		assert_int_equal(build(&p, data, n * cases[i].block, 1000, &a, &plain, &e), 0);
		assert_int_equal(verity_hasher_new(&p, &h, &e), 0);
		/* The second half first: a hasher keeps nothing from call to call. */
		assert_int_equal(verity_hasher_blocks(h, data + 150 * cases[i].block, 150, digests + 150 * size, &e), 0);
		assert_int_equal(verity_hasher_blocks(h, data, 150, digests, &e), 0);
		assert_int_equal(verity_tree_new(&p, keep_block, &b, &t, &e), 0);
		assert_int_equal(verity_tree_add(t, digests, 100, &e), 0);
		assert_int_equal(verity_tree_update(t, data + 100 * cases[i].block, 50 * cases[i].block, &e), 0);
		assert_int_equal(verity_tree_add(t, digests + 150 * size, 149, &e), 0);
		assert_int_equal(verity_tree_add(t, digests + 299 * size, 1, &e), 0);
		assert_int_equal(verity_tree_finish(t, &spread, &e), 0);
		assert_true(digest_equal(&plain, &spread));
		assert_memory_equal(a.p, b.p, a.n);
		verity_tree_free(t);
		verity_hasher_free(h);
		image_fini(&a);
		image_fini(&b);
		free(data);
		free(digests);
	}
}

static void test_add_refuses(void **state)
{
	const struct verity_params p = params(DIGEST_SHA256, 4096, 4096, 10, 0);
	uint8_t digests[11 * 32] = { 0 };

	for (int what = 0; what < 4; what++) {
		struct verity_tree *t;
		struct image im;
		struct digest d;
		struct err e;

		image_init(&im, &p);
		assert_int_equal(verity_tree_new(&p, keep_block, &im, &t, &e), 0);
		if (what == 0) {
			assert_int_equal(verity_tree_add(t, digests, 11, &e), -1);
			assert_int_equal(e.kind, ERR_FORMAT);
		} else if (what == 1) {
			assert_int_equal(verity_tree_add(t, digests, SIZE_MAX, &e), -1);
			assert_int_equal(e.kind, ERR_FORMAT);
		} else if (what == 2) {
			assert_int_equal(verity_tree_update(t, digests, 100, &e), 0);
			assert_int_equal(verity_tree_add(t, digests, 1, &e), -1);
			assert_int_equal(e.kind, ERR_BUG);
		} else {
			assert_int_equal(verity_tree_add(t, digests, 9, &e), 0);
			assert_int_equal(verity_tree_finish(t, &d, &e), -1);
			assert_int_equal(e.kind, ERR_FORMAT);
		}
		assert_int_equal(verity_tree_add(t, digests, 1, &e), -1);
		assert_int_equal(e.kind, ERR_BUG);
		verity_tree_free(t);
		image_fini(&im);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judge),	      cmocka_unit_test(test_judge_levels), cmocka_unit_test(test_golden),
		cmocka_unit_test(test_portions),      cmocka_unit_test(test_length),	     cmocka_unit_test(test_after_end),
		cmocka_unit_test(test_emit_fails),    cmocka_unit_test(test_params),	     cmocka_unit_test(test_superblock),
		cmocka_unit_test(test_every_byte),    cmocka_unit_test(test_verify_length),
		cmocka_unit_test(test_hasher),	      cmocka_unit_test(test_add_refuses),
		cmocka_unit_test(test_check_tree),    cmocka_unit_test(test_names_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
