/* The draft in memory and its place on disk; repo_draft_json.c knows the format. Lists are short, so they are
 * searched in order. */
#include "tools/repo_draft.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/num.h"

void draft_free(struct draft *d)
{
	if (!d)
		return;
	free(d->targets);
	free(d->images);
	free(d);
}

int draft_new(struct draft **out, struct err *e)
{
	*out = calloc(1, sizeof(**out));
	if (!*out) {
		errno = ENOMEM;
		return err_sys(e, "the draft");
	}
	return 0;
}

int draft_load(const struct repo *r, struct draft **out, struct err *e)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(DRAFT_MAX_BYTES);

	if (!repo_has(r->staging, REPO_DRAFT))
		return draft_new(out, e);
	if (file_read(r->staging, REPO_DRAFT, &b, e) < 0 || draft_parse(buf_bytes(&b), out, e) < 0)
		return err_wrap(e, "%s/staging", r->path);
	return 0;
}

int draft_store(const struct repo *r, const struct draft *d, struct err *e)
{
	CLEANUP(buf_fini) struct buf b = BUF_INIT(DRAFT_MAX_BYTES);

	if (draft_print(d, &b, e) < 0 || file_replace(r->staging, REPO_DRAFT, buf_bytes(&b), 0644, e) < 0)
		return err_wrap(e, "%s/staging", r->path);
	return 0;
}

/* Room for one more element of @size bytes in a list of @n, which may move. */
static int grow(void **list, size_t n, size_t max, size_t size, const char *what, struct err *e)
{
	size_t bytes;

	if (n >= max)
		return err_set(e, ERR_FORMAT, "limit", "more than %zu %s", max, what);
	if (!mul_size(n + 1, size, &bytes))
		return err_set(e, ERR_BUG, NULL, "%s: overflow", what);
	void *p = realloc(*list, bytes);
	if (!p) {
		errno = ENOMEM;
		return err_sys(e, "%s", what);
	}
	*list = p;
	return 0;
}

static struct draft_target *target_of(const struct draft *d, const char *name)
{
	for (size_t i = 0; i < d->n_targets; i++)
		if (strcmp(d->targets[i].name, name) == 0)
			return &d->targets[i];
	return NULL;
}

const struct draft_target *draft_find_target(const struct draft *d, const char *name)
{
	return target_of(d, name);
}

struct draft_images *draft_find_images(const struct draft *d, const char *variant, const char *arch, const struct version *v)
{
	for (size_t i = 0; i < d->n_images; i++) {
		struct draft_images *m = &d->images[i];

		if (strcmp(m->variant, variant) == 0 && strcmp(m->arch, arch) == 0 && version_compare(&m->version, v) == 0)
			return m;
	}
	return NULL;
}

int draft_add_target(struct draft *d, const struct draft_target *t, struct err *e)
{
	struct draft_target *at = target_of(d, t->name);

	if (!at) {
		if (grow((void **)&d->targets, d->n_targets, DRAFT_TARGETS_MAX, sizeof(*t), "targets in the draft", e) < 0)
			return -1;
		at = &d->targets[d->n_targets++];
	}
	*at = *t;
	return 0;
}

int draft_add_images(struct draft *d, const struct draft_images *i, struct err *e)
{
	struct draft_images *at = draft_find_images(d, i->variant, i->arch, &i->version);

	if (!at) {
		if (grow((void **)&d->images, d->n_images, DRAFT_IMAGES_MAX, sizeof(*i), "images in the draft", e) < 0)
			return -1;
		at = &d->images[d->n_images++];
	}
	*at = *i;
	return 0;
}

void draft_remove_target(struct draft *d, const char *name)
{
	struct draft_target *t = target_of(d, name);

	if (!t)
		return;
	const size_t behind = d->n_targets - (size_t)(t - d->targets) - 1;

	memmove(t, t + 1, behind * sizeof(*t));
	d->n_targets--;
}

void draft_remove_images(struct draft *d, struct draft_images *i)
{
	const size_t behind = d->n_images - (size_t)(i - d->images) - 1;

	memmove(i, i + 1, behind * sizeof(*i));
	d->n_images--;
}
