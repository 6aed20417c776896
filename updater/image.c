/*
 * fetch (length and digest of the target) -> unpack -> exact size -> hash tree or digest of the content ->
 * partition, all at once (updater/pipeline.h). What reaches the partition is
 * not trusted while it is written; the set's bits stand at 0/0/0 from before the first byte until the caller,
 * after the proof, says otherwise. So a failure or a power cut at any point leaves a set that cannot boot and a
 * running set that was never touched.
 */
#include "updater/image.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/num.h"
#include "base/workers.h"
#include "partitions/verity.h"
#include "partitions/write.h"
#include "updater/pipeline.h"

static int seen_fetched(void *ctx, const void *p, size_t n, struct err *e)
{
	progress_add(ctx, n, progress_now_ms());
	return 0;
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

/* All sizes that are known before the images are here fit their partitions. */
static int check_sizes(const struct image_job *job, struct err *e)
{
	const struct manifest_update *u = job->update;

	for (enum part_role r = PART_BOOT; u->has_sizes && r < PART_N_ROLES; r++)
		if (check_fits(job, r, u->sizes[r], e) < 0)
			return -1;
	if (!u->has_verity)
		return 0;
	if (check_fits(job, PART_ROOT, u->verity.n_data_blocks * u->verity.data_block_bytes, e) < 0)
		return -1;
	return check_fits(job, PART_HASH, verity_hash_bytes(&u->verity), e);
}

int image_check(const struct image_job *job, struct err *e)
{
	if (check_verity(job->update, e) < 0)
		return -1;
	for (enum part_role r = PART_BOOT; r < PART_N_ROLES; r++) {
		struct tuf_target t;

		if (find_image(job, r, &t, e) < 0)
			return -1;
	}
	return check_sizes(job, e);
}

/* One more stage: @call makes top_ of @src, which it has taken over when it succeeds. */
#define STACK(src, call)                                                                                               \
	do {                                                                                                           \
		struct source *top_ = NULL;                                                                            \
		if ((call) < 0)                                                                                        \
			return -1;                                                                                     \
		(src) = top_;                                                                                          \
	} while (0)

/* From the repository, still packed. Receiving and the target's digest get a thread of their own where there are
 * several. */
static int open_image(const struct image_job *job, const struct tuf_target *t, struct source **out, struct err *e)
{
	CLEANUP(source_free_p) struct source *src = NULL;

	if (tuf_client_open_target(job->repo, t, &src, e) < 0)
		return -1;
	if (job->workers > 1)
		STACK(src, source_ahead_new(src, &top_, e));
	STACK(src, source_tap_new(src, seen_fetched, job->progress, &top_, e));
	*out = TAKE(src);
	return 0;
}

/* Fetched, unpacked, hashed, written and flushed. @p: what else the pipeline is to do; @sums: what it made of it */
static int write_image(const struct image_job *job, enum part_role r, struct pipeline p, struct image_proof *proof,
		       struct pipeline_sums *sums, struct err *e)
{
	CLEANUP(part_writer_free_p) struct part_writer *writer = NULL;
	CLEANUP(source_free_p) struct source *src = NULL;
	struct tuf_target t;
	char what[48];

	if (find_image(job, r, &t, e) < 0)
		return -1;
	snprintf(what, sizeof(what), "fetching and writing %s", part_role_name(r));
	progress_start(job->progress, what, t.length, progress_now_ms());
	if (open_image(job, &t, &src, e) < 0 || part_writer_new(job->table, r, &writer, e) < 0)
		return err_wrap(e, "%s image of %s", part_role_name(r), job->update->version.text);
	p.from = TAKE(src);
	p.packed = t.path;
	p.length = job->update->has_sizes ? &job->update->sizes[r] : NULL;
	p.to = writer;
	p.workers = job->workers;
	p.stop = job->stop;
	if (pipeline_run(&p, sums, e) < 0 || part_writer_finish(writer, e) < 0)
		return err_wrap(e, "%s image of %s", part_role_name(r), job->update->version.text);
	progress_end(job->progress, progress_now_ms());
	proof->targets[r] = t.hashes[0];
	proof->bytes[r] = sums->bytes;
	return 0;
}

/* An image as a whole, with the digest of its content. */
static int write_whole(const struct image_job *job, enum part_role r, struct image_proof *proof, struct err *e)
{
	struct pipeline_sums sums;

	if (write_image(job, r, (struct pipeline){ .digest = true }, proof, &sums, e) < 0)
		return -1;
	proof->content[r] = sums.content;
	return 0;
}

static int judge_root_hash(const struct image_job *job, const struct digest *root_hash, struct err *e)
{
	const struct manifest_update *u = job->update;

	if (u->has_verity && !digest_equal(root_hash, &u->root_hash))
		return err_set(e, ERR_TRUST, PART_E_VERITY, "set %s: root hash differs from the signed one",
			       part_set_name(part_table_inactive(job->table)));
	return 0;
}

/* The root image, and from the same bytes the hash partition, which the signed parameters and root hash fix to
 * the last bit. */
static int write_root_and_hash(const struct image_job *job, struct image_proof *proof, struct err *e)
{
	const struct verity_params *verity = &job->update->verity;
	CLEANUP(part_writer_free_p) struct part_writer *hash = NULL;
	struct pipeline_sums sums;
	struct tuf_target t;

	if (find_image(job, PART_HASH, &t, e) < 0 || part_writer_new(job->table, PART_HASH, &hash, e) < 0)
		return -1;
	const struct pipeline p = { .verity = verity, .emit = part_writer_write, .emit_ctx = hash };

	if (write_image(job, PART_ROOT, p, proof, &sums, e) < 0 || judge_root_hash(job, &sums.root_hash, e) < 0 ||
	    part_writer_finish(hash, e) < 0)
		return -1;
	proof->root_hash = sums.root_hash;
	proof->targets[PART_HASH] = t.hashes[0];
	proof->bytes[PART_HASH] = verity_hash_bytes(verity);
	return 0;
}

/* Past the page cache, from the start of a partition. */
static int read_back(const struct image_job *job, enum part_role r, uint64_t bytes, struct pipeline p, struct pipeline_sums *sums,
		     struct err *e)
{
	CLEANUP(source_free_p) struct source *src = NULL;
	char what[48];

	snprintf(what, sizeof(what), "verifying %s", part_role_name(r));
	progress_start(job->progress, what, bytes, progress_now_ms());
	if (part_source_new(job->table, part_table_inactive(job->table), r, bytes, &src, e) < 0)
		return -1;
	p.from = TAKE(src);
	p.progress = job->progress;
	p.workers = job->workers;
	p.stop = job->stop;
	if (pipeline_run(&p, sums, e) < 0)
		return err_wrap(e, "set %s", part_set_name(part_table_inactive(job->table)));
	progress_end(job->progress, progress_now_ms());
	return 0;
}

/* What lies in the partition is what was unpacked. */
static int prove_digest(const struct image_job *job, enum part_role r, const struct image_proof *proof, struct err *e)
{
	struct pipeline_sums sums;

	if (read_back(job, r, proof->bytes[r], (struct pipeline){ .digest = true }, &sums, e) < 0)
		return -1;
	if (!digest_equal(&sums.content, &proof->content[r]))
		return err_set(e, ERR_SYSTEM, "read-back", "%s partition of set %s does not read back as written",
			       part_role_name(r), part_set_name(part_table_inactive(job->table)));
	return 0;
}

/*
 * The tree's parameters: as signed in the manifest; a repository without them vouches for the hash image as a
 * whole, so then they are read from its superblock, after the partition was found to hold that image.
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
	CLEANUP(verity_compare_free_p) struct verity_compare *stored = NULL;
	CLEANUP(close_p) int fd = -1;
	struct pipeline_sums sums;
	struct verity_params params;
	uint64_t offset;

	if (part_open_read(job->table, part_table_inactive(job->table), PART_HASH, &fd, &offset, e) < 0 ||
	    verity_params_of(job, proof, fd, offset, &params, e) < 0 || verity_compare_new(&params, fd, offset, &stored, e) < 0)
		return -1;
	const struct pipeline p = { .verity = &params, .emit = verity_compare_block, .emit_ctx = stored };

	if (read_back(job, PART_ROOT, params.n_data_blocks * params.data_block_bytes, p, &sums, e) < 0)
		return -1;
	proof->root_hash = sums.root_hash;
	return judge_root_hash(job, &sums.root_hash, e);
}

/* Root, boot, hash, in this order. */
static int write_all(const struct image_job *job, struct image_proof *proof, struct err *e)
{
	if (job->update->has_verity)
		return write_root_and_hash(job, proof, e) < 0 ? -1 : write_whole(job, PART_BOOT, proof, e);
	if (write_whole(job, PART_ROOT, proof, e) < 0 || write_whole(job, PART_BOOT, proof, e) < 0)
		return -1;
	return write_whole(job, PART_HASH, proof, e);
}

int image_install(const struct image_job *job, struct image_proof *out, struct err *e)
{
	struct image_proof proof = { 0 };

	if (image_check(job, e) < 0 || write_all(job, &proof, e) < 0)
		return -1;
	/* Without a signed root hash nothing but reading back shows that root and hash image belong together. */
	if ((job->read_back || !job->update->has_verity) && prove_verity(job, &proof, e) < 0)
		return -1;
	if (job->read_back && prove_digest(job, PART_BOOT, &proof, e) < 0)
		return -1;
	*out = proof;
	return 0;
}
