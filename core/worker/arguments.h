/* SPDX-License-Identifier: Apache-2.0 */
/* What a job was asked for: the arguments of its call, and the instance that they
 * name, opened. Runs in jobs.
 */
#ifndef CORE_WORKER_ARGUMENTS_H
#define CORE_WORKER_ARGUMENTS_H

#include "core/worker/backend.h"

/* The text argument of that key; BERTH_E_PROTOCOL where it is missing. */
MUST_USE int kind_argument(struct job *j, const char *key, const char **ret,
			   struct berth_error *err);
/* An object argument as JSON text, "{}" where it is missing. free(). */
MUST_USE int kind_object(struct job *j, const char *key, char **ret, struct berth_error *err);
/* Opens the instance that the job is about. */
MUST_USE int kind_open(struct job *j, struct backend **ret, struct berth_error *err);

/* The same with the text arguments that the kind can't do without: `keys`, which NULL
 * ends, into ret_values in their order; these live as long as the job. */
MUST_USE int kind_open_with(struct job *j, const char *const *keys, const char **ret_values,
			    struct backend **ret, struct berth_error *err);

#endif
