/* SPDX-License-Identifier: Apache-2.0 */
/* Proof: is it Kubernetes, who are we to it, what may we do, is it ready. Asked
 * in this order, so that what is wrong first is what is named.
 */
#include "kube.h"

#include <string.h>

#include "core/base/text.h"

#define OLDEST_MINOR 22 /* server-side apply is there for good since 1.22 */
#define FEATURES_MAX 64

/* "34" or "34+", as some clouds write it; 0: unknown. */
static uint64_t minor_of(const json_t *version)
{
	uint64_t minor = 0;
	const char *text = js_str(version, "minor", "");
	AUTO_FREE char *digits = strndup(text, strspn(text, "0123456789"));
	return digits && text_parse_u64(digits, 0, 9999, &minor) ? minor : 0;
}

static int give_version(struct kube *k, struct berth_sink *sink, struct berth_error *err)
{
	AUTO_JSON json_t *version = NULL;
	int r = kube_getf(k, &version, err, "/version");
	const char *text = js_str(version, "gitVersion", NULL);
	if (!r && !text)
		r = berth_fail(err, BERTH_E_PROTOCOL, "GET /version: the answer has no gitVersion");
	if (r == BERTH_E_NOT_FOUND || r == BERTH_E_PROTOCOL) {
		err->code = BERTH_E_PROTOCOL;
		return berth_wrap(err, "no Kubernetes API server at %s", k->base);
	}
	if (r)
		return r;
	uint64_t minor = minor_of(version);
	if (minor && minor < OLDEST_MINOR)
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "Kubernetes %.40s is too old: 1.%d or newer is needed", text,
				  OLDEST_MINOR);
	r = remote_give_fact(sink, "product", json_string("Kubernetes"), err);
	return r ? r : remote_give_fact(sink, "version", json_string(text), err);
}

/* Who the server takes us for. 1.27 and older don't tell (404): the reviews of
 * rights, which nobody may ask for anonymously, prove the credential there. */
static int give_user(struct kube *k, struct berth_sink *sink, struct berth_error *err)
{
	AUTO_JSON json_t *answer = NULL;
	AUTO_JSON json_t *body = json_pack("{s:s, s:s}", "apiVersion", "authentication.k8s.io/v1",
					   "kind", "SelfSubjectReview");
	struct kube_ask ask = {.method = "POST",
			       .path = "/apis/authentication.k8s.io/v1/selfsubjectreviews",
			       .body = body};
	if (!body)
		return berth_fail_memory(err);
	int r = kube_ask(k, &ask, &answer, err);
	if (r && (err->upstream == 404 || err->upstream == 403)) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	const json_t *info = json_object_get(json_object_get(answer, "status"), "userInfo");
	const char *name = js_str(info, "username", NULL);
	return r || !name ? r : remote_give_fact(sink, "user", json_string(name), err);
}

/* Reviews each right in one namespace, or everywhere. */
static int review(struct kube *k, const char *namespace, json_t *rights, json_t *missing,
		  struct berth_error *err)
{
	for (const struct kube_right *right = kube_rights; right->verb; right++) {
		bool may = false;
		if (*namespace && !right->in_namespace)
			continue;
		int r = kube_may(k, right, namespace, &may, err);
		if (r)
			return r;
		AUTO_FREE char *words = text_printf("%s %s", right->verb, right->resource);
		if (!words || json_object_set_new(rights, words, json_boolean(may)) ||
		    (!may && json_array_append_new(missing, json_string(words))))
			return berth_fail_memory(err);
	}
	return 0;
}

static int give_rights(struct kube *k, struct berth_sink *sink, struct berth_error *err)
{
	AUTO_JSON json_t *rights = json_object();
	AUTO_JSON json_t *missing = json_array();
	int r = rights && missing ? review(k, "", rights, missing, err) : berth_fail_memory(err);
	if (r == BERTH_E_DENIED && !k->token && !k->has_certificate) {
		err->code = BERTH_E_AUTH;
		return berth_wrap(err, "the API server wants a token or a client certificate");
	}
	if (!r)
		r = remote_give_fact(sink, "rights", json_incref(rights), err);
	return r ? r : remote_give_fact(sink, "missing", json_incref(missing), err);
}

static int check_namespace(struct kube *k, const char *namespace, struct berth_error *err)
{
	AUTO_JSON json_t *rights = json_object();
	AUTO_JSON json_t *missing = json_array();
	if (!namespace || !kube_is_label(namespace))
		return berth_fail(err, BERTH_E_INVALID, "'%.80s' is no name of a namespace",
				  namespace ? namespace : "");
	int r = rights && missing ? review(k, namespace, rights, missing, err)
				  : berth_fail_memory(err);
	if (r || !json_array_size(missing))
		return r;
	return berth_fail(err, BERTH_E_DENIED,
			  "the cluster's user may not %s in namespace '%s': give it the role of "
			  "the manual",
			  json_string_value(json_array_get(missing, 0)), namespace);
}

/* Some clusters don't show /readyz to everybody: no answer is no bad one. */
static int check_ready(struct kube *k, struct berth_error *err)
{
	AUTO_JSON json_t *text = NULL;
	int r = kube_ask(k, &(struct kube_ask){.path = "/readyz", .is_text = true}, &text, err);
	if (r == BERTH_E_DENIED || r == BERTH_E_NOT_FOUND || err->upstream == 404) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (r != BERTH_E_UNAVAILABLE || err->upstream != 500)
		return r;
	return berth_wrap(err, "the API server is not ready");
}

static bool is_builtin(const char *group)
{
	static const char *const plain[] = {"apps",   "batch",      "autoscaling",
					    "policy", "extensions", NULL};
	size_t n = strlen(group);
	for (const char *const *p = plain; *p; p++)
		if (!strcmp(*p, group))
			return true;
	return n > 7 && !strcmp(group + n - 7, ".k8s.io");
}

/* The API groups that definitions brought: goharbor.io, cert-manager.io. */
static int give_features(struct kube *k, struct berth_sink *sink, struct berth_error *err)
{
	AUTO_JSON json_t *answer = NULL;
	AUTO_JSON json_t *features = json_array();
	const json_t *one;
	size_t i;
	int r = features ? kube_getf(k, &answer, err, "/apis") : berth_fail_memory(err);
	if (r == BERTH_E_DENIED) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	json_array_foreach (json_object_get(answer, "groups"), i, one) {
		const char *name = js_str(one, "name", "");
		if (*name && !is_builtin(name) && json_array_size(features) < FEATURES_MAX)
			json_array_append_new(features, json_string(name));
	}
	return r ? r : remote_give_fact(sink, "features", json_incref(features), err);
}

int kube_probe(void *self, const struct berth_call *call, const char *scope_text,
	       struct berth_sink *sink, struct berth_error *err)
{
	struct kube *k = self;
	AUTO_JSON json_t *scope = NULL;
	const json_t *one;
	size_t i;
	remote_begin(&k->remote, call);
	int r = ask_argument(scope_text, &scope, err);
	if (!r)
		r = give_version(k, sink, err);
	if (!r)
		r = give_user(k, sink, err);
	if (!r)
		r = give_rights(k, sink, err);
	json_array_foreach (json_object_get(scope, "namespaces"), i, one) {
		if (!r)
			r = check_namespace(k, json_string_value(one), err);
	}
	if (!r)
		r = check_ready(k, err);
	return r ? r : give_features(k, sink, err);
}
