CREATE TABLE message (
    position BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    task TEXT NOT NULL,
    content TEXT NOT NULL,
    actor_type TEXT NOT NULL,
    actor_id TEXT,
    agent_role TEXT,
    author TEXT,
    attachments TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX message_by_position ON message (tenant, position);
CREATE INDEX message_by_task ON message (task, position);
CREATE INDEX message_by_age ON message (tenant, created_at);
