/* stderr is a socket that keeps message boundaries, so that one write is one message. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "test-fixtures/harness/case.h"

static int real_stderr = -1, reader = -1;

static void capture(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	real_stderr = dup(STDERR_FILENO);
	assert_int_equal(dup2(pair[1], STDERR_FILENO), STDERR_FILENO);
	close(pair[1]);
	reader = pair[0];
}

static void release(void)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(reader);
}

/* The next line, or "" if none was written. */
static size_t next_line(char *out, size_t out_bytes)
{
	const ssize_t n = recv(reader, out, out_bytes - 1, MSG_DONTWAIT);

	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static void test_line(void **state)
{
	char line[256], none[256];

	(void)state;
	capture();
	log_init("flipside", LOG_INFO);
	errno = ENOSPC;
	log_info("prepare: %s: %d", "1.2.0", 7);
	const int sys = errno;
	next_line(line, sizeof(line));
	next_line(none, sizeof(none));
	release();
	assert_string_equal(line, "flipside: info: prepare: 1.2.0: 7\n");
	assert_string_equal(none, "");
	assert_int_equal(sys, ENOSPC);
}

static void test_levels(void **state)
{
	static const char *const names[] = { "error", "warn", "info", "debug", "trace" };
	static const char *const bad[] = { "", "Error", "warning", "err", "infos", " info", "5" };
	enum log_level level = LOG_TRACE;

	(void)state;
	for (size_t max = 0; max < ARRAY_LEN(names); max++) {
		assert_case(names[max], log_parse_level(names[max], &level) && level == (enum log_level)max);
		for (size_t i = 0; i < ARRAY_LEN(names); i++) {
			char line[256], want[64];

			capture();
			log_init("p", level);
			log_at((enum log_level)i, "x");
			next_line(line, sizeof(line));
			release();
			snprintf(want, sizeof(want), "p: %s: x\n", names[i]);
			assert_case(names[i], strcmp(line, i <= max ? want : "") == 0);
			assert_case(names[i], log_enabled((enum log_level)i) == (i <= max));
		}
	}
	level = LOG_WARN;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_case(bad[i], !log_parse_level(bad[i], &level) && level == LOG_WARN);
}

static void test_control_characters(void **state)
{
	char line[256], none[256];

	(void)state;
	capture();
	log_init("p", LOG_INFO);
	log_error("a\nfake: error: \033[2J\177\xc3\xa9");
	next_line(line, sizeof(line));
	next_line(none, sizeof(none));
	release();
	assert_string_equal(line, "p: error: a?fake: error: ?[2J?\xc3\xa9\n");
	assert_string_equal(none, "");
}

/* Around the longest line: one write of at most 2048 bytes, with its end marked if something is missing. */
static void test_long_lines(void **state)
{
	(void)state;
	for (size_t n = 2030; n < 2060; n++) {
		char text[3000], line[4096], name[32];

		memset(text, 'x', n);
		text[n] = '\0';
		snprintf(name, sizeof(name), "%zu bytes", n);
		capture();
		log_init("p", LOG_INFO);
		log_info("%s", text);
		const size_t got = next_line(line, sizeof(line));
		release();
		const size_t whole = n + strlen("p: info: \n");
		assert_case(name, got == min_size(whole, 2048));
		assert_case(name, line[got - 1] == '\n' && strchr(line, '\n') == line + got - 1);
		assert_case(name, (strstr(line, "...") == line + got - 4) == (whole > 2048));
	}
}

/* Nobody can be told, and the caller's errno is not touched. */
static void test_stderr_fails(void **state)
{
	(void)state;
	capture();
	const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(null, STDERR_FILENO); /* not open for writing: EBADF */
	close(null);
	log_init("p", LOG_INFO);
	errno = ENOSPC;
	log_info("lost");
	const int sys = errno;
	release();
	assert_int_equal(sys, ENOSPC);
}

static void test_long_program_name(void **state)
{
	char name[5000], line[8192];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	capture();
	log_init(name, LOG_INFO);
	log_info("the message");
	const size_t got = next_line(line, sizeof(line));
	release();
	log_init("p", LOG_INFO);
	assert_true(got <= 2048 && strstr(line, "the message\n") != NULL);
}

/* First in main: a name given before stays. */
static void test_before_init(void **state)
{
	char line[256];

	(void)state;
	capture();
	log_debug("too deep");
	log_warn("early");
	next_line(line, sizeof(line));
	release();
	assert_string_equal(line, "warn: early\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_before_init),	   cmocka_unit_test(test_line),
		cmocka_unit_test(test_levels),		   cmocka_unit_test(test_control_characters),
		cmocka_unit_test(test_long_lines),	   cmocka_unit_test(test_long_program_name),
		cmocka_unit_test(test_stderr_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
