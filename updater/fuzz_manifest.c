/* What parses prints, and what was printed parses to the same text; paths between any two versions in it end. */
#include <stdlib.h>
#include <string.h>

#include "updater/manifest.h"
#include "updater/wave.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

static void walk_paths(const struct manifest *m)
{
	for (size_t i = 0; i < m->n_steps && i < 16; i++)
		for (size_t k = 0; k < m->n_steps && k < 16; k++) {
			const char **names = NULL;
			struct err e = { 0 };
			size_t n_names;

			if (manifest_migrations(m, &m->steps[i].from, &m->steps[k].to, &names, &n_names, &e) < 0)
				require(e.kind == ERR_MISSING);
			free(names);
		}
}

static void look_at_waves(const struct manifest *m)
{
	for (size_t i = 0; i < m->n_updates && i < 16; i++)
		for (uint32_t seed = 0; seed < 4096; seed += 61) {
			const struct wave_opening o = wave_opening(&m->updates[i], seed);

			require(o.always || o.at_sec >= m->updates[i].waves[o.wave].start_sec);
			require(o.always || o.at_sec <= wave_complete_at(&m->updates[i]));
		}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(manifest_free_p) struct manifest *m = NULL;
	CLEANUP(manifest_free_p) struct manifest *again = NULL;
	CLEANUP(buf_fini) struct buf text = BUF_INIT(SIZE_MAX);
	CLEANUP(buf_fini) struct buf same = BUF_INIT(SIZE_MAX);
	struct err e = { 0 };

	if (manifest_parse(bytes_of(p, n), &m, &e) < 0) {
		require(!m && e.kind == ERR_FORMAT && e.msg[0]);
		return 0;
	}
	require(manifest_print(m, &text, &e) == 0);
	if (text.n <= MANIFEST_MAX_BYTES) {
		require(manifest_parse(buf_bytes(&text), &again, &e) == 0);
		require(manifest_print(again, &same, &e) == 0);
		require(bytes_equal(buf_bytes(&text), buf_bytes(&same)));
	}
	walk_paths(m);
	look_at_waves(m);
	return 0;
}
