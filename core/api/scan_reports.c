/* SPDX-License-Identifier: Apache-2.0 */
/* /v1/scan-reports: what a scanner found in an artifact, each finding once for
 * each child of an index. Read from the registry by an operation, then from
 * the store.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api_handlers.h"
#include "core/api/scan.h"
#include "core/api/scan_report.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/text.h"

/* Worst first. Harbor writes them with a capital letter. */
static const char *const severities[] = {"critical",   "high", "medium", "low",
					 "negligible", "none", "unknown"};

/* "Critical" becomes "critical"; to has 24 bytes. */
static void scan_severity(const char *word, char *to)
{
	size_t i = 0;

	for (; word[i] && i < 23; i++)
		to[i] = (char)tolower((unsigned char)word[i]);
	to[i] = '\0';
}

/* From 6, critical, to 0. */
static int64_t scan_severity_rank(const char *word)
{
	for (size_t i = 0; i < ARRAY_COUNT(severities); i++)
		if (!strcmp(severities[i], word))
			return (int64_t)(ARRAY_COUNT(severities) - 1 - i);
	return 0;
}

/* --- taking one in --- */

struct scan_intake {
	char integration_id[UUID_ROOM], report_id[UUID_ROOM];
	char *repository;
	char digest[DIGEST_TEXT_ROOM];
	json_t *facts, *counts;
	struct scan_totals totals;
	int64_t count; /* findings so far */
	bool is_begun; /* it has its row */
};

struct scan_intake *scan_intake_new(const char *integration_id, const char *repository)
{
	struct scan_intake *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	snprintf(i->integration_id, sizeof(i->integration_id), "%s", integration_id);
	uuid_make(i->report_id);
	i->repository = strdup(repository);
	i->facts = json_object();
	i->counts = json_object();
	if (i->repository && i->facts && i->counts)
		return i;
	scan_intake_free(i);
	return NULL;
}

void scan_intake_free(struct scan_intake *i)
{
	if (!i)
		return;
	free(i->repository);
	json_decref(i->facts);
	json_decref(i->counts);
	free(i);
}

void scan_intake_of(struct scan_intake *i, const char *digest)
{
	snprintf(i->digest, sizeof(i->digest), "%s", digest);
}

static int begin(struct daemon_state *d, struct scan_intake *i, struct berth_error *err)
{
	struct scan_report row = {
		.id = i->report_id,
		.integration_id = i->integration_id,
		.repository = i->repository,
		.digest = i->digest,
		.fetched_ms = clock_unix_ms(),
	};

	if (i->is_begun)
		return 0;
	int code = scan_report_begin(d->store, &row, err);
	i->is_begun = !code;
	return code;
}

static void count(struct scan_intake *i, const char *severity, bool is_fixable)
{
	json_object_set_new(i->counts, severity, json_integer(js_int(i->counts, severity, 0) + 1));
	i->totals.total++;
	i->totals.fixable += is_fixable;
}

static int take_finding(struct daemon_state *d, struct scan_intake *i, const json_t *item,
			struct berth_error *err)
{
	static const char *const kept[] = {"description", "links", "score"};
	const json_t *more = json_object_get(item, "more");
	json_t *rest AUTO_JSON = json_object();
	char severity[24];

	scan_severity(js_str(more, "severity", "unknown"), severity);
	for (size_t k = 0; k < ARRAY_COUNT(kept); k++)
		if (json_object_get(more, kept[k]))
			json_object_set(rest, kept[k], json_object_get(more, kept[k]));
	char *text AUTO_FREE = js_canonical(rest);
	struct scan_finding row = {
		.report_id = i->report_id,
		.number = ++i->count,
		.vulnerability = (char *)js_str(item, "id", ""),
		.package = (char *)js_str(more, "package", ""),
		.version = (char *)js_str(more, "version", ""),
		.fixed = (char *)js_str(more, "fixed", ""),
		.severity = severity,
		.rank = scan_severity_rank(severity),
		.artifact = (char *)js_str(item, "digest", i->digest),
		.more = text,
	};

	if (!text)
		return berth_fail_memory(err);
	count(i, severity, *row.fixed != '\0');
	return scan_finding_add(d->store, &row, err);
}

int scan_intake_item(struct daemon_state *d, struct scan_intake *i, const json_t *item,
		     struct berth_error *err)
{
	const char *kind = js_str(item, "kind", "");
	json_t *value = json_object_get(json_object_get(item, "more"), "value");

	if (strcmp(kind, "fact") != 0 && strcmp(kind, "finding") != 0)
		return 0;
	if (begin(d, i, err))
		return err->code;
	if (!strcmp(kind, "finding"))
		return take_finding(d, i, item, err);
	return value && json_object_set(i->facts, js_str(item, "name", ""), value)
		       ? berth_fail_memory(err)
		       : 0;
}

int scan_intake_end(struct daemon_state *d, struct scan_intake *i, const struct scan_totals **ret,
		    struct berth_error *err)
{
	*ret = NULL;
	if (!i || !i->is_begun)
		return 0;
	char *facts AUTO_FREE = js_canonical(i->facts), *counts AUTO_FREE = js_canonical(i->counts);
	struct scan_report row = {
		.id = i->report_id,
		.integration_id = i->integration_id,
		.repository = i->repository,
		.digest = i->digest,
		.facts = facts,
		.counts = counts,
		.total = i->totals.total,
		.fixable = i->totals.fixable,
		.fetched_ms = clock_unix_ms(),
	};

	if (!facts || !counts)
		return berth_fail_memory(err);
	if (scan_report_end(d->store, &row, err))
		return err->code;
	i->totals.report_id = i->report_id;
	i->totals.counts = i->counts;
	*ret = &i->totals;
	return 0;
}

/* --- the operation that reads one --- */

static const json_t *target_of(const struct operation *op)
{
	return json_object_get(json_object_get(op->arguments, "args"), "target");
}

int scan_report_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	json_t *args AUTO_JSON = json_deep_copy(json_object_get(op->arguments, "args"));

	scan_intake_free(op->own);
	op->own = scan_intake_new(js_str(op->arguments, "id", ""),
				  js_str(target_of(op), "repository", ""));
	if (!args || !op->own)
		return berth_fail_memory(err);
	return job_call_one(op, "scan-report", api_daemon()->settings.jobs.read_ms, args, ret, err);
}

/* The job's first item says which digest the report is of. */
int scan_report_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	const json_t *item;
	size_t i;

	json_array_foreach (items, i, item) {
		if (!strcmp(js_str(item, "kind", ""), "run"))
			scan_intake_of(op->own, js_str(item, "digest", ""));
		else if (scan_intake_item(api_daemon(), op->own, item, err))
			return err->code;
	}
	return 0;
}

static int show(const struct scan_report *it, json_t **ret, struct berth_error *err)
{
	static const char *const shown[] = {"scanner", "generated_at", "media_type"};
	json_t *facts AUTO_JSON = NULL;
	json_t *counts = NULL;

	if (api_parse(it->facts, &facts, err) || api_parse(it->counts, &counts, err))
		return err->code;
	*ret = json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:I}", "id", it->id, "integration",
			 it->integration, "repository", it->repository, "digest", it->digest,
			 "counts", counts, "total", (json_int_t)it->total, "fixable",
			 (json_int_t)it->fixable);
	if (!*ret)
		return berth_fail_memory(err);
	for (size_t i = 0; i < ARRAY_COUNT(shown); i++)
		if (json_object_get(facts, shown[i]))
			json_object_set(*ret, shown[i], json_object_get(facts, shown[i]));
	js_put_time(*ret, "fetched_at", it->fetched_ms);
	return 0;
}

int scan_report_ended(struct operation *op, const json_t *value, const struct berth_error *why,
		      json_t **ret_result, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct scan_report row AUTO_SCAN_REPORT = {.id = NULL};
	const struct scan_totals *totals;

	(void)value;
	if (why->code)
		return 0;
	if (scan_intake_end(d, op->own, &totals, err))
		return err->code;
	if (!totals)
		return berth_fail(err, BERTH_E_PROTOCOL, "the plugin gave no report");
	if (scan_report_get(d->store, totals->report_id, &row, err))
		return err->code;
	return show(&row, ret_result, err);
}

/* --- routes --- */

void api_scan_reports_create(struct request *q, struct answer *a)
{
	struct scan_target t AUTO_SCAN_TARGET = {.text = NULL};

	if (api_resumed(q, a) || !scan_target_of_body(q, a, &t) ||
	    !scan_target_is_artifact(a, &t) || !scan_can(q, a, &t.of, "report"))
		return;
	char *lock AUTO_FREE = text_printf("scan-report/%s", t.text);
	json_t *args AUTO_JSON = json_pack("{s:O}", "target", t.job);
	struct slot_work work = {.kind = "scan-report",
				 .table = "scan",
				 .slot = "report",
				 .path = t.path,
				 .lock = lock,
				 .args = args,
				 .joins = true};
	(void)slot_submit(q, a, t.of.id, &work);
}

static int show_row(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	(void)q;
	return show(row, ret, err);
}

void api_scan_reports_list(struct request *q, struct answer *a)
{
	static const char *const q_columns[] = {"r.repository", NULL};
	static const struct api_collection all = {.table = &scan_reports_table,
						  .noun = "scan report",
						  .within = "r.is_whole = 1",
						  .q_columns = q_columns,
						  .show = show_row};

	api_list(&all, q, a);
}

static bool report_of_route(struct request *q, struct answer *a, struct scan_report *ret)
{
	struct berth_error err = ERROR_INIT;

	if (!scan_report_get(request_daemon(q)->store, request_param(q, "id"), ret, &err))
		return true;
	api_fail(a, &err, "berthctl scan report");
	return false;
}

void api_scan_reports_get(struct request *q, struct answer *a)
{
	struct scan_report row AUTO_SCAN_REPORT = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *shown AUTO_JSON = NULL;

	if (!report_of_route(q, a, &row))
		return;
	if (show(&row, &shown, &err))
		api_fail(a, &err, NULL);
	else
		answer_resource(a, q, json_incref(shown), shown, 0);
}

static int show_finding(struct request *q, const void *row, json_t **ret, struct berth_error *err)
{
	const struct scan_finding *it = row;

	(void)q;
	if (api_parse(it->more, ret, err))
		return err->code;
	json_t *own =
		json_pack("{s:I, s:s, s:s, s:s, s:I, s:s}", "number", (json_int_t)it->number,
			  "vulnerability", it->vulnerability, "package", it->package, "version",
			  it->version, "rank", (json_int_t)it->rank, "severity", it->severity);
	if (!own || json_object_update(*ret, own)) {
		json_decref(own);
		json_decref(STEAL(*ret));
		return berth_fail_memory(err);
	}
	json_decref(own);
	js_put_str(*ret, "fixed", it->fixed);
	js_put_str(*ret, "artifact", it->artifact);
	return 0;
}

void api_scan_findings_list(struct request *q, struct answer *a)
{
	static const char *const q_columns[] = {"vulnerability", "package", NULL};
	struct scan_report row AUTO_SCAN_REPORT = {.id = NULL};

	if (!report_of_route(q, a, &row))
		return;
	const struct store_value values[] = {V_TEXT(row.id)};
	struct api_collection of_one = {.table = &scan_findings_table,
					.noun = "finding",
					.within = "report_id = ?",
					.within_values = values,
					.within_count = 1,
					.q_columns = q_columns,
					.q_is_literal = true,
					.show = show_finding};
	api_list(&of_one, q, a);
}
