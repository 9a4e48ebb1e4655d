-- Somebody is told again of an approval that waits too long; rules are told apart by their text.
ALTER TABLE approval ADD COLUMN escalate_at BIGINT;
CREATE INDEX approval_overdue ON approval (escalate_at) WHERE status = 'PENDING' AND escalate_at IS NOT NULL;

ALTER TABLE policy ADD COLUMN digest TEXT NOT NULL DEFAULT '';
