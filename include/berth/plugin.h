/* SPDX-License-Identifier: Apache-2.0 */
/* berth/plugin.h - the contract between the Berth core and a backend plugin.
 *
 * A plugin exports exactly one symbol: the constant berth_plugin_v1. The core
 * reads it before it runs any plugin code. Every struct here begins with its
 * own size; a field beyond that size reads as zero, and zero always means
 * "absent" or "the cautious default". To grow a struct: append, raise
 * BERTH_ABI_MINOR, and tag the field with the minor that brought it. Nothing
 * is ever moved, retyped, renamed or given a second meaning.
 *
 * A plugin is called from one thread of one process that serves one job and
 * then exits: no locks, no thread model, no re-entrancy. No pointer that must
 * be freed crosses this boundary: arguments are borrowed for the length of
 * the call, and results go out through a sink that copies. Open-ended data
 * crosses as JSON text. berth-plugin(7) has the full rules and one section a
 * slot.
 *
 * History
 *   1.0  first release
 */
#ifndef BERTH_PLUGIN_H
#define BERTH_PLUGIN_H

#include <berth/ops.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BERTH_ABI_MAGIC 0x48545242u /* "BRTH" */
#define BERTH_ABI_MAJOR 1u
#define BERTH_ABI_MINOR 0u

#define BERTH_EXPORT __attribute__((visibility("default")))
#define BERTH_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum { BERTH_LOG_ERROR = 3, BERTH_LOG_WARNING = 4, BERTH_LOG_INFO = 6, BERTH_LOG_DEBUG = 7 };

/* A program to run: no shell, an empty environment but for env, a process
 * group of its own that ends with the call's deadline or cancel. */
struct berth_program {
	uint32_t size;
	uint32_t output_max_bytes; /* of stdout; more is BERTH_E_LIMIT; 0: 1 MiB */
	const char *path;          /* absolute; root-owned and not writable by others */
	const char *const *argv;   /* ends with NULL; argv[0] is the program's name */
	const char *const *env;    /* "NAME=value", ends with NULL; NULL: empty */
	int32_t stdin_fd;          /* -1: empty */
	int32_t reserved;          /* 0 */
	/* Gets stdout as it comes; nonzero: stop the program. NULL: discard. */
	int (*output)(void *user, const char *bytes, size_t byte_count);
	void *user;
};

/* What the core does for a plugin. Outlives every instance. */
struct berth_host {
	uint32_t size;
	uint32_t abi_minor; /* of the running core */
	/* Log one line. The core adds backend, call and job, and masks secrets. */
	void (*log)(const struct berth_call *call, int level, const char *fmt, ...)
		BERTH_PRINTF(3, 4);
	/* Nonzero once the caller gave up or the deadline passed: return soon
	 * with BERTH_E_CANCELLED or BERTH_E_TIMEOUT. Cheap; ask often. */
	int (*cancelled)(const struct berth_call *call);
	/* How far the call is, in units of its own; total 0: unknown. */
	void (*progress)(const struct berth_call *call, uint64_t done, uint64_t total);
	/* The value of an option of this instance: as configured, else its
	 * default, else NULL. Lives as long as the instance. Secret values come
	 * back here too, and only here. "net_" and a key of section net of
	 * berth.conf(5), net_connect_ms, gives that limit as decimal text. */
	const char *(*option)(const void *config, const char *key);
	/* What an earlier job of this instance kept: a JSON object, or NULL.
	 * It may be lost at any time; that costs time, never correctness. */
	const char *(*kept)(const void *config);
	/* Keep a JSON object of at most 16 KiB for later jobs, sealed at rest;
	 * NULL forgets. BERTH_E_LIMIT or BERTH_E_INVALID when it is not one. */
	int (*keep)(const struct berth_call *call, const char *json);
	/* May this instance connect to that address (a struct sockaddr)? Zero:
	 * yes; else BERTH_E_ADDRESS. Ask at connect, with the resolved address. */
	int (*allow_address)(const void *config, const void *sockaddr, uint32_t byte_count);
	/* Run a program to its end. *ret_status is its exit status, or 128 and
	 * the signal. Errors: BERTH_E_NOT_FOUND, _DENIED (the file could be
	 * changed by others), _TIMEOUT, _CANCELLED, _LIMIT. */
	int (*run)(const struct berth_call *call, const struct berth_program *program,
		   int *ret_status, struct berth_error *err);
};

/* One option of a plugin. Options with a name from this list get the value
 * of the integration's own field: address, username, password, tls_verify,
 * tls_ca, tls_client_cert, tls_client_key (the last three PEM text),
 * auth_realms, upload_hosts (comma-separated host[:port]). All others are
 * given by the user under "options", proxy (an http URL) among them. Declare
 * those from tls_verify on and proxy wherever there is an oci_endpoint: the
 * core moves image bytes by them. One named prefixes can't be given: it says
 * that spaces are path prefixes which users declare in Berth. */
struct berth_option {
	const char *key;   /* [a-z0-9_]+ */
	uint32_t type;     /* BERTH_OPT_* */
	uint32_t flags;    /* BERTH_OPT_REQUIRED | BERTH_OPT_SECRET */
	const char *deflt; /* as the user would write it; NULL: none */
	const char *help;  /* one sentence; the manual is made from it */
};
enum { BERTH_OPT_STRING, BERTH_OPT_URL, BERTH_OPT_INT, BERTH_OPT_BOOL, BERTH_OPT_DURATION_MS };
#define BERTH_OPT_REQUIRED 1u
#define BERTH_OPT_SECRET 2u

/* The first four fields keep this place in every major version. */
struct berth_plugin {
	uint32_t magic;       /* BERTH_ABI_MAGIC */
	uint32_t size;        /* sizeof(struct berth_plugin) as compiled */
	uint32_t abi_major;   /* BERTH_ABI_MAJOR as compiled */
	uint32_t abi_minor;   /* BERTH_ABI_MINOR as compiled */
	uint32_t needs_minor; /* refuse a core older than this */
	const char *name;     /* [a-z0-9-]+, equal to the file's base name */
	const char *version;
	const char *summary;                /* one sentence */
	const struct berth_option *options; /* ends with a NULL key */
	uint32_t option_stride;             /* sizeof(struct berth_option) as compiled */
	uint32_t reserved;                  /* 0 */

	/* Parse options and make handles; cheap, no network. On success
	 * *ret_self is the instance. On failure it is left alone and close is
	 * not called. host and config outlive the instance. */
	int (*open)(const struct berth_host *host, const void *config, void **ret_self,
		    struct berth_error *err);
	/* Takes whatever open made, and can't fail. */
	void (*close)(void *self);

	/* A table that is NULL, or a NULL in a table, is a thing this backend
	 * does not do: the core answers BERTH_E_UNSUPPORTED by itself. */
	const struct berth_lifecycle_ops *lifecycle;
	const struct berth_integration_ops *integration;
	const struct berth_sync_ops *sync;
	const struct berth_scan_ops *scan;
};

extern BERTH_EXPORT const struct berth_plugin berth_plugin_v1;

/* The first members, as this header has them; and the option table, in its place between
 * summary and open (C++20 wants designators in their order). */
#define BERTH_PLUGIN_HEAD                                                                          \
	.magic = BERTH_ABI_MAGIC, .size = sizeof(struct berth_plugin),                             \
	.abi_major = BERTH_ABI_MAJOR, .abi_minor = BERTH_ABI_MINOR
#define BERTH_PLUGIN_OPTIONS(table) .options = (table), .option_stride = sizeof(struct berth_option)

#ifdef __cplusplus
}
#endif
#endif /* BERTH_PLUGIN_H */
