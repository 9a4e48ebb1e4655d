-- What runs cost, a row for each quarter of an hour: statistics add these up instead of the runs.
CREATE TABLE cost (
    tenant TEXT NOT NULL,
    quarter BIGINT NOT NULL,
    agent TEXT NOT NULL,
    model TEXT NOT NULL,
    -- '' for work on no task, or on one of no kind.
    kind TEXT NOT NULL,
    runs BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    cost_microusd BIGINT NOT NULL,
    PRIMARY KEY (tenant, quarter, agent, model, kind)
);
CREATE INDEX cost_by_agent ON cost (tenant, agent, quarter);
CREATE INDEX cost_by_quarter ON cost (quarter);
