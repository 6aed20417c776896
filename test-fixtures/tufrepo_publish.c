/*
 * Signing, and the files of a server. The envelope is indented and its `signed` comes last, so that a client
 * which signs or hashes what it should not is found out.
 */
#include "test-fixtures/tufrepo.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "test-fixtures/tufrepo_list.h"

#define FILE_MAX_BYTES (256u << 20)
#define NAME_BYTES 4096

static struct tufrepo_role *role_of(const struct tufrepo *r, const char *name)
{
	struct tufrepo_role *x = r->roles;

	while (x && strcmp(x->name, name) != 0)
		x = x->next;
	assert(x);
	return x;
}

static int64_t version_of(const struct tufrepo_role *x)
{
	return json_integer_value(json_object_get(x->body, "version"));
}

/* One element of `signatures`. */
static json_t *signature(struct bytes msg, struct tufrepo_signer by)
{
	struct buf sig = BUF_INIT(4096);
	char id[TUFREPO_KEY_ID_BYTES], hex[8193] = "";

	if (by.how == TUFREPO_SIG_WRONG)
		msg = bytes_of_str("something else");
	if (by.how == TUFREPO_SIG_NOT_HEX) {
		memcpy(hex, "zz", sizeof("zz"));
	} else if (by.how != TUFREPO_SIG_EMPTY) {
		tufrepo_sign_raw(by.key, msg, &sig);
		hex_encode(sig.p, sig.n, hex);
	}
	buf_fini(&sig);
	return json_pack("{s:s, s:s}", "keyid", tufrepo_key_id(by.key, id), "sig", hex);
}

static json_t *signatures(const json_t *body, const struct tufrepo_signer *v, size_t n)
{
	struct buf canon = BUF_INIT(FILE_MAX_BYTES);
	json_t *j = json_array();

	tufrepo_canon(body, &canon);
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(j, signature(buf_bytes(&canon), v[i]));
		if (v[i].how == TUFREPO_SIG_TWICE)
			json_array_append_new(j, signature(buf_bytes(&canon), v[i]));
	}
	buf_fini(&canon);
	return j;
}

struct bytes tufrepo_sign(struct tufrepo *r, const char *role)
{
	struct tufrepo_role *x = role_of(r, role);
	json_t *doc =
		json_pack("{s:o, s:O}", "signatures", signatures(x->body, x->signers, x->n_signers), "signed", x->body);
	char *text = json_dumps(doc, JSON_INDENT(1));
	struct err e;

	assert(text);
	buf_fini(&x->bytes);
	x->bytes = BUF_INIT(FILE_MAX_BYTES);
	assert(buf_append_str(&x->bytes, text, &e) == 0);
	free(text);
	json_decref(doc);
	return buf_bytes(&x->bytes);
}

struct buf tufrepo_envelope(const char *signed_text, const json_t *canon_of, const int *keys, size_t n)
{
	struct tufrepo_signer by[TUFREPO_SIGNERS_MAX];
	struct buf out = BUF_INIT(FILE_MAX_BYTES);
	struct err e;

	assert(n <= TUFREPO_SIGNERS_MAX);
	for (size_t i = 0; i < n; i++)
		by[i] = (struct tufrepo_signer){ keys[i], TUFREPO_SIG_GOOD };
	json_t *sigs = signatures(canon_of, by, n);
	char *text = json_dumps(sigs, JSON_COMPACT);
	assert(text && buf_printf(&out, &e, "{\"signatures\":%s,\"signed\":%s}", text, signed_text) == 0);
	free(text);
	json_decref(sigs);
	return out;
}

/* A member of `meta` for a file of these bytes. */
static json_t *meta_of(const struct tufrepo *r, const struct tufrepo_role *x)
{
	json_t *m = json_pack("{s:I}", "version", (json_int_t)version_of(x));
	uint8_t sum[SHA256_DIGEST_LENGTH];
	char hex[65];

	if (r->list_lengths)
		json_object_set_new(m, "length", json_integer((json_int_t)x->bytes.n));
	if (r->list_hashes) {
		SHA256(x->bytes.p, x->bytes.n, sum);
		hex_encode(sum, sizeof(sum), hex);
		json_object_set_new(m, "hashes", json_pack("{s:s}", "sha256", hex));
	}
	return m;
}

static bool is_targets(const struct tufrepo_role *x)
{
	return strcmp(x->name, "root") != 0 && strcmp(x->name, "timestamp") != 0 && strcmp(x->name, "snapshot") != 0;
}

void tufrepo_fill_snapshot(struct tufrepo *r)
{
	json_t *meta = json_object();
	char name[NAME_BYTES];

	for (struct tufrepo_role *x = r->roles; x; x = x->next) {
		if (!is_targets(x))
			continue;
		tufrepo_sign(r, x->name);
		snprintf(name, sizeof(name), "%s.json", x->name);
		if (!x->left_out)
			json_object_set_new(meta, name, meta_of(r, x));
	}
	json_object_set_new(tufrepo_signed(r, "snapshot"), "meta", meta);
	tufrepo_sign(r, "snapshot");
}

void tufrepo_fill_timestamp(struct tufrepo *r)
{
	json_object_set_new(tufrepo_signed(r, "timestamp"), "meta",
			    json_pack("{s:o}", "snapshot.json", meta_of(r, role_of(r, "snapshot"))));
	tufrepo_sign(r, "timestamp");
}

static struct tufrepo_file *find_file(const struct tufrepo *r, const char *name)
{
	struct tufrepo_file *f = r->files;

	while (f && strcmp(f->name, name) != 0)
		f = f->next;
	return f;
}

void tufrepo_put(struct tufrepo *r, const char *name, struct bytes content)
{
	struct tufrepo_file *f = find_file(r, name);

	if (!f) {
		f = calloc(1, sizeof(*f));
		assert(f && (f->name = strdup(name)));
		f->next = r->files;
		r->files = f;
	}
	uint8_t *p = content.p ? malloc(content.n + 1) : NULL;
	if (content.p) {
		assert(p);
		memcpy(p, content.p, content.n);
	}
	free(f->content);
	f->content = p;
	f->n = content.n;
}

struct bytes tufrepo_kept(const struct tufrepo *r, const char *name)
{
	const struct tufrepo_file *f = find_file(r, name);

	return f ? bytes_of(f->content, f->n) : bytes_of(NULL, 0);
}

/* A role's name as one component of a URL. */
static void encode(const char *role, char *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (const char *p = role; *p; p++) {
		const unsigned char c = (unsigned char)*p;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_.-~", *p)) {
			*out++ = *p;
			continue;
		}
		*out++ = '%';
		*out++ = digits[c >> 4];
		*out++ = digits[c & 15];
	}
	*out = '\0';
}

void tufrepo_keep(struct tufrepo *r, const char *role)
{
	const struct tufrepo_role *x = role_of(r, role);
	const bool is_root = strcmp(role, "root") == 0;
	const bool consistent = json_is_true(json_object_get(tufrepo_signed(r, "root"), "consistent_snapshot"));
	char encoded[NAME_BYTES], name[NAME_BYTES + 32];

	encode(role, encoded);
	if (is_root || (consistent && strcmp(role, "timestamp") != 0))
		snprintf(name, sizeof(name), "%lld.%s.json", (long long)version_of(x), encoded);
	else
		snprintf(name, sizeof(name), "%s.json", encoded);
	tufrepo_put(r, name, buf_bytes(&x->bytes));
}

void tufrepo_publish(struct tufrepo *r)
{
	if (tufrepo_kept(r, "timestamp.json").p) {
		tufrepo_bump(r, "snapshot");
		tufrepo_bump(r, "timestamp");
	}
	tufrepo_sign(r, "root");
	tufrepo_fill_snapshot(r);
	tufrepo_fill_timestamp(r);
	for (struct tufrepo_role *x = r->roles; x; x = x->next)
		tufrepo_keep(r, x->name);
}

static void make_parents(const char *path)
{
	char dir[NAME_BYTES];

	for (const char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(p - path), path);
		(void)mkdir(dir, 0755);
	}
}

static void write_file(const char *path, const uint8_t *p, size_t n)
{
	make_parents(path);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert(fd >= 0 && write(fd, p, n) == (ssize_t)n && close(fd) == 0);
}

/* Under the plain name, and with the hash in front of the last part. */
static void write_target(const char *dir, const struct tufrepo_target *t)
{
	const char *slash = strrchr(t->path, '/');
	const int n_dir = slash ? (int)(slash - t->path + 1) : 0;
	char path[NAME_BYTES];

	snprintf(path, sizeof(path), "%s/targets/%.*s%s.%s", dir, n_dir, t->path, t->hash, t->path + n_dir);
	write_file(path, t->content, t->n);
	snprintf(path, sizeof(path), "%s/targets/%s", dir, t->path);
	write_file(path, t->content, t->n);
}

void tufrepo_write(struct tufrepo *r, const char *dir)
{
	char path[2 * NAME_BYTES];

	for (const struct tufrepo_file *f = r->files; f; f = f->next) {
		snprintf(path, sizeof(path), "%s/metadata/%s", dir, f->name);
		if (f->content)
			write_file(path, f->content, f->n);
		else
			(void)unlink(path);
	}
	snprintf(path, sizeof(path), "%s/targets/", dir);
	make_parents(path);
	for (const struct tufrepo_target *t = r->targets; t; t = t->next)
		if (t->content)
			write_target(dir, t);
}
