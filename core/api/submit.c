/* SPDX-License-Identifier: Apache-2.0 */
/* From a request to an operation, and from the operation back to an answer:
 * 202 at once, or, with Prefer: wait, held until the end.
 */
#include "core/api/api.h"

#include <stdio.h>
#include <string.h>

#include "core/api/accounts.h"
#include "core/api/pull.h"
#include "core/api/sight.h"
#include "core/base/text.h"
#include "core/http/problem.h"
#include "core/ops/events.h"

/* An answer that waits for an operation. Lives as long as its request. */
struct held {
	struct http_server *server;
	struct op_watch *watch; /* NULL once the operation has ended */
	char id[UUID_ROOM];
};

static void held_release(void *kept)
{
	struct held *h = kept;

	ops_unwatch(h->watch);
	free(h);
}

static void held_changed(void *user, const char *id, bool has_ended)
{
	struct held *h = user;

	if (!has_ended)
		return;
	h->watch = NULL;
	http_wake(h->server, id);
}

bool api_may_cancel(struct request *q, int64_t uid, const char *user_name)
{
	return request_may(q, POINT_OPERATIONS_ANY) ||
	       (api_is_caller(q, uid, user_name) &&
		request_may_somewhere(q, POINT_OPERATIONS_CANCEL));
}

/* The hint speaks of NAME; an operation may know which integration that is. A cluster is an
 * instance of its job, too, but none. */
static void name_hint(const json_t *document, const char *integration, json_t *problem)
{
	static const char place[] = "/v1/integrations/";
	const char *of =
		json_string_value(json_array_get(json_object_get(document, "resources"), 0));
	const struct problem_kind *kind = problem_kind_find(js_str(problem, "code", ""));
	const char *hint = js_str(problem, "hint", ""), *at = strstr(hint, " NAME");

	if (!kind || kind->hint_kind == HINT_PLAIN || !at)
		return;
	const char *name =
		of && !strncmp(of, place, strlen(place)) ? of + strlen(place) : integration;
	size_t byte_count = strcspn(name, "/");
	if (!byte_count || (name == integration && !text_is_integration(name))) {
		if (kind->hint_kind == HINT_CALLER) /* at which end it is not there is not told */
			js_put_str(problem, "hint", "berthctl space list");
		return;
	}
	char *named AUTO_FREE =
		text_printf("%.*s %.*s%s", (int)(at - hint), hint, (int)byte_count, name, at + 5);
	bool is_new = !strcmp(js_str(document, "kind", ""), "integration-create");
	js_put_str(problem, "hint", is_new ? "berthctl integration create --help" : named);
}

/* The error of an operation is kept as the modules have it, and shown as a
 * problem. */
void api_show_error(json_t *document)
{
	const json_t *kept = json_object_get(document, "error");
	struct berth_error err = ERROR_INIT;

	if (!json_is_object(kept))
		return;
	js_to_error(kept, &err);
	json_t *problem = problem_document(NULL, &err, js_str(document, "id", ""));
	js_put_str(json_object_get(problem, "upstream"), "host", js_str(kept, "host", ""));
	name_hint(document, js_str(kept, "integration", ""), problem);
	json_object_set_new(document, "error", problem);
}

int api_operation(struct request *q, const char *id, json_t **ret, struct berth_error *err)
{
	struct daemon_state *d = request_daemon(q);

	/* Of one that is not there the same is asked as of somebody else's. */
	int found = ops_document(d->ops, id, false, ret, err);
	if (found && found != BERTH_E_NOT_FOUND)
		return found;
	const json_t *requester = found ? NULL : json_object_get(*ret, "requester");
	int64_t uid = js_int(requester, "uid", -1);
	const char *name = js_str(requester, "name", "");
	struct operation_row row AUTO_OPERATION_ROW = {.id = NULL};
	struct berth_error why = ERROR_INIT;
	bool is_seen = false;
	int code = sight_operation(q, id, uid, name, &is_seen, &why);
	/* One that runs was found in memory; one that is not there cost a statement. */
	if (!code && !found && !is_seen && ops_find(d->ops, id))
		code = operation_row_get(d->store, id, &row, &why);
	if (code)
		*err = why;
	else if (!found && !is_seen)
		code = berth_fail(err, BERTH_E_NOT_FOUND, "no operation '%s'", id);
	if (found || code) {
		if (!found)
			json_decref(STEAL(*ret));
		return found ? err->code : code;
	}
	api_show_error(*ret);
	if (ops_find(d->ops, id))
		json_object_set_new(*ret, "may_cancel", json_boolean(api_may_cancel(q, uid, name)));
	return 0;
}

/* Answers with the operation as it is now: 200 when it has ended and the
 * caller waited for that, else 202. */
static void answer_operation(struct request *q, struct answer *a, const char *id, bool has_waited)
{
	struct berth_error err = ERROR_INIT;
	json_t *document = NULL;

	if (api_operation(q, id, &document, &err))
		api_fail(a, &err, NULL);
	else if (has_waited && !ops_find(request_daemon(q)->ops, id))
		answer_json(a, 200, document);
	else
		answer_accepted(a, id, document);
}

bool api_resumed(struct request *q, struct answer *a)
{
	struct held *h = request_kept(q);

	if (!answer_woken(a) || !h)
		return false;
	answer_operation(q, a, h->id, true);
	return true;
}

bool api_hold(struct request *q, struct answer *a, const char *id, uint32_t wait_s)
{
	struct berth_error err = ERROR_INIT;
	struct held *h = wait_s ? calloc(1, sizeof(*h)) : NULL;

	if (!h)
		return false;
	h->server = request_server(q);
	snprintf(h->id, sizeof(h->id), "%s", id);
	if (ops_watch(request_daemon(q)->ops, id, held_changed, h, &h->watch, &err) || !h->watch) {
		free(h);
		return false;
	}
	request_keep(q, h, held_release);
	answer_hold_topic(a, id);
	answer_hold(a, wait_s);
	return true;
}

static void answer_busy(struct answer *a, const struct berth_error *err, const char *other)
{
	char hint[96];

	snprintf(hint, sizeof(hint), "berthctl operation wait %s", other);
	answer_problem(a, 409, "busy", err, hint);
	answer_member(a, "operation", json_string(other));
}

bool api_submit(struct request *q, struct answer *a, const struct op_request *request)
{
	struct op_submitted done = {.id = ""};

	return api_submit_id(q, a, request, &done);
}

bool api_submit_id(struct request *q, struct answer *a, const struct op_request *request,
		   struct op_submitted *ret)
{
	struct daemon_state *d = request_daemon(q);
	struct op_request full = *request;
	struct berth_error err = ERROR_INIT;
	char name[USER_NAME_ROOM];

	api_user_name(request_caller(q)->uid, name, sizeof(name));
	full.user_name = name;
	full.request_id = request_id(q);
	full.uid = request_caller(q)->uid;
	int code = ops_submit(d->ops, &full, ret, &err);
	if (code == BERTH_E_CONFLICT && *ret->id) {
		answer_busy(a, &err, ret->id);
		return false;
	}
	if (code) {
		api_fail(a, &err, NULL);
		return false;
	}
	/* The 202 stands first: it is what an Idempotency-Key keeps of a held answer. */
	answer_operation(q, a, ret->id, false);
	if (request_wait_s(q) && !api_hold(q, a, ret->id, request_wait_s(q)))
		answer_operation(q, a, ret->id, true);
	return true;
}

int api_tell(struct daemon_state *d, const char *resource, const char *action,
	     const char *operation, struct berth_error *err)
{
	json_t *document AUTO_JSON = json_pack("{s:s}", "action", action);

	if (!document)
		return berth_fail_memory(err);
	js_put_str(document, "operation", operation);
	pull_wake();
	return events_add(ops_events(d->ops), EVENT_LIFECYCLE, resource, document, err);
}

bool api_remove(struct request *q, struct answer *a, const char *path, const char *id,
		int (*remove)(struct store *, const char *, struct berth_error *))
{
	struct daemon_state *d = request_daemon(q);
	struct berth_error err = ERROR_INIT;

	if (request_dry_run(q)) {
		answer_json(a, 200, api_plan(NULL, NULL, path));
		return false;
	}
	if (store_begin(d->store, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	struct store *undo AUTO_UNDO = d->store;
	if (remove(d->store, id, &err) || api_tell(d, path, "deleted", NULL, &err) ||
	    store_commit(STEAL(undo), &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	answer_empty(a, 204);
	return true;
}

void api_number_name(uid_t uid, char *to, size_t room)
{
	snprintf(to, room, "uid %lu", (unsigned long)uid);
}

void api_user_name(uid_t uid, char *to, size_t room)
{
	char name[ACCOUNT_NAME_ROOM];
	struct berth_error ignored = ERROR_INIT;

	accounts_look();
	if (!account_name(false, uid, name, &ignored) && *name)
		snprintf(to, room, "%s", name);
	else
		api_number_name(uid, to, room);
}

bool api_is_caller(const struct request *q, int64_t uid, const char *user_name)
{
	char now[USER_NAME_ROOM], nameless[USER_NAME_ROOM];

	if ((int64_t)request_caller(q)->uid != uid)
		return false;
	api_user_name((uid_t)uid, now, sizeof(now));
	api_number_name((uid_t)uid, nameless, sizeof(nameless));
	return !strcmp(user_name, now) || !strcmp(user_name, nameless);
}
