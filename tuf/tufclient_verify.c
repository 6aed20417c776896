/* The report of a whole repository folder. Failures are the answer, not the end of it, so they stand in it and
 * only the status is 1. */
#include "tuf/tufclient.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/file.h"
#include "base/json.h"
#include "tuf/audit.h"

#define TEXT_MAX_BYTES (64u << 20)

struct report {
	struct buf text;
	json_t *failures;
};

static int add_failure(void *ctx, const struct tuf_audit_item *item, struct err *e)
{
	struct report *r = (struct report *)ctx;
	const struct err *f = item->failure;

	if (!f)
		return 0;
	json_t *j = json_pack("{s:s, s:s, s:s, s:s?, s:s}", item->what == TUF_AUDIT_TARGET ? "target" : "file", item->name, "role",
			      item->role, "kind", err_kind_name(f->kind), "reason", f->reason, "message", f->msg);

	if (json_array_append_new(r->failures, j) < 0)
		return err_set(e, ERR_SYSTEM, "memory", "out of memory");
	return buf_printf(&r->text, e, "FAILED %s\n", f->msg);
}

static int verify(struct options *o, const struct tuf_audit_options *what, struct err *e)
{
	struct report r = { .text = BUF_INIT(TEXT_MAX_BYTES), .failures = json_array() };
	struct tuf_audit_result found = { 0 };
	int ret = tuf_audit(what, add_failure, &r, &found, e);

	if (ret == 0)
		ret = buf_printf(&r.text, e, "%" PRIu64 " metadata files and %" PRIu64 " targets checked, %" PRIu64 " failed\n",
				 found.n_metadata, found.n_targets, found.n_failures);
	if (ret == 0 && !buf_str(&r.text, e))
		ret = -1;
	if (ret == 0)
		ret = answer(o,
			     json_pack("{s:I, s:I, s:O}", "metadata_files", (json_int_t)found.n_metadata, "targets",
				       (json_int_t)found.n_targets, "failures", r.failures),
			     (const char *)r.text.p, e);
	o->found_failures = found.n_failures > 0;
	tuf_trusted_free(found.trusted);
	buf_fini(&r.text);
	json_decref(r.failures);
	return ret;
}

/* DIR/NAME as a string; NULL with *e filled. */
static const char *below(struct buf *path, const char *dir, const char *name, struct err *e)
{
	return buf_printf(path, e, "%s/%s", dir, name) < 0 ? NULL : buf_str(path, e);
}

int run_verify(void *ctx, int argc, char **argv, struct err *e)
{
	struct options *o = (struct options *)ctx;
	struct buf metadata = BUF_INIT(PATH_MAX), targets = BUF_INIT(PATH_MAX), root = BUF_INIT(TUF_ROOT_MAX_BYTES);
	struct tuf_audit_options what = { .stop = &stop_requested };
	int r = -1;

	if (start_log(o, e) == 0 && reference_time(o, &what.now_sec, e) == 0 &&
	    (what.metadata_dir = below(&metadata, argv[0], "metadata", e)) != NULL &&
	    (what.targets_dir = below(&targets, argv[0], "targets", e)) != NULL)
		r = o->root ? file_read(AT_FDCWD, o->root, &root, e) : 0;
	if (o->root)
		what.trusted_root = bytes_of(root.p ? (const void *)root.p : "", root.n); /* an empty file is a bad root, not none */
	if (r == 0)
		r = verify(o, &what, e);
	buf_fini(&metadata);
	buf_fini(&targets);
	buf_fini(&root);
	return r;
}
