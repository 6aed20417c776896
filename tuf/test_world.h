/* For the client's tests: a repository, a server (or file:// URLs), and a metadata store, in a scratch directory. */
#ifndef FLIPSIDE_TUF_TEST_WORLD_H
#define FLIPSIDE_TUF_TEST_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/scratch.h"
#include "test-fixtures/httpd.h"
#include "test-fixtures/tufrepo.h"
#include "tuf/client.h"

#define AFTER_EXPIRY_SEC 1893456000 /* 2030-01-01T00:00:00Z, TUFREPO_EXPIRES: not valid from then on */

struct world {
	struct scratch dir; /* with repo/metadata, repo/targets, store */
	struct tufrepo *repo;
	struct httpd *h; /* NULL: file:// */
	char metadata_url[SCRATCH_PATH_BYTES + 64], targets_url[SCRATCH_PATH_BYTES + 64], store[SCRATCH_PATH_BYTES + 16];
	struct buf shipped; /* the root that the client is born with: the first one published */
	struct tuf_fetch_options fetch;
	int64_t now_sec;
};

/* A repository as tufrepo_new() makes it, with the target "a.txt" (TARGET_TEXT), not yet published. */
#define TARGET_TEXT "the target's content\n"
void world_make(struct world *w, bool http);
void world_remove(struct world *w);

/* What the repository has now is on the server. The first time sets @w->shipped. */
void world_publish(struct world *w);
void world_write(struct world *w);

int world_open(struct world *w, struct tuf_client **out, struct err *e);

/* A client of its own: open, refresh, free. */
int world_refresh(struct world *w, struct err *e);
int world_read_target(struct world *w, const char *path, struct buf *out, struct err *e);

/* Version in the stored file of this name ("root.json"), 0 if there is none. */
int64_t world_stored(const struct world *w, const char *file);

/* True if that stored file is the one kept by the repository under @kept. */
bool world_stored_is(const struct world *w, const char *file, const char *kept);

/* Requests since the last call, each without "GET /", with blanks between: "metadata/2.root.json
 * metadata/timestamp.json". */
const char *world_requests(struct world *w);

/* A copy of a kept file, to be freed with buf_fini(). */
struct buf world_copy(const struct world *w, const char *kept);

#endif
