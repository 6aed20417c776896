/*
 * Every action is the same frame around its own work: lock, state from disk, note a fallback that the boot loader
 * made, check, work, record.
 *
 * Order of an installation, and what a power cut leaves after each step:
 *	1 migrations and manifest cached	nothing has changed
 *	2 inactive bits 0/0/0, durable		the running set alone may boot
 *	3 record of what was staged removed	the same
 *	4 root, boot, hash written and flushed	the same
 *	5 read back and verified		the same
 *	6 new record stored, durable		the same: bits say that nothing is staged
 *	7 tries=1, durable			staged
 * So bits that say "staged" always have a record beside them that is about this content.
 */
#include "updater/actions.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/workers.h"
#include "updater/cache.h"
#include "updater/history.h"

#define HISTORY_LOOK_BACK 256
#define MARK_WAIT_MS 60000 /* marking a boot waits for a short action's end rather than fail the boot */

/* What an action has in its hands. */
struct action {
	struct host *host;
	enum upd_command command;
	struct part_table *table;
	struct status *status; /* as it is on disk when the action begins, changed as it goes */
	struct upd_image to;	/* the version it is about; .version.text empty: none */
	struct upd_trust trust;
	bool has_target;
	struct digest target;
};

static void action_fini(struct action *a)
{
	part_table_free(a->table);
	status_free(a->status);
}

static bool bits_may_boot(struct gpt_bits b)
{
	return b.priority > 0 && (b.tries_left > 0 || b.successful);
}

static bool inactive_is_next(const struct part_table *t)
{
	enum part_set next;

	return part_table_next(t, &next) && next == part_table_inactive(t);
}

/* Tried, not marked successful, and left: what the boot loader leaves behind when it falls back. */
static bool bits_fell_back(struct gpt_bits b)
{
	return b.priority > 0 && b.tries_left == 0 && !b.successful;
}

/* Puts what the disk says over what was remembered: state, both partitions, what is staged. */
static int derive_status(const struct host *h, const struct part_table *t, struct status *s, struct err *e)
{
	const struct gpt_bits inactive = part_table_bits(t, part_table_inactive(t));
	struct staged_record record;
	const int ret = staged_load(h->state_dir, &record, e);

	if (ret < 0)
		return -1;
	if (upd_image_set(&s->active.image, h->os.variant, h->os.arch, &h->os.version, e) < 0)
		return -1;
	if (s->has_chosen && upd_image_equal(&s->chosen, &s->active.image)) /* chosen before the reboot into it */
		s->has_chosen = false;
	s->has_staged = ret == 0 && record.set == part_table_inactive(t) && inactive.tries_left > 0;
	if (s->has_staged)
		s->staged = record;
	s->state = upd_state_from_disk(inactive, inactive_is_next(t), s->has_staged, s->has_chosen);
	s->active.known = true;
	s->active.next_to_boot = !inactive_is_next(t);
	s->staging.known = s->has_staged;
	if (s->has_staged) {
		s->staging.image = record.image;
		s->staging.next_to_boot = inactive_is_next(t);
	}
	return 0;
}

int action_status(const struct host *h, struct status **out, struct err *e)
{
	CLEANUP(part_table_free_p) struct part_table *table = NULL;
	CLEANUP(status_free_p) struct status *s = NULL;

	if (host_open_table(h, &table, e) < 0 || status_load(h->state_dir, &s, e) < 0 || derive_status(h, table, s, e) < 0)
		return -1;
	*out = TAKE(s);
	return 0;
}

/* A version that the boot loader gave up is written down once, before its set is used for anything else. */
static int note_fallback(const struct action *a, struct err *e)
{
	const struct host *h = a->host;
	CLEANUP(free_p) struct history_entry *entries = NULL;
	struct version known[OUTLOOK_FELL_BACK_MAX];
	struct staged_record record;
	size_t n, n_known;
	const int ret = staged_load(h->state_dir, &record, e);

	if (ret < 0)
		return -1;
	if (ret == STAGED_ABSENT || record.set != part_table_inactive(a->table) ||
	    !bits_fell_back(part_table_bits(a->table, record.set)))
		return 0;
	if (history_read(h->state_dir, HISTORY_LOOK_BACK, &entries, &n, e) < 0)
		return -1;
	history_fell_back(entries, n, known, OUTLOOK_FELL_BACK_MAX, &n_known);
	for (size_t i = 0; i < n_known; i++)
		if (version_compare(&known[i], &record.image.version) == 0)
			return 0;
	log_warn("the boot loader came back from %s: it was never marked successful", record.image.version.text);
	const struct history_entry entry =
		history_entry_of(h->options.now_sec, HISTORY_FELL_BACK, &record.image.version, &h->os.version, NULL);

	return history_append(h->state_dir, &entry, e);
}

static int action_begin(struct action *a, struct host *h, enum upd_command command, struct err *e)
{
	*a = (struct action){ .host = h, .command = command };
	if (host_lock(h, 0, e) < 0 || host_open_table(h, &a->table, e) < 0 || status_load(h->state_dir, &a->status, e) < 0 ||
	    derive_status(h, a->table, a->status, e) < 0)
		return -1;
	return note_fallback(a, e);
}

static int record_status(struct action *a, const struct err *failed, struct err *e)
{
	struct timespec now = { .tv_sec = a->host->options.now_sec };

	clock_gettime(CLOCK_REALTIME, &now);
	if (derive_status(a->host, a->table, a->status, e) < 0 ||
	    status_set_command(a->status, a->command, failed ? STATUS_FAILED : STATUS_SUCCESS, now.tv_sec,
			       (uint32_t)now.tv_nsec, failed ? err_exit_code(failed->kind) : 0, failed ? failed->msg : "", e) < 0)
		return -1;
	return status_store(a->status, a->host->state_dir, e);
}

static int record_history(struct action *a, const struct err *failed, struct err *e)
{
	struct history_entry entry =
		history_entry_of(a->host->options.now_sec, upd_command_name(a->command), &a->host->os.version,
				 a->to.version.text[0] ? &a->to.version : NULL, failed);

	entry.trust = a->trust;
	entry.has_target = a->has_target;
	entry.target = a->target;
	return history_append(a->host->state_dir, &entry, e);
}

/*
 * Writes down how the action ended. @ret and *@e are its result; they are handed on. A record that cannot be
 * written never hides the action's own failure, and never turns a success into one: the disk's bits are the
 * truth.
 */
static int action_end(struct action *a, int ret, const struct err *e)
{
	const struct err *failed = ret < 0 ? e : NULL;
	struct err trouble;

	if (!a->status || !a->table)
		return ret;
	if (record_status(a, failed, &trouble) < 0 || record_history(a, failed, &trouble) < 0)
		log_warn("the action's record: %s", trouble.msg);
	return ret;
}

/* What a look at the repository brought, for the status and the history. */
static int remember_outlook(struct action *a, const struct outlook *o, struct err *e)
{
	CLEANUP(free_p) struct version *available = calloc(o->choice.n_verdicts + 1, sizeof(*available));
	size_t n = 0;

	if (!available)
		return err_sys(e, "the list of updates");
	for (size_t i = 0; i < o->choice.n_verdicts; i++)
		if (choice_is_applicable(o->choice.verdicts[i].reason))
			available[n++] = o->choice.verdicts[i].update->version;
	a->trust = host_trust(o->repo);
	a->status->has_chosen = o->choice.chosen != NULL;
	if (o->choice.chosen &&
	    upd_image_set(&a->status->chosen, o->choice.chosen->variant, o->choice.chosen->arch, &o->choice.chosen->version, e) < 0)
		return -1;
	a->to = o->choice.chosen ? a->status->chosen : (struct upd_image){ 0 };
	return status_set_available(a->status, available, n, e);
}

static int look(struct action *a, const struct outlook_request *r, struct outlook **out, struct err *e)
{
	if (outlook_open(a->host, r, out, e) < 0)
		return -1;
	return remember_outlook(a, *out, e);
}

int action_refresh(struct host *h, const struct outlook_request *r, struct outlook **out, struct err *e)
{
	CLEANUP(action_fini) struct action a = { 0 };
	CLEANUP(outlook_free_p) struct outlook *o = NULL;

	if (action_begin(&a, h, UPD_REFRESH, e) < 0)
		return -1;
	if (action_end(&a, look(&a, r, &o, e), e) < 0)
		return -1;
	*out = TAKE(o);
	return 0;
}

/* Migrations between what runs and what is chosen, and the manifest, into the cache. */
static int cache_migrations(struct action *a, struct outlook *o, struct err *e)
{
	CLEANUP(free_p) const char **steps = NULL;
	CLEANUP(free_p) const char **names = NULL;
	size_t n = 0;

	if (manifest_migrations(o->manifest, &a->host->os.version, &o->choice.chosen->version, &steps, &n, e) < 0)
		return err_wrap(e, "update to %s", o->choice.chosen->version.text);
	names = calloc(n + 1, sizeof(*names));
	if (!names)
		return err_sys(e, "the list of migrations");
	for (size_t i = 0; i < n; i++)
		names[i] = steps[i];
	names[n] = MANIFEST_TARGET;
	const struct cache_job job = {
		.repo = o->repo,
		.dir = a->host->config->migrations_dir,
		.names = names,
		.n_names = n + 1,
		.stop = a->host->options.stop,
	};

	return cache_fill(&job, e);
}

static struct image_job image_job_of(struct action *a, struct outlook *o)
{
	const struct config *c = a->host->config;

	return (struct image_job){
		.repo = o->repo,
		.table = a->table,
		.update = o->choice.chosen,
		.progress = a->host->options.progress,
		.workers = c->workers ? c->workers : workers_default(),
		.read_back = c->read_back,
		.stop = a->host->options.stop,
	};
}

/* Looks, chooses and has everything at hand short of the images. Return: 0, ACTION_NOTHING, -1 */
static int make_ready(struct action *a, const struct outlook_request *r, struct outlook **out, struct err *e)
{
	if (look(a, r, out, e) < 0)
		return -1;
	if (!(*out)->choice.chosen)
		return r->image ? outlook_nothing(*out, e) : ACTION_NOTHING;
	host_set_query(a->host, (*out)->input.seed, (*out)->choice.chosen->version.text, NULL);
	const struct image_job job = image_job_of(a, *out);

	if (image_check(&job, e) < 0)
		return -1;
	return cache_migrations(a, *out, e);
}

int action_prepare(struct host *h, const struct outlook_request *r, struct upd_image *image, struct err *e)
{
	CLEANUP(action_fini) struct action a = { 0 };
	CLEANUP(outlook_free_p) struct outlook *o = NULL;

	if (action_begin(&a, h, UPD_REFRESH, e) < 0)
		return -1;
	const int ret = action_end(&a, make_ready(&a, r, &o, e), e);

	if (ret == 0)
		*image = a.to;
	return ret;
}

/* Neither an update that waits to boot nor the only other system that could boot is given up. */
static int check_may_install(const struct action *a, struct err *e)
{
	const enum part_set active = part_table_active(a->table);

	if (a->status->state == UPD_READY)
		return err_set(e, ERR_STATE, UPD_E_STATE,
			       "set %s is ready to boot: reboot into it, or take it back with update-revert, before another update",
			       part_set_name(part_table_inactive(a->table)));
	if (!bits_may_boot(part_table_bits(a->table, active)))
		return err_set(e, ERR_STATE, UPD_E_NO_FALLBACK,
			       "the running set %s is not marked successful and could not boot again; set %s is its only fallback",
			       part_set_name(active), part_set_name(part_table_inactive(a->table)));
	return 0;
}

/* Whether what is staged is what would be installed: same version, from the same root image. */
static bool is_staged_already(const struct action *a, struct outlook *o)
{
	struct tuf_target root;
	struct err ignored;

	return a->status->state == UPD_STAGED && upd_image_equal(&a->status->staged.image, &a->to) &&
	       tuf_client_find(o->repo, o->choice.chosen->images[PART_ROOT], &root, &ignored) == 0 &&
	       digest_equal(&root.hashes[0], &a->status->staged.targets[PART_ROOT]);
}

/* Steps 2 to 7 of the order above. */
static int write_and_stage(struct action *a, struct outlook *o, struct err *e)
{
	const struct image_job job = image_job_of(a, o);
	struct image_proof proof;
	struct staged_record record = {
		.image = a->to,
		.set = part_table_inactive(a->table),
		.verified_at_sec = a->host->options.now_sec,
		.trust = a->trust,
	};

	if (part_table_clear_inactive(a->table, e) < 0 || staged_remove(a->host->state_dir, e) < 0 ||
	    image_install(&job, &proof, e) < 0)
		return -1;
	for (size_t r = 0; r < PART_N_ROLES; r++)
		record.targets[r] = proof.targets[r];
	record.root_hash = proof.root_hash;
	a->has_target = true;
	a->target = proof.targets[PART_ROOT];
	if (staged_store(&record, a->host->state_dir, e) < 0)
		return -1;
	return part_table_mark_inactive_valid(a->table, e);
}

static int install(struct action *a, const struct outlook_request *r, struct err *e)
{
	CLEANUP(outlook_free_p) struct outlook *o = NULL;

	if (check_may_install(a, e) < 0)
		return -1;
	const int ret = make_ready(a, r, &o, e);

	if (ret != 0)
		return ret;
	if (is_staged_already(a, o)) /* writes nothing, unless a cut has left a torn copy of the table to repair */
		return part_table_mark_inactive_valid(a->table, e) < 0 ? -1 : ACTION_ALREADY_STAGED;
	log_info("starting update to %s", a->to.version.text);
	return write_and_stage(a, o, e);
}

int action_install(struct host *h, const struct outlook_request *r, struct upd_image *image, struct err *e)
{
	CLEANUP(action_fini) struct action a = { 0 };

	if (action_begin(&a, h, UPD_PREPARE, e) < 0)
		return -1;
	const int ret = action_end(&a, install(&a, r, e), e);

	if (ret >= 0)
		*image = a.to;
	return ret;
}

/* Activate and deactivate: check the state, change the bits. */
static int flip(struct host *h, enum upd_command command, int (*change)(struct part_table *, struct err *),
		struct upd_image *image, struct err *e)
{
	CLEANUP(action_fini) struct action a = { 0 };
	int ret;

	if (action_begin(&a, h, command, e) < 0)
		return -1;
	if (a.status->has_staged)
		a.to = a.status->staged.image;
	ret = upd_state_check(a.status->state, command, a.status->has_chosen, a.status->has_staged, e);
	if (ret == 0)
		ret = change(a.table, e);
	if (action_end(&a, ret, e) < 0)
		return -1;
	if (image)
		*image = a.to;
	return 0;
}

int action_activate(struct host *h, struct upd_image *image, struct err *e)
{
	return flip(h, UPD_ACTIVATE, part_table_upgrade_to_inactive, image, e);
}

int action_deactivate(struct host *h, struct upd_image *image, struct err *e)
{
	return flip(h, UPD_DEACTIVATE, part_table_cancel_upgrade, image, e);
}

int action_mark_successful(struct host *h, struct err *e)
{
	CLEANUP(part_table_free_p) struct part_table *table = NULL;
	struct err trouble;

	if (host_lock(h, MARK_WAIT_MS, e) < 0 || host_open_table(h, &table, e) < 0)
		return -1;
	const bool was_marked = part_table_bits(table, part_table_active(table)).successful;

	if (part_table_mark_successful_boot(table, e) < 0)
		return -1;
	if (was_marked)
		return 0;
	const struct history_entry entry =
		history_entry_of(h->options.now_sec, HISTORY_BOOTED, NULL, &h->os.version, NULL);

	if (history_append(h->state_dir, &entry, &trouble) < 0)
		log_warn("the boot's record: %s", trouble.msg);
	return 0;
}
