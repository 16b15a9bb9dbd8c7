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

/* What the flags give to each address: read once, since it may come from standard input. */
struct credentials {
	const char *kind, *username;
	char *password, *ca;
};

static void credentials_done(struct credentials *g)
{
	if (g->password)
		explicit_bzero(g->password, strlen(g->password));
	free(g->password);
	free(g->ca);
}

static int read_credentials(struct cli *c, struct credentials *g, struct berth_error *err)
{
	const char *password = cli_flag(c, "to-password-file", NULL);
	const char *ca = cli_flag(c, "to-ca", NULL);

	g->kind = cli_flag(c, "to-kind", "dockerreg");
	g->username = cli_flag(c, "to-username", NULL);
	if (password && secret_read(c, password, &g->password, err))
		return err->code;
	return ca ? file_text(c, ca, &g->ca, err) : 0;
}

static json_t *make_body(const struct credentials *g, const char *name, const char *address)
{
	AUTO_JSON json_t *tls = g->ca ? json_pack("{s:s}", "ca", g->ca) : NULL;

	return json_pack("{s:s, s:s, s:s%, s:s*, s:s*, s:O*}", "name", name, "kind", g->kind,
			 "address", address, (size_t)(path_in(address) - address), "username",
			 g->username, "password", g->password, "tls", tls);
}

/* berthd tries address, TLS, user and password before it keeps the integration. */
static int make_one(struct cli *c, const struct credentials *g, const char *name,
		    const char *address)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = make_body(g, name, address), *operation = NULL;
	struct api_call call = {.method = "POST", .path = "/v1/integrations", .body = body};

	if (!body)
		return cli_no_memory(c);
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
static int replace(struct cli *c, const struct credentials *g, const char *rule, json_t *targets,
		   size_t i, json_t *made)
{
	const char *address = json_string_value(json_array_get(targets, i));
	const char *path = path_in(address);
	AUTO_FREE char *name =
		i ? text_printf("%s-target-%zu", rule, i + 1) : text_printf("%s-target", rule);
	AUTO_FREE char *place =
		name ? text_printf("%s%s", name, strcmp(path, "/") ? path : "") : NULL;

	if (!place)
		return cli_no_memory(c);
	int status = make_one(c, g, name, address);
	if (status != EXIT_OK)
		return status;
	if (json_array_append_new(made, json_string(name)) ||
	    json_array_set_new(targets, i, json_string(place)))
		return cli_no_memory(c);
	cli_note(c, "integration %s added", name);
	return -1;
}

static int refuse_dry(struct cli *c, const char *address)
{
	int status = cli_usage(c, "a dry run makes no integration of %s", address);

	cli_hint(c, "berthctl integration create NAME --address %s --dry-run", address);
	return status;
}

int own_addresses_make(struct cli *c, const char *name, json_t *targets, json_t **ret_made)
{
	struct credentials g CLEANUP(credentials_done) = {.kind = NULL};
	struct berth_error err = ERROR_INIT;
	json_t *made AUTO_JSON = json_array();
	const json_t *one;
	int status = made ? -1 : cli_no_memory(c);
	size_t i;

	json_array_foreach (targets, i, one) {
		const char *address = json_string_value(one);
		if (status >= 0 || !is_address(address))
			continue;
		if (cli_has(c, "dry-run"))
			status = refuse_dry(c, address);
		else if (!g.kind && read_credentials(c, &g, &err))
			status = cli_report(c, &err);
		else
			status = replace(c, &g, name, targets, i, made);
	}
	if (status >= 0)
		own_addresses_remove(c, made);
	else
		*ret_made = STEAL(made);
	return status;
}
