-- Which person made a task, where a list is narrowed to theirs. Before, the installation's operator was the only one
-- that could be told without looking into 'detail'.
ALTER TABLE task ADD COLUMN creator_user TEXT;
UPDATE task SET creator_user = 'operator' WHERE creator IS NULL AND detail LIKE '%"creator_user":"operator"%';
CREATE INDEX task_by_person ON task (tenant, creator_user, position) WHERE creator_user IS NOT NULL;
