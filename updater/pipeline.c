/*
 * Filled by the caller's thread (fetching or reading back), unpacked and leaf digests made by any worker, and in
 * order: write, whole digest, tree. A stream whose frames cannot be unpacked one by one is unpacked while
 * filling. A piece that is no whole number of the tree's blocks, or begins amid one, is left to the tree in
 * order. Writing comes after hashing for each piece, so what a later check makes of its digests is known first.
 */
#include "updater/pipeline.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/unpack.h"
#include "base/unpack_frames.h"
#include "base/workers.h"

_Static_assert(UNPACK_FRAME_BYTES <= WORKERS_PIECE_BYTES, "a piece holds what a frame unpacks to");

/* What a piece carries besides its bytes. */
struct load {
	size_t packed_n; /* of a frame that is to be unpacked to the piece; 0: the piece holds its bytes already */
	uint8_t packed[UNPACK_FRAME_PACKED_BYTES];
	uint8_t leaves[]; /* digests of its blocks */
};

struct run {
	const struct pipeline *p;
	struct source *plain;		/* bytes as they are, or unpacked; NULL while @cutter gives frames */
	struct unpack_cutter *cutter;	/* NULL: not packed */
	struct unpack_frame_decoder *decoders[WORKERS_MAX];
	struct verity_hasher *hashers[WORKERS_MAX];
	struct verity_tree *tree;
	struct digest_ctx *digest;
	uint64_t filled, taken; /* bytes */
	bool over;	/* the source has told its end */
};

static void run_fini(struct run *r)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		verity_hasher_free(r->hashers[i]);
		unpack_frame_decoder_free(r->decoders[i]);
	}
	source_free(r->plain);
	unpack_cutter_free(r->cutter);
	verity_tree_free(r->tree);
	digest_free(r->digest);
}

/* Takes @p->from over. */
static int init_source(struct run *r, struct err *e)
{
	CLEANUP(source_free_p) struct source *from = r->p->from;

	if (r->p->packed && unpack_cutter_new(from, r->p->packed, &r->cutter, e) < 0)
		return -1;
	if (!r->p->packed)
		r->plain = from;
	from = NULL;
	return 0;
}

static int init_hashes(struct run *r, struct err *e)
{
	const struct pipeline *p = r->p;

	if (p->digest && digest_new(DIGEST_SHA256, &r->digest, e) < 0)
		return -1;
	return p->verity ? verity_tree_new(p->verity, p->emit, p->emit_ctx, &r->tree, e) : 0;
}

static int init_workers(struct run *r, struct err *e)
{
	const struct pipeline *p = r->p;

	for (unsigned int i = 0; i < p->workers; i++) {
		if (p->verity && verity_hasher_new(p->verity, &r->hashers[i], e) < 0)
			return -1;
		if (p->packed && unpack_frame_decoder_new(&r->decoders[i], e) < 0)
			return -1;
	}
	return 0;
}

/* From here on the stream is unpacked as one. */
static int leave_frames(struct run *r, struct err *e)
{
	CLEANUP(source_free_p) struct source *rest = NULL;

	if (unpack_cutter_rest(r->cutter, &rest, e) < 0 || unpack_new(rest, r->p->packed, &r->plain, e) < 0)
		return -1;
	rest = NULL;
	return 0;
}

static int fill_frame(struct run *r, struct workers_piece *piece, struct err *e)
{
	struct load *load = piece->extra;

	return unpack_cutter_next(r->cutter, load->packed, &load->packed_n, &piece->n, e);
}

static int fill_plain(struct run *r, struct workers_piece *piece, struct err *e)
{
	const int ret = source_read_full(r->plain, piece->data, WORKERS_PIECE_BYTES, &piece->n, e);

	r->over = ret == SOURCE_END;
	return ret == SOURCE_END && piece->n ? 0 : ret;
}

static int fill_any(struct run *r, struct workers_piece *piece, struct err *e)
{
	struct load *load = piece->extra;
	int ret = UNPACK_FRAMES_OTHER;

	load->packed_n = 0;
	if (!r->plain)
		ret = fill_frame(r, piece, e);
	if (ret == UNPACK_FRAMES_OTHER && !r->plain && leave_frames(r, e) < 0)
		return -1;
	return ret == UNPACK_FRAMES_OTHER ? fill_plain(r, piece, e) : ret;
}

/* What has come, with the bytes of the next piece or at the end, against what is due. */
static int check_length(const struct run *r, size_t n, bool ended, struct err *e)
{
	const uint64_t *due = r->p->length;

	if (due && n > *due - r->filled)
		return err_set(e, ERR_TRUST, "length", "%s: unpacks to more than the %" PRIu64 " bytes it should", r->p->packed, *due);
	if (due && ended && r->filled + n < *due)
		return err_set(e, ERR_TRUST, "length", "%s: unpacks to %" PRIu64 " bytes instead of %" PRIu64, r->p->packed,
			       r->filled + n, *due);
	return 0;
}

static int fill(void *ctx, struct workers_piece *piece, struct err *e)
{
	struct run *r = ctx;

	if (r->over)
		return SOURCE_END;
	const int ret = fill_any(r, piece, e);

	if (ret < 0 || check_length(r, piece->n, ret == SOURCE_END || r->over, e) < 0)
		return -1;
	if (r->p->progress && ret == 0)
		progress_add(r->p->progress, piece->n, progress_now_ms());
	piece->offset = r->filled;
	r->filled += piece->n;
	return ret;
}

/* Whether a piece's leaf digests are made by the workers. */
static bool is_whole_blocks(const struct run *r, const struct workers_piece *piece)
{
	return r->tree && (piece->offset | piece->n) % r->p->verity->data_block_bytes == 0;
}

static int work(void *ctx, unsigned int worker, struct workers_piece *piece, struct err *e)
{
	struct run *r = ctx;
	struct load *load = piece->extra;

	if (load->packed_n && unpack_frame(r->decoders[worker], bytes_of(load->packed, load->packed_n), piece->data, piece->n,
					   r->p->packed, e) < 0)
		return -1;
	if (!is_whole_blocks(r, piece))
		return 0;
	return verity_hasher_blocks(r->hashers[worker], piece->data, piece->n / r->p->verity->data_block_bytes, load->leaves, e);
}

static int add_to_tree(struct run *r, const struct workers_piece *piece, struct err *e)
{
	const struct load *load = piece->extra;

	if (is_whole_blocks(r, piece))
		return verity_tree_add(r->tree, load->leaves, piece->n / r->p->verity->data_block_bytes, e);
	return verity_tree_update(r->tree, piece->data, piece->n, e);
}

static int take(void *ctx, struct workers_piece *piece, struct err *e)
{
	struct run *r = ctx;

	if (r->p->to && part_writer_write(r->p->to, piece->offset, piece->data, piece->n, e) < 0)
		return -1;
	if (r->digest && digest_update(r->digest, piece->data, piece->n, e) < 0)
		return -1;
	if (r->tree && add_to_tree(r, piece, e) < 0)
		return -1;
	r->taken += piece->n;
	return 0;
}

/* Digests of the blocks of one piece. */
static size_t leaf_bytes(const struct verity_params *v)
{
	return v ? WORKERS_PIECE_BYTES / v->data_block_bytes * digest_size(v->alg) : 0;
}

/*
 * Damage shows here before the source has seen its end: if the rest of the source fails, by its digest say, that
 * was the cause. A stream that is unpacked as one has looked already.
 */
static int find_cause(struct run *r, struct err *e)
{
	if (r->cutter && e->kind == ERR_FORMAT)
		unpack_cutter_find_cause(r->cutter, e);
	return -1;
}

int pipeline_run(const struct pipeline *p, struct pipeline_sums *out, struct err *e)
{
	CLEANUP(run_fini) struct run r = { .p = p };
	struct pipeline_sums sums = { 0 };
	const struct workers_job job = {
		.fill = fill,
		.work = work,
		.take = take,
		.ctx = &r,
		.n_workers = p->workers,
		.extra_bytes = sizeof(struct load) + leaf_bytes(p->verity),
		.stop = p->stop,
	};

	if (init_source(&r, e) < 0 || init_hashes(&r, e) < 0 || init_workers(&r, e) < 0)
		return -1;
	if (workers_run(&job, e) < 0)
		return find_cause(&r, e);
	sums.bytes = r.taken;
	if (r.digest && digest_final(r.digest, &sums.content, e) < 0)
		return -1;
	if (r.tree && verity_tree_finish(r.tree, &sums.root_hash, e) < 0)
		return -1;
	*out = sums;
	return 0;
}
