/* SPDX-License-Identifier: Apache-2.0 */
/* Is it a registry, who are we there, and what does it let us do. The order
 * is the order of blame: name and route, TLS, registry or not, user and
 * password, rights.
 */
#include "dockerreg.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/js.h"
#include "core/oci/lists.h"

#define OVERVIEW_MAX 10000 /* repositories counted for an overview */
#define CLOCK_SKEW_S 3600

static int get(struct dockerreg *d, const char *path, unsigned rights,
	       const unsigned short *accept_status, struct registry_request **ret,
	       struct berth_error *err)
{
	struct registry_call call = {
		.method = "GET",
		.path = path,
		.rights = rights,
		.accept = "application/json",
		.accept_status = accept_status,
		.follow = rights & REGISTRY_CATALOG, /* a redirect of /v2/ is a wrong address */
		.body_max_bytes = 1u << 20,
	};
	return registry_wait(d->remote.registry, &call, ret, err);
}

static bool is_json_object(const struct registry_request *q)
{
	const char *s = buf_text(registry_body(q));
	s += strspn(s, " \t\r\n");
	return !*s || *s == '{';
}

static int fail_not_registry(struct dockerreg *d, const char *why, struct berth_error *err)
{
	berth_fail(err, BERTH_E_PROTOCOL, "%s is not a registry", d->base_url);
	return berth_cause(err, "%s", why);
}

/* GET /v2/: 200 of a registry, with our credential where one is asked for. */
static int check_base(struct dockerreg *d, struct berth_error *err)
{
	static const unsigned short absent[] = {404, 0};
	AUTO(registry_request) struct registry_request *q = NULL;
	int r = get(d, "/v2/", 0, absent, &q, err);
	if (r == BERTH_E_INVALID && registry_status(q) == 400 &&
	    strstr(buf_text(registry_body(q)), "HTTPS"))
		return berth_fail(err, BERTH_E_PROTOCOL,
				  "%s speaks https there (write https:// in the address)",
				  d->base_url);
	if (r)
		return r;
	if (registry_status(q) == 404)
		return fail_not_registry(d, "it has no /v2/ (HTTP 404)", err);
	if (!registry_header(q, "docker-distribution-api-version") && !is_json_object(q))
		return fail_not_registry(d, "/v2/ answered, but not as a registry does", err);
	return 0;
}

/* 3.x refuses a negative page size before it looks for the repository, 2.x
 * ignores it and says that the repository is not there. */
static int find_version(struct dockerreg *d, const char **ret, struct berth_error *err)
{
	static const unsigned short any[] = {400, 401, 403, 404, 405, 0};
	AUTO(registry_request) struct registry_request *q = NULL;
	struct registry_call call = {
		.method = "GET",
		.path = "/v2/berth/probe/tags/list?n=-1",
		.repository = "berth/probe",
		.rights = REGISTRY_PULL,
		.accept_status = any,
		.follow = true,
		.body_max_bytes = 1u << 20,
	};
	int r = registry_wait(d->remote.registry, &call, &q, err);
	const char *body = q ? buf_text(registry_body(q)) : "";
	*ret = NULL;
	/* Who may not ask is told 401 or 403: the version stays unknown. */
	if (r == BERTH_E_AUTH || r == BERTH_E_DENIED)
		return 0;
	if (!r && registry_status(q) == 400 && strstr(body, "PAGINATION_NUMBER_INVALID"))
		*ret = "3";
	else if (!r && registry_status(q) == 404 && strstr(body, "NAME_UNKNOWN"))
		*ret = "2";
	return r;
}

/* May we list the repositories? Zero and *ret_can, or an error of the way. */
static int try_catalog(struct dockerreg *d, bool *ret_can, struct berth_error *err)
{
	static const unsigned short any[] = {400, 403, 404, 405, 0};
	AUTO(registry_request) struct registry_request *q = NULL;
	int r = get(d, "/v2/_catalog?n=1", REGISTRY_CATALOG, any, &q, err);
	*ret_can = !r && registry_status(q) == 200;
	return r == BERTH_E_AUTH || r == BERTH_E_DENIED ? 0 : r;
}

static int give_rights(struct dockerreg *d, bool can_list, struct berth_sink *sink,
		       struct berth_error *err)
{
	json_t *rights = json_object();
	json_object_set_new(rights, "anonymous", json_boolean(!d->username));
	json_object_set_new(rights, "list", json_boolean(can_list));
	int r = remote_give_fact(sink, "rights", rights, err);
	int64_t skew = registry_clock_skew_s(d->remote.registry);
	if (!r && (skew > CLOCK_SKEW_S || skew < -CLOCK_SKEW_S))
		r = remote_give_fact(sink, "clock_skew_s", json_integer(skew), err);
	return r;
}

static int give_product(const char *version, bool can_list, struct berth_sink *sink,
			struct berth_error *err)
{
	bool is_3 = version && *version == '3';
	json_t *features = json_array();
	json_array_append_new(features, json_string("tags"));
	if (can_list)
		json_array_append_new(features, json_string("catalog"));
	if (is_3)
		json_array_append_new(features, json_string("tag-delete"));
	int r = remote_give_fact(sink, "features", features, err);
	if (!r)
		r = remote_give_fact(sink, "product",
				     json_string(version ? "distribution" : "registry"), err);
	if (!r && version)
		r = remote_give_fact(sink, "version", json_string(is_3 ? "3.x" : "2.x"), err);
	return r;
}

/* A clock that is far off makes certificates and tokens fail for no reason
 * that their words tell. */
static int name_clock(struct dockerreg *d, struct berth_error *err)
{
	int64_t skew = registry_clock_skew_s(d->remote.registry);
	if ((err->code == BERTH_E_AUTH || err->code == BERTH_E_TLS) &&
	    (skew > CLOCK_SKEW_S || skew < -CLOCK_SKEW_S))
		return berth_wrap(err, "this machine's clock and the registry's differ by %lld s",
				  (long long)skew);
	return err->code;
}

int slot_probe(void *self, const struct berth_call *call, const char *scope_json,
	       struct berth_sink *sink, struct berth_error *err)
{
	struct dockerreg *d = self;
	const char *version = NULL;
	bool can_list = false;
	(void)scope_json; /* a plain registry has one kind of rights for all */
	remote_begin(&d->remote, call);
	int r = check_base(d, err);
	if (!r)
		r = try_catalog(d, &can_list, err);
	if (!r)
		r = find_version(d, &version, err);
	if (r)
		return name_clock(d, err);
	r = give_product(version, can_list, sink, err);
	return r ? r : give_rights(d, can_list, sink, err);
}

static int count_one(void *user, const char *name)
{
	(void)name;
	++*(uint64_t *)user;
	return 0;
}

int slot_overview(void *self, const struct berth_call *call, struct berth_sink *sink,
		  struct berth_error *err)
{
	struct dockerreg *d = self;
	uint64_t count = 0;
	struct list_call list = {
		.kind = LIST_CATALOG, .items_max = OVERVIEW_MAX, .item = count_one, .user = &count};
	remote_begin(&d->remote, call);
	if (prefixes_tell(&d->prefixes, sink, err))
		return err->code;
	int r = list_run(d->remote.registry, &list, NULL, err);
	if (r == BERTH_E_NOT_FOUND || r == BERTH_E_UNSUPPORTED || r == BERTH_E_DENIED)
		return 0; /* a registry without a catalog has no cheap count */
	if (r)
		return berth_wrap(err, "cannot count the repositories of %s", d->base_url);
	r = remote_give_fact(sink, "repositories", json_integer((json_int_t)count), err);
	if (!r && count == OVERVIEW_MAX)
		r = remote_give_fact(sink, "repositories_capped", json_true(), err);
	return r;
}
