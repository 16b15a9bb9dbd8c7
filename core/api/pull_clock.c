/* SPDX-License-Identifier: Apache-2.0 */
/* Going through the workspaces, again and again: logins made and revoked, what
 * each namespace wants written down, and one operation for each cluster that has
 * something to do. See pull.h. A pass begins soon after a change, when it has been
 * quiet for a moment, so that many changes at once make one secret; and every
 * PASS_MS in any case. It is done in slices: the loop is never held up.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/pull.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/log.h"
#include "core/ops/schedule.h"

#define TICK_MS 1000
#define QUIET_MS 700
#define PASS_MS 30000
#define SLICE 25

/* The pass under way. One thread, no lock. */
static struct {
	bool is_running;
	char after[UUID_ROOM]; /* the last workspace that was looked at */
	int64_t woken_ms;      /* of the last change; 0: none since the pass began */
	int64_t next_ms;
} pass;

void pull_wake(void)
{
	pass.woken_ms = clock_unix_ms();
}

void pull_wake_by(int64_t at_ms)
{
	if (at_ms < pass.next_ms)
		pass.next_ms = at_ms;
}

/* --- logins --- */

static int submit_login(struct daemon_state *d, const struct login *row, const json_t *spaces,
			const char *integration, struct op_submitted *ret, struct berth_error *err)
{
	char path[96];

	snprintf(path, sizeof(path), "/v1/logins/%s", row->id);
	json_t *request = json_pack("{s:s, s:O, s:[s], s:I, s:s}", "name", row->name, "spaces",
				    (json_t *)(uintptr_t)spaces, "rights", "pull", "ttl_s",
				    (json_int_t)((row->expires_ms - row->created_ms) / 1000),
				    "description", row->description);
	json_t *arguments AUTO_JSON =
		json_pack("{s:s, s:s, s:{s:o}, s:{s:s}}", "id", row->integration_id, "name",
			  integration, "args", "request", request, "about", "login", row->id);
	json_t *resources AUTO_JSON = json_pack("[s]", path);
	json_t *locks AUTO_JSON = json_array();
	struct op_request op = {.kind = "login-create",
				.arguments = arguments,
				.resources = resources,
				.locks = locks,
				.integration = integration,
				.user_name = "berthd",
				.request_id = "pull-secrets",
				.uid = getuid()};

	return ops_submit(d->ops, &op, ret, err);
}

/* The intent first, as any login's (login.h). */
static int make_login(struct daemon_state *d, const char *workspace_id, const char *workspace,
		      const json_t *make, struct berth_error *err)
{
	const json_t *spaces = json_object_get(make, "spaces");
	char id[UUID_ROOM], name[32], description[128];
	char *text AUTO_FREE = js_canonical(spaces);
	struct op_submitted done = {.id = ""};
	int64_t now_ms = clock_unix_ms();

	if (!text)
		return berth_fail_memory(err);
	uuid_make(id);
	snprintf(name, sizeof(name), LOGIN_PREFIX "%.8s%.4s", id, id + 9);
	snprintf(description, sizeof(description), "pull secrets of workspace %s", workspace);
	struct login row = {
		.id = id,
		.integration_id = (char *)js_str(make, "integration_id", ""),
		.space = (char *)"",
		.name = name,
		.remote_id = (char *)"",
		.username = (char *)"",
		.rights = (char *)"pull",
		.description = description,
		.state = (char *)"making",
		.operation_id = (char *)"",
		.uid = (int64_t)getuid(),
		.user_name = (char *)"berthd",
		.due_ms = now_ms,
		.created_ms = now_ms,
		.expires_ms = now_ms + (int64_t)d->settings.pull_login_ttl_s * 1000,
		.workspace_id = (char *)workspace_id,
		.spaces = text,
	};
	if (login_add(d->store, &row, err) ||
	    submit_login(d, &row, spaces, js_str(make, "integration", ""), &done, err))
		return err->code;
	row.operation_id = done.id;
	return login_change(d->store, &row, err);
}

static int shed_login(struct daemon_state *d, const char *login_id, struct berth_error *err)
{
	struct login row AUTO_LOGIN = {.id = NULL};

	if (login_get(d->store, login_id, &row, err))
		return err->code;
	struct login next = row;
	next.state = (char *)"revoking";
	next.due_ms = clock_unix_ms();
	next.has_secret = 0;
	return login_forget_secret(d, &row, err) ? err->code : login_change(d->store, &next, err);
}

/* --- one workspace --- */

struct look {
	struct daemon_state *d;
	char digest[DIGEST_TEXT_ROOM]; /* of what its namespaces want */
	bool is_settled;
	int used_count;    /* namespaces that are wanted */
	int untried_count; /* those where the present content was not tried yet */
	int wrong_count;   /* those that do not have it */
};

static int count_used(void *user, const void *row, struct berth_error *err)
{
	const struct workspace_namespace *it = row;

	(void)err;
	((struct look *)user)->used_count += it->is_wanted ? 1 : 0;
	return 0;
}

/* What the namespace wants by now; where that is new, its cluster is to be asked. */
static int note_wanted(void *user, const void *row, struct berth_error *err)
{
	struct look *l = user;
	struct workspace_namespace next = *(const struct workspace_namespace *)row;
	const char *wanted = next.is_wanted ? l->digest : "";
	bool is_nothing = !*wanted && !*next.applied;

	if (next.is_wanted && !l->is_settled) {
		l->untried_count++;
		return 0;
	}
	if (!next.is_wanted && is_nothing)
		return namespace_remove(l->d->store, next.cluster_id, next.namespace, err);
	bool is_new = strcmp(next.wanted, wanted) != 0 || (is_nothing && next.due_ms) ||
		      (is_nothing && strcmp(next.phase, "right") != 0);
	if (is_new) {
		int64_t now_ms = clock_unix_ms();
		next.wanted = (char *)(uintptr_t)wanted;
		next.phase = (char *)(is_nothing       ? "right"
				      : next.is_wanted ? "pending"
						       : "removing");
		next.reason = (char *)(is_nothing ? "NothingToPull" : "");
		next.message = (char *)"";
		next.attempts = 0;
		next.since_ms = now_ms;
		next.due_ms = is_nothing ? 0 : now_ms;
		if (namespace_change(l->d->store, &next, err))
			return err->code;
	}
	bool is_wrong = strcmp(next.wanted, next.applied) != 0;
	l->wrong_count += is_wrong ? 1 : 0;
	l->untried_count += is_wrong && !next.attempts ? 1 : 0;
	return 0;
}

/* What may more than it should goes once the new content has been tried everywhere;
 * the others when it is everywhere, since a cluster out of reach still uses them. */
static int shed(struct look *l, const json_t *plan, struct berth_error *err)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(plan, "surplus"), i, one) {
		bool is_excess = js_bool(one, "is_excess", false);
		if ((is_excess ? l->untried_count : l->wrong_count) == 0 &&
		    shed_login(l->d, js_str(one, "login", ""), err))
			return err->code;
	}
	return 0;
}

static int look_in(struct look *l, const char *workspace_id, const struct workspace *of,
		   struct berth_error *err)
{
	const struct store_value v = V_TEXT(workspace_id);
	const struct store_page page = {
		.within = "n.workspace_id = ?", .within_values = &v, .within_count = 1};
	json_t *plan AUTO_JSON = NULL;
	const json_t *one;
	size_t i;

	if (api_each(l->d->store, &namespaces_table, &page, count_used, l, err) ||
	    pull_look(l->d, workspace_id, of->name, l->used_count > 0, &plan, err) ||
	    pull_digest(plan, of->patches_account, l->digest, err))
		return err->code;
	l->is_settled = js_bool(plan, "is_settled", false);
	json_array_foreach (json_object_get(plan, "make"), i, one)
		if (make_login(l->d, workspace_id, of->name ? of->name : "", one, err))
			return err->code;
	if (api_each(l->d->store, &namespaces_table, &page, note_wanted, l, err))
		return err->code;
	return shed(l, plan, err);
}

static int look_at(struct daemon_state *d, const char *workspace_id, struct berth_error *err)
{
	struct workspace of AUTO_WORKSPACE = {.id = NULL};
	struct look l = {.d = d};

	if (workspace_get_by_id(d->store, workspace_id, &of, err)) {
		if (err->code != BERTH_E_NOT_FOUND)
			return err->code;
		*err = (struct berth_error)ERROR_INIT; /* it is gone: what it had goes, too */
	}
	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	if (look_in(&l, workspace_id, &of, err))
		return err->code;
	return store_commit(STEAL(undo), err);
}

static int collect(void *user, const char *id)
{
	return json_array_append_new(user, json_string(id)) ? BERTH_E_NO_MEMORY : 0;
}

static int go_on(struct daemon_state *d, struct berth_error *err)
{
	json_t *ids AUTO_JSON = json_array();
	const json_t *one;
	size_t i;

	if (!ids)
		return berth_fail_memory(err);
	if (namespaces_workspaces(d->store, pass.after, SLICE, collect, ids, err))
		return err->code;
	json_array_foreach (ids, i, one) {
		snprintf(pass.after, sizeof(pass.after), "%s", json_string_value(one));
		if (look_at(d, json_string_value(one), err)) {
			log_warning("cannot look after the pull secrets of a workspace: %s: %s",
				    err->message, err->cause);
			*err = (struct berth_error)ERROR_INIT;
		}
	}
	pass.is_running = json_array_size(ids) == SLICE;
	return 0;
}

/* --- operations --- */

struct batch {
	struct daemon_state *d;
	json_t *namespaces;
};

/* From now on it is not known what is there. */
static int take_due(void *user, const void *row, struct berth_error *err)
{
	struct batch *b = user;
	struct workspace_namespace next = *(const struct workspace_namespace *)row;

	if (json_array_append_new(b->namespaces, json_string(next.namespace)))
		return berth_fail_memory(err);
	if (!*next.wanted)
		return 0;
	next.applied = (char *)"?";
	return namespace_change(b->d->store, &next, err);
}

static int submit_cluster(struct daemon_state *d, const char *cluster_id, struct berth_error *err)
{
	struct cluster row AUTO_CLUSTER = {.id = NULL};
	const struct store_value values[] = {V_TEXT(cluster_id), V_INT(clock_unix_ms())};
	const struct store_page page = {
		.within = "n.cluster_id = ? AND n.due_ms > 0 AND n.due_ms <= ?",
		.within_values = values,
		.within_count = 2,
		.limit = PULL_BATCH_MAX};
	struct batch b = {.d = d, .namespaces = json_array()};
	struct op_submitted done = {.id = ""};
	char instance[CLUSTER_NAME_ROOM];
	json_t *parts AUTO_JSON = json_pack("{s:{s:o}, s:[], s:[]}", "arguments", "namespaces",
					    b.namespaces, "resources", "locks");

	if (!parts)
		return berth_fail_memory(err);
	if (cluster_get_by_id(d->store, cluster_id, &row, err) || store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	cluster_instance_name(row.name, instance);
	json_t *arguments = json_object_get(parts, "arguments");
	js_put_str(arguments, "id", row.id);
	js_put_str(arguments, "name", row.name);
	json_array_append_new(json_object_get(parts, "resources"),
			      json_sprintf("/v1/clusters/%s", row.name));
	json_array_append_new(json_object_get(parts, "locks"),
			      json_sprintf("pull-secrets/%s", row.name));
	struct op_request op = {.kind = "pull-secrets",
				.arguments = arguments,
				.resources = json_object_get(parts, "resources"),
				.locks = json_object_get(parts, "locks"),
				.integration = instance,
				.user_name = "berthd",
				.request_id = "pull-secrets",
				.uid = getuid()};
	if (store_list(d->store, &namespaces_table, &page, take_due, &b, NULL, err) ||
	    ops_submit(d->ops, &op, &done, err))
		return err->code;
	return store_commit(STEAL(undo), err);
}

/* A cluster whose last operation has not ended waits for that: what becomes due
 * meanwhile is one batch. One that fails does not hold up the others. */
static int submit_due(struct daemon_state *d, struct berth_error *err)
{
	json_t *ids AUTO_JSON = json_array();
	const json_t *one;
	size_t i;

	if (!ids)
		return berth_fail_memory(err);
	if (namespaces_due(d->store, clock_unix_ms(), collect, ids, err))
		return err->code;
	json_array_foreach (ids, i, one) {
		struct berth_error why = ERROR_INIT;
		if (submit_cluster(d, json_string_value(one), &why) && why.code != BERTH_E_CONFLICT)
			log_warning("cannot bring a cluster its pull secrets: %s: %s", why.message,
				    why.cause);
	}
	return 0;
}

static void tick(void *user, const char *name)
{
	struct daemon_state *d = user;
	struct berth_error err = ERROR_INIT;
	int64_t now_ms = clock_unix_ms();

	(void)name;
	if (!d->plugins_known || !d->sealer || store_health(d->store, NULL))
		return;
	bool is_quiet = pass.woken_ms && now_ms - pass.woken_ms >= QUIET_MS;
	bool is_late = now_ms >= pass.next_ms || now_ms < pass.next_ms - 2 * PASS_MS;
	if (!pass.is_running && (is_quiet || is_late)) {
		pass.is_running = true;
		pass.after[0] = '\0';
		pass.woken_ms = 0;
		pass.next_ms = now_ms + PASS_MS;
	}
	if ((pass.is_running && go_on(d, &err)) || submit_due(d, &err))
		log_warning("cannot look after pull secrets: %s: %s", err.message, err.cause);
}

int pull_clock_start(struct daemon_state *d, struct berth_error *err)
{
	return schedule_set(ops_schedule(d->ops), "pull-secrets", TICK_MS, TICK_MS, tick, d, err);
}
