/* Updates whose files are signed for real, whatever is in them: see fuzz_trusted.h. Two keys sign each file, so
 * that thresholds count. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/openssl.h"
#include "test-fixtures/tufrepo.h"
#include "tuf/canon.h"
#include "tuf/fuzz_trusted.h"

#include <openssl/evp.h>

#define INPUT_MAX_BYTES (64u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

/* Made once: a fuzzer counts each microsecond. */
struct signer {
	EVP_PKEY *pkey;
	char id[TUFREPO_KEY_ID_BYTES];
};

/* {"keyid": ..., "sig": ...} by the test repositories' ed25519 key of this number */
static void put_signature(uint8_t key, struct bytes msg, struct buf *out)
{
	static struct signer signers[2];
	struct signer *by = &signers[key];
	const uint8_t seed[32] = { key };
	uint8_t sig[64];
	size_t n = sizeof(sig);
	char hex[2 * sizeof(sig) + 1];
	struct err e;

	if (!by->pkey) {
		by->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
		tufrepo_key_id(key, by->id);
	}
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	require(EVP_DigestSignInit(md, NULL, NULL, NULL, by->pkey) == 1 && EVP_DigestSign(md, sig, &n, msg.p, msg.n) == 1);
	EVP_MD_CTX_free(md);
	hex_encode(sig, n, hex);
	require(buf_printf(out, &e, "{\"keyid\":\"%s\",\"sig\":\"%s\"}", by->id, hex) == 0);
}

/* What is no JSON, or has no canonical form, is signed as if it were empty. */
static bool put_in_envelope(struct bytes text, struct buf *out)
{
	CLEANUP(json_decref_p) json_t *j = NULL;
	CLEANUP(buf_fini) struct buf canon = BUF_INIT(SIZE_MAX);
	struct err e;
	const bool can_be_good = json_load_bytes(text, &j, &e) == 0 && tuf_canon(j, &canon, &e) == 0 &&
				 !json_object_get(j, "!");

	buf_fini(&canon);
	if (can_be_good)
		tufrepo_canon(j, &canon);
	require(buf_append_str(out, "{\"signatures\":[", &e) == 0);
	put_signature(0, buf_bytes(&canon), out);
	require(buf_append_str(out, ",", &e) == 0);
	put_signature(1, buf_bytes(&canon), out);
	require(buf_append_str(out, "],\"signed\":", &e) == 0 && buf_append(out, text.p, text.n, &e) == 0 &&
		buf_append_str(out, "}", &e) == 0);
	return can_be_good;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n <= INPUT_MAX_BYTES)
		fuzz_trusted_run(p, n, put_in_envelope);
	return 0;
}
