/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a kubeconfig: see kubeconfig.h. Fields are those of the client's
 * Config v1 as kubectl 1.34 knows them.
 */
#include "core/api/kubeconfig.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/js.h"
#include "core/base/text.h"
#include "core/base/yaml_in.h"

/* How many names a message lists. */
#define NAMES_SHOWN 10
#define INLINE_HINT "kubectl config view --raw --flatten writes everything into the text"

/* A member that can't be taken, and why. */
struct refusal {
	const char *key, *why;
};
static const struct refusal cluster_refusals[] = {
	{"certificate-authority", "names a file, which berthd does not open; put its content into "
				  "certificate-authority-data: " INLINE_HINT},
	{"tls-server-name", "is not supported: the certificate must name the server's address"},
};
static const struct refusal user_refusals[] = {
	{"exec", "would have berthd run a program; give a token of a service account, or a "
		 "client certificate"},
	{"auth-provider", "was removed from Kubernetes in 1.26; give a token or a client "
			  "certificate"},
	{"tokenFile", "names a file, which berthd does not open; put the token itself into token"},
	{"client-certificate", "names a file, which berthd does not open; put its content into "
			       "client-certificate-data: " INLINE_HINT},
	{"client-key", "names a file, which berthd does not open; put its content into "
		       "client-key-data: " INLINE_HINT},
	{"username", "is basic authentication, which Kubernetes has not had since 1.19; give a "
		     "token or a client certificate"},
	{"password", "is basic authentication, which Kubernetes has not had since 1.19; give a "
		     "token or a client certificate"},
	{"as", "is impersonation, which is not supported; give the account's own credential"},
	{"as-uid", "is impersonation, which is not supported; give the account's own credential"},
	{"as-groups",
	 "is impersonation, which is not supported; give the account's own credential"},
	{"as-user-extra",
	 "is impersonation, which is not supported; give the account's own credential"},
};

static bool is_empty(const json_t *value)
{
	return !value || json_is_null(value) ||
	       (json_is_string(value) && !json_string_length(value));
}

static int refuse(const json_t *of, const char *what, const char *name, const struct refusal *rows,
		  size_t count, struct berth_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (!is_empty(json_object_get(of, rows[i].key)))
			return berth_fail(err, BERTH_E_INVALID, "%s '%.60s': %s %s", what, name,
					  rows[i].key, rows[i].why);
	return 0;
}

static bool list_names(const json_t *list, char *to, size_t room)
{
	size_t at = 0, i;
	const json_t *one;

	*to = '\0';
	json_array_foreach (list, i, one) {
		const char *name = js_str(one, "name", NULL);
		if (!name || i >= NAMES_SHOWN || at + strlen(name) + 3 > room)
			continue;
		at += (size_t)snprintf(to + at, room - at, "%s%.60s", at ? ", " : "", name);
	}
	return at > 0;
}

/* The named entry's own object: clusters[].cluster of the entry NAME. */
static int find(const json_t *config, const char *list_key, const char *key, const char *name,
		const json_t **ret, struct berth_error *err)
{
	const json_t *list = json_object_get(config, list_key), *one;
	char names[400];
	size_t i;

	json_array_foreach (list, i, one) {
		if (strcmp(js_str(one, "name", ""), name) != 0)
			continue;
		*ret = json_object_get(one, key);
		if (json_is_object(*ret))
			return 0;
		return berth_fail(err, BERTH_E_INVALID, "%s '%.60s' has no %s", list_key, name,
				  key);
	}
	if (!list_names(list, names, sizeof(names)))
		return berth_fail(err, BERTH_E_INVALID, "the kubeconfig has no %s", list_key);
	return berth_fail(err, BERTH_E_INVALID, "the kubeconfig has no %s '%.60s'; it has %s", key,
			  name, names);
}

/* The text of an inlined file: base64 of PEM. NULL in *ret where it is absent. */
static int inlined(const json_t *of, const char *key, json_t **ret, struct berth_error *err)
{
	const json_t *value = json_object_get(of, key);
	const char *text = json_string_value(value);
	size_t length = text ? strlen(text) : 0;

	*ret = NULL;
	if (is_empty(value))
		return 0;
	if (!text || length % 4)
		return berth_fail(err, BERTH_E_INVALID, "%s is not base64 text", key);
	AUTO_FREE unsigned char *bytes = malloc(length / 4 * 3 + 1);
	if (!bytes)
		return berth_fail_memory(err);
	int count = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
	if (count < 0)
		return berth_fail(err, BERTH_E_INVALID, "%s is not base64 text", key);
	for (size_t i = length; i > 0 && text[i - 1] == '='; i--)
		count--;
	bytes[count < 0 ? 0 : count] = '\0';
	if (count <= 0 || memchr(bytes, 0, (size_t)count) || !strstr((char *)bytes, "-----BEGIN "))
		return berth_fail(err, BERTH_E_INVALID, "%s is not PEM in base64", key);
	bool is_text = text_is_utf8((char *)bytes, (size_t)count);
	*ret = is_text ? json_string((char *)bytes) : NULL;
	explicit_bzero(bytes, length / 4 * 3);
	if (!is_text)
		return berth_fail(err, BERTH_E_INVALID, "%s is not UTF-8", key);
	return *ret ? 0 : berth_fail_memory(err);
}

static int put_inlined(json_t *tls, const char *field, const json_t *of, const char *key,
		       struct berth_error *err)
{
	json_t *text = NULL;

	if (inlined(of, key, &text, err))
		return err->code;
	if (text && json_object_set_new(tls, field, text))
		return berth_fail_memory(err);
	return 0;
}

static int put_text(json_t *to, const char *field, const json_t *of, const char *key,
		    struct berth_error *err)
{
	const json_t *value = json_object_get(of, key);

	if (is_empty(value))
		return 0;
	if (!json_is_string(value))
		return berth_fail(err, BERTH_E_INVALID, "%s is not a text: put it in quotes", key);
	return json_object_set(to, field, (json_t *)(uintptr_t)value) ? berth_fail_memory(err) : 0;
}

static int read_cluster(const json_t *cluster, const char *name, json_t *to, json_t *tls,
			struct berth_error *err)
{
	const json_t *skips = json_object_get(cluster, "insecure-skip-tls-verify");

	if (refuse(cluster, "cluster", name, cluster_refusals, ARRAY_COUNT(cluster_refusals), err))
		return err->code;
	if (skips && !json_is_boolean(skips))
		return berth_fail(err, BERTH_E_INVALID,
				  "cluster '%.60s': insecure-skip-tls-verify is not true or false",
				  name);
	if (is_empty(json_object_get(cluster, "server")))
		return berth_fail(err, BERTH_E_INVALID, "cluster '%.60s' has no server", name);
	if (put_text(to, "address", cluster, "server", err) ||
	    put_text(to, "proxy", cluster, "proxy-url", err) ||
	    put_inlined(tls, "ca", cluster, "certificate-authority-data", err))
		return err->code;
	return json_object_set_new(tls, "verify", json_boolean(!json_is_true(skips)))
		       ? berth_fail_memory(err)
		       : 0;
}

static int read_user(const json_t *user, const char *name, json_t *to, json_t *tls,
		     struct berth_error *err)
{
	if (refuse(user, "user", name, user_refusals, ARRAY_COUNT(user_refusals), err) ||
	    put_text(to, "token", user, "token", err) ||
	    put_inlined(tls, "client_cert", user, "client-certificate-data", err) ||
	    put_inlined(tls, "client_key", user, "client-key-data", err))
		return err->code;
	bool has_token = json_object_get(to, "token") != NULL;
	bool has_cert = json_object_get(tls, "client_cert") != NULL;
	if (has_token && has_cert)
		return berth_fail(err, BERTH_E_INVALID,
				  "user '%.60s' has a token and a client certificate: the API "
				  "server would never look at the token; leave one out",
				  name);
	if (!has_token && !has_cert)
		return berth_fail(err, BERTH_E_INVALID,
				  "user '%.60s' has neither a token nor client-certificate-data",
				  name);
	return 0;
}

static int read_context(const json_t *config, const char *context, json_t *to, json_t *tls,
			struct berth_error *err)
{
	const json_t *found = NULL, *cluster = NULL, *user = NULL;

	if (!context || !*context)
		context = js_str(config, "current-context", "");
	if (!*context)
		return berth_fail(
			err, BERTH_E_INVALID,
			"the kubeconfig has no current-context: name one of its contexts");
	if (find(config, "contexts", "context", context, &found, err))
		return err->code;
	const char *cluster_name = js_str(found, "cluster", ""), *name = js_str(found, "user", "");
	if (find(config, "clusters", "cluster", cluster_name, &cluster, err) ||
	    find(config, "users", "user", name, &user, err) ||
	    read_cluster(cluster, cluster_name, to, tls, err))
		return err->code;
	return read_user(user, name, to, tls, err);
}

static int check_head(const json_t *documents, const json_t **ret, struct berth_error *err)
{
	if (json_array_size(documents) != 1)
		return berth_fail(err, BERTH_E_INVALID,
				  "expected one kubeconfig, found %zu documents",
				  json_array_size(documents));
	*ret = json_array_get(documents, 0);
	if (!json_is_object(*ret) || strcmp(js_str(*ret, "kind", "Config"), "Config") != 0 ||
	    strcmp(js_str(*ret, "apiVersion", "v1"), "v1") != 0 ||
	    !json_is_array(json_object_get(*ret, "clusters")))
		return berth_fail(err, BERTH_E_INVALID,
				  "not a kubeconfig: expected apiVersion v1, kind Config, with "
				  "clusters, users and contexts");
	return 0;
}

int kubeconfig_read(const char *text, const char *context, json_t **ret, struct berth_error *err)
{
	AUTO_JSON json_t *documents = NULL, *to = json_object(), *tls = json_object();
	const json_t *config = NULL;

	if (!to || !tls)
		return berth_fail_memory(err);
	if (documents_parse(text, &documents, err))
		return berth_wrap(err, "the kubeconfig can't be read");
	if (check_head(documents, &config, err) || read_context(config, context, to, tls, err))
		return err->code;
	if (json_object_set(to, "tls", tls))
		return berth_fail_memory(err);
	*ret = STEAL(to);
	return 0;
}
