/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the command line by the command table: NOUN VERB, then operands and
 * flags in any order, "--" ends flags. Not getopt_long: its abbreviations
 * would break scripts whenever a flag is added, and it cannot say "did you
 * mean" or refuse a secret with a reason.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "client/cli.h"
#include "client/secret.h"
#include "core/base/text.h"

const char *cli_flag(const struct cli *c, const char *name, const char *fallback)
{
	for (size_t i = c->given_count; i-- > 0;)
		if (!strcmp(c->given[i].flag->name, name))
			return c->given[i].text ? c->given[i].text : fallback;
	return fallback;
}

bool cli_has(const struct cli *c, const char *name)
{
	for (size_t i = 0; i < c->given_count; i++)
		if (!strcmp(c->given[i].flag->name, name))
			return true;
	return false;
}

uint64_t cli_count(const struct cli *c, const char *name, uint64_t fallback)
{
	const char *text = cli_flag(c, name, NULL);
	uint64_t value;
	if (text && (parse_seconds(text, &value) || text_parse_u64(text, 0, INT64_MAX, &value)))
		return value;
	return fallback;
}

const char *cli_operand(const struct cli *c, size_t index)
{
	return index < c->operand_count ? c->operands[index] : NULL;
}

/* A number and one of the units, each with its factor. */
struct unit {
	const char *name;
	uint64_t factor;
};
static bool parse_units(const char *text, const struct unit *units, uint64_t *ret)
{
	char digits[20];
	size_t n = strspn(text, "0123456789");
	uint64_t value;
	if (!n || n >= sizeof(digits))
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)n, text);
	if (!text_parse_u64(digits, 0, 1ull << 52, &value))
		return false;
	for (const struct unit *u = units; u->name; u++)
		if (!strcasecmp(u->name, text + n)) {
			*ret = value * u->factor;
			return value <= (1ull << 52) / u->factor;
		}
	return false;
}

bool parse_seconds(const char *text, uint64_t *ret_s)
{
	static const struct unit units[] = {{"", 1},     {"s", 1},     {"m", 60}, {"min", 60},
					    {"h", 3600}, {"d", 86400}, {0}};
	return parse_units(text, units, ret_s);
}

bool parse_bytes(const char *text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {{"", 1},
					    {"b", 1},
					    {"k", 1 << 10},
					    {"KiB", 1 << 10},
					    {"m", 1 << 20},
					    {"MiB", 1 << 20},
					    {"g", 1 << 30},
					    {"GiB", 1 << 30},
					    {"kB", 1000},
					    {"MB", 1000000},
					    {"GB", 1000000000},
					    {"t", 1ull << 40},
					    {"TiB", 1ull << 40},
					    {0}};
	return parse_units(text, units, ret_bytes);
}

static bool is_choice(const char *choices, const char *word)
{
	struct command as_aliases = {.aliases = choices};
	return command_has_alias(&as_aliases, word);
}

/* Is the value one that the flag takes? */
static int check_value(struct cli *c, const struct flag *f, const char *text)
{
	uint64_t number;
	if (f->kind == FLAG_REFUSED)
		return cli_usage(c, "--%s is refused: %s", f->name, f->help);
	if (f->kind == FLAG_CHOICE && !is_choice(f->choices, text))
		return cli_usage(c, "--%s is one of: %s", f->name, f->choices);
	if (f->kind == FLAG_COUNT && !text_parse_u64(text, 0, 1ull << 52, &number))
		return cli_usage(c, "--%s takes a whole number, not '%s'", f->name, text);
	if (f->kind == FLAG_SECONDS && !parse_seconds(text, &number))
		return cli_usage(c, "--%s takes a time like 90s, 15m, 8h or 7d, not '%s'", f->name,
				 text);
	if (f->kind == FLAG_BYTES && !parse_bytes(text, &number))
		return cli_usage(c, "--%s takes a size like 512k, 10M or 2GiB, not '%s'", f->name,
				 text);
	return -1;
}

static int keep_flag(struct cli *c, const struct flag *f, const char *text)
{
	if (c->given_count == GIVEN_MAX)
		return cli_usage(c, "there are over %d flags", GIVEN_MAX);
	int status = text ? check_value(c, f, text) : -1;
	if (status < 0)
		c->given[c->given_count++] = (struct given){f, text};
	return status;
}

/* Where the flags are listed that there are. */
static void hint_at_help(struct cli *c)
{
	const char *verb = c->command && c->command->verb ? c->command->verb : NULL;
	cli_hint(c, "berthctl %s%s%s%s--help", c->noun ? c->noun->name : "", c->noun ? " " : "",
		 verb ? verb : "", verb ? " " : "");
}

static int unknown_flag(struct cli *c, const char *word)
{
	const char *names[200];
	struct flag_group all[FLAG_GROUP_MAX];
	size_t n = 0, groups = command_flag_groups(c->command, all);
	for (size_t i = 0; i < groups; i++)
		for (const struct flag *f = all[i].flags; f->name && n + 1 < ARRAY_COUNT(names);
		     f++)
			names[n++] = f->name;
	names[n] = NULL;
	const char *closest = text_closest(word, names);
	cli_usage(c, "there is no flag --%s here", word);
	if (closest)
		cli_hint(c, "did you mean --%s?", closest);
	else
		hint_at_help(c);
	return EXIT_USAGE;
}

/* A word that begins with "--". *at is its index. */
static int take_long(struct cli *c, int argc, char **argv, int *at)
{
	char name[64];
	const char *word = argv[*at] + 2;
	const char *equals = strchr(word, '=');
	size_t bytes = equals ? (size_t)(equals - word) : strlen(word);
	snprintf(name, sizeof(name), "%.*s", (int)(bytes < 63 ? bytes : 63), word);
	const struct flag *f = command_flag(c->command, name, 0);
	if (!f)
		return unknown_flag(c, name);
	if (f->kind == FLAG_REFUSED)
		return keep_flag(c, f, "");
	if (!flag_has_value(f))
		return equals ? cli_usage(c, "--%s takes no value", name) : keep_flag(c, f, NULL);
	if (equals)
		return keep_flag(c, f, equals + 1);
	if (*at + 1 >= argc)
		return cli_usage(c, "--%s needs a value: %s", name, f->value ? f->value : "TEXT");
	return keep_flag(c, f, argv[++*at]);
}

/* "-o json", "-ojson", "-y". */
static int take_short(struct cli *c, int argc, char **argv, int *at)
{
	const char *word = argv[*at];
	const struct flag *f = command_flag(c->command, NULL, word[1]);
	if (!f) {
		cli_usage(c, "there is no flag -%c here", word[1]);
		hint_at_help(c);
		return EXIT_USAGE;
	}
	if (!flag_has_value(f) && word[2])
		return cli_usage(c, "-%c takes no value", word[1]);
	if (!flag_has_value(f))
		return keep_flag(c, f, NULL);
	if (word[2])
		return keep_flag(c, f, word + 2);
	if (*at + 1 >= argc)
		return cli_usage(c, "-%c needs a value: %s", word[1], f->value ? f->value : "TEXT");
	return keep_flag(c, f, argv[++*at]);
}

static int unknown_noun(struct cli *c, const char *word)
{
	const char *names[64];
	size_t n = 0;
	for (const struct noun *const *at = nouns; *at && n + 1 < ARRAY_COUNT(names); at++)
		names[n++] = (*at)->name;
	names[n] = NULL;
	const char *closest = text_closest(word, names);
	cli_usage(c, "there is no command '%s'", word);
	if (closest)
		cli_hint(c, "did you mean `berthctl %s`?", closest);
	else
		cli_hint(c, "berthctl help");
	return EXIT_USAGE;
}

static int unknown_verb(struct cli *c, const char *word)
{
	const char *names[32];
	size_t n = 0;
	for (const struct command *at = c->noun->commands; at->noun && n + 1 < ARRAY_COUNT(names);
	     at++)
		names[n++] = at->verb;
	names[n] = NULL;
	const char *closest = text_closest(word, names);
	cli_usage(c, "%s has no verb '%s'", c->noun->name, word);
	if (closest)
		cli_hint(c, "did you mean `berthctl %s %s`?", c->noun->name, closest);
	else
		cli_hint(c, "berthctl %s --help", c->noun->name);
	return EXIT_USAGE;
}

/* A word that is no flag: the noun, its verb, or an operand. */
static int take_word(struct cli *c, const char *word)
{
	if (!c->noun) {
		c->noun = noun_find(word);
		if (!c->noun)
			return unknown_noun(c, word);
		c->command = command_find(c->noun, NULL);
		return -1;
	}
	if (!c->command) {
		c->command = command_find(c->noun, word);
		return c->command ? -1 : unknown_verb(c, word);
	}
	if (c->operand_count == OPERAND_COUNT_MAX)
		return cli_usage(c, "there are over %d operands", OPERAND_COUNT_MAX);
	c->operands[c->operand_count++] = word;
	return -1;
}

/* Are there as many operands as the command takes? */
static int check_operands(struct cli *c)
{
	size_t least = 0, most = 0;
	for (const struct operand *o = c->command->operands; o->name; o++) {
		least += o->need == OPERAND_MAYBE ? 0 : 1;
		most = o->need == OPERAND_MANY ? OPERAND_COUNT_MAX : most + 1;
	}
	if (c->operand_count < least) {
		const struct operand *o = &c->command->operands[c->operand_count];
		cli_usage(c, "%s is missing: %s", o->name, o->help);
	} else if (c->operand_count > most) {
		cli_usage(c, "'%s' is one word too many", c->operands[most]);
	} else {
		return -1;
	}
	char line[512];
	help_synopsis(c->command, line, sizeof(line));
	cli_hint(c, "%s", line);
	return EXIT_USAGE;
}

/* "{name} is {status.phase}": each brace that opens closes, {{ is one brace and names
 * nothing. What is wrong with it, or NULL. */
static const char *template_fault(const char *text)
{
	const char *open = strrchr(text, '{');
	bool has_member = false;

	for (const char *s = text; *s; s++) {
		has_member = has_member || (*s == '{' && s[1] != '{');
		s += *s == '{' && s[1] == '{';
	}
	return !*text                       ? "the template is empty"
	       : open && !strchr(open, '}') ? "a { of the template has no }"
	       : !has_member ? "the template names no member: every line would be the same"
			     : NULL;
}

static int take_template(struct cli *c, const char *text)
{
	const char *fault = template_fault(text);

	if (fault) {
		cli_usage(c, "%s", fault);
		cli_hint(c, "-o template='{name} {status.phase}'");
		return EXIT_USAGE;
	}
	c->format = FORMAT_TEMPLATE;
	c->template = text;
	return -1;
}

static int parse_format(struct cli *c)
{
	static const char *const names[] = {"table", "wide", "json",   "yaml",
					    "name",  "csv",  "ndjson", NULL};
	const char *text = cli_flag(c, "output", cli_has(c, "jq") ? "json" : "table");
	if (!strncmp(text, "template=", 9))
		return take_template(c, text + 9);
	for (int i = 0; names[i]; i++)
		if (!strcmp(names[i], text)) {
			c->format = (enum format)i;
			return -1;
		}
	bool has_sarif = c->command && (c->command->traits & CMD_SARIF);
	if (has_sarif && !strcmp(text, "sarif")) {
		c->format = FORMAT_SARIF;
		return -1;
	}
	cli_usage(c, "there is no output format '%s'", text);
	cli_hint(c, "-o takes table, wide, json, yaml, name, csv, ndjson%s or template=TEXT",
		 has_sarif ? ", sarif" : "");
	return EXIT_USAGE;
}

/* What -o asks for as far as faults of the command line itself are told by it. */
static enum format format_foreseen(int argc, char **argv)
{
	enum format format = FORMAT_TABLE;
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		const char *word = argv[i], *value = "";
		if (!strcmp(word, "-o") || !strcmp(word, "--output"))
			value = i + 1 < argc ? argv[i + 1] : "";
		else if (!strncmp(word, "--output=", 9))
			value = word + 9;
		else if (!strncmp(word, "-o", 2))
			value = word + 2;
		if (!strcmp(value, "json"))
			format = FORMAT_JSON;
		else if (!strcmp(value, "ndjson"))
			format = FORMAT_NDJSON;
	}
	return format;
}

int cli_parse(struct cli *c, int argc, char **argv)
{
	bool is_over = false;
	c->format = format_foreseen(argc, argv);
	for (int i = 1; i < argc; i++) {
		int status;
		if (!is_over && !strcmp(argv[i], "--")) {
			is_over = true;
			continue;
		}
		if (!is_over && !strncmp(argv[i], "--", 2))
			status = take_long(c, argc, argv, &i);
		else if (!is_over && argv[i][0] == '-' && argv[i][1])
			status = take_short(c, argc, argv, &i);
		else
			status = take_word(c, argv[i]);
		if (status >= 0)
			return status;
	}
	c->wants_help = cli_has(c, "help");
	int status = parse_format(c);
	if (status >= 0 || c->wants_help || !c->command)
		return status;
	return check_operands(c);
}

/* Sets a member by its dotted path, making the objects on the way. */
static void put_at(json_t *body, const char *path, json_t *take_value)
{
	char name[64];
	const char *dot = strchr(path, '.');
	if (!dot) {
		json_object_set_new(body, path, take_value);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
	if (!json_is_object(json_object_get(body, name)))
		json_object_set_new(body, name, json_object());
	put_at(json_object_get(body, name), dot + 1, take_value);
}

static int put_list(json_t *body, const struct given *g, struct berth_error *err)
{
	json_t *list = json_object_get(body, g->flag->field);
	if (!list) {
		list = json_array();
		json_object_set_new(body, g->flag->field, list);
	}
	return json_array_append_new(list, json_string(g->text)) ? berth_fail_memory(err) : 0;
}

/* KEY=VALUE into the object at the flag's field. */
static int put_pair(json_t *body, const struct given *g, struct berth_error *err)
{
	const char *equals = strchr(g->text, '=');
	json_t *object = json_object_get(body, g->flag->field);
	int64_t number;
	if (!equals || equals == g->text)
		return berth_fail(err, BERTH_E_INVALID, "--%s takes KEY=VALUE, not '%s'",
				  g->flag->name, g->text);
	if (!object) {
		object = json_object();
		json_object_set_new(body, g->flag->field, object);
	}
	AUTO_FREE char *key = text_printf("%.*s", (int)(equals - g->text), g->text);
	const char *value = equals + 1;
	bool is_word = !strcmp(value, "true") || !strcmp(value, "false");
	bool is_number = text_parse_i64(value, -(1ll << 53), 1ll << 53, &number);
	json_t *shown = is_word     ? json_boolean(*value == 't')
			: is_number ? json_integer(number)
				    : json_string(value);
	return key && json_object_set_new(object, key, shown) == 0 ? 0 : berth_fail_memory(err);
}

/* The JSON that a given flag means. */
static int value_of(struct cli *c, const struct given *g, json_t **ret, struct berth_error *err)
{
	uint64_t number = 0;
	AUTO_FREE char *text = NULL;
	int code = 0;
	switch (g->flag->kind) {
	case FLAG_TRUE:
	case FLAG_FALSE:
		*ret = json_boolean(g->flag->kind == FLAG_TRUE);
		return 0;
	case FLAG_COUNT:
	case FLAG_SECONDS:
	case FLAG_BYTES:
		if (g->flag->kind == FLAG_BYTES ? !parse_bytes(g->text, &number)
						: !parse_seconds(g->text, &number))
			return berth_fail(err, BERTH_E_INVALID, "--%s: bad number", g->flag->name);
		*ret = json_integer((json_int_t)number);
		return 0;
	case FLAG_FILE:
		code = file_text(c, g->text, &text, err);
		break;
	case FLAG_SECRET:
		code = secret_read(c, g->text, &text, err);
		break;
	default:
		*ret = json_string(g->text);
		return *ret ? 0
			    : berth_fail(err, BERTH_E_INVALID, "--%s is not valid UTF-8",
					 g->flag->name);
	}
	if (code)
		return berth_wrap(err, "cannot read the value of --%s", g->flag->name);
	*ret = json_string(text);
	if (g->flag->kind == FLAG_SECRET)
		explicit_bzero(text, strlen(text));
	return *ret ? 0
		    : berth_fail(err, BERTH_E_INVALID, "the file of --%s is not valid UTF-8",
				 g->flag->name);
}

int cli_fill_body(struct cli *c, json_t *body, struct berth_error *err)
{
	for (size_t i = 0; i < c->given_count; i++) {
		const struct given *g = &c->given[i];
		json_t *value = NULL;
		if (!g->flag->field)
			continue;
		int code = g->flag->kind == FLAG_LIST   ? put_list(body, g, err)
			   : g->flag->kind == FLAG_PAIR ? put_pair(body, g, err)
							: value_of(c, g, &value, err);
		if (code)
			return code;
		if (value)
			put_at(body, g->flag->field, value);
	}
	return 0;
}
