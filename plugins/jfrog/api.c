/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to Artifactory's REST API, the list of Docker repository keys, and
 * where a key's registry is.
 */
#include "jfrog.h"

#include <string.h>

#include "core/base/text.h"

void answer_done(struct answer *a)
{
	json_decref(a->json);
	free(a->text);
	*a = (struct answer){0};
}

/* A token goes as Bearer, an API key in its own header, a password as Basic. */
static int add_credential(const struct jfrog *j, struct ask_lines *l, struct berth_error *err)
{
	AUTO_FREE char *value = NULL;
	if (j->token)
		value = text_printf("Bearer %s", j->token);
	else if (j->api_key)
		return ask_lines_add(l, "X-JFrog-Art-Api", j->api_key, err);
	else if (j->username)
		value = ask_basic(j->username, j->password);
	else
		return 0;
	if (!value)
		return berth_fail_memory(err);
	int r = ask_lines_add(l, "Authorization", value, err);
	explicit_bzero(value, strlen(value));
	return r;
}

static int send_question(struct jfrog *j, const struct question *q, struct net_exchange **ret,
			 struct berth_error *err)
{
	AUTO_ASK_LINES struct ask_lines l = {0};
	AUTO_FREE char *url = text_printf("%s%s", j->art, q->path);
	const char *type = q->body ? (q->type ? q->type : "application/json") : NULL;
	if (!url)
		return berth_fail_memory(err);
	int r = ask_lines_init(&l, err);
	if (!r)
		r = ask_lines_add(&l, "Accept", q->is_text ? "text/plain, */*" : "application/json",
				  err);
	if (!r)
		r = ask_lines_add(&l, "Content-Type", type, err);
	if (!r)
		r = ask_lines_add(&l, "X-Request-Id", j->remote.call ? j->remote.call->id : NULL,
				  err);
	if (!r)
		r = add_credential(j, &l, err);
	return r ? r
		 : ask_exchange(&j->remote, q->method ? q->method : "GET", url, &l, q->body, ret,
				err);
}

struct asking {
	struct jfrog *j;
	const struct question *q;
	struct answer *ret;
};

static int ask_jfrog(void *user, struct berth_error *err)
{
	const struct asking *a = user;
	const struct question *q = a->q;
	AUTO(net_exchange) struct net_exchange *x = NULL;
	const char *method = q->method ? q->method : "GET";
	answer_done(a->ret);
	int r = send_question(a->j, q, &x, err);
	if (r)
		return r;
	a->ret->status = net_exchange_status(x);
	if (a->ret->status < 200 || a->ret->status > 299)
		return ask_fail(&a->j->remote, method, q->path, x, err);
	return q->is_text ? ask_text(method, q->path, x, &a->ret->text, err)
			  : ask_json(method, q->path, x, &a->ret->json, err);
}

int jfrog_ask(struct jfrog *j, const struct question *q, struct answer *ret,
	      struct berth_error *err)
{
	struct asking a = {.j = j, .q = q, .ret = ret};
	bool is_read = q->is_read || !q->method || !strcmp(q->method, "GET");
	*ret = (struct answer){0};
	return ask_again(&j->remote, is_read, ask_jfrog, &a, err);
}

static enum key_kind kind_of(const char *type)
{
	if (!strcmp(type, "REMOTE"))
		return KEY_REMOTE;
	return !strcmp(type, "VIRTUAL") ? KEY_VIRTUAL : KEY_LOCAL; /* FEDERATED is local here */
}

int jfrog_keys(struct jfrog *j, struct berth_error *err)
{
	AUTO_ANSWER struct answer a = {0};
	size_t i;
	const json_t *one;
	if (j->has_keys)
		return 0;
	int r = jfrog_ask(j, &(struct question){.path = "/api/repositories?packageType=docker"}, &a,
			  err);
	if (!r && !json_is_array(a.json))
		r = berth_fail(err, BERTH_E_PROTOCOL, "GET /api/repositories: not a list");
	if (r)
		return berth_wrap(err, "cannot list Artifactory's Docker repositories");
	j->keys = calloc(json_array_size(a.json) + 1, sizeof *j->keys);
	if (!j->keys)
		return berth_fail_memory(err);
	json_array_foreach (a.json, i, one) {
		struct key *k = j->keys + j->key_count;
		k->name = strdup(js_str(one, "key", ""));
		k->description = strdup(js_str(one, "description", ""));
		k->kind = kind_of(js_str(one, "type", ""));
		j->key_count++;
		if (!k->name || !k->description)
			return berth_fail_memory(err);
	}
	j->has_keys = true;
	return 0;
}

int jfrog_key(struct jfrog *j, const char *name, const struct key **ret, struct berth_error *err)
{
	int r = jfrog_keys(j, err);
	if (r)
		return r;
	for (size_t i = 0; i < j->key_count; i++)
		if (j->keys[i].name && !strcmp(j->keys[i].name, name)) {
			*ret = j->keys + i;
			return 0;
		}
	return berth_fail(
		err, BERTH_E_NOT_FOUND,
		"Artifactory has no Docker repository key '%.100s', or none that we may see", name);
}

static int read_configs(struct jfrog *j, const json_t *kinds, struct berth_error *err)
{
	const char *kind;
	const json_t *list, *one;
	size_t i;
	j->configs = json_object();
	if (!j->configs)
		return berth_fail_memory(err);
	json_object_foreach ((json_t *)(uintptr_t)kinds, kind, list)
		json_array_foreach (list, i, one) {
			bool is_virtual = kind_of(kind) == KEY_VIRTUAL;
			json_t *config =
				json_pack("{s:s}", "layout", js_str(one, "repoLayoutRef", ""));
			if (is_virtual)
				js_put_str(config, "deploys_to",
					   js_str(one, "defaultDeploymentRepo", ""));
			if (json_object_set_new(j->configs, js_str(one, "key", ""), config))
				return berth_fail_memory(err);
		}
	return 0;
}

int jfrog_configs(struct jfrog *j, const json_t **ret, struct berth_error *err)
{
	AUTO_ANSWER struct answer a = {0};
	struct question q = {.path = "/api/repositories/configurations?packageType=docker"};
	int r = j->has_configs ? 0 : jfrog_ask(j, &q, &a, err);
	if (r && r != BERTH_E_DENIED && r != BERTH_E_AUTH && r != BERTH_E_NOT_FOUND)
		return r;
	if (!r && !j->has_configs)
		r = read_configs(j, a.json, err);
	else if (r)
		r = 0;
	j->has_configs = true;
	*ret = j->configs;
	return r;
}

int jfrog_split(const char *repository, char **ret_key, char **ret_image, struct berth_error *err)
{
	const char *slash = strchr(repository, '/');
	if (!slash || slash == repository || !slash[1])
		return berth_fail(err, BERTH_E_INVALID,
				  "'%.200s' is not a repository of Artifactory (KEY/IMAGE)",
				  repository);
	AUTO_FREE char *key = strndup(repository, (size_t)(slash - repository));
	AUTO_FREE char *image = strdup(slash + 1);
	if (!key || !image)
		return berth_fail_memory(err);
	*ret_key = STEAL(key);
	*ret_image = STEAL(image);
	return 0;
}

/* The option docker_hosts says which keys have a host or port of their own:
 * "KEY=https://key.example.com,OTHER=https://example.com:5001". */
static char *own_host(const struct jfrog *j, const char *key)
{
	const char *at = remote_option(&j->remote, "docker_hosts");
	size_t n = strlen(key);
	while (at && *at) {
		at += strspn(at, ", ");
		size_t entry = strcspn(at, ",");
		if (entry > n + 1 && !strncmp(at, key, n) && at[n] == '=')
			return strndup(at + n + 1, entry - n - 1);
		at += entry;
	}
	return NULL;
}

char *jfrog_registry_url(const struct jfrog *j, const char *key)
{
	char *own = own_host(j, key);
	return own ? own : text_printf("%s/api/docker/%s", j->art, key);
}
