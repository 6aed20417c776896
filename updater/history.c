/*
 * The history file. A line counts once its line feed is on the disk; what stands behind the last line feed was
 * torn by a power cut (or a full disk) and belongs to nobody. So appending looks at the end first: if it is whole
 * and there is room, the line is appended and flushed; else the file is replaced by what is whole and fits, with
 * the new line. A power cut
 *	during the append: the old lines, and perhaps a torn one, or the new one whole;
 *	during the replacement: the old file or the new, whole.
 */
#include "updater/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/datetime.h"
#include "base/file.h"
#include "base/num.h"
#include "base/sys.h"
#include "updater/text.h"

/* A copy that fits, of text that may be anything. */
static void put_text(char *out, size_t size, const char *s)
{
	snprintf(out, size, "%s", s ? s : "");
	text_clean_utf8(out);
}

struct history_entry history_entry_of(int64_t at_sec, const char *action, const struct version *from,
				      const struct version *to, const struct err *failed)
{
	struct history_entry h = { .at_sec = at_sec, .ok = !failed };

	put_text(h.action, sizeof(h.action), action);
	put_text(h.from, sizeof(h.from), from ? from->text : NULL);
	put_text(h.to, sizeof(h.to), to ? to->text : NULL);
	if (failed) {
		put_text(h.error_kind, sizeof(h.error_kind), err_kind_name(failed->kind));
		put_text(h.error_reason, sizeof(h.error_reason), failed->reason);
		put_text(h.error_message, sizeof(h.error_message), failed->msg);
	}
	return h;
}

/* Text or null. */
static json_t *text_or_null(const char *s)
{
	return s[0] ? json_string(s) : json_null();
}

static json_t *error_of(const struct history_entry *h)
{
	return json_pack("{s:s, s:o, s:s}", "kind", h->error_kind, "reason", text_or_null(h->error_reason), "message",
			 h->error_message);
}

json_t *history_entry_to_json(const struct history_entry *h)
{
	char time[DATETIME_BYTES], hex[2 * DIGEST_MAX_BYTES + 1];

	datetime_format(h->at_sec, time);
	if (h->has_target)
		digest_hex(&h->target, hex);
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o}", "time", time, "action", h->action, "from",
			 text_or_null(h->from), "to", text_or_null(h->to), "result", h->ok ? "ok" : "failed", "error",
			 h->ok ? json_null() : error_of(h), "trust", upd_trust_to_json(&h->trust), "target",
			 h->has_target ? json_string(hex) : json_null());
}

/* A required member that is text or null, into @size bytes. */
static void get_text(struct json_in *in, const char *name, char *out, size_t size)
{
	const char *s = NULL;

	if (json_is_null(json_object_get(in->obj, name)))
		return;
	json_get_str(in, name, size - 1, &s);
	if (s)
		memcpy(out, s, strlen(s) + 1);
}

static void get_result(struct json_in *in, struct history_entry *h)
{
	char result[8] = "";
	struct json_in error;

	get_text(in, "result", result, sizeof(result));
	h->ok = strcmp(result, "ok") == 0;
	if (in->failed || h->ok)
		return;
	if (strcmp(result, "failed") != 0) {
		json_in_fail(in, "result", "neither ok nor failed");
		return;
	}
	error = json_get_object(in, "error");
	get_text(&error, "kind", h->error_kind, sizeof(h->error_kind));
	get_text(&error, "reason", h->error_reason, sizeof(h->error_reason));
	get_text(&error, "message", h->error_message, sizeof(h->error_message));
	json_in_join(in, &error);
}

static int parse_line(struct bytes line, struct history_entry *out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *j = NULL;
	struct history_entry h = { 0 };
	struct json_in in;

	if (json_load_bytes(line, &j, e) < 0)
		return -1;
	in = json_in_object(j, "history", e);
	json_get_time(&in, "time", &h.at_sec);
	get_text(&in, "action", h.action, sizeof(h.action));
	get_text(&in, "from", h.from, sizeof(h.from));
	get_text(&in, "to", h.to, sizeof(h.to));
	get_result(&in, &h);
	if (!json_is_null(json_object_get(j, "target"))) {
		json_get_hex(&in, "target", h.target.v, digest_size(DIGEST_SHA256));
		h.has_target = true;
	}
	if (json_in_end(&in) < 0 || upd_trust_from_json(json_object_get(j, "trust"), "trust", &h.trust, e) < 0)
		return -1;
	*out = h;
	return 0;
}

/* The entry as a line with its line feed. */
static int format_line(const struct history_entry *h, struct buf *out, struct err *e)
{
	CLEANUP(json_decref_p) json_t *j = history_entry_to_json(h);
	CLEANUP(free_p) char *text = j ? json_dumps(j, JSON_COMPACT) : NULL;

	if (!text)
		return err_set(e, ERR_SYSTEM, "memory", "writing %s: out of memory", HISTORY_FILE);
	if (buf_append_str(out, text, e) < 0 || buf_append(out, "\n", 1, e) < 0)
		return err_wrap(e, "writing %s", HISTORY_FILE);
	return 0;
}

/* The last HISTORY_MAX_BYTES of the file into @out, and its whole size. A file that is not there is empty. */
static int read_tail(int dir, struct buf *out, uint64_t *size_bytes, struct err *e)
{
	CLEANUP(close_p) int fd = sys_openat(dir, HISTORY_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	struct stat st;
	uint64_t n;

	*size_bytes = 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "opening %s", HISTORY_FILE);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_SYSTEM, NULL, "%s is not a regular file", HISTORY_FILE);
	*size_bytes = (uint64_t)st.st_size;
	n = min_u64(*size_bytes, HISTORY_MAX_BYTES);
	if (n == 0)
		return 0;
	if (buf_reserve(out, (size_t)n, e) < 0 ||
	    file_pread_all(fd, out->p, (size_t)n, *size_bytes - n, HISTORY_FILE, e) < 0)
		return -1;
	out->n = (size_t)n;
	return 0;
}

/* Where the last line that is whole within b[0..n) starts, its line feed being at n - 1. */
static size_t line_start(const uint8_t *b, size_t n)
{
	const uint8_t *lf = n > 1 ? memrchr(b, '\n', n - 1) : NULL;

	return lf ? (size_t)(lf - b) + 1 : 0;
}

/* The whole lines of @b: without what is torn at its end. */
static struct bytes whole_lines(struct bytes b)
{
	const uint8_t *lf = b.n ? memrchr(b.p, '\n', b.n) : NULL;

	return bytes_of(b.p, lf ? (size_t)(lf - b.p) + 1 : 0);
}

/* The newest of @lines that fit in @max bytes. */
static struct bytes newest(struct bytes lines, size_t max)
{
	size_t from = lines.n;

	while (from > 0) {
		const size_t at = line_start(lines.p, from);

		if (lines.n - at > max)
			break;
		from = at;
	}
	return bytes_of(lines.p + from, lines.n - from);
}

static int append_line(int dir, struct bytes line, struct err *e)
{
	CLEANUP(close_p) int fd = sys_openat(dir, HISTORY_FILE, O_WRONLY | O_APPEND | O_NOFOLLOW, 0);

	if (fd < 0)
		return err_sys(e, "opening %s", HISTORY_FILE);
	if (file_write_all(fd, line.p, line.n, HISTORY_FILE, e) < 0)
		return -1;
	return sys_fsync(fd) < 0 ? err_sys(e, "flushing %s", HISTORY_FILE) : 0;
}

/* @old may be cut at its front as well, so its first line is one only if the file starts there. */
static int replace(int dir, struct bytes old, bool cut_at_front, struct bytes line, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(HISTORY_MAX_BYTES);
	struct bytes keep = whole_lines(old);

	if (cut_at_front || keep.n + line.n > HISTORY_MAX_BYTES)
		keep = newest(keep, HISTORY_MAX_BYTES / 2);
	if (keep.n && buf_append(&text, keep.p, keep.n, e) < 0)
		return -1;
	if (buf_append(&text, line.p, line.n, e) < 0)
		return -1;
	return file_replace(dir, HISTORY_FILE, buf_bytes(&text), 0644, e);
}

int history_append(int dir, const struct history_entry *h, struct err *e)
{
	CLEANUP(buf_fini) struct buf line = BUF_INIT(HISTORY_LINE_MAX_BYTES);
	CLEANUP(buf_fini) struct buf old = BUF_INIT(HISTORY_MAX_BYTES);
	uint64_t size_bytes;
	bool whole;

	if (format_line(h, &line, e) < 0 || read_tail(dir, &old, &size_bytes, e) < 0)
		return -1;
	whole = old.n && old.p[old.n - 1] == '\n';
	if (whole && size_bytes + line.n <= HISTORY_MAX_BYTES)
		return append_line(dir, buf_bytes(&line), e);
	return replace(dir, buf_bytes(&old), size_bytes > old.n, buf_bytes(&line), e);
}

/* Walks the whole lines from the end. */
static size_t parse_newest(struct bytes lines, struct history_entry *out, size_t max)
{
	struct err ignored;
	size_t n = 0, end = lines.n;

	while (end > 0 && n < max) {
		const size_t at = line_start(lines.p, end);

		if (parse_line(bytes_of(lines.p + at, end - at), &out[n], &ignored) == 0)
			n++;
		end = at;
	}
	return n;
}

static size_t count_lines(struct bytes b)
{
	size_t n = 0;

	for (size_t i = 0; i < b.n; i++)
		n += b.p[i] == '\n';
	return n;
}

int history_read(int dir, size_t max, struct history_entry **out, size_t *n, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(HISTORY_MAX_BYTES);
	struct history_entry *list = NULL;
	struct bytes lines;
	uint64_t size_bytes;
	size_t room;

	if (read_tail(dir, &text, &size_bytes, e) < 0)
		return -1;
	lines = whole_lines(buf_bytes(&text));
	room = min_size(max, count_lines(lines));
	if (room) {
		list = calloc(room, sizeof(*list));
		if (!list)
			return err_sys(e, "reading %s", HISTORY_FILE);
	}
	*n = parse_newest(lines, list, room);
	*out = list;
	return 0;
}

static bool is_among(const struct version *v, const struct version *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (version_compare(v, &list[i]) == 0)
			return true;
	return false;
}

/* Whether an entry newer than @i says that @v was confirmed. */
static bool is_confirmed_since(const struct history_entry *h, size_t i, const struct version *v)
{
	struct version booted;
	struct err ignored;

	while (i-- > 0)
		if (h[i].ok && strcmp(h[i].action, HISTORY_BOOTED) == 0 && version_parse(h[i].to, &booted, &ignored) == 0 &&
		    version_compare(&booted, v) == 0)
			return true;
	return false;
}

void history_fell_back(const struct history_entry *h, size_t n_entries, struct version *out, size_t max, size_t *n)
{
	struct version v;
	struct err ignored;

	*n = 0;
	for (size_t i = 0; i < n_entries && *n < max; i++) {
		if (strcmp(h[i].action, HISTORY_FELL_BACK) != 0 || version_parse(h[i].from, &v, &ignored) < 0)
			continue;
		if (!is_among(&v, out, *n) && !is_confirmed_since(h, i, &v))
			out[(*n)++] = v;
	}
}
