/*
 * The one mutable state that a library of this tree has: where log lines go is a matter of the process, set once
 * in main before any thread starts. A line is one write, so that lines of two processes on one terminal or pipe
 * do not mix.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"

#define LINE_BYTES 2048 /* below PIPE_BUF, so that a write to a pipe is atomic (pipe(7)) */

static const char *const names[] = {
	[LOG_ERROR] = "error", [LOG_WARN] = "warn",   [LOG_INFO] = "info",
	[LOG_DEBUG] = "debug", [LOG_TRACE] = "trace",
};

static const char *program_name;
static enum log_level max_level = LOG_INFO;

void log_init(const char *program, enum log_level level)
{
	program_name = program;
	max_level = level;
}

bool log_parse_level(const char *s, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(s, names[i]) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	return false;
}

bool log_enabled(enum log_level level)
{
	return level <= max_level;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	static const char cut[] = "...";
	const int sys = errno;
	char line[LINE_BYTES];
	va_list ap;

	if (!log_enabled(level))
		return;
	size_t n = (size_t)snprintf(line, sizeof(line) / 2, "%s%s%s: ", program_name ? program_name : "",
				    program_name ? ": " : "", names[level]);
	n = min_size(n, sizeof(line) / 2 - 1);
	va_start(ap, fmt);
	const int more = vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	if (more >= 0 && (size_t)more >= sizeof(line) - n)
		memcpy(line + sizeof(line) - sizeof(cut), cut, sizeof(cut));
	n = strlen(line);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n'; /* in place of the NUL */
	/* Nobody is left to be told if this fails. */
	while (write(STDERR_FILENO, line, n) < 0 && errno == EINTR)
		;
	errno = sys;
}
