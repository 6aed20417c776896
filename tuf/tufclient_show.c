/* Reports from the store alone: no request is made, and expired metadata is shown too. */
#include "tuf/tufclient.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/datetime.h"
#include "base/json.h"
#include "base/log.h"
#include "tuf/role.h"
#include "tuf/signed.h"

#define TEXT_MAX_BYTES (64u << 20)

/* NULL out of memory, as of json_pack() with a part that is NULL */
static json_t *json_of_ids(const struct tuf_role_keys *keys)
{
	CLEANUP(json_decref_p) json_t *ids = json_array();

	for (size_t i = 0; i < keys->n_ids; i++)
		if (json_array_append_new(ids, json_string(keys->ids[i])) < 0)
			return NULL;
	return TAKE(ids);
}

static json_t *json_of_role(const char *name, const struct tuf_head *head, const struct tuf_role_keys *keys)
{
	char expires[DATETIME_BYTES] = "";
	json_t *ids = json_of_ids(keys);

	if (!head)
		return json_pack("{s:s, s:n, s:n, s:I, s:o}", "role", name, "version", "expires", "threshold",
				 (json_int_t)keys->threshold, "key_ids", ids);
	datetime_format(head->expires_sec, expires);
	return json_pack("{s:s, s:I, s:s, s:I, s:o}", "role", name, "version", (json_int_t)head->version, "expires", expires,
			 "threshold", (json_int_t)keys->threshold, "key_ids", ids);
}

static int text_of_role(const char *name, const struct tuf_head *head, const struct tuf_role_keys *keys, struct buf *out,
			struct err *e)
{
	char expires[DATETIME_BYTES] = "not stored";

	if (head)
		datetime_format(head->expires_sec, expires);
	if (buf_printf(out, e, "%-9s  %8" PRIu64 "  %-20s  %" PRIu64 " of %zu", name, head ? head->version : 0, expires,
		       keys->threshold, keys->n_ids) < 0)
		return -1;
	for (size_t i = 0; i < keys->n_ids; i++)
		if (buf_printf(out, e, " %.8s", keys->ids[i]) < 0)
			return -1;
	return buf_append_str(out, "\n", e);
}

/* The client with all that the store has; only a root is as good as everything for a report. */
static int open_stored(const struct options *o, struct tuf_client **out, struct err *e)
{
	struct err why;

	if (open_client(o, (struct bytes){ 0 }, out, e) < 0)
		return -1;
	if (tuf_client_load_offline(*out, &why) < 0) {
		if (is_out_of_memory(&why))
			return *e = why, -1;
		log_info("%s", why.msg);
	}
	return 0;
}

int run_info(void *ctx, int argc, char **argv, struct err *e)
{
	const struct options *o = (const struct options *)ctx;
	CLEANUP(tuf_client_free_p) struct tuf_client *c = NULL;
	struct buf text = BUF_INIT(TEXT_MAX_BYTES);

	(void)argc;
	(void)argv;
	if (open_stored(o, &c, e) < 0)
		return -1;
	const struct tuf_trusted *t = tuf_client_trusted(c);
	const struct tuf_root *root = tuf_trusted_root(t);
	const struct tuf_timestamp *timestamp = tuf_trusted_timestamp(t);
	const struct tuf_snapshot *snapshot = tuf_trusted_snapshot(t);
	const struct tuf_targets *targets = tuf_trusted_targets(t);
	const struct tuf_head *heads[TUF_TYPES] = {
		[TUF_ROOT] = &root->head,
		[TUF_TIMESTAMP] = timestamp ? &timestamp->head : NULL,
		[TUF_SNAPSHOT] = snapshot ? &snapshot->head : NULL,
		[TUF_TARGETS] = targets ? &targets->head : NULL,
	};
	json_t *roles = json_array();
	int r = buf_printf(&text, e, "%-9s  %8s  %-20s  %s\n", "role", "version", "expires", "threshold, keys");

	for (int i = 0; i < TUF_TYPES && r == 0; i++) {
		const char *name = tuf_type_name((enum tuf_type)i);

		r = json_array_append_new(roles, json_of_role(name, heads[i], &root->roles[i])) < 0
			    ? err_set(e, ERR_SYSTEM, "memory", "out of memory")
			    : text_of_role(name, heads[i], &root->roles[i], &text, e);
	}
	if (r == 0 && !buf_str(&text, e))
		r = -1;
	json_t *j = json_pack("{s:b, s:o}", "consistent_snapshot", root->consistent_snapshot, "roles", roles);

	if (r == 0)
		r = answer(o, j, (const char *)text.p, e);
	else
		json_decref(j);
	buf_fini(&text);
	return r;
}
