/* `root init`: the first root of a repository, and its folders. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/datetime.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "tools/repo.h"
#include "tools/repo_keys.h"
#include "tools/repo_meta.h"
#include "tools/repo_state.h"
#include "tuf/trusted.h"

#define ROOT_EXPIRES "in 52 weeks"

static void fini_roles(struct repo_signers (*roles)[TUF_TYPES])
{
	for (int t = 0; t < TUF_TYPES; t++)
		repo_signers_fini(&(*roles)[t]);
}

/* The keys of every role, and thresholds that they can meet. */
static int load_roles(struct repo_cli *c, struct repo_signers roles[TUF_TYPES], struct err *e)
{
	for (int i = 0; i < TUF_TYPES; i++) {
		const enum tuf_type t = (enum tuf_type)i;

		if (c->keys[t].n == 0)
			return err_set(e, ERR_USAGE, "option", "--%s is needed", repo_cli_key_option(t));
		if (c->thresholds[t] == REPO_NOT_GIVEN)
			c->thresholds[t] = 1;
		if (c->thresholds[t] < 1 || c->thresholds[t] > c->keys[t].n)
			return err_set(e, ERR_USAGE, TUF_E_THRESHOLD, "--%s-threshold %" PRIu64 ": there are %zu keys", tuf_type_name(t),
				       c->thresholds[t], c->keys[t].n);
		if (repo_signers_load(c, t, &roles[t], e) < 0)
			return -1;
	}
	return 0;
}

static void warn_of_thresholds(const struct repo_cli *c)
{
	if (c->thresholds[TUF_ROOT] == 1)
		log_warn("root: threshold 1: one stolen key is enough to replace all keys");
	if (c->thresholds[TUF_TARGETS] == 1)
		log_warn("targets: threshold 1: one stolen key is enough to sign an update");
}

/* Makes the text of 1.root.json and looks at it as a client will. */
static int make_root(const struct repo_cli *c, const struct repo_signers roles[TUF_TYPES], int64_t now_sec, int64_t expires_sec,
		     struct buf *out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *body = NULL;
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;

	if (repo_meta_root(1, expires_sec, roles, c->thresholds, &body, e) < 0 || repo_signers_sign(&roles[TUF_ROOT], body, out, e) < 0)
		return -1;
	if (tuf_trusted_new(buf_bytes(out), now_sec, TUF_EXPIRY_ENFORCED, &t, e) < 0)
		return -1;
	return tuf_trusted_root_done(t, e);
}

int repo_root_init(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(fini_roles) struct repo_signers roles[TUF_TYPES] = { { .n = 0 } };
	CLEANUP(repo_fini) struct repo r = REPO_CLOSED;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(TUF_ROOT_MAX_BYTES);
	int64_t now_sec, expires_sec;
	char expires[DATETIME_BYTES];

	(void)argc;
	if (repo_cli_now(c, &now_sec, e) < 0 ||
	    repo_cli_time("expires", c->expires[TUF_ROOT] ? c->expires[TUF_ROOT] : ROOT_EXPIRES, now_sec, &expires_sec, e) < 0)
		return -1;
	if (load_roles(c, roles, e) < 0 || make_root(c, roles, now_sec, expires_sec, &text, e) < 0)
		return -1;
	if (repo_open(argv[0], REPO_CREATE, &r, e) < 0 || file_replace(r.metadata, "1.root.json", buf_bytes(&text), 0644, e) < 0)
		return -1;
	warn_of_thresholds(c);
	datetime_format(expires_sec, expires);
	printf("%s/metadata/1.root.json: expires %s\n", argv[0], expires);
	return 0;
}
