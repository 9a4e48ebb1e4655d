-- Agents that agents spawned are counted and closed by the task they were spawned for.
ALTER TABLE agent ADD COLUMN parent_task TEXT;
ALTER TABLE agent ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX agent_by_parent_task ON agent (tenant, parent_task) WHERE parent_task IS NOT NULL AND closed = 0;
