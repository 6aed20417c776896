/* The status in memory and its file. A damaged file is told and counts as absent: the disk, not this file, says
 * what is staged. */
#include "updater/status.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "updater/text.h"

int status_new(struct status **out, struct err *e)
{
	struct status *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(e, "status");
	s->state = UPD_IDLE;
	*out = s;
	return 0;
}

void status_free(struct status *s)
{
	if (!s)
		return;
	free(s->available);
	free(s->command.text);
	free(s);
}

int status_set_available(struct status *s, const struct version *v, size_t n, struct err *e)
{
	struct version *copy = calloc(n ? n : 1, sizeof(*copy));

	if (!copy)
		return err_sys(e, "status");
	if (n)
		memcpy(copy, v, n * sizeof(*copy));
	free(s->available);
	s->available = copy;
	s->n_available = n;
	return 0;
}

/* A copy of @s, cut in its middle if it is too long. */
static char *bounded_copy(const char *s)
{
	static const char gap[] = "\n[...]\n";
	const size_t n = strlen(s), keep = STATUS_STDERR_MAX_BYTES - (sizeof(gap) - 1), head = keep / 2;
	char *copy;

	if (n <= STATUS_STDERR_MAX_BYTES)
		return strdup(s);
	copy = malloc(STATUS_STDERR_MAX_BYTES + 1);
	if (!copy)
		return NULL;
	memcpy(copy, s, head);
	memcpy(copy + head, gap, sizeof(gap) - 1);
	memcpy(copy + head + sizeof(gap) - 1, s + n - (keep - head), keep - head + 1);
	return copy;
}

int status_set_command(struct status *s, enum upd_command type, enum status_result result, int64_t at_sec,
		       uint32_t at_nsec, int exit_status, const char *text, struct err *e)
{
	char *copy = bounded_copy(text);

	if (!copy)
		return err_sys(e, "status");
	text_clean_utf8(copy);
	free(s->command.text);
	s->command = (struct status_command){ .known = true,
					      .type = type,
					      .result = result,
					      .at_sec = at_sec,
					      .at_nsec = at_nsec,
					      .has_exit_status = true,
					      .exit_status = exit_status,
					      .text = copy };
	return 0;
}

int status_load(int dir, struct status **out, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(STATUS_MAX_BYTES);

	if (file_read(dir, STATUS_FILE, &text, e) == 0 && status_parse(buf_bytes(&text), out, e) == 0)
		return 0;
	if (e->kind != ERR_MISSING && e->kind != ERR_FORMAT)
		return -1;
	if (e->kind == ERR_FORMAT)
		log_warn("%s is damaged and counts as absent: %s", STATUS_FILE, e->msg);
	return status_new(out, e) < 0 ? -1 : STATUS_ABSENT;
}

int status_store(const struct status *s, int dir, struct err *e)
{
	CLEANUP(buf_fini) struct buf text = BUF_INIT(STATUS_MAX_BYTES);
	CLEANUP(json_decref_p) json_t *j = status_to_json(s, e);

	if (!j || json_to_buf(j, &text, e) < 0)
		return err_wrap(e, "writing %s", STATUS_FILE);
	return file_replace(dir, STATUS_FILE, buf_bytes(&text), 0644, e);
}
