-- SPDX-License-Identifier: Apache-2.0
-- Namespaces of workspaces, each with what is known of the pull secret there. A
-- row that is not wanted any more stays until its secret is gone. owner is the
-- workspace's name, which the secret bears. wanted and applied say what content
-- should be there and what is: '' none, '?' not known. due_ms is when to look
-- next, 0: not yet. A login with a workspace_id is for its pull secrets, and
-- spaces (a JSON array) are those that it may pull from.

CREATE TABLE workspace_namespaces (
	cluster_id TEXT NOT NULL REFERENCES clusters (id) ON DELETE CASCADE,
	namespace TEXT NOT NULL,
	workspace_id TEXT NOT NULL,
	owner TEXT NOT NULL,
	is_wanted BIGINT NOT NULL,
	wanted TEXT NOT NULL,
	applied TEXT NOT NULL,
	phase TEXT NOT NULL,
	reason TEXT NOT NULL,
	message TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	due_ms BIGINT NOT NULL,
	since_ms BIGINT NOT NULL,
	checked_ms BIGINT NOT NULL,
	PRIMARY KEY (cluster_id, namespace)
);
CREATE INDEX workspace_namespaces_by_workspace ON workspace_namespaces (workspace_id);

ALTER TABLE workspaces ADD COLUMN patches_account BIGINT NOT NULL DEFAULT 0;
ALTER TABLE logins ADD COLUMN workspace_id TEXT NOT NULL DEFAULT '';
ALTER TABLE logins ADD COLUMN spaces TEXT NOT NULL DEFAULT '';
CREATE INDEX logins_by_workspace ON logins (workspace_id);
