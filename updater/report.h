/* What the command lines print: JSON documents and lines for people. stdout is the answer; nothing here decides. */
#ifndef FLIPSIDE_UPDATER_REPORT_H
#define FLIPSIDE_UPDATER_REPORT_H

#include <jansson.h>
#include <stddef.h>

#include "base/err.h"
#include "partitions/table.h"
#include "updater/choice.h"
#include "updater/config.h"
#include "updater/history.h"
#include "updater/status.h"

/* Prints @j, which it takes over; NULL is "out of memory". Return: 0; -1 ERR_SYSTEM */
int report_print_json(json_t *j, struct err *e);

/* Array of the applicable updates, highest first, each with a "reason" of ours. NULL out of memory. */
json_t *report_applicable(const struct choice *c);

/* Array of history entries, newest first. NULL out of memory. */
json_t *report_history(const struct history_entry *h, size_t n);

/* Sections of keys, each with its "value" and where that is "from". NULL out of memory. */
json_t *report_config(const struct config *c);

/* The partition sets: devices, ranges, bits, active and next. NULL out of memory. */
json_t *report_sets(const struct part_table *t);

/* Lines on stdout; each returns 0. */
int report_verdicts(const struct choice_input *in, const struct choice *c);
int report_status(const struct status *s);
int report_history_lines(const struct history_entry *h, size_t n);
int report_sets_lines(const struct part_table *t); /* as signpost prints them */

#endif
