/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that are one call of one slot of a plugin: submitting them, their
 * call frame, and what came back, by kind of item. A noun whose slots need no
 * more than that adds its handlers and rows of api_op_types. Runs in berthd.
 */
#ifndef CORE_API_SLOT_H
#define CORE_API_SLOT_H

#include "core/api/integration.h"
#include "core/api/job.h"

#define SLOT_UNLOCKED ""

struct slot_work {
	const char *kind;    /* of the operation and of its job */
	const char *table;   /* where the slot is; NULL: "integration" */
	const char *slot;    /* "describe": what the plugin must have */
	const char *path;    /* the resource that it works on; NULL: no memory for it */
	const char *lock;    /* a name held until the end, or SLOT_UNLOCKED; NULL: as path */
	const json_t *args;  /* of the job (core/worker/job.h), never a secret; or NULL */
	const json_t *about; /* for the type's own functions, in arguments; or NULL */
	bool joins;          /* a second one of the same path joins the first */
};
/* 200 with the plan, where the integration of that id is enabled and well and its plugin
 * has the slot; else answered with 404, 409, or 422 "unsupported" with a sentence, or 503
 * where there was no memory for a part of w. */
void slot_plan(struct request *q, struct answer *a, const char *integration_id,
	       const struct slot_work *w, json_t *take_plan);
/* The same check, then api_submit. The operation's arguments are {"id", "name", "args",
 * "about"}. */
bool slot_submit(struct request *q, struct answer *a, const char *integration_id,
		 const struct slot_work *w);
/* The same, telling which operation it became: within a transaction of the caller. */
bool slot_submit_id(struct request *q, struct answer *a, const char *integration_id,
		    const struct slot_work *w, struct op_submitted *ret);

/* For api_op_types. build_call: the job of the operation's kind with its args,
 * within jobs.read_ms. */
int slot_call(struct operation *op, json_t **ret, struct berth_error *err);
/* on_items: op->own becomes {"facts": {name: value}, "runs": [...], "tasks":
 * [...] ...}: an item is its more with id, name and digest. */
int slot_items(struct operation *op, const json_t *items, struct berth_error *err);
/* on_result: what slot_items gathered is the result. release: job_release_json. */
int slot_ended(struct operation *op, const json_t *value, const struct berth_error *why,
	       json_t **ret_result, struct berth_error *err);

#endif
