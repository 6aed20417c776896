/* Several updates of one host in a row, from a text: what fuzz_trusted.c and fuzz_trusted_rules.c share. They
 * differ in how files are signed. */
#ifndef FLIPSIDE_TUF_FUZZ_TRUSTED_H
#define FLIPSIDE_TUF_FUZZ_TRUSTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* Puts the `signed` part @text into an envelope, appended to @out. A part with the member "!" is to be signed
 * badly. Return: may the file be accepted at all? */
typedef bool (*fuzz_sign_fn)(struct bytes text, struct buf *out);

/*
 * Each line is a letter and what it is about. The first R is the shipped root.
 *	O		offline from the next update on: expiry is ignored
 *	R TEXT		the next root is served
 *	.		there are no more roots; the stored timestamp is loaded
 *	T TEXT		a timestamp is served, and then the stored snapshot loaded
 *	S TEXT, G TEXT	a snapshot, top-level targets are served
 *	D ROLE TEXT	a delegated role's file is there from now on
 *	F PATH		the target is searched for
 *	t TEXT, s TEXT	somebody has put another timestamp or snapshot into the store
 *	=		the next update begins, from what was stored
 * Aborts when a promise of tuf/trusted.h or tuf/search.h is broken.
 */
void fuzz_trusted_run(const uint8_t *p, size_t n, fuzz_sign_fn sign);

#endif
