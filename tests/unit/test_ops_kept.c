/* SPDX-License-Identifier: Apache-2.0 */
/* What a job asks to keep of an integration: sealed, bounded, its own alone. */
#include "tests/unit/ops_fixture.h"

/* A job runs, and what it keeps is sealed. */
static void begin_keeping(struct fake *k, const char *id, const char *name)
{
	add_integration(k->f->store, id, name);
	OK(sealer_open(k->f->key, true, &k->sealer, &err));
	kill_and_restart(k);
	submitted(k, "refresh", "x");
	ops_turn(k->ops);
}

static void kept_state_is_sealed(void **state)
{
	struct fake *k = *state;
	AUTO_JSON json_t *kept = json_pack("{ss}", "token", "canary-1234");
	AUTO_SECRET char *text = NULL;

	begin_keeping(k, "id-a", "a");
	k->jobs->events->keep(k->jobs->user, "a", kept);
	OK(kept_load(k->f->store, k->sealer, "id-a", &text, &err));
	assert_string_equal(text, "{\"token\":\"canary-1234\"}");
}

static void a_job_keeps_state_so_many_times_and_no_more(void **state)
{
	struct fake *k = *state;
	AUTO_SECRET char *text = NULL;

	begin_keeping(k, "id-a", "a");
	OK(store_begin(k->f->store, &err)); /* one commit for all: the disk is not the matter */
	for (int i = 0; i < 1500; i++) {
		AUTO_JSON json_t *kept = json_pack("{si}", "n", i);

		k->jobs->events->keep(k->jobs->user, "a", kept);
	}
	OK(store_commit(k->f->store, &err));
	OK(kept_load(k->f->store, k->sealer, "id-a", &text, &err));
	assert_string_equal(text, "{\"n\":999}");
}

static void state_of_an_integration_that_a_job_was_not_given_is_not_kept(void **state)
{
	struct fake *k = *state;
	AUTO_JSON json_t *kept = json_pack("{ss}", "token", "of somebody else");
	AUTO_SECRET char *text = NULL;

	begin_keeping(k, "id-b", "b");
	k->jobs->events->keep(k->jobs->user, "b", kept);
	OK(kept_load(k->f->store, k->sealer, "id-b", &text, &err));
	assert_null(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPS_TEST(kept_state_is_sealed),
		OPS_TEST(a_job_keeps_state_so_many_times_and_no_more),
		OPS_TEST(state_of_an_integration_that_a_job_was_not_given_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
