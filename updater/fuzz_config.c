/* What parses prints, and what was printed parses to the same values without a warning. */
#include <stdlib.h>
#include <string.h>

#include "updater/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(config_free_p) struct config *c = NULL;
	CLEANUP(config_free_p) struct config *again = NULL;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(SIZE_MAX);
	struct err e = { 0 };

	if (config_parse(bytes_of(p, n), "f", &c, &e) < 0) {
		require(!c && e.kind == ERR_FORMAT && e.msg[0]);
		return 0;
	}
	require(config_print(c, &text, &e) == 0);
	if (text.n > CONFIG_FILE_MAX_BYTES)
		return 0;
	require(config_parse(buf_bytes(&text), "g", &again, &e) == 0);
	require(again->warnings.n == 0);
	for (size_t i = 0; i < CONFIG_N_KEYS; i++)
		require(strcmp(c->origins[i].text, again->origins[i].text) == 0);
	return 0;
}
