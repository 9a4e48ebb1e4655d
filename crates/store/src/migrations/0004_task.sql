CREATE TABLE task (
    position BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    flow TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    state TEXT NOT NULL,
    status TEXT NOT NULL,
    metadata TEXT,
    assignee TEXT,
    creator TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX task_by_position ON task (tenant, position);
CREATE INDEX task_by_status ON task (tenant, status, position);
CREATE INDEX task_by_assignee ON task (tenant, assignee, position) WHERE assignee IS NOT NULL;
CREATE INDEX task_by_state ON task (tenant, state, assignee);
CREATE INDEX task_by_change ON task (tenant, updated_at);
-- PostgreSQL cannot index a text of any length, and nobody tells titles apart past that.
CREATE INDEX task_by_title ON task (tenant, substr(title, 1, 200), position);
