/*
 * A metadata file on its way to being signed by several people: its `signed` part is never changed, signatures
 * are added, merged and dropped. Such a file lies in the work area as staging/pending.ROLE.json, or is carried to
 * the machine that has a key.
 */
#ifndef FLIPSIDE_TOOLS_REPO_ENVELOPE_H
#define FLIPSIDE_TOOLS_REPO_ENVELOPE_H

#include <jansson.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "tools/repo.h"
#include "tools/repo_names.h"
#include "tuf/role.h"
#include "tuf/signer.h"

#define REPO_PENDING_BYTES (REPO_WORD_BYTES + 16)

struct repo_envelope {
	json_t *file; /* the whole: {"signed", "signatures"} */
	enum tuf_type type;
	uint64_t version;
};

void repo_envelope_fini(struct repo_envelope *v);

/* Around a new `signed`, without signatures. */
int repo_envelope_new(json_t *body, enum tuf_type type, struct repo_envelope *out, struct err *e);

/* From a file, which a client could parse: ERR_FORMAT otherwise, also for a _type that no role has. */
int repo_envelope_load(int dir, const char *name, struct repo_envelope *out, struct err *e);
int repo_envelope_parse(struct bytes text, const char *what, struct repo_envelope *out, struct err *e);

/* As text with a final line feed, appended; and as a client loads it. */
int repo_envelope_text(const struct repo_envelope *v, struct buf *out, struct err *e);
int repo_envelope_signed(const struct repo_envelope *v, const char *what, struct tuf_signed **out, struct err *e);
int repo_envelope_store(const struct repo_envelope *v, int dir, const char *name, struct err *e);

json_t *repo_envelope_body(const struct repo_envelope *v); /* borrowed */

/* Adds the signature of @s under the key id @id, in place of an older one of that id. */
int repo_envelope_sign(struct repo_envelope *v, const struct tuf_signer *s, const char *id, struct err *e);

/* Takes over the signatures of @from that @v has not. ERR_TRUST REPO_E_CHANGED when they sign different contents. */
int repo_envelope_merge(struct repo_envelope *v, const struct repo_envelope *from, struct err *e);

/* What may sign a file: several of them for a root. */
struct repo_signing_keys {
	const struct tuf_keyring *keys;
	const struct tuf_role_keys *role;
};

/* Drops every signature that does not verify by a key of one of @by. *@n_dropped may be NULL. */
int repo_envelope_prune(struct repo_envelope *v, const struct repo_signing_keys *by, size_t n_by, size_t *n_dropped, struct err *e);

/* pending.ROLE.json */
void repo_pending_name(const char *role, char out[REPO_PENDING_BYTES]);

#endif
