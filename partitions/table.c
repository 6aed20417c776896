/*
 * Sets are found by type and order of entries, never by name or position. The table is read at the open and
 * again, under the disk's lock, before every change, so that two programs cannot overwrite each other's bits; the
 * places of the partitions must then be the same as at the open. All rules about bits are in the short functions
 * at the end, each one a precondition and an assignment; everything that touches the disk is change().
 */
#include "partitions/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "partitions/active.h"
#include "partitions/disk.h"
#include "partitions/table_internal.h"

#define BOOT_EVER_SUCCEEDED (UINT64_C(1) << 57)

/* Which entry is what, and where it lies. Compared as a whole after a second load. */
struct layout {
	uint32_t entry[PART_N_SETS][PART_N_ROLES];
	struct part_range range[PART_N_SETS][PART_N_ROLES];
	bool has_private;
	uint32_t private_entry;
};

struct part_table {
	struct part_disk *disk;
	struct part_types types;
	struct layout layout;
	enum part_set active;
	char *device[PART_N_SETS][PART_N_ROLES];
	struct gpt gpt;
};

const char *part_set_name(enum part_set s)
{
	return s == PART_SET_A ? "A" : "B";
}

const char *part_role_name(enum part_role r)
{
	static const char *const names[PART_N_ROLES] = { "boot", "root", "hash" };

	return names[r];
}

static int check_types(const struct part_types *t, struct err *e)
{
	static const uint8_t zero[GPT_GUID_BYTES];

	for (size_t r = 0; r < PART_N_ROLES; r++) {
		if (!memcmp(t->role[r], zero, sizeof(zero)))
			return err_set(e, ERR_USAGE, NULL, "the type of the %s partitions is zero",
				       part_role_name((enum part_role)r));
		for (size_t other = 0; other < r; other++)
			if (!memcmp(t->role[r], t->role[other], sizeof(zero)))
				return err_set(e, ERR_USAGE, NULL, "%s and %s partitions have the same type",
					       part_role_name((enum part_role)other), part_role_name((enum part_role)r));
	}
	return 0;
}

static struct part_range range_of(const struct gpt *g, const struct gpt_entry *entry)
{
	const uint64_t sector_bytes = g->io->sector_bytes;

	/* No overflow: the core has checked that both lie on the disk, whose size in bytes is a 64-bit number. */
	return (struct part_range){ .offset_bytes = entry->first_lba * sector_bytes,
				    .size_bytes = (entry->last_lba - entry->first_lba + 1) * sector_bytes };
}

/* The partitions of one role: two, or the disk is not ours. */
static int find_role(const struct gpt *g, const struct part_types *types, enum part_role r, const char *disk,
		     struct layout *l, struct err *e)
{
	char guid[37];
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->n_entries; i++) {
		struct gpt_entry entry;

		if (!gpt_entry_is(g, i, types->role[r]) || gpt_entry(g, i, &entry) != GPT_OK)
			continue;
		if (n < PART_N_SETS) {
			l->entry[n][r] = i;
			l->range[n][r] = range_of(g, &entry);
		}
		n++;
	}
	if (n == PART_N_SETS)
		return 0;
	part_guid_format(types->role[r], guid);
	return err_set(e, ERR_FORMAT, PART_E_SETS, "%s has %" PRIu32 " %s partitions (type %s), not 2", disk, n,
		       part_role_name(r), guid);
}

static int find_layout(const struct gpt *g, const struct part_types *types, const char *disk, struct layout *out, struct err *e)
{
	struct layout l;

	/* Padding too, because layouts are compared by memcmp(). */
	memset(&l, 0, sizeof(l));
	for (int r = 0; r < PART_N_ROLES; r++)
		if (find_role(g, types, (enum part_role)r, disk, &l, e) < 0)
			return -1;
	for (uint32_t i = 0; i < g->n_entries && !l.has_private; i++)
		if (gpt_entry_is(g, i, types->private_data)) {
			l.has_private = true;
			l.private_entry = i;
		}
	memcpy(out, &l, sizeof(l));
	return 0;
}

/* The set of partition @number of the disk, counted from 1. */
static bool set_of_partition(const struct layout *l, unsigned number, enum part_set *out)
{
	for (int s = 0; s < PART_N_SETS; s++)
		for (int r = 0; r < PART_N_ROLES; r++)
			if (l->entry[s][r] + 1 == number) {
				*out = (enum part_set)s;
				return true;
			}
	return false;
}

int part_table_set_under(const struct part_table *t, const struct part_under *u, enum part_set *out, struct err *e)
{
	enum part_set found = PART_SET_A, s;

	for (unsigned i = 0; i < u->n; i++) {
		if (!set_of_partition(&t->layout, u->partition[i], &s))
			return err_set(e, ERR_STATE, PART_E_ACTIVE,
				       "the root file system lies on partition %u of %s, which belongs to neither set",
				       u->partition[i], u->disk.name);
		if (i && s != found)
			return err_set(e, ERR_STATE, PART_E_ACTIVE, "the root file system lies on partitions of both sets of %s",
				       u->disk.name);
		found = s;
	}
	*out = found;
	return 0;
}

static int find_active(struct part_table *t, enum part_active wish, const struct part_under *u, struct err *e)
{
	unsigned major_number, minor_number;
	struct part_under found;

	if (wish != PART_ACTIVE_AUTO) {
		t->active = wish == PART_ACTIVE_A ? PART_SET_A : PART_SET_B;
		return 0;
	}
	if (!part_disk_is_device(t->disk))
		return err_set(e, ERR_STATE, PART_E_ACTIVE,
			       "%s is an image file: nothing tells which set is active, so it must be given as A or B",
			       part_disk_path(t->disk));
	if (!u) {
		if (part_under_path(PART_SYSFS, "/", &found, e) < 0)
			return -1;
		u = &found;
	}
	part_disk_number(t->disk, &major_number, &minor_number);
	if (u->disk.major != major_number || u->disk.minor != minor_number)
		return err_set(e, ERR_STATE, PART_E_ACTIVE, "the running system is on %s, not on %s", u->disk.name,
			       part_disk_path(t->disk));
	return part_table_set_under(t, u, &t->active, e);
}

/* The kernel's name for a partition; where it knows none, the name that it would give. */
static char *device_name(const struct part_table *t, uint32_t entry)
{
	const char *disk = part_disk_path(t->disk);
	const char last = disk[strlen(disk) - 1];
	unsigned major_number, minor_number;
	struct part_sysdev d;
	uint64_t start;
	char *name = NULL;
	struct err e;
	int n;

	part_disk_number(t->disk, &major_number, &minor_number);
	if (!part_disk_is_device(t->disk))
		n = asprintf(&name, "%s#%" PRIu32, disk, entry + 1);
	else if (part_child_find(PART_SYSFS, major_number, minor_number, entry + 1, &d, &start, &e) == 0)
		n = asprintf(&name, "/dev/%s", d.name);
	else
		n = asprintf(&name, "%s%s%" PRIu32, disk, last >= '0' && last <= '9' ? "p" : "", entry + 1);
	return n < 0 ? NULL : name;
}

static int name_devices(struct part_table *t, struct err *e)
{
	for (int s = 0; s < PART_N_SETS; s++)
		for (int r = 0; r < PART_N_ROLES; r++) {
			t->device[s][r] = device_name(t, t->layout.entry[s][r]);
			if (!t->device[s][r])
				return err_sys(e, "naming the partitions of %s", part_disk_path(t->disk));
		}
	return 0;
}

int part_table_open(const struct part_options *o, struct part_table **out, struct err *e)
{
	CLEANUP(part_table_free_p) struct part_table *t = (struct part_table *)calloc(1, sizeof(*t));
	char root_disk[sizeof("/dev/") + PART_NAME_MAX_BYTES];
	const char *path = o->disk;
	struct part_under under;

	if (!t)
		return err_sys(e, "opening the partition table");
	if (check_types(&o->types, e) < 0)
		return -1;
	t->types = o->types;
	if (!path) {
		if (part_under_path(PART_SYSFS, "/", &under, e) < 0)
			return -1;
		(void)snprintf(root_disk, sizeof(root_disk), "/dev/%s", under.disk.name);
		path = root_disk;
	}
	if (part_disk_open(path, &t->disk, e) < 0 || part_disk_load(t->disk, &t->gpt, e) < 0)
		return -1;
	part_disk_warn(t->disk, &t->gpt);
	if (find_layout(&t->gpt, &t->types, path, &t->layout, e) < 0 ||
	    find_active(t, o->active, o->disk ? NULL : &under, e) < 0 || name_devices(t, e) < 0)
		return -1;
	*out = TAKE(t);
	return 0;
}

void part_table_free(struct part_table *t)
{
	if (!t)
		return;
	for (int s = 0; s < PART_N_SETS; s++)
		for (int r = 0; r < PART_N_ROLES; r++)
			free(t->device[s][r]);
	part_disk_free(t->disk);
	free(t);
}

const char *part_table_disk(const struct part_table *t)
{
	return part_disk_path(t->disk);
}

const struct part_disk *part_table_disk_of(const struct part_table *t)
{
	return t->disk;
}

unsigned part_table_number(const struct part_table *t, enum part_set s, enum part_role r)
{
	return t->layout.entry[s][r] + 1;
}

enum part_set part_table_active(const struct part_table *t)
{
	return t->active;
}

enum part_set part_table_inactive(const struct part_table *t)
{
	return t->active == PART_SET_A ? PART_SET_B : PART_SET_A;
}

/* 0 beyond the end: a load that failed in the middle of a change leaves no entries. */
static uint64_t attributes(const struct gpt *g, uint32_t i)
{
	struct gpt_entry entry;

	return gpt_entry(g, i, &entry) == GPT_OK ? entry.attributes : 0;
}

struct gpt_bits part_table_bits(const struct part_table *t, enum part_set s)
{
	return gpt_bits_of(attributes(&t->gpt, t->layout.entry[s][PART_BOOT]));
}

struct part_range part_table_range(const struct part_table *t, enum part_set s, enum part_role r)
{
	return t->layout.range[s][r];
}

const char *part_table_device(const struct part_table *t, enum part_set s, enum part_role r)
{
	return t->device[s][r];
}

bool part_table_next(const struct part_table *t, enum part_set *s)
{
	uint32_t i;

	if (gpt_choose(&t->gpt, t->types.role[PART_BOOT], &i) != GPT_OK)
		return false;
	*s = i == t->layout.entry[PART_SET_A][PART_BOOT] ? PART_SET_A : PART_SET_B;
	return true;
}

bool part_table_boot_ever_succeeded(const struct part_table *t)
{
	return t->layout.has_private && attributes(&t->gpt, t->layout.private_entry) & BOOT_EVER_SUCCEEDED;
}

static void set_bits(struct part_table *t, enum part_set s, struct gpt_bits bits)
{
	const uint32_t i = t->layout.entry[s][PART_BOOT];

	(void)gpt_set_attributes(&t->gpt, i, gpt_bits_into(attributes(&t->gpt, i), bits));
}

static void set_priorities(struct part_table *t, uint8_t inactive, uint8_t active)
{
	struct gpt_bits bits = part_table_bits(t, part_table_inactive(t));

	bits.priority = inactive;
	set_bits(t, part_table_inactive(t), bits);
	bits = part_table_bits(t, t->active);
	bits.priority = active;
	set_bits(t, t->active, bits);
}

static int reload(struct part_table *t, struct err *e)
{
	struct layout now;

	if (part_disk_load(t->disk, &t->gpt, e) < 0 || find_layout(&t->gpt, &t->types, part_disk_path(t->disk), &now, e) < 0)
		return -1;
	if (memcmp(&now, &t->layout, sizeof(now)) != 0)
		return err_set(e, ERR_STATE, PART_E_SETS, "the partitions of %s have changed since the table was opened",
			       part_disk_path(t->disk));
	return 0;
}

/* A rule: looks at the bits of @t, refuses or changes them in memory. */
typedef int (*rule_fn)(struct part_table *t, struct err *e);

/* Whatever the rule: a machine that could boot must still be able to. Refusing, what is in memory is the disk's again. */
static int apply(struct part_table *t, rule_fn rule, struct err *e)
{
	enum part_set next;
	struct err ignored;
	const bool could_boot = part_table_next(t, &next);

	if (rule(t, e) < 0)
		return -1;
	if (!could_boot || part_table_next(t, &next))
		return 0;
	(void)reload(t, &ignored);
	return err_set(e, ERR_STATE, PART_E_UNBOOTABLE,
		       "afterwards neither set could boot: the running set %s has no try left and is not marked successful",
		       part_set_name(t->active));
}

static int change(struct part_table *t, rule_fn rule, struct err *e)
{
	int r;

	if (part_disk_lock(t->disk, e) < 0)
		return -1;
	r = reload(t, e);
	if (r == 0)
		r = apply(t, rule, e);
	if (r == 0)
		r = part_disk_commit(t->disk, &t->gpt, e);
	part_disk_unlock(t->disk);
	return r;
}

static int rule_clear_inactive(struct part_table *t, struct err *e)
{
	set_bits(t, part_table_inactive(t), (struct gpt_bits){ .priority = 0 });
	return 0;
}

static int rule_mark_inactive_valid(struct part_table *t, struct err *e)
{
	struct gpt_bits bits = part_table_bits(t, part_table_inactive(t));

	bits.tries_left = 1;
	set_bits(t, part_table_inactive(t), bits);
	return 0;
}

static int rule_upgrade(struct part_table *t, struct err *e)
{
	const struct gpt_bits bits = part_table_bits(t, part_table_inactive(t));
	const char *name = part_set_name(part_table_inactive(t));

	if (bits.priority || bits.successful)
		return err_set(e, ERR_STATE, PART_E_MARKED, "set %s is already marked for upgrade (priority %u, successful %u)",
			       name, bits.priority, bits.successful);
	if (!bits.tries_left)
		return err_set(e, ERR_STATE, PART_E_NOT_VALID, "set %s holds no valid image", name);
	set_priorities(t, 2, 1);
	return 0;
}

static int rule_cancel(struct part_table *t, struct err *e)
{
	set_priorities(t, 0, 2);
	return 0;
}

static int rule_rollback(struct part_table *t, struct err *e)
{
	const struct gpt_bits bits = part_table_bits(t, part_table_inactive(t));

	if (!bits.successful && !(bits.priority && bits.tries_left))
		return err_set(e, ERR_STATE, PART_E_NOT_VALID,
			       "set %s would not boot (priority %u, tries left %u, not successful)",
			       part_set_name(part_table_inactive(t)), bits.priority, bits.tries_left);
	set_priorities(t, 2, 1);
	return 0;
}

static int rule_mark_successful(struct part_table *t, struct err *e)
{
	struct gpt_bits bits = part_table_bits(t, t->active);
	const uint32_t private_entry = t->layout.private_entry;

	bits.successful = true;
	set_bits(t, t->active, bits);
	if (t->layout.has_private)
		(void)gpt_set_attributes(&t->gpt, private_entry, attributes(&t->gpt, private_entry) | BOOT_EVER_SUCCEEDED);
	return 0;
}

static int rule_rewrite(struct part_table *t, struct err *e)
{
	t->gpt.dirty = true;
	return 0;
}

int part_table_clear_inactive(struct part_table *t, struct err *e)
{
	return change(t, rule_clear_inactive, e);
}

int part_table_mark_inactive_valid(struct part_table *t, struct err *e)
{
	return change(t, rule_mark_inactive_valid, e);
}

int part_table_upgrade_to_inactive(struct part_table *t, struct err *e)
{
	return change(t, rule_upgrade, e);
}

int part_table_cancel_upgrade(struct part_table *t, struct err *e)
{
	return change(t, rule_cancel, e);
}

int part_table_rollback_to_inactive(struct part_table *t, struct err *e)
{
	return change(t, rule_rollback, e);
}

int part_table_mark_successful_boot(struct part_table *t, struct err *e)
{
	return change(t, rule_mark_successful, e);
}

int part_table_rewrite(struct part_table *t, struct err *e)
{
	return change(t, rule_rewrite, e);
}
