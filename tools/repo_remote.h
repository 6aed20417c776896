/*
 * A repository at a URL, walked from end to end as no client does: every root, every role, whether or not
 * anything leads a host there. The rules are the client's trusted set.
 */
#ifndef FLIPSIDE_TOOLS_REPO_REMOTE_H
#define FLIPSIDE_TOOLS_REPO_REMOTE_H

#include "tools/repo_cli.h"
#include "tools/repo_state.h"
#include "tuf/fetch.h"
#include "tuf/trusted.h"

#define REPO_URL_MAX_BYTES 4096

struct repo_remote {
	struct tuf_fetcher *fetcher;
	const char *metadata_url, *targets_url; /* borrowed; the latter may be NULL */
};

int repo_remote_open(const struct repo_cli *c, const char *metadata_url, const char *targets_url, struct repo_remote *out, struct err *e);
void repo_remote_fini(struct repo_remote *r);

/* "file:///..." of a folder, for the caller to free. */
int repo_file_url(const char *folder, const char *below, char **out, struct err *e);

/* A metadata file, at most @max_bytes; @version 0: not numbered. @out must be empty. */
int repo_remote_metadata(const struct repo_remote *r, const char *role, uint64_t version, size_t max_bytes, struct buf *out, struct err *e);

/* A target, its length and known digests checked on the way. @consistent: ask for HASH.NAME. ERR_TRUST
 * TUF_E_DIGEST without a known digest */
int repo_remote_target(const struct repo_remote *r, const struct tuf_entry *t, bool consistent, struct source **out, struct err *e);

/* A file that a walk has found good. */
struct repo_walk_file {
	enum tuf_type type;
	uint64_t version;
	char name[REPO_ROLE_FILE_BYTES]; /* as it is served */
	struct buf text;
};

struct repo_walk {
	struct tuf_trusted *trusted;
	size_t n_files;
	struct repo_walk_file *files; /* in the order of finding: roots behind the first, timestamp, snapshot, targets, delegated roles */
	size_t n_roles;
	const struct tuf_targets **roles; /* targets and all below it, each once; owned by @trusted */
	size_t n_unlisted;		  /* roles that are delegated to and not in snapshot */
};

struct repo_walk_options {
	int64_t now_sec;
	enum tuf_expiry expiry;
	int known; /* a folder of a mirror: its timestamp and snapshot are what new ones are compared with, and its files are used where good;
		      -1: none */
};

/**
 * repo_walk() - the whole repository from a trusted root on
 * @root: a root's bytes
 * @out:  zero-initialised; on failure it holds what was found until then; repo_walk_fini() either way
 * Return: 0; -1: what a client would fail with
 */
int repo_walk(const struct repo_remote *r, struct bytes root, const struct repo_walk_options *o, struct repo_walk *out, struct err *e);
void repo_walk_fini(struct repo_walk *w);

/* The entry of this path in the first role that has it; NULL if none. */
const struct tuf_entry *repo_walk_target(const struct repo_walk *w, const char *path);

#endif
