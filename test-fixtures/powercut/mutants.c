/*
 * Wrong builds of the recorded programs, one by each MUTANT_ name, to show that the replayer finds real mistakes
 * and not only edited logs. The faults are put under the program's own objects by the linker's --wrap and by the
 * recorder, so that no shipped file knows of them.
 *
 *	PRIMARY_FIRST	the copy of the partition table that is in force is written first, the other one after it
 *	TABLE_UNFLUSHED	the partition table is written without any flush
 *	DATA_UNFLUSHED	what is written to the partitions is never flushed
 *	FLIP_FIRST	a set is marked as valid first, and its content flushed after that
 *
 * The last two are harmless where all data goes past the page cache: then the table's own first flush covers it,
 * before any header says that the set is valid. So they are recorded without O_DIRECT.
 */
#include <unistd.h>

#include "partitions/gptcore.h"
#include "partitions/table.h"
#include "test-fixtures/powercut/record.h"

#define LATE_MAX 64

int __real_gpt_commit(struct gpt *g);
int __wrap_gpt_commit(struct gpt *g);
int __real_part_table_mark_inactive_valid(struct part_table *t, struct err *e);
int __wrap_part_table_mark_inactive_valid(struct part_table *t, struct err *e);

static bool in_commit; /* writes and flushes are the table's */

#ifdef MUTANT_TABLE_UNFLUSHED
static int no_flush(void *ctx)
{
	return 0;
}
#endif

int __wrap_gpt_commit(struct gpt *g)
{
	const struct gpt_io *io = g->io;
	struct gpt_io other = *io;
	int r;

#ifdef MUTANT_TABLE_UNFLUSHED
	other.flush = no_flush;
#endif
#ifdef MUTANT_PRIMARY_FIRST
	g->from_backup = !g->from_backup; /* the core begins with the copy that is not in force */
#endif
	g->io = &other;
	in_commit = true;
	r = __real_gpt_commit(g);
	in_commit = false;
	g->io = io;
	return r;
}

#if defined(MUTANT_DATA_UNFLUSHED) || defined(MUTANT_FLIP_FIRST)
#ifdef MUTANT_FLIP_FIRST
static int late[LATE_MAX];
static size_t n_late;
#endif

/* Called under the recorder's lock. */
bool record_drops_flush(int fd)
{
#ifdef MUTANT_FLIP_FIRST
	if (!in_commit && n_late < LATE_MAX)
		late[n_late++] = record_dup(fd);
#endif
	return !in_commit;
}
#endif

int __wrap_part_table_mark_inactive_valid(struct part_table *t, struct err *e)
{
	const int r = __real_part_table_mark_inactive_valid(t, e);

#ifdef MUTANT_FLIP_FIRST
	in_commit = true;
	for (; n_late > 0; n_late--) {
		(void)__wrap_sys_fsync(late[n_late - 1]);
		(void)close(late[n_late - 1]);
	}
	in_commit = false;
#endif
	return r;
}
