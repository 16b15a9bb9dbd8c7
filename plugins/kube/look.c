/* SPDX-License-Identifier: Apache-2.0 */
/* A pull secret looked at without changing anything: the slots validate (may it
 * be made here?) and status (how is it?). Runs in a job.
 */
#include "pull.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

/* --- validate --- */

struct findings {
	struct berth_sink *sink;
	unsigned bad;
	char first[200];
};

/* A STEP: "check", and "refuse" where it forbids going on. */
static int find(struct findings *f, bool is_ok, const char *object, const char *reason,
		struct berth_error *err)
{
	AUTO_JSON json_t *more = json_pack("{s:s, s:s, s:s}", "action", is_ok ? "check" : "refuse",
					   "object", object, "reason", reason);
	if (!more)
		return berth_fail_memory(err);
	if (!is_ok && !f->bad++)
		snprintf(f->first, sizeof f->first, "%s", reason);
	return remote_give(f->sink,
			   &(struct give){.kind = BERTH_ITEM_STEP, .name = object, .more = more},
			   err);
}

/* "Active", "Terminating", "" where it is absent, "unknown" where we may not see it. */
static int read_phase(struct kube *k, const char *namespace, char to[32], struct berth_error *err)
{
	AUTO_JSON json_t *object = NULL;
	int r = kube_getf(k, &object, err, "/api/v1/namespaces/%s", namespace);
	bool is_hidden = r == BERTH_E_DENIED;
	if (r && !is_hidden && r != BERTH_E_NOT_FOUND)
		return berth_wrap(err, "cannot read namespace %s", namespace);
	snprintf(to, 32, "%s",
		 !r          ? js_str(json_object_get(object, "status"), "phase", "Active")
		 : is_hidden ? "unknown"
			     : "");
	if (r)
		*err = (struct berth_error)ERROR_INIT;
	return 0;
}

static int check_phase(struct kube *k, const struct pull *p, struct findings *f,
		       struct berth_error *err)
{
	char phase[32] = "";
	AUTO_FREE char *object = text_printf("namespace %s", p->namespace);
	int r = object ? read_phase(k, p->namespace, phase, err) : berth_fail_memory(err);
	if (r)
		return r;
	if (!*phase)
		return find(f, false, object, "the namespace does not exist", err);
	if (!strcmp(phase, "Terminating"))
		return find(f, false, object,
			    "the namespace is being deleted: nothing can be made in it", err);
	return find(f, true, object,
		    !strcmp(phase, "unknown") ? "it is not for us to see" : "it is there", err);
}

static int check_rights(struct kube *k, const struct pull *p, struct findings *f,
			struct berth_error *err)
{
	int r = 0;
	for (const struct kube_right *right = kube_rights; !r && right->verb; right++) {
		bool may = false;
		bool is_of_account = !strcmp(right->resource, "serviceaccounts");
		if (!right->in_namespace || (is_of_account && !p->service_account))
			continue;
		r = kube_may(k, right, p->namespace, &may, err);
		AUTO_FREE char *object =
			text_printf("right to %s %s", right->verb, right->resource);
		AUTO_FREE char *reason =
			text_printf("the cluster's user may%s %s %s in namespace %s",
				    may ? "" : " not", right->verb, right->resource, p->namespace);
		if (!r)
			r = object && reason ? find(f, may, object, reason, err)
					     : berth_fail_memory(err);
	}
	return r;
}

static int check_secret(struct kube *k, const struct pull *p, struct findings *f,
			struct berth_error *err)
{
	AUTO_PULL_STATE struct pull_state s = {0};
	AUTO_FREE char *object = text_printf("secret %s/%s", p->namespace, p->name);
	struct berth_error whose = ERROR_INIT;
	int r = object ? pull_read(k, p, &s, err) : berth_fail_memory(err);
	if (r == BERTH_E_DENIED) { /* the rights have said so */
		*err = (struct berth_error)ERROR_INIT;
		return 0;
	}
	if (r)
		return r;
	if (pull_check_owner(p, &s, &whose))
		return find(f, false, object, whose.message, err);
	return find(f, true, object, s.wrong ? s.wrong : "it is right", err);
}

int kube_validate(void *self, const struct berth_call *call, const char *spec_json,
		  struct berth_sink *sink, struct berth_error *err)
{
	struct kube *k = self;
	AUTO_PULL struct pull p = {0};
	struct findings f = {.sink = sink};
	remote_begin(&k->remote, call);
	int r = pull_parse(spec_json, false, &p, err);
	if (!r)
		r = check_phase(k, &p, &f, err);
	if (!r)
		r = check_rights(k, &p, &f, err);
	if (!r)
		r = check_secret(k, &p, &f, err);
	if (r || !f.bad)
		return r;
	return berth_fail(err, BERTH_E_INVALID, "%s", f.first);
}

/* --- status --- */

static int give_condition(struct berth_sink *sink, const char *name, const char *status,
			  const char *reason, struct berth_error *err)
{
	AUTO_JSON json_t *more = json_pack("{s:s}", "status", status);
	if (!more)
		return berth_fail_memory(err);
	js_put_str(more, "reason", reason);
	return remote_give(sink,
			   &(struct give){.kind = BERTH_ITEM_CONDITION, .name = name, .more = more},
			   err);
}

static const char *word(bool is_true)
{
	return is_true ? "true" : "false";
}

static int give_namespace(struct kube *k, const struct pull *p, struct berth_sink *sink,
			  struct berth_error *err)
{
	char phase[32] = "";
	int r = read_phase(k, p->namespace, phase, err);
	if (r)
		return r;
	if (!strcmp(phase, "unknown"))
		return give_condition(sink, "namespace", phase, "it is not for us to see", err);
	return give_condition(sink, "namespace", word(!strcmp(phase, "Active")),
			      *phase ? phase : "Absent", err);
}

static int give_owner(const struct pull *p, const struct pull_state *s, struct berth_sink *sink,
		      struct berth_error *err)
{
	struct berth_error whose = ERROR_INIT;
	bool is_bad = pull_check_owner(p, s, &whose);
	return give_condition(sink, "ours", s->object ? word(s->owner == PULL_OURS) : "unknown",
			      is_bad ? whose.message : NULL, err);
}

/* Ours and yet not as it should be: somebody has changed it, or the wish has
 * changed and was not written yet. */
static int give_drift(const struct pull *p, const struct pull_state *s, struct berth_sink *sink,
		      struct berth_error *err)
{
	bool is_ours = s->owner == PULL_OURS, knows = *p->digest;
	const char *right = !s->object ? "false" : knows ? word(is_ours && !s->wrong) : "unknown";
	int r = give_condition(sink, "right", right, s->wrong, err);
	return r ? r
		 : give_condition(sink, "drift", word(is_ours && s->wrong),
				  is_ours ? s->wrong : NULL, err);
}

static int give_facts(const struct pull_state *s, struct berth_sink *sink, struct berth_error *err)
{
	if (!s->object)
		return 0;
	int r = remote_give_fact(sink, "managers", pull_managers(s), err);
	return r || !*s->digest ? r : remote_give_fact(sink, "digest", json_string(s->digest), err);
}

static int give_account(struct kube *k, const struct pull *p, struct berth_sink *sink,
			struct berth_error *err)
{
	bool has = false;
	int r = account_has(k, p, &has, err);
	if (r == BERTH_E_DENIED) {
		*err = (struct berth_error)ERROR_INIT;
		return give_condition(sink, "service-account", "unknown", "it is not for us to see",
				      err);
	}
	return r ? r
		 : give_condition(sink, "service-account", word(has),
				  has ? NULL : "its imagePullSecrets do not name the secret", err);
}

static int give_status(struct kube *k, const struct pull *p, struct berth_sink *sink,
		       struct berth_error *err)
{
	AUTO_PULL_STATE struct pull_state s = {0};
	int r = give_namespace(k, p, sink, err);
	if (!r)
		r = pull_read(k, p, &s, err);
	if (!r)
		r = give_condition(sink, "present", word(s.object), NULL, err);
	if (!r)
		r = give_owner(p, &s, sink, err);
	if (!r)
		r = give_drift(p, &s, sink, err);
	if (!r && p->service_account)
		r = give_account(k, p, sink, err);
	return r ? r : give_facts(&s, sink, err);
}

int kube_status(void *self, const struct berth_call *call, const char *spec_json,
		struct berth_sink *sink, struct berth_error *err)
{
	struct kube *k = self;
	AUTO_PULL struct pull p = {0};
	AUTO_JSON json_t *spec = NULL;
	remote_begin(&k->remote, call);
	int r = ask_argument(spec_json, &spec, err);
	if (!r && !strcmp(js_str(spec, "kind", ""), "nodes"))
		return kube_give_nodes(k, sink, err);
	if (!r)
		r = pull_parse(spec_json, false, &p, err);
	return r ? r : give_status(k, &p, sink, err);
}
