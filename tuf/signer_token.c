/*
 * Keys in PKCS#11 tokens where OpenSSL's store has no loader for them. A provider brings one; where there is
 * none, OpenSSL's older way still opens them: the engine "pkcs11" of libp11 (Debian: libengine-pkcs11-openssl).
 * Its interface is deprecated and has no successor on such systems, so it is used in this file only.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tuf/signer_key.h"

#include <dlfcn.h>
#include <string.h>

#include <openssl/engine.h>
#include <openssl/ui.h>

#ifndef OPENSSL_NO_ENGINE

/* Keeps the engine's library in memory when OpenSSL lets go of it: libp11 has memory that nothing finds any more
 * without it. */
static void pin_library(const ENGINE *engine)
{
	ENGINE_GEN_INT_FUNC_PTR function = ENGINE_get_init_function(engine);
	void *address;
	Dl_info info;

	memcpy(&address, &function, sizeof(address));
	if (address && dladdr(address, &info) && info.dli_fname)
		(void)dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

/* The engine, ready for use. NULL when it is not installed or its module does not load; OpenSSL's queue says why. */
static ENGINE *start_engine(void)
{
	ENGINE_load_builtin_engines();
	ENGINE *engine = ENGINE_by_id("pkcs11");

	if (!engine)
		return NULL;
	pin_library(engine);
	const int ok = ENGINE_init(engine);

	ENGINE_free(engine);
	return ok ? engine : NULL;
}

EVP_PKEY *tuf_signer_engine_key(const char *uri, UI_METHOD *ui, void *ui_data)
{
	ENGINE *engine = start_engine();

	if (!engine)
		return NULL;
	EVP_PKEY *pkey = ENGINE_load_private_key(engine, uri, ui, ui_data);

	/* The key works only as long as the engine, so it gets a reference of its own. */
	if (pkey && !EVP_PKEY_set1_engine(pkey, engine)) {
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	ENGINE_finish(engine);
	return pkey;
}

#else

EVP_PKEY *tuf_signer_engine_key(const char *uri, UI_METHOD *ui, void *ui_data)
{
	return NULL;
}

#endif
