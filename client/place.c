/* SPDX-License-Identifier: Apache-2.0 */
/* From names that people use to the ids of spaces: the API's image routes go
 * through the space, a reference names only integration and repository.
 */
#include <string.h>

#include "client/cmd.h"
#include "core/base/clock.h"
#include "core/base/text.h"

/* For a member of a workspace the platform's integrations are not there, their spaces are
 * as far as it may use them. */
static int spaces_by_filter(struct cli *c, const char *integration, json_t **ret)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *filter = text_printf("integration eq \"%s\"", integration);
	AUTO_FREE char *path =
		filter ? api_query(strdup("/v1/spaces?limit=1000"), "filter", filter) : NULL;
	AUTO_JSON json_t *list = NULL;
	if (!path || api_list(c, path, 0, &list, &err) ||
	    !json_array_size(json_object_get(list, "items")))
		return BERTH_E_NOT_FOUND;
	*ret = STEAL(list);
	return 0;
}

static int spaces_of(struct cli *c, const char *integration, json_t **ret)
{
	struct berth_error err = ERROR_INIT;
	AUTO_FREE char *safe = text_url_encode(integration);
	AUTO_FREE char *path =
		safe ? text_printf("/v1/integrations/%s/spaces?limit=1000", safe) : NULL;
	if (!path)
		return cli_no_memory(c);
	int code = api_list(c, path, 0, ret, &err);
	if (code == BERTH_E_NOT_FOUND && text_is_integration(integration)) {
		AUTO_JSON json_t *problem = json_incref(c->problem);
		if (!spaces_by_filter(c, integration, ret))
			return -1;
		json_decref(c->problem);
		c->problem = STEAL(problem);
	}
	return code ? cli_report(c, &err) : -1;
}

/* "hub/team" in its parts; false: it is not INTEGRATION[/SPACE]. */
static bool split(const char *text, char *integration, size_t room, const char **ret_space)
{
	const char *slash = strchr(text, '/');
	size_t bytes = slash ? (size_t)(slash - text) : strlen(text);
	if (!bytes || bytes >= room || (slash && !slash[1]))
		return false;
	snprintf(integration, room, "%.*s", (int)bytes, text);
	*ret_space = slash ? slash + 1 : NULL;
	return text_is_integration(integration);
}

static int no_space(struct cli *c, const char *text, const json_t *list)
{
	const char *names[200];
	size_t i, n = 0;
	const json_t *item;
	const char *space = strchr(text, '/');
	json_array_foreach (json_object_get(list, "items"), i, item)
		if (n + 1 < ARRAY_COUNT(names))
			names[n++] = js_str(item, "name", "");
	names[n] = NULL;
	const char *closest = space ? text_closest(space + 1, names) : NULL;
	cli_usage(c, "there is no space %s", text);
	if (closest)
		cli_hint(c, "did you mean %.*s/%s?", (int)(space - text), text, closest);
	else
		cli_hint(c, "berthctl space list --integration %.*s", (int)strcspn(text, "/"),
			 text);
	return EXIT_NOT_FOUND;
}

static int one_by_id(struct cli *c, const char *id, json_t **ret_list)
{
	struct berth_error err = ERROR_INIT;
	json_t *space = NULL;
	AUTO_FREE char *path = text_printf("/v1/spaces/%s", id);
	if (!path || api_get(c, path, &space, &err))
		return cli_report(c, &err);
	*ret_list = json_pack("{s:[o]}", "items", space);
	return -1;
}

int place_spaces(struct cli *c, const char *text, json_t **ret_list)
{
	char integration[64];
	const char *space;
	size_t i;
	json_t *item;
	AUTO_JSON json_t *all = NULL;
	if (uuid_is(text))
		return one_by_id(c, text, ret_list);
	if (!split(text, integration, sizeof(integration), &space)) {
		cli_usage(c, "'%s' is no space: expected INTEGRATION/SPACE", text);
		cli_hint(c, "berthctl space list");
		return EXIT_USAGE;
	}
	int status = spaces_of(c, integration, &all);
	if (status >= 0 || !space) {
		*ret_list = STEAL(all);
		return status;
	}
	json_array_foreach (json_object_get(all, "items"), i, item)
		if (!strcmp(js_str(item, "name", ""), space)) {
			*ret_list = json_pack("{s:[O]}", "items", item);
			return -1;
		}
	return no_space(c, text, all);
}

int place_space(struct cli *c, const char *text, char *ret_id)
{
	AUTO_JSON json_t *list = NULL;
	if (!strchr(text, '/') && !uuid_is(text)) {
		cli_usage(c, "'%s' is no space: expected INTEGRATION/SPACE", text);
		cli_hint(c, "berthctl space list");
		return EXIT_USAGE;
	}
	int status = place_spaces(c, text, &list);
	if (status >= 0)
		return status;
	const json_t *space = json_array_get(json_object_get(list, "items"), 0);
	snprintf(ret_id, PLACE_ID_ROOM, "%s", js_str(space, "id", ""));
	return -1;
}

/* Is repository in the space of that name? */
static bool holds(const char *space, const char *repository)
{
	size_t bytes = strlen(space);
	return bytes && !strncmp(space, repository, bytes) &&
	       (repository[bytes] == '/' || !repository[bytes]);
}

int place_reference(struct cli *c, const char *text, struct reference *ret, char *ret_id)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *all = NULL;
	size_t i, longest = 0;
	const json_t *item, *found = NULL;
	if (reference_parse(text, ret, &err))
		return cli_report(c, &err);
	int status = spaces_of(c, ret->integration, &all);
	if (status >= 0)
		return status;
	json_array_foreach (json_object_get(all, "items"), i, item) {
		const char *name = js_str(item, "name", "");
		bool is_default = !strcmp(name, "default") && !found;
		if (!is_default && !(holds(name, ret->repository) && strlen(name) > longest))
			continue;
		longest = is_default ? 0 : strlen(name);
		found = item;
	}
	if (!found) {
		cli_usage(c, "no space of integration %s holds %s", ret->integration,
			  ret->repository);
		cli_hint(c, "berthctl integration refresh %s", ret->integration);
		return EXIT_NOT_FOUND;
	}
	snprintf(ret_id, PLACE_ID_ROOM, "%s", js_str(found, "id", ""));
	return -1;
}
