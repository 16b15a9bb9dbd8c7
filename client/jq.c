/* SPDX-License-Identifier: Apache-2.0 */
/* --jq by libjq, where it was there at build time. Strings are printed bare, as
 * jq -r does; everything is escaped like other output.
 */
#include "client/show.h"

#ifdef BERTH_HAVE_JQ
#include <jq.h>
#include <string.h>

static void quiet(void *data, jv message)
{
	struct cli *c = data;
	message = jq_format_error(message);
	bool is_text = jv_get_kind(message) == JV_KIND_STRING;
	AUTO_FREE char *text = strdup(is_text ? jv_string_value(message) : "");
	for (char *s = text; s && (s = strchr(s, '\n'));) /* it shows the filter below */
		*s = ' ';
	cli_usage(c, "--jq: %s", text && *text ? text : "the filter was refused");
	jv_free(message);
}

static void print_one(struct cli *c, jv value)
{
	if (jv_get_kind(value) != JV_KIND_STRING)
		value = jv_dump_string(value, 0);
	term_put(&c->out, jv_string_value(value));
	fputc('\n', c->out.file);
	jv_free(value);
}

static int run(struct cli *c, jq_state *jq, const char *text)
{
	jv input = jv_parse(text);
	if (!jv_is_valid(input)) {
		jv_free(input);
		return cli_usage(c, "--jq cannot read the answer");
	}
	jq_start(jq, input, 0);
	jv value = jq_next(jq);
	for (; jv_is_valid(value); value = jq_next(jq))
		print_one(c, value);
	bool has_failed = jv_invalid_has_msg(jv_copy(value));
	if (has_failed)
		quiet(c, jv_invalid_get_msg(value));
	else
		jv_free(value);
	return has_failed ? EXIT_ERROR : EXIT_OK;
}

int jq_print(struct cli *c, const json_t *body, const char *filter)
{
	AUTO_FREE char *text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
	jq_state *jq = text ? jq_init() : NULL;
	if (!jq)
		return cli_no_memory(c);
	jq_set_error_cb(jq, quiet, c);
	int status = jq_compile(jq, filter) ? run(c, jq, text) : EXIT_USAGE;
	jq_teardown(&jq);
	return status;
}

#else

int jq_print(struct cli *c, const json_t *body, const char *filter)
{
	(void)body;
	cli_usage(c, "--jq '%s': this berthctl was built without libjq", filter);
	cli_hint(c, "berthctl ... -o json | jq '%s'", filter);
	return EXIT_USAGE;
}

#endif
