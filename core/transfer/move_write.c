/* SPDX-License-Identifier: Apache-2.0 */
/* The target's end of a move: POST, then the bytes as they come in the PUT that
 * ends the upload, or in one PATCH before it where the target wants that.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/text.h"
#include "core/transfer/move.h"
#include <berth/ops.h>

static struct registry *target_of(const struct move *m)
{
	return m->run->sides[SIDE_TARGET].registry;
}

void drop_writer(struct move *m)
{
	registry_request_free(m->writer);
	m->writer = NULL;
	m->writer_paused = false;
}

/* Gives the upload up; where the run is only interrupted, the next one has it. */
void cancel_session(struct move *m)
{
	if (m->session && !m->run->is_interrupted) {
		session_cancel(m->run, m->place->pair, STEAL(m->session));
		move_forget(m);
	}
	free(m->session);
	m->session = NULL;
}

int write_request(struct move *m, struct registry_call *call, struct berth_error *err)
{
	call->repository = m->place->pair->target;
	call->rights = TARGET_RIGHTS;
	call->user = m;
	m->began_ms[SIDE_TARGET] = clock_monotonic_ms();
	call->fresh = m->failures > 0;
	return registry_start(target_of(m), call, &m->writer, err);
}

/* How much of what is there may be given now. */
static size_t paced(const struct move *m, size_t room)
{
	size_t n = m->ring.byte_count < room ? m->ring.byte_count : room;
	struct transfer *t = m->run;
	if (!n || !pace_is_on(t, RATE_WRITTEN))
		return n;
	n = n < PIECE_BYTES ? n : PIECE_BYTES;
	return pace_take(t, RATE_WRITTEN, n) ? n : 0;
}

static ssize_t write_produce(void *user, struct registry_request *q, char *to, size_t room)
{
	struct move *m = user;
	(void)q;
	size_t n = m->bad.code ? 0 : ring_take(&m->ring, to, paced(m, room));
	m->sent += (int64_t)n;
	if (n)
		move_tick(m->run); /* there is room again, for others too */
	if (n || (m->verified && m->sent == move_size(m)))
		return (ssize_t)n;
	m->writer_paused = true;
	return NET_PAUSE;
}

int take_location(struct move *m, struct registry_request *q, struct berth_error *err)
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
	if (!m->verified || (m->stage == STAGE_STREAM && m->sent != move_size(m)))
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
 * one byte, so it is not taken at its word; some name the size for the last byte. */
static int check_range(const struct move *m, const struct registry_request *q,
		       struct berth_error *err)
{
	const char *range = registry_header(q, "Range");
	const char *dash = range ? strchr(range, '-') : NULL;
	long long last = dash ? strtoll(dash + 1, NULL, 10) : 0;
	if (!dash || !strcmp(dash, "-0") || last == move_size(m) - 1 || last == move_size(m))
		return 0;
	return berth_fail(err, BERTH_E_PROTOCOL,
			  "the target acknowledged '%.40s' of an upload of %" PRId64 " bytes",
			  range, move_size(m));
}

static void patch_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct move *m = user;
	struct berth_error mine = *err;
	if (!mine.code && (!m->verified || m->sent != move_size(m)))
		berth_fail(&mine, BERTH_E_PROTOCOL, "the target ended the upload too early");
	/* Where there is no other address, it goes on at the one that it has. */
	if (!mine.code && !check_range(m, q, &mine) && registry_header(q, "Location"))
		mine.code = take_location(m, q, &mine);
	if (mine.code) {
		attempt_fail(m, m->bad.code ? &m->bad : &mine);
		return;
	}
	drop_writer(m);
	commit_start(m);
}

/* Nothing to send any more: the PUT alone, once the digest is known. */
static void write_rest(struct move *m)
{
	m->stage = STAGE_IDLE;
	if (m->verified)
		commit_start(m);
}

void write_start(struct move *m)
{
	struct berth_error err = ERROR_INIT;
	bool patch = m->run->sides[SIDE_TARGET].flags & BERTH_OCI_PATCH_ONLY;
	char range[64];
	if (m->sent == move_size(m)) {
		write_rest(m);
		return;
	}
	AUTO_FREE char *url = patch ? strdup(m->session) : commit_url(m);
	snprintf(range, sizeof range, "%" PRId64 "-%" PRId64, m->sent, move_size(m) - 1);
	m->stage = STAGE_STREAM;
	m->writer_paused = false;
	int r = url ? write_request(
			      m,
			      &(struct registry_call){.method = patch ? "PATCH" : "PUT",
						      .path = url,
						      .content_type = "application/octet-stream",
						      .content_range = patch ? range : NULL,
						      .once = true,
						      .stream_byte_count = move_size(m) - m->sent,
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
		mine.code = take_location(m, q, &mine);
	drop_writer(m);
	if (!mine.code)
		move_remember(m);
	if (m->dropped) {
		move_leave(m);
	} else if (m->late.code || mine.code) {
		mine = m->late.code ? m->late : mine;
		m->late.code = 0;
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

void stream_start(struct move *m)
{
	struct berth_error err = ERROR_INIT;
	if (hash_begin(m, 0, &err)) {
		move_fail(m, &err);
		return;
	}
	m->session = STEAL(m->place->session);
	if (m->session) {
		move_remember(m);
		write_start(m);
	} else {
		open_start(m);
	}
	read_start(m);
}

/* The answer to an upload was lost: is the blob there? */
static void ask_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct move *m = user;
	bool there =
		!err->code && registry_status(q) == 200 && !blob_size_is_wrong(q, move_size(m));
	drop_writer(m);
	if (there) {
		cancel_session(m); /* the answer was lost, or somebody else was faster */
		move_end(m, true);
	} else if (m->session) {
		status_start(m);
	} else {
		stream_start(m);
	}
}

void ask_start(struct move *m)
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
