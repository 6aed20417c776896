/*
 * `clone`: a mirror in a plain folder, laid out as a repository of ours, so that it can be served, checked and
 * cloned in turn. All of it is verified before hosts can see it, and it appears in the order in which a
 * publication does:
 *
 *	1. targets, those that are missing or damaged
 *	2. delegated roles, targets, snapshot: files that no timestamp leads to yet
 *	3. roots, never replaced, in order
 *	4. timestamp.json
 *
 * A mirror remembers: an older timestamp or snapshot than it has is refused, as by a host.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "tools/repo_remote.h"
#include "updater/manifest.h"

struct clone {
	struct repo_cli *cli;
	struct repo out;
	struct repo_remote remote;
	struct repo_walk walk;
	struct buf root; /* --root */
	uint64_t first_root; /* its version */
	struct manifest *manifest;
	size_t n_fetched, n_kept, n_old_roots_missing;
	uint64_t bytes;
};

static void clone_fini(struct clone *k)
{
	manifest_free(k->manifest);
	repo_walk_fini(&k->walk);
	repo_remote_fini(&k->remote);
	buf_fini(&k->root);
	repo_fini(&k->out);
}

/* A folder in which the first clone was cut short has no root yet, and is begun again. */
static int open_out(const char *path, struct repo *out, struct err *e)
{
	if (repo_open(path, REPO_WRITE, out, e) == 0)
		return 0;
	return e->kind == ERR_MISSING ? repo_open(path, REPO_CREATE, out, e) : -1;
}

/* Target paths may have folders in them; each part is a safe name or the target is refused. @last points into @path. */
static int open_target_dir(const struct clone *k, const char *path, int *out, const char **last, struct err *e)
{
	CLEANUP(buf_fini) struct buf dir = BUF_INIT(REPO_URL_MAX_BYTES);
	const char *p = path;

	if (buf_printf(&dir, e, "%s/targets", k->out.path) < 0)
		return -1;
	for (const char *slash; (slash = strchr(p, '/')); p = slash + 1) {
		char part[TUF_NAME_MAX_BYTES + 1];

		snprintf(part, sizeof(part), "%.*s", (int)(slash - p), p);
		if (!file_name_is_safe(part))
			return err_set(e, ERR_FORMAT, "name", "target '%s': not a path that is safe to make", path);
		if (buf_printf(&dir, e, "/%s", part) < 0)
			return -1;
	}
	if (!file_name_is_safe(p))
		return err_set(e, ERR_FORMAT, "name", "target '%s': not a path that is safe to make", path);
	*last = p;
	const char *text = buf_str(&dir, e);

	if (!text || (p != path && file_make_dirs(text, 0755, e) < 0))
		return -1;
	return file_open_dir(text, out, e);
}

/* HASH.NAME, or NAME where the repository has no consistent snapshots. */
static int served_name(const struct clone *k, const char *last, const struct digest *d, char out[REPO_PUBLISHED_BYTES], struct err *e)
{
	if (tuf_trusted_root(k->walk.trusted)->consistent_snapshot)
		return repo_published_name(last, d, out, e);
	if (snprintf(out, REPO_PUBLISHED_BYTES, "%s", last) >= REPO_PUBLISHED_BYTES)
		return err_set(e, ERR_FORMAT, "limit", "target '%s': the name is too long", last);
	return 0;
}

/* Is the file there, with the signed content? A mirror's disk is not taken on trust. */
static bool is_there(int dir, const char *name, const struct tuf_entry *t)
{
	CLEANUP(close_p) int fd = -1;
	CLEANUP(source_free_p) struct source *raw = NULL;
	CLEANUP(source_free_p) struct source *checked = NULL;
	CLEANUP(free_p) uint8_t *piece = malloc(PUMP_BUFFER_BYTES);
	uint64_t size;
	size_t n;
	struct err why;
	int r;

	if (!piece || !repo_has(dir, name) || repo_open_input(dir, name, &fd, &size, &why) < 0 || size != t->length ||
	    source_fd_new(fd, false, 0, size, name, &raw, &why) < 0 || source_digest_new(raw, &t->hashes.v[0], name, &checked, &why) < 0)
		return false;
	(void)TAKE(raw);
	while ((r = source_read(checked, piece, PUMP_BUFFER_BYTES, &n, &why)) == 0)
		;
	return r == SOURCE_END;
}

/* One copy for each digest that is listed: implementations differ in which they ask for. */
static int link_other_names(const struct clone *k, int dir, const char *last, const struct tuf_entry *t, const char *first, struct err *e)
{
	char name[REPO_PUBLISHED_BYTES];

	for (size_t i = 1; i < t->hashes.n && tuf_trusted_root(k->walk.trusted)->consistent_snapshot; i++) {
		if (served_name(k, last, &t->hashes.v[i], name, e) < 0)
			return -1;
		if (!repo_has(dir, name) && linkat(dir, first, dir, name, 0) < 0)
			return err_sys(e, "linking %s", name);
	}
	return 0;
}

static int fetch_target(struct clone *k, int dir, const char *name, const struct tuf_entry *t, struct err *e)
{
	CLEANUP(source_free_p) struct source *from = NULL;
	CLEANUP(repo_file_free_p) struct repo_file *to = NULL;

	if (repo_remote_target(&k->remote, t, tuf_trusted_root(k->walk.trusted)->consistent_snapshot, &from, e) < 0 ||
	    repo_file_new(dir, name, &to, e) < 0)
		return -1;
	return pump(from, repo_file_sink(to), k->cli->stop, e);
}

static int mirror_target(struct clone *k, const struct tuf_entry *t, struct err *e)
{
	CLEANUP(close_p) int dir = -1;
	char name[REPO_PUBLISHED_BYTES];
	const char *last;

	if (t->hashes.n == 0)
		return err_set(e, ERR_TRUST, TUF_E_DIGEST, "target %s: listed without a known digest", t->path);
	if (open_target_dir(k, t->path, &dir, &last, e) < 0 || served_name(k, last, &t->hashes.v[0], name, e) < 0)
		return -1;
	if (is_there(dir, name, t)) {
		k->n_kept++;
	} else {
		if (fetch_target(k, dir, name, t, e) < 0)
			return err_wrap(e, "target %s", t->path);
		k->n_fetched++;
		k->bytes += t->length;
	}
	return link_other_names(k, dir, last, t, name, e);
}

static int load_manifest(struct clone *k, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MANIFEST_MAX_BYTES);
	CLEANUP(source_free_p) struct source *s = NULL;
	const struct tuf_entry *t = repo_walk_target(&k->walk, MANIFEST_TARGET);

	if (!t)
		return err_set(e, ERR_MISSING, TUF_E_NO_TARGET, "--version: the repository has no %s", MANIFEST_TARGET);
	if (repo_remote_target(&k->remote, t, tuf_trusted_root(k->walk.trusted)->consistent_snapshot, &s, e) < 0 ||
	    source_read_all(s, &text, e) < 0)
		return -1;
	return manifest_parse(buf_bytes(&text), &k->manifest, e);
}

static int mirror_named(struct clone *k, const char *path, struct err *e)
{
	const struct tuf_entry *t = repo_walk_target(&k->walk, path);

	return t ? mirror_target(k, t, e) : err_set(e, ERR_MISSING, TUF_E_NO_TARGET, "target %s: no role lists it", path);
}

/* The images of one version, for all variants and architectures. */
static int mirror_version(struct clone *k, const char *given, struct err *e)
{
	struct version v;
	size_t n = 0;

	if (repo_cli_version("version", given, &v, e) < 0)
		return -1;
	for (size_t i = 0; i < k->manifest->n_updates; i++) {
		const struct manifest_update *u = &k->manifest->updates[i];

		if (version_compare(&u->version, &v) != 0)
			continue;
		n++;
		for (int role = 0; role < PART_N_ROLES; role++)
			if (mirror_named(k, u->images[role], e) < 0)
				return -1;
	}
	return n ? 0 : err_set(e, ERR_MISSING, "version", "--version %s: the manifest does not offer it", given);
}

/* Of chosen versions: their images, the manifest, and all migrations, which hosts of any version may need on the
 * way there. */
static int mirror_chosen(struct clone *k, struct err *e)
{
	if (load_manifest(k, e) < 0 || mirror_named(k, MANIFEST_TARGET, e) < 0)
		return -1;
	for (size_t i = 0; i < k->cli->versions.n; i++)
		if (mirror_version(k, k->cli->versions.v[i], e) < 0)
			return -1;
	for (size_t i = 0; i < k->manifest->n_steps; i++)
		for (size_t n = 0; n < k->manifest->steps[i].n_names; n++)
			if (mirror_named(k, k->manifest->steps[i].names[n], e) < 0)
				return -1;
	return 0;
}

static int mirror_targets(struct clone *k, struct err *e)
{
	if (k->cli->metadata_only)
		return 0;
	if (k->cli->versions.n)
		return mirror_chosen(k, e);
	for (size_t i = 0; i < k->walk.n_roles; i++)
		for (size_t n = 0; n < k->walk.roles[i]->n_entries; n++)
			if (mirror_target(k, &k->walk.roles[i]->entries[n], e) < 0)
				return -1;
	return 0;
}

static int write_type(const struct clone *k, enum tuf_type type, struct err *e)
{
	for (size_t i = k->walk.n_files; i-- > 0;) {
		const struct repo_walk_file *f = &k->walk.files[i];

		if (f->type == type && file_replace(k->out.metadata, f->name, buf_bytes(&f->text), 0644, e) < 0)
			return -1;
	}
	return 0;
}

/* The root of this number: of the mirror, of the walk, the given one, or the server's, which an older one is. */
static int get_root(const struct clone *k, uint64_t version, struct buf *out, struct err *e)
{
	char name[REPO_FILE_NAME_BYTES];

	repo_metadata_name(TUF_ROOT, version, name);
	out->max = TUF_ROOT_MAX_BYTES;
	if (repo_has(k->out.metadata, name))
		return file_read(k->out.metadata, name, out, e);
	if (version == k->first_root)
		return buf_append(out, k->root.p, k->root.n, e);
	for (size_t i = 0; i < k->walk.n_files; i++)
		if (k->walk.files[i].type == TUF_ROOT && k->walk.files[i].version == version)
			return buf_append(out, k->walk.files[i].text.p, k->walk.files[i].text.n, e);
	return repo_remote_metadata(&k->remote, "root", version, TUF_ROOT_MAX_BYTES, out, e);
}

static int write_root(const struct clone *k, uint64_t version, struct bytes text, struct err *e)
{
	char name[REPO_FILE_NAME_BYTES];

	repo_metadata_name(TUF_ROOT, version, name);
	return repo_has(k->out.metadata, name) ? 0 : file_replace(k->out.metadata, name, text, 0644, e);
}

/*
 * Roots from the first on, so that hosts of any age can follow. Those before the given one are believed because
 * they lead to it: each must be vouched for by the one before, the given one by the last of them.
 */
static int mirror_roots(struct clone *k, struct err *e)
{
	const uint64_t last = tuf_trusted_root(k->walk.trusted)->head.version;
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *chain = NULL;

	for (uint64_t v = 1; v <= last; v++) {
		CLEANUP(buf_fini) struct buf text = { 0 };

		if (get_root(k, v, &text, e) < 0) {
			if (e->kind != ERR_MISSING || v >= k->first_root)
				return -1;
			tuf_trusted_free(TAKE(chain));
			k->n_old_roots_missing++;
			continue;
		}
		if ((chain ? tuf_trusted_update_root(chain, buf_bytes(&text), e)
			   : tuf_trusted_new(buf_bytes(&text), 0, TUF_EXPIRY_IGNORED, &chain, e)) < 0)
			return err_wrap(e, "the chain of roots");
		if (write_root(k, v, buf_bytes(&text), e) < 0)
			return -1;
	}
	if (k->n_old_roots_missing)
		log_warn("%zu roots before the given one are not there: hosts that are as old cannot follow", k->n_old_roots_missing);
	return 0;
}

static int tell(const struct clone *k, struct err *e)
{
	if (k->cli->json) {
		CLEANUP(json_decref_p) json_t *j =
			json_pack("{sI, sI, sI, sI, sI}", "root_version", (json_int_t)tuf_trusted_root(k->walk.trusted)->head.version,
				  "timestamp_version", (json_int_t)tuf_trusted_timestamp(k->walk.trusted)->head.version, "targets_fetched",
				  (json_int_t)k->n_fetched, "targets_kept", (json_int_t)k->n_kept, "bytes_fetched", (json_int_t)k->bytes);

		return j ? json_print(j, stdout, e) : err_set(e, ERR_SYSTEM, "memory", "out of memory");
	}
	printf("%s: timestamp %" PRIu64 ", %zu targets fetched (%" PRIu64 " bytes), %zu were there\n", k->out.path,
	       tuf_trusted_timestamp(k->walk.trusted)->head.version, k->n_fetched, k->bytes, k->n_kept);
	return 0;
}

static int read_root(struct clone *k, struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;

	k->root = BUF_INIT(TUF_ROOT_MAX_BYTES);
	if (file_read(AT_FDCWD, k->cli->trusted_root, &k->root, e) < 0 || tuf_trusted_new(buf_bytes(&k->root), 0, TUF_EXPIRY_IGNORED, &t, e) < 0)
		return err_wrap(e, "--root %s", k->cli->trusted_root);
	k->first_root = tuf_trusted_root(t)->head.version;
	return 0;
}

int repo_clone(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(clone_fini) struct clone k = { .cli = c, .out = REPO_CLOSED };
	struct repo_walk_options o = { .expiry = TUF_EXPIRY_ENFORCED };

	if (repo_cli_need("metadata-url", c->metadata_url, e) < 0 || repo_cli_need("root", c->trusted_root, e) < 0 ||
	    (!c->metadata_only && repo_cli_need("targets-url", c->targets_url, e) < 0))
		return -1;
	if (c->metadata_only && c->versions.n)
		return err_set(e, ERR_USAGE, "option", "--metadata-only and --version exclude each other");
	if (repo_cli_now(c, &o.now_sec, e) < 0 || read_root(&k, e) < 0 || repo_remote_open(c, c->metadata_url, c->targets_url, &k.remote, e) < 0 ||
	    open_out(argv[0], &k.out, e) < 0)
		return -1;
	o.known = k.out.metadata;
	if (repo_walk(&k.remote, buf_bytes(&k.root), &o, &k.walk, e) < 0 || mirror_targets(&k, e) < 0)
		return -1;
	if (write_type(&k, TUF_TARGETS, e) < 0 || write_type(&k, TUF_SNAPSHOT, e) < 0 || mirror_roots(&k, e) < 0 ||
	    write_type(&k, TUF_TIMESTAMP, e) < 0)
		return err_wrap(e, "%s", argv[0]);
	return tell(&k, e);
}
