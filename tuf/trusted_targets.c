/*
 * Roles that list targets. They are never freed before the set is, so the address of a delegating role stands for
 * "this very delegator" in the table of delegated roles, and entries handed out stay valid.
 */
#include "tuf/trusted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/deleg.h"
#include "tuf/trusted_set.h"

/* What the snapshot says of a role's file, whose name is written to @file. */
const struct tuf_meta *tuf_find_listed(const struct tuf_trusted *t, const char *role, char file[TUF_FILE_NAME_BYTES],
				       struct err *e)
{
	const int n = snprintf(file, TUF_FILE_NAME_BYTES, "%s.json", role);
	const struct tuf_meta *m = NULL;

	if (n > 0 && (size_t)n < TUF_FILE_NAME_BYTES)
		m = tuf_snapshot_find(t->snapshot, file);
	if (!m)
		err_set(e, ERR_TRUST, TUF_E_DELEGATION, "%s: not listed in the snapshot", file);
	return m;
}

static int read_targets(const struct tuf_trusted *t, const char *role, const struct tuf_keyring *keys,
			const struct tuf_role_keys *by, const char *whose, struct bytes in, struct tuf_targets **out,
			struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	CLEANUP(tuf_targets_free_p) struct tuf_targets *r = NULL;
	char file[TUF_FILE_NAME_BYTES];
	const struct tuf_meta *m = tuf_find_listed(t, role, file, e);

	if (!m || tuf_check_listed(m, in, file, e) < 0 || tuf_signed_load(in, TUF_TARGETS, file, &s, e) < 0 ||
	    tuf_signed_verify(s, keys, by, whose, e) < 0)
		return -1;
	tuf_signed_drop_canon(s);
	if (tuf_targets_parse(s, &r, e) < 0 || tuf_check_version(&r->head, m->version, file, e) < 0 ||
	    tuf_check_expiry(t, &r->head, file, e) < 0)
		return -1;
	*out = TAKE(r);
	return 0;
}

int tuf_trusted_update_targets(struct tuf_trusted *t, struct bytes in, struct err *e)
{
	if (!t->snapshot_final || t->targets)
		return tuf_out_of_order(e, "targets");
	if (t->relying && tuf_is_known(t, in)) {
		if (tuf_read_known_targets(t, in, &t->targets, e) < 0)
			return -1;
		t->relying = false;
		return TUF_SAME;
	}
	if (read_targets(t, "targets", &t->root->keys, &t->root->roles[TUF_TARGETS], "targets", in, &t->targets, e) < 0)
		return -1;
	t->relying = false;
	return 0;
}

static int delegated_order(const struct tuf_delegated *d, const struct tuf_targets *from, const char *name)
{
	const uintptr_t a = (uintptr_t)d->from, b = (uintptr_t)from;

	return a != b ? (a > b) - (a < b) : strcmp(d->name, name);
}

/* Where the entry is, or would be. */
static size_t delegated_place(const struct tuf_trusted *t, const struct tuf_targets *from, const char *name)
{
	size_t lo = 0, hi = t->n_delegated;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (delegated_order(&t->delegated[mid], from, name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

const struct tuf_targets *tuf_trusted_delegated(const struct tuf_trusted *t, const struct tuf_targets *from,
						const char *role)
{
	const size_t at = delegated_place(t, from, role);

	if (at == t->n_delegated || delegated_order(&t->delegated[at], from, role) != 0)
		return NULL;
	return t->delegated[at].role;
}

/* Takes @role over on success. */
static int insert_delegated(struct tuf_trusted *t, const struct tuf_targets *from, const char *name,
			    struct tuf_targets *role, struct err *e)
{
	const size_t at = delegated_place(t, from, name);

	if (t->n_delegated == t->cap_delegated) {
		const size_t cap = t->cap_delegated ? 2 * t->cap_delegated : 16;
		struct tuf_delegated *v = reallocarray(t->delegated, cap, sizeof(*v));

		if (!v)
			return err_sys(e, "%s.json", name);
		t->delegated = v;
		t->cap_delegated = cap;
	}
	char *copy = strdup(name);
	if (!copy)
		return err_sys(e, "%s.json", name);
	memmove(&t->delegated[at + 1], &t->delegated[at], (t->n_delegated - at) * sizeof(*t->delegated));
	t->delegated[at] = (struct tuf_delegated){ from, copy, role };
	t->n_delegated++;
	return 0;
}

static bool is_of_set(const struct tuf_trusted *t, const struct tuf_targets *r)
{
	if (r && r == t->targets)
		return true;
	for (size_t i = 0; i < t->n_delegated; i++)
		if (t->delegated[i].role == r)
			return true;
	return false;
}

int tuf_trusted_update_delegated(struct tuf_trusted *t, const struct tuf_targets *from, const char *role,
				 struct bytes in, const struct tuf_targets **out, struct err *e)
{
	CLEANUP(tuf_targets_free_p) struct tuf_targets *r = NULL;
	const struct tuf_targets *there;

	if (!is_of_set(t, from))
		return tuf_out_of_order(e, "a delegated role");
	there = tuf_trusted_delegated(t, from, role);
	if (!there) {
		const struct tuf_role_keys *by = tuf_delegation_keys(from, role);

		if (!by)
			return err_set(e, ERR_TRUST, TUF_E_DELEGATION, "%s.json: the role is not delegated to", role);
		if (read_targets(t, role, &from->keys, by, "its delegation", in, &r, e) < 0 ||
		    insert_delegated(t, from, role, r, e) < 0)
			return -1;
		there = TAKE(r);
	}
	if (out)
		*out = there;
	return 0;
}
