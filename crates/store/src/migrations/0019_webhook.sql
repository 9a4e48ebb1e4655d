CREATE TABLE webhook (
    id TEXT PRIMARY KEY,
    body TEXT NOT NULL
);
-- 'due_at' is when somebody must look at a delivery again; nothing once it has ended.
CREATE TABLE webhook_delivery (
    position BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    webhook TEXT NOT NULL,
    due_at BIGINT,
    created_at BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX webhook_delivery_by_webhook ON webhook_delivery (webhook, position);
CREATE INDEX webhook_delivery_due ON webhook_delivery (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_delivery_by_age ON webhook_delivery (created_at) WHERE due_at IS NULL;
