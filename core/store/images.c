/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the image index. */
#include "core/store/images.h"

#include <string.h>

#include "core/store/texts.h"

#define DOCUMENT_MAX_BYTES ((size_t)1024 * 1024)

enum {
	SQL_REPOSITORY_PUT,
	SQL_REPOSITORY_ID,
	SQL_REPOSITORY_COUNT,
	SQL_REPOSITORY_SWEEP,
	SQL_REPOSITORY_SWEEP_SPACE,
	SQL_REPOSITORY_REMOVE,
	SQL_TAG_PUT,
	SQL_TAG_SWEEP,
	SQL_TAG_REMOVE,
	SQL_TAG_REMOVE_DIGEST,
	SQL_ARTIFACT_PUT,
	SQL_ARTIFACT_GET,
	SQL_ARTIFACT_REMOVE,
	SQL_TOTALS
};
static const struct store_sql sql[] = {
	[SQL_REPOSITORY_PUT] = {"repository-put",
				"INSERT INTO repositories (id, space_id, integration_id, name, "
				"more, tag_count, updated_ms, seen_ms) "
				"VALUES (?, ?, ?, ?, ?, 0, ?, ?) "
				"ON CONFLICT (integration_id, name) DO UPDATE SET "
				"space_id = excluded.space_id, more = excluded.more, "
				"updated_ms = excluded.updated_ms, seen_ms = excluded.seen_ms"},
	[SQL_REPOSITORY_ID] = {"repository-id",
			       "SELECT id FROM repositories WHERE integration_id = ? "
			       "AND name = ?"},
	[SQL_REPOSITORY_COUNT] = {"repository-count",
				  "UPDATE repositories SET (tag_count, artifact_count, bytes) = "
				  "(SELECT COALESCE(SUM(d.tags), 0), COUNT(NULLIF(d.digest, '')), "
				  "COALESCE(SUM(d.held), 0) FROM (SELECT t.digest AS digest, "
				  "COUNT(*) AS tags, MAX(t.bytes) AS held FROM tags t WHERE "
				  "t.repository_id = ? GROUP BY t.digest) AS d) WHERE id = ?"},
	[SQL_REPOSITORY_SWEEP] = {"repository-sweep",
				  "DELETE FROM repositories WHERE integration_id = ? "
				  "AND seen_ms < ?"},
	[SQL_REPOSITORY_SWEEP_SPACE] = {"repository-sweep-space",
					"DELETE FROM repositories WHERE integration_id = ? "
					"AND seen_ms < ? AND space_id = ?"},
	[SQL_REPOSITORY_REMOVE] = {"repository-remove", "DELETE FROM repositories WHERE id = ?"},
	[SQL_TAG_PUT] = {"tag-put",
			 "INSERT INTO tags (repository_id, name, digest, bytes, pushed_ms, "
			 "seen_ms) VALUES (?, ?, ?, ?, ?, ?) "
			 "ON CONFLICT (repository_id, name) DO UPDATE SET "
			 "digest = excluded.digest, bytes = excluded.bytes, "
			 "pushed_ms = excluded.pushed_ms, seen_ms = excluded.seen_ms"},
	[SQL_TAG_SWEEP] = {"tag-sweep", "DELETE FROM tags WHERE repository_id = ? "
					"AND seen_ms < ?"},
	[SQL_TAG_REMOVE] = {"tag-remove", "DELETE FROM tags WHERE repository_id = ? "
					  "AND name = ?"},
	[SQL_TAG_REMOVE_DIGEST] = {"tag-remove-digest",
				   "DELETE FROM tags WHERE repository_id = ? AND digest = ?"},
	[SQL_ARTIFACT_PUT] = {"artifact-put",
			      "INSERT INTO artifacts (repository_id, digest, document, seen_ms) "
			      "VALUES (?, ?, ?, ?) ON CONFLICT (repository_id, digest) DO UPDATE "
			      "SET document = excluded.document, seen_ms = excluded.seen_ms"},
	[SQL_ARTIFACT_GET] = {"artifact-get",
			      "SELECT document, seen_ms FROM artifacts WHERE repository_id = ? "
			      "AND digest = ?"},
	[SQL_ARTIFACT_REMOVE] = {"artifact-remove",
				 "DELETE FROM artifacts WHERE repository_id = ? AND digest = ?"},
	[SQL_TOTALS] =
		{"image-totals",
		 "SELECT (SELECT COUNT(*) FROM spaces WHERE integration_id = ? AND is_present = 1), "
		 "COUNT(*), COALESCE(SUM(tag_count), 0), COALESCE(SUM(artifact_count), 0), "
		 "COALESCE(SUM(bytes), 0) FROM repositories WHERE integration_id = ?"},
};
const struct store_texts images_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column repository_columns[] = {
	STORE_COLUMN(repository, NULL, "id", INT, id),
	STORE_COLUMN(repository, NULL, "space_id", TEXT, space_id),
	STORE_COLUMN(repository, NULL, "integration_id", TEXT, integration_id),
	STORE_COLUMN(repository, "name", "name", TEXT, name),
	STORE_COLUMN(repository, NULL, "more", TEXT, more),
	STORE_COLUMN(repository, "tags", "tag_count", INT, tag_count),
	STORE_COLUMN(repository, "updated_at", "updated_ms", TIME, updated_ms),
	STORE_COLUMN(repository, "seen_at", "seen_ms", TIME, seen_ms),
};
const struct store_table repositories_table = {
	.name = "repository",
	.select = "SELECT id, space_id, integration_id, name, more, tag_count, updated_ms, seen_ms "
		  "FROM repositories",
	.columns = repository_columns,
	.column_count = ARRAY_COUNT(repository_columns),
	.row_bytes = sizeof(struct repository),
	.key = "id",
	.default_sort = "name",
};

static const struct store_column tag_columns[] = {
	STORE_COLUMN(tag, NULL, "repository_id", INT, repository_id),
	STORE_COLUMN(tag, "name", "name", TEXT, name),
	STORE_COLUMN(tag, "digest", "digest", TEXT, digest),
	STORE_COLUMN(tag, "bytes", "bytes", INT, bytes),
	STORE_COLUMN(tag, "pushed_at", "pushed_ms", TIME, pushed_ms),
	STORE_COLUMN(tag, "seen_at", "seen_ms", TIME, seen_ms),
};
const struct store_table tags_table = {
	.name = "tag",
	.select = "SELECT repository_id, name, digest, bytes, pushed_ms, seen_ms FROM tags",
	.columns = tag_columns,
	.column_count = ARRAY_COUNT(tag_columns),
	.row_bytes = sizeof(struct tag),
	.key = "name", /* within one repository */
	.default_sort = "name",
};

int repository_get(struct store *s, const char *integration_id, const char *name,
		   struct repository *ret, struct berth_error *err)
{
	const struct store_value v[] = {V_TEXT(integration_id), V_TEXT(name)};

	return store_get(s, &repositories_table, PAGE_OF("integration_id = ? AND name = ?", v, 2),
			 name, ret, err);
}

void repository_done(struct repository *row)
{
	store_row_done(&repositories_table, row);
}

int repository_put(struct store *s, const struct repository *row, int64_t *ret_id,
		   struct berth_error *err)
{
	struct berth_error ignored = ERROR_INIT;
	TRANSACTION t = {0};
	int64_t id = 0;
	int rc = transaction_begin(&t, s, err);

	if (rc)
		return rc;
	/* A known one keeps its number, and uses none up. */
	rc = store_number(s, &sql[SQL_REPOSITORY_ID],
			  VALUES(V_TEXT(row->integration_id), V_TEXT(row->name)), &id, &ignored);
	if (rc == BERTH_E_NOT_FOUND)
		rc = store_next_id(s, "repository", &id, err);
	else if (rc)
		*err = ignored;
	if (!rc)
		rc = store_run(s, &sql[SQL_REPOSITORY_PUT],
			       VALUES(V_INT(id), V_TEXT(row->space_id), V_TEXT(row->integration_id),
				      V_TEXT(row->name), V_TEXT(row->more), V_INT(row->updated_ms),
				      V_INT(row->seen_ms)),
			       NULL, err);
	if (!rc)
		rc = transaction_commit(&t, err);
	store_tell_repository(s, id);
	if (!rc)
		*ret_id = id;
	return rc;
}

int tag_put(struct store *s, const struct tag *row, struct berth_error *err)
{
	store_tell_repository(s, row->repository_id);
	return store_run(s, &sql[SQL_TAG_PUT],
			 VALUES(V_INT(row->repository_id), V_TEXT(row->name), V_TEXT(row->digest),
				V_INT(row->bytes), V_INT(row->pushed_ms), V_INT(row->seen_ms)),
			 NULL, err);
}

int tag_get(struct store *s, int64_t repository_id, const char *name, struct tag *ret,
	    struct berth_error *err)
{
	const struct store_value v[] = {V_INT(repository_id), V_TEXT(name)};

	return store_get(s, &tags_table, PAGE_OF("repository_id = ? AND name = ?", v, 2), name, ret,
			 err);
}

void tag_done(struct tag *row)
{
	store_row_done(&tags_table, row);
}

int repository_recount(struct store *s, int64_t repository_id, struct berth_error *err)
{
	store_tell_repository(s, repository_id);
	return store_run(s, &sql[SQL_REPOSITORY_COUNT],
			 VALUES(V_INT(repository_id), V_INT(repository_id)), NULL, err);
}

int repository_sweep_tags(struct store *s, int64_t repository_id, int64_t seen_ms,
			  struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_TAG_SWEEP], VALUES(V_INT(repository_id), V_INT(seen_ms)),
			   NULL, err);

	return rc ? rc : repository_recount(s, repository_id, err);
}

int repository_sweep(struct store *s, const char *integration_id, const char *space_id,
		     int64_t seen_ms, struct berth_error *err)
{
	store_tell_integration(s, integration_id);
	if (!space_id)
		return store_run(s, &sql[SQL_REPOSITORY_SWEEP],
				 VALUES(V_TEXT(integration_id), V_INT(seen_ms)), NULL, err);
	return store_run(s, &sql[SQL_REPOSITORY_SWEEP_SPACE],
			 VALUES(V_TEXT(integration_id), V_INT(seen_ms), V_TEXT(space_id)), NULL,
			 err);
}

int repository_remove(struct store *s, int64_t repository_id, struct berth_error *err)
{
	store_tell_repository(s, repository_id);
	return store_run(s, &sql[SQL_REPOSITORY_REMOVE], VALUES(V_INT(repository_id)), NULL, err);
}

int tag_remove(struct store *s, int64_t repository_id, const char *name, struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_TAG_REMOVE], VALUES(V_INT(repository_id), V_TEXT(name)),
			   NULL, err);

	return rc ? rc : repository_recount(s, repository_id, err);
}

int tag_remove_digest(struct store *s, int64_t repository_id, const char *digest,
		      struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_TAG_REMOVE_DIGEST],
			   VALUES(V_INT(repository_id), V_TEXT(digest)), NULL, err);

	if (!rc)
		rc = store_run(s, &sql[SQL_ARTIFACT_REMOVE],
			       VALUES(V_INT(repository_id), V_TEXT(digest)), NULL, err);
	return rc ? rc : repository_recount(s, repository_id, err);
}

int artifact_put(struct store *s, int64_t repository_id, const char *digest, const char *document,
		 int64_t seen_ms, struct berth_error *err)
{
	if (strlen(document) > DOCUMENT_MAX_BYTES)
		return berth_fail(err, BERTH_E_LIMIT, "the artifact document of %s is over 1 MiB",
				  digest);
	return store_run(
		s, &sql[SQL_ARTIFACT_PUT],
		VALUES(V_INT(repository_id), V_TEXT(digest), V_TEXT(document), V_INT(seen_ms)),
		NULL, err);
}

int artifact_get(struct store *s, int64_t repository_id, const char *digest, char **ret,
		 int64_t *ret_seen_ms, struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	int rc = store_query(s, &sql[SQL_ARTIFACT_GET],
			     VALUES(V_INT(repository_id), V_TEXT(digest)), &rows, err);

	*ret = NULL;
	if (!rc)
		rc = rows_next(rows, &has_row, err);
	if (rc || !has_row)
		return rc;
	*ret = strdup(rows_text(rows, 0));
	if (!*ret)
		return berth_fail_memory(err);
	*ret_seen_ms = rows_int(rows, 1);
	return 0;
}

int image_totals(struct store *s, const char *integration_id, struct image_totals *ret,
		 struct berth_error *err)
{
	AUTO(rows) struct store_rows *rows = NULL;
	bool has_row = false;
	int rc = store_query(s, &sql[SQL_TOTALS],
			     VALUES(V_TEXT(integration_id), V_TEXT(integration_id)), &rows, err);

	memset(ret, 0, sizeof(*ret));
	if (!rc)
		rc = rows_next(rows, &has_row, err);
	if (rc || !has_row)
		return rc;
	ret->space_count = rows_int(rows, 0);
	ret->repository_count = rows_int(rows, 1);
	ret->tag_count = rows_int(rows, 2);
	ret->artifact_count = rows_int(rows, 3);
	ret->bytes = rows_int(rows, 4);
	return 0;
}
