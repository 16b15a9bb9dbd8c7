/* SPDX-License-Identifier: Apache-2.0 */
/* One artifact as the common document, in at most three requests and without
 * a pull being counted: Harbor's API knows tags, labels, scans, accessories;
 * the build history is an addition of a single image, and what an accessory is
 * that Harbor has no word for stands in its own artifact. Deletes by tag and by
 * digest. The keys are those of ARTIFACT in berth-plugin(7), and labels, pulled_at,
 * pushed_at, tags, scan on top.
 */
#include "harbor.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/text.h"
#include "core/oci/media.h"

#define HISTORY_MAX 500
#define REQUESTS_MAX 3

static const struct {
	const char *harbor, *type;
} types[] = {
	{"IMAGE", "image"}, {"CHART", "helm-chart"}, {"SBOM", "sbom"},
	{"CNAB", "cnab"},   {"WASM", "wasm"},
};

/* Whatever has a subject, from 2.8 on. */
#define SUBJECT_ACCESSORY "subject.accessory"
static const struct {
	const char *accessory, *type;
} accessories[] = {
	{"signature.cosign", "signature"}, {"signature.notation", "signature"},
	{"sbom.harbor", "sbom"},           {SUBJECT_ACCESSORY, "artifact"},
	{"accelerator.nydus", "artifact"},
};

static bool is_index(const json_t *artifact)
{
	const char *media = js_str(artifact, "manifest_media_type", "");
	return strstr(media, "image.index") || strstr(media, "manifest.list");
}

static const char *type_of(const json_t *artifact)
{
	const char *type = js_str(artifact, "type", "");
	if (is_index(artifact))
		return "index";
	for (size_t i = 0; i < ARRAY_COUNT(types); i++)
		if (!strcmp(types[i].harbor, type))
			return types[i].type;
	return "artifact";
}

/* "linux/arm64/v8" of an object with os, architecture and variant. */
static void put_platform(json_t *to, const json_t *from)
{
	const char *os = js_str(from, "os", NULL), *arch = js_str(from, "architecture", NULL);
	const char *variant = js_str(from, "variant", "");
	if (!os || !arch)
		return;
	AUTO_FREE char *text = text_printf("%s/%s%s%s", os, arch, *variant ? "/" : "", variant);
	js_put_str(to, "platform", text);
}

static void put_platforms(json_t *doc, const json_t *artifact)
{
	json_t *list = json_array();
	size_t i;
	const json_t *one;
	json_array_foreach (json_object_get(artifact, "references"), i, one) {
		json_t *child = json_object();
		js_put_str(child, "digest", js_str(one, "child_digest", NULL));
		put_platform(child, json_object_get(one, "platform"));
		json_array_append_new(list, child);
	}
	json_object_set_new(doc, "platforms", list);
}

static void put_names(json_t *doc, const char *key, const json_t *list)
{
	json_t *names = json_array();
	size_t i;
	const json_t *one;
	json_array_foreach (list, i, one)
		json_array_append_new(names, json_string(js_str(one, "name", "")));
	json_object_set_new(doc, key, names);
}

/* The overview is a map by media type with one entry; its key differs by
 * version. */
static void put_scan(json_t *doc, json_t *artifact)
{
	json_t *overview = json_object_get(artifact, "scan_overview");
	const json_t *one = json_object_iter_value(json_object_iter(overview));
	const json_t *summary = json_object_get(one, "summary");
	if (!one)
		return;
	json_t *scan = json_object();
	js_put_str(scan, "state", js_str(one, "scan_status", NULL));
	js_put_str(scan, "severity", js_str(one, "severity", NULL));
	json_object_set_new(scan, "total", json_integer(js_int(summary, "total", 0)));
	json_object_set_new(scan, "fixable", json_integer(js_int(summary, "fixable", 0)));
	if (json_object_get(summary, "summary"))
		json_object_set(scan, "counts", json_object_get(summary, "summary"));
	json_object_set_new(doc, "scan", scan);
}

static void put_config(json_t *doc, const json_t *extra)
{
	const json_t *config = json_object_get(extra, "config");
	json_t *to = json_object();
	static const char *const keys[][2] = {{"Cmd", "cmd"},
					      {"Entrypoint", "entrypoint"},
					      {"User", "user"},
					      {"WorkingDir", "workdir"},
					      {"Labels", "labels"}};
	put_platform(doc, extra);
	js_put_str(doc, "author", js_str(extra, "author", NULL));
	js_put_str(doc, "created", js_str(extra, "created", NULL));
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		if (json_object_get(config, keys[i][0]))
			json_object_set(to, keys[i][1], json_object_get(config, keys[i][0]));
	json_object_set_new(doc, "config", to);
}

static json_t *document(json_t *artifact)
{
	json_t *doc = json_object();
	js_put_str(doc, "digest", js_str(artifact, "digest", NULL));
	js_put_str(doc, "kind", type_of(artifact));
	js_put_str(doc, "media_type", js_str(artifact, "manifest_media_type", NULL));
	js_put_str(doc, "artifact_type",
		   js_str(artifact, "artifact_type", js_str(artifact, "media_type", NULL)));
	json_object_set_new(doc, "size", json_integer(js_int(artifact, "size", 0)));
	if (is_index(artifact))
		put_platforms(doc, artifact);
	else
		put_config(doc, json_object_get(artifact, "extra_attrs"));
	put_names(doc, "tags", json_object_get(artifact, "tags"));
	put_names(doc, "labels", json_object_get(artifact, "labels"));
	put_scan(doc, artifact);
	if (json_object_get(artifact, "annotations"))
		json_object_set(doc, "annotations", json_object_get(artifact, "annotations"));
	js_put_time(doc, "pushed_at", harbor_time(artifact, "push_time"));
	js_put_time(doc, "pulled_at", harbor_time(artifact, "pull_time"));
	return doc;
}

static json_t *referrers(const json_t *artifact)
{
	json_t *list = json_array();
	size_t i;
	const json_t *one;
	json_array_foreach (json_object_get(artifact, "accessories"), i, one) {
		json_t *r = json_object();
		const char *kind = js_str(one, "type", ""), *type = "artifact";
		for (size_t k = 0; k < ARRAY_COUNT(accessories); k++)
			if (!strcmp(accessories[k].accessory, kind))
				type = accessories[k].type;
		js_put_str(r, "digest", js_str(one, "digest", NULL));
		js_put_str(r, "kind", type);
		js_put_str(r, "artifact_type", kind);
		json_object_set_new(r, "size", json_integer(js_int(one, "size", 0)));
		json_array_append_new(list, r);
	}
	return list;
}

/* What a referrer is by its artifact type (from 2.10 on) or its config's; Harbor calls it
 * an accessory and no more. One that is gone meanwhile stays as it is. */
static int put_thing(struct harbor *h, const char *path, json_t *referrer, struct berth_error *err)
{
	AUTO_JSON json_t *artifact = NULL;
	int r = harbor_getf(h, &artifact, err, "%s/artifacts/%s", path,
			    js_str(referrer, "digest", ""));
	if (r)
		return r == BERTH_E_NOT_FOUND ? 0 : r;
	const char *config = js_str(artifact, "media_type", NULL);
	const char *type = js_str(artifact, "artifact_type", config);
	js_put_str(referrer, "kind", media_thing(type, config, NULL));
	js_put_str(referrer, "artifact_type", type);
	return 0;
}

/* Of the first ones, while requests are left: no list of Harbor's has them. */
static int put_things(struct harbor *h, const char *path, json_t *list, unsigned requests_left,
		      struct berth_error *err)
{
	size_t i;
	json_t *one;
	json_array_foreach (list, i, one) {
		if (strcmp(js_str(one, "artifact_type", ""), SUBJECT_ACCESSORY) != 0)
			continue;
		if (!requests_left--)
			break;
		int r = put_thing(h, path, one, err);
		if (r)
			return r;
	}
	return 0;
}

/* An addition is there only where the artifact's own links name it. */
static bool has_history(const json_t *artifact)
{
	return json_object_get(json_object_get(artifact, "addition_links"), "build_history");
}

static int put_history(struct harbor *h, const char *path, const json_t *artifact, json_t *doc,
		       struct berth_error *err)
{
	AUTO_JSON json_t *lines = NULL;
	const json_t *line;
	json_t *list;
	size_t i;
	if (!has_history(artifact))
		return 0;
	int r = harbor_getf(h, &lines, err, "%s/artifacts/%s/additions/build_history", path,
			    js_str(artifact, "digest", ""));
	if (r)
		return r;
	list = json_array();
	json_array_foreach (lines, i, line) {
		json_t *one = json_object();
		js_put_str(one, "created", js_str(line, "created", NULL));
		js_put_str(one, "created_by", js_str(line, "created_by", NULL));
		js_put_str(one, "comment", js_str(line, "comment", NULL));
		if (js_bool(line, "empty_layer", false))
			json_object_set_new(one, "empty", json_true());
		json_array_append_new(list, one);
		if (i + 1 == HISTORY_MAX)
			break;
	}
	json_object_set_new(doc, "history", list);
	return 0;
}

static int give_referrers(struct berth_sink *sink, const json_t *list, struct berth_error *err)
{
	size_t i;
	const json_t *one;
	json_array_foreach (list, i, one) {
		int r = remote_give(sink,
				    &(struct give){.kind = BERTH_ITEM_REFERRER,
						   .digest = js_str(one, "digest", NULL),
						   .more = one},
				    err);
		if (r)
			return r;
	}
	return 0;
}

#define FULL "with_tag=true&with_label=true&with_scan_overview=true&with_accessory=true"

int harbor_artifact(void *self, const struct berth_call *call, const char *repository,
		    const char *reference, struct berth_sink *sink, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_FREE char *path = NULL;
	AUTO_JSON json_t *artifact = NULL, *doc = NULL;
	remote_begin(&h->remote, call);
	int r = harbor_path(repository, &path, err);
	if (!r)
		r = harbor_getf(h, &artifact, err, "%s/artifacts/%s?" FULL, path, reference);
	if (r)
		return berth_wrap(err, "cannot show %s %s", repository, reference);
	doc = document(artifact);
	AUTO_JSON json_t *list = referrers(artifact);
	json_object_set(doc, "referrers", list);
	r = put_things(h, path, list, REQUESTS_MAX - 1 - has_history(artifact), err);
	if (!r)
		r = put_history(h, path, artifact, doc, err);
	if (!r)
		r = remote_give(sink,
				&(struct give){.kind = BERTH_ITEM_ARTIFACT,
					       .name = reference,
					       .digest = js_str(artifact, "digest", NULL),
					       .bytes = (uint64_t)js_int(doc, "size", 0),
					       .updated_ms = harbor_time(artifact, "push_time"),
					       .more = doc},
				err);
	return r ? r : give_referrers(sink, list, err);
}

/* 412 has two reasons, which Harbor tells apart in words only. */
static int explain_delete(const char *what, struct berth_error *err)
{
	if (err->upstream != 412)
		return berth_wrap(err, "cannot delete %s", what);
	if (strstr(err->cause, "immutable"))
		return berth_wrap(err,
				  "cannot delete %s: an immutability rule of the project keeps it",
				  what);
	return berth_wrap(err, "cannot delete %s: another artifact refers to it", what);
}

int harbor_tag_delete(void *self, const struct berth_call *call, const char *repository,
		      const char *tag, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_FREE char *path = NULL;
	AUTO_FREE char *escaped = text_url_encode(tag);
	remote_begin(&h->remote, call);
	int r = harbor_path(repository, &path, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	r = harbor_dof(h, "DELETE", NULL, err, "%s/artifacts/%s/tags/%s", path,
		       escaped ? escaped : "", escaped ? escaped : "");
	return r ? explain_delete(tag, err) : 0;
}

int harbor_artifact_delete(void *self, const struct berth_call *call, const char *repository,
			   const char *digest, struct berth_error *err)
{
	struct harbor *h = self;
	AUTO_FREE char *path = NULL;
	remote_begin(&h->remote, call);
	int r = harbor_path(repository, &path, err);
	if (r || (call->flags & BERTH_CALL_DRY_RUN))
		return r;
	r = harbor_dof(h, "DELETE", NULL, err, "%s/artifacts/%s", path, digest);
	return r ? explain_delete(digest, err) : 0;
}
