/* SPDX-License-Identifier: Apache-2.0 */
/* Going on in the middle of a blob: the points at which its hash is known, the
 * journal's entry, and the question to the target how far the upload is.
 *
 * distribution 3 goes on with what it had, and may still be writing the last of it
 * when it is asked: it is asked until it says the same twice. docker-registry 2.8
 * answers 404 once a request of the upload was cut.
 */
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/transfer/move.h"

/* Marks reach back further than what may be between us and the target's disk. */
#define MARK_BYTES ((int64_t)2 << 20)
#define SETTLE_MS 300
#define ASKS_MAX 20

int hash_begin(struct move *m, int64_t offset, struct berth_error *err)
{
	struct berth_error none = ERROR_INIT;
	uint32_t *n = &m->kept.mark_count;
	hasher_free(m->hasher);
	m->hasher = NULL;
	for (; *n; (*n)--) {
		const struct journal_mark *mark = &m->kept.marks[*n - 1];
		if (mark->offset <= offset &&
		    !hasher_load(m->place->digest.algorithm, mark->state, &m->hasher, &none))
			break;
	}
	m->began = *n ? m->kept.marks[*n - 1].offset : 0;
	m->received = m->read_mark = m->began;
	return m->hasher ? 0 : hasher_new(m->place->digest.algorithm, &m->hasher, err);
}

void hash_mark(struct move *m)
{
	struct journal_entry *k = &m->kept;
	int64_t last = k->mark_count ? k->marks[k->mark_count - 1].offset : 0;
	if (m->received - last < MARK_BYTES || m->received >= move_size(m))
		return;
	if (k->mark_count == JOURNAL_MARKS) {
		k->mark_count--;
		memmove(k->marks, k->marks + 1, k->mark_count * sizeof k->marks[0]);
	}
	k->marks[k->mark_count].offset = m->received;
	hasher_save(m->hasher, k->marks[k->mark_count].state);
	k->mark_count++;
	if (m->session)
		move_remember(m);
}

/* --- the journal --- */

void move_remember(struct move *m)
{
	struct journal_entry *k = &m->kept;
	if (!m->run->journal || strlen(m->session) >= sizeof k->session ||
	    strlen(m->place->pair->target) >= sizeof k->repository)
		return;
	k->digest = m->place->digest;
	k->byte_count = move_size(m);
	snprintf(k->repository, sizeof k->repository, "%s", m->place->pair->target);
	snprintf(k->session, sizeof k->session, "%s", m->session);
	journal_put(m->run->journal, &m->slot, k);
}

void move_forget(struct move *m)
{
	journal_clear(m->run->journal, &m->slot);
}

static bool are_sound(const struct journal_entry *e)
{
	int64_t last = 0;
	for (uint32_t i = 0; i < e->mark_count; i++) {
		if (e->marks[i].offset <= last || e->marks[i].offset >= e->byte_count)
			return false;
		last = e->marks[i].offset;
	}
	return true;
}

void move_recall(struct move *m)
{
	struct place *p = m->place;
	AUTO_FREE struct journal_entry *e =
		journal_take(m->run->journal, p->pair->target, &p->digest, &m->slot);
	if (!e)
		return;
	m->session = strdup(e->session);
	if (m->session && e->byte_count == move_size(m) && are_sound(e))
		m->kept = *e;
}

static struct pair *pair_of(const struct transfer *t, const char *target)
{
	for (size_t i = 0; i < t->pairs.count; i++) {
		struct pair *p = t->pairs.items[i];
		if (!strcmp(p->target, target))
			return p;
	}
	return NULL;
}

void move_cancel_old(struct transfer *t)
{
	int slot = -1;
	for (struct journal_entry *e; (e = journal_take(t->journal, NULL, NULL, &slot)); free(e)) {
		struct pair *p = pair_of(t, e->repository);
		char *session = p ? strdup(e->session) : NULL;
		if (session)
			session_cancel(t, p, session);
		journal_clear(t->journal, &slot);
	}
}

/* --- the target --- */

/* "0-N": the last byte that it has. "0-0" may mean nothing or one byte. */
static int64_t said_offset(const struct move *m, const struct registry_request *q)
{
	const char *range = registry_header(q, "Range");
	const char *dash = range ? strchr(range, '-') : NULL;
	uint64_t last;
	if (!dash || !text_parse_u64(dash + 1, 0, INT64_MAX - 1, &last) || !last)
		return 0;
	return (int64_t)last < move_size(m) ? (int64_t)last + 1 : 0;
}

static void go_on(struct move *m)
{
	struct berth_error err = ERROR_INIT;
	if (hash_begin(m, m->acked, &err)) {
		move_fail(m, &err);
		return;
	}
	m->base = m->sent = m->acked;
	if (m->base - m->mark >= PROGRESS_BYTES)
		m->failures = 0;
	m->mark = m->base;
	move_remember(m);
	write_start(m);
	read_start(m);
}

static void fire_status(void *user)
{
	struct move *m = user;
	m->retry = NULL;
	status_start(m);
}

static void status_done(void *user, struct registry_request *q, const struct berth_error *err)
{
	struct move *m = user;
	struct berth_error mine = *err, none = ERROR_INIT;
	int64_t offset = 0, before = m->acked;
	if (!mine.code && registry_status(q) < 300)
		offset = said_offset(m, q);
	if (offset && take_location(m, q, &none))
		offset = 0;
	drop_writer(m);
	if (mine.code) {
		attempt_fail(m, &mine);
		return;
	}
	m->acked = offset;
	if (!offset) {
		cancel_session(m);
		m->kept.mark_count = 0;
		stream_start(m);
	} else if (offset == before || ++m->asks >= ASKS_MAX) {
		go_on(m);
	} else if (net_timer_start(m->run->set.loop, SETTLE_MS, fire_status, m, &m->retry, &mine)) {
		attempt_fail(m, &mine);
	}
}

void status_start(struct move *m)
{
	static const unsigned short unknown[] = {400, 404, 405, 410, 416, 0};
	struct berth_error err = ERROR_INIT;
	m->stage = STAGE_STATUS;
	if (write_request(m,
			  &(struct registry_call){.method = "GET",
						  .path = m->session,
						  .accept_status = unknown,
						  .done = status_done},
			  &err))
		m->broken = err;
}
