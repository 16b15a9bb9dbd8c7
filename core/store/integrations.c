/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of integrations. */
#include "core/store/integrations.h"

#include "core/store/texts.h"

enum { SQL_ADD, SQL_CHANGE, SQL_STATUS, SQL_REMOVE, SQL_REMOVE_SECRETS };
static const struct store_sql sql[] = {
	[SQL_ADD] = {"integration-add",
		     "INSERT INTO integrations (id, name, kind, scope, desired, status, phase, "
		     "generation, probe_ms, checked_ms, created_ms, updated_ms) "
		     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
	[SQL_CHANGE] = {"integration-change",
			"UPDATE integrations SET desired = ?, generation = ?, probe_ms = ?, "
			"updated_ms = ? WHERE id = ?"},
	[SQL_STATUS] = {"integration-status",
			"UPDATE integrations SET status = ?, phase = ?, checked_ms = ? "
			"WHERE id = ?"},
	[SQL_REMOVE] = {"integration-remove", "DELETE FROM integrations WHERE id = ?"},
	[SQL_REMOVE_SECRETS] = {"integration-remove-secrets",
				"DELETE FROM secrets WHERE owner = ?"},
};
const struct store_texts integrations_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column columns[] = {
	STORE_COLUMN(integration, "id", "id", TEXT, id),
	STORE_COLUMN(integration, "name", "name", TEXT, name),
	STORE_COLUMN(integration, "kind", "kind", TEXT, kind),
	STORE_COLUMN(integration, "scope", "scope", TEXT, scope),
	STORE_COLUMN(integration, NULL, "desired", TEXT, desired),
	STORE_COLUMN(integration, NULL, "status", TEXT, status),
	STORE_COLUMN(integration, "status.phase", "phase", TEXT, phase),
	STORE_COLUMN(integration, NULL, "generation", INT, generation),
	STORE_COLUMN(integration, NULL, "probe_ms", INT, probe_ms),
	STORE_COLUMN(integration, "status.checked_at", "checked_ms", TIME, checked_ms),
	STORE_COLUMN(integration, "created_at", "created_ms", TIME, created_ms),
	STORE_COLUMN(integration, "updated_at", "updated_ms", TIME, updated_ms),
};
const struct store_table integrations_table = {
	.name = "integration",
	.select = "SELECT id, name, kind, scope, desired, status, phase, generation, probe_ms, "
		  "checked_ms, created_ms, updated_ms FROM integrations i",
	.columns = columns,
	.column_count = ARRAY_COUNT(columns),
	.row_bytes = sizeof(struct integration),
	.key = "name",
	.default_sort = "name",
};

int integration_get(struct store *s, const char *name, struct integration *ret,
		    struct berth_error *err)
{
	const struct store_value v = V_TEXT(name);

	return store_get(s, &integrations_table, PAGE_OF("name = ?", &v, 1), name, ret, err);
}

int integration_get_by_id(struct store *s, const char *id, struct integration *ret,
			  struct berth_error *err)
{
	const struct store_value v = V_TEXT(id);

	return store_get(s, &integrations_table, PAGE_OF("id = ?", &v, 1), id, ret, err);
}

void integration_done(struct integration *row)
{
	store_row_done(&integrations_table, row);
}

int integration_add(struct store *s, const struct integration *row, struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_ADD],
			   VALUES(V_TEXT(row->id), V_TEXT(row->name), V_TEXT(row->kind),
				  V_TEXT(row->scope), V_TEXT(row->desired), V_TEXT(row->status),
				  V_TEXT(row->phase), V_INT(row->generation), V_INT(row->probe_ms),
				  V_INT(row->checked_ms), V_INT(row->created_ms),
				  V_INT(row->updated_ms)),
			   NULL, err);

	return rc == BERTH_E_CONFLICT
		       ? berth_wrap(err, "an integration named '%s' exists already", row->name)
		       : rc;
}

int integration_change(struct store *s, const struct integration *row, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_CHANGE],
			     VALUES(V_TEXT(row->desired), V_INT(row->generation),
				    V_INT(row->probe_ms), V_INT(row->updated_ms), V_TEXT(row->id)),
			     err);
}

int integration_set_status(struct store *s, const char *id, const char *status, const char *phase,
			   int64_t checked_ms, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_STATUS],
			     VALUES(V_TEXT(status), V_TEXT(phase), V_INT(checked_ms), V_TEXT(id)),
			     err);
}

int integration_remove(struct store *s, const char *id, struct berth_error *err)
{
	TRANSACTION t = {0};
	int rc = transaction_begin(&t, s, err);

	store_tell_integration(s, id);
	if (!rc)
		rc = store_run(s, &sql[SQL_REMOVE_SECRETS], VALUES(V_TEXT(id)), NULL, err);
	if (!rc)
		rc = store_run_one(s, &sql[SQL_REMOVE], VALUES(V_TEXT(id)), err);
	return rc ? rc : transaction_commit(&t, err);
}
