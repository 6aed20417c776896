/* The `delegations` part of a targets file; between role_targets.c and role_deleg.c. */
#ifndef FLIPSIDE_TUF_ROLE_DELEG_H
#define FLIPSIDE_TUF_ROLE_DELEG_H

#include "base/json.h"
#include "tuf/role.h"

/* Reads the optional member `delegations` of @in into @r's delegation members; what is there after a failure is
 * freed by _fini. */
void tuf_opt_delegations(struct json_in *in, struct tuf_targets *r);
void tuf_delegations_fini(struct tuf_targets *r);

#endif
