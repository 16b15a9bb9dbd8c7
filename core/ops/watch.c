/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for an operation: answers that are held, streams of its log. */
#include "core/ops/engine.h"

#include <string.h>

struct op_watch {
	struct entry *entry;
	op_changed *changed;
	void *user;
	bool is_gone, is_telling;
	struct op_watch *next;
};

int ops_watch(struct ops *o, const char *id, op_changed *changed, void *user, struct op_watch **ret,
	      struct berth_error *err)
{
	struct op_watch *w;
	struct entry *e = (struct entry *)(uintptr_t)ops_find(o, id);

	*ret = NULL;
	if (!e)
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return berth_fail_memory(err);
	*w = (struct op_watch){.entry = e, .changed = changed, .user = user, .next = e->watches};
	e->watches = w;
	*ret = w;
	return 0;
}

static void drop_gone(struct entry *e)
{
	struct op_watch **at = &e->watches;

	while (*at) {
		struct op_watch *w = *at;

		if (w->is_gone && !w->is_telling) {
			*at = w->next;
			free(w);
		} else {
			at = &w->next;
		}
	}
}

void ops_unwatch(struct op_watch *w)
{
	if (!w)
		return;
	w->is_gone = true;
	if (!w->is_telling)
		drop_gone(w->entry);
}

void watch_tell(struct entry *e, bool has_ended)
{
	for (struct op_watch *w = e->watches; w; w = w->next) {
		if (w->is_gone || w->is_telling)
			continue;
		w->is_telling = true;
		w->changed(w->user, e->op.id, has_ended);
		w->is_telling = false;
		w->is_gone |= has_ended;
	}
	drop_gone(e);
}

void watch_drop(struct entry *e)
{
	for (struct op_watch *w = e->watches; w; w = w->next) {
		w->is_gone = true;
		w->is_telling = false;
	}
	drop_gone(e);
}
