/* SPDX-License-Identifier: Apache-2.0 */
/* How many requests may be in flight at one registry: found out, not configured.
 * It begins modest and grows by one with each answer that came while the window was
 * full; a sign of trouble (429, 503, a reset, a time-out, answers that take ever
 * longer) halves it, once for all that was in flight together. After that it grows
 * slowly, and what was too much is tried again only after more and more answers, so
 * that a registry with a fixed bound says 429 a few times and not for ever. Pure;
 * time is given by the caller.
 */
#ifndef CORE_TRANSFER_WINDOW_H
#define CORE_TRANSFER_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_BEGIN 16

struct window {
	unsigned limit;       /* now */
	unsigned least, most; /* its bounds */
	unsigned too_much;    /* the least limit that brought trouble; 0: none yet */
	unsigned answers;     /* good ones since it last grew */
	unsigned patience;    /* answers before too_much is tried again */
	uint64_t cut_ms;      /* when it was halved: what began before says no more */
	uint64_t quick_ms;    /* the shortest smoothed answer seen, in 1/8 ms; 0: none */
	uint64_t usual_ms;    /* the smoothed answer now, in 1/8 ms */
	unsigned cuts;        /* how often it was halved */
};

void window_init(struct window *w, unsigned least, unsigned most);
/* Another upper bound from now on; the least stays allowed. */
void window_bound(struct window *w, unsigned most);
/* A good answer to what began at began_ms (0: how long it took says nothing), while
 * in_flight requests were under way, this one among them. */
void window_answered(struct window *w, unsigned in_flight, uint64_t began_ms, uint64_t now_ms);
/* Trouble with what began at began_ms. Says whether less at once may help: then the
 * same may be asked again, and is no failure of its own. */
bool window_troubled(struct window *w, unsigned in_flight, uint64_t began_ms, uint64_t now_ms);

#endif
