/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of spaces. */
#include "core/store/spaces.h"

#include <string.h>

#include "core/store/texts.h"

enum { SQL_PUT, SQL_CHANGE, SQL_DRIFT, SQL_RECOUNT, SQL_HIDE, SQL_REMOVE, SQL_OF, SQL_RENAMED };
static const struct store_sql sql[] = {
	[SQL_PUT] = {"space-put",
		     "INSERT INTO spaces (id, integration_id, name, origin, mode, is_public, "
		     "can_push, quota_bytes, used_bytes, is_present, seen_ms, repository_count, "
		     "artifact_count, generation, created_ms, updated_ms, remote_id) "
		     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
		     "ON CONFLICT (integration_id, name) DO UPDATE SET mode = excluded.mode, "
		     "is_public = excluded.is_public, can_push = excluded.can_push, "
		     "quota_bytes = excluded.quota_bytes, used_bytes = excluded.used_bytes, "
		     "is_present = excluded.is_present, seen_ms = excluded.seen_ms, "
		     "updated_ms = excluded.updated_ms, remote_id = CASE excluded.remote_id "
		     "WHEN '' THEN spaces.remote_id ELSE excluded.remote_id END"},
	[SQL_CHANGE] = {"space-change",
			"UPDATE spaces SET is_public = ?, can_push = ?, mode = ?, "
			"quota_bytes = ?, updated_ms = ?, generation = generation + 1 "
			"WHERE id = ?"},
	[SQL_DRIFT] = {"space-drift", "UPDATE spaces SET is_present = ?, drift = ?, drift_ms = ? "
				      "WHERE id = ?"},
	[SQL_RECOUNT] = {"space-recount",
			 "UPDATE spaces SET (repository_count, artifact_count) = (SELECT COUNT(*), "
			 "COALESCE(SUM(r.artifact_count), 0) FROM repositories r WHERE "
			 "r.space_id = ?), updated_ms = ? WHERE id = ?"},
	[SQL_HIDE] = {"space-hide", "UPDATE spaces SET name = '' WHERE id = ?"},
	[SQL_REMOVE] = {"space-remove", "DELETE FROM spaces WHERE id = ?"},
	[SQL_OF] = {"space-of-repository",
		    "SELECT id FROM spaces WHERE integration_id = ? AND (name = 'default' "
		    "OR name = ? OR name || '/' = SUBSTR(?, 1, LENGTH(name) + 1)) "
		    "ORDER BY CASE WHEN name = 'default' THEN 0 ELSE LENGTH(name) END DESC "
		    "LIMIT 1"},
	[SQL_RENAMED] = {"space-renamed", "SELECT name FROM spaces WHERE integration_id = ? AND "
					  "remote_id = ? AND is_present = 1 AND id <> ?"},
};
const struct store_texts spaces_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column columns[] = {
	STORE_COLUMN(space, "id", "s.id", TEXT, id),
	STORE_COLUMN(space, NULL, "s.integration_id", TEXT, integration_id),
	STORE_COLUMN(space, "integration", "i.name", TEXT, integration),
	STORE_COLUMN(space, "name", "s.name", TEXT, name),
	STORE_COLUMN(space, "origin", "s.origin", TEXT, origin),
	STORE_COLUMN(space, "mode", "s.mode", TEXT, mode),
	STORE_COLUMN(space, "public", "s.is_public", BOOL, is_public),
	STORE_COLUMN(space, "push", "s.can_push", BOOL, can_push),
	STORE_COLUMN(space, "quota_bytes", "s.quota_bytes", INT, quota_bytes),
	STORE_COLUMN(space, "used_bytes", "s.used_bytes", INT, used_bytes),
	STORE_COLUMN(space, "status.present", "s.is_present", BOOL, is_present),
	STORE_COLUMN(space, "status.drift.what", "s.drift", TEXT, drift),
	STORE_COLUMN(space, "status.drift.at", "s.drift_ms", TIME, drift_ms),
	STORE_COLUMN(space, "status.seen_at", "s.seen_ms", TIME, seen_ms),
	STORE_COLUMN(space, "status.repositories", "s.repository_count", INT, repository_count),
	STORE_COLUMN(space, "status.artifacts", "s.artifact_count", INT, artifact_count),
	STORE_COLUMN(space, NULL, "s.generation", INT, generation),
	STORE_COLUMN(space, "created_at", "s.created_ms", TIME, created_ms),
	STORE_COLUMN(space, "updated_at", "s.updated_ms", TIME, updated_ms),
	STORE_COLUMN(space, NULL, "s.remote_id", TEXT, remote_id),
};
const struct store_table spaces_table = {
	.name = "space",
	.select =
		"SELECT s.id, s.integration_id, i.name, s.name, s.origin, s.mode, s.is_public, "
		"s.can_push, s.quota_bytes, s.used_bytes, s.is_present, s.drift, s.drift_ms, "
		"s.seen_ms, s.repository_count, s.artifact_count, s.generation, s.created_ms, "
		"s.updated_ms, s.remote_id FROM spaces s JOIN integrations i ON i.id = s.integration_id",
	.columns = columns,
	.column_count = ARRAY_COUNT(columns),
	.row_bytes = sizeof(struct space),
	.key = "s.id",
	.default_sort = "integration,name",
};

int space_get(struct store *s, const char *id, struct space *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(id);

	return store_get(s, &spaces_table, PAGE_OF("s.id = ?", &v, 1), id, ret, err);
}

int space_get_by_name(struct store *s, const char *integration_id, const char *name,
		      struct space *ret, struct berth_error *err)
{
	const struct store_value v[] = {V_TEXT(integration_id), V_TEXT(name)};

	return store_get(s, &spaces_table, PAGE_OF("s.integration_id = ? AND s.name = ?", v, 2),
			 name, ret, err);
}

int space_of_repository(struct store *s, const char *integration_id, const char *repository,
			struct space *ret, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	int rc = store_query(s, &sql[SQL_OF],
			     VALUES(V_TEXT(integration_id), V_TEXT(repository), V_TEXT(repository)),
			     &rows, err);

	memset(ret, 0, sizeof(*ret));
	if (!rc)
		rc = rows_next(rows, &has_row, err);
	if (!rc && !has_row)
		rc = berth_fail(err, BERTH_E_NOT_FOUND, "no space holds the repository '%s'",
				repository);
	return rc ? rc : space_get(s, rows_text(rows, 0), ret, err);
}

void space_done(struct space *row)
{
	store_row_done(&spaces_table, row);
}

int space_put(struct store *s, const struct space *row, struct berth_error *err)
{
	return store_run(
		s, &sql[SQL_PUT],
		VALUES(V_TEXT(row->id), V_TEXT(row->integration_id), V_TEXT(row->name),
		       V_TEXT(row->origin), V_TEXT(row->mode), V_INT(row->is_public),
		       V_INT(row->can_push), V_INT(row->quota_bytes), V_INT(row->used_bytes),
		       V_INT(row->is_present), V_INT(row->seen_ms), V_INT(row->repository_count),
		       V_INT(row->artifact_count), V_INT(row->generation), V_INT(row->created_ms),
		       V_INT(row->updated_ms), V_TEXT(row->remote_id ? row->remote_id : "")),
		NULL, err);
}

int space_change(struct store *s, const struct space *row, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_CHANGE],
			     VALUES(V_INT(row->is_public), V_INT(row->can_push), V_TEXT(row->mode),
				    V_INT(row->quota_bytes), V_INT(row->updated_ms),
				    V_TEXT(row->id)),
			     err);
}

int space_set_drift(struct store *s, const char *id, bool is_present, const char *what,
		    int64_t at_ms, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_DRIFT],
			     VALUES(V_INT(is_present), V_TEXT(what), V_INT(at_ms), V_TEXT(id)),
			     err);
}

int space_recount(struct store *s, const char *id, int64_t now_ms, struct berth_error *err)
{
	return store_run(s, &sql[SQL_RECOUNT], VALUES(V_TEXT(id), V_INT(now_ms), V_TEXT(id)), NULL,
			 err);
}

int space_remove(struct store *s, const char *id, struct berth_error *err)
{
	store_tell_integration(s, NULL);
	return store_run_one(s, &sql[SQL_REMOVE], VALUES(V_TEXT(id)), err);
}

int space_hide(struct store *s, const char *id, struct berth_error *err)
{
	return store_run_one(s, &sql[SQL_HIDE], VALUES(V_TEXT(id)), err);
}

int space_find_renamed(struct store *s, const struct space *gone, char **ret_name,
		       struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;

	*ret_name = NULL;
	if (!*gone->remote_id)
		return 0;
	if (store_query(
		    s, &sql[SQL_RENAMED],
		    VALUES(V_TEXT(gone->integration_id), V_TEXT(gone->remote_id), V_TEXT(gone->id)),
		    &rows, err) ||
	    rows_next(rows, &has_row, err))
		return err->code;
	if (!has_row)
		return 0;
	*ret_name = strdup(rows_text(rows, 0));
	return *ret_name ? 0 : berth_fail_memory(err);
}
