/* SPDX-License-Identifier: Apache-2.0 */
/* A pull secret at the API server: the spec, the state and the two writes. See
 * pull.h. Runs in a job.
 *
 * Seen at 1.34.4: a secret's content is one field to server-side apply, its type
 * can't be changed, an immutable one takes no change at all, and a GET in a
 * namespace that is not there says only that the secret is not.
 */

#include "pull.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

#define CONTENT_MAX_BYTES ((size_t)1 << 20) /* more is 422 */
#define SECRET_MIN_BYTES 4                  /* shorter ones are in ordinary words */

void pull_done(struct pull *p)
{
	if (p->data)
		explicit_bzero(p->data, strlen(p->data));
	free(p->data);
	free(p->hosts);
	json_decref(p->confidential);
	json_decref(p->spec);
	*p = (struct pull){0};
}

char *pull_encode(const char *text)
{
	size_t n = strlen(text);
	unsigned char *coded = malloc(4 * ((n + 2) / 3) + 1);
	if (coded)
		EVP_EncodeBlock(coded, (const unsigned char *)text, (int)n);
	return (char *)coded;
}

static int find_digest(const void *bytes, size_t byte_count, char *to, struct berth_error *err)
{
	struct digest digest;
	int r = digest_of(DIGEST_SHA256, bytes, byte_count, &digest, err);
	if (!r)
		digest_format(&digest, to);
	return r;
}

/* What base64 text holds and its digest; "" where it is none. *ret is new. */
static int read_data(const char *data, char **ret, char *to, struct berth_error *err)
{
	size_t n = strlen(data);
	AUTO_FREE unsigned char *bytes = calloc(1, n / 4 * 3 + 1);
	*to = 0;
	if (!bytes)
		return berth_fail_memory(err);
	int count = n && n <= 4 * CONTENT_MAX_BYTES
			    ? EVP_DecodeBlock(bytes, (const unsigned char *)data, (int)n)
			    : -1;
	if (count < 0)
		return 0;
	for (size_t i = n; i && data[i - 1] == '='; i--)
		count--;
	size_t byte_count = count < 0 ? 0 : (size_t)count;
	bytes[byte_count] = 0;
	int r = find_digest(bytes, byte_count, to, err);
	if (!r)
		*ret = (char *)STEAL(bytes);
	return r;
}

int pull_hide(json_t *list, const char *text, struct berth_error *err)
{
	if (!text || strlen(text) < SECRET_MIN_BYTES)
		return 0;
	return json_array_append_new(list, json_string(text)) ? berth_fail_memory(err) : 0;
}

int pull_hide_entries(json_t *list, const json_t *auths, struct berth_error *err)
{
	static const char *const secret_keys[] = {"password", "auth", "identitytoken"};
	const char *host;
	json_t *entry;
	int r = 0;
	json_object_foreach ((json_t *)(uintptr_t)auths, host, entry)
		for (size_t i = 0; !r && i < ARRAY_COUNT(secret_keys); i++)
			r = pull_hide(list, js_str(entry, secret_keys[i], NULL), err);
	return r;
}

/* The content has to be what a kubelet reads; it is not repeated in an error. */
static int take_content(struct pull *p, const char *text, struct berth_error *err)
{
	AUTO_JSON json_t *config = NULL;
	struct berth_error ignored = ERROR_INIT;
	if (strlen(text) > CONTENT_MAX_BYTES)
		return berth_fail(err, BERTH_E_LIMIT, "dockerconfigjson has more than %zu bytes",
				  CONTENT_MAX_BYTES);
	if (js_parse(text, strlen(text), &js_limits_api, &config, &ignored) ||
	    !json_is_object(json_object_get(config, "auths")))
		return berth_fail(err, BERTH_E_INVALID,
				  "dockerconfigjson is not an object with auths");
	p->data = pull_encode(text);
	p->confidential = json_array();
	if (!p->data || !p->confidential)
		return berth_fail_memory(err);
	int r = merge_note(json_object_get(config, "auths"), &p->hosts, err);
	if (!r)
		r = pull_hide(p->confidential, text, err);
	if (!r)
		r = pull_hide(p->confidential, p->data, err);
	if (!r)
		r = pull_hide_entries(p->confidential, json_object_get(config, "auths"), err);
	return r ? r : find_digest(text, strlen(text), p->digest, err);
}

static int check_names(const struct pull *p, struct berth_error *err)
{
	if (!kube_is_label(p->namespace))
		return berth_fail(err, BERTH_E_INVALID, "'%.80s' is no name of a namespace",
				  p->namespace);
	if (!kube_is_name(p->name))
		return berth_fail(err, BERTH_E_INVALID, "'%.80s' is no name of a secret", p->name);
	if (!*p->owner)
		return berth_fail(err, BERTH_E_INVALID, "a pull secret without an owner");
	return 0;
}

int pull_parse(const char *spec_text, bool wants_content, struct pull *ret, struct berth_error *err)
{
	AUTO_PULL struct pull p = {0};
	int r = ask_argument(spec_text, &p.spec, err);
	const char *kind = js_str(p.spec, "kind", "");
	if (!r && strcmp(kind, "pull-secret") != 0)
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "kube makes no things of kind '%.40s', only pull-secret", kind);
	p.namespace = js_str(p.spec, "namespace", "");
	p.name = js_str(p.spec, "name", "registry-secret");
	p.owner = js_str(p.spec, "owner", "");
	p.service_account = js_bool(p.spec, "service_account", false);
	const char *content = js_str(p.spec, "dockerconfigjson", NULL);
	if (!r)
		r = check_names(&p, err);
	if (!r && content)
		r = take_content(&p, content, err);
	else if (!r && wants_content)
		r = berth_fail(err, BERTH_E_INVALID, "a pull secret without dockerconfigjson");
	if (r)
		return r;
	if (!content)
		snprintf(p.digest, sizeof p.digest, "%s", js_str(p.spec, "digest", ""));
	*ret = p;
	p = (struct pull){0};
	return 0;
}

/* --- what is there --- */

void pull_state_done(struct pull_state *s)
{
	json_decref(s->object);
	json_decref(s->others);
	json_decref(s->confidential);
	if (s->data)
		explicit_bzero(s->data, strlen(s->data));
	free(s->data);
	*s = (struct pull_state){0};
}

const char *pull_annotation(const json_t *object, const char *key)
{
	return js_str(json_object_get(json_object_get(object, "metadata"), "annotations"), key,
		      NULL);
}

static bool has_other_note(const struct pull *p, const struct pull_state *s)
{
	const char *noted = pull_annotation(s->object, PULL_HOSTS);
	return p->hosts && (!noted || strcmp(noted, p->hosts) != 0);
}

static const char *find_wrong(const struct pull *p, const struct pull_state *s)
{
	const json_t *labels = json_object_get(json_object_get(s->object, "metadata"), "labels");
	const char *account = pull_annotation(s->object, PULL_ACCOUNT);
	const char *content = s->others && p->data ? s->both_digest : p->digest;
	if (strcmp(js_str(s->object, "type", ""), PULL_TYPE) != 0)
		return "its type is another";
	if (*content && strcmp(s->digest, content) != 0)
		return "its content is another";
	if (has_other_note(p, s))
		return "its note about hosts is another";
	if (strcmp(js_str(labels, "app.kubernetes.io/managed-by", ""), "berth") != 0)
		return "its label is missing";
	if (p->service_account ? !account || strcmp(account, "default") != 0 : account != NULL)
		return "its note about the service account is another";
	return NULL;
}

static int judge(const struct pull *p, struct pull_state *s, struct berth_error *err)
{
	const char *owner = pull_annotation(s->object, PULL_WORKSPACE);
	const char *data = js_str(json_object_get(s->object, "data"), PULL_KEY, "");
	AUTO_FREE char *content = NULL;
	int r = read_data(data, &content, s->digest, err);
	s->has_account = pull_annotation(s->object, PULL_ACCOUNT);
	if (!owner)
		s->owner = PULL_FOREIGN;
	else
		s->owner = strcmp(owner, p->owner) ? PULL_OTHERS : PULL_OURS;
	if (!r && content && s->owner == PULL_OURS)
		r = merge_others(p, content, s, err);
	s->wrong = find_wrong(p, s);
	s->must_replace = s->wrong && (strcmp(js_str(s->object, "type", ""), PULL_TYPE) != 0 ||
				       js_bool(s->object, "immutable", false));
	return r;
}

int pull_read(struct kube *k, const struct pull *p, struct pull_state *ret, struct berth_error *err)
{
	AUTO_PULL_STATE struct pull_state s = {.owner = PULL_ABSENT, .wrong = "it is not there"};
	int r = kube_getf(k, &s.object, err, "/api/v1/namespaces/%s/secrets/%s", p->namespace,
			  p->name);
	if (r == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		r = 0;
	} else if (!r && !*kube_meta(s.object, "uid")) {
		r = berth_fail(err, BERTH_E_PROTOCOL, "the API server's answer is no secret");
	} else if (!r) {
		r = judge(p, &s, err);
	}
	if (r)
		return berth_wrap(err, "cannot read secret %s/%s", p->namespace, p->name);
	*ret = s;
	s = (struct pull_state){0};
	return 0;
}

json_t *pull_managers(const struct pull_state *s)
{
	json_t *names = json_object(), *list = json_array(), *value;
	const json_t *one;
	const char *name;
	size_t i;
	json_array_foreach (
		json_object_get(json_object_get(s->object, "metadata"), "managedFields"), i, one)
		json_object_set_new(names, js_str(one, "manager", "unknown"), json_null());
	json_object_foreach (names, name, value)
		json_array_append_new(list, json_string(name));
	json_decref(names);
	return list;
}

int pull_check_owner(const struct pull *p, const struct pull_state *s, struct berth_error *err)
{
	AUTO_JSON json_t *managers = pull_managers(s);
	const char *owner = pull_annotation(s->object, PULL_WORKSPACE);
	const char *manager = json_string_value(json_array_get(managers, 0));
	if (s->owner == PULL_FOREIGN) {
		berth_fail(err, BERTH_E_CONFLICT,
			   "secret %.64s/%.64s was not made by Berth and is left alone: delete it, "
			   "or hand it over with the annotation " PULL_WORKSPACE "=%.64s",
			   p->namespace, p->name, p->owner);
		return berth_cause(err, "it was written by %.100s",
				   manager ? manager : "somebody unknown");
	}
	if (s->owner == PULL_OTHERS)
		return berth_fail(err, BERTH_E_CONFLICT,
				  "secret %.64s/%.64s belongs to workspace '%.64s' of Berth: the "
				  "namespace can be in one of the two only",
				  p->namespace, p->name, owner ? owner : "");
	if (s->object && *kube_meta(s->object, "deletionTimestamp"))
		return berth_fail(err, BERTH_E_CONFLICT,
				  "secret %.64s/%.64s is being deleted, and a finalizer holds it: "
				  "remove that, or wait",
				  p->namespace, p->name);
	return 0;
}

/* --- writing --- */

static json_t *wanted(const struct pull *p, const struct pull_state *s)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:{s:s, s:s, s:{s:s}, s:{s:s, s:s}}, s:{s:s}}",
			      "apiVersion", "v1", "kind", "Secret", "type", PULL_TYPE, "metadata",
			      "name", p->name, "namespace", p->namespace, "labels",
			      "app.kubernetes.io/managed-by", "berth", "annotations",
			      PULL_WORKSPACE, p->owner, PULL_HOSTS, p->hosts, "data", PULL_KEY,
			      s->data ? s->data : p->data);
	json_t *meta = json_object_get(o, "metadata");
	int r = 0;
	if (p->service_account)
		r = json_object_set_new(json_object_get(meta, "annotations"), PULL_ACCOUNT,
					json_string("default"));
	/* What others entered is written as it was read, or not at all. */
	if (!r && s->others && s->object)
		r = json_object_set_new(meta, "resourceVersion",
					json_string(kube_meta(s->object, "resourceVersion")));
	/* Exactly the one that was read: not one made anew in its place. */
	if (!r && s->owner == PULL_OURS)
		r = json_object_set_new(meta, "uid", json_string(kube_meta(s->object, "uid")));
	if (o && !r)
		return o;
	json_decref(o);
	return NULL;
}

static int patch(struct kube *k, const struct pull *p, const char *type, const json_t *body,
		 const char *query, struct berth_error *err)
{
	AUTO_JSON json_t *answer = NULL;
	AUTO_FREE char *path = text_printf("/api/v1/namespaces/%s/secrets/%s?fieldManager=berth%s",
					   p->namespace, p->name, query);
	if (!body || !path)
		return berth_fail_memory(err);
	int r = kube_ask(
		k, &(struct kube_ask){.method = "PATCH", .path = path, .body = body, .type = type},
		&answer, err);
	return r ? berth_wrap(err, "cannot write secret %s/%s", p->namespace, p->name) : 0;
}

/* force takes fields that another manager has set meanwhile: in ours only, and
 * only those that we name. Over nothing there is none: somebody was quicker. */
int pull_write(struct kube *k, const struct pull *p, const struct pull_state *s, bool is_dry,
	       struct berth_error *err)
{
	AUTO_JSON json_t *body = wanted(p, s);
	char query[48];
	snprintf(query, sizeof query, "%s%s", s->owner == PULL_OURS ? "&force=true" : "",
		 is_dry ? "&dryRun=All" : "");
	k->confidential = s->confidential ? s->confidential : p->confidential;
	int r = patch(k, p, "application/apply-patch+yaml", body, query, err);
	k->confidential = NULL;
	return r;
}

int pull_leave(struct kube *k, const struct pull *p, const struct pull_state *s,
	       struct berth_error *err)
{
	AUTO_JSON json_t *body = json_pack(
		"{s:{s:s, s:s, s:{s:n}, s:{s:n, s:n, s:n}}, s:{s:s}}", "metadata", "uid",
		kube_meta(s->object, "uid"), "resourceVersion",
		kube_meta(s->object, "resourceVersion"), "labels", "app.kubernetes.io/managed-by",
		"annotations", PULL_WORKSPACE, PULL_ACCOUNT, PULL_HOSTS, "data", PULL_KEY, s->data);
	k->confidential = s->confidential;
	int r = patch(k, p, "application/merge-patch+json", body, "", err);
	k->confidential = NULL;
	return r;
}

int pull_delete(struct kube *k, const struct pull *p, const struct pull_state *s,
		struct berth_error *err)
{
	AUTO_JSON json_t *answer = NULL;
	AUTO_JSON json_t *body =
		json_pack("{s:s, s:s, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
			  "preconditions", "uid", kube_meta(s->object, "uid"), "resourceVersion",
			  kube_meta(s->object, "resourceVersion"));
	AUTO_FREE char *path =
		text_printf("/api/v1/namespaces/%s/secrets/%s", p->namespace, p->name);
	if (!body || !path)
		return berth_fail_memory(err);
	int r = kube_ask(k, &(struct kube_ask){.method = "DELETE", .path = path, .body = body},
			 &answer, err);
	if (r == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	return r ? berth_wrap(err, "cannot delete secret %s/%s", p->namespace, p->name) : 0;
}
