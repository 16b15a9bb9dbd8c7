/* SPDX-License-Identifier: Apache-2.0 */
/* copy: copy images once, now, without a rule. */
#include <string.h>

#include "client/cmd.h"
#include "client/report_copy.h"

static const struct flag flags[] = {
	{"to", 0, FLAG_LIST, "DST",
	 "one more target, INTEGRATION[/REPOSITORY[:TAG]]; may be repeated", .field = "targets",
	 .field_alone = "target"},
	{"all-tags", 'a', FLAG_TRUE, NULL, "every tag of the source repository",
	 .field = "all_tags"},
	{"tag", 't', FLAG_LIST, "GLOB", "with --all-tags: only tags like this; may be repeated",
	 .field = "tags"},
	{"exclude-tag", 0, FLAG_LIST, "GLOB", "but not these tags; may be repeated",
	 .field = "exclude_tags"},
	{"semver", 0, FLAG_TEXT, "RANGE", "only versions in a range, as '^1.2' or '>=1.4 <2'",
	 .field = "semver"},
	{"newest", 0, FLAG_COUNT, "N", "only the N highest versions", .field = "newest"},
	{"referrers", 0, FLAG_TRUE, NULL, "signatures and SBOMs too (the default)",
	 .field = "referrers"},
	{"no-referrers", 0, FLAG_FALSE, NULL, "without signatures and SBOMs", .field = "referrers"},
	{"platform", 'p', FLAG_LIST, "OS/ARCH", "only this platform; may be repeated",
	 .field = "platforms"},
	{"keep", 0, FLAG_FALSE, NULL, "leave a tag alone that is at the target already",
	 .field = "override"},
	{"limit", 0, FLAG_BYTES, "RATE", "read at most so many bytes a second, as 10M",
	 .field = "limit_bytes_per_s"},
	{"verify", 0, FLAG_TRUE, NULL, "compare both ends to the last layer when all is copied",
	 .field = "verify"},
	{"plan", 0, FLAG_TRUE, NULL, .help = "only show what would be copied; same as --dry-run"},
	{0},
};

static const struct column columns[] = {{"ID", "id", COL_TEXT, false},
					{"KIND", "kind", COL_TEXT, false},
					{"STATE", "state", COL_STATE, false},
					{0}};

static int copy(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	struct reference checked;
	AUTO_JSON json_t *body = json_object();
	for (size_t i = 0; i < 2; i++)
		if (reference_parse(cli_operand(c, i), &checked, &err))
			return cli_report(c, &err);
	js_put_str(body, "source", cli_operand(c, 0));
	if (cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	json_t *targets = json_object_get(body, "targets");
	if (targets)
		json_array_insert_new(targets, 0, json_string(cli_operand(c, 1)));
	else
		js_put_str(body, "target", cli_operand(c, 1));
	bool is_plan = cli_has(c, "plan") && !cli_has(c, "dry-run");
	struct change change = {.call = {.method = "POST",
					 .path = is_plan ? "/v1/copies?dry_run=true" : "/v1/copies",
					 .body = body},
				.result = copy_report};
	return send_change(c, &change);
}

const struct command copy_commands[] = {
	{
		.noun = "copy",
		.summary = "Copy an image, or a repository's tags, from one integration to another",
		.details =
			"Digests are equal at both ends; what is there already is not sent "
			"again, and layers that the target has elsewhere are mounted. Images "
			"are complete before their tags move. Exit 9 says that some images "
			"failed and the others are there. With --verify every manifest and "
			"layer is then asked for at the target, as sync verify does: an image "
			"that is not there as the source has it has failed, and its line says "
			"what is missing. With --to the source is read once for several targets, "
			"each in an integration of its own: one that is slow or fails does not "
			"stop the others, and the report has a line for each image at each of "
			"them.",
		.operands = {{"SOURCE", OPERAND_ONE, NAMES_REFERENCE,
			      "INTEGRATION/REPOSITORY[:TAG][@DIGEST]"},
			     {"TARGET", OPERAND_ONE, NAMES_REFERENCE,
			      "INTEGRATION/REPOSITORY[:TAG]; the tag defaults to the source's"}},
		.flags = flags,
		.examples = {{"berthctl copy hub/team/app:1.2 lab/team/app:1.2 --plan",
			      "what would move"},
			     {"berthctl copy hub/team/app lab/team/app --all-tags --tag 'v1.*' "
			      "--platform linux/arm64",
			      "some tags, one platform"},
			     {"berthctl copy hub/team/app lab/team/app --semver ^2 --newest 3",
			      "the three newest versions of a range"},
			     {"berthctl copy hub/team/app:1.2 lab/team/app --to edge --to "
			      "far/team/app",
			      "three targets, the source is read once"},
			     {"berthctl copy hub/team/app lab/team/app --all-tags --verify",
			      "and is all of it there, and whole?"}},
		.method = "POST",
		.route = "/v1/copies",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.run = copy,
	},
	{0},
};
