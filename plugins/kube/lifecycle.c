/* SPDX-License-Identifier: Apache-2.0 */
/* The lifecycle table, and its slots that change something: plan, apply and
 * remove of a pull secret. What is right already is not written. Runs in a job.
 */
#include "pull.h"

#include <string.h>

#include "core/base/text.h"

#define TRIES 3 /* where somebody else writes at the same time */

static int give_step(struct berth_sink *sink, const char *action, const char *object,
		     const char *reason, struct berth_error *err)
{
	AUTO_JSON json_t *more = json_pack("{s:s, s:s}", "action", action, "object", object);
	if (!more)
		return berth_fail_memory(err);
	js_put_str(more, "reason", reason);
	return remote_give(
		sink, &(struct give){.kind = BERTH_ITEM_STEP, .name = object, .more = more}, err);
}

static int secret_step(const struct pull *p, struct berth_sink *sink, const char *action,
		       const char *reason, struct berth_error *err)
{
	AUTO_FREE char *object = text_printf("secret %s/%s", p->namespace, p->name);
	return object ? give_step(sink, action, object, reason, err) : berth_fail_memory(err);
}

static int account_step(const struct pull *p, struct berth_sink *sink, const char *action,
			const char *reason, struct berth_error *err)
{
	AUTO_FREE char *object = text_printf("service-account %s/default", p->namespace);
	return object ? give_step(sink, action, object, reason, err) : berth_fail_memory(err);
}

/* --- plan and apply --- */

static int change_account(struct kube *k, const struct pull *p, bool is_in, bool is_dry,
			  struct berth_sink *sink, struct berth_error *err)
{
	bool has_changed = false;
	int r = account_set(k, p, is_in, is_dry, &has_changed, err);
	if (r || (!has_changed && !is_in))
		return r;
	return account_step(p, sink, has_changed ? "patch" : "keep",
			    is_in ? "pods use the secret without naming it"
				  : "the secret is taken out of it",
			    err);
}

/* An immutable one, or one of another type, takes no change: it is made anew.
 * Dry, the server can't be asked what it would say to that. */
static int replace(struct kube *k, const struct pull *p, const struct pull_state *s, bool is_dry,
		   struct berth_error *err)
{
	/* What others entered goes into the new one. Borrowed. */
	const struct pull_state nothing = {.owner = PULL_ABSENT,
					   .others = s->others,
					   .data = s->data,
					   .confidential = s->confidential};
	if (is_dry)
		return 0;
	int r = pull_delete(k, p, s, err);
	return r ? r : pull_write(k, p, &nothing, false, err);
}

/* One try; is_outrun() where it was changed between reading and writing. */
static int apply_once(struct kube *k, const struct pull *p, bool is_dry, struct berth_sink *sink,
		      struct berth_error *err)
{
	AUTO_PULL_STATE struct pull_state s = {0};
	int r = pull_read(k, p, &s, err);
	if (!r)
		r = pull_check_owner(p, &s, err);
	if (r)
		return r;
	if (!s.wrong)
		return secret_step(p, sink, "keep", "it is right", err);
	if (s.has_account && !p->service_account)
		r = change_account(k, p, false, is_dry, sink, err);
	if (!r)
		r = s.must_replace ? replace(k, p, &s, is_dry, err)
				   : pull_write(k, p, &s, is_dry, err);
	if (r)
		return r;
	const char *action = s.must_replace ? "replace" : s.object ? "update" : "create";
	return secret_step(p, sink, action, s.wrong, err);
}

static bool is_outrun(int r, const struct berth_error *err)
{
	return r == BERTH_E_CONFLICT && err->upstream == 409;
}

static int settle(struct kube *k, const struct berth_call *call, const char *spec_text, bool is_dry,
		  struct berth_sink *sink, struct berth_error *err)
{
	AUTO_PULL struct pull p = {0};
	remote_begin(&k->remote, call);
	int r = pull_parse(spec_text, true, &p, err);
	if (r)
		return r;
	r = apply_once(k, &p, is_dry, sink, err);
	for (int tries = 1; is_outrun(r, err) && tries < TRIES; tries++) {
		*err = (struct berth_error)ERROR_INIT;
		r = apply_once(k, &p, is_dry, sink, err);
	}
	if (is_outrun(r, err))
		err->retry_ms = net_client_limits(registry_net(k->remote.registry))->backoff_ms;
	if (!r && p.service_account)
		r = change_account(k, &p, true, is_dry, sink, err);
	return r;
}

static int plan(void *self, const struct berth_call *call, const char *spec_json,
		struct berth_sink *sink, struct berth_error *err)
{
	return settle(self, call, spec_json, true, sink, err);
}

static int apply(void *self, const struct berth_call *call, const char *spec_json,
		 struct berth_sink *sink, struct berth_error *err)
{
	return settle(self, call, spec_json, call->flags & BERTH_CALL_DRY_RUN, sink, err);
}

/* --- remove --- */

static const char *why_kept(const struct pull_state *s)
{
	return s->owner == PULL_FOREIGN ? "it was not made by Berth"
					: "it belongs to another workspace of Berth";
}

/* The entry in the service account goes first: it must not name what is gone. */
static int remove_once(struct kube *k, const struct pull *p, bool is_dry, struct berth_sink *sink,
		       struct berth_error *err)
{
	AUTO_PULL_STATE struct pull_state s = {0};
	int r = pull_read(k, p, &s, err);
	bool is_ours = s.owner == PULL_OURS, is_there = s.object;
	if (r)
		return r;
	if (is_there && !is_ours)
		return secret_step(p, sink, "keep", why_kept(&s), err);
	if (s.has_account || p->service_account)
		r = change_account(k, p, false, is_dry, sink, err);
	if (!r && is_there && !is_dry)
		r = s.others ? pull_leave(k, p, &s, err) : pull_delete(k, p, &s, err);
	if (r)
		return r;
	if (s.others)
		return secret_step(p, sink, "update", "what others entered stays", err);
	return secret_step(p, sink, is_there ? "remove" : "none",
			   is_there ? "nothing is to be pulled with it any more" : "it is gone",
			   err);
}

static int remove_thing(void *self, const struct berth_call *call, const char *spec_json,
			const char *options_json, struct berth_sink *sink, struct berth_error *err)
{
	struct kube *k = self;
	AUTO_PULL struct pull p = {0};
	(void)options_json; /* nothing goes along with a secret */
	remote_begin(&k->remote, call);
	bool is_dry = call->flags & BERTH_CALL_DRY_RUN;
	int r = pull_parse(spec_json, false, &p, err);
	if (r)
		return r;
	p.is_leaving = true;
	r = remove_once(k, &p, is_dry, sink, err);
	for (int tries = 1; is_outrun(r, err) && tries < TRIES; tries++) {
		*err = (struct berth_error)ERROR_INIT;
		r = remove_once(k, &p, is_dry, sink, err);
	}
	return r;
}

const struct berth_lifecycle_ops kube_lifecycle_ops = {
	.size = sizeof kube_lifecycle_ops,
	.validate = kube_validate,
	.plan = plan,
	.apply = apply,
	.remove = remove_thing,
	.status = kube_status,
};
