/* The client's trusted set is what reads the repository here, too: no second opinion about what is valid. */
#include "tools/repo_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"

void repo_metadata_name(enum tuf_type type, uint64_t version, char out[REPO_FILE_NAME_BYTES])
{
	if (type == TUF_TIMESTAMP)
		snprintf(out, REPO_FILE_NAME_BYTES, "timestamp.json");
	else
		snprintf(out, REPO_FILE_NAME_BYTES, "%" PRIu64 ".%s.json", version, tuf_type_name(type));
}

static int read_metadata(const struct repo *r, enum tuf_type type, uint64_t version, struct buf *out, struct err *e)
{
	char name[REPO_FILE_NAME_BYTES];

	repo_metadata_name(type, version, name);
	buf_fini(out);
	*out = BUF_INIT(tuf_type_max_bytes(type));
	if (file_read(r->metadata, name, out, e) < 0)
		return err_wrap(e, "%s/metadata", r->path);
	return 0;
}

int repo_role_file(uint64_t version, const char *role, char out[REPO_ROLE_FILE_BYTES], struct err *e)
{
	char *p = out + snprintf(out, 24, "%" PRIu64 ".", version), *end = out + REPO_ROLE_FILE_BYTES - sizeof(".json");

	for (; *role && p + 3 < end; role++) {
		if (*role == '/') {
			memcpy(p, "%2F", 3);
			p += 3;
		} else {
			*p++ = *role;
		}
	}
	memcpy(p, ".json", sizeof(".json"));
	if (*role || !file_name_is_safe(out))
		return err_set(e, ERR_FORMAT, "name", "role '%.60s': its name cannot be a file's", role);
	return 0;
}

void repo_bin_name(const struct tuf_bins *b, uint32_t i, char out[TUF_BIN_NAME_BYTES])
{
	snprintf(out, TUF_BIN_NAME_BYTES, "%s-%0*" PRIx32, b->prefix, (int)((b->bit_length + 3) / 4), i);
}

int repo_each_delegated(const struct tuf_targets *from, repo_delegated_fn fn, void *ctx, struct err *e)
{
	char name[TUF_BIN_NAME_BYTES];

	for (size_t i = 0; i < from->n_delegations; i++)
		if (fn(ctx, from->delegations[i].name, &from->delegations[i].keys, e) < 0)
			return -1;
	if (!from->bins.prefix)
		return 0;
	if (from->bins.bit_length > 31 || 1u << from->bins.bit_length > REPO_BINS_MAX)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "delegations: more than %d hash bins", REPO_BINS_MAX);
	for (uint32_t i = 0; i < 1u << from->bins.bit_length; i++) {
		repo_bin_name(&from->bins, i, name);
		if (fn(ctx, name, &from->bins.keys, e) < 0)
			return -1;
	}
	return 0;
}

/* A trusted set with the roots of the repository up to version @last, or to the newest. */
static int load_roots(const struct repo *r, int64_t now_sec, enum tuf_expiry expiry, uint64_t last, struct tuf_trusted **out,
		      struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1);
	char name[REPO_FILE_NAME_BYTES];

	if (read_metadata(r, TUF_ROOT, 1, &b, e) < 0 || tuf_trusted_new(buf_bytes(&b), now_sec, expiry, &t, e) < 0)
		return -1;
	for (uint64_t v = 2; v <= last; v++) {
		repo_metadata_name(TUF_ROOT, v, name);
		if (!repo_has(r->metadata, name))
			break;
		if (read_metadata(r, TUF_ROOT, v, &b, e) < 0 || tuf_trusted_update_root(t, buf_bytes(&b), e) < 0)
			return -1;
	}
	if (tuf_trusted_root_done(t, e) < 0)
		return -1;
	*out = TAKE(t);
	return 0;
}

/* A copy of the `signed` part of a file that has been verified. */
static int take_body(const struct buf *text, json_t **out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *file = NULL;

	if (json_load_bytes(buf_bytes(text), &file, e) < 0)
		return -1;
	*out = json_incref(json_object_get(file, "signed"));
	return 0;
}

struct loading {
	const struct repo *repo;
	struct repo_state *s;
};

/* A repo_delegated_fn. A role that has never been published is not in the snapshot. */
static int load_role(void *ctx, const char *name, const struct tuf_role_keys *keys, struct err *e)
{
	struct loading *l = ctx;
	struct repo_state *s = l->s;
	struct tuf_next next;
	struct err why;
	char file[REPO_ROLE_FILE_BYTES];

	if (tuf_trusted_next(s->trusted, name, &next, &why) < 0)
		return 0;
	struct repo_role *grown = reallocarray(s->roles, s->n_roles + 1, sizeof(*grown));

	if (!grown)
		return err_sys(e, "role %s", name);
	s->roles = grown;
	struct repo_role *role = &s->roles[s->n_roles++];

	*role = (struct repo_role){ .name = strdup(name), .text = BUF_INIT(next.max_bytes) };
	if (!role->name)
		return err_sys(e, "role %s", name);
	if (repo_role_file(next.version, name, file, e) < 0 || file_read(l->repo->metadata, file, &role->text, e) < 0 ||
	    tuf_trusted_update_delegated(s->trusted, tuf_trusted_targets(s->trusted), name, buf_bytes(&role->text), &role->targets, e) < 0)
		return err_wrap(e, "%s/metadata", l->repo->path);
	return take_body(&role->text, &role->body, e);
}

static int load_published(const struct repo *r, struct repo_state *s, struct err *e)
{
	struct tuf_trusted *t = s->trusted;
	struct loading loading = { r, s };

	if (read_metadata(r, TUF_TIMESTAMP, 0, &s->text[TUF_TIMESTAMP], e) < 0 ||
	    tuf_trusted_update_timestamp(t, buf_bytes(&s->text[TUF_TIMESTAMP]), e) < 0)
		return -1;
	if (read_metadata(r, TUF_SNAPSHOT, tuf_trusted_timestamp(t)->snapshot.version, &s->text[TUF_SNAPSHOT], e) < 0 ||
	    tuf_trusted_update_snapshot(t, buf_bytes(&s->text[TUF_SNAPSHOT]), e) < 0)
		return -1;
	const struct tuf_meta *targets = tuf_snapshot_find(tuf_trusted_snapshot(t), "targets.json");

	if (!targets)
		return err_set(e, ERR_TRUST, TUF_E_DELEGATION, "snapshot: does not list targets.json");
	if (read_metadata(r, TUF_TARGETS, targets->version, &s->text[TUF_TARGETS], e) < 0 ||
	    tuf_trusted_update_targets(t, buf_bytes(&s->text[TUF_TARGETS]), e) < 0)
		return -1;
	if (take_body(&s->text[TUF_SNAPSHOT], &s->body[TUF_SNAPSHOT], e) < 0 ||
	    take_body(&s->text[TUF_TARGETS], &s->body[TUF_TARGETS], e) < 0 ||
	    repo_each_delegated(tuf_trusted_targets(t), load_role, &loading, e) < 0)
		return -1;
	s->published = true;
	return 0;
}

/* All but the roots. */
static void forget_published(struct repo_state *s)
{
	tuf_trusted_free(s->trusted);
	for (int t = 0; t < TUF_TYPES; t++) {
		buf_fini(&s->text[t]);
		json_decref(s->body[t]);
	}
	for (size_t i = 0; i < s->n_roles; i++) {
		free(s->roles[i].name);
		buf_fini(&s->roles[i].text);
		json_decref(s->roles[i].body);
	}
	free(s->roles);
	*s = (struct repo_state){ .roots = s->roots };
}

/*
 * What is published was signed under some root, the newest at that time; after it there may have been others,
 * whose keys for timestamp, snapshot or targets are new. So roots are tried from the newest down. An older one
 * vouches here for what the newest does not; hosts will not see that, because whatever is stale has to be signed
 * anew.
 */
static int load_with_some_root(const struct repo *r, int64_t now_sec, struct repo_state *s, struct err *e)
{
	const uint64_t newest = repo_state_root(s)->head.version;
	struct err first = { .kind = ERR_NONE };

	for (uint64_t v = newest; v > 0; v--) {
		if (load_roots(r, now_sec, TUF_EXPIRY_IGNORED, v, &s->trusted, e) < 0)
			return -1;
		if (!repo_has(r->metadata, "timestamp.json") || load_published(r, s, e) == 0)
			return 0;
		if (v == newest)
			first = *e;
		if (!e->reason || strcmp(e->reason, TUF_E_THRESHOLD) != 0)
			break;
		forget_published(s);
	}
	*e = first;
	return -1;
}

static int find_stale(struct repo_state *s, struct err *e)
{
	const struct tuf_root *root = repo_state_root(s);
	uint64_t n;

	for (int i = TUF_TIMESTAMP; s->published && i < TUF_TYPES; i++) {
		const enum tuf_type t = (enum tuf_type)i;
		CLEANUP(tuf_signed_free_p) struct tuf_signed *f = NULL;

		if (tuf_signed_load(buf_bytes(&s->text[t]), t, tuf_type_name(t), &f, e) < 0 ||
		    tuf_signed_count(f, &root->keys, &root->roles[t], &n, e) < 0)
			return -1;
		s->stale[t] = n < root->roles[t].threshold;
	}
	return 0;
}

int repo_state_load(const struct repo *r, int64_t now_sec, struct repo_state *out, struct err *e)
{
	if (load_roots(r, now_sec, TUF_EXPIRY_IGNORED, TUF_ROOTS_MAX, &out->roots, e) == 0 &&
	    load_with_some_root(r, now_sec, out, e) == 0 && find_stale(out, e) == 0)
		return 0;
	repo_state_fini(out);
	return -1;
}

void repo_state_fini(struct repo_state *s)
{
	forget_published(s);
	tuf_trusted_free(s->roots);
	s->roots = NULL;
}

const struct tuf_root *repo_state_root(const struct repo_state *s)
{
	return tuf_trusted_root(s->roots);
}

const struct repo_role *repo_state_role(const struct repo_state *s, const char *name)
{
	for (size_t i = 0; i < s->n_roles; i++)
		if (strcmp(s->roles[i].name, name) == 0)
			return &s->roles[i];
	return NULL;
}

struct checking {
	struct tuf_trusted *t;
	const struct repo_next *next;
};

/* A repo_delegated_fn. */
static int check_role(void *ctx, const char *name, const struct tuf_role_keys *keys, struct err *e)
{
	const struct checking *c = ctx;

	for (size_t i = 0; i < c->next->n_roles; i++)
		if (strcmp(c->next->roles[i].name, name) == 0)
			return tuf_trusted_update_delegated(c->t, tuf_trusted_targets(c->t), name, c->next->roles[i].text, NULL, e);
	return err_set(e, ERR_BUG, NULL, "role %s: is delegated to, and has no file", name);
}

/* The published files as a host has them stored. Those that the newest root makes worthless count as absent there too. */
static int check_below_root(struct tuf_trusted *t, const struct repo_state *s, const struct repo_next *next, struct err *e)
{
	struct err why;
	int same = 1;

	if (s->published && tuf_trusted_load_timestamp(t, buf_bytes(&s->text[TUF_TIMESTAMP]), &why) < 0 && !s->stale[TUF_TIMESTAMP])
		return *e = why, -1;
	if (tuf_trusted_update_timestamp(t, next->files[TUF_TIMESTAMP], e) < 0)
		return -1;
	/* 0: it is the very snapshot that goes on being used; else it is compared with. */
	if (s->published)
		same = tuf_trusted_load_snapshot(t, buf_bytes(&s->text[TUF_SNAPSHOT]), &why);
	if (same < 0 && !s->stale[TUF_SNAPSHOT])
		return *e = why, -1;
	if (same != 0 && tuf_trusted_update_snapshot(t, next->files[TUF_SNAPSHOT], e) < 0)
		return -1;
	return tuf_trusted_update_targets(t, next->files[TUF_TARGETS], e);
}

int repo_state_check_next(const struct repo *r, const struct repo_state *s, const struct repo_next *next, int64_t now_sec, struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;

	if (load_roots(r, now_sec, TUF_EXPIRY_ENFORCED, TUF_ROOTS_MAX, &t, e) < 0 || check_below_root(t, s, next, e) < 0)
		return -1;
	struct checking c = { t, next };

	return repo_each_delegated(tuf_trusted_targets(t), check_role, &c, e);
}

const struct tuf_entry *repo_state_target(const struct repo_state *s, const char *name)
{
	const struct tuf_entry *entry = s->published ? tuf_targets_find(tuf_trusted_targets(s->trusted), name) : NULL;

	for (size_t i = 0; i < s->n_roles && !entry; i++)
		entry = tuf_targets_find(s->roles[i].targets, name);
	return entry;
}

bool repo_entry_sha256(const struct tuf_entry *entry, struct digest *out)
{
	for (size_t i = 0; i < entry->hashes.n; i++)
		if (entry->hashes.v[i].alg == DIGEST_SHA256) {
			*out = entry->hashes.v[i];
			return true;
		}
	return false;
}

int repo_state_read_target(const struct repo *r, const struct repo_state *s, const char *name, struct buf *out, struct err *e)
{
	const struct tuf_entry *entry = repo_state_target(s, name);
	char file[REPO_PUBLISHED_BYTES];
	struct digest want, got;

	if (!entry)
		return err_set(e, ERR_MISSING, TUF_E_NO_TARGET, "%s: no target '%s' is published", r->path, name);
	if (!repo_entry_sha256(entry, &want))
		return err_set(e, ERR_FORMAT, TUF_E_METADATA, "target '%s': no SHA-256", name);
	if (repo_published_name(name, &want, file, e) < 0 || file_read(r->targets, file, out, e) < 0 ||
	    digest_bytes(DIGEST_SHA256, buf_bytes(out), &got, e) < 0)
		return err_wrap(e, "%s/targets", r->path);
	if (!digest_equal(&want, &got))
		return err_set(e, ERR_TRUST, REPO_E_CHANGED, "%s/targets/%s: not what was published", r->path, file);
	return 0;
}
