/* `update add`, `update remove` and `update max-version`: the updates that the manifest offers, as updata edits them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "tools/repo_manifest.h"
#include "updater/wave_policy.h"

static int need_name(const struct repo_cli *c, struct version *v, struct err *e)
{
	if (repo_cli_need("variant", c->variant, e) < 0 || repo_cli_need("arch", c->arch, e) < 0 ||
	    repo_cli_need("version", c->version, e) < 0)
		return -1;
	return repo_cli_version("version", c->version, v, e);
}

static bool is_same_line(const struct manifest_update *u, const struct repo_cli *c)
{
	return strcmp(u->variant, c->variant) == 0 && strcmp(u->arch, c->arch) == 0;
}

/* --wave-policy is a file, or the name of a policy where no file of that name is. */
static int load_policy(const char *from, struct wave_policy *out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(WAVE_POLICY_MAX_BYTES);

	if (file_read(AT_FDCWD, from, &text, e) == 0) {
		if (wave_policy_parse(buf_bytes(&text), out, e) < 0)
			return err_wrap(e, "%s", from);
		return 0;
	}
	if (e->kind != ERR_MISSING)
		return -1;
	if (wave_policy_preset(from, out, e) < 0)
		return err_set(e, ERR_MISSING, WAVE_E_POLICY, "--wave-policy '%s': neither a file nor a policy's name", from);
	return 0;
}

static int set_waves(const struct repo_cli *c, struct manifest_update *u, struct err *e)
{
	struct wave_policy policy;
	int64_t now_sec, start_sec;

	if (!c->wave_policy) {
		if (c->start_at)
			return err_set(e, ERR_USAGE, "option", "--start-at is for --wave-policy");
		return 0;
	}
	if (repo_cli_now(c, &now_sec, e) < 0 || load_policy(c->wave_policy, &policy, e) < 0)
		return -1;
	start_sec = now_sec;
	if (c->start_at && repo_cli_time("start-at", c->start_at, now_sec, &start_sec, e) < 0)
		return -1;
	if (wave_policy_apply(&policy, start_sec, u, e) < 0)
		return -1;
	return wave_order_check(u, e);
}

/* The greater of this version and the first entry's maximum, unless --max-version says it. */
static int choose_max(const struct repo_cli *c, const struct manifest *m, const struct version *v, struct version *out, struct err *e)
{
	*out = *v;
	if (c->max_version) {
		if (repo_cli_version("max-version", c->max_version, out, e) < 0)
			return -1;
		if (version_compare(out, v) < 0)
			return err_set(e, ERR_USAGE, "version", "--max-version %s: below the update's own %s", out->text, v->text);
		return 0;
	}
	for (size_t i = 0; i < m->n_updates; i++)
		if (is_same_line(&m->updates[i], c)) {
			if (version_compare(&m->updates[i].max_version, v) > 0)
				*out = m->updates[i].max_version;
			break;
		}
	return 0;
}

static int refuse_second(const struct repo_cli *c, const struct manifest *m, const struct version *v, struct err *e)
{
	for (size_t i = 0; i < m->n_updates; i++)
		if (is_same_line(&m->updates[i], c) && version_compare(&m->updates[i].version, v) == 0)
			return err_set(e, ERR_STATE, REPO_E_EXISTS, "%s %s %s: the manifest has this update already", c->variant, c->arch,
				       v->text);
	return 0;
}

/* An update that borrows what it names from @images; only its waves are its own. */
static struct manifest_update of_images(struct draft_images *images)
{
	struct manifest_update u = {
		.variant = images->variant,
		.arch = images->arch,
		.version = images->version,
		.has_verity = true,
		.verity = images->verity,
		.root_hash = images->root_hash,
		.has_sizes = true,
	};

	for (int r = 0; r < PART_N_ROLES; r++) {
		u.images[r] = images->targets[r];
		u.sizes[r] = images->sizes[r];
	}
	return u;
}

static int add_update(const struct repo_cli *c, struct repo_edit *x, const struct version *v, struct err *e)
{
	struct draft_images *images = draft_find_images(x->draft, c->variant, c->arch, v);
	struct version max;

	if (!images)
		return err_set(e, ERR_MISSING, NULL, "%s %s %s: no images are recorded; 'image add' makes them", c->variant, c->arch,
			       v->text);
	struct manifest_update u = of_images(images);

	if (refuse_second(c, x->manifest, v, e) < 0 || choose_max(c, x->manifest, v, &max, e) < 0)
		return -1;
	u.max_version = max;
	const int r = set_waves(c, &u, e) < 0 ? -1 : manifest_add_update(x->manifest, &u, e);

	free(u.waves);
	if (r < 0)
		return -1;
	for (size_t i = 0; i < x->manifest->n_updates; i++)
		if (is_same_line(&x->manifest->updates[i], c))
			x->manifest->updates[i].max_version = max;
	return repo_edit_store(x, e);
}

int repo_update_add(void *ctx, int argc, char **argv, struct err *e)
{
	const struct repo_cli *c = ctx;
	CLEANUP(repo_edit_fini) struct repo_edit x = REPO_EDIT_CLOSED;
	struct version v;

	(void)argc;
	if (need_name(c, &v, e) < 0 || repo_edit_open(c, argv[0], &x, e) < 0)
		return -1;
	return add_update(c, &x, &v, e);
}

/* Frees what an update owns and closes the gap it leaves. */
static void drop_update(struct manifest *m, size_t i)
{
	struct manifest_update *u = &m->updates[i];

	free(u->variant);
	free(u->arch);
	free(u->waves);
	for (int r = 0; r < PART_N_ROLES; r++)
		free(u->images[r]);
	memmove(u, u + 1, (m->n_updates - i - 1) * sizeof(*u));
	m->n_updates--;
}

int repo_update_remove(void *ctx, int argc, char **argv, struct err *e)
{
	const struct repo_cli *c = ctx;
	CLEANUP(repo_edit_fini) struct repo_edit x = REPO_EDIT_CLOSED;
	struct version v;
	size_t n = 0;

	(void)argc;
	if (need_name(c, &v, e) < 0 || repo_edit_open(c, argv[0], &x, e) < 0)
		return -1;
	for (size_t i = x.manifest->n_updates; i-- > 0;)
		if (is_same_line(&x.manifest->updates[i], c) && version_compare(&x.manifest->updates[i].version, &v) == 0) {
			drop_update(x.manifest, i);
			n++;
		}
	if (n == 0)
		return err_set(e, ERR_MISSING, NULL, "%s %s %s: the manifest has no such update", c->variant, c->arch, v.text);
	return repo_edit_store(&x, e);
}

int repo_update_max_version(void *ctx, int argc, char **argv, struct err *e)
{
	const struct repo_cli *c = ctx;
	CLEANUP(repo_edit_fini) struct repo_edit x = REPO_EDIT_CLOSED;
	struct version max;
	size_t n = 0;

	(void)argc;
	if (repo_cli_version("max-version", argv[1], &max, e) < 0 || repo_edit_open(c, argv[0], &x, e) < 0)
		return -1;
	for (size_t i = 0; i < x.manifest->n_updates; i++) {
		struct manifest_update *u = &x.manifest->updates[i];

		if ((c->variant && strcmp(u->variant, c->variant) != 0) || (c->arch && strcmp(u->arch, c->arch) != 0))
			continue;
		u->max_version = max;
		n++;
	}
	if (n == 0)
		return err_set(e, ERR_MISSING, NULL, "the manifest has no such update");
	return repo_edit_store(&x, e);
}
