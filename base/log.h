/* Log lines on stderr: "program: level: what: detail". One sink for each process, set up once in main. */
#ifndef FLIPSIDE_BASE_LOG_H
#define FLIPSIDE_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };

/* @program is borrowed for good. Before this is called, lines carry no name and the level is info. */
void log_init(const char *program, enum log_level level);

/* "error", "warn", "info", "debug", "trace" */
bool log_parse_level(const char *s, enum log_level *out);

bool log_enabled(enum log_level level);

/* One line, control characters as '?', in one write. Secrets and URL passwords never come here. */
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
