/* The served folders, written in the order that lets a reader, or a power cut, come in between: see repo_publish.c. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "base/stream.h"
#include "tools/repo_publication.h"

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
static int write_targets(const struct repo_publication *p, struct err *e)
{
	const struct repo_edit *x = &p->edit;
	char name[REPO_PUBLISHED_BYTES];
	struct digest sha256;

	for (size_t i = 0; i < x->draft->n_targets; i++) {
		const struct draft_target *t = &x->draft->targets[i];

		if (repo_is_published(&x->state, t->name, t->length, &t->sha256))
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

static int write_file(const struct repo_publication *p, const char *name, const struct repo_part *part, struct err *e)
{
	if (!part->made)
		return 0;
	if (file_replace(p->edit.repo.metadata, name, buf_bytes(&part->text), 0644, e) < 0)
		return err_wrap(e, "%s/metadata", p->edit.repo.path);
	return 0;
}

static int write_metadata(const struct repo_publication *p, struct err *e)
{
	static const enum tuf_type in_order[] = { TUF_TARGETS, TUF_SNAPSHOT, TUF_TIMESTAMP };
	char name[REPO_FILE_NAME_BYTES], file[REPO_ROLE_FILE_BYTES];

	for (size_t i = 0; i < p->n_roles; i++) {
		const struct repo_role_part *r = &p->roles[i];

		if (repo_role_file(r->part.version, r->name, file, e) < 0 || write_file(p, file, &r->part, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < ARRAY_LEN(in_order); i++) {
		const struct repo_part *part = &p->parts[in_order[i]];

		repo_metadata_name(in_order[i], part->version, name);
		if (write_file(p, name, part, e) < 0)
			return -1;
	}
	return 0;
}

static int remove_pending(const struct repo_publication *p, const char *role, const struct repo_part *part, struct err *e)
{
	char name[REPO_PENDING_BYTES];

	repo_pending_name(role, name);
	return part->made ? file_remove(p->edit.repo.staging, name, e) : 0;
}

/* What is published leaves the draft; then its files leave the work area. */
static int tidy(struct repo_publication *p, struct err *e)
{
	struct repo_edit *x = &p->edit;
	struct draft rest = *x->draft;

	rest.n_targets = 0;
	if (draft_store(&x->repo, &rest, e) < 0)
		return -1;
	for (size_t i = 0; i < x->draft->n_targets; i++)
		if (file_remove(x->repo.staged_targets, x->draft->targets[i].name, e) < 0)
			return -1;
	for (size_t i = 0; i < p->n_roles; i++)
		if (remove_pending(p, p->roles[i].name, &p->roles[i].part, e) < 0)
			return -1;
	if (remove_pending(p, "targets", &p->parts[TUF_TARGETS], e) < 0 || file_remove(x->repo.staging, REPO_DELEGATIONS, e) < 0)
		return -1;
	return file_remove(x->repo.staging, REPO_MANIFEST, e);
}

int repo_publication_write(struct repo_publication *p, struct err *e)
{
	if (!p->extend && write_targets(p, e) < 0)
		return -1;
	if (write_metadata(p, e) < 0)
		return -1;
	if (!p->extend && tidy(p, e) < 0)
		return err_wrap(e, "published, but the work area could not be tidied");
	return 0;
}
