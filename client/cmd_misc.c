/* SPDX-License-Identifier: Apache-2.0 */
/* plugin, version and api: the daemon's parts, and the API as it is. */
#include <berth/plugin.h>
#include <string.h>

#include "client/cmd.h"
#include "client/secret.h"
#include "client/show.h"
#include "core/base/text.h"

static const struct column plugin_columns[] = {
	{"NAME", "name", COL_TEXT, false},
	{"LOADED", "ok", COL_YES, false},
	{"VERSION", "version", COL_TEXT, false},
	{"ABI", "abi", COL_TEXT, false},
	{"SUMMARY", "summary", COL_LONG, false},
	{"ERROR", "error", COL_LONG, false},
	{"FILE", "file", COL_LONG, true},
	{"INTEGRATION SLOTS", "tables.integration", COL_LONG, true},
	{"SYNC SLOTS", "tables.sync", COL_LONG, true},
	{"SCAN SLOTS", "tables.scan", COL_LONG, true},
	{"LIFECYCLE SLOTS", "tables.lifecycle", COL_LONG, true},
	{0},
};

static const struct column option_columns[] = {
	{"OPTION", "key", COL_TEXT, false},       {"TYPE", "type", COL_TEXT, false},
	{"REQUIRED", "required", COL_YES, false}, {"DEFAULT", "default", COL_TEXT, false},
	{"HELP", "help", COL_LONG, false},        {0},
};

/* The plugin, then its options as a table; of one that was refused, what to do. */
static int show_plugin(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *plugin = NULL;
	AUTO_FREE char *path = api_route(c, c->command->route);
	if (!path || api_get(c, path, &plugin, &err))
		return cli_report(c, &err);
	int status = show_resource(c, plugin, NULL);
	json_t *options = json_object_get(plugin, "options");
	bool is_person = c->format == FORMAT_TABLE || c->format == FORMAT_WIDE;
	if (!status && is_person && !js_bool(plugin, "ok", false))
		cli_note(c,
			 "mend and build it again (man berth-plugin), put the file in its place, "
			 "then: berthctl daemon reload");
	if (status || !is_person || cli_has(c, "columns") || !json_array_size(options))
		return status;
	AUTO_JSON json_t *list = json_pack("{s:O}", "items", options);
	fputc('\n', c->out.file);
	return show_list(c, list, option_columns);
}

/* Which plugins there are now, in one line, and each that is not loaded. */
static void note_plugins(struct cli *c, const json_t *result)
{
	const json_t *plugins = json_object_get(result, "plugins");
	const char *worker = js_str(result, "worker", NULL);
	size_t i, good = 0;
	const json_t *plugin;
	if (worker)
		cli_note(c, "%s; look with: berthctl plugin list", worker);
	json_array_foreach (plugins, i, plugin)
		good += js_bool(plugin, "ok", false);
	if (plugins)
		cli_note(c, "plugins loaded: %zu", good);
	json_array_foreach (plugins, i, plugin)
		if (!js_bool(plugin, "ok", false))
			cli_note(c, "plugin %s is not loaded: %s", js_str(plugin, "name", ""),
				 js_str(plugin, "error", ""));
}

static int reload(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *result = NULL;
	struct api_call call = {.method = "POST", .path = "/v1/reload"};
	size_t i;
	const json_t *key;
	if (api_send(c, &call, &result, &err))
		return cli_report(c, &err);
	int status = show_document(c, result);
	if (status >= 0)
		return status;
	cli_note(c, "berthd read its configuration again");
	json_array_foreach (json_object_get(result, "needs_restart"), i, key)
		cli_note(c, "needs a restart: %s", json_string_value(key));
	note_plugins(c, result);
	return EXIT_OK;
}

const struct command daemon_commands[] = {
	{
		.noun = "daemon",
		.verb = "reload",
		.summary = "Read configuration and plugins again; a wrong file changes nothing",
		.examples = {{"berthctl daemon reload",
			      "after editing berth.conf, or a new plugin"},
			     {"berthctl daemon reload -o json", "what needs a restart"}},
		.method = "POST",
		.route = "/v1/reload",
		.run = reload,
	},
	{0},
};

const struct command plugin_commands[] = {
	{
		.noun = "plugin",
		.verb = "list",
		.aliases = "ls",
		.summary = "List the plugins that berthd found, and why one was refused",
		.examples = {{"berthctl plugin list", "what can be integrated"},
			     {"berthctl plugin list -o wide", "with the files"}},
		.method = "GET",
		.route = "/v1/plugins",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = plugin_columns,
		.run = run_list,
	},
	{
		.noun = "plugin",
		.verb = "show",
		.aliases = "get",
		.summary = "Show a plugin and the options that it takes",
		.operands = {{"NAME", OPERAND_ONE, NAMES_PLUGIN, "the plugin's name"}},
		.examples = {{"berthctl plugin show dockerreg", "what it can be told"},
			     {"berthctl plugin show dockerreg --jq '.tables'", "what it can do"}},
		.method = "GET",
		.route = "/v1/plugins/{0}",
		.columns = plugin_columns,
		.run = show_plugin,
	},
	{0},
};

/* Major and minor of "1.2.3"; 0 where there is none. */
static unsigned number_at(const char *version, size_t dots)
{
	unsigned number = 0;
	for (; *version && dots; version++)
		dots -= *version == '.' ? 1 : 0;
	for (; *version >= '0' && *version <= '9' && number < 100000; version++)
		number = number * 10 + (unsigned)(*version - '0');
	return number;
}

static void warn_of_skew(struct cli *c, const char *server)
{
	bool is_major = number_at(server, 0) != number_at(BERTH_VERSION, 0);
	if (!is_major && number_at(server, 1) == number_at(BERTH_VERSION, 1))
		return;
	cli_note(c, "warning: berthctl %s and berthd %s differ: %s", BERTH_VERSION, server,
		 is_major ? "some commands may not work"
			  : "the newer one's additions are not there");
}

/* The plugin ABI's majors and minors that the server's plugins were made for. */
static const char *abi_of(const json_t *server)
{
	const json_t *plugins = json_object_get(server, "plugins");
	return js_str(server, "abi", js_str(json_array_get(plugins, 0), "abi", ""));
}

static int version(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *server = NULL, *all = NULL;
	int code = cli_has(c, "client") ? -1 : api_get(c, "/v1", &server, &err);
	const char *theirs = js_str(server, "version", NULL);
	all = json_pack("{s:{s:s, s:s, s:i}, s:O?}", "client", "version", BERTH_VERSION, "api",
			"v1", "abi", BERTH_ABI_MAJOR, "server", server);
	int status = show_document(c, all);
	if (status < 0) {
		fprintf(c->out.file, "client  %s  (API v1, plugin ABI %d)\n", BERTH_VERSION,
			BERTH_ABI_MAJOR);
		AUTO_FREE char *line =
			text_printf("server  %s  (API %s%s%s)\n", theirs ? theirs : "",
				    js_str(server, "api", "v1"),
				    *abi_of(server) ? ", plugin ABI " : "", abi_of(server));
		if (theirs)
			term_put(&c->out, term_whole(line));
		status = EXIT_OK;
	}
	if (theirs)
		warn_of_skew(c, theirs);
	return code && !cli_has(c, "client") ? cli_report(c, &err) : status;
}

static const struct flag version_flags[] = {
	{"client", 0, FLAG_TRUE, NULL, .help = "do not ask the daemon"},
	{0},
};

const struct command version_commands[] = {
	{
		.noun = "version",
		.summary = "Print the versions of client, server, API and plugin ABI",
		.flags = version_flags,
		.examples = {{"berthctl version", "both sides; warns when they differ"},
			     {"berthctl version --client -o json", "this program's alone"}},
		.method = "GET",
		.route = "/v1",
		.run = version,
	},
	{0},
};

static const struct flag api_flags[] = {
	{"data", 'd', FLAG_TEXT, "JSON", "the body; @FILE or @- (stdin) reads it",
	 .names = NAMES_NONE},
	{"include", 'i', FLAG_TRUE, NULL, .help = "print status and headers too"},
	{"if-match", 0, FLAG_TEXT, "ETAG", .help = "change only that state; * is any"},
	{0},
};

static int print_raw(struct cli *c, const json_t *body)
{
	int status = show_document(c, body);
	if (status >= 0)
		return status;
	AUTO_FREE char *text = json_text(body, JSON_INDENT(2));
	fprintf(c->out.file, "%s\n", term_whole(text));
	return EXIT_OK;
}

/* Text of the -d flag, with @FILE read. */
static int data_text(struct cli *c, char **ret, struct berth_error *err)
{
	const char *data = cli_flag(c, "data", NULL);
	if (!data)
		return 0;
	if (*data == '@')
		return file_text(c, data + 1, ret, err);
	*ret = strdup(data);
	return *ret ? 0 : berth_fail_memory(err);
}

static int send_raw(struct cli *c, struct api_call *call, struct berth_error *err)
{
	AUTO_FREE char *text = NULL;
	AUTO_JSON json_t *data = NULL, *body = NULL;
	int code = data_text(c, &text, err);
	if (!code && text)
		code = js_parse(text, strlen(text), &js_limits_api, &data, err);
	if (code)
		return cli_report(c, err);
	call->body = data;
	code = api_send(c, call, &body, err);
	if (cli_has(c, "include"))
		term_put(&c->out, c->head ? c->head : "");
	if (cli_has(c, "include"))
		fputc('\n', c->out.file);
	if (code)
		return cli_report(c, err);
	if (body)
		return print_raw(c, body);
	fputs(c->text ? c->text : "", c->out.file);
	return EXIT_OK;
}

static int call_api(struct cli *c)
{
	static const char *const methods[] = {"GET",   "HEAD",   "POST", "PUT",
					      "PATCH", "DELETE", NULL};
	struct berth_error err = ERROR_INIT;
	const char *method = cli_operand(c, 0), *path = cli_operand(c, 1);
	size_t i = 0;
	while (methods[i] && strcmp(methods[i], method) != 0)
		i++;
	if (!methods[i])
		return cli_usage(c, "METHOD is one of GET, HEAD, POST, PUT, PATCH, DELETE");
	if (*path != '/' || strpbrk(path, " \r\n\t"))
		return cli_usage(c, "PATH begins with / and has no space: /v1/integrations");
	struct api_call call = {.method = method,
				.path = path,
				.if_match = cli_flag(c, "if-match", NULL),
				.takes_text = true};
	return send_raw(c, &call, &err);
}

const struct command api_commands[] = {
	{
		.noun = "api",
		.summary = "Call the control API as it is and print the answer",
		.details = "An Idempotency-Key is sent with each POST. The exit status is that of "
			   "the problem document, as with every command.",
		.operands = {{"METHOD", OPERAND_ONE, NAMES_NONE, "GET, POST, PATCH, PUT or DELETE"},
			     {"PATH", OPERAND_ONE, NAMES_NONE, "/v1/..., with its query"}},
		.flags = api_flags,
		.examples = {{"berthctl api GET /v1", "what the server says of itself"},
			     {"berthctl api GET '/v1/operations?limit=5' --jq '.items[].id'",
			      "a filter on the answer"},
			     {"berthctl api POST /v1/copies -d @copy.json -i",
			      "a body from a file; headers are printed too"}},
		.run = call_api,
	},
	{0},
};
