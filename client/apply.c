/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of apply and diff. Only members that the file names are compared,
 * and only those that differ are sent, so that a second run finds nothing to
 * do. Secrets can't be compared: they are sent at creation, and with an update
 * where --set-secrets asks for it.
 */
#include "client/apply.h"

#include <string.h>

#include "client/api.h"
#include "client/secret.h"
#include "core/base/text.h"
#include "core/base/yaml_in.h"

const struct kind apply_kinds[] = {
	{"workspaces", "workspace", "/v1/workspaces", false},
	{"integrations", "integration", "/v1/integrations", false},
	{"spaces", "space", "/v1/spaces", true},
	{"syncs", "sync", "/v1/syncs", false},
	{0},
};

const char *step_action_name(enum step_action action)
{
	static const char *const names[] = {"create", "update", "unchanged", "prune"};
	return names[action];
}

void plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->step_count; i++) {
		free(p->steps[i].name);
		free(p->steps[i].path);
		json_decref(p->steps[i].body);
		json_decref(p->steps[i].changes);
	}
	free(p->steps);
	*p = (struct plan){0};
}

#define APPLY_LISTS "workspaces, integrations, spaces, syncs"

static bool is_secret(const char *member)
{
	return !strcmp(member, "password") || !strcmp(member, "client_key");
}

/* A path in the file is relative to the file's own folder. */
static char *beside(const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	if (*path == '/' || !slash || !strncmp(path, "credential:", 11))
		return strdup(path);
	return text_printf("%.*s/%s", (int)(slash - file), file, path);
}

/* X_file: PATH becomes X: the file's text. */
static int read_files(struct cli *c, const char *file, json_t *item, struct berth_error *err)
{
	const char *key;
	json_t *value;
	void *next;
	json_object_foreach_safe (item, next, key, value) {
		size_t bytes = strlen(key);
		AUTO_FREE char *text = NULL, *member = NULL;
		if (json_is_object(value) && read_files(c, file, value, err))
			return err->code;
		if (bytes < 6 || strcmp(key + bytes - 5, "_file") != 0 || !json_is_string(value))
			continue;
		AUTO_FREE char *path = beside(file, json_string_value(value));
		member = text_printf("%.*s", (int)bytes - 5, key);
		if (!path || !member)
			return berth_fail_memory(err);
		int code = is_secret(member) ? secret_read(c, path, &text, err)
					     : file_text(c, path, &text, err);
		if (code)
			return berth_wrap(err, "cannot read %s", key);
		json_object_set_new(item, member, json_string(text));
		json_object_del(item, key);
	}
	return 0;
}

static bool agrees(const json_t *there, const json_t *wanted);

static bool has_like(const json_t *there, const json_t *wanted)
{
	size_t i;
	const json_t *one;
	json_array_foreach (there, i, one)
		if (agrees(one, wanted))
			return true;
	return false;
}

/* Lists agree in any order: each of one has its like in the other. */
static bool lists_agree(const json_t *there, const json_t *wanted)
{
	size_t i, k;
	const json_t *one, *other;
	json_array_foreach (wanted, i, one)
		if (!has_like(there, one))
			return false;
	json_array_foreach (there, i, one) {
		bool is_wanted = false;
		json_array_foreach (wanted, k, other)
			is_wanted = is_wanted || agrees(one, other);
		if (!is_wanted)
			return false;
	}
	return true;
}

/* Is what is wanted there already? Only members that are named count. */
static bool agrees(const json_t *there, const json_t *wanted)
{
	const char *key;
	json_t *value;
	if (json_is_null(wanted))
		return !there || json_is_null(there);
	if (json_is_array(wanted) && (json_is_array(there) || !there))
		return lists_agree(there, wanted);
	if (!json_is_object(wanted))
		return there && json_equal(there, wanted);
	json_object_foreach ((json_t *)(uintptr_t)wanted, key, value) {
		if (is_secret(key))
			continue;
		if (!agrees(json_object_get(there, key), value))
			return false;
	}
	return true;
}

/* What of wanted is a secret, at any depth, copied to patch. */
static void add_secrets(const json_t *wanted, json_t *patch)
{
	const char *key;
	json_t *value;
	json_object_foreach ((json_t *)(uintptr_t)wanted, key, value) {
		if (is_secret(key)) {
			json_object_set(patch, key, value);
		} else if (json_is_object(value)) {
			json_t *there = json_object_get(patch, key);
			AUTO_JSON json_t *below = there ? json_deep_copy(there) : json_object();
			add_secrets(value, below);
			if (json_object_size(below))
				json_object_set(patch, key, below);
		}
	}
}

/* The members that differ, as a merge patch and as a list of changes. */
static int compare(struct step *s, const json_t *there, const json_t *wanted, bool with_secrets,
		   struct berth_error *err)
{
	static const char *const fixed[] = {"name", "kind", "integration", "scope"};
	const char *key;
	json_t *value;
	s->body = json_object();
	s->changes = json_array();
	json_object_foreach ((json_t *)(uintptr_t)wanted, key, value) {
		json_t *before = json_object_get(there, key);
		if (is_secret(key) || agrees(before, value))
			continue;
		for (size_t i = 0; i < ARRAY_COUNT(fixed); i++)
			if (!strcmp(fixed[i], key))
				return berth_fail(err, BERTH_E_INVALID,
						  "%s %s: '%s' cannot be changed; delete it first",
						  s->kind->noun, s->name, key);
		json_object_set(s->body, key, value);
		json_array_append_new(s->changes, json_pack("{s:s, s:O?, s:O}", "member", key,
							    "before", before, "after", value));
	}
	if (with_secrets)
		add_secrets(wanted, s->body);
	s->action = json_object_size(s->body) ? STEP_UPDATE : STEP_UNCHANGED;
	return 0;
}

static struct step *add_step(struct plan *p, struct berth_error *err)
{
	if (p->step_count == STEP_MAX) {
		berth_fail(err, BERTH_E_LIMIT, "there are over %d items", STEP_MAX);
		return NULL;
	}
	struct step *steps = reallocarray(p->steps, p->step_count + 1, sizeof(*steps));
	if (!steps) {
		berth_fail_memory(err);
		return NULL;
	}
	p->steps = steps;
	steps[p->step_count] = (struct step){0};
	return &steps[p->step_count++];
}

/* "hub", or "hub/team" for what is below an integration. */
static char *name_of(const struct kind *kind, const json_t *item)
{
	const char *name = js_str(item, "name", NULL);
	const char *integration = js_str(item, "integration", NULL);
	if (!name || (kind->has_integration && !integration))
		return NULL;
	return kind->has_integration ? text_printf("%s/%s", integration, name) : strdup(name);
}

static const json_t *find_named(const struct kind *kind, const json_t *items, const char *name)
{
	size_t i;
	json_t *item;
	json_array_foreach (items, i, item) {
		AUTO_FREE char *other = name_of(kind, item);
		if (other && !strcmp(other, name))
			return item;
	}
	return NULL;
}

static char *path_of(const struct kind *kind, const json_t *there)
{
	const char *id = js_str(there, kind->has_integration ? "id" : "name", "");
	AUTO_FREE char *safe = text_url_encode(id);
	return safe ? text_printf("%s/%s", kind->collection, safe) : NULL;
}

/* Reads the resource itself, for its ETag and all its members. */
static int read_there(struct cli *c, struct step *s, json_t **ret, struct berth_error *err)
{
	int code = s->path ? api_get(c, s->path, ret, err) : berth_fail_memory(err);
	if (!code)
		snprintf(s->etag, sizeof(s->etag), "%s", c->etag);
	return code;
}

static int plan_item(struct cli *c, struct plan *p, const struct kind *kind, json_t *wanted,
		     const json_t *listed, struct berth_error *err)
{
	struct step *s = add_step(p, err);
	AUTO_JSON json_t *there = NULL;
	if (!s)
		return err->code;
	s->kind = kind;
	s->name = name_of(kind, wanted);
	if (!s->name)
		return berth_fail(err, BERTH_E_INVALID, "an item of %s has no %s", kind->list,
				  kind->has_integration ? "integration or name" : "name");
	const json_t *bound = json_object_get(wanted, "workspaces");
	if (kind->has_integration && bound && !json_is_array(bound))
		return berth_fail(err, BERTH_E_INVALID,
				  "%s %s: 'workspaces' must be a list of names", kind->noun,
				  s->name);
	const json_t *found = find_named(kind, listed, s->name);
	if (!found) {
		s->action = STEP_CREATE;
		s->body = json_incref(wanted);
		return 0;
	}
	s->path = path_of(kind, found);
	int code = read_there(c, s, &there, err);
	return code ? code : compare(s, there, wanted, cli_has(c, "set-secrets"), err);
}

/* Every item of one of the file's lists. */
static int plan_list(struct cli *c, struct plan *p, const struct kind *kind, json_t *items,
		     const char *file, struct berth_error *err)
{
	AUTO_JSON json_t *body = NULL;
	AUTO_FREE char *path = text_printf("%s?limit=1000", kind->collection);
	size_t i;
	json_t *item, *other;
	if (!json_is_array(items))
		return berth_fail(err, BERTH_E_INVALID, "'%s' must be a list", kind->list);
	if (!path || api_list(c, path, 0, &body, err))
		return path ? err->code : berth_fail_memory(err);
	const json_t *listed = json_object_get(body, "items");
	json_array_foreach (items, i, item) {
		if (!json_is_object(item))
			return berth_fail(err, BERTH_E_INVALID, "item %zu of %s is no object",
					  i + 1, kind->list);
		if (read_files(c, file, item, err))
			return err->code;
		if (plan_item(c, p, kind, item, listed, err))
			return err->code;
	}
	json_array_foreach (listed, i, other) {
		AUTO_FREE char *name = name_of(kind, other);
		bool is_ours = !kind->has_integration || js_bool(other, "declared", false);
		if (!cli_has(c, "prune") || !name || !is_ours || find_named(kind, items, name))
			continue;
		struct step *s = add_step(p, err);
		AUTO_JSON json_t *there = NULL;
		if (!s)
			return err->code;
		*s = (struct step){.action = STEP_PRUNE,
				   .kind = kind,
				   .name = STEAL(name),
				   .path = path_of(kind, other)};
		if (read_there(c, s, &there, err))
			return err->code;
	}
	return 0;
}

/* A member of the file that is no list of ours. */
static int check_members(const json_t *document, struct berth_error *err)
{
	const char *key;
	json_t *value;
	if (!json_is_object(document))
		return berth_fail(err, BERTH_E_INVALID, "expected lists by noun: " APPLY_LISTS);
	json_object_foreach ((json_t *)(uintptr_t)document, key, value) {
		const struct kind *kind = apply_kinds;
		while (kind->list && strcmp(kind->list, key) != 0)
			kind++;
		if (!kind->list)
			return berth_fail(err, BERTH_E_INVALID, "'%s' is none of " APPLY_LISTS,
					  key);
	}
	return 0;
}

static int plan_documents(struct cli *c, struct plan *p, json_t *documents, const char *file,
			  struct berth_error *err)
{
	size_t i;
	json_t *document;
	json_array_foreach (documents, i, document)
		if (!json_is_null(document) && check_members(document, err))
			return err->code;
	for (const struct kind *kind = apply_kinds; kind->list; kind++)
		json_array_foreach (documents, i, document) {
			json_t *items = json_object_get(document, kind->list);
			if (items && plan_list(c, p, kind, items, file, err))
				return err->code;
		}
	return 0;
}

int plan_make(struct cli *c, const char *file, struct plan *ret, struct berth_error *err)
{
	AUTO_FREE char *text = NULL;
	AUTO_JSON json_t *documents = NULL;
	*ret = (struct plan){0};
	int code = file_text(c, file, &text, err);
	if (code)
		return code;
	code = documents_parse(text, &documents, err);
	if (code)
		return berth_wrap(err, "cannot read %s", file);
	code = plan_documents(c, ret, documents, file, err);
	if (code)
		plan_done(ret);
	return code;
}
