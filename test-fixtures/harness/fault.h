/*
 * Calls that fail on demand. Linked with fault_dep, the functions of base/sys.h and the allocator count their
 * calls, and the N-th of a kind fails:
 *
 *	for (unsigned int nth = 1;; nth++) {
 *		... bring the disk to the old state ...
 *		fault_arm(FAULT_FSYNC, nth, EIO);
 *		r = the_step(&e);
 *		if (!fault_disarm())
 *			break;		// it has no N-th call: r is 0 and the new state is there
 *		... r is -1, e is set, the disk holds the old state or the new, no descriptor leaked ...
 *	}
 *
 * Only calls that cross objects are reached, so a function of base/sys.h that fails is never one that the C
 * library calls.
 */
#ifndef FLIPSIDE_TEST_FIXTURES_FAULT_H
#define FLIPSIDE_TEST_FIXTURES_FAULT_H

#include <stdbool.h>
#include <stddef.h>

enum fault_kind {
	FAULT_OPEN,
	FAULT_READ,
	FAULT_WRITE,
	FAULT_PREAD,
	FAULT_PWRITE,
	FAULT_FSYNC,
	FAULT_FDATASYNC,
	FAULT_RENAME,
	FAULT_UNLINK,
	FAULT_SYMLINK,
	FAULT_MKDIR,
	FAULT_MEMORY,	/* malloc, calloc, realloc, reallocarray, strdup, strndup of the program itself, not of shared libraries */
	FAULT_SYS,	/* each of the above but memory */
	FAULT_KINDS,
};

const char *fault_name(enum fault_kind kind);

/* The @nth call (from 1) of @kind from now fails with @sys in errno, and no other. */
void fault_arm(enum fault_kind kind, unsigned int nth, int sys);

/* The same for the @nth and all later ones: with FAULT_SYS, all that a power cut at that moment leaves undone. */
void fault_arm_from(enum fault_kind kind, unsigned int nth, int sys);

/* All is well again. Return: whether a call was made to fail since fault_arm(). */
bool fault_disarm(void);

/* Reads and writes move at most @n bytes a call, as they may at any time; 0: as many as they can. */
void fault_short(size_t n);

/* Descriptors that this process has open: the same before and after, or one leaked. */
size_t fault_open_fds(void);

#endif
