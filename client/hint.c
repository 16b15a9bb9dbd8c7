/* SPDX-License-Identifier: Apache-2.0 */
/* What to type after a problem whose own hint is for those who speak the API. */
#include "client/hint.h"

#include <string.h>

#include "core/base/text.h"

/* The command that lists the right names, by the code of the finding on a wrong one. */
static const struct {
	const char *code, *command;
} lists[] = {
	{"no-integration", "berthctl integration list"},
	{"no-plugin", "berthctl plugin list"},
	{"no-space", "berthctl space list"},
	{"unknown-cluster", "berthctl cluster list"},
	{"unknown-permission", "berthctl role points"},
	{"unknown-role", "berthctl role list"},
	{"unknown-workspace", "berthctl workspace list"},
};

static const char *list_of(const json_t *problem)
{
	size_t i;
	const json_t *one;
	json_array_foreach (json_object_get(problem, "errors"), i, one)
		for (size_t k = 0; k < ARRAY_COUNT(lists); k++)
			if (!strcmp(lists[k].code, js_str(one, "code", "")))
				return lists[k].command;
	return NULL;
}

/* "hub/team/app" of "hub/team/app:1.2@sha256:..."; a port is not in there. NULL: the first
 * operand is no reference. */
static char *repository_of(const struct cli *c)
{
	const char *typed = cli_operand(c, 0);
	if (!typed || c->command->operands[0].names != NAMES_REFERENCE)
		return NULL;
	return text_printf("%.*s", (int)strcspn(typed, ":@"), typed);
}

char *hint_for(const struct cli *c, const json_t *problem)
{
	const char *list = list_of(problem);
	AUTO_FREE char *repository =
		strcmp(js_str(problem, "code", ""), "not-found") == 0 ? repository_of(c) : NULL;
	if (list)
		return strdup(list);
	if (repository)
		return text_printf("berthctl image tags %s", repository);
	return text_printf("berthctl %s%s%s --help", c->command->noun, c->command->verb ? " " : "",
			   c->command->verb ? c->command->verb : "");
}
