/* SPDX-License-Identifier: Apache-2.0 */
/* Make and wrap struct berth_error. Every function that can fail returns the
 * code that these return, so `return berth_fail(err, ...)` is the idiom. err is
 * never NULL. Works in berthd, the worker, plugins and the client; no memory,
 * no locks.
 */
#ifndef CORE_BASE_FAIL_H
#define CORE_BASE_FAIL_H

#include "core/base/scope.h"
#include <berth/error.h>

/* An empty error to hand to a call: struct berth_error err = ERROR_INIT; */
#define ERROR_INIT                                                                                 \
	{                                                                                          \
		.size = sizeof(struct berth_error)                                                 \
	}

/* Fills err and returns code. Control characters in the text become spaces. */
int berth_fail(struct berth_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same with what came back from below: code, from and upstream are chosen
 * by the table of that layer. */
int berth_fail_errno(struct berth_error *err, int errnum, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int berth_fail_http(struct berth_error *err, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int berth_fail_memory(struct berth_error *err);
/* Sets the cause: one line, cut to its room, controls blanked. Returns err->code. */
int berth_cause(struct berth_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Moves the message to the front of the cause and writes a new one. Returns
 * the code, unchanged. Wrap where you know something the callee did not. */
int berth_wrap(struct berth_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "auth", "not-found": the stable word of a code, and back (0: unknown word). */
const char *berth_code_name(int code);
int berth_code_of_name(const char *name);

#endif
