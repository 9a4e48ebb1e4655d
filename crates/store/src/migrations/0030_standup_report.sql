-- The mornings' looks at each tenant's crew.
CREATE TABLE standup_report (
    tenant TEXT NOT NULL,
    date TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (tenant, date)
);
-- The mornings on which every tenant's report has been kept.
CREATE TABLE standup_morning (
    date TEXT PRIMARY KEY
);
