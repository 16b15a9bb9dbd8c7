/* SPDX-License-Identifier: Apache-2.0 */
/* What a copy rule may not do: feed itself, write where another rule writes,
 * or close a ring with others. Two integrations with one address are one
 * registry.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/integration.h"
#include "core/api/sight.h"
#include "core/api/sync.h"

#define ROUTES_MAX 1000

/* Every enabled rule with each of its targets, those of the one in question first. */
struct routes {
	struct daemon_state *d;
	const char *own_id;
	struct sync_route *items;
	size_t count, own_count;
};

static void routes_done(struct routes *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free((char *)r->items[i].name);
		json_decref(r->items[i].desired);
		free(r->items[i].source_address);
		free(r->items[i].target_address);
	}
	free(r->items);
}

/* An integration that is gone has no address that another could share: its name is
 * taken for it. */
static int address_of(struct daemon_state *d, const char *integration, char **ret,
		      struct berth_error *err)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	json_t *desired AUTO_JSON = NULL;
	int code = integration_get(d->store, integration, &row, err);

	if (code == BERTH_E_NOT_FOUND)
		*err = (struct berth_error)ERROR_INIT;
	else if (!code)
		code = api_parse(row.desired, &desired, err);
	if (code && code != BERTH_E_NOT_FOUND)
		return code;
	*ret = strdup(js_str(desired, "address", integration));
	if (*ret)
		return 0;
	(void)berth_fail_memory(err);
	return BERTH_E_NO_MEMORY;
}

static int add_route(struct routes *r, const char *name, json_t *desired, size_t i,
		     struct berth_error *err)
{
	struct sync_route *route = &r->items[r->count];

	if (r->count == ROUTES_MAX)
		return berth_fail(err, BERTH_E_LIMIT, "copy rules have more than %d targets",
				  ROUTES_MAX);
	if (sync_end_parse(js_str(desired, "source", ""), &route->source, err) ||
	    sync_end_parse(sync_target(desired, i), &route->target, err))
		return err->code;
	r->count++;
	route->name = strdup(name);
	route->desired = json_incref(desired);
	if (!route->name)
		return berth_fail_memory(err);
	if (address_of(r->d, route->source.integration, &route->source_address, err))
		return err->code;
	return address_of(r->d, route->target.integration, &route->target_address, err);
}

static int add_routes(struct routes *r, const char *name, json_t *desired, struct berth_error *err)
{
	for (size_t i = 0; i < sync_target_count(desired); i++)
		if (add_route(r, name, desired, i, err))
			return err->code;
	return 0;
}

static int add_row(void *user, const void *row, struct berth_error *err)
{
	const struct sync_rule *rule = row;
	struct routes *r = user;
	json_t *desired AUTO_JSON = NULL;

	if (!rule->is_enabled || (r->own_id && !strcmp(rule->id, r->own_id)))
		return 0;
	if (api_parse(rule->desired, &desired, err))
		return err->code;
	return add_routes(r, rule->name, desired, err);
}

static int routes_load(struct routes *r, const char *name, json_t *desired, struct berth_error *err)
{
	r->items = calloc(ROUTES_MAX, sizeof(*r->items));
	if (!r->items)
		return berth_fail_memory(err);
	if (add_routes(r, name, desired, err))
		return err->code;
	r->own_count = r->count;
	return api_each(r->d->store, &sync_rules_table, NULL, add_row, r, err);
}

#define CHAIN_ROOM 512

/* As much of it as fits. */
static void add_link(char chain[CHAIN_ROOM], const char *between, const char *name)
{
	size_t used = strlen(chain);

	snprintf(chain + used, CHAIN_ROOM - used, "%s%s", between, name);
}

/* A way from route `from` back to the first one, over rules not yet walked; the names on
 * it go into chain. */
static bool leads_back(const struct routes *r, size_t from, bool *walked, char chain[CHAIN_ROOM])
{
	walked[from] = true;
	if (from && sync_feeds(&r->items[from], &r->items[0])) {
		add_link(chain, "", r->items[from].name);
		return true;
	}
	for (size_t i = 1; i < r->count; i++) {
		if (walked[i] || !sync_feeds(&r->items[from], &r->items[i]) ||
		    !leads_back(r, i, walked, chain))
			continue;
		add_link(chain, " <- ", r->items[from].name);
		return true;
	}
	return false;
}

/* From its i-th target. True: answered. */
static bool closes_ring(struct answer *a, const struct routes *r, size_t i)
{
	char chain[CHAIN_ROOM] = "";
	bool *walked AUTO_FREE = calloc(r->count + 1, sizeof(*walked));
	struct berth_error err = ERROR_INIT;

	if (!walked) {
		(void)berth_fail_memory(&err);
		api_fail(a, &err, NULL);
		return true;
	}
	if (!leads_back(r, i, walked, chain))
		return false;
	api_refuse(a, 409, "sync-ring", "berthctl sync list", "copy rule %s would close a ring: %s",
		   r->items[0].name, chain);
	return true;
}

/* The other rules that would write what the i-th route writes; true: answered. */
static bool is_taken(struct answer *a, const struct routes *r, size_t i)
{
	const struct sync_route *own = &r->items[i];
	char names[CHAIN_ROOM] = "";
	const char *last = "";

	for (size_t k = i + 1; k < r->own_count; k++)
		if (sync_same_target(own, &r->items[k])) {
			api_refuse(a, 409, "sync-target-taken", "berthctl integration list",
				   "targets %s and %s of copy rule %s are one registry",
				   own->target.integration, r->items[k].target.integration,
				   own->name);
			return true;
		}
	for (size_t k = r->own_count; k < r->count; k++) {
		const char *name = r->items[k].name;
		if (!strcmp(name, last) || !sync_same_target(own, &r->items[k]))
			continue;
		add_link(names, *names ? ", " : "", name);
		last = name;
	}
	if (*names)
		api_refuse(a, 409, "sync-target-taken", "berthctl sync list",
			   "copy rule %s would write the same tags as %s", own->name, names);
	return *names != 0;
}

/* Answers 409 where one of its routes does what none may. */
static bool is_refused(struct answer *a, const struct routes *r)
{
	for (size_t i = 0; i < r->own_count; i++) {
		if (sync_feeds_itself(&r->items[i])) {
			api_refuse(a, 409, "sync-onto-itself", NULL,
				   "copy rule %s would read what it writes: source and target are "
				   "the same place",
				   r->items[i].name);
			return true;
		}
		if (is_taken(a, r, i) || closes_ring(a, r, i))
			return true;
	}
	return false;
}

bool sync_fits(struct request *q, struct answer *a, const char *name, const char *own_id,
	       json_t *desired)
{
	struct routes r CLEANUP(routes_done) = {.d = request_daemon(q), .own_id = own_id};
	struct berth_error err = ERROR_INIT;

	if (!js_bool(desired, "enabled", true))
		return true;
	if (!routes_load(&r, name, desired, &err))
		return !is_refused(a, &r);
	api_fail(a, &err, NULL);
	return false;
}

int sync_same_registry(struct daemon_state *d, const char *one, const char *other, bool *ret,
		       struct berth_error *err)
{
	char *address AUTO_FREE = NULL, *other_address AUTO_FREE = NULL;

	int code = address_of(d, one, &address, err);
	if (!code)
		code = address_of(d, other, &other_address, err);
	if (code)
		return code;
	*ret = !strcmp(one, other) || !strcmp(address, other_address);
	return 0;
}

/* A finding where there is no integration of that name. */
static void check_known(struct request *q, struct findings *f, const char *name,
			const char *pointer)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct berth_error err = ERROR_INIT;
	int code = integration_get(request_daemon(q)->store, name, &row, &err);

	if (code == BERTH_E_NOT_FOUND)
		findings_add(f, pointer, "no-integration", "%s", err.message);
	else if (code)
		findings_fail(f, &err);
}

bool sync_ends_known(struct request *q, struct answer *a, const json_t *rule)
{
	static const char *const ends[] = {"source", "target"};
	struct findings f = {.answer = a};
	char pointer[16];

	for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
		snprintf(pointer, sizeof(pointer), "/%s", ends[i]);
		check_known(q, &f, js_str(json_object_get(rule, ends[i]), "instance", ""), pointer);
	}
	return f.count == 0;
}

bool copy_targets_known(struct request *q, struct answer *a, const json_t *targets)
{
	struct findings f = {.answer = a};
	char pointer[24];
	const json_t *one;
	size_t i;

	json_array_foreach (targets, i, one) {
		snprintf(pointer, sizeof(pointer), "/targets/%zu", i);
		check_known(q, &f, js_str(one, "instance", ""), pointer);
	}
	return f.count == 0;
}

/* One end; the answer does not tell what is another's from what is not there. */
static bool end_allowed(struct request *q, struct answer *a, const json_t *end, const char *pointer)
{
	const char *repository = js_str(end, "repository", "");
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;
	int code = sight_repository(q, js_str(end, "instance", ""), repository,
				    strcmp(pointer, "/source") != 0, &err);

	if (code == BERTH_E_DENIED)
		api_refuse(a, 403, "forbidden", NULL, "%s", err.message);
	else if (code == BERTH_E_NOT_FOUND)
		findings_add(&f, pointer, "no-space", "%s", err.message);
	else if (code)
		api_fail(a, &err, NULL);
	return !code;
}

bool copy_ends_allowed(struct request *q, struct answer *a, const json_t *rule,
		       const json_t *targets)
{
	char pointer[24];
	const json_t *one;
	size_t i;

	if (request_is_platform(q))
		return true;
	if (!end_allowed(q, a, json_object_get(rule, "source"), "/source"))
		return false;
	if (!json_array_size(targets))
		return end_allowed(q, a, json_object_get(rule, "target"), "/target");
	json_array_foreach (targets, i, one) {
		snprintf(pointer, sizeof(pointer), "/targets/%zu", i);
		if (!end_allowed(q, a, one, pointer))
			return false;
	}
	return true;
}

bool copy_is_seen(struct request *q, struct answer *a)
{
	const char *id = request_param(q, "id");
	struct berth_error err = ERROR_INIT;
	json_t *document AUTO_JSON = NULL;

	if (request_is_platform(q))
		return true;
	int code = ops_document(request_daemon(q)->ops, id, false, &document, &err);
	const json_t *by = json_object_get(document, "requester");
	if (!code && api_is_caller(q, js_int(by, "uid", -1), js_str(by, "name", "")))
		return true;
	if (code && code != BERTH_E_NOT_FOUND)
		api_fail(a, &err, NULL);
	else
		api_refuse(a, 404, "not-found", "berthctl operation list", "no copy '%s'", id);
	return false;
}

static bool end_usable(struct request *q, struct answer *a, const char *integration,
		       bool needs_health)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	struct berth_error err = ERROR_INIT;

	if (!integration_get(request_daemon(q)->store, integration, &row, &err))
		return integration_usable(a, &row, needs_health);
	api_fail(a, &err, "berthctl integration list");
	return false;
}

bool sync_ends_usable(struct request *q, struct answer *a, const char *source, const char *target)
{
	return end_usable(q, a, source, true) &&
	       (!strcmp(source, target) || end_usable(q, a, target, true));
}

bool copy_targets_usable(struct request *q, struct answer *a, const char *source,
			 const json_t *targets)
{
	const json_t *one;
	size_t i;

	if (!end_usable(q, a, source, true))
		return false;
	json_array_foreach (targets, i, one) {
		if (!end_usable(q, a, js_str(one, "instance", ""), false))
			return false;
	}
	return true;
}

struct users {
	const char *integration;
	json_t *names;
};

static int add_user(void *user, const void *row, struct berth_error *err)
{
	const struct sync_rule *rule = row;
	struct users *u = user;
	struct sync_end end;
	json_t *desired AUTO_JSON = NULL;

	if (api_parse(rule->desired, &desired, err) ||
	    sync_end_parse(js_str(desired, "source", ""), &end, err))
		return err->code;
	bool uses = !strcmp(end.integration, u->integration);
	for (size_t i = 0; !uses && i < sync_target_count(desired); i++) {
		if (sync_end_parse(sync_target(desired, i), &end, err))
			return err->code;
		uses = !strcmp(end.integration, u->integration);
	}
	if (!uses)
		return 0;
	return json_array_append_new(u->names, json_string(rule->name)) ? berth_fail_memory(err)
									: 0;
}

int sync_users(struct daemon_state *d, const char *integration, json_t **ret,
	       struct berth_error *err)
{
	struct users u = {.integration = integration, .names = json_array()};

	*ret = u.names;
	return api_each(d->store, &sync_rules_table, NULL, add_user, &u, err);
}
