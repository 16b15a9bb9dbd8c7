/* SPDX-License-Identifier: Apache-2.0 */
/* Whose an audit row is: see audit_owner.h. */
#include "core/api/audit_owner.h"

#include <string.h>

#include "core/api/api.h"
#include "core/base/js.h"
#include "core/base/text.h"
#include "core/http/route.h"
#include "core/store/logins.h"
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

static int of_workspace(struct store *s, const char *name, char **ret, struct berth_error *err)
{
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	struct berth_error why = ERROR_INIT;

	if (workspace_get(s, name, &row, &why))
		return nobody_or(&why, ret, err);
	*ret = STEAL(row.id);
	return 0;
}

static int of_space(struct store *s, const char *id, char **ret, struct berth_error *err)
{
	struct space row AUTO_SPACE = {.id = NULL};
	struct berth_error why = ERROR_INIT;

	return space_get(s, id, &row, &why) ? nobody_or(&why, ret, err)
					    : audit_owner(s, row.integration, ret, err);
}

static int of_login(struct store *s, const char *id, char **ret, struct berth_error *err)
{
	struct login row AUTO_LOGIN = {.id = NULL};
	struct berth_error why = ERROR_INIT;

	return login_get(s, id, &row, &why) ? nobody_or(&why, ret, err)
					    : audit_owner(s, row.integration, ret, err);
}

static const struct kind {
	const char *noun; /* "/v1/NOUN/..." */
	const char *key;  /* of the body that makes one: what tells whose it will be; or NULL */
	int (*of)(struct store *s, const char *key, char **ret, struct berth_error *err);
	int (*of_new)(struct store *s, const char *key, char **ret, struct berth_error *err);
} kinds[] = {
	{"integrations", "name", audit_owner, audit_owner},
	{"logins", NULL, of_login, NULL},
	{"spaces", "integration", of_space, audit_owner},
	{"workspaces", "name", of_workspace, of_workspace},
};

/* What a POST of bindings asks for names others. */
static bool is_of_many(const struct route_path *p)
{
	return p->count > 3 && !strcmp(p->segments[3], "bindings");
}

/* Segments: "v1", the noun, the key, what is below. */
static int find_owner(struct store *s, const struct route_path *p, const json_t *asked, char **ret,
		      struct berth_error *err)
{
	for (size_t i = 0; p->count > 1 && !is_of_many(p) && i < ARRAY_COUNT(kinds); i++) {
		const struct kind *k = &kinds[i];
		const char *key = k->key ? js_str(asked, k->key, NULL) : NULL;

		if (strcmp(p->segments[1], k->noun) != 0)
			continue;
		if (p->count > 2)
			return k->of(s, p->segments[2], ret, err);
		if (key)
			return k->of_new(s, key, ret, err);
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
	return find_owner(s, &path, entry->asked, ret, err);
}

int audit_note_binding(const struct binding_note *n, const char *workspace, struct berth_error *err)
{
	struct daemon_state *d = api_daemon();
	struct workspace row AUTO_WORKSPACE = {.id = NULL};
	struct audit_entry entry = n->entry;
	AUTO_FREE char *path = text_printf("/v1/workspaces/%s", workspace);
	AUTO_JSON json_t *detail =
		json_pack("{s:s, s:s, s:s*}", "integration", n->space->integration, "space",
			  n->space->name, "what", n->what);

	if (!path || !detail)
		return berth_fail_memory(err);
	if (workspace_get(d->store, workspace, &row, err))
		return err->code;
	entry.resource = path;
	entry.detail = detail;
	entry.workspace_id = row.id;
	return audit_add(d->store, ops_events(d->ops), &entry, err);
}
