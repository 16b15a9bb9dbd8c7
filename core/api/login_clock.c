/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of temporary logins: what has expired, what a lost operation left,
 * and secrets that nobody took. The first look is soon after a start, since a
 * crash may have left something.
 */
#include <string.h>

#include "core/api/pull.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/ops/schedule.h"

#define PERIOD_MS 5000
#define FIRST_MS 1000

/* Rows being made whose operation has ended without settling them: a kill, or
 * a worker that was lost. */
static int find_lost(void *user, const void *row, struct berth_error *err)
{
	struct daemon_state *d = user;
	struct login next = *(const struct login *)row;

	if (ops_find(d->ops, next.operation_id))
		return 0;
	next.state = (char *)"revoking";
	next.due_ms = clock_unix_ms();
	pull_wake();
	return login_change(d->store, &next, err);
}

static int drop_secret(void *user, const void *row, struct berth_error *err)
{
	struct daemon_state *d = user;
	struct login next = *(const struct login *)row;

	next.has_secret = 0;
	return login_forget_secret(d, row, err) ? err->code : login_change(d->store, &next, err);
}

static int note(struct daemon_state *d, struct berth_error *err)
{
	int64_t now_ms = clock_unix_ms(), count = 0;
	const struct store_value old = V_INT(now_ms - LOGIN_SECRET_MS);

	if (login_count(d->store, NULL, &count, err) || !count)
		return err->code;
	if (store_begin(d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = d->store;
	if (api_each(d->store, &logins_table, PAGE_OF("l.state = 'making'", NULL, 0), find_lost, d,
		     err) ||
	    api_each(d->store, &logins_table,
		     PAGE_OF("l.has_secret = 1 AND l.workspace_id = '' AND l.created_ms < ?", &old,
			     1),
		     drop_secret, d, err) ||
	    login_expire(d->store, now_ms, err))
		return err->code;
	return store_commit(STEAL(undo), err);
}

static int collect(void *user, const void *row, struct berth_error *err)
{
	const struct login *it = row;

	if (json_object_set_new(user, it->name, json_string(it->id)))
		return berth_fail_memory(err);
	return 0;
}

static int collect_integration(void *user, const char *id)
{
	return json_array_append_new(user, json_string(id)) ? BERTH_E_NO_MEMORY : 0;
}

/* One operation removes what is due of one integration. */
static int clean(struct daemon_state *d, const char *integration_id, struct berth_error *err)
{
	struct integration of AUTO_INTEGRATION = {.id = NULL};
	struct berth_error unusable = ERROR_INIT;
	struct op_request request;
	struct op_submitted done = {.id = ""};
	json_t *parts AUTO_JSON = NULL;
	const struct store_value values[] = {V_TEXT(integration_id), V_INT(clock_unix_ms())};
	struct store_page page = {
		.within = "l.integration_id = ? AND l.state = 'revoking' AND l.due_ms <= ?",
		.within_values = values,
		.within_count = 2,
		.limit = LOGIN_BATCH_MAX};
	json_t *names AUTO_JSON = json_object();

	if (integration_get_by_id(d->store, integration_id, &of, err))
		return err->code;
	if (integration_check_usable(&of, true, &unusable)) {
		if (unusable.code == BERTH_E_CONFLICT)
			return 0; /* later, when it is well again */
		*err = unusable;
		return err->code;
	}
	if (!names)
		return berth_fail_memory(err);
	if (store_list(d->store, &logins_table, &page, collect, names, NULL, err) ||
	    login_removal("login-clean", &of, json_incref(names), &request, &parts, err))
		return err->code;
	request.user_name = "berthd";
	request.request_id = "login-clean";
	request.uid = getuid();
	if (ops_submit(d->ops, &request, &done, err) && err->code == BERTH_E_CONFLICT)
		*err = (struct berth_error)ERROR_INIT; /* the one before has not ended */
	return err->code;
}

static void is_due(void *user, const char *name)
{
	struct daemon_state *d = user;
	struct berth_error err = ERROR_INIT;
	json_t *integrations AUTO_JSON = json_array();
	size_t i;
	const json_t *one;

	(void)name;
	if (store_health(d->store, NULL))
		return;
	if (!integrations)
		(void)berth_fail_memory(&err);
	if (err.code || note(d, &err) ||
	    login_due(d->store, clock_unix_ms(), collect_integration, integrations, &err)) {
		log_warning("cannot look after temporary logins: %s", err.message);
		return;
	}
	json_array_foreach (integrations, i, one)
		if (clean(d, json_string_value(one), &err)) {
			log_warning("cannot remove temporary logins: %s", err.message);
			err = (struct berth_error)ERROR_INIT;
		}
}

int login_clock_start(struct daemon_state *d, struct berth_error *err)
{
	return schedule_set(ops_schedule(d->ops), "logins", FIRST_MS, PERIOD_MS, is_due, d, err);
}
