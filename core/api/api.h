/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of the control API share: findings about a body, errors as
 * answers, operations as answers, pages of rows, events. Runs in berthd's only
 * thread; a handler reads and writes the store and never waits for a network.
 */
#ifndef CORE_API_API_H
#define CORE_API_API_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/js.h"
#include "core/daemon/daemon.h"
#include "core/http/http.h"
#include "core/http/list.h"
#include "core/ops/ops.h"
#include "core/store/list.h"

/* The kinds of operation, for ops_settings.types; ends with a NULL kind. Its
 * functions reach the daemon through api_attach's argument. */
extern const struct op_type api_op_types[];
/* Tells this module of the daemon; before the first ops_turn. Starts the
 * periodic work: health probes and refreshes of the index. */
MUST_USE int api_attach(struct daemon_state *d, struct berth_error *err);
struct daemon_state *api_daemon(void);
/* After a reload of the configuration. */
MUST_USE int api_configured(struct daemon_state *d, struct berth_error *err);

/* What is wrong with a body beyond its schema: the first finding makes the
 * answer a 422 "validation-failed", each adds to its errors[], so that a user
 * sees all of them at once. answer NULL: they are counted, and told to nobody. */
struct findings {
	struct answer *answer;
	size_t count;
	bool has_failed; /* what was found is not known: the answer says why */
};
void findings_add(struct findings *f, const char *pointer, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The check itself failed: that is the answer, whatever else was found. */
void findings_fail(struct findings *f, const struct berth_error *err);
/* What a parser refused, in its words and with its cause; without memory it has said
 * nothing of the value, and the check failed. */
void findings_add_error(struct findings *f, const char *pointer, const char *code,
			const struct berth_error *why);

/* A command to run next, with a name or two in it. */
#define HINT_ROOM 160
/* Answers an error of the store or of another module; status and code follow
 * from err->code. hint: one command to run next, or NULL. */
void api_fail(struct answer *a, const struct berth_error *err, const char *hint);
/* A refusal by a code of core/http/problem.c. */
void api_refuse(struct answer *a, int status, const char *code, const char *hint, const char *fmt,
		...) __attribute__((format(printf, 5, 6)));

/* Whether the worker has said its plugins since berthd started; false: answered
 * with 503 and where to look. */
MUST_USE bool api_plugins_known(struct request *q, struct answer *a);

/* Parses a JSON text of the store; an empty one is an empty object. *ret is new.
 * BERTH_E_NO_MEMORY; with any other error the row is damaged. */
MUST_USE int api_parse(const char *text, json_t **ret, struct berth_error *err);

/* A collection on its way out. within narrows the table to the route's own
 * part; show makes the API's object of a row. q_columns are searched by the q
 * parameter: its letters in order, anything between. */
struct api_collection {
	const struct store_table *table;
	const char *noun;
	const char *within;
	const struct store_value *within_values;
	size_t within_count;
	const char *const *q_columns; /* SQL names, ends with NULL; or NULL */
	bool q_is_literal;            /* q is looked for as it is written */
	const json_t *common;         /* members of every object, or NULL */
	const json_t *more;           /* members of the list beside its items, or NULL */
	/* *ret is new. */
	int (*show)(struct request *q, const void *row, json_t **ret, struct berth_error *err);
};
/* Answers the page that the request asks for. A row that is damaged is logged and left
 * out; where the store or memory fails that is the answer. */
void api_list(const struct api_collection *c, struct request *q, struct answer *a);

/* Gives each row of a table, page by page; within NULL: all of them. What each returns ends
 * it, and is returned. */
MUST_USE int api_each(struct store *s, const struct store_table *table,
		      const struct store_page *within, store_each *each, void *user,
		      struct berth_error *err);

/* Submits an operation for the caller and answers with it: 202, or with
 * Prefer: wait 200 when it has ended in time. A lock that another one holds:
 * 409 "busy" with that operation. Inside a transaction of the caller,
 * who commits before the handler returns; false: refused, roll back. */
bool api_submit(struct request *q, struct answer *a, const struct op_request *request);
/* The same, telling which operation it became. */
bool api_submit_id(struct request *q, struct answer *a, const struct op_request *request,
		   struct op_submitted *ret);
/* First line of a handler that submits: true when the answer was held and has
 * now been given. */
bool api_resumed(struct request *q, struct answer *a);
/* Holds the answer until that operation ends, at most so long; false: it has
 * ended already, or there is nothing to wait. */
bool api_hold(struct request *q, struct answer *a, const char *id, uint32_t wait_s);
/* Turns the error member of an operation's document into a problem. */
void api_show_error(json_t *document);
/* The document of an operation as this caller sees it. */
MUST_USE int api_operation(struct request *q, const char *id, json_t **ret,
			   struct berth_error *err);
/* May this caller cancel operations of who had that number and name (api_user_name)? */
bool api_may_cancel(struct request *q, int64_t uid, const char *user_name);

/* Rolls back at the end of a scope unless committed:
 *	struct store *undo AUTO_UNDO = d->store; ... store_commit(STEAL(undo), err) */
static inline void scope_undo(struct store **s)
{
	if (*s)
		store_rollback(*s);
}
#define AUTO_UNDO CLEANUP(scope_undo)

/* A plan document (convention 20): paths that a change would make, alter and
 * remove. NULL texts are left out. New; NULL: no memory. */
json_t *api_plan(const char *create, const char *update, const char *remove) MUST_USE;
/* A dry run of a POST or PATCH that is right: answered with the plan to make or alter
 * path, and nothing is to be written. False: it is no dry run. */
bool api_planned(struct request *q, struct answer *a, const char *path, bool is_new);

/* A lifecycle event: {"action":"created","name":...} of a resource's path. */
MUST_USE int api_tell(struct daemon_state *d, const char *resource, const char *action,
		      const char *operation, struct berth_error *err);
/* Ends a DELETE of the row `id` that is at `path`: removed and told in one transaction
 * and answered with 204, or with a plan for a dry run. False: it is still there. */
bool api_remove(struct request *q, struct answer *a, const char *path, const char *id,
		int (*remove)(struct store *s, const char *id, struct berth_error *err));
/* Rows that keep another one from being removed. within is a condition of table with one
 * value; order says how they are named, and how many at most; say is given a struct api_use
 * for one row; what, before and after are the sentence around their number. */
struct api_users {
	const struct store_table *table;
	const char *within, *value, *order;
	store_each *say;
	const char *what, *before, *one, *many, *after; /* "role x" " is held by " N "user" "" */
};
struct api_use {
	json_t *texts;        /* an array: one for each row */
	char hint[HINT_ROOM]; /* the command that takes the first of them away */
};
/* For say: adds text, which it takes, and keeps the hint of the first row. */
MUST_USE int api_use_add(struct api_use *use, json_t *text, struct berth_error *err,
			 const char *hint, ...) __attribute__((format(printf, 4, 5)));
/* True: there are none; else answered 409 "in-use" with each of them. */
MUST_USE bool api_unused(struct request *q, struct answer *a, const struct api_users *users);
#define USER_NAME_ROOM 80
/* The login name of a uid from the local user file, else "uid N". */
void api_user_name(uid_t uid, char *to, size_t room);
/* "uid N" alone: what a number without a name is called. */
void api_number_name(uid_t uid, char *to, size_t room);
/* Is the caller who had that number and name (api_user_name) then? A number is given to
 * somebody else when its account is gone; one that had no name counts by itself. */
bool api_is_caller(const struct request *q, int64_t uid, const char *user_name);

#endif
