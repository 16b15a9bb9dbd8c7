-- SPDX-License-Identifier: Apache-2.0
-- Kubernetes clusters, and the nodes that their last probe found.

CREATE TABLE clusters (
	id TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	desired TEXT NOT NULL,
	status TEXT NOT NULL,
	phase TEXT NOT NULL,
	generation BIGINT NOT NULL,
	probe_ms BIGINT NOT NULL,
	checked_ms BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL
);

CREATE TABLE cluster_nodes (
	cluster_id TEXT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	is_ready BIGINT NOT NULL,
	document TEXT NOT NULL,
	PRIMARY KEY (cluster_id, name)
);
