-- What a turn has done so far: whoever takes it up again goes on from there.
CREATE TABLE turn_step (
    run TEXT NOT NULL,
    number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    tool_call TEXT,
    body TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (run, number)
);
ALTER TABLE run ADD COLUMN waits_for TEXT;
CREATE INDEX run_waiting ON run (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX run_to_take_up ON run (lease_until) WHERE status = 'RUNNING' AND due_at IS NULL AND waits_for IS NULL;
