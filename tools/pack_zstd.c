/*
 * zstd in independent frames of PACK_ZSTD_FRAME_BYTES. Frames are what the threads share: as many as there are
 * threads are gathered, each thread compresses one, and they are written in order; so the bytes do not depend on
 * the number of threads. Each frame carries its content's size and checksum. The seek table is a skippable frame,
 * which readers that do not know it pass over.
 *
 * From: RFC 8878 3.1.2 (skippable frames); zstd_seekable_compression_format.md 0.1.0 (magic numbers, entries, footer).
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/num.h"
#include "tools/pack.h"

#define SEEK_FRAME_MAGIC 0x184d2a5eu
#define SEEK_FOOTER_MAGIC 0x8f92eab1u
#define SEEK_FOOTER_BYTES 9
#define SEEK_ENTRY_BYTES 8	/* no checksums in the table: the frames have theirs */
#define FRAMES_MAX 0x8000000u /* the format's own limit */

_Static_assert(PACK_ZSTD_FRAME_BYTES <= 1u << UNPACK_WINDOW_LOG_MAX, "a frame is its own window");

struct job {
	ZSTD_CCtx *cctx;
	uint8_t *in, *out;
	size_t in_n, out_cap, out_n; /* out_n may be a zstd error code */
};

struct zstd_sink {
	struct sink base;
	struct sink *below;
	unsigned int n_jobs, filling; /* jobs before @filling are full */
	struct job jobs[PACK_THREADS_MAX];
	uint32_t n_frames;
	struct buf entries; /* of the seek table */
};

static void *run_job(void *arg)
{
	struct job *j = arg;

	j->out_n = ZSTD_compress2(j->cctx, j->out, j->out_cap, j->in, j->in_n);
	return NULL;
}

/* Compresses the first @n jobs side by side. A thread that cannot be started is no failure: its job is done here. */
static void run_jobs(struct zstd_sink *s, unsigned int n)
{
	pthread_t threads[PACK_THREADS_MAX];
	bool started[PACK_THREADS_MAX] = { false };

	for (unsigned int i = 1; i < n; i++)
		started[i] = pthread_create(&threads[i], NULL, run_job, &s->jobs[i]) == 0;
	run_job(&s->jobs[0]);
	for (unsigned int i = 1; i < n; i++) {
		if (started[i])
			pthread_join(threads[i], NULL);
		else
			run_job(&s->jobs[i]);
	}
}

static int write_frame(struct zstd_sink *s, struct job *j, struct err *e)
{
	uint8_t entry[SEEK_ENTRY_BYTES];

	if (ZSTD_isError(j->out_n))
		return err_set(e, ERR_SYSTEM, NULL, "zstd: %s", ZSTD_getErrorName(j->out_n));
	if (s->n_frames >= FRAMES_MAX)
		return err_set(e, ERR_FORMAT, "limit", "zstd: more than %u frames", FRAMES_MAX);
	store_le32(entry, (uint32_t)j->out_n); /* both below ZSTD_compressBound(PACK_ZSTD_FRAME_BYTES) */
	store_le32(entry + 4, (uint32_t)j->in_n);
	if (buf_append(&s->entries, entry, sizeof(entry), e) < 0)
		return -1;
	s->n_frames++;
	j->in_n = 0;
	return sink_write(s->below, j->out, j->out_n, e);
}

static int flush_jobs(struct zstd_sink *s, unsigned int n, struct err *e)
{
	run_jobs(s, n);
	for (unsigned int i = 0; i < n; i++)
		if (write_frame(s, &s->jobs[i], e) < 0)
			return -1;
	s->filling = 0;
	return 0;
}

static int zstd_write(struct sink *sink, const void *p, size_t n, struct err *e)
{
	struct zstd_sink *s = (struct zstd_sink *)sink;
	const uint8_t *from = p;

	while (n) {
		struct job *j = &s->jobs[s->filling];
		const size_t take = min_size(n, PACK_ZSTD_FRAME_BYTES - j->in_n);

		memcpy(j->in + j->in_n, from, take);
		j->in_n += take;
		from += take;
		n -= take;
		if (j->in_n < PACK_ZSTD_FRAME_BYTES)
			return 0;
		if (++s->filling == s->n_jobs && flush_jobs(s, s->n_jobs, e) < 0)
			return -1;
	}
	return 0;
}

static int write_seek_table(struct zstd_sink *s, struct err *e)
{
	uint8_t head[8], footer[SEEK_FOOTER_BYTES];

	store_le32(head, SEEK_FRAME_MAGIC);
	store_le32(head + 4, (uint32_t)(s->entries.n + sizeof(footer))); /* FRAMES_MAX entries are 1 GiB */
	store_le32(footer, s->n_frames);
	footer[4] = 0;
	store_le32(footer + 5, SEEK_FOOTER_MAGIC);
	if (sink_write(s->below, head, sizeof(head), e) < 0 || sink_write(s->below, s->entries.p, s->entries.n, e) < 0)
		return -1;
	return sink_write(s->below, footer, sizeof(footer), e);
}

static int zstd_finish(struct sink *sink, struct err *e)
{
	struct zstd_sink *s = (struct zstd_sink *)sink;
	unsigned int n = s->filling + (s->jobs[s->filling].in_n > 0);

	/* Of nothing a reader still wants one frame. */
	if (n == 0 && s->n_frames == 0)
		n = 1;
	if (flush_jobs(s, n, e) < 0 || write_seek_table(s, e) < 0)
		return -1;
	return sink_finish(s->below, e);
}

static void zstd_free(struct sink *sink)
{
	struct zstd_sink *s = (struct zstd_sink *)sink;

	for (unsigned int i = 0; i < s->n_jobs; i++) {
		ZSTD_freeCCtx(s->jobs[i].cctx);
		free(s->jobs[i].in);
		free(s->jobs[i].out);
	}
	buf_fini(&s->entries);
	free(s);
}

static const struct sink_ops zstd_ops = { zstd_write, zstd_finish, zstd_free };

static int job_init(struct job *j, int level, struct err *e)
{
	j->out_cap = ZSTD_compressBound(PACK_ZSTD_FRAME_BYTES);
	j->cctx = ZSTD_createCCtx();
	j->in = malloc(PACK_ZSTD_FRAME_BYTES);
	j->out = malloc(j->out_cap);
	if (!j->cctx || !j->in || !j->out) {
		errno = ENOMEM;
		return err_sys(e, "zstd");
	}
	if (ZSTD_isError(ZSTD_CCtx_setParameter(j->cctx, ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(j->cctx, ZSTD_c_checksumFlag, 1)))
		return err_set(e, ERR_BUG, NULL, "zstd: level %d", level);
	return 0;
}

int pack_zstd_new(int level, unsigned int threads, struct sink *below, struct sink **out, struct err *e)
{
	struct zstd_sink *s = calloc(1, sizeof(*s));

	if (!s) {
		errno = ENOMEM;
		return err_sys(e, "zstd");
	}
	s->base.ops = &zstd_ops;
	s->below = below;
	s->entries = BUF_INIT((size_t)FRAMES_MAX * SEEK_ENTRY_BYTES);
	CLEANUP(sink_free_p) struct sink *made = &s->base;
	for (s->n_jobs = 0; s->n_jobs < threads; s->n_jobs++)
		if (job_init(&s->jobs[s->n_jobs], level, e) < 0) {
			s->n_jobs++; /* what it has got is to be freed */
			return -1;
		}
	*out = TAKE(made);
	return 0;
}
