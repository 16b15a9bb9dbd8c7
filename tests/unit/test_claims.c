/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of blobs between jobs: who gets one, who waits, and what they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/ops/claims.h"

#define ONE "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define TWO "sha256:2222222222222222222222222222222222222222222222222222222222222222"

struct job {
	struct claims_part *part;
	char heard[512]; /* "STATE[ REPOSITORY];" for each answer */
	unsigned count;
};

static struct claims *claims;
static struct job a, b, c, elsewhere;

static void hear(void *user, json_t *take_frame)
{
	struct job *j = user;
	size_t n = strlen(j->heard);
	const char *repository = js_str(take_frame, "repository", NULL);
	j->count++;
	snprintf(j->heard + n, sizeof j->heard - n, "%s%s%s;", js_str(take_frame, "state", "?"),
		 repository ? " " : "", repository ? repository : "");
	json_decref(take_frame);
}

static void join(struct job *j, const char *target)
{
	struct berth_error err = ERROR_INIT;
	*j = (struct job){.count = 0};
	assert_int_equal(0, claims_join(claims, target, 0, hear, j, &j->part, &err));
}

static int setup(void **state)
{
	struct berth_error err = ERROR_INIT;
	(void)state;
	assert_int_equal(0, claims_new(&claims, &err));
	join(&a, "lab");
	join(&b, "lab");
	join(&c, "lab");
	join(&elsewhere, "hub");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	claims_leave(a.part);
	claims_leave(b.part);
	claims_leave(c.part);
	claims_leave(elsewhere.part);
	claims_free(claims);
	return 0;
}

static void say(struct job *j, const char *type, const char *digest, const char *repository)
{
	AUTO_JSON json_t *frame = json_pack("{s:s, s:s}", "t", type, "digest", digest);
	js_put_str(frame, "repository", repository);
	claims_frame(j->part, frame);
}

static void the_first_one_has_it_and_the_others_learn_where_it_is(void **state)
{
	(void)state;
	say(&a, "claim", ONE, NULL);
	say(&b, "claim", ONE, NULL);
	say(&c, "claim", ONE, NULL);
	say(&c, "claim", TWO, NULL);
	say(&elsewhere, "claim", ONE, NULL);
	assert_string_equal("yours;", a.heard);
	assert_string_equal("wait;", b.heard);
	assert_string_equal("wait;yours;", c.heard);
	assert_string_equal("yours;", elsewhere.heard);
	say(&a, "release", ONE, "team/app");
	assert_string_equal("yours;", a.heard);
	assert_string_equal("wait;there team/app;", b.heard);
	assert_string_equal("wait;yours;there team/app;", c.heard);
	assert_string_equal("yours;", elsewhere.heard);
}

static void who_comes_later_is_told_where_it_is_too(void **state)
{
	(void)state;
	say(&a, "claim", ONE, NULL);
	say(&a, "release", ONE, "team/app");
	say(&b, "claim", ONE, NULL);
	say(&elsewhere, "claim", ONE, NULL);
	assert_string_equal("there team/app;", b.heard);
	assert_string_equal("yours;", elsewhere.heard);
}

static void what_was_not_sent_goes_to_the_next_one_in_turn(void **state)
{
	(void)state;
	say(&a, "claim", ONE, NULL);
	say(&b, "claim", ONE, NULL);
	say(&c, "claim", ONE, NULL);
	say(&a, "release", ONE, NULL);
	assert_string_equal("wait;yours;", b.heard);
	assert_string_equal("wait;", c.heard);
	claims_leave(b.part); /* it dies */
	b.part = NULL;
	assert_string_equal("wait;yours;", c.heard);
	say(&a, "claim", ONE, NULL);
	assert_string_equal("yours;wait;", a.heard);
}

static void one_that_waits_and_dies_changes_nothing(void **state)
{
	(void)state;
	say(&a, "claim", ONE, NULL);
	say(&b, "claim", ONE, NULL);
	say(&c, "claim", ONE, NULL);
	claims_leave(b.part);
	b.part = NULL;
	assert_string_equal("wait;", c.heard);
	say(&a, "release", ONE, "team/app");
	assert_string_equal("wait;there team/app;", c.heard);
}

static void of_what_it_does_not_have_a_job_can_say_nothing(void **state)
{
	(void)state;
	say(&a, "claim", ONE, NULL);
	say(&b, "claim", ONE, NULL);
	say(&b, "release", ONE, "team/evil");
	say(&c, "release", ONE, "team/evil");
	say(&c, "claim", ONE, NULL);
	say(&a, "release", ONE, "../evil");
	assert_string_equal("wait;yours;", b.heard);
	assert_string_equal("wait;", c.heard);
	say(&c, "claim", "sha256:12", NULL);
	say(&c, "burn", ONE, NULL);
	assert_int_equal(1, c.count);
}

static void claiming_twice_is_answered_and_held_once(void **state)
{
	(void)state;
	say(&a, "claim", ONE, NULL);
	say(&a, "claim", ONE, NULL);
	say(&b, "claim", ONE, NULL);
	say(&a, "release", ONE, NULL);
	assert_string_equal("yours;yours;", a.heard);
	assert_string_equal("wait;yours;", b.heard);
}

/* The n-th of many digests. */
static const char *nth(unsigned n)
{
	static char text[80];
	snprintf(text, sizeof text, "sha256:%064x", n);
	return text;
}

static void both_bounds_only_cost_a_second_sending(void **state)
{
	(void)state;
	for (unsigned n = 0; n < CLAIMS_MAX + 2; n++)
		say(&a, "claim", nth(n), NULL);
	assert_int_equal(CLAIMS_MAX + 2, a.count);
	say(&b, "claim", nth(CLAIMS_MAX + 1), NULL);
	say(&b, "claim", nth(0), NULL);
	assert_string_equal("yours;wait;", b.heard);
	for (unsigned n = 0; n < 2 * CLAIMS_SENT_MAX; n++) {
		say(&c, "claim", nth(10000 + n), NULL);
		c.heard[0] = 0;
		say(&c, "release", nth(10000 + n), "team/app");
	}
	say(&c, "claim", nth(10000), NULL);
	say(&c, "claim", nth(10000 + 2 * CLAIMS_SENT_MAX - 1), NULL);
	assert_string_equal("yours;there team/app;", c.heard);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_first_one_has_it_and_the_others_learn_where_it_is),
		TEST(who_comes_later_is_told_where_it_is_too),
		TEST(what_was_not_sent_goes_to_the_next_one_in_turn),
		TEST(one_that_waits_and_dies_changes_nothing),
		TEST(of_what_it_does_not_have_a_job_can_say_nothing),
		TEST(claiming_twice_is_answered_and_held_once),
		TEST(both_bounds_only_cost_a_second_sending),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
