/* SPDX-License-Identifier: Apache-2.0 */
/* Drift of spaces: see drift.h. */
#include "core/api/drift.h"

#include <stdio.h>
#include <string.h>

#include "core/api/api.h"
#include "core/api/audit_owner.h"
#include "core/store/workspaces.h"

enum drift { REMOVED, RENAMED, REPLACED, MADE_PUBLIC, MADE_PRIVATE, RETURNED, DRIFT_COUNT };

/* What each does to bindings: those retired for `takes` (a list; "" is those that
 * count) are retired for it, or count again where it restores. */
static const struct {
	const char *word, *message;
	bool restores;
	const char *takes[5];
} kinds[DRIFT_COUNT] = {
	[REMOVED] = {"removed",
		     "it is not at the server; its bindings are retired until it returns",
		     false,
		     {"", NULL}},
	[RENAMED] = {"renamed",
		     "the server has it by another name; its bindings are retired until it has "
		     "this one again",
		     false,
		     {"", NULL}},
	[REPLACED] = {"replaced",
		      "the server has a new one by this name; its bindings are retired until it "
		      "is bound again",
		      false,
		      {"", "removed", "renamed", "made-public", NULL}},
	[MADE_PUBLIC] = {"made-public",
			 "it was made public at the server; its bindings are retired until it is "
			 "private again",
			 false,
			 {"", "removed", "renamed", NULL}},
	[MADE_PRIVATE] = {"made-private",
			  "it was made private at the server",
			  true,
			  {"made-public", "removed", "renamed", NULL}},
	[RETURNED] = {"returned",
		      "it was away from the server and is back as it was",
		      true,
		      {"removed", "renamed", NULL}},
};

json_t *drift_show(const struct space *it)
{
	json_t *shown;

	for (size_t i = 0; i < DRIFT_COUNT; i++)
		if (!strcmp(it->drift, kinds[i].word)) {
			shown = json_pack("{s:s, s:s}", "what", it->drift, "message",
					  kinds[i].message);
			js_put_time(shown, "at", it->drift_ms);
			return shown;
		}
	return NULL;
}

static int add_name(void *user, const void *row, struct berth_error *err)
{
	const struct space_binding *it = row;

	return json_array_append_new(user, json_string(it->workspace)) ? berth_fail_memory(err) : 0;
}

/* The bindings retired for `from` are so for `to` now; their workspaces' names go
 * to *names. */
static int move(struct store *s, const char *space_id, const char *from, const char *to,
		int64_t at_ms, json_t *names, struct berth_error *err)
{
	const struct store_value values[] = {V_TEXT(space_id), V_TEXT(from)};
	struct store_page page = {.within = "b.space_id = ? AND b.retired_for = ?",
				  .within_values = values,
				  .within_count = 2,
				  .tail = "ORDER BY w.name"};

	if (store_list(s, &space_bindings_table, &page, add_name, names, NULL, err))
		return err->code;
	return space_retire(s, space_id, from, to, at_ms, err);
}

/* One finding in the making. */
struct finding {
	struct operation *op;
	const struct space *before; /* as the store had it */
	enum drift what;
	int64_t at_ms;
	json_t *now; /* what differs, borrowed; or NULL */
};

/* Each workspace whose binding it was has a row of its own. */
static int tell_workspaces(const struct finding *f, const struct audit_entry *entry,
			   const json_t *names, struct berth_error *err)
{
	struct binding_note n = {.entry = *entry, .space = f->before, .what = kinds[f->what].word};

	n.entry.action = "workspace.drift";
	return audit_note_bindings(&n, names, err);
}

static int write_audit(const struct finding *f, const char *path, const json_t *names,
		       struct berth_error *err)
{
	const struct operation *op = f->op;
	bool restores = kinds[f->what].restores;
	AUTO_JSON json_t *detail =
		json_pack("{s:s, s:s, s:s, s:s, s:{s:b, s:s}, s:O}", "what", kinds[f->what].word,
			  "integration", f->before->integration, "space", f->before->name,
			  "operation", op->id, "before", "public", f->before->is_public ? 1 : 0,
			  "id", f->before->remote_id, restores ? "restored" : "retired", names);
	AUTO_FREE char *owner = NULL;
	struct audit_entry entry = {
		.uid = op->uid,
		.user_name = op->user_name,
		.request_id = op->request_id,
		.action = "space.drift",
		.resource = path,
		.result = !json_array_size(names) ? "noticed"
			  : restores              ? "restored"
						  : "retired",
		.detail = detail,
	};

	if (!detail || (f->now && json_object_set(detail, "after", f->now)))
		return berth_fail_memory(err);
	if (audit_owner(api_daemon()->store, f->before->integration, &owner, err))
		return err->code;
	entry.workspace_id = owner;
	if (audit_add(api_daemon()->store, ops_events(op->ops), &entry, err))
		return err->code;
	return tell_workspaces(f, &entry, names, err);
}

/* Readers of events learn that bindings changed, and not whose. */
static int tell(const struct finding *f, const char *path, const json_t *names,
		struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	const char *action = kinds[f->what].restores ? "bindings-restored" : "bindings-retired";
	AUTO_JSON json_t *document =
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "action", "drifted", "what",
			  kinds[f->what].word, "integration", f->before->integration, "name",
			  f->before->name, "operation", f->op->id);

	if (!document)
		return berth_fail_memory(err);
	if (events_add(ops_events(d->ops), EVENT_LIFECYCLE, path, document, err))
		return err->code;
	return json_array_size(names) ? api_tell(d, path, action, f->op->id, err) : 0;
}

static int note(const struct finding *f, struct berth_error *err)
{
	struct store *s = api_daemon()->store;
	const char *word = kinds[f->what].word;
	bool is_present = f->what != REMOVED && f->what != RENAMED;
	AUTO_JSON json_t *names = json_array();
	char path[96];

	snprintf(path, sizeof(path), "/v1/spaces/%s", f->before->id);
	if (!names)
		return berth_fail_memory(err);
	for (const char *const *from = kinds[f->what].takes; *from; from++)
		if (move(s, f->before->id, *from, kinds[f->what].restores ? "" : word, f->at_ms,
			 names, err))
			return err->code;
	if (space_set_drift(s, f->before->id, is_present, word, f->at_ms, err) ||
	    tell(f, path, names, err))
		return err->code;
	return write_audit(f, path, names, err);
}

/* What became of a space that was known and is there; DRIFT_COUNT: nothing. */
static enum drift compare(const struct space *before, const struct space *now)
{
	const char *id = now->remote_id ? now->remote_id : "";

	if (*before->remote_id && *id && strcmp(before->remote_id, id) != 0)
		return REPLACED;
	if (before->is_public != now->is_public)
		return now->is_public ? MADE_PUBLIC : MADE_PRIVATE;
	return before->is_present ? DRIFT_COUNT : RETURNED;
}

int drift_put(struct operation *op, struct space *now, struct berth_error *err)
{
	struct store *s = api_daemon()->store;
	struct space before AUTO_SPACE = {.id = NULL};
	int code = space_get_by_name(s, now->integration_id, now->name, &before, err);
	bool is_known = !code;

	if (code && code != BERTH_E_NOT_FOUND)
		return code;
	*err = (struct berth_error)ERROR_INIT;
	if (space_put(s, now, err))
		return err->code;
	struct finding f = {.op = op, .before = &before, .at_ms = now->seen_ms};
	f.what = is_known ? compare(&before, now) : DRIFT_COUNT;
	if (f.what == DRIFT_COUNT)
		return 0;
	AUTO_JSON json_t *after = json_pack("{s:b, s:s}", "public", now->is_public ? 1 : 0, "id",
					    now->remote_id ? now->remote_id : "");
	f.now = after;
	return after ? note(&f, err) : berth_fail_memory(err);
}

struct sweep {
	struct operation *op;
	int64_t at_ms;
};

static int is_gone(void *user, const void *row, struct berth_error *err)
{
	const struct sweep *w = user;
	const struct space *it = row;
	AUTO_FREE char *name = NULL;
	AUTO_JSON json_t *now = NULL;
	struct finding f = {.op = w->op, .before = it, .at_ms = w->at_ms};

	if (space_find_renamed(api_daemon()->store, it, &name, err))
		return err->code;
	if (name && !(now = json_pack("{s:s}", "name", name)))
		return berth_fail_memory(err);
	f.what = now ? RENAMED : REMOVED;
	f.now = now;
	return note(&f, err);
}

int drift_gone(struct operation *op, const char *integration_id, int64_t seen_ms,
	       struct berth_error *err)
{
	const struct store_value values[] = {V_TEXT(integration_id), V_INT(seen_ms)};
	struct store_page page = {.within = "s.integration_id = ? AND s.origin = 'native' AND "
					    "s.is_present = 1 AND s.seen_ms < ?",
				  .within_values = values,
				  .within_count = 2};
	struct sweep w = {.op = op, .at_ms = seen_ms};

	return api_each(api_daemon()->store, &spaces_table, &page, is_gone, &w, err);
}

int drift_changed_here(struct operation *op, const struct space *now, struct berth_error *err)
{
	AUTO_JSON json_t *names = json_array();
	char path[96];

	if (!names)
		return berth_fail_memory(err);
	if (now->is_public)
		return 0;
	if (space_set_drift(api_daemon()->store, now->id, true, "", 0, err) ||
	    move(api_daemon()->store, now->id, kinds[MADE_PUBLIC].word, "", 0, names, err))
		return err->code;
	snprintf(path, sizeof(path), "/v1/spaces/%s", now->id);
	return json_array_size(names)
		       ? api_tell(api_daemon(), path, "bindings-restored", op->id, err)
		       : 0;
}
