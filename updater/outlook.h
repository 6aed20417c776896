/* The outlook: what the repository offers this host now, and what it would take. A refresh and a choice; changes
 * nothing but the metadata store. */
#ifndef FLIPSIDE_UPDATER_OUTLOOK_H
#define FLIPSIDE_UPDATER_OUTLOOK_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "tuf/client.h"
#include "updater/choice.h"
#include "updater/host.h"
#include "updater/manifest.h"

#define OUTLOOK_FELL_BACK_MAX 16

/* What the operator asks for beyond the configuration. */
struct outlook_request {
	const struct version *image; /* force this version; NULL: choose */
	const char *variant;	      /* pretend to be this one; NULL: ours */
	bool ignore_waves;
};

struct outlook {
	struct host *host; /* borrowed */
	struct tuf_client *repo; /* refreshed */
	struct manifest *manifest;
	struct choice_input input; /* what the choice was made from */
	struct version fell_back[OUTLOOK_FELL_BACK_MAX];
	struct choice choice;
};

/**
 * outlook_open() - refresh trusted metadata, read the manifest, choose
 * @r: borrowed; what it points at must outlive the outlook
 * Return: 0, also when nothing is chosen; -1: ERR_TRUST, ERR_FORMAT, ERR_NETWORK, ERR_BUSY, ERR_SYSTEM
 */
int outlook_open(struct host *h, const struct outlook_request *r, struct outlook **out, struct err *e);
void outlook_free(struct outlook *o);
DEFINE_CLEANUP(struct outlook, outlook_free);

/* ERR_MISSING UPD_E_NO_CHOSEN, with the reason why the best candidate is not taken. */
int outlook_nothing(const struct outlook *o, struct err *e);

#endif
