/* SPDX-License-Identifier: Apache-2.0 */
/* Names that the daemon knows, for completion and "did you mean". Errors are
 * silent: these are a help, not an answer.
 */
#include <string.h>

#include "client/cmd.h"
#include "client/dial.h"
#include "client/help.h"
#include "client/show.h"
#include "core/base/text.h"

enum { NAME_COUNT_MAX = 200, SUGGEST_BUDGET_MS = 500 };

struct taker {
	const char *prefix;
	size_t count;
	void (*take)(void *user, const char *name);
	void *user;
};

static void offer(struct taker *t, const char *name)
{
	if (t->count == NAME_COUNT_MAX || strncmp(name, t->prefix, strlen(t->prefix)) != 0)
		return;
	t->count++;
	t->take(t->user, name);
}

/* Offers a member of each item of a list, or a template filled by it. */
static void from_list(struct cli *c, const char *path, const char *template, struct taker *t)
{
	struct berth_error err = ERROR_INIT; /* not shown: see above */
	AUTO_JSON json_t *body = NULL;
	size_t i;
	const json_t *item;
	if (api_list(c, path, NAME_COUNT_MAX, &body, &err))
		return;
	json_array_foreach (json_object_get(body, "items"), i, item) {
		AUTO_FREE char *name = template_text(template, item);
		if (name)
			offer(t, name);
	}
}

/* Ids of what the rule has that is typed already. */
static void from_rule(struct cli *c, const char *route, struct taker *t)
{
	AUTO_FREE char *path = cli_operand(c, 0) ? api_route(c, route) : NULL;
	if (path)
		from_list(c, path, "{id}", t);
}

/* References that hold what was typed; below an integration that is not yet
 * typed in full, the integrations' own names. */
static void from_search(struct cli *c, enum names kind, struct taker *t)
{
	if (!strchr(t->prefix, '/')) {
		from_list(c, "/v1/integrations?limit=200", "{name}/", t);
		return;
	}
	AUTO_FREE char *path = api_query(strdup("/v1/images?limit=200"), "q", t->prefix);
	if (path)
		from_list(c, path,
			  kind == NAMES_REFERENCE ? "{reference}" : "{integration}/{repository}",
			  t);
}

static void from_contexts(struct taker *t)
{
	struct berth_error err = ERROR_INIT;
	struct contexts all;
	if (contexts_load(&all, &err))
		return;
	for (size_t i = 0; i < all.count; i++)
		offer(t, all.names[i]);
	contexts_done(&all);
}

static void from_tables(enum names kind, struct taker *t)
{
	static const char *const shells[] = {"bash", "zsh", "fish"};
	if (kind == NAMES_COMMAND) {
		offer(t, "topic");
		for (const struct noun *const *n = nouns; *n; n++)
			offer(t, (*n)->name);
	} else if (kind == NAMES_TOPIC) {
		for (const struct topic *p = topics; p->name; p++)
			offer(t, p->name);
	} else if (kind == NAMES_SHELL) {
		for (size_t i = 0; i < ARRAY_COUNT(shells); i++)
			offer(t, shells[i]);
	}
}

void names_list(struct cli *c, enum names kind, const char *prefix, uint32_t budget_ms,
		void (*take)(void *user, const char *name), void *user)
{
	struct taker t = {.prefix = prefix, .take = take, .user = user};
	c->budget_ms = budget_ms;
	switch (kind) {
	case NAMES_INTEGRATION:
		from_list(c, "/v1/integrations?limit=200", "{name}", &t);
		break;
	case NAMES_OPERATION:
		from_list(c, "/v1/operations?limit=50", "{id}", &t);
		break;
	case NAMES_PLAN:
		from_rule(c, "/v1/syncs/{0}/plans?limit=50", &t);
		break;
	case NAMES_RUN:
		from_rule(c, "/v1/syncs/{0}/runs?limit=50", &t);
		break;
	case NAMES_SPACE:
		from_list(c, "/v1/spaces?limit=200", "{integration}/{name}", &t);
		break;
	case NAMES_LOGIN:
		from_list(c, "/v1/logins?limit=200", "{id}", &t);
		break;
	case NAMES_SYNC:
		from_list(c, "/v1/syncs?limit=200", "{name}", &t);
		break;
	case NAMES_ROLE:
		from_list(c, "/v1/roles?limit=200&fields=name", "{name}", &t);
		break;
	case NAMES_PERMISSION:
		from_list(c, "/v1/permissions", "{name}", &t);
		break;
	case NAMES_WORKSPACE:
		from_list(c, "/v1/workspaces?limit=200", "{name}", &t);
		break;
	case NAMES_CLUSTER:
		from_list(c, "/v1/clusters?limit=200", "{name}", &t);
		break;
	case NAMES_PLUGIN:
		from_list(c, "/v1/plugins", "{name}", &t);
		break;
	case NAMES_REPOSITORY:
	case NAMES_REFERENCE:
		from_search(c, kind, &t);
		break;
	case NAMES_CONTEXT:
		from_contexts(&t);
		break;
	default:
		from_tables(kind, &t);
	}
	c->budget_ms = 0;
}

struct closest {
	const char *names[NAME_COUNT_MAX + 1];
	size_t count;
};

static void keep(void *user, const char *name)
{
	struct closest *all = user;
	size_t n = strlen(name);
	bool is_whole = n && name[n - 1] != '/'; /* completion offers beginnings too */
	char *copy = is_whole && all->count < NAME_COUNT_MAX ? strdup(name) : NULL;
	if (copy)
		all->names[all->count++] = copy;
}

void suggest_name(struct cli *c)
{
	struct closest all = {.count = 0};
	const struct operand *o = c->command->operands;
	const char *typed = cli_operand(c, 0);
	if (!c->problem || !typed || !o->name || (c->command->traits & CMD_OFFLINE) ||
	    o->names == NAMES_NONE)
		return;
	names_list(c, o->names, "", SUGGEST_BUDGET_MS, keep, &all);
	all.names[all.count] = NULL;
	const char *closest = text_closest(typed, all.names);
	if (closest && strcmp(closest, typed) != 0)
		cli_hint(c, "did you mean %s?", closest);
	for (size_t i = 0; i < all.count; i++)
		free((void *)(uintptr_t)all.names[i]);
}
