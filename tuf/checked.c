/* Length first, so that a digest is never told of bytes that should not have been read. */
#include "tuf/checked.h"

int tuf_checked_new(struct source *below, uint64_t length, const struct digest *hashes, size_t n_hashes, const char *what,
		    struct source **out, struct err *e)
{
	CLEANUP(source_free_p) struct source *top = below;
	struct source *next;

	if (source_exact_new(top, length, what, &next, e) < 0)
		return -1;
	top = next;
	for (size_t i = 0; i < n_hashes; i++) {
		if (source_digest_new(top, &hashes[i], what, &next, e) < 0)
			return -1;
		top = next;
	}
	*out = TAKE(top);
	return 0;
}
