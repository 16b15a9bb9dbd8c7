/* SPDX-License-Identifier: Apache-2.0 */
/* Probes and proofs of servers, whatever their kind: what their outcome means,
 * where it is noted, and when the next one is due. Runs in berthd.
 */
#include "core/api/probe.h"

#include <stdio.h>
#include <string.h>

#include "core/api/integration.h"
#include "core/base/clock.h"
#include "core/ops/events.h"

#define DEFAULT_PERIOD_S 300
/* Restarts should not probe everything at the same moment. */
#define FIRST_PROBE_MIN_MS 1000

int64_t probe_period_ms(const json_t *desired)
{
	return js_int(desired, "probe_period_s", DEFAULT_PERIOD_S) * 1000;
}

const char *probe_reason(const struct berth_error *why, const char *other_kind)
{
	switch (why->code) {
	case 0:
		return "Probed";
	case BERTH_E_UNAVAILABLE:
		return "Unreachable";
	case BERTH_E_TIMEOUT:
		return "TimedOut";
	case BERTH_E_TLS:
		return "TlsRefused";
	case BERTH_E_AUTH:
		return "LoginRefused";
	case BERTH_E_DENIED:
		return "RightsMissing";
	case BERTH_E_PROTOCOL:
		return other_kind;
	case BERTH_E_UNSUPPORTED:
		return "TooOld";
	case BERTH_E_ADDRESS:
		return "AddressRefused";
	case BERTH_E_THROTTLED:
		return "Throttled";
	default:
		return "ProbeFailed";
	}
}

bool probe_says_something(const struct berth_error *why)
{
	switch (why->code) {
	case BERTH_E_CANCELLED:
	case BERTH_E_INTERNAL:
	case BERTH_E_NO_MEMORY:
		return false;
	case BERTH_E_UNAVAILABLE:
		return why->from == BERTH_FROM_CURL || why->from == BERTH_FROM_HTTP;
	default:
		return why->from != BERTH_FROM_SIGNAL;
	}
}

const char *probe_note(json_t *status, const char *phase, const struct berth_error *why,
		       const char *other_kind, int64_t now_ms)
{
	const char *now = why->code ? "unhealthy" : "healthy";
	const char *reason = probe_reason(why, other_kind);
	bool is_new = strcmp(phase, now) != 0 || strcmp(js_str(status, "reason", ""), reason) != 0;
	char message[800] = "";

	if (why->code)
		snprintf(message, sizeof(message), "%s%s%s", why->message, *why->cause ? ": " : "",
			 why->cause);
	json_object_set_new(status, "phase", json_string(now));
	json_object_set_new(status, "reason", json_string(reason));
	json_object_set_new(status, "message", json_string(message));
	if (is_new)
		js_put_time(status, "since", now_ms);
	js_put_time(status, "checked_at", now_ms);
	return now;
}

int probe_tell(struct daemon_state *d, const char *path, const char *before, const json_t *status,
	       struct berth_error *err)
{
	json_t *document AUTO_JSON =
		json_pack("{s:s, s:s, s:s, s:s}", "phase", js_str(status, "phase", ""), "before",
			  *before ? before : "unknown", "reason", js_str(status, "reason", ""),
			  "message", js_str(status, "message", ""));

	if (!document)
		return berth_fail_memory(err);
	return events_add(ops_events(d->ops), EVENT_HEALTH, path, document, err);
}

int probe_schedule(struct daemon_state *d, const char *name, int64_t checked_ms, int64_t probe_ms,
		   schedule_fire *is_due, struct berth_error *err)
{
	int64_t due_ms = checked_ms + probe_ms - clock_unix_ms();

	if (!checked_ms || due_ms > probe_ms)
		due_ms = probe_ms;
	if (due_ms < FIRST_PROBE_MIN_MS)
		due_ms = FIRST_PROBE_MIN_MS;
	return schedule_set(ops_schedule(d->ops), name, (uint64_t)due_ms, (uint64_t)probe_ms,
			    is_due, d, err);
}

int proof_end(struct operation *op, const struct berth_error *why, const struct proof *proof,
	      json_t **ret_result, struct berth_error *err)
{
	bool is_dry_run = js_bool(op->arguments, "dry_run", false);

	if (why->code && !is_dry_run)
		return vault_drop(api_daemon(), js_str(op->arguments, "owner", ""),
				  json_object_get(op->arguments, "fields"), err);
	if (why->code)
		return 0;
	*ret_result = json_pack("{s:s, s:b, s:O*}", proof->noun, proof->path, "dry_run",
				is_dry_run ? 1 : 0, "facts", (json_t *)(uintptr_t)proof->facts);
	return is_dry_run ? 0 : proof->store(op, proof->path, err);
}
