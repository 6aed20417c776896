/* The inside of a test repository; between the tufrepo_*.c files. */
#ifndef FLIPSIDE_FIXTURES_TUFREPO_LIST_H
#define FLIPSIDE_FIXTURES_TUFREPO_LIST_H

#include "test-fixtures/tufrepo.h"

#define TUFREPO_SIGNERS_MAX 64

struct tufrepo_signer {
	int key;
	enum tufrepo_sig how;
};

struct tufrepo_role {
	struct tufrepo_role *next;
	char *name;
	json_t *body;
	size_t n_signers;
	struct tufrepo_signer signers[TUFREPO_SIGNERS_MAX];
	bool left_out; /* of the snapshot */
	struct buf bytes; /* as signed last */
};

struct tufrepo_target {
	struct tufrepo_target *next;
	char *path;
	char hash[65];
	uint8_t *content; /* NULL: never written */
	size_t n;
};

struct tufrepo_file {
	struct tufrepo_file *next;
	char *name;
	uint8_t *content; /* NULL: dropped */
	size_t n;
};

#endif
