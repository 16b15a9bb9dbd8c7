/* SPDX-License-Identifier: Apache-2.0 */
/* The operation engine on a store of its own, with jobs that the test plays itself. */
#ifndef TESTS_UNIT_OPS_FIXTURE_H
#define TESTS_UNIT_OPS_FIXTURE_H

#include "tests/unit/store_fixture.h"

#include "core/base/js.h"
#include "core/ops/ops.h"

/* The jobs that were started and have not been freed. */
struct job_client {
	struct fake *fake;
	json_t *call;
	const struct job_events *events;
	void *user;
	bool was_cancelled, is_lost;
	struct job_client *next;
};
struct fake {
	struct fixture *f;
	struct ops *ops;
	struct job_client *jobs;
	unsigned started, results_told, items_told, item_calls;
	bool is_unreachable, refuse_items, refuse_result, refuse_call, lacks_member;
	int told_code;
	struct sealer *sealer;
	uint32_t open_max, attempts_max;
};
static struct fake *fake; /* of the test that runs; the types' functions need it */

static inline int fake_start(void *user, const json_t *call, const struct job_events *events,
			     void *events_user, struct job_client **ret, struct berth_error *err)
{
	struct fake *k = user;
	struct job_client *c;

	if (k->is_unreachable)
		return berth_fail(err, BERTH_E_UNAVAILABLE, "no worker");
	c = calloc(1, sizeof(*c));
	assert_non_null(c);
	*c = (struct job_client){.fake = k, .events = events, .user = events_user, .next = k->jobs};
	c->call = json_deep_copy(call);
	k->jobs = c;
	k->started++;
	*ret = c;
	return 0;
}
static inline void fake_cancel(void *user, struct job_client *c)
{
	(void)user;
	c->was_cancelled = true;
}
static inline bool fake_is_lost(void *user, const struct job_client *c)
{
	(void)user;
	return c->is_lost;
}
static inline void fake_free(void *user, struct job_client *c)
{
	struct fake *k = user;
	struct job_client **at = &k->jobs;

	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	json_decref(c->call);
	free(c);
}

static inline void *no_memory(size_t byte_count)
{
	(void)byte_count;
	return NULL;
}

/* A call's member that there was no memory for, as those who put it do not see it. */
static inline void lose_member(json_t *call)
{
	js_count_losses(no_memory);
	js_put_str(call, "only", "these");
	js_count_losses(NULL);
}

static inline int build_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	if (fake->refuse_call)
		return berth_fail(err, BERTH_E_NOT_FOUND, "the integration is gone");
	*ret = json_pack("{sO s{s{}}}", "args", op->arguments, "instances", "a");
	if (fake->lacks_member)
		lose_member(*ret);
	return *ret ? 0 : berth_fail_memory(err);
}
static inline int build_short_call(struct operation *op, json_t **ret, struct berth_error *err)
{
	int rc = build_call(op, ret, err);

	if (!rc)
		json_object_set_new(*ret, "deadline_ms", json_integer(1));
	return rc;
}
static inline int on_items(struct operation *op, const json_t *items, struct berth_error *err)
{
	fake->item_calls++;
	fake->items_told += (unsigned)json_array_size(items);
	if (fake->refuse_items)
		return berth_fail(err, BERTH_E_PROTOCOL, "a strange item");
	assert_int_equal(store_depth(ops_store(op->ops)), 1);
	return store_set_setting(ops_store(op->ops), "items", "told", err);
}
static inline int on_result(struct operation *op, const json_t *value,
			    const struct berth_error *why, json_t **ret, struct berth_error *err)
{
	fake->results_told++;
	fake->told_code = why->code;
	if (store_set_setting(ops_store(op->ops), "result", op->id, err))
		return err->code;
	if (fake->refuse_result)
		return berth_fail(err, BERTH_E_CONFLICT, "the name was taken meanwhile");
	*ret = json_incref((json_t *)(uintptr_t)value);
	return 0;
}

static const struct op_type types[] = {
	{.kind = "delete", .build_call = build_call, .on_items = on_items, .on_result = on_result},
	{.kind = "refresh",
	 .is_resumable = true,
	 .build_call = build_call,
	 .on_items = on_items,
	 .on_result = on_result},
	{.kind = "single", .is_resumable = true, .concurrency = 1, .build_call = build_call},
	{.kind = "short", .build_call = build_short_call},
	{.kind = NULL},
};

static inline void start_ops(struct fake *k)
{
	const struct op_runner runner = {.start = fake_start,
					 .cancel = fake_cancel,
					 .is_lost = fake_is_lost,
					 .free = fake_free,
					 .user = k};
	struct ops_settings settings = {
		.store = k->f->store,
		.sealer = k->sealer,
		.types = types,
		.runner = &runner,
		.integration_max = 2,
		.retry_ms = 1,
		.grace_s = 1,
		.probe_ms = 1,
		.open_max = k->open_max,
		.attempts_max = k->attempts_max,
	};

	OK(ops_new(&settings, &k->ops, &err));
}

static inline int setup(void **state)
{
	struct fake *k = calloc(1, sizeof(*k));
	void *f = NULL;

	if (!k || fixture_setup(&f))
		return -1;
	k->f = f;
	*state = fake = k;
	start_ops(k);
	return 0;
}
static inline int teardown(void **state)
{
	struct fake *k = *state;
	void *f = k->f;

	ops_free(k->ops);
	sealer_close(k->sealer);
	free(k);
	return fixture_teardown(&f);
}
#define OPS_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* berthd is killed: nothing is told to anyone, the store is opened anew. */
static inline void kill_and_restart(struct fake *k)
{
	ops_free(k->ops);
	fixture_reopen(k->f);
	start_ops(k);
}

static inline int submit(struct fake *k, const char *kind, const char *lock,
			 struct op_submitted *ret, struct berth_error *err)
{
	AUTO_JSON json_t *resources = json_pack("[s]", "/v1/integrations/a");
	AUTO_JSON json_t *locks = json_pack("[s]", lock);
	AUTO_JSON json_t *arguments = json_pack("{ss}", "name", "a");
	struct op_request q = {.kind = kind,
			       .arguments = arguments,
			       .resources = resources,
			       .locks = locks,
			       .integration = "a",
			       .user_name = "root",
			       .request_id = "req-1"};

	return ops_submit(k->ops, &q, ret, err);
}

static inline struct op_submitted submitted(struct fake *k, const char *kind, const char *lock)
{
	struct op_submitted s;

	OK(submit(k, kind, lock, &s, &err));
	return s;
}

static inline json_t *document(struct fake *k, const char *id)
{
	json_t *d = NULL;

	OK(ops_document(k->ops, id, true, &d, &err));
	return d;
}

static inline void assert_state(struct fake *k, const char *id, const char *state)
{
	AUTO_JSON json_t *d = document(k, id);
	struct operation_row row;

	assert_string_equal(js_str(d, "state", ""), state);
	OK(operation_row_get(k->f->store, id, &row, &err));
	assert_string_equal(row.state, state);
	operation_row_done(&row);
}

static inline void end_job(struct fake *k, int code)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *value = json_pack("{si}", "count", 3);

	assert_non_null(k->jobs);
	if (code)
		berth_fail(&err, code, "it went wrong");
	k->jobs->events->result(k->jobs->user, code ? NULL : value, &err);
}

static inline void lose_job(struct fake *k)
{
	k->jobs->is_lost = true;
	end_job(k, BERTH_E_UNAVAILABLE);
}

static inline int64_t count(struct fake *k, const struct store_table *table)
{
	static const struct store_page all = {0};
	int64_t n = 0;

	OK(store_count(k->f->store, table, &all, &n, &err));
	return n;
}

#endif
