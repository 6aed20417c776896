/* Up to three lines as versions: what is read is kept letter by letter, and the order of any three is an order. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void require(bool cond)
{
	if (!cond)
		abort();
}

static bool read_version(const char *s, struct version *out)
{
	struct version friendly;
	struct err e = { 0 };

	memset(out, 0x5a, sizeof(*out));
	if (version_parse(s, out, &e) < 0) {
		require(e.kind == ERR_FORMAT && e.reason && e.msg[0]);
		require(version_parse_friendly(s, &friendly, &e) < 0 || *s == 'v');
		return false;
	}
	require(strcmp(out->text, s) == 0 && strlen(s) < VERSION_BYTES);
	require(!out->pre[0] || strstr(s, out->pre));
	require(version_parse_friendly(s, &friendly, &e) == 0 && version_compare(out, &friendly) == 0);
	return true;
}

static int sign(int order)
{
	return (order > 0) - (order < 0);
}

static void check_order(const struct version *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		require(version_compare(&v[i], &v[i]) == 0);
		for (size_t k = 0; k < n; k++) {
			const int ik = version_compare(&v[i], &v[k]);

			require(sign(ik) == -sign(version_compare(&v[k], &v[i])));
			for (size_t m = 0; m < n; m++)
				if (ik <= 0 && version_compare(&v[k], &v[m]) <= 0)
					require(version_compare(&v[i], &v[m]) <= 0);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	CLEANUP(free_p) char *copy = calloc(1, n + 1);
	struct version v[3];
	size_t n_v = 0;
	char *rest = copy, *line;

	require(copy != NULL);
	if (n)
		memcpy(copy, p, n);
	while (n_v < 3 && (line = strsep(&rest, "\n")) != NULL)
		n_v += read_version(line, &v[n_v]);
	check_order(v, n_v);
	return 0;
}
