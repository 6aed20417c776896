/* Any file as each of the roles: a parser takes it and what comes out keeps its promises, or it is refused with a
 * kind and a message that names the file. Signatures would stop nearly everything, so they are not looked at
 * here. */
#include <stdlib.h>
#include <string.h>

#include "tuf/deleg.h"
#include "tuf/role.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

static void check_head(const struct tuf_head *h)
{
	require(h->version >= 1 && h->version <= TUF_VERSION_MAX);
}

static void check_keys(const struct tuf_keyring *keys, const struct tuf_role_keys *role)
{
	require(role->threshold >= 1);
	for (size_t i = 0; i < role->n_ids; i++) {
		const struct tuf_key *k = tuf_keyring_find(keys, role->ids[i]);

		require(!k || (tuf_key_kind(k) == TUF_KEY_UNUSABLE) == (tuf_key_why(k)[0] != '\0'));
	}
}

static int check_root(const struct tuf_signed *s, struct err *e)
{
	CLEANUP(tuf_root_free_p) struct tuf_root *r = NULL;
	uint64_t n_good = 0;

	if (tuf_root_parse(s, &r, e) < 0)
		return -1;
	check_head(&r->head);
	for (size_t i = 0; i < TUF_TYPES; i++)
		check_keys(&r->keys, &r->roles[i]);
	require(tuf_signed_count(s, &r->keys, &r->roles[TUF_ROOT], &n_good, e) == 0);
	require(n_good <= r->roles[TUF_ROOT].n_ids);
	return 0;
}

static int check_timestamp(const struct tuf_signed *s, struct err *e)
{
	CLEANUP(tuf_timestamp_free_p) struct tuf_timestamp *r = NULL;

	if (tuf_timestamp_parse(s, &r, e) < 0)
		return -1;
	check_head(&r->head);
	require(r->snapshot.version >= 1 && r->snapshot.hashes.n <= TUF_HASHES_MAX);
	return 0;
}

static int check_snapshot(const struct tuf_signed *s, struct err *e)
{
	CLEANUP(tuf_snapshot_free_p) struct tuf_snapshot *r = NULL;

	if (tuf_snapshot_parse(s, &r, e) < 0)
		return -1;
	check_head(&r->head);
	for (size_t i = 0; i < r->n_meta; i++)
		require(r->meta[i].version >= 1 && tuf_snapshot_find(r, r->meta[i].name) == &r->meta[i]);
	return 0;
}

static int check_targets(const struct tuf_signed *s, struct err *e)
{
	CLEANUP(tuf_targets_free_p) struct tuf_targets *r = NULL;
	char hash[TUF_PATH_HASH_BYTES], bin[TUF_BIN_NAME_BYTES];

	if (tuf_targets_parse(s, &r, e) < 0)
		return -1;
	check_head(&r->head);
	require(tuf_path_hash("a/b", hash, e) == 0);
	for (size_t i = 0; i < r->n_entries; i++)
		require(tuf_targets_find(r, r->entries[i].path) == &r->entries[i]);
	for (size_t i = 0; i < r->n_delegations; i++) {
		const struct tuf_delegation *d = &r->delegations[i];

		check_keys(&r->keys, &d->keys);
		(void)tuf_delegation_covers(d, "a/b", hash);
		require(tuf_delegation_keys(r, d->name) == &d->keys);
	}
	if (r->bins.prefix) {
		tuf_bin_name(&r->bins, hash, bin);
		require(tuf_bin_is(&r->bins, bin) && tuf_delegation_keys(r, bin) == &r->bins.keys);
	}
	return 0;
}

static int (*const checks[TUF_TYPES])(const struct tuf_signed *s, struct err *e) = {
	[TUF_ROOT] = check_root,
	[TUF_TIMESTAMP] = check_timestamp,
	[TUF_SNAPSHOT] = check_snapshot,
	[TUF_TARGETS] = check_targets,
};

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < TUF_TYPES; i++) {
		CLEANUP(tuf_signed_free_p) struct tuf_signed *s = NULL;
		struct err e = { 0 };
		int r = tuf_signed_load(bytes_of(p, n), (enum tuf_type)i, "file.json", &s, &e);

		if (r == 0)
			r = checks[i](s, &e);
		if (r < 0)
			require((e.kind == ERR_FORMAT || e.kind == ERR_TRUST) && e.reason &&
				strncmp(e.msg, "file.json", 9) == 0);
	}
	return 0;
}
