-- SPDX-License-Identifier: Apache-2.0
-- Temporary logins: a row is there before the server is asked to make one, and
-- goes after the server has removed it. Its secret is a sealed row of the
-- integration, until it is taken.

CREATE TABLE logins (
	id TEXT NOT NULL PRIMARY KEY,
	integration_id TEXT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
	space TEXT NOT NULL,
	name TEXT NOT NULL UNIQUE,
	remote_id TEXT NOT NULL,
	username TEXT NOT NULL,
	rights TEXT NOT NULL,
	description TEXT NOT NULL,
	state TEXT NOT NULL,
	operation_id TEXT NOT NULL,
	has_secret BIGINT NOT NULL,
	uid BIGINT NOT NULL,
	user_name TEXT NOT NULL,
	due_ms BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	expires_ms BIGINT NOT NULL
);
CREATE INDEX logins_by_integration ON logins (integration_id, state, due_ms);
CREATE INDEX logins_by_state ON logins (state, due_ms);
