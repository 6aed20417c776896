/* Refresh, read, choose: in this order, with the time fixed at the start of the process, so that one run sees one
 * moment. */
#include "updater/outlook.h"

#include <stdlib.h>

#include "updater/history.h"
#include "updater/state.h"

#define HISTORY_LOOK_BACK 256

/* Versions that this host was on and came back from are not chosen again by themselves. */
static int recall_fallbacks(struct outlook *o, struct err *e)
{
	CLEANUP(free_p) struct history_entry *entries = NULL;
	size_t n = 0;

	if (history_read(o->host->state_dir, HISTORY_LOOK_BACK, &entries, &n, e) < 0)
		return -1;
	history_fell_back(entries, n, o->fell_back, OUTLOOK_FELL_BACK_MAX, &o->input.n_fell_back);
	o->input.fell_back = o->fell_back;
	return 0;
}

static int fill_input(struct outlook *o, const struct outlook_request *r, struct err *e)
{
	const struct config *c = o->host->config;
	struct choice_input *in = &o->input;

	in->running = &o->host->os.version;
	in->variant = r->variant ? r->variant : o->host->os.variant;
	in->arch = o->host->os.arch;
	in->now_sec = o->host->options.now_sec;
	in->ignore_waves = r->ignore_waves || c->ignore_waves;
	in->disabled = !c->enabled;
	in->lock = c->version_lock;
	in->forced = r->image;
	if (config_seed(c, HOST_MACHINE_ID, &in->seed, e) < 0)
		return -1;
	return recall_fallbacks(o, e);
}

static int read_manifest(struct outlook *o, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(MANIFEST_MAX_BYTES);

	if (tuf_client_read_target(o->repo, MANIFEST_TARGET, &text, e) < 0)
		return -1;
	if (manifest_parse(buf_bytes(&text), &o->manifest, e) < 0)
		return err_wrap(e, "%s", MANIFEST_TARGET);
	o->input.manifest = o->manifest;
	return 0;
}

int outlook_open(struct host *h, const struct outlook_request *r, struct outlook **out, struct err *e)
{
	CLEANUP(outlook_free_p) struct outlook *o = calloc(1, sizeof(*o));

	if (!o)
		return err_sys(e, "looking for updates");
	o->host = h;
	if (fill_input(o, r, e) < 0)
		return -1;
	host_set_query(h, o->input.seed, NULL, NULL);
	if (host_open_repo(h, &o->repo, e) < 0 || tuf_client_refresh(o->repo, e) < 0 || read_manifest(o, e) < 0 ||
	    choice_make(&o->input, &o->choice, e) < 0)
		return -1;
	*out = TAKE(o);
	return 0;
}

void outlook_free(struct outlook *o)
{
	if (!o)
		return;
	choice_fini(&o->choice);
	manifest_free(o->manifest);
	tuf_client_free(o->repo);
	free(o);
}

/* The highest version that is for this kind of host; without one, the highest of all. */
static const struct choice_verdict *best_candidate(const struct choice *c)
{
	for (size_t i = 0; i < c->n_verdicts; i++)
		if (c->verdicts[i].reason != CHOICE_OTHER_VARIANT && c->verdicts[i].reason != CHOICE_OTHER_ARCH)
			return &c->verdicts[i];
	return &c->verdicts[0];
}

int outlook_nothing(const struct outlook *o, struct err *e)
{
	char why[CHOICE_TEXT_BYTES];

	if (o->choice.n_verdicts == 0)
		return err_set(e, ERR_MISSING, UPD_E_NO_CHOSEN, "no update available: the repository offers none");
	const struct choice_verdict *v = best_candidate(&o->choice);

	choice_text(&o->input, v, why);
	return err_set(e, ERR_MISSING, UPD_E_NO_CHOSEN, "no update available: %s %s: %s", v->update->variant,
		       v->update->version.text, why);
}
