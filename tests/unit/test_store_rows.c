/* SPDX-License-Identifier: Apache-2.0 */
/* Row modules, lists and cursors. */
#include "tests/unit/store_fixture.h"

struct seen {
	char names[4096];
	size_t count;
};
static int note_integration(void *user, const void *row, struct berth_error *err)
{
	const struct integration *i = row;
	struct seen *seen = user;

	(void)err;
	snprintf(seen->names + strlen(seen->names), sizeof(seen->names) - strlen(seen->names),
		 "%s ", i->name);
	seen->count++;
	return 0;
}

static void add_many(struct store *s, int count)
{
	OK(store_begin(s, &err));
	for (int i = 0; i < count; i++) {
		char id[16], name[16];
		struct integration row = {
			.id = id,
			.name = name,
			.kind = i % 2 ? "harbor" : "dockerreg",
			.scope = "platform",
			.desired = "{}",
			.status = "{}",
			.phase = i % 3 ? "healthy" : "failed",
			.generation = 1,
			.created_ms = i / 4,
			.updated_ms = i,
		};

		snprintf(id, sizeof(id), "id-%03d", i);
		snprintf(name, sizeof(name), "n%03d", i);
		OK(integration_add(s, &row, &err));
	}
	OK(store_commit(s, &err));
}

/* Walks all pages; each row must come once, in the same order as in one page. */
static void walk(struct store *s, const char *sort, uint32_t limit, size_t expected)
{
	struct store_page page = {.sort = sort, .limit = 1000};
	struct seen whole = {.count = 0}, parts = {.count = 0};
	AUTO_FREE char *cursor = NULL;

	OK(store_list(s, &integrations_table, &page, note_integration, &whole, NULL, &err));
	page.limit = limit;
	for (size_t pages = 0; pages <= expected; pages++) {
		struct store_listing listing = {0};

		page.cursor = cursor;
		OK(store_list(s, &integrations_table, &page, note_integration, &parts, &listing,
			      &err));
		free(cursor);
		cursor = listing.next;
		if (!cursor)
			break;
	}
	assert_int_equal(parts.count, expected);
	assert_string_equal(parts.names, whole.names);
}

static void pages_give_each_row_once_in_any_order(void **state)
{
	static const char *const sorts[] = {NULL,
					    "name",
					    "-name",
					    "created_at",
					    "-created_at",
					    "kind,-created_at",
					    "-kind,created_at",
					    "-status.phase,kind,-name"};
	struct fixture *f = *state;

	add_many(f->store, 50);
	for (size_t i = 0; i < ARRAY_COUNT(sorts); i++) {
		walk(f->store, sorts[i], 1, 50);
		walk(f->store, sorts[i], 7, 50);
		walk(f->store, sorts[i], 50, 50);
	}
}

static void a_page_stays_stable_while_rows_are_added(void **state)
{
	struct fixture *f = *state;
	struct store_page page = {.limit = 2};
	struct store_listing listing = {0};
	struct seen seen = {.count = 0};
	AUTO_FREE char *cursor = NULL;

	add_many(f->store, 4);
	OK(store_list(f->store, &integrations_table, &page, note_integration, &seen, &listing,
		      &err));
	cursor = listing.next;
	add_integration(f->store, "early", "a-first");
	page.cursor = cursor;
	OK(store_list(f->store, &integrations_table, &page, note_integration, &seen, &listing,
		      &err));
	assert_null(listing.next);
	assert_string_equal(seen.names, "n000 n001 n002 n003 ");
}

static void cursors_are_not_forged_or_carried_elsewhere(void **state)
{
	struct fixture *f = *state;
	struct store_value kind = V_TEXT("harbor");
	struct store_page page = {.limit = 2, .sort = "name"};
	struct store_page other = {.limit = 2, .sort = "-name"};
	struct store_page filtered = {
		.limit = 2, .sort = "name", .where = "kind = ?", .values = &kind, .value_count = 1};
	struct store_listing listing = {0};
	struct seen seen = {.count = 0};
	AUTO_FREE char *good = NULL, *bad = NULL;

	add_many(f->store, 10);
	OK(store_list(f->store, &integrations_table, &page, note_integration, &seen, &listing,
		      &err));
	good = listing.next;
	bad = strdup(good);
	bad[strlen(bad) - 1] = bad[strlen(bad) - 1] == '0' ? '1' : '0';
	other.cursor = filtered.cursor = good;
	FAILS(BERTH_E_INVALID, store_list(f->store, &integrations_table, &other, note_integration,
					  &seen, NULL, &err));
	FAILS(BERTH_E_INVALID, store_list(f->store, &integrations_table, &filtered,
					  note_integration, &seen, NULL, &err));
	page.cursor = bad;
	FAILS(BERTH_E_INVALID, store_list(f->store, &integrations_table, &page, note_integration,
					  &seen, NULL, &err));
	page.cursor = "zz";
	FAILS(BERTH_E_INVALID, store_list(f->store, &integrations_table, &page, note_integration,
					  &seen, NULL, &err));
	fixture_reopen(f);
	page.cursor = good;
	OK(store_list(f->store, &integrations_table, &page, note_integration, &seen, NULL, &err));
}

static void an_unknown_sort_field_is_answered_with_the_known_ones(void **state)
{
	static const char *const bad[] = {"nope",  "name,name", "",
					  "name,", "desired",   "name; DROP TABLE integrations"};
	struct fixture *f = *state;
	struct seen seen = {.count = 0};

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		struct store_page page = {.sort = bad[i]};
		struct berth_error err = ERROR_INIT;
		int rc = store_list(f->store, &integrations_table, &page, note_integration, &seen,
				    NULL, &err);

		assert_int_equal(rc, BERTH_E_INVALID);
		if (!i)
			assert_non_null(strstr(err.cause, "created_at"));
	}
}

static void filter_total_and_within_go_together(void **state)
{
	struct fixture *f = *state;
	struct store_value scope = V_TEXT("platform"), kind = V_TEXT("harbor");
	struct store_page page = {.within = "scope = ?",
				  .within_values = &scope,
				  .within_count = 1,
				  .where = "kind = ? OR 1 = 0",
				  .values = &kind,
				  .value_count = 1,
				  .limit = 3,
				  .want_total = true};
	struct store_listing listing = {0};
	struct seen seen = {.count = 0};

	add_many(f->store, 20);
	OK(store_list(f->store, &integrations_table, &page, note_integration, &seen, &listing,
		      &err));
	assert_int_equal(seen.count, 3);
	assert_int_equal(listing.total, 10);
	assert_non_null(listing.next);
	free(listing.next);
	page.limit = 1001;
	FAILS(BERTH_E_INVALID, store_list(f->store, &integrations_table, &page, note_integration,
					  &seen, NULL, &err));
}

static void an_integrations_name_is_its_own(void **state)
{
	struct fixture *f = *state;
	AUTO_INTEGRATION struct integration row = {0};
	struct integration second = {.id = "other",
				     .name = "prod",
				     .kind = "x",
				     .scope = "x",
				     .desired = "",
				     .status = "",
				     .phase = ""};

	add_integration(f->store, "id", "prod");
	FAILS(BERTH_E_CONFLICT, integration_add(f->store, &second, &err));
	OK(integration_set_status(f->store, "id", "{\"a\":1}", "failed", 5, &err));
	OK(integration_get(f->store, "prod", &row, &err));
	assert_string_equal(row.phase, "failed");
	assert_int_equal(row.checked_ms, 5);
	FAILS(BERTH_E_NOT_FOUND, integration_get(f->store, "nope", &second, &err));
	FAILS(BERTH_E_NOT_FOUND, integration_set_status(f->store, "x", "{}", "y", 5, &err));
}

static void a_repository_belongs_to_its_longest_prefix(void **state)
{
	static const struct {
		const char *repository, *space;
	} cases[] = {
		{"team/apps/web", "s-apps"},    {"team/apps", "s-apps"},
		{"team/application", "s-team"}, {"team/x", "s-team"},
		{"teams/x", "s-default"},       {"a%b/c", "s-percent"},
		{"aXb/c", "s-default"},         {"x", "s-default"},
	};
	struct fixture *f = *state;

	add_integration(f->store, "i", "prod");
	add_space(f->store, "s-default", "i", "default");
	add_space(f->store, "s-team", "i", "team");
	add_space(f->store, "s-apps", "i", "team/apps");
	add_space(f->store, "s-percent", "i", "a%b");
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		AUTO_SPACE struct space space = {0};

		OK(space_of_repository(f->store, "i", cases[i].repository, &space, &err));
		assert_string_equal(space.id, cases[i].space);
		assert_string_equal(space.integration, "prod");
	}
}

static int64_t put_repository(struct store *s, const char *name, int64_t seen_ms)
{
	struct repository row = {.space_id = "s",
				 .integration_id = "i",
				 .name = (char *)name,
				 .more = "{}",
				 .seen_ms = seen_ms};
	int64_t id = 0;

	OK(repository_put(s, &row, &id, &err));
	return id;
}

static void put_tag(struct store *s, int64_t repository_id, const char *name, const char *digest,
		    int64_t seen_ms)
{
	struct tag row = {.repository_id = repository_id,
			  .name = (char *)name,
			  .digest = (char *)digest,
			  .bytes = 10,
			  .seen_ms = seen_ms};

	OK(tag_put(s, &row, &err));
}

static void a_whole_look_drops_what_it_did_not_see(void **state)
{
	struct fixture *f = *state;
	AUTO_REPOSITORY struct repository row = {0};
	AUTO_SPACE struct space space = {0};
	struct image_totals totals;
	struct repository none;
	int64_t kept;

	add_integration(f->store, "i", "prod");
	add_space(f->store, "s", "i", "default");
	kept = put_repository(f->store, "kept", 1);
	put_tag(f->store, put_repository(f->store, "gone", 1), "v1", "sha256:1", 1);
	put_tag(f->store, kept, "old", "sha256:1", 1);
	assert_int_equal(put_repository(f->store, "kept", 2), kept);
	put_tag(f->store, kept, "v1", "sha256:2", 2);
	put_tag(f->store, kept, "v2", "sha256:2", 2);
	OK(repository_sweep_tags(f->store, kept, 2, &err));
	OK(repository_sweep(f->store, "i", "s", 2, &err));
	OK(repository_get(f->store, "i", "kept", &row, &err));
	assert_int_equal(row.tag_count, 2);
	FAILS(BERTH_E_NOT_FOUND, repository_get(f->store, "i", "gone", &none, &err));
	OK(space_recount(f->store, "s", 3, &err));
	OK(space_get(f->store, "s", &space, &err));
	assert_int_equal(space.repository_count, 1);
	assert_int_equal(space.artifact_count, 1);
	OK(image_totals(f->store, "i", &totals, &err));
	assert_int_equal(totals.tag_count, 2);
	assert_int_equal(totals.artifact_count, 1);
	assert_int_equal(totals.bytes, 10);
}

static void deleting_a_digest_takes_its_tags_and_its_document(void **state)
{
	struct fixture *f = *state;
	AUTO_FREE char *document = NULL;
	AUTO_TAG struct tag kept = {0};
	struct tag none;
	int64_t id, seen_ms = 0;

	add_integration(f->store, "i", "prod");
	add_space(f->store, "s", "i", "default");
	id = put_repository(f->store, "r", 1);
	put_tag(f->store, id, "v1", "sha256:1", 1);
	put_tag(f->store, id, "latest", "sha256:1", 1);
	put_tag(f->store, id, "v2", "sha256:2", 1);
	OK(artifact_put(f->store, id, "sha256:1", "{}", 7, &err));
	OK(artifact_get(f->store, id, "sha256:1", &document, &seen_ms, &err));
	assert_string_equal(document, "{}");
	assert_int_equal(seen_ms, 7);
	OK(tag_remove_digest(f->store, id, "sha256:1", &err));
	free(document);
	OK(artifact_get(f->store, id, "sha256:1", &document, &seen_ms, &err));
	assert_null(document);
	FAILS(BERTH_E_NOT_FOUND, tag_get(f->store, id, "latest", &none, &err));
	OK(tag_get(f->store, id, "v2", &kept, &err));
}

static void removing_an_integration_takes_all_that_hangs_on_it(void **state)
{
	static const struct store_page all = {0};
	const struct store_table *const tables[] = {&spaces_table, &repositories_table,
						    &tags_table};
	struct fixture *f = *state;
	AUTO(sealer) struct sealer *sealer = NULL;
	struct secret_info info;
	int64_t id;

	OK(sealer_open(f->key, true, &sealer, &err));
	add_integration(f->store, "i", "prod");
	add_space(f->store, "s", "i", "default");
	id = put_repository(f->store, "r", 1);
	put_tag(f->store, id, "v1", "sha256:1", 1);
	OK(secret_store(f->store, sealer, "i", "password", "x", &err));
	OK(integration_remove(f->store, "i", &err));
	for (size_t i = 0; i < ARRAY_COUNT(tables); i++) {
		int64_t count = -1;

		OK(store_count(f->store, tables[i], &all, &count, &err));
		assert_int_equal(count, 0);
	}
	OK(secret_info(f->store, "i", "password", &info, &err));
	assert_false(info.set);
}

static int note_outcome(void *user, const void *row, struct berth_error *err)
{
	const struct sync_outcome *o = row;
	struct seen *seen = user;

	(void)err;
	snprintf(seen->names + strlen(seen->names), sizeof(seen->names) - strlen(seen->names),
		 "%d:%s:%s:%d ", (int)o->number, o->target, o->state, (int)o->attempts);
	return 0;
}

static void an_outcome_is_updated_by_its_target(void **state)
{
	static const struct store_page all = {0};
	struct fixture *f = *state;
	struct sync_run run = {.id = "r",
			       .rule_id = "",
			       .rule = "",
			       .state = "running",
			       .totals = "{}",
			       .started_ms = 1};
	struct sync_outcome one = {.run_id = "r",
				   .source = "a/x:1",
				   .target = "b/x:1",
				   .digest = "",
				   .state = "failed",
				   .cause = "",
				   .attempts = 1};
	struct sync_outcome two = one;
	struct seen seen = {.count = 0};

	OK(sync_run_put(f->store, &run, &err));
	two.target = "b/x:2";
	OK(sync_outcome_put(f->store, &one, &err));
	OK(sync_outcome_put(f->store, &two, &err));
	one.state = "copied";
	OK(sync_outcome_put(f->store, &one, &err));
	OK(store_list(f->store, &sync_outcomes_table, &all, note_outcome, &seen, NULL, &err));
	assert_string_equal(seen.names, "1:b/x:1:copied:2 2:b/x:2:failed:1 ");
	run.ended_ms = 5;
	OK(sync_run_put(f->store, &run, &err));
	OK(sync_run_prune(f->store, 6, &err));
	seen.names[0] = '\0';
	OK(store_list(f->store, &sync_outcomes_table, &all, note_outcome, &seen, NULL, &err));
	assert_string_equal(seen.names, "");
}

static void ended_operations_are_pruned_by_age_and_count(void **state)
{
	static const struct store_page all = {0};
	struct fixture *f = *state;
	int64_t count = 0;

	for (int i = 0; i < 10; i++) {
		char id[16];

		snprintf(id, sizeof(id), "op-%d", i);
		add_operation(f->store, id, "x", i ? "succeeded" : "running", i);
	}
	OK(operation_row_prune(f->store, 3, 100, &err));
	OK(store_count(f->store, &operations_table, &all, &count, &err));
	assert_int_equal(count, 8); /* 1 and 2 were too old; 0 has not ended */
	OK(operation_row_prune(f->store, 0, 4, &err));
	OK(store_count(f->store, &operations_table, &all, &count, &err));
	assert_int_equal(count, 5); /* the newest four, and the open one */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_give_each_row_once_in_any_order),
		TEST(a_page_stays_stable_while_rows_are_added),
		TEST(cursors_are_not_forged_or_carried_elsewhere),
		TEST(an_unknown_sort_field_is_answered_with_the_known_ones),
		TEST(filter_total_and_within_go_together),
		TEST(an_integrations_name_is_its_own),
		TEST(a_repository_belongs_to_its_longest_prefix),
		TEST(a_whole_look_drops_what_it_did_not_see),
		TEST(deleting_a_digest_takes_its_tags_and_its_document),
		TEST(removing_an_integration_takes_all_that_hangs_on_it),
		TEST(an_outcome_is_updated_by_its_target),
		TEST(ended_operations_are_pruned_by_age_and_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
