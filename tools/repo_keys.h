/* The private keys that a command was given, and their passphrases. */
#ifndef FLIPSIDE_TOOLS_REPO_KEYS_H
#define FLIPSIDE_TOOLS_REPO_KEYS_H

#include <jansson.h>
#include <stdbool.h>

#include "tools/repo_cli.h"
#include "tuf/role.h"
#include "tuf/signer.h"

#define REPO_PASSPHRASE_ENV "FLIPSIDE_REPO_PASSPHRASE"
#define REPO_E_KEY "key" /* ERR_TRUST: a key that root does not know for the role; ERR_USAGE: the same key twice */

struct repo_signers {
	size_t n;
	struct {
		struct tuf_signer *signer;
		char *id; /* the key id to sign under */
	} v[CLI_STRINGS_MAX];
};

void repo_signers_fini(struct repo_signers *s);

/* One more key, under the id that we make. Errors of tuf_signer_load(), and ERR_USAGE REPO_E_KEY as below. */
int repo_signers_add(struct repo_cli *c, const char *from, struct repo_signers *out, struct err *e);

/* The keys of --ROLE-key, under the ids that we make. The same key twice is ERR_USAGE REPO_E_KEY. Errors of
 * tuf_signer_load(). */
int repo_signers_load(struct repo_cli *c, enum tuf_type type, struct repo_signers *out, struct err *e);

/**
 * repo_signers_match() - use the key ids that @root gives to these keys
 * Return: 0; -1: ERR_TRUST REPO_E_KEY for a key that root does not list for the role, TUF_E_THRESHOLD for too few
 * of them
 */
int repo_signers_match(struct repo_signers *s, const struct tuf_root *root, enum tuf_type type, struct err *e);

/* The same for any role: @keys and @role are its delegator's, @name is the role's, @whose the delegator's for
 * messages ("root 3"). */
int repo_signers_match_role(struct repo_signers *s, const struct tuf_keyring *keys, const struct tuf_role_keys *role, const char *name,
			    const char *whose, struct err *e);

/* The id under which @role of @keys lists @key; NULL if it does not. */
const char *repo_key_listed(const struct tuf_keyring *keys, const struct tuf_role_keys *role, const struct tuf_key *key);

/* The text of a metadata file: @body and its signatures, in JSON with a final line feed, appended to @out. */
int repo_signers_sign(const struct repo_signers *s, json_t *body, struct buf *out, struct err *e);

/* A tuf_passphrase_fn over a struct repo_cli: --passphrase-file, the environment, or a question on the terminal. */
int repo_passphrase_ask(void *ctx, const char *what, char *out, size_t cap, size_t *n, struct err *e);

/* For a new key: as above, the question asked twice; *@n is 0 where none was given and nobody can be asked. */
int repo_passphrase_new(const struct repo_cli *c, const char *what, char *out, size_t cap, size_t *n, struct err *e);

#endif
