/* Targets: their names, their files, and files that are nobody's. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/num.h"
#include "tools/repo_check.h"

/* The rule by which hosts make a file of it: parts of a path, each of them a plain name. */
static bool path_is_safe(const char *path)
{
	const char *p = path;

	for (const char *slash; (slash = strchr(p, '/')); p = slash + 1) {
		char part[TUF_NAME_MAX_BYTES + 1];

		snprintf(part, sizeof(part), "%.*s", (int)(slash - p), p);
		if (!file_name_is_safe(part))
			return false;
	}
	return file_name_is_safe(p);
}

static bool bin_covers(const struct tuf_bins *b, const char *role, const char *hash)
{
	char bin[TUF_BIN_NAME_BYTES];

	if (!b->prefix)
		return false;
	tuf_bin_name(b, hash, bin);
	return strcmp(bin, role) == 0;
}

/* Does every delegation on the way down cover the path? A search never comes to it otherwise. */
static bool is_reachable(const struct check_role *role, const char *path, const char *hash)
{
	for (; role->from; role = role->from) {
		const struct tuf_targets *from = role->from->targets;
		bool covered = bin_covers(&from->bins, role->name, hash);

		for (size_t i = 0; i < from->n_delegations; i++)
			covered |= strcmp(from->delegations[i].name, role->name) == 0 && tuf_delegation_covers(&from->delegations[i], path, hash);
		if (!covered)
			return false;
	}
	return true;
}

static void add_target_err(struct check *k, const struct err *e)
{
	const char *token = "unreadable";

	if (e->kind == ERR_MISSING)
		token = "target-missing";
	else if (e->reason && strcmp(e->reason, "length") == 0)
		token = "target-length";
	else if (e->reason && strcmp(e->reason, "digest") == 0)
		token = "target-digest";
	check_add(k, e->kind, token, "%s", e->msg);
}

static void read_target(struct check *k, const struct tuf_entry *t, void *piece)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	struct err e;
	size_t n;
	int r;

	if (repo_remote_target(&k->remote, t, !k->root || k->root->consistent_snapshot, &s, &e) < 0) {
		add_target_err(k, &e);
		return;
	}
	while ((r = source_read(s, piece, PUMP_BUFFER_BYTES, &n, &e)) == 0)
		;
	if (r < 0)
		add_target_err(k, &e);
}

static int check_entry(struct check *k, const struct check_role *role, const struct tuf_entry *t, void *piece, struct err *e)
{
	char hash[TUF_PATH_HASH_BYTES];

	if (tuf_path_hash(t->path, hash, e) < 0)
		return -1;
	if (!is_reachable(role, t->path, hash))
		check_add(k, ERR_NONE, "target-unreachable", "target %s: role %s lists it, and is not asked for it", t->path, role->name);
	if (!path_is_safe(t->path)) {
		check_add(k, ERR_FORMAT, "unsafe-name", "target %s: no file name that hosts accept", t->path);
		return 0;
	}
	if (t->hashes.n == 0) {
		check_add(k, ERR_TRUST, "target-without-digest", "target %s: neither sha256 nor sha512 is listed", t->path);
		return 0;
	}
	if (k->remote.targets_url)
		read_target(k, t, piece);
	return 0;
}

/* Names of files in targets/ that some metadata file lists, in order. */
struct names {
	size_t n, cap;
	char **v;
};

static int add_name(struct names *l, const char *name, struct err *e)
{
	if (l->n == l->cap) {
		const size_t cap = l->cap ? 2 * l->cap : 64;
		char **grown = reallocarray(l->v, cap, sizeof(*grown));

		if (!grown)
			return err_sys(e, "targets");
		l->v = grown;
		l->cap = cap;
	}
	l->v[l->n] = strdup(name);
	if (!l->v[l->n])
		return err_sys(e, "targets");
	l->n++;
	return 0;
}

static void names_fini(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
}

static int name_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_served_names(struct names *l, const struct tuf_entry *t, struct err *e)
{
	char name[REPO_PUBLISHED_BYTES];
	struct err why;

	if (strchr(t->path, '/') || !file_name_is_safe(t->path))
		return 0;
	for (size_t i = 0; i < t->hashes.n; i++)
		if (repo_published_name(t->path, &t->hashes.v[i], name, &why) == 0 && add_name(l, name, e) < 0)
			return -1;
	return add_name(l, t->path, e);
}

struct listing {
	struct check *k;
	struct names names;
};

/* A check_name_fn over metadata/: older versions count too, because hosts may be in the middle of an update to them. */
static int note_listed(void *ctx, const char *name, struct err *e)
{
	struct listing *l = ctx;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(TUF_TARGETS_MAX_BYTES);
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	CLEANUP(tuf_targets_free_p) struct tuf_targets *t = NULL;
	struct err why;

	if (file_read(l->k->local.metadata, name, &text, &why) < 0 ||
	    tuf_signed_load(buf_bytes(&text), TUF_TARGETS, name, &s, &why) < 0 || tuf_targets_parse(s, &t, &why) < 0)
		return 0;
	for (size_t i = 0; i < t->n_entries; i++)
		if (add_served_names(&l->names, &t->entries[i], e) < 0)
			return -1;
	return 0;
}

/* A check_name_fn over targets/. */
static int check_orphan(void *ctx, const char *name, struct err *e)
{
	struct listing *l = ctx;

	if (l->names.n == 0 || !bsearch(&name, l->names.v, l->names.n, sizeof(*l->names.v), name_order))
		check_add(l->k, ERR_NONE, "orphan-target", "targets/%s: no metadata lists it", name);
	return 0;
}

static int check_orphans(struct check *k, struct err *e)
{
	struct listing l = { .k = k };
	int r = check_each_name(k->local.metadata, note_listed, &l, e);

	if (l.names.n)
		qsort(l.names.v, l.names.n, sizeof(*l.names.v), name_order);
	if (r == 0)
		r = check_each_name(k->local.targets, check_orphan, &l, e);
	names_fini(&l.names);
	return r;
}

int check_targets(struct check *k, struct err *e)
{
	CLEANUP(free_p) void *piece = malloc(PUMP_BUFFER_BYTES);

	if (!piece)
		return err_sys(e, "reading targets");
	for (size_t i = 0; i < k->n_roles; i++) {
		const struct tuf_targets *t = k->roles[i]->targets;

		for (size_t n = 0; t && n < t->n_entries; n++)
			if (check_entry(k, k->roles[i], &t->entries[n], piece, e) < 0)
				return -1;
	}
	return k->local.targets >= 0 ? check_orphans(k, e) : 0;
}
