/* Locals end with their scope, and giving away is written down: CLEANUP(free_p) char *s = NULL; ... *out = TAKE(s); */
#ifndef FLIPSIDE_BASE_CLEANUP_H
#define FLIPSIDE_BASE_CLEANUP_H

#include <stdlib.h>
#include <unistd.h>

/* @fn gets a pointer to the variable. The variable must hold a value that @fn accepts before anything can fail. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* The pointer's value; the variable is left NULL, so its cleanup does nothing. */
#define TAKE(p)                                                                                                        \
	({                                                                                                             \
		__typeof__(p) taken_ = (p);                                                                            \
		(p) = NULL;                                                                                            \
		taken_;                                                                                                \
	})

/* The same for a file descriptor; the variable is left -1. */
#define TAKE_FD(fd)                                                                                                    \
	({                                                                                                             \
		int taken_ = (fd);                                                                                     \
		(fd) = -1;                                                                                             \
		taken_;                                                                                                \
	})

/* Makes fn_p(type **), for CLEANUP, of fn(type *), which accepts NULL. */
#define DEFINE_CLEANUP(type, fn)                                                                                       \
	static inline void fn##_p(type **p)                                                                            \
	{                                                                                                              \
		fn(*p);                                                                                                \
	}                                                                                                              \
	struct cleanup_semicolon_

static inline void free_p(void *p)
{
	free(*(void **)p);
}

/* Closes unless the descriptor is negative; the result is not looked at, so not for files that were written. */
static inline void close_p(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#endif
