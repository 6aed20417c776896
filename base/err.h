/* The one way to fail: a record on the caller's stack that says what went wrong, for people and for programs. */
#ifndef FLIPSIDE_BASE_ERR_H
#define FLIPSIDE_BASE_ERR_H

#define ERR_MSG_BYTES 400

/* What went wrong, as far as a caller can act on it: it decides the exit code and, in the API, the HTTP status. */
enum err_kind {
	ERR_NONE = 0,
	ERR_BUG,     /* one of our invariants broke */
	ERR_USAGE,   /* malformed argument or request */
	ERR_STATE,   /* right request, wrong time */
	ERR_BUSY,    /* another action holds the lock */
	ERR_MISSING, /* no such version, target, migration */
	ERR_NETWORK, /* transport; trying again may help */
	ERR_FORMAT,  /* malformed, or over a limit */
	ERR_TRUST,   /* signature, threshold, digest, length, rollback, expiry */
	ERR_SYSTEM,  /* the system or memory refused */
};

struct err {
	enum err_kind kind;
	const char *reason; /* a module's static token for programs, e.g. TUF_E_THRESHOLD "threshold"; or NULL */
	int sys;	    /* errno for ERR_SYSTEM, else 0 */
	char msg[ERR_MSG_BYTES]; /* outermost first: "preparing 1.2.0: root 5: 1 of 2 signatures" */
};

/**
 * err_set() - record a failure
 * @e:      the record; whatever it held is replaced
 * @kind:   any but ERR_NONE
 * @reason: static token for programs, or NULL
 * @fmt:    one sentence without a final full stop: file, field, reason
 * Control characters in the text become '?', so that a name from a stranger cannot drive a terminal.
 * Return: -1, so that a failure is one statement. Allocates nothing.
 */
int err_set(struct err *e, enum err_kind kind, const char *reason, const char *fmt, ...)
	__attribute__((format(printf, 4, 5), cold));

/**
 * err_sys() - record a failed call of the system, ERR_SYSTEM with errno and its text at the end
 * @fmt: what was tried: "opening /dev/vda"
 * ENOMEM is told as "out of memory". Return: -1
 */
int err_sys(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/**
 * err_wrap() - put what this level knows in front of a failure from below
 * Kind, reason and errno stay. A text that grows too long loses its middle, never its end. Return: -1
 */
int err_wrap(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/* The compiler sees the -1, so that what comes after a failure is known not to run: optimisers and analysers follow it. */
#define err_set(...) ({ (err_set)(__VA_ARGS__); -1; })
#define err_sys(...) ({ (err_sys)(__VA_ARGS__); -1; })
#define err_wrap(...) ({ (err_wrap)(__VA_ARGS__); -1; })

/* The exit code of a program that ends with this kind (0 for ERR_NONE); the one table for all programs. */
int err_exit_code(enum err_kind kind);

/* Lower-case name of a kind as it stands in JSON: "trust", "network", ...; never NULL. */
const char *err_kind_name(enum err_kind kind);

#endif
