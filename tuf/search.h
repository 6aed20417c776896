/*
 * The search for a target through delegations (specification 5.6.7): pre-order, depth first, each role visited
 * once, a terminating delegation ends it, at most TUF_DELEGATIONS_MAX delegated roles. It does no I/O: it says
 * which role it has to see next.
 *
 *	while ((r = tuf_search_step(s, &at, e)) == TUF_SEARCH_LOAD)
 *		fetch at.role, tuf_trusted_update_delegated(t, at.from, at.role, bytes, NULL, e); a failure ends the search
 */
#ifndef FLIPSIDE_TUF_SEARCH_H
#define FLIPSIDE_TUF_SEARCH_H

#include "base/cleanup.h"
#include "base/err.h"
#include "tuf/trusted.h"

#define TUF_SEARCH_LOAD 1  /* @role has to be loaded, as seen from @from; then step again */
#define TUF_SEARCH_FOUND 2 /* @role lists it: @entry */

struct tuf_search;

struct tuf_search_at {
	const char *role;		 /* unencoded name; valid as long as the search */
	const struct tuf_targets *from;	 /* the delegating role */
	const struct tuf_entry *entry;	 /* TUF_SEARCH_FOUND: owned by the trusted set */
	struct tuf_next next;		 /* TUF_SEARCH_LOAD: how to ask for the file */
};

/* @t must have top-level targets (else ERR_BUG) and outlive the search; @path is copied. */
int tuf_search_new(const struct tuf_trusted *t, const char *path, struct tuf_search **out, struct err *e);
void tuf_search_free(struct tuf_search *s);
DEFINE_CLEANUP(struct tuf_search, tuf_search_free);

/**
 * tuf_search_step() - go on
 * Return: TUF_SEARCH_LOAD, TUF_SEARCH_FOUND; -1: ERR_MISSING TUF_E_NO_TARGET no role lists it, or too many roles
 * without finding it; ERR_TRUST TUF_E_DELEGATION a role that the snapshot does not list; ERR_BUG a role asked for
 * was not loaded; ERR_SYSTEM
 */
int tuf_search_step(struct tuf_search *s, struct tuf_search_at *at, struct err *e);

#endif
