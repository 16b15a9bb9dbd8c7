/* SPDX-License-Identifier: Apache-2.0 */
/* Copy jobs: from the frames to the engine and back. See job.h. */
#include "core/transfer/job.h"

#include <string.h>

#include "core/base/js.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/transfer/bulk.h"
#include "core/transfer/confirm.h"
#include "core/transfer/copy.h"
#include "core/worker/child.h"

void copy_done(struct copy *c)
{
	job_give_back(c->job);
	transfer_free(STEAL(c->transfer));
	if (c->registries[1] != c->registries[0])
		registry_close(c->registries[1]);
	if (c->target != c->source)
		backend_close(c->target);
	if (!c->borrows_registry)
		registry_close(c->registries[0]);
	if (!c->first) {
		net_loop_free(c->loop);
		backend_close(c->source);
	}
	free(c->base_urls[0]);
	free(c->base_urls[1]);
	free(c->identity);
	free(c->run);
	rule_free(c->rule);
	json_decref(c->repositories);
	json_decref(c->known[0]);
	json_decref(c->known[1]);
	json_decref(c->noted);
	json_decref(c->totals);
	json_decref(c->progress);
}

static bool is_one_instance(const struct copy *c)
{
	return !strcmp(c->rule->source.instance, c->rule->target.instance);
}

int copy_open_backends(struct copy *c, struct berth_error *err)
{
	int code = c->source ? 0 : backend_open(c->job, c->rule->source.instance, &c->source, err);
	if (code)
		return code;
	if (is_one_instance(c)) {
		c->target = c->source;
		return 0;
	}
	return backend_open(c->job, c->rule->target.instance, &c->target, err);
}

static bool is_true(const char *text, bool otherwise)
{
	return text && *text ? !strcmp(text, "true") : otherwise;
}

/* A shared rate may be low: how low, berthd alone knows. */
static uint32_t receive_bytes(const struct copy *c)
{
	bool is_shared = job_leased(c->job, JOB_READ) != UINT64_MAX;
	uint64_t own = (uint64_t)c->rule->limit_bytes_per_s;
	return own || is_shared ? transfer_receive_bytes(is_shared ? 0 : own) : 0;
}

int copy_registry_open(const struct copy_place *from, struct registry **ret,
		       struct berth_error *err)
{
	struct backend *b = from->backend;
	const struct berth_oci_endpoint *at = from->at;
	struct registry_settings s = {
		.base_url = at->base_url,
		.username = at->username,
		.password = at->password,
		.bearer = at->bearer,
		.basic_first = at->flags & BERTH_OCI_BASIC_FIRST,
		.tls_ca = backend_option(b, "tls_ca"),
		.tls_client_cert = backend_option(b, "tls_client_cert"),
		.tls_client_key = backend_option(b, "tls_client_key"),
		.tls_verify = is_true(backend_option(b, "tls_verify"), true),
		.auth_realms = backend_option(b, "auth_realms"),
		.upload_hosts = backend_option(b, "upload_hosts"),
		.proxy = backend_option(b, "proxy"),
		.receive_bytes = from->receive_bytes,
		.allow_address = backend_allow_address,
		.allow_user = b,
	};
	job_net_limits(from->job, &s.limits);
	return registry_open(from->loop, &s, ret, err);
}

/* Where a repository of one end is; the first one opens the end's registry. */
static int find_endpoint(struct copy *c, int end, const char *repository, char **ret_path,
			 struct berth_error *err)
{
	struct backend *b = end ? c->target : c->source;
	struct berth_oci_endpoint at;
	int code = backend_oci_endpoint(b, repository, &at, err);
	if (code)
		return berth_wrap(err, "cannot find out where '%.150s' of '%s' is", repository,
				  end ? c->rule->target.instance : c->rule->source.instance);
	if (end && (at.flags & BERTH_OCI_NO_PUSH))
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "'%.150s' of '%s' is a proxy or virtual: nothing can be pushed "
				  "there",
				  repository, c->rule->target.instance);
	if (!c->base_urls[end]) {
		c->flags[end] = at.flags;
		c->base_urls[end] = strdup(at.base_url);
		if (!c->base_urls[end])
			return berth_fail_memory(err);
		if (end && is_one_instance(c))
			c->registries[1] = c->registries[0];
		else
			code = copy_registry_open(
				&(struct copy_place){.job = c->job,
						     .backend = b,
						     .loop = c->loop,
						     .at = &at,
						     .receive_bytes = receive_bytes(c)},
				&c->registries[end], err);
	} else if (strcmp(c->base_urls[end], at.base_url) != 0) {
		return berth_fail(err, BERTH_E_UNSUPPORTED,
				  "repositories of one rule are at different addresses: '%.150s' "
				  "is not below the first one's",
				  repository);
	}
	*ret_path = code ? NULL : strdup(at.repository);
	return code || *ret_path ? code : berth_fail_memory(err);
}

/* An answer is for the way to that target. */
static void take_claims(struct copy *c)
{
	for (json_t *one; (one = job_take_claim(c->job)); json_decref(one)) {
		json_int_t number = js_int(one, "target", 0);
		struct copy *way = !c->first ? c : fan_way(c, number);
		if (way && way->transfer)
			transfer_claimed(way->transfer, js_str(one, "digest", ""),
					 js_str(one, "state", ""), js_str(one, "repository", NULL));
	}
}

static void claim(void *user, const char *digest)
{
	const struct copy *c = user;
	job_claim(c->job, c->index, digest);
}

static void release(void *user, const char *digest, const char *repository)
{
	const struct copy *c = user;
	job_release(c->job, c->index, digest, repository);
}

static int cancelled(void *user)
{
	struct job *j = ((struct copy *)user)->job;
	int code = job_cancelled(j);
	take_claims(user);
	/* berthd was killed or restarted, and will come back for this operation. */
	return code == BERTH_E_CANCELLED && job_is_hung_up(j) ? BERTH_E_UNAVAILABLE : code;
}

static void send_outcome(struct copy *c, const json_t *item)
{
	struct berth_error err = ERROR_INIT;
	if (job_item(c->job, item, &err))
		job_log(c->job, 4, "an outcome could not be sent: %s", err.message);
}

static void send_item(void *user, const json_t *item)
{
	struct copy *c = user;
	AUTO_JSON json_t *refuted = NULL;
	if (!c->noted) {
		send_outcome(c, item);
	} else if (!c->totals) {
		send_outcome(c, item);
		if (confirm_note(c->noted, item, &c->broken))
			job_log(c->job, LOG_LEVEL_WARNING, "%s", c->broken.message);
	} else if (!confirm_refute(c->noted, item, c->totals, &refuted, &c->broken) && refuted) {
		send_outcome(c, refuted);
	}
}

static void send_progress(void *user, uint64_t done, uint64_t total, const char *stage,
			  const json_t *more)
{
	struct copy *c = user;
	if (c->totals) { /* it is compared: the bytes are what they were */
		done = (uint64_t)js_int(c->totals, "bytes_done", 0);
		total = (uint64_t)js_int(c->totals, "bytes", 0);
		stage = "verify";
	}
	if (c->first)
		fan_progress(c, done, total, stage, more);
	else
		job_progress(c->job, done, total, "bytes", stage, more);
}

static void say(void *user, const char *text)
{
	job_log(((struct copy *)user)->job, LOG_LEVEL_WARNING, "%s", text);
}

/* Each target has a rate of its own. */
static enum job_chain chain_of(const struct copy *c, enum transfer_rate rate)
{
	if (rate == RATE_WRITTEN)
		return (enum job_chain)((unsigned)JOB_WRITE + c->index);
	return rate == RATE_SENT ? JOB_READ : JOB_TAKE;
}

static uint64_t leased(void *user, enum transfer_rate rate)
{
	struct copy *c = user;
	return job_leased(c->job, chain_of(c, rate));
}

static void spend(void *user, enum transfer_rate rate, uint64_t byte_count)
{
	const struct copy *c = user;
	job_spend(c->job, chain_of(c, rate), byte_count);
}

static void share(const struct copy *c)
{
	transfer_share(c->transfer, job_users(c->job, JOB_READ),
		       job_users(c->job, chain_of(c, RATE_WRITTEN)));
}

/* A lease, perhaps. What ends the run is seen to in its turn. */
void copy_hear(struct copy *c)
{
	bool is_over = job_cancelled(c->job) != 0;
	take_claims(c);
	if (is_over) {
		net_loop_watch(c->loop, -1, NULL, NULL); /* an end stays to be read */
	} else if (c->transfer) {
		share(c);
		transfer_wake(c->transfer);
	}
}

static void hear(void *user)
{
	copy_hear(user);
}

/* What two processes of one operation must agree on, and its journal's name. */
static int set_identity(struct copy *c, struct berth_error *err)
{
	AUTO_FREE char *rule = js_canonical(c->rule->doc);
	free(STEAL(c->identity));
	free(STEAL(c->run));
	c->run = c->index ? text_printf("%s-%u", job_id(c->job), c->index + 1)
			  : strdup(job_id(c->job));
	if (rule)
		c->identity = text_printf("%s\n%s\n%s", rule, c->base_urls[0], c->base_urls[1]);
	return c->identity && c->run ? 0 : berth_fail_memory(err);
}

static int start_engine(struct copy *c, struct berth_error *err)
{
	const struct settings *settings = job_settings(c->job);
	struct net_limits limits;
	int code = set_identity(c, err);
	if (code)
		return code;
	job_net_limits(c->job, &limits);
	struct transfer_settings s = {
		.loop = c->loop,
		.fan = c->fan,
		.source = {c->registries[0], c->flags[0]},
		.target = {c->registries[1], c->flags[1]},
		.in_flight = settings->copy_requests_max,
		.moves = settings->copy_transfers_max,
		.ring_bytes = (uint32_t)settings->copy_buffer_bytes,
		.tries = limits.tries,
		.backoff_ms = limits.backoff_ms,
		.resume = json_is_object(json_object_get(job_args(c->job), "resume")),
		.verify = c->verify,
		.journal_folder = job_cache_dir(c->job),
		.run = c->run,
		.identity = c->identity,
		.spool_bytes = settings->copy_spool_bytes,
		.cancelled = cancelled,
		.item = send_item,
		.progress = send_progress,
		.leased = leased,
		.spend = spend,
		.claim = claim,
		.release = release,
		.say = say,
		.user = c,
	};
	code = transfer_new(c->rule, &s, &c->transfer, err);
	if (!code)
		share(c);
	return code;
}

static int add_repository(struct copy *c, const char *name, struct berth_error *err)
{
	AUTO_FREE char *mapped = NULL, *source = NULL, *target = NULL;
	int code = rule_map(c->rule, name, &mapped, err);
	if (!code)
		code = find_endpoint(c, 0, name, &source, err);
	if (!code)
		code = find_endpoint(c, 1, mapped, &target, err);
	if (!code && !c->transfer)
		code = start_engine(c, err);
	if (code)
		return code;
	AUTO_FREE char *from = text_printf("%s/%s", c->rule->source.instance, name);
	AUTO_FREE char *to = text_printf("%s/%s", c->rule->target.instance, mapped);
	if (!from || !to)
		return berth_fail_memory(err);
	code = transfer_add_repository(c->transfer, source, target, from, to, err);
	if (!code)
		transfer_know(c->transfer, json_object_get(c->known[0], name),
			      json_object_get(c->known[1], mapped));
	return code;
}

/* Of those that another target of the fan was asked about the source has told. */
static const json_t *known_of_fan(const struct copy *c, const char *name)
{
	for (const struct copy *before = c->fan ? c->first : NULL; before && before < c; before++) {
		const json_t *known = json_object_get(before->known[0], name);
		if (known)
			return known;
	}
	return NULL;
}

static int find_source_tags(struct copy *c, const json_t *names, struct berth_error *err)
{
	AUTO_JSON json_t *asked = json_array(), *told = json_object();
	size_t i;
	json_t *name;
	if (!asked || !told)
		return berth_fail_memory(err);
	json_array_foreach (names, i, name) {
		const json_t *known = known_of_fan(c, json_string_value(name));
		if (known ? json_object_set(told, json_string_value(name),
					    (json_t *)(uintptr_t)known)
			  : json_array_append(asked, name))
			return berth_fail_memory(err);
	}
	int code = bulk_tags(c->source, asked, &c->known[0], err);
	if (!code && json_object_update_missing(c->known[0], told))
		return berth_fail_memory(err);
	return code;
}

/* Tags that both ends may have, in bulk: the target first, since what it lacks is
 * read at the source anyway. */
static int find_tags(struct copy *c, struct berth_error *err)
{
	AUTO_JSON json_t *sources = json_array();
	AUTO_JSON json_t *targets = json_array();
	size_t i;
	json_t *name;
	if (!sources || !targets)
		return berth_fail_memory(err);
	if (c->rule->digest || rule_has_literal_tags(c->rule))
		return 0;
	json_array_foreach (c->repositories, i, name) {
		AUTO_FREE char *mapped = NULL;
		int code = rule_map(c->rule, json_string_value(name), &mapped, err);
		if (code || json_array_append_new(targets, json_string(mapped)))
			return code ? code : berth_fail_memory(err);
	}
	int code = bulk_tags(c->target, targets, &c->known[1], err);
	if (code)
		return code;
	json_array_foreach (c->repositories, i, name) {
		json_t *mapped = json_array_get(targets, i);
		if (json_object_get(c->known[1], json_string_value(mapped)) &&
		    json_array_append(sources, name))
			return berth_fail_memory(err);
	}
	return find_source_tags(c, sources, err);
}

struct found {
	const struct rule *rule;
	json_t *names; /* an object, in the list's order */
};

/* A list whose pages are counted gives a name twice when one before it comes meanwhile. */
static int collect(void *user, const struct berth_item *item, json_t *more, struct berth_error *err)
{
	const struct found *f = user;
	(void)more;
	if (item->kind != BERTH_ITEM_REPOSITORY || !rule_has_repository(f->rule, item->name))
		return 0;
	return json_object_set_new(f->names, item->name, json_true()) ? berth_fail_memory(err) : 0;
}

int copy_find_repositories(struct copy *c, struct berth_error *err)
{
	AUTO_JSON json_t *names = json_object();
	struct found found = {c->rule, names};
	const struct backend_sink to = {collect, &found};
	const struct rule_end *from = &c->rule->source;
	const char *name;
	json_t *value;
	c->repositories = json_array();
	if (!c->repositories || !names)
		return berth_fail_memory(err);
	if (from->repository)
		return json_array_append_new(c->repositories, json_string(from->repository))
			       ? berth_fail_memory(err)
			       : 0;
	int code = backend_repositories(c->source, NULL, &to, err);
	if (code)
		return berth_wrap(err, "cannot list the repositories of '%s'", from->instance);
	json_object_foreach (names, name, value)
		if (json_array_append_new(c->repositories, json_string(name)))
			return berth_fail_memory(err);
	if (json_array_size(c->repositories))
		return 0;
	return berth_fail(err, BERTH_E_NOT_FOUND, "no repository of '%s' %s%s is meant by the rule",
			  from->instance, from->prefix ? "below " : "",
			  from->prefix ? from->prefix : "");
}

/* What the tags of those repositories are now, at both ends. */
int copy_plan(struct copy *c, struct berth_error *err)
{
	size_t i;
	json_t *name;
	int code = find_tags(c, err);
	json_array_foreach (c->repositories, i, name) {
		if (!code)
			code = add_repository(c, json_string_value(name), err);
	}
	return code ? code : transfer_plan(c->transfer, err);
}

static int prepare(struct copy *c, struct berth_error *err)
{
	int code = rule_parse(json_object_get(job_args(c->job), "rule"), &c->rule, err);
	if (!code)
		code = copy_open_backends(c, err);
	if (!code)
		code = net_loop_new(&c->loop, err);
	if (!code)
		net_loop_watch(c->loop, job_fd(c->job), hear, c);
	if (!code)
		code = copy_find_repositories(c, err);
	return code ? code : copy_plan(c, err);
}

/* Both ends again, after the copy: every answer is asked for anew. */
int copy_compare(struct copy *c, json_t *totals, struct berth_error *err)
{
	transfer_free(STEAL(c->transfer));
	for (int end = 0; end < 2; end++)
		json_decref(STEAL(c->known[end]));
	c->fan = NULL;
	c->totals = json_incref(totals);
	c->verify = true;
	int code = copy_plan(c, err);
	if (!code)
		json_object_set_new(totals, "verified", transfer_report_verify(c->transfer));
	if (!code && c->broken.code) {
		*err = c->broken;
		code = err->code;
	}
	return code ? berth_wrap(err, "the images were copied, but not compared afterwards") : 0;
}

int transfer_job_plan(struct job *j, json_t **ret_value, struct berth_error *err)
{
	struct copy c = {.job = j};
	if (fan_is_wanted(j))
		return fan_job(j, FAN_PLAN, ret_value, err);
	int code = prepare(&c, err);
	if (!code) {
		transfer_report_plan(c.transfer);
		*ret_value = transfer_totals(c.transfer);
	}
	copy_done(&c);
	return code;
}

int transfer_job_verify(struct job *j, json_t **ret_value, struct berth_error *err)
{
	struct copy c = {.job = j, .verify = true};
	if (fan_is_wanted(j))
		return fan_job(j, FAN_VERIFY, ret_value, err);
	int code = prepare(&c, err);
	if (!code)
		*ret_value = transfer_report_verify(c.transfer);
	copy_done(&c);
	return code;
}

int transfer_job_run(struct job *j, json_t **ret_value, struct berth_error *err)
{
	struct copy c = {.job = j, .broken = ERROR_INIT};
	AUTO_JSON json_t *totals = NULL;
	if (fan_is_wanted(j))
		return fan_job(j, FAN_RUN, ret_value, err);
	int code = prepare(&c, err);
	if (!code && c.rule->verify && !(c.noted = json_object()))
		code = berth_fail_memory(err);
	if (!code)
		code = transfer_run(c.transfer, err);
	if (!code)
		totals = transfer_totals(c.transfer);
	if (!code && c.rule->verify)
		code = copy_compare(&c, totals, err);
	copy_done(&c);
	if (!code)
		*ret_value = STEAL(totals);
	return code;
}
