/* SPDX-License-Identifier: Apache-2.0 */
/* A story for the kill tests, in two parts:
 *
 *	steps run FOLDER     open the store, accept operations, run their jobs,
 *	                     cancel, lose a worker; each acceptance is a line on
 *	                     standard output, as a 202 would be
 *	steps check FOLDER   open what is left, bring all to an end, and print
 *	                     what became of each operation as JSON lines
 *
 * Jobs are played here; what one would do to the world is a line in
 * FOLDER/world, on disk before anything comes back.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/ops/audit.h"
#include "core/ops/audit_seal.h"
#include "core/ops/idempotency.h"
#include "core/ops/ops.h"
#include "core/store/images.h"
#include "core/store/integrations.h"
#include "core/store/records.h"

static char folder[PATH_MAX - 64];
static struct store *store;
static struct sealer *sealer;
static struct ops *ops;

/* A step that fails ends the story: with a full disk that is the right thing. */
static void need(int rc, const char *what, const struct berth_error *err)
{
	if (!rc)
		return;
	fprintf(stderr, "%s: %s (%s)\n", what, err->message, err->cause);
	exit(3);
}
#define NEED(call)                                                                                 \
	do {                                                                                       \
		struct berth_error err = ERROR_INIT;                                               \
		int rc_ = (call);                                                                  \
		need(rc_, #call, &err);                                                            \
	} while (0)

/* The world outside: one line for each thing done to it, for good. */
static void touch_world(const char *id)
{
	char path[PATH_MAX], line[64];
	int fd, length = snprintf(line, sizeof(line), "%s\n", id);

	snprintf(path, sizeof(path), "%s/world", folder);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)length) != length || fsync(fd))
		exit(3);
	close(fd);
}

struct job_client {
	char id[UUID_ROOM], kind[32];
	const struct job_events *events;
	void *user;
	bool is_lost;
	struct job_client *next;
};
static struct job_client *jobs;

static int start_job(void *user, const json_t *call, const struct job_events *events,
		     void *events_user, struct job_client **ret, struct berth_error *err)
{
	struct job_client *c = calloc(1, sizeof(*c));

	(void)user;
	if (!c)
		return berth_fail_memory(err);
	snprintf(c->id, sizeof(c->id), "%s", js_str(call, "job", ""));
	snprintf(c->kind, sizeof(c->kind), "%s", js_str(call, "kind", ""));
	c->events = events;
	c->user = events_user;
	c->next = jobs;
	jobs = c;
	touch_world(c->id);
	*ret = c;
	return 0;
}

static void cancel_job(void *user, struct job_client *c)
{
	(void)user;
	(void)c;
}

static bool is_lost(void *user, const struct job_client *c)
{
	(void)user;
	return c->is_lost;
}

static void free_job(void *user, struct job_client *c)
{
	struct job_client **at = &jobs;

	(void)user;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c);
}

static int build_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	*ret = json_pack("{sO}", "args", op->arguments);
	return *ret ? 0 : berth_fail_memory(err);
}

/* Each item is a tag of the one repository. */
static int on_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	size_t i;
	json_t *item;
	int rc = 0;

	(void)op;
	json_array_foreach (items, i, item) {
		struct tag tag = {.repository_id = 1,
				  .digest = "sha256:1",
				  .seen_ms = 1,
				  .name = (char *)(uintptr_t)js_str(item, "name", "")};

		if (!rc)
			rc = tag_put(store, &tag, err);
	}
	return rc;
}

/* What an operation changes here: its own counter, which must end at 1. */
static int on_result(struct operation *op, const json_t *value, const struct berth_error *why,
		     json_t **ret, struct berth_error *err)
{
	int64_t times;

	(void)value;
	*ret = NULL;
	return why->code ? 0 : store_next_id(store, op->id, &times, err);
}

static const struct op_type types[] = {
	{.kind = "delete", .build_call = build_call, .on_items = on_items, .on_result = on_result},
	{.kind = "refresh",
	 .is_resumable = true,
	 .build_call = build_call,
	 .on_items = on_items,
	 .on_result = on_result},
	{.kind = NULL},
};

static void open_all(void)
{
	static const struct op_runner runner = {start_job, cancel_job, is_lost, free_job, NULL};
	char path[PATH_MAX], key[PATH_MAX];
	struct store_settings settings = {.path = path, .busy_timeout_ms = 100};
	struct ops_settings ops_settings = {
		.types = types, .runner = &runner, .retry_ms = 1, .attempts_max = 5};

	snprintf(path, sizeof(path), "%s/berth.db", folder);
	snprintf(key, sizeof(key), "%s/key", folder);
	NEED(store_open(&settings, &store, &err));
	NEED(sealer_open(key, true, &sealer, &err));
	NEED(store_check_key(store, sealer, &err));
	ops_settings.store = store;
	ops_settings.sealer = sealer;
	NEED(ops_new(&ops_settings, &ops, &err));
}

static void close_all(void)
{
	ops_free(ops);
	sealer_close(sealer);
	store_close(store);
}

static void make_integration(void)
{
	struct integration integration = {
		.id = "i",
		.name = "prod",
		.kind = "dockerreg",
		.scope = "platform",
		.desired = "{}",
		.status = "{}",
		.phase = "healthy",
		.generation = 1,
	};
	struct store_value v[] = {V_TEXT("s"), V_TEXT("i")};
	static const struct store_sql space = {
		"steps-space",
		"INSERT INTO spaces (id, integration_id, name, origin, mode, is_public, can_push, "
		"quota_bytes, used_bytes, is_present, seen_ms, repository_count, artifact_count, "
		"generation, created_ms, updated_ms) VALUES (?, ?, 'default', 'declared', 'local', "
		"0, 1, -1, -1, 1, 1, 0, 0, 1, 1, 1)"};
	struct repository repository = {
		.space_id = "s", .integration_id = "i", .name = "app", .more = "{}"};
	int64_t id;

	NEED(store_begin(store, &err));
	NEED(integration_add(store, &integration, &err));
	NEED(secret_store(store, sealer, "i", "password", "canary", &err));
	NEED(store_run(store, &space, v, 2, NULL, &err));
	NEED(repository_put(store, &repository, &id, &err));
	NEED(store_commit(store, &err));
}

static void submit(const char *kind, const char *request, char *ret_id)
{
	AUTO_JSON json_t *arguments = json_pack("{ss}", "request", request);
	AUTO_JSON json_t *none = json_array();
	struct op_request q = {.kind = kind,
			       .arguments = arguments,
			       .resources = none,
			       .locks = none,
			       .request_id = request};
	struct op_submitted s;

	NEED(ops_submit(ops, &q, &s, &err));
	snprintf(ret_id, UUID_ROOM, "%s", s.id);
}

static void accepted(const char *id, const char *kind)
{
	printf("%s %s\n", id, kind);
	fflush(stdout);
}

/* A POST with an Idempotency-Key, as core/http does it. */
static void post(const char *key, char *ret_id)
{
	struct idempotency_request q = {
		.method = "POST", .path = "/v1/x", .key = key, .body = "{}", .body_count = 2};
	AUTO_IDEMPOTENCY_ROW struct idempotency_row row = {0};
	enum idempotency_case what = IDEMPOTENCY_NEW;
	int64_t pruned = 0;

	NEED(store_begin(store, &err));
	NEED(idempotency_begin(store, &q, &what, &row, &err));
	if (what == IDEMPOTENCY_REPLAY) {
		snprintf(ret_id, UUID_ROOM, "%s", row.body);
	} else {
		struct audit_entry entry = {.action = "post", .result = "accepted"};

		submit("refresh", key, ret_id);
		NEED(audit_add(store, ops_events(ops), &entry, &err));
		NEED(idempotency_finish(store, &q, 202, "{}", ret_id, &err));
	}
	NEED(store_commit(store, &err));
	NEED(audit_prune(store, ops_events(ops), INT64_MAX, 2, &pruned, &err));
}

static struct job_client *find_job(const char *id)
{
	for (struct job_client *c = jobs; c; c = c->next)
		if (!strcmp(c->id, id))
			return c;
	fprintf(stderr, "operation %s has no job\n", id);
	exit(3);
}

static void end_job(struct job_client *c, int code)
{
	struct berth_error why = ERROR_INIT;

	if (code)
		berth_fail(&why, code, "as the story has it");
	c->is_lost = code == BERTH_E_UNAVAILABLE;
	c->events->result(c->user, NULL, &why);
}

static void give_items(struct job_client *c, int count)
{
	for (int i = 0; i < count; i++) {
		AUTO_JSON json_t *item = NULL;
		char name[16];

		snprintf(name, sizeof(name), "v%d", i);
		item = json_pack("{ss ss}", "t", "item", "name", name);
		c->events->item(c->user, item);
	}
}

/* A fault kept the job from running: the story ends here, in order. */
static void give_up(const char *id)
{
	const char *why;

	store_health(store, &why);
	fprintf(stderr, "operation %s does not run: %s\n", id, why);
	close_all();
	exit(3);
}

static void turn_until_job(const char *id)
{
	for (;;) {
		ops_turn(ops);
		for (struct job_client *c = jobs; c; c = c->next)
			if (!strcmp(c->id, id))
				return;
		if (!ops_find(ops, id) || store_health(store, NULL))
			give_up(id);
		usleep(1000);
	}
}

static void run(void)
{
	char once[UUID_ROOM], keyed[UUID_ROOM], early[UUID_ROOM], late[UUID_ROOM];
	char lost[UUID_ROOM];

	make_integration();
	submit("delete", "once", once);
	accepted(once, "delete");
	post("key-1", keyed);
	accepted(keyed, "keyed");
	turn_until_job(once);
	turn_until_job(keyed);
	give_items(find_job(keyed), 300);
	end_job(find_job(keyed), 0);
	end_job(find_job(once), 0);

	submit("delete", "early", early);
	accepted(early, "delete");
	NEED(ops_cancel(ops, early, &err));
	submit("refresh", "late", late);
	accepted(late, "cancelled");
	turn_until_job(late);
	NEED(ops_cancel(ops, late, &err));
	end_job(find_job(late), BERTH_E_CANCELLED);

	submit("refresh", "lost", lost);
	accepted(lost, "refresh");
	turn_until_job(lost);
	end_job(find_job(lost), BERTH_E_UNAVAILABLE);
	turn_until_job(lost);
	end_job(find_job(lost), 0);
}

static int64_t done_times(const char *id)
{
	static const struct store_sql text = {"steps-done",
					      "SELECT last FROM sequences WHERE name = ?"};
	struct berth_error err = ERROR_INIT;
	int64_t times = 0;

	if (store_number(store, &text, VALUES(V_TEXT(id)), &times, &err) == BERTH_E_NOT_FOUND)
		return 0;
	return times;
}

static int show_operation(void *user, const void *row, struct berth_error *err)
{
	const struct operation_row *o = row;

	(void)user;
	(void)err;
	printf("{\"id\":\"%s\",\"kind\":\"%s\",\"request\":\"%s\",\"state\":\"%s\","
	       "\"attempts\":%d,\"done\":%d}\n",
	       o->id, o->kind, o->request_id, o->state, (int)o->attempts, (int)done_times(o->id));
	return 0;
}

static int follow_ids(void *user, const void *row, struct berth_error *err)
{
	const struct event_row *event = row;
	int64_t *last = user;

	if (event->id != *last + 1)
		return berth_fail(err, BERTH_E_INTERNAL, "event %lld follows %lld",
				  (long long)event->id, (long long)*last);
	*last = event->id;
	return 0;
}

static void check_rows(void)
{
	static const struct store_page all = {.tail = "ORDER BY id"};
	struct berth_error why = ERROR_INIT;
	AUTO_INTEGRATION struct integration row = {0};
	AUTO_SECRET char *secret = NULL;
	bool is_there = !integration_get(store, "prod", &row, &why);
	int64_t number = 0;

	NEED(secret_load(store, sealer, "i", "password", &secret, &err));
	if (is_there != (secret != NULL)) {
		fprintf(stderr, "half an integration\n");
		exit(4);
	}
	NEED(audit_verify(store, &number, &err));
	number = 0;
	NEED(store_list(store, &events_table, &all, follow_ids, &number, NULL, &err));
}

static void check_file(void)
{
	bool has_ended = false;

	NEED(store_check_start(store, true, &err));
	while (!has_ended) {
		NEED(store_check_end(store, &has_ended, &err));
		usleep(500);
	}
}

static void check(void)
{
	static const struct store_page open = {.within = "ended_ms = 0"};
	static const struct store_page all = {.tail = "ORDER BY created_ms, id"};
	int64_t open_count = 1;
	char again[UUID_ROOM];

	check_file();
	check_rows();
	while (open_count) {
		ops_turn(ops);
		while (jobs)
			end_job(jobs, 0);
		NEED(store_count(store, &operations_table, &open, &open_count, &err));
		usleep(1000);
	}
	check_rows();
	NEED(store_list(store, &operations_table, &all, show_operation, NULL, NULL, &err));
	post("key-1", again);
	printf("{\"again\":\"%s\"}\n", again);
}

int main(int argc, char **argv)
{
	if (argc != 3 || strlen(argv[2]) >= sizeof(folder)) {
		fprintf(stderr, "usage: steps run|check FOLDER\n");
		return 2;
	}
	snprintf(folder, sizeof(folder), "%s", argv[2]);
	log_open("steps", LOG_LEVEL_ERROR);
	open_all();
	if (!strcmp(argv[1], "run"))
		run();
	else
		check();
	close_all();
	return 0;
}
