CREATE TABLE tenant (
    id TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL
);
