-- SPDX-License-Identifier: Apache-2.0
-- Roles: sets of permission points. The built-in ones stand here so that they are
-- listed and kept free of others; what they allow is core/access/points.c's.
-- Members are those of roles of the platform; in a workspace, its member row names
-- the role.

CREATE TABLE roles (
	name TEXT NOT NULL PRIMARY KEY,
	description TEXT NOT NULL,
	scope TEXT NOT NULL,
	permissions TEXT NOT NULL,
	is_built_in BIGINT NOT NULL,
	generation BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL
);

INSERT INTO roles (name, description, scope, permissions, is_built_in, generation, created_ms, updated_ms) VALUES
	('admin', 'Everything: root, and the members of the admin group', 'platform', '', 1, 0, 0, 0),
	('operator', 'Daily work with images, scans and copy rules: the operator group', 'platform', '', 1, 0, 0, 0),
	('viewer', 'Looking at everything but the audit log: the viewer group', 'platform', '', 1, 0, 0, 0),
	('workspace-admin', 'Who belongs to the workspace, and all that its members may', 'workspace', '', 1, 0, 0, 0),
	('workspace-member', 'Looking at what the workspace may use', 'workspace', '', 1, 0, 0, 0);

CREATE TABLE role_members (
	role TEXT NOT NULL REFERENCES roles (name) ON DELETE CASCADE,
	principal TEXT NOT NULL,
	name TEXT NOT NULL,
	PRIMARY KEY (role, principal)
);
