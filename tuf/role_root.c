/* root.json. Names in `roles` beside the four required ones ("mirrors") mean nothing here and are let pass. */
#include <errno.h>
#include <stdlib.h>

#include "tuf/parse.h"

static void get_roles(struct json_in *in, struct tuf_root *r)
{
	struct json_in roles = json_get_object(in, "roles");

	for (size_t i = 0; i < TUF_TYPES; i++) {
		struct json_in role = json_get_object(&roles, tuf_type_name((enum tuf_type)i));

		tuf_get_role_keys(&role, &r->roles[i]);
		json_in_join(&roles, &role);
	}
	json_in_join(in, &roles);
}

int tuf_root_parse(const struct tuf_signed *s, struct tuf_root **out, struct err *e)
{
	CLEANUP(tuf_root_free_p) struct tuf_root *r = calloc(1, sizeof(*r));
	struct json_in in = json_in_object(tuf_signed_body(s), "signed", e);

	if (!r) {
		errno = ENOMEM;
		return err_sys(e, "%s", tuf_signed_file(s));
	}
	tuf_get_head(&in, &r->head);
	json_opt_bool(&in, "consistent_snapshot", &r->consistent_snapshot);
	tuf_keyring_get(&in, "keys", &r->keys);
	get_roles(&in, r);
	if (json_in_end(&in) < 0)
		return tuf_parse_failed(e, tuf_signed_file(s));
	*out = TAKE(r);
	return 0;
}

void tuf_root_free(struct tuf_root *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < TUF_TYPES; i++)
		tuf_role_keys_fini(&r->roles[i]);
	tuf_keyring_fini(&r->keys);
	free(r);
}
