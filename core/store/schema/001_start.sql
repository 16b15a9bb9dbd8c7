-- SPDX-License-Identifier: Apache-2.0
-- Runs on SQLite and PostgreSQL 15. Times are Unix milliseconds, texts are
-- never NULL ('' means none), JSON is kept as canonical text. BERTH_BLOB is
-- the dialect's type for bytes.

CREATE TABLE settings (
	name TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
);

CREATE TABLE sequences (
	name TEXT NOT NULL PRIMARY KEY,
	last BIGINT NOT NULL
);

CREATE TABLE integrations (
	id TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	kind TEXT NOT NULL,
	scope TEXT NOT NULL,
	desired TEXT NOT NULL,
	status TEXT NOT NULL,
	phase TEXT NOT NULL,
	generation BIGINT NOT NULL,
	probe_ms BIGINT NOT NULL,
	checked_ms BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL
);

-- Sealed values. The id is what each one is bound to (AAD).
CREATE TABLE secrets (
	id TEXT NOT NULL PRIMARY KEY,
	owner TEXT NOT NULL,
	field TEXT NOT NULL,
	sealed BERTH_BLOB NOT NULL,
	fingerprint TEXT NOT NULL,
	updated_ms BIGINT NOT NULL,
	UNIQUE (owner, field)
);

CREATE TABLE spaces (
	id TEXT NOT NULL PRIMARY KEY,
	integration_id TEXT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	origin TEXT NOT NULL,
	mode TEXT NOT NULL,
	is_public BIGINT NOT NULL,
	can_push BIGINT NOT NULL,
	quota_bytes BIGINT NOT NULL,
	used_bytes BIGINT NOT NULL,
	is_present BIGINT NOT NULL,
	seen_ms BIGINT NOT NULL,
	repository_count BIGINT NOT NULL,
	artifact_count BIGINT NOT NULL,
	generation BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL,
	UNIQUE (integration_id, name)
);

CREATE TABLE repositories (
	id BIGINT NOT NULL PRIMARY KEY,
	space_id TEXT NOT NULL REFERENCES spaces (id) ON DELETE CASCADE,
	integration_id TEXT NOT NULL,
	name TEXT NOT NULL,
	more TEXT NOT NULL,
	tag_count BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL,
	seen_ms BIGINT NOT NULL,
	UNIQUE (integration_id, name)
);
CREATE INDEX repositories_by_space ON repositories (space_id, name);

CREATE TABLE tags (
	repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	digest TEXT NOT NULL,
	bytes BIGINT NOT NULL,
	pushed_ms BIGINT NOT NULL,
	seen_ms BIGINT NOT NULL,
	PRIMARY KEY (repository_id, name)
);
CREATE INDEX tags_by_digest ON tags (repository_id, digest);

CREATE TABLE artifacts (
	repository_id BIGINT NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
	digest TEXT NOT NULL,
	document TEXT NOT NULL,
	seen_ms BIGINT NOT NULL,
	PRIMARY KEY (repository_id, digest)
);

CREATE TABLE sync_rules (
	id TEXT NOT NULL PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	desired TEXT NOT NULL,
	is_enabled BIGINT NOT NULL,
	generation BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL
);

-- Runs outlive their rule: no reference.
CREATE TABLE sync_runs (
	id TEXT NOT NULL PRIMARY KEY,
	rule_id TEXT NOT NULL,
	rule TEXT NOT NULL,
	state TEXT NOT NULL,
	totals TEXT NOT NULL,
	started_ms BIGINT NOT NULL,
	ended_ms BIGINT NOT NULL
);
CREATE INDEX sync_runs_by_rule ON sync_runs (rule_id, started_ms);

CREATE TABLE sync_outcomes (
	run_id TEXT NOT NULL REFERENCES sync_runs (id) ON DELETE CASCADE,
	number BIGINT NOT NULL,
	source TEXT NOT NULL,
	target TEXT NOT NULL,
	digest TEXT NOT NULL,
	state TEXT NOT NULL,
	cause TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	bytes BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL,
	PRIMARY KEY (run_id, target)
);
CREATE INDEX sync_outcomes_by_number ON sync_outcomes (run_id, number);

CREATE TABLE operations (
	id TEXT NOT NULL PRIMARY KEY,
	kind TEXT NOT NULL,
	state TEXT NOT NULL,
	resources TEXT NOT NULL,
	locks TEXT NOT NULL,
	integration TEXT NOT NULL,
	arguments TEXT NOT NULL,
	progress TEXT NOT NULL,
	result TEXT NOT NULL,
	error TEXT NOT NULL,
	uid BIGINT NOT NULL,
	user_name TEXT NOT NULL,
	request_id TEXT NOT NULL,
	attempts BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	started_ms BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL,
	ended_ms BIGINT NOT NULL
);
CREATE INDEX operations_by_end ON operations (ended_ms, created_ms);
CREATE INDEX operations_by_creation ON operations (created_ms, id);

CREATE TABLE operation_log (
	operation_id TEXT NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
	number BIGINT NOT NULL,
	time_ms BIGINT NOT NULL,
	level BIGINT NOT NULL,
	text TEXT NOT NULL,
	PRIMARY KEY (operation_id, number)
);

CREATE TABLE events (
	id BIGINT NOT NULL PRIMARY KEY,
	type TEXT NOT NULL,
	resource TEXT NOT NULL,
	document TEXT NOT NULL,
	time_ms BIGINT NOT NULL
);

CREATE TABLE audit (
	number BIGINT NOT NULL PRIMARY KEY,
	time_ms BIGINT NOT NULL,
	uid BIGINT NOT NULL,
	user_name TEXT NOT NULL,
	request_id TEXT NOT NULL,
	action TEXT NOT NULL,
	resource TEXT NOT NULL,
	result TEXT NOT NULL,
	detail TEXT NOT NULL,
	hash TEXT NOT NULL
);

CREATE TABLE idempotency (
	request_key TEXT NOT NULL PRIMARY KEY,
	body_hash TEXT NOT NULL,
	state TEXT NOT NULL,
	status BIGINT NOT NULL,
	headers TEXT NOT NULL,
	body TEXT NOT NULL,
	created_ms BIGINT NOT NULL
);
CREATE INDEX idempotency_by_age ON idempotency (created_ms);
