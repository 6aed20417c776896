/* Over OpenSSL's X509 calls; every certificate has a serial number of its own, since some checkers refuse two of
 * the same. */
#include "base/openssl.h"

#include "test-fixtures/pki.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pki_authority {
	EVP_PKEY *key;
	X509 *cert;
	long n_issued;
};

static void must(bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "pki fixture: %s\n", what);
		ERR_print_errors_fp(stderr);
		abort();
	}
}

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(ext && X509_add_ext(cert, ext, -1) == 1, value);
	X509_EXTENSION_free(ext);
}

static X509 *certificate(EVP_PKEY *key, const char *name, long serial, long from_sec, long until_sec)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_NAME_new();

	must(cert && subject && X509_set_version(cert, X509_VERSION_3) == 1 && X509_set_pubkey(cert, key) == 1, "certificate");
	must(ASN1_INTEGER_set(X509_get_serialNumber(cert), serial) == 1, "serial number");
	must(X509_gmtime_adj(X509_getm_notBefore(cert), from_sec) && X509_gmtime_adj(X509_getm_notAfter(cert), until_sec), "dates");
	must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0) == 1 &&
		     X509_set_subject_name(cert, subject) == 1,
	     "name");
	X509_NAME_free(subject);
	return cert;
}

struct pki_authority *pki_new(const char *name)
{
	struct pki_authority *a = (struct pki_authority *)calloc(1, sizeof(*a));

	must(a && (a->key = EVP_EC_gen("P-256")), "key");
	a->cert = certificate(a->key, name, 1, -3600, 3600);
	must(X509_set_issuer_name(a->cert, X509_get_subject_name(a->cert)) == 1, "issuer");
	add_extension(a->cert, a->cert, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(a->cert, a->cert, NID_key_usage, "critical,keyCertSign");
	add_extension(a->cert, a->cert, NID_subject_key_identifier, "hash");
	must(X509_sign(a->cert, a->key, EVP_sha256()) > 0, "signature");
	return a;
}

void pki_free(struct pki_authority *a)
{
	if (!a)
		return;
	EVP_PKEY_free(a->key);
	X509_free(a->cert);
	free(a);
}

static void write_pem(const char *path, X509 *cert, EVP_PKEY *key)
{
	FILE *f = fopen(path, "w");

	must(f != NULL, path);
	must(!cert || PEM_write_X509(f, cert) == 1, path);
	must(!key || PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1, path);
	must(fclose(f) == 0, path);
}

void pki_write(const struct pki_authority *a, const char *path)
{
	write_pem(path, a->cert, NULL);
}

void pki_issue_apart(struct pki_authority *a, struct pki_wish wish, const char *cert_path, const char *key_path)
{
	const bool dated = wish.from_sec || wish.until_sec;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char names[300];

	must(key != NULL, "key");
	X509 *cert = certificate(key, wish.host, 2 + a->n_issued++, dated ? wish.from_sec : -3600, dated ? wish.until_sec : 3600);

	must(X509_set_issuer_name(cert, X509_get_subject_name(a->cert)) == 1, "issuer");
	snprintf(names, sizeof(names), "%s:%s", strspn(wish.host, "0123456789.") == strlen(wish.host) ? "IP" : "DNS", wish.host);
	add_extension(cert, a->cert, NID_subject_alt_name, names);
	add_extension(cert, a->cert, NID_ext_key_usage, wish.client ? "clientAuth" : "serverAuth");
	add_extension(cert, a->cert, NID_authority_key_identifier, "keyid");
	must(X509_sign(cert, a->key, EVP_sha256()) > 0, "signature");
	write_pem(cert_path, cert, strcmp(cert_path, key_path) == 0 ? key : NULL);
	if (strcmp(cert_path, key_path) != 0)
		write_pem(key_path, NULL, key);
	X509_free(cert);
	EVP_PKEY_free(key);
}

void pki_issue(struct pki_authority *a, struct pki_wish wish, const char *path)
{
	pki_issue_apart(a, wish, path, path);
}
