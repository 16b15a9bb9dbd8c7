/* SPDX-License-Identifier: Apache-2.0 */
/* Harbor's own scanner driven (C1 to C5): targets, starting, stopping. Stop of
 * a scan of all is refused: at 2.15.2 it wipes the results that were there.
 * What scans found is read in scan_read.c.
 */

#include "scan.h"

#include <string.h>

#include "core/base/text.h"

int scan_target_begin(struct harbor *h, const struct berth_call *call, const char *target_json,
		      struct scan_target *ret, struct berth_error *err)
{
	AUTO_FREE char *path = NULL;
	remote_begin(&h->remote, call);
	int r = ask_argument(target_json, &ret->json, err);
	if (r)
		return r;
	ret->space = js_str(ret->json, "space", NULL);
	ret->repository = js_str(ret->json, "repository", NULL);
	ret->digest = js_str(ret->json, "digest", NULL);
	if (ret->digest && !ret->repository)
		return berth_fail(err, BERTH_E_INVALID, "a digest needs its repository");
	if (!ret->digest)
		return 0;
	r = harbor_path(ret->repository, &path, err);
	if (r)
		return r;
	ret->path = text_printf("%s/artifacts/%s", path, ret->digest);
	return ret->path ? 0 : berth_fail_memory(err);
}

void scan_target_done(struct scan_target *t)
{
	json_decref(t->json);
	free(t->path);
}

/* --- the walk --- */

struct walk {
	struct harbor *h;
	const char *repository; /* of the list at hand; NULL: each artifact names its own */
	scan_each *each;
	void *user;
};

static int each_artifact(void *user, json_t *artifact, struct berth_error *err)
{
	const struct walk *w = user;
	AUTO_FREE char *base = NULL;
	const char *repository =
		w->repository ? w->repository : js_str(artifact, "repository_name", "");
	int r = harbor_path(repository, &base, err);
	if (r)
		return r;
	AUTO_FREE char *path = text_printf("%s/artifacts/%s", base, js_str(artifact, "digest", ""));
	struct scan_artifact one = {
		.h = w->h, .repository = repository, .path = path, .json = artifact};
	return path ? w->each(w->user, &one, err) : berth_fail_memory(err);
}

#define OVERVIEW "artifacts?with_tag=false&with_scan_overview=true"

static int walk_repository(struct walk *w, const char *repository, struct berth_error *err)
{
	AUTO_FREE char *base = NULL;
	int r = harbor_path(repository, &base, err);
	if (r)
		return r;
	AUTO_FREE char *path = text_printf("%s/" OVERVIEW, base);
	w->repository = repository;
	return path ? harbor_pages(w->h, path, each_artifact, w, err) : berth_fail_memory(err);
}

static int each_repository(void *user, json_t *repository, struct berth_error *err)
{
	return walk_repository(user, js_str(repository, "name", ""), err);
}

int scan_walk(struct harbor *h, const struct scan_target *t, scan_each *each, void *user,
	      struct berth_error *err)
{
	struct walk w = {.h = h, .each = each, .user = user};
	if (t->repository)
		return walk_repository(&w, t->repository, err);
	AUTO_FREE char *escaped = text_url_encode(t->space ? t->space : "");
	int r = escaped ? harbor_version(h, err) : berth_fail_memory(err);
	if (r)
		return r;
	bool at_once = harbor_is_at_least(h, 2, 12);
	AUTO_FREE char *path = text_printf("/api/v2.0/projects/%s/%s", escaped,
					   at_once ? OVERVIEW : "repositories?sort=name");
	return path ? harbor_pages(h, path, at_once ? each_artifact : each_repository, &w, err)
		    : berth_fail_memory(err);
}

int scan_project_scanner(struct harbor *h, const struct scan_target *t, char **ret_name,
			 struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	AUTO_FREE char *project = t->repository
					  ? strndup(t->repository, strcspn(t->repository, "/"))
					  : strdup(t->space ? t->space : "");
	AUTO_FREE char *escaped = project ? text_url_encode(project) : NULL;
	AUTO_FREE char *path =
		escaped ? text_printf("/api/v2.0/projects/%s/scanner", escaped) : NULL;
	if (!path)
		return berth_fail_memory(err);
	int r = harbor_ask(h, &(struct ask){.path = path}, &reply, err);
	if (r)
		return r;
	/* No scanner: 200 with an empty body. */
	const char *name = js_str(reply.json, "name", NULL);
	if (!name)
		return berth_fail(err, BERTH_E_CONFLICT, "no scanner is set up for project '%s'",
				  project);
	*ret_name = strdup(name);
	return *ret_name ? 0 : berth_fail_memory(err);
}

int scan_give_run(struct berth_sink *sink, const char *id, json_t *take_more,
		  struct berth_error *err)
{
	AUTO_JSON json_t *more = take_more;
	return remote_give(sink, &(struct give){.kind = BERTH_ITEM_RUN, .id = id, .more = more},
			   err);
}

/* --- start and stop --- */

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

/* Is it being scanned already? Then that scan is the one. */
static bool is_going(const struct berth_error *err)
{
	return err->code == BERTH_E_CONFLICT && err->upstream == 409;
}

struct many {
	uint64_t started, going, passed_over;
};

/* One artifact of many: those that are no images are passed over. */
static int start_each(void *user, const struct scan_artifact *a, struct berth_error *err)
{
	struct many *m = user;
	const json_t *links = json_object_get(a->json, "addition_links");
	if (links && !json_object_get(links, "vulnerabilities")) {
		m->passed_over++;
		return 0;
	}
	struct berth_error why = ERROR_INIT;
	int r = change_scan(a->h, a->path, "scan", &why);
	/* It went away meanwhile, or there is nothing in it to scan. */
	if (r == BERTH_E_UNSUPPORTED || r == BERTH_E_NOT_FOUND)
		m->passed_over++;
	else if (is_going(&why))
		m->going++;
	else if (r)
		*err = why;
	else
		m->started++;
	return err->code;
}

static int start_many(struct harbor *h, const struct scan_target *t, struct berth_sink *sink,
		      struct berth_error *err)
{
	AUTO_FREE char *scanner = NULL;
	struct many m = {0};
	int r = scan_project_scanner(h, t, &scanner, err);
	if (!r)
		r = scan_walk(h, t, start_each, &m, err);
	if (r)
		return r;
	return scan_give_run(sink, t->repository ? t->repository : t->space,
			     json_pack("{s:s, s:s, s:I, s:I, s:I}", "state", "queued", "scanner",
				       scanner, "started", (json_int_t)m.started, "going",
				       (json_int_t)m.going, "passed_over",
				       (json_int_t)m.passed_over),
			     err);
}

static int start_all(struct harbor *h, struct berth_sink *sink, struct berth_error *err)
{
	AUTO_JSON json_t *body = json_pack("{s:{s:s}}", "schedule", "type", "Manual");
	int r = harbor_do(h, "POST", SCAN_ALL, body, err);
	if (r == BERTH_E_CONFLICT && err->upstream == 412)
		return berth_wrap(err, "no scanner is set up, or scans run on a schedule");
	if (r && !is_going(err))
		return r;
	*err = (struct berth_error)ERROR_INIT;
	return scan_give_run(sink, "all", json_pack("{s:s}", "state", "queued"), err);
}

static int start_one(struct harbor *h, const struct scan_target *t, struct berth_sink *sink,
		     struct berth_error *err)
{
	int r = change_scan(h, t->path, "scan", err);
	if (r && !is_going(err))
		return r;
	*err = (struct berth_error)ERROR_INIT;
	return scan_give_run(sink, t->digest, json_pack("{s:s}", "state", "queued"), err);
}

static int start(void *self, const struct berth_call *call, const char *target_json,
		 struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_SCAN_TARGET struct scan_target t = {0};
	int r = scan_target_begin(h, call, target_json, &t, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	if (t.path)
		return start_one(h, &t, sink, err);
	return t.repository || t.space ? start_many(h, &t, sink, err) : start_all(h, sink, err);
}

static int stop_each(void *user, const struct scan_artifact *a, struct berth_error *err)
{
	AUTO_JSON json_t *run = scan_run_of(a->json);
	const char *state = js_str(run, "state", "");
	(void)user;
	if (strcmp(state, "queued") != 0 && strcmp(state, "running") != 0)
		return 0;
	int r = change_scan(a->h, a->path, "scan/stop", err);
	if (r != BERTH_E_NOT_FOUND)
		return r;
	*err = (struct berth_error)ERROR_INIT;
	return 0;
}

static int stop(void *self, const struct berth_call *call, const char *target_json,
		struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_SCAN_TARGET struct scan_target t = {0};
	int r = scan_target_begin(h, call, target_json, &t, err);
	if (r)
		return r;
	if (!t.repository && !t.space)
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "stopping a scan of all wipes earlier results at Harbor: stop "
				  "single spaces or images");
	if (call->flags & BERTH_CALL_DRY_RUN)
		return 0;
	return t.path ? change_scan(h, t.path, "scan/stop", err)
		      : scan_walk(h, &t, stop_each, NULL, err);
}

const struct berth_scan_ops harbor_scan_ops = {
	.size = sizeof harbor_scan_ops,
	.scanners = harbor_scan_scanners,
	.start = start,
	.status = harbor_scan_status,
	.stop = stop,
	.report = harbor_scan_report,
	.log = harbor_scan_log,
	.configure = harbor_scan_configure,
};
