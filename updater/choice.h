/*
 * The choice: which update of a manifest this host takes now, and for every other one why not. Pure: all that
 * matters comes in, nothing is looked up.
 *
 * From: bottlerocket-os updog (applicable updates, version lock, recall by max_version); ranges and `current` are ours.
 */
#ifndef FLIPSIDE_UPDATER_CHOICE_H
#define FLIPSIDE_UPDATER_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/version.h"
#include "updater/manifest.h"

enum version_lock_kind {
	LOCK_LATEST,  /* "latest" */
	LOCK_CURRENT, /* "current": stay */
	LOCK_EXACT,   /* "1.2.3", "v1.2.3": this one, up or down */
	LOCK_MINOR,   /* "1.2.x": the newest 1.2 */
	LOCK_MAJOR,   /* "1.x": the newest 1 */
};

struct version_lock {
	enum version_lock_kind kind;
	struct version exact;	/* LOCK_EXACT */
	uint64_t major, minor;	/* LOCK_MINOR; LOCK_MAJOR has the first only */
	char text[VERSION_BYTES]; /* as written */
};

/* "latest", "current", a version or a range "1.2.x", "1.x", both with an optional leading v. Return: 0; -1
 * ERR_FORMAT "version-lock" */
int version_lock_parse(const char *s, struct version_lock *out, struct err *e);

struct choice_input {
	const struct manifest *manifest;
	const struct version *running;
	const char *variant, *arch; /* this host's, or what the operator pretends */
	uint32_t seed;
	int64_t now_sec;
	bool ignore_waves;
	bool disabled;		      /* updates are switched off: nothing is chosen unless forced */
	const struct version *forced; /* --image; NULL: none. Waves and max_version still hold; lock and fallen-back do not */
	struct version_lock lock;
	const struct version *fell_back; /* versions this host was on and came back from: not taken by itself again */
	size_t n_fell_back;
};

/* The first of these rules that speaks is an update's reason. */
enum choice_reason {
	CHOICE_CHOSEN,
	CHOICE_OTHER_VARIANT,
	CHOICE_OTHER_ARCH,
	CHOICE_ABOVE_MAX,  /* its version is above its own max_version: withdrawn */
	CHOICE_WAVE,	   /* opens for this host later */
	/* From here on the update is applicable: it counts as available. */
	CHOICE_NOT_ASKED,  /* --image names another version */
	CHOICE_DISABLED,
	CHOICE_RUNNING,	   /* it is what runs */
	CHOICE_LOCKED,	   /* the version lock does not allow it */
	CHOICE_FELL_BACK,  /* this host came back from it */
	CHOICE_NOT_NEWER,
	CHOICE_NOT_BEST,   /* a higher one is taken */
};
#define CHOICE_N_REASONS (CHOICE_NOT_BEST + 1)

struct choice_verdict {
	const struct manifest_update *update; /* borrowed from the manifest */
	enum choice_reason reason;
	int64_t opens_at_sec; /* CHOICE_WAVE: when */
};

struct choice {
	const struct manifest_update *chosen; /* NULL: none. Borrowed from the manifest */
	struct choice_verdict *verdicts;	      /* one for each update in the manifest, highest version first */
	size_t n_verdicts;
};

/**
 * choice_make() - judge every update of the manifest and take at most one
 *
 * Applicable are updates of our variant and arch, not above their own max_version, whose wave is open for us (or
 * waves are ignored). Forced: the applicable one of exactly that version, up, down or the running one. Locked to
 * a version: that one, up or down, unless it runs. Locked to a range: the highest in it that is above the running
 * version, or any (the highest) if the running version is outside of the range. Else, from the highest down, the
 * first that is above the running version or whose max_version is below it (recall: a lowered max_version makes
 * hosts above it step down).
 * Return: 0, also when none is chosen; -1: ERR_SYSTEM
 */
int choice_make(const struct choice_input *in, struct choice *out, struct err *e);
void choice_fini(struct choice *c);

/* Whether a verdict says that the update is applicable, so that it belongs in the list of available updates. */
bool choice_is_applicable(enum choice_reason r);

/* Token for programs: "chosen", "other-variant", ..., "not-best"; never NULL. */
const char *choice_reason_name(enum choice_reason r);

#define CHOICE_TEXT_BYTES 400

/* One phrase for people: "wave opens at 2026-03-02T08:00:00Z", "locked to 1.2.x". */
void choice_text(const struct choice_input *in, const struct choice_verdict *v, char out[CHOICE_TEXT_BYTES]);

#endif
