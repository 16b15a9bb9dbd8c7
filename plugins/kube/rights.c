/* SPDX-License-Identifier: Apache-2.0 */
/* What the cluster lets us do: one SelfSubjectAccessReview a right, which each
 * authenticated user may ask for. Runs in a job.
 */
#include "kube.h"

#include <string.h>

const struct kube_right kube_rights[] = {
	{"get", "secrets", true},         {"create", "secrets", true},
	{"patch", "secrets", true},       {"delete", "secrets", true},
	{"get", "serviceaccounts", true}, {"patch", "serviceaccounts", true},
	{"get", "namespaces", false},     {"list", "namespaces", false},
	{"list", "nodes", false},         {.verb = NULL},
};

int kube_may(struct kube *k, const struct kube_right *right, const char *namespace, bool *ret,
	     struct berth_error *err)
{
	static const char path[] = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
	AUTO_JSON json_t *answer = NULL;
	AUTO_JSON json_t *body = json_pack(
		"{s:s, s:s, s:{s:{s:s, s:s, s:s}}}", "apiVersion", "authorization.k8s.io/v1",
		"kind", "SelfSubjectAccessReview", "spec", "resourceAttributes", "verb",
		right->verb, "resource", right->resource, "namespace", namespace ? namespace : "");
	if (!body)
		return berth_fail_memory(err);
	int r = kube_ask(k, &(struct kube_ask){.method = "POST", .path = path, .body = body},
			 &answer, err);
	const json_t *status = json_object_get(answer, "status");
	if (!r && !json_is_boolean(json_object_get(status, "allowed")))
		r = berth_fail(err, BERTH_E_PROTOCOL, "POST %s: the answer has no status.allowed",
			       path);
	if (!r)
		*ret = js_bool(status, "allowed", false);
	return r ? berth_wrap(err, "cannot ask the cluster for our rights") : 0;
}
