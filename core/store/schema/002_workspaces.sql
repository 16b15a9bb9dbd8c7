-- SPDX-License-Identifier: Apache-2.0
-- Tenants: who belongs to them, and which spaces they may use. A member is known
-- by number: principal is 'u1000' for a user, 'g50' for a group.

CREATE TABLE workspaces (
	id TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	description TEXT NOT NULL,
	generation BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL
);

CREATE TABLE workspace_members (
	workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
	principal TEXT NOT NULL,
	name TEXT NOT NULL,
	role TEXT NOT NULL,
	PRIMARY KEY (workspace_id, principal)
);

CREATE TABLE space_bindings (
	space_id TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
	workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
	created_ms BIGINT NOT NULL,
	PRIMARY KEY (space_id, workspace_id)
);
CREATE INDEX space_bindings_by_workspace ON space_bindings (workspace_id, space_id);
