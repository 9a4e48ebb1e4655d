-- The log as the audit trail: what kind of thing happened, to whom, by whom, in which request.
ALTER TABLE event ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN agent TEXT;
ALTER TABLE event ADD COLUMN actor_kind TEXT NOT NULL DEFAULT 'SYSTEM';
ALTER TABLE event ADD COLUMN request TEXT;
ALTER TABLE event ADD COLUMN audit BIGINT NOT NULL DEFAULT 0;
CREATE INDEX event_by_task ON event (task, id) WHERE task IS NOT NULL;
CREATE INDEX event_by_agent ON event (agent, id) WHERE agent IS NOT NULL AND audit = 1;
CREATE INDEX event_audit ON event (id) WHERE audit = 1;
