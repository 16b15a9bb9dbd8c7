/* SPDX-License-Identifier: Apache-2.0 */
/* What a cluster has in sum, and its namespaces as spaces. What our rights do
 * not show is left out of the sum. Runs in a job.
 */
#include "kube.h"

#include <string.h>

#define NAMESPACES "/api/v1/namespaces"
#define PAGE 500

struct sum {
	json_int_t nodes, ready, cpu_millis, memory_bytes, pods;
};

/* Amounts of nodes that take pods: what is on others can't be used. */
static int add_node(void *user, const json_t *node, struct berth_error *err)
{
	struct sum *sum = user;
	(void)err;
	sum->nodes++;
	if (!kube_node_is_ready(node))
		return 0;
	sum->ready++;
	if (!kube_node_takes_pods(node))
		return 0;
	sum->cpu_millis += kube_node_amount(node, "cpu", 1000);
	sum->memory_bytes += kube_node_amount(node, "memory", 1);
	sum->pods += kube_node_amount(node, "pods", 1);
	return 0;
}

static int give_nodes(struct kube *k, struct berth_sink *sink, struct berth_error *err)
{
	struct sum sum = {0};
	int r = kube_nodes(k, add_node, &sum, err);
	const struct {
		const char *name;
		json_int_t value;
	} facts[] = {
		{"nodes", sum.nodes},
		{"nodes_ready", sum.ready},
		{"cpu_millis", sum.cpu_millis},
		{"memory_bytes", sum.memory_bytes},
		{"pods", sum.pods},
	};
	for (size_t i = 0; !r && i < ARRAY_COUNT(facts); i++)
		r = remote_give_fact(sink, facts[i].name, json_integer(facts[i].value), err);
	return r;
}

static int count(void *user, const json_t *object, struct berth_error *err)
{
	(void)object;
	(void)err;
	++*(json_int_t *)user;
	return 0;
}

/* One object and the number of those that are left, in one request; a server
 * need not know that number. */
static int give_namespaces(struct kube *k, struct berth_sink *sink, struct berth_error *err)
{
	AUTO_JSON json_t *page = NULL;
	int r = kube_getf(k, &page, err, "%s?limit=1", NAMESPACES);
	const json_t *items = json_object_get(page, "items");
	json_int_t sum = (json_int_t)json_array_size(items);
	int64_t left = js_int(json_object_get(page, "metadata"), "remainingItemCount", 0);
	if (!r && !json_is_array(items))
		r = berth_fail(err, BERTH_E_PROTOCOL, "GET %s: the answer is no list", NAMESPACES);
	if (!r && left > 0) {
		sum += left;
	} else if (!r && *kube_meta(page, "continue")) {
		sum = 0;
		r = kube_list(k, NAMESPACES, PAGE, count, &sum, err);
	}
	return r ? r : remote_give_fact(sink, "namespaces", json_integer(sum), err);
}

/* What is not for us to see is left out. */
static int unless_denied(int r, struct berth_error *err)
{
	if (r != BERTH_E_DENIED)
		return r;
	*err = (struct berth_error)ERROR_INIT;
	return 0;
}

int kube_overview(void *self, const struct berth_call *call, struct berth_sink *sink,
		  struct berth_error *err)
{
	struct kube *k = self;
	remote_begin(&k->remote, call);
	int r = unless_denied(give_nodes(k, sink, err), err);
	return r ? r : unless_denied(give_namespaces(k, sink, err), err);
}

static int give_namespace(void *user, const json_t *object, struct berth_error *err)
{
	struct berth_sink *sink = user;
	const char *phase = js_str(json_object_get(object, "status"), "phase", "Active");
	AUTO_JSON json_t *more = json_pack("{s:b, s:s}", "push", 0, "phase", phase);
	if (!more)
		return berth_fail_memory(err);
	return remote_give(sink,
			   &(struct give){.kind = BERTH_ITEM_SPACE,
					  .id = kube_meta(object, "uid"),
					  .name = kube_meta(object, "name"),
					  .more = more},
			   err);
}

int kube_spaces(void *self, const struct berth_call *call, struct berth_sink *sink,
		struct berth_error *err)
{
	struct kube *k = self;
	remote_begin(&k->remote, call);
	int r = kube_list(k, NAMESPACES, PAGE, give_namespace, sink, err);
	return r && r != BERTH_E_CANCELLED ? berth_wrap(err, "cannot list the cluster's namespaces")
					   : r;
}
