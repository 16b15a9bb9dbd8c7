/* SPDX-License-Identifier: Apache-2.0 */
/* Targets that are addresses: see own_address.h. */
#include "client/own_address.h"

#include <string.h>

#include "client/cmd.h"
#include "client/follow.h"
#include "client/secret.h"
#include "core/base/text.h"

static bool is_address(const char *text)
{
	return !strncmp(text, "http://", 7) || !strncmp(text, "https://", 8);
}

/* Where the path of an address begins, or its end. */
static const char *path_in(const char *address)
{
	const char *host = strstr(address, "://") + 3;

	return host + strcspn(host, "/");
}

static int put_secret(struct cli *c, json_t *body, struct berth_error *err)
{
	const char *from = cli_flag(c, "to-password-file", NULL);
	char *password = NULL;

	if (!from)
		return 0;
	if (secret_read(c, from, &password, err))
		return err->code;
	int bad = json_object_set_new(body, "password", json_string(password));
	explicit_bzero(password, strlen(password));
	free(password);
	return bad ? berth_fail_memory(err) : 0;
}

static int put_authority(struct cli *c, json_t *body, struct berth_error *err)
{
	const char *from = cli_flag(c, "to-ca", NULL);
	AUTO_FREE char *pem = NULL;

	if (!from)
		return 0;
	if (file_text(c, from, &pem, err))
		return err->code;
	return json_object_set_new(body, "tls", json_pack("{s:s}", "ca", pem))
		       ? berth_fail_memory(err)
		       : 0;
}

static int make_body(struct cli *c, const char *name, const char *address, json_t **ret,
		     struct berth_error *err)
{
	const char *user = cli_flag(c, "to-username", NULL);
	json_t *body = json_pack("{s:s, s:s, s:s%, s:s*}", "name", name, "kind",
				 cli_flag(c, "to-kind", "dockerreg"), "address", address,
				 (size_t)(path_in(address) - address), "username", user);

	*ret = body;
	if (!body)
		return berth_fail_memory(err);
	return put_secret(c, body, err) ? err->code : put_authority(c, body, err);
}

/* berthd tries address, TLS, user and password before it keeps the integration. */
static int make_one(struct cli *c, const char *name, const char *address)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = NULL, *operation = NULL;

	if (make_body(c, name, address, &body, &err))
		return cli_report(c, &err);
	struct api_call call = {.method = "POST", .path = "/v1/integrations", .body = body};
	if (api_send(c, &call, &operation, &err))
		return cli_report(c, &err);
	return follow_quietly(c, &operation);
}

/* Its first index is being made, and is waited for: what has work is not deleted. */
static bool remove_one(struct cli *c, const char *name)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *operation = NULL, *body = NULL;
	AUTO_FREE char *path = text_printf("/v1/integrations/%s", name);
	AUTO_FREE char *refresh = text_printf("/v1/integrations/%s/refresh", name);
	struct api_call index = {.method = "POST", .path = refresh};
	struct api_call call = {.method = "DELETE", .path = path, .if_match = "*"};

	if (!path || !refresh)
		return false;
	if (!api_send(c, &index, &operation, &err) && follow_quietly(c, &operation) != EXIT_OK)
		return false;
	err = (struct berth_error)ERROR_INIT;
	return !api_send(c, &call, &body, &err);
}

void own_addresses_remove(struct cli *c, const json_t *made)
{
	const json_t *one;
	size_t i;

	json_array_foreach (made, i, one) {
		const char *name = json_string_value(one);
		if (!remove_one(c, name))
			cli_note(c, "integration %s stays: berthctl integration delete %s", name,
				 name);
	}
}

/* The i-th target, an address, made an integration; -1: go on. */
static int replace(struct cli *c, const char *rule, json_t *targets, size_t i, json_t *made)
{
	const char *address = json_string_value(json_array_get(targets, i));
	const char *path = path_in(address);
	AUTO_FREE char *name =
		i ? text_printf("%s-target-%zu", rule, i + 1) : text_printf("%s-target", rule);
	AUTO_FREE char *place =
		name ? text_printf("%s%s", name, strcmp(path, "/") ? path : "") : NULL;

	if (!place)
		return cli_no_memory(c);
	int status = make_one(c, name, address);
	if (status != EXIT_OK)
		return status;
	if (json_array_append_new(made, json_string(name)) ||
	    json_array_set_new(targets, i, json_string(place)))
		return cli_no_memory(c);
	cli_note(c, "integration %s added", name);
	return -1;
}

int own_addresses_make(struct cli *c, const char *name, json_t *targets, json_t **ret_made)
{
	json_t *made AUTO_JSON = json_array();
	const json_t *one;
	int status = made ? -1 : cli_no_memory(c);
	size_t i;

	json_array_foreach (targets, i, one) {
		if (status >= 0 || !is_address(json_string_value(one)))
			continue;
		if (cli_has(c, "dry-run")) {
			status = cli_usage(c, "a dry run makes no integration of %s",
					   json_string_value(one));
			cli_hint(c, "berthctl integration create NAME --address %s --dry-run",
				 json_string_value(one));
		} else {
			status = replace(c, name, targets, i, made);
		}
	}
	if (status >= 0)
		own_addresses_remove(c, made);
	else
		*ret_made = STEAL(made);
	return status;
}
