/* SPDX-License-Identifier: Apache-2.0 */
/* imagePullSecrets of a namespace's default service account: with the secret in
 * it, pods need not name that themselves. The list is one field to every kind of
 * patch, so it is read, changed and written with the version that was read, and
 * read anew where somebody was quicker. Runs in a job.
 */
#include "pull.h"

#include <string.h>

#include "core/base/text.h"

#define TRIES 5

static int read_account(struct kube *k, const struct pull *p, json_t **ret, struct berth_error *err)
{
	int r = kube_getf(k, ret, err, "/api/v1/namespaces/%s/serviceaccounts/default",
			  p->namespace);
	if (r == BERTH_E_NOT_FOUND) {
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	return r ? berth_wrap(err, "cannot read service account %s/default", p->namespace) : 0;
}

static bool is_entry(const json_t *entry, const struct pull *p)
{
	return !strcmp(js_str(entry, "name", ""), p->name);
}

static bool has_entry(const json_t *account, const struct pull *p)
{
	const json_t *one;
	size_t i;
	json_array_foreach (json_object_get(account, "imagePullSecrets"), i, one)
		if (is_entry(one, p))
			return true;
	return false;
}

int account_has(struct kube *k, const struct pull *p, bool *ret, struct berth_error *err)
{
	AUTO_JSON json_t *account = NULL;
	int r = read_account(k, p, &account, err);
	*ret = !r && has_entry(account, p);
	return r;
}

/* All entries but ours as they are, then ours. */
static json_t *new_list(const json_t *account, const struct pull *p, bool is_in)
{
	json_t *list = json_array(), *one;
	size_t i;
	int r = list ? 0 : -1;
	json_array_foreach (json_object_get(account, "imagePullSecrets"), i, one) {
		if (!r && !is_entry(one, p))
			r = json_array_append(list, one);
	}
	if (!r && is_in)
		r = json_array_append_new(list, json_pack("{s:s}", "name", p->name));
	if (!r)
		return list;
	json_decref(list);
	return NULL;
}

static int write_account(struct kube *k, const struct pull *p, const json_t *account, bool is_in,
			 bool is_dry, struct berth_error *err)
{
	AUTO_JSON json_t *answer = NULL, *list = new_list(account, p, is_in);
	AUTO_JSON json_t *body =
		list ? json_pack("{s:{s:s, s:s}, s:O}", "metadata", "uid",
				 kube_meta(account, "uid"), "resourceVersion",
				 kube_meta(account, "resourceVersion"), "imagePullSecrets", list)
		     : NULL;
	AUTO_FREE char *path =
		text_printf("/api/v1/namespaces/%s/serviceaccounts/default?fieldManager=berth%s",
			    p->namespace, is_dry ? "&dryRun=All" : "");
	struct kube_ask ask = {.method = "PATCH",
			       .path = path,
			       .body = body,
			       .type = "application/merge-patch+json"};
	if (!body || !path)
		return berth_fail_memory(err);
	int r = kube_ask(k, &ask, &answer, err);
	return r ? berth_wrap(err, "cannot change service account %s/default", p->namespace) : 0;
}

/* A namespace has its account a moment after it was made. */
static int fail_absent(struct kube *k, const struct pull *p, struct berth_error *err)
{
	berth_fail(err, BERTH_E_UNAVAILABLE,
		   "namespace %s has no service account 'default' yet: its pods can't use the "
		   "secret by themselves",
		   p->namespace);
	err->retry_ms = net_client_limits(registry_net(k->remote.registry))->backoff_ms;
	return err->code;
}

int account_set(struct kube *k, const struct pull *p, bool is_in, bool is_dry, bool *ret,
		struct berth_error *err)
{
	int r = 0;
	*ret = false;
	for (int tries = 0; tries < TRIES; tries++) {
		AUTO_JSON json_t *account = NULL;
		r = read_account(k, p, &account, err);
		if (r)
			return r;
		if (!account)
			return is_in ? fail_absent(k, p, err) : 0;
		if (has_entry(account, p) == is_in)
			return 0;
		r = write_account(k, p, account, is_in, is_dry, err);
		*ret = !r;
		/* Gone with its namespace meanwhile: so is the entry. */
		if (r == BERTH_E_NOT_FOUND && !is_in) {
			*err = (struct berth_error)ERROR_INIT;
			return 0;
		}
		if (r != BERTH_E_CONFLICT || err->upstream != 409)
			return r;
	}
	err->retry_ms = net_client_limits(registry_net(k->remote.registry))->backoff_ms;
	return r;
}
