/* SPDX-License-Identifier: Apache-2.0 */
/* Whose an audit row is: see audit_owner.h. */
#include "core/api/audit_owner.h"

#include <stdio.h>
#include <string.h>

#include "core/api/api.h"
#include "core/base/js.h"
#include "core/base/text.h"
#include "core/http/route.h"
#include "core/oci/reference.h"
#include "core/store/integrations.h"
#include "core/store/logins.h"
#include "core/store/syncs.h"
#include "core/store/workspaces.h"

/* What is not there is nobody's. */
static int nobody_or(struct berth_error *why, char **ret, struct berth_error *err)
{
	if (why->code != BERTH_E_NOT_FOUND) {
		*err = *why;
		return err->code;
	}
	*ret = strdup("");
	return *ret ? 0 : berth_fail_memory(err);
}

static int of_workspace(struct store *s, const struct http_audit *e, const char *name, char **ret,
			struct berth_error *err)
{
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	struct berth_error why = ERROR_INIT;

	(void)e;
	if (workspace_get(s, name, &row, &why))
		return nobody_or(&why, ret, err);
	*ret = STEAL(row.id);
	return 0;
}

static int of_integration(struct store *s, const struct http_audit *e, const char *name, char **ret,
			  struct berth_error *err)
{
	(void)e;
	return audit_owner(s, name, ret, err);
}

/* One that was just deleted: of its integration, as what it was says. */
static int of_gone_space(struct store *s, const struct http_audit *e, struct berth_error *why,
			 char **ret, struct berth_error *err)
{
	const char *id = js_str(e->before, "integration", NULL);
	struct integration row AUTO_INTEGRATION = {.id = NULL};

	if (!id || why->code != BERTH_E_NOT_FOUND)
		return nobody_or(why, ret, err);
	*why = (struct berth_error)ERROR_INIT;
	return integration_get_by_id(s, id, &row, why) ? nobody_or(why, ret, err)
						       : audit_owner(s, row.name, ret, err);
}

static int of_space(struct store *s, const struct http_audit *e, const char *id, char **ret,
		    struct berth_error *err)
{
	struct space row AUTO_SPACE = {.id = NULL};
	struct berth_error why = ERROR_INIT;

	return space_get(s, id, &row, &why) ? of_gone_space(s, e, &why, ret, err)
					    : audit_owner(s, row.integration, ret, err);
}

static int of_login(struct store *s, const struct http_audit *e, const char *id, char **ret,
		    struct berth_error *err)
{
	struct login row AUTO_LOGIN = {.id = NULL};
	struct berth_error why = ERROR_INIT;

	(void)e;
	return login_get(s, id, &row, &why) ? nobody_or(&why, ret, err)
					    : audit_owner(s, row.integration, ret, err);
}

/* --- copies and copy rules: of two ends --- */

/* Whose the ends are that were looked at: one workspace's, or the platform's. */
struct ends {
	char workspace[64]; /* its name; "" before the first */
	bool is_platform;   /* one of no workspace, or of several */
};

/* INTEGRATION[/...]; NULL is none. */
static void add_end(struct ends *ends, const char *text)
{
	char integration[64];

	if (!text)
		return;
	snprintf(integration, sizeof(integration), "%.*s", (int)strcspn(text, "/"), text);
	integration[text_workspace_bytes(integration)] = 0;
	if (!*integration || (*ends->workspace && strcmp(ends->workspace, integration) != 0))
		ends->is_platform = true;
	snprintf(ends->workspace, sizeof(ends->workspace), "%s", integration);
}

static void add_targets(struct ends *ends, const json_t *document)
{
	const json_t *one;
	size_t i;

	add_end(ends, js_str(document, "target", NULL));
	json_array_foreach (json_object_get(document, "targets"), i, one)
		add_end(ends, json_string_value(one));
}

static int owner_of_ends(struct store *s, const struct ends *ends, char **ret,
			 struct berth_error *err)
{
	return of_workspace(s, NULL, ends->is_platform ? "" : ends->workspace, ret, err);
}

/* Each end that the row may name is the workspace's, since its admins read the row: what the
 * rule was, is, and what was asked of it. */
static int of_sync(struct store *s, const struct http_audit *e, const char *name, char **ret,
		   struct berth_error *err)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};
	struct berth_error why = ERROR_INIT;
	json_t *stored AUTO_JSON = NULL;
	struct ends ends = {.workspace = ""};

	int code = sync_rule_get(s, name, &row, &why);
	if (code && code != BERTH_E_NOT_FOUND) {
		*err = why;
		return code;
	}
	if (!code && api_parse(row.desired, &stored, err))
		return err->code;
	const json_t *documents[] = {stored, e->before, e->after, e->asked};
	for (size_t i = 0; i < ARRAY_COUNT(documents); i++) {
		add_end(&ends, js_str(documents[i], "source", NULL));
		add_targets(&ends, documents[i]);
	}
	return owner_of_ends(s, &ends, ret, err);
}

/* May that workspace use the space which holds the repository? Then its admins may read of it. */
static int may_use(struct store *s, const char *workspace_id, const char *text, bool *ret,
		   struct berth_error *err)
{
	struct reference of = {.integration = ""};
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct space space AUTO_SPACE = {.id = NULL};
	int64_t count = 0;

	*ret = false;
	int code = reference_parse(text, &of, err);
	if (!code)
		code = integration_get(s, of.integration, &row, err);
	if (!code)
		code = space_of_repository(s, row.id, of.repository, &space, err);
	if (code == BERTH_E_NOT_FOUND || code == BERTH_E_INVALID) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	const struct store_value values[] = {V_TEXT(space.id), V_TEXT(workspace_id),
					     V_TEXT(workspace_id)};
	if (!code)
		code = store_count(s, &spaces_table,
				   PAGE_OF("s.id = ? AND s.is_present = 1 AND (" SPACE_PUBLIC_SQL
					   " OR " SPACE_BOUND_SQL " OR " INTEGRATION_OF_SQL ")",
					   values, ARRAY_COUNT(values)),
				   &count, err);
	*ret = count > 0;
	return code;
}

/* Of the workspace that all targets are of, where it may use the source. */
static int of_copy(struct store *s, const struct http_audit *e, const char *source, char **ret,
		   struct berth_error *err)
{
	struct ends ends = {.workspace = ""};
	bool is_seen = false;

	add_targets(&ends, e->asked);
	if (owner_of_ends(s, &ends, ret, err) || !**ret || may_use(s, *ret, source, &is_seen, err))
		return err->code;
	if (!is_seen)
		**ret = 0;
	return 0;
}

typedef int owner_fn(struct store *s, const struct http_audit *e, const char *key, char **ret,
		     struct berth_error *err);
static const struct kind {
	const char *noun; /* "/v1/NOUN/..." */
	const char *key;  /* of the body that makes one: what tells whose it will be; or NULL */
	owner_fn *of;     /* NULL: one that is there has no changes of its own */
	owner_fn *of_new;
} kinds[] = {
	{"copies", "source", NULL, of_copy},
	{"integrations", "name", of_integration, of_integration},
	{"logins", NULL, of_login, NULL},
	{"spaces", "integration", of_space, of_integration},
	{"syncs", "name", of_sync, of_sync},
	{"workspaces", "name", of_workspace, of_workspace},
};

/* What a POST of bindings asks for names others. */
static bool is_of_many(const struct route_path *p)
{
	return p->count > 3 && !strcmp(p->segments[3], "bindings");
}

/* Segments: "v1", the noun, the key, what is below. */
static int find_owner(struct store *s, const struct route_path *p, const struct http_audit *e,
		      char **ret, struct berth_error *err)
{
	for (size_t i = 0; p->count > 1 && !is_of_many(p) && i < ARRAY_COUNT(kinds); i++) {
		const struct kind *k = &kinds[i];
		const char *key = k->key ? js_str(e->asked, k->key, NULL) : NULL;

		if (strcmp(p->segments[1], k->noun) != 0)
			continue;
		if (p->count > 2 && k->of)
			return k->of(s, e, p->segments[2], ret, err);
		if (p->count == 2 && key)
			return k->of_new(s, e, key, ret, err);
	}
	*ret = strdup("");
	return *ret ? 0 : berth_fail_memory(err);
}

int audit_owner_of_request(struct store *s, const struct http_audit *entry, char **ret,
			   struct berth_error *err)
{
	struct route_path path CLEANUP(route_path_done) = {.count = 0};

	if (route_path_parse(entry->path, strlen(entry->path), &path, err))
		return err->code;
	return find_owner(s, &path, entry, ret, err);
}

static int note_binding(struct audit_run *run, const struct binding_note *n, const char *workspace,
			struct berth_error *err)
{
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	struct audit_entry entry = n->entry;
	AUTO_FREE char *path = text_printf("/v1/workspaces/%s", workspace);
	AUTO_JSON json_t *detail =
		json_pack("{s:s, s:s, s:s*}", "integration", n->space->integration, "space",
			  n->space->name, "what", n->what);

	if (!path || !detail)
		return berth_fail_memory(err);
	if (workspace_get(run->store, workspace, &row, err))
		return err->code;
	entry.resource = path;
	entry.detail = detail;
	entry.workspace_id = row.id;
	return audit_run_add(run, &entry, err);
}

int audit_note_bindings(const struct binding_note *n, const json_t *workspaces,
			struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct audit_run run;
	const json_t *one;
	size_t i;

	if (!json_array_size(workspaces))
		return 0;
	if (audit_run_begin(&run, d->store, ops_events(d->ops), err))
		return err->code;
	json_array_foreach (workspaces, i, one)
		if (note_binding(&run, n, json_string_value(one), err))
			return err->code;
	return audit_run_end(&run, err);
}

/* --- ends of others --- */

struct notes {
	struct store *store;
	const struct audit_entry *row;
	const char *action;
	json_t *ends; /* {"source hub/app": {"workspace", "as", "place"}}: each once */
};

/* INTEGRATION[/...] of a workspace. */
static void keep_end(json_t *ends, const char *text, const char *as)
{
	size_t bytes = text ? text_workspace_bytes(text) : 0;
	char *key AUTO_FREE = bytes ? text_printf("%s %s", as, text) : NULL;
	char *workspace AUTO_FREE = bytes ? strndup(text, bytes) : NULL;

	if (bytes && (!key || !workspace))
		js_lose();
	else if (bytes)
		json_object_set_new(ends, key,
				    json_pack("{s:s, s:s, s:s}", "workspace", workspace, "as", as,
					      "place", text));
}

static void keep_ends(json_t *ends, const json_t *document)
{
	const json_t *one;
	size_t i;

	keep_end(ends, js_str(document, "source", NULL), "source");
	keep_end(ends, js_str(document, "target", NULL), "target");
	json_array_foreach (json_object_get(document, "targets"), i, one)
		keep_end(ends, json_string_value(one), "target");
}

static int note_end(struct audit_run *run, const struct notes *n, const json_t *end,
		    struct berth_error *err)
{
	const char *name = js_str(end, "workspace", "");
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	struct berth_error why = ERROR_INIT;
	struct audit_entry entry = *n->row;
	char *path AUTO_FREE = text_printf("/v1/workspaces/%s", name);
	json_t *detail AUTO_JSON =
		json_pack("{s:s, s:O, s:O}", "what", n->row->action, "as",
			  json_object_get(end, "as"), "place", json_object_get(end, "place"));

	if (!path || !detail)
		return berth_fail_memory(err);
	int code = workspace_get(n->store, name, &row, &why);
	if (code && code != BERTH_E_NOT_FOUND)
		*err = why;
	if (code == BERTH_E_NOT_FOUND)
		return 0;
	if (code || !strcmp(row.id, n->row->workspace_id))
		return code;
	entry.action = n->action;
	entry.resource = path;
	entry.detail = detail;
	entry.groups = NULL;
	entry.workspace_id = row.id;
	return audit_run_add(run, &entry, err);
}

static int note_all(struct daemon_state *d, const struct notes *n, struct berth_error *err)
{
	struct audit_run run;
	const char *key;
	json_t *end;

	if (!json_object_size(n->ends))
		return 0;
	if (audit_run_begin(&run, d->store, d->ops ? ops_events(d->ops) : NULL, err))
		return err->code;
	json_object_foreach (n->ends, key, end)
		if (note_end(&run, n, end, err))
			return err->code;
	return audit_run_end(&run, err);
}

/* The rule as it is stored: a run of it says nothing of its ends. */
static int stored_rule(struct store *s, const char *name, json_t **ret, struct berth_error *err)
{
	struct sync_rule row AUTO_SYNC_RULE = {.id = NULL};
	struct berth_error why = ERROR_INIT;

	int code = name ? sync_rule_get(s, name, &row, &why) : 0;
	if (code == BERTH_E_NOT_FOUND || !name)
		return 0;
	if (code)
		*err = why;
	return code ? code : api_parse(row.desired, ret, err);
}

int audit_note_ends(struct daemon_state *d, const struct http_audit *entry,
		    const struct audit_entry *row, struct berth_error *err)
{
	struct route_path path CLEANUP(route_path_done) = {.count = 0};
	json_t *ends AUTO_JSON = json_object(), *stored AUTO_JSON = NULL;
	unsigned losses = js_losses();

	if (entry->status >= 400 || entry->dry_run)
		return 0;
	if (route_path_parse(entry->path, strlen(entry->path), &path, err))
		return err->code;
	const char *noun = path.count > 1 ? path.segments[1] : "";
	bool is_rule = !strcmp(noun, "syncs");
	if (!is_rule && strcmp(noun, "copies") != 0)
		return 0;
	if (is_rule &&
	    stored_rule(d->store, path.count > 2 ? path.segments[2] : NULL, &stored, err))
		return err->code;
	const json_t *documents[] = {stored, entry->before, entry->after, entry->asked};
	for (size_t i = 0; i < ARRAY_COUNT(documents); i++)
		keep_ends(ends, documents[i]);
	const struct notes n = {.store = d->store,
				.row = row,
				.action = is_rule ? "workspace.sync" : "workspace.copy",
				.ends = ends};
	if (!ends || js_losses() != losses)
		return berth_fail_memory(err);
	return note_all(d, &n, err);
}
