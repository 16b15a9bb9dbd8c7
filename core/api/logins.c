/* SPDX-License-Identifier: Apache-2.0 */
/* Routes of temporary logins: made for a space, listed, taken, revoked. A
 * secret is given out once and forgotten; until then it is sealed.
 */
#include "core/api/login.h"

#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/sight.h"
#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/secrets/secrets.h"

#define DEFAULT_TTL_S (8 * 3600)

static json_t *rights_of(const struct login *row)
{
	return strstr(row->rights, "push") ? json_pack("[s, s]", "pull", "push")
					   : json_pack("[s]", "pull");
}

static int show(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct login *it = row;
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:{s:b}, s:s}", "id", it->id,
			      "integration", it->integration, "space", it->space, "name", it->name,
			      "rights", rights_of(it), "state", it->state, "secret", "set",
			      it->has_secret ? 1 : 0, "user", it->user_name);
	json_t *spaces = NULL;

	(void)q;
	if (!o)
		return berth_fail_memory(err);
	js_put_str(o, "username", it->username);
	js_put_str(o, "workspace", it->workspace);
	if (*it->spaces) {
		if (api_parse(it->spaces, &spaces, err)) {
			json_decref(o);
			return err->code;
		}
		json_object_set_new(o, "spaces", spaces);
	}
	js_put_str(o, "description", it->description);
	js_put_time(o, "created_at", it->created_ms);
	js_put_time(o, "expires_at", it->expires_ms);
	*ret = o;
	return 0;
}

static const char *const q_columns[] = {"l.username", "l.name", "l.space", NULL};

void api_logins_list(struct request *q, struct answer *a)
{
	struct sight sight AUTO_SIGHT = {.is_all = false};

	if (!sight_integrations(q, a, &sight))
		return;
	struct api_collection seen = {.table = &logins_table,
				      .noun = "login",
				      .within = sight.where,
				      .within_values = sight.values,
				      .within_count = sight.value_count,
				      .q_columns = q_columns,
				      .show = show};
	api_list(&seen, q, a);
}

void api_space_logins_list(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};

	if (!owned_space_of_route(q, a, &space))
		return;
	char *quoted AUTO_FREE = text_printf("\"%s\"", space.name);
	const struct store_value values[] = {V_TEXT(space.integration_id), V_TEXT(space.name),
					     V_TEXT(quoted ? quoted : "")};
	struct api_collection of_one = {.table = &logins_table,
					.noun = "login",
					/* Of several too: what is stored is a JSON array. */
					.within = "l.integration_id = ? AND (l.space = ? OR "
						  "l.workspace_id = '' AND "
						  "REPLACE(l.spaces, ?, '') <> l.spaces)",
					.within_values = values,
					.within_count = 3,
					.q_columns = q_columns,
					.show = show};
	api_list(&of_one, q, a);
}

/* false: answered 404, or 403 where the caller may see it. */
static bool login_of_route(struct request *q, struct answer *a, struct login *ret)
{
	struct berth_error err = ERROR_INIT;
	int code = sight_login(q, request_param(q, "id"), ret, &err);

	if (code == BERTH_E_DENIED)
		api_refuse(a, 403, "forbidden", NULL, "%s", err.message);
	else if (code)
		api_fail(a, &err, "berthctl login list");
	return !code;
}

static json_t *desired_of(const struct login *row)
{
	return json_pack("{s:s}", "id", row->id);
}

void api_logins_get(struct request *q, struct answer *a)
{
	struct login row AUTO_LOGIN = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *shown = NULL;

	if (!login_of_route(q, a, &row))
		return;
	json_t *desired AUTO_JSON = desired_of(&row);
	if (show(q, &row, &shown, &err))
		api_fail(a, &err, NULL);
	else
		answer_resource(a, q, shown, desired, 0);
}

/* --- making --- */

static bool wants_push(const json_t *body)
{
	size_t i;
	const json_t *one;

	json_array_foreach (json_object_get(body, "rights"), i, one)
		if (!strcmp(json_string_value(one), "push"))
			return true;
	return false;
}

/* false: answered. */
static bool may_hold(struct request *q, struct answer *a, const struct space *space)
{
	struct findings f = {.answer = a};

	if (wants_push(request_body(q)) && !space->can_push)
		findings_add(&f, "/rights", "no-push", "space %s is a %s and takes no push",
			     space->name, space->mode);
	if (f.count)
		return false;
	if (!space->is_present)
		api_refuse(a, 409, "space-absent", "berthctl space list -o wide",
			   "space %s/%s was not at its server at the last look", space->integration,
			   space->name);
	return space->is_present;
}

/* One of the body's spaces; its name goes into names, once. false: answered. */
static bool take_space(struct request *q, struct answer *a, const struct space *first, size_t at,
		       const char *id, json_t *names)
{
	struct space space AUTO_SPACE = {.id = NULL};
	struct findings f = {.answer = a};
	char pointer[32];
	const json_t *one;
	size_t i;

	if (!owned_space(q, a, id, &space))
		return false;
	snprintf(pointer, sizeof(pointer), "/spaces/%zu", at);
	if (strcmp(space.integration_id, first->integration_id) != 0)
		findings_add(&f, pointer, "other-integration",
			     "expected a space of %s: a login is of one registry",
			     first->integration);
	if (f.count || !may_hold(q, a, &space))
		return false;
	json_array_foreach (names, i, one)
		if (!strcmp(json_string_value(one), space.name))
			return true;
	(void)json_array_append_new(names, json_string(space.name)); /* a loss is counted */
	return true;
}

/* The names of all spaces that are asked for, the route's first; NULL: answered. */
static json_t *take_spaces(struct request *q, struct answer *a, const struct space *first)
{
	json_t *names AUTO_JSON = json_pack("[s]", first->name);
	const json_t *one;
	size_t i;

	if (!may_hold(q, a, first))
		return NULL;
	json_array_foreach (json_object_get(request_body(q), "spaces"), i, one)
		if (!take_space(q, a, first, i, json_string_value(one), names))
			return NULL;
	return STEAL(names);
}

/* false: answered. */
static bool may_make(struct request *q, struct answer *a, const struct space *space)
{
	struct daemon_state *d = request_daemon(q);
	struct berth_error err = ERROR_INIT;
	int64_t open_count = 0;

	if (!d->sealer) {
		(void)berth_fail(&err, BERTH_E_UNAVAILABLE,
				 "there is no key to seal a secret with: %s", d->degraded);
		api_fail(a, &err, NULL);
		return false;
	}
	if (login_count(d->store, space->integration_id, &open_count, &err)) {
		api_fail(a, &err, NULL);
		return false;
	}
	if (open_count >= LOGIN_OPEN_MAX)
		api_refuse(a, 422, "limit-exceeded", "berthctl login list",
			   "integration %s has %lld temporary logins, the most there may be",
			   space->integration, (long long)open_count);
	return open_count < LOGIN_OPEN_MAX;
}

/* The row of the intent; texts are borrowed from its arguments and from q. spaces: all
 * of them as JSON, where they are several. */
static void intend(struct request *q, const struct space *space, const char *spaces, const char *id,
		   const char *name, struct login *ret)
{
	const json_t *body = request_body(q);
	int64_t now_ms = clock_unix_ms();

	*ret = (struct login){
		.id = (char *)id,
		.integration_id = space->integration_id,
		.space = space->name,
		.spaces = (char *)spaces,
		.name = (char *)name,
		.remote_id = (char *)"",
		.username = (char *)"",
		.rights = (char *)(wants_push(body) ? "pull,push" : "pull"),
		.description = (char *)js_str(body, "description", ""),
		.state = (char *)"making",
		.operation_id = (char *)"",
		.uid = (int64_t)request_caller(q)->uid,
		.due_ms = now_ms,
		.created_ms = now_ms,
		.expires_ms = now_ms + js_int(body, "ttl_s", DEFAULT_TTL_S) * 1000,
	};
}

static json_t *making_args(const struct login *row, json_t *spaces)
{
	int64_t ttl_s = (row->expires_ms - row->created_ms) / 1000;

	return json_pack("{s:{s:s, s:O, s:o, s:I, s:s*}}", "request", "name", row->name, "spaces",
			 spaces, "rights", rights_of(row), "ttl_s", (json_int_t)ttl_s,
			 "description", *row->description ? row->description : NULL);
}

/* Intent and operation are one transaction: neither is there without the other. */
static void make(struct request *q, struct answer *a, const struct space *space,
		 const struct slot_work *work, const struct login *intent)
{
	struct daemon_state *d = request_daemon(q);
	struct berth_error err = ERROR_INIT;
	struct op_submitted done = {.id = ""};
	struct login row = *intent;
	char user[USER_NAME_ROOM];

	api_user_name(request_caller(q)->uid, user, sizeof(user));
	row.user_name = user;
	if (store_begin(d->store, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	struct store *undo AUTO_UNDO = d->store;
	if (login_add(d->store, &row, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	if (!slot_submit_id(q, a, space->integration_id, work, &done))
		return;
	row.operation_id = done.id;
	if (login_change(d->store, &row, &err) || store_commit(STEAL(undo), &err))
		api_fail(a, &err, NULL);
}

void api_space_logins_create(struct request *q, struct answer *a)
{
	struct space space AUTO_SPACE = {.id = NULL};
	struct login row;
	char id[UUID_ROOM], name[32], path[96];

	if (api_resumed(q, a) || !owned_space_of_route(q, a, &space))
		return;
	json_t *spaces AUTO_JSON = take_spaces(q, a, &space);
	if (!spaces || !may_make(q, a, &space))
		return;
	char *all AUTO_FREE = json_array_size(spaces) > 1 ? js_canonical(spaces) : strdup("");
	if (!all) {
		answer_problem(a, 0, "no-memory", NULL, NULL);
		return;
	}
	uuid_make(id);
	/* The first 13 characters of a random UUID: 48 bits. */
	snprintf(name, sizeof(name), LOGIN_PREFIX "%.8s%.4s", id, id + 9);
	snprintf(path, sizeof(path), "/v1/logins/%s", id);
	intend(q, &space, all, id, name, &row);
	json_t *args AUTO_JSON = making_args(&row, spaces);
	json_t *about AUTO_JSON = json_pack("{s:s}", "login", id);
	struct slot_work work = {.kind = "login-create",
				 .slot = "login_create",
				 .path = path,
				 .lock = SLOT_UNLOCKED,
				 .args = args,
				 .about = about};
	if (request_dry_run(q)) {
		snprintf(path, sizeof(path), "/v1/spaces/%s/logins", space.id);
		slot_plan(q, a, space.integration_id, &work, api_plan(path, NULL, NULL));
		return;
	}
	make(q, a, &space, &work, &row);
}

/* --- taking the secret --- */

void login_secret_field(const char *id, char *to)
{
	snprintf(to, 64, "login-%s", id);
}

int login_forget_secret(struct daemon_state *d, const struct login *row, struct berth_error *err)
{
	char field[64];

	login_secret_field(row->id, field);
	return secret_remove(d->store, row->integration_id, field, err);
}

static int take(struct daemon_state *d, struct login *row, char **ret_secret,
		struct berth_error *err)
{
	char field[64];

	login_secret_field(row->id, field);
	if (secret_load(d->store, d->sealer, row->integration_id, field, ret_secret, err))
		return err->code;
	if (!*ret_secret)
		return berth_fail(
			err, BERTH_E_NOT_FOUND,
			"the secret of login %s is not here any more: revoke it, and make "
			"another",
			row->name);
	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	row->has_secret = 0;
	if (login_forget_secret(d, row, err) || login_change(d->store, row, err))
		return err->code;
	return store_commit(STEAL(undo), err);
}

/* Only who asked for it, and an administrator. */
static bool is_theirs(struct request *q, struct answer *a, const struct login *row)
{
	if (api_is_caller(q, row->uid, row->user_name) || request_may(q, POINT_LOGINS_ANY))
		return true;
	api_refuse(a, 403, "denied", NULL, "login %s was made by %s", row->name, row->user_name);
	return false;
}

void api_login_secrets_take(struct request *q, struct answer *a)
{
	struct daemon_state *d = request_daemon(q);
	struct login row AUTO_LOGIN = {.id = NULL};
	struct integration of AUTO_INTEGRATION = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	char *secret AUTO_SECRET = NULL;
	json_t *desired AUTO_JSON = NULL;

	if (!login_of_route(q, a, &row) || !is_theirs(q, a, &row))
		return;
	if (*row.workspace_id) {
		api_refuse(a, 409, "in-use", "berthctl workspace secrets NAME",
			   "login %s is for the pull secrets of a workspace, and is given out "
			   "nowhere else",
			   row.name);
		return;
	}
	if (!row.has_secret) {
		api_refuse(a, 404, "not-found", "berthctl login create SPACE",
			   "the secret of login %s is not here: it is shown once, and kept for "
			   "15 minutes",
			   row.name);
		return;
	}
	if (integration_get_by_id(d->store, row.integration_id, &of, &err) ||
	    api_parse(of.desired, &desired, &err) || take(d, &row, &secret, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	json_t *shown = json_pack("{s:s, s:s, s:s, s:s}", "id", row.id, "username", row.username,
				  "secret", secret, "address", js_str(desired, "address", ""));
	js_put_time(shown, "expires_at", row.expires_ms);
	answer_json(a, 200, shown);
	answer_header(a, "Cache-Control", "no-store");
}

/* --- revoking --- */

static void start_removal(struct request *q, struct answer *a, struct login *row,
			  const struct op_request *request)
{
	struct daemon_state *d = request_daemon(q);
	struct berth_error err = ERROR_INIT;

	if (store_begin(d->store, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	struct store *undo AUTO_UNDO = d->store;
	/* The clock comes back to it where this operation fails. */
	struct login next = *row;
	next.state = (char *)"revoking";
	next.due_ms = clock_unix_ms() + LOGIN_RETRY_MS;
	next.has_secret = 0;
	if (login_forget_secret(d, row, &err) || login_change(d->store, &next, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	if (api_submit(q, a, request) && store_commit(STEAL(undo), &err))
		api_fail(a, &err, NULL);
}

void api_logins_delete(struct request *q, struct answer *a)
{
	struct login row AUTO_LOGIN = {.id = NULL};
	struct integration of AUTO_INTEGRATION = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	struct op_request request;
	json_t *parts AUTO_JSON = NULL;
	char path[96];

	if (api_resumed(q, a) || !login_of_route(q, a, &row))
		return;
	json_t *desired AUTO_JSON = desired_of(&row);
	if (!answer_precondition(a, q, true, desired, 0))
		return;
	snprintf(path, sizeof(path), "/v1/logins/%s", row.id);
	if (request_dry_run(q)) {
		answer_json(a, 200, api_plan(NULL, NULL, path));
		return;
	}
	if (!strcmp(row.state, "making") && ops_find(request_daemon(q)->ops, row.operation_id)) {
		api_refuse(a, 409, "busy", NULL, "login %s is being made", row.name);
		answer_member(a, "operation", json_string(row.operation_id));
		return;
	}
	if (integration_get_by_id(request_daemon(q)->store, row.integration_id, &of, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	if (!integration_usable(a, &of, false))
		return;
	if (login_removal("login-revoke", &of, json_pack("{s:s}", row.name, row.id), &request,
			  &parts, &err))
		api_fail(a, &err, NULL);
	else
		start_removal(q, a, &row, &request);
}
