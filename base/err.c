/*
 * The error record. Nothing here allocates, so that running out of memory can be told as well; texts are bounded by the
 * record and cut in the middle, because the outermost words say what was tried and the innermost why it failed.
 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

int (err_set)(struct err *e, enum err_kind kind, const char *reason, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	e->reason = reason;
	e->sys = 0;
	va_start(ap, fmt);
	vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	make_printable(e->msg);
	return -1;
}

int (err_sys)(struct err *e, const char *fmt, ...)
{
	int sys = errno;
	char what[ERR_MSG_BYTES / 2];
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (sys == ENOMEM)
		err_set(e, ERR_SYSTEM, "memory", "%s: out of memory", what);
	else
		err_set(e, ERR_SYSTEM, NULL, "%s: %s", what, strerror_r(sys, text, sizeof(text)));
	e->sys = sys;
	return -1;
}

/* Shortens @s to at most @max bytes with an ellipsis in its middle. */
static void cut_middle(char *s, size_t max)
{
	static const char gap[] = "...";
	const size_t n = strlen(s);

	if (n <= max)
		return;
	const size_t keep = max - (sizeof(gap) - 1);
	const size_t head = keep / 2, tail = keep - head;

	memcpy(s + head, gap, sizeof(gap) - 1);
	memmove(s + head + sizeof(gap) - 1, s + n - tail, tail + 1);
}

int (err_wrap)(struct err *e, const char *fmt, ...)
{
	char front[ERR_MSG_BYTES / 2];
	char whole[sizeof(front) + 2 + ERR_MSG_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(front, sizeof(front), fmt, ap);
	va_end(ap);
	make_printable(front);
	snprintf(whole, sizeof(whole), "%s: %s", front, e->msg);
	cut_middle(whole, sizeof(e->msg) - 1);
	memcpy(e->msg, whole, strlen(whole) + 1);
	return -1;
}

static const struct {
	int exit_code;
	const char *name;
} kinds[] = {
	[ERR_NONE] = { 0, "none" },	  [ERR_BUG] = { 1, "bug" },	    [ERR_USAGE] = { 2, "usage" },
	[ERR_STATE] = { 3, "state" },	  [ERR_BUSY] = { 4, "busy" },	    [ERR_MISSING] = { 5, "missing" },
	[ERR_NETWORK] = { 6, "network" }, [ERR_FORMAT] = { 7, "format" }, [ERR_TRUST] = { 8, "trust" },
	[ERR_SYSTEM] = { 9, "system" },
};

int err_exit_code(enum err_kind kind)
{
	return kinds[kind].exit_code;
}

const char *err_kind_name(enum err_kind kind)
{
	return kinds[kind].name;
}
