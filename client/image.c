/* SPDX-License-Identifier: Apache-2.0 */
/* `image show`: a head, then a tree of platforms, each with its layers beside
 * the history lines that made them, or those lines alone, and what refers to the
 * artifact.
 */
#include "client/image.h"

#include <string.h>

#include "client/show.h"
#include "core/base/text.h"

static void field(struct cli *c, const char *title, const char *text)
{
	if (!text || !*text)
		return;
	fprintf(c->out.file, "%s%s:%s%*s", term_paint(&c->out, PAINT_BOLD), title,
		term_paint(&c->out, PAINT_NONE), (int)(13 - strlen(title)), "");
	AUTO_FREE char *safe = term_escape(&c->out, text, false);
	fprintf(c->out.file, "%s\n", term_whole(safe));
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
	while (bytes && line[bytes - 1] == ' ')
		bytes--;
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
static void layer_line(struct cli *c, const char *lead, const json_t *layer)
{
	char size[24];
	bool is_whole = !c->out.is_tty || cli_has(c, "no-trunc");
	AUTO_FREE char *digest = cell_text(json_object_get(layer, "digest"), COL_DIGEST, is_whole);
	AUTO_FREE char *made = made_by(js_str(layer, "created_by", ""));
	AUTO_FREE char *safe = made ? term_escape(&c->out, made, false) : NULL;
	format_bytes(js_int(layer, "size", 0), size);
	size_t used = term_columns(lead) + (digest ? strlen(digest) : 0) + 16;
	if (safe)
		cut(c, safe, c->out.width > used ? c->out.width - used : 10);
	fputs(lead, c->out.file);
	term_put(&c->out, term_whole(digest));
	fprintf(c->out.file, "  %9s%s%s\n", size, safe && *safe ? "  " : "", term_whole(safe));
}

/* A step of the build where the server doesn't tell which layer it made. */
static void step_line(struct cli *c, const char *lead, const json_t *step)
{
	AUTO_FREE char *made = made_by(js_str(step, "created_by", js_str(step, "comment", "")));
	AUTO_FREE char *safe = made ? term_escape(&c->out, made, false) : NULL;
	size_t used = term_columns(lead) + 3;
	if (safe)
		cut(c, safe, c->out.width > used ? c->out.width - used : 10);
	fprintf(c->out.file, "%s%s\n", lead, term_whole(safe));
}

static bool has_layers(const json_t *image)
{
	return json_array_size(json_object_get(image, "layers")) > 0;
}

/* Layers with what made them, or that alone: not every server tells of layers. */
static void layers(struct cli *c, const json_t *image, const char *lead)
{
	size_t i;
	const json_t *one;
	if (!has_layers(image))
		json_array_foreach (json_object_get(image, "history"), i, one)
			step_line(c, lead, one);
	json_array_foreach (json_object_get(image, "layers"), i, one)
		layer_line(c, lead, one);
}

static char *digest_cell(const struct cli *c, const json_t *object)
{
	bool is_whole = !c->out.is_tty || cli_has(c, "no-trunc");
	return cell_text(json_object_get(object, "digest"), COL_DIGEST, is_whole);
}

/* One platform of an index; "detail" is its own document, where it was read. */
static void platform_lines(struct cli *c, const json_t *one, bool is_last)
{
	char size[24];
	bool is_drawn = c->out.is_utf8;
	const char *branch = is_last ? (is_drawn ? "\xE2\x94\x94\xE2\x94\x80 " : "`- ")
				     : (is_drawn ? "\xE2\x94\x9C\xE2\x94\x80 " : "|- ");
	const char *trunk = is_last ? "     " : is_drawn ? "\xE2\x94\x82    " : "|    ";
	AUTO_FREE char *name = term_escape(&c->out, js_str(one, "platform", "unknown"), false);
	AUTO_FREE char *digest = digest_cell(c, one);
	format_bytes(js_int(one, "size", 0), size);
	fprintf(c->out.file, "%s%s%-16s%s ", branch, term_paint(&c->out, PAINT_BOLD),
		term_whole(name), term_paint(&c->out, PAINT_NONE));
	term_put(&c->out, term_whole(digest));
	fprintf(c->out.file, "  %9s", size);
	if (js_int(one, "layers", 0))
		fprintf(c->out.file, "  %lld layers", (long long)js_int(one, "layers", 0));
	fputc('\n', c->out.file);
	layers(c, json_object_get(one, "detail"), trunk);
}

static void platforms(struct cli *c, const json_t *artifact)
{
	size_t i;
	const json_t *one, *all = json_object_get(artifact, "platforms");
	if (!json_array_size(all))
		return;
	heading(c, "Platforms");
	json_array_foreach (all, i, one)
		platform_lines(c, one, i + 1 == json_array_size(all));
}

/* What the image says of how it runs. The environment is never shown. */
static void settings(struct cli *c, const json_t *artifact)
{
	static const struct {
		const char *title, *path;
	} rows[] = {{"Entrypoint", "config.entrypoint"},
		    {"Command", "config.cmd"},
		    {"User", "config.user"},
		    {"Directory", "config.workdir"},
		    {"Ports", "config.ports"},
		    {"Title", "title"},
		    {"Version", "version"},
		    {"App version", "app_version"},
		    {"About", "description"}};
	for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
		field_of(c, rows[i].title, value_at(artifact, rows[i].path), COL_TEXT);
}

static void pairs(struct cli *c, const char *title, const json_t *object)
{
	const char *key;
	json_t *value;
	if (!json_object_size(object))
		return;
	heading(c, title);
	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		AUTO_FREE char *safe_key = term_escape(&c->out, key, false);
		AUTO_FREE char *safe = term_escape(&c->out, json_string_value(value), false);
		fprintf(c->out.file, "  %s = %s\n", term_whole(safe_key), term_whole(safe));
	}
}

static void attached_line(struct cli *c, const json_t *one, const char *kind)
{
	char size[24] = "";
	const char *what = js_str(one, "artifact_type", js_str(one, "tag", ""));
	AUTO_FREE char *digest = digest_cell(c, one);
	if (js_int(one, "size", 0))
		format_bytes(js_int(one, "size", 0), size);
	fprintf(c->out.file, "  %-11s  ", kind);
	term_put(&c->out, term_whole(digest));
	fprintf(c->out.file, "  %9s%s", size, *what ? "  " : "");
	term_put(&c->out, what);
	fputc('\n', c->out.file);
}

/* Signatures, SBOMs and what else refers to it; the index's own attestations. */
static void attached(struct cli *c, const json_t *artifact)
{
	size_t i;
	const json_t *one, *all = json_object_get(artifact, "referrers");
	const json_t *own = json_object_get(artifact, "attestations");
	const char *why = js_str(artifact, "referrers_error", NULL);
	if (json_array_size(all) || json_array_size(own) || why)
		heading(c, "Attached");
	json_array_foreach (all, i, one)
		attached_line(c, one, js_str(one, "kind", "artifact"));
	json_array_foreach (own, i, one)
		attached_line(c, one, "attestation");
	if (why) {
		fputs("  cannot tell: ", c->out.file);
		term_put(&c->out, why);
		fputc('\n', c->out.file);
	}
}

void image_print(struct cli *c, const struct reference *ref, const json_t *artifact)
{
	AUTO_FREE char *name = text_printf("%s/%s%s%s", ref->integration, ref->repository,
					   *ref->tag ? ":" : "", ref->tag);
	field(c, "Image", name);
	field_of(c, "Digest", json_object_get(artifact, "digest"), COL_DIGEST);
	field(c, "Kind", js_str(artifact, "kind", NULL));
	field(c, "Media type", js_str(artifact, "media_type", NULL));
	field(c, "Type", js_str(artifact, "artifact_type", NULL));
	field(c, "Platform", js_str(artifact, "platform", NULL));
	field_of(c, "Size", json_object_get(artifact, "size"), COL_BYTES);
	field_of(c, "Created", json_object_get(artifact, "created"), COL_TIME);
	field(c, "Author", js_str(artifact, "author", NULL));
	settings(c, artifact);
	field(c, "Refers to", js_str(artifact, "subject", NULL));
	field_of(c, "Looked at", json_object_get(artifact, "fetched_at"), COL_TIME);
	field(c, "Not read", js_str(artifact, "config_error", NULL));
	platforms(c, artifact);
	if (has_layers(artifact) || json_array_size(json_object_get(artifact, "history"))) {
		heading(c, has_layers(artifact) ? "Layers" : "History");
		layers(c, artifact, "  ");
	}
	pairs(c, "Labels", value_at(artifact, "config.labels"));
	pairs(c, "Annotations", json_object_get(artifact, "annotations"));
	attached(c, artifact);
}
