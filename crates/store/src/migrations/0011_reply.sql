-- Replies to creates that carried an idempotency key, byte for byte.
CREATE TABLE reply (
    tenant TEXT NOT NULL,
    resource TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status BIGINT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant, resource, idempotency_key)
);
CREATE INDEX reply_by_age ON reply (created_at);
