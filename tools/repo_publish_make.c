/* The files of a publication: what goes into them, who signs them, and the client's opinion of the result. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "tools/repo_publication.h"
#include "tuf/canon.h"

bool repo_is_published(const struct repo_state *s, const char *name, uint64_t length, const struct digest *sha256)
{
	const struct tuf_entry *entry = repo_state_target(s, name);
	struct digest have;

	return entry && entry->length == length && repo_entry_sha256(entry, &have) && digest_equal(&have, sha256);
}

int repo_merge_target(const struct repo_publication *p, json_t *body, const char *name, uint64_t length, const struct digest *sha256,
		      struct err *e)
{
	const struct repo_state *s = &p->edit.state;

	if (repo_is_published(s, name, length, sha256))
		return 0;
	if (repo_state_target(s, name) && strcmp(name, REPO_MANIFEST) != 0)
		return err_set(e, ERR_STATE, REPO_E_EXISTS, "target '%s': is published already, with other content", name);
	return repo_meta_set_target(body, name, length, sha256, e) < 0 ? -1 : 1;
}

int repo_next_version(const struct repo_publication *p, const char *role, uint64_t published, uint64_t *out, struct err *e)
{
	char name[REPO_ROLE_FILE_BYTES];
	uint64_t v = published;

	do {
		if (v >= TUF_VERSION_MAX)
			return err_set(e, ERR_STATE, TUF_E_VERSION, "%s: version %" PRIu64 " is the last there can be", role, v);
		v++;
		if (repo_role_file(v, role, name, e) < 0)
			return -1;
	} while (repo_has(p->edit.repo.metadata, name));
	*out = v;
	return 0;
}

int repo_part_sign(struct repo_part *part, const char *role, const struct repo_signers *s, json_t *body, struct err *e)
{
	part->text = BUF_INIT(TUF_TARGETS_MAX_BYTES);
	if (repo_signers_sign(s, body, &part->text, e) < 0)
		return err_wrap(e, "%s", role);
	return 0;
}

int repo_part_describe(const struct repo_part *part, struct repo_meta_file *out, struct err *e)
{
	out->version = part->version;
	out->length = part->text.n;
	return digest_bytes(DIGEST_SHA256, buf_bytes(&part->text), &out->sha256, e);
}

/* The same but for version and expiry? */
static int same_content(const json_t *a, const json_t *b, bool *same, struct err *e)
{
	CLEANUP(buf_fini) struct buf x = BUF_INIT(2 * (size_t)TUF_TARGETS_MAX_BYTES);
	CLEANUP(buf_fini) struct buf y = BUF_INIT(2 * (size_t)TUF_TARGETS_MAX_BYTES);
	CLEANUP(json_decref_p) json_t *p = NULL;
	CLEANUP(json_decref_p) json_t *q = NULL;

	if (repo_meta_renew(a, TUF_TARGETS, 1, 0, &p, e) < 0 || repo_meta_renew(b, TUF_TARGETS, 1, 0, &q, e) < 0 ||
	    tuf_canon(p, &x, e) < 0 || tuf_canon(q, &y, e) < 0)
		return -1;
	*same = bytes_equal(buf_bytes(&x), buf_bytes(&y));
	return 0;
}

/* The version must still be free, and the contents what would be signed now. */
static int check_pending(const struct repo_publication *p, const char *role, const struct repo_envelope *v, const json_t *body,
			 struct err *e)
{
	const uint64_t due = (uint64_t)json_integer_value(json_object_get(body, "version"));
	bool same = false;

	if (v->type != TUF_TARGETS)
		return err_set(e, ERR_FORMAT, TUF_E_TYPE, "pending.%s.json: not a targets file", role);
	if (same_content(repo_envelope_body(v), body, &same, e) < 0)
		return -1;
	if (!same || v->version < due)
		return err_set(e, ERR_STATE, REPO_E_CHANGED,
			       "pending.%s.json: the draft has changed since it was prepared; run 'role prepare' again", role);
	return 0;
}

static int take_pending(const struct repo_envelope *v, const char *role, struct repo_part *part, struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	CLEANUP(tuf_targets_free_p) struct tuf_targets *t = NULL;

	part->text = BUF_INIT(TUF_TARGETS_MAX_BYTES);
	if (repo_envelope_signed(v, role, &s, e) < 0 || tuf_targets_parse(s, &t, e) < 0 || repo_envelope_text(v, &part->text, e) < 0)
		return -1;
	part->made = true;
	part->version = t->head.version;
	part->expires_sec = t->head.expires_sec;
	return 0;
}

int repo_publication_use_pending(const struct repo_publication *p, const char *role, json_t *body, const struct repo_signing_keys *by,
				 const struct repo_signers *s, struct repo_part *part, struct err *e)
{
	CLEANUP(repo_envelope_fini) struct repo_envelope v = { .file = NULL };
	CLEANUP(tuf_signed_free_p) struct tuf_signed *file = NULL;
	char name[REPO_PENDING_BYTES];
	size_t n_dropped;

	repo_pending_name(role, name);
	if (p->extend || !repo_has(p->edit.repo.staging, name))
		return 1;
	if (repo_envelope_load(p->edit.repo.staging, name, &v, e) < 0 || check_pending(p, role, &v, body, e) < 0)
		return -1;
	for (size_t i = 0; i < s->n; i++)
		if (repo_envelope_sign(&v, s->v[i].signer, s->v[i].id, e) < 0)
			return -1;
	if (repo_envelope_prune(&v, by, 1, &n_dropped, e) < 0)
		return -1;
	if (n_dropped)
		log_warn("%s: %zu signatures do not verify and were left out", name, n_dropped);
	if (repo_envelope_signed(&v, name, &file, e) < 0 || tuf_signed_verify(file, by->keys, by->role, role, e) < 0)
		return -1;
	return take_pending(&v, role, part, e);
}

/* The manifest as it is being edited: people may have edited it, so it is read and checked again. */
static int load_manifest(struct repo_publication *p, struct err *e)
{
	struct repo_edit *x = &p->edit;

	p->manifest_text = BUF_INIT(MANIFEST_MAX_BYTES);
	p->has_manifest = !p->extend && repo_has(x->repo.staging, REPO_MANIFEST);
	if (!p->has_manifest)
		return 0;
	if (file_read(x->repo.staging, REPO_MANIFEST, &p->manifest_text, e) < 0)
		return -1;
	return repo_manifest_check(x->manifest, &x->state, x->draft, e);
}

static int note_added(struct repo_publication *p, int merged)
{
	p->n_added += merged > 0;
	p->targets_changed |= merged > 0;
	return merged;
}

/* Of targets itself; delegated roles have theirs listed by repo_publish_roles.c. */
static int merge_targets(struct repo_publication *p, struct err *e)
{
	const struct draft *d = p->edit.draft;
	struct digest sha256;

	for (size_t i = 0; i < d->n_targets && !p->extend; i++) {
		const struct draft_target *t = &d->targets[i];

		if (!t->role[0] && note_added(p, repo_merge_target(p, p->targets_body, t->name, t->length, &t->sha256, e)) < 0)
			return -1;
	}
	if (p->has_manifest) {
		const struct bytes text = buf_bytes(&p->manifest_text);

		if (digest_bytes(DIGEST_SHA256, text, &sha256, e) < 0 ||
		    note_added(p, repo_merge_target(p, p->targets_body, REPO_MANIFEST, text.n, &sha256, e)) < 0)
			return -1;
	}
	p->n_targets = json_object_size(json_object_get(p->targets_body, "targets"));
	return 0;
}

static int merge_delegations(struct repo_publication *p, struct err *e)
{
	CLEANUP(json_decref_p) json_t *next = NULL;

	if (p->extend || !repo_has(p->edit.repo.staging, REPO_DELEGATIONS))
		return 0;
	if (repo_delegations_load(&p->edit.repo, &p->edit.state, &next, e) < 0)
		return -1;
	if (!json_object_get(next, "succinct_roles") && json_array_size(json_object_get(next, "roles")) == 0)
		json_object_del(p->targets_body, "delegations");
	else if (json_object_set(p->targets_body, "delegations", next) < 0)
		return err_set(e, ERR_SYSTEM, "memory", "targets: out of memory");
	p->targets_changed = true;
	return 0;
}

static int parse_next(struct repo_publication *p, struct err *e)
{
	CLEANUP(repo_envelope_fini) struct repo_envelope v = { .file = NULL };
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;

	if (repo_envelope_new(p->targets_body, TUF_TARGETS, &v, e) < 0 || repo_envelope_signed(&v, "targets", &s, e) < 0)
		return -1;
	return tuf_targets_parse(s, &p->next, e);
}

int repo_publication_plan(struct repo_publication *p, struct err *e)
{
	const struct repo_state *s = &p->edit.state;
	const struct tuf_targets *old = s->published ? tuf_trusted_targets(s->trusted) : NULL;
	uint64_t version;

	if (p->extend && !s->published)
		return err_set(e, ERR_STATE, NULL, "%s: nothing is published that could be extended", p->edit.repo.path);
	if (load_manifest(p, e) < 0 || repo_next_version(p, "targets", old ? old->head.version : 0, &version, e) < 0 ||
	    repo_meta_targets(s->body[TUF_TARGETS], version, p->expires_sec[TUF_TARGETS], &p->targets_body, e) < 0 ||
	    merge_targets(p, e) < 0 || merge_delegations(p, e) < 0 || parse_next(p, e) < 0)
		return -1;
	return repo_publication_plan_roles(p, e);
}

/* The published file of a role goes on as it is. */
static int keep(struct repo_publication *p, enum tuf_type type, const struct tuf_head *head, struct err *e)
{
	struct repo_part *part = &p->parts[type];
	const struct buf *text = &p->edit.state.text[type];

	part->version = head->version;
	part->expires_sec = head->expires_sec;
	part->text = BUF_INIT(tuf_type_max_bytes(type));
	return buf_append(&part->text, text->p, text->n, e);
}

static int need_key(const struct repo_publication *p, enum tuf_type type, const char *why, struct err *e)
{
	if (p->edit.state.stale[type])
		why = "root has other keys for it than those that signed the published file";
	return err_set(e, ERR_USAGE, "option", "--%s is needed: %s", repo_cli_key_option(type), why);
}

static int make_targets(struct repo_publication *p, struct err *e)
{
	const struct repo_state *s = &p->edit.state;
	const struct tuf_root *root = repo_state_root(s);
	const struct repo_signing_keys by = { &root->keys, &root->roles[TUF_TARGETS] };
	struct repo_part *part = &p->parts[TUF_TARGETS];
	const int r = repo_publication_use_pending(p, "targets", p->targets_body, &by, &p->signers[TUF_TARGETS], part, e);

	if (r <= 0)
		return r;
	if (p->signers[TUF_TARGETS].n == 0) {
		if (!s->published || p->targets_changed || s->stale[TUF_TARGETS])
			return need_key(p, TUF_TARGETS, "there are targets to publish", e);
		return keep(p, TUF_TARGETS, &tuf_trusted_targets(s->trusted)->head, e);
	}
	part->made = true;
	part->version = (uint64_t)json_integer_value(json_object_get(p->targets_body, "version"));
	part->expires_sec = p->expires_sec[TUF_TARGETS];
	return repo_part_sign(part, "targets", &p->signers[TUF_TARGETS], p->targets_body, e);
}

static bool targets_made(const struct repo_publication *p)
{
	bool made = p->parts[TUF_TARGETS].made;

	for (size_t i = 0; i < p->n_roles; i++)
		made |= p->roles[i].part.made;
	return made;
}

static int list_roles(const struct repo_publication *p, json_t *snapshot, struct err *e)
{
	struct repo_meta_file file;

	for (size_t i = 0; i < p->n_roles; i++)
		if (repo_part_describe(&p->roles[i].part, &file, e) < 0 || repo_meta_set_role(snapshot, p->roles[i].name, &file, e) < 0)
			return -1;
	return 0;
}

static int make_snapshot(struct repo_publication *p, struct err *e)
{
	const struct repo_state *s = &p->edit.state;
	const struct tuf_snapshot *old = s->published ? tuf_trusted_snapshot(s->trusted) : NULL;
	struct repo_part *part = &p->parts[TUF_SNAPSHOT];
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct repo_meta_file targets;

	part->made = p->signers[TUF_SNAPSHOT].n > 0;
	if (!part->made) {
		if (!old || targets_made(p) || s->stale[TUF_SNAPSHOT])
			return need_key(p, TUF_SNAPSHOT, "targets is signed anew", e);
		return keep(p, TUF_SNAPSHOT, &old->head, e);
	}
	part->expires_sec = p->expires_sec[TUF_SNAPSHOT];
	if (repo_next_version(p, "snapshot", old ? old->head.version : 0, &part->version, e) < 0 ||
	    repo_part_describe(&p->parts[TUF_TARGETS], &targets, e) < 0 ||
	    repo_meta_snapshot(s->body[TUF_SNAPSHOT], part->version, part->expires_sec, &targets, &body, e) < 0 ||
	    list_roles(p, body, e) < 0)
		return -1;
	return repo_part_sign(part, "snapshot", &p->signers[TUF_SNAPSHOT], body, e);
}

static int make_timestamp(struct repo_publication *p, struct err *e)
{
	const struct repo_state *s = &p->edit.state;
	struct repo_part *part = &p->parts[TUF_TIMESTAMP];
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct repo_meta_file snapshot;

	if (p->signers[TUF_TIMESTAMP].n == 0)
		return need_key(p, TUF_TIMESTAMP, "timestamp is signed anew each time", e);
	part->made = true;
	part->version = s->published ? tuf_trusted_timestamp(s->trusted)->head.version + 1 : 1; /* never numbered, so no file of it is left */
	part->expires_sec = p->expires_sec[TUF_TIMESTAMP];
	if (part->version > TUF_VERSION_MAX)
		return err_set(e, ERR_STATE, TUF_E_VERSION, "timestamp: no version can follow");
	if (repo_part_describe(&p->parts[TUF_SNAPSHOT], &snapshot, e) < 0 ||
	    repo_meta_timestamp(part->version, part->expires_sec, &snapshot, &body, e) < 0)
		return -1;
	return repo_part_sign(part, "timestamp", &p->signers[TUF_TIMESTAMP], body, e);
}

/* All files as a host that has the present state would check them. */
static int check_next(const struct repo_publication *p, struct err *e)
{
	CLEANUP(free_p) struct repo_next_role *roles = calloc(p->n_roles + 1, sizeof(*roles));
	struct repo_next next = { .n_roles = p->n_roles, .roles = roles };

	if (!roles)
		return err_sys(e, "the publication");
	for (int t = 0; t < TUF_TYPES; t++)
		next.files[t] = buf_bytes(&p->parts[t].text);
	for (size_t i = 0; i < p->n_roles; i++)
		roles[i] = (struct repo_next_role){ p->roles[i].name, buf_bytes(&p->roles[i].part.text) };
	if (repo_state_check_next(&p->edit.repo, &p->edit.state, &next, p->now_sec, e) < 0)
		return err_wrap(e, "nothing was published: hosts would refuse it");
	return 0;
}

int repo_publication_make(struct repo_publication *p, struct err *e)
{
	if (make_targets(p, e) < 0 || repo_publication_make_roles(p, e) < 0 || make_snapshot(p, e) < 0 || make_timestamp(p, e) < 0)
		return -1;
	return check_next(p, e);
}
