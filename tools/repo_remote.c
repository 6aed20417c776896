/* Fetching, and the walk. Files that a mirror has already are tried first and count only if the trusted set takes them. */
#include "tools/repo_remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"
#include "tuf/url.h"

#define RETRIES 3
#define WHAT_BYTES (TUF_NAME_MAX_BYTES + 40)

int repo_remote_open(const struct repo_cli *c, const char *metadata_url, const char *targets_url, struct repo_remote *out, struct err *e)
{
	const struct tuf_fetch_options o = {
		.user_agent = "flipside-repo/" FLIPSIDE_VERSION,
		.allow_http = true, /* nothing is believed that is not signed */
		.retries = RETRIES,
		.jitter_seed = (uint64_t)time(NULL),
		.stop = c->stop,
	};

	if (tuf_url_check_base(metadata_url, "--metadata-url", e) < 0 ||
	    (targets_url && tuf_url_check_base(targets_url, "--targets-url", e) < 0))
		return -1;
	out->metadata_url = metadata_url;
	out->targets_url = targets_url;
	return tuf_fetcher_new(&o, &out->fetcher, e);
}

void repo_remote_fini(struct repo_remote *r)
{
	tuf_fetcher_free(r->fetcher);
	*r = (struct repo_remote){ .fetcher = NULL };
}

int repo_file_url(const char *folder, const char *below, char **out, struct err *e)
{
	CLEANUP(free_p) char *real = realpath(folder, NULL);
	CLEANUP(buf_fini) struct buf url = BUF_INIT(REPO_URL_MAX_BYTES);

	if (!real)
		return err_sys(e, "%s", folder);
	if (buf_append_str(&url, "file://", e) < 0 || tuf_url_encode(real, true, &url, e) < 0 || buf_append_str(&url, "/", e) < 0 ||
	    buf_append_str(&url, below, e) < 0)
		return -1;
	const char *text = buf_str(&url, e);

	*out = text ? strdup(text) : NULL;
	return *out ? 0 : err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", folder);
}

int repo_remote_metadata(const struct repo_remote *r, const char *role, uint64_t version, size_t max_bytes, struct buf *out, struct err *e)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	CLEANUP(buf_fini) struct buf url = BUF_INIT(REPO_URL_MAX_BYTES);
	char what[WHAT_BYTES], number[24] = "";

	if (version)
		snprintf(number, sizeof(number), "%" PRIu64 ".", version);
	snprintf(what, sizeof(what), "%s%s.json", number, role);
	out->max = max_bytes;
	if (tuf_url_metadata(r->metadata_url, version, role, &url, e) < 0)
		return err_wrap(e, "URL of %s", what);
	const char *text = buf_str(&url, e);

	if (!text || tuf_fetch_open(r->fetcher, text, max_bytes, what, &s, e) < 0)
		return -1;
	return source_read_all(s, out, e);
}

/* @from with the target's checks around it; freed on failure. */
static int add_checks(struct source *from, const struct tuf_entry *t, struct source **out, struct err *e)
{
	CLEANUP(source_free_p) struct source *top = from;
	struct source *next;

	if (source_exact_new(top, t->length, t->path, &next, e) < 0)
		return -1;
	top = next;
	for (size_t i = 0; i < t->hashes.n; i++) {
		if (source_digest_new(top, &t->hashes.v[i], t->path, &next, e) < 0)
			return -1;
		top = next;
	}
	*out = TAKE(top);
	return 0;
}

int repo_remote_target(const struct repo_remote *r, const struct tuf_entry *t, bool consistent, struct source **out, struct err *e)
{
	CLEANUP(buf_fini) struct buf url = BUF_INIT(REPO_URL_MAX_BYTES);
	char hex[2 * DIGEST_MAX_BYTES + 1];
	struct source *s = NULL;

	if (t->hashes.n == 0)
		return err_set(e, ERR_TRUST, TUF_E_DIGEST, "target %s: listed without a known digest", t->path);
	digest_hex(&t->hashes.v[0], hex);
	if (tuf_url_target(r->targets_url, t->path, consistent ? hex : NULL, &url, e) < 0)
		return err_wrap(e, "URL of target %s", t->path);
	const char *text = buf_str(&url, e);

	/* One byte more than due may come, so that the exact stage calls it by its name. */
	if (!text || tuf_fetch_open(r->fetcher, text, t->length < UINT64_MAX ? t->length + 1 : t->length, t->path, &s, e) < 0) {
		if (e->reason && strcmp(e->reason, TUF_E_LIMIT) == 0)
			return err_set(e, ERR_TRUST, TUF_E_LENGTH, "target %s: longer than its signed length of %" PRIu64 " bytes", t->path, t->length);
		return -1;
	}
	return add_checks(s, t, out, e);
}

void repo_walk_fini(struct repo_walk *w)
{
	for (size_t i = 0; i < w->n_files; i++)
		buf_fini(&w->files[i].text);
	free(w->files);
	free(w->roles);
	tuf_trusted_free(w->trusted);
	*w = (struct repo_walk){ .trusted = NULL };
}

const struct tuf_entry *repo_walk_target(const struct repo_walk *w, const char *path)
{
	for (size_t i = 0; i < w->n_roles; i++) {
		const struct tuf_entry *t = tuf_targets_find(w->roles[i], path);

		if (t)
			return t;
	}
	return NULL;
}

struct walking {
	const struct repo_remote *r;
	const struct repo_walk_options *o;
	struct repo_walk *w;
	const struct tuf_targets *from; /* of the delegated roles being loaded */
	char **names;			/* of roles seen */
	size_t n_names;
};

static int file_name(const char *role, uint64_t version, char out[REPO_ROLE_FILE_BYTES], struct err *e)
{
	char numbered[REPO_ROLE_FILE_BYTES];

	if (repo_role_file(version, role, numbered, e) < 0)
		return -1;
	snprintf(out, REPO_ROLE_FILE_BYTES, "%s", version ? numbered : numbered + strlen("0."));
	return 0;
}

/* Takes @text over. */
static int add_file(struct repo_walk *w, enum tuf_type type, const char *role, uint64_t version, struct buf *text, struct err *e)
{
	struct repo_walk_file *grown = reallocarray(w->files, w->n_files + 1, sizeof(*grown));

	if (!grown)
		return err_sys(e, "%s", role);
	w->files = grown;
	struct repo_walk_file *f = &w->files[w->n_files];

	*f = (struct repo_walk_file){ .type = type, .version = version };
	if (file_name(role, version, f->name, e) < 0)
		return -1;
	f->text = *text;
	*text = (struct buf){ 0 };
	w->n_files++;
	return 0;
}

static int give(struct walking *k, enum tuf_type type, const char *role, struct bytes in, struct err *e)
{
	struct tuf_trusted *t = k->w->trusted;

	switch (type) {
	case TUF_ROOT:
		return tuf_trusted_update_root(t, in, e);
	case TUF_TIMESTAMP:
		return tuf_trusted_update_timestamp(t, in, e);
	case TUF_SNAPSHOT:
		return tuf_trusted_update_snapshot(t, in, e);
	case TUF_TARGETS:
		break;
	}
	return k->from ? tuf_trusted_update_delegated(t, k->from, role, in, NULL, e) : tuf_trusted_update_targets(t, in, e);
}

/* The mirror's own file where the trusted set takes it. */
static bool give_known(struct walking *k, enum tuf_type type, const char *role, const struct tuf_next *next, struct buf *text)
{
	char name[REPO_ROLE_FILE_BYTES];
	struct err why;

	if (k->o->known < 0 || !next->version || file_name(role, next->version, name, &why) < 0 || !repo_has(k->o->known, name))
		return false;
	text->max = next->max_bytes;
	if (file_read(k->o->known, name, text, &why) == 0 && give(k, type, role, buf_bytes(text), &why) == 0)
		return true;
	log_debug("%s: %s; asking for it", name, why.msg);
	buf_fini(text);
	return false;
}

static int load(struct walking *k, enum tuf_type type, const char *role, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = { 0 };
	struct tuf_next next;

	if (tuf_trusted_next(k->w->trusted, role, &next, e) < 0)
		return -1;
	if (!give_known(k, type, role, &next, &text) &&
	    (repo_remote_metadata(k->r, role, next.version, next.max_bytes, &text, e) < 0 || give(k, type, role, buf_bytes(&text), e) < 0))
		return -1;
	return add_file(k->w, type, role, next.version, &text, e);
}

static int walk_roots(struct walking *k, struct err *e)
{
	for (unsigned int n = 0; n < TUF_ROOTS_MAX; n++)
		if (load(k, TUF_ROOT, "root", e) < 0) {
			if (e->kind != ERR_MISSING)
				return -1;
			return tuf_trusted_root_done(k->w->trusted, e);
		}
	return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "root: more than %d new ones", TUF_ROOTS_MAX);
}

/* What the mirror has seen of @role, for comparison; none where it does not count any more. */
static void compare_with(struct walking *k, const char *role, uint64_t version,
			 int (*load_stored)(struct tuf_trusted *t, struct bytes in, struct err *e), size_t max_bytes)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(max_bytes);
	char name[REPO_ROLE_FILE_BYTES];
	struct err why;

	if (k->o->known < 0 || tuf_trusted_keys_rotated(k->w->trusted) || file_name(role, version, name, &why) < 0 ||
	    file_read(k->o->known, name, &text, &why) < 0)
		return;
	if (load_stored(k->w->trusted, buf_bytes(&text), &why) < 0)
		log_debug("%s: %s; going on without it", name, why.msg);
}

/* The snapshot that the mirror's timestamp names: 0 where that cannot be told. */
static uint64_t known_snapshot(const struct walking *k)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(TUF_TIMESTAMP_MAX_BYTES);
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	CLEANUP(tuf_timestamp_free_p) struct tuf_timestamp *t = NULL;
	struct err why;

	if (k->o->known < 0 || file_read(k->o->known, "timestamp.json", &text, &why) < 0 ||
	    tuf_signed_load(buf_bytes(&text), TUF_TIMESTAMP, "timestamp.json", &s, &why) < 0 || tuf_timestamp_parse(s, &t, &why) < 0)
		return 0;
	return t->snapshot.version;
}

/* The timestamp has to be the mirror's new one even where its version is the same: then its bytes are left alone. */
static int walk_timestamp(struct walking *k, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = { 0 };

	compare_with(k, "timestamp", 0, tuf_trusted_load_timestamp, TUF_TIMESTAMP_MAX_BYTES);
	if (repo_remote_metadata(k->r, "timestamp", 0, TUF_TIMESTAMP_MAX_BYTES, &text, e) < 0)
		return -1;
	const int r = give(k, TUF_TIMESTAMP, "timestamp", buf_bytes(&text), e);

	if (r < 0)
		return -1;
	return r == TUF_SAME ? 0 : add_file(k->w, TUF_TIMESTAMP, "timestamp", 0, &text, e);
}

static int walk_snapshot(struct walking *k, struct err *e)
{
	const bool numbered = tuf_trusted_root(k->w->trusted)->consistent_snapshot;
	const uint64_t known = known_snapshot(k);

	if (known)
		compare_with(k, "snapshot", numbered ? known : 0, tuf_trusted_load_snapshot, TUF_SNAPSHOT_MAX_BYTES);
	if (tuf_trusted_snapshot(k->w->trusted))
		return 0; /* the mirror has it */
	return load(k, TUF_SNAPSHOT, "snapshot", e);
}

static int add_role(struct walking *k, const struct tuf_targets *t, struct err *e)
{
	const struct tuf_targets **grown = reallocarray(k->w->roles, k->w->n_roles + 1, sizeof(const struct tuf_targets *));

	if (!grown)
		return err_sys(e, "a role");
	k->w->roles = grown;
	k->w->roles[k->w->n_roles++] = t;
	return 0;
}

/* Return: 1 it is new; 0; -1 */
static int note_name(struct walking *k, const char *name, struct err *e)
{
	for (size_t i = 0; i < k->n_names; i++)
		if (strcmp(k->names[i], name) == 0)
			return 0;
	if (k->n_names == TUF_ROLES_MAX)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "more than %d delegated roles", TUF_ROLES_MAX);
	char **grown = reallocarray(k->names, k->n_names + 1, sizeof(*grown));
	char *copy = strdup(name);

	if (grown)
		k->names = grown;
	if (!grown || !copy) {
		free(copy);
		return err_set(e, ERR_SYSTEM, "memory", "role %s: out of memory", name);
	}
	k->names[k->n_names++] = copy;
	return 1;
}

/* A repo_delegated_fn. */
static int walk_role(void *ctx, const char *name, const struct tuf_role_keys *keys, struct err *e)
{
	struct walking *k = ctx;
	struct tuf_next next;
	const int new = note_name(k, name, e);

	if (new <= 0)
		return new;
	if (tuf_trusted_next(k->w->trusted, name, &next, e) < 0) {
		log_warn("role %s: is delegated to, and not in snapshot", name);
		k->w->n_unlisted++;
		return 0;
	}
	if (load(k, TUF_TARGETS, name, e) < 0)
		return -1;
	return add_role(k, tuf_trusted_delegated(k->w->trusted, k->from, name), e);
}

static int walk_all(struct walking *k, struct err *e)
{
	struct repo_walk *w = k->w;

	if (walk_roots(k, e) < 0 || walk_timestamp(k, e) < 0 || walk_snapshot(k, e) < 0 || load(k, TUF_TARGETS, "targets", e) < 0 ||
	    add_role(k, tuf_trusted_targets(w->trusted), e) < 0)
		return -1;
	for (size_t i = 0; i < w->n_roles; i++) {
		k->from = w->roles[i];
		if (repo_each_delegated(k->from, walk_role, k, e) < 0)
			return -1;
	}
	return 0;
}

int repo_walk(const struct repo_remote *r, struct bytes root, const struct repo_walk_options *o, struct repo_walk *out, struct err *e)
{
	struct walking k = { .r = r, .o = o, .w = out };
	int ret;

	if (tuf_trusted_new(root, o->now_sec, o->expiry, &out->trusted, e) < 0)
		return -1;
	ret = walk_all(&k, e);
	for (size_t i = 0; i < k.n_names; i++)
		free(k.names[i]);
	free(k.names);
	return ret;
}
