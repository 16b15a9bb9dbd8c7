/* SPDX-License-Identifier: Apache-2.0 */
/* Periodic work on integrations: a probe of each one's health on its own
 * period, a refresh of the index of the healthy ones on a common one. What is
 * overdue after a stop or a suspend is done once.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/audit.h"
#include "core/api/integration.h"
#include "core/api/job.h"
#include "core/api/probe.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/store/plans.h"
#include "core/store/scans.h"
#include "core/store/syncs.h"

#define FIRST_REFRESH_MS 30000
#define PRUNE_MS 3600000

static void submit(struct daemon_state *d, const struct integration *row, const char *kind)
{
	struct op_request request;
	struct op_submitted done;
	struct berth_error err = ERROR_INIT;
	json_t *parts AUTO_JSON = NULL;

	integration_work(row, kind, &request, &parts);
	request.user_name = "berthd";
	request.request_id = kind;
	request.uid = getuid();
	if (ops_submit(d->ops, &request, &done, &err) && err.code != BERTH_E_CONFLICT)
		log_warning("cannot start the %s of integration %s: %s", kind, row->name,
			    err.message);
}

static void probe_is_due(void *user, const char *name)
{
	struct daemon_state *d = user;
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (integration_get_by_id(d->store, strchr(name, '/') + 1, &row, &err)) {
		log_warning("cannot probe: %s", err.message);
		return;
	}
	if (!integration_check_usable(&row, false, &err))
		submit(d, &row, "probe");
	else if (err.code != BERTH_E_CONFLICT)
		log_warning("cannot probe: %s: %s", err.message, err.cause);
}

int integration_schedule(struct daemon_state *d, const struct integration *row,
			 struct berth_error *err)
{
	json_t *desired AUTO_JSON = NULL;
	char name[64];

	if (api_parse(row->desired, &desired, err))
		return err->code;
	snprintf(name, sizeof(name), "probe/%s", row->id);
	if (!js_bool(desired, "enabled", true)) {
		schedule_remove(ops_schedule(d->ops), name);
		return 0;
	}
	return probe_schedule(d, name, row->checked_ms, row->probe_ms, probe_is_due, err);
}

void integration_unschedule(struct daemon_state *d, const char *id)
{
	char name[64];

	snprintf(name, sizeof(name), "probe/%s", id);
	schedule_remove(ops_schedule(d->ops), name);
}

static int refresh_one(void *user, const void *row, struct berth_error *err)
{
	struct berth_error why = ERROR_INIT;

	(void)err; /* one that can't be refreshed leaves the others alone */
	if (!integration_check_usable(row, true, &why))
		submit(user, row, "refresh");
	else if (why.code != BERTH_E_CONFLICT)
		log_warning("cannot refresh the index: %s: %s", why.message, why.cause);
	return 0;
}

static void refresh_is_due(void *user, const char *name)
{
	struct daemon_state *d = user;
	struct berth_error err = ERROR_INIT;

	(void)name;
	if (api_each(d->store, &integrations_table, NULL, refresh_one, d, &err))
		log_warning("cannot refresh the index: %s", err.message);
}

static int schedule_one(void *user, const void *row, struct berth_error *err)
{
	return integration_schedule(user, row, err);
}

/* Reports of runs are kept as long as operations are. */
static void prune_is_due(void *user, const char *name)
{
	struct daemon_state *d = user;
	int64_t keep_ms = (int64_t)d->settings.operations.keep_days * 86400000;
	struct berth_error err = ERROR_INIT;

	(void)name;
	if (sync_run_prune(d->store, clock_unix_ms() - keep_ms, &err) ||
	    sync_plan_prune(d->store, clock_unix_ms() - keep_ms, &err) ||
	    scan_prune(d->store, clock_unix_ms() - keep_ms, &err))
		log_warning("old reports stay: %s", err.message);
}

int clock_start_common(struct daemon_state *d, struct berth_error *err)
{
	struct schedule *clock = ops_schedule(d->ops);
	uint64_t period_ms = (uint64_t)d->settings.refresh_period_s * 1000;
	uint64_t first_ms = period_ms < FIRST_REFRESH_MS ? period_ms : FIRST_REFRESH_MS;

	if (schedule_set(clock, "prune", PRUNE_MS, PRUNE_MS, prune_is_due, d, err) ||
	    audit_clock_start(d, err))
		return err->code;
	if (period_ms)
		return schedule_set(clock, "refresh", first_ms, period_ms, refresh_is_due, d, err);
	schedule_remove(clock, "refresh");
	return 0;
}

int integration_clock_start(struct daemon_state *d, struct berth_error *err)
{
	if (api_each(d->store, &integrations_table, NULL, schedule_one, d, err))
		return err->code;
	return clock_start_common(d, err);
}
