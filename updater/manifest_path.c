/*
 * The way from one version to another through the manifest's steps. Greedy as Bottlerocket's: from where we are,
 * the step that ends highest without passing the goal; a dead end is an error, there is no going back. Every step
 * taken goes up, so the walk ends after at most as many steps as there are; steps that lead down or nowhere are
 * never taken.
 */
#include "updater/manifest.h"

#include <stdlib.h>

static const struct manifest_step *best_step(const struct manifest *m, const struct version *at, const struct version *goal)
{
	const struct manifest_step *best = NULL;

	for (size_t i = 0; i < m->n_steps; i++) {
		const struct manifest_step *s = &m->steps[i];

		if (version_compare(&s->from, at) != 0 || version_compare(&s->to, at) <= 0 ||
		    version_compare(&s->to, goal) > 0)
			continue;
		if (!best || version_compare(&s->to, &best->to) > 0)
			best = s;
	}
	return best;
}

/* Walks from @low to @high. Counts the names in *@n, and puts them into @names if that is not NULL. */
static int walk(const struct manifest *m, const struct version *low, const struct version *high, const char **names,
		size_t *n, struct err *e)
{
	const struct version *at = low;

	*n = 0;
	while (version_compare(at, high) < 0) {
		const struct manifest_step *s = best_step(m, at, high);

		if (!s)
			return err_set(e, ERR_MISSING, "migration", "no migration leads from %s on towards %s", at->text,
				       high->text);
		for (size_t i = 0; i < s->n_names; i++, (*n)++)
			if (names)
				names[*n] = s->names[i];
		at = &s->to;
	}
	return 0;
}

static void reverse(const char **names, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		const char *t = names[i];

		names[i] = names[n - 1 - i];
		names[n - 1 - i] = t;
	}
}

int manifest_migrations(const struct manifest *m, const struct version *from, const struct version *to,
			const char ***names, size_t *n, struct err *e)
{
	const bool down = version_compare(from, to) > 0;
	const struct version *low = down ? to : from, *high = down ? from : to;
	const char **list = NULL;
	size_t count;

	if (walk(m, low, high, NULL, &count, e) < 0)
		return -1;
	if (count) {
		list = calloc(count, sizeof(*list));
		if (!list)
			return err_sys(e, "list of migrations");
		if (walk(m, low, high, list, &count, e) < 0) {
			free(list);
			return -1;
		}
		if (down)
			reverse(list, count);
	}
	*names = list;
	*n = count;
	return 0;
}
