-- Turns are looked for by their trace, and listed by when they began. Both columns say what `detail` says, and
-- both are set or neither is: a condition on one that is in the index lets the index alone answer it.
ALTER TABLE run ADD COLUMN trace TEXT;
ALTER TABLE run ADD COLUMN workspace TEXT;
CREATE INDEX run_by_trace ON run (tenant, trace, position) WHERE trace IS NOT NULL;
CREATE INDEX run_traced ON run (tenant, started_at, position, agent, workspace) WHERE workspace IS NOT NULL;
