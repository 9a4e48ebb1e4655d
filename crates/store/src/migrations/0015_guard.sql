-- Approvals that expire, what they leave behind, and what policy found.
ALTER TABLE approval ADD COLUMN ask TEXT;
ALTER TABLE approval ADD COLUMN expires_at BIGINT;
ALTER TABLE approval ADD COLUMN detail TEXT;
CREATE INDEX approval_by_task ON approval (task, status) WHERE task IS NOT NULL;
CREATE INDEX approval_by_requestor ON approval (tenant, requestor, status, position);
CREATE INDEX approval_expiring ON approval (expires_at) WHERE status = 'PENDING' AND expires_at IS NOT NULL;

CREATE TABLE standing_grant (
    position BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    approval TEXT NOT NULL,
    agent TEXT,
    until BIGINT NOT NULL,
    -- 0 once it is used up or taken back.
    good BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX standing_grant_by_approval ON standing_grant (approval);
CREATE INDEX standing_grant_good ON standing_grant (tenant, agent, until) WHERE good = 1;

CREATE TABLE tool_call (
    position BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    run TEXT NOT NULL,
    task TEXT,
    tool TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    updated_at BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX tool_call_by_run ON tool_call (run, position);
CREATE INDEX tool_call_by_task ON tool_call (task, position) WHERE task IS NOT NULL;

CREATE TABLE policy (
    version BIGINT NOT NULL,
    scope TEXT NOT NULL,
    document TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    removed BIGINT NOT NULL,
    PRIMARY KEY (scope, version)
);

-- One row at most.
CREATE TABLE operator (
    id BIGINT PRIMARY KEY,
    body TEXT NOT NULL
);

CREATE TABLE alert (
    position BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    severity TEXT NOT NULL,
    status TEXT NOT NULL,
    agent TEXT,
    body TEXT NOT NULL
);
CREATE INDEX alert_by_tenant ON alert (tenant, position);
CREATE INDEX alert_by_status ON alert (status, severity, position);
