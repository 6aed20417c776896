/*
 * The manifest in memory. Invariants, which the parser establishes and the editors keep: waves rise by seed,
 * steps by their versions, no two of either are the same, and every string is owned by the manifest.
 */
#include "updater/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "updater/manifest_internal.h"

int manifest_new(struct manifest **out, struct err *e)
{
	struct manifest *m = calloc(1, sizeof(*m));

	if (!m)
		return err_sys(e, "manifest");
	*out = m;
	return 0;
}

void manifest_update_fini(struct manifest_update *u)
{
	free(u->variant);
	free(u->arch);
	free(u->waves);
	for (size_t i = 0; i < PART_N_ROLES; i++)
		free(u->images[i]);
	memset(u, 0, sizeof(*u));
}

void manifest_step_fini(struct manifest_step *s)
{
	for (size_t i = 0; i < s->n_names; i++)
		free(s->names[i]);
	free(s->names);
	memset(s, 0, sizeof(*s));
}

void manifest_free(struct manifest *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n_updates; i++)
		manifest_update_fini(&m->updates[i]);
	for (size_t i = 0; i < m->n_steps; i++)
		manifest_step_fini(&m->steps[i]);
	free(m->updates);
	free(m->steps);
	free(m);
}

int manifest_grow(void *array, size_t n, size_t elem_bytes, struct err *e)
{
	void *p;
	size_t want;

	if (n && !is_pow2_u64(n))
		return 0;
	memcpy(&p, array, sizeof(p));
	if (!mul_size(n ? n : 1, 2, &want) || !mul_size(want, elem_bytes, &want))
		return err_set(e, ERR_FORMAT, "limit", "manifest: too many elements");
	p = realloc(p, want);
	if (!p)
		return err_sys(e, "manifest");
	memcpy(array, &p, sizeof(p));
	return 0;
}

int manifest_step_compare(const void *a, const void *b)
{
	const struct manifest_step *x = a, *y = b;
	const int c = version_compare(&x->from, &y->from);

	return c ? c : version_compare(&x->to, &y->to);
}

/* A copy of @s in *@out; NULL stays NULL. */
static int copy_str(const char *s, char **out, struct err *e)
{
	*out = s ? strdup(s) : NULL;
	return s && !*out ? err_sys(e, "manifest") : 0;
}

static int copy_update(const struct manifest_update *from, struct manifest_update *to, struct err *e)
{
	*to = *from;
	to->variant = to->arch = NULL;
	to->waves = NULL;
	memset(to->images, 0, sizeof(to->images));
	if (copy_str(from->variant, &to->variant, e) < 0 || copy_str(from->arch, &to->arch, e) < 0)
		return -1;
	for (size_t i = 0; i < PART_N_ROLES; i++)
		if (copy_str(from->images[i], &to->images[i], e) < 0)
			return -1;
	if (from->n_waves) {
		to->waves = calloc(from->n_waves, sizeof(*to->waves));
		if (!to->waves)
			return err_sys(e, "manifest");
		memcpy(to->waves, from->waves, from->n_waves * sizeof(*to->waves));
	}
	return 0;
}

int manifest_add_update(struct manifest *m, const struct manifest_update *u, struct err *e)
{
	struct manifest_update copy;

	if (m->n_updates >= MANIFEST_UPDATES_MAX)
		return err_set(e, ERR_FORMAT, "limit", "manifest: more than %d updates", MANIFEST_UPDATES_MAX);
	if (manifest_grow(&m->updates, m->n_updates, sizeof(*m->updates), e) < 0)
		return -1;
	if (copy_update(u, &copy, e) < 0) {
		manifest_update_fini(&copy);
		return -1;
	}
	m->updates[m->n_updates++] = copy;
	return 0;
}

static int copy_step(const struct manifest_step *from, struct manifest_step *to, struct err *e)
{
	*to = (struct manifest_step){ .from = from->from, .to = from->to };
	if (!from->n_names)
		return 0;
	to->names = calloc(from->n_names, sizeof(*to->names));
	if (!to->names)
		return err_sys(e, "manifest");
	for (; to->n_names < from->n_names; to->n_names++)
		if (copy_str(from->names[to->n_names], &to->names[to->n_names], e) < 0)
			return -1;
	return 0;
}

/* The first place whose step is not below @s. */
static size_t step_place(const struct manifest *m, const struct manifest_step *s)
{
	size_t i = 0;

	while (i < m->n_steps && manifest_step_compare(&m->steps[i], s) < 0)
		i++;
	return i;
}

int manifest_add_step(struct manifest *m, const struct manifest_step *s, struct err *e)
{
	const size_t at = step_place(m, s);
	const bool replace = at < m->n_steps && manifest_step_compare(&m->steps[at], s) == 0;
	struct manifest_step copy;

	if (!replace && m->n_steps >= MANIFEST_MIGRATIONS_MAX)
		return err_set(e, ERR_FORMAT, "limit", "manifest: more than %d migration steps", MANIFEST_MIGRATIONS_MAX);
	if (!replace && manifest_grow(&m->steps, m->n_steps, sizeof(*m->steps), e) < 0)
		return -1;
	if (copy_step(s, &copy, e) < 0) {
		manifest_step_fini(&copy);
		return -1;
	}
	if (replace) {
		manifest_step_fini(&m->steps[at]);
	} else {
		memmove(&m->steps[at + 1], &m->steps[at], (m->n_steps - at) * sizeof(*m->steps));
		m->n_steps++;
	}
	m->steps[at] = copy;
	return 0;
}
