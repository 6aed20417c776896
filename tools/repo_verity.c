#include "tools/repo_verity.h"

#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/num.h"
#include "base/sys.h"

#define UUID_TEXT_BYTES 36
#define HASH_WORK_FILE "hash.tmp"

static int random_bytes(uint8_t *p, size_t n, struct err *e)
{
	/* Up to 256 bytes come whole. */
	if (getrandom(p, n, 0) != (ssize_t)n)
		return err_sys(e, "random bytes");
	return 0;
}

static int set_salt(const char *s, struct verity_params *p, struct err *e)
{
	if (!s || strcmp(s, "random") == 0) {
		p->salt_bytes = REPO_SALT_BYTES;
		return random_bytes(p->salt, REPO_SALT_BYTES, e);
	}
	if (strcmp(s, "none") == 0)
		return 0;
	const size_t n = strlen(s) / 2;

	if (n == 0 || n > VERITY_SALT_MAX_BYTES || !hex_decode(s, strlen(s), p->salt, n))
		return err_set(e, ERR_USAGE, "salt", "--salt '%.80s': not 'random', 'none' or 1 to %d bytes in hexadecimal", s,
			       VERITY_SALT_MAX_BYTES);
	p->salt_bytes = (uint16_t)n;
	return 0;
}

/* "8-4-4-4-12" digits. */
static bool parse_uuid(const char *s, uint8_t out[VERITY_UUID_BYTES])
{
	char digits[2 * VERITY_UUID_BYTES];
	size_t n = 0;

	if (strlen(s) != UUID_TEXT_BYTES)
		return false;
	for (size_t i = 0; i < UUID_TEXT_BYTES; i++) {
		const bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash != (s[i] == '-'))
			return false;
		if (!dash)
			digits[n++] = s[i];
	}
	return hex_decode(digits, n, out, VERITY_UUID_BYTES);
}

static int set_uuid(const char *s, struct verity_params *p, struct err *e)
{
	if (s && strcmp(s, "random") != 0) {
		if (!parse_uuid(s, p->uuid))
			return err_set(e, ERR_USAGE, "uuid", "--uuid '%.80s': not a UUID", s);
		return 0;
	}
	if (random_bytes(p->uuid, sizeof(p->uuid), e) < 0)
		return -1;
	p->uuid[6] = (uint8_t)((p->uuid[6] & 0x0f) | 0x40); /* RFC 9562 5.4: version 4, variant 10 */
	p->uuid[8] = (uint8_t)((p->uuid[8] & 0x3f) | 0x80);
	return 0;
}

int repo_verity_params(const struct repo_cli *c, uint64_t size, struct verity_params *out, struct err *e)
{
	struct verity_params p = verity_params_default(1);
	uint64_t padded;

	if (!align_up_u64(size, p.data_block_bytes, &padded))
		return err_set(e, ERR_FORMAT, "limit", "an image of %ju bytes", (uintmax_t)size);
	p.n_data_blocks = padded / p.data_block_bytes;
	if (set_salt(c->salt, &p, e) < 0 || set_uuid(c->uuid, &p, e) < 0 || verity_params_check(&p, e) < 0)
		return -1;
	*out = p;
	return 0;
}

int repo_verity_open(const struct repo *r, int *out_fd, struct err *e)
{
	(void)sys_unlinkat(r->staging, HASH_WORK_FILE, 0); /* of an earlier crash; the lock is ours */
	CLEANUP(close_p) int fd = sys_openat(r->staging, HASH_WORK_FILE, O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0 || sys_unlinkat(r->staging, HASH_WORK_FILE, 0) < 0)
		return err_sys(e, "a work file in %s/staging", r->path);
	*out_fd = TAKE_FD(fd);
	return 0;
}

int repo_verity_emit(void *ctx, uint64_t offset, const void *block, size_t n, struct err *e)
{
	return file_pwrite_all(*(const int *)ctx, block, n, offset, "hash tree", e);
}
