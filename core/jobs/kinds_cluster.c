/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of jobs for Kubernetes clusters. Runs in jobs. */
#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/jobs/kinds.h"

/* What the credential may not read is left out; a probe is about the rest. */
static int allow_denied(struct job *j, int code, const char *what, struct berth_error *err)
{
	if (code != BERTH_E_DENIED && code != BERTH_E_UNSUPPORTED)
		return code;
	job_log(j, LOG_LEVEL_WARNING, "%s: %s", what, err->message);
	*err = (struct berth_error)ERROR_INIT;
	return 0;
}

int run_cluster_probe(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const struct backend_sink to = {backend_item_to_job, j};
	(void)ret_value;
	int code = kind_open(j, &b, err);
	if (!code)
		code = backend_probe(b, "{\"scope\":\"platform\"}", &to, err);
	if (!code)
		code = allow_denied(j, backend_overview(b, &to, err), "no overview", err);
	if (!code)
		code = allow_denied(j,
				    backend_lifecycle_status(b, "{\"kind\":\"nodes\"}", &to, err),
				    "no list of nodes", err);
	return code;
}

/* Does it stand against the namespaces that are still to come, too? What one
 * namespace's service account lacks does not. */
static bool is_of_all(const struct berth_error *why)
{
	switch (why->code) {
	case BERTH_E_UNAVAILABLE:
		return why->from == BERTH_FROM_CURL || why->from == BERTH_FROM_HTTP;
	case BERTH_E_TIMEOUT:
	case BERTH_E_TLS:
	case BERTH_E_AUTH:
	case BERTH_E_ADDRESS:
	case BERTH_E_THROTTLED:
	case BERTH_E_CANCELLED:
	case BERTH_E_NO_MEMORY:
		return true;
	default:
		return false;
	}
}

/* One namespace: its secret written, or removed where it has no content. */
static int settle_secret(struct job *j, struct backend *b, const json_t *item,
			 struct berth_error *err)
{
	const char *id = js_str(item, "config", NULL);
	const char *config = js_str(json_object_get(job_args(j), "configs"), id ? id : "", NULL);
	AUTO_JSON json_t *spec =
		json_pack("{s:s, s:s, s:s, s:s, s:b, s:s*}", "kind", "pull-secret", "namespace",
			  js_str(item, "namespace", ""), "name", "registry-secret", "owner",
			  js_str(item, "owner", ""), "service_account",
			  js_bool(item, "service_account", false), "dockerconfigjson", config);
	AUTO_FREE char *text = spec ? js_text(spec) : NULL;
	if (!text)
		return berth_fail_memory(err);
	if (id && !config)
		return berth_fail(err, BERTH_E_PROTOCOL, "the call has no content '%s'", id);
	int code = config ? backend_lifecycle_apply(b, text, NULL, err)
			  : backend_lifecycle_remove(b, text, NULL, err);
	explicit_bzero(text, strlen(text));
	return code;
}

static int say_settled(struct job *j, const json_t *item, const struct berth_error *why,
		       struct berth_error *err)
{
	AUTO_JSON json_t *said = json_pack("{s:s, s:s, s:{}}", "kind", "secret", "name",
					   js_str(item, "namespace", ""), "more");
	if (!said || (why->code && json_object_set_new(json_object_get(said, "more"), "error",
						       js_of_error(why))))
		return berth_fail_memory(err);
	return job_item(j, said, err);
}

int run_pull_secrets(struct job *j, json_t **ret_value, struct berth_error *err)
{
	AUTO(backend) struct backend *b = NULL;
	const json_t *items = json_object_get(job_args(j), "items"), *item;
	size_t i;
	(void)ret_value;
	int code = kind_open(j, &b, err);
	json_array_foreach (items, i, item) {
		struct berth_error why = ERROR_INIT;
		if (code)
			break;
		if (settle_secret(j, b, item, &why) && is_of_all(&why)) {
			*err = why;
			return err->code;
		}
		code = say_settled(j, item, &why, err);
		job_progress(j, i + 1, json_array_size(items), "items", "secrets", NULL);
	}
	return code;
}
