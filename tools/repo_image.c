/*
 * `image add`: the three images of one version. The root image is read once: its hash tree grows while it is
 * compressed. What was made is recorded in the draft last, so an interrupted run leaves files that the next one
 * replaces, and nothing else.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "base/sys.h"
#include "tools/repo_cli.h"
#include "tools/repo_pack.h"
#include "tools/repo_verity.h"

#define PRODUCT "flipside" /* without --name */

struct input {
	int fd;
	uint64_t size;
	const char *fs;
};

struct image_job {
	struct repo_cli *cli;
	struct repo repo;
	struct repo_state state;
	struct draft *draft;
	struct input in[PART_N_ROLES];
	struct pack_options pack;
	struct progress progress;
	struct draft_images made;
	struct draft_target targets[PART_N_ROLES];
};

static void job_fini(struct image_job *j)
{
	for (int r = 0; r < PART_N_ROLES; r++)
		close_p(&j->in[r].fd);
	draft_free(j->draft);
	repo_state_fini(&j->state);
	repo_fini(&j->repo);
}

static int open_image(const char *path, struct input *in, struct err *e)
{
	CLEANUP(buf_fini) struct buf head = BUF_INIT(REPO_FS_HEAD_BYTES);

	if (repo_open_input(AT_FDCWD, path, &in->fd, &in->size, e) < 0)
		return -1;
	if (in->size == 0)
		return err_set(e, ERR_FORMAT, "length", "%s: empty", path);
	const size_t n = (size_t)min_u64(in->size, REPO_FS_HEAD_BYTES);

	if (buf_reserve(&head, n, e) < 0 || file_pread_all(in->fd, head.p, n, 0, path, e) < 0)
		return -1;
	head.n = n;
	in->fs = repo_fs_name(buf_bytes(&head));
	return 0;
}

/* Everything that can be refused, before the long work. */
static int prepare(struct image_job *j, struct err *e)
{
	const struct repo_cli *c = j->cli;

	if (repo_cli_need("variant", c->variant, e) < 0 || repo_cli_need("arch", c->arch, e) < 0 ||
	    repo_cli_need("version", c->version, e) < 0 || repo_cli_need("root", c->root_image, e) < 0 ||
	    repo_cli_need("boot", c->boot_image, e) < 0)
		return -1;
	if (repo_cli_version("version", c->version, &j->made.version, e) < 0 ||
	    repo_pack_options(c, UNPACK_ZSTD, &j->pack, e) < 0)
		return -1;
	return 0;
}

static int open_inputs(struct image_job *j, struct err *e)
{
	if (open_image(j->cli->root_image, &j->in[PART_ROOT], e) < 0 || open_image(j->cli->boot_image, &j->in[PART_BOOT], e) < 0)
		return -1;
	return repo_verity_params(j->cli, j->in[PART_ROOT].size, &j->made.verity, e);
}

static int name_targets(struct image_job *j, struct err *e)
{
	const struct repo_cli *c = j->cli;

	for (int i = 0; i < PART_N_ROLES; i++) {
		const struct repo_image_name n = {
			.product = c->product ? c->product : PRODUCT,
			.variant = c->variant,
			.arch = c->arch,
			.version = &j->made.version,
			.role = (enum part_role)i,
			.fs = j->in[i].fs,
			.format = j->pack.format,
		};

		if (repo_image_target(&n, j->made.targets[i], e) < 0 || repo_pack_name_check(&j->state, j->made.targets[i], e) < 0)
			return -1;
	}
	snprintf(j->made.variant, sizeof(j->made.variant), "%s", c->variant);
	snprintf(j->made.arch, sizeof(j->made.arch), "%s", c->arch);
	return 0;
}

static int open_repository(struct image_job *j, const char *path, struct err *e)
{
	int64_t now_sec;

	if (repo_cli_now(j->cli, &now_sec, e) < 0 || repo_open(path, REPO_WRITE, &j->repo, e) < 0 ||
	    draft_load(&j->repo, &j->draft, e) < 0 || repo_state_load(&j->repo, now_sec, &j->state, e) < 0)
		return -1;
	if (draft_find_images(j->draft, j->cli->variant, j->cli->arch, &j->made.version))
		return err_set(e, ERR_STATE, REPO_E_EXISTS, "%s %s %s: has images already; 'image remove' forgets them", j->cli->variant,
			       j->cli->arch, j->made.version.text);
	return 0;
}

static int pack_one(struct image_job *j, enum part_role role, const char *what, struct verity_tree *tree, struct err *e)
{
	const struct repo_packing p = {
		.pack = j->pack,
		.tree = tree,
		.align_bytes = tree ? j->made.verity.data_block_bytes : 0,
		.progress = &j->progress,
		.stop = j->cli->stop,
	};

	return repo_pack_file(&j->repo, j->in[role].fd, j->in[role].size, what, j->made.targets[role], &p, &j->targets[role], e);
}

/* The root image and its hash image. */
static int pack_root(struct image_job *j, struct err *e)
{
	struct verity_params *v = &j->made.verity;
	struct input *hash = &j->in[PART_HASH];
	CLEANUP(verity_tree_free_p) struct verity_tree *tree = NULL;

	if (repo_verity_open(&j->repo, &hash->fd, e) < 0 || verity_tree_new(v, repo_verity_emit, &hash->fd, &tree, e) < 0 ||
	    pack_one(j, PART_ROOT, j->cli->root_image, tree, e) < 0 || verity_tree_finish(tree, &j->made.root_hash, e) < 0)
		return -1;
	hash->size = verity_hash_bytes(v);
	j->made.sizes[PART_ROOT] = v->n_data_blocks * v->data_block_bytes; /* verity_params_check() has seen that it fits */
	j->made.sizes[PART_HASH] = hash->size;
	return pack_one(j, PART_HASH, "hash tree", NULL, e);
}

static int record(struct image_job *j, struct err *e)
{
	for (int r = 0; r < PART_N_ROLES; r++)
		if (draft_add_target(j->draft, &j->targets[r], e) < 0)
			return -1;
	if (draft_add_images(j->draft, &j->made, e) < 0)
		return -1;
	return draft_store(&j->repo, j->draft, e);
}

static json_t *target_json(const struct image_job *j, enum part_role r)
{
	char hex[2 * DIGEST_MAX_BYTES + 1];

	digest_hex(&j->targets[r].sha256, hex);
	return json_pack("{ss, sI, ss, sI}", "target", j->targets[r].name, "length", (json_int_t)j->targets[r].length, "sha256", hex,
			 "unpacked", (json_int_t)j->made.sizes[r]);
}

static int tell(const struct image_job *j, struct err *e)
{
	char hex[2 * DIGEST_MAX_BYTES + 1], salt[2 * VERITY_SALT_MAX_BYTES + 1];

	digest_hex(&j->made.root_hash, hex);
	hex_encode(j->made.verity.salt, j->made.verity.salt_bytes, salt);
	if (j->cli->json) {
		CLEANUP(json_decref_p) json_t *out =
			json_pack("{ss, ss, sI, so, so, so}", "root_hash", hex, "salt", salt, "data_blocks",
				  (json_int_t)j->made.verity.n_data_blocks, "boot", target_json(j, PART_BOOT), "root",
				  target_json(j, PART_ROOT), "hash", target_json(j, PART_HASH));

		return out ? json_print(out, stdout, e) : err_set(e, ERR_SYSTEM, "memory", "out of memory");
	}
	printf("root hash: %s\n", hex);
	for (int r = 0; r < PART_N_ROLES; r++)
		printf("%s: %s, %ju bytes, %ju unpacked\n", part_role_name((enum part_role)r), j->targets[r].name,
		       (uintmax_t)j->targets[r].length, (uintmax_t)j->made.sizes[r]);
	return 0;
}

int repo_image_add(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(job_fini) struct image_job j = {
		.cli = ctx,
		.repo = REPO_CLOSED,
		.in = { { .fd = -1 }, { .fd = -1 }, { .fd = -1 } },
	};

	(void)argc;
	repo_cli_progress(j.cli, &j.progress);
	if (prepare(&j, e) < 0 || open_inputs(&j, e) < 0 || open_repository(&j, argv[0], e) < 0 || name_targets(&j, e) < 0)
		return -1;
	if (pack_root(&j, e) < 0 || pack_one(&j, PART_BOOT, j.cli->boot_image, NULL, e) < 0)
		return -1;
	j.made.sizes[PART_BOOT] = j.in[PART_BOOT].size;
	if (record(&j, e) < 0)
		return -1;
	return tell(&j, e);
}

/* Forgets @m and what of it is not published yet; files go last, because the draft must not list what is not there. */
static int forget(const struct repo *r, struct draft *d, struct draft_images *m, struct err *e)
{
	const struct draft_images gone = *m;

	draft_remove_images(d, m);
	for (int i = 0; i < PART_N_ROLES; i++)
		draft_remove_target(d, gone.targets[i]);
	if (draft_store(r, d, e) < 0)
		return -1;
	for (int i = 0; i < PART_N_ROLES; i++)
		if (file_remove(r->staged_targets, gone.targets[i], e) < 0)
			return -1;
	return 0;
}

int repo_image_remove(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(repo_fini) struct repo r = REPO_CLOSED;
	CLEANUP(draft_free_p) struct draft *d = NULL;
	struct version v;

	(void)argc;
	if (repo_cli_need("variant", c->variant, e) < 0 || repo_cli_need("arch", c->arch, e) < 0 ||
	    repo_cli_need("version", c->version, e) < 0 || repo_cli_version("version", c->version, &v, e) < 0 ||
	    repo_open(argv[0], REPO_WRITE, &r, e) < 0 || draft_load(&r, &d, e) < 0)
		return -1;
	struct draft_images *m = draft_find_images(d, c->variant, c->arch, &v);

	if (!m)
		return err_set(e, ERR_MISSING, NULL, "%s %s %s: no images are recorded", c->variant, c->arch, v.text);
	return forget(&r, d, m, e);
}
