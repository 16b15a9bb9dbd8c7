/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/changes: somebody says that a registry has changed. That is a hint and
 * nothing more: the sources of the rules concerned, and what the index has of the
 * repositories, are looked at now instead of at their next period, and only what is
 * found there counts. Runs in berthd.
 */
#include <string.h>

#include "api_handlers.h"
#include "core/api/integration.h"
#include "core/api/refresh_part.h"
#include "core/api/sync.h"
#include "core/base/clock.h"
#include "core/store/watches.h"
#include "core/transfer/rule.h"

#define AGAIN_MS 2000 /* between looks at one source, however often it is said */

struct hint {
	struct daemon_state *d;
	const json_t *changes;
	json_t *rules; /* {id: when to look}: rows are not changed while they are read */
	int64_t now_ms;
};

/* Might the rule read what that change is about? */
static bool is_about(const struct rule *rule, const json_t *change)
{
	const char *repository = js_str(change, "repository", NULL);
	const char *tag = js_str(change, "tag", NULL);

	return (!repository || rule_has_repository(rule, repository)) &&
	       (!tag || rule_has_tag(rule, tag) || rule_is_referrer_tag(tag));
}

static int concerns(struct hint *h, const char *name, bool *ret, struct berth_error *err)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};
	struct findings f = {.answer = NULL};
	struct berth_error why = ERROR_INIT;
	json_t *desired AUTO_JSON = NULL;
	const json_t *change;
	size_t i;

	if (sync_rule_get(h->d->store, name, &row, err) || api_parse(row.desired, &desired, err))
		return err->code;
	json_t *doc AUTO_JSON = sync_engine_rule(desired, NULL, &f);
	AUTO(rule) struct rule *rule = NULL;
	if (!doc && !f.count)
		return berth_fail_memory(err);
	if (doc && rule_parse(doc, &rule, &why) == BERTH_E_NO_MEMORY)
		return berth_fail_memory(err);
	if (!rule)
		return 0; /* its next look says what is wrong with it */
	json_array_foreach (h->changes, i, change)
		*ret = *ret || is_about(rule, change);
	return 0;
}

static int find(void *user, const void *row, struct berth_error *err)
{
	const struct sync_watch *w = row;
	struct hint *h = user;
	int64_t next_ms = w->looked_ms + AGAIN_MS > h->now_ms && w->looked_ms <= h->now_ms
				  ? w->looked_ms + AGAIN_MS
				  : h->now_ms;
	bool is_meant = false;

	if (concerns(h, w->rule, &is_meant, err))
		return err->code;
	if (!is_meant)
		return 0;
	return json_object_set_new(h->rules, w->rule_id, json_integer((json_int_t)next_ms))
		       ? berth_fail_memory(err)
		       : 0;
}

/* All of them in one transaction. */
static int note(const struct hint *h, struct berth_error *err)
{
	const char *rule_id;
	json_t *next;

	if (store_begin(h->d->store, err))
		return err->code;
	struct store *undo AUTO_UNDO = h->d->store;
	json_object_foreach (h->rules, rule_id, next)
		if (sync_watch_hint(h->d->store, rule_id, h->now_ms, json_integer_value(next), err))
			return err->code;
	return store_commit(STEAL(undo), err);
}

void api_changes_create(struct request *q, struct answer *a)
{
	const json_t *body = request_body(q);
	const char *integration = js_str(body, "integration", "");
	json_t *rules AUTO_JSON = json_object();
	struct hint h = {.d = request_daemon(q),
			 .changes = json_object_get(body, "changes"),
			 .rules = rules,
			 .now_ms = clock_unix_ms()};
	const struct store_value values[] = {V_TEXT(integration)};
	struct store_page page = {
		.within = "w.integration = ?", .within_values = values, .within_count = 1};
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;

	if (integration_get(h.d->store, integration, &row, &err)) {
		if (err.code == BERTH_E_NOT_FOUND)
			findings_add(&f, "/integration", "no-integration", "%s", err.message);
		else
			api_fail(a, &err, NULL);
		return;
	}
	if (!rules || api_each(h.d->store, &sync_watches_table, &page, find, &h, &err) ||
	    (json_object_size(rules) && note(&h, &err))) {
		if (!rules)
			(void)berth_fail_memory(&err);
		api_fail(a, &err, NULL);
		return;
	}
	if (refresh_hint(&row, h.changes, &err)) {
		api_fail(a, &err, NULL);
		return;
	}
	if (json_object_size(rules))
		sync_watch_changed(h.d);
	answer_empty(a, 204);
}
