/*
 * Updates in which signatures always hold, so that a fuzzer reaches all that comes after them: see
 * fuzz_trusted.h. This binary alone is linked with --wrap=tuf_signed_verify; a file whose `signed` has the member
 * "!" is refused there.
 */
#include <stdlib.h>

#include "base/json.h"
#include "tuf/fuzz_trusted.h"
#include "tuf/signed.h"
#include "tuf/tuf.h"

#define INPUT_MAX_BYTES (64u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int __wrap_tuf_signed_verify(const struct tuf_signed *s, const struct tuf_keyring *keys, const struct tuf_role_keys *role,
			     const char *whose, struct err *e);

int __wrap_tuf_signed_verify(const struct tuf_signed *s, const struct tuf_keyring *keys, const struct tuf_role_keys *role,
			     const char *whose, struct err *e)
{
	if (json_object_get(tuf_signed_body(s), "!"))
		return err_set(e, ERR_TRUST, TUF_E_THRESHOLD, "%s: not signed by %s", tuf_signed_file(s), whose);
	return 0;
}

static void require(bool cond)
{
	if (!cond)
		abort();
}

static bool put_in_envelope(struct bytes text, struct buf *out)
{
	CLEANUP(json_decref_p) json_t *j = NULL;
	struct err e;

	require(buf_append_str(out, "{\"signatures\":[],\"signed\":", &e) == 0 && buf_append(out, text.p, text.n, &e) == 0 &&
		buf_append_str(out, "}", &e) == 0);
	return json_load_bytes(buf_bytes(out), &j, &e) == 0 && !json_object_get(json_object_get(j, "signed"), "!");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	if (n <= INPUT_MAX_BYTES)
		fuzz_trusted_run(p, n, put_in_envelope);
	return 0;
}
