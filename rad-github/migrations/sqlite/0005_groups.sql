-- Groups that modules trust; names and e-mails in lower case. An owner is the partner's account; empty for the platform.

CREATE TABLE catalog_groups (
    owner BLOB NOT NULL CHECK (length(owner) IN (0, 16)),
    name  TEXT NOT NULL,
    PRIMARY KEY (owner, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE catalog_group_members (
    owner BLOB NOT NULL,
    name  TEXT NOT NULL,
    email TEXT NOT NULL,
    PRIMARY KEY (email, owner, name),
    FOREIGN KEY (owner, name) REFERENCES catalog_groups (owner, name) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX catalog_group_members_of ON catalog_group_members (owner, name);

-- The groups a private module names; in lower case.
CREATE TABLE catalog_trusted_groups (
    module BLOB NOT NULL REFERENCES catalog_listings (id) ON DELETE CASCADE,
    name   TEXT NOT NULL,
    PRIMARY KEY (module, name)
) STRICT, WITHOUT ROWID;
