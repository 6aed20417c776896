/* Where passphrases come from: a file, the environment, or OpenSSL's prompt on the terminal. Callers wipe what
 * they got. */
#include <fcntl.h>
#define ERR_STATE OPENSSL_ERR_STATE /* a type of OpenSSL's, and a kind of ours */
#include <openssl/crypto.h>
#include <openssl/ui.h>
#undef ERR_STATE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/num.h"
#include "tools/repo_keys.h"

static void wipe_buf(struct buf *b)
{
	if (b->p)
		OPENSSL_cleanse(b->p, b->cap);
	buf_fini(b);
}

static int take(const void *p, size_t len, const char *from, char *out, size_t cap, size_t *n, struct err *e)
{
	if (len > cap)
		return err_set(e, ERR_USAGE, "passphrase", "%s: a passphrase of more than %zu bytes", from, cap);
	if (len)
		memcpy(out, p, len);
	*n = len;
	return 0;
}

/* The first line of the file. */
static int from_file(const char *path, char *out, size_t cap, size_t *n, struct err *e)
{
	CLEANUP(wipe_buf) struct buf b = BUF_INIT(4096);

	if (file_read(AT_FDCWD, path, &b, e) < 0)
		return -1;
	const uint8_t *end = b.n ? memchr(b.p, '\n', b.n) : NULL;

	return take(b.p, end ? (size_t)(end - b.p) : b.n, path, out, cap, n, e);
}

/* Return: 1 if there was none; 0; -1 */
static int without_asking(const struct repo_cli *c, char *out, size_t cap, size_t *n, struct err *e)
{
	const char *env = getenv(REPO_PASSPHRASE_ENV);

	if (c->passphrase_file)
		return from_file(c->passphrase_file, out, cap, n, e);
	if (env)
		return take(env, strlen(env), REPO_PASSPHRASE_ENV, out, cap, n, e);
	return 1;
}

static void ui_free_p(UI **ui)
{
	UI_free(*ui);
}

static int on_terminal(const char *what, bool twice, char *out, size_t cap, size_t *n, struct err *e)
{
	char first[TUF_SIGNER_PASSPHRASE_BYTES + 1] = "", again[sizeof(first)] = "";
	CLEANUP(ui_free_p) UI *ui = UI_new();
	CLEANUP(free_p) char *prompt = ui ? UI_construct_prompt(ui, "passphrase", what) : NULL;
	int r = -1;

	if (!ui || !prompt || UI_add_input_string(ui, prompt, 0, first, 0, sizeof(first) - 1) < 0 ||
	    (twice && UI_add_verify_string(ui, prompt, 0, again, 0, sizeof(again) - 1, first) < 0) || UI_process(ui) != 0)
		err_set(e, ERR_USAGE, "passphrase", "%s: no passphrase was entered", what);
	else
		r = take(first, strlen(first), what, out, cap, n, e);
	OPENSSL_cleanse(first, sizeof(first));
	OPENSSL_cleanse(again, sizeof(again));
	return r;
}

int repo_passphrase_ask(void *ctx, const char *what, char *out, size_t cap, size_t *n, struct err *e)
{
	const int r = without_asking(ctx, out, cap, n, e);

	if (r <= 0)
		return r;
	if (!isatty(STDIN_FILENO))
		return err_set(e, ERR_USAGE, "passphrase", "%s: encrypted; give --passphrase-file or %s", what, REPO_PASSPHRASE_ENV);
	return on_terminal(what, false, out, cap, n, e);
}

int repo_passphrase_new(const struct repo_cli *c, const char *what, char *out, size_t cap, size_t *n, struct err *e)
{
	const int r = without_asking(c, out, cap, n, e);

	if (r < 0)
		return -1;
	if (r == 0 && *n == 0)
		return err_set(e, ERR_USAGE, "passphrase", "%s: the passphrase is empty", what);
	if (r == 0)
		return 0;
	*n = 0;
	return isatty(STDIN_FILENO) ? on_terminal(what, true, out, cap, n, e) : 0;
}
