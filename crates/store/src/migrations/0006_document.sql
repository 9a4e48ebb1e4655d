CREATE TABLE document (
    position BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    task TEXT NOT NULL,
    title TEXT NOT NULL,
    content TEXT NOT NULL,
    doc_type TEXT NOT NULL,
    author TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX document_by_position ON document (tenant, position);
CREATE INDEX document_by_task ON document (task, position);
CREATE INDEX document_by_type ON document (tenant, doc_type, position);
CREATE INDEX document_by_age ON document (tenant, created_at);
