/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of watches: a copy rule that runs when its source changes has one, which
 * goes with the rule. A watch says what was seen there last, and when to look again.
 */
#ifndef CORE_STORE_WATCHES_H
#define CORE_STORE_WATCHES_H

#include "core/store/list.h"

struct sync_watch {
	char *rule_id;
	char *rule;        /* the rule's name; not written */
	char *integration; /* that is looked at */
	int64_t period_ms; /* between looks that go well */
	char *seen;        /* digest of all that the rule means; "": none yet */
	int64_t images;    /* at that look */
	int64_t next_ms;   /* when to look */
	int64_t hinted_ms; /* when somebody last said that there was a change */
	int64_t looked_ms, changed_ms;
	int64_t failures;     /* looks in a row that failed */
	int64_t run_failures; /* runs in a row that failed */
	int64_t retry_ms;     /* when the last of them comes again, changed or not; 0: never */
	char *error;          /* JSON of the last look's error, or "" */
};
extern const struct store_table sync_watches_table;

/* As sync_rule_get, by the rule's id. */
MUST_USE int sync_watch_get(struct store *s, const char *rule_id, struct sync_watch *ret,
			    struct berth_error *err);
void sync_watch_done(struct sync_watch *row);
#define AUTO_SYNC_WATCH CLEANUP(sync_watch_done)
/* Adds it, or sets integration, period, next_ms and hinted_ms of the one there is. */
MUST_USE int sync_watch_put(struct store *s, const struct sync_watch *row, struct berth_error *err);
/* Writes all that a look or a run changes. */
MUST_USE int sync_watch_change(struct store *s, const struct sync_watch *row,
			       struct berth_error *err);
/* Somebody says that there was a change: when, and when to look. */
MUST_USE int sync_watch_hint(struct store *s, const char *rule_id, int64_t hinted_ms,
			     int64_t next_ms, struct berth_error *err);
/* Nothing where there is none. */
MUST_USE int sync_watch_remove(struct store *s, const char *rule_id, struct berth_error *err);
/* Drops the operations of looks that went well and ended before then: nobody asks
 * for them, and others are kept in number. */
MUST_USE int sync_look_forget(struct store *s, int64_t ended_before_ms, struct berth_error *err);

#endif
