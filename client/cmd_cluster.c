/* SPDX-License-Identifier: Apache-2.0 */
/* cluster: Kubernetes clusters that Berth knows. */
#include <string.h>

#include "client/cmd.h"
#include "client/server_flags.h"
#include "core/base/text.h"

static const struct flag cluster_flags[] = {
	{"kubeconfig", 0, FLAG_SECRET, "FILE",
	 "says all of the rest; - is standard input; everything must be inline",
	 .field = "kubeconfig", .names = NAMES_FILE},
	{"context", 0, FLAG_TEXT, "NAME", "which context of it, not the current",
	 .field = "context"},
	{"address", 0, FLAG_TEXT, "URL", "https://HOST[:PORT] of the API server",
	 .field = "address"},
	{"token-file", 0, FLAG_SECRET, "FILE",
	 "holds a service account's token; - is standard input", .field = "token",
	 .names = NAMES_FILE},
	{"token", 0, FLAG_REFUSED, NULL,
	 .help = "every user of this machine can read a command line; use --token-file"},
	SERVER_TLS_FLAGS("the API server"),
	{"proxy", 0, FLAG_TEXT, "URL", "go through this proxy", .field = "proxy"},
	SERVER_PROBE_FLAG,
	DESCRIPTION_FLAG,
	{0},
};

static const struct column columns[] = {
	{"NAME", "name", COL_TEXT, false},
	{"ADDRESS", "address", COL_TEXT, false},
	{"STATE", "status.phase", COL_STATE, false},
	{"VERSION", "status.version", COL_TEXT, false},
	{"NODES", "status.nodes", COL_COUNT, false},
	{"READY", "status.nodes_ready", COL_COUNT, false},
	{"CHECKED", "status.checked_at", COL_TIME, false},
	{"CPU-MILLIS", "status.allocatable.cpu_millis", COL_COUNT, true},
	{"MEMORY", "status.allocatable.memory_bytes", COL_BYTES, true},
	{"PODS", "status.allocatable.pods", COL_COUNT, true},
	{"NAMESPACES", "status.namespaces", COL_COUNT, true},
	{"USER", "status.user", COL_TEXT, true},
	{"MISSING", "status.missing", COL_TEXT, true},
	{"REASON", "status.reason", COL_LONG, true},
	{"MESSAGE", "status.message", COL_LONG, true},
	{"SINCE", "status.since", COL_TIME, true},
	{"DESCRIPTION", "description", COL_LONG, true},
	{"CREATED", "created_at", COL_TIME, true},
	{0},
};
static const struct column status_columns[] = {
	{"STATE", "status.phase", COL_STATE, false},
	{"REASON", "status.reason", COL_TEXT, false},
	{"MESSAGE", "status.message", COL_TEXT, false},
	{"VERSION", "status.version", COL_TEXT, false},
	{"NODES", "status.nodes", COL_COUNT, false},
	{"MISSING", "status.missing", COL_TEXT, false},
	{"CHECKED", "status.checked_at", COL_TIME, false},
	{0},
};
static const struct column node_columns[] = {
	{"NAME", "name", COL_TEXT, false},
	{"READY", "ready", COL_YES, false},
	{"SCHEDULABLE", "schedulable", COL_YES, false},
	{"VERSION", "version", COL_TEXT, false},
	{"CPU-MILLIS", "allocatable.cpu_millis", COL_COUNT, false},
	{"MEMORY", "allocatable.memory_bytes", COL_BYTES, false},
	{"PODS", "allocatable.pods", COL_COUNT, true},
	{"OS", "os", COL_TEXT, true},
	{"ARCHITECTURE", "architecture", COL_TEXT, true},
	{"RUNTIME", "runtime", COL_TEXT, true},
	{"ROLES", "roles", COL_TEXT, true},
	{0},
};

static void added(struct cli *c, const json_t *operation)
{
	(void)operation;
	if (cli_has(c, "dry-run")) {
		cli_note(c, "cluster %s would be added: it answers as it should",
			 cli_operand(c, 0));
		return;
	}
	cli_note(c, "cluster %s added", cli_operand(c, 0));
	cli_hint(c, "berthctl cluster show %s", cli_operand(c, 0));
}

static int create(struct cli *c)
{
	struct berth_error err = ERROR_INIT;
	AUTO_JSON json_t *body = json_object();

	if (!body || (!cli_has(c, "address") && !cli_has(c, "kubeconfig"))) {
		cli_usage(c, "--kubeconfig is missing, or --address and --token-file");
		cli_hint(c,
			 "kubectl config view --raw --flatten | berthctl cluster add %s "
			 "--kubeconfig -",
			 cli_operand(c, 0));
		return EXIT_USAGE;
	}
	js_put_str(body, "name", cli_operand(c, 0));
	if (cli_fill_body(c, body, &err))
		return cli_report(c, &err);
	struct change change = {.call = {.method = "POST", .path = "/v1/clusters", .body = body},
				.result = added};
	return send_change(c, &change);
}

#define THE_NAME                                                                                   \
	{                                                                                          \
		"NAME", OPERAND_ONE, NAMES_CLUSTER, "the cluster's name"                           \
	}

const struct command cluster_commands[] = {
	{
		.noun = "cluster",
		.verb = "list",
		.aliases = "ls",
		.summary = "List the clusters and how they are",
		.examples = {{"berthctl cluster list", "all of them"},
			     {"berthctl cluster list -o wide", "with what they can hold"}},
		.method = "GET",
		.route = "/v1/clusters",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = columns,
		.run = run_list,
	},
	{
		.noun = "cluster",
		.verb = "show",
		.aliases = "get",
		.summary = "Show one cluster",
		.operands = {THE_NAME},
		.examples = {{"berthctl cluster show prod", "what Berth knows of it"},
			     {"berthctl cluster show prod --jq .status.missing",
			      "rights that Berth would use and does not have"}},
		.method = "GET",
		.route = "/v1/clusters/{0}",
		.traits = CMD_SHOWS,
		.columns = columns,
		.run = run_show,
	},
	{
		.noun = "cluster",
		.verb = "create",
		.aliases = "add",
		.summary = "Add a Kubernetes cluster, after trying address, TLS and credential",
		.details =
			"A kubeconfig is read by berthd, taken apart into address, credential and "
			"certificates, and not kept. It may name no files and no programs: "
			"certificates and keys stand inside it (certificate-authority-data, "
			"client-certificate-data, client-key-data), or it has a token. exec and "
			"auth-provider are refused, because they would have a daemon run what "
			"somebody uploaded. A service account of Berth's own with rights on secrets "
			"in the namespaces concerned is all that it needs.",
		.operands = {{"NAME", OPERAND_ONE, NAMES_NONE, "its new name"}},
		.flags = cluster_flags,
		.examples = {{"kubectl config view --raw --flatten | berthctl cluster add prod "
			      "--kubeconfig -",
			      "as kubectl knows it"},
			     {"berthctl cluster add prod --kubeconfig admin.conf --context prod-eu",
			      "one context of many"},
			     {"berthctl cluster add lab --address https://lab.example:6443 --ca "
			      "ca.pem --token-file token",
			      "by its address and a service account's token"}},
		.method = "POST",
		.route = "/v1/clusters",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.run = create,
	},
	{
		.noun = "cluster",
		.verb = "edit",
		.aliases = "set",
		.summary = "Change a cluster; what is not given stays",
		.operands = {THE_NAME},
		.flags = cluster_flags,
		.examples = {{"berthctl cluster edit prod --token-file token", "a new token"},
			     {"berthctl cluster edit prod --probe-period 1m", "look more often"}},
		.method = "PATCH",
		.route = "/v1/clusters/{0}",
		.traits = CMD_CHANGES | CMD_STARTS,
		.columns = columns,
		.run = run_edit,
	},
	{
		.noun = "cluster",
		.verb = "delete",
		.aliases = "rm remove",
		.summary = "Forget a cluster; the cluster itself is not touched",
		.operands = {THE_NAME},
		.examples = {{"berthctl cluster delete lab", "asks first"},
			     {"berthctl cluster delete lab --yes", "in a script"}},
		.method = "DELETE",
		.route = "/v1/clusters/{0}",
		.traits = CMD_CHANGES | CMD_ASKS,
		.columns = columns,
		.run = run_delete,
	},
	{
		.noun = "cluster",
		.verb = "probe",
		.summary = "Try the API server now, and read the cluster's nodes",
		.operands = {THE_NAME},
		.examples = {{"berthctl cluster probe prod", "is it well?"},
			     {"berthctl cluster probe prod || echo down", "in a script"}},
		.method = "POST",
		.route = "/v1/clusters/{0}/probe",
		.traits = CMD_STARTS,
		.columns = status_columns,
		.run = run_probe,
	},
	{
		.noun = "cluster",
		.verb = "nodes",
		.summary = "List a cluster's nodes, as its last probe found them",
		.operands = {THE_NAME},
		.examples = {{"berthctl cluster nodes prod", "which are ready"},
			     {"berthctl cluster nodes prod -o wide", "with system and runtime"}},
		.method = "GET",
		.route = "/v1/clusters/{0}/nodes",
		.traits = CMD_LISTS | CMD_QUERIES,
		.columns = node_columns,
		.run = run_list,
	},
	{0},
};
