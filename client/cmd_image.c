/* SPDX-License-Identifier: Apache-2.0 */
/* image: repositories, tags and what is behind them. */
#include <string.h>

#include "client/cmd.h"
#include "client/image.h"
#include "client/order.h"
#include "client/secret.h"
#include "client/show.h"
#include "core/base/text.h"

static const struct column repository_columns[] = {
	{"REPOSITORY", "reference", COL_TEXT, false},
	{"SPACE", "space", COL_TEXT, false},
	{"TAGS", "tags", COL_COUNT, false},
	{"SEEN", "seen_at", COL_TIME, false},
	{0},
};
static const struct column tag_columns[] = {
	{"TAG", "name", COL_TEXT, false},     {"DIGEST", "digest", COL_DIGEST, false},
	{"SIZE", "bytes", COL_BYTES, true},   {"PUSHED", "pushed_at", COL_TIME, true},
	{"SEEN", "seen_at", COL_TIME, false}, {0},
};
static const struct column hit_columns[] = {
	{"IMAGE", "reference", COL_TEXT, false}, {"SPACE", "space", COL_TEXT, false},
	{"DIGEST", "digest", COL_DIGEST, false}, {"PUSHED", "pushed_at", COL_TIME, true},
	{"SEEN", "seen_at", COL_TIME, false},    {0},
};
static const struct column command_columns[] = {
	{"TOOL", "tool", COL_TEXT, false},
	{"ACTION", "action", COL_TEXT, false},
	{"LINE", "line", COL_TEXT, false},
	{0},
};
static const struct flag command_flags[] = {
	TOOL_FLAG,
	{"username", 0, FLAG_TEXT, "NAME", "who logs in", .query = "username"},
	{0},
};
static const struct flag find_flags[] = {
	{"workspace", 'W', FLAG_TEXT, "NAME", "only what this workspace may use",
	 .query = "workspace", .names = NAMES_WORKSPACE},
	{0},
};
static const struct flag search_flags[] = {
	{"search", 'q', FLAG_TEXT, "TEXT", "only those whose name has this text", .query = "q"},
	{0},
};

static const struct flag describe_flags[] = {
	{"set-file", 0, FLAG_FILE, "FILE", "write the text of this file (- for stdin)",
	 .field = "description", .names = NAMES_FILE},
	{0},
};
static const struct flag show_flags[] = {
	{"platform", 'p', FLAG_TEXT, "OS/ARCH", .help = "only this platform of an index"},
	{"brief", 0, FLAG_TRUE, NULL, .help = "do not read each platform's layers"},
	{0},
};

/* What a person types for each item, beside the API's own members: only for
 * what is printed by columns, since JSON is the API's body as it is. */
static void add_references(const struct cli *c, json_t *body, const char *repository)
{
	size_t i;
	json_t *item;
	if (c->format == FORMAT_JSON || c->format == FORMAT_YAML || c->format == FORMAT_NDJSON)
		return;
	json_array_foreach (json_object_get(body, "items"), i, item) {
		const char *name = js_str(item, "name", "");
		AUTO_FREE char *text =
			repository ? text_printf("%s:%s", repository, name)
				   : text_printf("%s/%s", js_str(item, "integration", ""), name);
		if (text)
			json_object_set_new(item, "reference", json_string(text));
	}
}

/* Adds a page of another space, and its indexes that are not named yet. */
static void join(json_t *all, const json_t *page)
{
	json_t *indexes = json_object_get(all, "indexes"), *one, *known;
	size_t i, k;
	json_array_extend(json_object_get(all, "items"), json_object_get(page, "items"));
	json_array_foreach (json_object_get(page, "indexes"), i, one) {
		bool is_known = false;
		json_array_foreach (indexes, k, known)
			is_known = is_known || json_equal(known, one);
		if (!is_known)
			json_array_append(indexes, one);
	}
}

/* The repositories of each space, in one list. */
static int list(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *spaces = NULL, *all = NULL;
	const char *sort = cli_flag(c, "sort", NULL);
	uint64_t limit = cli_count(c, "limit", 0);
	size_t i;
	const json_t *space;
	int status = place_spaces(c, cli_operand(c, 0), &spaces);
	if (status >= 0)
		return status;
	json_array_foreach (json_object_get(spaces, "items"), i, space) {
		AUTO_JSON json_t *page = NULL;
		AUTO_FREE char *path = path_with_flags(
			c, text_printf("/v1/spaces/%s/images", js_str(space, "id", "")));
		if (!path || api_list(c, path, limit, &page, &err))
			return cli_report(c, &err);
		if (all)
			join(all, page);
		else
			all = STEAL(page);
	}
	if (!all)
		all = json_pack("{s:[]}", "items");
	if (sort && i > 1 && order_items(json_object_get(all, "items"), sort, &err))
		return cli_report(c, &err);
	order_cut(json_object_get(all, "items"), limit);
	add_references(c, all, NULL);
	return show_paged(c, all);
}

static int tags(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	struct reference ref;
	char id[PLACE_ID_ROOM];
	AUTO_JSON json_t *body = NULL;
	int status = place_reference(c, cli_operand(c, 0), &ref, id);
	if (status >= 0)
		return status;
	if (*ref.tag || *ref.digest)
		return cli_usage(c, "'%s' names an image; expected INTEGRATION/REPOSITORY",
				 cli_operand(c, 0));
	AUTO_FREE char *safe = text_url_encode(ref.repository);
	AUTO_FREE char *path =
		path_with_flags(c, safe ? text_printf("/v1/spaces/%s/images/%s", id, safe) : NULL);
	if (!path || api_list(c, path, cli_count(c, "limit", 0), &body, &err))
		return cli_report(c, &err);
	AUTO_FREE char *repository = text_printf("%s/%s", ref.integration, ref.repository);
	add_references(c, body, repository);
	return show_paged(c, body);
}

/* The route of what a reference names: a repository, a tag or a digest. */
static char *thing_path(const struct reference *ref, const char *id)
{
	bool is_repository = !*ref->tag && !*ref->digest;
	AUTO_FREE char *name =
		is_repository ? strdup(ref->repository)
			      : text_printf("%s%s%s", ref->repository, *ref->digest ? "@" : ":",
					    *ref->digest ? ref->digest : ref->tag);
	AUTO_FREE char *safe = name ? text_url_encode(name) : NULL;
	return safe ? text_printf("/v1/spaces/%s/%s/%s", id, is_repository ? "images" : "artifacts",
				  safe)
		    : NULL;
}

/* The artifact itself, or the operation that fetches it, waited for. */
static int fetch_artifact(struct cli *c, const char *path, json_t **ret)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = NULL;
	if (api_get(c, path, &body, &err))
		return cli_report(c, &err);
	if (!json_object_get(body, "attempts")) {
		*ret = STEAL(body);
		return -1;
	}
	int status = follow_quietly(c, &body);
	if (status != EXIT_OK)
		return status;
	*ret = json_incref(json_object_get(body, "result"));
	return *ret ? -1 : cli_usage(c, "berthd's operation brought no artifact");
}

enum { PLATFORM_READ_MAX = 16 };

/* Reads each platform's own document into its "detail", for its layers. What
 * cannot be read is shown without them. */
static void read_platforms(struct cli *c, const struct reference *ref, const char *id,
			   json_t *artifact)
{
	const char *only = cli_flag(c, "platform", NULL);
	json_t *all = json_object_get(artifact, "platforms");
	for (size_t i = json_array_size(all); only && i-- > 0;)
		if (strcmp(js_str(json_array_get(all, i), "platform", ""), only) != 0)
			json_array_remove(all, i);
	for (size_t i = 0; i < json_array_size(all) && i < PLATFORM_READ_MAX; i++) {
		json_t *one = json_array_get(all, i), *detail = NULL;
		struct reference child = *ref;
		snprintf(child.digest, sizeof(child.digest), "%s", js_str(one, "digest", ""));
		AUTO_FREE char *path = thing_path(&child, id);
		if (!path || cli_has(c, "brief") || fetch_artifact(c, path, &detail) >= 0)
			return;
		json_object_set_new(one, "detail", detail);
	}
}

static int show(struct cli *c)
{
	struct reference ref;
	char id[PLACE_ID_ROOM];
	AUTO_JSON json_t *artifact = NULL;
	int status = place_reference(c, cli_operand(c, 0), &ref, id);
	if (status >= 0)
		return status;
	if (!*ref.tag && !*ref.digest)
		snprintf(ref.tag, sizeof(ref.tag), "latest");
	AUTO_FREE char *path = thing_path(&ref, id);
	if (!path)
		return cli_no_memory(c);
	status = fetch_artifact(c, path, &artifact);
	if (status >= 0)
		return status;
	if (c->format != FORMAT_TABLE && c->format != FORMAT_WIDE)
		return show_resource(c, artifact, NULL);
	read_platforms(c, &ref, id, artifact);
	struct pager pager = {0};
	if (!cli_has(c, "no-pager"))
		term_pager_start(&pager, &c->out);
	image_print(c, &ref, artifact);
	term_pager_stop(&pager, &c->out);
	return EXIT_OK;
}

/* How many tags a repository has in the index. */
static int64_t tag_count(struct cli *c, const char *path)
{
	struct berth_error err = ERROR_INIT; /* the deletion itself will say what is wrong */
	AUTO_JSON json_t *body = NULL;
	AUTO_FREE char *one = api_query(strdup(path), "limit", "1");
	if (!one || api_get(c, one, &body, &err))
		return 0;
	return js_int(body, "total", 0);
}

/* What goes, in words. */
static char *what_goes(struct cli *c, const struct reference *ref, const char *path)
{
	if (*ref->digest)
		return text_printf("This deletes %s/%s@%s with all its tags.", ref->integration,
				   ref->repository, ref->digest);
	if (*ref->tag)
		return text_printf("This deletes the tag %s/%s:%s; other tags of its image stay.",
				   ref->integration, ref->repository, ref->tag);
	return text_printf("This deletes the repository %s/%s with its %lld tags.",
			   ref->integration, ref->repository, (long long)tag_count(c, path));
}

static int delete_one(struct cli *c)
{
	struct reference ref;
	char id[PLACE_ID_ROOM];
	int status = place_reference(c, cli_operand(c, 0), &ref, id);
	if (status >= 0)
		return status;
	AUTO_FREE char *path = thing_path(&ref, id);
	AUTO_FREE char *what = path ? what_goes(c, &ref, path) : NULL;
	if (!confirm(c, what, &status))
		return status;
	const char *name = strchr(cli_operand(c, 0), '/') + 1;
	AUTO_FREE char *full = path ? api_query(STEAL(path), "confirm", name) : NULL;
	AUTO_FREE char *done = text_printf("%s deleted", cli_operand(c, 0));
	struct change change = {.call = {.method = "DELETE", .path = full}, .done = done};
	return full ? send_change(c, &change) : cli_no_memory(c);
}

/* The description as it is: Markdown is for a person's eyes or a file. */
static int print_description(struct cli *c, const json_t *body)
{
	int status = show_document(c, body);
	if (status >= 0)
		return status;
	const char *text = js_str(body, "description", "");
	AUTO_FREE char *safe = term_escape(&c->out, text, true);
	if (!*text)
		cli_note(c, "%s has no description", cli_operand(c, 0));
	else
		fprintf(c->out.file, "%s%s", term_whole(safe),
			text[strlen(text) - 1] == '\n' ? "" : "\n");
	return EXIT_OK;
}

static int describe(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	struct reference ref;
	char id[PLACE_ID_ROOM], etag[sizeof(c->etag)];
	AUTO_JSON json_t *now = NULL, *body = json_object();
	int status = place_reference(c, cli_operand(c, 0), &ref, id);
	if (status >= 0)
		return status;
	if (*ref.tag || *ref.digest)
		return cli_usage(c, "'%s' names an image; expected INTEGRATION/REPOSITORY",
				 cli_operand(c, 0));
	AUTO_FREE char *safe = text_url_encode(ref.repository);
	AUTO_FREE char *path =
		safe ? text_printf("/v1/spaces/%s/images/%s/description", id, safe) : NULL;
	if (!path || !body || api_get(c, path, &now, &err))
		return cli_report(c, &err);
	if (!cli_has(c, "set-file"))
		return print_description(c, now);
	snprintf(etag, sizeof(etag), "%s", c->etag);
	if (cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	AUTO_FREE char *done = text_printf("%s described", cli_operand(c, 0));
	struct change change = {
		.call = {.method = "PUT", .path = path, .body = body, .if_match = etag},
		.done = done};
	return send_change(c, &change);
}

/* What is left out, and why: for a person. */
static void search_notes(struct cli *c, const json_t *body)
{
	size_t i, shown = json_array_size(json_object_get(body, "items"));
	long long total = js_int(body, "total", 0);
	const json_t *one;

	json_array_foreach (json_object_get(body, "indexes"), i, one)
		if (strcmp(js_str(one, "phase", ""), "healthy") != 0)
			cli_note(c, "%s is %s: its images are left out",
				 js_str(one, "integration", ""), js_str(one, "phase", ""));
	if (!js_bool(body, "complete", true))
		cli_note(c, "berthd still reads its index: there may be more in a moment");
	if (c->out.is_tty && (long long)shown < total)
		cli_note(c, "%zu of %lld; --limit 0 shows all", shown, total);
}

enum { SEARCH_SHOWN = 100 }; /* at a terminal, where --limit says no other */

/* The words as one text; NULL without memory. */
static char *words_of(const struct cli *c)
{
	char *text = strdup(cli_operand(c, 0));
	for (size_t i = 1; text && i < c->operand_count; i++) {
		char *longer = text_printf("%s %s", text, c->operands[i]);
		free(text);
		text = longer;
	}
	return text;
}

static int search(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = NULL;
	AUTO_FREE char *words = words_of(c);
	AUTO_FREE char *path =
		words ? path_with_flags(c, api_query(strdup("/v1/images"), "q", words)) : NULL;
	uint64_t limit = cli_count(c, "limit", c->out.is_tty ? SEARCH_SHOWN : 0);
	if (!path)
		return cli_no_memory(c);
	if (cli_has(c, "watch"))
		return list_path(c, path);
	AUTO_FREE char *full =
		api_query(STEAL(path), "limit", limit && limit <= SEARCH_SHOWN ? "100" : "1000");
	if (!full || api_list(c, full, limit, &body, &err))
		return cli_report(c, &err);
	int status = show_paged(c, body);
	if (c->format == FORMAT_TABLE || c->format == FORMAT_WIDE)
		search_notes(c, body);
	return status;
}

void choose_tool(const struct cli *c, json_t *body)
{
	const char *tool = cli_flag(c, "tool", NULL);
	json_t *all = json_object_get(body, "commands");
	for (size_t i = json_array_size(all); tool && i-- > 0;)
		if (strcmp(js_str(json_array_get(all, i), "tool", ""), tool) != 0)
			json_array_remove(all, i);
}

int show_lines(struct cli *c, const json_t *body)
{
	AUTO_JSON json_t *list = json_pack("{s:O}", "items", json_object_get(body, "commands"));
	if (!list)
		return cli_no_memory(c);
	int status = show_list(c, list, command_columns);
	if (js_str(body, "push_refused", NULL))
		cli_note(c, "no push: %s", js_str(body, "push_refused", ""));
	if (js_str(body, "note", NULL))
		cli_note(c, "%s", js_str(body, "note", ""));
	return status;
}

static int commands(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	struct reference ref;
	char id[PLACE_ID_ROOM];
	AUTO_JSON json_t *body = NULL;
	int status = place_reference(c, cli_operand(c, 0), &ref, id);
	if (status >= 0)
		return status;
	const char *name = strchr(cli_operand(c, 0), '/') + 1;
	AUTO_FREE char *path = path_with_flags(
		c, api_query(text_printf("/v1/spaces/%s/commands", id), "reference", name));
	if (!path || api_get(c, path, &body, &err))
		return cli_report(c, &err);
	choose_tool(c, body);
	if (c->format != FORMAT_TABLE && c->format != FORMAT_WIDE)
		return show_resource(c, body, NULL);
	return show_lines(c, body);
}

const struct command image_commands[] = {
	{
		.noun = "image",
		.verb = "list",
		.aliases = "ls",
		.summary = "List the repositories of a space",
		.operands = {{"SPACE", OPERAND_ONE, NAMES_SPACE,
			      "INTEGRATION/SPACE, or INTEGRATION for all its spaces"}},
		.flags = search_flags,
		.examples = {{"berthctl image list hub/team", "one space"},
			     {"berthctl image list hub --search nginx", "all spaces, by name"},
			     {"berthctl image list hub --sort=-tags --limit 10",
			      "of all spaces, the ten with the most tags"},
			     {"berthctl image list hub -o name", "as other commands take them"}},
		.method = "GET",
		.route = "/v1/spaces/{id}/images",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = repository_columns,
		.name_path = "reference",
		.run = list,
	},
	{
		.noun = "image",
		.verb = "tags",
		.summary = "List the tags of a repository",
		.operands = {{"REPOSITORY", OPERAND_ONE, NAMES_REPOSITORY,
			      "INTEGRATION/REPOSITORY"}},
		.flags = search_flags,
		.examples = {{"berthctl image tags hub/team/app", "all tags"},
			     {"berthctl image tags hub/team/app -o name --search 1.2",
			      "references for another command"}},
		.method = "GET",
		.route = "/v1/spaces/{id}/images/{repository}",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = tag_columns,
		.name_path = "reference",
		.run = tags,
	},
	{
		.noun = "image",
		.verb = "show",
		.aliases = "get inspect",
		.summary = "Show an image: platforms, layers, history, signatures, SBOMs",
		.details = "What is behind a tag is asked of the registry; what is behind a digest "
			   "never changes and may come from Berth's own store. A reference "
			   "without a tag means :latest.",
		.operands = {{"REF", OPERAND_ONE, NAMES_REFERENCE,
			      "INTEGRATION/REPOSITORY[:TAG][@DIGEST]"}},
		.flags = show_flags,
		.examples = {{"berthctl image show hub/team/app:1.2", "as a person reads it"},
			     {"berthctl image show hub/team/app:1.2 --platform linux/arm64",
			      "one platform of an index"},
			     {"berthctl image show hub/team/app:1.2 --jq .digest", "its digest"}},
		.method = "GET",
		.route = "/v1/spaces/{id}/artifacts/{reference}",
		.traits = CMD_SHOWS,
		.columns = hit_columns,
		.name_path = "digest",
		.run = show,
	},
	{
		.noun = "image",
		.verb = "search",
		.aliases = "find",
		.summary = "Search all that you may use by any part of a name",
		.details =
			"Words between blanks must all be found, each in the integration, the "
			"space, the repository or the tag; PATH:TAG is a path that ends so with a "
			"tag that begins so. Whole tags come first, then what begins with a word, "
			"then the newest. With --sort or --filter TEXT is looked for as it is "
			"written.",
		.operands = {{"TEXT", OPERAND_MANY, NAMES_NONE,
			      "part of integration, space, repository or tag"}},
		.flags = find_flags,
		.examples = {{"berthctl image search nginx", "wherever it is"},
			     {"berthctl image search web 1.2 --workspace shop",
			      "what the workspace may use"},
			     {"berthctl image search app:1.2 -o name", "references alone"}},
		.method = "GET",
		.route = "/v1/images",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = hit_columns,
		.name_path = "reference",
		.run = search,
	},
	{
		.noun = "image",
		.verb = "describe",
		.summary = "Show a repository's description, or write it",
		.details =
			"The text is Markdown, or any UTF-8, of at most 40 KiB. It is kept by the "
			"registry itself, where that has descriptions: Harbor and Artifactory.",
		.operands = {{"REPOSITORY", OPERAND_ONE, NAMES_REPOSITORY,
			      "INTEGRATION/REPOSITORY"}},
		.flags = describe_flags,
		.examples = {{"berthctl image describe hub/team/app", "what it says"},
			     {"berthctl image describe hub/team/app --set-file README.md",
			      "write it anew"}},
		.method = "PUT",
		.route = "/v1/spaces/{id}/images/{repository}/description",
		.traits = CMD_SHOWS | CMD_CHANGES | CMD_STARTS,
		.columns = repository_columns,
		.run = describe,
	},
	{
		.noun = "image",
		.verb = "commands",
		.summary = "Show lines that log in, pull, tag and push, ready to paste",
		.details = "Each line is quoted for a shell. Where the space takes no push, the "
			   "reason is said instead.",
		.operands = {{"REF", OPERAND_ONE, NAMES_REFERENCE,
			      "INTEGRATION/REPOSITORY[:TAG][@DIGEST]"}},
		.flags = command_flags,
		.examples = {{"berthctl image commands hub/team/app:1.2", "for all tools"},
			     {"berthctl image commands hub/team/app --tool podman --username "
			      "'robot$team'",
			      "for one, with the login"}},
		.method = "GET",
		.route = "/v1/spaces/{id}/commands",
		.traits = CMD_SHOWS,
		.columns = command_columns,
		.name_path = "reference",
		.run = commands,
	},
	{
		.noun = "image",
		.verb = "delete",
		.aliases = "rm remove",
		.summary = "Delete a tag, an image with all its tags, or a repository",
		.operands = {{"REF", OPERAND_ONE, NAMES_REFERENCE,
			      ":TAG deletes a tag, @DIGEST an image, neither the repository"}},
		.examples = {{"berthctl image delete hub/team/app:1.2", "one tag; asks first"},
			     {"berthctl image delete hub/team/app:1.2 --dry-run", "what would go"}},
		.method = "DELETE",
		.route = "/v1/spaces/{id}/artifacts/{reference}",
		.traits = CMD_CHANGES | CMD_ASKS | CMD_STARTS,
		.columns = hit_columns,
		.run = delete_one,
	},
	{0},
};
