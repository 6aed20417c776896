/* The program tufclient: its options and verbs, split over tufclient*.c. */
#ifndef FLIPSIDE_TUF_TUFCLIENT_H
#define FLIPSIDE_TUF_TUFCLIENT_H

#include <stdbool.h>

#include "base/cli.h"
#include "tuf/client.h"

/* What the command line said. */
struct options {
	const char *metadata_dir, *target_dir;
	struct cli_strings metadata_urls, target_base_urls; /* of mirrors, in the same order */
	struct cli_strings target_names;
	const char *ca_file, *log_level, *time, *root;
	bool json, quiet, https_only;
	bool found_failures; /* set by a verb whose answer, given in full, is that something is wrong */
};

int start_log(const struct options *o, struct err *e);

/* --time, or the present. */
int reference_time(const struct options *o, int64_t *out, struct err *e);

/* A client for these options. @root: shipped root for init, else .p NULL. */
int open_client(const struct options *o, struct bytes root, struct tuf_client **out, struct err *e);

/* Prints the answer: @j (taken over) with --json, nothing with --quiet, else @text. */
int answer(const struct options *o, json_t *j, const char *text, struct err *e);

/* A report goes on without what is not there or no good, but never for want of memory. */
bool is_out_of_memory(const struct err *e);

/* Versions and expiry of what is trusted, as JSON; NULL out of memory. */
json_t *json_of_trust(const struct tuf_client *c);

int run_download(void *ctx, int argc, char **argv, struct err *e);
int run_info(void *ctx, int argc, char **argv, struct err *e);
int run_list(void *ctx, int argc, char **argv, struct err *e);
int run_verify(void *ctx, int argc, char **argv, struct err *e);

/* Set by SIGINT and SIGTERM. */
extern volatile sig_atomic_t stop_requested;

#endif
