/* SPDX-License-Identifier: Apache-2.0 */
/* What a user says of a cluster: a kubeconfig taken apart, secrets told apart,
 * defaults filled in, and everything that is wrong found at once. Pure but for
 * memory.
 */
#include <string.h>

#include "core/api/cluster.h"
#include "core/api/integration.h"
#include "core/api/kubeconfig.h"
#include "core/base/text.h"
#include "core/http/patch.h"
#include "core/net/pem.h"
#include "core/net/url.h"

/* What a kubeconfig says instead of the body. */
static const char *const told[] = {"address", "token", "proxy", "tls"};

/* The members of a kubeconfig become those of the body; what it does not
 * mention goes, because it belonged to another one. */
static int take_kubeconfig(json_t *body, struct findings *f, struct berth_error *err)
{
	struct berth_error why = ERROR_INIT;
	json_t *found AUTO_JSON = NULL;
	const char *text = js_str(body, "kubeconfig", NULL);

	if (!text) {
		if (json_object_get(body, "context"))
			findings_add(f, "/context", "no-kubeconfig",
				     "a context is one of a kubeconfig, and none is given");
		json_object_del(body, "context");
		return 0;
	}
	for (size_t i = 0; i < ARRAY_COUNT(told); i++)
		if (json_object_get(body, told[i]))
			findings_add(f, "/kubeconfig", "given-twice",
				     "%s is given too: leave one of the two out", told[i]);
	if (kubeconfig_read(text, js_str(body, "context", NULL), &found, &why)) {
		findings_add_error(f, "/kubeconfig", "bad-kubeconfig", &why);
	}
	json_object_del(body, "kubeconfig");
	json_object_del(body, "context");
	for (size_t i = 0; i < ARRAY_COUNT(told); i++) {
		json_t *value = json_object_get(found, told[i]);
		if (json_object_set(body, told[i], value ? value : json_null()))
			return berth_fail_memory(err);
	}
	return 0;
}

static int take_secrets(json_t *body, bool is_whole, json_t *secrets, struct berth_error *err)
{
	json_t *tls = json_object_get(body, "tls");

	/* A kubeconfig without a client certificate takes the one before away. */
	if ((json_is_null(tls) || (is_whole && !json_object_get(tls, "client_key"))) &&
	    json_object_set_new(secrets, "tls_client_key", json_null()))
		return berth_fail_memory(err);
	if (vault_take(body, "token", secrets, "option_token", err))
		return err->code;
	return json_is_object(tls) ? vault_take(tls, "client_key", secrets, "tls_client_key", err)
				   : 0;
}

static int fill_in(const struct daemon_state *d, json_t *desired, struct berth_error *err)
{
	json_t *defaults AUTO_JSON =
		json_pack("{s:s, s:{s:b}, s:i}", "description", "", "tls", "verify", 1,
			  "probe_period_s", (int)d->settings.probe_period_s);

	json_object_del(desired, "name");
	if (!defaults || json_object_update_missing(desired, defaults))
		return berth_fail_memory(err);
	json_t *tls = json_object_get(desired, "tls");
	if (!json_object_get(tls, "verify") && json_object_set_new(tls, "verify", json_true()))
		return berth_fail_memory(err);
	return 0;
}

int cluster_body(const struct daemon_state *d, const json_t *body, const json_t *before,
		 struct findings *f, json_t **ret_desired, json_t **ret_secrets,
		 struct berth_error *err)
{
	json_t *rest AUTO_JSON = json_deep_copy(body);
	json_t *base AUTO_JSON = before ? json_deep_copy(before) : json_object();
	json_t *secrets AUTO_JSON = json_object();
	bool is_whole = json_object_get(body, "kubeconfig") != NULL;

	if (!rest || !secrets || !base)
		return berth_fail_memory(err);
	if (take_kubeconfig(rest, f, err) || take_secrets(rest, is_whole, secrets, err))
		return err->code;
	if (is_whole) /* merging would leave the certificates of the one before */
		json_object_del(base, "tls");
	json_t *desired AUTO_JSON = json_merge_patch(base, rest);
	if (!desired)
		return berth_fail_memory(err);
	if (fill_in(d, desired, err))
		return err->code;
	*ret_desired = STEAL(desired);
	*ret_secrets = STEAL(secrets);
	return 0;
}

static void check_url(json_t *desired, const char *key, const char *pointer, bool needs_https,
		      struct findings *f)
{
	struct berth_error err = ERROR_INIT;
	char *address AUTO_FREE = NULL;

	if (url_normalize(js_str(desired, key, ""), &address, &err))
		findings_add_error(f, pointer, "address-invalid", &err);
	else if (needs_https && strncmp(address, "https://", 8) != 0)
		findings_add(f, pointer, "address-invalid",
			     "expected https: a credential would travel in the clear");
	else
		json_object_set_new(desired, key, json_string(address));
}

static void check_pem(const json_t *tls, const json_t *secrets, struct findings *f)
{
	const char *ca = js_str(tls, "ca", NULL), *cert = js_str(tls, "client_cert", NULL);
	const char *key = js_str(secrets, "tls_client_key", NULL);
	struct berth_error err = ERROR_INIT;

	if (ca && pem_check_ca(ca, &err))
		findings_add_error(f, "/tls/ca", "not-pem", &err);
	err = (struct berth_error)ERROR_INIT;
	if (cert && key && pem_check_pair(cert, key, &err))
		findings_add_error(f, "/tls/client_cert", "not-pem", &err);
}

void cluster_check(json_t *desired, const struct cluster_secrets *will_have, const json_t *secrets,
		   struct findings *f)
{
	const json_t *tls = json_object_get(desired, "tls");
	bool has_cert = js_str(tls, "client_cert", NULL) != NULL;

	if (f->count) /* of the kubeconfig: what follows from it is no news */
		return;
	if (!js_str(desired, "address", NULL))
		findings_add(f, "/address", "missing",
			     "expected the API server's address, or a kubeconfig");
	else
		check_url(desired, "address", "/address", true, f);
	if (json_object_get(desired, "proxy"))
		check_url(desired, "proxy", "/proxy", false, f);
	check_pem(tls, secrets, f);
	if (has_cert && !will_have->has_client_key)
		findings_add(f, "/tls/client_key", "missing", "a client certificate needs its key");
	if (!has_cert && will_have->has_client_key)
		findings_add(f, "/tls/client_cert", "missing",
			     "a client key needs its certificate");
	if (has_cert && will_have->has_token)
		findings_add(f, "/token", "given-twice",
			     "with a client certificate the API server never looks at a token: "
			     "leave one of the two out");
	if (!has_cert && !will_have->has_token)
		findings_add(f, "/token", "missing",
			     "expected a token, a client certificate, or a kubeconfig");
}
