/* `key new` and `key show`: private keys in files, and what root will say of them. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/num.h"
#include "base/sys.h"
#define ERR_STATE OPENSSL_ERR_STATE /* a type of OpenSSL's, and a kind of ours */
#include <openssl/crypto.h>
#undef ERR_STATE
#include "tools/repo.h"
#include "tools/repo_keys.h"

static const struct {
	const char *name;
	enum tuf_key_kind kind;
} types[] = {
	{ "ed25519", TUF_KEY_ED25519 },
	{ "ecdsa", TUF_KEY_ECDSA_P256 },
	{ "rsa", TUF_KEY_RSA },
};

static int parse_type(const char *s, enum tuf_key_kind *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (strcmp(types[i].name, s) == 0) {
			*out = types[i].kind;
			return 0;
		}
	return err_set(e, ERR_USAGE, "type", "--type '%s': ed25519, ecdsa or rsa", s);
}

/* Takes the name, so that of two processes one writes the key and nothing that was there is lost. */
static int reserve(const char *path, struct err *e)
{
	CLEANUP(close_p) int fd = sys_openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	if (fd < 0 && errno == EEXIST)
		return err_set(e, ERR_STATE, REPO_E_EXISTS, "%s: is there already; keys are not overwritten", path);
	if (fd < 0)
		return err_sys(e, "making %s", path);
	return 0;
}

/* Writes @signer over the reserved, empty file; takes that away again on failure. */
static int write_key(const struct repo_cli *c, const struct tuf_signer *signer, const char *path, struct err *e)
{
	char passphrase[TUF_SIGNER_PASSPHRASE_BYTES];
	size_t n = 0;
	int r = repo_passphrase_new(c, path, passphrase, sizeof(passphrase), &n, e);

	if (r == 0)
		r = tuf_signer_write_pem(signer, AT_FDCWD, path, bytes_of(passphrase, n), e);
	if (r == 0 && n == 0)
		log_warn("%s: not encrypted; whoever reads the file can sign", path);
	if (r < 0)
		(void)sys_unlinkat(AT_FDCWD, path, 0);
	OPENSSL_cleanse(passphrase, sizeof(passphrase));
	return r;
}

static int tell(const struct repo_cli *c, const struct tuf_signer *signer, bool with_public, struct err *e)
{
	if (c->json || with_public) {
		CLEANUP(json_decref_p) json_t *j =
			json_pack("{ss, sO}", "keyid", tuf_signer_key_id(signer), "key", tuf_signer_public(signer));

		if (!j)
			return err_set(e, ERR_SYSTEM, "memory", "out of memory");
		return json_print(j, stdout, e);
	}
	printf("%s\n", tuf_signer_key_id(signer));
	return 0;
}

int repo_key_new(void *ctx, int argc, char **argv, struct err *e)
{
	const struct repo_cli *c = ctx;
	CLEANUP(tuf_signer_free_p) struct tuf_signer *signer = NULL;
	enum tuf_key_kind kind = TUF_KEY_ED25519;

	(void)argc;
	if (c->key_type && parse_type(c->key_type, &kind, e) < 0)
		return -1;
	if (c->key_bits && kind != TUF_KEY_RSA)
		return err_set(e, ERR_USAGE, "option", "--bits is for --type rsa");
	if (c->key_bits > TUF_RSA_MAX_BITS)
		return err_set(e, ERR_USAGE, "option", "--bits %" PRIu64 ": at most %d", c->key_bits, TUF_RSA_MAX_BITS);
	if (reserve(argv[0], e) < 0)
		return -1;
	if (tuf_signer_generate(kind, c->key_bits ? (unsigned int)c->key_bits : TUF_SIGNER_RSA_MIN_BITS, &signer, e) < 0) {
		(void)sys_unlinkat(AT_FDCWD, argv[0], 0);
		return -1;
	}
	if (write_key(c, signer, argv[0], e) < 0)
		return -1;
	return tell(c, signer, false, e);
}

int repo_key_show(void *ctx, int argc, char **argv, struct err *e)
{
	struct repo_cli *c = ctx;
	CLEANUP(tuf_signer_free_p) struct tuf_signer *signer = NULL;

	(void)argc;
	if (tuf_signer_load(argv[0], repo_passphrase_ask, c, &signer, e) < 0)
		return -1;
	return tell(c, signer, true, e);
}
