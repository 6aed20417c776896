/* The client's trusted set is what reads the repository here, too: no second opinion about what is valid. */
#include "tools/repo_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

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

/* A trusted set with the newest root of the repository. */
static int load_roots(const struct repo *r, int64_t now_sec, enum tuf_expiry expiry, struct tuf_trusted **out, struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;
	CLEANUP(buf_fini) struct buf b = BUF_INIT(1);
	char name[REPO_FILE_NAME_BYTES];

	if (read_metadata(r, TUF_ROOT, 1, &b, e) < 0 || tuf_trusted_new(buf_bytes(&b), now_sec, expiry, &t, e) < 0)
		return -1;
	for (uint64_t v = 2; v <= TUF_ROOTS_MAX; v++) {
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
static int take_body(struct repo_state *s, enum tuf_type type, struct err *e)
{
	CLEANUP(json_decref_p) json_t *file = NULL;

	if (json_load_bytes(buf_bytes(&s->text[type]), &file, e) < 0)
		return -1;
	s->body[type] = json_incref(json_object_get(file, "signed"));
	return 0;
}

static int load_published(const struct repo *r, struct repo_state *s, struct err *e)
{
	struct tuf_trusted *t = s->trusted;

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
	s->published = true;
	if (take_body(s, TUF_SNAPSHOT, e) < 0)
		return -1;
	return take_body(s, TUF_TARGETS, e);
}

int repo_state_load(const struct repo *r, int64_t now_sec, struct repo_state *out, struct err *e)
{
	if (load_roots(r, now_sec, TUF_EXPIRY_IGNORED, &out->trusted, e) == 0 &&
	    (!repo_has(r->metadata, "timestamp.json") || load_published(r, out, e) == 0))
		return 0;
	repo_state_fini(out);
	return -1;
}

void repo_state_fini(struct repo_state *s)
{
	tuf_trusted_free(s->trusted);
	for (int t = 0; t < TUF_TYPES; t++) {
		buf_fini(&s->text[t]);
		json_decref(s->body[t]);
	}
	*s = (struct repo_state){ .trusted = NULL };
}

int repo_state_check_next(const struct repo *r, const struct repo_state *s, const struct buf next[TUF_TYPES], int64_t now_sec,
			  struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;

	if (load_roots(r, now_sec, TUF_EXPIRY_ENFORCED, &t, e) < 0)
		return -1;
	if (s->published && tuf_trusted_load_timestamp(t, buf_bytes(&s->text[TUF_TIMESTAMP]), e) < 0)
		return -1;
	if (tuf_trusted_update_timestamp(t, buf_bytes(&next[TUF_TIMESTAMP]), e) < 0)
		return -1;
	/* 0: it is the very snapshot that goes on being used; else it is compared with. */
	const int same = s->published ? tuf_trusted_load_snapshot(t, buf_bytes(&s->text[TUF_SNAPSHOT]), e) : 1;

	if (same < 0 || (same > 0 && tuf_trusted_update_snapshot(t, buf_bytes(&next[TUF_SNAPSHOT]), e) < 0))
		return -1;
	return tuf_trusted_update_targets(t, buf_bytes(&next[TUF_TARGETS]), e);
}

const struct tuf_entry *repo_state_target(const struct repo_state *s, const char *name)
{
	return s->published ? tuf_targets_find(tuf_trusted_targets(s->trusted), name) : NULL;
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
