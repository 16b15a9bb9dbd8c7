-- SPDX-License-Identifier: Apache-2.0
-- What a server did to a space by itself: its own name for it, the last change
-- that was noticed, and the bindings that this took out of use ('' and 0: none).

ALTER TABLE spaces ADD COLUMN remote_id TEXT NOT NULL DEFAULT '';
ALTER TABLE spaces ADD COLUMN drift TEXT NOT NULL DEFAULT '';
ALTER TABLE spaces ADD COLUMN drift_ms BIGINT NOT NULL DEFAULT 0;
ALTER TABLE space_bindings ADD COLUMN retired_for TEXT NOT NULL DEFAULT '';
ALTER TABLE space_bindings ADD COLUMN retired_ms BIGINT NOT NULL DEFAULT 0;
