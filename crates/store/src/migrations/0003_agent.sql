CREATE TABLE agent (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    handle TEXT NOT NULL,
    rank TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_heartbeat_at BIGINT,
    health TEXT,
    UNIQUE (tenant, handle)
);
