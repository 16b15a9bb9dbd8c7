/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/integrations: what is asked, checked and either done at once or handed
 * to a proof (integration_ops.c). Runs in berthd's only thread.
 */
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/commands.h"
#include "core/api/integration.h"
#include "core/api/workspace.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/http/patch.h"
#include "core/store/logins.h"
#include "core/store/natives.h"
#include "core/store/records.h"
#include "core/store/spaces.h"
#include "core/store/syncs.h"

static const char *const q_columns[] = {"name", NULL};
void api_integrations_list(struct request *q, struct answer *a)
{
	struct sight sight AUTO_SIGHT = {.is_all = false};

	if (!sight_integrations(q, a, &sight))
		return;
	struct api_collection seen = {.table = &integrations_table,
				      .noun = "integration",
				      .within = sight.where,
				      .within_values = sight.values,
				      .within_count = sight.value_count,
				      .q_columns = q_columns,
				      .show = integration_show};
	api_list(&seen, q, a);
}

/* The row as the answer, with the ETag of what a user may change. */
static void answer_row(struct request *q, struct answer *a, const struct integration *row)
{
	struct berth_error err = ERROR_INIT;
	json_t *desired AUTO_JSON = NULL;
	json_t *shown = NULL;

	if (api_parse(row->desired, &desired, &err) || integration_show(q, row, &shown, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	answer_resource(a, q, shown, desired, row->generation);
}

void api_integrations_get(struct request *q, struct answer *a)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};

	if (integration_of_route(q, a, &row))
		answer_row(q, a, &row);
}

/* Figures of the index and of the registry, its console, and lines to begin with. */
static int show_overview(const struct request *q, const struct integration *row, json_t **ret,
			 struct berth_error *err)
{
	static const char *const beside[] = {"version", "server", "console"};
	json_t *status AUTO_JSON = NULL, *desired AUTO_JSON = NULL, *quick_start = NULL;

	if (api_parse(row->status, &status, err) || api_parse(row->desired, &desired, err))
		return err->code;
	json_t *index = json_object_get(status, "overview");
	json_t *overview AUTO_JSON = index ? json_copy(index) : json_object();
	for (size_t i = 0; i < ARRAY_COUNT(beside); i++)
		if (json_object_get(status, beside[i]))
			json_object_set(overview, beside[i], json_object_get(status, beside[i]));
	js_put_str(overview, "kind", row->kind);
	js_put_str(overview, "address", js_str(desired, "address", ""));
	const json_t *plugin = catalog_find(request_daemon(q), row->kind);
	if (commands_quick_start(desired, catalog_has_own_spaces(plugin), &quick_start, err))
		return err->code;
	if (json_object_set_new(overview, "quick_start", quick_start))
		return berth_fail_memory(err);
	*ret = STEAL(overview);
	return 0;
}

void api_integrations_overview(struct request *q, struct answer *a)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *overview = NULL;

	if (!integration_of_route(q, a, &row))
		return;
	if (show_overview(q, &row, &overview, &err))
		api_fail(a, &err, NULL);
	else
		answer_json(a, 200, overview);
}

/* A change on its way: what is there, what is wanted, and the secrets. */
struct change {
	struct integration row; /* zeroed for a new one */
	const char *name, *kind;
	char workspace_id[UUID_ROOM]; /* that a new one belongs to; "": the platform's */
	json_t *before, *desired, *secrets;
};

static void change_done(struct change *c)
{
	integration_done(&c->row);
	json_decref(c->before);
	json_decref(c->desired);
	json_decref(c->secrets);
}
#define AUTO_CHANGE CLEANUP(change_done)

/* Checks a change in full; false: answered. */
static bool check_change(struct request *q, struct answer *a, struct change *c)
{
	struct daemon_state *d = request_daemon(q);
	struct findings f = {.answer = a};
	struct integration_secrets secrets = {.has_password = false};
	struct berth_error err = ERROR_INIT;

	if (!api_plugins_known(q, a))
		return false;
	if (vault_will_have(d, c->row.id, c->secrets, "password", &secrets.has_password, &err) ||
	    vault_will_have(d, c->row.id, c->secrets, "tls_client_key", &secrets.has_client_key,
			    &err) ||
	    integration_defaults(d, c->desired, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	integration_check(d, c->kind, c->desired, &secrets, &f);
	return f.count == 0;
}

/* The scope that a name says; new; NULL: no memory. */
static char *scope_of(const char *name)
{
	size_t bytes = text_workspace_bytes(name);

	return bytes ? strndup(name, bytes) : strdup(PLATFORM_SCOPE);
}

/* Hands a change to its proof. The secrets wait, sealed, under a new owner. */
static void submit_proof(struct request *q, struct answer *a, const struct change *c)
{
	bool is_dry_run = request_dry_run(q), is_new = !c->row.id;
	char owner[UUID_ROOM], path[96];

	uuid_make(owner);
	snprintf(path, sizeof(path), "/v1/integrations/%s", c->name);
	/* Without a scope there are no arguments, and without these no operation. */
	char *scope AUTO_FREE = scope_of(c->name);
	json_t *arguments AUTO_JSON = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:O, s:o, s:s, s:I, s:b}", "id",
		is_new ? owner : c->row.id, "name", c->name, "kind", c->kind, "scope",
		is_new ? scope : c->row.scope, "workspace_id", c->workspace_id, "desired",
		c->desired, "fields", vault_names(c->secrets), "owner", owner, "generation",
		(json_int_t)c->row.generation, "dry_run", is_dry_run ? 1 : 0);
	json_t *resources AUTO_JSON = json_pack("[s]", path);
	json_t *locks AUTO_JSON =
		is_dry_run ? json_array() : json_pack("[s+]", "integration/", c->name);
	struct op_request request = {
		.kind = is_new ? "integration-create" : "integration-change",
		.arguments = arguments,
		.resources = resources,
		.locks = locks,
		.integration = c->name,
	};
	vault_submit(q, a, &request, owner, c->secrets);
}

#define OF_ONE_WORKSPACE_MAX 100

static bool has_room(struct request *q, struct answer *a, const char *workspace)
{
	const struct store_value v = V_TEXT(workspace);
	struct berth_error err = ERROR_INIT;
	int64_t count = 0;

	if (store_count(request_daemon(q)->store, &integrations_table,
			PAGE_OF("i.scope = ?", &v, 1), &count, &err))
		api_fail(a, &err, NULL);
	else if (count >= OF_ONE_WORKSPACE_MAX)
		api_refuse(a, 409, "conflict", "berthctl integration list",
			   "workspace %s has %d integrations, and more are not allowed", workspace,
			   OF_ONE_WORKSPACE_MAX);
	return !err.code && count < OF_ONE_WORKSPACE_MAX;
}

/* May the caller make one of that name? Who may in a workspace alone names it so. */
static bool may_create(struct request *q, struct answer *a, struct change *c)
{
	struct workspace owner AUTO_WORKSPACE = {.id = NULL};
	char *scope AUTO_FREE = scope_of(c->name);
	bool is_owned = text_workspace_bytes(c->name) > 0;
	const char *said = js_str(request_body(q), "scope", scope);
	struct findings f = {.answer = a};

	if (!scope) {
		struct berth_error err = ERROR_INIT;
		(void)berth_fail_memory(&err);
		api_fail(a, &err, NULL);
		return false;
	}
	if (!is_owned && !request_is_platform(q)) {
		api_refuse(a, 403, "forbidden", "berthctl integration add NAME --workspace NAME",
			   "this needs the role admin: write WORKSPACE~NAME for one of a "
			   "workspace's own");
		return false;
	}
	if (is_owned && !sight_workspace(q, a, scope, &owner))
		return false;
	if (strcmp(said, scope) != 0)
		findings_add(&f, "/scope", "wrong-scope", "the name says %s", scope);
	if (is_owned && !strcmp(scope, PLATFORM_SCOPE))
		findings_add(&f, "/name", "reserved", "workspace %s can't own integrations", scope);
	if (f.count || (is_owned && !has_room(q, a, scope)))
		return false;
	snprintf(c->workspace_id, sizeof(c->workspace_id), "%s", is_owned ? owner.id : "");
	return true;
}

void api_integrations_create(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	const json_t *body = request_body(q);
	struct change c AUTO_CHANGE = {.name = js_str(body, "name", ""),
				       .kind = js_str(body, "kind", "")};
	struct integration other AUTO_INTEGRATION = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (api_resumed(q, a) || !may_create(q, a, &c))
		return;
	if (!integration_get(d->store, c.name, &other, &err)) {
		api_refuse(a, 409, "exists", "berthctl integration list",
			   "there is an integration %s already", c.name);
		return;
	}
	if (err.code != BERTH_E_NOT_FOUND ||
	    integration_split(d, c.kind, body, &c.desired, &c.secrets, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	if (check_change(q, a, &c))
		submit_proof(q, a, &c);
}

static int settle_secrets(struct daemon_state *d, const struct change *c, struct berth_error *err)
{
	json_t *names AUTO_JSON = vault_names(c->secrets);

	if (!names)
		return berth_fail_memory(err);
	if (vault_put(d, c->row.id, c->secrets, false, err))
		return err->code;
	return vault_settle(d, c->row.id, c->row.id, names, err);
}

/* A disabled integration is neither healthy nor ill: its images are not browsed. */
static int note_disabled(struct daemon_state *d, const struct integration *row,
			 struct berth_error *err)
{
	json_t *status AUTO_JSON = NULL;

	if (api_parse(row->status, &status, err))
		return err->code;
	js_put_str(status, "phase", "disabled");
	js_put_str(status, "reason", "Disabled");
	json_object_del(status, "message");
	js_put_time(status, "since", clock_unix_ms());
	char *text AUTO_FREE = js_canonical(status);
	if (!text)
		return berth_fail_memory(err);
	return integration_set_status(d->store, row->id, text, "disabled", row->checked_ms, err);
}

/* A change that needs no proof, in one transaction. */
static int apply_change(struct daemon_state *d, struct change *c, struct berth_error *err)
{
	char path[96];
	char *text AUTO_FREE = js_canonical(c->desired);

	if (!text)
		return berth_fail_memory(err);
	struct integration row = c->row;
	row.desired = text;
	row.generation++;
	row.probe_ms = js_int(c->desired, "probe_period_s", 300) * 1000;
	row.updated_ms = clock_unix_ms();
	snprintf(path, sizeof(path), "/v1/integrations/%s", row.name);
	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	bool is_off = !js_bool(c->desired, "enabled", true);
	if (settle_secrets(d, c, err) || integration_change(d->store, &row, err) ||
	    (is_off && note_disabled(d, &row, err)) || api_tell(d, path, "changed", NULL, err) ||
	    store_commit(STEAL(undo), err) || rates_of_integration(d, row.id, c->desired, err))
		return err->code;
	return integration_schedule(d, &row, err);
}

static void change_now(struct request *q, struct answer *a, struct change *c)
{
	struct daemon_state *d = request_daemon(q);
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	char path[96];

	bool is_same = json_equal(c->before, c->desired) && !json_object_size(c->secrets);
	if (request_dry_run(q)) {
		snprintf(path, sizeof(path), "/v1/integrations/%s", c->name);
		answer_json(a, 200, api_plan(NULL, is_same ? NULL : path, NULL));
		return;
	}
	if ((!is_same && apply_change(d, c, &err)) ||
	    integration_get(d->store, c->name, &row, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	answer_row(q, a, &row);
}

/* What PUT and PATCH share: c->row is read and the precondition holds. */
static bool begin_change(struct request *q, struct answer *a, struct change *c)
{
	struct berth_error err = ERROR_INIT;

	if (!integration_of_route(q, a, &c->row))
		return false;
	c->name = c->row.name;
	c->kind = c->row.kind;
	if (api_parse(c->row.desired, &c->before, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	return answer_precondition(a, q, true, c->before, c->row.generation);
}

static void finish_change(struct request *q, struct answer *a, struct change *c)
{
	if (!check_change(q, a, c))
		return;
	if (integration_needs_proof(c->before, c->desired, c->secrets))
		submit_proof(q, a, c);
	else
		change_now(q, a, c);
}

void api_integrations_put(struct request *q, struct answer *a)
{
	const json_t *body = request_body(q);
	struct change c AUTO_CHANGE = {.name = NULL};
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;

	if (api_resumed(q, a) || !begin_change(q, a, &c))
		return;
	if (strcmp(js_str(body, "name", ""), c.name) != 0)
		findings_add(&f, "/name", "fixed", "expected %s: names do not change", c.name);
	if (strcmp(js_str(body, "kind", ""), c.kind) != 0)
		findings_add(&f, "/kind", "fixed", "expected %s: kinds do not change", c.kind);
	if (strcmp(js_str(body, "scope", c.row.scope), c.row.scope) != 0)
		findings_add(&f, "/scope", "fixed", "expected %s: scopes do not change",
			     c.row.scope);
	if (f.count)
		return;
	if (integration_split(request_daemon(q), c.kind, body, &c.desired, &c.secrets, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	finish_change(q, a, &c);
}

void api_integrations_patch(struct request *q, struct answer *a)
{
	struct change c AUTO_CHANGE = {.name = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *patch AUTO_JSON = NULL;

	if (api_resumed(q, a) || !begin_change(q, a, &c))
		return;
	if (integration_split(request_daemon(q), c.kind, request_body(q), &patch, &c.secrets,
			      &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	c.desired = json_merge_patch(c.before, patch);
	if (!c.desired) {
		(void)berth_fail_memory(&err);
		api_fail(a, &err, NULL);
		return;
	}
	finish_change(q, a, &c);
}

/* What the registry keeps that was made for berthd. */
struct kept_there {
	int64_t logins, policies;
};

static int count_kept(struct store *s, const struct integration *row, struct kept_there *ret,
		      struct berth_error *err)
{
	int code = login_count(s, row->id, &ret->logins, err);

	return code ? code : sync_native_count(s, row->id, &ret->policies, err);
}

/* Answers 409 where the registry keeps anything and can still be told to remove it: of
 * one that is gone, or disabled, it can't be, and it stays. */
static bool is_clean_there(struct request *q, struct answer *a, const struct integration *row,
			   const struct kept_there *kept)
{
	int64_t logins = kept->logins, policies = kept->policies;
	struct berth_error off = ERROR_INIT;
	char hint[HINT_ROOM];

	if (integration_check_usable(row, true, &off))
		return true;
	snprintf(hint, sizeof(hint), "berthctl integration %s %s%s", logins ? "edit" : "refresh",
		 row->name, logins ? " --disable" : "");
	if (logins)
		api_refuse(a, 409, "in-use", request_is_platform(q) ? "berthctl login list" : hint,
			   "%lld temporary logins of integration %s are still to be revoked",
			   (long long)logins, row->name);
	else if (policies)
		api_refuse(a, 409, "in-use", hint,
			   "%lld replication polic%s at integration %s %s still to be removed",
			   (long long)policies, policies == 1 ? "y" : "ies", row->name,
			   policies == 1 ? "is" : "are");
	return !logins && !policies;
}

/* Answers 409 where rules refer to it or work on it has not ended. */
static bool is_free(struct request *q, struct answer *a, const struct integration *row)
{
	struct daemon_state *d = request_daemon(q);
	struct berth_error err = ERROR_INIT;
	json_t *users AUTO_JSON = NULL;
	int64_t open_count = 0;
	size_t i;
	const json_t *one;

	if (sync_users(d, row->name, &users, &err) ||
	    operation_row_count_open(d->store, row->name, &open_count, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	if (json_array_size(users)) {
		api_refuse(a, 409, "in-use", "berthctl sync list",
			   "integration %s is used by %zu copy rule%s", row->name,
			   json_array_size(users), json_array_size(users) == 1 ? "" : "s");
		/* What the platform calls its rules may name what is others'. */
		json_array_foreach (request_is_platform(q) ? users : NULL, i, one)
			answer_fault(a, "", "in-use", "copy rule %s", json_string_value(one));
		return false;
	}
	if (open_count)
		api_refuse(a, 409, "busy", "berthctl operation list",
			   "%lld operations on integration %s have not ended",
			   (long long)open_count, row->name);
	return open_count == 0;
}

/* The plan of a deletion, done or not, with what stays at the registry for good. */
static json_t *plan_of_deletion(struct request *q, const char *path, const struct kept_there *kept)
{
	json_t *plan = api_plan(NULL, NULL, path);
	char message[192];

	json_object_set_new(plan, "dry_run", json_boolean(request_dry_run(q)));
	snprintf(message, sizeof(message),
		 "%lld replication polic%s and %lld temporary login%s of Berth's stay at the "
		 "registry, and are to be removed there by hand",
		 (long long)kept->policies, kept->policies == 1 ? "y" : "ies",
		 (long long)kept->logins, kept->logins == 1 ? "" : "s");
	js_put_str(plan, "message", message);
	return plan;
}

/* Removes it, or shows the plan of that; false: nothing was removed. */
static bool remove_row(struct request *q, struct answer *a, const struct integration *row,
		       const struct kept_there *kept)
{
	char path[96];

	snprintf(path, sizeof(path), "/v1/integrations/%s", row->name);
	bool is_removed = api_remove(q, a, path, row->id, integration_remove);
	if ((kept->logins || kept->policies) && (is_removed || request_dry_run(q)))
		answer_json(a, 200, plan_of_deletion(q, path, kept));
	return is_removed;
}

void api_integrations_delete(struct request *q, struct answer *a)
{
	struct change c AUTO_CHANGE = {.name = NULL};
	struct kept_there kept = {.logins = 0};
	struct berth_error failed = ERROR_INIT;

	if (!begin_change(q, a, &c) ||
	    !bindings_none(q, a, "s.integration_id = ? AND " BINDING_COUNTS_SQL, c.row.id,
			   "the integration") ||
	    !is_free(q, a, &c.row))
		return;
	if (count_kept(request_daemon(q)->store, &c.row, &kept, &failed)) {
		api_fail(a, &failed, NULL);
		return;
	}
	if (!is_clean_there(q, a, &c.row, &kept) || !remove_row(q, a, &c.row, &kept))
		return;
	integration_unschedule(request_daemon(q), c.row.id);
	struct berth_error err = ERROR_INIT;
	if (rates_of_integration(request_daemon(q), c.row.id, NULL, &err))
		log_warning("the rate of a deleted integration stays: %s", err.message);
}

/* Work on one integration: a kind of operation with {id, name}; a second one
 * joins the first. */
static void submit_work(struct request *q, struct answer *a, const char *kind)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct op_request request;
	json_t *parts AUTO_JSON = NULL;

	if (api_resumed(q, a) || !integration_of_route(q, a, &row) ||
	    !integration_usable(a, &row, false))
		return;
	integration_work(&row, kind, &request, &parts);
	(void)api_submit(q, a, &request);
}

void api_integrations_probe(struct request *q, struct answer *a)
{
	submit_work(q, a, "probe");
}
