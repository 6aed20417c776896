/* The state machine as a table: for each command the states it may start in, and what it needs. The rest is where
 * it leads. */
#include "updater/state.h"

#include <string.h>

#include "base/num.h"

#define IN(s) (1u << (s))

static const struct {
	const char *name;
	unsigned allowed; /* bits by state */
	bool needs_chosen, needs_staged;
} commands[UPD_N_COMMANDS] = {
	[UPD_REFRESH] = { "refresh", IN(UPD_IDLE) | IN(UPD_AVAILABLE) | IN(UPD_STAGED) | IN(UPD_READY), false, false },
	[UPD_PREPARE] = { "prepare", IN(UPD_AVAILABLE) | IN(UPD_STAGED), true, false },
	[UPD_ACTIVATE] = { "activate", IN(UPD_STAGED), false, true },
	[UPD_DEACTIVATE] = { "deactivate", IN(UPD_READY), false, true },
};

static const char *const state_names[UPD_N_STATES] = {
	[UPD_IDLE] = "Idle", [UPD_AVAILABLE] = "Available", [UPD_STAGED] = "Staged", [UPD_READY] = "Ready"
};

const char *upd_state_name(enum upd_state s)
{
	return state_names[s];
}

const char *upd_command_name(enum upd_command c)
{
	return commands[c].name;
}

bool upd_state_parse(const char *s, enum upd_state *out)
{
	for (size_t i = 0; i < UPD_N_STATES; i++)
		if (strcmp(state_names[i], s) == 0) {
			*out = (enum upd_state)i;
			return true;
		}
	return false;
}

bool upd_command_parse(const char *s, enum upd_command *out)
{
	for (size_t i = 0; i < UPD_N_COMMANDS; i++)
		if (strcmp(commands[i].name, s) == 0) {
			*out = (enum upd_command)i;
			return true;
		}
	return false;
}

int upd_state_check(enum upd_state s, enum upd_command c, bool has_chosen, bool has_staged, struct err *e)
{
	if (!(commands[c].allowed & IN(s)))
		return err_set(e, ERR_STATE, UPD_E_STATE, "%s is not allowed in state %s", commands[c].name, state_names[s]);
	if (commands[c].needs_chosen && !has_chosen)
		return err_set(e, ERR_MISSING, UPD_E_NO_CHOSEN, "%s: no update is chosen", commands[c].name);
	if (commands[c].needs_staged && !has_staged)
		return err_set(e, ERR_MISSING, UPD_E_NO_STAGED, "%s: no image is staged", commands[c].name);
	return 0;
}

enum upd_state upd_state_next(enum upd_state s, enum upd_command c, bool ok, bool has_chosen)
{
	switch (c) {
	case UPD_REFRESH:
		if (s == UPD_STAGED || s == UPD_READY)
			return s;
		return ok && has_chosen ? UPD_AVAILABLE : UPD_IDLE;
	case UPD_PREPARE:
		return ok ? UPD_STAGED : UPD_AVAILABLE; /* never back to Staged: the set was cleared */
	case UPD_ACTIVATE:
		return ok ? UPD_READY : s;
	case UPD_DEACTIVATE:
		return ok ? UPD_STAGED : s;
	}
	return s;
}

int upd_state_step(enum upd_state s, enum upd_command c, bool ok, bool has_chosen, bool has_staged,
		   enum upd_state *out, struct err *e)
{
	if (upd_state_check(s, c, has_chosen, has_staged, e) < 0)
		return -1;
	*out = upd_state_next(s, c, ok, has_chosen);
	return 0;
}

enum upd_state upd_state_from_disk(struct gpt_bits inactive, bool inactive_is_next, bool has_staged, bool has_chosen)
{
	if (inactive_is_next)
		return UPD_READY;
	if (has_staged && inactive.priority == 0 && inactive.tries_left > 0 && !inactive.successful)
		return UPD_STAGED;
	return has_chosen ? UPD_AVAILABLE : UPD_IDLE;
}
