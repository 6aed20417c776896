/* What runs: the fields of os-release(5) that decide about updates. A bounded parser for shell-like assignments. */
#ifndef FLIPSIDE_UPDATER_OS_RELEASE_H
#define FLIPSIDE_UPDATER_OS_RELEASE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/version.h"
#include "updater/manifest.h"

#define OS_RELEASE_MAX_BYTES (64u * 1024)
#define OS_RELEASE_VALUE_BYTES 256 /* with the NUL */
#define OS_E_RELEASE "os-release"

struct os_release {
	struct version version;			  /* VERSION_ID */
	char variant[OS_RELEASE_VALUE_BYTES];	  /* VARIANT_ID */
	char arch[OS_RELEASE_VALUE_BYTES];	  /* as given by the caller */
	char pretty_name[OS_RELEASE_VALUE_BYTES]; /* PRETTY_NAME, or empty */
	char build_id[OS_RELEASE_VALUE_BYTES];	  /* BUILD_ID, or empty */
};

/**
 * os_release_parse() - read the text of an os-release file
 * @arch: of the machine as uname(2) names it: x86_64, aarch64
 * Values are unquoted as a shell would: single quotes, double quotes with \ before $ " ` \, and backslashes
 * outside of quotes; nothing is expanded. Of a name given twice the last counts. Other names are not looked into.
 * VERSION_ID (a semver) and VARIANT_ID are required.
 * Return: 0; -1: ERR_FORMAT OS_E_RELEASE with line or name
 */
int os_release_parse(struct bytes text, const char *arch, struct os_release *out, struct err *e);

/* The same of a file. ERR_MISSING, ERR_SYSTEM as well. */
int os_release_load(const char *path, const char *arch, struct os_release *out, struct err *e);

#endif
