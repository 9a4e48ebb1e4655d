CREATE TABLE approval (
    position BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    requestor TEXT NOT NULL,
    task TEXT,
    title TEXT NOT NULL,
    justification TEXT NOT NULL,
    interface TEXT,
    scope TEXT,
    risk TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    decided_at BIGINT,
    decided_by TEXT,
    decision_note TEXT
);
CREATE INDEX approval_by_tenant ON approval (tenant, position);
CREATE INDEX approval_by_status ON approval (tenant, status, position);
