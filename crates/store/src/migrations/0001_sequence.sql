-- One row a counter. 'position' numbers rows and events in commit order; 'event_floor' is the
-- newest event that was dropped for its age.
CREATE TABLE sequence (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO sequence (name, value) VALUES ('position', 0), ('event_floor', 0);
