-- Groups that modules trust; names and e-mails in lower case. An owner is the partner's account; empty for the platform.

CREATE TABLE catalog_groups (
    owner bytea NOT NULL CHECK (octet_length(owner) IN (0, 16)),
    name  text NOT NULL,
    PRIMARY KEY (owner, name)
);

CREATE TABLE catalog_group_members (
    owner bytea NOT NULL,
    name  text NOT NULL,
    email text NOT NULL,
    PRIMARY KEY (email, owner, name),
    FOREIGN KEY (owner, name) REFERENCES catalog_groups (owner, name) ON DELETE CASCADE
);

CREATE INDEX catalog_group_members_of ON catalog_group_members (owner, name);

-- The groups a private module names; in lower case.
CREATE TABLE catalog_trusted_groups (
    module bytea NOT NULL REFERENCES catalog_listings (id) ON DELETE CASCADE,
    name   text NOT NULL,
    PRIMARY KEY (module, name)
);
