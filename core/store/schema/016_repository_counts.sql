-- SPDX-License-Identifier: Apache-2.0
-- Counts of a space and of an integration are sums over repositories: a repository that
-- changed is counted anew by itself, however many tags there are beside it.

ALTER TABLE repositories ADD COLUMN artifact_count BIGINT NOT NULL DEFAULT 0;
ALTER TABLE repositories ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;

UPDATE repositories SET
	artifact_count = (SELECT COUNT(DISTINCT NULLIF(t.digest, '')) FROM tags t
		WHERE t.repository_id = repositories.id),
	bytes = (SELECT COALESCE(SUM(d.held), 0) FROM (SELECT MAX(t.bytes) AS held FROM tags t
		WHERE t.repository_id = repositories.id GROUP BY t.digest) AS d);
