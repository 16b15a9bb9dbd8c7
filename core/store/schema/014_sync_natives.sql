-- SPDX-License-Identifier: Apache-2.0
-- What registries keep for copy rules that their own replication does: its id there,
-- and the run under way. A row outlives its rule until the registry keeps it no more.

CREATE TABLE sync_natives (
	integration_id TEXT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
	object_id TEXT NOT NULL,
	rule_id TEXT NOT NULL,
	rule TEXT NOT NULL,
	operation_id TEXT NOT NULL DEFAULT '',
	run_id TEXT NOT NULL DEFAULT '',
	updated_ms BIGINT NOT NULL,
	PRIMARY KEY (integration_id, object_id)
);
