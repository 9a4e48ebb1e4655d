-- Notifications that their target fetches are no work for a dispatcher.
ALTER TABLE notification ADD COLUMN title TEXT;
ALTER TABLE notification ADD COLUMN approval TEXT;
ALTER TABLE notification ADD COLUMN fetched BIGINT NOT NULL DEFAULT 0;
DROP INDEX notification_open;
DROP INDEX notification_due;
DROP INDEX notification_open_by_target;
CREATE INDEX notification_open ON notification (tenant, position)
    WHERE delivered_at IS NULL AND dead_at IS NULL AND fetched = 0;
CREATE INDEX notification_due ON notification (position)
    WHERE delivered_at IS NULL AND dead_at IS NULL AND fetched = 0;
CREATE INDEX notification_open_by_target ON notification (tenant, target, lease_until)
    WHERE delivered_at IS NULL AND dead_at IS NULL AND fetched = 0;
CREATE INDEX notification_unread ON notification (target, created_at) WHERE read_at IS NULL;
