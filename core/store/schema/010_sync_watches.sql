-- SPDX-License-Identifier: Apache-2.0
-- Rules that run when their source changes: what was seen there last ('': nothing
-- yet), when it is looked at next, when a failed run comes again, and what was wrong.

CREATE TABLE sync_watches (
	rule_id TEXT NOT NULL PRIMARY KEY REFERENCES sync_rules (id) ON DELETE CASCADE,
	integration TEXT NOT NULL,
	period_ms BIGINT NOT NULL,
	seen TEXT NOT NULL DEFAULT '',
	images BIGINT NOT NULL DEFAULT 0,
	next_ms BIGINT NOT NULL,
	hinted_ms BIGINT NOT NULL DEFAULT 0,
	looked_ms BIGINT NOT NULL DEFAULT 0,
	changed_ms BIGINT NOT NULL DEFAULT 0,
	failures BIGINT NOT NULL DEFAULT 0,
	run_failures BIGINT NOT NULL DEFAULT 0,
	retry_ms BIGINT NOT NULL DEFAULT 0,
	error TEXT NOT NULL DEFAULT ''
);
