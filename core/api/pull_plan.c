/* SPDX-License-Identifier: Apache-2.0 */
/* What a workspace's pull secret holds, which logins that needs, and which of
 * those it has are of no use any more: see pull.h. Pure but for memory.
 */
#include <stdio.h>
#include <string.h>

#include "core/api/pull.h"
#include "core/base/digest.h"

/* A login is renewed in the last third of its life. */
#define RENEW_PART 3
#define CONTENT_MAX_BYTES ((size_t)1 << 20)

static bool is_in(const json_t *list, const json_t *text)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (json_equal((json_t *)(uintptr_t)one, (json_t *)(uintptr_t)text))
			return true;
	return false;
}

static bool is_same_set(const json_t *x, const json_t *y)
{
	const json_t *one;
	size_t i;

	if (json_array_size(x) != json_array_size(y))
		return false;
	json_array_foreach (x, i, one)
		if (!is_in(y, one))
			return false;
	return true;
}

static bool has_more(const json_t *login, const json_t *spaces)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(login, "spaces"), i, one)
		if (!is_in(spaces, one))
			return true;
	return false;
}

static bool is_of(const json_t *login, const char *integration_id, const char *state)
{
	return !strcmp(js_str(login, "integration_id", ""), integration_id) &&
	       !strcmp(js_str(login, "state", ""), state);
}

/* The newest of that state; spaces NULL: whatever it may pull. */
static const json_t *newest(const json_t *logins, const json_t *want, const char *state,
			    const json_t *spaces)
{
	const json_t *one, *found = NULL;
	size_t i;

	json_array_foreach (logins, i, one) {
		if (!is_of(one, js_str(want, "id", ""), state) ||
		    (spaces && !is_same_set(json_object_get(one, "spaces"), spaces)))
			continue;
		if (!found || js_int(one, "created_ms", 0) > js_int(found, "created_ms", 0))
			found = one;
	}
	return found;
}

static bool is_fresh(const json_t *login, int64_t now_ms)
{
	int64_t expires_ms = js_int(login, "expires_ms", 0);
	int64_t life_ms = expires_ms - js_int(login, "created_ms", 0);

	return expires_ms - now_ms > life_ms / RENEW_PART;
}

/* One plan in the making. */
struct planning {
	const json_t *logins;
	int64_t now_ms;
	json_t *integrations, *make, *surplus, *hosts;
	bool is_settled;
};

static void put_surplus(struct planning *p, const json_t *login, bool is_excess)
{
	json_array_append_new(p->surplus, json_pack("{s:s, s:b}", "login", js_str(login, "id", ""),
						    "is_excess", is_excess ? 1 : 0));
}

/* All of the integration but the one in use. */
static void shed(struct planning *p, const json_t *want, const json_t *used)
{
	const json_t *one;
	size_t i;

	json_array_foreach (p->logins, i, one)
		if (one != used && is_of(one, js_str(want, "id", ""), "active"))
			put_surplus(p, one, has_more(one, json_object_get(want, "spaces")));
}

static void say(json_t *row, const char *state, const char *reason, const char *message)
{
	js_put_str(row, "state", state);
	js_put_str(row, "reason", reason);
	js_put_str(row, "message", message);
}

/* Which login is in the content, and why none is. */
static void judge(struct planning *p, const json_t *want, const json_t *used, json_t *row)
{
	const json_t *obstacle = json_object_get(want, "obstacle");
	const char *host = js_str(want, "host", "");
	const char *reason = js_str(obstacle, "reason", NULL);
	const char *message = js_str(obstacle, "message", NULL);
	bool is_exact = used && is_same_set(json_object_get(used, "spaces"),
					    json_object_get(want, "spaces"));

	if (used && json_object_get(p->hosts, host)) {
		say(row, "left-out", "SameHost",
		    "another integration of the same host is in the secret already");
		return;
	}
	if (used) {
		js_put_str(row, "login", js_str(used, "id", ""));
		js_put_str(row, "username", js_str(used, "username", ""));
		json_object_set_new(p->hosts, host, json_true());
	}
	if (is_exact)
		say(row, "included", NULL, NULL);
	else if (!obstacle)
		say(row, "pending", "LoginComing", "a login is being made");
	else
		say(row, used ? "included" : "left-out", reason, message);
}

static int plan_one(struct planning *p, const json_t *want)
{
	json_t *spaces = json_object_get(want, "spaces");
	const json_t *exact = newest(p->logins, want, "active", spaces);
	const json_t *used = exact ? exact : newest(p->logins, want, "active", NULL);
	bool can_make = !json_object_get(want, "obstacle");
	bool is_making = newest(p->logins, want, "making", NULL) != NULL;
	json_t *row = json_pack("{s:s, s:s, s:s}", "integration", js_str(want, "name", ""),
				"integration_id", js_str(want, "id", ""), "host",
				js_str(want, "host", ""));

	if (!row || json_array_append_new(p->integrations, row))
		return -1;
	judge(p, want, used, row);
	if (!exact && can_make)
		p->is_settled = false;
	if (can_make && !is_making && !(exact && is_fresh(exact, p->now_ms)) &&
	    json_array_append_new(p->make, json_pack("{s:s, s:s, s:O}", "integration",
						     js_str(want, "name", ""), "integration_id",
						     js_str(want, "id", ""), "spaces", spaces)))
		return -1;
	if (exact)
		shed(p, want, exact);
	return 0;
}

static bool is_wanted(const json_t *wants, const json_t *login)
{
	const json_t *one;
	size_t i;

	json_array_foreach (wants, i, one)
		if (!strcmp(js_str(one, "id", ""), js_str(login, "integration_id", "")))
			return true;
	return false;
}

json_t *pull_plan(const json_t *wants, const json_t *logins, int64_t now_ms)
{
	json_t *hosts AUTO_JSON = json_object();
	json_t *plan AUTO_JSON = json_pack("{s:[], s:[], s:[]}", "integrations", "make", "surplus");
	struct planning p = {.logins = logins,
			     .now_ms = now_ms,
			     .integrations = json_object_get(plan, "integrations"),
			     .make = json_object_get(plan, "make"),
			     .surplus = json_object_get(plan, "surplus"),
			     .hosts = hosts,
			     .is_settled = true};
	unsigned losses = js_losses();
	const json_t *one;
	size_t i;

	if (!plan || !hosts)
		return NULL;
	json_array_foreach (wants, i, one)
		if (plan_one(&p, one))
			return NULL;
	json_array_foreach (logins, i, one)
		if (!is_wanted(wants, one) && !strcmp(js_str(one, "state", ""), "active"))
			put_surplus(&p, one, true);
	json_object_set_new(plan, "is_settled", json_boolean(p.is_settled));
	return js_whole(STEAL(plan), losses);
}

int pull_digest(const json_t *plan, bool patches_account, char *to, struct berth_error *err)
{
	struct buf text AUTO_BUF = {.max = CONTENT_MAX_BYTES};
	struct digest digest;
	const json_t *one;
	size_t i;

	*to = '\0';
	json_array_foreach (json_object_get(plan, "integrations"), i, one)
		if (js_str(one, "login", NULL) &&
		    buf_printf(&text, err, "%s %s\n", js_str(one, "host", ""),
			       js_str(one, "login", "")))
			return err->code;
	if (!text.byte_count)
		return 0;
	if (buf_printf(&text, err, "account %d\n", patches_account ? 1 : 0) ||
	    digest_of(DIGEST_SHA256, text.bytes, text.byte_count, &digest, err))
		return err->code;
	digest_format(&digest, to);
	return 0;
}
