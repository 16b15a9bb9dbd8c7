/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of problems: one table with the stable symbol, the status, the
 * title and the text that GET /v1/problems/{kind} serves. An answer can't use a
 * symbol that is not in it.
 */
#ifndef CORE_HTTP_PROBLEM_H
#define CORE_HTTP_PROBLEM_H

#include <jansson.h>
#include <stddef.h>

#include "core/base/fail.h"

/* Whom a kind's hint is for, and what NAME in it stands for. */
enum problem_hint {
	HINT_PLAIN,       /* for everybody as it is; NAME is the caller's to know */
	HINT_CALLER,      /* for those who speak the API: berthctl has its own help */
	HINT_INTEGRATION, /* NAME is the integration that the work was for */
};

struct problem_kind {
	const char *code;
	int status;
	enum problem_hint hint_kind;
	const char *title;
	const char *detail; /* what it means and what to do, for a person */
	const char *hint;   /* the command to type next, where no better one is known */
};
extern const struct problem_kind problem_kinds[];
extern const size_t problem_kind_count;
/* The kind of that symbol; of NOUN-KIND, where it has no row, that of KIND.
 * NULL: no such kind. */
const struct problem_kind *problem_kind_find(const char *code);
/* The kind that a BERTH_E_* of the daemon or of an upstream becomes. */
const struct problem_kind *problem_kind_of_error(int code);
/* The document (RFC 9457) of an error, for an answer or for the error member of
 * an operation: code NULL takes that of err, which may be NULL where code is
 * not. instance: the request's id. The caller owns it; NULL without memory. */
json_t *problem_document(const char *code, const struct berth_error *err,
			 const char *instance) MUST_USE;

#endif
