CREATE TABLE tenant_budget (
    tenant TEXT PRIMARY KEY,
    body TEXT NOT NULL
);
