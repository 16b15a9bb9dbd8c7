/* SPDX-License-Identifier: Apache-2.0 */
/* Requests wait in their registry's queue until it has a slot; blobs wait until
 * both ends have one. Requests go first: they are short, and others wait for
 * what they say. Here is also the loop, and how a run ends.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/transfer/journal.h"
#include "core/transfer/parts.h"

#define LOOKS_MAX 2

static void end_no_memory(struct transfer *t)
{
	struct berth_error err = ERROR_INIT;
	berth_fail_memory(&err);
	run_abort(t, &err);
}

static void enqueue(struct op *op)
{
	struct side *s = op->side;
	op->next = NULL;
	op->previous = s->last;
	if (s->last)
		s->last->next = op;
	else
		s->first = op;
	s->last = op;
}

/* Before all that wait: it has waited before. */
static void enqueue_first(struct op *op)
{
	struct side *s = op->side;
	op->previous = NULL;
	op->next = s->first;
	if (s->first)
		s->first->previous = op;
	else
		s->last = op;
	s->first = op;
}

static struct op *dequeue(struct side *s)
{
	struct op *op = s->first;
	s->first = op->next;
	if (s->first)
		s->first->previous = NULL;
	else
		s->last = NULL;
	return op;
}

static void activate(struct op *op)
{
	op->previous = NULL;
	op->next = op->run->active;
	if (op->next)
		op->next->previous = op;
	op->run->active = op;
}

static void deactivate(struct op *op)
{
	if (op->previous)
		op->previous->next = op->next;
	else
		op->run->active = op->next;
	if (op->next)
		op->next->previous = op->previous;
}

struct op *op_add(struct transfer *t, int side, void *object, op_prepare *prepare,
		  op_finish *finish)
{
	struct op *op = calloc(1, sizeof *op);
	if (!op) {
		end_no_memory(t);
		return NULL;
	}
	op->run = t;
	op->side = &t->sides[side];
	op->object = object;
	op->prepare = prepare;
	op->finish = finish;
	enqueue(op);
	return op;
}

int op_path(struct op *op, struct berth_error *err, const char *fmt, ...)
{
	va_list args;
	free(op->path);
	op->path = NULL;
	va_start(args, fmt);
	if (vasprintf(&op->path, fmt, args) < 0)
		op->path = NULL;
	va_end(args);
	return op->path ? 0 : berth_fail_memory(err);
}

void op_ask(struct op *op, struct registry_call *call, const char *method, const struct pair *p)
{
	bool at_source = op->side == &op->run->sides[SIDE_SOURCE];
	call->method = method;
	call->repository = at_source ? p->source : p->target;
	call->rights = at_source ? REGISTRY_PULL : TARGET_RIGHTS;
}

bool is_no_head(const struct berth_error *err)
{
	return err->code && err->from == BERTH_FROM_HTTP && err->code != BERTH_E_NOT_FOUND &&
	       err->code != BERTH_E_AUTH && err->code != BERTH_E_THROTTLED;
}

int op_object(struct op *op, const struct registry_call *call, const char *kind,
	      const struct digest *d, struct berth_error *err)
{
	char digest[DIGEST_TEXT_ROOM];
	digest_format(d, digest);
	return op_path(op, err, "/v2/%s/%s/%s", call->repository, kind, digest);
}

int op_turn_page(struct op *op, char **next, unsigned page_max, struct berth_error *err)
{
	if (!op->step)
		(void)trail_repeats(&op->trail, op->path); /* the first page */
	if (trail_repeats(&op->trail, *next))
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "the list is not whole: its pages go round in a circle");
	if (++op->step > page_max)
		return berth_fail(err, BERTH_E_LIMIT, "the list is not whole: more than %u pages",
				  page_max);
	free(op->path);
	op->path = STEAL(*next);
	return 0;
}

void op_again(struct op *op, op_prepare *prepare, op_finish *finish)
{
	op->prepare = prepare;
	op->finish = finish;
	op->again = true;
}

bool op_look_again(struct op *op, const struct berth_error *err)
{
	if (err->code != BERTH_E_NOT_FOUND || op->looks >= LOOKS_MAX)
		return false;
	registry_hold(op->side->registry, (uint64_t)op->run->set.backoff_ms << op->looks++);
	op_again(op, op->prepare, op->finish);
	return true;
}

static void op_free(struct op *op)
{
	registry_request_free(op->q);
	free(op->path);
	free(op);
}

/* Hands the answer over; the op is gone or queued again afterwards. */
static void op_end(struct op *op, const struct berth_error *err)
{
	op->again = false;
	op->finish(op, err);
	if (!op->again) {
		op_free(op);
		return;
	}
	registry_request_free(op->q);
	op->q = NULL;
	enqueue(op);
}

static void op_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct op *op = user;
	struct transfer *t = op->run;
	struct berth_error mine = *err;
	bool is_throttled = mine.code == BERTH_E_THROTTLED;
	(void)q;
	bool is_free = lane_answered(op->side, err, op->began_ms);
	op->side->lane->in_flight--;
	deactivate(op);
	if (is_throttled && op_may_wait(op, is_free, &mine)) {
		registry_hold(op->side->registry, mine.retry_ms);
		registry_request_free(op->q);
		op->q = NULL;
		enqueue_first(op);
	} else {
		op_end(op, err);
	}
	run_pump(t);
}

static void op_start(struct op *op)
{
	struct berth_error err = ERROR_INIT;
	struct registry_call call = {.done = op_done, .user = op};
	int r = op->prepare(op, &call, &err);
	if (!r) {
		call.path = call.path ? call.path : op->path;
		call.busy_ends = true;
		op->began_ms = clock_monotonic_ms();
		r = registry_start(op->side->registry, &call, &op->q, &err);
	}
	if (r) {
		op_end(op, &err);
		return;
	}
	op->side->lane->in_flight++;
	activate(op);
}

/* A move takes a slot at both ends; two of one where both ends are the same. */
bool run_has_slots(const struct transfer *t)
{
	const struct lane *a = t->sides[SIDE_SOURCE].lane, *b = t->sides[SIDE_TARGET].lane;
	if (a == b)
		return a->in_flight + 2 <= a->window.limit;
	return lane_has_slot(a) && lane_has_slot(b);
}

static bool may_begin_move(const struct transfer *t)
{
	return t->move_count + t->claims_asked < t->set.moves && run_has_slots(t);
}

/* After a cancel only clean-ups are started. */
static struct op *next_op(struct transfer *t, struct side *s)
{
	if (!s->first || !lane_has_slot(s->lane) || (t->ended && !t->closing))
		return NULL;
	return dequeue(s);
}

static struct place *next_place(struct transfer *t)
{
	struct place *p = t->ready.items[t->ready_next++];
	t->promoted -= t->promoted > 0;
	p->blob->turn = 0;
	return p;
}

void run_pump(struct transfer *t)
{
	for (int i = 0; i < 2; i++)
		for (struct op *op; (op = next_op(t, &t->sides[i]));)
			op_start(op);
	while (!t->ended && t->moves_waiting && move_go_on(t))
		continue;
	while (!t->ended && t->granted_next < t->granted.count && may_begin_move(t))
		move_start(t, t->granted.items[t->granted_next++]);
	while (!t->ended && t->ready_next < t->ready.count && may_begin_move(t))
		place_go(t, next_place(t));
}

static void drop_active(struct transfer *t, bool all)
{
	struct op *next;
	for (struct op *op = t->active; op; op = next) {
		next = op->next;
		if ((op->awaited || op->cleanup) && !all)
			continue;
		deactivate(op);
		op->side->lane->in_flight--;
		op_free(op);
	}
}

static void drop_waiting(struct side *s, bool all)
{
	struct op *kept = NULL;
	while (s->first) {
		struct op *op = dequeue(s);
		if (op->cleanup && !all) {
			op->next = kept;
			kept = op;
		} else {
			op_free(op);
		}
	}
	while (kept) {
		struct op *op = kept;
		kept = op->next;
		enqueue(op);
	}
}

void run_drop_ops(struct transfer *t, bool all)
{
	drop_active(t, all);
	drop_waiting(&t->sides[SIDE_SOURCE], all);
	drop_waiting(&t->sides[SIDE_TARGET], all);
	t->ready_next = t->ready.count;
	t->granted_next = t->granted.count;
	t->claims_asked = t->claims_open = 0;
}

static bool is_quiet(const struct transfer *t)
{
	return !t->active && !t->moves && !t->sides[SIDE_SOURCE].first &&
	       !t->sides[SIDE_TARGET].first && t->ready_next >= t->ready.count &&
	       t->granted_next >= t->granted.count && !t->claims_open;
}

/* Runs whose requests one loop turns. */
struct crew {
	struct transfer *const *list;
	size_t count;
};

static bool are_quiet(const struct crew *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (!is_quiet(c->list[i]))
			return false;
	return true;
}

/* What ends one run ends all of them: a cancel, or what leaves no sense in going on. */
static bool has_ended(const struct crew *c)
{
	const struct transfer *first = NULL;
	for (size_t i = 0; !first && i < c->count; i++)
		first = c->list[i]->ended ? c->list[i] : NULL;
	for (size_t i = 0; first && i < c->count; i++)
		run_abort(c->list[i], &first->end_err);
	return first != NULL;
}

static void ask_cancelled(const struct crew *c)
{
	struct transfer *t = c->list[0];
	struct berth_error err = ERROR_INIT;
	int code = t->set.cancelled ? t->set.cancelled(t->set.user) : 0;
	if (!code)
		return;
	berth_fail(&err, code,
		   code == BERTH_E_TIMEOUT       ? "the deadline passed"
		   : code == BERTH_E_UNAVAILABLE ? "interrupted"
						 : "cancelled");
	for (size_t i = 0; i < c->count; i++)
		c->list[i]->is_interrupted = code == BERTH_E_UNAVAILABLE && c->list[i]->journal;
	run_abort(t, &err);
}

static int should_stop(void *user)
{
	const struct crew *c = user;
	if (c->list[0]->closing)
		return are_quiet(c) || clock_monotonic_ms() >= c->list[0]->close_at_ms;
	ask_cancelled(c);
	if (has_ended(c))
		return 1;
	for (size_t i = 0; i < c->count; i++) {
		struct transfer *t = c->list[i];
		move_mend(t);
		move_tick(t);
		journal_tick(t->journal, clock_monotonic_ms());
		report_progress(t, false);
	}
	return are_quiet(c);
}

static bool is_stuck(struct transfer *t)
{
	run_pump(t);
	return is_quiet(t) || !(t->active || t->claims_open || !move_is_stuck(t) || t->ended);
}

/* The loop has nothing left to do: so must we, or a bug would make us spin. */
static void check_stuck(const struct crew *c)
{
	struct berth_error err = ERROR_INIT;
	for (size_t i = 0; i < c->count; i++)
		if (!is_stuck(c->list[i]))
			return;
	if (are_quiet(c))
		return;
	berth_fail(&err, BERTH_E_INTERNAL, "the copy waits for something that does not come");
	run_abort(c->list[0], &err);
}

static void pump_all(const struct crew *c)
{
	for (size_t i = 0; i < c->count; i++)
		run_pump(c->list[i]);
}

int run_turns(struct transfer *const *list, size_t count, struct berth_error *err)
{
	struct crew c = {list, count};
	pump_all(&c);
	while (!has_ended(&c) && !are_quiet(&c)) {
		int r = net_loop_run(list[0]->set.loop, should_stop, &c, err);
		if (r)
			run_abort(list[0], err);
		check_stuck(&c);
	}
	if (list[0]->ended)
		*err = list[0]->end_err;
	return list[0]->ended;
}

static void close_turns(const struct crew *c)
{
	struct berth_error err = ERROR_INIT;
	c->list[0]->close_at_ms = clock_monotonic_ms() + c->list[0]->set.cleanup_ms;
	pump_all(c);
	if (!are_quiet(c) && net_loop_run(c->list[0]->set.loop, should_stop, (void *)c, &err))
		log_debug("while a run was ended early: %s", err.message);
}

void run_close(struct transfer *const *list, size_t count)
{
	struct crew c = {list, count};
	for (size_t i = 0; i < count; i++) {
		list[i]->closing = true;
		run_drop_ops(list[i], false);
		move_drop_all(list[i], false);
		if (!list[i]->is_interrupted)
			move_cancel_old(list[i]);
	}
	close_turns(&c);
	for (size_t i = 0; i < count; i++)
		if (!list[i]->is_interrupted)
			publish_look(list[i]);
	close_turns(&c);
	for (size_t i = 0; i < count; i++) {
		run_drop_ops(list[i], true);
		move_drop_all(list[i], true);
	}
}
