/*
 * Help is laid out in two columns, names and phrases, and wrapped at words; a left side that is too wide for its
 * column has its phrase on the next line. Nothing is ever wider than CLI_COLUMNS unless a single word is.
 */
#include "base/cli_help.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "base/num.h"

#define LEFT_COLUMNS 26 /* where the phrases start */
#define NAME_MAX_BYTES 63
#define PIECE_BYTES 512 /* a name with its arguments, or a phrase with its verbs */

/* A line being written: @at columns of it are used, and further lines begin with @indent blanks. */
struct line {
	FILE *f;
	size_t at, indent;
};

static void line_break(struct line *l)
{
	fprintf(l->f, "\n%*s", (int)l->indent, "");
	l->at = l->indent;
}

/* The words of @text, each on this line if it fits, else on the next. */
static void put_words(struct line *l, const char *text)
{
	bool first = true;

	for (;;) {
		text += strspn(text, " ");
		const size_t n = strcspn(text, " ");

		if (n == 0)
			return;
		if (!first && l->at + 1 + n > CLI_COLUMNS)
			line_break(l);
		else if (!first)
			l->at += (size_t)fprintf(l->f, " ");
		fwrite(text, 1, n, l->f);
		l->at += n;
		text += n;
		first = false;
	}
}

static void put_wrapped(FILE *f, const char *text, size_t indent)
{
	struct line l = { .f = f, .indent = indent };

	put_words(&l, text);
	fputc('\n', f);
}

static void put_row(FILE *f, const char *left, const char *phrase)
{
	struct line l = { .f = f, .at = 2, .indent = 6 };

	fprintf(f, "  ");
	if (left[0] == ' ') /* an option without a letter: in line with the others' names */
		l.at += (size_t)fprintf(f, "    ");
	put_words(&l, left);
	l.indent = LEFT_COLUMNS;
	if (l.at + 2 > LEFT_COLUMNS)
		line_break(&l);
	else
		l.at += (size_t)fprintf(f, "%*s", (int)(LEFT_COLUMNS - l.at), "");
	put_words(&l, phrase);
	fputc('\n', f);
}

static bool is_single(const struct cli_program *p)
{
	return p->n_verbs == 1 && p->verbs[0].name[0] == '\0';
}

static void usage_text(const struct cli_program *p, const struct cli_verb *verb, char *out, size_t n)
{
	if (!verb && is_single(p))
		verb = &p->verbs[0];
	if (!verb)
		snprintf(out, n, "usage: %s VERB [OPTIONS] [ARGUMENTS]", p->name);
	else
		snprintf(out, n, "usage: %s %s [OPTIONS] %s", p->name, verb->name, verb->args);
}

void cli_print_usage(const struct cli_program *p, const struct cli_verb *verb, FILE *f)
{
	char text[PIECE_BYTES];

	usage_text(p, verb, text, sizeof(text));
	put_wrapped(f, text, 7);
}

static void put_option(const struct cli_program *p, const struct cli_option *o, bool with_verbs, FILE *f)
{
	char left[PIECE_BYTES], phrase[PIECE_BYTES], letter[8] = "    ";
	const bool several = o->kind == CLI_STRINGS, verbs = with_verbs && o->verbs && !is_single(p);

	if (o->letter)
		snprintf(letter, sizeof(letter), "-%c, ", o->letter);
	snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	snprintf(phrase, sizeof(phrase), "%s%s%s%s%s", o->help, several ? "; may be repeated" : "", verbs ? " (" : "",
		 verbs ? o->verbs : "", verbs ? ")" : "");
	put_row(f, left, phrase);
}

/* @verb NULL: all options, each with the verbs that take it. */
static void put_options(const struct cli_program *p, const struct cli_verb *verb, FILE *f)
{
	fprintf(f, "\nOptions:\n");
	for (size_t i = 0; i < p->n_options; i++)
		if (!verb || cli_option_fits(p, &p->options[i], verb))
			put_option(p, &p->options[i], !verb, f);
	put_row(f, "    --help", is_single(p) ? "show this help" : "show this help, or with a verb that verb's");
	put_row(f, "    --version", "show the version");
}

static bool in_group(const struct cli_verb *v, const char *word, size_t n)
{
	return strncmp(v->name, word, n) == 0 && v->name[n] == ' ';
}

bool cli_is_group(const struct cli_program *p, const char *word, size_t n)
{
	for (size_t i = 0; i < p->n_verbs; i++)
		if (n > 0 && in_group(&p->verbs[i], word, n))
			return true;
	return false;
}

void cli_print_help(const struct cli_program *p, const char *group, FILE *f)
{
	char text[PIECE_BYTES];

	if (is_single(p)) {
		cli_print_verb_help(p, &p->verbs[0], f);
		return;
	}
	snprintf(text, sizeof(text), "%s: %s", p->name, p->summary);
	put_wrapped(f, text, 0);
	fputc('\n', f);
	cli_print_usage(p, NULL, f);
	fprintf(f, "\nVerbs:\n");
	for (size_t i = 0; i < p->n_verbs; i++) {
		const struct cli_verb *v = &p->verbs[i];

		if (group && !in_group(v, group, strlen(group)))
			continue;
		snprintf(text, sizeof(text), "%s %s", v->name, v->args);
		put_row(f, text, v->help);
	}
	put_options(p, NULL, f);
}

void cli_print_verb_help(const struct cli_program *p, const struct cli_verb *verb, FILE *f)
{
	char text[PIECE_BYTES];

	if (is_single(p))
		snprintf(text, sizeof(text), "%s: %s", p->name, p->summary);
	else
		snprintf(text, sizeof(text), "%s %s: %s", p->name, verb->name, verb->help);
	put_wrapped(f, text, 0);
	fputc('\n', f);
	cli_print_usage(p, verb, f);
	put_options(p, verb, f);
}

static bool is_name(const char *name, const char *text, size_t n)
{
	return strlen(name) == n && memcmp(name, text, n) == 0;
}

static bool is_verb(const struct cli_program *p, const char *text, size_t n)
{
	for (size_t i = 0; i < p->n_verbs; i++)
		if (is_name(p->verbs[i].name, text, n))
			return true;
	return false;
}

/* Length of the verb that the list @s begins with: of two words if there is such a verb, else the one word. */
static size_t listed_verb(const struct cli_program *p, const char *s)
{
	const size_t one = strcspn(s, " ");

	if (s[one] == '\0')
		return one;
	const size_t two = one + 1 + strcspn(s + one + 1, " ");

	return is_verb(p, s, two) ? two : one;
}

bool cli_option_fits(const struct cli_program *p, const struct cli_option *o, const struct cli_verb *verb)
{
	const char *s = o->verbs;

	if (!s)
		return true;
	for (s += strspn(s, " "); *s; s += strspn(s, " ")) {
		const size_t n = listed_verb(p, s);

		if (is_name(verb->name, s, n) || (!is_verb(p, s, n) && in_group(verb, s, n)))
			return true;
		s += n;
	}
	return false;
}

unsigned int cli_distance(const char *a, const char *b)
{
	const size_t na = strlen(a), nb = strlen(b);
	unsigned int rows[3][NAME_MAX_BYTES + 1] = { { 0 } }; /* row i of the usual table is rows[i % 3] */

	if (na > NAME_MAX_BYTES || nb > NAME_MAX_BYTES)
		return UINT_MAX;
	for (size_t j = 0; j <= nb; j++)
		rows[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= na; i++) {
		const unsigned int *up = rows[(i - 1) % 3], *up2 = rows[(i + 1) % 3];
		unsigned int *row = rows[i % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned int d = up[j - 1] + (a[i - 1] != b[j - 1]);

			d = up[j] + 1 < d ? up[j] + 1 : d;
			d = row[j - 1] + 1 < d ? row[j - 1] + 1 : d;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < d)
				d = up2[j - 2] + 1;
			row[j] = d;
		}
	}
	return rows[na % 3][nb];
}

unsigned int cli_distance_max(const char *name)
{
	const size_t n = strlen(name);

	return n < 3 ? 0 : n < 6 ? 1 : 2;
}
