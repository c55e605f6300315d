CREATE TABLE IF NOT EXISTS documents (
    digest     BLOB PRIMARY KEY CHECK (length(digest) = 32),
    name       TEXT NOT NULL,
    added      TEXT NOT NULL,
    plain_size INTEGER NOT NULL,
    codec      TEXT NOT NULL,
    body       BLOB NOT NULL
) WITHOUT ROWID;
