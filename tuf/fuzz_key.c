/*
 * A line with a key object, a line with a signature in hex, and the message. What verifies does so each time, and
 * with none of its neighbours: another message, a longer signature, another key.
 */
#include <stdlib.h>
#include <string.h>

#include "base/openssl.h"
#include "tuf/canon.h"
#include "tuf/key.h"

#define SIG_MAX_BYTES 1100 /* that of the largest RSA key and some more */

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* Up to the next line feed, or all that is left; @rest moves behind it. */
static struct bytes take_line(struct bytes *rest)
{
	const uint8_t *end = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
	const struct bytes line = { rest->p, end ? (size_t)(end - rest->p) : rest->n };
	const size_t used = end ? line.n + 1 : line.n;

	rest->p = used ? rest->p + used : rest->p;
	rest->n -= used;
	return line;
}

static void check_key(const struct tuf_key *k, json_t *j)
{
	CLEANUP(tuf_key_free_p) struct tuf_key *again = NULL;
	char id[TUF_KEY_ID_BYTES];
	struct err e = { 0 };

	require(ERR_peek_error() == 0);
	require((tuf_key_kind(k) == TUF_KEY_UNUSABLE) == (tuf_key_why(k)[0] != '\0'));
	require(tuf_key_id(j, id, &e) == 0 ? strlen(id) == TUF_KEY_ID_BYTES - 1 : e.kind == ERR_FORMAT);
	require(tuf_key_parse(j, "key", &again, &e) == 0 && tuf_key_kind(again) == tuf_key_kind(k));
	require(digest_equal(tuf_key_fingerprint(k), tuf_key_fingerprint(again)));
	if (json_object_get(j, "unknown member"))
		return;
	/* A member that nobody knows is no part of a key that can be used. */
	json_object_set_new(j, "unknown member", json_integer(1));
	tuf_key_free(again);
	again = NULL;
	require(tuf_key_parse(j, "key", &again, &e) == 0);
	require(digest_equal(tuf_key_fingerprint(k), tuf_key_fingerprint(again)) ==
		(tuf_key_kind(k) != TUF_KEY_UNUSABLE));
}

static void check_signature(const struct tuf_key *k, struct bytes msg, struct bytes sig)
{
	CLEANUP(buf_fini) struct buf longer = BUF_INIT(SIZE_MAX);
	uint8_t sig_longer[SIG_MAX_BYTES + 1] = { 0 };
	struct err e;
	const bool good = tuf_key_verify(k, msg, sig);

	require(ERR_peek_error() == 0 && tuf_key_verify(k, msg, sig) == good);
	if (!good)
		return;
	require(tuf_key_kind(k) != TUF_KEY_UNUSABLE);
	memcpy(sig_longer, sig.p, sig.n);
	require(!tuf_key_verify(k, msg, bytes_of(sig_longer, sig.n + 1)) && !tuf_key_verify(k, msg, bytes_of(sig.p, sig.n - 1)));
	require(buf_append(&longer, msg.p, msg.n, &e) == 0 && buf_append(&longer, "", 1, &e) == 0);
	require(!tuf_key_verify(k, buf_bytes(&longer), sig));
	if (msg.n)
		require(!tuf_key_verify(k, bytes_of(msg.p, msg.n - 1), sig));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct bytes rest = bytes_of(p, n);
	const struct bytes object = take_line(&rest), hex = take_line(&rest);
	CLEANUP(json_decref_p) json_t *j = NULL;
	CLEANUP(tuf_key_free_p) struct tuf_key *k = NULL;
	uint8_t sig[SIG_MAX_BYTES];
	struct err e = { 0 };

	if (json_load_bytes(object, &j, &e) < 0)
		return 0;
	if (tuf_key_parse(j, "key", &k, &e) < 0) {
		require(e.kind == ERR_FORMAT && e.reason && !k);
		return 0;
	}
	if (hex.n / 2 <= sizeof(sig) && hex_decode((const char *)hex.p, hex.n, sig, hex.n / 2))
		check_signature(k, rest, bytes_of(sig, hex.n / 2));
	check_key(k, j);
	return 0;
}
