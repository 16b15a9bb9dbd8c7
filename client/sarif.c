/* SPDX-License-Identifier: Apache-2.0 */
/* A report as SARIF 2.1.0: a rule for each vulnerability, a result for each
 * finding, so that code-scanning tools can show it.
 */
#include <string.h>

#include "client/report_scan.h"
#include "client/show.h"
#include "core/base/text.h"

#define SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

static const struct {
	const char *severity, *level;
} levels[] = {{"critical", "error"}, {"high", "error"}, {"medium", "warning"}, {"none", "none"}};

static const char *level_of(const char *severity)
{
	for (size_t i = 0; i < ARRAY_COUNT(levels); i++)
		if (!strcmp(levels[i].severity, severity))
			return levels[i].level;
	return "note";
}

static json_t *rule_of(const json_t *finding)
{
	const char *id = js_str(finding, "vulnerability", "");
	const char *link = json_string_value(json_array_get(json_object_get(finding, "links"), 0));
	json_t *rule = json_pack("{s:s, s:{s:s}, s:{s:s}}", "id", id, "shortDescription", "text",
				 id, "properties", "severity", js_str(finding, "severity", ""));
	const char *description = js_str(finding, "description", "");
	if (*description)
		json_object_set_new(rule, "fullDescription",
				    json_pack("{s:s}", "text", description));
	js_put_str(rule, "helpUri", link);
	js_put_str(json_object_get(rule, "properties"), "security-severity",
		   js_str(finding, "score", NULL));
	return rule;
}

static json_t *location_of(const json_t *report, const json_t *finding)
{
	AUTO_FREE char *uri = text_printf(
		"%s/%s@%s", js_str(report, "integration", ""), js_str(report, "repository", ""),
		js_str(finding, "artifact", js_str(report, "digest", "")));
	AUTO_FREE char *package = text_printf("%s@%s", js_str(finding, "package", ""),
					      js_str(finding, "version", ""));
	return json_pack("{s:{s:{s:s}}, s:[{s:s, s:s}]}", "physicalLocation", "artifactLocation",
			 "uri", term_whole(uri), "logicalLocations", "fullyQualifiedName",
			 term_whole(package), "kind", "package");
}

static json_t *result_of(const json_t *report, const json_t *finding, size_t rule)
{
	const char *fixed = js_str(finding, "fixed", "");
	AUTO_FREE char *text =
		text_printf("%s in %s %s: %s%s", js_str(finding, "vulnerability", ""),
			    js_str(finding, "package", ""), js_str(finding, "version", ""),
			    *fixed ? "fixed in " : "no fix is known", fixed);
	return json_pack("{s:s, s:I, s:s, s:{s:s}, s:[o]}", "ruleId",
			 js_str(finding, "vulnerability", ""), "ruleIndex", (json_int_t)rule,
			 "level", level_of(js_str(finding, "severity", "")), "message", "text",
			 term_whole(text), "locations", location_of(report, finding));
}

json_t *sarif_of(const json_t *report, const json_t *findings)
{
	const json_t *scanner = json_object_get(report, "scanner");
	json_t *rules = json_array(), *results = json_array();
	AUTO_JSON json_t *known = json_object(); /* vulnerability -> index of its rule */
	size_t i;
	const json_t *one;
	json_array_foreach (json_object_get(findings, "items"), i, one) {
		const char *id = js_str(one, "vulnerability", "");
		int64_t rule = js_int(known, id, -1);
		if (rule < 0) {
			rule = (int64_t)json_array_size(rules);
			json_array_append_new(rules, rule_of(one));
			json_object_set_new(known, id, json_integer(rule));
		}
		json_array_append_new(results, result_of(report, one, (size_t)rule));
	}
	json_t *driver =
		json_pack("{s:s, s:o}", "name", js_str(scanner, "name", "scanner"), "rules", rules);
	js_put_str(driver, "version", js_str(scanner, "version", NULL));
	js_put_str(driver, "organization", js_str(scanner, "vendor", NULL));
	return json_pack("{s:s, s:s, s:[{s:{s:o}, s:o, s:s}]}", "$schema", SCHEMA, "version",
			 "2.1.0", "runs", "tool", "driver", driver, "results", results,
			 "columnKind", "utf16CodeUnits");
}

int sarif_print(struct cli *c, const json_t *report, const json_t *findings)
{
	AUTO_JSON json_t *document = sarif_of(report, findings);
	AUTO_FREE char *text = document ? json_text(document, JSON_INDENT(2)) : NULL;
	if (!text)
		return cli_no_memory(c);
	fprintf(c->out.file, "%s\n", text);
	return EXIT_OK;
}
