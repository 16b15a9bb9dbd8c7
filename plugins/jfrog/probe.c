/* SPDX-License-Identifier: Apache-2.0 */
/* Proof, overview, and the repository keys as spaces. The ping may answer
 * anonymously, so the credentials are proved by the list of repositories.
 */
#include "jfrog.h"

#include <string.h>

#include "core/base/text.h"

static int is_artifactory(struct jfrog *j, struct berth_error *err)
{
	AUTO_ANSWER struct answer a = {0};
	struct question q = {.path = "/api/system/ping", .is_text = true};
	int r = jfrog_ask(j, &q, &a, err);
	if (r == BERTH_E_NOT_FOUND)
		err->code = BERTH_E_PROTOCOL;
	if (r == BERTH_E_AUTH)
		return r;
	if (r)
		return berth_wrap(err, "no Artifactory at %s", j->art);
	if (strncmp(a.text, "OK", 2) != 0)
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "no Artifactory at %s: its ping says '%.40s'", j->art, a.text);
	return 0;
}

/* Only some users may see the version; without it nothing is lost but a fact. */
static int give_version(struct jfrog *j, struct berth_sink *sink, struct berth_error *err)
{
	AUTO_ANSWER struct answer a = {0};
	uint64_t major = 0;
	int r = jfrog_ask(j, &(struct question){.path = "/api/system/version"}, &a, err);
	if (r == BERTH_E_DENIED || r == BERTH_E_AUTH)
		return 0;
	if (r)
		return r;
	const char *version = js_str(a.json, "version", "");
	AUTO_FREE char *first = strndup(version, strcspn(version, "."));
	if (first && text_parse_u64(first, 0, 999, &major) && major < 7)
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "Artifactory %.40s is too old: 7 or newer is needed", version);
	r = remote_give_fact(sink, "version", json_string(version), err);
	if (!r && js_str(a.json, "license", NULL))
		r = remote_give_fact(sink, "license", json_string(js_str(a.json, "license", "")),
				     err);
	return r;
}

/* The console is beside the context path: https://h/ui/. */
static int give_console(struct jfrog *j, struct berth_sink *sink, struct berth_error *err)
{
	size_t bytes = strlen(j->art) - strlen("/artifactory");
	AUTO_FREE char *console = text_printf("%.*s/ui/", (int)bytes, j->art);
	return console ? remote_give_fact(sink, "console", json_string(console), err)
		       : berth_fail_memory(err);
}

int jfrog_probe(void *self, const struct berth_call *call, const char *scope_text,
		struct berth_sink *sink, struct berth_error *err)
{
	struct jfrog *j = self;
	AUTO_JSON json_t *scope = NULL;
	remote_begin(&j->remote, call);
	int r = ask_argument(scope_text, &scope, err);
	if (!r)
		r = is_artifactory(j, err);
	if (!r)
		r = jfrog_keys(j, err);
	if (r == BERTH_E_AUTH)
		return berth_wrap(err, "Artifactory refused the user, the password or the token");
	if (r == BERTH_E_DENIED)
		return berth_wrap(err, "the user may not list Artifactory's repositories");
	if (!r && !j->key_count)
		return berth_fail(err, BERTH_E_DENIED,
				  "Artifactory shows this user no Docker repository");
	if (!r)
		r = remote_give_fact(sink, "product", json_string("Artifactory"), err);
	if (!r)
		r = give_console(j, sink, err);
	return r ? r : give_version(j, sink, err);
}

/* Bytes by key from the storage summary, an administrator's: NULL where we may
 * not see it, or where an older one gives texts like "59.77 GB" only. */
static int storage(struct jfrog *j, json_t **ret, struct berth_error *err)
{
	AUTO_ANSWER struct answer a = {0};
	size_t i;
	const json_t *one;
	int r = jfrog_ask(j, &(struct question){.path = "/api/storageinfo"}, &a, err);
	if (r == BERTH_E_DENIED || r == BERTH_E_AUTH || r == BERTH_E_NOT_FOUND)
		return 0;
	if (r)
		return r;
	*ret = json_object();
	json_array_foreach (json_object_get(a.json, "repositoriesSummaryList"), i, one) {
		int64_t bytes = js_int(one, "usedSpaceInBytes", -1);
		if (bytes >= 0)
			json_object_set_new(*ret, js_str(one, "repoKey", ""), json_integer(bytes));
	}
	return 0;
}

int jfrog_overview(void *self, const struct berth_call *call, struct berth_sink *sink,
		   struct berth_error *err)
{
	struct jfrog *j = self;
	AUTO_JSON json_t *used = NULL;
	remote_begin(&j->remote, call);
	size_t kinds[KEY_VIRTUAL + 1] = {0};
	int r = jfrog_keys(j, err);
	for (size_t i = 0; i < j->key_count; i++)
		kinds[j->keys[i].kind]++;
	if (!r)
		r = remote_give_fact(sink, "spaces", json_integer((json_int_t)j->key_count), err);
	if (!r)
		r = remote_give_fact(sink, "kinds",
				     json_pack("{s:I, s:I, s:I}", "local",
					       (json_int_t)kinds[KEY_LOCAL], "proxy",
					       (json_int_t)kinds[KEY_REMOTE], "virtual",
					       (json_int_t)kinds[KEY_VIRTUAL]),
				     err);
	if (!r)
		r = storage(j, &used, err);
	if (!r && json_object_get(used, "TOTAL"))
		r = remote_give_fact(sink, "bytes", json_integer(js_int(used, "TOTAL", 0)), err);
	return r;
}

static int give_key(const struct key *k, const json_t *used, const json_t *configs,
		    struct berth_sink *sink, struct berth_error *err)
{
	static const char *const modes[] = {"local", "proxy", "virtual"};
	AUTO_JSON json_t *more = json_object();
	const json_t *config = json_object_get(configs, k->name);
	int64_t bytes = js_int(used, k->name, 0);
	const char *to = js_str(config, "deploys_to", NULL);
	js_put_str(more, "mode", modes[k->kind]);
	js_put_str(more, "description", k->description);
	js_put_str(more, "layout", js_str(config, "layout", NULL));
	js_put_str(more, "deploys_to", to);
	if (k->kind != KEY_VIRTUAL || config) /* else: not known */
		json_object_set_new(more, "push",
				    json_boolean(k->kind == KEY_LOCAL || (to && *to)));
	if (used)
		json_object_set_new(more, "used_bytes", json_integer(bytes));
	return remote_give(sink,
			   &(struct give){.kind = BERTH_ITEM_SPACE,
					  .name = k->name,
					  .bytes = bytes > 0 ? (uint64_t)bytes : 0,
					  .more = more},
			   err);
}

int jfrog_spaces(void *self, const struct berth_call *call, struct berth_sink *sink,
		 struct berth_error *err)
{
	struct jfrog *j = self;
	AUTO_JSON json_t *used = NULL;
	const json_t *configs = NULL;
	remote_begin(&j->remote, call);
	int r = jfrog_keys(j, err);
	if (!r)
		r = storage(j, &used, err);
	if (!r)
		r = jfrog_configs(j, &configs, err);
	for (size_t i = 0; !r && i < j->key_count; i++)
		r = give_key(j->keys + i, used, configs, sink, err);
	return r;
}
