/* mkdisk: a disk image with two partition sets, for demos and end-to-end tests. */
#include "base/cli.h"
#include "base/num.h"
#include "test-fixtures/mkdisk.h"

struct options {
	struct mkdisk_params params;
	uint64_t sector_bytes;
};

static int run(void *ctx, int argc, char **argv, struct err *e)
{
	struct options *o = (struct options *)ctx;

	(void)argc;
	/* An odd size is refused by mkdisk(); one too large for 32 bits must not become a good one on the way. */
	o->params.sector_bytes = o->sector_bytes > UINT32_MAX ? 0 : (uint32_t)o->sector_bytes;
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
		{ "sector", 0, CLI_NUMBER, &o.sector_bytes, "BYTES", "512 or 4096; default 512", NULL },
	};
	const struct cli_verb verbs[] = {
		{ "", "FILE", 1, 1, "Make a sparse disk image with partition sets A (1/0/1) and B (0/0/0).", run },
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
