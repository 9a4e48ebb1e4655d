-- Tasks with a kind, a priority and a life cycle. 'detail' is JSON that no query looks into.
ALTER TABLE task ADD COLUMN kind TEXT;
ALTER TABLE task ADD COLUMN priority BIGINT NOT NULL DEFAULT 3;
ALTER TABLE task ADD COLUMN reviewer TEXT;
ALTER TABLE task ADD COLUMN parent TEXT;
ALTER TABLE task ADD COLUMN due_at BIGINT;
ALTER TABLE task ADD COLUMN detail TEXT;
-- Title, description and labels in lower case, for search.
ALTER TABLE task ADD COLUMN haystack TEXT NOT NULL DEFAULT '';
UPDATE task SET haystack = lower(title || ' ' || COALESCE(description, ''));
CREATE INDEX task_by_rank ON task (tenant, state, priority, position);
CREATE INDEX task_by_parent ON task (parent, position) WHERE parent IS NOT NULL;
CREATE INDEX task_by_reviewer ON task (tenant, reviewer, position) WHERE reviewer IS NOT NULL;
CREATE INDEX task_by_creator ON task (tenant, creator, position) WHERE creator IS NOT NULL;
CREATE INDEX task_by_due ON task (tenant, due_at, position) WHERE due_at IS NOT NULL;

-- Assignees after the first, who stands in the task itself.
CREATE TABLE task_helper (
    tenant TEXT NOT NULL,
    handle TEXT NOT NULL,
    task TEXT NOT NULL,
    PRIMARY KEY (tenant, handle, task)
);
CREATE INDEX task_helper_by_task ON task_helper (task);

CREATE TABLE task_label (
    tenant TEXT NOT NULL,
    label TEXT NOT NULL,
    task TEXT NOT NULL,
    PRIMARY KEY (tenant, label, task)
);
CREATE INDEX task_label_by_task ON task_label (task);

-- How many tasks there are of each state, kind ('' for none) and priority: kept with every change,
-- because counting a large board for every page of it is dear.
CREATE TABLE task_tally (
    tenant TEXT NOT NULL,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    priority BIGINT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (tenant, state, kind, priority)
);
INSERT INTO task_tally (tenant, state, kind, priority, count)
    SELECT tenant, state, '', 3, COUNT(*) FROM task GROUP BY tenant, state;

CREATE TABLE subscription (
    position BIGINT PRIMARY KEY,
    task TEXT NOT NULL,
    subscriber TEXT NOT NULL,
    UNIQUE (task, subscriber)
);
