/*
 * Opened by hand, not by curl, which can neither pause a local file nor tell a missing one from an unreadable one.
 *
 * Two customs meet here: a folder that a web server serves has decoded names, and one that tough reads by file://
 * has them as they stand in the URL. So the decoded one is tried first, then the other.
 */
#include "tuf/fetch_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/sys.h"
#include "tuf/tuf.h"
#include "tuf/url.h"

/* Anything but a regular file could block, or never end. */
static int open_regular(const struct tuf_fetch_request *q, const char *path, const char *as_it_stands, const char *shown,
			struct source **out, struct err *e)
{
	CLEANUP(close_p) int fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, 0);
	struct stat st;

	/* Where both exist the decoded one is what a web server would have given. */
	if (fd < 0 && errno == ENOENT)
		fd = sys_openat(AT_FDCWD, as_it_stands, O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG))
		return err_set(e, ERR_MISSING, TUF_E_HTTP, "%s: %s: no such file", q->what, shown);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "%s: %s", q->what, shown);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_NETWORK, TUF_E_TRANSPORT, "%s: %s: not a regular file", q->what, shown);
	const uint64_t size = (uint64_t)st.st_size;

	if (size > q->max_bytes)
		return err_set(e, ERR_FORMAT, TUF_E_LIMIT, "%s: %s: more than %" PRIu64 " bytes", q->what, shown, q->max_bytes);
	if (q->offset > size)
		return err_set(e, ERR_NETWORK, TUF_E_RANGE, "%s: %s: it has no byte %" PRIu64, q->what, shown, q->offset);
	if (source_fd_new(fd, true, q->offset, size - q->offset, q->what, out, e) < 0)
		return -1;
	(void)TAKE_FD(fd);
	return 0;
}

int tuf_fetch_file_range(const struct tuf_fetch_request *q, struct source **out, struct err *e)
{
	struct buf path = BUF_INIT(TUF_FETCH_URL_MAX_BYTES);
	char shown[TUF_URL_SHOWN_BYTES];
	int r = -1;

	tuf_url_show(q->url, shown);
	log_debug("GET %s", shown);
	if (tuf_url_file_path(q->url, &path, e) < 0 || !buf_str(&path, e))
		err_wrap(e, "%s: %s", q->what, shown);
	else
		r = open_regular(q, (const char *)path.p, strchr(q->url + strlen("file://"), '/'), shown, out, e);
	buf_fini(&path);
	return r;
}

int tuf_fetch_file(const char *url, uint64_t max_bytes, const char *what, struct source **out, struct err *e)
{
	const struct tuf_fetch_request q = { .url = url, .what = what, .max_bytes = max_bytes };

	return tuf_fetch_file_range(&q, out, e);
}
