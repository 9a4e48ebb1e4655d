CREATE TABLE event (
    id BIGINT PRIMARY KEY,
    tenant TEXT NOT NULL,
    task TEXT,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX event_by_tenant ON event (tenant, id);
