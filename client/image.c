/* SPDX-License-Identifier: Apache-2.0 */
/* `image show`: a head, then a tree of platforms, each with its layers beside
 * the history lines that made them, and what refers to the artifact.
 */
#include "client/image.h"

#include <string.h>

#include "client/show.h"
#include "core/base/text.h"

struct lines {
	struct cli *c;
	const char *tee, *end, *bar; /* of the tree */
};

static void field(struct cli *c, const char *title, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(c->out.file, "%s%s:%s%*s", term_paint(&c->out, PAINT_BOLD), title,
		term_paint(&c->out, PAINT_NONE), (int)(13 - strlen(title)), "");
	AUTO_FREE char *safe = term_escape(&c->out, text, false);
	fprintf(c->out.file, "%s\n", safe ? safe : "");
}

static void field_of(struct cli *c, const char *title, const json_t *value, enum column_kind kind)
{
	bool exact = !c->out.is_tty || cli_has(c, "no-trunc") || kind == COL_DIGEST;
	AUTO_FREE char *text = cell_text(value, kind, exact && kind != COL_BYTES);
	field(c, title, text);
}

static void heading(struct cli *c, const char *text)
{
	fprintf(c->out.file, "\n%s%s%s\n", term_paint(&c->out, PAINT_BOLD), text,
		term_paint(&c->out, PAINT_NONE));
}

/* The command that made a layer, without what every builder puts around it. */
static char *made_by(const char *line)
{
	static const char *const prefixes[] = {"/bin/sh -c #(nop) ", "/bin/sh -c ",
					       "RUN /bin/sh -c "};
	for (size_t i = 0; i < ARRAY_COUNT(prefixes); i++)
		if (!strncmp(line, prefixes[i], strlen(prefixes[i]))) {
			line += strlen(prefixes[i]);
			break;
		}
	while (*line == ' ')
		line++;
	size_t bytes = strlen(line);
	const char *tail = bytes > 11 ? line + bytes - 11 : "";
	if (!strcmp(tail, " # buildkit"))
		bytes -= 11;
	return text_printf("%.*s", (int)(bytes < 4096 ? bytes : 4096), line);
}

/* Cuts text to a number of columns, with an ellipsis. */
static void cut(const struct cli *c, char *text, size_t columns)
{
	size_t taken = 0;
	if (!c->out.width || cli_has(c, "no-trunc"))
		return;
	for (char *s = text; *s;) {
		unsigned code;
		size_t bytes = term_decode(s, &code);
		char one[8] = "";
		snprintf(one, sizeof(one), "%.*s", (int)(bytes ? bytes : 1), s);
		taken += term_columns(one);
		if (taken + 3 > columns && strlen(s) > 3) {
			snprintf(s, 4, "...");
			return;
		}
		s += bytes ? bytes : 1;
	}
}

/* "  sha256:0123456789ab  12.3 MiB  COPY app /" */
static void layer_line(struct cli *c, const char *lead, const json_t *layer, const char *command)
{
	char size[24];
	bool is_whole = !c->out.is_tty || cli_has(c, "no-trunc");
	AUTO_FREE char *digest = cell_text(json_object_get(layer, "digest"), COL_DIGEST, is_whole);
	AUTO_FREE char *made = made_by(command ? command : "");
	AUTO_FREE char *safe = made ? term_escape(&c->out, made, false) : NULL;
	format_bytes(js_int(layer, "bytes", js_int(layer, "size", 0)), size);
	size_t used = strlen(lead) + (digest ? strlen(digest) : 0) + 16;
	if (safe)
		cut(c, safe, c->out.width > used ? c->out.width - used : 10);
	fputs(lead, c->out.file);
	term_put(&c->out, digest ? digest : "");
	fprintf(c->out.file, "  %9s%s%s\n", size, safe && *safe ? "  " : "", safe ? safe : "");
}

/* The history line of the n-th layer: those marked empty made none. */
static const char *history_of(const json_t *image, size_t layer)
{
	size_t i, n = 0;
	const json_t *line;
	json_array_foreach (json_object_get(image, "history"), i, line) {
		if (js_bool(line, "empty_layer", false))
			continue;
		if (n++ == layer)
			return js_str(line, "created_by", js_str(line, "comment", NULL));
	}
	return NULL;
}

static void layers(struct cli *c, const json_t *image, const char *lead)
{
	size_t i;
	const json_t *layer;
	json_array_foreach (json_object_get(image, "layers"), i, layer)
		layer_line(c, lead, layer, js_str(layer, "created_by", history_of(image, i)));
}

static char *platform_text(const json_t *image)
{
	const json_t *platform = json_object_get(image, "platform");
	return cell_text(json_is_object(platform) ? platform : image, COL_TEXT, true);
}

static void child_line(const struct lines *l, const json_t *child, bool is_last)
{
	struct cli *c = l->c;
	char size[24];
	bool is_whole = !c->out.is_tty || cli_has(c, "no-trunc");
	const json_t *platform = json_object_get(child, "platform");
	AUTO_FREE char *name = json_is_object(platform) ? cell_text(platform, COL_TEXT, true)
							: strdup(js_str(child, "type", "manifest"));
	AUTO_FREE char *safe = name ? term_escape(&c->out, name, false) : NULL;
	AUTO_FREE char *digest = cell_text(json_object_get(child, "digest"), COL_DIGEST, is_whole);
	bool is_attestation = js_bool(child, "attestation", false);
	format_bytes(js_int(child, "bytes", js_int(child, "size", 0)), size);
	fprintf(c->out.file, "%s%-18s ", is_last ? l->end : l->tee,
		is_attestation ? "attestation"
		: safe         ? safe
			       : "");
	term_put(&c->out, digest ? digest : "");
	fprintf(c->out.file, "  %9s\n", size);
	AUTO_FREE char *lead = text_printf("%s", is_last ? "   " : l->bar);
	layers(c, child, lead ? lead : "");
}

static void children(struct cli *c, const json_t *artifact)
{
	size_t i;
	const json_t *child, *all = json_object_get(artifact, "children");
	bool is_drawn = c->out.is_utf8;
	struct lines l = {.c = c,
			  .tee = is_drawn ? "\xE2\x94\x9C\xE2\x94\x80 " : "|- ",
			  .end = is_drawn ? "\xE2\x94\x94\xE2\x94\x80 " : "`- ",
			  .bar = is_drawn ? "\xE2\x94\x82  " : "|  "};
	if (!json_array_size(all))
		return;
	heading(c, "Platforms");
	json_array_foreach (all, i, child)
		child_line(&l, child, i + 1 == json_array_size(all));
}

/* History lines that made no layer, which `layers` leaves out: ENV, CMD ... */
static void settings(struct cli *c, const json_t *artifact)
{
	static const struct {
		const char *title, *path;
	} rows[] = {{"Entrypoint", "config.entrypoint"},
		    {"Command", "config.cmd"},
		    {"User", "config.user"},
		    {"Directory", "config.working_dir"},
		    {"Ports", "config.exposed_ports"}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		field_of(c, rows[i].title, value_at(artifact, rows[i].path), COL_TEXT);
}

static void labels(struct cli *c, const char *title, const json_t *object)
{
	const char *key;
	json_t *value;
	if (!json_object_size(object))
		return;
	heading(c, title);
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		AUTO_FREE char *text = cell_text(value, COL_TEXT, true);
		fputs("  ", c->out.file);
		term_put(&c->out, key);
		fputs(" = ", c->out.file);
		AUTO_FREE char *safe = text ? term_escape(&c->out, text, false) : NULL;
		fprintf(c->out.file, "%s\n", safe ? safe : "");
	}
}

/* Is it of that sort: signature, sbom, attestation, or another? */
static const char *sort_of(const json_t *referrer)
{
	static const struct {
		const char *part, *sort;
	} parts[] = {
		{"cosign", "signature"},    {"signature", "signature"}, {"notary", "signature"},
		{"spdx", "SBOM"},           {"cyclonedx", "SBOM"},      {"sbom", "SBOM"},
		{"in-toto", "attestation"}, {"slsa", "attestation"},    {"vex", "VEX"}};
	const char *type = js_str(referrer, "artifact_type", js_str(referrer, "media_type", ""));
	const char *given = js_str(referrer, "type", js_str(referrer, "thing", ""));
	for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
		if (strstr(type, parts[i].part) || strstr(given, parts[i].part))
			return parts[i].sort;
	return "artifact";
}

static void referrers(struct cli *c, const json_t *artifact)
{
	size_t i;
	const json_t *one, *all = json_object_get(artifact, "referrers");
	bool is_whole = !c->out.is_tty || cli_has(c, "no-trunc");
	if (!json_array_size(all))
		return;
	heading(c, "Attached");
	json_array_foreach (all, i, one) {
		char size[24];
		AUTO_FREE char *digest =
			cell_text(json_object_get(one, "digest"), COL_DIGEST, is_whole);
		format_bytes(js_int(one, "bytes", js_int(one, "size", 0)), size);
		fprintf(c->out.file, "  %-11s  ", sort_of(one));
		term_put(&c->out, digest ? digest : "");
		fprintf(c->out.file, "  %9s  ", size);
		term_put(&c->out, js_str(one, "artifact_type", js_str(one, "media_type", "")));
		fputc('\n', c->out.file);
	}
}

void image_print(struct cli *c, const struct reference *ref, const json_t *artifact)
{
	AUTO_FREE char *name = text_printf("%s/%s%s%s", ref->integration, ref->repository,
					   *ref->tag ? ":" : "", ref->tag);
	AUTO_FREE char *platform = platform_text(artifact);
	const char *type = js_str(artifact, "type", js_str(artifact, "thing", NULL));
	field(c, "Image", name);
	field_of(c, "Digest", json_object_get(artifact, "digest"), COL_DIGEST);
	field(c, "Type", type ? type : js_str(artifact, "media_type", ""));
	field(c, "Artifact", js_str(artifact, "artifact_type", NULL));
	if (platform && *platform != '{')
		field(c, "Platform", platform);
	field_of(c, "Size", json_object_get(artifact, "bytes"), COL_BYTES);
	field_of(c, "Created", json_object_get(artifact, "created"), COL_TIME);
	field(c, "Author", js_str(artifact, "author", NULL));
	settings(c, artifact);
	field_of(c, "Looked at", json_object_get(artifact, "fetched_at"), COL_TIME);
	children(c, artifact);
	if (json_array_size(json_object_get(artifact, "layers"))) {
		heading(c, "Layers");
		layers(c, artifact, "  ");
	}
	labels(c, "Labels", json_object_get(artifact, "labels"));
	labels(c, "Annotations", json_object_get(artifact, "annotations"));
	referrers(c, artifact);
}
