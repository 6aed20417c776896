/*
 * `publish`: the draft becomes what hosts see. Everything is made, signed and checked in memory, as a host would check it, before the
 * first byte is written to a served folder. Then, each step durable before the next:
 *
 *	1. targets/SHA256.NAME		a power cut after it leaves a file that nobody refers to
 *	2. V.targets.json, V.snapshot.json	the same: clients come to them from timestamp.json only
 *	3. timestamp.json		replaced atomically: from here on the new state counts
 *	4. the work area is tidied	left undone, the next publication finds the targets published and does it
 *
 * Nothing but timestamp.json is ever replaced. Where a publication broke off between 2 and 3, its numbers are not used again: a mirror
 * may have copied those files.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "tools/repo_cli.h"
#include "tools/repo_keys.h"
#include "tools/repo_manifest.h"
#include "tools/repo_meta.h"
#include "tools/repo_state.h"

#define COPY_BUFFER_BYTES (1u << 20)

/* Each role's part of a publication, by enum tuf_type. */
struct part {
	struct repo_signers signers;
	bool made; /* a new file of this role; otherwise the published one goes on */
	uint64_t version;
	int64_t expires_sec;
	struct buf text;
};

struct publication {
	struct repo_cli *cli;
	int64_t now_sec;
	struct repo_edit edit;
	bool has_manifest; /* staging/manifest.json is there; it is in @manifest_text */
	struct buf manifest_text;
	size_t n_added;	  /* targets that are new */
	size_t n_targets; /* in all */
	struct part parts[TUF_TYPES];
};

static void publication_fini(struct publication *p)
{
	for (int t = 0; t < TUF_TYPES; t++) {
		repo_signers_fini(&p->parts[t].signers);
		buf_fini(&p->parts[t].text);
	}
	buf_fini(&p->manifest_text);
	repo_edit_fini(&p->edit);
}

/* The roles that a publication signs, in the order in which they refer to each other. */
static const enum tuf_type signed_types[] = { TUF_TARGETS, TUF_SNAPSHOT, TUF_TIMESTAMP };

static int read_times(struct publication *p, struct err *e)
{
	static const char *const options[TUF_TYPES] = {
		[TUF_TARGETS] = "expires-targets",
		[TUF_SNAPSHOT] = "expires-snapshot",
		[TUF_TIMESTAMP] = "expires-timestamp",
	};
	static const char *const standard[TUF_TYPES] = {
		[TUF_TARGETS] = "in 12 weeks",
		[TUF_SNAPSHOT] = "in 2 weeks",
		[TUF_TIMESTAMP] = "in 1 week",
	};

	if (repo_cli_now(p->cli, &p->now_sec, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(signed_types); i++) {
		const enum tuf_type t = signed_types[i];
		const char *s = p->cli->expires[t] ? p->cli->expires[t] : standard[t];

		if (repo_cli_time(options[t], s, p->now_sec, &p->parts[t].expires_sec, e) < 0)
			return -1;
		if (p->parts[t].expires_sec <= p->now_sec)
			return err_set(e, ERR_USAGE, "time", "--%s '%s': in the past", options[t], s);
	}
	return 0;
}

static const struct tuf_root *root_of(const struct publication *p)
{
	return tuf_trusted_root(p->edit.state.trusted);
}

/* Keys are loaded and matched with root before anything else, so that a forgotten one is told at once. */
static int load_keys(struct publication *p, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(signed_types); i++) {
		const enum tuf_type t = signed_types[i];
		struct part *part = &p->parts[t];

		part->made = p->cli->keys[t].n > 0;
		if (!part->made)
			continue;
		if (repo_signers_load(p->cli, t, &part->signers, e) < 0 || repo_signers_match(&part->signers, root_of(p), t, e) < 0)
			return -1;
	}
	return 0;
}

/* The manifest as it is being edited: people may have edited it, so it is read and checked again. */
static int load_manifest(struct publication *p, struct err *e)
{
	struct repo_edit *x = &p->edit;

	p->manifest_text = BUF_INIT(MANIFEST_MAX_BYTES);
	p->has_manifest = repo_has(x->repo.staging, REPO_MANIFEST);
	if (!p->has_manifest)
		return 0;
	if (file_read(x->repo.staging, REPO_MANIFEST, &p->manifest_text, e) < 0)
		return -1;
	return repo_manifest_check(x->manifest, &x->state, x->draft, e);
}

/* True if this very content is published under the name. */
static bool is_published(const struct repo_state *s, const char *name, uint64_t length, const struct digest *sha256)
{
	const struct tuf_entry *entry = repo_state_target(s, name);
	struct digest have;

	return entry && entry->length == length && repo_entry_sha256(entry, &have) && digest_equal(&have, sha256);
}

/* Lists one target in @body, unless it is there already. Only the manifest may change. */
static int merge_target(struct publication *p, json_t *body, const char *name, uint64_t length, const struct digest *sha256,
			struct err *e)
{
	const struct repo_state *s = &p->edit.state;

	if (is_published(s, name, length, sha256))
		return 0;
	if (repo_state_target(s, name) && strcmp(name, REPO_MANIFEST) != 0)
		return err_set(e, ERR_STATE, REPO_E_EXISTS, "target '%s': is published already, with other content", name);
	if (repo_meta_set_target(body, name, length, sha256, e) < 0)
		return -1;
	p->n_added++;
	return 0;
}

static int merge_targets(struct publication *p, json_t *body, struct err *e)
{
	const struct draft *d = p->edit.draft;
	struct digest sha256;

	for (size_t i = 0; i < d->n_targets; i++)
		if (merge_target(p, body, d->targets[i].name, d->targets[i].length, &d->targets[i].sha256, e) < 0)
			return -1;
	if (p->has_manifest) {
		const struct bytes text = buf_bytes(&p->manifest_text);

		if (digest_bytes(DIGEST_SHA256, text, &sha256, e) < 0 || merge_target(p, body, REPO_MANIFEST, text.n, &sha256, e) < 0)
			return -1;
	}
	p->n_targets = json_object_size(json_object_get(body, "targets"));
	return 0;
}

/* One above the published version, and above every file that is there. */
static int next_version(const struct publication *p, enum tuf_type type, uint64_t published, uint64_t *out, struct err *e)
{
	char name[REPO_FILE_NAME_BYTES];
	uint64_t v = published;

	do {
		if (v >= TUF_VERSION_MAX)
			return err_set(e, ERR_STATE, TUF_E_VERSION, "%s: version %" PRIu64 " is the last there can be", tuf_type_name(type), v);
		v++;
		repo_metadata_name(type, v, name);
	} while (type != TUF_TIMESTAMP && repo_has(p->edit.repo.metadata, name));
	*out = v;
	return 0;
}

static int sign(struct part *part, enum tuf_type type, json_t *body, struct err *e)
{
	part->text = BUF_INIT(tuf_type_max_bytes(type));
	if (repo_signers_sign(&part->signers, body, &part->text, e) < 0)
		return err_wrap(e, "%s", tuf_type_name(type));
	return 0;
}

/* The published file of a role goes on as it is. */
static int keep(struct publication *p, enum tuf_type type, const struct tuf_head *head, struct err *e)
{
	struct part *part = &p->parts[type];
	const struct buf *text = &p->edit.state.text[type];

	part->version = head->version;
	part->expires_sec = head->expires_sec;
	part->text = BUF_INIT(tuf_type_max_bytes(type));
	return buf_append(&part->text, text->p, text->n, e);
}

static int need_key(enum tuf_type type, const char *why, struct err *e)
{
	return err_set(e, ERR_USAGE, "option", "--%s is needed: %s", repo_cli_key_option(type), why);
}

static int make_targets(struct publication *p, struct err *e)
{
	const struct repo_state *s = &p->edit.state;
	const struct tuf_targets *old = s->published ? tuf_trusted_targets(s->trusted) : NULL;
	struct part *part = &p->parts[TUF_TARGETS];
	CLEANUP(json_decref_p) json_t *body = NULL;

	if (repo_meta_targets(s->body[TUF_TARGETS], 1, part->expires_sec, &body, e) < 0 || merge_targets(p, body, e) < 0)
		return -1;
	if (!part->made) {
		if (!old || p->n_added)
			return need_key(TUF_TARGETS, "there are targets to publish", e);
		return keep(p, TUF_TARGETS, &old->head, e);
	}
	if (next_version(p, TUF_TARGETS, old ? old->head.version : 0, &part->version, e) < 0)
		return -1;
	if (json_object_set_new(body, "version", json_integer((json_int_t)part->version)) < 0)
		return err_set(e, ERR_SYSTEM, "memory", "targets: out of memory");
	return sign(part, TUF_TARGETS, body, e);
}

/* How a file that was just made is listed in the one that refers to it. */
static int describe(const struct part *part, struct repo_meta_file *out, struct err *e)
{
	out->version = part->version;
	out->length = part->text.n;
	return digest_bytes(DIGEST_SHA256, buf_bytes(&part->text), &out->sha256, e);
}

static int make_snapshot(struct publication *p, struct err *e)
{
	const struct repo_state *s = &p->edit.state;
	const struct tuf_snapshot *old = s->published ? tuf_trusted_snapshot(s->trusted) : NULL;
	struct part *part = &p->parts[TUF_SNAPSHOT];
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct repo_meta_file targets;

	if (!part->made) {
		if (!old || p->parts[TUF_TARGETS].made)
			return need_key(TUF_SNAPSHOT, "targets is signed anew", e);
		return keep(p, TUF_SNAPSHOT, &old->head, e);
	}
	if (next_version(p, TUF_SNAPSHOT, old ? old->head.version : 0, &part->version, e) < 0 ||
	    describe(&p->parts[TUF_TARGETS], &targets, e) < 0 ||
	    repo_meta_snapshot(s->body[TUF_SNAPSHOT], part->version, part->expires_sec, &targets, &body, e) < 0)
		return -1;
	return sign(part, TUF_SNAPSHOT, body, e);
}

static int make_timestamp(struct publication *p, struct err *e)
{
	const struct repo_state *s = &p->edit.state;
	struct part *part = &p->parts[TUF_TIMESTAMP];
	CLEANUP(json_decref_p) json_t *body = NULL;
	struct repo_meta_file snapshot;

	if (!part->made)
		return need_key(TUF_TIMESTAMP, "timestamp is signed anew each time", e);
	if (next_version(p, TUF_TIMESTAMP, s->published ? tuf_trusted_timestamp(s->trusted)->head.version : 0, &part->version, e) < 0 ||
	    describe(&p->parts[TUF_SNAPSHOT], &snapshot, e) < 0 ||
	    repo_meta_timestamp(part->version, part->expires_sec, &snapshot, &body, e) < 0)
		return -1;
	return sign(part, TUF_TIMESTAMP, body, e);
}

/* All files as a host that has the present state would check them. */
static int check_next(const struct publication *p, struct err *e)
{
	struct buf next[TUF_TYPES]; /* views; the parts own the bytes */

	for (int t = 0; t < TUF_TYPES; t++)
		next[t] = p->parts[t].text;
	if (repo_state_check_next(&p->edit.repo, &p->edit.state, next, p->now_sec, e) < 0)
		return err_wrap(e, "nothing was published: hosts would refuse it");
	return 0;
}

/* Copies a staged target to its served name, comparing it with the draft on the way. */
static int write_target(const struct repo *r, const struct draft_target *t, struct err *e)
{
	CLEANUP(close_p) int fd = -1;
	CLEANUP(source_free_p) struct source *raw = NULL;
	CLEANUP(source_free_p) struct source *from = NULL;
	CLEANUP(repo_file_free_p) struct repo_file *to = NULL;
	char name[REPO_PUBLISHED_BYTES], path[REPO_TARGET_BYTES + 64];

	if (repo_published_name(t->name, &t->sha256, name, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "staging/targets/%s", t->name);
	if (repo_open_input(r->staged_targets, t->name, &fd, NULL, e) < 0)
		return err_wrap(e, "staging/targets");
	if (source_fd_new(fd, false, 0, t->length, path, &raw, e) < 0 || source_digest_new(raw, &t->sha256, path, &from, e) < 0)
		return -1;
	(void)TAKE(raw);
	if (repo_file_new(r->targets, name, &to, e) < 0)
		return -1;
	if (pump(from, repo_file_sink(to), NULL, e) < 0)
		return err_wrap(e, "publishing %s", t->name);
	return 0;
}

/* New targets only: a name with its digest in front never changes, so what is there is left alone. */
static int write_targets(const struct publication *p, struct err *e)
{
	const struct repo_edit *x = &p->edit;
	char name[REPO_PUBLISHED_BYTES];
	struct digest sha256;

	for (size_t i = 0; i < x->draft->n_targets; i++) {
		const struct draft_target *t = &x->draft->targets[i];

		if (is_published(&x->state, t->name, t->length, &t->sha256))
			continue;
		if (write_target(&x->repo, t, e) < 0)
			return -1;
	}
	if (!p->has_manifest)
		return 0;
	if (digest_bytes(DIGEST_SHA256, buf_bytes(&p->manifest_text), &sha256, e) < 0 ||
	    repo_published_name(REPO_MANIFEST, &sha256, name, e) < 0)
		return -1;
	return repo_has(x->repo.targets, name) ? 0 : file_replace(x->repo.targets, name, buf_bytes(&p->manifest_text), 0644, e);
}

static int write_metadata(const struct publication *p, struct err *e)
{
	char name[REPO_FILE_NAME_BYTES];

	for (size_t i = 0; i < ARRAY_LEN(signed_types); i++) {
		const struct part *part = &p->parts[signed_types[i]];

		if (!part->made)
			continue;
		repo_metadata_name(signed_types[i], part->version, name);
		if (file_replace(p->edit.repo.metadata, name, buf_bytes(&part->text), 0644, e) < 0)
			return err_wrap(e, "%s/metadata", p->edit.repo.path);
	}
	return 0;
}

/* What is published leaves the draft; then its files leave the work area. */
static int tidy(struct publication *p, struct err *e)
{
	struct repo_edit *x = &p->edit;
	struct draft rest = *x->draft;

	rest.n_targets = 0;
	if (draft_store(&x->repo, &rest, e) < 0)
		return -1;
	for (size_t i = 0; i < x->draft->n_targets; i++)
		if (file_remove(x->repo.staged_targets, x->draft->targets[i].name, e) < 0)
			return -1;
	return file_remove(x->repo.staging, REPO_MANIFEST, e);
}

static json_t *part_json(const struct publication *p, enum tuf_type t)
{
	char expires[DATETIME_BYTES];

	datetime_format(p->parts[t].expires_sec, expires);
	return json_pack("{sI, ss, sb}", "version", (json_int_t)p->parts[t].version, "expires", expires, "new", p->parts[t].made);
}

static int tell(const struct publication *p, struct err *e)
{
	char expires[DATETIME_BYTES];

	if (p->cli->json) {
		CLEANUP(json_decref_p) json_t *j =
			json_pack("{sI, so, so, so, sI, sI}", "root_version", (json_int_t)root_of(p)->head.version, "timestamp",
				  part_json(p, TUF_TIMESTAMP), "snapshot", part_json(p, TUF_SNAPSHOT), "targets",
				  part_json(p, TUF_TARGETS), "targets_added", (json_int_t)p->n_added, "targets_total",
				  (json_int_t)p->n_targets);

		return j ? json_print(j, stdout, e) : err_set(e, ERR_SYSTEM, "memory", "out of memory");
	}
	for (size_t i = ARRAY_LEN(signed_types); i-- > 0;) {
		const struct part *part = &p->parts[signed_types[i]];

		datetime_format(part->expires_sec, expires);
		printf("%-9s version %" PRIu64 ", expires %s%s\n", tuf_type_name(signed_types[i]), part->version, expires,
		       part->made ? "" : " (as before)");
	}
	printf("targets: %zu, of which %zu new\n", p->n_targets, p->n_added);
	return 0;
}

static int make_all(struct publication *p, struct err *e)
{
	if (load_keys(p, e) < 0 || load_manifest(p, e) < 0)
		return -1;
	if (make_targets(p, e) < 0 || make_snapshot(p, e) < 0 || make_timestamp(p, e) < 0)
		return -1;
	return check_next(p, e);
}

int repo_publish(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(publication_fini) struct publication p = { .cli = ctx, .edit = REPO_EDIT_CLOSED };

	(void)argc;
	if (read_times(&p, e) < 0 || repo_edit_open(p.cli, argv[0], &p.edit, e) < 0 || make_all(&p, e) < 0)
		return -1;
	if (write_targets(&p, e) < 0 || write_metadata(&p, e) < 0)
		return -1;
	if (tidy(&p, e) < 0)
		return err_wrap(e, "published, but the work area could not be tidied");
	return tell(&p, e);
}
