/*
 * The judge of one state of the disk and of the files beside it. It knows from the driver's marks which program
 * runs, from which set, and which states are legal until the next mark.
 */
#ifndef FLIPSIDE_TEST_FIXTURES_CUTJUDGE_H
#define FLIPSIDE_TEST_FIXTURES_CUTJUDGE_H

#include "base/bytes.h"
#include "base/digest.h"
#include "test-fixtures/powercut/cutdisk.h"

#define JUDGE_VERSIONS_MAX 8
#define JUDGE_LEGAL_MAX 16
#define JUDGE_NAME_BYTES 64
#define JUDGE_SEEN_MAX 1024

/* What a version's partitions must hold. */
struct judge_version {
	char name[JUDGE_NAME_BYTES];
	struct bytes root, boot;
	struct digest root_hash;
};

/* The bits of both sets, the version that each holds whole (-1: any content), and what the staged record must say
 * (-1: anything). */
struct judge_legal {
	struct gpt_bits bits[PART_N_SETS];
	int version[PART_N_SETS];
	int staged_set, staged_version;
};

struct judge {
	struct cut_disk *disk;
	struct judge_version versions[JUDGE_VERSIONS_MAX];
	size_t n_versions;
	char step[JUDGE_NAME_BYTES];
	int running; /* the set that may not change; -1: neither may */
	struct judge_legal legal[JUDGE_LEGAL_MAX];
	size_t n_legal;
	uint64_t start_sum[CUT_REGIONS]; /* when the step began */
	struct { uint64_t key; bool whole; } seen[JUDGE_SEEN_MAX]; /* sets that verity has judged */
	size_t n_seen;
	struct gpt gpt; /* of the state judged last */
	uint32_t next; /* the set that would boot */
};

/* @dir, named as the version, has root.img, boot.img and root-hash. */
int judge_add_version(struct judge *j, const char *dir, struct err *e);

/*
 * A mark: "STEP RUNNING" with RUNNING A, B or -, then a line for each legal state: bits and version of A, bits
 * and version of B, record: "2/0/1 1.0.0 0/1/0 1.1.0 B:1.1.0".
 */
int judge_mark(struct judge *j, struct bytes text, struct err *e);

/* @staged: the record's file; p NULL: none. Return: NULL, or what is wrong with the state */
const char *judge_state(struct judge *j, struct bytes staged);

#endif
