/* https for real: whom the fetcher believes, and what it tells of whom it does not. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "test-fixtures/harness/case.h"
#include "test-fixtures/harness/scratch.h"
#include "test-fixtures/httpd.h"
#include "test-fixtures/pki.h"
#include "tuf/fetch.h"
#include "tuf/tuf.h"

#define BODY "0123456789abcdefghijklmnopqrstuvwxyz"
#define DAY (24L * 60 * 60)

static struct scratch dir;
static char ca[2 * SCRATCH_PATH_BYTES], other_ca[2 * SCRATCH_PATH_BYTES], server[2 * SCRATCH_PATH_BYTES], client[2 * SCRATCH_PATH_BYTES],
	client_cert[2 * SCRATCH_PATH_BYTES], client_key[2 * SCRATCH_PATH_BYTES], stranger[2 * SCRATCH_PATH_BYTES];
static struct pki_authority *authority;

static void name(char out[2 * SCRATCH_PATH_BYTES], const char *file)
{
	snprintf(out, 2 * SCRATCH_PATH_BYTES, "%s/%s", dir.path, file);
}

static int set_up(void **state)
{
	struct pki_authority *other = pki_new("Another Authority");

	scratch_make(&dir);
	authority = pki_new("Test Authority");
	name(ca, "ca.pem");
	name(other_ca, "other-ca.pem");
	name(server, "server.pem");
	name(client, "client.pem");
	name(client_cert, "client-cert.pem");
	name(client_key, "client-key.pem");
	name(stranger, "stranger.pem");
	pki_write(authority, ca);
	pki_write(other, other_ca);
	pki_issue(authority, (struct pki_wish){ .host = "host-1", .client = true }, client);
	pki_issue_apart(authority, (struct pki_wish){ .host = "host-2", .client = true }, client_cert, client_key);
	pki_issue(other, (struct pki_wish){ .host = "host-3", .client = true }, stranger);
	pki_free(other);
	return 0;
}

static int tear_down(void **state)
{
	pki_free(authority);
	scratch_remove(&dir);
	return 0;
}

static struct tuf_fetch_options trusting(const char *ca_file)
{
	return (struct tuf_fetch_options){
		.ca_file = ca_file, .no_proxy = "127.0.0.1", .idle_timeout_ms = 1000, .connect_timeout_ms = 2000, .backoff_ms = 4
	};
}

static int get(struct httpd *h, const struct tuf_fetch_options *o, struct buf *out, struct err *e)
{
	CLEANUP(tuf_fetcher_free_p) struct tuf_fetcher *f = NULL;
	CLEANUP(source_free_p) struct source *s = NULL;
	char url[256];

	memset(e, 0, sizeof(*e));
	snprintf(url, sizeof(url), "%s/x", httpd_url(h));
	if (tuf_fetcher_new(o, &f, e) < 0 || tuf_fetch_open(f, url, 100, "thing", &s, e) < 0)
		return -1;
	return source_read_all(s, out, e);
}

static void servers(void **state)
{
	static const struct {
		const char *name, *ca_file;
		struct pki_wish wish;
		int ret;
		const char *says;
	} cases[] = {
		{ "right", ca, { .host = "127.0.0.1" }, 0, NULL },
		{ "unknown authority", other_ca, { .host = "127.0.0.1" }, -1, "issuer certificate" },
		{ "the system's authorities", NULL, { .host = "127.0.0.1" }, -1, "issuer certificate" },
		{ "another host", ca, { .host = "other.example" }, -1, "no alternative certificate subject name matches" },
		{ "another address", ca, { .host = "127.0.0.2" }, -1, "no alternative certificate subject name matches" },
		{ "expired", ca, { .host = "127.0.0.1", .from_sec = -2 * DAY, .until_sec = -DAY }, -1, "expired" },
		{ "not yet valid", ca, { .host = "127.0.0.1", .from_sec = DAY, .until_sec = 2 * DAY }, -1, "not yet valid" },
		{ "a client's", ca, { .host = "127.0.0.1", .client = true }, -1, "certificate" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct tuf_fetch_options o = trusting(cases[i].ca_file);
		struct buf b = BUF_INIT(100);
		struct err e;

		o.retries = 3; /* of no use here */
		pki_issue(authority, cases[i].wish, server);
		struct httpd *h = httpd_new_tls(NULL, server, NULL);

		httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .body = bytes_of_str(BODY) });
		const int ret = get(h, &o, &b, &e);

		if (ret != cases[i].ret)
			print_message("%s: %s\n", cases[i].name, e.msg);
		assert_case(cases[i].name, ret == cases[i].ret);
		if (ret == 0)
			assert_case(cases[i].name, bytes_equal(buf_bytes(&b), bytes_of_str(BODY)));
		else {
			assert_case(cases[i].name, e.kind == ERR_NETWORK && strcmp(e.reason, TUF_E_TLS) == 0);
			assert_case(cases[i].name, strstr(e.msg, cases[i].says) != NULL);
			assert_case(cases[i].name, httpd_n_requests(h) == 0 && httpd_n_connections(h) == 1);
		}
		buf_fini(&b);
		httpd_free(h);
	}
}

static void redirects_stay_on_https(void **state)
{
	const struct tuf_fetch_options o = trusting(ca);
	char there[300];

	pki_issue(authority, (struct pki_wish){ .host = "127.0.0.1" }, server);
	for (int plain = 0; plain < 2; plain++) {
		struct httpd *to = plain ? httpd_new(NULL) : httpd_new_tls(NULL, server, NULL);
		struct httpd *from = httpd_new_tls(NULL, server, NULL);
		struct tuf_fetch_options liberal = o;
		struct buf b = BUF_INIT(100);
		struct err e;

		liberal.allow_http = true; /* for URLs, not for redirects of https */
		snprintf(there, sizeof(there), "Location: %s/y\r\n", httpd_url(to));
		httpd_add(from, (struct httpd_rule){ .path = "/x", .status = 302, .headers = there });
		httpd_add(to, (struct httpd_rule){ .path = "/y", .status = 200, .body = bytes_of_str(BODY) });
		assert_int_equal(get(from, &liberal, &b, &e), plain ? -1 : 0);
		assert_int_equal(httpd_n_requests(to), plain ? 0 : 1);
		if (plain) {
			assert_int_equal(e.kind, ERR_NETWORK);
			assert_string_equal(e.reason, TUF_E_HTTP);
			assert_non_null(strstr(e.msg, "redirect refused"));
		}
		buf_fini(&b);
		httpd_free(from);
		httpd_free(to);
	}
}

static void clients(void **state)
{
	static const struct {
		const char *name, *cert, *key;
		int ret;
	} cases[] = {
		{ "both in one file", client, NULL, 0 },
		{ "apart", client_cert, client_key, 0 },
		{ "none", NULL, NULL, -1 },
		{ "of another authority", stranger, NULL, -1 },
		{ "without its key", client_cert, NULL, -1 },
		{ "another's key", client_cert, client, -1 },
		{ "no such file", "/nonexistent/client.pem", NULL, -1 },
	};

	pki_issue(authority, (struct pki_wish){ .host = "127.0.0.1" }, server);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct httpd *h = httpd_new_tls(NULL, server, ca);
		struct tuf_fetch_options o = trusting(ca);
		struct buf b = BUF_INIT(100);
		struct err e;

		o.client_cert = cases[i].cert;
		o.client_key = cases[i].key;
		httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .body = bytes_of_str(BODY) });
		const int ret = get(h, &o, &b, &e);

		if (ret < 0)
			print_message("%s: %s\n", cases[i].name, e.msg);
		assert_case(cases[i].name, ret == cases[i].ret);
		assert_case(cases[i].name, ret == 0 ? b.n == strlen(BODY) : e.kind == ERR_NETWORK);
		assert_case(cases[i].name, httpd_n_requests(h) == (ret == 0 ? 1 : 0));
		buf_fini(&b);
		httpd_free(h);
	}
}

/* A connection that breaks within TLS is like any other. */
static void a_break_is_resumed(void **state)
{
	struct tuf_fetch_options o = trusting(ca);
	struct buf b = BUF_INIT(100);
	struct err e;

	pki_issue(authority, (struct pki_wish){ .host = "127.0.0.1" }, server);
	struct httpd *h = httpd_new_tls(NULL, server, NULL);

	o.retries = 2;
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .body = bytes_of_str(BODY) });
	httpd_add(h, (struct httpd_rule){ .path = "/x", .status = 200, .act = HTTPD_CUT, .n = 10, .times = 1, .body = bytes_of_str(BODY) });
	assert_int_equal(get(h, &o, &b, &e), 0);
	assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(BODY)));
	assert_int_equal(httpd_n_body_bytes(h), strlen(BODY));
	buf_fini(&b);
	httpd_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers),
		cmocka_unit_test(redirects_stay_on_https),
		cmocka_unit_test(clients),
		cmocka_unit_test(a_break_is_resumed),
	};

	return cmocka_run_group_tests_name("tuf/fetch_tls", tests, set_up, tear_down);
}
