-- SPDX-License-Identifier: Apache-2.0
-- Scans for vulnerabilities. A scan's id is its operation's; it outlives that.

CREATE TABLE scans (
	id TEXT NOT NULL PRIMARY KEY,
	integration_id TEXT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
	target TEXT NOT NULL,
	scope TEXT NOT NULL,
	repository TEXT NOT NULL,
	digest TEXT NOT NULL,
	state TEXT NOT NULL,
	run TEXT NOT NULL,
	error TEXT NOT NULL,
	total BIGINT NOT NULL,
	fixable BIGINT NOT NULL,
	created_ms BIGINT NOT NULL,
	updated_ms BIGINT NOT NULL,
	ended_ms BIGINT NOT NULL
);
CREATE INDEX scans_by_target ON scans (integration_id, target, created_ms);

-- The artifacts of a scan of many, as they were at its end.
CREATE TABLE scan_artifacts (
	scan_id TEXT NOT NULL REFERENCES scans (id) ON DELETE CASCADE,
	repository TEXT NOT NULL,
	digest TEXT NOT NULL,
	state TEXT NOT NULL,
	run TEXT NOT NULL,
	PRIMARY KEY (scan_id, repository, digest)
);

-- The newest whole report of an artifact; one that is being read is not whole.
CREATE TABLE scan_reports (
	id TEXT NOT NULL PRIMARY KEY,
	integration_id TEXT NOT NULL REFERENCES integrations (id) ON DELETE CASCADE,
	repository TEXT NOT NULL,
	digest TEXT NOT NULL,
	facts TEXT NOT NULL,
	counts TEXT NOT NULL,
	total BIGINT NOT NULL,
	fixable BIGINT NOT NULL,
	is_whole BIGINT NOT NULL,
	fetched_ms BIGINT NOT NULL
);
CREATE INDEX scan_reports_by_artifact ON scan_reports (integration_id, repository, digest);

CREATE TABLE scan_findings (
	report_id TEXT NOT NULL REFERENCES scan_reports (id) ON DELETE CASCADE,
	number BIGINT NOT NULL,
	vulnerability TEXT NOT NULL,
	package TEXT NOT NULL,
	version TEXT NOT NULL,
	fixed TEXT NOT NULL,
	severity TEXT NOT NULL,
	rank BIGINT NOT NULL,
	artifact TEXT NOT NULL,
	more TEXT NOT NULL,
	PRIMARY KEY (report_id, number)
);
