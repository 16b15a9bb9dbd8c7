/* SPDX-License-Identifier: Apache-2.0 */
/* Harbor's own scanner driven and read (C1 to C5). A target is one artifact
 * {"repository","digest"}, a project {"space"} or, empty, the instance. Stop of
 * a scan of all is refused: at 2.15.2 it wipes the results that were there.
 */
#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "plugins/harbor/harbor.h"

#define SCAN_ALL "/api/v2.0/system/scanAll/schedule"

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

/* The artifact's API path of a target, or NULL in *ret for another target. */
static int target_path(const json_t *target, char **ret, struct berth_error *err)
{
	AUTO_FREE char *path = NULL;
	const char *repository = js_str(target, "repository", NULL);
	const char *digest = js_str(target, "digest", NULL);
	*ret = NULL;
	if (!repository)
		return 0;
	if (!digest)
		return berth_fail(err, BERTH_E_INVALID, "a scan of an artifact needs its digest");
	int r = harbor_path(repository, &path, err);
	if (r)
		return r;
	*ret = text_printf("%s/artifacts/%s", path, digest);
	return *ret ? 0 : berth_fail_memory(err);
}

static int begin(struct harbor *h, const struct berth_call *call, const char *target_json,
		 json_t **ret_target, char **ret_path, struct berth_error *err)
{
	remote_begin(&h->remote, call);
	int r = ask_argument(target_json, ret_target, err);
	return r ? r : target_path(*ret_target, ret_path, err);
}

static int give_run(struct berth_sink *sink, const char *id, json_t *take_more,
		    struct berth_error *err)
{
	AUTO_JSON json_t *more = take_more;
	return remote_give(sink, &(struct give){.kind = BERTH_ITEM_RUN, .id = id, .more = more},
			   err);
}

/* The body came with 2.11; before, a body is an error at none of the versions
 * tried, but means nothing. */
static int change_scan(struct harbor *h, const char *path, const char *verb,
		       struct berth_error *err)
{
	AUTO_JSON json_t *body = json_pack("{s:s}", "scan_type", "vulnerability");
	int r = harbor_version(h, err);
	if (r)
		return r;
	r = harbor_dof(h, "POST", harbor_is_at_least(h, 2, 11) ? body : NULL, err, "%s/%s", path,
		       verb);
	if (r == BERTH_E_CONFLICT && err->upstream == 412)
		return berth_wrap(err, "no scanner is set up, or it is disabled");
	if (r && err->upstream == 400 && strstr(err->cause, "nsupported")) {
		err->code = BERTH_E_UNSUPPORTED;
		return berth_wrap(err, "the scanner can't read this kind of artifact");
	}
	return r;
}

struct space_scan {
	struct harbor *h;
	uint64_t started, refused;
};

/* One artifact of a project: those that are no images are passed over. */
static int scan_one(struct space_scan *s, const char *repository, const json_t *artifact,
		    struct berth_error *err)
{
	AUTO_FREE char *base = NULL;
	const json_t *links = json_object_get(artifact, "addition_links");
	if (!json_object_get(links, "vulnerabilities") && links)
		return 0;
	int r = harbor_path(repository, &base, err);
	if (r)
		return r;
	AUTO_FREE char *path = text_printf("%s/artifacts/%s", base, js_str(artifact, "digest", ""));
	if (!path)
		return berth_fail_memory(err);
	r = change_scan(s->h, path, "scan", err);
	if (r == BERTH_E_UNSUPPORTED || (r == BERTH_E_CONFLICT && err->upstream == 409)) {
		s->refused++; /* nothing to scan, or it is being scanned */
		return 0;
	}
	s->started += !r;
	return r;
}

struct repository_scan {
	struct space_scan *space;
	const char *repository;
};

static int each_artifact(void *user, json_t *artifact, struct berth_error *err)
{
	struct repository_scan *s = user;
	return scan_one(s->space, s->repository, artifact, err);
}

static int each_repository(void *user, json_t *repository, struct berth_error *err)
{
	struct space_scan *s = user;
	struct repository_scan one = {.space = s, .repository = js_str(repository, "name", "")};
	AUTO_FREE char *base = NULL;
	int r = harbor_path(one.repository, &base, err);
	if (r)
		return r;
	AUTO_FREE char *path = text_printf("%s/artifacts?with_tag=false", base);
	return path ? harbor_pages(s->h, path, each_artifact, &one, err) : berth_fail_memory(err);
}

static int start_space(struct harbor *h, const char *space, struct berth_sink *sink,
		       struct berth_error *err)
{
	struct space_scan s = {.h = h};
	AUTO_FREE char *escaped = text_url_encode(space);
	AUTO_FREE char *path =
		text_printf("/api/v2.0/projects/%s/repositories", escaped ? escaped : "");
	if (!escaped || !path)
		return berth_fail_memory(err);
	int r = harbor_pages(h, path, each_repository, &s, err);
	return r ? r
		 : give_run(sink, space,
			    json_pack("{s:s, s:I, s:I}", "state", "queued", "started",
				      (json_int_t)s.started, "passed_over", (json_int_t)s.refused),
			    err);
}

static int start_all(struct harbor *h, struct berth_sink *sink, struct berth_error *err)
{
	AUTO_JSON json_t *body = json_pack("{s:{s:s}}", "schedule", "type", "Manual");
	int r = harbor_do(h, "POST", SCAN_ALL, body, err);
	if (r == BERTH_E_CONFLICT && err->upstream == 412)
		return berth_wrap(err, "no scanner is set up, or scans run on a schedule");
	return r ? r : give_run(sink, "all", json_pack("{s:s}", "state", "queued"), err);
}

static int start(void *self, const struct berth_call *call, const char *target_json,
		 struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *target = NULL;
	AUTO_FREE char *path = NULL;
	int r = begin(h, call, target_json, &target, &path, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	if (path) {
		r = change_scan(h, path, "scan", err);
		return r ? r
			 : give_run(sink, js_str(target, "digest", ""),
				    json_pack("{s:s}", "state", "queued"), err);
	}
	const char *space = js_str(target, "space", NULL);
	return space ? start_space(h, space, sink, err) : start_all(h, sink, err);
}

/* Is there anything to scan? The artifact's own links say. */
static json_t *run_of(json_t *artifact)
{
	json_t *overview = json_object_get(artifact, "scan_overview");
	const json_t *one = json_object_iter_value(json_object_iter(overview));
	const json_t *links = json_object_get(artifact, "addition_links");
	json_t *more = json_object();
	if (!one) {
		bool can = json_object_get(links, "vulnerabilities") != NULL;
		js_put_str(more, "state", can ? "not-scanned" : "unsupported");
		return more;
	}
	const json_t *summary = json_object_get(one, "summary");
	js_put_str(more, "state", state_of(js_str(one, "scan_status", "")));
	json_object_set_new(more, "percent", json_integer(js_int(one, "complete_percent", 0)));
	js_put_str(more, "severity", js_str(one, "severity", NULL));
	js_put_str(more, "report", js_str(one, "report_id", NULL));
	js_put_time(more, "started_at", harbor_time(one, "start_time"));
	js_put_time(more, "ended_at", harbor_time(one, "end_time"));
	json_object_set_new(more, "total", json_integer(js_int(summary, "total", 0)));
	json_object_set_new(more, "fixable", json_integer(js_int(summary, "fixable", 0)));
	if (json_object_get(summary, "summary"))
		json_object_set(more, "counts", json_object_get(summary, "summary"));
	return more;
}

static int load_overview(struct harbor *h, const char *path, json_t **ret, struct berth_error *err)
{
	return harbor_getf(h, ret, err, "%s?with_scan_overview=true&with_tag=false", path);
}

static int status_all(struct harbor *h, struct berth_sink *sink, struct berth_error *err)
{
	AUTO_JSON json_t *m = NULL;
	int r = harbor_get(h, "/api/v2.0/scans/all/metrics", &m, err);
	if (r)
		return r;
	json_t *more = json_pack("{s:s, s:I, s:I}", "state",
				 js_bool(m, "ongoing", false) ? "running" : "done", "done",
				 (json_int_t)js_int(m, "completed", 0), "total",
				 (json_int_t)js_int(m, "total", 0));
	if (json_object_get(m, "metrics"))
		json_object_set(more, "counts", json_object_get(m, "metrics"));
	return give_run(sink, "all", more, err);
}

static int status(void *self, const struct berth_call *call, const char *target_json,
		  struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *target = NULL, *artifact = NULL;
	AUTO_FREE char *path = NULL;
	int r = begin(h, call, target_json, &target, &path, err);
	if (r)
		return r;
	if (!path && js_str(target, "space", NULL))
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "Harbor keeps no state of a project's scan: ask by artifact");
	if (!path)
		return status_all(h, sink, err);
	r = load_overview(h, path, &artifact, err);
	return r ? r : give_run(sink, js_str(target, "digest", ""), run_of(artifact), err);
}

static int stop(void *self, const struct berth_call *call, const char *target_json,
		struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *target = NULL;
	AUTO_FREE char *path = NULL;
	int r = begin(h, call, target_json, &target, &path, err);
	if (r)
		return r;
	if (!path)
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "stopping a scan of all wipes earlier results at Harbor: stop by "
				  "artifact");
	return (call->flags & BERTH_CALL_DRY_RUN) ? 0 : change_scan(h, path, "scan/stop", err);
}

static int give_finding(struct berth_sink *sink, const json_t *v, struct berth_error *err)
{
	static const char *const keys[][2] = {{"package", "package"},
					      {"version", "version"},
					      {"fix_version", "fixed"},
					      {"severity", "severity"},
					      {"description", "description"}};
	AUTO_JSON json_t *more = json_object();
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		js_put_str(more, keys[i][1], js_str(v, keys[i][0], NULL));
	if (json_object_get(v, "links"))
		json_object_set(more, "links", json_object_get(v, "links"));
	if (json_object_get(v, "artifact_digests"))
		json_object_set(more, "artifacts", json_object_get(v, "artifact_digests"));
	return remote_give(
		sink,
		&(struct give){.kind = BERTH_ITEM_FINDING, .id = js_str(v, "id", ""), .more = more},
		err);
}

/* The report is a map by media type, 1.1 or 1.0; an index is merged already. */
static int report(void *self, const struct berth_call *call, const char *target_json,
		  struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *target = NULL, *reports = NULL;
	AUTO_FREE char *path = NULL;
	size_t i;
	const json_t *finding;
	int r = begin(h, call, target_json, &target, &path, err);
	if (!r && !path)
		return berth_fail(err, BERTH_E_INVALID, "a report is of one artifact");
	if (!r)
		r = harbor_getf(h, &reports, err, "%s/additions/vulnerabilities", path);
	if (r)
		return r;
	const json_t *one = json_object_iter_value(json_object_iter(reports));
	if (!one)
		return berth_fail(err, BERTH_E_NOT_FOUND, "the artifact was never scanned");
	json_array_foreach (json_object_get(one, "vulnerabilities"), i, finding) {
		r = give_finding(sink, finding, err);
		if (r)
			return r;
	}
	return 0;
}

static int scan_log(void *self, const struct berth_call *call, const char *target_json,
		    struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *target = NULL, *artifact = NULL, *run = NULL;
	AUTO_FREE char *path = NULL;
	AUTO_REPLY struct reply reply = {0};
	int r = begin(h, call, target_json, &target, &path, err);
	if (!r && !path)
		return berth_fail(err, BERTH_E_INVALID, "a scan's log is of one artifact");
	if (!r)
		r = load_overview(h, path, &artifact, err);
	if (r)
		return r;
	run = run_of(artifact);
	const char *id = js_str(run, "report", NULL);
	if (!id)
		return berth_fail(err, BERTH_E_NOT_FOUND, "the artifact was never scanned");
	AUTO_FREE char *escaped = text_url_encode(id);
	AUTO_FREE char *url = text_printf("%s/scan/%s/log", path, escaped ? escaped : "");
	if (!escaped || !url)
		return berth_fail_memory(err);
	r = harbor_ask(h, &(struct ask){.path = url, .is_text = true}, &reply, err);
	return r ? r
		 : remote_give(sink, &(struct give){.kind = BERTH_ITEM_LOG, .name = reply.body},
			       err);
}

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

static int scanners(void *self, const struct berth_call *call, struct berth_sink *sink,
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
	int r = harbor_ask(h, &(struct ask){.path = SCAN_ALL}, &now, err);
	return r ? r : harbor_do(h, now.json ? "PUT" : "POST", SCAN_ALL, body, err);
}

static int configure(void *self, const struct berth_call *call, const char *settings_json,
		     struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_JSON json_t *s = NULL;
	AUTO_JSON json_t *chosen = json_pack("{s:b}", "is_default", 1);
	remote_begin(&h->remote, call);
	int r = ask_argument(settings_json, &s, err);
	const char *cron = js_str(s, "cron", NULL), *scanner = js_str(s, "scanner", NULL);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	if (!cron && !scanner)
		return berth_fail(err, BERTH_E_INVALID, "want scanner or cron");
	if (cron)
		r = set_schedule(h, cron, err);
	if (!r && scanner) {
		AUTO_FREE char *escaped = text_url_encode(scanner);
		r = harbor_dof(h, "PATCH", chosen, err, "/api/v2.0/scanners/%s",
			       escaped ? escaped : "");
	}
	return r;
}

const struct berth_scan_ops harbor_scan_ops = {
	.size = sizeof harbor_scan_ops,
	.scanners = scanners,
	.start = start,
	.status = status,
	.stop = stop,
	.report = report,
	.log = scan_log,
	.configure = configure,
};
