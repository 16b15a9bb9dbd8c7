/* SPDX-License-Identifier: Apache-2.0 */
/* Events, the audit chain, idempotency keys, periodic work. */
#include "tests/unit/store_fixture.h"

#include "core/base/clock.h"
#include "core/ops/audit.h"
#include "core/ops/audit_seal.h"
#include "core/ops/events.h"
#include "core/ops/idempotency.h"
#include "core/ops/schedule.h"

struct reader {
	int64_t ids[64];
	size_t count;
	struct events_reader *self;
	bool leaves;
};
static void told(void *user, const struct event_row *row)
{
	struct reader *r = user;

	r->ids[r->count++] = row->id;
	if (r->leaves)
		events_unsubscribe(r->self);
}

static void add_event(struct events *e, unsigned type)
{
	json_t *document = json_pack("{ss}", "name", "x");

	OK(events_add(e, type, "/v1/x", document, &err));
	json_decref(document);
}

static void readers_hear_after_the_commit_what_was_committed(void **state)
{
	struct fixture *f = *state;
	struct events *e = NULL;
	struct reader all = {.count = 0}, health = {.count = 0}, leaver = {.leaves = true};

	OK(events_new(f->store, 100, &e, &err));
	OK(events_subscribe(e, EVENT_ALL, told, &all, &all.self, &err));
	OK(events_subscribe(e, EVENT_HEALTH, told, &health, &health.self, &err));
	OK(events_subscribe(e, EVENT_ALL, told, &leaver, &leaver.self, &err));
	OK(store_begin(f->store, &err));
	add_event(e, EVENT_OPERATION);
	OK(store_begin(f->store, &err));
	add_event(e, EVENT_HEALTH);
	store_rollback(f->store);
	assert_int_equal(all.count, 0);
	OK(store_commit(f->store, &err));
	assert_int_equal(all.count, 1);
	add_event(e, EVENT_HEALTH);
	assert_int_equal(all.count, 2);
	assert_int_equal(health.count, 1);
	assert_int_equal(leaver.count, 1);
	OK(store_begin(f->store, &err));
	add_event(e, EVENT_HEALTH);
	store_rollback(f->store);
	assert_int_equal(all.count, 2);
	events_unsubscribe(all.self);
	events_unsubscribe(health.self);
	events_free(e);
}

static void ids_only_grow_also_across_a_restart_and_a_sweep(void **state)
{
	struct fixture *f = *state;
	struct events *e = NULL;
	int64_t last, first = 0;

	OK(events_new(f->store, 3, &e, &err));
	for (int i = 0; i < 10; i++)
		add_event(e, EVENT_LIFECYCLE);
	last = events_last(e);
	OK(events_prune(e, &err));
	OK(event_row_first(f->store, &first, &err));
	assert_int_equal(first, last - 2);
	events_free(e);
	fixture_reopen(f);
	OK(events_new(f->store, 3, &e, &err));
	assert_int_equal(events_last(e), last);
	add_event(e, EVENT_LIFECYCLE);
	assert_int_equal(events_last(e), last + 1);
	events_free(e);
}

static void the_ring_is_cut_while_it_turns(void **state)
{
	static const struct store_page all = {0};
	struct fixture *f = *state;
	struct events *e = NULL;
	int64_t count = 0;

	OK(events_new(f->store, 10, &e, &err));
	OK(store_begin(f->store, &err));
	for (int i = 0; i < 520; i++)
		add_event(e, EVENT_LIFECYCLE);
	OK(store_commit(f->store, &err));
	OK(store_count(f->store, &events_table, &all, &count, &err));
	assert_in_range(count, 10, 12); /* it grows by an eighth at most */
	events_free(e);
}

static void type_names_go_both_ways(void **state)
{
	(void)state;
	for (unsigned type = 1; type < EVENT_ALL; type *= 2)
		assert_int_equal(event_type_of_name(event_type_name(type)), type);
	assert_int_equal(event_type_of_name("nope"), 0);
}

static void add_audit(struct store *s, const char *action)
{
	struct audit_entry entry = {.uid = 1000,
				    .user_name = "gr\xC3\xBC\xC3\x9F",
				    .request_id = "r",
				    .action = action,
				    .resource = "/v1/integrations/a",
				    .result = "denied"};

	OK(audit_add(s, NULL, &entry, &err));
}

static void a_chain_that_no_one_touched_verifies(void **state)
{
	struct fixture *f = *state;
	int64_t count = -1;

	OK(audit_verify(f->store, &count, &err));
	assert_int_equal(count, 0);
	for (int i = 0; i < 20; i++)
		add_audit(f->store, "integration.create");
	OK(store_begin(f->store, &err));
	add_audit(f->store, "undone");
	store_rollback(f->store);
	fixture_reopen(f);
	add_audit(f->store, "integration.delete");
	OK(audit_verify(f->store, &count, &err));
	assert_int_equal(count, 21);
}

static void every_way_of_tampering_shows(void **state)
{
	static const struct {
		const char *text;
		int64_t number;
	} cases[] = {
		{"UPDATE audit SET uid = 0 WHERE number = 3", 3},
		{"UPDATE audit SET result = 'succeeded' WHERE number = 4", 4},
		{"UPDATE audit SET detail = '{\"a\":1}' WHERE number = 2", 2},
		{"UPDATE audit SET time_ms = time_ms + 1 WHERE number = 1", 1},
		{"DELETE FROM audit WHERE number = 3", 3},
		{"DELETE FROM audit WHERE number = 1", 1},
		{"UPDATE audit SET hash = (SELECT hash FROM audit WHERE number = 1) "
		 "WHERE number = 5",
		 5},
	};
	struct fixture *f = *state;

	for (int i = 0; i < 6; i++)
		add_audit(f->store, "x");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct store_sql text = {"tamper", cases[i].text};
		int64_t number = 0;

		OK(store_begin(f->store, &err));
		OK(store_run(f->store, &text, NULL, 0, NULL, &err));
		FAILS(BERTH_E_DIGEST, audit_verify(f->store, &number, &err));
		assert_int_equal(number, cases[i].number);
		store_rollback(f->store);
	}
}

/* A store whose trail is signed; the sealer lives as long as the test. */
static struct sealer *sign_with(struct fixture *f)
{
	struct sealer *sealer = NULL;

	OK(sealer_open(f->key, true, &sealer, &err));
	seal_set_sealer(sealer);
	return sealer;
}

static void tampered(struct fixture *f, const char *text)
{
	struct store_sql sql = {"tamper", text};

	OK(store_run(f->store, &sql, NULL, 0, NULL, &err));
}

static void the_ends_of_a_chain_are_sealed(void **state)
{
	static const char *const cases[] = {
		"DELETE FROM audit WHERE number > 4",
		"DELETE FROM audit_seals WHERE kind = 'end'",
		"DELETE FROM audit_seals WHERE kind = 'start'",
		"UPDATE audit_seals SET signature = '' WHERE kind = 'end'",
		"UPDATE audit_seals SET number = 4, hash = (SELECT hash FROM audit WHERE number = "
		"4) WHERE kind = 'end'; ",
		"UPDATE audit_seals SET time_ms = time_ms + 1 WHERE kind = 'end'",
		"UPDATE audit_seals SET number = 1, hash = (SELECT hash FROM audit WHERE number = "
		"1) WHERE kind = 'start'",
		"UPDATE audit_seals SET hash = 'x' WHERE kind = 'start'",
	};
	struct fixture *f = *state;
	struct sealer *sealer = sign_with(f);
	int64_t number = 0;

	for (int i = 0; i < 6; i++)
		add_audit(f->store, "x");
	OK(audit_verify(f->store, &number, &err));
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		OK(store_begin(f->store, &err));
		tampered(f, cases[i]);
		FAILS(BERTH_E_DIGEST, audit_verify(f->store, &number, &err));
		store_rollback(f->store);
	}
	OK(audit_verify(f->store, &number, &err));
	seal_set_sealer(NULL);
	sealer_close(sealer);
}

static void rows_of_a_run_have_one_seal_after_the_last(void **state)
{
	static const struct audit_entry entry = {
		.user_name = "u", .request_id = "r", .action = "x", .resource = "/", .result = "y"};
	struct fixture *f = *state;
	int64_t count = 0;

	add_audit(f->store, "before there is a key");
	struct sealer *sealer = sign_with(f);
	struct audit_run run;
	OK(store_begin(f->store, &err));
	OK(audit_run_begin(&run, f->store, NULL, &err));
	for (int i = 0; i < 3; i++)
		OK(audit_run_add(&run, &entry, &err));
	FAILS(BERTH_E_DIGEST, audit_verify(f->store, &count, &err));
	OK(audit_run_end(&run, &err));
	OK(store_commit(f->store, &err));
	OK(audit_verify(f->store, &count, &err));
	assert_int_equal(count, 5); /* with the one that says who signs from now on */
	tampered(f, "UPDATE audit SET result = 'z' WHERE number = 4");
	FAILS(BERTH_E_DIGEST, audit_verify(f->store, &count, &err));
	assert_int_equal(count, 4);
	seal_set_sealer(NULL);
	sealer_close(sealer);
}

/* What is written later does not hide it. */
static void a_break_stays_visible_when_rows_follow(void **state)
{
	static const char *const cases[] = {
		"DELETE FROM audit WHERE number > 4",
		"DELETE FROM audit_seals WHERE kind = 'end'",
		"UPDATE audit_seals SET time_ms = time_ms + 1 WHERE kind = 'end'",
	};
	struct fixture *f = *state;
	struct sealer *sealer = sign_with(f);
	int64_t number = 0;

	for (int i = 0; i < 6; i++)
		add_audit(f->store, "x");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		OK(store_begin(f->store, &err));
		tampered(f, cases[i]);
		add_audit(f->store, "later");
		add_audit(f->store, "later");
		FAILS(BERTH_E_DIGEST, audit_verify(f->store, &number, &err));
		assert_int_equal(number, i ? 7 : 5);
		store_rollback(f->store);
	}
	seal_set_sealer(NULL);
	sealer_close(sealer);
}

static void rows_without_a_key_are_told_from_those_with_one(void **state)
{
	struct fixture *f = *state;
	struct chain_seal start;
	struct chain_walk w;
	int64_t count = 0;

	add_audit(f->store, "x");
	add_audit(f->store, "x");
	struct sealer *sealer = sign_with(f);
	add_audit(f->store, "y");
	OK(audit_check(f->store, &w, &start, &err));
	assert_int_equal(w.unsigned_to, 2);
	assert_int_equal(w.row_count, 4);
	seal_set_sealer(NULL);
	OK(audit_prune(f->store, NULL, INT64_MAX, 100, &count, &err));
	assert_int_equal(count, 0); /* nothing could sign what is left */
	sealer_close(sealer);
}

static void old_rows_go_and_the_chain_still_holds(void **state)
{
	struct fixture *f = *state;
	struct sealer *sealer = sign_with(f);
	int64_t now_ms = clock_unix_ms(), count = 0;
	struct chain_seal start;
	struct chain_walk w;

	for (int i = 0; i < 10; i++)
		add_audit(f->store, "x");
	OK(audit_prune(f->store, NULL, now_ms - 3600000, 100, &count, &err));
	assert_int_equal(count, 0);
	OK(audit_prune(f->store, NULL, now_ms + 3600000, 4, &count, &err));
	assert_int_equal(count, 4);
	OK(audit_check(f->store, &w, &start, &err));
	assert_int_equal(start.number, 4);
	assert_int_equal(w.number, 11); /* with the row of the pruning */
	OK(audit_prune(f->store, NULL, now_ms + 3600000, 100, &count, &err));
	assert_int_equal(count, 6); /* the newest stays */
	fixture_reopen(f);
	add_audit(f->store, "y");
	OK(audit_check(f->store, &w, &start, &err));
	assert_int_equal(start.number, 10);
	tampered(f, "UPDATE audit_seals SET number = 9 WHERE kind = 'start'");
	FAILS(BERTH_E_DIGEST, audit_verify(f->store, &count, &err));
	seal_set_sealer(NULL);
	sealer_close(sealer);
}

static void a_walk_in_pieces_sees_what_comes_and_goes_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct sealer *sealer = sign_with(f);
	struct audit_walk w = {.has_begun = false};
	int64_t count = 0, pieces = 0;
	bool is_done = false;

	for (int i = 0; i < 10; i++)
		add_audit(f->store, "x");
	OK(audit_walk_on(f->store, &w, 3, &is_done, &err));
	assert_false(is_done);
	assert_int_equal(w.chain.number, 3);
	OK(audit_prune(f->store, NULL, clock_unix_ms() + 3600000, 4, &count, &err));
	add_audit(f->store, "y");
	for (; !is_done; pieces++)
		OK(audit_walk_on(f->store, &w, 3, &is_done, &err));
	assert_int_equal(pieces, 3); /* rows 5 to 12: from the pruning's seal again */
	assert_int_equal(w.start.number, 4);
	assert_int_equal(w.chain.number, 12);

	w = (struct audit_walk){.has_begun = false};
	OK(audit_walk_on(f->store, &w, 3, &is_done, &err));
	tampered(f, "UPDATE audit SET result = 'z' WHERE number = 9");
	OK(audit_walk_on(f->store, &w, 1, &is_done, &err));
	FAILS(BERTH_E_DIGEST, audit_walk_on(f->store, &w, 3, &is_done, &err));
	assert_int_equal(w.chain.number, 8);
	seal_set_sealer(NULL);
	sealer_close(sealer);
}

/* Else a pruning would take the traces along. */
static void what_does_not_fit_is_not_pruned(void **state)
{
	static const char *const cases[] = {
		"UPDATE audit SET uid = 7 WHERE number = 3",
		"DELETE FROM audit WHERE number = 2",
		"UPDATE audit_seals SET number = 1 WHERE kind = 'start'",
		"UPDATE audit_seals SET signature = '' WHERE kind = 'end'",
	};
	struct fixture *f = *state;
	struct sealer *sealer = sign_with(f);
	int64_t count = 0;

	for (int i = 0; i < 6; i++)
		add_audit(f->store, "x");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		OK(store_begin(f->store, &err));
		tampered(f, cases[i]);
		FAILS(BERTH_E_DIGEST, audit_prune(f->store, NULL, INT64_MAX, 5, &count, &err));
		store_rollback(f->store);
	}
	seal_set_sealer(NULL);
	sealer_close(sealer);
}

static void hostile_texts_are_made_harmless_before_they_are_kept(void **state)
{
	struct fixture *f = *state;
	AUTO_AUDIT_ROW struct audit_row row = {0};
	char *longest = malloc(100000);
	struct audit_entry entry = {
		.user_name = "a\nb\xFF", .action = "x", .resource = longest, .result = "denied"};
	int64_t count;

	memset(longest, 'x', 99999);
	longest[99999] = '\0';
	OK(audit_add(f->store, NULL, &entry, &err));
	OK(audit_row_last(f->store, &row, &err));
	assert_null(strchr(row.user_name, '\n'));
	assert_int_equal(strlen(row.resource), 1024);
	OK(audit_verify(f->store, &count, &err));
	free(longest);
}

static struct idempotency_request request_of(uid_t uid, const char *path, const char *key,
					     const char *body)
{
	return (struct idempotency_request){.uid = uid,
					    .method = "POST",
					    .path = path,
					    .key = key,
					    .body = body,
					    .body_count = strlen(body)};
}

static enum idempotency_case begin(struct store *s, struct idempotency_request q)
{
	AUTO_IDEMPOTENCY_ROW struct idempotency_row row = {0};
	enum idempotency_case what = IDEMPOTENCY_NEW;

	OK(idempotency_begin(s, &q, &what, &row, &err));
	if (what == IDEMPOTENCY_REPLAY) {
		assert_int_equal(row.status, 202);
		assert_string_equal(row.body, "{\"id\":1}");
	}
	return what;
}

static void the_first_answer_is_given_again(void **state)
{
	struct fixture *f = *state;
	struct idempotency_request q = request_of(1, "/v1/copies", "k", "{}");

	assert_int_equal(begin(f->store, q), IDEMPOTENCY_NEW);
	assert_int_equal(begin(f->store, q), IDEMPOTENCY_RUNNING);
	OK(idempotency_finish(f->store, &q, 202, "{}", "{\"id\":1}", &err));
	fixture_reopen(f);
	assert_int_equal(begin(f->store, q), IDEMPOTENCY_REPLAY);
	assert_int_equal(begin(f->store, request_of(1, "/v1/copies", "k", "{ }")),
			 IDEMPOTENCY_OTHER);
	assert_int_equal(begin(f->store, request_of(2, "/v1/copies", "k", "{}")), IDEMPOTENCY_NEW);
	assert_int_equal(begin(f->store, request_of(1, "/v1/syncs", "k", "{}")), IDEMPOTENCY_NEW);
}

static void a_request_that_was_rolled_back_leaves_no_key(void **state)
{
	struct fixture *f = *state;
	struct idempotency_request q = request_of(1, "/v1/copies", "k", "{}");

	OK(store_begin(f->store, &err));
	assert_int_equal(begin(f->store, q), IDEMPOTENCY_NEW);
	store_rollback(f->store);
	assert_int_equal(begin(f->store, q), IDEMPOTENCY_NEW);
}

static void a_key_is_forgotten_after_a_day(void **state)
{
	static const struct store_sql age = {"age", "UPDATE idempotency SET created_ms = ?"};
	struct fixture *f = *state;
	struct idempotency_request q = request_of(1, "/v1/copies", "k", "{}");
	int64_t day_ms = (int64_t)24 * 3600 * 1000;

	assert_int_equal(begin(f->store, q), IDEMPOTENCY_NEW);
	OK(idempotency_finish(f->store, &q, 202, "{}", "{\"id\":1}", &err));
	OK(store_run(f->store, &age, VALUES(V_INT(clock_unix_ms() - day_ms + 60000)), NULL, &err));
	OK(idempotency_prune(f->store, &err));
	assert_int_equal(begin(f->store, q), IDEMPOTENCY_REPLAY);
	OK(store_run(f->store, &age, VALUES(V_INT(clock_unix_ms() - day_ms - 60000)), NULL, &err));
	assert_int_equal(begin(f->store, q), IDEMPOTENCY_NEW);
}

static void what_is_no_key_is_refused(void **state)
{
	char longest[300];
	const char *const bad[] = {"", "a\nb", "gr\xC3\xBC", longest};
	struct fixture *f = *state;

	memset(longest, 'k', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct idempotency_request q = request_of(1, "/", bad[i], "");
		struct idempotency_row row;
		enum idempotency_case what;

		FAILS(BERTH_E_INVALID, idempotency_begin(f->store, &q, &what, &row, &err));
	}
}

struct fired {
	struct schedule *schedule;
	unsigned count;
	bool removes_all;
};
static void fire(void *user, const char *name)
{
	struct fired *fired = user;

	(void)name;
	fired->count++;
	if (fired->removes_all) {
		schedule_remove(fired->schedule, "a");
		schedule_remove(fired->schedule, "b");
	}
}

static void a_long_pause_fires_each_entry_once(void **state)
{
	struct fired fired = {0};
	uint64_t now_ms = clock_monotonic_ms();
	AUTO(schedule) struct schedule *c = NULL;

	(void)state;
	OK(schedule_new(&c, &err));
	OK(schedule_set(c, "a", 0, 60000, fire, &fired, &err));
	now_ms += 1000; /* later than any reading of the clock inside set */
	schedule_turn(c, now_ms);
	assert_int_equal(fired.count, 1);
	schedule_turn(c, now_ms);
	assert_int_equal(fired.count, 1);
	schedule_turn(c, now_ms + (uint64_t)100 * 60000);
	assert_int_equal(fired.count, 2);
	schedule_turn(c, now_ms + (uint64_t)101 * 60000);
	assert_int_equal(fired.count, 3);
	OK(schedule_set(c, "a", 600000, 60000, fire, &fired, &err));
	schedule_turn(c, now_ms + 1);
	assert_int_equal(fired.count, 3);
}

static void entries_may_be_removed_while_they_fire(void **state)
{
	struct fired fired = {.removes_all = true};
	AUTO(schedule) struct schedule *c = NULL;

	(void)state;
	OK(schedule_new(&c, &err));
	fired.schedule = c;
	OK(schedule_set(c, "a", 0, 60000, fire, &fired, &err));
	OK(schedule_set(c, "b", 0, 60000, fire, &fired, &err));
	schedule_turn(c, clock_monotonic_ms() + 1000);
	assert_int_equal(fired.count, 1);
	assert_int_equal(schedule_turn(c, clock_monotonic_ms() + 1000), 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(readers_hear_after_the_commit_what_was_committed),
		TEST(ids_only_grow_also_across_a_restart_and_a_sweep),
		TEST(the_ring_is_cut_while_it_turns),
		cmocka_unit_test(type_names_go_both_ways),
		TEST(a_chain_that_no_one_touched_verifies),
		TEST(every_way_of_tampering_shows),
		TEST(the_ends_of_a_chain_are_sealed),
		TEST(rows_of_a_run_have_one_seal_after_the_last),
		TEST(a_break_stays_visible_when_rows_follow),
		TEST(rows_without_a_key_are_told_from_those_with_one),
		TEST(old_rows_go_and_the_chain_still_holds),
		TEST(a_walk_in_pieces_sees_what_comes_and_goes_meanwhile),
		TEST(what_does_not_fit_is_not_pruned),
		TEST(hostile_texts_are_made_harmless_before_they_are_kept),
		TEST(the_first_answer_is_given_again),
		TEST(a_request_that_was_rolled_back_leaves_no_key),
		TEST(a_key_is_forgotten_after_a_day),
		TEST(what_is_no_key_is_refused),
		cmocka_unit_test(a_long_pause_fires_each_entry_once),
		cmocka_unit_test(entries_may_be_removed_while_they_fire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
