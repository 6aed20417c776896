/*
 * Opening and refreshing: the shell around the trusted set, which has the rules. Order is all that is decided
 * here: what is asked for when, and that each file is stored as soon as it is trusted and before the next one is
 * asked for.
 *
 * What a power cut leaves, after each step of a refresh; the next refresh works from any of these:
 *	a root stored		the chain goes on behind it; stored files that its keys do not verify count as absent
 *	old timestamp and snapshot removed, the root that rotated their keys not stored
 *				the same chain again: nothing is lost, since that root makes them worthless
 *	a timestamp stored	newer than the snapshot, which then is only what the due one is compared with
 *	a snapshot stored	newer than targets, which then is fetched
 *	targets stored, not the note on it
 *				it is verified once more (client_targets.c)
 */
#include "tuf/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "tuf/client_state.h"
#include "tuf/signed.h"

int tuf_client_stored(const struct tuf_client *c, const char *role, size_t max_bytes, struct buf *out, struct err *e)
{
	struct err why = { 0 };

	out->max = max_bytes;
	if (tuf_store_load(c->store, role, out, &why) == 0)
		return 0;
	buf_fini(out);
	if (why.kind == ERR_SYSTEM && why.sys != 0 && why.sys != EIO) {
		*e = why;
		return -1;
	}
	if (why.kind != ERR_MISSING)
		log_debug("%s; going on without it", why.msg);
	return TUF_ABSENT;
}

int tuf_client_pass_over(const struct err *why, struct err *e)
{
	if (why->kind == ERR_SYSTEM) {
		*e = *why;
		return err_wrap(e, "stored");
	}
	log_debug("stored %s; going on without it", why->msg);
	return 0;
}

struct offer {
	struct tuf_trusted *t;
	tuf_update_fn update;
};

static int accept_offer(void *ctx, struct bytes in, struct err *e)
{
	const struct offer *o = (const struct offer *)ctx;

	return o->update(o->t, in, e);
}

int tuf_client_update_next(const struct tuf_client *c, struct tuf_trusted *t, const char *role, tuf_update_fn update, struct buf *out,
			   struct err *e)
{
	struct offer offer = { .t = t, .update = update };
	struct tuf_next next;

	if (tuf_trusted_next(t, role, &next, e) < 0)
		return -1;
	return tuf_client_fetch(c, role, &next, accept_offer, &offer, out, e);
}

/* Fast-forward recovery: numbers that the old keys signed bind nobody any more (5.3.11). */
static int remove_rotated(const struct tuf_client *c, struct err *e)
{
	log_debug("timestamp or snapshot keys have changed: their stored files are removed");
	if (tuf_store_remove(c->store, "snapshot", e) < 0)
		return -1;
	return tuf_store_remove(c->store, "timestamp", e);
}

/*
 * A root that has just become trusted is stored, and is what the client goes on from. The files that it makes
 * worthless go first: the other way round a cut between the two would leave them, and the next run would not know
 * that the keys were others before.
 */
static int keep_root(struct tuf_client *c, bool rotated, struct buf *root, struct err *e)
{
	if (rotated && remove_rotated(c, e) < 0)
		return -1;
	if (tuf_store_save(c->store, "root", buf_bytes(root), e) < 0)
		return -1;
	buf_fini(&c->root);
	c->root = *root;
	*root = (struct buf){ 0 };
	return 0;
}

/* One step of 5.3. Return: 0 there was a newer root; TUF_SAME there is none; -1 */
static int refresh_root_step(struct tuf_client *c, struct tuf_trusted *t, struct err *e)
{
	struct buf in = { 0 };
	int r = tuf_client_update_next(c, t, "root", tuf_trusted_update_root, &in, e);

	if (r < 0)
		r = e->kind == ERR_MISSING ? TUF_SAME : -1;
	else
		r = keep_root(c, tuf_trusted_keys_rotated(t), &in, e);
	buf_fini(&in);
	return r;
}

static int refresh_root(struct tuf_client *c, struct tuf_trusted *t, struct err *e)
{
	int r = 0;

	for (unsigned int n = 0; r == 0; n++) {
		if (n == TUF_ROOTS_MAX)
			return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "root: more than %u new ones at once", TUF_ROOTS_MAX);
		r = refresh_root_step(c, t, e);
	}
	return r < 0 ? -1 : tuf_trusted_root_done(t, e);
}

static int refresh_timestamp(struct tuf_client *c, struct tuf_trusted *t, struct err *e)
{
	struct buf stored = { 0 }, in = { 0 };
	struct err why;
	int r;

	r = tuf_client_stored(c, "timestamp", tuf_type_max_bytes(TUF_TIMESTAMP), &stored, e);
	if (r == 0 && tuf_trusted_load_timestamp(t, buf_bytes(&stored), &why) < 0)
		r = tuf_client_pass_over(&why, e);
	if (r >= 0)
		r = tuf_client_update_next(c, t, "timestamp", tuf_trusted_update_timestamp, &in, e);
	if (r == 0)
		r = tuf_store_save(c->store, "timestamp", buf_bytes(&in), e);
	buf_fini(&stored);
	buf_fini(&in);
	return r < 0 ? -1 : 0;
}

static int refresh_snapshot(struct tuf_client *c, struct tuf_trusted *t, struct err *e)
{
	struct buf stored = { 0 }, in = { 0 };
	struct err why;
	int r = tuf_client_stored(c, "snapshot", tuf_type_max_bytes(TUF_SNAPSHOT), &stored, e);
	bool due = r > 0;

	if (r == 0 && tuf_trusted_load_snapshot(t, buf_bytes(&stored), &why) != 0) {
		r = tuf_client_pass_over(&why, e);
		due = r == 0;
	}
	if (due) {
		r = tuf_client_update_next(c, t, "snapshot", tuf_trusted_update_snapshot, &in, e);
		if (r == 0)
			r = tuf_store_save(c->store, "snapshot", buf_bytes(&in), e);
	}
	buf_fini(&stored);
	buf_fini(&in);
	return r;
}

static void take_trusted(struct tuf_client *c, struct tuf_trusted *t)
{
	tuf_trusted_free(c->trusted);
	c->trusted = t;
}

int tuf_client_refresh(struct tuf_client *c, struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;

	if (!tuf_mirrors_count(c->mirrors, TUF_MIRROR_METADATA))
		return err_set(e, ERR_USAGE, "url", "no metadata URL was given");
	if (c->offline)
		return err_set(e, ERR_STATE, "offline", "this client was opened to work offline");
	if (tuf_trusted_new(buf_bytes(&c->root), c->now_sec, TUF_EXPIRY_ENFORCED, &t, e) < 0)
		return -1;
	if (refresh_root(c, t, e) < 0 || refresh_timestamp(c, t, e) < 0 || refresh_snapshot(c, t, e) < 0 ||
	    tuf_client_refresh_targets(c, t, e) < 0)
		return -1;
	take_trusted(c, TAKE(t));
	return 0;
}

static int load_stored(const struct tuf_client *c, enum tuf_type type, struct buf *out, struct err *e)
{
	out->max = tuf_type_max_bytes(type);
	return tuf_store_load(c->store, tuf_type_name(type), out, e);
}

/* The three files below root. A snapshot that is not the one due (TUF_STALE) is a failure here: there is no newer
 * one to be had. */
static int load_all_stored(const struct tuf_client *c, struct tuf_trusted *t, struct err *e)
{
	struct buf timestamp = { 0 }, snapshot = { 0 }, targets = { 0 };
	int r = tuf_trusted_root_done(t, e);

	if (r == 0 && (r = load_stored(c, TUF_TIMESTAMP, &timestamp, e)) == 0)
		r = tuf_trusted_load_timestamp(t, buf_bytes(&timestamp), e);
	if (r == 0 && (r = load_stored(c, TUF_SNAPSHOT, &snapshot, e)) == 0)
		r = tuf_trusted_load_snapshot(t, buf_bytes(&snapshot), e);
	if (r == 0 && (r = load_stored(c, TUF_TARGETS, &targets, e)) == 0)
		r = tuf_trusted_update_targets(t, buf_bytes(&targets), e);
	buf_fini(&timestamp);
	buf_fini(&snapshot);
	buf_fini(&targets);
	return r == 0 ? 0 : -1;
}

int tuf_client_load_offline(struct tuf_client *c, struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;

	if (tuf_trusted_new(buf_bytes(&c->root), c->now_sec, TUF_EXPIRY_IGNORED, &t, e) < 0 || load_all_stored(c, t, e) < 0)
		return err_wrap(e, "offline");
	take_trusted(c, TAKE(t));
	c->offline = true;
	return 0;
}

/* Is each of @a's ids one of @b's? */
static bool ids_within(const struct tuf_role_keys *a, const struct tuf_role_keys *b)
{
	for (size_t i = 0; i < a->n_ids; i++) {
		bool found = false;

		for (size_t k = 0; k < b->n_ids && !found; k++)
			found = strcmp(a->ids[i], b->ids[k]) == 0;
		if (!found)
			return false;
	}
	return true;
}

/* Between roots that are not neighbours: by key ids, which both name, a differing id for the same key being a
 * rotation too. */
static bool roots_rotate(const struct tuf_root *a, const struct tuf_root *b)
{
	static const enum tuf_type online[] = { TUF_TIMESTAMP, TUF_SNAPSHOT };

	for (size_t i = 0; i < ARRAY_LEN(online); i++) {
		const struct tuf_role_keys *x = &a->roles[online[i]], *y = &b->roles[online[i]];

		if (x->threshold != y->threshold || !ids_within(x, y) || !ids_within(y, x))
			return true;
	}
	return false;
}

static int copy_bytes(struct bytes in, struct buf *out, struct err *e)
{
	out->max = in.n;
	return buf_append(out, in.p, in.n, e);
}

/* @stored_set NULL: the store has no root that can be trusted. Takes the shipped root in its place. */
static int take_shipped(struct tuf_client *c, struct bytes shipped, const struct tuf_trusted *stored_set,
			struct tuf_trusted *shipped_set, struct err *e)
{
	const bool rotated =
		stored_set && roots_rotate(tuf_trusted_root(stored_set), tuf_trusted_root(shipped_set));
	struct buf copy = { 0 };
	int r = copy_bytes(shipped, &copy, e);

	if (r == 0)
		r = keep_root(c, rotated, &copy, e);
	buf_fini(&copy);
	return r;
}

/* The root to start from: see tuf_client_open() in the header. */
static int choose_root(struct tuf_client *c, struct bytes shipped, struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *of_store = NULL;
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *of_ship = NULL;
	struct err why = { 0 };
	const int r = tuf_client_stored(c, "root", tuf_type_max_bytes(TUF_ROOT), &c->root, e);

	if (r < 0)
		return -1;
	if (r == 0 && tuf_trusted_new(buf_bytes(&c->root), c->now_sec, TUF_EXPIRY_ENFORCED, &of_store, &why) < 0) {
		if (tuf_client_pass_over(&why, e) < 0)
			return -1;
		if (!shipped.p) {
			*e = why;
			return err_wrap(e, "stored");
		}
	}
	if (!of_store && !shipped.p)
		return err_set(e, ERR_MISSING, TUF_E_NO_ROOT, "there is no trusted root, neither stored nor given");
	if (shipped.p && tuf_trusted_new(shipped, c->now_sec, TUF_EXPIRY_ENFORCED, &of_ship, e) < 0) {
		if (!of_store)
			return err_wrap(e, "given");
		log_debug("given %s; going on with the stored one", e->msg);
	}
	if (of_ship && (!of_store || tuf_trusted_root(of_ship)->head.version > tuf_trusted_root(of_store)->head.version)) {
		if (take_shipped(c, shipped, of_store, of_ship, e) < 0)
			return -1;
		c->trusted = TAKE(of_ship);
		return 0;
	}
	c->trusted = TAKE(of_store);
	return 0;
}

int tuf_client_open(const struct tuf_client_config *config, struct tuf_client **out, struct err *e)
{
	static const struct tuf_fetch_options defaults;
	CLEANUP(tuf_client_free_p) struct tuf_client *c = (struct tuf_client *)calloc(1, sizeof(*c));

	if (!c)
		return err_set(e, ERR_SYSTEM, "memory", "TUF client: out of memory");
	c->now_sec = config->now_sec;
	if (tuf_mirrors_new(config->metadata_url, config->targets_url, &c->mirrors, e) < 0)
		return -1;
	if (tuf_store_open(config->store_dir, &c->store, e) < 0 ||
	    tuf_fetcher_new(config->fetch ? config->fetch : &defaults, &c->fetcher, e) < 0)
		return -1;
	if (choose_root(c, config->trusted_root, e) < 0)
		return -1;
	*out = TAKE(c);
	return 0;
}

void tuf_client_free(struct tuf_client *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_role_names; i++)
		free(c->role_names[i]);
	free(c->role_names);
	tuf_trusted_free(c->trusted);
	tuf_fetcher_free(c->fetcher);
	tuf_store_free(c->store);
	buf_fini(&c->root);
	tuf_mirrors_free(c->mirrors);
	free(c);
}

const struct tuf_trusted *tuf_client_trusted(const struct tuf_client *c)
{
	return c->trusted;
}

static void note(const struct tuf_head *head, uint64_t *version, int64_t *earliest)
{
	*version = head->version;
	if (head->expires_sec < *earliest)
		*earliest = head->expires_sec;
}

struct tuf_trust tuf_client_trust(const struct tuf_client *c)
{
	const struct tuf_timestamp *timestamp = tuf_trusted_timestamp(c->trusted);
	const struct tuf_snapshot *snapshot = tuf_trusted_snapshot(c->trusted);
	const struct tuf_head *targets = tuf_trusted_targets_head(c->trusted);
	struct tuf_trust t = { .earliest_expiry_sec = INT64_MAX };

	note(&tuf_trusted_root(c->trusted)->head, &t.root_version, &t.earliest_expiry_sec);
	if (timestamp)
		note(&timestamp->head, &t.timestamp_version, &t.earliest_expiry_sec);
	if (snapshot)
		note(&snapshot->head, &t.snapshot_version, &t.earliest_expiry_sec);
	if (targets)
		note(targets, &t.targets_version, &t.earliest_expiry_sec);
	return t;
}
