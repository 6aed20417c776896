/*
 * `publish`: the draft becomes what hosts see. Everything is made, signed and checked in memory, as a host would
 * check it, before the first byte is written to a served folder. Then, each step durable before the next:
 *
 *	1. targets/SHA256.NAME		a power cut after it leaves a file that nobody refers to
 *	2. V.ROLE.json, V.targets.json, V.snapshot.json	the same: clients come to them from timestamp.json only
 *	3. timestamp.json		replaced atomically: from here on the new state counts
 *	4. the work area is tidied	left undone, the next publication finds the targets published and does it
 *
 * Nothing but timestamp.json is ever replaced. Where a publication broke off between 2 and 3, its numbers are not
 * used again: a mirror may have copied those files.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "tools/repo_publication.h"

/* The roles that a publication signs, in the order in which they refer to each other. */
static const enum tuf_type signed_types[] = { TUF_TARGETS, TUF_SNAPSHOT, TUF_TIMESTAMP };

void repo_publication_fini(struct repo_publication *p)
{
	for (int t = 0; t < TUF_TYPES; t++) {
		repo_signers_fini(&p->signers[t]);
		buf_fini(&p->parts[t].text);
	}
	for (size_t i = 0; i < p->n_roles; i++) {
		free(p->roles[i].name);
		json_decref(p->roles[i].body);
		buf_fini(&p->roles[i].part.text);
	}
	free(p->roles);
	for (size_t i = 0; i < p->n_role_signers; i++) {
		free(p->role_signers[i].name);
		repo_signers_fini(&p->role_signers[i].signers);
	}
	free(p->role_signers);
	json_decref(p->targets_body);
	tuf_targets_free(p->next);
	buf_fini(&p->manifest_text);
	repo_edit_fini(&p->edit);
}

static int read_times(struct repo_publication *p, struct err *e)
{
	static const char *const options[TUF_TYPES] = {
		[TUF_TARGETS] = "expires-targets",
		[TUF_SNAPSHOT] = "expires-snapshot",
		[TUF_TIMESTAMP] = "expires-timestamp",
	};
	static const char *const standard[TUF_TYPES] = {
		[TUF_TARGETS] = "in 12 weeks",
		[TUF_SNAPSHOT] = "in 2 weeks",
		[TUF_TIMESTAMP] = "in 1 week",
	};

	if (repo_cli_now(p->cli, &p->now_sec, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(signed_types); i++) {
		const enum tuf_type t = signed_types[i];
		const char *s = p->cli->expires[t] ? p->cli->expires[t] : standard[t];

		if (repo_cli_time(options[t], s, p->now_sec, &p->expires_sec[t], e) < 0)
			return -1;
		if (p->expires_sec[t] <= p->now_sec)
			return err_set(e, ERR_USAGE, "time", "--%s '%s': in the past", options[t], s);
	}
	return 0;
}

/*
 * Keys are loaded and matched with root before anything else, so that a forgotten one is told at once. Fewer keys
 * of targets than the threshold will do where others have signed the pending file.
 */
static int load_keys(struct repo_publication *p, struct err *e)
{
	const struct tuf_root *root = repo_state_root(&p->edit.state);
	const bool cosigned = repo_has(p->edit.repo.staging, "pending.targets.json") && !p->cli->extend;
	char whose[40];

	snprintf(whose, sizeof(whose), "root %" PRIu64, root->head.version);
	for (size_t i = 0; i < ARRAY_LEN(signed_types); i++) {
		const enum tuf_type t = signed_types[i];
		struct repo_signers *s = &p->signers[t];

		if (p->cli->keys[t].n == 0)
			continue;
		if (repo_signers_load(p->cli, t, s, e) < 0)
			return -1;
		if (t == TUF_TARGETS && cosigned) {
			if (repo_signers_match_role(s, &root->keys, &root->roles[t], tuf_type_name(t), whose, e) < 0)
				return -1;
		} else if (repo_signers_match(s, root, t, e) < 0) {
			return -1;
		}
	}
	return 0;
}

static struct repo_role_signers *signers_of(struct repo_publication *p, const char *name, size_t n, struct err *e)
{
	for (size_t i = 0; i < p->n_role_signers; i++)
		if (strlen(p->role_signers[i].name) == n && memcmp(p->role_signers[i].name, name, n) == 0)
			return &p->role_signers[i];
	struct repo_role_signers *grown = reallocarray(p->role_signers, p->n_role_signers + 1, sizeof(*grown));
	char *copy = strndup(name, n);

	if (grown)
		p->role_signers = grown;
	if (!grown || !copy) {
		free(copy);
		err_set(e, ERR_SYSTEM, "memory", "--role-key: out of memory");
		return NULL;
	}
	p->role_signers[p->n_role_signers] = (struct repo_role_signers){ .name = copy };
	return &p->role_signers[p->n_role_signers++];
}

/* --role-key NAME=KEY */
static int load_role_keys(struct repo_publication *p, struct err *e)
{
	for (size_t i = 0; i < p->cli->role_keys.n; i++) {
		const char *given = p->cli->role_keys.v[i], *eq = strchr(given, '=');

		if (!eq || eq == given || !eq[1])
			return err_set(e, ERR_USAGE, "option", "--role-key '%s': NAME=KEY is wanted", given);
		struct repo_role_signers *s = signers_of(p, given, (size_t)(eq - given), e);

		if (!s || repo_signers_add(p->cli, eq + 1, &s->signers, e) < 0)
			return err_wrap(e, "--role-key %s", given);
	}
	return 0;
}

int repo_publication_open(struct repo_cli *c, const char *path, struct repo_publication *p, struct err *e)
{
	p->cli = c;
	p->extend = c->extend;
	if (read_times(p, e) < 0 || repo_edit_open(c, path, &p->edit, e) < 0 || load_keys(p, e) < 0)
		return -1;
	return load_role_keys(p, e);
}

static json_t *part_json(const struct repo_part *part)
{
	char expires[DATETIME_BYTES];

	datetime_format(part->expires_sec, expires);
	return json_pack("{sI, ss, sb}", "version", (json_int_t)part->version, "expires", expires, "new", part->made);
}

static int tell_json(const struct repo_publication *p, struct err *e)
{
	CLEANUP(json_decref_p) json_t *roles = json_object();

	for (size_t i = 0; i < p->n_roles; i++)
		json_object_set_new(roles, p->roles[i].name, part_json(&p->roles[i].part));
	CLEANUP(json_decref_p) json_t *j =
		json_pack("{sI, so, so, so, sO, sI, sI}", "root_version", (json_int_t)repo_state_root(&p->edit.state)->head.version,
			  "timestamp", part_json(&p->parts[TUF_TIMESTAMP]), "snapshot", part_json(&p->parts[TUF_SNAPSHOT]), "targets",
			  part_json(&p->parts[TUF_TARGETS]), "delegated", roles, "targets_added", (json_int_t)p->n_added,
			  "targets_total", (json_int_t)p->n_targets);

	return j ? json_print(j, stdout, e) : err_set(e, ERR_SYSTEM, "memory", "out of memory");
}

static void tell_part(const char *name, const struct repo_part *part)
{
	char expires[DATETIME_BYTES];

	datetime_format(part->expires_sec, expires);
	printf("%-9s version %" PRIu64 ", expires %s%s\n", name, part->version, expires, part->made ? "" : " (as before)");
}

static int tell(const struct repo_publication *p, struct err *e)
{
	size_t n_kept = 0;

	if (p->cli->json)
		return tell_json(p, e);
	for (size_t i = ARRAY_LEN(signed_types); i-- > 0;)
		tell_part(tuf_type_name(signed_types[i]), &p->parts[signed_types[i]]);
	for (size_t i = 0; i < p->n_roles; i++)
		if (p->roles[i].part.made)
			tell_part(p->roles[i].name, &p->roles[i].part);
		else
			n_kept++;
	if (n_kept)
		printf("delegated roles as before: %zu\n", n_kept);
	printf("targets: %zu, of which %zu new\n", p->n_targets, p->n_added);
	return 0;
}

int repo_publish(void *ctx, int argc, char **argv, struct err *e)
{
	CLEANUP(repo_publication_fini) struct repo_publication p = { .edit = REPO_EDIT_CLOSED };

	if (repo_publication_open(ctx, argv[0], &p, e) < 0 || repo_publication_plan(&p, e) < 0 || repo_publication_make(&p, e) < 0 ||
	    repo_publication_write(&p, e) < 0)
		return -1;
	return tell(&p, e);
}
