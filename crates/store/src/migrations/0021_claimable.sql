-- What an agent might take, most urgent first: asked with every heartbeat.
CREATE INDEX task_claimable ON task (tenant, kind, priority, position)
    WHERE state = 'INBOX' AND assignee IS NULL;
