/*
 * Reading configuration: each file is bounded, read whole, and fed line by line to inih, which finds sections and
 * keys. Our line reader counts the lines for messages, refuses what inih would split or join silently (long
 * lines, indented continuation), and stops at the first bad value. Values go into the struct one by one over the
 * defaults, so a later file wins by being later.
 */
#include "updater/config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/num.h"
#include "updater/config_internal.h"
#include "updater/wave.h"

#define WARNINGS_MAX_BYTES (64u * 1024)
#define MACHINE_ID_DIGITS 32

size_t config_key_find(const char *section, const char *name)
{
	size_t i = 0;

	while (i < CONFIG_N_KEYS &&
	       (strcmp(config_keys[i].section, section) != 0 || strcmp(config_keys[i].name, name) != 0))
		i++;
	return i;
}

static bool is_section(const char *section)
{
	for (size_t i = 0; i < CONFIG_N_KEYS; i++)
		if (strcmp(config_keys[i].section, section) == 0)
			return true;
	return false;
}

static int out_of_memory(struct err *e)
{
	errno = ENOMEM;
	return err_sys(e, "reading the configuration");
}

/* Value and origin together, so that they never disagree. */
static int set(struct config *c, size_t key, const char *text, const char *where, struct err *e)
{
	const struct config_key *k = &config_keys[key];
	const char *rule = config_value_set(c, k, text);
	char *copy, *from;

	if (rule == config_out_of_memory)
		return out_of_memory(e);
	if (rule)
		return err_set(e, ERR_FORMAT, CONFIG_E_CONFIG, "%s: %s: must be %s", where, k->name, rule);
	copy = strdup(text);
	from = strdup(where);
	if (!copy || !from) {
		free(copy);
		free(from);
		return out_of_memory(e);
	}
	free(c->origins[key].text);
	free(c->origins[key].where);
	c->origins[key].text = copy;
	c->origins[key].where = from;
	return 0;
}

static int config_new(struct config **out, struct err *e)
{
	CLEANUP(config_free_p) struct config *c = calloc(1, sizeof(*c));

	if (!c)
		return out_of_memory(e);
	c->warnings.max = WARNINGS_MAX_BYTES;
	for (size_t i = 0; i < CONFIG_N_KEYS; i++)
		if (set(c, i, config_keys[i].preset, "default", e) < 0)
			return -1;
	*out = TAKE(c);
	return 0;
}

/* One file on its way through inih. */
struct reader {
	struct config *c;
	const char *file;
	struct bytes rest;
	unsigned line;
	bool failed; /* *e is filled; no more lines are handed out */
	struct err *e;
};

static int fail_line(struct reader *r, const char *rule)
{
	r->failed = true;
	return err_set(r->e, ERR_FORMAT, CONFIG_E_CONFIG, "%s:%u: %s", r->file, r->line, rule);
}

static struct bytes skip_blanks(struct bytes b)
{
	while (b.n && (*b.p == ' ' || *b.p == '\t'))
		b = bytes_of(b.p + 1, b.n - 1);
	return b;
}

/* For inih: the next line as fgets() would give it, without its indentation, which inih would take for a continuation. */
static char *next_line(char *line, int cap, void *ctx)
{
	struct reader *r = ctx;
	const uint8_t *lf;
	struct bytes b;

	if (r->failed || r->rest.n == 0)
		return NULL;
	lf = memchr(r->rest.p, '\n', r->rest.n);
	b = bytes_of(r->rest.p, lf ? (size_t)(lf - r->rest.p) + 1 : r->rest.n);
	r->rest = bytes_of(r->rest.p + b.n, r->rest.n - b.n);
	r->line++;
	b = skip_blanks(b);
	if (memchr(b.p, '\0', b.n)) {
		fail_line(r, "a NUL byte");
		return NULL;
	}
	if (cap <= 0 || b.n > CONFIG_LINE_MAX_BYTES || b.n >= (size_t)cap) {
		fail_line(r, "the line is too long");
		return NULL;
	}
	memcpy(line, b.p, b.n);
	line[b.n] = '\0';
	return line;
}

/* Warnings beyond the buffer's maximum are not kept: the first ones tell enough. */
static void warn(struct reader *r, const char *what, const char *name)
{
	struct err ignored;

	(void)buf_printf(&r->c->warnings, &ignored, "%s:%u: %s \"%s\" is not known\n", r->file, r->line, what, name);
}

/* For inih: one key. Return: non-zero to go on */
static int take_key(void *ctx, const char *section, const char *name, const char *value)
{
	struct reader *r = ctx;
	const size_t key = config_key_find(section, name);
	char where[PATH_MAX + 16];

	if (r->failed)
		return 0;
	if (key == CONFIG_N_KEYS) {
		if (is_section(section))
			warn(r, "key", name);
		else
			warn(r, "section", section);
		return 1;
	}
	snprintf(where, sizeof(where), "%s:%u", r->file, r->line);
	if (set(r->c, key, value, where, r->e) < 0)
		r->failed = true;
	return !r->failed;
}

/*
 * inih's line buffer is 200 bytes unless its settings, process-wide variables, say otherwise: too short for a
 * URL. They are set to the same constants before every use, and nothing else in a process uses inih.
 */
static void set_up_inih(void)
{
	ini_use_stack = false;
	ini_allow_realloc = false;
	ini_max_line = CONFIG_LINE_MAX_BYTES + 3; /* line feed, carriage return and NUL */
	ini_initial_alloc = ini_max_line;
	ini_allow_bom = false;
}

/* The text over what @c has. */
static int read_text(struct config *c, struct bytes text, const char *file, struct err *e)
{
	struct reader r = { .c = c, .file = file, .rest = text, .e = e };
	int bad_line;

	if (text.n > CONFIG_FILE_MAX_BYTES)
		return err_set(e, ERR_FORMAT, CONFIG_E_CONFIG, "%s: larger than %u bytes", file, CONFIG_FILE_MAX_BYTES);
	set_up_inih();
	bad_line = ini_parse_stream(next_line, &r, take_key, &r);
	if (r.failed)
		return -1;
	if (bad_line < 0)
		return out_of_memory(e);
	if (bad_line > 0) {
		r.line = (unsigned)bad_line;
		return fail_line(&r, "neither [SECTION] nor KEY = VALUE");
	}
	return 0;
}

int config_parse(struct bytes text, const char *file, struct config **out, struct err *e)
{
	CLEANUP(config_free_p) struct config *c = NULL;

	if (config_new(&c, e) < 0 || read_text(c, text, file, e) < 0)
		return -1;
	config_settle_types(c);
	*out = TAKE(c);
	return 0;
}

/* Links are followed first: configuration may well be a link into another tree. */
static int read_file(struct config *c, const char *path, struct err *e)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX_BYTES);
	CLEANUP(free_p) char *real = realpath(path, NULL);
	int r;

	if (!real && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ERR_MISSING, CONFIG_E_CONFIG, "%s: there is no such file", path);
	if (!real)
		return err_sys(e, "opening %s", path);
	r = file_read(AT_FDCWD, real, &text, e);
	if (r < 0 && e->kind == ERR_FORMAT)
		e->reason = CONFIG_E_CONFIG;
	if (r == 0)
		r = read_text(c, buf_bytes(&text), path, e);
	buf_fini(&text);
	return r;
}

static int is_dropin(const struct dirent *d)
{
	const size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > strlen(".conf") && strcmp(d->d_name + n - strlen(".conf"), ".conf") == 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_listed(struct config *c, const char *dir, struct dirent **list, int n, struct err *e)
{
	char path[PATH_MAX];

	if (n > CONFIG_DROPINS_MAX)
		return err_set(e, ERR_FORMAT, CONFIG_E_CONFIG, "%s: more than %d files", dir, CONFIG_DROPINS_MAX);
	for (int i = 0; i < n; i++) {
		if (snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name) >= (int)sizeof(path))
			return err_set(e, ERR_FORMAT, CONFIG_E_CONFIG, "%s: the path is too long", dir);
		if (read_file(c, path, e) < 0)
			return -1;
	}
	return 0;
}

static int read_dropins(struct config *c, const char *dir, struct err *e)
{
	struct dirent **list = NULL;
	const int n = scandir(dir, &list, is_dropin, by_bytes);
	int r;

	if (n < 0)
		return errno == ENOENT ? 0 : err_sys(e, "opening %s", dir);
	r = read_listed(c, dir, list, n, e);
	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	return r;
}

int config_load_from(const char *main_path, const char *dropin_dir, struct config **out, struct err *e)
{
	CLEANUP(config_free_p) struct config *c = NULL;

	if (config_new(&c, e) < 0)
		return -1;
	if (read_file(c, main_path, e) < 0 && e->kind != ERR_MISSING)
		return -1;
	if (dropin_dir && read_dropins(c, dropin_dir, e) < 0)
		return -1;
	config_settle_types(c);
	*out = TAKE(c);
	return 0;
}

int config_load(const char *path, struct config **out, struct err *e)
{
	CLEANUP(config_free_p) struct config *c = NULL;

	if (!path)
		return config_load_from(CONFIG_FILE, CONFIG_FILE ".d", out, e);
	if (config_new(&c, e) < 0 || read_file(c, path, e) < 0)
		return -1;
	config_settle_types(c);
	*out = TAKE(c);
	return 0;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CONFIG_N_KEYS; i++) {
		free(c->origins[i].text);
		free(c->origins[i].where);
	}
	free(c->metadata_base_url);
	free(c->targets_base_url);
	free(c->https_proxy);
	free(c->no_proxy);
	free(c->ca_file);
	free(c->client_cert);
	free(c->client_key);
	free(c->os_release);
	free(c->disk);
	free(c->trusted_root);
	free(c->state_dir);
	free(c->metadata_dir);
	free(c->migrations_dir);
	free(c->lock_file);
	buf_fini(&c->warnings);
	free(c);
}

int config_print(const struct config *c, struct buf *out, struct err *e)
{
	const char *section = "";

	for (size_t i = 0; i < CONFIG_N_KEYS; i++) {
		const struct config_key *k = &config_keys[i];

		if (strcmp(k->section, section) != 0 &&
		    buf_printf(out, e, "%s[%s]\n", section[0] ? "\n" : "", k->section) < 0)
			return -1;
		section = k->section;
		if (buf_printf(out, e, "# %s (%s)\n%s = %s\n", k->help, c->origins[i].where, k->name, c->origins[i].text) < 0)
			return -1;
	}
	return 0;
}

/* Counts the mirrors of a key. */
static int check_urls(const struct config *c, const char *name, const char *urls, size_t *n_urls, struct err *e)
{
	*n_urls = 0;
	for (const char *p = urls; *p; p += strspn(p, CONFIG_BLANKS)) {
		if (strncmp(p, "http://", strlen("http://")) == 0 && !c->allow_http)
			return err_set(e, ERR_FORMAT, CONFIG_E_CONFIG, "%s: %s is plain http, which allow_http does not allow",
				       c->origins[config_key_find("updates", name)].where, name);
		p += strcspn(p, CONFIG_BLANKS);
		++*n_urls;
	}
	return *n_urls ? 0 : err_set(e, ERR_FORMAT, CONFIG_E_CONFIG, "no %s is configured in [updates]", name);
}

int config_check_repository(const struct config *c, struct err *e)
{
	size_t n_metadata, n_targets;

	if (check_urls(c, "metadata_base_url", c->metadata_base_url, &n_metadata, e) < 0 ||
	    check_urls(c, "targets_base_url", c->targets_base_url, &n_targets, e) < 0)
		return -1;
	if (n_metadata != n_targets)
		return err_set(e, ERR_FORMAT, CONFIG_E_CONFIG, "%s: targets_base_url has %zu URLs, metadata_base_url %zu",
			       c->origins[config_key_find("updates", "targets_base_url")].where, n_targets, n_metadata);
	return 0;
}

int config_seed_of_machine(const char *machine_id, uint32_t *out, struct err *e)
{
	const size_t n = strspn(machine_id, "0123456789abcdef");
	struct digest d;
	uint64_t v = 0;

	if (n != MACHINE_ID_DIGITS || machine_id[n] != '\0')
		return err_set(e, ERR_FORMAT, CONFIG_E_CONFIG, "the machine id is not %d hexadecimal digits",
			       MACHINE_ID_DIGITS);
	if (digest_bytes(DIGEST_SHA256, bytes_of(machine_id, n), &d, e) < 0)
		return -1;
	for (size_t i = 0; i < 8; i++)
		v = v << 8 | d.v[i];
	*out = (uint32_t)(v % WAVE_SEEDS);
	return 0;
}

int config_seed(const struct config *c, const char *machine_id_path, uint32_t *out, struct err *e)
{
	struct buf text = BUF_INIT(128);
	const char *id;
	int r;

	if (c->has_seed) {
		*out = c->seed;
		return 0;
	}
	r = file_read(AT_FDCWD, machine_id_path, &text, e);
	if (r == 0 && text.n && text.p[text.n - 1] == '\n')
		text.n--;
	if (r == 0) {
		id = buf_str(&text, e);
		r = id ? config_seed_of_machine(id, out, e) : -1;
	}
	buf_fini(&text);
	return r < 0 ? err_wrap(e, "making a seed from %s", machine_id_path) : 0;
}
