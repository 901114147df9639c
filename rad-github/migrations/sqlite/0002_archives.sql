-- The sources of published modules by their digest.

CREATE TABLE catalog_archives (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    -- The bytes that the digest is taken of, compressed with zlib (RFC 1950).
    packed BLOB NOT NULL
) STRICT;
