/*
 * Content is compared with the images that were published, bit for bit, and with the root hash by our own verity;
 * veritysetup and sgdisk judge a sample, in the driver. A set's content is judged once for each content, by the
 * sum of its sectors' hashes.
 */
#include "test-fixtures/powercut/cutjudge.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "partitions/verity.h"
#include "updater/staged.h"

#define IMAGE_MAX_BYTES (256 << 20)

static int load(const char *dir, const char *name, struct bytes *out, struct err *e)
{
	struct buf b = BUF_INIT(IMAGE_MAX_BYTES);
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	if (file_read(AT_FDCWD, path, &b, e) < 0)
		return -1;
	*out = buf_bytes(&b);
	return 0;
}

int judge_add_version(struct judge *j, const char *dir, struct err *e)
{
	struct judge_version *v = &j->versions[j->n_versions];
	const char *slash = strrchr(dir, '/');
	struct bytes hex = { 0 };
	bool parsed;

	if (j->n_versions == JUDGE_VERSIONS_MAX)
		return err_set(e, ERR_USAGE, "limit", "more than %d versions", JUDGE_VERSIONS_MAX);
	(void)snprintf(v->name, sizeof(v->name), "%s", slash ? slash + 1 : dir);
	if (load(dir, "root.img", &v->root, e) < 0 || load(dir, "boot.img", &v->boot, e) < 0 ||
	    load(dir, "root-hash", &hex, e) < 0)
		return -1;
	parsed = digest_parse_hex(DIGEST_SHA256, (const char *)hex.p, hex.n, &v->root_hash);
	free((void *)(uintptr_t)hex.p);
	if (!parsed)
		return err_set(e, ERR_FORMAT, "digest", "%s/root-hash is no digest", dir);
	j->n_versions++;
	return 0;
}

/* -1 for "-"; -2 for a name that nobody knows. */
static int find_version(const struct judge *j, const char *name)
{
	for (size_t i = 0; i < j->n_versions; i++)
		if (strcmp(j->versions[i].name, name) == 0)
			return (int)i;
	return strcmp(name, "-") == 0 ? -1 : -2;
}

static bool parse_legal(const struct judge *j, const char *line, struct judge_legal *out)
{
	unsigned b[6];
	char v[2][JUDGE_NAME_BYTES], staged[JUDGE_NAME_BYTES];

	if (sscanf(line, "%u/%u/%u %63s %u/%u/%u %63s %63s", &b[0], &b[1], &b[2], v[0], &b[3], &b[4], &b[5], v[1], staged) != 9)
		return false;
	for (int s = 0; s < PART_N_SETS; s++) {
		out->bits[s] = (struct gpt_bits){ (uint8_t)b[3 * s], (uint8_t)b[3 * s + 1], b[3 * s + 2] };
		out->version[s] = find_version(j, v[s]);
	}
	out->staged_set = out->staged_version = -1;
	if (strcmp(staged, "-") != 0) {
		out->staged_set = staged[0] - 'A';
		out->staged_version = staged[1] == ':' ? find_version(j, staged + 2) : -2;
	}
	return out->version[0] > -2 && out->version[1] > -2 && out->staged_version > -2;
}

int judge_mark(struct judge *j, struct bytes text, struct err *e)
{
	char copy[4096], *rest = copy, *line, running;

	if (text.n >= sizeof(copy))
		return err_set(e, ERR_FORMAT, "mark", "a mark of %zu bytes", text.n);
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	line = strsep(&rest, "\n");
	if (sscanf(line, "%63s %c", j->step, &running) != 2)
		return err_set(e, ERR_FORMAT, "mark", "mark \"%s\"", line);
	j->running = running == '-' ? -1 : running - 'A';
	j->n_legal = 0;
	while ((line = strsep(&rest, "\n")) && *line)
		if (j->n_legal == JUDGE_LEGAL_MAX || !parse_legal(j, line, &j->legal[j->n_legal++]))
			return err_set(e, ERR_FORMAT, "mark", "mark %s: \"%s\"", j->step, line);
	memcpy(j->start_sum, j->disk->durable_sum, sizeof(j->start_sum));
	return 0;
}

static uint64_t set_key(const struct judge *j, int set, int version)
{
	uint64_t key = (uint64_t)version + 1;

	for (int r = 0; r < PART_N_ROLES; r++)
		key = key * UINT64_C(0x9e3779b97f4a7c15) + j->disk->now_sum[CUT_PARTS + set * PART_N_ROLES + r];
	return key + (uint64_t)set;
}

/* A partition's beginning, in memory of the caller's. */
static uint8_t *read_part(const struct judge *j, int set, int role, size_t n)
{
	const size_t whole = (n + CUT_SECTOR - 1) / CUT_SECTOR * CUT_SECTOR;
	uint8_t *p = malloc(whole);

	if (!p)
		abort();
	cut_read(j->disk, j->disk->range[set][role].offset_bytes, whole, p);
	return p;
}

static bool holds(const struct judge *j, int set, int role, struct bytes expected)
{
	CLEANUP(free_p) uint8_t *p = read_part(j, set, role, expected.n);

	return memcmp(p, expected.p, expected.n) == 0;
}

static bool verity_holds(const struct judge *j, int set, const struct judge_version *v)
{
	const size_t hash_n = j->disk->range[set][PART_HASH].size_bytes;
	CLEANUP(free_p) uint8_t *root = read_part(j, set, PART_ROOT, v->root.n);
	CLEANUP(free_p) uint8_t *hash = read_part(j, set, PART_HASH, hash_n);
	CLEANUP(close_p) int fd = memfd_create("hash", MFD_CLOEXEC);
	CLEANUP(source_free_p) struct source *data = NULL;
	struct verity_params params;
	struct err e;

	if (fd < 0 || file_pwrite_all(fd, hash, hash_n, 0, "hash", &e) < 0)
		abort();
	return verity_superblock_parse(hash, &params, &e) == 0 &&
	       params.n_data_blocks * params.data_block_bytes == v->root.n &&
	       source_mem_new(bytes_of(root, v->root.n), &data, &e) == 0 &&
	       verity_verify(&params, data, fd, 0, &v->root_hash, NULL, NULL, &e) == 0;
}

static bool set_is_whole(struct judge *j, int set, int version)
{
	const struct judge_version *v = &j->versions[version];
	const uint64_t key = set_key(j, set, version);
	bool whole;

	for (size_t i = 0; i < j->n_seen; i++)
		if (j->seen[i].key == key)
			return j->seen[i].whole;
	whole = holds(j, set, PART_ROOT, v->root) && holds(j, set, PART_BOOT, v->boot) && verity_holds(j, set, v);
	if (j->n_seen < JUDGE_SEEN_MAX) {
		j->seen[j->n_seen].key = key;
		j->seen[j->n_seen++].whole = whole;
	}
	return whole;
}

static bool staged_says(const struct judge *j, struct bytes staged, int set, int version)
{
	CLEANUP(json_decref_p) json_t *json = NULL;
	struct staged_record r;
	struct err e;

	return staged.p && json_load_bytes(staged, &json, &e) == 0 && staged_from_json(json, STAGED_FILE, &r, &e) == 0 &&
	       (int)r.set == set && strcmp(r.image.version.text, j->versions[version].name) == 0 &&
	       digest_equal(&r.root_hash, &j->versions[version].root_hash);
}

static bool same_bits(struct gpt_bits a, struct gpt_bits b)
{
	return a.priority == b.priority && a.tries_left == b.tries_left && a.successful == b.successful;
}

static const char *judge_legal(struct judge *j, const struct judge_legal *l, struct bytes staged)
{
	for (int s = 0; s < PART_N_SETS; s++)
		if (l->version[s] >= 0 && !set_is_whole(j, s, l->version[s]))
			return s == (int)j->next ? "the set that boots is not whole" : "a set's bits vouch for content that is not whole";
	if (l->version[j->next] < 0)
		return "the set that boots is not the one that may";
	if (l->staged_set >= 0 && !staged_says(j, staged, l->staged_set, l->staged_version))
		return "what is staged has no record that says so";
	return NULL;
}

static const char *judge_bits(struct judge *j, struct bytes staged)
{
	const char *why = "bits that are no legal state of this step";
	struct gpt_bits bits[PART_N_SETS];

	for (int s = 0; s < PART_N_SETS; s++) {
		struct gpt_entry entry = { 0 };

		(void)gpt_entry(&j->gpt, j->disk->boot_entry[s], &entry);
		bits[s] = gpt_bits_of(entry.attributes);
	}
	for (size_t i = 0; i < j->n_legal; i++) {
		if (!same_bits(bits[0], j->legal[i].bits[0]) || !same_bits(bits[1], j->legal[i].bits[1]))
			continue;
		why = judge_legal(j, &j->legal[i], staged);
		if (!why)
			return NULL;
	}
	return why;
}

/* All but the table and the set that is written is as it was. */
static const char *judge_untouched(const struct judge *j)
{
	if (j->disk->now_sum[CUT_REST] != j->start_sum[CUT_REST])
		return "something beside both sets has changed";
	for (int i = CUT_PARTS; i < CUT_REGIONS; i++)
		if ((j->running < 0 || (i - CUT_PARTS) / PART_N_ROLES == j->running) && j->disk->now_sum[i] != j->start_sum[i])
			return "the running set has changed";
	return NULL;
}

const char *judge_state(struct judge *j, struct bytes staged)
{
	const char *why = judge_untouched(j);
	uint32_t entry;

	if (why)
		return why;
	if (gpt_load(&j->gpt, &j->disk->io) != GPT_OK)
		return "no valid partition table";
	if (gpt_choose(&j->gpt, part_types_bottlerocket.role[PART_BOOT], &entry) != GPT_OK)
		return "no set may boot";
	j->next = entry == j->disk->boot_entry[PART_SET_B];
	return judge_bits(j, staged);
}
