/* What a person reads of a command line's tables: usage lines, help, and which name was meant. For cli.c alone. */
#ifndef FLIPSIDE_BASE_CLI_HELP_H
#define FLIPSIDE_BASE_CLI_HELP_H

#include <stdbool.h>
#include <stdio.h>

#include "base/cli.h"

#define CLI_COLUMNS 80

/* "usage: ..." of one verb, or of the program if @verb is NULL; wrapped, with a line feed. */
void cli_print_usage(const struct cli_program *p, const struct cli_verb *verb, FILE *f);

/* The program's help: all verbs, or with @group ("image") those that begin with that word; and all options. */
void cli_print_help(const struct cli_program *p, const char *group, FILE *f);

/* The help of one verb with the options it takes. */
void cli_print_verb_help(const struct cli_program *p, const struct cli_verb *verb, FILE *f);

/* True if @verb takes @o: its list names the verb, or the first word of a verb of two. */
bool cli_option_fits(const struct cli_program *p, const struct cli_option *o, const struct cli_verb *verb);

/* True for "image" if there is a verb "image ..." of two words. */
bool cli_is_group(const struct cli_program *p, const char *word, size_t n);

/*
 * Insertions, removals, changes and swaps of neighbours (optimal string alignment) that make @b of @a. Names
 * longer than
 * 63 bytes are told to be as far off as a number can say.
 */
unsigned int cli_distance(const char *a, const char *b);

/* The distance up to which a name of this length counts as a slip of the finger. */
unsigned int cli_distance_max(const char *name);

#endif
