/* SPDX-License-Identifier: Apache-2.0 */
/* One blob on its way: a GET at the source streamed into a POST and PUT (or PATCH
 * and PUT) at the target, hashed as it comes. The POST and the GET start together;
 * bytes wait in the ring. Here is the life of a move: its tries, its end, and who
 * is woken. See move.h for the other files.
 *
 * After a failure the target is asked whether the lost answer was a yes, then how
 * much of the upload it has. docker-registry 2.8 forgets an interrupted one (404
 * BLOB_UPLOAD_INVALID): there it is cancelled and begun anew.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/transfer/fan.h"

/* What is said of streams has to fit a frame, with what else is said; of one stream
 * beside its names. */
#define STREAMS_BYTES (48u << 10)
#define STREAM_BYTES 128

int64_t move_size(const struct move *m)
{
	return m->place->blob->byte_count;
}

static void slot_take(struct move *m, int side)
{
	if (!m->has_slot[side])
		m->run->sides[side].lane->in_flight++;
	m->has_slot[side] = true;
}

void slot_give(struct move *m, int side)
{
	if (m->has_slot[side])
		m->run->sides[side].lane->in_flight--;
	m->has_slot[side] = false;
}

static void move_free(struct move *m)
{
	struct transfer *t = m->run;
	drop_reader(m);
	drop_writer(m);
	net_timer_cancel(m->retry);
	ring_done(&m->ring);
	hasher_free(m->hasher);
	spool_close(m->spool, t->is_interrupted);
	free(m->session);
	slot_give(m, SIDE_SOURCE);
	slot_give(m, SIDE_TARGET);
	t->moves_waiting -= m->waits != WAIT_NOT; /* drop_reader saw to WAIT_READ */
	t->move_count--;
	for (int i = 0; i < 2; i++)
		if (t->line[i] == m)
			t->line[i] = m->next;
	if (m->previous)
		m->previous->next = m->next;
	else
		t->moves = m->next;
	if (m->next)
		m->next->previous = m->previous;
	free(m);
}

void move_end(struct move *m, bool by_us)
{
	struct transfer *t = m->run;
	struct place *p = m->place;
	struct blob *b = p->blob;
	uint64_t bytes = (uint64_t)b->byte_count;
	for (int i = 0; i < 2; i++)
		lane_answered(&t->sides[i], &(struct berth_error)ERROR_INIT, 0);
	t->done_bytes += bytes;
	t->done_blobs++;
	p->by_us = by_us;
	move_forget(m);
	if (p->waiters.count)
		node_account(p->waiters.items[0], by_us ? bytes : 0, 0, m->attempt);
	move_free(m);
	b->led = false;
	claim_release(t, b, p->pair->target);
	place_present(t, p);
	blob_start(t, b);
	run_pump(t);
}

/* The source's fault is kept in m->bad; all else that ends an upload is the target's. */
void move_fail(struct move *m, struct berth_error *err)
{
	int side = m->bad.code ? SIDE_SOURCE : SIDE_TARGET;
	struct transfer *t = m->run;
	struct place *p = m->place;
	struct blob *b = p->blob;
	char digest[DIGEST_TEXT_ROOM];
	digest_format(&p->digest, digest);
	berth_wrap(err, "cannot copy blob %.71s from '%.100s'", digest, p->pair->label_source);
	cancel_session(m);
	if (p->waiters.count)
		node_account(p->waiters.items[0], 0, 0, m->attempt);
	move_free(m);
	b->led = false;
	claim_release(t, b, NULL);
	place_failed(t, p, run_fault(t, side, err));
	blob_start(t, b);
	run_pump(t);
}

void move_leave(struct move *m)
{
	struct transfer *t = m->run;
	cancel_session(m);
	move_free(m);
	run_pump(t);
}

bool is_passing(int code)
{
	return code == BERTH_E_UNAVAILABLE || code == BERTH_E_TIMEOUT || code == BERTH_E_THROTTLED;
}

/* Upload errors after which a new upload may do: also a session that is gone, a
 * token that ran out on the way, an answer that was cut. */
static bool is_worth_another(int code)
{
	return is_passing(code) || code == BERTH_E_NOT_FOUND || code == BERTH_E_AUTH ||
	       code == BERTH_E_PROTOCOL;
}

uint64_t move_backoff_ms(const struct move *m, unsigned failures, const struct berth_error *err)
{
	unsigned doublings = failures > 6 ? 5 : failures ? failures - 1 : 0;
	uint64_t ms = (uint64_t)m->run->set.backoff_ms << doublings;
	return err->retry_ms > ms ? err->retry_ms : ms;
}

/* May the last try have been stored, its answer lost? Of an upload that began anew this
 * is asked every second time alone: against a server that fails each fourth request the
 * same request would fail in every try. */
static bool may_be_there(const struct move *m)
{
	return m->stage >= STAGE_STREAM && m->sent == move_size(m) &&
	       (m->session || m->attempt % 2);
}

static void attempt_begin(struct move *m)
{
	bool asks = may_be_there(m);
	m->attempt++;
	m->received = m->sent = m->base = m->began = m->skip = m->read_mark = 0;
	m->read_failures = m->asks = 0;
	m->acked = -1;
	m->verified = m->is_fed = false;
	m->is_pieced = false;
	m->bad.code = m->broken.code = 0;
	m->stage = STAGE_ASK;
	if (asks)
		ask_start(m);
	else if (m->session)
		status_start(m);
	else
		stream_start(m);
}

static void fire_retry(void *user)
{
	struct move *m = user;
	m->retry = NULL;
	move_wait(m, WAIT_ALL);
}

void move_wait(struct move *m, enum wait waits)
{
	m->waits = waits;
	m->run->moves_waiting++;
	run_pump(m->run);
}

static bool has_what_it_waits_for(const struct move *m)
{
	if (m->waits == WAIT_READ)
		return lane_has_slot(m->run->sides[SIDE_SOURCE].lane);
	return m->waits == WAIT_ALL && run_has_slots(m->run);
}

bool move_go_on(struct transfer *t)
{
	struct move *m = t->moves;
	while (m && !has_what_it_waits_for(m))
		m = m->next;
	if (!m)
		return false;
	enum wait waited = m->waits;
	m->waits = WAIT_NOT;
	t->moves_waiting--;
	slot_take(m, SIDE_SOURCE);
	if (waited == WAIT_READ) {
		read_start(m);
		return true;
	}
	slot_take(m, SIDE_TARGET);
	attempt_begin(m);
	return true;
}

bool move_troubled(struct move *m, int side, const struct berth_error *err)
{
	struct side *s = &m->run->sides[side];
	if (!is_passing(err->code))
		return false;
	if (err->code == BERTH_E_THROTTLED)
		registry_hold(s->registry, err->retry_ms);
	return lane_answered(s, err, m->began_ms[side]);
}

/* distribution 3 says 416 to bytes that do not follow what it has, as when libcurl
 * itself sent a request again on a new connection. */
static bool is_out_of_step(const struct berth_error *err)
{
	return err->from == BERTH_FROM_HTTP && err->upstream == 416;
}

/* May the target have kept what it got of this upload? One that it does not tell of is
 * given up in time for a try from the first byte. */
static bool is_worth_asking(const struct move *m, const struct berth_error *err)
{
	bool is_untold = m->stage == STAGE_STATUS &&
			 (err->code == BERTH_E_TIMEOUT || m->failures + 1 >= m->run->set.tries);
	return m->session && !m->bad.code && !m->is_mute && !is_untold &&
	       (is_passing(err->code) || is_out_of_step(err)) &&
	       (m->stage <= STAGE_STATUS || m->sent >= PROGRESS_BYTES);
}

/* It went on from what an earlier upload had left or from the middle of the source's
 * blob, and that was no good: from the first byte, then. */
static bool is_doubtful(const struct move *m, int code)
{
	if (m->is_pieced && m->bad.code == BERTH_E_DIGEST)
		return true;
	return (m->base || m->began || m->is_fed) && (m->bad.code || !is_passing(code));
}

static bool is_last(struct move *m, const struct berth_error *err)
{
	if (!place_is_wanted(m->place))
		return true; /* its image has failed by another blob */
	/* What the source said was told when it said it. */
	if (!m->bad.code && move_troubled(m, SIDE_TARGET, err))
		return false;
	m->failures++;
	if (m->failures >= m->run->set.tries)
		return true;
	if (m->stage == STAGE_STATUS || is_doubtful(m, err->code) || is_worth_asking(m, err))
		return false;
	return m->bad.code || (!is_worth_another(err->code) && !is_out_of_step(err));
}

/* This upload is over; it goes on, or another one, or this is the end. */
void attempt_fail(struct move *m, const struct berth_error *why)
{
	struct berth_error err = *why, timer = ERROR_INIT;
	m->broken.code = 0;
	drop_reader(m);
	if (m->retry || m->waits == WAIT_ALL)
		return; /* it failed at both ends: one more try is under way */
	if (m->stage == STAGE_OPEN && m->writer) {
		m->late = err; /* an upload is being opened: to cancel it, we must know it */
		return;
	}
	drop_writer(m);
	ring_done(&m->ring);
	if (is_last(m, &err)) {
		move_fail(m, &err);
		return;
	}
	if (!is_worth_asking(m, &err)) {
		cancel_session(m);
		m->kept.mark_count = 0;
		m->is_mute = m->is_mute || m->stage == STAGE_STATUS;
		m->is_whole = m->is_whole || m->bad.code;
		if (m->bad.code && m->spool)
			spool_empty(m->spool);
	}
	if (net_timer_start(m->run->set.loop, move_backoff_ms(m, m->failures, &err), fire_retry, m,
			    &m->retry, &timer)) {
		move_fail(m, &timer);
		return;
	}
	slot_give(m, SIDE_SOURCE);
	slot_give(m, SIDE_TARGET);
	run_pump(m->run);
}

void move_start(struct transfer *t, struct place *p)
{
	struct berth_error err = ERROR_INIT;
	struct move *m = calloc(1, sizeof *m);
	if (!m) {
		berth_fail_memory(&err);
		run_abort(t, &err);
		return;
	}
	m->run = t;
	m->place = p;
	m->next = t->moves;
	if (m->next)
		m->next->previous = m;
	t->moves = m;
	slot_take(m, SIDE_SOURCE);
	slot_take(m, SIDE_TARGET);
	t->move_count++;
	ring_init(&m->ring, &t->pool);
	m->slot = -1;
	move_recall(m);
	if (t->set.spool_bytes && t->set.journal_folder)
		m->spool = spool_open(t->set.journal_folder, &p->digest, move_size(m),
				      t->set.spool_bytes);
	attempt_begin(m);
}

void move_drop_all(struct transfer *t, bool all)
{
	struct move *next;
	for (struct move *m = t->moves; m; m = next) {
		next = m->next;
		if (m->writer && m->stage == STAGE_OPEN && !all) {
			m->dropped = true; /* open_done cancels what it opened */
			drop_reader(m);
			continue;
		}
		drop_writer(m);
		if (!all)
			cancel_session(m);
		move_free(m);
	}
}

static struct move *next_in_line(struct transfer *t, int side)
{
	struct move *m = t->line[side] ? t->line[side] : t->moves;
	t->line[side] = m->next;
	return m;
}

/* Those that can go on do, one after the other where there is a limit. */
static void wake_readers(struct transfer *t)
{
	uint64_t pieces = pace_pieces(t, RATE_SENT), taken = pace_pieces(t, RATE_TAKEN);
	pieces = taken < pieces ? taken : pieces;
	for (unsigned n = t->move_count; n && pieces; n--) {
		struct move *m = next_in_line(t, SIDE_SOURCE);
		if (m->is_due) {
			read_pay(m);
			if (m->is_due)
				return;
			continue;
		}
		if (m->stream)
			hub_wake(m->stream);
		if (!m->reader_paused || !m->reader || !ring_has_room(&m->ring, PIECE_BYTES))
			continue;
		m->reader_paused = false;
		registry_resume(m->reader);
		pieces--;
	}
}

static void wake_writers(struct transfer *t)
{
	uint64_t pieces = pace_pieces(t, RATE_WRITTEN);
	for (unsigned n = t->move_count; n; n--) {
		struct move *m = next_in_line(t, SIDE_TARGET);
		bool is_over = m->verified && m->sent == move_size(m);
		bool can_send = is_over || (m->ring.byte_count && pieces);
		if (!m->writer_paused || !m->writer || !can_send || m->bad.code)
			continue;
		m->writer_paused = false;
		registry_resume(m->writer);
		pieces -= is_over ? 0 : 1;
	}
}

void move_tick(struct transfer *t)
{
	for (struct move *m = t->moves; m; m = m->next)
		read_feed(m);
	wake_writers(t);
	wake_readers(t);
}

bool move_is_stuck(const struct transfer *t)
{
	for (const struct move *m = t->moves; m; m = m->next)
		if (m->reader || m->stream || m->writer || m->retry || m->read_retry || m->is_due ||
		    m->broken.code)
			return false;
	return true;
}

void move_mend(struct transfer *t)
{
	struct move *next;
	for (struct move *m = t->moves; m; m = next) {
		struct berth_error err = m->broken;
		next = m->next;
		m->broken.code = 0;
		if (err.code)
			attempt_fail(m, &err);
	}
}

json_t *move_streams(const struct transfer *t, uint64_t *ret_bytes)
{
	json_t *list = json_array();
	size_t room = STREAMS_BYTES;
	*ret_bytes = 0;
	for (const struct move *m = t->moves; m; m = m->next) {
		char digest[DIGEST_TEXT_ROOM];
		digest_format(&m->place->digest, digest);
		*ret_bytes += (uint64_t)m->sent;
		size_t need = strlen(m->place->pair->label_target) + sizeof digest + STREAM_BYTES;
		if (need > room)
			continue;
		room -= need;
		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:i}", "repository",
						      m->place->pair->label_target, "digest",
						      digest, "done", (json_int_t)m->sent, "total",
						      (json_int_t)move_size(m), "attempt",
						      (int)m->attempt));
	}
	return list;
}
