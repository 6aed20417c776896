/* A log in memory: its events in order, and wrong versions of it, as a program with that fault would have written them. */
#ifndef FLIPSIDE_TEST_FIXTURES_CUTEVENTS_H
#define FLIPSIDE_TEST_FIXTURES_CUTEVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "test-fixtures/powercut/cutlog.h"

struct cut_event {
	struct cut_record r;
	struct bytes data;
};

struct cut_events {
	struct cut_event *v;
	size_t n;
};

/* @log is borrowed. Return: 0; -1: ERR_FORMAT for a log that ends within a record */
int cut_events_parse(struct bytes log, struct cut_events *out, struct err *e);
void cut_events_fini(struct cut_events *v);

/*
 * Makes a fault: "NAME:N". Commits are the changes of the partition table, counted from 0; each is four writes
 * with a flush after each.
 *
 *	between:N	the flush between the two copies of commit N is left out
 *	last:N		the last flush of commit N is left out
 *	commit:N	all flushes of commit N are left out
 *	data:N		all flushes between commit N - 1 and N are left out, and that of N's first write
 *	early:N		commit N comes before the data that it vouches for
 *	late:N		commit N comes before the last flush of the data that it vouches for
 *	swap:N		commit N writes the primary copy first, or the backup if it wrote the primary first
 *	record:N	files get their names after commit N, not before
 *	flush:N		flush N of the log is left out, commits or not
 *
 * @is_table: whether an offset on the disk belongs to the partition table. ERR_USAGE: no such fault, or no such commit
 */
typedef bool (*cut_is_table_fn)(void *ctx, uint64_t offset);
int cut_events_mutate(struct cut_events *v, const char *fault, cut_is_table_fn is_table, void *ctx, struct err *e);

#endif
