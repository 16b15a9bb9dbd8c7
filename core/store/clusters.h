/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of Kubernetes clusters and of the nodes that a probe found there. Their
 * secrets are sealed rows owned by the cluster's id. JSON members are texts in
 * canonical form.
 */
#ifndef CORE_STORE_CLUSTERS_H
#define CORE_STORE_CLUSTERS_H

#include "core/store/list.h"

struct cluster {
	char *id;           /* UUID; never changes */
	char *name;         /* unique */
	char *desired;      /* what the user may change, without secrets */
	char *status;       /* what was observed */
	char *phase;        /* status.phase, to filter by */
	int64_t generation; /* grows with each change of desired */
	int64_t probe_ms;   /* period of the probe */
	int64_t checked_ms; /* last probe; 0: never */
	int64_t created_ms, updated_ms;
};
struct cluster_node {
	char *cluster_id;
	char *name;
	int64_t is_ready;
	char *document; /* the node as the API shows it */
};
extern const struct store_table clusters_table, cluster_nodes_table;

/* A copy of the row, which cluster_done empties; BERTH_E_NOT_FOUND names it. */
MUST_USE int cluster_get(struct store *s, const char *name, struct cluster *ret,
			 struct berth_error *err);
MUST_USE int cluster_get_by_id(struct store *s, const char *id, struct cluster *ret,
			       struct berth_error *err);
void cluster_done(struct cluster *row);
#define AUTO_CLUSTER CLEANUP(cluster_done)

/* Adds; BERTH_E_CONFLICT where the name is taken. id and times are the caller's. */
MUST_USE int cluster_add(struct store *s, const struct cluster *row, struct berth_error *err);
/* Writes desired, generation, probe_ms and updated_ms of the row with that id. */
MUST_USE int cluster_change(struct store *s, const struct cluster *row, struct berth_error *err);
MUST_USE int cluster_set_status(struct store *s, const char *id, const char *status,
				const char *phase, int64_t checked_ms, struct berth_error *err);
/* Removes it with its nodes and secrets. */
MUST_USE int cluster_remove(struct store *s, const char *id, struct berth_error *err);

/* Nodes, one by one; clear removes all of one cluster. The same name again
 * replaces. */
MUST_USE int cluster_node_put(struct store *s, const struct cluster_node *row,
			      struct berth_error *err);
MUST_USE int cluster_nodes_clear(struct store *s, const char *cluster_id, struct berth_error *err);

#endif
