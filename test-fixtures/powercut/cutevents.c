/* Faults are made by marking events as gone, or by rotating a run of events to an earlier place. */
#include "test-fixtures/powercut/cutevents.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"

#define GONE 0
#define COMMIT_WRITES 4

static bool has_data(uint8_t kind)
{
	return kind == CUT_WRITE || kind == CUT_RENAME || kind == CUT_UNLINK || kind == CUT_MARK;
}

int cut_events_parse(struct bytes log, struct cut_events *out, struct err *e)
{
	struct cut_events v = { 0 };
	size_t at = 0, cap = 0;

	while (at < log.n) {
		struct cut_event *event;

		if (v.n == cap) {
			cap = cap ? 2 * cap : 256;
			v.v = realloc(v.v, cap * sizeof(*v.v));
			if (!v.v)
				abort();
		}
		event = &v.v[v.n];
		if (log.n - at < sizeof(event->r))
			break;
		memcpy(&event->r, log.p + at, sizeof(event->r));
		at += sizeof(event->r);
		event->data = bytes_of(log.p + at, has_data(event->r.kind) ? event->r.n : 0);
		if (event->data.n > log.n - at)
			break;
		at += event->data.n;
		v.n++;
	}
	*out = v;
	return at == log.n ? 0 : err_set(e, ERR_FORMAT, "short", "the log ends within a record");
}

void cut_events_fini(struct cut_events *v)
{
	free(v->v);
	*v = (struct cut_events){ 0 };
}

/* The events of a commit: from its first write to the end of its last flush. */
struct commit {
	size_t from, to; /* to: one behind */
	size_t write[COMMIT_WRITES];
};

static size_t end_of(const struct cut_events *v, size_t from, uint8_t kind, uint32_t id)
{
	while (from < v->n && (v->v[from].r.kind != kind || (id && v->v[from].r.id != id)))
		from++;
	return from;
}

static bool find_commit(const struct cut_events *v, uint64_t number, cut_is_table_fn is_table, void *ctx, struct commit *out)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (v->v[i].r.kind != CUT_WRITE || !is_table(ctx, v->v[i].r.offset))
			continue;
		if (seen / COMMIT_WRITES == number)
			out->write[seen % COMMIT_WRITES] = i;
		seen++;
	}
	if (seen / COMMIT_WRITES <= number)
		return false;
	out->from = out->write[0];
	out->to = end_of(v, out->write[COMMIT_WRITES - 1], CUT_FLUSH_END, 0) + 1;
	return out->to <= v->n;
}

static size_t drop_flushes(struct cut_events *v, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t i = from; i < to; i++)
		if (v->v[i].r.kind == CUT_FLUSH || v->v[i].r.kind == CUT_FLUSH_END) {
			v->v[i].r.kind = GONE;
			n++;
		}
	return n;
}

static void swap_events(struct cut_event *v, size_t from, size_t to)
{
	while (from + 1 < to) {
		const struct cut_event e = v[from];

		v[from++] = v[--to];
		v[to] = e;
	}
}

/* The run @from..@to comes before @place. */
static void move_before(struct cut_events *v, size_t place, size_t from, size_t to)
{
	swap_events(v->v, place, from);
	swap_events(v->v, from, to);
	swap_events(v->v, place, to);
}

static size_t last_before(const struct cut_events *v, size_t end, uint8_t kind)
{
	while (end > 0 && v->v[end - 1].r.kind != kind)
		end--;
	return end; /* one behind it; 0: none */
}

static bool drop_nth_flush(struct cut_events *v, uint64_t n)
{
	for (size_t i = 0; i < v->n; i++) {
		if (v->v[i].r.kind != CUT_FLUSH || n-- > 0)
			continue;
		const size_t end = end_of(v, i, CUT_FLUSH_END, v->v[i].r.id);

		v->v[i].r.kind = GONE;
		if (end < v->n)
			v->v[end].r.kind = GONE;
		return true;
	}
	return false;
}

/* All names that were made durable since the commit before come after this one. */
static bool names_last(struct cut_events *v, size_t from, const struct commit *c)
{
	bool found = false;

	for (size_t i = c->from, to = c->from; i > from; i--) {
		const uint8_t kind = v->v[i - 1].r.kind;

		if (kind != CUT_RENAME && kind != CUT_FOLDER_FLUSHED)
			continue;
		/* Out of its place to just before @to, the commit; then the commit moves in front of it. */
		move_before(v, i - 1, i, to);
		to--;
		found = true;
	}
	return found;
}

static bool mutate(struct cut_events *v, const char *name, const struct commit *before, struct commit *c)
{
	if (strcmp(name, "between") == 0)
		return drop_flushes(v, c->write[1], c->write[2]) > 0;
	if (strcmp(name, "last") == 0)
		return drop_flushes(v, c->write[3], c->to) > 0;
	if (strcmp(name, "commit") == 0)
		return drop_flushes(v, c->from, c->to) > 0;
	if (strcmp(name, "data") == 0)
		return drop_flushes(v, before->to, c->write[1]) > 0;
	if (strcmp(name, "swap") == 0) {
		move_before(v, c->from, c->write[2], c->to);
		return true;
	}
	if (strcmp(name, "early") == 0 || strcmp(name, "late") == 0) {
		const size_t place = *name == 'e' ? before->to : last_before(v, c->from, CUT_FLUSH);

		if (place <= before->to - (*name == 'e'))
			return false;
		move_before(v, *name == 'e' ? place : place - 1, c->from, c->to);
		return true;
	}
	if (strcmp(name, "record") == 0) {
		size_t n = 0;

		if (!names_last(v, before->to, c))
			return false;
		for (size_t i = before->to; i < c->from; i++)
			n += v->v[i].r.kind == CUT_RENAME || v->v[i].r.kind == CUT_FOLDER_FLUSHED;
		move_before(v, c->from - n, c->from, c->to);
		return true;
	}
	return false;
}

int cut_events_mutate(struct cut_events *v, const char *fault, cut_is_table_fn is_table, void *ctx, struct err *e)
{
	const char *colon = strchr(fault, ':');
	struct commit c, before = { 0 };
	char name[16] = "";
	uint64_t n;

	if (!colon || (size_t)(colon - fault) >= sizeof(name) || !num_parse_u64(colon + 1, 0, UINT32_MAX, &n))
		return err_set(e, ERR_USAGE, NULL, "\"%s\" is not FAULT:NUMBER", fault);
	memcpy(name, fault, (size_t)(colon - fault));
	if (strcmp(name, "flush") == 0)
		return drop_nth_flush(v, n) ? 0 : err_set(e, ERR_USAGE, "end", "there is no flush %s", colon + 1);
	if (!find_commit(v, n, is_table, ctx, &c) || (n > 0 && !find_commit(v, n - 1, is_table, ctx, &before)) ||
	    !mutate(v, name, &before, &c))
		return err_set(e, ERR_USAGE, NULL, "the fault \"%s\" cannot be made in this log", fault);
	return 0;
}
