/* SPDX-License-Identifier: Apache-2.0 */
/* What the target of a scan means: an integration, one of its spaces, a
 * repository or one artifact.
 */
#include <string.h>

#include "core/api/scan.h"
#include "core/api/space.h"
#include "core/base/text.h"

void scan_target_done(struct scan_target *t)
{
	integration_done(&t->of);
	json_decref(t->job);
	free(t->path);
}

static int take(struct scan_target *t, const char *scope, json_t *take_job, char *take_path,
		struct berth_error *err)
{
	t->scope = scope;
	t->job = take_job;
	t->path = take_path;
	return t->job && t->path ? 0 : berth_fail_memory(err);
}

/* A repository or an artifact; its space gives the path. */
static int take_reference(struct daemon_state *d, struct scan_target *t, struct berth_error *err)
{
	struct reference of = {.integration = ""};
	struct space space AUTO_SPACE = {.id = NULL};
	const char *name = strchr(t->text, '/') + 1;

	if (reference_parse(t->text, &of, err) ||
	    space_of_repository(d->store, t->of.id, of.repository, &space, err))
		return err->code;
	bool is_one = *of.tag || *of.digest;
	char *encoded AUTO_FREE = text_url_encode(name);
	if (!encoded)
		return berth_fail_memory(err);
	json_t *job = json_pack("{s:s}", "repository", of.repository);
	js_put_str(job, "tag", *of.digest ? NULL : of.tag);
	js_put_str(job, "digest", of.digest);
	return take(t, is_one ? "artifact" : "repository", job,
		    text_printf("/v1/spaces/%s/%s/%s", space.id, is_one ? "artifacts" : "images",
				encoded),
		    err);
}

static int parse(struct daemon_state *d, const char *text, struct scan_target *ret,
		 struct berth_error *err)
{
	struct space space AUTO_SPACE = {.id = NULL};
	struct berth_error absent = ERROR_INIT;
	const char *slash = strchr(text, '/');
	char *name AUTO_FREE = strndup(text, slash ? (size_t)(slash - text) : strlen(text));

	ret->text = text;
	if (!name)
		return berth_fail_memory(err);
	if (integration_get(d->store, name, &ret->of, err))
		return err->code;
	if (!slash)
		return take(ret, "integration", json_object(),
			    text_printf("/v1/integrations/%s", name), err);
	int code = space_get_by_name(d->store, ret->of.id, slash + 1, &space, &absent);
	if (code == BERTH_E_NOT_FOUND)
		return take_reference(d, ret, err);
	if (code) {
		*err = absent;
		return code;
	}
	return take(ret, "space", json_pack("{s:s}", "space", space.name),
		    text_printf("/v1/spaces/%s", space.id), err);
}

bool scan_target_of_body(struct request *q, struct answer *a, struct scan_target *ret)
{
	struct findings f = {.answer = a};
	struct berth_error err = ERROR_INIT;
	const char *text = js_str(request_body(q), "target", "");

	if (!parse(request_daemon(q), text, ret, &err))
		return true;
	if (err.code == BERTH_E_NOT_FOUND || err.code == BERTH_E_INVALID)
		findings_add(&f, "/target", "no-target", "%s", err.message);
	else
		api_fail(a, &err, NULL);
	return false;
}

bool scan_target_is_artifact(struct answer *a, const struct scan_target *t)
{
	struct findings f = {.answer = a};

	if (strcmp(t->scope, "artifact") != 0)
		findings_add(&f, "/target", "no-artifact",
			     "%s is no artifact: expected INTEGRATION/REPOSITORY:TAG or @DIGEST",
			     t->text);
	return !f.count;
}
