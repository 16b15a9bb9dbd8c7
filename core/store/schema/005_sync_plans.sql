-- SPDX-License-Identifier: Apache-2.0
-- Plans of copy rules that are kept to be applied later: what was to be done with
-- each image, by digest. totals is '' until the plan is whole.

CREATE TABLE sync_plans (
	id TEXT NOT NULL PRIMARY KEY,
	rule_id TEXT NOT NULL REFERENCES sync_rules (id) ON DELETE CASCADE,
	generation BIGINT NOT NULL,
	totals TEXT NOT NULL,
	created_ms BIGINT NOT NULL
);
CREATE INDEX sync_plans_by_rule ON sync_plans (rule_id, created_ms);

CREATE TABLE sync_plan_steps (
	plan_id TEXT NOT NULL REFERENCES sync_plans (id) ON DELETE CASCADE,
	source TEXT NOT NULL,
	target TEXT NOT NULL,
	digest TEXT NOT NULL,
	action TEXT NOT NULL,
	bytes BIGINT NOT NULL,
	PRIMARY KEY (plan_id, target)
);
