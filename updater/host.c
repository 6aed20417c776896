/* Opening what an action stands on. Nothing here decides; a failure names the file that is at fault. */
#include "updater/host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/file.h"
#include "base/log.h"

#define LOCK_POLL_MS 100

static void log_warnings(const struct config *c)
{
	const char *p = (const char *)c->warnings.p;
	size_t left = c->warnings.n;

	while (left) {
		const char *end = memchr(p, '\n', left);
		const size_t n = end ? (size_t)(end - p) : left;

		log_warn("%.*s", (int)n, p);
		p += n + (end ? 1 : 0);
		left -= n + (end ? 1 : 0);
	}
}

static int read_identity(struct host *h, struct err *e)
{
	struct utsname u;

	if (uname(&u) < 0)
		return err_sys(e, "uname");
	return os_release_load(h->config->os_release, u.machine, &h->os, e);
}

/* Empty configuration values mean "not set" to the transport. */
static const char *or_null(const char *s)
{
	return s && *s ? s : NULL;
}

static void fill_fetch(struct host *h)
{
	const struct config *c = h->config;
	uint32_t seed = 0;
	struct err ignored; /* told where the seed decides something */

	(void)config_seed(c, HOST_MACHINE_ID, &seed, &ignored);

	h->fetch = (struct tuf_fetch_options){
		.user_agent = "flipside/" FLIPSIDE_VERSION,
		.https_proxy = or_null(c->https_proxy),
		.no_proxy = or_null(c->no_proxy),
		.ca_file = or_null(c->ca_file),
		.client_cert = or_null(c->client_cert),
		.client_key = or_null(c->client_key),
		.rate_limit = c->rate_limit,
		.allow_http = c->allow_http,
		.connect_timeout_ms = c->connect_timeout_ms,
		.idle_timeout_ms = c->idle_timeout_ms,
		.retries = 4,
		.jitter_seed = ((uint64_t)h->options.now_sec << 11) ^ seed, /* no two hosts at once */
		.stop = h->options.stop,
	};
}

int host_open(const struct host_options *o, struct host **out, struct err *e)
{
	CLEANUP(host_free_p) struct host *h = calloc(1, sizeof(*h));

	if (!h)
		return err_sys(e, "opening the host");
	h->options = *o;
	h->state_dir = h->lock = -1;
	if (config_load(o->config_path, &h->config, e) < 0)
		return -1;
	log_warnings(h->config);
	if (read_identity(h, e) < 0 || file_make_dirs(h->config->state_dir, 0755, e) < 0 ||
	    file_open_dir(h->config->state_dir, &h->state_dir, e) < 0)
		return -1;
	fill_fetch(h);
	*out = TAKE(h);
	return 0;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	config_free(h->config);
	close_p(&h->state_dir);
	close_p(&h->lock);
	free(h);
}

int host_lock(struct host *h, uint32_t wait_ms, struct err *e)
{
	const struct timespec pause = { .tv_nsec = LOCK_POLL_MS * 1000000L };

	if (h->lock >= 0)
		return 0;
	for (uint32_t waited = 0;; waited += LOCK_POLL_MS) {
		if (file_lock(h->config->lock_file, &h->lock, e) == 0)
			return 0;
		if (e->kind != ERR_BUSY || waited >= wait_ms)
			return -1;
		nanosleep(&pause, NULL);
	}
}

int host_open_table(const struct host *h, struct part_table **out, struct err *e)
{
	const struct part_options o = {
		.disk = or_null(h->config->disk),
		.active = h->config->active_set,
		.types = h->config->types,
	};

	return part_table_open(&o, out, e);
}

int host_open_repo(struct host *h, struct tuf_client **out, struct err *e)
{
	CLEANUP(buf_fini) struct buf root = BUF_INIT(TUF_ROOT_MAX_BYTES);
	struct tuf_client_config c = {
		.metadata_url = h->config->metadata_base_url,
		.targets_url = h->config->targets_base_url,
		.store_dir = h->config->metadata_dir,
		.now_sec = h->options.now_sec,
		.fetch = &h->fetch,
	};

	if (config_check_repository(h->config, e) < 0)
		return -1;
	if (file_read(AT_FDCWD, h->config->trusted_root, &root, e) < 0)
		return err_wrap(e, "trusted root");
	c.trusted_root = buf_bytes(&root);
	return tuf_client_open(&c, out, e);
}

void host_set_query(struct host *h, uint32_t seed, const char *target, const char *migrations)
{
	h->fetch.query = NULL;
	if (!h->config->send_query)
		return;
	/* Names of versions and targets are plain (semver, safe file names), but '+' means a blank in a query. */
	const int n = snprintf(h->query, sizeof(h->query), "%s%s%sseed=%u%s%s&version=%s", migrations ? "migrations=" : "",
			       migrations ? migrations : "", migrations ? "&" : "", seed, target ? "&target=" : "",
			       target ? target : "", h->os.version.text);

	if (n < 0 || (size_t)n >= sizeof(h->query))
		return;
	for (char *p = h->query; *p; p++)
		if (*p == '+' || *p == ' ' || *p == '#' || *p == '%')
			*p = '_';
	h->fetch.query = h->query;
}

struct upd_trust host_trust(const struct tuf_client *c)
{
	const struct tuf_trust t = tuf_client_trust(c);

	return (struct upd_trust){ .root = t.root_version,
				   .timestamp = t.timestamp_version,
				   .snapshot = t.snapshot_version,
				   .targets = t.targets_version };
}
