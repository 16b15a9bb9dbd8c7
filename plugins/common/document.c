/* SPDX-License-Identifier: Apache-2.0 */
/* The artifact document: see document.h. Everything in it was written by
 * whoever pushed the image: texts are cut, lists are capped, and of a config
 * no environment is shown, since people keep secrets there.
 */
#include "plugins/common/document.h"

#include <stdio.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"

#define TEXT_BYTES 300
#define PAIRS_MAX 64
#define HISTORY_MAX 200
#define WORDS_MAX 32

/* A copy of s, cut to TEXT_BYTES at a whole character. */
static json_t *clip(const char *s)
{
	char room[TEXT_BYTES + 4];
	if (strlen(s) <= TEXT_BYTES)
		return json_string(s);
	memcpy(room, s, TEXT_BYTES);
	room[TEXT_BYTES] = 0;
	text_trim_utf8(room);
	memcpy(room + strlen(room), "...", 4);
	return json_string(room);
}

static void put_clipped(json_t *to, const char *key, const json_t *from, const char *from_key)
{
	const char *s = js_str(from, from_key, "");
	if (*s)
		json_object_set_new(to, key, clip(s));
}

static void put_pairs(json_t *to, const char *key, const json_t *pairs)
{
	const char *name;
	json_t *v, *copy = json_object();
	size_t count = 0;
	json_object_foreach ((json_t *)(uintptr_t)pairs, name, v)
		if (json_is_string(v) && strlen(name) <= TEXT_BYTES && count++ < PAIRS_MAX)
			json_object_set_new(copy, name, clip(json_string_value(v)));
	if (count)
		json_object_set(to, key, copy);
	json_decref(copy);
}

static void put_words(json_t *to, const char *key, const json_t *words)
{
	size_t i;
	json_t *v, *copy = json_array();
	json_array_foreach ((json_t *)(uintptr_t)words, i, v)
		if (json_is_string(v) && i < WORDS_MAX)
			json_array_append_new(copy, clip(json_string_value(v)));
	if (json_array_size(copy))
		json_object_set(to, key, copy);
	json_decref(copy);
}

/* "linux/arm64/v8"; to has 128 bytes; "" where nothing is known. */
static void document_platform(const char *os, const char *architecture, const char *variant,
			      char *to)
{
	snprintf(to, 128, "%.40s%s%.40s%s%.40s", os ? os : "", os && architecture ? "/" : "",
		 architecture ? architecture : "", variant && *variant ? "/" : "",
		 variant ? variant : "");
}

static json_t *layers_of(const struct manifest *m)
{
	json_t *layers = json_array();
	for (size_t i = 0; i < m->layer_count; i++) {
		const struct descriptor *d = m->layers + i;
		json_t *one = json_object();
		json_object_set_new(one, "digest", json_string(d->digest));
		json_object_set_new(one, "media_type", clip(d->media_type));
		json_object_set_new(one, "size", json_integer(d->size));
		if (d->is_foreign)
			json_object_set_new(one, "foreign", json_true());
		json_array_append_new(layers, one);
	}
	return layers;
}

json_t *document_new(const struct manifest *m, size_t manifest_byte_count)
{
	json_t *doc = json_object();
	json_object_set_new(doc, "kind", json_string(manifest_thing(m)));
	json_object_set_new(doc, "media_type", json_string(m->media_type));
	if (m->artifact_type)
		json_object_set_new(doc, "artifact_type", clip(m->artifact_type));
	json_object_set_new(doc, "manifest_size", json_integer((json_int_t)manifest_byte_count));
	json_object_set_new(doc, "size", json_integer(manifest_bytes(m)));
	if (m->kind == MANIFEST_INDEX)
		json_object_set_new(doc, "platforms", json_array());
	else
		json_object_set_new(doc, "layers", layers_of(m));
	js_put_str(doc, "subject", m->subject.digest);
	put_pairs(doc, "annotations", m->annotations);
	return doc;
}

/* The line of history that made each layer: the entries that are not empty,
 * in the layers' order. */
static void add_history(json_t *doc, const json_t *history)
{
	size_t i, layer = 0;
	json_t *v, *copy = json_array(), *layers = json_object_get(doc, "layers");
	json_array_foreach ((json_t *)(uintptr_t)history, i, v) {
		json_t *one = json_object();
		put_clipped(one, "created", v, "created");
		put_clipped(one, "created_by", v, "created_by");
		put_clipped(one, "comment", v, "comment");
		bool is_empty = js_bool(v, "empty_layer", false);
		if (is_empty)
			json_object_set_new(one, "empty", json_true());
		else
			put_clipped(json_array_get(layers, layer++), "created_by", v, "created_by");
		if (i < HISTORY_MAX)
			json_array_append(copy, one);
		json_decref(one);
	}
	if (json_array_size(copy))
		json_object_set(doc, "history", copy);
	json_decref(copy);
}

static json_t *config_of(const json_t *config)
{
	const json_t *inner = json_object_get(config, "config");
	json_t *to = json_object();
	const char *name;
	json_t *v, *ports = json_array();
	put_clipped(to, "user", inner, "User");
	put_clipped(to, "workdir", inner, "WorkingDir");
	put_clipped(to, "stop_signal", inner, "StopSignal");
	put_words(to, "entrypoint", json_object_get(inner, "Entrypoint"));
	put_words(to, "cmd", json_object_get(inner, "Cmd"));
	json_object_foreach (json_object_get(inner, "ExposedPorts"), name, v)
		if (json_array_size(ports) < WORDS_MAX)
			json_array_append_new(ports, clip(name));
	if (json_array_size(ports))
		json_object_set(to, "ports", ports);
	json_decref(ports);
	put_pairs(to, "labels", json_object_get(inner, "Labels"));
	return to;
}

void document_add_config(json_t *doc, const struct manifest *m, const json_t *config)
{
	char platform[128];
	if (!media_is_image_config(m->config.media_type)) {
		/* A Helm chart's config is its Chart.yaml: name and version are known keys. */
		put_clipped(doc, "title", config, "name");
		put_clipped(doc, "version", config, "version");
		put_clipped(doc, "app_version", config, "appVersion");
		put_clipped(doc, "description", config, "description");
		return;
	}
	document_platform(js_str(config, "os", NULL), js_str(config, "architecture", NULL),
			  js_str(config, "variant", NULL), platform);
	js_put_str(doc, "platform", platform);
	put_clipped(doc, "author", config, "author");
	put_clipped(doc, "created", config, "created");
	json_object_set_new(doc, "config", config_of(config));
	add_history(doc, json_object_get(config, "history"));
}

void document_add_platform(json_t *doc, const struct descriptor *d, const struct manifest *child)
{
	char platform[128];
	json_t *one = json_object();
	document_platform(d->os, d->architecture, d->variant, platform);
	json_object_set_new(one, "digest", json_string(d->digest));
	js_put_str(one, "platform", platform);
	js_put_str(one, "os_version", d->os_version);
	json_object_set_new(one, "media_type", clip(d->media_type));
	if (d->artifact_type)
		json_object_set_new(one, "artifact_type", clip(d->artifact_type));
	if (child) {
		json_object_set_new(one, "kind", json_string(manifest_thing(child)));
		json_object_set_new(one, "size", json_integer(manifest_bytes(child)));
		json_object_set_new(one, "layers", json_integer((json_int_t)child->layer_count));
	}
	const char *of = js_str(d->annotations, "vnd.docker.reference.digest", NULL);
	if (d->is_attestation)
		js_put_str(one, "attests", of ? of : "unknown");
	const char *key = d->is_attestation ? "attestations" : "platforms";
	if (!json_object_get(doc, key))
		json_object_set_new(doc, key, json_array());
	json_array_append_new(json_object_get(doc, key), one);
}

void document_add_referrer(json_t *doc, const struct descriptor *d, const char *tag)
{
	json_t *one = json_object();
	json_object_set_new(one, "digest", json_string(d->digest));
	json_object_set_new(one, "kind", json_string(media_thing(d->artifact_type, NULL, NULL)));
	js_put_str(one, "tag", tag);
	if (d->artifact_type)
		json_object_set_new(one, "artifact_type", clip(d->artifact_type));
	json_object_set_new(one, "size", json_integer(d->size));
	if (!json_object_get(doc, "referrers"))
		json_object_set_new(doc, "referrers", json_array());
	json_array_append_new(json_object_get(doc, "referrers"), one);
}

static bool fits(const json_t *doc)
{
	return json_dumpb(doc, NULL, 0, JSON_COMPACT) <= DOCUMENT_MAX_BYTES;
}

static void halve(json_t *list)
{
	size_t keep = json_array_size(list) / 2;
	while (json_array_size(list) > keep)
		json_array_remove(list, json_array_size(list) - 1);
}

void document_fit(json_t *doc)
{
	static const char *const whole[] = {"annotations", "history", "config"};
	static const char *const lists[] = {"referrers", "attestations", "platforms", "layers"};
	if (fits(doc))
		return;
	json_object_set_new(doc, "cut", json_true());
	for (size_t i = 0; i < ARRAY_COUNT(whole) && !fits(doc); i++)
		json_object_del(doc, whole[i]);
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
		while (!fits(doc) && json_array_size(json_object_get(doc, lists[i])))
			halve(json_object_get(doc, lists[i]));
}
