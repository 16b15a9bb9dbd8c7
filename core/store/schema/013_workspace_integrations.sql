-- SPDX-License-Identifier: Apache-2.0
-- Integrations of workspaces: their scope, the workspace's name, is looked for in
-- each query of a member.

CREATE INDEX integrations_by_scope ON integrations (scope);

UPDATE roles SET description = 'Who belongs to the workspace, its own integrations, and all that its members may'
	WHERE name = 'workspace-admin';
