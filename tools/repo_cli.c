/* The readers of options that several verbs have. */
#include "tools/repo_cli.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/datetime.h"

int repo_cli_now(const struct repo_cli *c, int64_t *out_sec, struct err *e)
{
	if (!c->now) {
		*out_sec = (int64_t)time(NULL);
		return 0;
	}
	if (!datetime_parse(c->now, strlen(c->now), out_sec))
		return err_set(e, ERR_USAGE, "time", "--now '%s': not an RFC 3339 time", c->now);
	return 0;
}

int repo_cli_time(const char *option, const char *s, int64_t now_sec, int64_t *out_sec, struct err *e)
{
	int64_t span;

	if (datetime_parse(s, strlen(s), out_sec))
		return 0;
	if (!datetime_parse_offset(s, &span))
		return err_set(e, ERR_USAGE, "time", "--%s '%s': neither an RFC 3339 time nor a span as 'in 2 weeks'", option, s);
	*out_sec = now_sec + span; /* years up to 9999 and a span of 100 years at most */
	return 0;
}

int repo_cli_need(const char *option, const char *value, struct err *e)
{
	if (value && *value)
		return 0;
	return err_set(e, ERR_USAGE, "option", "--%s is needed", option);
}

int repo_cli_version(const char *option, const char *s, struct version *out, struct err *e)
{
	if (version_parse_friendly(s, out, e) == 0)
		return 0;
	e->kind = ERR_USAGE; /* malformed, but by the caller's hand */
	return err_wrap(e, "--%s", option);
}

void repo_cli_progress(const struct repo_cli *c, struct progress *p)
{
	progress_init(p, stderr, c->quiet);
}

const char *repo_cli_key_option(enum tuf_type type)
{
	static const char *const names[TUF_TYPES] = {
		[TUF_ROOT] = "root-key",
		[TUF_TIMESTAMP] = "timestamp-key",
		[TUF_SNAPSHOT] = "snapshot-key",
		[TUF_TARGETS] = "targets-key",
	};

	return names[type];
}
