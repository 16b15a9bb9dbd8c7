/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: what they have, and which of them take pods. Runs in a job. */
#include "kube.h"

#include <string.h>

#include "core/base/quantity.h"

#define PAGE 100 /* a node with its images has some 20 kB */

static const char *condition(const json_t *node, const char *type)
{
	const json_t *one;
	size_t i;
	json_array_foreach (json_object_get(json_object_get(node, "status"), "conditions"), i, one)
		if (!strcmp(js_str(one, "type", ""), type))
			return js_str(one, "status", "");
	return "";
}

bool kube_node_is_ready(const json_t *node)
{
	return !strcmp(condition(node, "Ready"), "True");
}

bool kube_node_takes_pods(const json_t *node)
{
	return !js_bool(json_object_get(node, "spec"), "unschedulable", false);
}

int64_t kube_node_amount(const json_t *node, const char *resource, uint32_t scale)
{
	int64_t amount = 0;
	const json_t *allocatable = json_object_get(json_object_get(node, "status"), "allocatable");
	return quantity_parse(js_str(allocatable, resource, ""), scale, &amount) ? amount : 0;
}

int kube_nodes(struct kube *k, kube_each *each, void *user, struct berth_error *err)
{
	return kube_list(k, "/api/v1/nodes", PAGE, each, user, err);
}

/* Roles are the ends of labels node-role.kubernetes.io/ROLE. */
static json_t *roles_of(const json_t *node)
{
	static const char prefix[] = "node-role.kubernetes.io/";
	json_t *labels = json_object_get(json_object_get(node, "metadata"), "labels"), *value;
	json_t *roles = json_array();
	const char *key;
	json_object_foreach (labels, key, value)
		if (!strncmp(key, prefix, sizeof prefix - 1))
			json_array_append_new(roles, json_string(key + sizeof prefix - 1));
	return roles;
}

static json_t *addresses_of(const json_t *node)
{
	json_t *addresses = json_array();
	const json_t *one;
	size_t i;
	json_array_foreach (json_object_get(json_object_get(node, "status"), "addresses"), i, one)
		json_array_append_new(addresses, json_string(js_str(one, "address", "")));
	return addresses;
}

static int give_node(void *user, const json_t *node, struct berth_error *err)
{
	struct berth_sink *sink = user;
	const json_t *info = json_object_get(json_object_get(node, "status"), "nodeInfo");
	AUTO_JSON json_t *more =
		json_pack("{s:s, s:b, s:b, s:o, s:o, s:{s:I, s:I, s:I}}", "kind", "node", "ready",
			  kube_node_is_ready(node), "schedulable", kube_node_takes_pods(node),
			  "roles", roles_of(node), "addresses", addresses_of(node), "allocatable",
			  "cpu_millis", (json_int_t)kube_node_amount(node, "cpu", 1000),
			  "memory_bytes", (json_int_t)kube_node_amount(node, "memory", 1), "pods",
			  (json_int_t)kube_node_amount(node, "pods", 1));
	if (!more)
		return berth_fail_memory(err);
	js_put_str(more, "version", js_str(info, "kubeletVersion", NULL));
	js_put_str(more, "os", js_str(info, "osImage", NULL));
	js_put_str(more, "architecture", js_str(info, "architecture", NULL));
	js_put_str(more, "runtime", js_str(info, "containerRuntimeVersion", NULL));
	return remote_give(sink,
			   &(struct give){.kind = BERTH_ITEM_OBJECT,
					  .id = kube_meta(node, "uid"),
					  .name = kube_meta(node, "name"),
					  .more = more},
			   err);
}

int kube_give_nodes(struct kube *k, struct berth_sink *sink, struct berth_error *err)
{
	int r = kube_nodes(k, give_node, sink, err);
	return r && r != BERTH_E_CANCELLED ? berth_wrap(err, "cannot list the cluster's nodes") : r;
}
