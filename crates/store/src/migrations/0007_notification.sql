CREATE TABLE notification (
    position BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    target TEXT NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,
    task TEXT,
    message TEXT,
    metadata TEXT,
    hops BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    delivered_at BIGINT,
    read_at BIGINT,
    dead_at BIGINT,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    last_error TEXT,
    lease_owner TEXT,
    lease_until BIGINT NOT NULL,
    lease_fence BIGINT NOT NULL
);
CREATE INDEX notification_by_target ON notification (tenant, target, position);
CREATE INDEX notification_by_task ON notification (tenant, target, task, position);
CREATE INDEX notification_by_position ON notification (tenant, position);
-- The queue itself: small, whatever was delivered before.
CREATE INDEX notification_open ON notification (tenant, position)
    WHERE delivered_at IS NULL AND dead_at IS NULL;
CREATE INDEX notification_due ON notification (position)
    WHERE delivered_at IS NULL AND dead_at IS NULL;
CREATE INDEX notification_open_by_target ON notification (tenant, target, lease_until)
    WHERE delivered_at IS NULL AND dead_at IS NULL;
