/* mkdisk: a disk image with two partition sets, for demos and end-to-end tests. */
#include <string.h>

#include "base/cli.h"
#include "base/num.h"
#include "test-fixtures/mkdisk.h"

struct options {
	struct mkdisk_params params;
	uint64_t sector_bytes;
	const char *set_a, *set_b;
};

/* "2/1/0": priority, tries left, successful, to attribute bits 48 to 56. NULL leaves what is there. */
static int parse_bits(const char *s, uint64_t *attributes, struct err *e)
{
	static const uint64_t most[3] = { 15, 15, 1 };
	uint64_t v[3];
	const char *at = s;

	if (!s)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		const size_t n = strcspn(at, "/");

		if (!num_parse_u64_n(at, n, 0, most[i], &v[i]) || (at[n] == '/') != (i < 2))
			return err_set(e, ERR_USAGE, NULL, "\"%s\" is not PRIORITY/TRIES/SUCCESSFUL, as 2/1/0", s);
		at += n + (i < 2);
	}
	*attributes = v[0] << 48 | v[1] << 52 | v[2] << 56;
	return 0;
}

static int run(void *ctx, int argc, char **argv, struct err *e)
{
	struct options *o = (struct options *)ctx;

	(void)argc;
	/* An odd size is refused by mkdisk(); one too large for 32 bits must not become a good one on the way. */
	o->params.sector_bytes = o->sector_bytes > UINT32_MAX ? 0 : (uint32_t)o->sector_bytes;
	if (parse_bits(o->set_a, &o->params.attributes_a, e) < 0 || parse_bits(o->set_b, &o->params.attributes_b, e) < 0)
		return -1;
	return mkdisk(argv[0], &o->params, e);
}

int main(int argc, char **argv)
{
	struct options o = { .params = mkdisk_params_default(), .sector_bytes = 512 };
	const struct cli_option options[] = {
		{ "esp-mib", 0, CLI_NUMBER, &o.params.esp_mib, "N", "EFI system partition, 0 for none; default 4", NULL },
		{ "boot-mib", 0, CLI_NUMBER, &o.params.boot_mib, "N", "each boot partition; default 4", NULL },
		{ "root-mib", 0, CLI_NUMBER, &o.params.root_mib, "N", "each root partition; default 16", NULL },
		{ "root-b-mib", 0, CLI_NUMBER, &o.params.root_b_mib, "N", "set B's, if it is to differ", NULL },
		{ "hash-mib", 0, CLI_NUMBER, &o.params.hash_mib, "N", "each hash partition; default 1", NULL },
		{ "private-mib", 0, CLI_NUMBER, &o.params.private_mib, "N", "private, 0 for none; default 4", NULL },
		{ "set-a", 0, CLI_STRING, &o.set_a, "P/T/S", "bits of set A: priority/tries/successful; default 1/0/1", NULL },
		{ "set-b", 0, CLI_STRING, &o.set_b, "P/T/S", "bits of set B; default 0/0/0", NULL },
		{ "sector", 0, CLI_NUMBER, &o.sector_bytes, "BYTES", "512 or 4096; default 512", NULL },
	};
	const struct cli_verb verbs[] = {
		{ "", "FILE", 1, 1, "Make a sparse disk image with two partition sets.", run },
	};
	const struct cli_program program = {
		.name = "mkdisk",
		.summary = "Disk images in the layout of an A/B host.",
		.verbs = verbs,
		.n_verbs = ARRAY_LEN(verbs),
		.options = options,
		.n_options = ARRAY_LEN(options),
	};

	return cli_main(&program, &o, argc, argv);
}
