CREATE TABLE samples (
    id         BLOB    NOT NULL PRIMARY KEY,
    text       TEXT,
    number     INTEGER,
    flag       INTEGER,
    at         INTEGER
) STRICT;
