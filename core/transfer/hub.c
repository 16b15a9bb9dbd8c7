/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: one GET for the moves of one blob to several targets. See fan.h. Each move
 * hashes what comes and keeps its own marks, so that it can go on alone at any byte.
 *
 * Requests are started, resumed and freed by the loop in its next round, so that a run
 * may be pumped here whatever called us; still it is done by a timer, so that no run
 * turns inside of another one's turn.
 */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/transfer/fan.h"

#define TICK_MS 250

static void stream_free(struct stream *s)
{
	struct stream **at = &s->fan->streams;
	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	registry_request_free(s->reader);
	free(s);
}

static void detach(struct move *m)
{
	struct move **at = &m->stream->members;
	while (*at != m)
		at = &(*at)->next_member;
	*at = m->next_member;
	m->next_member = NULL;
	m->stream = NULL;
	m->is_lagging = false;
	m->lagged_ms = 0;
}

static bool is_member(const struct stream *s, const struct transfer *t)
{
	const struct move *m = s->members;
	while (m && m->run != t)
		m = m->next_member;
	return m != NULL;
}

/* --- who is waited for --- */

/* Is a move of that run on its way back to where the source broke? */
static bool comes_back(const struct transfer *t, const struct stream *s)
{
	for (const struct move *m = t->moves; m; m = m->next)
		if (m->is_mate && !m->stream && !m->reader && m->received == s->offset &&
		    (m->read_retry || m->waits == WAIT_READ) &&
		    digest_equal(&m->place->digest, &s->digest))
			return true;
	return false;
}

/* The place of that run that is to be sent the blob and has not begun; NULL: none. */
static struct place *queued(struct transfer *t, const struct digest *d)
{
	const struct blob *b = run_find_blob(t, d);
	struct place *p = b && b->turn ? t->ready.items[b->turn - 1] : NULL;
	return p && place_is_wanted(p) ? p : NULL;
}

/* Has that run asked for the blob's claim, or got it, and not begun to move it? One that
 * another job has is not waited for. */
static bool claims(struct transfer *t, const struct digest *d)
{
	const struct blob *b = run_find_blob(t, d);
	if (b && b->asking)
		return !b->is_waiting && place_is_wanted(b->asking);
	for (size_t i = t->granted_next; b && i < t->granted.count; i++)
		if (((const struct place *)t->granted.items[i])->blob == b)
			return true;
	return false;
}

static bool is_awaited(const struct stream *s, struct transfer *t)
{
	if (t->goes_alone || t->ended || is_member(s, t))
		return false;
	return comes_back(t, s) || (!s->offset && (queued(t, &s->digest) || claims(t, &s->digest)));
}

static bool awaits_any(const struct stream *s)
{
	for (size_t i = 0; i < s->fan->run_count; i++)
		if (is_awaited(s, s->fan->runs[i]))
			return true;
	return false;
}

/* The blob comes next in that run, behind those that were put there before. */
static void promote(struct transfer *t, struct place *p)
{
	size_t from = p->blob->turn - 1, to = t->ready_next + t->promoted;
	if (from < to)
		return;
	struct place *other = t->ready.items[to];
	t->ready.items[from] = other;
	t->ready.items[to] = p;
	if (other->blob->turn == to + 1)
		other->blob->turn = from + 1;
	p->blob->turn = to + 1;
	t->promoted++;
}

static void fire_pump(void *user)
{
	struct fan *f = user;
	f->pump_timer = NULL;
	for (size_t i = 0; i < f->run_count; i++)
		run_pump(f->runs[i]);
}

static void arm(struct fan *f, struct net_timer **timer, uint64_t delay_ms, void (*fire)(void *))
{
	struct berth_error err = ERROR_INIT;
	if (!*timer && f->run_count && net_timer_start(f->loop, delay_ms, fire, f, timer, &err))
		run_abort(f->runs[0], &err);
}

static void fire_tick(void *user)
{
	struct fan *f = user;
	f->timer = NULL;
	hub_tick(f);
}

static void call_others(const struct stream *s)
{
	for (size_t i = 0; i < s->fan->run_count; i++) {
		struct transfer *t = s->fan->runs[i];
		struct place *p = is_awaited(s, t) ? queued(t, &s->digest) : NULL;
		if (p)
			promote(t, p);
	}
	arm(s->fan, &s->fan->pump_timer, 0, fire_pump);
}

/* --- reading --- */

/* The first member pays; under a rate it stands in line for that. */
static void begin(struct stream *s)
{
	s->has_begun = true;
	s->began_ms = clock_monotonic_ms();
	read_alone(s->members);
}

/* Ends the stream and tells its members. */
static void end(struct stream *s, const struct berth_error *err)
{
	struct move *members[TRANSFER_FAN_MAX];
	size_t count = 0;
	while (s->members) {
		members[count] = s->members;
		detach(members[count]);
		members[count++]->is_mate = true;
	}
	stream_free(s);
	for (size_t i = 0; i < count; i++)
		read_end(members[i], err);
}

static void take_headers(void *user, struct registry_request *q)
{
	struct stream *s = user;
	for (struct move *m = s->members; m; m = m->next_member)
		read_headers(m, q);
}

/* Which of the members have no room for so many bytes? True: some. */
static bool find_lagging(struct stream *s, size_t byte_count)
{
	size_t count = 0, lagging = 0;
	for (struct move *m = s->members; m; m = m->next_member) {
		m->is_lagging = !ring_has_room(&m->ring, byte_count);
		lagging += m->is_lagging;
		count++;
	}
	for (struct move *m = s->members; lagging == count && m; m = m->next_member)
		m->is_lagging = false; /* none waits for another one */
	return lagging > 0;
}

/* What a member made the others wait is on its account. */
static void account(struct stream *s)
{
	uint64_t now_ms = clock_monotonic_ms();
	for (struct move *m = s->members; s->blocked_ms && m; m = m->next_member)
		m->lagged_ms += m->is_lagging ? now_ms - s->blocked_ms : 0;
	s->blocked_ms = 0;
}

static ssize_t consume(void *user, struct registry_request *q, const char *bytes, size_t byte_count)
{
	struct stream *s = user;
	size_t most = 0;
	(void)q;
	account(s);
	for (struct move *m = s->members; m; m = m->next_member) {
		ssize_t fresh = read_fresh(m, byte_count);
		if (fresh < 0)
			return -1;
		most = (size_t)fresh > most ? (size_t)fresh : most;
	}
	bool blocks = most && find_lagging(s, most);
	if (blocks)
		s->blocked_ms = clock_monotonic_ms();
	if (blocks || !read_may_pay(s->members, most)) {
		s->is_paused = true;
		return NET_PAUSE;
	}
	for (struct move *m = s->members; m; m = m->next_member)
		if (read_take(m, bytes, byte_count))
			return -1;
	for (struct move *m = s->members; m; m = m->next_member)
		move_tick(m->run);
	return (ssize_t)byte_count;
}

static void done(void *user, struct registry_request *q, const struct berth_error *err)
{
	(void)q;
	end(user, err);
}

void hub_get(struct stream *s)
{
	struct berth_error err = ERROR_INIT;
	struct registry_call call = {
		.consume = consume, .headers = take_headers, .done = done, .user = s};
	for (struct move *m = s->members; m; m = m->next_member)
		read_prepare(m);
	if (!read_request(s->members, &call, &s->reader, &err))
		return;
	while (s->members) {
		s->members->broken = err;
		detach(s->members);
	}
	stream_free(s);
}

void hub_wake(struct stream *s)
{
	if (!s->is_paused || !s->reader)
		return;
	for (const struct move *m = s->members; m; m = m->next_member)
		if (!ring_has_room(&m->ring, PIECE_BYTES))
			return;
	s->is_paused = false;
	registry_resume(s->reader);
}

/* --- members --- */

static struct stream *find_open(struct fan *f, const struct move *m)
{
	for (struct stream *s = f->streams; s; s = s->next)
		if (!s->has_begun && s->offset == m->received && !is_member(s, m->run) &&
		    digest_equal(&s->digest, &m->place->digest))
			return s;
	return NULL;
}

static struct stream *stream_new(struct fan *f, const struct move *m)
{
	struct stream *s = calloc(1, sizeof *s);
	if (!s)
		return NULL; /* it reads for itself, and finds out */
	s->fan = f;
	s->digest = m->place->digest;
	s->offset = m->received;
	s->began_ms = clock_monotonic_ms();
	s->next = f->streams;
	f->streams = s;
	return s;
}

/* At the beginning of a blob, or where a stream broke: elsewhere nobody else is. */
static bool may_join(const struct move *m)
{
	const struct transfer *t = m->run;
	if (!t->fan || !t->fan->is_open || t->goes_alone || m->is_whole)
		return false;
	return m->received ? m->is_mate : m->attempt == 1;
}

bool hub_join(struct move *m)
{
	struct fan *f = m->run->fan;
	if (!may_join(m))
		return false;
	struct stream *s = find_open(f, m);
	bool is_new = !s;
	if (is_new && !(s = stream_new(f, m)))
		return false;
	m->stream = s;
	m->next_member = s->members;
	s->members = m;
	if (!awaits_any(s)) {
		if (is_new) { /* nobody else is to have it */
			detach(m);
			stream_free(s);
			return false;
		}
		begin(s);
		return true;
	}
	if (is_new)
		call_others(s);
	arm(f, &f->timer, TICK_MS, fire_tick);
	return true;
}

void hub_leave(struct move *m)
{
	struct stream *s = m->stream;
	if (!s)
		return;
	bool was_first = s->members == m;
	detach(m);
	if (!s->members) {
		stream_free(s);
		return;
	}
	if (was_first && s->has_begun && !s->reader)
		read_alone(s->members); /* it was in line to pay */
	hub_wake(s);
}

/* --- patience --- */

/* Others are ready to read; those that don't come do so for themselves from now on. */
static void look_at_open(struct stream *s)
{
	bool is_late = clock_monotonic_ms() - s->began_ms >= s->fan->patience_ms;
	for (size_t i = 0; is_late && i < s->fan->run_count; i++)
		if (is_awaited(s, s->fan->runs[i]))
			s->fan->runs[i]->goes_alone = true;
	if (!awaits_any(s))
		begin(s);
}

/* One for which the others wait more than they read reads for itself. */
static void look_at_lagging(struct stream *s)
{
	uint64_t now_ms = clock_monotonic_ms(), age_ms = now_ms - s->began_ms;
	struct move *next;
	account(s);
	if (s->is_paused && s->reader)
		s->blocked_ms = now_ms;
	for (struct move *m = s->members; m; m = next) {
		next = m->next_member;
		if (!m->is_lagging || m->lagged_ms < s->fan->patience_ms ||
		    2 * m->lagged_ms < age_ms)
			continue;
		m->run->goes_alone = true;
		hub_leave(m);
		read_alone(m);
		return; /* the stream goes on; or it is gone */
	}
}

void hub_tick(struct fan *f)
{
	struct stream *next;
	for (struct stream *s = f->streams; s; s = next) {
		next = s->next;
		if (s->has_begun)
			look_at_lagging(s);
		else
			look_at_open(s);
	}
	arm(f, &f->pump_timer, 0, fire_pump);
	if (f->streams)
		arm(f, &f->timer, TICK_MS, fire_tick);
}

void hub_drop(struct fan *f)
{
	while (f->streams)
		stream_free(f->streams);
	net_timer_cancel(f->timer);
	net_timer_cancel(f->pump_timer);
	f->timer = f->pump_timer = NULL;
}
