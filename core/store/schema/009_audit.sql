-- SPDX-License-Identifier: Apache-2.0
-- The caller's groups of each audit row (a JSON array of numbers, or ''), and the
-- seals of the chain: where it starts after old rows went, and where it ends, each
-- signed with a key that the store does not hold.

ALTER TABLE audit ADD COLUMN group_ids TEXT NOT NULL DEFAULT '';

CREATE TABLE audit_seals (
	kind TEXT NOT NULL PRIMARY KEY,
	number BIGINT NOT NULL,
	hash TEXT NOT NULL,
	time_ms BIGINT NOT NULL,
	signature TEXT NOT NULL
);
INSERT INTO audit_seals (kind, number, hash, time_ms, signature)
	VALUES ('start', 0, '', 0, '');
INSERT INTO audit_seals (kind, number, hash, time_ms, signature)
	SELECT 'end', COALESCE(MAX(number), 0), COALESCE((SELECT a.hash FROM audit a
	ORDER BY a.number DESC LIMIT 1), ''), 0, '' FROM audit;
