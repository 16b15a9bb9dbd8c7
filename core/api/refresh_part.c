/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/integrations/{name}/refresh, and looks that hints begin: see
 * refresh_part.h.
 */
#include "core/api/refresh_part.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api_handlers.h"
#include "core/api/job.h"
#include "core/api/space.h"
#include "core/base/digest.h"
#include "core/base/log.h"
#include "core/oci/reference.h"

#define HINT_MS 2000        /* hints that come meanwhile share an operation */
#define WHOLE_HINT_MS 60000 /* the same of those that are about all */
#define NAMES_MAX 100       /* of one operation; more are all */

/* Like integration_work of a refresh, of a part ({"space"} or {"repositories"}; empty:
 * all). Only one of the same part joins it. */
static int part_work(const struct integration *row, const json_t *part, struct op_request *request,
		     json_t **ret_parts, struct berth_error *err)
{
	char *text AUTO_FREE = js_canonical(part);
	char hex[DIGEST_TEXT_ROOM], lock[256];
	struct digest d;

	integration_work(row, "refresh", request, ret_parts);
	if (!text || !*ret_parts)
		return berth_fail_memory(err);
	if (!json_object_size(part))
		return 0;
	if (digest_of(DIGEST_SHA256, text, strlen(text), &d, err))
		return err->code;
	digest_format(&d, hex);
	snprintf(lock, sizeof(lock), "refresh/%s/%.40s", row->name, hex);
	json_t *locks = json_object_get(*ret_parts, "locks");
	if (json_array_clear(locks) || json_array_append_new(locks, json_string(lock)) ||
	    json_object_update(json_object_get(*ret_parts, "arguments"), (json_t *)part))
		return berth_fail_memory(err);
	return 0;
}

/* False: answered. */
static bool check_part(struct request *q, struct answer *a, const struct integration *row,
		       const json_t *part)
{
	struct findings f = {.answer = a};
	const json_t *names = json_object_get(part, "repositories"), *one;
	const char *space = js_str(part, "space", NULL);
	struct space there AUTO_SPACE = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	char pointer[32];
	size_t i;

	if (space && names)
		findings_add(&f, "/repositories", "conflict",
			     "a space is read whole: give one or the other");
	int code =
		!space ? 0
		       : space_get_by_name(request_daemon(q)->store, row->id, space, &there, &err);
	if (code == BERTH_E_NOT_FOUND)
		findings_add(&f, "/space", "no-space", "integration %s has no space %s", row->name,
			     space);
	else if (code)
		findings_fail(&f, &err);
	json_array_foreach (names, i, one) {
		snprintf(pointer, sizeof(pointer), "/repositories/%zu", i);
		if (reference_check_repository(json_string_value(one), &err))
			findings_add_error(&f, pointer, "repository", &err);
	}
	return !f.count && !f.has_failed;
}

void api_integrations_refresh(struct request *q, struct answer *a)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	json_t *none AUTO_JSON = json_object(), *parts AUTO_JSON = NULL;
	const json_t *part = request_body(q) ? request_body(q) : none;
	struct berth_error err = ERROR_INIT;
	struct op_request request;

	if (api_resumed(q, a) || !integration_of_route(q, a, &row) ||
	    !integration_usable(a, &row, false) || !check_part(q, a, &row, part))
		return;
	if (part_work(&row, part, &request, &parts, &err))
		api_fail(a, &err, NULL);
	else
		(void)api_submit(q, a, &request);
}

/* --- hints --- */

/* {id of the integration: {"due_ms": N, "names": {repository: true}, "all": bool}} */
static struct {
	struct daemon_state *daemon;
	struct loop_timer *timer;
	json_t *waiting;
} hints;

/* True: there is nothing left to do for it. */
static bool begin_look(const char *id, const json_t *hint)
{
	struct daemon_state *d = hints.daemon;
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	struct op_request request;
	struct op_submitted done;
	json_t *names AUTO_JSON = json_array(), *parts AUTO_JSON = NULL;
	json_t *part AUTO_JSON = json_object();
	const char *name;
	json_t *one;

	json_object_foreach (json_object_get(hint, "names"), name, one)
		json_array_append_new(names, json_string(name));
	if (!js_bool(hint, "all", false))
		json_object_set(part, "repositories", names);
	if (integration_get_by_id(d->store, id, &row, &err) ||
	    integration_check_usable(&row, true, &err)) {
		log_debug("a hint is dropped: %s", err.message);
		return true;
	}
	int code = part_work(&row, part, &request, &parts, &err);
	if (!code) {
		/* One that is under way may have been there before the change was. */
		request.joins = false;
		request.user_name = "berthd";
		request.request_id = "changes";
		request.uid = getuid();
		code = ops_submit(d->ops, &request, &done, &err);
	}
	if (code && code != BERTH_E_CONFLICT)
		log_warning("cannot refresh the index of %s: %s", row.name, err.message);
	return code != BERTH_E_CONFLICT;
}

static void look(void *user)
{
	int64_t now_ms = (int64_t)clock_monotonic_ms(), next_ms = INT64_MAX;
	const char *id;
	json_t *hint;
	void *next;

	(void)user;
	json_object_foreach_safe (hints.waiting, next, id, hint) {
		int64_t due_ms = js_int(hint, "due_ms", 0);
		if (due_ms <= now_ms && begin_look(id, hint)) {
			json_object_del(hints.waiting, id);
			continue;
		}
		due_ms = due_ms > now_ms ? due_ms : now_ms + HINT_MS;
		next_ms = due_ms < next_ms ? due_ms : next_ms;
	}
	if (next_ms != INT64_MAX)
		loop_timer_set(hints.timer, (uint64_t)(next_ms - now_ms));
}

int refresh_hints_attach(struct daemon_state *d, struct berth_error *err)
{
	hints.daemon = d;
	hints.waiting = json_object();
	if (!hints.waiting)
		return berth_fail_memory(err);
	return loop_timer_new(d->loop, look, NULL, &hints.timer, err);
}

static void add_name(json_t *hint, const char *name)
{
	json_t *names = json_object_get(hint, "names");
	struct berth_error ignored = ERROR_INIT;

	if (name && (json_object_get(names, name) || reference_check_repository(name, &ignored)))
		return;
	if (!name || json_object_size(names) >= NAMES_MAX)
		json_object_set_new(hint, "all", json_true());
	else
		json_object_set_new(names, name, json_true());
}

int refresh_hint(const struct integration *row, const json_t *changes, struct berth_error *err)
{
	unsigned losses = js_losses();
	json_t *hint = json_object_get(hints.waiting, row->id);
	const json_t *change;
	size_t i;

	if (!hint) {
		hint = json_pack("{s:I, s:{}}", "due_ms",
				 (json_int_t)clock_monotonic_ms() + HINT_MS, "names");
		if (!hint || json_object_set_new(hints.waiting, row->id, hint))
			return berth_fail_memory(err);
	}
	bool was_all = js_bool(hint, "all", false);
	json_array_foreach (changes, i, change)
		add_name(hint, js_str(change, "repository", NULL));
	if (js_bool(hint, "all", false) && !was_all)
		json_object_set_new(hint, "due_ms",
				    json_integer((json_int_t)clock_monotonic_ms() + WHOLE_HINT_MS));
	loop_timer_set(hints.timer, 0);
	return js_losses() == losses ? 0 : berth_fail_memory(err);
}
