/* SPDX-License-Identifier: Apache-2.0 */
/* The window of requests in flight: see window.h. */
#include "core/transfer/window.h"

#define PATIENCE_BEGIN 128
#define PATIENCE_MAX 65536
/* Answers are slow that take so much longer than the quickest did. Requests differ
 * (a manifest is stored, another only looked for), so both bounds are wide. */
#define SLOW_FACTOR 8
#define SLOW_MS 1000
#define SLOW_LEAST 4 /* slowness alone goes no lower: few at once may be slow, too */

void window_init(struct window *w, unsigned least, unsigned most)
{
	unsigned begin = most < WINDOW_BEGIN ? most : WINDOW_BEGIN;
	*w = (struct window){.limit = begin < least ? least : begin,
			     .least = least,
			     .most = most < least ? least : most,
			     .patience = PATIENCE_BEGIN};
}

void window_bound(struct window *w, unsigned most)
{
	w->most = most < w->least ? w->least : most;
	if (w->limit > w->most)
		w->limit = w->most;
}

static void cut(struct window *w, unsigned least, uint64_t now_ms)
{
	if (w->limit <= least)
		return;
	if (!w->too_much || w->limit < w->too_much)
		w->too_much = w->limit;
	w->limit = w->limit / 2 < least ? least : w->limit / 2;
	if (w->cuts)
		w->patience = w->patience > PATIENCE_MAX / 2 ? PATIENCE_MAX : w->patience * 2;
	w->cuts++;
	w->answers = 0;
	w->cut_ms = now_ms;
}

/* A smoothed mean; the quickest one is forgotten slowly, since servers change. */
static void measure(struct window *w, uint64_t took_ms)
{
	uint64_t took = took_ms * 8;
	w->usual_ms = w->usual_ms ? w->usual_ms - w->usual_ms / 8 + took_ms : took;
	if (!w->quick_ms || w->usual_ms < w->quick_ms)
		w->quick_ms = w->usual_ms;
	else
		w->quick_ms += w->quick_ms / 256;
}

static bool is_slow(const struct window *w)
{
	return w->quick_ms && w->usual_ms > w->quick_ms * SLOW_FACTOR &&
	       w->usual_ms > w->quick_ms + 8 * SLOW_MS;
}

/* How many good answers the next step up takes. */
static unsigned step_of(const struct window *w)
{
	if (!w->too_much)
		return 1;
	return w->limit + 1 < w->too_much ? w->limit : w->patience;
}

void window_answered(struct window *w, unsigned in_flight, uint64_t began_ms, uint64_t now_ms)
{
	if (began_ms && now_ms >= began_ms)
		measure(w, now_ms - began_ms);
	if (is_slow(w)) {
		if (began_ms > w->cut_ms)
			cut(w, w->least > SLOW_LEAST ? w->least : SLOW_LEAST, now_ms);
		return;
	}
	if (in_flight < w->limit || w->limit >= w->most)
		return; /* it was not the window that held us */
	if (++w->answers < step_of(w))
		return;
	w->answers = 0;
	w->limit++;
	if (w->limit > w->too_much)
		w->too_much = 0; /* it is not too much any more */
}

bool window_troubled(struct window *w, unsigned in_flight, uint64_t began_ms, uint64_t now_ms)
{
	if (w->cut_ms && began_ms <= w->cut_ms)
		return true;
	if (w->limit <= w->least)
		return false;
	/* What is in flight tells more than what might be. One that is alone now may not
	 * have been when it was sent: it is asked once more, and nothing is learnt. */
	if (in_flight < w->limit)
		w->limit = in_flight > w->least ? in_flight : w->least;
	if (in_flight > 1)
		cut(w, w->least, now_ms);
	w->cut_ms = now_ms;
	w->answers = 0;
	return true;
}
