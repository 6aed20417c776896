/*
 * Command lines as a table: what the verb saw, the exit code, and what a person reads. Output goes through the
 * descriptors themselves, since that is what a shell sees.
 */
#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/cli.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli_help.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"

#define TEXT_BYTES 16384
#define WORDS_MAX 80

/* What the last run did; reset before each. */
static struct seen {
	const char *verb;
	int argc;
	const char *argv[WORDS_MAX];
	bool json, quick;
	const char *image, *only_add;
	uint64_t number;
	struct cli_strings keys;
	int code;
	char out[TEXT_BYTES], err[TEXT_BYTES];
} seen;

static int record(const char *verb, int argc, char **argv)
{
	seen.verb = verb;
	seen.argc = argc;
	for (int i = 0; i < argc && i < WORDS_MAX; i++)
		seen.argv[i] = argv[i];
	return 0;
}

static int run_update(void *ctx, int argc, char **argv, struct err *e)
{
	(void)e;
	assert_ptr_equal(ctx, &seen);
	return record("update", argc, argv);
}

static int run_image(void *ctx, int argc, char **argv, struct err *e)
{
	(void)ctx;
	(void)e;
	return record("image", argc, argv);
}

static int run_image_add(void *ctx, int argc, char **argv, struct err *e)
{
	(void)ctx;
	(void)e;
	return record("image add", argc, argv);
}

static int run_key_list(void *ctx, int argc, char **argv, struct err *e)
{
	(void)ctx;
	(void)e;
	return record("key list", argc, argv);
}

/* `fail 8` fails with that kind; `fail silent` breaks the contract; `fail print` prints and is content. */
static int run_fail(void *ctx, int argc, char **argv, struct err *e)
{
	uint64_t kind;

	(void)ctx;
	record("fail", argc, argv);
	if (strcmp(argv[0], "print") == 0) {
		printf("the answer\n");
		return 0;
	}
	if (!num_parse_u64(argv[0], 1, ERR_SYSTEM, &kind))
		return -1;
	return err_set(e, (enum err_kind)kind, "token", "it failed");
}

static const struct cli_verb verbs[] = {
	{ "update", "[VERSION]", 0, 1,
	  "Fetches an image, writes it to the inactive set and checks it, and that takes its time.", run_update },
	{ "image", "", 0, 0, "Shows images.", run_image },
	{ "image add", "IMAGE NAME [A-THIRD-ARGUMENT-WITH-A-LONG-NAME] [AND-A-FOURTH-THAT-IS-NO-SHORTER]", 2, 2,
	  "Adds an image.", run_image_add },
	{ "key list", "", 0, 0, "Lists keys.", run_key_list },
	{ "fail", "KIND", 1, 1, "Fails.", run_fail },
};

static const struct cli_option options[] = {
	{ "json", 'j', CLI_FLAG, &seen.json, NULL, "answer with a JSON document", NULL },
	{ "quick", 'q', CLI_FLAG, &seen.quick, NULL, "skip what may be skipped", "update key" },
	{ "image", 'i', CLI_STRING, &seen.image, "FILE", "take the image from this file", "update image" },
	{ "number", 'n', CLI_NUMBER, &seen.number, "N", "a number", "update" },
	{ "key", 'k', CLI_STRINGS, &seen.keys, "FILE",
	  "sign with this key; a phrase that is long enough to need more than a single line of the help",
	  "update image add" },
	{ "name", 0, CLI_STRING, &seen.image, "NAME", "of the image", "update" },
	{ "name", 0, CLI_STRING, &seen.only_add, "NAME", "under which it is added", "image add" },
};

static const struct cli_program program = {
	.name = "prog",
	.summary = "does what the tests of the command line want it to do, in a sentence that is too long for one line",
	.verbs = verbs,
	.n_verbs = ARRAY_LEN(verbs),
	.options = options,
	.n_options = ARRAY_LEN(options),
	.json = &seen.json,
};

static const struct cli_verb only_verb[] = { { "", "FILE...", 1, 3, "Does it.", run_update } };
static const struct cli_program single = {
	.name = "single",
	.summary = "does one thing",
	.verbs = only_verb,
	.n_verbs = 1,
	.options = options,
	.n_options = 1,
};

struct capture {
	FILE *f;
	int saved;
};

static struct capture capture_start(FILE *stream)
{
	struct capture c = { .f = tmpfile() };

	assert_non_null(c.f);
	fflush(stream);
	c.saved = dup(fileno(stream));
	assert_true(c.saved >= 0);
	assert_true(dup2(fileno(c.f), fileno(stream)) >= 0);
	return c;
}

static void capture_end(struct capture *c, FILE *stream, char *text)
{
	fflush(stream);
	assert_true(dup2(c->saved, fileno(stream)) >= 0);
	close(c->saved);
	rewind(c->f);
	text[fread(text, 1, TEXT_BYTES - 1, c->f)] = '\0';
	fclose(c->f);
}

/* @line: words separated by single blanks; "" between two blanks is an empty word. */
static void run(const struct cli_program *p, const char *line)
{
	static char copy[4096];
	char *argv[WORDS_MAX + 2], *at = copy;
	int argc = 0;

	seen = (struct seen){ .number = 1 };
	snprintf(copy, sizeof(copy), "%s", line);
	argv[argc++] = (char[]){ "prog" };
	while (at && *line) {
		assert_true(argc <= WORDS_MAX);
		argv[argc++] = strsep(&at, " ");
	}
	argv[argc] = NULL;
	struct capture out = capture_start(stdout), err = capture_start(stderr);

	seen.code = cli_main(p, &seen, argc, argv);
	capture_end(&out, stdout, seen.out);
	capture_end(&err, stderr, seen.err);
}

static void test_good(void **state)
{
	static const struct {
		const char *line, *verb, *args; /* arguments joined by '|' */
		bool json, quick;
		const char *image, *only_add;
		uint64_t number;
		size_t n_keys;
	} cases[] = {
		{ "update", "update", "", false, false, NULL, NULL, 1, 0 },
		{ "update 1.2.0", "update", "1.2.0", false, false, NULL, NULL, 1, 0 },
		{ "--json update", "update", "", true, false, NULL, NULL, 1, 0 },
		{ "update -j", "update", "", true, false, NULL, NULL, 1, 0 },
		{ "-q update 1.2.0 -j", "update", "1.2.0", true, true, NULL, NULL, 1, 0 },
		{ "--image update update", "update", "", false, false, "update", NULL, 1, 0 },
		{ "update --image=a=b", "update", "", false, false, "a=b", NULL, 1, 0 },
		{ "update --image=", "update", "", false, false, "", NULL, 1, 0 },
		{ "update --image --json", "update", "", false, false, "--json", NULL, 1, 0 },
		{ "update -i a --image b", "update", "", false, false, "b", NULL, 1, 0 },
		{ "update -n 0", "update", "", false, false, NULL, NULL, 0, 0 },
		{ "update --number=18446744073709551615", "update", "", false, false, NULL, NULL, UINT64_MAX, 0 },
		{ "update -k a --key b --key=c", "update", "", false, false, NULL, NULL, 1, 3 },
		{ "update -", "update", "-", false, false, NULL, NULL, 1, 0 },
		{ "update -- --json", "update", "--json", false, false, NULL, NULL, 1, 0 },
		{ "update -- --", "update", "--", false, false, NULL, NULL, 1, 0 },
		{ "update ", "update", "", false, false, NULL, NULL, 1, 0 }, /* an empty word is an argument */
		{ "image", "image", "", false, false, NULL, NULL, 1, 0 },
		{ "image -i f", "image", "", false, false, "f", NULL, 1, 0 },
		{ "image add a b", "image add", "a|b", false, false, NULL, NULL, 1, 0 },
		{ "image -j add a b", "image add", "a|b", true, false, NULL, NULL, 1, 0 },
		{ "image add a -- -b", "image add", "a|-b", false, false, NULL, NULL, 1, 0 },
		{ "image add a b --name n", "image add", "a|b", false, false, NULL, "n", 1, 0 },
		{ "image add -k x a b", "image add", "a|b", false, false, NULL, NULL, 1, 1 },
		{ "update --name n", "update", "", false, false, "n", NULL, 1, 0 },
		{ "key list -q", "key list", "", false, true, NULL, NULL, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char args[1024] = "";

		run(&program, cases[i].line);
		for (int k = 0; k < seen.argc; k++) {
			strncat(args, k ? "|" : "", sizeof(args) - strlen(args) - 1);
			strncat(args, seen.argv[k], sizeof(args) - strlen(args) - 1);
		}
		const char *name = cases[i].line;

		assert_case(name, seen.code == 0 && !*seen.err && !*seen.out);
		assert_case(name, seen.verb && strcmp(seen.verb, cases[i].verb) == 0);
		assert_case(name, strcmp(args, cases[i].args) == 0);
		assert_case(name, seen.json == cases[i].json && seen.quick == cases[i].quick);
		assert_case(name, seen.number == cases[i].number && seen.keys.n == cases[i].n_keys);
		assert_case(name, !seen.image == !cases[i].image);
		assert_case(name, !seen.image || strcmp(seen.image, cases[i].image) == 0);
		assert_case(name, !seen.only_add == !cases[i].only_add);
	}
}

/* Misuse: exit 2, nothing ran, nothing on stdout, a sentence and a usage line on stderr. */
static void test_misuse(void **state)
{
	static const struct {
		const char *line,
			*says; /* a part of the sentence that must be there: what was meant, or what is wrong */
	} cases[] = {
		{ "", "no verb" },
		{ "--json=1 update", "'--json' takes no value" },
		{ "--quick", "no verb" },
		{ "-- update", "no verb" },
		{ "updaet", "did you mean 'update'?" },
		{ "updte 1.2.0", "did you mean 'update'?" },
		{ "image-add", "did you mean 'image add'?" },
		{ "key lits", "'key lits'; did you mean 'key list'?" },
		{ "kye list", "'kye list'; did you mean 'key list'?" },
		{ "key", "second word" },
		{ "key -- list", "second word" },
		{ "key burn", "unknown verb 'key burn'" },
		{ "entirely different", "unknown verb 'entirely'" },
		{ "update --jsno", "did you mean '--json'?" },
		{ "update --imag=x", "did you mean '--image'?" },
		{ "update --hepl", "did you mean '--help'?" },
		{ "update --nothing-like-it", "unknown option '--nothing-like-it'" },
		{ "update --=x", "unknown option" },
		{ "update -x", "unknown option '-x'" },
		{ "update -jn", "word of its own" },
		{ "update -ifile", "word of its own" },
		{ "update -i", "needs a value: FILE" },
		{ "update --image", "needs a value: FILE" },
		{ "update --json=yes", "takes no value" },
		{ "--help=x update", "takes no value" },
		{ "update --number=", "not a decimal number" },
		{ "update --number=-1", "not a decimal number" },
		{ "update --number=0x10", "not a decimal number" },
		{ "update --number=18446744073709551616", "not a decimal number" },
		{ "update a b", "too many arguments: 'b'" },
		{ "image add", "needs IMAGE" },
		{ "image add a", "too few" },
		{ "image add a b c", "too many arguments: 'c'" },
		{ "image x", "too many arguments: 'x'" },
		{ "image --quick", "'image' takes no option '--quick'" },
		{ "image add a b -i f", "'image add' takes no option '--image'" },
		{ "key list --name n", "'key list' takes no option '--name'" },
		{ "key list --key n", "'key list' takes no option '--key'" },
		{ "no-such --help", "unknown verb" },
		{ "key burn --help", "unknown verb" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(&program, cases[i].line);
		const char *usage = strstr(seen.err, "\nusage: prog");

		if (seen.code != 2 || seen.verb || *seen.out || strncmp(seen.err, "prog: ", 6) != 0 || !usage ||
		    strchr(seen.err, '\n') != usage || !strstr(seen.err, cases[i].says))
			fail_msg("\"%s\": exit %d, verb %s, out \"%s\", err \"%s\"", cases[i].line, seen.code,
				 seen.verb ? seen.verb : "-", seen.out, seen.err);
	}
}

static void test_strings_limit(void **state)
{
	(void)state;
	for (size_t n = CLI_STRINGS_MAX - 1; n <= CLI_STRINGS_MAX + 1; n++) {
		CLEANUP(buf_fini) struct buf line = BUF_INIT(1024);
		struct err e;

		assert_int_equal(buf_append_str(&line, "update", &e), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf_append_str(&line, " --key=k", &e), 0);
		run(&program, buf_str(&line, &e));
		assert_int_equal(seen.code, n > CLI_STRINGS_MAX ? 2 : 0);
		assert_int_equal(seen.keys.n, n > CLI_STRINGS_MAX ? CLI_STRINGS_MAX : n);
	}
}

static void test_exit_codes(void **state)
{
	(void)state;
	for (int kind = ERR_BUG; kind <= ERR_SYSTEM; kind++) {
		char line[32];

		snprintf(line, sizeof(line), "fail %d", kind);
		run(&program, line);
		assert_int_equal(seen.code, err_exit_code((enum err_kind)kind));
		assert_string_equal(seen.out, "");
		assert_int_equal(strncmp(seen.err, "prog: it failed\n", 16), 0);
		assert_true((strstr(seen.err, "usage: prog fail [OPTIONS] KIND\n") != NULL) == (kind == ERR_USAGE));
	}
	run(&program, "fail silent");
	assert_int_equal(seen.code, 1);
}

/* With --json, wherever it stands, stdout has one document, for misuse too; without, none. */
static void test_json_failures(void **state)
{
	static const struct {
		const char *line, *kind, *reason;
	} cases[] = {
		{ "fail 8 --json", "trust", "token" },	   { "--json fail 6", "network", "token" },
		{ "-j updaet", "usage", "usage" },	   { "updaet --json", "usage", "usage" },
		{ "update --wrong -j", "usage", "usage" }, { "--json", "usage", "usage" },
		{ "image add --json", "usage", "usage" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *kind = NULL, *reason = NULL, *message = NULL;

		run(&program, cases[i].line);
		json_t *j = json_loads(seen.out, JSON_REJECT_DUPLICATES, NULL);

		assert_case(cases[i].line, j != NULL);
		assert_case(cases[i].line, json_unpack(j, "{s:{s:s, s:s, s:s}}", "error", "kind", &kind, "reason",
						       &reason, "message", &message) == 0);
		assert_case(cases[i].line, strcmp(kind, cases[i].kind) == 0 && strcmp(reason, cases[i].reason) == 0);
		assert_case(cases[i].line, message[0] && strstr(seen.err, message));
		json_decref(j);
	}
	run(&program, "updaet -- --json");
	assert_string_equal(seen.out, "");
	run(&single, "--json");
	assert_int_equal(seen.code, 2);
	assert_string_equal(seen.out, ""); /* the program has said nowhere that this is what --json means */
}

static void assert_fits(const char *name, const char *text)
{
	assert_case(name, *text && text[strlen(text) - 1] == '\n');
	while (*text) {
		const size_t n = strcspn(text, "\n");

		if (n > CLI_COLUMNS || (n && text[n - 1] == ' ') || memchr(text, '\t', n))
			fail_msg("%s: %zu columns, or blanks at the end: \"%.*s\"", name, n, (int)n, text);
		text += n + 1;
	}
}

static void test_help(void **state)
{
	static const struct {
		const char *line, *has[4], *has_not[3];
	} cases[] = {
		{ "--help",
		  { "  update [VERSION]        Fetches", "  -j, --json              answer", "      --name NAME ",
		    "--version" },
		  { NULL } },
		{ "-h", { "image add IMAGE", "(update key)" }, { NULL } },
		{ "update --help",
		  { "usage: prog update [OPTIONS] [VERSION]\n", "--quick", "of the image", "repeated\n" },
		  { "image add", "under which", "(update" } },
		{ "image --help", { "usage: prog image [OPTIONS]\n", "--image FILE" }, { "--name", "--key" } },
		{ "image add --help", { "under which", "--key FILE" }, { "of the image\n", "--image FILE" } },
		{ "key --help", { "key list" }, { "image add IMAGE", "Fetches" } },
		{ "key list --help", { "--quick", "-j, --json" }, { "--number" } },
		{ "image add one --help --json", { "usage: prog image add" }, { NULL } },
		{ "--version --help", { "Options:" }, { NULL } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(&program, cases[i].line);
		assert_case(cases[i].line, seen.code == 0 && !*seen.err && !seen.verb);
		assert_fits(cases[i].line, seen.out);
		for (size_t k = 0; k < ARRAY_LEN(cases[i].has) && cases[i].has[k]; k++)
			if (!strstr(seen.out, cases[i].has[k]))
				fail_msg("%s: no \"%s\" in\n%s", cases[i].line, cases[i].has[k], seen.out);
		for (size_t k = 0; k < ARRAY_LEN(cases[i].has_not) && cases[i].has_not[k]; k++)
			if (strstr(seen.out, cases[i].has_not[k]))
				fail_msg("%s: \"%s\" in\n%s", cases[i].line, cases[i].has_not[k], seen.out);
	}
	run(&program, "image add one");
	assert_fits("usage", strstr(seen.err, "usage: "));
}

static void test_version(void **state)
{
	(void)state;
	run(&program, "--version");
	assert_int_equal(seen.code, 0);
	assert_string_equal(seen.out, "prog " FLIPSIDE_VERSION "\n");
	run(&program, "update 1 2 3 --version");
	assert_string_equal(seen.out, "prog " FLIPSIDE_VERSION "\n");
	assert_null(seen.verb);
}

/* A program of a single purpose: all words are arguments. */
static void test_single(void **state)
{
	static const struct {
		const char *line;
		int code, argc;
	} cases[] = {
		{ "", 2, 0 },	     { "a", 0, 1 },	    { "--json a b", 0, 2 }, { "-- -a b c", 0, 3 },
		{ "a b c d", 2, 0 }, { "--qucik a", 2, 0 }, { "-- --help", 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run(&single, cases[i].line);
		assert_case(cases[i].line, seen.code == cases[i].code && seen.argc == cases[i].argc);
		assert_case(cases[i].line, !seen.code || strstr(seen.err, "usage: single [OPTIONS] FILE...\n"));
	}
	run(&single, "--help");
	assert_int_equal(seen.code, 0);
	assert_fits("single", seen.out);
	assert_null(strstr(seen.out, "Verbs:"));
	assert_non_null(strstr(seen.out, "single: does one thing\n"));
	run(&single, "a --help");
	assert_int_equal(seen.code, 0);
}

/* A full disk behind stdout. */
static void test_answer_not_written(void **state)
{
	char *argv[] = { (char[]){ "prog" }, (char[]){ "fail" }, (char[]){ "print" }, NULL };
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	if (!full)
		skip();
	seen = (struct seen){ 0 };
	struct capture err = capture_start(stderr);

	fflush(stdout);
	const int saved = dup(STDOUT_FILENO);

	assert_true(dup2(fileno(full), STDOUT_FILENO) >= 0);
	seen.code = cli_main(&program, &seen, 3, argv);
	clearerr(stdout);
	assert_true(dup2(saved, STDOUT_FILENO) >= 0);
	close(saved);
	fclose(full);
	capture_end(&err, stderr, seen.err);
	assert_int_equal(seen.code, 9);
	assert_non_null(strstr(seen.err, "writing the answer"));
}

static void test_empty_argv(void **state)
{
	char *argv[] = { NULL };
	struct capture out = capture_start(stdout), err = capture_start(stderr);

	(void)state;
	const int code = cli_main(&program, &seen, 0, argv);

	capture_end(&out, stdout, seen.out);
	capture_end(&err, stderr, seen.err);
	assert_int_equal(code, 2);
}

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned int d;
	} cases[] = {
		{ "", "", 0 },
		{ "", "abc", 3 },
		{ "abc", "", 3 },
		{ "update", "update", 0 },
		{ "update", "updaet", 1 },
		{ "update", "updat", 1 },
		{ "update", "upxdate", 1 },
		{ "update", "uqdate", 1 },
		{ "ab", "ba", 1 },
		{ "abc", "ca", 3 },
		{ "kitten", "sitting", 3 },
	};
	char longest[65];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (cli_distance(cases[i].a, cases[i].b) != cases[i].d)
			fail_msg("%s, %s: %u", cases[i].a, cases[i].b, cli_distance(cases[i].a, cases[i].b));
	memset(longest, 'x', 64);
	longest[64] = '\0';
	assert_int_equal(cli_distance(longest, "x"), UINT32_MAX);
	assert_int_equal(cli_distance("x", longest), UINT32_MAX);
	longest[63] = '\0';
	assert_int_equal(cli_distance(longest, "x"), 62);
	assert_int_equal(cli_distance(longest, longest), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_strings_limit),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_json_failures),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_answer_not_written),
		cmocka_unit_test(test_empty_argv),
		cmocka_unit_test(test_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
