-- What people were told.
CREATE TABLE notices (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    account BLOB    NOT NULL,
    key     TEXT    NOT NULL,
    notice  TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    seen    INTEGER NOT NULL DEFAULT FALSE,
    UNIQUE (account, key)
) STRICT;

CREATE INDEX notices_by_account ON notices (account, seq);
CREATE INDEX notices_unseen ON notices (account) WHERE NOT seen;
