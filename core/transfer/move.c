/* SPDX-License-Identifier: Apache-2.0 */
/* One blob on its way: a GET at the source streamed into a POST and PUT (or PATCH
 * and PUT) at the target, hashed as it comes. The POST and the GET start together;
 * bytes wait in the ring. The last of them are given to the target only after the
 * digest was right, so no target ever gets a whole wrong blob from us.
 *
 * A read that breaks goes on by Range from where it was, into the same upload. An
 * upload that breaks is cancelled and begun anew: docker-registry 2.8 forgets an
 * interrupted one (404 BLOB_UPLOAD_INVALID), and before that the target is asked
 * whether the lost answer was a yes.
 *
 * Requests are freed in done callbacks, timers and ticks alone, never while
 * libcurl is inside produce or consume.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "core/transfer/parts.h"
#include <berth/ops.h>

#define PIECE_BYTES 16384                 /* what libcurl hands over at most */
#define PROGRESS_BYTES ((int64_t)1 << 20) /* between failures: they don't add up */

enum stage { STAGE_ASK, STAGE_OPEN, STAGE_IDLE, STAGE_STREAM, STAGE_COMMIT };

struct move {
	struct move *next, *previous;
	struct transfer *run;
	struct place *place;
	enum stage stage; /* of the writer */
	struct registry_request *reader, *writer;
	struct net_timer *retry, *read_retry;
	struct ring ring;
	struct hasher *hasher;
	char *session;
	int64_t received, skip, sent, read_mark;
	unsigned attempt, read_failures;
	bool verified, reader_paused, writer_paused, dropped;
	struct berth_error bad;    /* the source's bytes are not what was promised */
	struct berth_error late;   /* why this upload ends, once its address is known */
	struct berth_error broken; /* a request could not start: seen to in the next tick */
};

static int64_t size_of(const struct move *m)
{
	return m->place->blob->byte_count;
}

static struct registry *target_of(const struct move *m)
{
	return m->run->sides[SIDE_TARGET].registry;
}

static void drop_reader(struct move *m)
{
	registry_request_free(m->reader);
	net_timer_cancel(m->read_retry);
	m->reader = NULL;
	m->read_retry = NULL;
	m->reader_paused = false;
}

static void drop_writer(struct move *m)
{
	registry_request_free(m->writer);
	m->writer = NULL;
	m->writer_paused = false;
}

static void cancel_session(struct move *m)
{
	if (m->session)
		session_cancel(m->run, m->place->pair, STEAL(m->session));
}

static void move_free(struct move *m)
{
	struct transfer *t = m->run;
	drop_reader(m);
	drop_writer(m);
	net_timer_cancel(m->retry);
	ring_done(&m->ring);
	hasher_free(m->hasher);
	free(m->session);
	t->sides[SIDE_SOURCE].lane->in_flight--;
	t->sides[SIDE_TARGET].lane->in_flight--;
	t->move_count--;
	if (t->line == m)
		t->line = m->next;
	if (m->previous)
		m->previous->next = m->next;
	else
		t->moves = m->next;
	if (m->next)
		m->next->previous = m->previous;
	free(m);
}

/* The blob is there. */
static void move_end(struct move *m, bool by_us)
{
	struct transfer *t = m->run;
	struct place *p = m->place;
	struct blob *b = p->blob;
	uint64_t bytes = (uint64_t)b->byte_count;
	t->done_bytes += bytes;
	t->done_blobs++;
	p->by_us = by_us;
	if (p->waiters.count)
		node_account(p->waiters.items[0], by_us ? bytes : 0, 0, m->attempt);
	move_free(m);
	b->led = false;
	place_present(t, p);
	blob_start(t, b);
	run_pump(t);
}

static void move_fail(struct move *m, struct berth_error *err)
{
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
	place_failed(t, p, run_fault(t, err));
	blob_start(t, b);
	run_pump(t);
}

static bool is_passing(int code)
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

static uint64_t backoff_ms(const struct move *m, unsigned failures, const struct berth_error *err)
{
	uint64_t ms = (uint64_t)m->run->set.backoff_ms << (failures < 6 ? failures - 1 : 5);
	return err->retry_ms > ms ? err->retry_ms : ms;
}

static void attempt_begin(struct move *m);

static void fire_retry(void *user)
{
	struct move *m = user;
	m->retry = NULL;
	attempt_begin(m);
}

/* This upload is over; another one, or the end. */
static void attempt_fail(struct move *m, const struct berth_error *why)
{
	struct berth_error err = *why, timer = ERROR_INIT;
	m->broken.code = 0;
	drop_reader(m);
	if (m->retry)
		return; /* it failed at both ends: one more try is under way */
	if (m->stage == STAGE_OPEN && m->writer) {
		m->late = err; /* an upload is being opened: to cancel it, we must know it */
		return;
	}
	drop_writer(m);
	ring_done(&m->ring);
	if (m->bad.code || !is_worth_another(err.code) || m->attempt >= m->run->set.tries) {
		move_fail(m, &err);
		return;
	}
	cancel_session(m);
	if (net_timer_start(m->run->set.loop, backoff_ms(m, m->attempt, &err), fire_retry, m,
			    &m->retry, &timer))
		move_fail(m, &timer);
	else
		run_pump(m->run);
}

/* --- the source's end --- */

static void read_start(struct move *m);

static void read_headers(void *user, struct registry_request *q)
{
	struct move *m = user;
	const char *length = registry_header(q, "Content-Length");
	const char *range = registry_header(q, "Content-Range");
	uint64_t bytes;
	int64_t from = 0;
	int status = registry_status(q);
	if (status < 200 || status > 299)
		return;
	if (status == 206) {
		from = m->received;
		if (!range || strncmp(range, "bytes ", 6) != 0 ||
		    strtoll(range + 6, NULL, 10) != from)
			berth_fail(&m->bad, BERTH_E_PROTOCOL,
				   "the source answered another range than it was asked for");
	}
	m->skip = m->received - from; /* Range was ignored: what we have is passed over */
	if (length && text_parse_u64(length, 0, INT64_MAX, &bytes) &&
	    (int64_t)bytes != size_of(m) - from)
		berth_fail(&m->bad, BERTH_E_DIGEST,
			   "the source gives %s bytes of a blob of %" PRId64, length,
			   size_of(m) - from);
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

static uint64_t now_us(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

static void fire_limit(void *user)
{
	struct transfer *t = user;
	t->limit_timer = NULL;
	move_tick(t);
}

/* Streams are woken when the limit has a piece for them. */
static void limit_arm(struct transfer *t, uint64_t wait_us)
{
	struct berth_error err = ERROR_INIT;
	if (!t->limit_timer &&
	    net_timer_start(t->set.loop, wait_us / 1000 + 1, fire_limit, t, &t->limit_timer, &err))
		run_abort(t, &err);
}

static bool limit_allows(struct transfer *t, size_t byte_count)
{
	uint64_t now = t->limit.bytes_per_s ? now_us() : 0;
	if (limit_take(&t->limit, byte_count, now))
		return true;
	limit_arm(t, limit_wait_us(&t->limit, PIECE_BYTES, now));
	return false;
}

static ssize_t read_consume(void *user, struct registry_request *q, const char *bytes,
			    size_t byte_count)
{
	struct move *m = user;
	size_t skip = m->skip < (int64_t)byte_count ? (size_t)m->skip : byte_count;
	size_t fresh = byte_count - skip;
	(void)q;
	if (m->bad.code)
		return -1;
	if ((int64_t)fresh > size_of(m) - m->received) {
		berth_fail(&m->bad, BERTH_E_DIGEST,
			   "the source gives more than the %" PRId64 " bytes of the blob",
			   size_of(m));
		return -1;
	}
	if (fresh && (!ring_has_room(&m->ring, fresh) || !limit_allows(m->run, fresh))) {
		m->reader_paused = true;
		return NET_PAUSE;
	}
	m->skip -= (int64_t)skip;
	m->received += (int64_t)fresh;
	hasher_add(m->hasher, bytes + skip, fresh);
	if (fresh && m->received == size_of(m) && !verify(m))
		return -1;
	if (!ring_put(&m->ring, bytes + skip, fresh)) {
		berth_fail_memory(&m->bad);
		return -1;
	}
	move_tick(m->run);
	return (ssize_t)byte_count;
}

static void fire_read_retry(void *user)
{
	struct move *m = user;
	m->read_retry = NULL;
	read_start(m);
}

/* Goes on by Range after a pause; failures that follow progress don't add up. */
static void read_again(struct move *m, const struct berth_error *why)
{
	struct berth_error err = *why, timer = ERROR_INIT;
	if (m->received - m->read_mark >= PROGRESS_BYTES)
		m->read_failures = 0;
	m->read_mark = m->received;
	m->read_failures++;
	if (!is_passing(err.code) || m->read_failures >= m->run->set.tries) {
		m->bad = err; /* no other upload would help */
		attempt_fail(m, &err);
		return;
	}
	if (net_timer_start(m->run->set.loop, backoff_ms(m, m->read_failures, &err),
			    fire_read_retry, m, &m->read_retry, &timer))
		attempt_fail(m, &timer);
}

static void write_start(struct move *m);

static void read_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct move *m = user;
	struct berth_error mine = *err;
	(void)q;
	if (!mine.code && !size_of(m) && !m->received)
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
	if (!mine.code)
		berth_fail(&mine, BERTH_E_UNAVAILABLE,
			   "the source ended after %" PRId64 " of %" PRId64 " bytes", m->received,
			   size_of(m));
	read_again(m, &mine);
}

static void read_start(struct move *m)
{
	struct berth_error err = ERROR_INIT;
	char digest[DIGEST_TEXT_ROOM], range[48], path[512];
	digest_format(&m->place->digest, digest);
	snprintf(path, sizeof path, "/v2/%s/blobs/%s", m->place->pair->source, digest);
	snprintf(range, sizeof range, "bytes=%" PRId64 "-", m->received);
	m->skip = 0;
	int r = registry_start(m->run->sides[SIDE_SOURCE].registry,
			       &(struct registry_call){.method = "GET",
						       .repository = m->place->pair->source,
						       .path = path,
						       .rights = REGISTRY_PULL,
						       .range = m->received ? range : NULL,
						       .follow = true,
						       .once = true,
						       .consume = read_consume,
						       .headers = read_headers,
						       .done = read_done,
						       .user = m},
			       &m->reader, &err);
	if (r)
		m->broken = err;
}

/* --- the target's end --- */

static int write_request(struct move *m, struct registry_call *call, struct berth_error *err)
{
	call->repository = m->place->pair->target;
	call->rights = TARGET_RIGHTS;
	call->user = m;
	return registry_start(target_of(m), call, &m->writer, err);
}

static ssize_t write_produce(void *user, struct registry_request *q, char *to, size_t room)
{
	struct move *m = user;
	(void)q;
	size_t n = m->bad.code ? 0 : ring_take(&m->ring, to, room);
	m->sent += (int64_t)n;
	if (n)
		move_tick(m->run); /* there is room again, for others too */
	if (n || (m->verified && m->sent == size_of(m)))
		return (ssize_t)n;
	m->writer_paused = true;
	return NET_PAUSE;
}

/* Takes over the session's next address. */
static int take_location(struct move *m, struct registry_request *q, struct berth_error *err)
{
	char *url = NULL;
	int r = registry_location(q, &url, err);
	if (r)
		return r;
	free(m->session);
	m->session = url;
	return 0;
}

static int check_stored(const struct move *m, const struct registry_request *q,
			struct berth_error *err)
{
	const char *header = registry_header(q, "Docker-Content-Digest");
	struct digest d;
	if (registry_status(q) == 202)
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "the target took the upload's end for a part of it (HTTP 202)");
	if (!m->verified || (m->stage == STAGE_STREAM && m->sent != size_of(m)))
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "the target said that it has the blob before it was sent");
	if (!header || !*header)
		return 0;
	int r = digest_parse(header, &d, err);
	/* docker-registry 2.8 names a blob put by SHA-512 by its SHA-256. */
	if (r || d.algorithm != m->place->digest.algorithm || digest_equal(&d, &m->place->digest))
		return r;
	return berth_fail(err, BERTH_E_DIGEST, "the target says that it stored %.100s", header);
}

static void put_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct move *m = user;
	struct berth_error mine = *err;
	if (!mine.code)
		check_stored(m, q, &mine);
	if (mine.code) {
		attempt_fail(m, m->bad.code ? &m->bad : &mine);
		return;
	}
	free(m->session);
	m->session = NULL;
	move_end(m, true);
}

/* The session's address with the digest, for the request that ends it. */
static char *commit_url(const struct move *m)
{
	char digest[DIGEST_TEXT_ROOM];
	digest_format(&m->place->digest, digest);
	return text_printf("%s%cdigest=%s", m->session, strchr(m->session, '?') ? '&' : '?',
			   digest);
}

static void commit_start(struct move *m)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *url = commit_url(m);
	m->stage = STAGE_COMMIT;
	int r = url ? write_request(
			      m,
			      &(struct registry_call){.method = "PUT",
						      .path = url,
						      .content_type = "application/octet-stream",
						      .body = "",
						      .once = true,
						      .done = put_done},
			      &err)
		    : berth_fail_memory(&err);
	if (r)
		m->broken = err;
}

/* What the target acknowledges must be what was sent. "0-0" may mean nothing or
 * one byte, so it is not taken at its word. */
static int check_range(const struct move *m, const struct registry_request *q,
		       struct berth_error *err)
{
	const char *range = registry_header(q, "Range");
	const char *dash = range ? strchr(range, '-') : NULL;
	if (!dash || !strcmp(dash, "-0") || strtoll(dash + 1, NULL, 10) == size_of(m) - 1)
		return 0;
	return berth_fail(err, BERTH_E_PROTOCOL,
			  "the target acknowledged '%.40s' of an upload of %" PRId64 " bytes",
			  range, size_of(m));
}

static void patch_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct move *m = user;
	struct berth_error mine = *err;
	if (!mine.code && (!m->verified || m->sent != size_of(m)))
		berth_fail(&mine, BERTH_E_PROTOCOL, "the target ended the upload too early");
	if (!mine.code && !check_range(m, q, &mine))
		take_location(m, q, &mine);
	if (mine.code) {
		attempt_fail(m, m->bad.code ? &m->bad : &mine);
		return;
	}
	drop_writer(m);
	commit_start(m);
}

/* Sends the bytes as they come: in the PUT that ends the upload, or in one PATCH
 * before it where the target wants that. Nothing to send: the PUT alone. */
static void write_start(struct move *m)
{
	struct berth_error err = ERROR_INIT;
	bool patch = m->run->sides[SIDE_TARGET].flags & BERTH_OCI_PATCH_ONLY;
	char range[48];
	if (!size_of(m)) {
		m->stage = STAGE_IDLE;
		if (m->verified)
			commit_start(m);
		return;
	}
	AUTO_FREE char *url = patch ? strdup(m->session) : commit_url(m);
	snprintf(range, sizeof range, "0-%" PRId64, size_of(m) - 1);
	m->stage = STAGE_STREAM;
	m->writer_paused = false;
	int r = url ? write_request(
			      m,
			      &(struct registry_call){.method = patch ? "PATCH" : "PUT",
						      .path = url,
						      .content_type = "application/octet-stream",
						      .content_range = patch ? range : NULL,
						      .once = true,
						      .stream_byte_count = size_of(m),
						      .produce = write_produce,
						      .done = patch ? patch_done : put_done},
			      &err)
		    : berth_fail_memory(&err);
	if (r)
		m->broken = err;
}

static void open_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct move *m = user;
	struct berth_error mine = *err;
	if (!mine.code)
		take_location(m, q, &mine);
	drop_writer(m);
	if (m->dropped) {
		struct transfer *t = m->run;
		cancel_session(m);
		move_free(m);
		run_pump(t);
	} else if (m->late.code) {
		mine = m->late;
		m->late.code = 0;
		m->stage = STAGE_IDLE;
		attempt_fail(m, &mine);
	} else if (mine.code) {
		m->stage = STAGE_IDLE;
		attempt_fail(m, &mine);
	} else {
		write_start(m);
	}
}

static void open_start(struct move *m)
{
	struct berth_error err = ERROR_INIT;
	char path[512];
	snprintf(path, sizeof path, "/v2/%s/blobs/uploads/", m->place->pair->target);
	m->stage = STAGE_OPEN;
	if (write_request(m,
			  &(struct registry_call){.method = "POST",
						  .path = path,
						  .body = "",
						  .once = true,
						  .done = open_done},
			  &err))
		m->broken = err;
}

static void stream_start(struct move *m)
{
	m->session = STEAL(m->place->session);
	if (m->session)
		write_start(m);
	else
		open_start(m);
	read_start(m);
}

/* The answer to an upload was lost: is the blob there? */
static void ask_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct move *m = user;
	bool there = !err->code && registry_status(q) == 200;
	drop_writer(m);
	if (there)
		move_end(m, true);
	else
		stream_start(m);
}

static void ask_start(struct move *m)
{
	static const unsigned short absent[] = {404, 0};
	struct berth_error err = ERROR_INIT;
	char digest[DIGEST_TEXT_ROOM], path[512];
	digest_format(&m->place->digest, digest);
	snprintf(path, sizeof path, "/v2/%s/blobs/%s", m->place->pair->target, digest);
	if (write_request(m,
			  &(struct registry_call){.method = "HEAD",
						  .path = path,
						  .accept_status = absent,
						  .follow = true,
						  .done = ask_done},
			  &err))
		m->broken = err;
}

static void attempt_begin(struct move *m)
{
	struct berth_error err = ERROR_INIT;
	m->attempt++;
	m->received = m->sent = m->skip = m->read_mark = 0;
	m->read_failures = 0;
	m->verified = false;
	m->broken.code = 0;
	m->stage = STAGE_ASK;
	hasher_free(m->hasher);
	m->hasher = NULL;
	if (hasher_new(m->place->digest.algorithm, &m->hasher, &err))
		move_fail(m, &err);
	else if (m->attempt > 1)
		ask_start(m);
	else
		stream_start(m);
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
	t->sides[SIDE_SOURCE].lane->in_flight++;
	t->sides[SIDE_TARGET].lane->in_flight++;
	t->move_count++;
	ring_init(&m->ring, &t->pool);
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

/* How many pieces may be taken now, by the limit. */
static uint64_t pieces_allowed(struct transfer *t)
{
	if (!t->limit.bytes_per_s)
		return t->move_count;
	uint64_t wait_us = limit_wait_us(&t->limit, PIECE_BYTES, now_us());
	if (wait_us && t->moves)
		limit_arm(t, wait_us); /* also where the timer came a moment too early */
	return wait_us ? 0 : t->limit.tokens / 1000000u / PIECE_BYTES;
}

static struct move *next_in_line(struct transfer *t)
{
	struct move *m = t->line ? t->line : t->moves;
	t->line = m->next;
	return m;
}

/* Those that can go on do, one after the other where there is a limit. */
static void wake_readers(struct transfer *t)
{
	uint64_t pieces = pieces_allowed(t);
	for (unsigned n = t->move_count; n && pieces; n--) {
		struct move *m = next_in_line(t);
		if (!m->reader_paused || !m->reader || !ring_has_room(&m->ring, PIECE_BYTES))
			continue;
		m->reader_paused = false;
		registry_resume(m->reader);
		pieces--;
	}
}

void move_tick(struct transfer *t)
{
	for (struct move *m = t->moves; m; m = m->next) {
		bool can_send = m->ring.byte_count || (m->verified && m->sent == size_of(m));
		if (m->writer_paused && m->writer && can_send && !m->bad.code) {
			m->writer_paused = false;
			registry_resume(m->writer);
		}
	}
	wake_readers(t);
}

bool move_is_stuck(const struct transfer *t)
{
	for (const struct move *m = t->moves; m; m = m->next)
		if (m->reader || m->writer || m->retry || m->read_retry || m->broken.code)
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
	*ret_bytes = 0;
	for (const struct move *m = t->moves; m; m = m->next) {
		char digest[DIGEST_TEXT_ROOM];
		digest_format(&m->place->digest, digest);
		*ret_bytes += (uint64_t)m->sent;
		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:i}", "repository",
						      m->place->pair->label_target, "digest",
						      digest, "done", (json_int_t)m->sent, "total",
						      (json_int_t)size_of(m), "attempt",
						      (int)m->attempt));
	}
	return list;
}
