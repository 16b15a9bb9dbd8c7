/* SPDX-License-Identifier: Apache-2.0 */
/* The store's own small rows: sequences, named texts, the probe write; and
 * the list of every row module's SQL.
 */
#include <string.h>

#include "core/base/log.h"
#include "core/store/sqlite.h"
#include "core/store/texts.h"

#define PROBE_BYTES 65536

enum { SQL_NEXT, SQL_LAST, SQL_GET, SQL_PUT, SQL_REMOVE };
static const struct store_sql sql[] = {
	[SQL_NEXT] = {"sequence-next",
		      "INSERT INTO sequences (name, last) VALUES (?, 1) "
		      "ON CONFLICT (name) DO UPDATE SET last = sequences.last + 1"},
	[SQL_LAST] = {"sequence-last", "SELECT last FROM sequences WHERE name = ?"},
	[SQL_GET] = {"setting-get", "SELECT value FROM settings WHERE name = ?"},
	[SQL_PUT] = {"setting-put", "INSERT INTO settings (name, value) VALUES (?, ?) "
				    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"},
	[SQL_REMOVE] = {"setting-remove", "DELETE FROM settings WHERE name = ?"},
};
const struct store_texts settings_texts = {sql, ARRAY_COUNT(sql)};

const struct store_texts *const store_all_texts[] = {
	&settings_texts,   &integrations_texts, &secrets_texts,
	&spaces_texts,     &images_texts,       &scans_texts,
	&syncs_texts,      &logins_texts,       &operations_texts,
	&plans_texts,      &records_texts,      &workspaces_texts,
	&clusters_texts,   &watches_texts,      &natives_texts,
	&namespaces_texts, &roles_texts,        NULL,
};
const struct store_table *const store_all_tables[] = {
	&integrations_table,   &spaces_table,
	&repositories_table,   &tags_table,
	&logins_table,         &scans_table,
	&scan_artifacts_table, &scan_reports_table,
	&scan_findings_table,  &sync_rules_table,
	&sync_runs_table,      &sync_outcomes_table,
	&sync_plans_table,     &sync_plan_steps_table,
	&sync_watches_table,   &sync_natives_table,
	&operations_table,     &operation_log_table,
	&events_table,         &audit_table,
	&audit_seals_table,    &idempotency_table,
	&workspaces_table,     &workspace_members_table,
	&space_bindings_table, &known_groups_table,
	&clusters_table,       &roles_table,
	&role_members_table,   &role_holders_table,
	&role_grants_table,    &cluster_nodes_table,
	&namespaces_table,     NULL,
};

int store_number(struct store *s, const struct store_sql *text, const struct store_value *values,
		 size_t value_count, int64_t *ret_number, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	int rc = store_query(s, text, values, value_count, &rows, err);

	if (!rc)
		rc = rows_next(rows, &has_row, err);
	if (rc)
		return rc;
	if (!has_row)
		return berth_fail(err, BERTH_E_NOT_FOUND, "store: %s found nothing", text->name);
	*ret_number = rows_int(rows, 0);
	return 0;
}

int store_next_id(struct store *s, const char *sequence, int64_t *ret_id, struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_NEXT], VALUES(V_TEXT(sequence)), NULL, err);

	return rc ? rc : store_number(s, &sql[SQL_LAST], VALUES(V_TEXT(sequence)), ret_id, err);
}

int store_get_setting(struct store *s, const char *name, char **ret, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	int rc = store_query(s, &sql[SQL_GET], VALUES(V_TEXT(name)), &rows, err);

	*ret = NULL;
	if (!rc)
		rc = rows_next(rows, &has_row, err);
	if (rc || !has_row)
		return rc;
	*ret = strdup(rows_text(rows, 0));
	return *ret ? 0 : berth_fail_memory(err);
}

int store_set_setting(struct store *s, const char *name, const char *value, struct berth_error *err)
{
	return store_run(s, &sql[SQL_PUT], VALUES(V_TEXT(name), V_TEXT(value)), NULL, err);
}

/* Large enough that it can't pass on room left inside the write-ahead log. */
static int write_probe(struct store *s, struct berth_error *err)
{
	AUTO_FREE char *filler = malloc(PROBE_BYTES);
	int rc;

	if (!filler)
		return berth_fail_memory(err);
	memset(filler, 'x', PROBE_BYTES - 1);
	filler[PROBE_BYTES - 1] = '\0';
	rc = store_set_setting(s, "probe", filler, err);
	return rc ? rc : store_run(s, &sql[SQL_REMOVE], VALUES(V_TEXT("probe")), NULL, err);
}

int store_probe(struct store *s, struct berth_error *err)
{
	int before = s->health;
	int rc;

	if (before == BERTH_E_PROTOCOL)
		return berth_fail(err, before, "the store is damaged: %s", s->health_text);
	if (s->depth)
		return berth_fail(err, BERTH_E_INTERNAL, "store: probe inside a transaction");
	s->health = 0;
	s->is_probing = true; /* a failure is no news */
	rc = write_probe(s, err);
	s->is_probing = false;
	if (rc && !s->health)
		s->health = before;
	else if (!rc && before)
		log_info("store takes writes again");
	return rc;
}
