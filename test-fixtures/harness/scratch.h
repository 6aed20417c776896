/* A directory of a test's own, made empty and removed with all that is in it. Failures end the test program. */
#ifndef FLIPSIDE_TEST_FIXTURES_SCRATCH_H
#define FLIPSIDE_TEST_FIXTURES_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>

#define SCRATCH_PATH_BYTES 256

struct scratch {
	int fd; /* the directory, for the *at functions */
	char path[SCRATCH_PATH_BYTES];
};

/* In $TMPDIR, or /tmp. */
void scratch_make(struct scratch *s);
void scratch_remove(struct scratch *s);

/* PATH/NAME; good until the next call. */
const char *scratch_path(const struct scratch *s, const char *name);

/* Makes @name with the @n bytes at @p, by plain calls that no fault reaches. */
void scratch_write(const struct scratch *s, const char *name, const void *p, size_t n);

/* True if @name is a regular file of exactly these bytes. */
bool scratch_holds(const struct scratch *s, const char *name, const void *p, size_t n);

/* Entries of the directory, without "." and "..". */
size_t scratch_entries(const struct scratch *s);

#endif
