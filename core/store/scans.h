/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of scans for vulnerabilities, of the artifacts that a scan of many
 * looked at, and of reports with their findings. All observed: what is lost can
 * be asked for again.
 */
#ifndef CORE_STORE_SCANS_H
#define CORE_STORE_SCANS_H

#include "core/store/list.h"

struct scan {
	char *id; /* its operation's */
	char *integration_id;
	char *integration; /* name; read only */
	char *target;      /* INTEGRATION[/SPACE or /REPOSITORY[:TAG][@DIGEST]] */
	char *scope;       /* "artifact", "repository", "space", "integration" */
	char *repository;  /* of scopes artifact and repository, else "" */
	char *digest;      /* of scope artifact, once it is known; else "" */
	char *state;       /* "queued", "running", "done", "error", "stopped", "unsupported" */
	char *run;         /* JSON: what the plugin said last; "": it was not begun yet */
	char *error;       /* JSON of an error, or "" */
	int64_t total, fixable;
	int64_t created_ms, updated_ms, ended_ms; /* 0: not yet */
};
struct scan_artifact {
	char *scan_id, *repository, *digest, *state;
	char *run; /* JSON */
};
struct scan_report {
	char *id;
	char *integration_id;
	char *integration; /* name; read only */
	char *repository, *digest;
	char *facts;  /* JSON: scanner, generated_at, media_type */
	char *counts; /* JSON: {severity: number} */
	int64_t total, fixable;
	int64_t is_whole;
	int64_t fetched_ms;
};
struct scan_finding {
	char *report_id;
	int64_t number; /* from 1, as they came */
	char *vulnerability, *package, *version;
	char *fixed; /* version, or "" */
	char *severity;
	int64_t rank;   /* 6 critical ... 0 unknown */
	char *artifact; /* digest of the child that has it */
	char *more;     /* JSON: description, links, score */
};
extern const struct store_table scans_table, scan_artifacts_table, scan_reports_table,
	scan_findings_table;

MUST_USE int scan_get(struct store *s, const char *id, struct scan *ret, struct berth_error *err);
void scan_done(struct scan *row);
#define AUTO_SCAN_ROW CLEANUP(scan_done)
/* Adds or, by id, updates what changes while it goes on. */
MUST_USE int scan_put(struct store *s, const struct scan *row, struct berth_error *err);
/* Adds or, by scan, repository and digest, updates. */
MUST_USE int scan_artifact_put(struct store *s, const struct scan_artifact *row,
			       struct berth_error *err);
/* Drops scans that ended, and reports that were fetched, before then. */
MUST_USE int scan_prune(struct store *s, int64_t before_ms, struct berth_error *err);

/* A whole one. BERTH_E_NOT_FOUND. */
MUST_USE int scan_report_get(struct store *s, const char *id, struct scan_report *ret,
			     struct berth_error *err);
void scan_report_done(struct scan_report *row);
#define AUTO_SCAN_REPORT CLEANUP(scan_report_done)
/* Adds one that is not whole yet; what else is not whole of that artifact goes. */
MUST_USE int scan_report_begin(struct store *s, const struct scan_report *row,
			       struct berth_error *err);
MUST_USE int scan_finding_add(struct store *s, const struct scan_finding *row,
			      struct berth_error *err);
/* It is whole: facts, counts and totals are written, older ones of the artifact
 * go. */
MUST_USE int scan_report_end(struct store *s, const struct scan_report *row,
			     struct berth_error *err);

#endif
