CREATE TABLE run (
    position BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    agent TEXT NOT NULL,
    idempotency_key TEXT,
    task TEXT,
    status TEXT NOT NULL,
    model TEXT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cost_microusd BIGINT NOT NULL,
    error TEXT,
    answer TEXT,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    lease_owner TEXT,
    lease_until BIGINT NOT NULL,
    lease_fence BIGINT NOT NULL
);
CREATE UNIQUE INDEX run_by_key ON run (tenant, agent, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX run_by_tenant ON run (tenant, position);
