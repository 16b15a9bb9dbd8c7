/* SPDX-License-Identifier: Apache-2.0 */
/* Kubernetes clusters inside the API (K1): what may be said of one, what a job
 * is told of it, and what a probe found. Plugin kube does the asking. Runs in
 * berthd.
 *
 * "desired" is the JSON object of what a user may change, without secrets:
 * address, description, tls {verify, ca, client_cert}, proxy, probe_period_s.
 * Secrets are sealed rows owned by the cluster's id: "option_token",
 * "tls_client_key". A kubeconfig is taken apart into these and not kept.
 */
#ifndef CORE_API_CLUSTER_H
#define CORE_API_CLUSTER_H

#include "core/api/api.h"
#include "core/store/clusters.h"

#define CLUSTER_PLUGIN "kube"
enum { CLUSTER_NAME_ROOM = 80 };

/* What a cluster is called where integrations are called by name too, in jobs
 * and as the one that operations are limited by: "cluster/NAME". */
void cluster_instance_name(const char *name, char to[CLUSTER_NAME_ROOM]);
/* INSTANCE of a call frame (core/worker/job.h), secrets included: lives only in
 * the frame. */
MUST_USE int cluster_instance_of_row(struct daemon_state *d, const struct cluster *row,
				     json_t **ret, struct berth_error *err);

/* What a body says, with defaults: *ret_desired, and *ret_secrets {field: text,
 * or null for "remove it"}. A kubeconfig's own members replace what was there.
 * What is wrong goes into f. before: the present desired, or NULL. */
MUST_USE int cluster_body(const struct daemon_state *d, const json_t *body, const json_t *before,
			  struct findings *f, json_t **ret_desired, json_t **ret_secrets,
			  struct berth_error *err);
/* What will be set once the secrets are settled. */
struct cluster_secrets {
	bool has_token, has_client_key;
};
void cluster_check(json_t *desired, const struct cluster_secrets *will_have, const json_t *secrets,
		   struct findings *f);

/* Its place in the clock: a probe each period. */
MUST_USE int cluster_schedule(struct daemon_state *d, const struct cluster *row,
			      struct berth_error *err);
void cluster_unschedule(struct daemon_state *d, const char *id);
MUST_USE int cluster_clock_start(struct daemon_state *d, struct berth_error *err);
/* The probe of one cluster, which a second one joins. request's members point
 * into *ret_parts. */
void cluster_probe_work(const struct cluster *row, struct op_request *request, json_t **ret_parts);

#endif
