/*
 * One pass over argv sorts it into arguments and given options, without knowing the verb yet, because options may
 * stand before it. Then the verb is found in the first arguments, the options are checked against it and stored,
 * and it runs. A mistake in the command line is a usage error like any other: recorded, and told at one place.
 */
#include "base/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cli_help.h"
#include "base/json.h"
#include "base/num.h"

struct given {
	const struct cli_option *option;
	const char *value; /* NULL for flags */
};

struct cli {
	const struct cli_program *p;
	int argc; /* behind the program's name */
	char **argv;
	char **args;	     /* what is no option, in order */
	int n_args, n_words; /* the first n_words of them stand before "--": only they can be the verb */
	struct given *given;
	size_t n_given;
	bool help, version;
	const struct cli_verb *verb; /* NULL until found */
	int verb_words;
};

static __attribute__((format(printf, 2, 3), cold)) int misuse(struct err *e, const char *fmt, ...)
{
	char text[ERR_MSG_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, ERR_USAGE, "usage", "%s", text);
}

static bool same_name(const char *name, const char *text, size_t n)
{
	return strlen(name) == n && memcmp(name, text, n) == 0;
}

/* The first option of that name: entries that share one agree on whether they take a value. */
static const struct cli_option *find_option(const struct cli_program *p, const char *name, size_t n)
{
	for (size_t i = 0; i < p->n_options; i++)
		if (same_name(p->options[i].name, name, n))
			return &p->options[i];
	return NULL;
}

static const struct cli_option *find_letter(const struct cli_program *p, char letter)
{
	for (size_t i = 0; i < p->n_options; i++)
		if (p->options[i].letter == letter)
			return &p->options[i];
	return NULL;
}

struct nearest {
	const char *to, *name;
	unsigned int distance;
};

static void consider(struct nearest *n, const char *name)
{
	const unsigned int d = cli_distance(n->to, name);

	if (d <= cli_distance_max(name) && d < n->distance) {
		n->distance = d;
		n->name = name;
	}
}

static int unknown_option(const struct cli *c, const char *text, size_t n, struct err *e)
{
	char name[64];
	struct nearest near = { .to = name, .distance = UINT32_MAX };

	snprintf(name, sizeof(name), "%.*s", (int)min_size(n, sizeof(name) - 1), text);
	for (size_t i = 0; i < c->p->n_options; i++)
		consider(&near, c->p->options[i].name);
	consider(&near, "help");
	consider(&near, "version");
	if (near.name)
		return misuse(e, "unknown option '--%s'; did you mean '--%s'?", name, near.name);
	return misuse(e, "unknown option '--%s'", name);
}

/* Records @o with its value, which is @attached (behind '=') or the next word; @i moves over what was used. */
static int give(struct cli *c, const struct cli_option *o, const char *attached, int *i, struct err *e)
{
	const char *value = attached;

	if (o->kind == CLI_FLAG && attached)
		return misuse(e, "option '--%s' takes no value", o->name);
	if (o->kind != CLI_FLAG && !attached) {
		if (*i + 1 >= c->argc)
			return misuse(e, "option '--%s' needs a value: %s", o->name, o->arg ? o->arg : "VALUE");
		value = c->argv[++*i];
	}
	c->given[c->n_given++] = (struct given){ .option = o, .value = value };
	return 0;
}

static int long_option(struct cli *c, const char *text, int *i, struct err *e)
{
	const size_t n = strcspn(text, "=");
	const char *value = text[n] == '=' ? text + n + 1 : NULL;
	const struct cli_option *o = find_option(c->p, text, n);

	if (o)
		return give(c, o, value, i, e);
	const bool help = same_name("help", text, n), version = same_name("version", text, n);

	if (!help && !version)
		return unknown_option(c, text, n, e);
	if (value)
		return misuse(e, "option '--%.*s' takes no value", (int)n, text);
	c->help |= help;
	c->version |= version;
	return 0;
}

static int short_option(struct cli *c, const char *text, int *i, struct err *e)
{
	const struct cli_option *o = find_letter(c->p, text[0]);

	if (text[1] != '\0')
		return misuse(e, "'-%s': each one-letter option, and its value, must be a word of its own", text);
	if (o)
		return give(c, o, NULL, i, e);
	if (text[0] != 'h')
		return misuse(e, "unknown option '-%s'", text);
	c->help = true;
	return 0;
}

/* A single '-' is an argument, by custom standard input or output. */
static int sort_words(struct cli *c, struct err *e)
{
	bool options_over = false;

	for (int i = 0; i < c->argc; i++) {
		char *word = c->argv[i];
		int r = 0;

		if (options_over || word[0] != '-' || word[1] == '\0')
			c->args[c->n_args++] = word;
		else if (strcmp(word, "--") == 0)
			options_over = true;
		else if (word[1] == '-')
			r = long_option(c, word + 2, &i, e);
		else
			r = short_option(c, word + 1, &i, e);
		if (r < 0)
			return -1;
		if (!options_over)
			c->n_words = c->n_args;
	}
	return 0;
}

/* The number of the first arguments that are the words of @name; 0 if they are not. */
static int match_verb(const struct cli *c, const char *name)
{
	int k = 0;

	while (k < c->n_words) {
		const size_t n = strcspn(name, " ");

		if (!same_name(c->args[k], name, n))
			return 0;
		k++;
		if (name[n] == '\0')
			return k;
		name += n + 1;
	}
	return 0;
}

static const char *nearest_verb(const struct cli_program *p, const char *to)
{
	struct nearest near = { .to = to, .distance = UINT32_MAX };

	for (size_t i = 0; i < p->n_verbs; i++)
		consider(&near, p->verbs[i].name);
	return near.name;
}

/* What was typed may be a slip in a verb of one word, or of two. */
static int unknown_verb(const struct cli *c, struct err *e)
{
	const char *one = c->args[0], *meant = nearest_verb(c->p, one);
	char two[64];

	if (meant)
		return misuse(e, "unknown verb '%s'; did you mean '%s'?", one, meant);
	if (c->n_words == 1 && cli_is_group(c->p, one, strlen(one)))
		return misuse(e, "'%s' needs a second word; see %s %s --help", one, c->p->name, one);
	if (c->n_words == 1)
		return misuse(e, "unknown verb '%s'", one);
	snprintf(two, sizeof(two), "%s %s", one, c->args[1]);
	meant = nearest_verb(c->p, two);
	if (meant)
		return misuse(e, "unknown verb '%s'; did you mean '%s'?", two, meant);
	return misuse(e, "unknown verb '%s'", cli_is_group(c->p, one, strlen(one)) ? two : one);
}

/* The verb with most words wins: "image add" before "image". A verb without a name is the program itself. */
static int find_verb(struct cli *c, struct err *e)
{
	for (size_t i = 0; i < c->p->n_verbs; i++) {
		const struct cli_verb *v = &c->p->verbs[i];
		const int k = match_verb(c, v->name);

		if (v->name[0] == '\0' ? !c->verb : k > c->verb_words) {
			c->verb = v;
			c->verb_words = k;
		}
	}
	if (c->verb)
		return 0;
	return c->n_words ? unknown_verb(c, e) : misuse(e, "no verb given; see %s --help", c->p->name);
}

static int store(const struct given *g, struct err *e)
{
	const struct cli_option *o = g->option;
	struct cli_strings *list;

	switch (o->kind) {
	case CLI_FLAG:
		*(bool *)o->dest = true;
		return 0;
	case CLI_STRING:
		*(const char **)o->dest = g->value;
		return 0;
	case CLI_STRINGS:
		list = o->dest;
		if (list->n == CLI_STRINGS_MAX)
			return misuse(e, "option '--%s' more than %d times", o->name, CLI_STRINGS_MAX);
		list->v[list->n++] = g->value;
		return 0;
	case CLI_NUMBER:
		if (!num_parse_u64(g->value, 0, UINT64_MAX, o->dest))
			return misuse(e, "option '--%s': '%s' is not a decimal number", o->name, g->value);
		return 0;
	}
	return err_set(e, ERR_BUG, NULL, "option '--%s' is of no kind", o->name);
}

/* Of the entries that share @o's name, the one that @c's verb takes; NULL if none. */
static const struct cli_option *fitting(const struct cli *c, const struct cli_option *o)
{
	for (size_t i = 0; i < c->p->n_options; i++) {
		const struct cli_option *other = &c->p->options[i];

		if (strcmp(other->name, o->name) == 0 && cli_option_fits(c->p, other, c->verb))
			return other;
	}
	return NULL;
}

static int store_options(struct cli *c, struct err *e)
{
	for (size_t i = 0; i < c->n_given; i++) {
		struct given *g = &c->given[i];
		const struct cli_option *o = fitting(c, g->option);

		if (!o)
			return misuse(e, "'%s' takes no option '--%s'", c->verb->name, g->option->name);
		g->option = o;
		if (store(g, e) < 0)
			return -1;
	}
	return 0;
}

static int check_count(const struct cli *c, int n, struct err *e)
{
	const struct cli_verb *v = c->verb;
	const char *blank = v->name[0] ? ": " : "";

	if (n < v->min_args)
		return n == 0 ? misuse(e, "%s%sneeds %s", v->name, blank, v->args)
			      : misuse(e, "%s%stoo few arguments, needs %s", v->name, blank, v->args);
	if (n > v->max_args)
		return misuse(e, "%s%stoo many arguments: '%s'", v->name, blank, c->args[c->verb_words + v->max_args]);
	return 0;
}

/* What --help shows depends on how far the verb was given: all, those of a group, or one. */
static int show_help(struct cli *c, struct err *e)
{
	if (c->n_words == 0) {
		cli_print_help(c->p, NULL, stdout);
		return 0;
	}
	if (find_verb(c, e) == 0) {
		cli_print_verb_help(c->p, c->verb, stdout);
		return 0;
	}
	if (c->n_words > 1 || !cli_is_group(c->p, c->args[0], strlen(c->args[0])))
		return -1;
	cli_print_help(c->p, c->args[0], stdout);
	return 0;
}

static int parse_and_run(struct cli *c, void *ctx, struct err *e)
{
	c->args = calloc((size_t)c->argc + 1, sizeof(*c->args));
	c->given = calloc((size_t)c->argc + 1, sizeof(*c->given));
	if (!c->args || !c->given)
		return err_sys(e, "reading the command line");
	if (sort_words(c, e) < 0)
		return -1;
	if (c->help)
		return show_help(c, e);
	if (c->version) {
		printf("%s %s\n", c->p->name, FLIPSIDE_VERSION);
		return 0;
	}
	if (find_verb(c, e) < 0 || store_options(c, e) < 0)
		return -1;
	const int n = c->n_args - c->verb_words;

	if (check_count(c, n, e) < 0)
		return -1;
	if (c->verb->run(ctx, n, c->args + c->verb_words, e) < 0)
		return e->kind ? -1 : err_set(e, ERR_BUG, NULL, "%s failed without a reason", c->verb->name);
	return 0;
}

/* A mistake may hide behind it or before it, so --json is looked for in the words themselves too. */
static bool wants_json(const struct cli *c)
{
	if (!c->p->json)
		return false;
	for (int i = 0; i < c->argc && strcmp(c->argv[i], "--") != 0; i++) {
		const char *word = c->argv[i];
		const struct cli_option *o = NULL;

		if (word[0] == '-' && word[1] == '-')
			o = find_option(c->p, word + 2, strlen(word + 2));
		else if (word[0] == '-' && word[1] && !word[2])
			o = find_letter(c->p, word[1]);
		if (o && o->dest == (const void *)c->p->json)
			return true;
	}
	return *c->p->json;
}

static void tell_json(const struct err *failure)
{
	struct err e;
	CLEANUP(json_decref_p) json_t *j = json_of_err(failure);

	if (j)
		(void)json_print(j, stdout, &e);
}

static int tell(const struct cli *c, const struct err *e)
{
	fprintf(stderr, "%s: %s\n", c->p->name, e->msg);
	if (e->kind == ERR_USAGE)
		cli_print_usage(c->p, c->verb, stderr);
	if (wants_json(c))
		tell_json(e);
	return err_exit_code(e->kind);
}

/* An answer that did not get out, on a full disk for one, is a failure. */
static int flush_answer(struct err *e)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	errno = errno ? errno : EIO; /* the write that failed may be long past */
	return err_sys(e, "writing the answer");
}

int cli_main(const struct cli_program *p, void *ctx, int argc, char **argv)
{
	struct err e = { .kind = ERR_NONE };
	struct cli c = { .p = p, .argc = argc > 0 ? argc - 1 : 0, .argv = argc > 0 ? argv + 1 : argv };
	int code = 0;

	if (parse_and_run(&c, ctx, &e) < 0)
		code = tell(&c, &e);
	free(c.args);
	free(c.given);
	if (code == 0 && flush_answer(&e) < 0)
		code = tell(&c, &e);
	return code;
}
