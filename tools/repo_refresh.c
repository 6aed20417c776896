/*
 * `refresh`: a new timestamp over the published snapshot, for a job that runs unattended with the one online key.
 * It replaces timestamp.json and touches nothing else, the draft least of all.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/datetime.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "tools/repo_publication.h"

#define EXPIRES "in 1 week"

/*
 * A timestamp that outlives what it vouches for hides from whoever watches the job that the repository is about
 * to stop. So the job fails in time, while the present timestamp still holds, and people extend the other roles.
 */
static int check_outlived(const char *name, const struct tuf_head *h, int64_t now_sec, int64_t expires_sec, struct err *e)
{
	const char *how = name[0] == 'r' ? "publish a new root" : "run 'publish --extend'";
	char date[DATETIME_BYTES];

	datetime_format(h->expires_sec, date);
	if (h->expires_sec < expires_sec)
		return err_set(e, ERR_STATE, TUF_E_EXPIRED, "%s expires at %s, before the new timestamp would: %s", name, date, how);
	if (h->expires_sec - expires_sec < expires_sec - now_sec)
		log_warn("%s expires at %s, soon: %s", name, date, how);
	return 0;
}

static int check_all_outlived(const struct repo_state *s, int64_t now_sec, int64_t expires_sec, struct err *e)
{
	if (check_outlived("root", &repo_state_root(s)->head, now_sec, expires_sec, e) < 0 ||
	    check_outlived("snapshot", &tuf_trusted_snapshot(s->trusted)->head, now_sec, expires_sec, e) < 0 ||
	    check_outlived("targets", &tuf_trusted_targets(s->trusted)->head, now_sec, expires_sec, e) < 0)
		return -1;
	for (size_t i = 0; i < s->n_roles; i++)
		if (check_outlived(s->roles[i].name, &s->roles[i].targets->head, now_sec, expires_sec, e) < 0)
			return -1;
	return 0;
}

/* The new timestamp beside everything as it is published. */
static int check_next(const struct repo *r, const struct repo_state *s, const struct repo_part *part, int64_t now_sec, struct err *e)
{
	CLEANUP(free_p) struct repo_next_role *roles = calloc(s->n_roles + 1, sizeof(*roles));
	struct repo_next next = { .n_roles = s->n_roles, .roles = roles };

	if (!roles)
		return err_sys(e, "refresh");
	next.files[TUF_TIMESTAMP] = buf_bytes(&part->text);
	next.files[TUF_SNAPSHOT] = buf_bytes(&s->text[TUF_SNAPSHOT]);
	next.files[TUF_TARGETS] = buf_bytes(&s->text[TUF_TARGETS]);
	for (size_t i = 0; i < s->n_roles; i++)
		roles[i] = (struct repo_next_role){ s->roles[i].name, buf_bytes(&s->roles[i].text) };
	return repo_state_check_next(r, s, &next, now_sec, e);
}

static int make(struct repo_cli *c, const struct repo_state *s, struct repo_part *part, struct err *e)
{
	CLEANUP(repo_signers_fini) struct repo_signers signers = { .n = 0 };
	CLEANUP(json_decref_p) json_t *body = NULL;
	const struct tuf_timestamp *old = tuf_trusted_timestamp(s->trusted);
	struct repo_meta_file snapshot = { .version = old->snapshot.version, .length = s->text[TUF_SNAPSHOT].n };

	if (c->keys[TUF_TIMESTAMP].n == 0)
		return err_set(e, ERR_USAGE, "option", "--timestamp-key is needed");
	if (repo_signers_load(c, TUF_TIMESTAMP, &signers, e) < 0 || repo_signers_match(&signers, repo_state_root(s), TUF_TIMESTAMP, e) < 0 ||
	    digest_bytes(DIGEST_SHA256, buf_bytes(&s->text[TUF_SNAPSHOT]), &snapshot.sha256, e) < 0)
		return -1;
	if (old->head.version >= TUF_VERSION_MAX)
		return err_set(e, ERR_STATE, TUF_E_VERSION, "timestamp: no version can follow");
	part->version = old->head.version + 1;
	if (repo_meta_timestamp(part->version, part->expires_sec, &snapshot, &body, e) < 0)
		return -1;
	return repo_part_sign(part, "timestamp", &signers, body, e);
}

static int tell(const struct repo_cli *c, const struct repo_part *part, struct err *e)
{
	char expires[DATETIME_BYTES];

	datetime_format(part->expires_sec, expires);
	if (c->json) {
		CLEANUP(json_decref_p) json_t *j = json_pack("{s{sI, ss}}", "timestamp", "version", (json_int_t)part->version, "expires", expires);

		return j ? json_print(j, stdout, e) : err_set(e, ERR_SYSTEM, "memory", "out of memory");
	}
	printf("timestamp version %" PRIu64 ", expires %s\n", part->version, expires);
	return 0;
}

int repo_refresh(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(repo_fini) struct repo r = REPO_CLOSED;
	CLEANUP(repo_state_fini) struct repo_state s = { .trusted = NULL };
	CLEANUP(buf_fini) struct buf text = BUF_INIT(1);
	struct repo_part part = { .made = true };
	int64_t now_sec;
	int ret;

	if (repo_cli_now(c, &now_sec, e) < 0 ||
	    repo_cli_time("expires-timestamp", c->expires[TUF_TIMESTAMP] ? c->expires[TUF_TIMESTAMP] : EXPIRES, now_sec, &part.expires_sec, e) < 0 ||
	    repo_open(argv[0], REPO_WRITE, &r, e) < 0 || repo_state_load(&r, now_sec, &s, e) < 0)
		return -1;
	if (!s.published)
		return err_set(e, ERR_STATE, NULL, "%s: nothing is published that could be refreshed", argv[0]);
	if (part.expires_sec <= now_sec)
		return err_set(e, ERR_USAGE, "time", "--expires-timestamp: in the past");
	if (check_all_outlived(&s, now_sec, part.expires_sec, e) < 0)
		return -1;
	ret = make(c, &s, &part, e);
	text = part.text;
	if (ret < 0)
		return -1;
	if (check_next(&r, &s, &part, now_sec, e) < 0)
		return err_wrap(e, "nothing was published: hosts would refuse it");
	if (file_replace(r.metadata, "timestamp.json", buf_bytes(&part.text), 0644, e) < 0)
		return err_wrap(e, "%s/metadata", r.path);
	return tell(c, &part, e);
}
