/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of scans, their artifacts, reports and findings. */
#include "core/store/scans.h"

#include "core/store/texts.h"

enum {
	SQL_PUT,
	SQL_PRUNE,
	SQL_ARTIFACT_PUT,
	SQL_REPORT_PRUNE,
	SQL_REPORT_ADD,
	SQL_REPORT_DROP_PARTS,
	SQL_REPORT_END,
	SQL_REPORT_DROP_OLDER,
	SQL_FINDING_ADD
};
static const struct store_sql sql[] = {
	[SQL_PUT] = {"scan-put",
		     "INSERT INTO scans (id, integration_id, target, scope, repository, digest, "
		     "state, run, error, total, fixable, created_ms, updated_ms, ended_ms) "
		     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
		     "ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, "
		     "state = excluded.state, run = excluded.run, error = excluded.error, "
		     "total = excluded.total, fixable = excluded.fixable, "
		     "updated_ms = excluded.updated_ms, ended_ms = excluded.ended_ms"},
	[SQL_PRUNE] = {"scan-prune", "DELETE FROM scans WHERE ended_ms > 0 AND ended_ms < ?"},
	[SQL_ARTIFACT_PUT] = {"scan-artifact-put",
			      "INSERT INTO scan_artifacts (scan_id, repository, digest, state, "
			      "run) VALUES (?, ?, ?, ?, ?) "
			      "ON CONFLICT (scan_id, repository, digest) DO UPDATE SET "
			      "state = excluded.state, run = excluded.run"},
	[SQL_REPORT_PRUNE] = {"scan-report-prune", "DELETE FROM scan_reports WHERE fetched_ms < ?"},
	[SQL_REPORT_ADD] = {"scan-report-add",
			    "INSERT INTO scan_reports (id, integration_id, repository, digest, "
			    "facts, counts, total, fixable, is_whole, fetched_ms) "
			    "VALUES (?, ?, ?, ?, '{}', '{}', 0, 0, 0, ?)"},
	[SQL_REPORT_DROP_PARTS] = {"scan-report-drop-parts",
				   "DELETE FROM scan_reports WHERE integration_id = ? AND "
				   "repository = ? AND digest = ? AND is_whole = 0"},
	[SQL_REPORT_END] = {"scan-report-end",
			    "UPDATE scan_reports SET facts = ?, counts = ?, total = ?, "
			    "fixable = ?, is_whole = 1, fetched_ms = ? WHERE id = ?"},
	[SQL_REPORT_DROP_OLDER] = {"scan-report-drop-older",
				   "DELETE FROM scan_reports WHERE integration_id = ? AND "
				   "repository = ? AND digest = ? AND id <> ?"},
	[SQL_FINDING_ADD] = {"scan-finding-add",
			     "INSERT INTO scan_findings (report_id, number, vulnerability, "
			     "package, version, fixed, severity, rank, artifact, more) "
			     "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
};
const struct store_texts scans_texts = {sql, ARRAY_COUNT(sql)};

static const struct store_column scan_columns[] = {
	STORE_COLUMN(scan, "id", "c.id", TEXT, id),
	STORE_COLUMN(scan, NULL, "c.integration_id", TEXT, integration_id),
	STORE_COLUMN(scan, "integration", "i.name", TEXT, integration),
	STORE_COLUMN(scan, "target", "c.target", TEXT, target),
	STORE_COLUMN(scan, "scope", "c.scope", TEXT, scope),
	STORE_COLUMN(scan, "repository", "c.repository", TEXT, repository),
	STORE_COLUMN(scan, "digest", "c.digest", TEXT, digest),
	STORE_COLUMN(scan, "state", "c.state", TEXT, state),
	STORE_COLUMN(scan, NULL, "c.run", TEXT, run),
	STORE_COLUMN(scan, NULL, "c.error", TEXT, error),
	STORE_COLUMN(scan, "total", "c.total", INT, total),
	STORE_COLUMN(scan, "fixable", "c.fixable", INT, fixable),
	STORE_COLUMN(scan, "created_at", "c.created_ms", TIME, created_ms),
	STORE_COLUMN(scan, "updated_at", "c.updated_ms", TIME, updated_ms),
	STORE_COLUMN(scan, "ended_at", "c.ended_ms", TIME, ended_ms),
};
const struct store_table scans_table = {
	.name = "scan",
	.select = "SELECT c.id, c.integration_id, i.name, c.target, c.scope, c.repository, "
		  "c.digest, c.state, c.run, c.error, c.total, c.fixable, c.created_ms, "
		  "c.updated_ms, c.ended_ms FROM scans c "
		  "JOIN integrations i ON i.id = c.integration_id",
	.columns = scan_columns,
	.column_count = ARRAY_COUNT(scan_columns),
	.row_bytes = sizeof(struct scan),
	.key = "c.id",
	.default_sort = "-created_at",
};

static const struct store_column artifact_columns[] = {
	STORE_COLUMN(scan_artifact, NULL, "scan_id", TEXT, scan_id),
	STORE_COLUMN(scan_artifact, "repository", "repository", TEXT, repository),
	STORE_COLUMN(scan_artifact, "digest", "digest", TEXT, digest),
	STORE_COLUMN(scan_artifact, "state", "state", TEXT, state),
	STORE_COLUMN(scan_artifact, NULL, "run", TEXT, run),
};
const struct store_table scan_artifacts_table = {
	.name = "artifact of a scan",
	.select = "SELECT scan_id, repository, digest, state, run FROM scan_artifacts",
	.columns = artifact_columns,
	.column_count = ARRAY_COUNT(artifact_columns),
	.row_bytes = sizeof(struct scan_artifact),
	.key = "digest", /* with the repository, within one scan: it is read whole */
	.default_sort = "repository",
};

static const struct store_column report_columns[] = {
	STORE_COLUMN(scan_report, "id", "r.id", TEXT, id),
	STORE_COLUMN(scan_report, NULL, "r.integration_id", TEXT, integration_id),
	STORE_COLUMN(scan_report, "integration", "i.name", TEXT, integration),
	STORE_COLUMN(scan_report, "repository", "r.repository", TEXT, repository),
	STORE_COLUMN(scan_report, "digest", "r.digest", TEXT, digest),
	STORE_COLUMN(scan_report, NULL, "r.facts", TEXT, facts),
	STORE_COLUMN(scan_report, NULL, "r.counts", TEXT, counts),
	STORE_COLUMN(scan_report, "total", "r.total", INT, total),
	STORE_COLUMN(scan_report, "fixable", "r.fixable", INT, fixable),
	STORE_COLUMN(scan_report, NULL, "r.is_whole", BOOL, is_whole),
	STORE_COLUMN(scan_report, "fetched_at", "r.fetched_ms", TIME, fetched_ms),
};
const struct store_table scan_reports_table = {
	.name = "scan report",
	.select = "SELECT r.id, r.integration_id, i.name, r.repository, r.digest, r.facts, "
		  "r.counts, r.total, r.fixable, r.is_whole, r.fetched_ms FROM scan_reports r "
		  "JOIN integrations i ON i.id = r.integration_id",
	.columns = report_columns,
	.column_count = ARRAY_COUNT(report_columns),
	.row_bytes = sizeof(struct scan_report),
	.key = "r.id",
	.default_sort = "-fetched_at",
};

static const struct store_column finding_columns[] = {
	STORE_COLUMN(scan_finding, NULL, "report_id", TEXT, report_id),
	STORE_COLUMN(scan_finding, "number", "number", INT, number),
	STORE_COLUMN(scan_finding, "vulnerability", "vulnerability", TEXT, vulnerability),
	STORE_COLUMN(scan_finding, "package", "package", TEXT, package),
	STORE_COLUMN(scan_finding, "version", "version", TEXT, version),
	STORE_COLUMN(scan_finding, "fixed", "fixed", TEXT, fixed),
	STORE_COLUMN(scan_finding, "severity", "severity", TEXT, severity),
	STORE_COLUMN(scan_finding, "rank", "rank", INT, rank),
	STORE_COLUMN(scan_finding, "artifact", "artifact", TEXT, artifact),
	STORE_COLUMN(scan_finding, NULL, "more", TEXT, more),
};
const struct store_table scan_findings_table = {
	.name = "finding",
	.select = "SELECT report_id, number, vulnerability, package, version, fixed, severity, "
		  "rank, artifact, more FROM scan_findings",
	.columns = finding_columns,
	.column_count = ARRAY_COUNT(finding_columns),
	.row_bytes = sizeof(struct scan_finding),
	.key = "number", /* within one report */
	.default_sort = "-rank,vulnerability",
};

int scan_get(struct store *s, const char *id, struct scan *ret, struct berth_error *err)
{
	const struct store_value v = V_TEXT(id);

	return store_get(s, &scans_table, PAGE_OF("c.id = ?", &v, 1), id, ret, err);
}

void scan_done(struct scan *row)
{
	store_row_done(&scans_table, row);
}

int scan_put(struct store *s, const struct scan *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_PUT],
			 VALUES(V_TEXT(row->id), V_TEXT(row->integration_id), V_TEXT(row->target),
				V_TEXT(row->scope), V_TEXT(row->repository), V_TEXT(row->digest),
				V_TEXT(row->state), V_TEXT(row->run), V_TEXT(row->error),
				V_INT(row->total), V_INT(row->fixable), V_INT(row->created_ms),
				V_INT(row->updated_ms), V_INT(row->ended_ms)),
			 NULL, err);
}

int scan_artifact_put(struct store *s, const struct scan_artifact *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_ARTIFACT_PUT],
			 VALUES(V_TEXT(row->scan_id), V_TEXT(row->repository), V_TEXT(row->digest),
				V_TEXT(row->state), V_TEXT(row->run)),
			 NULL, err);
}

int scan_prune(struct store *s, int64_t before_ms, struct berth_error *err)
{
	int rc = store_run(s, &sql[SQL_PRUNE], VALUES(V_INT(before_ms)), NULL, err);

	return rc ? rc : store_run(s, &sql[SQL_REPORT_PRUNE], VALUES(V_INT(before_ms)), NULL, err);
}

int scan_report_get(struct store *s, const char *id, struct scan_report *ret,
		    struct berth_error *err)
{
	const struct store_value v = V_TEXT(id);

	return store_get(s, &scan_reports_table, PAGE_OF("r.id = ? AND r.is_whole = 1", &v, 1), id,
			 ret, err);
}

void scan_report_done(struct scan_report *row)
{
	store_row_done(&scan_reports_table, row);
}

int scan_report_begin(struct store *s, const struct scan_report *row, struct berth_error *err)
{
	int rc = store_run(
		s, &sql[SQL_REPORT_DROP_PARTS],
		VALUES(V_TEXT(row->integration_id), V_TEXT(row->repository), V_TEXT(row->digest)),
		NULL, err);

	return rc ? rc
		  : store_run(s, &sql[SQL_REPORT_ADD],
			      VALUES(V_TEXT(row->id), V_TEXT(row->integration_id),
				     V_TEXT(row->repository), V_TEXT(row->digest),
				     V_INT(row->fetched_ms)),
			      NULL, err);
}

int scan_finding_add(struct store *s, const struct scan_finding *row, struct berth_error *err)
{
	return store_run(s, &sql[SQL_FINDING_ADD],
			 VALUES(V_TEXT(row->report_id), V_INT(row->number),
				V_TEXT(row->vulnerability), V_TEXT(row->package),
				V_TEXT(row->version), V_TEXT(row->fixed), V_TEXT(row->severity),
				V_INT(row->rank), V_TEXT(row->artifact), V_TEXT(row->more)),
			 NULL, err);
}

int scan_report_end(struct store *s, const struct scan_report *row, struct berth_error *err)
{
	int rc = store_run_one(s, &sql[SQL_REPORT_END],
			       VALUES(V_TEXT(row->facts), V_TEXT(row->counts), V_INT(row->total),
				      V_INT(row->fixable), V_INT(row->fetched_ms), V_TEXT(row->id)),
			       err);

	return rc ? rc
		  : store_run(s, &sql[SQL_REPORT_DROP_OLDER],
			      VALUES(V_TEXT(row->integration_id), V_TEXT(row->repository),
				     V_TEXT(row->digest), V_TEXT(row->id)),
			      NULL, err);
}
