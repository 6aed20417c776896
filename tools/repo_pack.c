/* The loop is by hand instead of pump(): the padding at the end belongs to the tree and to the file alike. */
#include "tools/repo_pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"

int repo_pack_options(const struct repo_cli *c, enum unpack_format standard, struct pack_options *out, struct err *e)
{
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct pack_options o = { .format = standard, .level = PACK_LEVEL_DEFAULT, .threads = 1 };
	uint64_t level;

	if (c->compress && !pack_parse_format(c->compress, &o.format))
		return err_set(e, ERR_USAGE, "option", "--compress '%s': zstd, xz, gzip, lz4 or none", c->compress);
	if (c->level) {
		if (!num_parse_u64(c->level, 0, 99, &level))
			return err_set(e, ERR_USAGE, PACK_E_LEVEL, "--level '%s': not a number up to 99", c->level);
		o.level = (int)level;
	}
	if (c->threads)
		o.threads = (unsigned int)min_u64(c->threads, PACK_THREADS_MAX);
	else if (cpus > 0)
		o.threads = (unsigned int)min_u64((uint64_t)cpus, PACK_THREADS_MAX);
	*out = o;
	return pack_options_check(out, e);
}

int repo_pack_name_check(const struct repo_state *s, const char *name, struct err *e)
{
	if (repo_state_target(s, name))
		return err_set(e, ERR_STATE, REPO_E_EXISTS, "target '%s': is published already", name);
	return 0;
}

/* One piece of @n bytes at @piece, which has room for the padding. */
static int pass_on(const struct repo_packing *p, struct sink *to, uint8_t *piece, size_t n, struct err *e)
{
	uint64_t padded = n;

	if (p->stop && *p->stop)
		return err_set(e, ERR_STATE, "interrupted", "interrupted");
	/* Only the last piece is not a multiple already. */
	if (p->align_bytes && !align_up_u64(n, p->align_bytes, &padded))
		return err_set(e, ERR_BUG, NULL, "padding to %ju", (uintmax_t)p->align_bytes);
	memset(piece + n, 0, (size_t)padded - n);
	if (p->tree && verity_tree_update(p->tree, piece, (size_t)padded, e) < 0)
		return -1;
	if (sink_write(to, piece, (size_t)padded, e) < 0)
		return -1;
	progress_add(p->progress, n, progress_now_ms());
	return 0;
}

static int pack_all(const struct repo_packing *p, struct source *from, struct sink *to, struct err *e)
{
	CLEANUP(free_p) uint8_t *piece = malloc(REPO_PACK_PIECE_BYTES);
	size_t n = 0;
	int r;

	if (!piece) {
		errno = ENOMEM;
		return err_sys(e, "a buffer");
	}
	do {
		r = source_read_full(from, piece, REPO_PACK_PIECE_BYTES, &n, e);
		if (r < 0 || (n && pass_on(p, to, piece, n, e) < 0))
			return -1;
	} while (r != SOURCE_END);
	return sink_finish(to, e);
}

int repo_pack_file(const struct repo *r, int fd, uint64_t size, const char *what, const char *name, const struct repo_packing *p,
		   struct draft_target *out, struct err *e)
{
	CLEANUP(repo_file_free_p) struct repo_file *file = NULL;
	CLEANUP(source_free_p) struct source *from = NULL;
	CLEANUP(sink_free_p) struct sink *to = NULL;
	char doing[64];

	if (source_fd_new(fd, false, 0, size, what, &from, e) < 0 || repo_file_new(r->staged_targets, name, &file, e) < 0 ||
	    pack_new(&p->pack, repo_file_sink(file), &to, e) < 0)
		return -1;
	snprintf(doing, sizeof(doing), "packing %.48s", repo_base_name(what));
	progress_start(p->progress, doing, size, progress_now_ms());
	const int result = pack_all(p, from, to, e);

	progress_end(p->progress, progress_now_ms());
	if (result < 0)
		return err_wrap(e, "%s", what);
	snprintf(out->name, sizeof(out->name), "%s", name);
	out->role[0] = '\0';
	out->length = repo_file_length(file);
	out->sha256 = repo_file_sha256(file);
	return 0;
}
