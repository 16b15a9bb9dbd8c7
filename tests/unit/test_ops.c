/* SPDX-License-Identifier: Apache-2.0 */
/* The operation engine with jobs that the test plays itself. */
#include "tests/unit/ops_fixture.h"

#include <errno.h>
#include <sqlite3.h>

#include "core/ops/audit.h"
#include "core/ops/events.h"

static void an_operation_is_on_disk_before_it_runs_and_after_it_ends(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x");
	int64_t events_before;
	AUTO_JSON json_t *d = NULL;

	assert_state(k, s.id, "pending");
	assert_int_equal(k->started, 0);
	ops_turn(k->ops);
	assert_int_equal(k->started, 1);
	assert_string_equal(js_str(k->jobs->call, "job", ""), s.id);
	assert_string_equal(js_str(k->jobs->call, "kind", ""), "delete");
	assert_string_equal(js_str(k->jobs->call, "request", ""), "req-1");
	assert_state(k, s.id, "running");
	events_before = count(k, &events_table);
	end_job(k, 0);
	assert_state(k, s.id, "succeeded");
	assert_null(k->jobs);
	d = document(k, s.id);
	assert_int_equal(js_int(json_object_get(d, "result"), "count", 0), 3);
	assert_int_equal(js_int(d, "attempts", 0), 1);
	assert_false(js_bool(d, "may_cancel", true));
	assert_int_equal(count(k, &events_table), events_before + 2); /* operation, audit */
	assert_int_equal(count(k, &audit_table), 1);
	assert_null(ops_find(k->ops, s.id));
}

static void what_the_caller_rolls_back_was_never_submitted(void **state)
{
	struct fake *k = *state;
	struct op_submitted s;

	OK(store_begin(k->f->store, &err));
	OK(submit(k, "delete", "x", &s, &err));
	ops_turn(k->ops);
	assert_int_equal(k->started, 0);
	store_rollback(k->f->store);
	ops_turn(k->ops);
	assert_int_equal(k->started, 0);
	assert_null(ops_find(k->ops, s.id));
	s = submitted(k, "delete", "x");
	OK(store_begin(k->f->store, &err));
	OK(submit(k, "delete", "y", &s, &err));
	OK(store_commit(k->f->store, &err));
	ops_turn(k->ops);
	assert_int_equal(k->started, 2);
}

static void a_second_writer_is_told_of_the_first(void **state)
{
	struct fake *k = *state;
	struct op_submitted first = submitted(k, "delete", "x"), second;

	FAILS(BERTH_E_CONFLICT, submit(k, "refresh", "x", &second, &err));
	assert_string_equal(first.id, second.id);
	assert_false(second.joined);
	ops_turn(k->ops);
	end_job(k, 0);
	OK(submit(k, "refresh", "x", &second, &err));
	assert_string_not_equal(first.id, second.id);
}

static void a_second_run_joins_the_first(void **state)
{
	struct fake *k = *state;
	AUTO_JSON json_t *resources = json_pack("[s]", "/v1/syncs/a");
	AUTO_JSON json_t *locks = json_pack("[s]", "sync/a");
	AUTO_JSON json_t *arguments = json_object();
	struct op_request q = {.kind = "refresh",
			       .arguments = arguments,
			       .resources = resources,
			       .locks = locks,
			       .joins = true};
	struct op_submitted first, second;

	OK(ops_submit(k->ops, &q, &first, &err));
	OK(ops_submit(k->ops, &q, &second, &err));
	assert_false(first.joined);
	assert_true(second.joined);
	assert_string_equal(first.id, second.id);
	assert_int_equal(count(k, &operations_table), 1);
	q.kind = "delete";
	FAILS(BERTH_E_CONFLICT, ops_submit(k->ops, &q, &second, &err));
}

/* Without its locks it would be one that nothing keeps from being done twice. */
static void what_there_was_no_memory_for_is_not_accepted(void **state)
{
	struct fake *k = *state;
	AUTO_JSON json_t *list = json_array(), *object = json_object();
	struct op_submitted s;

	for (int lacks = 0; lacks < 3; lacks++) {
		struct op_request q = {.kind = "refresh",
				       .arguments = lacks == 0 ? NULL : object,
				       .resources = lacks == 1 ? NULL : list,
				       .locks = lacks == 2 ? NULL : list};
		FAILS(BERTH_E_NO_MEMORY, ops_submit(k->ops, &q, &s, &err));
	}
	assert_int_equal(count(k, &operations_table), 0);
}

/* What the job would be told lacks what narrows it down. */
static void a_call_that_lacks_a_part_is_not_made(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x");

	k->lacks_member = true;
	ops_turn(k->ops);
	assert_int_equal(k->started, 0);
	assert_state(k, s.id, "failed");
	AUTO_JSON json_t *d = document(k, s.id);
	assert_string_equal(js_str(json_object_get(d, "error"), "code", ""), "no-memory");
}

static void a_lock_with_a_tilde_is_waited_for_in_order(void **state)
{
	struct fake *k = *state;
	struct op_submitted first = submitted(k, "refresh", "~tag");
	struct op_submitted second = submitted(k, "refresh", "~tag");

	ops_turn(k->ops);
	assert_state(k, first.id, "running");
	assert_state(k, second.id, "pending");
	end_job(k, 0);
	ops_turn(k->ops);
	assert_state(k, second.id, "running");
}

static void limits_hold_jobs_back(void **state)
{
	struct fake *k = *state;

	submitted(k, "single", "1");
	submitted(k, "single", "2");
	ops_turn(k->ops);
	assert_int_equal(ops_running(k->ops), 1);
	submitted(k, "refresh", "3");
	submitted(k, "refresh", "4");
	ops_turn(k->ops);
	assert_int_equal(ops_running(k->ops), 2); /* two of one integration */
}

static void too_many_open_ones_are_refused(void **state)
{
	struct fake *k = *state;
	struct op_submitted s;

	k->open_max = 2;
	kill_and_restart(k);
	submitted(k, "refresh", "1");
	submitted(k, "refresh", "2");
	FAILS(BERTH_E_THROTTLED, submit(k, "refresh", "3", &s, &err));
	ops_stop(k->ops);
	FAILS(BERTH_E_UNAVAILABLE, submit(k, "refresh", "3", &s, &err));
}

static void a_pending_one_is_cancelled_at_once(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x");

	OK(ops_cancel(k->ops, s.id, &err));
	assert_state(k, s.id, "cancelled");
	assert_int_equal(k->told_code, BERTH_E_CANCELLED);
	ops_turn(k->ops);
	assert_int_equal(k->started, 0);
	OK(ops_cancel(k->ops, s.id, &err));
	FAILS(BERTH_E_NOT_FOUND, ops_cancel(k->ops, "00000000-0000-4000-8000-000000000000", &err));
}

static void a_running_one_is_asked_to_stop(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x");

	ops_turn(k->ops);
	OK(ops_cancel(k->ops, s.id, &err));
	OK(ops_cancel(k->ops, s.id, &err));
	assert_true(k->jobs->was_cancelled);
	assert_state(k, s.id, "cancelling");
	end_job(k, BERTH_E_CANCELLED);
	assert_state(k, s.id, "cancelled");
}

static void a_cancel_that_came_too_late_does_not_hide_success(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x");

	ops_turn(k->ops);
	OK(ops_cancel(k->ops, s.id, &err));
	end_job(k, 0);
	assert_state(k, s.id, "succeeded");
}

static void a_job_past_its_deadline_is_asked_then_hung_up_on(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "short", "x");
	AUTO_JSON json_t *d = NULL;

	ops_turn(k->ops);
	while (k->jobs && !k->jobs->was_cancelled) {
		usleep(10000);
		ops_turn(k->ops);
	}
	while (k->jobs) { /* it does not listen */
		usleep(10000);
		ops_turn(k->ops);
	}
	assert_state(k, s.id, "failed");
	d = document(k, s.id);
	assert_string_equal(js_str(json_object_get(d, "error"), "code", ""), "timeout");
}

static void after_a_kill_a_resumable_one_begins_again(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "refresh", "x");
	AUTO_JSON json_t *d = NULL;

	ops_turn(k->ops);
	kill_and_restart(k);
	assert_state(k, s.id, "pending");
	ops_turn(k->ops);
	assert_state(k, s.id, "running");
	d = document(k, s.id);
	assert_int_equal(js_int(d, "attempts", 0), 2);
	end_job(k, 0);
	assert_state(k, s.id, "succeeded");
}

static void after_a_kill_one_that_must_not_be_repeated_is_interrupted(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x"), other;
	AUTO_JSON json_t *d = NULL;

	ops_turn(k->ops);
	kill_and_restart(k);
	d = document(k, s.id);
	assert_string_equal(js_str(d, "state", ""), "interrupted");
	assert_int_equal(k->results_told, 0);
	ops_turn(k->ops);
	assert_state(k, s.id, "interrupted");
	assert_int_equal(k->results_told, 1); /* the type may clean up */
	assert_int_equal(k->told_code, BERTH_E_UNAVAILABLE);
	assert_int_equal(k->started, 1);
	OK(submit(k, "delete", "x", &other, &err)); /* its lock is free */
}

static void after_a_kill_a_pending_one_is_done_once(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x");

	kill_and_restart(k);
	ops_turn(k->ops);
	end_job(k, 0);
	kill_and_restart(k);
	ops_turn(k->ops);
	assert_int_equal(k->started, 1);
	assert_state(k, s.id, "succeeded");
}

static void after_a_kill_a_cancelling_one_is_cancelled(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "refresh", "x");

	ops_turn(k->ops);
	OK(ops_cancel(k->ops, s.id, &err));
	kill_and_restart(k);
	ops_turn(k->ops);
	assert_state(k, s.id, "cancelled");
}

static void resuming_ends_after_so_many_attempts(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "refresh", "x");

	k->attempts_max = 2;
	kill_and_restart(k);
	ops_turn(k->ops);
	kill_and_restart(k);
	ops_turn(k->ops);
	kill_and_restart(k);
	ops_turn(k->ops);
	assert_state(k, s.id, "interrupted");
	assert_int_equal(k->started, 2);
}

static void a_lost_worker_is_no_failed_job(void **state)
{
	struct fake *k = *state;
	struct op_submitted again = submitted(k, "refresh", "x"), once;

	ops_turn(k->ops);
	lose_job(k);
	assert_state(k, again.id, "pending");
	usleep(2000);
	ops_turn(k->ops);
	end_job(k, BERTH_E_UNAVAILABLE); /* the registry, this time */
	assert_state(k, again.id, "failed");
	once = submitted(k, "delete", "x");
	ops_turn(k->ops);
	lose_job(k);
	assert_state(k, once.id, "interrupted");
}

static void an_unreachable_worker_is_waited_for(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x");
	AUTO_JSON json_t *d = NULL;

	k->is_unreachable = true;
	ops_turn(k->ops);
	assert_state(k, s.id, "pending");
	k->is_unreachable = false;
	usleep(20000);
	ops_turn(k->ops);
	assert_state(k, s.id, "running");
	d = document(k, s.id);
	assert_int_equal(js_int(d, "attempts", 0), 1);
}

static void give_items(struct fake *k, int item_count)
{
	for (int i = 0; i < item_count; i++) {
		AUTO_JSON json_t *item = json_pack("{ss si}", "t", "item", "id", i);

		k->jobs->events->item(k->jobs->user, item);
	}
}

static void items_come_in_batches_and_all_before_the_result(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "refresh", "x");

	ops_turn(k->ops);
	give_items(k, 300);
	assert_int_equal(k->items_told, 256);
	end_job(k, 0);
	assert_int_equal(k->items_told, 300);
	assert_int_equal(k->item_calls, 2);
	assert_state(k, s.id, "succeeded");
}

static void items_that_cannot_be_taken_end_the_run(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "refresh", "x");
	AUTO_JSON json_t *d = NULL;

	ops_turn(k->ops);
	k->refuse_items = true;
	give_items(k, 300);
	assert_true(k->jobs->was_cancelled);
	assert_int_equal(k->item_calls, 1);
	end_job(k, 0);
	assert_state(k, s.id, "failed");
	d = document(k, s.id);
	assert_string_equal(js_str(json_object_get(d, "error"), "code", ""), "protocol");
}

static void a_result_that_is_refused_fails_and_leaves_nothing(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x");
	AUTO_FREE char *left = NULL;

	ops_turn(k->ops);
	k->refuse_result = true;
	end_job(k, 0);
	assert_state(k, s.id, "failed");
	OK(store_get_setting(k->f->store, "result", &left, &err));
	assert_null(left);
	assert_int_equal(k->results_told, 1);
}

static void a_call_that_cannot_be_made_fails_the_operation(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x");

	k->refuse_call = true;
	ops_turn(k->ops);
	assert_state(k, s.id, "failed");
	assert_int_equal(k->told_code, BERTH_E_NOT_FOUND);
	assert_int_equal(k->started, 0);
}

static void count_change(void *user, const char *id, bool has_ended)
{
	unsigned *counts = user;

	(void)id;
	counts[has_ended]++;
}

static void who_waits_is_told_of_changes_and_once_of_the_end(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x");
	struct op_watch *w = NULL, *gone = NULL, *late = NULL;
	unsigned counts[2] = {0}, none[2] = {0};

	OK(ops_watch(k->ops, s.id, count_change, counts, &w, &err));
	OK(ops_watch(k->ops, s.id, count_change, none, &gone, &err));
	assert_non_null(w);
	ops_unwatch(gone);
	ops_turn(k->ops);
	assert_int_equal(counts[0], 1);
	end_job(k, 0);
	assert_int_equal(counts[1], 1);
	assert_int_equal(none[0] + none[1], 0);
	OK(ops_watch(k->ops, s.id, count_change, counts, &late, &err));
	assert_null(late);
}

static void progress_is_shown_at_once_and_kept(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "refresh", "x");
	AUTO_JSON json_t *frame = json_pack("{si si ss ss}", "done", 5, "total", 10, "unit",
					    "bytes", "stage", "move");
	AUTO_JSON json_t *d = NULL;
	struct operation_row row;

	ops_turn(k->ops);
	k->jobs->events->progress(k->jobs->user, frame);
	d = document(k, s.id);
	assert_int_equal(js_int(json_object_get(d, "progress"), "done", 0), 5);
	assert_non_null(json_object_get(json_object_get(d, "progress"), "bytes_per_s"));
	ops_turn(k->ops);
	OK(operation_row_get(k->f->store, s.id, &row, &err));
	assert_non_null(strstr(row.progress, "\"stage\":\"move\""));
	operation_row_done(&row);
}

static void an_amount_that_cannot_be_is_no_speed(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "refresh", "x");
	AUTO_JSON json_t *first = json_pack("{si si ss}", "done", 0, "total", 10, "unit", "bytes");
	AUTO_JSON json_t *frame = json_pack("{sI si ss}", "done", (json_int_t)INT64_MAX, "total",
					    10, "unit", "bytes");
	AUTO_JSON json_t *d = NULL;

	ops_turn(k->ops);
	k->jobs->events->progress(k->jobs->user, first);
	usleep(600000); /* the speed is looked at twice a second at most */
	k->jobs->events->progress(k->jobs->user, frame);
	d = document(k, s.id);
	assert_int_equal(js_int(json_object_get(d, "progress"), "bytes_per_s", -1), 0);
}

static void log_lines_are_numbered_across_a_restart(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "refresh", "x");

	ops_turn(k->ops);
	k->jobs->events->log(k->jobs->user, 6, "one\nline");
	k->jobs->events->log(k->jobs->user, 6, "two");
	ops_turn(k->ops);
	assert_int_equal(count(k, &operation_log_table), 2);
	kill_and_restart(k);
	ops_turn(k->ops);
	k->jobs->events->log(k->jobs->user, 6, "three");
	end_job(k, 0);
	assert_state(k, s.id, "succeeded");
	assert_int_equal(count(k, &operation_log_table), 3);
}

static bool disk_full;
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t full_pwrite(int fd, const void *bytes, size_t byte_count, off_t at)
{
	if (disk_full) {
		errno = ENOSPC;
		return -1;
	}
	return real_pwrite(fd, bytes, byte_count, at);
}

static void an_end_on_a_full_disk_is_stored_when_space_returns(void **state)
{
	struct fake *k = *state;
	struct op_submitted s = submitted(k, "delete", "x"), other;
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

	real_pwrite = pwrite;
	vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)full_pwrite);
	vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)full_pwrite);
	ops_turn(k->ops);
	disk_full = true;
	end_job(k, 0);
	FAILS(BERTH_E_CONFLICT, submit(k, "delete", "x", &other, &err));
	FAILS(BERTH_E_QUOTA, submit(k, "delete", "y", &other, &err));
	assert_state(k, s.id, "running");
	disk_full = false;
	while (ops_find(k->ops, s.id)) {
		usleep(2000);
		ops_turn(k->ops);
	}
	assert_state(k, s.id, "succeeded");
	assert_int_equal(store_health(k->f->store, NULL), 0);
	vfs->xSetSystemCall(vfs, NULL, NULL);
}

static void operations_of_an_unknown_kind_are_interrupted(void **state)
{
	struct fake *k = *state;
	static const char id[] = "11111111-1111-4111-8111-111111111111";

	add_operation(k->f->store, id, "later", "running", 1);
	kill_and_restart(k);
	assert_state(k, id, "interrupted");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPS_TEST(an_operation_is_on_disk_before_it_runs_and_after_it_ends),
		OPS_TEST(what_the_caller_rolls_back_was_never_submitted),
		OPS_TEST(a_second_writer_is_told_of_the_first),
		OPS_TEST(a_second_run_joins_the_first),
		OPS_TEST(what_there_was_no_memory_for_is_not_accepted),
		OPS_TEST(a_call_that_lacks_a_part_is_not_made),
		OPS_TEST(a_lock_with_a_tilde_is_waited_for_in_order),
		OPS_TEST(limits_hold_jobs_back),
		OPS_TEST(too_many_open_ones_are_refused),
		OPS_TEST(a_pending_one_is_cancelled_at_once),
		OPS_TEST(a_running_one_is_asked_to_stop),
		OPS_TEST(a_cancel_that_came_too_late_does_not_hide_success),
		OPS_TEST(a_job_past_its_deadline_is_asked_then_hung_up_on),
		OPS_TEST(after_a_kill_a_resumable_one_begins_again),
		OPS_TEST(after_a_kill_one_that_must_not_be_repeated_is_interrupted),
		OPS_TEST(after_a_kill_a_pending_one_is_done_once),
		OPS_TEST(after_a_kill_a_cancelling_one_is_cancelled),
		OPS_TEST(resuming_ends_after_so_many_attempts),
		OPS_TEST(a_lost_worker_is_no_failed_job),
		OPS_TEST(an_unreachable_worker_is_waited_for),
		OPS_TEST(items_come_in_batches_and_all_before_the_result),
		OPS_TEST(items_that_cannot_be_taken_end_the_run),
		OPS_TEST(a_result_that_is_refused_fails_and_leaves_nothing),
		OPS_TEST(a_call_that_cannot_be_made_fails_the_operation),
		OPS_TEST(who_waits_is_told_of_changes_and_once_of_the_end),
		OPS_TEST(progress_is_shown_at_once_and_kept),
		OPS_TEST(an_amount_that_cannot_be_is_no_speed),
		OPS_TEST(log_lines_are_numbered_across_a_restart),
		OPS_TEST(an_end_on_a_full_disk_is_stored_when_space_returns),
		OPS_TEST(operations_of_an_unknown_kind_are_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
