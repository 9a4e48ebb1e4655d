CREATE TABLE standup (
    tenant TEXT NOT NULL,
    date TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (tenant, date)
);
