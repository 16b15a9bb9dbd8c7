/* SPDX-License-Identifier: Apache-2.0 */
/* The source's end of a move: the GET, its bytes hashed and put into the ring as
 * the limit and the ring allow. A read that breaks goes on by Range from where it
 * was. The last bytes are put only after the digest was right, so no target ever
 * gets a whole wrong blob from us.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/transfer/fan.h"

void drop_reader(struct move *m)
{
	hub_leave(m);
	registry_request_free(m->reader);
	net_timer_cancel(m->read_retry);
	m->reader = NULL;
	m->read_retry = NULL;
	if (m->waits == WAIT_READ) {
		m->waits = WAIT_NOT;
		m->run->moves_waiting--;
	}
	m->reader_paused = m->feeding = m->is_due = false;
	m->paid = m->taken = 0; /* what was paid for has been sent, or may have been */
}

/* What the source has sent and we have not taken, or may have, or the rest of the blob:
 * the rate is one of what the source sends, not of what we look at. */
static int64_t sent_ahead(const struct move *m)
{
	const struct registry_request *q = m->stream ? m->stream->reader : m->reader;
	int64_t waiting = q ? (int64_t)registry_waiting(q) : 0, usual = pace_ahead(m->run);
	return waiting > usual ? waiting : usual;
}

/* Pays until *credit is that much. */
static bool pay_up(struct move *m, enum transfer_rate rate, int64_t *credit, int64_t byte_count)
{
	while (*credit < byte_count) {
		int64_t bytes = byte_count - *credit;
		bytes = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
		if (!pace_take(m->run, rate, (size_t)bytes))
			return false;
		*credit += bytes;
	}
	return true;
}

/* May byte_count bytes be taken from the source's stream now? */
static bool pay(struct move *m, int64_t byte_count)
{
	if (!pace_is_on(m->run, RATE_SENT)) {
		m->paid = m->taken = 0;
		return true;
	}
	int64_t ahead = byte_count + sent_ahead(m), left = move_size(m) - m->received;
	if (!pay_up(m, RATE_SENT, &m->paid, left < ahead ? left : ahead) ||
	    !pay_up(m, RATE_TAKEN, &m->taken, byte_count))
		return false;
	m->paid -= byte_count;
	m->taken -= byte_count;
	return true;
}

/* Does it begin where it was asked to, and is it no longer than the rest? */
static bool is_range_right(const struct move *m, const char *range, const char *length)
{
	uint64_t bytes;
	if (!range || strncmp(range, "bytes ", 6) != 0 ||
	    strtoll(range + 6, NULL, 10) != m->received)
		return false;
	return !length || (text_parse_u64(length, 0, INT64_MAX, &bytes) &&
			   (int64_t)bytes <= move_size(m) - m->received);
}

/* A range that is not the one asked for is no word about the blob itself. */
static void take_range(struct move *m, const struct registry_request *q)
{
	const char *range = registry_header(q, "Content-Range");
	m->is_astray = !is_range_right(m, range, registry_header(q, "Content-Length"));
	m->is_pieced = m->is_pieced || m->received;
}

void read_headers(void *user, struct registry_request *q)
{
	struct move *m = user;
	const char *length = registry_header(q, "Content-Length");
	uint64_t bytes;
	int status = registry_status(q);
	if (status < 200 || status > 299)
		return;
	if (status == 206) {
		take_range(m, q);
		return;
	}
	m->skip = m->received; /* all of it comes: what we have is passed over */
	bool is_other = length && text_parse_u64(length, 0, INT64_MAX, &bytes) &&
			(int64_t)bytes != move_size(m);
	m->is_astray = is_other && m->is_ranged;
	if (is_other && !m->is_ranged)
		berth_fail(&m->bad, BERTH_E_DIGEST,
			   "the source gives %s bytes of a blob of %" PRId64, length, move_size(m));
}

/* All bytes are here: are they the right ones? */
static bool verify(struct move *m)
{
	struct digest is;
	char text[DIGEST_TEXT_ROOM];
	hasher_end(m->hasher, &is);
	m->verified = digest_equal(&is, &m->place->digest);
	if (m->verified)
		return true;
	digest_format(&is, text);
	berth_fail(&m->bad, BERTH_E_DIGEST, "the source's bytes do not have their digest");
	berth_cause(&m->bad, "they have %s", text);
	return false;
}

/* Hashes what came and puts into the ring what the target does not have yet. */
static int take_in(struct move *m, const char *bytes, size_t byte_count)
{
	int64_t known = m->base - m->received;
	spool_add(m->spool, m->received, bytes, byte_count);
	size_t had = known <= 0 ? 0 : known < (int64_t)byte_count ? (size_t)known : byte_count;
	m->received += (int64_t)byte_count;
	hasher_add(m->hasher, bytes, byte_count);
	hash_mark(m);
	if (byte_count && m->received == move_size(m) && !verify(m))
		return -1;
	if (ring_put(&m->ring, bytes + had, byte_count - had))
		return 0;
	berth_fail_memory(&m->bad);
	return -1;
}

ssize_t read_fresh(struct move *m, size_t byte_count)
{
	size_t skip = m->skip < (int64_t)byte_count ? (size_t)m->skip : byte_count;
	size_t fresh = byte_count - skip;
	if (m->bad.code || m->is_astray)
		return -1;
	if ((int64_t)fresh <= move_size(m) - m->received)
		return (ssize_t)fresh;
	berth_fail(&m->bad, BERTH_E_DIGEST,
		   "the source gives more than the %" PRId64 " bytes of the blob", move_size(m));
	return -1;
}

bool read_may_pay(struct move *m, size_t byte_count)
{
	return !byte_count || pay(m, (int64_t)byte_count);
}

int read_take(struct move *m, const char *bytes, size_t byte_count)
{
	size_t skip = m->skip < (int64_t)byte_count ? (size_t)m->skip : byte_count;
	m->skip -= (int64_t)skip;
	return take_in(m, bytes + skip, byte_count - skip);
}

static ssize_t read_consume(void *user, struct registry_request *q, const char *bytes,
			    size_t byte_count)
{
	struct move *m = user;
	ssize_t fresh = read_fresh(m, byte_count);
	(void)q;
	if (fresh < 0)
		return -1;
	if (fresh && (!ring_has_room(&m->ring, (size_t)fresh) || !read_may_pay(m, (size_t)fresh))) {
		m->reader_paused = true;
		return NET_PAUSE;
	}
	if (read_take(m, bytes, byte_count))
		return -1;
	move_tick(m->run);
	return (ssize_t)byte_count;
}

static void fire_read_retry(void *user)
{
	struct move *m = user;
	m->read_retry = NULL;
	move_wait(m, WAIT_READ);
}

/* A source whose ranges are no good may still give the whole blob: that is the last
 * try at the latest. */
static bool may_go_on(struct move *m, int code)
{
	bool was_ranged = m->is_ranged && !m->is_whole;
	unsigned tries = m->run->set.tries;
	if (m->read_failures >= tries || !place_is_wanted(m->place))
		return false;
	m->is_whole |= was_ranged && (!is_passing(code) || m->read_failures + 1 == tries);
	return is_passing(code) || was_ranged;
}

/* Goes on by Range after a pause; failures that follow progress don't add up. */
static void read_again(struct move *m, const struct berth_error *why)
{
	struct berth_error err = *why, timer = ERROR_INIT;
	if (m->received - m->read_mark >= PROGRESS_BYTES)
		m->read_failures = 0;
	m->read_mark = m->received;
	m->read_failures += !move_troubled(m, SIDE_SOURCE, &err);
	if (!may_go_on(m, err.code)) {
		m->bad = err; /* no other upload would help */
		attempt_fail(m, &err);
		return;
	}
	if (net_timer_start(m->run->set.loop, move_backoff_ms(m, m->read_failures, &err),
			    fire_read_retry, m, &m->read_retry, &timer)) {
		attempt_fail(m, &timer);
		return;
	}
	slot_give(m, SIDE_SOURCE);
	run_pump(m->run);
}

void read_end(struct move *m, const struct berth_error *err)
{
	struct berth_error mine = *err;
	if (!mine.code && !move_size(m) && !m->received)
		verify(m); /* of nothing */
	drop_reader(m);
	if (m->bad.code) {
		attempt_fail(m, &m->bad);
		return;
	}
	if (m->verified) {
		if (m->stage == STAGE_IDLE)
			write_start(m);
		return;
	}
	if (m->is_astray)
		berth_fail(&mine, BERTH_E_PROTOCOL,
			   "the source answered another range than it was asked for");
	else if (!mine.code)
		berth_fail(&mine, BERTH_E_UNAVAILABLE,
			   "the source ended after %" PRId64 " of %" PRId64 " bytes", m->received,
			   move_size(m));
	read_again(m, &mine);
}

static void read_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	(void)q;
	read_end(user, err);
}

int read_request(struct move *m, struct registry_call *call, struct registry_request **ret,
		 struct berth_error *err)
{
	char digest[DIGEST_TEXT_ROOM], range[48], path[512];
	digest_format(&m->place->digest, digest);
	snprintf(path, sizeof path, "/v2/%s/blobs/%s", m->place->pair->source, digest);
	snprintf(range, sizeof range, "bytes=%" PRId64 "-", m->received);
	call->method = "GET";
	call->repository = m->place->pair->source;
	call->path = path;
	call->rights = REGISTRY_PULL;
	call->range = m->received && !m->is_whole ? range : NULL;
	call->follow = call->once = true;
	return registry_start(m->run->sides[SIDE_SOURCE].registry, call, ret, err);
}

void read_prepare(struct move *m)
{
	m->skip = 0;
	m->is_astray = false;
	m->is_ranged = m->received && !m->is_whole;
	m->began_ms[SIDE_SOURCE] = clock_monotonic_ms();
}

static void start_get(struct move *m)
{
	struct berth_error err = ERROR_INIT;
	struct registry_call call = {
		.consume = read_consume, .headers = read_headers, .done = read_done, .user = m};
	read_prepare(m);
	if (m->stream)
		hub_get(m->stream);
	else if (read_request(m, &call, &m->reader, &err))
		m->broken = err;
}

void read_pay(struct move *m)
{
	if (!pay(m, 0)) {
		m->run->line[SIDE_SOURCE] = m; /* its turn goes on: the next one's GET is later */
		return;
	}
	m->is_due = false;
	start_get(m);
}

/* Under a rate it stands in line with the streams that wait for it. */
void read_alone(struct move *m)
{
	m->is_due = pace_is_on(m->run, RATE_SENT);
	if (m->is_due)
		pace_turn_soon(m->run);
	else
		start_get(m);
}

static void ask_source(struct move *m)
{
	if (!hub_join(m))
		read_alone(m);
}

/* A failure waits for the next tick: this runs inside of libcurl, too. */
void read_feed(struct move *m)
{
	char bytes[RING_CHUNK_BYTES];
	while (m->feeding && ring_has_room(&m->ring, sizeof bytes)) {
		ssize_t n = spool_read(m->spool, m->received, bytes, sizeof bytes);
		if (n < 1)
			berth_fail(&m->bad, BERTH_E_DIGEST, "the spool can't be read");
		m->feeding = n > 0 && !take_in(m, bytes, (size_t)n) &&
			     m->received < spool_size(m->spool);
		if (m->bad.code)
			m->broken = m->bad;
		else if (!m->feeding && !m->verified)
			ask_source(m);
	}
}

void read_start(struct move *m)
{
	m->feeding = m->received < spool_size(m->spool);
	m->is_fed = m->is_fed || m->feeding;
	if (m->feeding)
		read_feed(m);
	else
		ask_source(m);
}
