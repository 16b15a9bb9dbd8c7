/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs for retention: each is one slot of the integration table
 * on a space. A dry run is the call's flag (job.h). Before a run comes a dry one,
 * unless it was said that all may go: rules that keep nothing of a repository are
 * most often a mistake in a pattern.
 */
#include <string.h>

#include "core/base/js.h"
#include "core/jobs/kinds.h"

#define PAUSE_FIRST_MS 250
#define PAUSE_MAX_MS 5000
#define NAMES_MAX 20 /* repositories that are told by name */
#define LOG_LOOKS 20 /* a task's log may come after its run's end */

/* The space of the job and an open instance. */
static int begin(struct job *j, const char **ret_space, struct backend **ret,
		 struct berth_error *err)
{
	int code = kind_argument(j, "space", ret_space, err);
	return code ? code : kind_open(j, ret, err);
}

int run_retention_show(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *space = NULL;
	(void)ret_value;
	int code = begin(j, &space, &b, err);
	return code ? code : backend_retention_get(b, space, &to, err);
}

int run_retention_set(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	AUTO_FREE char *policy = NULL;
	const char *space = NULL;
	(void)ret_value;
	int code = kind_object(j, "policy", &policy, err);
	if (!code)
		code = begin(j, &space, &b, err);
	return code ? code : backend_retention_set(b, space, policy, err);
}

/* --- what a run would remove --- */

struct preview {
	struct job *job;
	struct backend *b;
	const char *space;
	char run[64], state[24];        /* of the dry run */
	bool is_open, has_failed;       /* some task is not known yet, or never will be */
	char repository[512];           /* the one at hand */
	int64_t kept, removed;          /* its tags */
	int64_t tags, repository_count; /* of repositories that would lose all */
	json_t *names;
};

static bool is_under_way(const char *state)
{
	return !strcmp(state, "running") || !strcmp(state, "queued");
}

static int take_run(void *user, const struct berth_item *item, json_t *more,
		    struct berth_error *err)
{
	struct preview *p = user;
	(void)err;
	if (item->kind != BERTH_ITEM_RUN || !item->id)
		return 0;
	if (!*p->run)
		snprintf(p->run, sizeof p->run, "%s", item->id);
	if (!strcmp(p->run, item->id))
		snprintf(p->state, sizeof p->state, "%s", js_str(more, "state", ""));
	return 0;
}

/* The tasks of a repository come together: it is whole when the next one begins. */
static int end_repository(struct preview *p, struct berth_error *err)
{
	if (p->removed && !p->kept) {
		p->tags += p->removed;
		if (p->repository_count++ < NAMES_MAX &&
		    json_array_append_new(p->names, json_string(p->repository)))
			return berth_fail_memory(err);
	}
	p->kept = p->removed = 0;
	return 0;
}

/* A tag's task has "REPOSITORY:TAG" as its source, that of an untagged artifact "@". */
static int take_task(void *user, const struct berth_item *item, json_t *more,
		     struct berth_error *err)
{
	struct preview *p = user;
	const char *source = js_str(more, "source", ""), *state = js_str(more, "state", "");
	const char *last = strrchr(source, '/'), *tag = strchr(last ? last : source, ':');
	int length = (int)(tag ? tag - source : (ptrdiff_t)strlen(source));
	bool is_kept = !strcmp(state, "kept"), is_removed = !strcmp(state, "removed");
	if (item->kind != BERTH_ITEM_TASK)
		return 0;
	p->is_open |= is_under_way(state);
	p->has_failed |= !is_kept && !is_removed && !is_under_way(state);
	if (!tag || strchr(last ? last : source, '@'))
		return 0;
	if (((int)strlen(p->repository) != length ||
	     strncmp(p->repository, source, (size_t)length) != 0) &&
	    end_repository(p, err))
		return err->code;
	snprintf(p->repository, sizeof p->repository, "%.*s", length, source);
	p->kept += is_kept;
	p->removed += is_removed;
	return 0;
}

static int begin_preview(struct preview *p, struct berth_error *err)
{
	const struct backend_sink to = {take_run, p};
	uint64_t pause_ms = PAUSE_FIRST_MS;
	backend_set_dry(p->b, true);
	int code = backend_retention_run(p->b, p->space, &to, err);
	backend_set_dry(p->b, false);
	while (!code && is_under_way(p->state)) {
		job_pause(p->job, pause_ms);
		pause_ms = pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms * 2;
		code = backend_retention_runs(p->b, p->space, NULL, &to, err);
	}
	if (!code && strcmp(p->state, "done") != 0)
		return berth_fail(err, BERTH_E_CONFLICT, "the dry run %s ended as '%s'", p->run,
				  p->state);
	return code;
}

static int look_at_tasks(struct preview *p, struct berth_error *err)
{
	const struct backend_sink to = {take_task, p};
	unsigned looks = 0;
	do {
		if (looks++)
			job_pause(p->job, PAUSE_FIRST_MS);
		p->is_open = p->has_failed = false;
		p->tags = p->repository_count = p->kept = p->removed = 0;
		p->repository[0] = '\0';
		json_array_clear(p->names);
		int code = backend_retention_runs(p->b, p->space, p->run, &to, err);
		if (!code)
			code = end_repository(p, err);
		if (code)
			return code;
	} while (p->is_open && looks < LOG_LOOKS);
	if (p->is_open || p->has_failed)
		return berth_fail(err, BERTH_E_CONFLICT,
				  "the dry run %s does not say of every tag whether it goes",
				  p->run);
	return 0;
}

/* *ret_value: what would go, where some repository would lose all; else it stays NULL. */
static int preview(struct job *j, struct backend *b, const char *space, json_t **ret_value,
		   struct berth_error *err)
{
	AUTO_JSON json_t *names = json_array();
	struct preview p = {.job = j, .b = b, .space = space, .names = names};
	if (!names)
		return berth_fail_memory(err);
	int code = begin_preview(&p, err);
	if (!code)
		code = look_at_tasks(&p, err);
	if (code)
		return berth_wrap(err, "what the run would remove can't be known");
	if (!p.repository_count)
		return 0;
	*ret_value = json_pack("{s:{s:I, s:I, s:O}}", "removes_all", "tags", (json_int_t)p.tags,
			       "repositories", (json_int_t)p.repository_count, "names", names);
	return *ret_value ? 0 : berth_fail_memory(err);
}

int run_retention_run(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	bool is_sure = js_bool(job_args(j), "all", false) || js_bool(job_args(j), "dry_run", false);
	const char *space = NULL;
	int code = begin(j, &space, &b, err);
	if (!code && !is_sure)
		code = preview(j, b, space, ret_value, err);
	return code || *ret_value ? code : backend_retention_run(b, space, &to, err);
}

int run_retention_runs(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	const char *space = NULL;
	(void)ret_value;
	int code = begin(j, &space, &b, err);
	return code ? code
		    : backend_retention_runs(b, space, js_str(job_args(j), "run", NULL), &to, err);
}
