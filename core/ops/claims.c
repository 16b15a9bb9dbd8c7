/* SPDX-License-Identifier: Apache-2.0 */
/* Claims of blobs: see claims.h. One list in order of arrival: of those that want
 * the same blob of the same target, the first one has it.
 */
#include "core/ops/claims.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/js.h"
#include "core/oci/reference.h"

struct claim {
	struct claim *next;
	struct claims_part *part;
	char digest[DIGEST_TEXT_ROOM];
};
struct sent {
	char *target, *repository;
	char digest[DIGEST_TEXT_ROOM];
};
struct claims {
	struct claim *first, **last;
	struct sent sent[CLAIMS_SENT_MAX];
	size_t sent_next;
};
struct claims_part {
	struct claims *claims;
	char *target;
	unsigned number;
	claims_send *send;
	void *user;
	size_t count;
};

int claims_new(struct claims **ret, struct berth_error *err)
{
	struct claims *c = calloc(1, sizeof *c);

	if (!c)
		return berth_fail_memory(err);
	c->last = &c->first;
	*ret = c;
	return 0;
}

static void sent_done(struct sent *s)
{
	free(s->target);
	free(s->repository);
	*s = (struct sent){.target = NULL};
}

void claims_free(struct claims *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < CLAIMS_SENT_MAX; i++)
		sent_done(&c->sent[i]);
	free(c);
}

int claims_join(struct claims *c, const char *target, unsigned number, claims_send *send,
		void *user, struct claims_part **ret, struct berth_error *err)
{
	struct claims_part *p = calloc(1, sizeof *p);

	if (!p || !(p->target = strdup(target))) {
		free(p);
		return berth_fail_memory(err);
	}
	p->claims = c;
	p->number = number;
	p->send = send;
	p->user = user;
	*ret = p;
	return 0;
}

static void answer(const struct claims_part *p, const char *digest, const char *state,
		   const char *repository)
{
	json_t *frame = json_pack("{s:s, s:i, s:s, s:s}", "t", "claim", "target", (int)p->number,
				  "digest", digest, "state", state);

	if (!frame)
		return;
	js_put_str(frame, "repository", repository);
	p->send(p->user, frame);
}

static bool is_of(const struct claim *it, const char *target, const char *digest)
{
	return !strcmp(it->digest, digest) && !strcmp(it->part->target, target);
}

/* Whose it is: the first one's. */
static struct claim *holder_of(const struct claims *c, const char *target, const char *digest)
{
	for (struct claim *it = c->first; it; it = it->next)
		if (is_of(it, target, digest))
			return it;
	return NULL;
}

static const struct sent *find_sent(const struct claims *c, const char *target, const char *digest)
{
	for (size_t i = 0; i < CLAIMS_SENT_MAX; i++) {
		const struct sent *s = &c->sent[i];
		if (s->target && !strcmp(s->digest, digest) && !strcmp(s->target, target))
			return s;
	}
	return NULL;
}

static void note_sent(struct claims *c, const char *target, const char *digest,
		      const char *repository)
{
	struct sent *s = (struct sent *)(uintptr_t)find_sent(c, target, digest);

	if (!s) {
		s = &c->sent[c->sent_next];
		c->sent_next = (c->sent_next + 1) % CLAIMS_SENT_MAX;
	}
	sent_done(s);
	s->target = strdup(target);
	s->repository = strdup(repository);
	if (!s->target || !s->repository)
		sent_done(s);
	else
		snprintf(s->digest, sizeof s->digest, "%s", digest);
}

/* Takes one out of the list. */
static void drop(struct claims *c, struct claim *it)
{
	struct claim **at = &c->first;

	while (*at != it)
		at = &(*at)->next;
	*at = it->next;
	if (c->last == &it->next)
		c->last = at;
	it->part->count--;
	free(it);
}

/* Where the blob is there now: those who wait are told, and want it no more. */
static void tell_all(struct claims *c, const char *target, const char *digest,
		     const char *repository)
{
	for (struct claim *it; (it = holder_of(c, target, digest));) {
		const struct claims_part *p = it->part;
		drop(c, it);
		answer(p, digest, "there", repository);
	}
}

static void give_up(struct claims *c, struct claim *it)
{
	char digest[DIGEST_TEXT_ROOM];
	const char *target = it->part->target;
	bool had_it = holder_of(c, target, it->digest) == it;

	memcpy(digest, it->digest, sizeof digest);
	drop(c, it);
	const struct claim *next = had_it ? holder_of(c, target, digest) : NULL;
	if (next)
		answer(next->part, digest, "yours", NULL);
}

static struct claim *find_own(const struct claims_part *p, const char *digest)
{
	for (struct claim *it = p->claims->first; it; it = it->next)
		if (it->part == p && (!digest || !strcmp(it->digest, digest)))
			return it;
	return NULL;
}

static void claim(struct claims_part *p, const char *digest)
{
	struct claims *c = p->claims;
	const struct sent *sent = find_sent(c, p->target, digest);
	struct claim *it = find_own(p, digest);

	if (sent) {
		answer(p, digest, "there", sent->repository);
		return;
	}
	if (!it && p->count < CLAIMS_MAX && (it = calloc(1, sizeof *it))) {
		snprintf(it->digest, sizeof it->digest, "%s", digest);
		it->part = p;
		p->count++;
		*c->last = it;
		c->last = &it->next;
	}
	/* One that could not be noted: two may send it then, which is no harm. */
	answer(p, digest, !it || holder_of(c, p->target, digest) == it ? "yours" : "wait", NULL);
}

static void release(struct claims_part *p, const char *digest, const char *repository)
{
	struct claims *c = p->claims;
	struct claim *it = find_own(p, digest);

	/* Of a blob that it had not been given, a job can say nothing. */
	if (!it || holder_of(c, p->target, digest) != it)
		return;
	if (!repository || !reference_is_repository(repository)) {
		give_up(c, it);
		return;
	}
	drop(c, it);
	note_sent(c, p->target, digest, repository);
	tell_all(c, p->target, digest, repository);
}

void claims_frame(struct claims_part *p, const json_t *frame)
{
	const char *type = js_str(frame, "t", ""), *digest = js_str(frame, "digest", "");

	if (!reference_is_digest(digest))
		return;
	if (!strcmp(type, "claim"))
		claim(p, digest);
	else if (!strcmp(type, "release"))
		release(p, digest, js_str(frame, "repository", NULL));
}

void claims_leave(struct claims_part *p)
{
	if (!p)
		return;
	for (struct claim *it; (it = find_own(p, NULL));)
		give_up(p->claims, it);
	free(p->target);
	free(p);
}
