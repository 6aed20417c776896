/*
 * The rules of choice, each a question about one update. Two passes: the first gives every update its verdict by
 * itself ("wanted" being provisional), the second, from the highest version down, lets the first wanted one be
 * chosen.
 */
#include "updater/choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/datetime.h"
#include "base/num.h"
#include "updater/wave.h"

/* "1.2.x" or "1.x": the numbers before ".x", at most two. */
static bool parse_range(const char *s, struct version_lock *l)
{
	const size_t n = strlen(s);
	size_t end, first;

	if (n < 3 || strcmp(s + n - 2, ".x") != 0)
		return false;
	end = n - 2;
	first = strcspn(s, ".");
	/* As in versions, a number has no leading zero. */
	if ((s[0] == '0' && first > 1) || !num_parse_u64_n(s, first, 0, UINT64_MAX, &l->major))
		return false;
	if (first == end) {
		l->kind = LOCK_MAJOR;
		return true;
	}
	s += first + 1;
	end -= first + 1;
	l->kind = LOCK_MINOR;
	return !(s[0] == '0' && end > 1) && num_parse_u64_n(s, end, 0, UINT64_MAX, &l->minor);
}

int version_lock_parse(const char *s, struct version_lock *out, struct err *e)
{
	struct version_lock l = { 0 };
	const char *number = s[0] == 'v' ? s + 1 : s;
	struct err why;

	if (strlen(s) >= sizeof(l.text))
		return err_set(e, ERR_FORMAT, "version-lock", "version lock: longer than %zu bytes", sizeof(l.text) - 1);
	if (strcmp(s, "latest") == 0) {
		l.kind = LOCK_LATEST;
	} else if (strcmp(s, "current") == 0) {
		l.kind = LOCK_CURRENT;
	} else if (!parse_range(number, &l)) {
		l.kind = LOCK_EXACT;
		if (version_parse(number, &l.exact, &why) < 0)
			return err_set(e, ERR_FORMAT, "version-lock",
				       "\"%s\" is neither latest, current, a version nor a range such as 1.2.x", s);
	}
	memcpy(l.text, s, strlen(s) + 1);
	*out = l;
	return 0;
}

static bool is_same(const struct version *a, const struct version *b)
{
	return version_compare(a, b) == 0;
}

static bool lock_allows(const struct version_lock *l, const struct version *v)
{
	switch (l->kind) {
	case LOCK_LATEST:
		return true;
	case LOCK_CURRENT:
		return false;
	case LOCK_EXACT:
		return is_same(&l->exact, v);
	case LOCK_MINOR:
		return v->major == l->major && v->minor == l->minor;
	case LOCK_MAJOR:
		return v->major == l->major;
	}
	return false;
}

static bool has_fallen_back(const struct choice_input *in, const struct version *v)
{
	for (size_t i = 0; i < in->n_fell_back; i++)
		if (is_same(&in->fell_back[i], v))
			return true;
	return false;
}

/* Whether we go to @u from what runs, everything else being content. */
static bool is_due(const struct choice_input *in, const struct manifest_update *u)
{
	if (version_compare(&u->version, in->running) > 0)
		return true;
	if (version_compare(in->running, &u->max_version) > 0)
		return true; /* recall */
	return !lock_allows(&in->lock, in->running); /* locked to where we are not: down is fine too */
}

/* CHOICE_CHOSEN here means wanted: the second pass takes one of these. */
static enum choice_reason judge_applicable(const struct choice_input *in, const struct manifest_update *u)
{
	if (in->forced)
		return is_same(&u->version, in->forced) ? CHOICE_CHOSEN : CHOICE_NOT_ASKED;
	if (in->disabled)
		return CHOICE_DISABLED;
	if (is_same(&u->version, in->running))
		return CHOICE_RUNNING;
	if (!lock_allows(&in->lock, &u->version))
		return CHOICE_LOCKED;
	if (has_fallen_back(in, &u->version))
		return CHOICE_FELL_BACK;
	return is_due(in, u) ? CHOICE_CHOSEN : CHOICE_NOT_NEWER;
}

static struct choice_verdict judge(const struct choice_input *in, const struct manifest_update *u)
{
	struct choice_verdict v = { .update = u };
	const struct wave_opening opening = wave_opening(u, in->seed);

	if (strcmp(u->variant, in->variant) != 0) {
		v.reason = CHOICE_OTHER_VARIANT;
	} else if (strcmp(u->arch, in->arch) != 0) {
		v.reason = CHOICE_OTHER_ARCH;
	} else if (version_compare(&u->version, &u->max_version) > 0) {
		v.reason = CHOICE_ABOVE_MAX;
	} else if (!in->ignore_waves && !wave_is_open(&opening, in->now_sec)) {
		v.reason = CHOICE_WAVE;
		v.opens_at_sec = opening.at_sec;
	} else {
		v.reason = judge_applicable(in, u);
	}
	return v;
}

/* Highest version first; of the same version, in the manifest's order. */
static int compare_verdicts(const void *a, const void *b)
{
	const struct choice_verdict *x = a, *y = b;
	const int c = version_compare(&y->update->version, &x->update->version);

	return c ? c : (x->update > y->update) - (x->update < y->update);
}

int choice_make(const struct choice_input *in, struct choice *out, struct err *e)
{
	const struct manifest *m = in->manifest;
	struct choice c = { .n_verdicts = m->n_updates };

	c.verdicts = calloc(m->n_updates ? m->n_updates : 1, sizeof(*c.verdicts));
	if (!c.verdicts)
		return err_sys(e, "choosing an update");
	for (size_t i = 0; i < m->n_updates; i++)
		c.verdicts[i] = judge(in, &m->updates[i]);
	qsort(c.verdicts, c.n_verdicts, sizeof(*c.verdicts), compare_verdicts);
	for (size_t i = 0; i < c.n_verdicts; i++) {
		if (c.verdicts[i].reason != CHOICE_CHOSEN)
			continue;
		if (c.chosen)
			c.verdicts[i].reason = CHOICE_NOT_BEST;
		else
			c.chosen = c.verdicts[i].update;
	}
	*out = c;
	return 0;
}

void choice_fini(struct choice *c)
{
	free(c->verdicts);
	*c = (struct choice){ 0 };
}

bool choice_is_applicable(enum choice_reason r)
{
	return r == CHOICE_CHOSEN || r >= CHOICE_NOT_ASKED;
}

const char *choice_reason_name(enum choice_reason r)
{
	static const char *const names[CHOICE_N_REASONS] = {
		[CHOICE_CHOSEN] = "chosen",	    [CHOICE_OTHER_VARIANT] = "other-variant",
		[CHOICE_OTHER_ARCH] = "other-arch", [CHOICE_ABOVE_MAX] = "above-max-version",
		[CHOICE_WAVE] = "wave",		    [CHOICE_NOT_ASKED] = "not-asked",
		[CHOICE_DISABLED] = "disabled",	    [CHOICE_RUNNING] = "running",
		[CHOICE_LOCKED] = "locked",	    [CHOICE_FELL_BACK] = "fell-back",
		[CHOICE_NOT_NEWER] = "not-newer",   [CHOICE_NOT_BEST] = "not-best",
	};

	return names[r];
}

static void text_chosen(const struct choice_input *in, const struct manifest_update *u, char *out, size_t n)
{
	if (in->forced)
		snprintf(out, n, "asked for");
	else if (version_compare(&u->version, in->running) > 0)
		snprintf(out, n, "newer than %s", in->running->text);
	else if (version_compare(in->running, &u->max_version) > 0)
		snprintf(out, n, "%s is above the highest version allowed, %s", in->running->text, u->max_version.text);
	else
		snprintf(out, n, "locked to %s", in->lock.text);
}

void choice_text(const struct choice_input *in, const struct choice_verdict *v, char out[CHOICE_TEXT_BYTES])
{
	const struct manifest_update *u = v->update;
	const size_t n = CHOICE_TEXT_BYTES;
	char time[DATETIME_BYTES];

	switch (v->reason) {
	case CHOICE_CHOSEN:
		text_chosen(in, u, out, n);
		break;
	case CHOICE_OTHER_VARIANT:
		snprintf(out, n, "is for variant %.150s", u->variant);
		break;
	case CHOICE_OTHER_ARCH:
		snprintf(out, n, "is for architecture %.150s", u->arch);
		break;
	case CHOICE_ABOVE_MAX:
		snprintf(out, n, "is above the highest version allowed, %s", u->max_version.text);
		break;
	case CHOICE_WAVE:
		datetime_format(v->opens_at_sec, time);
		snprintf(out, n, "wave opens at %s", time);
		break;
	case CHOICE_NOT_ASKED:
		snprintf(out, n, "another version was asked for: %s", in->forced->text);
		break;
	case CHOICE_DISABLED:
		snprintf(out, n, "updates are disabled by configuration");
		break;
	case CHOICE_RUNNING:
		snprintf(out, n, "is running");
		break;
	case CHOICE_LOCKED:
		snprintf(out, n, "locked to %s", in->lock.text);
		break;
	case CHOICE_FELL_BACK:
		snprintf(out, n, "this host fell back from it before");
		break;
	case CHOICE_NOT_NEWER:
		snprintf(out, n, "not newer than %s", in->running->text);
		break;
	case CHOICE_NOT_BEST:
		snprintf(out, n, "a higher version is taken");
		break;
	}
}
