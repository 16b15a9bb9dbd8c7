/* SPDX-License-Identifier: Apache-2.0 */
/* A run from its beginning to its end: settings, the plan's two steps (what is
 * wanted, then what the target lacks of it), the moves, and the clean-up.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/transfer/fan.h"
#include "core/transfer/journal.h"
#include <berth/ops.h>

#define DEFAULT(value, otherwise) ((value) ? (value) : (otherwise))

/* HEADs a run spends on proofs (prove.c): enough for a small copy's every blob. */
#define PROOFS_MAX 24

static void set_defaults(struct transfer_settings *s)
{
	s->in_flight = DEFAULT(s->in_flight, 32);
	s->moves = DEFAULT(s->moves, 16);
	s->tries = DEFAULT(s->tries, 3);
	s->backoff_ms = DEFAULT(s->backoff_ms, 500);
	s->cleanup_ms = DEFAULT(s->cleanup_ms, 3000);
	s->ring_bytes = DEFAULT(s->ring_bytes, 1u << 20);
	s->cache_bytes = DEFAULT(s->cache_bytes, 4u << 20);
	s->in_flight = s->in_flight < 2 ? 2 : s->in_flight;
}

int transfer_new(const struct rule *rule, const struct transfer_settings *settings,
		 struct transfer **ret, struct berth_error *err)
{
	struct transfer *t = calloc(1, sizeof *t);
	if (!t)
		return berth_fail_memory(err);
	t->rule = rule;
	t->set = *settings;
	t->stage = "list";
	t->proofs_left = PROOFS_MAX;
	set_defaults(&t->set);
	const struct transfer_end *ends[2] = {&t->set.source, &t->set.target};
	for (int i = 0; i < 2; i++)
		t->sides[i] = (struct side){
			.registry = ends[i]->registry,
			.flags = ends[i]->flags,
			.lane = &t->sides[i].own,
			.referrers = ends[i]->flags & BERTH_OCI_REFERRERS ? API_YES : API_UNKNOWN};
	if (ends[0]->registry == ends[1]->registry)
		t->sides[SIDE_TARGET].lane = t->sides[SIDE_SOURCE].lane;
	/* A move within one registry takes two slots of it. */
	for (int i = 0; i < 2; i++)
		window_init(&t->sides[i].own.window, ends[0]->registry == ends[1]->registry ? 2 : 1,
			    t->set.in_flight);
	pool_init(&t->pool, t->set.ring_bytes);
	for (size_t i = 0; i < ARRAY_COUNT(t->own_limit); i++)
		limit_init(&t->own_limit[i], (uint64_t)rule->limit_bytes_per_s,
			   clock_monotonic_us());
	t->limit = t->own_limit;
	if (t->set.fan)
		fan_join(t->set.fan, t);
	*ret = t;
	return 0;
}

void transfer_free(struct transfer *t)
{
	if (!t)
		return;
	run_drop_ops(t, true);
	move_drop_all(t, true);
	fan_leave(t);
	net_timer_cancel(t->limit_timer);
	net_timer_cancel(t->claim_timer);
	pool_done(&t->pool);
	journal_close(t->journal, t->is_interrupted);
	run_free_model(t);
	free(t);
}

static int check_collision(const struct transfer *t, const char *source, const char *target,
			   struct berth_error *err)
{
	for (size_t i = 0; i < t->pairs.count; i++) {
		const struct pair *p = t->pairs.items[i];
		if (strcmp(p->target, target) != 0)
			continue;
		berth_fail(err, BERTH_E_CONFLICT,
			   "two repositories would go to '%.180s' at the target", target);
		return berth_cause(err, "'%.200s' and '%.200s'; change prefix or flatten",
				   p->label_source, source);
	}
	if (t->sides[0].registry == t->sides[1].registry && !strcmp(source, target) &&
	    !t->rule->target_tag)
		return berth_fail(err, BERTH_E_INVALID, "'%.200s' would be copied onto itself",
				  source);
	return 0;
}

int transfer_add_repository(struct transfer *t, const char *source, const char *target,
			    const char *label_source, const char *label_target,
			    struct berth_error *err)
{
	int r = check_collision(t, label_source ? label_source : source, target, err);
	if (r)
		return r;
	struct pair *p = calloc(1, sizeof *p);
	if (!p)
		return berth_fail_memory(err);
	p->source = strdup(source);
	p->target = strdup(target);
	p->label_source = strdup(label_source ? label_source : source);
	p->label_target = strdup(label_target ? label_target : target);
	if (p->source && p->target && p->label_source && p->label_target &&
	    vec_add(t, &t->pairs, p))
		return 0;
	free(p->source);
	free(p->target);
	free(p->label_source);
	free(p->label_target);
	free(p);
	return berth_fail_memory(err);
}

void transfer_know(struct transfer *t, json_t *source_tags, json_t *target_tags)
{
	struct pair *p = t->pairs.items[t->pairs.count - 1];
	p->known[SIDE_SOURCE] = json_incref(source_tags);
	p->known[SIDE_TARGET] = json_incref(target_tags);
}

/* What is to be moved: a blob that no repository of the target has is sent once
 * and mounted elsewhere. */
static void count_blob(struct transfer *t, const struct blob *b)
{
	size_t absent = 0;
	bool at_home = b->home || t->sides[0].registry == t->sides[1].registry;
	for (const struct place *p = b->places; p; p = p->next_of_blob)
		absent += p->state == PLACE_ABSENT;
	if (!absent)
		return;
	if (!at_home) {
		t->total_blobs++;
		t->total_bytes += (uint64_t)b->byte_count;
		t->estimated_requests += 3;
		absent--;
	}
	t->total_mounts += absent;
	t->estimated_requests += absent;
}

static void count_all(struct transfer *t)
{
	for (size_t i = 0; i < t->places_ordered.count; i++) {
		const struct place *p = t->places_ordered.items[i];
		if (p == p->blob->places)
			count_blob(t, p->blob);
	}
	for (size_t i = 0; i < t->nodes_ordered.count; i++) {
		const struct node *n = t->nodes_ordered.items[i];
		if (n->state == NODE_WAITING && (n->parents.count || n->companions))
			t->estimated_requests++;
	}
	for (size_t i = 0; i < t->images.count; i++) {
		const struct image *one = t->images.items[i];
		if (one->state == IMAGE_WAITING && one->target_tag &&
		    !(one->is_there && digest_equal(&one->source_digest, &one->target_digest)))
			t->estimated_requests += 2;
	}
}

int transfer_plan(struct transfer *t, struct berth_error *err)
{
	report_progress(t, true);
	for (size_t i = 0; i < t->pairs.count; i++)
		pair_start(t, t->pairs.items[i]);
	int r = run_turns(&t, 1, err);
	t->stage = "check";
	for (size_t i = 0; !r && i < t->places_ordered.count; i++)
		place_ask(t, t->places_ordered.items[i]);
	if (!r)
		r = run_turns(&t, 1, err);
	if (!r)
		count_all(t);
	return r;
}

/* What is left waits for itself: only bytes that lie about what they refer to can
 * do that. */
static void fail_loops(struct transfer *t)
{
	struct berth_error err = ERROR_INIT;
	struct fault *why = NULL;
	for (size_t i = 0; i < t->images.count; i++) {
		struct image *one = t->images.items[i];
		if (one->state != IMAGE_WAITING)
			continue;
		if (!why) {
			berth_fail(&err, BERTH_E_INVALID,
				   "its manifests refer to each other in a circle");
			why = run_fault(t, SIDE_SOURCE, &err);
		}
		if (why)
			image_fail(t, one, why);
	}
}

static void skip_rest(struct transfer *t)
{
	struct fault *why = run_fault(t, SIDE_NEITHER, &t->end_err);
	struct berth_error unsure = t->end_err;
	berth_wrap(&unsure, "its PUT was under way; whether the target has it could not be asked");
	struct fault *doubt = run_fault(t, SIDE_NEITHER, &unsure);
	for (size_t i = 0; i < t->images.count; i++) {
		struct image *one = t->images.items[i];
		if (one->state != IMAGE_WAITING)
			continue;
		one->why = one->is_sent ? doubt : why;
		one->state = IMAGE_SKIPPED;
		report_image(t, one);
	}
}

static void say(const struct transfer *t, const char *what, const char *why)
{
	char text[512];
	snprintf(text, sizeof text, "%s: %s", what, why);
	if (t->set.say)
		t->set.say(t->set.user, text);
	else
		log_warning("%s", text);
}

/* A run without a journal is a run that begins its blobs again after a crash. */
static void open_journal(struct transfer *t)
{
	struct berth_error err = ERROR_INIT;
	if (!t->set.journal_folder)
		return;
	if (journal_open(t->set.journal_folder, t->set.run, t->set.identity, &t->journal, &err))
		say(t, "no journal of this copy is kept", err.message);
	else if (journal_dropped(t->journal))
		say(t, "the journal of an earlier run is dropped", journal_dropped(t->journal));
}

void transfer_share(struct transfer *t, unsigned at_source, unsigned at_target)
{
	const unsigned users[] = {at_source, at_target};
	for (int i = 0; i < 2; i++)
		window_bound(&t->sides[i].lane->window,
			     t->set.in_flight / (users[i] ? users[i] : 1));
}

void transfer_wake(struct transfer *t)
{
	move_tick(t);
}

static void begin(struct transfer *t)
{
	open_journal(t);
	t->moving = true;
	t->stage = "copy";
	for (size_t i = 0; i < t->images.count; i++) {
		const struct image *one = t->images.items[i];
		if (one->state != IMAGE_WAITING)
			report_image(t, one);
	}
	for (size_t i = 0; i < t->places_ordered.count; i++) {
		struct place *p = t->places_ordered.items[i];
		if (p == p->blob->places)
			blob_start(t, p->blob);
	}
	for (size_t i = 0; i < t->nodes_ordered.count; i++)
		node_begin(t, t->nodes_ordered.items[i]);
}

static void end(struct transfer *t)
{
	if (t->ended) {
		skip_rest(t);
	} else {
		fail_loops(t);
		t->stage = "done";
	}
	report_progress(t, true);
}

int transfer_run_all(struct transfer *const *list, size_t count, struct berth_error *err)
{
	for (size_t i = 0; i < count; i++)
		begin(list[i]);
	if (list[0]->fan)
		list[0]->fan->is_open = true;
	int r = run_turns(list, count, err);
	for (size_t i = 0; !r && i < count; i++)
		move_cancel_old(list[i]);
	if (!r)
		r = run_turns(list, count, err);
	for (size_t i = 0; r && i < count; i++)
		list[i]->stage = "stop";
	if (r)
		run_close(list, count);
	for (size_t i = 0; i < count; i++)
		end(list[i]);
	return r;
}

int transfer_run(struct transfer *t, struct berth_error *err)
{
	return transfer_run_all(&t, 1, err);
}
