-- SPDX-License-Identifier: Apache-2.0
-- The workspace (its id) whose admins see an audit row; '': the platform's alone, as
-- are all rows of before.

ALTER TABLE audit ADD COLUMN workspace_id TEXT NOT NULL DEFAULT '';

CREATE INDEX audit_by_workspace ON audit (workspace_id);

UPDATE roles SET description = 'Who belongs to the workspace, its own integrations, its audit rows, and all that its members may'
	WHERE name = 'workspace-admin';
