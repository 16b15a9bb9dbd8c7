/* SPDX-License-Identifier: Apache-2.0 */
/* Several runs that share their reads (core/transfer/fan.h), without a registry: a rate
 * of nothing keeps each GET from being started.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/clock.h"
#include "core/transfer/fan.h"

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define FOR_EVER 1000000000

/* Two runs that are to send the same two blobs, each to a repository of its own. */
struct pair_of_runs {
	struct net_loop *loop;
	struct fan *fan;
	struct rule rule;
	struct transfer *runs[2];
	struct node wants;
	struct move moves[2];
};

/* Berthd's leases: it lets the source send all there is. */
static uint64_t may_take;

static uint64_t sent_ahead(void *user, enum transfer_rate rate)
{
	(void)user;
	return rate == RATE_TAKEN ? may_take : UINT64_MAX;
}

static void spend(void *user, enum transfer_rate rate, uint64_t byte_count)
{
	(void)user;
	may_take -= rate == RATE_TAKEN ? byte_count : 0;
}

static uint64_t nothing(void *user, enum transfer_rate rate)
{
	(void)user;
	(void)rate;
	return 0;
}

static struct digest digest(const char *text)
{
	struct berth_error err = ERROR_INIT;
	struct digest d;
	assert_int_equal(0, digest_parse(text, &d, &err));
	return d;
}

static struct place *queue(struct pair_of_runs *two, struct transfer *t, const char *text)
{
	struct digest d = digest(text);
	struct place *p = run_place(t, t->pairs.items[0], &d, 100);
	assert_non_null(p);
	p->state = PLACE_ABSENT;
	assert_true(vec_add(t, &p->waiters, &two->wants));
	blob_start(t, p->blob);
	return p;
}

static void begin(struct pair_of_runs *two, uint64_t patience_ms)
{
	struct berth_error err = ERROR_INIT;
	memset(two, 0, sizeof *two);
	assert_int_equal(0, net_loop_new(&two->loop, &err));
	assert_int_equal(0, fan_new(two->loop, patience_ms, &two->fan, &err));
	two->rule.limit_bytes_per_s = 1 << 20;
	for (int i = 0; i < 2; i++) {
		/* Registries that nothing is asked of; two of them, so that nothing is mounted. */
		struct transfer_settings s = {.loop = two->loop,
					      .fan = two->fan,
					      .source.registry = (void *)&two->rule,
					      .target.registry = (void *)&two->wants,
					      .leased = nothing};
		assert_int_equal(0, transfer_new(&two->rule, &s, &two->runs[i], &err));
		assert_int_equal(0,
				 transfer_add_repository(two->runs[i], "a", "b", NULL, NULL, &err));
	}
	two->fan->is_open = true;
}

static struct move *move_of(struct pair_of_runs *two, int i, struct place *p)
{
	struct transfer *t = two->runs[i];
	two->moves[i] = (struct move){.run = t, .place = p, .attempt = 1, .next = t->moves};
	ring_init(&two->moves[i].ring, &t->pool);
	p->blob->turn = 0;
	t->moves = &two->moves[i];
	return &two->moves[i];
}

static void end(struct pair_of_runs *two)
{
	for (int i = 0; i < 2; i++) {
		hub_leave(&two->moves[i]);
		two->runs[i]->moves = NULL;
		ring_done(&two->moves[i].ring);
	}
	for (int i = 0; i < 2; i++)
		transfer_free(two->runs[i]);
	fan_free(two->fan);
	net_loop_free(two->loop);
}

static void bytes_live_as_long_as_one_has_them(void **state)
{
	char *bytes = bytes_new(6);

	(void)state;
	assert_non_null(bytes);
	memcpy(bytes, "hello", 6);
	char *same = bytes_share(bytes);
	bytes_drop(bytes);
	assert_string_equal("hello", same);
	bytes_drop(same);
	bytes_drop(NULL);
}

static void a_later_run_knows_tags_and_manifests_of_an_earlier_one(void **state)
{
	struct pair_of_runs two;
	struct digest d = digest(DIGEST), got;

	(void)state;
	begin(&two, FOR_EVER);
	struct image *first = run_image(two.runs[0], two.runs[0]->pairs.items[0], "1", "1");
	struct image *second = run_image(two.runs[1], two.runs[1]->pairs.items[0], "1", "1");
	struct image *more = run_image(two.runs[1], two.runs[1]->pairs.items[0], "2", "2");
	struct doc *doc = run_doc(two.runs[0], two.runs[0]->pairs.items[0], &d);
	first->source_digest = d;
	doc->bytes = bytes_new(1);
	assert_null(fan_find_doc(two.runs[1], &d)); /* it is not read */
	doc->state = DOC_READ;
	assert_ptr_equal(doc, fan_find_doc(two.runs[1], &d));
	assert_null(fan_find_doc(two.runs[0], &d)); /* nobody came before */
	assert_true(fan_knows_tag(second, two.runs[1], &got));
	assert_true(digest_equal(&d, &got));
	assert_false(fan_knows_tag(more, two.runs[1], &got));
	second->merges = true; /* a list of referrers is united from its bytes */
	assert_false(fan_knows_tag(second, two.runs[1], &got));
	end(&two);
}

static void the_rules_rate_is_one_for_all_runs(void **state)
{
	struct pair_of_runs two;

	(void)state;
	begin(&two, FOR_EVER);
	assert_ptr_equal(two.runs[0]->limit, two.runs[1]->limit);
	assert_int_equal(1 << 20, two.runs[0]->limit->bytes_per_s);
	end(&two);
}

static void a_stream_waits_for_the_other_run_which_comes_to_that_blob_next(void **state)
{
	struct pair_of_runs two;

	(void)state;
	begin(&two, FOR_EVER);
	struct place *one = queue(&two, two.runs[0], DIGEST);
	queue(&two, two.runs[1], OTHER);
	struct place *other = queue(&two, two.runs[1], DIGEST);
	struct move *first = move_of(&two, 0, one);
	assert_true(hub_join(first));
	assert_false(first->stream->has_begun);
	assert_ptr_equal(other, two.runs[1]->ready.items[0]);
	assert_int_equal(1, other->blob->turn);
	two.runs[1]->ready_next = 1;
	struct move *second = move_of(&two, 1, other);
	assert_true(hub_join(second));
	assert_ptr_equal(first->stream, second->stream);
	assert_true(first->stream->has_begun);
	assert_true(first->is_due != second->is_due); /* one of them pays */
	end(&two);
}

static void what_nobody_else_is_to_have_is_read_alone(void **state)
{
	struct pair_of_runs two;

	(void)state;
	begin(&two, FOR_EVER);
	queue(&two, two.runs[1], OTHER);
	struct move *m = move_of(&two, 0, queue(&two, two.runs[0], DIGEST));
	assert_false(hub_join(m));
	struct place *p = queue(&two, two.runs[1], DIGEST);
	two.wants.state = NODE_FAILED; /* no image needs it any more */
	assert_int_not_equal(0, p->blob->turn);
	assert_false(hub_join(m));
	two.wants.state = NODE_NEW;
	m->attempt = 2; /* a second upload: the others are elsewhere */
	assert_false(hub_join(m));
	m->attempt = 1;
	m->received = 10; /* from an earlier process */
	assert_false(hub_join(m));
	end(&two);
}

static void who_leaves_hands_over_to_the_others(void **state)
{
	struct pair_of_runs two;

	(void)state;
	begin(&two, FOR_EVER);
	struct place *one = queue(&two, two.runs[0], DIGEST);
	struct place *other = queue(&two, two.runs[1], DIGEST);
	struct move *first = move_of(&two, 0, one);
	assert_true(hub_join(first));
	struct move *second = move_of(&two, 1, other);
	assert_true(hub_join(second));
	struct move *payer = first->is_due ? first : second;
	struct move *left = first->is_due ? second : first;
	drop_reader(payer); /* its upload failed */
	assert_null(payer->stream);
	assert_false(payer->is_due);
	assert_true(left->is_due);
	drop_reader(left);
	assert_null(two.fan->streams);
	end(&two);
}

static void a_run_that_does_not_come_in_time_goes_alone(void **state)
{
	struct pair_of_runs two;

	(void)state;
	begin(&two, 1);
	struct place *one = queue(&two, two.runs[0], DIGEST);
	struct place *other = queue(&two, two.runs[1], DIGEST);
	struct move *first = move_of(&two, 0, one);
	assert_true(hub_join(first));
	first->stream->began_ms -= 1000;
	hub_tick(two.fan);
	assert_true(two.runs[1]->goes_alone);
	assert_false(two.runs[0]->goes_alone);
	assert_true(first->stream->has_begun);
	assert_false(hub_join(move_of(&two, 1, other)));
	end(&two);
}

static void a_run_that_others_wait_for_too_long_leaves(void **state)
{
	struct pair_of_runs two;

	(void)state;
	begin(&two, 1000);
	struct place *one = queue(&two, two.runs[0], DIGEST);
	struct place *other = queue(&two, two.runs[1], DIGEST);
	struct move *first = move_of(&two, 0, one), *second;
	assert_true(hub_join(first));
	second = move_of(&two, 1, other);
	assert_true(hub_join(second));
	struct stream *s = first->stream;
	s->began_ms -= 100000000;
	second->is_lagging = true;
	second->lagged_ms = 1000; /* a thousandth of the time */
	hub_tick(two.fan);
	assert_ptr_equal(s, second->stream);
	s->began_ms += 100000000;
	second->is_lagging = true;
	second->lagged_ms = FOR_EVER;
	hub_tick(two.fan);
	assert_null(second->stream);
	assert_true(second->is_due); /* it reads for itself */
	assert_true(two.runs[1]->goes_alone);
	assert_ptr_equal(s, first->stream);
	end(&two);
}

static void those_whose_stream_broke_meet_again_at_that_byte(void **state)
{
	struct pair_of_runs two;

	(void)state;
	begin(&two, FOR_EVER);
	struct place *one = queue(&two, two.runs[0], DIGEST);
	struct place *other = queue(&two, two.runs[1], DIGEST);
	struct move *first = move_of(&two, 0, one), *second = move_of(&two, 1, other);
	first->received = second->received = 50;
	first->is_mate = second->is_mate = true;
	second->waits = WAIT_READ; /* for a slot, soon */
	assert_true(hub_join(first));
	assert_false(first->stream->has_begun);
	second->waits = WAIT_NOT;
	assert_true(hub_join(second));
	assert_ptr_equal(first->stream, second->stream);
	assert_true(first->stream->has_begun);
	end(&two);
}

/* Else the end of each blob, paid for when it was sent, would come at once. */
static void what_has_been_sent_is_still_taken_at_the_rate(void **state)
{
	struct pair_of_runs two;

	(void)state;
	begin(&two, FOR_EVER);
	struct transfer *t = two.runs[0];
	struct move *m = move_of(&two, 0, queue(&two, t, DIGEST));
	limit_init(two.fan->limit, 1 << 30, clock_monotonic_us());
	limit_init(two.fan->limit + 1, 1 << 30, clock_monotonic_us());
	t->set.leased = sent_ahead;
	t->set.spend = spend;
	may_take = 9;
	assert_false(read_may_pay(m, 10));
	may_take = 10;
	assert_true(read_may_pay(m, 10));
	assert_int_equal(0, may_take);
	assert_true(m->paid > 0); /* the rest of what may have been sent */
	move_of(&two, 1, queue(&two, two.runs[1], DIGEST));
	end(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_live_as_long_as_one_has_them),
		cmocka_unit_test(a_later_run_knows_tags_and_manifests_of_an_earlier_one),
		cmocka_unit_test(the_rules_rate_is_one_for_all_runs),
		cmocka_unit_test(a_stream_waits_for_the_other_run_which_comes_to_that_blob_next),
		cmocka_unit_test(what_nobody_else_is_to_have_is_read_alone),
		cmocka_unit_test(who_leaves_hands_over_to_the_others),
		cmocka_unit_test(a_run_that_does_not_come_in_time_goes_alone),
		cmocka_unit_test(a_run_that_others_wait_for_too_long_leaves),
		cmocka_unit_test(what_has_been_sent_is_still_taken_at_the_rate),
		cmocka_unit_test(those_whose_stream_broke_meet_again_at_that_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
