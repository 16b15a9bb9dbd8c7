/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: see manifest.h. */
#include "core/oci/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"

static int wrong(struct berth_error *err, const char *what)
{
	return berth_fail(err, BERTH_E_PROTOCOL, "a manifest that is not right: %s", what);
}

/* A member that may be absent but has a type: *ret is NULL where absent. */
static int member(const json_t *o, const char *key, json_type type, const json_t **ret,
		  struct berth_error *err)
{
	const json_t *v = json_object_get(o, key);
	*ret = NULL;
	if (!v || json_is_null(v))
		return 0;
	if (json_typeof(v) != type)
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "a manifest that is not right: %s has the wrong type", key);
	*ret = v;
	return 0;
}

static int text_member(const json_t *o, const char *key, const char **ret, struct berth_error *err)
{
	const json_t *v;
	int r = member(o, key, JSON_STRING, &v, err);
	*ret = v ? json_string_value(v) : NULL;
	return r;
}

static int annotations_member(const json_t *o, const json_t **ret, struct berth_error *err)
{
	const char *key;
	json_t *v;
	int r = member(o, "annotations", JSON_OBJECT, ret, err);
	if (r || !*ret)
		return r;
	json_object_foreach ((json_t *)(uintptr_t)*ret, key, v)
		if (!json_is_string(v))
			return wrong(err, "an annotation that is no text");
	return 0;
}

static int read_platform(const json_t *o, struct descriptor *d, struct berth_error *err)
{
	const json_t *platform;
	int r = member(o, "platform", JSON_OBJECT, &platform, err);
	if (r || !platform)
		return r;
	r = text_member(platform, "os", &d->os, err);
	if (!r)
		r = text_member(platform, "architecture", &d->architecture, err);
	if (!r)
		r = text_member(platform, "variant", &d->variant, err);
	if (!r)
		r = text_member(platform, "os.version", &d->os_version, err);
	return r;
}

static bool is_attestation(const struct descriptor *d)
{
	const char *type = js_str(d->annotations, "vnd.docker.reference.type", "");
	return !strcmp(type, "attestation-manifest") ||
	       (d->os && d->architecture && !strcmp(d->os, "unknown") &&
		!strcmp(d->architecture, "unknown"));
}

static int read_size(const json_t *o, struct descriptor *d, struct berth_error *err)
{
	const json_t *size = json_object_get(o, "size");
	if (!json_is_integer(size))
		return wrong(err, "a descriptor whose size is no whole number");
	d->size = (int64_t)json_integer_value(size);
	if (d->size < 0 || d->size > BLOB_MAX_BYTES)
		return wrong(err, "a descriptor with an impossible size");
	return 0;
}

static int read_descriptor(const json_t *o, struct descriptor *d, struct berth_error *err)
{
	struct digest digest;
	const json_t *urls;
	if (!json_is_object(o))
		return wrong(err, "a descriptor that is no object");
	int r = text_member(o, "mediaType", &d->media_type, err);
	if (!r)
		r = text_member(o, "digest", &d->digest, err);
	if (r)
		return r;
	if (!d->media_type || !*d->media_type || !d->digest)
		return wrong(err, "a descriptor without media type or digest");
	if (digest_parse(d->digest, &digest, err)) {
		err->code = BERTH_E_PROTOCOL;
		return berth_wrap(err, "a manifest that is not right: a bad digest");
	}
	r = read_size(o, d, err);
	if (!r)
		r = text_member(o, "artifactType", &d->artifact_type, err);
	if (!r)
		r = annotations_member(o, &d->annotations, err);
	if (!r)
		r = read_platform(o, d, err);
	if (!r)
		r = member(o, "urls", JSON_ARRAY, &urls, err);
	if (r)
		return r;
	d->has_urls = json_array_size(urls) > 0;
	d->is_foreign = d->has_urls || strstr(d->media_type, ".foreign.") ||
			strstr(d->media_type, ".nondistributable.");
	d->is_attestation = is_attestation(d);
	return 0;
}

static int read_list(const json_t *root, const char *key, size_t max, struct descriptor **ret,
		     size_t *ret_count, struct berth_error *err)
{
	const json_t *list;
	int r = member(root, key, JSON_ARRAY, &list, err);
	size_t count = json_array_size(list);
	if (r || !count)
		return r;
	if (count > max)
		return berth_fail(err, BERTH_E_LIMIT, "a manifest with %zu %s (at most %zu)", count,
				  key, max);
	*ret = calloc(count, sizeof **ret);
	if (!*ret)
		return berth_fail_memory(err);
	*ret_count = count;
	for (size_t i = 0; !r && i < count; i++)
		r = read_descriptor(json_array_get(list, i), *ret + i, err);
	return r;
}

/* --- which kind it is, said by three that must agree --- */

static const struct {
	const char *media_type;
	enum manifest_kind kind;
	bool must_name_itself; /* Docker's: mediaType is a must inside */
} kinds[] = {
	{MEDIA_OCI_MANIFEST, MANIFEST_IMAGE, false},   {MEDIA_OCI_INDEX, MANIFEST_INDEX, false},
	{MEDIA_DOCKER_MANIFEST, MANIFEST_IMAGE, true}, {MEDIA_DOCKER_LIST, MANIFEST_INDEX, true},
	{MEDIA_OCI_ARTIFACT, MANIFEST_ARTIFACT, true},
};

static bool says_nothing(const char *content_type)
{
	return !content_type || !*content_type || media_equal(content_type, "application/json") ||
	       media_equal(content_type, "application/octet-stream") ||
	       !strncmp(content_type, "text/plain", 10);
}

static const char *type_of_shape(const json_t *root)
{
	if (json_object_get(root, "manifests"))
		return MEDIA_OCI_INDEX;
	return json_object_get(root, "config") ? MEDIA_OCI_MANIFEST : NULL;
}

static int set_kind(struct manifest *m, const char *type, bool names_itself,
		    struct berth_error *err)
{
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
		if (!media_equal(kinds[i].media_type, type))
			continue;
		if (kinds[i].must_name_itself && !names_itself)
			return wrong(err, "it does not say its media type inside");
		m->kind = kinds[i].kind;
		m->media_type = kinds[i].media_type;
		return 0;
	}
	return berth_fail(err, BERTH_E_PROTOCOL, "'%.120s' is no type of a manifest", type);
}

static int refuse_schema1(struct berth_error *err)
{
	return berth_fail(err, BERTH_E_UNSUPPORTED,
			  "a schema 1 manifest, which is not supported (push the image anew with a "
			  "current tool)");
}

static int find_kind(struct manifest *m, const char *content_type, struct berth_error *err)
{
	const char *inner;
	const json_t *version = json_object_get(m->root, "schemaVersion");
	int r = text_member(m->root, "mediaType", &inner, err);
	if (r)
		return r;
	if ((content_type && !strncmp(content_type, MEDIA_DOCKER_V1, sizeof MEDIA_DOCKER_V1 - 1)) ||
	    json_integer_value(version) == 1)
		return refuse_schema1(err);
	if (says_nothing(content_type))
		content_type = inner ? inner : type_of_shape(m->root);
	if (!content_type)
		return wrong(err, "nothing says what it is");
	if (inner && !media_equal(inner, content_type))
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "a manifest that says it is '%.80s' and came as '%.80s'", inner,
				  content_type);
	r = set_kind(m, content_type, inner != NULL, err);
	if (!r && m->kind != MANIFEST_ARTIFACT && json_integer_value(version) != 2)
		return wrong(err, "its schemaVersion is not 2");
	return r;
}

static bool has(const json_t *root, const char *key)
{
	const json_t *v = json_object_get(root, key);
	return v && !json_is_null(v);
}

static int check_shape(const struct manifest *m, struct berth_error *err)
{
	const json_t *root = m->root;
	bool is_index = m->kind == MANIFEST_INDEX;
	if (is_index && (has(root, "config") || has(root, "layers") || has(root, "fsLayers")))
		return wrong(err, "an index with config or layers: it could be read in two ways");
	if (!is_index && (has(root, "manifests") || has(root, "fsLayers")))
		return wrong(err,
			     "an image with a list of manifests: it could be read in two ways");
	if (is_index && !json_is_array(json_object_get(root, "manifests")))
		return wrong(err, "an index without a list of manifests");
	if (m->kind == MANIFEST_IMAGE && !has(root, "config"))
		return wrong(err, "an image without a config");
	if (m->kind == MANIFEST_IMAGE && !json_is_array(json_object_get(root, "layers")))
		return wrong(err, "an image without a list of layers");
	return 0;
}

static int read_parts(struct manifest *m, struct berth_error *err)
{
	const json_t *config, *subject;
	int r = member(m->root, "config", JSON_OBJECT, &config, err);
	if (!r && config)
		r = read_descriptor(config, &m->config, err);
	if (!r)
		r = member(m->root, "subject", JSON_OBJECT, &subject, err);
	if (!r && subject)
		r = read_descriptor(subject, &m->subject, err);
	if (!r)
		r = text_member(m->root, "artifactType", &m->artifact_type, err);
	if (!r)
		r = annotations_member(m->root, &m->annotations, err);
	if (!r)
		r = read_list(m->root, m->kind == MANIFEST_ARTIFACT ? "blobs" : "layers",
			      MANIFEST_LAYERS_MAX, &m->layers, &m->layer_count, err);
	if (!r)
		r = read_list(m->root, "manifests", MANIFEST_CHILDREN_MAX, &m->children,
			      &m->child_count, err);
	return r;
}

int manifest_parse(const char *bytes, size_t byte_count, const char *content_type,
		   struct manifest **ret, struct berth_error *err)
{
	AUTO(manifest) struct manifest *m = calloc(1, sizeof *m);
	if (!m)
		return berth_fail_memory(err);
	int r = js_parse(bytes, byte_count, &js_limits_registry, &m->root, err);
	if (r == BERTH_E_INVALID) {
		err->code = BERTH_E_PROTOCOL;
		return berth_wrap(err, "a manifest that can't be read");
	}
	if (r)
		return berth_wrap(err, "a manifest over a limit");
	if (!json_is_object(m->root))
		return wrong(err, "it is no object");
	r = find_kind(m, content_type, err);
	if (!r)
		r = check_shape(m, err);
	if (!r)
		r = read_parts(m, err);
	if (r)
		return r;
	*ret = STEAL(m);
	return 0;
}

void manifest_free(struct manifest *m)
{
	if (!m)
		return;
	free(m->layers);
	free(m->children);
	json_decref(m->root);
	free(m);
}

const char *manifest_thing(const struct manifest *m)
{
	if (m->kind == MANIFEST_INDEX && !m->artifact_type)
		return "index";
	return media_thing(m->artifact_type, m->config.media_type,
			   m->layer_count ? m->layers[0].media_type : NULL);
}

int64_t manifest_bytes(const struct manifest *m)
{
	int64_t sum = m->config.media_type ? m->config.size : 0;
	for (size_t i = 0; i < m->layer_count; i++) {
		bool again = m->config.digest && !strcmp(m->layers[i].digest, m->config.digest);
		for (size_t j = 0; j < i && !again; j++)
			again = !strcmp(m->layers[i].digest, m->layers[j].digest);
		if (!again && m->layers[i].size <= INT64_MAX - sum)
			sum += m->layers[i].size;
	}
	return sum;
}
