-- The sources of published modules by their digest.

CREATE TABLE catalog_archives (
    digest bytea NOT NULL PRIMARY KEY CHECK (octet_length(digest) = 32),
    -- The bytes that the digest is taken of, compressed with zlib (RFC 1950).
    packed bytea NOT NULL
);
