/* What the files of the manifest share among themselves. */
#ifndef FLIPSIDE_UPDATER_MANIFEST_INTERNAL_H
#define FLIPSIDE_UPDATER_MANIFEST_INTERNAL_H

#include "updater/manifest.h"

/* Each leaves its struct empty; the struct itself is the caller's. */
void manifest_update_fini(struct manifest_update *u);
void manifest_step_fini(struct manifest_step *s);

/**
 * manifest_grow() - room for one more element of @elem_bytes behind @n
 * @array: address of the pointer to the array; it has room for the next power of two of elements
 * Return: 0; -1 ERR_SYSTEM, the array is unchanged
 */
int manifest_grow(void *array, size_t n, size_t elem_bytes, struct err *e);

/* Order of steps: by from, then by to. <0, 0, >0 */
int manifest_step_compare(const void *a, const void *b);

#endif
