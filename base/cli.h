/*
 * Command lines by table: `program verb [options] [arguments]`, options in any place and order, --help and --version
 * everywhere. A program declares its verbs and options; what a person reads (usage, help) comes from the same tables.
 */
#ifndef FLIPSIDE_BASE_CLI_H
#define FLIPSIDE_BASE_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum cli_kind {
	CLI_FLAG,    /* --json: bool * */
	CLI_STRING,  /* --image VALUE, --image=VALUE: const char ** (points into argv); given twice, the last counts */
	CLI_STRINGS, /* may be repeated: struct cli_strings * */
	CLI_NUMBER,  /* uint64_t *, decimal */
};

#define CLI_STRINGS_MAX 64

struct cli_strings {
	size_t n;
	const char *v[CLI_STRINGS_MAX];
};

struct cli_option {
	const char *name; /* "json", without dashes */
	char letter;	  /* 'j', or 0 */
	enum cli_kind kind;
	void *dest;
	const char *arg;   /* "VERSION" in help; NULL for flags */
	const char *help;  /* one phrase */
	const char *verbs; /* blank-separated verbs that take it; NULL: all. Given with another verb: usage error */
};

/*
 * In `verbs`, "image add image list" are two verbs of two words if there are such verbs, and "image" alone is all
 * that begin with it. Options may share a name if their verbs differ and either all or none are flags.
 */

/* @argv are the @argc arguments behind the verb, options removed. Return: 0 or -1 with *e */
typedef int (*cli_run_fn)(void *ctx, int argc, char **argv, struct err *e);

struct cli_verb {
	const char *name; /* "image add": two words are fine; "": the program has no verbs, only this one thing it does */
	const char *args; /* "IMAGE [NAME]"; "" for none */
	int min_args, max_args;
	const char *help; /* one sentence */
	cli_run_fn run;
};

struct cli_program {
	const char *name;
	const char *summary; /* what it is for: one sentence */
	const struct cli_verb *verbs;
	size_t n_verbs;
	const struct cli_option *options;
	size_t n_options;
	const bool *json; /* where --json stores its flag, or NULL: with it a failure is a document on stdout as well */
};

/**
 * cli_main() - parse, run the verb, tell a failure once, and return the exit code for main()
 * @ctx: handed to the verb
 * Options stand anywhere; "--" ends them, and "-" is an argument. --help (and -h, unless the program has that
 * letter): help of the program, of the verbs that begin with a word, or of one verb, on stdout, exit 0.
 * --version: "name 1.2.3". Misuse: one sentence and the usage line on stderr, exit 2; the same when a verb fails
 * with ERR_USAGE. Any other failed verb: "name: message" on stderr and the code of its kind. An answer that
 * cannot be written is ERR_SYSTEM.
 */
int cli_main(const struct cli_program *p, void *ctx, int argc, char **argv);

#endif
