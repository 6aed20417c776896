/*
 * Certificates for tests of TLS, made when they are needed: an authority, and what it issues for servers and
 * clients, as PEM files. P-256 and SHA-256 throughout. It asserts on trouble of its own: it is a fixture.
 */
#ifndef FLIPSIDE_FIXTURES_PKI_H
#define FLIPSIDE_FIXTURES_PKI_H

#include <stdbool.h>

struct pki_authority;

struct pki_authority *pki_new(const char *name);
void pki_free(struct pki_authority *a);

/* The authority's own certificate, for those who are to trust it. */
void pki_write(const struct pki_authority *a, const char *path);

struct pki_wish {
	const char *host; /* "127.0.0.1" or a name; for a client any name */
	bool client;
	long from_sec, until_sec; /* from now; both 0: valid for an hour */
};

/* A new key and its certificate, in one file. */
void pki_issue(struct pki_authority *a, struct pki_wish wish, const char *path);

/* The two apart. */
void pki_issue_apart(struct pki_authority *a, struct pki_wish wish, const char *cert_path, const char *key_path);

#endif
