/*
 * fetch (length and digest of the target) -> unpack -> exact size -> digest of the content -> partition. What reaches the partition is
 * not trusted while it is written; the set's bits stand at 0/0/0 from before the first byte until the caller, after the proof, says otherwise.
 * So a failure or a power cut at any point leaves a set that cannot boot and a running set that was never touched.
 */
#include "updater/image.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/num.h"
#include "base/unpack.h"
#include "partitions/verity.h"
#include "partitions/write.h"

/* Where the bytes of one image are counted and hashed on their way. */
struct passage {
	struct digest_ctx *digest; /* of what passed */
	uint64_t bytes;
	struct progress *progress; /* NULL: not shown */
	const volatile sig_atomic_t *stop;
};

static int seen_fetched(void *ctx, const void *p, size_t n, struct err *e)
{
	struct passage *w = ctx;

	progress_add(w->progress, n, progress_now_ms());
	return 0;
}

static int seen_unpacked(void *ctx, const void *p, size_t n, struct err *e)
{
	struct passage *w = ctx;

	w->bytes += n;
	return digest_update(w->digest, p, n, e);
}

/* The same while reading back, where progress is the bytes of the partition. */
static int seen_read(void *ctx, const void *p, size_t n, struct err *e)
{
	struct passage *w = ctx;

	progress_add(w->progress, n, progress_now_ms());
	if (w->stop && *w->stop)
		return err_set(e, ERR_STATE, "interrupted", "interrupted");
	return w->digest ? digest_update(w->digest, p, n, e) : 0;
}

static int find_image(const struct image_job *job, enum part_role r, struct tuf_target *out, struct err *e)
{
	if (tuf_client_find(job->repo, job->update->images[r], out, e) < 0)
		return err_wrap(e, "%s image of %s", part_role_name(r), job->update->version.text);
	return 0;
}

static int check_fits(const struct image_job *job, enum part_role r, uint64_t size, struct err *e)
{
	const enum part_set set = part_table_inactive(job->table);
	const struct part_range range = part_table_range(job->table, set, r);

	if (size > range.size_bytes)
		return err_set(e, ERR_FORMAT, PART_E_SPACE, "%s image of %s has %llu bytes, its partition in set %s %llu",
			       part_role_name(r), job->update->version.text, (unsigned long long)size, part_set_name(set),
			       (unsigned long long)range.size_bytes);
	return 0;
}

/* The signed verity parameters and the signed sizes must tell the same story. */
static int check_verity(const struct manifest_update *u, struct err *e)
{
	if (!u->has_verity)
		return 0;
	if (verity_params_check(&u->verity, e) < 0)
		return err_wrap(e, "%s: verity of %s", MANIFEST_TARGET, u->version.text);
	const uint64_t data = u->verity.n_data_blocks * u->verity.data_block_bytes;
	const uint64_t hash = verity_hash_bytes(&u->verity);

	if (u->has_sizes && (u->sizes[PART_ROOT] != data || u->sizes[PART_HASH] != hash))
		return err_set(e, ERR_FORMAT, PART_E_VERITY, "%s: sizes of %s do not fit its verity parameters", MANIFEST_TARGET,
			       u->version.text);
	return 0;
}

int image_check(const struct image_job *job, struct err *e)
{
	if (check_verity(job->update, e) < 0)
		return -1;
	for (enum part_role r = PART_BOOT; r < PART_N_ROLES; r++) {
		struct tuf_target t;

		if (find_image(job, r, &t, e) < 0)
			return -1;
		if (job->update->has_sizes && check_fits(job, r, job->update->sizes[r], e) < 0)
			return -1;
	}
	return 0;
}

/* One more stage: @call makes top_ of @src, which it has taken over when it succeeds. */
#define STACK(src, call)                                                                                               \
	do {                                                                                                           \
		struct source *top_ = NULL;                                                                            \
		if ((call) < 0)                                                                                        \
			return -1;                                                                                     \
		(src) = top_;                                                                                          \
	} while (0)

/* From the repository to unpacked bytes, each on its way counted and hashed. */
static int open_image(const struct image_job *job, enum part_role r, const struct tuf_target *t, struct passage *w,
		      struct source **out, struct err *e)
{
	CLEANUP(source_free_p) struct source *src = NULL;

	if (tuf_client_open_target(job->repo, t, &src, e) < 0)
		return -1;
	STACK(src, source_tap_new(src, seen_fetched, w, &top_, e));
	STACK(src, unpack_new(src, t->path, &top_, e));
	if (job->update->has_sizes)
		STACK(src, source_exact_new(src, job->update->sizes[r], t->path, &top_, e));
	STACK(src, source_tap_new(src, seen_unpacked, w, &top_, e));
	*out = TAKE(src);
	return 0;
}

static int write_image(const struct image_job *job, enum part_role r, struct image_proof *proof, struct err *e)
{
	CLEANUP(digest_free_p) struct digest_ctx *digest = NULL;
	CLEANUP(source_free_p) struct source *src = NULL;
	CLEANUP(sink_free_p) struct sink *sink = NULL;
	struct tuf_target t;
	char what[48];

	if (find_image(job, r, &t, e) < 0 || digest_new(DIGEST_SHA256, &digest, e) < 0)
		return -1;
	struct passage w = { .digest = digest, .progress = job->progress };

	snprintf(what, sizeof(what), "fetching and writing %s", part_role_name(r));
	progress_start(job->progress, what, t.length, progress_now_ms());
	if (open_image(job, r, &t, &w, &src, e) < 0 || part_sink_new(job->table, r, &sink, e) < 0 ||
	    pump(src, sink, job->stop, e) < 0)
		return err_wrap(e, "%s image of %s", part_role_name(r), job->update->version.text);
	progress_end(job->progress, progress_now_ms());
	proof->targets[r] = t.hashes[0];
	proof->bytes[r] = w.bytes;
	return digest_final(digest, &proof->content[r], e);
}

static int read_back(const struct image_job *job, enum part_role r, uint64_t bytes, struct source **out, struct err *e)
{
	char what[48];

	snprintf(what, sizeof(what), "verifying %s", part_role_name(r));
	progress_start(job->progress, what, bytes, progress_now_ms());
	return part_source_new(job->table, part_table_inactive(job->table), r, bytes, out, e);
}

/* What lies in the partition is what was unpacked. */
static int prove_digest(const struct image_job *job, enum part_role r, const struct image_proof *proof, struct err *e)
{
	CLEANUP(digest_free_p) struct digest_ctx *digest = NULL;
	CLEANUP(source_free_p) struct source *src = NULL;
	CLEANUP(free_p) uint8_t *piece = malloc(PUMP_BUFFER_BYTES);
	struct digest got;
	size_t n;
	int ret;

	if (!piece)
		return err_sys(e, "reading back %s", part_role_name(r));
	if (digest_new(DIGEST_SHA256, &digest, e) < 0 || read_back(job, r, proof->bytes[r], &src, e) < 0)
		return -1;
	struct passage w = { .digest = digest, .progress = job->progress, .stop = job->stop };

	while ((ret = source_read(src, piece, PUMP_BUFFER_BYTES, &n, e)) == 0)
		if (seen_read(&w, piece, n, e) < 0)
			return -1;
	progress_end(job->progress, progress_now_ms());
	if (ret < 0 || digest_final(digest, &got, e) < 0)
		return -1;
	if (!digest_equal(&got, &proof->content[r]))
		return err_set(e, ERR_SYSTEM, "read-back", "%s partition of set %s does not read back as written",
			       part_role_name(r), part_set_name(part_table_inactive(job->table)));
	return 0;
}

/*
 * The tree's parameters: as signed in the manifest; a repository without them vouches for the hash image as a whole, so then they are
 * read from its superblock, after the partition was found to hold that image.
 */
static int verity_params_of(const struct image_job *job, const struct image_proof *proof, int fd, uint64_t offset,
			    struct verity_params *out, struct err *e)
{
	CLEANUP(free_p) uint8_t *block = aligned_alloc(VERITY_BLOCK_MAX_BYTES, VERITY_BLOCK_MAX_BYTES);

	if (job->update->has_verity) {
		*out = job->update->verity;
		return 0;
	}
	if (!block)
		return err_sys(e, "reading the superblock");
	if (prove_digest(job, PART_HASH, proof, e) < 0 ||
	    file_pread_all(fd, block, VERITY_BLOCK_MAX_BYTES, offset, "hash partition", e) < 0)
		return -1;
	return verity_superblock_parse(block, out, e);
}

/* Root and hash partition belong together, and to the root hash that was signed where the manifest has one. */
static int prove_verity(const struct image_job *job, struct image_proof *proof, struct err *e)
{
	const struct manifest_update *u = job->update;
	const enum part_set set = part_table_inactive(job->table);
	CLEANUP(source_free_p) struct source *src = NULL;
	CLEANUP(close_p) int fd = -1;
	struct passage w = { .progress = job->progress, .stop = job->stop };
	struct verity_params params;
	uint64_t offset;

	if (part_open_read(job->table, set, PART_HASH, &fd, &offset, e) < 0 ||
	    verity_params_of(job, proof, fd, offset, &params, e) < 0 ||
	    read_back(job, PART_ROOT, params.n_data_blocks * params.data_block_bytes, &src, e) < 0)
		return -1;
	if (verity_check_tree(&params, src, fd, offset, seen_read, &w, &proof->root_hash, e) < 0)
		return err_wrap(e, "set %s", part_set_name(set));
	if (u->has_verity && !digest_equal(&proof->root_hash, &u->root_hash))
		return err_set(e, ERR_TRUST, PART_E_VERITY, "set %s: root hash differs from the signed one", part_set_name(set));
	progress_end(job->progress, progress_now_ms());
	return 0;
}

int image_install(const struct image_job *job, struct image_proof *out, struct err *e)
{
	static const enum part_role order[] = { PART_ROOT, PART_BOOT, PART_HASH };
	struct image_proof proof = { 0 };

	if (image_check(job, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		if (write_image(job, order[i], &proof, e) < 0)
			return -1;
	if (prove_verity(job, &proof, e) < 0 || prove_digest(job, PART_BOOT, &proof, e) < 0)
		return -1;
	*out = proof;
	return 0;
}
