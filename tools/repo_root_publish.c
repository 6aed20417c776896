/*
 * `root publish`: the pending root becomes visible. A published root is never replaced: hosts follow the numbers
 * one by one, and two that saw different files under one number could never agree again.
 *
 *	1. everything that the new root demands is known: which roles it no longer vouches for
 *	2. N+1.root.json, durable and whole; the present timestamp may fail on hosts from here on
 *	3. with the keys given, a publication signs anew what is stale; without, it is said what has to be done
 *	4. the pending file goes; left there, it is the published one and refused
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "tools/repo_keys.h"
#include "tools/repo_publication.h"
#include "tools/repo_rootfile.h"

/* Both thresholds, told apart, because other people have to be asked for what is missing. */
static int check_signatures(const struct repo_rootfile *f, struct err *e)
{
	struct repo_count old, own;

	if (repo_rootfile_count(f, &old, &own, e) < 0)
		return -1;
	if (old.good >= old.wanted && own.good >= own.wanted)
		return 0;
	return err_set(e, ERR_TRUST, TUF_E_THRESHOLD,
		       "root %" PRIu64 ": %" PRIu64 " of %" PRIu64 " signatures of the old, %" PRIu64 " of %" PRIu64 " of the new",
		       f->root->head.version, old.good, old.wanted, own.good, own.wanted);
}

/* As a host would take it, which has followed all roots so far. */
static int check_as_host(const struct repo *r, struct bytes text, uint64_t version, int64_t now_sec, struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;
	char name[REPO_FILE_NAME_BYTES];

	for (uint64_t v = 1; v < version; v++) {
		CLEANUP(buf_fini) struct buf b = BUF_INIT(TUF_ROOT_MAX_BYTES);

		repo_metadata_name(TUF_ROOT, v, name);
		if (file_read(r->metadata, name, &b, e) < 0)
			return -1;
		if ((t ? tuf_trusted_update_root(t, buf_bytes(&b), e) : tuf_trusted_new(buf_bytes(&b), now_sec, TUF_EXPIRY_ENFORCED, &t, e)) < 0)
			return -1;
	}
	if (!t)
		return err_set(e, ERR_BUG, NULL, "a first root cannot be pending");
	if (tuf_trusted_update_root(t, text, e) < 0)
		return -1;
	return tuf_trusted_root_done(t, e);
}

/* The pending root, pruned and checked, as text. */
static int make_text(const struct repo *r, struct repo_rootfile *f, int64_t now_sec, struct buf *out, struct err *e)
{
	struct repo_signing_keys by[2];
	const size_t n_by = repo_rootfile_signers(f, by);
	size_t n_dropped = 0;

	if (repo_envelope_prune(&f->file, by, n_by, &n_dropped, e) < 0 || check_signatures(f, e) < 0)
		return -1;
	if (n_dropped)
		log_warn("root: %zu signatures do not verify and were left out", n_dropped);
	if (repo_envelope_text(&f->file, out, e) < 0)
		return -1;
	return check_as_host(r, buf_bytes(out), f->root->head.version, now_sec, e);
}

static int write_root(const struct repo *r, uint64_t version, struct bytes text, struct err *e)
{
	char name[REPO_FILE_NAME_BYTES];

	repo_metadata_name(TUF_ROOT, version, name);
	if (repo_has(r->metadata, name))
		return err_set(e, ERR_STATE, REPO_E_EXISTS, "%s/metadata/%s: is published already; roots are never replaced", r->path, name);
	if (file_replace(r->metadata, name, text, 0644, e) < 0)
		return err_wrap(e, "%s/metadata", r->path);
	return file_remove(r->staging, REPO_PENDING_ROOT, e);
}

/* A new file below means new ones above: snapshot lists targets, timestamp lists snapshot. */
static void spread(bool needed[TUF_TYPES])
{
	needed[TUF_SNAPSHOT] |= needed[TUF_TARGETS];
	needed[TUF_TIMESTAMP] |= needed[TUF_SNAPSHOT];
}

static int find_needed(const char *path, int64_t now_sec, bool needed[TUF_TYPES], struct err *e)
{
	CLEANUP(repo_fini) struct repo r = REPO_CLOSED;
	CLEANUP(repo_state_fini) struct repo_state s = { .trusted = NULL };

	if (repo_open(path, REPO_READ, &r, e) < 0 || repo_state_load(&r, now_sec, &s, e) < 0)
		return -1;
	for (int t = 0; t < TUF_TYPES; t++)
		needed[t] = s.stale[t];
	spread(needed);
	return 0;
}

static int tell(const struct repo_cli *c, uint64_t version, const bool needed[TUF_TYPES], struct err *e)
{
	CLEANUP(json_decref_p) json_t *roles = json_array();
	char options[160] = "";
	size_t n = 0;

	for (int t = TUF_TIMESTAMP; t < TUF_TYPES; t++) {
		if (!needed[t])
			continue;
		json_array_append_new(roles, json_string(tuf_type_name((enum tuf_type)t)));
		n += (size_t)snprintf(options + n, sizeof(options) - n, " --%s KEY", repo_cli_key_option((enum tuf_type)t));
	}
	if (json_array_size(roles) > 0)
		log_warn("hosts refuse the repository until its roles are signed with the new keys: publish%s%s", needed[TUF_TARGETS] ? "" : " --extend",
			 options);
	if (c->json) {
		CLEANUP(json_decref_p) json_t *j = json_pack("{sI, sO}", "root_version", (json_int_t)version, "to_publish", roles);

		return j ? json_print(j, stdout, e) : err_set(e, ERR_SYSTEM, "memory", "out of memory");
	}
	printf("root %" PRIu64 " is published\n", version);
	for (size_t i = 0; i < json_array_size(roles); i++)
		printf("%s must be published again, with its new keys (--%s-key)\n", json_string_value(json_array_get(roles, i)),
		       json_string_value(json_array_get(roles, i)));
	return 0;
}

static int publish_pending(const struct repo_cli *c, const char *path, int64_t now_sec, uint64_t *version, struct err *e)
{
	CLEANUP(repo_fini) struct repo r = REPO_CLOSED;
	CLEANUP(repo_rootfile_fini) struct repo_rootfile f = { .root = NULL };
	CLEANUP(buf_fini) struct buf text = BUF_INIT(TUF_ROOT_MAX_BYTES);

	if (repo_open(path, REPO_WRITE, &r, e) < 0 || repo_rootfile_load_pending(&r, &f, e) < 0 || make_text(&r, &f, now_sec, &text, e) < 0)
		return -1;
	*version = f.root->head.version;
	return write_root(&r, *version, buf_bytes(&text), e);
}

int repo_root_publish(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	bool needed[TUF_TYPES] = { false };
	uint64_t version;
	int64_t now_sec;

	if (repo_cli_now(c, &now_sec, e) < 0 || publish_pending(c, argv[0], now_sec, &version, e) < 0)
		return -1;
	if (c->keys[TUF_TIMESTAMP].n) {
		c->extend = true;
		if (!c->json)
			printf("root %" PRIu64 " is published\n", version);
		return repo_publish(c, argc, argv, e);
	}
	if (find_needed(argv[0], now_sec, needed, e) < 0)
		return -1;
	return tell(c, version, needed, e);
}
