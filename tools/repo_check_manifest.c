/* The manifest: what it promises has to be there, and a host has to be able to get from each version to the newest. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/repo_check.h"
#include "updater/manifest.h"

static int read_manifest(struct check *k, const struct tuf_entry *t, struct manifest **out)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MANIFEST_MAX_BYTES);
	CLEANUP(source_free_p) struct source *s = NULL;
	struct err e;

	/* A file that is missing or changed has been told with the targets. */
	if (repo_remote_target(&k->remote, t, !k->root || k->root->consistent_snapshot, &s, &e) < 0 || source_read_all(s, &text, &e) < 0)
		return -1;
	if (manifest_parse(buf_bytes(&text), out, &e) == 0)
		return 0;
	check_add(k, ERR_FORMAT, "manifest-malformed", "%s: %s", MANIFEST_TARGET, e.msg);
	return -1;
}

static void check_named(struct check *k, const char *name, const char *what)
{
	if (!check_find_target(k, name))
		check_add(k, ERR_MISSING, "manifest-target-missing", "%s: '%s' of %s is no target", MANIFEST_TARGET, name, what);
}

static void check_waves(struct check *k, const struct manifest_update *u)
{
	for (size_t i = 1; i < u->n_waves; i++)
		if (u->waves[i].start_sec < u->waves[i - 1].start_sec) {
			check_add(k, ERR_FORMAT, "waves-not-rising", "%s %s %s: the wave of seed %u starts before that of seed %u", u->variant, u->arch,
				  u->version.text, u->waves[i].start_seed, u->waves[i - 1].start_seed);
			return;
		}
}

static void check_update(struct check *k, const struct manifest_update *u)
{
	for (int r = 0; r < PART_N_ROLES; r++)
		check_named(k, u->images[r], u->version.text);
	if (version_compare(&u->version, &u->max_version) > 0)
		check_add(k, ERR_NONE, "max-version-below", "%s %s %s: above its max version %s, so no host takes it", u->variant, u->arch,
			  u->version.text, u->max_version.text);
	if (!u->has_verity)
		check_add(k, ERR_NONE, "verity-missing", "%s %s %s: no signed root hash, so images are not read back against it", u->variant, u->arch,
			  u->version.text);
	check_waves(k, u);
}

static bool same_hosts(const struct manifest_update *a, const struct manifest_update *b)
{
	return strcmp(a->variant, b->variant) == 0 && strcmp(a->arch, b->arch) == 0;
}

/* The newest update for the hosts of @u. */
static const struct manifest_update *newest_for(const struct manifest *m, const struct manifest_update *u)
{
	const struct manifest_update *best = u;

	for (size_t i = 0; i < m->n_updates; i++)
		if (same_hosts(&m->updates[i], u) && version_compare(&m->updates[i].version, &best->version) > 0)
			best = &m->updates[i];
	return best;
}

/* A host takes an update only if steps lead to it, empty ones where there is nothing to migrate. */
static void check_migrations(struct check *k, const struct manifest *m)
{
	for (size_t i = 0; i < m->n_updates; i++) {
		const struct manifest_update *u = &m->updates[i], *to = newest_for(m, u);
		const char **names = NULL;
		size_t n;
		struct err e;

		if (to != u && manifest_migrations(m, &u->version, &to->version, &names, &n, &e) < 0)
			check_add(k, ERR_MISSING, "migration-gap", "%s %s: from %s to %s: %s", u->variant, u->arch, u->version.text, to->version.text,
				  e.msg);
		free(names);
	}
	for (size_t i = 0; i < m->n_steps; i++)
		for (size_t n = 0; n < m->steps[i].n_names; n++)
			check_named(k, m->steps[i].names[n], "a migration");
}

int check_manifest(struct check *k, struct err *e)
{
	CLEANUP(manifest_free_p) struct manifest *m = NULL;
	const struct tuf_entry *t = check_find_target(k, MANIFEST_TARGET);

	if (k->n_roles == 0)
		return 0;
	if (!t) {
		check_add(k, ERR_MISSING, "manifest-missing", "no role lists %s: hosts have nothing to choose from", MANIFEST_TARGET);
		return 0;
	}
	if (!k->remote.targets_url || read_manifest(k, t, &m) < 0)
		return 0;
	for (size_t i = 0; i < m->n_updates; i++)
		check_update(k, &m->updates[i]);
	check_migrations(k, m);
	return 0;
}
