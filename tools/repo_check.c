/*
 * The verb, and the report. What a client will say is what the client's own rules say of the whole repository,
 * now and at the time asked for; the findings tell why, and what no client would notice. Exit code: of the worst
 * kind found; warnings alone are 0.
 */
#include "tools/repo_check.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "base/sys.h"

#define DAY (24 * 60 * 60)

void check_add(struct check *k, enum err_kind kind, const char *token, const char *fmt, ...)
{
	struct check_finding *grown = reallocarray(k->findings, k->n_findings + 1, sizeof(*grown));
	struct err e;
	char text[ERR_MSG_BYTES];
	va_list ap;

	if (!grown) {
		k->no_memory = true;
		return;
	}
	k->findings = grown;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(&e, ERR_FORMAT, NULL, "%s", text); /* names come from strangers: it takes control characters out */
	struct check_finding *f = &k->findings[k->n_findings++];

	f->kind = kind;
	f->token = token;
	memcpy(f->message, e.msg, sizeof(f->message));
}

void check_add_err(struct check *k, const char *missing, const struct err *e)
{
	static const struct {
		const char *reason, *token;
	} names[] = {
		{ TUF_E_LIMIT, "metadata-too-large" },	       { TUF_E_TYPE, "wrong-type" },	 { TUF_E_THRESHOLD, "threshold-unmet" },
		{ TUF_E_DUPLICATE_SIG, "duplicate-signature" }, { TUF_E_LENGTH, "metadata-length" }, { TUF_E_DIGEST, "metadata-digest" },
		{ TUF_E_VERSION, "metadata-version" },
	};
	const char *token = e->kind == ERR_FORMAT ? "metadata-malformed" : "unreadable";

	for (size_t i = 0; e->reason && i < ARRAY_LEN(names); i++)
		if (strcmp(names[i].reason, e->reason) == 0)
			token = names[i].token;
	if (e->kind == ERR_MISSING)
		token = missing;
	check_add(k, e->kind, token, "%s", e->msg);
}

/* Names of expiry findings, and how long before the end a warning is due. */
static const struct {
	const char *expired, *before, *soon;
	int64_t soon_sec;
} expiries[] = {
	[TUF_ROOT] = { "root-expired", "root-expires-before-publish", "root-expires-soon", 30 * DAY },
	[TUF_TIMESTAMP] = { "timestamp-expired", "timestamp-expires-before-publish", "timestamp-expires-soon", DAY },
	[TUF_SNAPSHOT] = { "snapshot-expired", "snapshot-expires-before-publish", "snapshot-expires-soon", 3 * DAY },
	[TUF_TARGETS] = { "targets-expired", "targets-expires-before-publish", "targets-expires-soon", 14 * DAY },
	[TUF_TYPES] = { "role-expired", "role-expires-before-publish", "role-expires-soon", 14 * DAY },
};

void check_expiry(struct check *k, enum tuf_type type, bool delegated, const char *name, const struct tuf_head *head)
{
	const int i = delegated ? TUF_TYPES : (int)type;
	char date[DATETIME_BYTES];

	datetime_format(head->expires_sec, date);
	if (head->expires_sec <= k->now_sec)
		check_add(k, ERR_TRUST, expiries[i].expired, "%s: version %" PRIu64 " expired at %s", name, head->version, date);
	else if (head->expires_sec <= k->at_sec)
		check_add(k, ERR_TRUST, expiries[i].before, "%s: version %" PRIu64 " expires at %s; a new one must be published before", name,
			  head->version, date);
	else if (head->expires_sec - k->at_sec < expiries[i].soon_sec)
		check_add(k, ERR_NONE, expiries[i].soon, "%s: version %" PRIu64 " expires at %s", name, head->version, date);
}

int check_each_name(int dir, check_name_fn fn, void *ctx, struct err *e)
{
	CLEANUP(close_p) int fd = sys_openat(dir, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int r = 0;

	if (!d)
		return err_sys(e, "listing a folder");
	(void)TAKE_FD(fd);
	for (const struct dirent *at; r == 0 && (at = readdir(d));)
		if (at->d_name[0] != '.')
			r = fn(ctx, at->d_name, e);
	closedir(d);
	return r;
}

const struct tuf_entry *check_find_target(const struct check *k, const char *path)
{
	for (size_t i = 0; i < k->n_roles; i++) {
		const struct tuf_entry *t = k->roles[i]->targets ? tuf_targets_find(k->roles[i]->targets, path) : NULL;

		if (t)
			return t;
	}
	return NULL;
}

static void check_fini(struct check *k)
{
	for (size_t i = 0; i < k->n_roles; i++) {
		free(k->roles[i]->name);
		tuf_targets_free(k->roles[i]->targets);
		free(k->roles[i]);
	}
	free(k->roles);
	tuf_root_free(k->root);
	tuf_timestamp_free(k->timestamp);
	tuf_snapshot_free(k->snapshot);
	buf_fini(&k->trusted_root);
	free(k->findings);
	repo_remote_fini(&k->remote);
	repo_fini(&k->local);
}

/* A client that starts from the root that it trusts. Return: true; false with *e what it says */
static bool client_accepts(const struct check *k, int64_t when, struct err *e)
{
	const struct repo_walk_options o = { .now_sec = when, .expiry = TUF_EXPIRY_ENFORCED, .known = -1 };
	struct repo_walk w = { .trusted = NULL };
	int r;

	if (k->trusted_root.n == 0) {
		err_set(e, ERR_MISSING, TUF_E_NO_ROOT, "there is no root to start from");
		return false;
	}
	r = repo_walk(&k->remote, buf_bytes(&k->trusted_root), &o, &w, e);
	repo_walk_fini(&w);
	return r == 0;
}

static const char *severity(enum err_kind kind)
{
	return kind == ERR_NONE ? "warning" : "error";
}

static json_t *head_json(const struct tuf_head *h)
{
	char expires[DATETIME_BYTES];

	datetime_format(h->expires_sec, expires);
	return json_pack("{sI, ss}", "version", (json_int_t)h->version, "expires", expires);
}

static json_t *roles_json(const struct check *k)
{
	json_t *j = json_object();

	if (k->root)
		json_object_set_new(j, "root", head_json(&k->root->head));
	if (k->timestamp)
		json_object_set_new(j, "timestamp", head_json(&k->timestamp->head));
	if (k->snapshot)
		json_object_set_new(j, "snapshot", head_json(&k->snapshot->head));
	for (size_t i = 0; i < k->n_roles; i++)
		if (k->roles[i]->targets)
			json_object_set_new(j, k->roles[i]->name, head_json(&k->roles[i]->targets->head));
	return j;
}

static json_t *client_json(const struct check *k, int64_t when)
{
	char time[DATETIME_BYTES];
	struct err e = { .kind = ERR_NONE };
	const bool ok = client_accepts(k, when, &e);

	datetime_format(when, time);
	return json_pack("{ss, sb, ss*, ss*}", "time", time, "accepts", ok, "reason", ok ? NULL : e.reason, "message", ok ? NULL : e.msg);
}

static int tell_json(const struct check *k, struct err *e)
{
	json_t *findings = json_array(), *clients = json_array();

	for (size_t i = 0; i < k->n_findings; i++) {
		const struct check_finding *f = &k->findings[i];

		json_array_append_new(findings, json_pack("{ss, ss, ss, ss}", "name", f->token, "severity", severity(f->kind), "kind",
							  f->kind == ERR_NONE ? "none" : err_kind_name(f->kind), "message", f->message));
	}
	json_array_append_new(clients, client_json(k, k->now_sec));
	if (k->at_sec != k->now_sec)
		json_array_append_new(clients, client_json(k, k->at_sec));
	CLEANUP(json_decref_p) json_t *j = json_pack("{so, so, so}", "client", clients, "roles", roles_json(k), "findings", findings);

	return j ? json_print(j, stdout, e) : err_set(e, ERR_SYSTEM, "memory", "out of memory");
}

static void tell_client(const struct check *k, int64_t when)
{
	char time[DATETIME_BYTES];
	struct err e;

	datetime_format(when, time);
	if (client_accepts(k, when, &e))
		printf("client at %s: accepts it\n", time);
	else
		printf("client at %s: %s\n", time, e.msg);
}

static void tell_head(const char *name, const struct tuf_head *h)
{
	char expires[DATETIME_BYTES];

	datetime_format(h->expires_sec, expires);
	printf("%-9s version %" PRIu64 ", expires %s\n", name, h->version, expires);
}

static void tell_text(const struct check *k)
{
	if (k->root)
		tell_head("root", &k->root->head);
	if (k->timestamp)
		tell_head("timestamp", &k->timestamp->head);
	if (k->snapshot)
		tell_head("snapshot", &k->snapshot->head);
	for (size_t i = 0; i < k->n_roles; i++)
		if (k->roles[i]->targets)
			tell_head(k->roles[i]->name, &k->roles[i]->targets->head);
	tell_client(k, k->now_sec);
	if (k->at_sec != k->now_sec)
		tell_client(k, k->at_sec);
	for (size_t i = 0; i < k->n_findings; i++)
		printf("%s: %s: %s\n", severity(k->findings[i].kind), k->findings[i].token, k->findings[i].message);
}

/* Trust before format before what is missing: so a script that looks at the code alone learns the worst. */
static int verdict(const struct check *k)
{
	static const enum err_kind worst_first[] = { ERR_TRUST, ERR_FORMAT, ERR_MISSING };
	int code = 0;

	for (size_t i = 0; i < ARRAY_LEN(worst_first); i++)
		for (size_t n = 0; n < k->n_findings; n++)
			if (k->findings[n].kind == worst_first[i])
				return err_exit_code(worst_first[i]);
	for (size_t n = 0; n < k->n_findings; n++)
		code = k->findings[n].kind == ERR_NONE ? code : err_exit_code(k->findings[n].kind);
	return code;
}

static int open_check(struct check *k, int argc, char **argv, char **metadata, char **targets, struct err *e)
{
	struct repo_cli *c = k->cli;

	if ((argc == 1) == (c->metadata_url != NULL))
		return err_set(e, ERR_USAGE, "option", "either REPO or --metadata-url is needed");
	if (repo_cli_now(c, &k->now_sec, e) < 0)
		return -1;
	k->at_sec = k->now_sec;
	if (c->at && repo_cli_time("at", c->at, k->now_sec, &k->at_sec, e) < 0)
		return -1;
	k->trusted_root = BUF_INIT(TUF_ROOT_MAX_BYTES);
	if (c->trusted_root && file_read(AT_FDCWD, c->trusted_root, &k->trusted_root, e) < 0)
		return -1;
	if (argc == 0)
		return repo_remote_open(c, c->metadata_url, c->targets_url, &k->remote, e);
	k->local.path = strdup(argv[0]);
	if (repo_file_url(argv[0], "metadata", metadata, e) < 0 || repo_file_url(argv[0], "targets", targets, e) < 0)
		return -1;
	if (!k->local.path)
		return err_sys(e, "%s", argv[0]);
	return repo_remote_open(c, *metadata, *targets, &k->remote, e);
}

static int open_local(struct check *k, struct err *e)
{
	CLEANUP(free_p) char *metadata = NULL;
	CLEANUP(free_p) char *targets = NULL;

	if (asprintf(&metadata, "%s/metadata", k->local.path) < 0 || asprintf(&targets, "%s/targets", k->local.path) < 0)
		return err_set(e, ERR_SYSTEM, "memory", "out of memory");
	if (file_open_dir(metadata, &k->local.metadata, e) < 0)
		return -1;
	return file_open_dir(targets, &k->local.targets, e);
}

int repo_check(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(free_p) char *metadata = NULL;
	CLEANUP(free_p) char *targets = NULL;
	CLEANUP(check_fini) struct check k = { .cli = c, .local = REPO_CLOSED };

	if (open_check(&k, argc, argv, &metadata, &targets, e) < 0 || (argc == 1 && open_local(&k, e) < 0))
		return -1;
	if (check_roots(&k, e) < 0)
		return -1;
	check_root_lint(&k);
	if (check_metadata(&k, e) < 0 || check_targets(&k, e) < 0 || check_manifest(&k, e) < 0)
		return -1;
	if (k.no_memory)
		return err_set(e, ERR_SYSTEM, "memory", "out of memory");
	if (c->json && tell_json(&k, e) < 0)
		return -1;
	if (!c->json)
		tell_text(&k);
	c->verdict = verdict(&k);
	return 0;
}
