CREATE TABLE samples (
    id         bytea NOT NULL PRIMARY KEY,
    text       text,
    number     bigint,
    flag       boolean,
    at         timestamptz
);
