/*
 * Lookup and download. The search says which role it has to see; its file is taken from the store if it verifies
 * against the delegator that asks for it now, else it is fetched and stored. A target's bytes go through length
 * and digests before its end is told.
 */
#include "tuf/client.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tuf/checked.h"
#include "tuf/client_state.h"
#include "tuf/search.h"

#define WHAT_BYTES (TUF_NAME_MAX_BYTES + 16)

/* A delegated role from one delegator's view. */
struct offer {
	struct tuf_trusted *t;
	const struct tuf_targets *from;
	const char *role;
	const struct tuf_targets **out; /* or NULL */
};

static int accept_delegated(void *ctx, struct bytes in, struct err *e)
{
	const struct offer *o = (const struct offer *)ctx;

	return tuf_trusted_update_delegated(o->t, o->from, o->role, in, o->out, e);
}

static int load_delegated(struct tuf_client *c, const struct tuf_targets *from, const char *role, const struct tuf_next *next,
			  const struct tuf_targets **out, struct err *e)
{
	struct buf stored = { 0 }, in = { 0 };
	struct offer offer = { .t = c->trusted, .from = from, .role = role, .out = out };
	struct err why;
	int r = tuf_client_stored(c, role, tuf_type_max_bytes(TUF_TARGETS), &stored, e);
	bool due = r > 0;

	if (r == 0 && accept_delegated(&offer, buf_bytes(&stored), &why) < 0) {
		r = tuf_client_pass_over(&why, e);
		due = r == 0;
	}
	if (due) {
		r = tuf_client_fetch(c, role, next, accept_delegated, &offer, &in, e);
		if (r == 0)
			r = tuf_store_save(c->store, role, buf_bytes(&in), e);
	}
	buf_fini(&stored);
	buf_fini(&in);
	return r;
}

int tuf_client_load_role(struct tuf_client *c, const struct tuf_targets *from, const char *role, const struct tuf_targets **out,
			 struct err *e)
{
	struct tuf_next next;

	*out = tuf_trusted_delegated(c->trusted, from, role);
	if (*out)
		return 0;
	if (tuf_trusted_next(c->trusted, role, &next, e) < 0)
		return -1;
	return load_delegated(c, from, role, &next, out, e);
}

/* A copy of @role that lives as long as the client; one for each name. */
static const char *keep_role_name(struct tuf_client *c, const char *role, struct err *e)
{
	for (size_t i = 0; i < c->n_role_names; i++)
		if (strcmp(c->role_names[i], role) == 0)
			return c->role_names[i];
	char **grown = (char **)reallocarray(c->role_names, c->n_role_names + 1, sizeof(*grown));
	char *name = strdup(role);

	if (grown)
		c->role_names = grown;
	if (!grown || !name) {
		free(name);
		err_set(e, ERR_SYSTEM, "memory", "role %s: out of memory", role);
		return NULL;
	}
	c->role_names[c->n_role_names++] = name;
	return name;
}

static int describe(struct tuf_client *c, const struct tuf_search_at *at, struct tuf_target *out, struct err *e)
{
	const struct tuf_entry *entry = at->entry;
	struct tuf_target t = { .path = entry->path, .length = entry->length, .custom = entry->custom };

	t.role = keep_role_name(c, at->role, e);
	if (!t.role)
		return -1;
	for (; t.n_hashes < entry->hashes.n; t.n_hashes++)
		t.hashes[t.n_hashes] = entry->hashes.v[t.n_hashes];
	*out = t;
	return 0;
}

int tuf_client_find(struct tuf_client *c, const char *path, struct tuf_target *out, struct err *e)
{
	CLEANUP(tuf_search_free_p) struct tuf_search *s = NULL;
	struct tuf_search_at at;
	int r;

	if (!tuf_trusted_targets_head(c->trusted))
		return err_set(e, ERR_STATE, NULL, "target %s: nothing has been refreshed or loaded", path);
	if (tuf_client_need_targets(c, c->trusted, e) < 0)
		return err_wrap(e, "target %s", path);
	if (tuf_search_new(c->trusted, path, &s, e) < 0)
		return -1;
	while ((r = tuf_search_step(s, &at, e)) == TUF_SEARCH_LOAD)
		if (load_delegated(c, at.from, at.role, &at.next, NULL, e) < 0)
			return err_wrap(e, "target %s", path);
	return r < 0 ? -1 : describe(c, &at, out, e);
}

int tuf_client_open_target(struct tuf_client *c, const struct tuf_target *t, struct source **out, struct err *e)
{
	struct buf what = BUF_INIT(WHAT_BYTES);
	struct source *s = NULL;
	int r = -1;

	if (c->offline)
		return err_set(e, ERR_STATE, "offline", "target %s: this client was opened to work offline", t->path);
	if (!tuf_mirrors_count(c->mirrors, TUF_MIRROR_TARGETS))
		return err_set(e, ERR_USAGE, "url", "target %s: no targets URL was given", t->path);
	if (t->n_hashes == 0)
		return err_set(e, ERR_TRUST, TUF_E_DIGEST, "target %s: listed without a sha256 or sha512 digest", t->path);
	if (buf_printf(&what, e, "target %s", t->path) == 0 && buf_str(&what, e))
		r = tuf_client_stream(c, t, (const char *)what.p, &s, e);
	if (r == 0)
		r = tuf_checked_new(s, t->length, t->hashes, t->n_hashes, (const char *)what.p, out, e);
	buf_fini(&what);
	return r;
}

int tuf_client_read_target(struct tuf_client *c, const char *path, struct buf *out, struct err *e)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	struct tuf_target t;

	if (tuf_client_find(c, path, &t, e) < 0)
		return -1;
	if (t.length > out->max - out->n)
		return err_set(e, ERR_FORMAT, "limit", "target %s: %" PRIu64 " bytes are more than the %zu allowed here", path,
			       t.length, out->max - out->n);
	if (tuf_client_open_target(c, &t, &s, e) < 0)
		return -1;
	return source_read_all(s, out, e);
}
