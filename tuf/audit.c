/*
 * One trusted set does the checking, told to ignore expiry, which is then looked at here for each file: so an
 * expired file is a failure that does not hide the next one.
 *
 * The delegations are a graph that may have cycles. Each role's delegations are followed once, from the first
 * good copy of its file; every delegation that leads to it is checked, since each brings keys of its own.
 */
#include "tuf/audit.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/num.h"
#include "base/stream.h"
#include "tuf/checked.h"
#include "tuf/deleg.h"
#include "tuf/fetch.h"
#include "tuf/fetch_file.h"
#include "tuf/url.h"

#define NAME_BYTES (TUF_NAME_MAX_BYTES + 40)
#define URL_BASE_BYTES (3 * PATH_MAX + 16)
#define URL_MAX_BYTES (URL_BASE_BYTES + 4 * TUF_NAME_MAX_BYTES)
#define PIECE_BYTES 65536

/* A role whose delegations are to be followed. */
struct open_role {
	char *name;
	const struct tuf_targets *role;
};

struct audit {
	const struct tuf_audit_options *o;
	tuf_audit_fn seen;
	void *ctx;
	struct buf metadata_url, targets_url;
	struct tuf_audit_result result;
	char root_name[NAME_BYTES]; /* the newest trusted root, told when it is known whether it is the last */
	struct tuf_head root_head;
	struct open_role *roles; /* a queue of which nothing is removed: a role that is in it is followed once */
	size_t n_roles, cap_roles, n_edges;
	const char **followed; /* the names in @roles, ascending, with room for @cap_roles */
	uint8_t piece[PIECE_BYTES];
};

/* Trouble of this machine or this program, which says nothing about the file. */
static bool is_ours(const struct err *e)
{
	return e->kind == ERR_BUG || e->kind == ERR_STATE ||
	       (e->kind == ERR_SYSTEM && (e->sys == ENOMEM || (e->reason && strcmp(e->reason, "memory") == 0)));
}

/* Tells of a file; @why is only looked at if @r says that it failed. */
static int tell(struct audit *a, struct tuf_audit_item item, int r, const struct err *why, struct err *e)
{
	if (r < 0 && why && is_ours(why)) {
		*e = *why;
		return -1;
	}
	item.failure = r < 0 ? why : NULL;
	a->result.n_failures += item.failure != NULL;
	if (item.what == TUF_AUDIT_TARGET)
		a->result.n_targets++;
	else
		a->result.n_metadata++;
	return a->seen(a->ctx, &item, e);
}

/* A role's file that is signed as it has to be: only its expiry is left to be looked at. */
static int tell_signed(struct audit *a, struct tuf_audit_item item, struct err *e)
{
	char date[DATETIME_BYTES];
	struct err why;
	int r = 0;

	if (item.head->expires_sec <= a->o->now_sec) {
		datetime_format(item.head->expires_sec, date);
		r = err_set(&why, ERR_TRUST, TUF_E_EXPIRED, "%s: version %" PRIu64 " expired at %s", item.name,
			    item.head->version, date);
	}
	return tell(a, item, r, &why, e);
}

static int tell_unchecked(struct audit *a, enum tuf_type type, const char *because, struct err *e)
{
	char name[NAME_BYTES];
	struct err why;

	snprintf(name, sizeof(name), "%s.json", tuf_type_name(type));
	const int r = err_set(&why, ERR_TRUST, TUF_E_UNCHECKED, "%s: not checked, since %s is not trusted", name, because);

	return tell(a, (struct tuf_audit_item){ .name = name, .role = tuf_type_name(type) }, r, &why, e);
}

/* The file of a role as a client would ask for it; its name on the server goes to @name. */
static int read_metadata(const struct audit *a, const char *role, const struct tuf_next *next, char name[NAME_BYTES],
			 struct buf *out, struct err *e)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	struct buf url = BUF_INIT(URL_MAX_BYTES);
	char number[24] = "";
	int r = -1;

	if (next->version)
		snprintf(number, sizeof(number), "%" PRIu64 ".", next->version);
	snprintf(name, NAME_BYTES, "%s%s.json", number, role);
	*out = BUF_INIT(next->max_bytes);
	if (tuf_url_metadata((const char *)a->metadata_url.p, next->version, role, &url, e) == 0 && buf_str(&url, e) &&
	    tuf_fetch_file((const char *)url.p, next->max_bytes, name, &s, e) == 0)
		r = source_read_all(s, out, e);
	buf_fini(&url);
	return r;
}

/* Roots: only the last one must not have expired, so each is told when the next one is known. */

static void keep_root(struct audit *a, const char *name)
{
	snprintf(a->root_name, sizeof(a->root_name), "%s", name);
	a->root_head = tuf_trusted_root(a->result.trusted)->head;
}

static struct tuf_audit_item kept_root(const struct audit *a)
{
	return (struct tuf_audit_item){ .name = a->root_name, .role = "root", .head = &a->root_head };
}

/* The folder's file of the version that was given must say the same; who has signed it besides does not matter. */
static int check_same_root(struct bytes given, struct bytes found, const char *name, struct err *e)
{
	CLEANUP(tuf_signed_free_p) struct tuf_signed *a = NULL;
	CLEANUP(tuf_signed_free_p) struct tuf_signed *b = NULL;

	if (tuf_signed_load(given, TUF_ROOT, "trusted root", &a, e) < 0 || tuf_signed_load(found, TUF_ROOT, name, &b, e) < 0)
		return -1;
	if (bytes_equal(tuf_signed_canon(a), tuf_signed_canon(b)))
		return 0;
	return err_set(e, ERR_TRUST, TUF_E_DIGEST, "%s: not the trusted root of this version", name);
}

/* @name is that of the file which failed. */
static int load_first_root(const struct audit *a, char name[NAME_BYTES], struct tuf_trusted **out, struct err *e)
{
	CLEANUP(tuf_trusted_free_p) struct tuf_trusted *t = NULL;
	const struct bytes given = a->o->trusted_root;
	struct tuf_next next = { .version = 1, .max_bytes = TUF_ROOT_MAX_BYTES };
	struct buf in = { 0 };

	snprintf(name, NAME_BYTES, "trusted root");
	if (given.p && tuf_trusted_new(given, a->o->now_sec, TUF_EXPIRY_IGNORED, &t, e) < 0)
		return -1;
	if (t)
		next.version = tuf_trusted_root(t)->head.version;
	int r = read_metadata(a, "root", &next, name, &in, e);

	if (r == 0 && t)
		r = check_same_root(given, buf_bytes(&in), name, e);
	else if (r == 0)
		r = tuf_trusted_new(buf_bytes(&in), a->o->now_sec, TUF_EXPIRY_IGNORED, &t, e);
	if (r == 0 && tuf_trusted_root(t)->head.version != next.version)
		r = err_set(e, ERR_TRUST, TUF_E_VERSION, "%s: version %" PRIu64 ", not %" PRIu64 " as due", name,
			    tuf_trusted_root(t)->head.version, next.version);
	buf_fini(&in);
	if (r == 0)
		*out = TAKE(t);
	return r;
}

/* The next root. Return: 0; TUF_SAME there is none; TUF_STALE it was refused; -1 */
static int walk_root(struct audit *a, struct err *e)
{
	struct tuf_next next;
	struct buf in = { 0 };
	char name[NAME_BYTES];
	struct err why;

	if (tuf_trusted_next(a->result.trusted, "root", &next, e) < 0)
		return -1;
	int r = read_metadata(a, "root", &next, name, &in, &why);

	if (r == 0)
		r = tuf_trusted_update_root(a->result.trusted, buf_bytes(&in), &why);
	buf_fini(&in);
	if (r == 0) {
		r = tell(a, kept_root(a), 0, NULL, e);
		keep_root(a, name);
		return r;
	}
	if (tell_signed(a, kept_root(a), e) < 0)
		return -1;
	if (why.kind == ERR_MISSING)
		return TUF_SAME;
	return tell(a, (struct tuf_audit_item){ .name = name, .role = "root" }, r, &why, e) < 0 ? -1 : TUF_STALE;
}

static bool is_root_name(const char *name, uint64_t *version)
{
	const size_t n = strspn(name, "0123456789");

	return strcmp(name + n, ".root.json") == 0 && num_parse_u64_n(name, n, 1, TUF_VERSION_MAX, version);
}

static int version_order(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Versions above @above of root files that lie in the folder, ascending; the caller frees. */
static int find_roots(const char *dir, uint64_t above, uint64_t **out, size_t *n_out, struct err *e)
{
	CLEANUP(free_p) uint64_t *v = NULL;
	DIR *d = opendir(dir);
	const struct dirent *entry;
	uint64_t version;
	size_t n = 0;

	if (!d)
		return err_sys(e, "%s", dir);
	while ((entry = readdir(d)) != NULL) {
		if (!is_root_name(entry->d_name, &version) || version <= above)
			continue;
		uint64_t *grown = (uint64_t *)reallocarray(v, n + 1, sizeof(*v));

		if (!grown) {
			closedir(d);
			return err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", dir);
		}
		v = grown;
		v[n++] = version;
	}
	closedir(d);
	if (n)
		qsort(v, n, sizeof(*v), version_order);
	*out = TAKE(v);
	*n_out = n;
	return 0;
}

/* Roots behind a gap in the numbers, or behind one that was refused: no client gets there. */
static int tell_cut_off_roots(struct audit *a, uint64_t above, struct err *e)
{
	CLEANUP(free_p) uint64_t *v = NULL;
	char name[NAME_BYTES];
	struct err why;
	size_t n = 0;
	int r = find_roots(a->o->metadata_dir, above, &v, &n, e);

	for (size_t i = 0; i < n && r == 0; i++) {
		snprintf(name, sizeof(name), "%" PRIu64 ".root.json", v[i]);
		const int bad = err_set(&why, ERR_TRUST, TUF_E_UNCHECKED, "%s: not checked, since no trusted root %" PRIu64
					" leads to it", name, v[i] - 1);

		r = tell(a, (struct tuf_audit_item){ .name = name, .role = "root" }, bad, &why, e);
	}
	return r;
}

/* Return: 0; TUF_STALE a root was refused, so nothing further can be checked; -1 */
static int walk_roots(struct audit *a, struct err *e)
{
	char name[NAME_BYTES];
	struct err why;
	int r = load_first_root(a, name, &a->result.trusted, &why);

	if (r < 0) {
		r = tell(a, (struct tuf_audit_item){ .name = name, .role = "root" }, r, &why, e);
		return r < 0 ? -1 : TUF_STALE;
	}
	keep_root(a, name);
	for (unsigned int n = 0; r == 0 && n < TUF_ROOTS_MAX; n++)
		r = walk_root(a, e);
	if (r < 0)
		return -1;
	/* The one after the last good root was told, or is not there, or is one more than a client takes at once. */
	const uint64_t told = tuf_trusted_root(a->result.trusted)->head.version + (r == TUF_STALE);

	if (r == 0 && tell_signed(a, kept_root(a), e) < 0)
		return -1;
	if (tell_cut_off_roots(a, told, e) < 0 || tuf_trusted_root_done(a->result.trusted, e) < 0)
		return -1;
	return r == TUF_STALE ? TUF_STALE : 0;
}

/* Targets that a role lists */

static int read_to_end(struct audit *a, struct source *s, struct err *e)
{
	size_t n;
	int r = 0;

	while (r == 0) {
		if (a->o->stop && *a->o->stop)
			return err_set(e, ERR_STATE, "interrupted", "interrupted");
		r = source_read(s, a->piece, sizeof(a->piece), &n, e);
	}
	return r < 0 ? -1 : 0;
}

static int check_target(struct audit *a, const struct tuf_entry *entry, struct err *e)
{
	CLEANUP(source_free_p) struct source *s = NULL;
	struct buf url = BUF_INIT(URL_MAX_BYTES);
	const bool hashed = tuf_trusted_root(a->result.trusted)->consistent_snapshot;
	char hex[2 * DIGEST_MAX_BYTES + 1], what[NAME_BYTES];
	int r = -1;

	snprintf(what, sizeof(what), "target %s", entry->path);
	if (entry->hashes.n == 0)
		return err_set(e, ERR_TRUST, TUF_E_DIGEST, "%s: listed without a sha256 or sha512 digest", what);
	digest_hex(&entry->hashes.v[0], hex);
	if (tuf_url_target((const char *)a->targets_url.p, entry->path, hashed ? hex : NULL, &url, e) == 0 && buf_str(&url, e))
		r = tuf_fetch_file((const char *)url.p, UINT64_MAX, what, &s, e);
	buf_fini(&url);
	if (r < 0)
		return -1;
	r = tuf_checked_new(TAKE(s), entry->length, entry->hashes.v, entry->hashes.n, what, &s, e);
	return r < 0 ? -1 : read_to_end(a, s, e);
}

static int walk_targets(struct audit *a, const char *role, const struct tuf_targets *lists, struct err *e)
{
	struct err why;

	for (size_t i = 0; i < lists->n_entries && a->o->targets_dir; i++) {
		const struct tuf_entry *entry = &lists->entries[i];
		const struct tuf_audit_item item = {
			.what = TUF_AUDIT_TARGET, .name = entry->path, .role = role, .lists = lists, .entry = entry
		};

		if (tell(a, item, check_target(a, entry, &why), &why, e) < 0)
			return -1;
	}
	return 0;
}

/* Delegations */

/* Where @name is in @followed, or would be. */
static size_t followed_place(const struct audit *a, const char *name)
{
	size_t lo = 0, hi = a->n_roles;

	while (lo < hi) {
		const size_t mid = lo + (hi - lo) / 2;

		if (strcmp(a->followed[mid], name) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_followed(const struct audit *a, const char *name)
{
	const size_t at = followed_place(a, name);

	return at < a->n_roles && strcmp(a->followed[at], name) == 0;
}

static int make_room(struct audit *a)
{
	const size_t cap = a->cap_roles ? 2 * a->cap_roles : 16;

	if (a->n_roles < a->cap_roles)
		return 0;
	struct open_role *roles = (struct open_role *)reallocarray(a->roles, cap, sizeof(*roles));

	if (!roles)
		return -1;
	a->roles = roles;
	const char **followed = (const char **)reallocarray(a->followed, cap, sizeof(*followed));

	if (!followed)
		return -1;
	a->followed = followed;
	a->cap_roles = cap;
	return 0;
}

static int follow(struct audit *a, const char *name, const struct tuf_targets *role, struct err *e)
{
	const size_t at = followed_place(a, name);
	char *copy = strdup(name);

	if (!copy || make_room(a) < 0) {
		free(copy);
		return err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", name);
	}
	memmove(&a->followed[at + 1], &a->followed[at], (a->n_roles - at) * sizeof(*a->followed));
	a->followed[at] = copy;
	a->roles[a->n_roles++] = (struct open_role){ copy, role };
	return 0;
}

static int load_delegated(struct audit *a, const struct tuf_targets *from, const char *role, char name[NAME_BYTES],
			  const struct tuf_targets **out, struct err *e)
{
	struct tuf_next next;
	struct buf in = { 0 };
	int r = -1;

	snprintf(name, NAME_BYTES, "%s.json", role);
	if (++a->n_edges > TUF_AUDIT_EDGES_MAX)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "%s: more than %d delegations are not followed", name,
			       TUF_AUDIT_EDGES_MAX);
	if (tuf_trusted_next(a->result.trusted, role, &next, e) == 0 && read_metadata(a, role, &next, name, &in, e) == 0)
		r = tuf_trusted_update_delegated(a->result.trusted, from, role, buf_bytes(&in), out, e);
	buf_fini(&in);
	return r;
}

static int walk_delegated(struct audit *a, size_t from, const char *role, struct err *e)
{
	const struct tuf_targets *lists = NULL;
	char name[NAME_BYTES];
	struct tuf_audit_item item = { .name = name, .role = role, .from = a->roles[from].name };
	struct err why;
	const int r = load_delegated(a, a->roles[from].role, role, name, &lists, &why);

	if (r < 0)
		return tell(a, item, r, &why, e);
	item.head = &lists->head;
	item.lists = lists;
	if (tell_signed(a, item, e) < 0)
		return -1;
	if (is_followed(a, role))
		return 0;
	return follow(a, role, lists, e) < 0 ? -1 : walk_targets(a, role, lists, e);
}

/* All bins that the snapshot lists; how many are missing is told once, since there may be 2^32 of them. */
static int walk_bins(struct audit *a, size_t from, struct err *e)
{
	const struct tuf_bins *bins = &a->roles[from].role->bins;
	const struct tuf_snapshot *snapshot = tuf_trusted_snapshot(a->result.trusted);
	const uint64_t due = UINT64_C(1) << bins->bit_length;
	char role[TUF_NAME_MAX_BYTES + 1];
	uint64_t there = 0;
	struct err why;

	for (size_t i = 0; i < snapshot->n_meta; i++) {
		const size_t n = strlen(snapshot->meta[i].name);

		if (n < sizeof(".json") || n - 5 > TUF_NAME_MAX_BYTES || strcmp(snapshot->meta[i].name + n - 5, ".json") != 0)
			continue;
		snprintf(role, sizeof(role), "%.*s", (int)(n - 5), snapshot->meta[i].name);
		if (!tuf_bin_is(bins, role))
			continue;
		there++;
		if (walk_delegated(a, from, role, e) < 0)
			return -1;
	}
	if (there == due)
		return 0;
	const int bad = err_set(&why, ERR_TRUST, TUF_E_DELEGATION, "bins %s: the snapshot lists %" PRIu64 " of %" PRIu64,
				bins->prefix, there, due);

	return tell(a, (struct tuf_audit_item){ .name = bins->prefix, .role = bins->prefix, .from = a->roles[from].name }, bad, &why,
		    e);
}

static int walk_delegations(struct audit *a, struct err *e)
{
	for (size_t at = 0; at < a->n_roles; at++) {
		const struct tuf_targets *role = a->roles[at].role;

		for (size_t i = 0; i < role->n_delegations; i++)
			if (walk_delegated(a, at, role->delegations[i].name, e) < 0)
				return -1;
		if (role->bins.prefix && walk_bins(a, at, e) < 0)
			return -1;
	}
	return 0;
}

/* Timestamp, snapshot, targets */

/* The head of a top-level role that is trusted; @lists is filled in for targets. */
static const struct tuf_head *head_of(const struct tuf_trusted *t, enum tuf_type type, const struct tuf_targets **lists)
{
	switch (type) {
	case TUF_ROOT:
		return &tuf_trusted_root(t)->head;
	case TUF_TIMESTAMP:
		return &tuf_trusted_timestamp(t)->head;
	case TUF_SNAPSHOT:
		return &tuf_trusted_snapshot(t)->head;
	case TUF_TARGETS:
		break;
	}
	*lists = tuf_trusted_targets(t);
	return &(*lists)->head;
}

/* Return: 0; TUF_STALE it was refused; -1 */
static int walk_top(struct audit *a, enum tuf_type type,
		    int (*update)(struct tuf_trusted *t, struct bytes in, struct err *e), struct err *e)
{
	const char *role = tuf_type_name(type);
	struct tuf_next next;
	struct buf in = { 0 };
	char name[NAME_BYTES];
	struct tuf_audit_item item = { .name = name, .role = role };
	struct err why;

	snprintf(name, sizeof(name), "%s.json", role);
	int r = tuf_trusted_next(a->result.trusted, role, &next, &why);

	if (r == 0)
		r = read_metadata(a, role, &next, name, &in, &why);
	if (r == 0)
		r = update(a->result.trusted, buf_bytes(&in), &why);
	buf_fini(&in);
	if (r < 0)
		return tell(a, item, r, &why, e) < 0 ? -1 : TUF_STALE;
	item.head = head_of(a->result.trusted, type, &item.lists);
	if (tell_signed(a, item, e) < 0)
		return -1;
	return item.lists ? walk_targets(a, role, item.lists, e) : 0;
}

static int walk(struct audit *a, struct err *e)
{
	static int (*const update[TUF_TYPES])(struct tuf_trusted *t, struct bytes in, struct err *e) = {
		[TUF_TIMESTAMP] = tuf_trusted_update_timestamp,
		[TUF_SNAPSHOT] = tuf_trusted_update_snapshot,
		[TUF_TARGETS] = tuf_trusted_update_targets,
	};
	const char *refused = "root.json";
	int r = walk_roots(a, e);

	for (int type = TUF_TIMESTAMP; type < TUF_TYPES && r >= 0; type++) {
		if (r == TUF_STALE) {
			if (tell_unchecked(a, (enum tuf_type)type, refused, e) < 0)
				return -1;
			continue;
		}
		r = walk_top(a, (enum tuf_type)type, update[type], e);
		refused = type == TUF_TIMESTAMP ? "timestamp.json" : "snapshot.json";
	}
	if (r != 0)
		return r < 0 ? -1 : 0;
	if (follow(a, tuf_type_name(TUF_TARGETS), tuf_trusted_targets(a->result.trusted), e) < 0)
		return -1;
	return walk_delegations(a, e);
}

/* A folder as a base URL, so that a client's own rules say where each file in it lies. */
static int folder_url(const char *dir, struct buf *out, struct err *e)
{
	char path[PATH_MAX];

	*out = BUF_INIT(URL_BASE_BYTES);
	if (!realpath(dir, path))
		return errno == ENOENT || errno == ENOTDIR ? err_set(e, ERR_MISSING, NULL, "%s: no such folder", dir) :
							     err_sys(e, "%s", dir);
	if (buf_append_str(out, "file://", e) < 0 || tuf_url_encode(path, true, out, e) < 0 || !buf_str(out, e))
		return -1;
	return 0;
}

static void audit_free(struct audit *a)
{
	if (!a)
		return;
	free(a->followed);
	for (size_t i = 0; i < a->n_roles; i++)
		free(a->roles[i].name);
	free(a->roles);
	buf_fini(&a->metadata_url);
	buf_fini(&a->targets_url);
	tuf_trusted_free(a->result.trusted);
	free(a);
}
DEFINE_CLEANUP(struct audit, audit_free);

int tuf_audit(const struct tuf_audit_options *o, tuf_audit_fn seen, void *ctx, struct tuf_audit_result *out, struct err *e)
{
	CLEANUP(audit_free_p) struct audit *a = (struct audit *)calloc(1, sizeof(*a));

	if (!a)
		return err_set(e, ERR_SYSTEM, "memory", "checking a repository: out of memory");
	a->o = o;
	a->seen = seen;
	a->ctx = ctx;
	if (folder_url(o->metadata_dir, &a->metadata_url, e) < 0 ||
	    (o->targets_dir && folder_url(o->targets_dir, &a->targets_url, e) < 0))
		return -1;
	if (walk(a, e) < 0)
		return -1;
	*out = a->result;
	a->result.trusted = NULL;
	return 0;
}
