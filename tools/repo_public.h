/* Public keys as people hand them to a release engineer. */
#ifndef FLIPSIDE_TOOLS_REPO_PUBLIC_H
#define FLIPSIDE_TOOLS_REPO_PUBLIC_H

#include <jansson.h>

#include "tools/repo_cli.h"
#include "tuf/key.h"

struct repo_public {
	json_t *key; /* the key object */
	struct tuf_key *parsed;
	char id[TUF_KEY_ID_BYTES];
};

void repo_public_fini(struct repo_public *p);

/**
 * repo_public_load() - the public half of a key
 * @from: a file with what `key show` prints ({"keyid", "key"}) or the key object alone; or a private key, as
 * tuf_signer_load() takes it
 * Return: 0; -1: ERR_FORMAT "key" for a key that no client could use, errors of tuf_signer_load()
 */
int repo_public_load(struct repo_cli *c, const char *from, struct repo_public *out, struct err *e);

/* Puts the key into @keys, a metadata file's object of keys, and its id into the array @ids, unless that has it.
 * *@id is the key id, which is that of the same key where the file spells it otherwise; borrowed from @keys. */
int repo_public_list(const struct repo_public *p, json_t *keys, json_t *ids, const char **id, struct err *e);

#endif
