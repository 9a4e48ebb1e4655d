-- Runs that agents report, and what a message brings along.
ALTER TABLE run ADD COLUMN due_at BIGINT;
ALTER TABLE run ADD COLUMN detail TEXT;
CREATE INDEX run_by_agent ON run (tenant, agent, position);
CREATE INDEX run_by_task ON run (task, position) WHERE task IS NOT NULL;
CREATE INDEX run_due ON run (due_at) WHERE status = 'RUNNING' AND due_at IS NOT NULL;

ALTER TABLE message ADD COLUMN kind TEXT;
ALTER TABLE message ADD COLUMN has_artifacts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN detail TEXT;
CREATE INDEX message_with_artifacts ON message (task, position) WHERE has_artifacts = 1;
