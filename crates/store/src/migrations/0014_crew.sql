-- What is known of an agent beyond its name. 'due_at' is when time alone changes something.
ALTER TABLE agent ADD COLUMN status TEXT NOT NULL DEFAULT 'ACTIVE';
ALTER TABLE agent ADD COLUMN parent TEXT;
ALTER TABLE agent ADD COLUMN due_at BIGINT;
ALTER TABLE agent ADD COLUMN detail TEXT;
-- What people call it, in lower case.
ALTER TABLE agent ADD COLUMN called TEXT NOT NULL DEFAULT '';
UPDATE agent SET called = lower(handle);
CREATE INDEX agent_by_called ON agent (tenant, called);
CREATE INDEX agent_by_parent ON agent (tenant, parent) WHERE parent IS NOT NULL;
CREATE INDEX agent_due ON agent (due_at) WHERE due_at IS NOT NULL;

-- Agents' credentials, as hashes.
CREATE TABLE token (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    agent TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX token_by_agent ON token (tenant, agent);
