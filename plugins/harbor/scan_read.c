/* SPDX-License-Identifier: Apache-2.0 */
/* What Harbor's scans found: states, summed over a space, reports with every
 * finding, logs; and which scanner and schedule are set.
 */
#include "scan.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

#define DESCRIPTION_MAX_BYTES 8192 /* of one finding; an item has 60 KiB in all */
#define LINKS_MAX 32
#define LOG_LINE_MAX_BYTES 4000

/* Harbor's words for a scan's state, and ours. */
static const struct {
	const char *harbor, *state;
} states[] = {
	{"Pending", "queued"}, {"Scheduled", "queued"}, {"Running", "running"},
	{"Success", "done"},   {"Error", "error"},      {"Stopped", "stopped"},
};

static const char *state_of(const char *status)
{
	for (size_t i = 0; i < ARRAY_COUNT(states); i++)
		if (!strcmp(states[i].harbor, status))
			return states[i].state;
	return "not-scanned";
}

/* "Critical" becomes "critical"; to has 24 bytes. */
static void small(const char *word, char *to)
{
	snprintf(to, 24, "%s", word);
	for (; *to; to++)
		*to = (char)(*to >= 'A' && *to <= 'Z' ? *to + 32 : *to);
}

/* Severities as keys, zeroes left out. */
static json_t *counts_of(const json_t *summary)
{
	json_t *counts = json_object();
	const char *severity;
	json_t *n;
	json_object_foreach ((json_t *)(uintptr_t)summary, severity, n) {
		char key[24];
		small(severity, key);
		if (json_integer_value(n) > 0)
			json_object_set(counts, key, n);
	}
	return counts;
}

static void put_found(json_t *more, const json_t *one)
{
	const json_t *summary = json_object_get(one, "summary");
	const json_t *scanner = json_object_get(one, "scanner");
	char severity[24];
	small(js_str(one, "severity", ""), severity);
	js_put_str(more, "severity", severity);
	js_put_str(more, "report", js_str(one, "report_id", NULL));
	js_put_str(more, "scanner", js_str(scanner, "name", NULL));
	js_put_time(more, "started_at", harbor_time(one, "start_time"));
	js_put_time(more, "ended_at", harbor_time(one, "end_time"));
	if (!summary)
		return;
	json_object_set_new(more, "total", json_integer(js_int(summary, "total", 0)));
	json_object_set_new(more, "fixable", json_integer(js_int(summary, "fixable", 0)));
	json_object_set_new(more, "counts", counts_of(json_object_get(summary, "summary")));
}

json_t *scan_run_of(const json_t *artifact)
{
	/* A map by media type, of which we ask for two: the first is the better one. */
	json_t *overview = json_object_get(artifact, "scan_overview");
	const json_t *one = json_object_iter_value(json_object_iter(overview));
	const json_t *links = json_object_get(artifact, "addition_links");
	json_t *more = json_object();
	if (!one) {
		bool can = json_object_get(links, "vulnerabilities") != NULL;
		js_put_str(more, "state", can ? "not-scanned" : "unsupported");
		return more;
	}
	const char *state = state_of(js_str(one, "scan_status", ""));
	bool is_done = !strcmp(state, "done");
	js_put_str(more, "state", state);
	json_object_set_new(more, "percent",
			    json_integer(is_done ? 100 : js_int(one, "complete_percent", 0)));
	put_found(more, one);
	return more;
}

static int load_overview(struct harbor *h, const char *path, json_t **ret, struct berth_error *err)
{
	return harbor_getf(h, ret, err, "%s?with_scan_overview=true&with_tag=false", path);
}

/* --- the state of one, of many, of all --- */

static int status_one(struct harbor *h, const struct scan_target *t, struct berth_sink *sink,
		      struct berth_error *err)
{
	AUTO_JSON json_t *artifact = NULL;
	AUTO_FREE char *scanner = NULL;
	int r = load_overview(h, t->path, &artifact, err);
	if (r)
		return r;
	json_t *run = scan_run_of(artifact);
	/* Without a scanner nothing can be scanned, which is another matter. */
	if (!strcmp(js_str(run, "state", ""), "unsupported"))
		r = scan_project_scanner(h, t, &scanner, err);
	if (r) {
		json_decref(run);
		return r;
	}
	return scan_give_run(sink, t->digest, run, err);
}

struct sum {
	struct berth_sink *sink;
	json_t *artifacts; /* how many of each state */
	json_t *counts;    /* findings by severity */
	int64_t total, fixable, seen;
};

static void add(json_t *to, const char *key, int64_t n)
{
	json_object_set_new(to, key, json_integer(js_int(to, key, 0) + n));
}

static int sum_each(void *user, const struct scan_artifact *a, struct berth_error *err)
{
	struct sum *s = user;
	AUTO_JSON json_t *run = scan_run_of(a->json);
	const char *digest = js_str(a->json, "digest", NULL), *severity;
	AUTO_FREE char *id = text_printf("%s@%s", a->repository, digest ? digest : "");
	json_t *n;
	if (!run || !id)
		return berth_fail_memory(err);
	add(s->artifacts, js_str(run, "state", ""), 1);
	json_object_foreach (json_object_get(run, "counts"), severity, n)
		add(s->counts, severity, json_integer_value(n));
	s->total += js_int(run, "total", 0);
	s->fixable += js_int(run, "fixable", 0);
	s->seen++;
	js_put_str(run, "source", a->repository);
	return remote_give(
		s->sink,
		&(struct give){.kind = BERTH_ITEM_TASK, .id = id, .digest = digest, .more = run},
		err);
}

/* What goes on counts before what has ended. */
static const char *state_of_sum(const json_t *artifacts)
{
	static const char *const order[] = {"running", "queued", "error",
					    "stopped", "done",   "not-scanned"};
	if (js_int(artifacts, "queued", 0) && js_int(artifacts, "done", 0))
		return "running";
	for (size_t i = 0; i < ARRAY_COUNT(order); i++)
		if (js_int(artifacts, order[i], 0))
			return order[i];
	return "done";
}

static json_t *run_of_sum(const struct sum *s, const char *scanner)
{
	int64_t going = js_int(s->artifacts, "queued", 0) + js_int(s->artifacts, "running", 0);
	return json_pack("{s:s, s:I, s:I, s:I, s:s, s:O, s:O, s:I, s:I}", "state",
			 state_of_sum(s->artifacts), "percent",
			 (json_int_t)(s->seen ? (s->seen - going) * 100 / s->seen : 100), "items",
			 (json_int_t)s->seen, "items_done", (json_int_t)(s->seen - going),
			 "scanner", scanner, "artifacts", s->artifacts, "counts", s->counts,
			 "total", (json_int_t)s->total, "fixable", (json_int_t)s->fixable);
}

static int status_many(struct harbor *h, const struct scan_target *t, struct berth_sink *sink,
		       struct berth_error *err)
{
	AUTO_JSON json_t *artifacts = json_object(), *counts = json_object();
	AUTO_FREE char *scanner = NULL;
	struct sum s = {.sink = sink, .artifacts = artifacts, .counts = counts};
	int r = scan_project_scanner(h, t, &scanner, err);
	if (!r)
		r = scan_walk(h, t, sum_each, &s, err);
	return r ? r
		 : scan_give_run(sink, t->repository ? t->repository : t->space,
				 run_of_sum(&s, scanner), err);
}

/* A schedule that is not there is 200 with an empty body. */
static int put_schedule(struct harbor *h, json_t *more, struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	int r = harbor_ask(h, &(struct ask){.path = SCAN_ALL}, &reply, err);
	const json_t *schedule = json_object_get(reply.json, "schedule");
	const char *cron = js_str(schedule, "cron", "");
	if (r || !*cron)
		return r;
	js_put_str(more, "cron", cron);
	js_put_time(more, "next_at", harbor_time(schedule, "next_scheduled_time"));
	return 0;
}

static int status_all(struct harbor *h, struct berth_sink *sink, struct berth_error *err)
{
	AUTO_JSON json_t *m = NULL;
	int r = harbor_get(h, "/api/v2.0/scans/all/metrics", &m, err);
	if (r)
		return r;
	int64_t done = js_int(m, "completed", 0), total = js_int(m, "total", 0);
	const char *state = js_bool(m, "ongoing", false) ? "running"
			    : total                      ? "done"
							 : "not-scanned";
	AUTO_JSON json_t *more = json_pack("{s:s, s:I, s:I, s:I}", "state", state, "percent",
					   (json_int_t)(total ? done * 100 / total : 0), "items",
					   (json_int_t)total, "items_done", (json_int_t)done);
	AUTO_JSON json_t *artifacts = json_object();
	const char *word;
	json_t *n;
	json_object_foreach (json_object_get(m, "metrics"), word, n)
		if (json_integer_value(n) > 0)
			add(artifacts, state_of(word), json_integer_value(n));
	json_object_set(more, "artifacts", artifacts);
	r = put_schedule(h, more, err);
	return r ? r : scan_give_run(sink, "all", json_incref(more), err);
}

int harbor_scan_status(void *self, const struct berth_call *call, const char *target_json,
		       struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_SCAN_TARGET struct scan_target t = {0};
	int r = scan_target_begin(h, call, target_json, &t, err);
	if (r)
		return r;
	if (t.path)
		return status_one(h, &t, sink, err);
	return t.repository || t.space ? status_many(h, &t, sink, err) : status_all(h, sink, err);
}

/* --- the report --- */

struct reading {
	struct berth_sink *sink;
	json_t *seen; /* a set of finding and child, so that each comes once a child */
};

static json_t *links_of(const json_t *v)
{
	json_t *list = json_array();
	size_t i;
	json_t *link;
	json_array_foreach (json_object_get(v, "links"), i, link)
		if (i < LINKS_MAX && json_is_string(link) && json_string_length(link) < 1024)
			json_array_append(list, link);
	return list;
}

static json_t *finding_of(const json_t *v)
{
	static const char *const keys[][2] = {{"package", "package"},
					      {"version", "version"},
					      {"fix_version", "fixed"},
					      {"severity", "severity"}};
	AUTO_FREE char *text = strndup(js_str(v, "description", ""), DESCRIPTION_MAX_BYTES);
	json_t *more = json_object();
	double score = json_number_value(
		json_object_get(json_object_get(v, "preferred_cvss"), "score_v3"));
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		js_put_str(more, keys[i][1], js_str(v, keys[i][0], NULL));
	if (text) {
		text_trim_utf8(text);
		js_put_str(more, "description", text);
	}
	if (score > 0 && score <= 10) {
		char number[16];
		snprintf(number, sizeof number, "%.1f", score);
		js_put_str(more, "score", number);
	}
	json_object_set_new(more, "links", links_of(v));
	return more;
}

/* One finding in one artifact. digest NULL: of the artifact asked for. */
static int give_finding(struct reading *r, const char *id, const char *digest, const json_t *more,
			struct berth_error *err)
{
	AUTO_FREE char *key = text_printf("%s %s %s %s", id, js_str(more, "package", ""),
					  js_str(more, "version", ""), digest ? digest : "");
	if (!key)
		return berth_fail_memory(err);
	if (json_object_get(r->seen, key))
		return 0;
	if (json_object_set_new(r->seen, key, json_true()))
		return berth_fail_memory(err);
	return remote_give(
		r->sink,
		&(struct give){
			.kind = BERTH_ITEM_FINDING, .id = id, .digest = digest, .more = more},
		err);
}

/* Harbor merges an index's report: artifact_digests says in which children. */
static int give_findings(struct reading *r, const json_t *v, struct berth_error *err)
{
	const json_t *digests = json_object_get(v, "artifact_digests");
	const char *id = js_str(v, "id", "");
	AUTO_JSON json_t *more = finding_of(v);
	size_t i;
	const json_t *digest;
	int code = 0;
	if (!json_array_size(digests))
		return give_finding(r, id, NULL, more, err);
	json_array_foreach (digests, i, digest) {
		code = give_finding(r, id, json_string_value(digest), more, err);
		if (code)
			break;
	}
	return code;
}

static int give_head(struct berth_sink *sink, const char *media_type, const json_t *report,
		     struct berth_error *err)
{
	int r = remote_give_fact(sink, "media_type", json_string(media_type), err);
	if (!r)
		r = remote_give_fact(sink, "generated_at",
				     json_string(js_str(report, "generated_at", "")), err);
	if (!r && json_object_get(report, "scanner"))
		r = remote_give_fact(sink, "scanner",
				     json_deep_copy(json_object_get(report, "scanner")), err);
	return r;
}

/* A map by media type: 1.1, or 1.0 of older scanners, which has the same keys. */
int harbor_scan_report(void *self, const struct berth_call *call, const char *target_json,
		       struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_SCAN_TARGET struct scan_target t = {0};
	AUTO_JSON json_t *reports = NULL, *seen = json_object();
	struct reading reading = {.sink = sink, .seen = seen};
	size_t i;
	const json_t *finding;
	int r = scan_target_begin(h, call, target_json, &t, err);
	if (!r && !t.path)
		return berth_fail(err, BERTH_E_INVALID, "a report is of one artifact");
	if (!r)
		r = harbor_getf(h, &reports, err, "%s/additions/vulnerabilities", t.path);
	if (r)
		return r;
	void *first = json_object_iter(reports);
	const json_t *one = json_object_iter_value(first);
	if (!one)
		return berth_fail(err, BERTH_E_NOT_FOUND,
				  "there is no report: the artifact was not scanned to the end");
	r = give_head(sink, json_object_iter_key(first), one, err);
	json_array_foreach (json_object_get(one, "vulnerabilities"), i, finding) {
		if (r)
			break;
		r = give_findings(&reading, finding, err);
	}
	return r;
}

/* --- the log --- */

int harbor_give_log(struct berth_sink *sink, const char *text, struct berth_error *err)
{
	while (text && *text) {
		size_t n = strcspn(text, "\n");
		AUTO_FREE char *line =
			strndup(text, n < LOG_LINE_MAX_BYTES ? n : LOG_LINE_MAX_BYTES);
		if (!line)
			return berth_fail_memory(err);
		text_trim_utf8(line);
		int r = *line ? remote_give(sink,
					    &(struct give){.kind = BERTH_ITEM_LOG, .name = line},
					    err)
			      : 0;
		if (r)
			return r;
		text += n + (text[n] == '\n');
	}
	return 0;
}

int harbor_scan_log(void *self, const struct berth_call *call, const char *target_json,
		    struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_SCAN_TARGET struct scan_target t = {0};
	AUTO_JSON json_t *artifact = NULL, *run = NULL;
	AUTO_REPLY struct reply reply = {0};
	int r = scan_target_begin(h, call, target_json, &t, err);
	if (!r && !t.path)
		return berth_fail(err, BERTH_E_INVALID, "a scan's log is of one artifact");
	if (!r)
		r = load_overview(h, t.path, &artifact, err);
	if (r)
		return r;
	run = scan_run_of(artifact);
	const char *id = js_str(run, "report", NULL);
	if (!id)
		return berth_fail(err, BERTH_E_NOT_FOUND, "the artifact was never scanned");
	AUTO_FREE char *escaped = text_url_encode(id);
	AUTO_FREE char *url = text_printf("%s/scan/%s/log", t.path, escaped ? escaped : "");
	if (!escaped || !url)
		return berth_fail_memory(err);
	r = harbor_ask(h, &(struct ask){.path = url, .is_text = true}, &reply, err);
	return r ? r : harbor_give_log(sink, reply.body, err);
}

/* --- scanners and settings --- */

static int each_scanner(void *user, json_t *scanner, struct berth_error *err)
{
	/* 2.5 shows the credential in clear text. */
	json_object_del(scanner, "access_credential");
	return remote_give(user,
			   &(struct give){.kind = BERTH_ITEM_OBJECT,
					  .id = js_str(scanner, "uuid", ""),
					  .name = js_str(scanner, "name", ""),
					  .more = scanner},
			   err);
}

int harbor_scan_scanners(void *self, const struct berth_call *call, struct berth_sink *sink,
			 struct berth_error *err)
{
	struct harbor *h = self;
	remote_begin(&h->remote, call);
	return harbor_pages(h, "/api/v2.0/scanners", each_scanner, sink, err);
}

static int set_schedule(struct harbor *h, const char *cron, struct berth_error *err)
{
	AUTO_REPLY struct reply now = {0};
	AUTO_JSON json_t *body = json_pack("{s:{s:s, s:s}}", "schedule", "type",
					   *cron ? "Custom" : "None", "cron", cron);
	int r = *cron ? harbor_check_cron(cron, err) : 0;
	if (!r)
		r = harbor_ask(h, &(struct ask){.path = SCAN_ALL}, &now, err);
	if (r || (!now.json && !*cron))
		return r;
	return harbor_do(h, now.json ? "PUT" : "POST", SCAN_ALL, body, err);
}

struct wanted {
	const char *scanner; /* name or uuid */
	char *uuid;
};

static int each_candidate(void *user, json_t *scanner, struct berth_error *err)
{
	struct wanted *w = user;
	const char *uuid = js_str(scanner, "uuid", "");
	bool is_it = !strcmp(uuid, w->scanner) || !strcmp(js_str(scanner, "name", ""), w->scanner);
	if (!is_it || w->uuid)
		return 0;
	if (js_bool(scanner, "disabled", false))
		return berth_fail(err, BERTH_E_CONFLICT, "scanner '%s' is disabled at Harbor",
				  w->scanner);
	w->uuid = strdup(uuid);
	return w->uuid ? 0 : berth_fail_memory(err);
}

/* Harbor takes a project's scanner that does not exist: looked for first. */
static int set_scanner(struct harbor *h, const char *space, const char *scanner,
		       struct berth_error *err)
{
	struct wanted w = {.scanner = scanner};
	AUTO_FREE char *escaped = space ? text_url_encode(space) : NULL;
	AUTO_FREE char *list =
		escaped ? text_printf("/api/v2.0/projects/%s/scanner/candidates", escaped)
			: strdup("/api/v2.0/scanners");
	int r = list ? harbor_pages(h, list, each_candidate, &w, err) : berth_fail_memory(err);
	AUTO_FREE char *uuid = w.uuid;
	if (!r && !uuid)
		return berth_fail(err, BERTH_E_NOT_FOUND, "Harbor has no scanner '%s'", scanner);
	if (r)
		return r;
	AUTO_JSON json_t *chosen =
		space ? json_pack("{s:s}", "uuid", uuid) : json_pack("{s:b}", "is_default", 1);
	return space ? harbor_dof(h, "PUT", chosen, err, "/api/v2.0/projects/%s/scanner", escaped)
		     : harbor_dof(h, "PATCH", chosen, err, "/api/v2.0/scanners/%s", uuid);
}

int harbor_scan_configure(void *self, const struct berth_call *call, const char *settings_json,
			  struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *s = NULL;
	remote_begin(&h->remote, call);
	int r = ask_argument(settings_json, &s, err);
	const char *cron = js_str(s, "cron", NULL), *scanner = js_str(s, "scanner", NULL);
	const char *space = js_str(s, "space", NULL);
	if (r)
		return r;
	if (!cron && !scanner)
		return berth_fail(err, BERTH_E_INVALID, "want scanner or cron");
	if (cron && space)
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "Harbor's schedule of scans is for all projects, not for one");
	if (call->flags & BERTH_CALL_DRY_RUN)
		return 0;
	if (cron)
		r = set_schedule(h, cron, err);
	return r || !scanner ? r : set_scanner(h, space, scanner, err);
}
