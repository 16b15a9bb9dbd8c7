/* SPDX-License-Identifier: Apache-2.0 */
/* What loop.c and http.c share: the multi handle and the list of things to do
 * between two rounds. libcurl forbids adding and removing handles inside its
 * callbacks, so every start, resume and end waits here for the next round.
 */
#ifndef CORE_NET_LOOP_PRIVATE_H
#define CORE_NET_LOOP_PRIVATE_H

#include <curl/curl.h>

#include "core/net/loop.h"

/* One thing to do at the beginning of the next round, or at each tick; part
 * of its owner. */
struct net_task {
	void (*run)(struct net_task *t);
	struct net_task *next, *prev; /* NULL while in no list */
};

void net_task_queue(struct net_loop *loop, struct net_task *t); /* again is no change */
void net_task_drop(struct net_task *t);                         /* not queued is no change */
/* Runs t about every 250 ms until dropped. */
void net_task_tick(struct net_loop *loop, struct net_task *t);

CURLM *net_loop_multi(struct net_loop *loop);
CURLSH *net_loop_share(struct net_loop *loop);
/* An easy handle of the multi has ended: called outside of libcurl. Found by
 * CURLOPT_PRIVATE. Defined in http.c. */
void net_exchange_ended(void *owner, CURLcode result);

#endif
