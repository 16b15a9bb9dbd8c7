/* SPDX-License-Identifier: Apache-2.0 */
/* From an instance's options to a registry client: see remote.h. */
#include "plugins/common/remote.h"

#include <string.h>

#include "core/base/clock.h"
#include "core/base/js.h"
#include "core/base/text.h"

const char *remote_option(const struct remote *r, const char *key)
{
	const char *value = r->host->option(r->config, key);
	return value && *value ? value : NULL;
}

static int allow(void *user, const void *sockaddr, uint32_t byte_count)
{
	const struct remote *r = user;
	return r->host->allow_address(r->config, sockaddr, byte_count);
}

int remote_stopped(const struct remote *r)
{
	const struct berth_call *call = r->call;
	if (!call)
		return 0;
	if (call->deadline_ms && clock_monotonic_ms() >= call->deadline_ms)
		return BERTH_E_TIMEOUT;
	return r->host->cancelled && r->host->cancelled(call) ? BERTH_E_CANCELLED : 0;
}

static int cancelled(void *user)
{
	return remote_stopped(user);
}

/* The configured limits come as options with the prefix net_. */
static void read_limits(const struct remote *r, struct net_limits *l)
{
	const struct {
		const char *key;
		uint32_t *to;
	} known[] = {
		{"net_connect_ms", &l->connect_ms},
		{"net_answer_ms", &l->answer_ms},
		{"net_low_speed_s", &l->low_speed_s},
		{"net_low_speed_bytes", &l->low_speed_bytes},
		{"net_retry_after_max_ms", &l->retry_after_max_ms},
		{"net_tries", &l->tries},
		{"net_backoff_ms", &l->backoff_ms},
		{"net_header_max_bytes", &l->header_max_bytes},
		{"net_pages_max", &l->pages_max},
		{"net_items_max", &l->items_max},
		{"net_commit_ms", &l->commit_ms},
	};
	for (size_t i = 0; i < ARRAY_COUNT(known); i++) {
		uint64_t value;
		const char *text = remote_option(r, known[i].key);
		if (text && text_parse_u64(text, 1, UINT32_MAX, &value))
			*known[i].to = (uint32_t)value;
	}
}

static int read_bool(const struct remote *r, const char *key, bool *ret, struct berth_error *err)
{
	const char *text = remote_option(r, key);
	*ret = !text || !strcmp(text, "true");
	if (*ret || !strcmp(text, "false"))
		return 0;
	return berth_fail(err, BERTH_E_INVALID, "option %s is '%.40s', want true or false", key,
			  text);
}

int remote_registry(struct remote *r, const char *base_url, bool basic_first, struct registry **ret,
		    struct berth_error *err)
{
	struct registry_settings s = {
		.base_url = base_url,
		.username = remote_option(r, "username"),
		.password = r->password ? r->password : remote_option(r, "password"),
		.bearer = remote_option(r, "token"), /* goes to /v2/, see REMOTE_OPTIONS */
		.tls_ca = remote_option(r, "tls_ca"),
		.tls_client_cert = remote_option(r, "tls_client_cert"),
		.tls_client_key = remote_option(r, "tls_client_key"),
		.basic_first = basic_first,
		.auth_realms = remote_option(r, "auth_realms"),
		.upload_hosts = remote_option(r, "upload_hosts"),
		.proxy = remote_option(r, "proxy"),
		.allow_address = r->host->allow_address ? allow : NULL,
		.allow_user = r,
		.cancelled = cancelled,
		.cancelled_user = r,
	};
	int rc = read_bool(r, "tls_verify", &s.tls_verify, err);
	read_limits(r, &s.limits);
	return rc ? rc : registry_open(r->loop, &s, ret, err);
}

int remote_open(struct remote *r, const struct berth_host *host, const void *config,
		struct berth_error *err)
{
	*r = (struct remote){.host = host, .config = config};
	const char *address = remote_option(r, "address");
	if (!address)
		return berth_fail(err, BERTH_E_INVALID, "option address is missing");
	int rc = net_loop_new(&r->loop, err);
	if (!rc)
		rc = remote_registry(r, address, false, &r->registry, err);
	if (rc)
		remote_close(r);
	return rc;
}

void remote_close(struct remote *r)
{
	registry_close(r->registry);
	net_loop_free(r->loop);
	r->registry = NULL;
	r->loop = NULL;
}

void remote_begin(struct remote *r, const struct berth_call *call)
{
	r->call = call;
}

int remote_give(struct berth_sink *sink, const struct give *g, struct berth_error *err)
{
	AUTO_FREE char *more = g->more ? js_text(g->more) : NULL;
	if (g->more && !more)
		return berth_fail_memory(err);
	struct berth_item item = {
		.size = sizeof item,
		.kind = g->kind,
		.id = g->id,
		.name = g->name,
		.digest = g->digest,
		.bytes = g->bytes,
		.updated_ms = g->updated_ms,
		.more_json = more,
	};
	if (sink->put(sink, &item))
		return berth_fail(err, BERTH_E_CANCELLED, "the caller has enough");
	return 0;
}

int remote_give_fact(struct berth_sink *sink, const char *name, json_t *take_value,
		     struct berth_error *err)
{
	AUTO_JSON json_t *more = json_object();
	json_object_set_new(more, "value", take_value);
	struct give g = {.kind = BERTH_ITEM_FACT, .name = name, .more = more};
	return remote_give(sink, &g, err);
}
