/*
 * The stack holds the roles still to be seen, each with the delegator it was reached by; the top is next. A role
 * is taken off only when it has been loaded, so stepping again after a load finds it there. Visited roles are few
 * (TUF_DELEGATIONS_MAX), so a list will do.
 */
#include "tuf/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/deleg.h"

struct waiting {
	char *role;
	const struct tuf_targets *from;
};

struct tuf_search {
	const struct tuf_trusted *t;
	char *path;
	char path_hash[TUF_PATH_HASH_BYTES];
	bool started, asked; /* @asked: the top was reported to be loaded */
	struct waiting *stack;
	size_t n_stack, cap_stack;
	char *visited[TUF_DELEGATIONS_MAX];
	size_t n_visited;
};

int tuf_search_new(const struct tuf_trusted *t, const char *path, struct tuf_search **out, struct err *e)
{
	CLEANUP(tuf_search_free_p) struct tuf_search *s = calloc(1, sizeof(*s));

	if (!tuf_trusted_targets(t))
		return err_set(e, ERR_BUG, NULL, "a search before there are trusted targets");
	if (!s || !(s->path = strdup(path))) {
		errno = ENOMEM;
		return err_sys(e, "searching %s", path);
	}
	s->t = t;
	if (tuf_path_hash(path, s->path_hash, e) < 0)
		return -1;
	*out = TAKE(s);
	return 0;
}

static void drop_stack(struct tuf_search *s)
{
	while (s->n_stack > 0)
		free(s->stack[--s->n_stack].role);
}

void tuf_search_free(struct tuf_search *s)
{
	if (!s)
		return;
	drop_stack(s);
	free(s->stack);
	for (size_t i = 0; i < s->n_visited; i++)
		free(s->visited[i]);
	free(s->path);
	free(s);
}

static bool is_visited(const struct tuf_search *s, const char *role)
{
	for (size_t i = 0; i < s->n_visited; i++)
		if (strcmp(s->visited[i], role) == 0)
			return true;
	return false;
}

static int push(struct tuf_search *s, const char *role, const struct tuf_targets *from, struct err *e)
{
	if (s->n_stack == s->cap_stack) {
		const size_t cap = s->cap_stack ? 2 * s->cap_stack : 16;
		struct waiting *v = reallocarray(s->stack, cap, sizeof(*v));

		if (!v)
			return err_sys(e, "searching %s", s->path);
		s->stack = v;
		s->cap_stack = cap;
	}
	char *copy = strdup(role);
	if (!copy)
		return err_sys(e, "searching %s", s->path);
	s->stack[s->n_stack++] = (struct waiting){ copy, from };
	return 0;
}

/* The first delegated to is searched first, so it has to be on top. */
static void reverse_above(struct tuf_search *s, size_t below)
{
	for (size_t lo = below, hi = s->n_stack; lo + 1 < hi; lo++, hi--) {
		const struct waiting w = s->stack[lo];

		s->stack[lo] = s->stack[hi - 1];
		s->stack[hi - 1] = w;
	}
}

/* The first delegation that covers the path and is terminating ends the list. NULL if none is. */
static const struct tuf_delegation *find_terminating(const struct tuf_search *s, const struct tuf_targets *from)
{
	for (size_t i = 0; i < from->n_delegations; i++)
		if (from->delegations[i].terminating &&
		    tuf_delegation_covers(&from->delegations[i], s->path, s->path_hash))
			return &from->delegations[i];
	return NULL;
}

/* Puts what @from delegates of the path onto the stack. A terminating delegation throws away all that was waiting. */
static int push_delegations(struct tuf_search *s, const struct tuf_targets *from, struct err *e)
{
	const struct tuf_delegation *last = find_terminating(s, from);

	if (last)
		drop_stack(s);
	const size_t below = s->n_stack;
	for (size_t i = 0; i < from->n_delegations; i++) {
		const struct tuf_delegation *d = &from->delegations[i];

		if (tuf_delegation_covers(d, s->path, s->path_hash) && push(s, d->name, from, e) < 0)
			return -1;
		if (d == last)
			break;
	}
	reverse_above(s, below);
	if (!from->bins.prefix)
		return 0;
	char bin[TUF_BIN_NAME_BYTES];
	tuf_bin_name(&from->bins, s->path_hash, bin);
	return push(s, bin, from, e);
}

/* Looks into a loaded role. Return: TUF_SEARCH_FOUND; 0 go on; -1 */
static int visit(struct tuf_search *s, const char *name, const struct tuf_targets *role, struct tuf_search_at *at,
		 struct err *e)
{
	const struct tuf_entry *entry = tuf_targets_find(role, s->path);

	if (!entry)
		return push_delegations(s, role, e);
	*at = (struct tuf_search_at){ .role = name, .from = at->from, .entry = entry };
	drop_stack(s);
	return TUF_SEARCH_FOUND;
}

static int ask_for_top(struct tuf_search *s, struct tuf_search_at *at, struct err *e)
{
	const struct waiting *top = &s->stack[s->n_stack - 1];
	struct tuf_search_at want = { .role = top->role, .from = top->from };

	if (s->asked)
		return err_set(e, ERR_BUG, NULL, "searching %s: %s was not loaded", s->path, top->role);
	if (tuf_trusted_next(s->t, top->role, &want.next, e) < 0)
		return err_wrap(e, "searching %s", s->path);
	s->asked = true;
	*at = want;
	return TUF_SEARCH_LOAD;
}

/* One role off the stack, or a request to load it. */
static int step(struct tuf_search *s, struct tuf_search_at *at, struct err *e)
{
	struct waiting *top = &s->stack[s->n_stack - 1];

	if (is_visited(s, top->role)) {
		free(top->role);
		s->n_stack--;
		return 0;
	}
	if (s->n_visited == TUF_DELEGATIONS_MAX)
		return err_set(e, ERR_MISSING, TUF_E_NO_TARGET, "%s: not in the first %d delegated roles", s->path,
			       TUF_DELEGATIONS_MAX);
	const struct tuf_targets *role = tuf_trusted_delegated(s->t, top->from, top->role);
	if (!role)
		return ask_for_top(s, at, e);
	char *name = top->role;
	at->from = top->from;
	s->asked = false;
	s->n_stack--;
	s->visited[s->n_visited++] = name;
	return visit(s, name, role, at, e);
}

int tuf_search_step(struct tuf_search *s, struct tuf_search_at *at, struct err *e)
{
	int r = 0;

	if (!s->started) {
		s->started = true;
		at->from = NULL;
		r = visit(s, tuf_type_name(TUF_TARGETS), tuf_trusted_targets(s->t), at, e);
	}
	while (r == 0 && s->n_stack > 0)
		r = step(s, at, e);
	if (r != 0)
		return r;
	return err_set(e, ERR_MISSING, TUF_E_NO_TARGET, "%s: no trusted role lists it", s->path);
}
