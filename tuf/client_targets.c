/*
 * Top-level targets, which may have tens of megabytes and seldom change. What was verified is noted beside the
 * file, so that a refresh with nothing new neither reads nor parses it:
 *
 *	refresh		note and file fit: the file's stamp (inode, size, times) is the noted one, and the note passes tuf_trusted_rely():
 *			the same keys and threshold, the snapshot's version and hashes, not expired. Else the file is read and verified.
 *	first lookup	the file is read; if its sha256 is the noted one, its signatures are not verified again. Else all is verified, and what
 *			does not pass is fetched.
 *
 * The trade: who can write to the store can make a client believe in targets nobody signed. So it is already with
 * root.json, from which all trust comes; the note adds no power to that. It is bound to the file's digest, so
 * damage to the file or an old copy of it only lead to the long way, and so does a note that is missing, damaged
 * or of another file. No failure to keep one matters.
 */
#include "tuf/client.h"

#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "tuf/client_state.h"

#define ROLE "targets"
#define NOTE_MAX_BYTES 4096

struct note {
	struct tuf_stamp stamp;
	struct tuf_known_targets known;
};

static void get_digest(struct json_in *in, enum digest_alg alg, const char *name, struct digest *out)
{
	out->alg = alg;
	json_get_hex(in, name, out->v, digest_size(alg));
}

static int parse_note(json_t *doc, struct note *out, struct err *e)
{
	struct json_in in = json_in_object(doc, "", e);
	struct note n = { .known.hashes = { .listed = true, .n = 1 } };
	uint64_t expires = 0;

	json_get_u64(&in, "inode", 0, INT64_MAX, &n.stamp.inode);
	json_get_u64(&in, "length", 0, INT64_MAX, &n.stamp.size);
	json_get_u64(&in, "mtime_ns", 0, INT64_MAX, &n.stamp.mtime_ns);
	json_get_u64(&in, "ctime_ns", 0, INT64_MAX, &n.stamp.ctime_ns);
	json_get_u64(&in, "version", 1, TUF_VERSION_MAX, &n.known.head.version);
	json_get_u64(&in, "expires_sec", 0, INT64_MAX, &expires);
	get_digest(&in, DIGEST_SHA256, "keys", &n.known.keys);
	get_digest(&in, DIGEST_SHA256, "sha256", &n.known.hashes.v[0]);
	if (json_has(&in, "sha512"))
		get_digest(&in, DIGEST_SHA512, "sha512", &n.known.hashes.v[n.known.hashes.n++]);
	if (json_in_end(&in) < 0)
		return -1;
	n.known.head.expires_sec = (int64_t)expires;
	n.known.length = n.stamp.size;
	*out = n;
	return 0;
}

static int load_note(const struct tuf_client *c, struct note *out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *doc = NULL;
	struct buf text = BUF_INIT(NOTE_MAX_BYTES);
	int r = tuf_store_load_note(c->store, ROLE, &text, e);

	if (r == 0)
		r = json_load_bytes(buf_bytes(&text), &doc, e);
	buf_fini(&text);
	return r < 0 ? -1 : parse_note(doc, out, e);
}

static json_t *json_of_note(const struct note *n)
{
	char sha256[2 * DIGEST_MAX_BYTES + 1], keys[2 * DIGEST_MAX_BYTES + 1], sha512[2 * DIGEST_MAX_BYTES + 1];

	digest_hex(&n->known.hashes.v[0], sha256);
	digest_hex(&n->known.keys, keys);
	json_t *j = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s}", "inode", (json_int_t)n->stamp.inode, "length",
			      (json_int_t)n->stamp.size, "mtime_ns", (json_int_t)n->stamp.mtime_ns, "ctime_ns",
			      (json_int_t)n->stamp.ctime_ns, "version", (json_int_t)n->known.head.version, "expires_sec",
			      (json_int_t)n->known.head.expires_sec, "keys", keys, "sha256", sha256);

	if (j && n->known.hashes.n > 1) {
		digest_hex(&n->known.hashes.v[1], sha512);
		json_object_set_new(j, "sha512", json_string(sha512));
	}
	return j;
}

static int save_note(struct tuf_client *c, const struct note *n, struct err *e)
{
	CLEANUP(json_decref_p) json_t *j = json_of_note(n);
	struct buf text = BUF_INIT(NOTE_MAX_BYTES);

	if (!j)
		return err_set(e, ERR_SYSTEM, "memory", "out of memory");
	int r = json_to_buf(j, &text, e);

	if (r == 0)
		r = tuf_store_save_note(c->store, ROLE, buf_bytes(&text), e);
	buf_fini(&text);
	return r;
}

/* Remembers that the stored file, whose bytes are @in, has been verified. */
static void note_verified(struct tuf_client *c, const struct tuf_trusted *t, struct bytes in)
{
	struct note n;
	struct err why;

	if (c->offline || !tuf_store_is_writable(c->store))
		return;
	if (tuf_trusted_know_targets(t, in, &n.known, &why) < 0 || tuf_store_stamp(c->store, ROLE, &n.stamp, &why) < 0 ||
	    save_note(c, &n, &why) < 0)
		log_debug("%s; it will be verified again", why.msg);
}

static int load(struct tuf_client *c, struct tuf_trusted *t, struct err *e)
{
	struct buf stored = { 0 }, in = { 0 };
	struct err why;
	int r = tuf_client_stored(c, ROLE, tuf_type_max_bytes(TUF_TARGETS), &stored, e);
	bool due = r > 0;

	if (r == 0) {
		r = tuf_trusted_update_targets(t, buf_bytes(&stored), &why);
		if (r == 0)
			note_verified(c, t, buf_bytes(&stored));
		due = r < 0 && (r = tuf_client_pass_over(&why, e)) == 0;
	}
	buf_fini(&stored);
	if (due) {
		r = tuf_client_update_next(c, t, ROLE, tuf_trusted_update_targets, &in, e);
		if (r >= 0 && (r = tuf_store_save(c->store, ROLE, buf_bytes(&in), e)) == 0)
			note_verified(c, t, buf_bytes(&in));
	}
	buf_fini(&in);
	return r < 0 ? -1 : 0;
}

static bool stamps_equal(const struct tuf_stamp *a, const struct tuf_stamp *b)
{
	return a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* Can the stored file be relied on unread? */
static bool rely(const struct tuf_client *c, struct tuf_trusted *t)
{
	struct tuf_stamp stamp;
	struct note n;
	struct err why;

	if (load_note(c, &n, &why) < 0 || tuf_store_stamp(c->store, ROLE, &stamp, &why) < 0) {
		log_debug("%s; targets are verified", why.msg);
		return false;
	}
	if (!stamps_equal(&stamp, &n.stamp)) {
		log_debug("stored targets have been touched; they are verified");
		return false;
	}
	if (tuf_trusted_rely(t, &n.known, &why) == 0)
		return true;
	log_debug("%s; targets are verified", why.msg);
	return false;
}

int tuf_client_refresh_targets(struct tuf_client *c, struct tuf_trusted *t, struct err *e)
{
	return rely(c, t) ? 0 : load(c, t, e);
}

int tuf_client_need_targets(struct tuf_client *c, struct tuf_trusted *t, struct err *e)
{
	return tuf_trusted_targets(t) ? 0 : load(c, t, e);
}
