/*
 * The order of checks is that of specification 5.3 to 5.6: length and hashes of the raw bytes, envelope and
 * _type, signatures, typed values, version, rollback, expiry. A new value is built beside the old one and takes
 * its place only after the last check, so a failure changes nothing.
 *
 * A stored timestamp or snapshot has two uses. Signed by the keys that hold now, it is what a newer one is
 * compared with, expired or not. It is *final*, the one that counts from here on, only when it also passes what a
 * fetched one would have to pass.
 */
#include "tuf/trusted.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/num.h"
#include "tuf/trusted_set.h"

int tuf_out_of_order(struct err *e, const char *what)
{
	return err_set(e, ERR_BUG, NULL, "trusted set: %s out of order", what);
}

/* Signed by the threshold that the present root gives to a top-level role. */
static int load_signed(const struct tuf_trusted *t, struct bytes in, enum tuf_type type, const char *file,
		       struct tuf_signed **out, struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;

	if (tuf_signed_load(in, type, file, &s, e) < 0 ||
	    tuf_signed_verify(s, &t->root->keys, &t->root->roles[type], tuf_type_name(type), e) < 0)
		return -1;
	*out = TAKE(s);
	return 0;
}

int tuf_check_expiry(const struct tuf_trusted *t, const struct tuf_head *h, const char *file, struct err *e)
{
	char date[DATETIME_BYTES];

	if (t->expiry == TUF_EXPIRY_IGNORED || h->expires_sec > t->now_sec)
		return 0;
	datetime_format(h->expires_sec, date);
	return err_set(e, ERR_TRUST, TUF_E_EXPIRED, "%s: version %" PRIu64 " expired at %s", file, h->version, date);
}

int tuf_check_version(const struct tuf_head *h, uint64_t due, const char *file, struct err *e)
{
	if (h->version == due)
		return 0;
	return err_set(e, ERR_TRUST, TUF_E_VERSION, "%s: version %" PRIu64 ", not %" PRIu64 " as due", file, h->version,
		       due);
}

static int check_hash(const struct digest *want, struct bytes in, const char *file, struct err *e)
{
	struct digest got;

	if (digest_bytes(want->alg, in, &got, e) < 0)
		return -1;
	if (digest_equal(want, &got))
		return 0;
	return err_set(e, ERR_TRUST, TUF_E_DIGEST, "%s: its %s is not the one listed", file, digest_name(want->alg));
}

/* The raw bytes against what the referring file lists of them. */
int tuf_check_listed(const struct tuf_meta *m, struct bytes in, const char *file, struct err *e)
{
	if (m->has_length && in.n != m->length)
		return err_set(e, ERR_TRUST, TUF_E_LENGTH, "%s: %zu bytes, not %" PRIu64 " as listed", file, in.n,
			       m->length);
	if (m->hashes.listed && m->hashes.n == 0)
		return err_set(e, ERR_TRUST, TUF_E_DIGEST, "%s: only hashes of unknown algorithms are listed", file);
	if (m->hashes.n == 0 && tuf_check_parts(in, TUF_UNLISTED_PARTS_MAX, e) < 0)
		return err_wrap(e, "%s, listed without a hash", file);
	for (size_t i = 0; i < m->hashes.n; i++)
		if (check_hash(&m->hashes.v[i], in, file, e) < 0)
			return -1;
	return 0;
}

/* Root */

static int verify_root(const struct tuf_signed *s, const struct tuf_root *by, const char *whose, struct err *e)
{
	return tuf_signed_verify(s, &by->keys, &by->roles[TUF_ROOT], whose, e);
}

int tuf_trusted_new(struct bytes root, int64_t now_sec, enum tuf_expiry expiry, struct tuf_trusted **out, struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = calloc(1, sizeof(*t));
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;

	if (!t) {
		errno = ENOMEM;
		return err_sys(e, "root.json");
	}
	t->now_sec = now_sec;
	t->expiry = expiry;
	if (tuf_signed_load(root, TUF_ROOT, "root.json", &s, e) < 0 || tuf_root_parse(s, &t->root, e) < 0 ||
	    verify_root(s, t->root, "its own root role", e) < 0)
		return -1;
	*out = TAKE(t);
	return 0;
}

void tuf_trusted_free(struct tuf_trusted *t)
{
	if (!t)
		return;
	tuf_root_free(t->first);
	tuf_root_free(t->root);
	tuf_timestamp_free(t->timestamp);
	tuf_snapshot_free(t->snapshot);
	tuf_targets_free(t->targets);
	for (size_t i = 0; i < t->n_delegated; i++) {
		free(t->delegated[i].name);
		tuf_targets_free(t->delegated[i].role);
	}
	free(t->delegated);
	free(t);
}

static int next_root_version(const struct tuf_trusted *t, uint64_t *out, struct err *e)
{
	if (t->root->head.version >= TUF_VERSION_MAX)
		return err_set(e, ERR_TRUST, TUF_E_VERSION, "root.json: no version follows %" PRIu64,
			       t->root->head.version);
	*out = t->root->head.version + 1;
	return 0;
}

/* The new root's own keys are looked at only after the old ones have vouched for the file. */
static int read_next_root(const struct tuf_trusted *t, struct bytes in, uint64_t due, struct tuf_root **out,
			  struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
	CLEANUP(tuf_root_free_p) struct tuf_root *r = NULL;
	char file[40], whose[40];

	snprintf(file, sizeof(file), "%" PRIu64 ".root.json", due);
	snprintf(whose, sizeof(whose), "root %" PRIu64, t->root->head.version);
	if (tuf_signed_load(in, TUF_ROOT, file, &s, e) < 0 || verify_root(s, t->root, whose, e) < 0 ||
	    tuf_root_parse(s, &r, e) < 0 || verify_root(s, r, "its own root role", e) < 0 ||
	    tuf_check_version(&r->head, due, file, e) < 0)
		return -1;
	*out = TAKE(r);
	return 0;
}

int tuf_trusted_update_root(struct tuf_trusted *t, struct bytes in, struct err *e)
{
	struct tuf_root *r = NULL;
	uint64_t due = 0;

	if (t->roots_done)
		return tuf_out_of_order(e, "a root");
	if (next_root_version(t, &due, e) < 0 || read_next_root(t, in, due, &r, e) < 0)
		return -1;
	if (!t->first)
		t->first = TAKE(t->root);
	tuf_root_free(t->root);
	t->root = r;
	return 0;
}

int tuf_trusted_root_done(struct tuf_trusted *t, struct err *e)
{
	if (tuf_check_expiry(t, &t->root->head, "root.json", e) < 0)
		return -1;
	t->roots_done = true;
	return 0;
}

/* Has each key that @a's role lists its equal among those of @b's? */
static bool keys_within(const struct tuf_root *a, const struct tuf_root *b, enum tuf_type type)
{
	const struct tuf_role_keys *in = &a->roles[type], *among = &b->roles[type];

	for (size_t i = 0; i < in->n_ids; i++) {
		const struct tuf_key *key = tuf_keyring_find(&a->keys, in->ids[i]);
		bool found = !key; /* an id without a key vouches for nothing */

		for (size_t j = 0; j < among->n_ids && !found; j++) {
			const struct tuf_key *other = tuf_keyring_find(&b->keys, among->ids[j]);

			found = other && digest_equal(tuf_key_fingerprint(key), tuf_key_fingerprint(other));
		}
		if (!found)
			return false;
	}
	return true;
}

static bool role_rotated(const struct tuf_root *a, const struct tuf_root *b, enum tuf_type type)
{
	return a->roles[type].threshold != b->roles[type].threshold || !keys_within(a, b, type) ||
	       !keys_within(b, a, type);
}

bool tuf_trusted_keys_rotated(const struct tuf_trusted *t)
{
	return t->first &&
	       (role_rotated(t->first, t->root, TUF_TIMESTAMP) || role_rotated(t->first, t->root, TUF_SNAPSHOT));
}

/* Timestamp */

static int read_timestamp(const struct tuf_trusted *t, struct bytes in, struct tuf_timestamp **out, struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;

	if (load_signed(t, in, TUF_TIMESTAMP, "timestamp.json", &s, e) < 0)
		return -1;
	return tuf_timestamp_parse(s, out, e);
}

int tuf_trusted_load_timestamp(struct tuf_trusted *t, struct bytes in, struct err *e)
{
	if (!t->roots_done || t->timestamp)
		return tuf_out_of_order(e, "a stored timestamp");
	if (read_timestamp(t, in, &t->timestamp, e) < 0)
		return -1;
	t->timestamp_final = t->expiry == TUF_EXPIRY_IGNORED;
	return 0;
}

static int check_rollback(const char *file, const char *what, uint64_t version, uint64_t seen, struct err *e)
{
	if (version >= seen)
		return 0;
	return err_set(e, ERR_TRUST, TUF_E_ROLLBACK, "%s: %s %" PRIu64 " is lower than %" PRIu64 ", seen before", file,
		       what, version, seen);
}

int tuf_trusted_update_timestamp(struct tuf_trusted *t, struct bytes in, struct err *e)
{
	static const char file[] = "timestamp.json";
	CLEANUP(tuf_timestamp_free_p) struct tuf_timestamp *r = NULL;
	const struct tuf_timestamp *old = t->timestamp;

	if (!t->roots_done || t->timestamp_final)
		return tuf_out_of_order(e, "a timestamp");
	if (read_timestamp(t, in, &r, e) < 0)
		return -1;
	if (old && r->head.version == old->head.version) {
		if (tuf_check_expiry(t, &old->head, file, e) < 0)
			return -1;
		t->timestamp_final = true;
		return TUF_SAME;
	}
	if (old && (check_rollback(file, "version", r->head.version, old->head.version, e) < 0 ||
		    check_rollback(file, "snapshot version", r->snapshot.version, old->snapshot.version, e) < 0))
		return -1;
	if (tuf_check_expiry(t, &r->head, file, e) < 0)
		return -1;
	tuf_timestamp_free(t->timestamp);
	t->timestamp = TAKE(r);
	t->timestamp_final = true;
	return 0;
}

/* Snapshot */

static int read_snapshot(const struct tuf_trusted *t, struct bytes in, struct tuf_snapshot **out, struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;

	if (load_signed(t, in, TUF_SNAPSHOT, "snapshot.json", &s, e) < 0)
		return -1;
	return tuf_snapshot_parse(s, out, e);
}

int tuf_trusted_load_snapshot(struct tuf_trusted *t, struct bytes in, struct err *e)
{
	static const char file[] = "snapshot.json";

	if (!t->timestamp_final || t->snapshot)
		return tuf_out_of_order(e, "a stored snapshot");
	const struct tuf_meta *due = &t->timestamp->snapshot;
	if (read_snapshot(t, in, &t->snapshot, e) < 0)
		return -1;
	if (tuf_check_version(&t->snapshot->head, due->version, file, e) < 0 ||
	    tuf_check_listed(due, in, file, e) < 0 || tuf_check_expiry(t, &t->snapshot->head, file, e) < 0)
		return TUF_STALE;
	t->snapshot_final = true;
	return 0;
}

/* Every file that was listed before still is, with a version not lower. Both arrays are sorted. */
static int check_meta_rollback(const struct tuf_snapshot *new, const struct tuf_snapshot *old, struct err *e)
{
	static const char file[] = "snapshot.json";

	for (size_t i = 0; i < old->n_meta; i++) {
		const struct tuf_meta *was = &old->meta[i], *is = tuf_snapshot_find(new, was->name);

		if (!is)
			return err_set(e, ERR_TRUST, TUF_E_ROLLBACK, "%s: %s is not listed any more", file, was->name);
		if (is->version < was->version)
			return err_set(e, ERR_TRUST, TUF_E_ROLLBACK,
				       "%s: version %" PRIu64 " of %s is lower than %" PRIu64 ", seen before", file,
				       is->version, is->name, was->version);
	}
	return 0;
}

int tuf_trusted_update_snapshot(struct tuf_trusted *t, struct bytes in, struct err *e)
{
	static const char file[] = "snapshot.json";
	CLEANUP(tuf_snapshot_free_p) struct tuf_snapshot *r = NULL;

	if (!t->timestamp_final || t->snapshot_final)
		return tuf_out_of_order(e, "a snapshot");
	const struct tuf_meta *due = &t->timestamp->snapshot;
	if (tuf_check_listed(due, in, file, e) < 0 || read_snapshot(t, in, &r, e) < 0 ||
	    tuf_check_version(&r->head, due->version, file, e) < 0)
		return -1;
	if (t->snapshot && check_meta_rollback(r, t->snapshot, e) < 0)
		return -1;
	if (tuf_check_expiry(t, &r->head, file, e) < 0)
		return -1;
	tuf_snapshot_free(t->snapshot);
	t->snapshot = TAKE(r);
	t->snapshot_final = true;
	return 0;
}

/* What is trusted, and what comes next */

const struct tuf_root *tuf_trusted_root(const struct tuf_trusted *t)
{
	return t->root;
}

const struct tuf_timestamp *tuf_trusted_timestamp(const struct tuf_trusted *t)
{
	return t->timestamp_final ? t->timestamp : NULL;
}

const struct tuf_snapshot *tuf_trusted_snapshot(const struct tuf_trusted *t)
{
	return t->snapshot_final ? t->snapshot : NULL;
}

const struct tuf_targets *tuf_trusted_targets(const struct tuf_trusted *t)
{
	return t->targets;
}

static struct tuf_next next_of(const struct tuf_trusted *t, const struct tuf_meta *m, enum tuf_type type)
{
	struct tuf_next next = { .version = 0, .max_bytes = tuf_type_max_bytes(type) };

	if (t->root->consistent_snapshot)
		next.version = m->version;
	next.max_bytes = (size_t)min_u64(m->has_length ? m->length : TUF_UNLISTED_MAX_BYTES, next.max_bytes);
	return next;
}

int tuf_trusted_next(const struct tuf_trusted *t, const char *role, struct tuf_next *out, struct err *e)
{
	char file[TUF_FILE_NAME_BYTES];
	const struct tuf_meta *m;

	if (strcmp(role, tuf_type_name(TUF_ROOT)) == 0) {
		out->max_bytes = TUF_ROOT_MAX_BYTES;
		return next_root_version(t, &out->version, e);
	}
	if (strcmp(role, tuf_type_name(TUF_TIMESTAMP)) == 0) {
		*out = (struct tuf_next){ .version = 0, .max_bytes = TUF_TIMESTAMP_MAX_BYTES };
		return 0;
	}
	if (strcmp(role, tuf_type_name(TUF_SNAPSHOT)) == 0) {
		if (!t->timestamp_final)
			return tuf_out_of_order(e, "asking for a snapshot");
		*out = next_of(t, &t->timestamp->snapshot, TUF_SNAPSHOT);
		return 0;
	}
	if (!t->snapshot_final)
		return tuf_out_of_order(e, "asking for targets");
	m = tuf_find_listed(t, role, file, e);
	if (!m)
		return -1;
	*out = next_of(t, m, TUF_TARGETS);
	return 0;
}
