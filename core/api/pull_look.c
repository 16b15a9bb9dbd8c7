/* SPDX-License-Identifier: Apache-2.0 */
/* What a workspace may pull and which logins it has, out of the store, as the
 * planner takes it; and the secret's content that follows from the plan. See
 * pull.h.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "core/api/pull.h"
#include "core/base/clock.h"
#include "core/base/text.h"

#define FAILED_FIRST_MS 5000
#define FAILED_MAX_MS 600000

/* {"WORKSPACE/INTEGRATION": {"message", "pause_ms", "until_ms"}}: logins that could
 * not be made, until a daemon begins anew. One thread, no lock. */
static json_t *failures;

static void failure_key(const char *workspace_id, const char *integration_id, char *to, size_t room)
{
	snprintf(to, room, "%s/%s", workspace_id, integration_id);
}

void pull_login_failed(const char *workspace_id, const char *integration_id,
		       const struct berth_error *why)
{
	char key[96];

	if (!failures)
		failures = json_object();
	failure_key(workspace_id, integration_id, key, sizeof(key));
	int64_t pause_ms =
		js_int(json_object_get(failures, key), "pause_ms", FAILED_FIRST_MS / 2) * 2;
	if (pause_ms > FAILED_MAX_MS)
		pause_ms = FAILED_MAX_MS;
	json_int_t until_ms = clock_unix_ms() + pause_ms;
	json_object_set_new(failures, key,
			    json_pack("{s:s, s:I, s:I}", "message", why->message, "pause_ms",
				      (json_int_t)pause_ms, "until_ms", until_ms));
}

/* HOST[:PORT] of an address, as images are named. */
static void host_of(const char *address, char *to, size_t room)
{
	const char *host = strstr(address, "://");

	host = host ? host + 3 : address;
	snprintf(to, room, "%.*s", (int)strcspn(host, "/"), host);
}

struct gathering {
	json_t *spaces; /* integration's id -> names, in order */
	json_t *logins;
};

static int gather_space(void *user, const char *integration_id, const char *space)
{
	struct gathering *g = user;
	json_t *names = json_object_get(g->spaces, integration_id);

	if (!names) {
		names = json_array();
		if (json_object_set_new(g->spaces, integration_id, names))
			return BERTH_E_NO_MEMORY;
	}
	return json_array_append_new(names, json_string(space)) ? BERTH_E_NO_MEMORY : 0;
}

static int gather_login(void *user, const void *row, struct berth_error *err)
{
	const struct login *it = row;
	struct gathering *g = user;
	json_t *spaces AUTO_JSON = NULL;
	bool is_usable = strcmp(it->state, "active") != 0 || it->has_secret;

	if (!is_usable)
		return 0;
	if (api_parse(it->spaces, &spaces, err))
		return berth_wrap(err, "login %s", it->name);
	json_t *login = json_pack(
		"{s:s, s:s, s:s, s:s, s:O, s:I, s:I}", "id", it->id, "integration_id",
		it->integration_id, "state", it->state, "username", it->username, "spaces", spaces,
		"created_ms", (json_int_t)it->created_ms, "expires_ms", (json_int_t)it->expires_ms);
	return json_array_append_new(g->logins, login) ? berth_fail_memory(err) : 0;
}

/* Why no login can be made there now; "" in why->message: nothing stands against it.
 * Returns the reason. */
static const char *find_obstacle(struct daemon_state *d, const char *workspace_id,
				 const struct integration *row, const json_t *desired,
				 struct berth_error *why)
{
	char key[96];

	failure_key(workspace_id, row->id, key, sizeof(key));
	const json_t *failed = json_object_get(failures, key);
	if (!*js_str(desired, "username", "")) {
		(void)berth_fail(why, BERTH_E_UNSUPPORTED, "it asks for no login");
		return "Open";
	}
	if (!catalog_has(catalog_find(d, row->kind), "integration", "login_create")) {
		(void)berth_fail(why, BERTH_E_UNSUPPORTED,
				 "a %s makes no logins of its own, and Berth's own password is not "
				 "handed out: give the namespace a pull secret of yours by another "
				 "name",
				 row->kind);
		return "NoLogins";
	}
	if (integration_check_usable(row, true, why))
		return "NotUsable";
	if (js_int(failed, "until_ms", 0) <= clock_unix_ms())
		return NULL;
	pull_wake_by(js_int(failed, "until_ms", 0));
	(void)berth_fail(why, BERTH_E_CONFLICT, "%s", js_str(failed, "message", ""));
	return "LoginFailed";
}

static int add_want(struct daemon_state *d, const char *workspace_id, const char *integration_id,
		    json_t *spaces, json_t *wants, struct berth_error *err)
{
	struct integration row AUTO_INTEGRATION = {.id = NULL};
	json_t *desired AUTO_JSON = NULL;
	struct berth_error why = ERROR_INIT;
	char host[300];

	if (integration_get_by_id(d->store, integration_id, &row, err) ||
	    api_parse(row.desired, &desired, err))
		return err->code;
	host_of(js_str(desired, "address", ""), host, sizeof(host));
	const char *reason = find_obstacle(d, workspace_id, &row, desired, &why);
	json_t *want = json_pack("{s:s, s:s, s:s, s:O}", "id", row.id, "name", row.name, "host",
				 host, "spaces", spaces);
	if (reason &&
	    json_object_set_new(want, "obstacle",
				json_pack("{s:s, s:s}", "reason", reason, "message", why.message)))
		return berth_fail_memory(err);
	return json_array_append_new(wants, want) ? berth_fail_memory(err) : 0;
}

int pull_look(struct daemon_state *d, const char *workspace_id, const char *name, bool is_used,
	      json_t **ret_plan, struct berth_error *err)
{
	const struct store_value v = V_TEXT(workspace_id);
	json_t *spaces AUTO_JSON = json_object(), *logins AUTO_JSON = json_array();
	json_t *wants AUTO_JSON = json_array(), *names;
	struct gathering g = {.spaces = spaces, .logins = logins};
	const char *integration_id;

	if (!spaces || !logins || !wants)
		return berth_fail_memory(err);
	if (api_each(d->store, &logins_table, PAGE_OF("l.workspace_id = ?", &v, 1), gather_login,
		     &g, err))
		return err->code;
	if (name && is_used && namespaces_spaces(d->store, workspace_id, gather_space, &g, err))
		return err->code;
	json_object_foreach (spaces, integration_id, names)
		if (add_want(d, workspace_id, integration_id, names, wants, err))
			return err->code;
	*ret_plan = pull_plan(wants, logins, clock_unix_ms());
	return *ret_plan ? 0 : berth_fail_memory(err);
}

/* One entry: both the plain and the coded form, since readers differ in which they
 * take. */
static json_t *entry_of(const char *username, const char *password)
{
	char *pair AUTO_SECRET = text_printf("%s:%s", username, password);
	size_t n = pair ? strlen(pair) : 0;
	char *coded AUTO_SECRET = malloc(4 * ((n + 2) / 3) + 1);

	if (!pair || !coded)
		return NULL;
	EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)pair, (int)n);
	return json_pack("{s:s, s:s, s:s}", "username", username, "password", password, "auth",
			 coded);
}

int pull_content(struct daemon_state *d, const json_t *plan, char **ret, struct berth_error *err)
{
	json_t *config AUTO_JSON = json_pack("{s:{}}", "auths");
	json_t *auths = json_object_get(config, "auths");
	const json_t *one;
	size_t i;

	if (!config)
		return berth_fail_memory(err);
	json_array_foreach (json_object_get(plan, "integrations"), i, one) {
		char *password AUTO_SECRET = NULL;
		char field[64];
		const char *login = js_str(one, "login", NULL);
		if (!login)
			continue;
		login_secret_field(login, field);
		if (secret_load(d->store, d->sealer, js_str(one, "integration_id", ""), field,
				&password, err))
			return berth_wrap(err, "cannot read a login of integration %s",
					  js_str(one, "integration", ""));
		if (json_object_set_new(
			    auths, js_str(one, "host", ""),
			    entry_of(js_str(one, "username", ""), password ? password : "")))
			return berth_fail_memory(err);
	}
	*ret = js_text(config);
	return *ret ? 0 : berth_fail_memory(err);
}
