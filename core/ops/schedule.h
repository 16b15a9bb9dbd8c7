/* SPDX-License-Identifier: Apache-2.0 */
/* Periodic work by name, on the monotonic clock: a jump of the wall clock
 * starts nothing, and after a pause (suspend, a busy loop) each entry fires
 * once, not once for each period missed.
 */
#ifndef CORE_OPS_SCHEDULE_H
#define CORE_OPS_SCHEDULE_H

#include <stdint.h>

#include "core/base/fail.h"

struct schedule;
MUST_USE int schedule_new(struct schedule **ret, struct berth_error *err);
void schedule_free(struct schedule *c);
SCOPE_TYPE(schedule, struct schedule, schedule_free)

/* name: "probe/ID". Called from schedule_turn; may set and remove entries. */
typedef void schedule_fire(void *user, const char *name);
/* Adds or replaces. period_ms at least 1 000. The first time after first_ms. */
MUST_USE int schedule_set(struct schedule *c, const char *name, uint64_t first_ms,
			  uint64_t period_ms, schedule_fire *fire, void *user,
			  struct berth_error *err);
void schedule_remove(struct schedule *c, const char *name); /* nothing where absent */
/* Fires what is due; returns the milliseconds until the next, at most 60 000. */
uint32_t schedule_turn(struct schedule *c, uint64_t now_ms);

/* The scheduler that ops turns. */
struct ops;
struct schedule *ops_schedule(struct ops *o);
/* Turns it soon: after a schedule_set outside of a turn that may be the next. */
void ops_wake(struct ops *o);

#endif
