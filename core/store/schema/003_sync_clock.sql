-- SPDX-License-Identifier: Apache-2.0
-- Rules that run by the clock: when the next turn is (0: none), so that one that
-- was missed is known; and what started a run.

ALTER TABLE sync_rules ADD COLUMN next_run_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sync_runs ADD COLUMN started_by TEXT NOT NULL DEFAULT 'manual';
