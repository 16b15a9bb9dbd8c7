/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of a project's retention, and what each kept and removed (R2). Harbor
 * says that in the log of a task alone, as a table of text with one line an
 * artifact:
 *
 *	| Digest | Tag | Kind | Labels | PushedTime | ... | Retention |
 *	| sha256:6fc9... | keepme,t2 | image | | ... | RETAIN |
 */
#include "harbor.h"

#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"

const char *harbor_run_state(const char *status)
{
	static const struct {
		const char *status, *state;
	} known[] = {
		{"Pending", "queued"},     {"Scheduled", "queued"}, {"Running", "running"},
		{"InProgress", "running"}, {"Success", "done"},     {"Succeed", "done"},
		{"finished", "done"},      {"Finished", "done"},    {"Stopped", "stopped"},
	};
	for (size_t i = 0; i < ARRAY_COUNT(known); i++)
		if (!strcmp(known[i].status, status))
			return known[i].state;
	return "error";
}

static int each_run(void *user, json_t *run, struct berth_error *err)
{
	char id[24];
	AUTO_JSON json_t *more =
		json_pack("{s:s, s:b}", "state", harbor_run_state(js_str(run, "status", "")),
			  "dry_run", js_bool(run, "dry_run", false));
	js_put_str(more, "trigger", js_str(run, "trigger", NULL));
	js_put_time(more, "started_at", harbor_time(run, "start_time"));
	js_put_time(more, "ended_at", harbor_time(run, "end_time"));
	snprintf(id, sizeof id, "%lld", (long long)js_int(run, "id", 0));
	return remote_give(user, &(struct give){.kind = BERTH_ITEM_RUN, .id = id, .more = more},
			   err);
}

struct tasks {
	struct harbor *h;
	struct berth_sink *sink;
	const char *path, *space;
	const json_t *task;   /* the one at hand */
	char id[24];          /* its */
	char repository[512]; /* its, the full path */
};

static int give_task(struct tasks *t, const char *source, const char *digest, const char *state,
		     struct berth_error *err)
{
	AUTO_JSON json_t *more = json_pack("{s:s, s:s}", "state", state, "source", source);
	return remote_give(
		t->sink,
		&(struct give){
			.kind = BERTH_ITEM_TASK, .id = t->id, .digest = digest, .more = more},
		err);
}

/* Cuts the next cell off a line of the table, in place, without its blanks. */
static char *next_cell(char **at)
{
	char *cell = *at, *end = strchr(cell, '|');
	if (!end)
		return NULL;
	*end = 0;
	*at = end + 1;
	cell += strspn(cell, " ");
	for (char *last = end; last > cell && last[-1] == ' ';)
		*--last = 0;
	return cell;
}

static const char *state_of_mark(const char *mark)
{
	if (!strcmp(mark, "RETAIN") || !strcmp(mark, "IMMUTABLE"))
		return "kept";
	return !strcmp(mark, "DEL") ? "removed" : "error";
}

/* A line is "| digest | tag,tag | ... | mark |"; others are not of the table. */
static int give_line(struct tasks *t, char *line, struct berth_error *err)
{
	char *mark = NULL, *cell;
	if (*line++ != '|')
		return 0;
	char *digest = next_cell(&line), *tags = next_cell(&line);
	while ((cell = next_cell(&line)))
		mark = cell;
	if (!mark || strncmp(digest, "sha", 3) != 0 || !strchr(digest, ':'))
		return 0;
	if (!*tags) {
		AUTO_FREE char *source = text_printf("%s@%s", t->repository, digest);
		return source ? give_task(t, source, digest, state_of_mark(mark), err)
			      : berth_fail_memory(err);
	}
	for (char *next, *tag = strtok_r(tags, ",", &next); tag; tag = strtok_r(NULL, ",", &next)) {
		AUTO_FREE char *source = text_printf("%s:%s", t->repository, tag);
		int r = source ? give_task(t, source, digest, state_of_mark(mark), err)
			       : berth_fail_memory(err);
		if (r)
			return r;
	}
	return 0;
}

static int give_log(struct tasks *t, struct berth_error *err)
{
	AUTO_REPLY struct reply reply = {0};
	AUTO_FREE char *path = text_printf("%s/%s", t->path, t->id);
	if (!path)
		return berth_fail_memory(err);
	int r = harbor_ask(t->h, &(struct ask){.path = path, .is_text = true}, &reply, err);
	if (r == BERTH_E_NOT_FOUND)
		return give_task(t, t->repository, NULL, "running", err); /* not written yet */
	if (r || !reply.body)
		return r;
	for (char *next, *line = strtok_r(reply.body, "\n", &next); line && !r;
	     line = strtok_r(NULL, "\n", &next))
		r = give_line(t, line, err);
	return r;
}

static int each_task(void *user, json_t *task, struct berth_error *err)
{
	struct tasks *t = user;
	const char *state = harbor_run_state(js_str(task, "status", ""));
	snprintf(t->id, sizeof t->id, "%lld", (long long)js_int(task, "id", 0));
	snprintf(t->repository, sizeof t->repository, "%s/%s", t->space,
		 js_str(task, "repository", ""));
	return !strcmp(state, "done") ? give_log(t, err)
				      : give_task(t, t->repository, NULL, state, err);
}

int harbor_retention_runs(void *self, const struct berth_call *call, const char *space,
			  const char *run_id, struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	int64_t id = 0;
	uint64_t run = 0;
	remote_begin(&h->remote, call);
	if (run_id && !text_parse_u64(run_id, 1, INT64_MAX, &run))
		return berth_fail(err, BERTH_E_INVALID, "'%.40s' is no run's number", run_id);
	int r = harbor_retention_id(h, space, &id, err);
	if (r)
		return r;
	AUTO_FREE char *runs = text_printf("/api/v2.0/retentions/%lld/executions", (long long)id);
	AUTO_FREE char *path =
		text_printf("%s/%llu/tasks", runs ? runs : "", (unsigned long long)run);
	if (!runs || !path)
		return berth_fail_memory(err);
	struct tasks t = {.h = h, .sink = sink, .path = path, .space = space};
	return run_id ? harbor_pages(h, path, each_task, &t, err)
		      : harbor_pages(h, runs, each_run, sink, err);
}
