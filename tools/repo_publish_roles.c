/* Delegated roles in a publication: each is a file of its own, signed anew when it changes, and listed in snapshot. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "tools/repo_publication.h"

/* A role that was published, perhaps delegated to no longer, goes on from the version that snapshot lists: it
 * must never fall. */
static uint64_t last_version(const struct repo_publication *p, const char *name)
{
	const struct repo_state *s = &p->edit.state;
	char file[TUF_NAME_MAX_BYTES + sizeof(".json")];
	const struct tuf_meta *m = NULL;

	snprintf(file, sizeof(file), "%s.json", name);
	if (s->published)
		m = tuf_snapshot_find(tuf_trusted_snapshot(s->trusted), file);
	return m ? m->version : 0;
}

/* A repo_delegated_fn. */
static int plan_role(void *ctx, const char *name, const struct tuf_role_keys *keys, struct err *e)
{
	struct repo_publication *p = ctx;
	const struct repo_role *old = repo_state_role(&p->edit.state, name);
	struct repo_role_part *grown = reallocarray(p->roles, p->n_roles + 1, sizeof(*grown));
	uint64_t version;

	if (!grown)
		return err_sys(e, "role %s", name);
	p->roles = grown;
	struct repo_role_part *r = &p->roles[p->n_roles++];

	*r = (struct repo_role_part){ .name = strdup(name) };
	if (!r->name)
		return err_sys(e, "role %s", name);
	if (repo_next_version(p, name, last_version(p, name), &version, e) < 0)
		return -1;
	return repo_meta_targets(old ? old->body : NULL, version, p->expires_sec[TUF_TARGETS], &r->body, e);
}

static struct repo_role_part *find_part(struct repo_publication *p, const char *name)
{
	for (size_t i = 0; i < p->n_roles; i++)
		if (strcmp(p->roles[i].name, name) == 0)
			return &p->roles[i];
	return NULL;
}

/* The part that is to list @t, which its delegation must cover: clients would not find it otherwise. */
static int part_of_target(struct repo_publication *p, const struct draft_target *t, struct repo_role_part **out, struct err *e)
{
	const struct tuf_targets *next = p->next;
	char hash[TUF_PATH_HASH_BYTES], bin[TUF_BIN_NAME_BYTES];

	if (tuf_path_hash(t->name, hash, e) < 0)
		return -1;
	*out = NULL;
	if (next->bins.prefix && strcmp(next->bins.prefix, t->role) == 0) {
		tuf_bin_name(&next->bins, hash, bin);
		*out = find_part(p, bin);
	}
	for (size_t i = 0; i < next->n_delegations && !*out; i++) {
		if (strcmp(next->delegations[i].name, t->role) != 0)
			continue;
		if (!tuf_delegation_covers(&next->delegations[i], t->name, hash))
			return err_set(e, ERR_STATE, TUF_E_DELEGATION, "target '%s': the delegation to %s does not cover it", t->name, t->role);
		*out = find_part(p, t->role);
	}
	if (*out)
		return 0;
	return err_set(e, ERR_STATE, TUF_E_DELEGATION, "target '%s': targets does not delegate to '%s'", t->name, t->role);
}

static int merge_role_targets(struct repo_publication *p, struct err *e)
{
	const struct draft *d = p->edit.draft;

	for (size_t i = 0; i < d->n_targets; i++) {
		const struct draft_target *t = &d->targets[i];
		struct repo_role_part *part;

		if (!t->role[0])
			continue;
		if (part_of_target(p, t, &part, e) < 0)
			return -1;
		const int merged = repo_merge_target(p, part->body, t->name, t->length, &t->sha256, e);

		if (merged < 0)
			return -1;
		part->n_added += merged > 0;
		p->n_added += merged > 0;
	}
	return 0;
}

int repo_publication_plan_roles(struct repo_publication *p, struct err *e)
{
	if (repo_each_delegated(p->next, plan_role, p, e) < 0 || (!p->extend && merge_role_targets(p, e) < 0))
		return -1;
	for (size_t i = 0; i < p->n_roles; i++)
		p->n_targets += json_object_size(json_object_get(p->roles[i].body, "targets"));
	return 0;
}

/* The keys given for this role: under its name, or under the prefix of its bins (then *@by_prefix). NULL if there
 * are none. */
static struct repo_signers *given_signers(struct repo_publication *p, const char *name, bool *by_prefix)
{
	const struct tuf_bins *bins = &p->next->bins;

	for (size_t i = 0; i < p->n_role_signers; i++) {
		struct repo_role_signers *s = &p->role_signers[i];

		*by_prefix = tuf_bin_is(bins, name) && strcmp(s->name, bins->prefix) == 0;
		if (*by_prefix || strcmp(s->name, name) == 0)
			return &s->signers;
	}
	return NULL;
}

/* Why a role's published file will not do; NULL if it will. */
static const char *why_sign(const struct repo_publication *p, const struct repo_role_part *r, const struct repo_role *old,
			    const struct repo_signing_keys *by)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *file = NULL;
	struct err why;

	if (!old)
		return "the role has not been published yet";
	if (r->n_added)
		return "it has new targets";
	if (tuf_signed_load(buf_bytes(&old->text), TUF_TARGETS, r->name, &file, &why) < 0 ||
	    tuf_signed_verify(file, by->keys, by->role, r->name, &why) < 0)
		return "its delegation has other keys than those that signed the published file";
	if (old->targets->head.expires_sec <= p->now_sec)
		return "the published file has expired";
	return NULL;
}

static int keep_role(struct repo_role_part *r, const struct repo_role *old, struct err *e)
{
	r->part.version = old->targets->head.version;
	r->part.expires_sec = old->targets->head.expires_sec;
	r->part.text = BUF_INIT(old->text.n);
	return buf_append(&r->part.text, old->text.p, old->text.n, e);
}

static int sign_role(struct repo_publication *p, struct repo_role_part *r, struct repo_signers *s, const struct repo_signing_keys *by,
		     struct err *e)
{
	if (s->n < by->role->threshold)
		return err_set(e, ERR_TRUST, TUF_E_THRESHOLD, "role %s: %zu keys given, targets wants %" PRIu64, r->name, s->n, by->role->threshold);
	r->part.made = true;
	r->part.version = (uint64_t)json_integer_value(json_object_get(r->body, "version"));
	r->part.expires_sec = p->expires_sec[TUF_TARGETS];
	return repo_part_sign(&r->part, r->name, s, r->body, e);
}

static int make_role(struct repo_publication *p, struct repo_role_part *r, struct err *e)
{
	struct repo_signers none = { .n = 0 };
	const struct repo_role *old = repo_state_role(&p->edit.state, r->name);
	const struct repo_signing_keys by = { &p->next->keys, tuf_delegation_keys(p->next, r->name) };
	bool by_prefix = false;
	struct repo_signers *s = given_signers(p, r->name, &by_prefix);
	const char *why = why_sign(p, r, old, &by);

	if (s && repo_signers_match_role(s, by.keys, by.role, r->name, "targets", e) < 0)
		return -1;
	const int pending = repo_publication_use_pending(p, r->name, r->body, &by, s ? s : &none, &r->part, e);

	if (pending <= 0)
		return pending;
	if (!why && (!s || (by_prefix && !p->extend)))
		return keep_role(r, old, e);
	if (!s)
		return err_set(e, ERR_USAGE, "option", "--role-key %s=KEY is needed: %s",
			       tuf_bin_is(&p->next->bins, r->name) ? p->next->bins.prefix : r->name, why);
	return sign_role(p, r, s, &by, e);
}

static int check_given_names(const struct repo_publication *p, struct err *e)
{
	for (size_t i = 0; i < p->n_role_signers; i++) {
		const char *name = p->role_signers[i].name;

		if (!tuf_delegation_keys(p->next, name) && !(p->next->bins.prefix && strcmp(name, p->next->bins.prefix) == 0))
			return err_set(e, ERR_USAGE, TUF_E_DELEGATION, "--role-key %s=...: targets does not delegate to '%s'", name, name);
	}
	return 0;
}

int repo_publication_make_roles(struct repo_publication *p, struct err *e)
{
	if (check_given_names(p, e) < 0)
		return -1;
	for (size_t i = 0; i < p->n_roles; i++)
		if (make_role(p, &p->roles[i], e) < 0)
			return -1;
	return 0;
}
