/* `show`: what a repository says, as a host would read it. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/datetime.h"
#include "base/file.h"
#include "base/json.h"
#include "tools/repo_cli.h"
#include "tools/repo_state.h"
#include "updater/manifest.h"

struct view {
	struct repo repo;
	struct repo_state state;
	struct manifest *manifest; /* NULL if none is published */
	int64_t now_sec;
};

static void view_fini(struct view *v)
{
	manifest_free(v->manifest);
	repo_state_fini(&v->state);
	repo_fini(&v->repo);
}

static int view_load(const struct repo_cli *c, const char *path, struct view *v, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MANIFEST_MAX_BYTES);

	if (repo_cli_now(c, &v->now_sec, e) < 0 || repo_open(path, REPO_READ, &v->repo, e) < 0 ||
	    repo_state_load(&v->repo, v->now_sec, &v->state, e) < 0)
		return -1;
	if (!repo_state_target(&v->state, REPO_MANIFEST))
		return 0;
	if (repo_state_read_target(&v->repo, &v->state, REPO_MANIFEST, &text, e) < 0)
		return -1;
	return manifest_parse(buf_bytes(&text), &v->manifest, e);
}

/* Version and expiry of a role; NULL before the first publication. */
static const struct tuf_head *head_of(const struct view *v, enum tuf_type t)
{
	const struct tuf_trusted *s = v->state.trusted;

	if (t == TUF_ROOT)
		return &repo_state_root(&v->state)->head;
	if (!v->state.published)
		return NULL;
	switch (t) {
	case TUF_TIMESTAMP:
		return &tuf_trusted_timestamp(s)->head;
	case TUF_SNAPSHOT:
		return &tuf_trusted_snapshot(s)->head;
	case TUF_TARGETS:
		return &tuf_trusted_targets(s)->head;
	case TUF_ROOT:
		break;
	}
	return NULL;
}

static json_t *role_json(const struct view *v, enum tuf_type t)
{
	const struct tuf_role_keys *role = &repo_state_root(&v->state)->roles[t];
	const struct tuf_head *head = head_of(v, t);
	char expires[DATETIME_BYTES];
	json_t *ids = json_array();

	for (size_t i = 0; i < role->n_ids; i++)
		json_array_append_new(ids, json_string(role->ids[i]));
	json_t *j = json_pack("{sI, so}", "threshold", (json_int_t)role->threshold, "keyids", ids);

	if (j && head) {
		datetime_format(head->expires_sec, expires);
		json_object_set_new(j, "version", json_integer((json_int_t)head->version));
		json_object_set_new(j, "expires", json_string(expires));
		json_object_set_new(j, "expired", json_boolean(head->expires_sec <= v->now_sec));
	}
	return j;
}

/* A member of the manifest in the manifest's own form; an empty array where no manifest is. */
static int manifest_json(const struct view *v, const char *name, json_t **out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MANIFEST_MAX_BYTES);
	CLEANUP(json_decref_p) json_t *whole = NULL;

	if (!v->manifest) {
		*out = json_array();
		return 0;
	}
	if (manifest_print(v->manifest, &text, e) < 0 || json_load_bytes(buf_bytes(&text), &whole, e) < 0)
		return -1;
	*out = json_incref(json_object_get(whole, name));
	return 0;
}

static json_t *targets_json(const struct view *v)
{
	json_t *all = json_object();
	const struct tuf_targets *t = v->state.published ? tuf_trusted_targets(v->state.trusted) : NULL;

	for (size_t i = 0; t && i < t->n_entries; i++) {
		struct digest sha256;
		char hex[2 * DIGEST_MAX_BYTES + 1] = "";

		if (repo_entry_sha256(&t->entries[i], &sha256))
			digest_hex(&sha256, hex);
		json_object_set_new(all, t->entries[i].path,
				    json_pack("{sI, ss}", "length", (json_int_t)t->entries[i].length, "sha256", hex));
	}
	return all;
}

static int show_json(const struct view *v, struct err *e)
{
	CLEANUP(json_decref_p) json_t *updates = NULL;
	json_t *roles;

	if (manifest_json(v, "updates", &updates, e) < 0)
		return -1;
	roles = json_object();
	for (int t = 0; t < TUF_TYPES; t++)
		json_object_set_new(roles, tuf_type_name((enum tuf_type)t), role_json(v, (enum tuf_type)t));
	CLEANUP(json_decref_p) json_t *j =
		json_pack("{sb, so, sO, so}", "published", v->state.published, "roles", roles, "updates", updates, "targets",
			  targets_json(v));

	return j ? json_print(j, stdout, e) : err_set(e, ERR_SYSTEM, "memory", "out of memory");
}

static void show_role(const struct view *v, enum tuf_type t)
{
	const struct tuf_role_keys *role = &repo_state_root(&v->state)->roles[t];
	const struct tuf_head *head = head_of(v, t);
	char expires[DATETIME_BYTES];

	if (head) {
		datetime_format(head->expires_sec, expires);
		printf("%-9s version %" PRIu64 ", expires %s%s", tuf_type_name(t), head->version, expires,
		       head->expires_sec <= v->now_sec ? " (expired)" : "");
	} else {
		printf("%-9s not published", tuf_type_name(t));
	}
	printf(", %" PRIu64 " of %zu keys:", role->threshold, role->n_ids);
	for (size_t i = 0; i < role->n_ids; i++)
		printf(" %.16s", role->ids[i]);
	printf("\n");
}

static void show_text(const struct view *v)
{
	const struct tuf_targets *t = v->state.published ? tuf_trusted_targets(v->state.trusted) : NULL;

	for (int i = 0; i < TUF_TYPES; i++)
		show_role(v, (enum tuf_type)i);
	for (size_t i = 0; v->manifest && i < v->manifest->n_updates; i++) {
		const struct manifest_update *u = &v->manifest->updates[i];

		printf("update    %s %s %s, max %s, %zu waves\n", u->variant, u->arch, u->version.text, u->max_version.text, u->n_waves);
	}
	for (size_t i = 0; t && i < t->n_entries; i++)
		printf("target    %s, %" PRIu64 " bytes\n", t->entries[i].path, t->entries[i].length);
}

int repo_show(void *ctx, int argc, char **argv, struct err *e)
{
	const struct repo_cli *c = ctx;
	CLEANUP(view_fini) struct view v = { .repo = REPO_CLOSED };

	(void)argc;
	if (view_load(c, argv[0], &v, e) < 0)
		return -1;
	if (c->json)
		return show_json(&v, e);
	show_text(&v);
	return 0;
}
